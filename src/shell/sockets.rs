//! The column of sockets beside the engine's slab, and what the poll said about each.
//! It never reads or writes a byte, and never decides when a line ends.

use std::io;

use mio::event::{Event, Source};
use mio::{Interest, Registry, Token};

use super::entry::Entry;
use crate::base::slab::Key;

/// The number that a line has in the poll. Where a `usize` is too short for the generation, the
/// index alone remains, and a stale event is one more spurious one.
fn token(key: Key) -> Token {
    Token(key.to_bits() as usize)
}

/// Sockets by the index of their key, and the list of those with something to look at.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    column: Vec<Option<Entry>>,
    ready: Vec<Key>,
    // The other half of a pair that swap roles every turn, so that neither is allocated anew.
    resting: Vec<Key>,
}

impl Sockets {
    /// The socket of that line, unless it is closed.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.column
            .get_mut(key.index())?
            .as_mut()
            .filter(|entry| entry.key == key)
    }

    /// Notes what the poll said. An event for a line that is gone finds nothing.
    pub(super) fn note(&mut self, event: &Event) {
        let Token(bits) = event.token();
        let place = self.column.get_mut(bits as u32 as usize);
        let Some(entry) = place.and_then(Option::as_mut) else {
            return;
        };
        if token(entry.key) != event.token() {
            return;
        }
        let failing = event.is_error();
        let hangup = event.is_read_closed() || failing;
        entry.readable |= event.is_readable() || hangup;
        entry.writable |= event.is_writable() || event.is_write_closed() || failing;
        entry.hangup |= hangup;
        entry.failing |= failing;
        let key = entry.key;
        self.queue(key);
    }

    /// Puts the line into the ready list, if it is not there already.
    pub(super) fn queue(&mut self, key: Key) {
        if let Some(entry) = self.get_mut(key)
            && !std::mem::replace(&mut entry.queued, true)
        {
            self.ready.push(key);
        }
    }

    /// Whether lines wait in the ready list.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the ready list as it is; lines queued from now on are for the next time. Each line in
    /// it may be queued again once `unqueue` was called. Give it back with `put_back`.
    pub(super) fn take_ready(&mut self) -> Vec<Key> {
        std::mem::replace(&mut self.ready, std::mem::take(&mut self.resting))
    }

    /// Keeps the list's memory for the turn after the next.
    pub(super) fn put_back(&mut self, mut list: Vec<Key>) {
        list.clear();
        self.resting = list;
    }

    /// The line's socket, no longer in the ready list.
    pub(super) fn unqueue(&mut self, key: Key) -> Option<&mut Entry> {
        let entry = self.get_mut(key)?;
        entry.queued = false;
        Some(entry)
    }

    /// Takes in a socket, accepted or connecting. What is waiting in it shows as an edge at the
    /// next poll.
    ///
    /// # Errors
    /// The poll cannot take it; the socket is closed.
    pub(super) fn adopt(&mut self, registry: &Registry, mut entry: Entry) -> io::Result<()> {
        // Once, for both directions and for good: dropping the socket takes it out of the poll.
        let both = Interest::READABLE | Interest::WRITABLE;
        entry.socket.register(registry, token(entry.key), both)?;
        let index = entry.key.index();
        if index >= self.column.len() {
            self.column.resize_with(index + 1, || None);
        }
        debug_assert!(
            self.column[index].is_none(),
            "a key was given out before its line's Close"
        );
        self.column[index] = Some(entry);
        Ok(())
    }

    /// Ends our sending direction; reading goes on.
    pub(super) fn shutdown(&mut self, key: Key) {
        if let Some(entry) = self.get_mut(key) {
            entry.finish();
        }
    }

    /// Reads the line again if there may be something to read.
    pub(super) fn resume(&mut self, key: Key) {
        if self.get_mut(key).is_some_and(|entry| entry.readable) {
            self.queue(key);
        }
    }

    /// Drops the line's socket.
    pub(super) fn close(&mut self, key: Key) {
        if let Some(entry) = self.get_mut(key) {
            entry.say_goodbye();
            self.column[key.index()] = None;
        }
    }

    /// How many sockets there are; walks the column, so not for a hot path.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.column.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::{SocketAddr, TcpListener};

    use mio::Poll;
    use mio::net::TcpStream;

    use crate::base::slab::Slab;
    use crate::port::Ended;
    use crate::shell::entry::{Layer, Stage};
    use crate::shell::socket::{Handshake, Socket, ended};

    fn connect(sockets: &mut Sockets, poll: &Poll, key: Key, addr: SocketAddr) -> io::Result<()> {
        let socket = Socket::connect(addr)?;
        let entry = Entry::new(key, socket, Layer::Plain, Stage::Connecting);
        sockets.adopt(poll.registry(), entry)
    }

    #[test]
    fn a_closed_line_is_found_by_neither_its_key_nor_the_next_tenant_s() {
        let poll = Poll::new().unwrap();
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = peer.local_addr().unwrap();
        let (mut slab, mut sockets) = (Slab::with_bound(8), Sockets::default());
        let first = slab.insert(()).unwrap();
        connect(&mut sockets, &poll, first, addr).unwrap();
        sockets.queue(first);
        sockets.queue(first);
        assert_eq!(
            sockets.take_ready(),
            [first],
            "once, however often it is queued"
        );
        slab.remove(first);
        sockets.close(first);
        assert_eq!(sockets.len(), 0);
        let second = slab.insert(()).unwrap();
        assert_eq!(second.index(), first.index());
        connect(&mut sockets, &poll, second, addr).unwrap();
        assert!(sockets.get_mut(first).is_none());
        sockets.close(first);
        sockets.resume(first);
        sockets.queue(first);
        assert!(!sockets.has_ready());
        assert!(sockets.get_mut(second).is_some());
    }

    /// How a connection to `addr` stands, at once or when the poll has something to say about it.
    fn handshake(addr: SocketAddr, wait: bool) -> Handshake {
        let mut poll = Poll::new().unwrap();
        let (mut slab, mut sockets) = (Slab::with_bound(1), Sockets::default());
        let key = slab.insert(()).unwrap();
        if let Err(why) = connect(&mut sockets, &poll, key, addr) {
            return Handshake::Failed(ended(&why));
        }
        let mut events = mio::Events::with_capacity(1);
        while wait && sockets.ready.is_empty() {
            poll.poll(&mut events, None).unwrap();
            events.iter().for_each(|event| sockets.note(event));
        }
        sockets.get_mut(key).unwrap().socket.handshake()
    }

    #[test]
    fn a_handshake_is_done_refused_or_under_way() {
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = peer.local_addr().unwrap();
        assert_eq!(handshake(addr, true), Handshake::Done);
        drop(peer);
        assert_eq!(handshake(addr, true), Handshake::Failed(Ended::Refused));

        // Once a listener's queue is full the kernel drops what else knocks.
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let full = full.unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        full.listen(0).unwrap();
        let addr = full.local_addr().unwrap().as_socket().unwrap();
        let held: Vec<_> = (0..8).map(|_| TcpStream::connect(addr).unwrap()).collect();
        assert_eq!(handshake(addr, false), Handshake::UnderWay);
        drop(held);
    }

    #[test]
    fn a_reset_shows_as_a_hangup_with_a_failure_to_take_once() {
        let mut poll = Poll::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut slab, mut sockets) = (Slab::with_bound(1), Sockets::default());
        let key = slab.insert(()).unwrap();
        let addr = listener.local_addr().unwrap();
        connect(&mut sockets, &poll, key, addr).unwrap();
        let (peer, _) = listener.accept().unwrap();
        socket2::SockRef::from(&peer)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
        drop(peer);
        let mut events = mio::Events::with_capacity(1);
        while !sockets.get_mut(key).unwrap().failing {
            poll.poll(&mut events, None).unwrap();
            events.iter().for_each(|event| sockets.note(event));
        }
        let entry = sockets.get_mut(key).unwrap();
        assert!(entry.hangup && entry.readable && entry.writable);
        assert_eq!(entry.take_failure(), Some(Ended::Reset));
        assert_eq!(entry.take_failure(), None);
        assert!(!entry.failing);
    }
}
