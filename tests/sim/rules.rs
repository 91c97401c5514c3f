//! What may be called in this world, said without the guard's words: its internet, its machine and
//! networks, and what a story opens. It reads no rule of ours.

use std::net::{IpAddr, SocketAddr};

use hookah::courier::guard::{Policy, Preset};

use crate::setup;

/// The rules of one world.
#[derive(Debug)]
pub struct Rules {
    /// Nothing but the internet is open.
    public: bool,
    /// Where we listen.
    pub own: Vec<SocketAddr>,
    /// What is open besides, whatever it is: to all, or under one name.
    pub opened: Vec<(SocketAddr, Option<&'static str>)>,
}

impl Rules {
    /// Those of an engine with that policy, as long as nothing is opened.
    pub fn of(policy: &Policy) -> Rules {
        Rules {
            public: policy.preset == Preset::Public,
            own: vec![setup::OWN],
            opened: Vec::new(),
        }
    }

    /// Whether an order for `host`, strict or not, may be sent to `addr`.
    pub fn is_open(&self, addr: SocketAddr, host: &str, strict: bool) -> bool {
        let mut opened = self.opened.iter();
        let named = |name: Option<&str>| name.is_none_or(|name| name == host);
        opened.any(|(open, name)| *open == addr && named(*name)) || self.is_usual(addr, strict)
    }

    /// Whether any order at all may be sent to `addr`.
    pub fn is_some_way(&self, addr: SocketAddr) -> bool {
        self.opened.iter().any(|(open, _)| *open == addr) || self.is_usual(addr, false)
    }

    fn is_usual(&self, addr: SocketAddr, strict: bool) -> bool {
        let local = is_local(addr.ip()) && !strict && !self.public;
        (is_internet(addr.ip()) || local) && !self.own.contains(&addr)
    }
}

/// The machine and its networks.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.is_loopback() || ip.segments()[0] == 0xfd00,
    }
}

/// A part of the internet, and the way to it through NAT64. All others are closed.
fn is_internet(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[..2] == [93, 184],
        IpAddr::V6(ip) => matches!(
            ip.segments(),
            [0x2606, 0x2800, ..] | [0x64, 0xff9b, 0, 0, 0, 0, 0x5db8, _]
        ),
    }
}
