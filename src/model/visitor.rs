//! Who has connected to us, as far as the connection itself tells: from where, and through which
//! door. No behaviour.

use std::net::IpAddr;

/// A client's connection, before it has said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Its address; loopback for whoever comes by a Unix socket.
    pub peer: IpAddr,
    /// The kind of listener that took it in.
    pub door: Door,
    /// Whether TLS's handshake comes first. Such a line is `connected` once that is done, and
    /// brings nothing before.
    pub secure: bool,
}

/// Kinds of listeners, by who can reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A TCP address that other machines reach too.
    Open,
    /// A TCP address of this machine alone.
    Loopback,
    /// A Unix socket.
    Unix {
        /// Whether the peer runs as the server's own user or as root (SO_PEERCRED).
        owner: bool,
    },
}

impl Visitor {
    /// Whether it is somebody on this machine, through a door that is for nobody else.
    #[must_use]
    pub fn is_local(self) -> bool {
        match self.door {
            Door::Open => false,
            Door::Loopback => self.peer.is_loopback(),
            Door::Unix { .. } => true,
        }
    }
}

/// Whoever connects without TLS to an address that others reach too.
impl From<IpAddr> for Visitor {
    fn from(peer: IpAddr) -> Visitor {
        Visitor {
            peer,
            door: Door::Open,
            secure: false,
        }
    }
}
