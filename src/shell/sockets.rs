//! The column of sockets beside the engine's slab, and what the poll said about each.
//! It never reads or writes a byte, and never decides when a line ends.

use std::io;
use std::net::{Shutdown, SocketAddr};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;

use super::tls::Session;
use crate::base::slab::Key;
use crate::port::Ended;

/// Where a socket stands.
///
/// ```text
/// Connecting ─▶ Open ─▶ Finished
///   │    ╲      ▶│ ╲        │
///   │ Securing ─╱│  ▶ Doomed│
///   ▼         │  ▼     ▼    ▼
///   └─────────┴▶ Over ◀─────┘      (any of them is dropped by Close)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// TCP's handshake is under way.
    Connecting,
    /// TLS's handshake is under way; the engine knows of no connection yet.
    Securing,
    /// Both directions are good.
    Open,
    /// The peer finished, and the engine knows. We may still write.
    Finished,
    /// A write failed for this reason. What the peer sent before is read first: an answer that came
    /// early is worth more than the error.
    Doomed(Ended),
    /// The engine was told that the line has ended; its `Close` is to come.
    Over,
}

/// What lies between the socket's bytes and the engine's.
#[derive(Debug)]
pub(super) enum Layer {
    /// Nothing.
    Plain,
    /// TLS, once there is a connection, with the server of that name.
    Named(ServerName<'static>),
    /// TLS.
    Tls(Box<Session>),
}

/// A socket with its sticky bits: readiness is noted on the edge and holds until a read or a write
/// finds otherwise. A bit may be wrong (edges can be spurious or stale), so nothing rests on it.
#[derive(Debug)]
pub(super) struct Entry {
    key: Key,
    pub(super) stream: TcpStream,
    pub(super) layer: Layer,
    pub(super) stage: Stage,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The end of what the peer sends is near: a short read does not mean that nothing is left.
    pub(super) hangup: bool,
    /// The socket has an error to tell.
    pub(super) failing: bool,
    /// The engine waits for `unblocked`.
    pub(super) blocked: bool,
    /// Stands in the ready list.
    queued: bool,
    /// The last turn in which it was written, and the bytes of that turn.
    pub(super) written: (u64, usize),
}

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

    /// Takes in an accepted connection. What is waiting in it shows as an edge at the next poll.
    ///
    /// # Errors
    /// The poll cannot take it; the connection is closed.
    pub(super) fn adopt(
        &mut self,
        registry: &Registry,
        key: Key,
        stream: TcpStream,
    ) -> io::Result<()> {
        self.insert(registry, key, stream, Layer::Plain, Stage::Open)
    }

