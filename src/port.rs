//! The verbs between the engine and the shell: what the engine wants done, and what came of it.
//! Only names and plain data; no socket type, no file, no protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::slab::Key;
use crate::base::stats::Stats;
use crate::base::time::{Mono, Now};
use crate::base::wheel::Wheel;
use crate::model::{Answer, Ending, Message, MessageId, Outcome, Target, Wants};

/// What the engine wants done. The shell performs actions in the order given.
///
/// Every line that the shell was given (by an accepted `opened` or by `Connect`) is ended by
/// exactly one `Close`; until then its key is the shell's handle for it, and afterwards it means
/// nothing.
#[derive(Debug)]
pub enum Action {
    /// Open a TCP connection to exactly this address. Answered by `connected` or `ended`.
    Connect {
        /// The line's key, already taken in the slab.
        key: Key,
        /// The vetted address.
        addr: SocketAddr,
        /// For TLS: the name to ask for and to verify. The line is connected once the handshake is.
        server_name: Option<Arc<str>>,
    },
    /// Shut down the write side (RFC 9112 section 9.6); reading goes on. All output was written.
    Shutdown {
        /// The line.
        key: Key,
    },
    /// Reading was paused (`wants_read` said no) and may go on: read without waiting for an edge.
    Resume {
        /// The line.
        key: Key,
    },
    /// Close the socket now; what is unsent is dropped.
    Close {
        /// The line.
        key: Key,
    },
    /// Send this datagram to a name server, from a socket of its own: a fresh port that the kernel
    /// chose, connected, so that nobody else's datagrams come in. Answered by any number of
    /// `datagram`s, or by `unasked` if the socket fails.
    Ask {
        /// The exchange; keys of exchanges and of lines have nothing to do with each other.
        key: Key,
        /// The name server.
        server: SocketAddr,
        /// What to send.
        packet: Box<[u8]>,
    },
    /// Drop that exchange's socket. Every `Ask` is ended by exactly one of these.
    Forget {
        /// The exchange.
        key: Key,
    },
    /// Look at `/etc/hosts` and `/etc/resolv.conf`. Answered by `names_conf` with what has changed.
    ReadNames,
    /// Hand this to the store; it counts once a later flush has made it durable.
    Store(StoreOp),
    /// Close the listeners; the drain has begun.
    StopListening,
}

/// Why a line ended, or half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer finished sending (FIN). We may still write.
    Finished,
    /// The connection was closed, but over TLS the peer has not said that it finished: what came
    /// may be cut off, by anybody (RFC 8446 section 6.1).
    Unannounced,
    /// Nobody listens at the address.
    Refused,
    /// The network or host cannot be reached.
    Unreachable,
    /// The peer reset the connection, or a write found it gone.
    Reset,
    /// The TLS handshake or a certificate failed; which way, in one word (`tls_cert_expired`).
    Tls(&'static str),
    /// The kernel's own timeout.
    TimedOut,
    /// This machine has no descriptor, port or memory left for the connection.
    Exhausted,
    /// Anything else.
    Broken,
}

/// Position in the order of things handed to the store; grows by one with each `Accept`.
pub type Seq = u64;

/// An operation for the store.
#[derive(Debug)]
pub enum StoreOp {
    /// A message to keep until all its deliveries have ended. Its client waits for it to be
    /// durable.
    Accept {
        /// Its place in the order of acceptance.
        seq: Seq,
        /// The message.
        message: Arc<Message>,
    },
    /// A delivery has ended.
    End {
        /// The message.
        id: MessageId,
        /// The delivery's number within the message, from 1.
        number: u32,
        /// How.
        outcome: Outcome,
    },
}

/// What came of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreDone {
    /// Everything accepted up to and including this number is durable.
    Durable(Seq),
    /// Everything up to and including this number that is not durable yet was lost: it must be
    /// refused.
    Failed(Seq),
}

/// A room that calls out, as the lanes and lines see it. Each call is known by the room's own key;
/// a key that is gone is normal and finds nothing.
///
/// ```text
///  next_due ─► (lane) ─► begin ─► compose ─► (line) ─► concluded
///                │  ▲       │                  │
///             expire └─ unbegin            uncount ─► begin …
/// ```
pub trait Caller {
    /// A call that is due and has to join its origin's lane, when it is given up there, and where
    /// it goes.
    fn next_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)>;
    /// When a call is given up in its lane.
    fn expires(&self, key: Key) -> Mono;
    /// Its time in the lane is up.
    fn expire(&mut self, turn: &mut Turn, key: Key);
    /// Whether only public addresses will do; what is gone asks for no less.
    fn is_strict(&self, key: Key) -> bool;
    /// Where it goes now.
    fn target(&self, key: Key) -> Option<&Arc<Target>>;
    /// It is about to start: its target and how long it may take. `None` if there is nothing to
    /// start any more.
    fn begin(&mut self, turn: &mut Turn, key: Key) -> Option<(Arc<Target>, Duration)>;
    /// It did not count, for a kept-alive line was dead, and begins again.
    fn uncount(&mut self, turn: &mut Turn, key: Key);
    /// It could not start for want of a place, and goes back to its lane.
    fn unbegin(&mut self, key: Key);
    /// Whether the request is a HEAD.
    fn is_head(&self, key: Key) -> bool;
    /// Writes the request's head, with the empty line after it, to `out`; gives its body.
    fn compose(&self, turn: &Turn, key: Key, out: &mut Vec<u8>) -> Option<Frame>;
    /// What it needs of the answer.
    fn wants(&self, key: Key) -> Option<Wants>;
    /// It has ended, with that answer if there was one.
    fn concluded(&mut self, turn: &mut Turn, key: Key, ending: &Ending, answer: Option<Answer<'_>>);
}

/// What a node of the wheel stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The nearest of a line's deadlines.
    Line(Key),
    /// An exchange with a name server.
    Query(Key),
    /// A delivery's next attempt or its end.
    Delivery(Key),
    /// The deliveries that lie too far ahead for the wheel are looked at again.
    Far,
    /// A lane's: the end of a cool-down, the next expiry, or that it is forgotten.
    Lane(Key),
    /// The hub's agenda has something to do.
    Hub,
    /// The topics have something to sweep.
    Topics,
    /// The drain's time is up.
    Drain,
}

/// What every room may use while it handles a fact: the time, the wheel, the generator, the
/// counters, the account of memory, and the two lists of intentions.
#[derive(Debug)]
pub struct Turn {
    /// The time of this turn.
    pub now: Now,
    /// All timers.
    pub wheel: Wheel<Timer>,
    /// All randomness.
    pub rng: Rng,
    /// All counters and gauges.
    pub stats: Stats,
    /// Bytes held, against `memory_bytes_max`.
    pub memory: Ledger,
    /// What the shell is to do, in order.
    pub actions: VecDeque<Action>,
    /// Answers and calls that have something to write; a line stands here at most once.
    pub dirty: VecDeque<Key>,
    /// Streams that have something to write; a bounded number of them is written in a turn.
    pub dirty_streams: VecDeque<Key>,
}
