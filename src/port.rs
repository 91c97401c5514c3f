//! The verbs between the engine and the shell: what the engine wants done, and what came of it.
//! Only names and plain data; no socket type, no file, no protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::histogram::Histogram;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::slab::Key;
use crate::base::stats::Stats;
use crate::base::time::{Mono, Now, micros};
use crate::base::wheel::Wheel;
use crate::model::{Answer, Ending, Target, Wants};

mod store;

pub use store::{Seq, StoreDone, StoreOp};

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
    /// Hand this to the store under its number; it counts once a later flush has made it durable.
    Store(Seq, StoreOp),
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
    /// It has a line, and its request goes out now.
    fn sends(&mut self, _turn: &mut Turn, _key: Key) {}
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
    /// A flow may let others go, or what waits for its turn expires.
    Gates,
    /// Work that is in the store alone is wanted.
    Parked,
    /// A lane's: the end of a cool-down, the next expiry, or that it is forgotten.
    Lane(Key),
    /// Whoever waits for a message to end waits no longer.
    Inquiry(Key),
    /// The hub's agenda has something to do.
    Hub,
    /// The topics have something to sweep.
    Topics,
    /// Keys of requests that were taken once are over.
    Keys,
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
    /// What is on its way to the store.
    pub handed: Handed,
}

/// How far the order of what was handed to the store has come, and what of it is on the account of
/// memory until it lasts.
#[derive(Debug, Default)]
pub struct Handed {
    /// The number of the last operation.
    last: Seq,
    /// Bytes on the account by the number of their operation, the oldest first.
    charged: VecDeque<(Seq, u64)>,
    /// The last number of each turn that handed something over, and when that was.
    turns: VecDeque<(Seq, Mono)>,
}

/// Turns whose time is kept while a store is slow; later ones then count with the last.
const TURNS_MAX: usize = 1_024;

impl Handed {
    /// The number of the last operation; zero if there was none.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Bytes on the account of memory.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.charged.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The last number was given out at that time.
    fn note(&mut self, at: Mono) {
        let full = self.turns.len() >= TURNS_MAX;
        match self.turns.back_mut() {
            Some((seq, begun)) if full || *begun == at => *seq = self.last,
            _ => self.turns.push_back((self.last, at)),
        }
    }
}

/// The longest that somebody is told to wait who was turned away for want of room, in seconds.
const PATIENCE_MAX: u64 = 30;

impl Turn {
    /// Seconds after which whoever is turned away for want of room should come again: by chance,
    /// so that not all of them come at once.
    pub fn patience(&mut self) -> u32 {
        1 + self.rng.below(PATIENCE_MAX) as u32
    }

    /// Hands an operation to the store; its number. What it holds is on the account until
    /// [`Turn::settled`], whether there is room or not: it must not be lost.
    pub fn hand(&mut self, op: StoreOp) -> Seq {
        self.handed.last += 1;
        let seq = self.handed.last;
        self.handed.note(self.now.mono);
        let bytes = op.bytes() as u64;
        if bytes > 0 {
            self.memory.charge(bytes);
            self.handed.charged.push_back((seq, bytes));
        }
        self.actions.push_back(Action::Store(seq, op));
        seq
    }

    /// Everything up to `seq` lasts, or is the store's own concern.
    pub fn settled(&mut self, seq: Seq) {
        while let Some((number, bytes)) = self.handed.charged.front().copied()
            && number <= seq
        {
            self.handed.charged.pop_front();
            self.memory.give(bytes);
        }
        while let Some((number, at)) = self.handed.turns.front().copied()
            && number <= seq
        {
            self.handed.turns.pop_front();
            let took = micros(self.now.mono.since(at));
            self.stats.observe(Histogram::Commit, took);
        }
    }
}
