//! The sockets that ask name servers: one for each question, with a port of its own that the kernel
//! draws, connected, so that only that server's datagrams come in. It reads no message.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use crate::base::slab::Key;

/// Datagrams read in one turn.
pub(super) const DATAGRAMS_PER_TURN_MAX: usize = 64;
/// The low half of their tokens begins here: above the bound of every slab, far below the other
/// reserved tokens.
const FIRST: u32 = 0xffff_0000;
/// Sockets at once; the resolver holds far fewer.
const SOCKETS_MAX: usize = 0x8000;

#[derive(Debug)]
struct Entry {
    key: Key,
    socket: UdpSocket,
    queued: bool,
}

/// Sockets by the index of their key, and those that may have something to read.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    column: Vec<Option<Entry>>,
    ready: Vec<Key>,
}

/// What a socket had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A datagram of so many bytes.
    Bytes(Key, usize),
    /// The socket has failed: nobody listens there, or there is no way.
    Failed(Key),
}

impl Datagrams {
    /// Sends `packet` to `server` from a new socket.
    ///
    /// # Errors
    /// There is no socket under the key, or what there is has failed.
    pub(super) fn ask(
        &mut self,
        registry: &Registry,
        key: Key,
        server: SocketAddr,
        packet: &[u8],
    ) -> io::Result<()> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        if key.index() >= SOCKETS_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        registry.register(&mut socket, token(key), Interest::READABLE)?;
        let sent = socket.send(packet);
        let index = key.index();
        if index >= self.column.len() {
            self.column.resize_with(index + 1, || None);
        }
        debug_assert!(
            self.column[index].is_none(),
            "a key was given out before its Forget"
        );
        self.column[index] = Some(Entry {
            key,
            socket,
            queued: false,
        });
        match sent {
            // One that did not fit anywhere is as good as lost on the way.
            Err(why) if why.kind() != io::ErrorKind::WouldBlock => Err(why),
            _ => Ok(()),
        }
    }

    /// Drops a question's socket.
    pub(super) fn forget(&mut self, key: Key) {
        if let Some(place) = self.column.get_mut(key.index())
            && place.as_ref().is_some_and(|entry| entry.key == key)
        {
            *place = None;
        }
    }

    /// Notes readiness; false if the token is not one of ours.
    pub(super) fn note(&mut self, Token(bits): Token) -> bool {
        let Some(index) = (bits as u32).checked_sub(FIRST) else {
            return false;
        };
        if index as usize >= SOCKETS_MAX {
            return false;
        }
        // A stale event is a spurious one, for which a read finds nothing.
        if let Some(Some(entry)) = self.column.get_mut(index as usize)
            && !std::mem::replace(&mut entry.queued, true)
        {
            self.ready.push(entry.key);
        }
        true
    }

    /// Whether something may be left to read.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Reads the next datagram into `scratch`.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> Option<Received> {
        while let Some(key) = self.ready.last().copied() {
            let place = self.column.get_mut(key.index()).and_then(Option::as_mut);
            let Some(entry) = place.filter(|entry| entry.key == key) else {
                self.ready.pop();
                continue;
            };
            match entry.socket.recv(scratch) {
                Ok(count) => return Some(Received::Bytes(key, count)),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => {
                    entry.queued = false;
                    self.ready.pop();
                    if why.kind() != io::ErrorKind::WouldBlock {
                        return Some(Received::Failed(key));
                    }
                }
            }
        }
        None
    }
}

fn token(key: Key) -> Token {
    Token((FIRST + key.index() as u32) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    use mio::{Events, Poll};

    use crate::base::slab::Slab;
    use crate::shell::turn::{LISTENERS, SIGNALS};

    fn wait(poll: &mut Poll, datagrams: &mut Datagrams) {
        let mut events = Events::with_capacity(8);
        while !datagrams.has_ready() {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                assert!(datagrams.note(event.token()));
            }
        }
    }

    #[test]
    fn only_the_server_that_was_asked_is_heard() {
        let mut poll = Poll::new().unwrap();
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut slab, mut datagrams) = (Slab::with_bound(8), Datagrams::default());
        let keys = [(); 2].map(|()| slab.insert(()).unwrap());
        let mut from = keys.map(|key| {
            let to = server.local_addr().unwrap();
            datagrams.ask(poll.registry(), key, to, b"who?").unwrap();
            let mut buf = [0; 16];
            let (count, from) = server.recv_from(&mut buf).unwrap();
            assert_eq!(&buf[..count], b"who?");
            from
        });
        assert_ne!(from[0], from[1], "each question has its own port");
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"me", from[1]).unwrap();
        server.send_to(b"you", from[1]).unwrap();
        wait(&mut poll, &mut datagrams);
        let mut scratch = [0; 16];
        assert_eq!(
            datagrams.receive(&mut scratch),
            Some(Received::Bytes(keys[1], 3))
        );
        assert_eq!(&scratch[..3], b"you");
        assert_eq!(datagrams.receive(&mut scratch), None);
        assert!(!datagrams.has_ready());
        from.reverse();
        datagrams.forget(keys[1]);
        slab.remove(keys[1]);
        let next = slab.insert(()).unwrap();
        datagrams
            .ask(
                poll.registry(),
                next,
                server.local_addr().unwrap(),
                b"again",
            )
            .unwrap();
        datagrams.forget(keys[1]);
        assert!(
            datagrams.column[next.index()].is_some(),
            "a stale key finds nothing"
        );
    }

    #[test]
    fn a_port_where_nobody_listens_fails_the_question() {
        let mut poll = Poll::new().unwrap();
        let gone = std::net::UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (mut slab, mut datagrams) = (Slab::with_bound(8), Datagrams::default());
        let key = slab.insert(()).unwrap();
        datagrams.ask(poll.registry(), key, gone, b"who?").unwrap();
        wait(&mut poll, &mut datagrams);
        assert_eq!(datagrams.receive(&mut [0; 16]), Some(Received::Failed(key)));
    }

    #[test]
    fn tokens_are_nobody_elses() {
        let mut datagrams = Datagrams::default();
        let lines = [0, 1 << 32, u64::from(FIRST - 1), (7 << 32) | 65_535];
        for bits in lines.map(|bits| bits as usize) {
            assert!(!datagrams.note(Token(bits)), "{bits:#x}");
        }
        for Token(bits) in [SIGNALS, LISTENERS] {
            assert!(!datagrams.note(Token(bits)), "{bits:#x}");
        }
        assert!(datagrams.note(Token(FIRST as usize)));
    }
}
