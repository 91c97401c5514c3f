//! One listening socket: where it listens, and the connections it gives.
//! It never decides how many are taken in, or whether they are welcome.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Type};

use super::socket::Socket;
use crate::model::{Door, Visitor};

/// Connections the kernel completes ahead of us, per listener.
const BACKLOG: i32 = 1024;
/// What the kernel may hold of what a client has yet to take; it counts its own cost in and doubles
/// this for that. Left to itself it holds 3 to 4 MB for a reader on loopback that is stuck.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address; port 0 lets the system choose. An IPv6 one takes no IPv4 connections.
    Tcp(SocketAddr),
}

/// A socket that takes connections in.
#[derive(Debug)]
pub(super) struct Gate {
    socket: TcpListener,
    door: Door,
}

impl Gate {
    /// Listens there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(at: Listen) -> io::Result<Gate> {
        let Listen::Tcp(addr) = at;
        Ok(Gate {
            socket: listener(addr)?,
            door: door(addr),
        })
    }

    /// Has the poll tell of connections that wait.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token, Interest::READABLE)
    }

    /// The address in use, with the port that the system chose.
    pub(super) fn addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// The next connection that waits.
    ///
    /// # Errors
    /// Nobody waits, or what the system says.
    pub(super) fn accept(&self) -> io::Result<(Socket, Visitor)> {
        let (stream, from) = self.socket.accept()?;
        let visitor = Visitor {
            peer: from.ip().to_canonical(),
            door: self.door,
            secure: false,
        };
        Ok((Socket::Tcp(stream), visitor))
    }
}

/// Sends a refusal and closes. What has come in already is read away, because closing over unread
/// bytes makes the kernel reset the connection, and a reset can overtake the answer.
pub(super) fn turn_away(mut socket: Socket, answer: &[u8]) {
    let _ = socket.write(answer);
    socket.finish();
    let mut away = [0; 4096];
    let _ = socket.read(&mut away);
}

/// Who can reach a TCP address.
fn door(addr: SocketAddr) -> Door {
    match addr.ip().to_canonical().is_loopback() {
        true => Door::Loopback,
        false => Door::Open,
    }
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a former process that linger in TIME_WAIT must not keep us from the port.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit these: system calls per listener instead of per connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
