//! A load of a known size: so many dispatches over so many kept-alive lines, one in flight on
//! each. It measures nothing; whoever calls it does.

use std::io;
use std::net::SocketAddr;

use crate::peer::{Client, Target, dispatch};

/// What is dispatched.
#[derive(Clone, Copy)]
pub enum Kind {
    /// To a topic that nobody listens to: taking it in is all.
    Intake,
    /// To a target that answers at once.
    Webhook,
}

/// Sends `count` dispatches, in rounds of one on each of `lines` lines, and waits for the webhooks.
pub fn run(addr: SocketAddr, kind: Kind, count: usize, lines: usize) -> io::Result<()> {
    let target = Target::open()?;
    let form = match kind {
        Kind::Intake => "_topic=t&hello=world&n=1".to_owned(),
        Kind::Webhook => target.form("hello=world&n=1"),
    };
    let request = dispatch(&form);
    let clients: io::Result<Vec<Client>> = (0..lines).map(|_| Client::connect(addr)).collect();
    let mut clients = clients?;
    for _ in 0..count / lines {
        for client in &mut clients {
            client.send(&request)?;
        }
        for client in &mut clients {
            client.accepted()?;
        }
    }
    match kind {
        Kind::Intake => Ok(()),
        Kind::Webhook => target.wait(count / lines * lines),
    }
}