    /// Begins to connect. The end of TCP's handshake shows as an edge.
    ///
    /// # Errors
    /// The connection failed at once, and there is no socket under the key.
    pub(super) fn connect(
        &mut self,
        registry: &Registry,
        key: Key,
        addr: SocketAddr,
        layer: Layer,
    ) -> io::Result<()> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        self.insert(registry, key, stream, layer, Stage::Connecting)
    }

    fn insert(
        &mut self,
        registry: &Registry,
        key: Key,
        mut stream: TcpStream,
        layer: Layer,
        stage: Stage,
    ) -> io::Result<()> {
        // Once, for both directions and for good: dropping the socket takes it out of the poll.
        registry.register(
            &mut stream,
            token(key),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let index = key.index();
        if index >= self.column.len() {
            self.column.resize_with(index + 1, || None);
        }
        debug_assert!(
            self.column[index].is_none(),
            "a key was given out before its line's Close"
        );
        self.column[index] = Some(Entry {
            key,
            stream,
            layer,
            stage,
            readable: false,
            writable: stage == Stage::Open,
            hangup: false,
            failing: false,
            blocked: false,
            queued: false,
            written: (0, 0),
        });
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

impl Entry {
    /// Whether a read may bring something.
    pub(super) fn may_read(&self) -> bool {
        let open = matches!(self.stage, Stage::Securing | Stage::Open | Stage::Doomed(_));
        self.readable && open
    }

    /// Whether a write may be tried.
    pub(super) fn may_write(&self) -> bool {
        self.writable && matches!(self.stage, Stage::Open | Stage::Finished)
    }

    /// The session of a line with TLS, and where the line stands.
    pub(super) fn secured(&mut self) -> Option<(Stage, &mut Session)> {
        match &mut self.layer {
            Layer::Tls(session) => Some((self.stage, session)),
            Layer::Plain | Layer::Named(_) => None,
        }
    }

    /// Whether ciphertext may be tried to be flushed.
    pub(super) fn may_flush(&self) -> bool {
        self.may_write() || (self.writable && self.stage == Stage::Securing)
    }

    /// Ends our sending direction. What fails here fails because the connection is gone, which a
    /// read will tell.
    fn finish(&mut self) {
        match &mut self.layer {
            Layer::Tls(session) => {
                session.finish(true);
                match session.flush(&mut self.stream) {
                    Ok(true) | Err(_) => {}
                    Ok(false) => (self.writable, self.blocked) = (false, true),
                }
            }
            Layer::Plain | Layer::Named(_) => {
                let _ = self.stream.shutdown(Shutdown::Write);
            }
        }
    }

    /// Before the socket is dropped: over TLS the other side is told, if that is at all possible,
    /// that this is no accident.
    fn say_goodbye(&mut self) {
        if self.may_write()
            && let Layer::Tls(session) = &mut self.layer
        {
            session.finish(false);
            let _ = session.flush(&mut self.stream);
        }
    }

    /// How TCP's handshake stands after an edge: done, failed, or, after a spurious one, under way.
    pub(super) fn handshake(&mut self) -> Handshake {
        match self.stream.take_error() {
            Ok(None) => {}
            Ok(Some(why)) | Err(why) => return Handshake::Failed(ended(&why)),
        }
        match self.stream.peer_addr() {
            Ok(_) => Handshake::Done,
            Err(why) if is_under_way(&why) => Handshake::UnderWay,
            Err(why) => Handshake::Failed(ended(&why)),
        }
    }

    /// The socket's pending error as a reason, if it has one.
    pub(super) fn take_failure(&mut self) -> Option<Ended> {
        self.failing = false;
        match self.stream.take_error() {
            Ok(None) => None,
            Ok(Some(why)) | Err(why) => Some(ended(&why)),
        }
    }
}

/// The state of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    Done,
    UnderWay,
    Failed(Ended),
}

fn is_under_way(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::NotConnected || why.raw_os_error() == Some(libc::EINPROGRESS)
}

/// The system's word for why a connection ended, as the engine understands it.
pub(super) fn ended(why: &io::Error) -> Ended {
    match why.raw_os_error() {
        Some(libc::ECONNREFUSED) => Ended::Refused,
        // The last three are what routes of the types prohibit and blackhole, and firewalls, give.
        Some(
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EACCES
            | libc::EPERM
            | libc::EINVAL,
        ) => Ended::Unreachable,
        Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ENOTCONN) => Ended::Reset,
        Some(libc::ETIMEDOUT) => Ended::TimedOut,
        // On connect, EADDRNOTAVAIL and EAGAIN say that no local port is left.
        Some(
            libc::EMFILE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM
            | libc::ENOSPC
            | libc::EADDRNOTAVAIL
            | libc::EAGAIN,
        ) => Ended::Exhausted,
        _ => Ended::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::TcpListener;

    use mio::Poll;

    use crate::base::slab::Slab;

    #[test]
    fn a_closed_line_is_found_by_neither_its_key_nor_the_next_tenant_s() {
        let poll = Poll::new().unwrap();
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = peer.local_addr().unwrap();
        let (mut slab, mut sockets) = (Slab::with_bound(8), Sockets::default());
        let first = slab.insert(()).unwrap();
        sockets
            .connect(poll.registry(), first, addr, Layer::Plain)
            .unwrap();
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
        sockets
            .connect(poll.registry(), second, addr, Layer::Plain)
            .unwrap();
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
        if let Err(why) = sockets.connect(poll.registry(), key, addr, Layer::Plain) {
            return Handshake::Failed(ended(&why));
        }
        let mut events = mio::Events::with_capacity(1);
        while wait && sockets.ready.is_empty() {
            poll.poll(&mut events, None).unwrap();
            events.iter().for_each(|event| sockets.note(event));
        }
        sockets.get_mut(key).unwrap().handshake()
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
        sockets
            .connect(poll.registry(), key, addr, Layer::Plain)
            .unwrap();
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

    #[test]
    fn reasons_are_told_apart() {
        let rows = [
            (libc::ECONNREFUSED, Ended::Refused),
            (libc::EHOSTUNREACH, Ended::Unreachable),
            (libc::EACCES, Ended::Unreachable),
            (libc::EPIPE, Ended::Reset),
            (libc::ETIMEDOUT, Ended::TimedOut),
            (libc::EMFILE, Ended::Exhausted),
            (libc::EADDRNOTAVAIL, Ended::Exhausted),
            (libc::EBADF, Ended::Broken),
        ];
        for (code, reason) in rows {
            assert_eq!(
                ended(&io::Error::from_raw_os_error(code)),
                reason,
                "errno {code}"
            );
        }
        assert_eq!(ended(&io::Error::other("no number")), Ended::Broken);
    }
}
