//! One line's socket: where it stands, what lies between its bytes and the engine's, and what the
//! poll said about it. It never decides when a line ends.

use rustls::pki_types::ServerName;

use super::socket::Socket;
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
    pub(super) key: Key,
    pub(super) socket: Socket,
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
    pub(super) queued: bool,
    /// The last turn in which it was written, and the bytes of that turn.
    pub(super) written: (u64, usize),
}

impl Entry {
    /// A socket about which the poll has said nothing yet.
    pub(super) fn new(key: Key, socket: Socket, layer: Layer, stage: Stage) -> Entry {
        Entry {
            key,
            socket,
            layer,
            stage,
            readable: false,
            writable: stage != Stage::Connecting,
            hangup: false,
            failing: false,
            blocked: false,
            queued: false,
            written: (0, 0),
        }
    }

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

    /// Whether a client's handshake is under way on it, and if so whether it has begun.
    pub(super) fn shakes(&self) -> Option<bool> {
        match &self.layer {
            Layer::Tls(session) if self.stage == Stage::Securing && session.is_client_s() => {
                Some(session.has_begun())
            }
            _ => None,
        }
    }

    /// Whether ciphertext may be tried to be flushed.
    pub(super) fn may_flush(&self) -> bool {
        self.may_write() || (self.writable && self.stage == Stage::Securing)
    }

    /// Ends our sending direction.
    pub(super) fn finish(&mut self) {
        match &mut self.layer {
            Layer::Tls(session) => {
                session.finish(true);
                match session.flush(&mut self.socket) {
                    Ok(true) | Err(_) => {}
                    Ok(false) => (self.writable, self.blocked) = (false, true),
                }
            }
            Layer::Plain | Layer::Named(_) => self.socket.finish(),
        }
    }

    /// Before the socket is dropped: over TLS the other side is told, if that is at all possible,
    /// that this is no accident.
    pub(super) fn say_goodbye(&mut self) {
        if self.may_write()
            && let Layer::Tls(session) = &mut self.layer
        {
            session.finish(false);
            let _ = session.flush(&mut self.socket);
        }
    }

    /// The socket's pending error as a reason, if it has one.
    pub(super) fn take_failure(&mut self) -> Option<Ended> {
        self.failing = false;
        self.socket.take_failure()
    }
}
