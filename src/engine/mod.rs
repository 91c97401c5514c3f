//! The router of facts: owns the rooms, the slab of lines and the wheel; no protocol of its own.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::frame::Gather;
use crate::base::slab::Key;
use crate::base::time::{Mono, Now};
use crate::port::{Action, Ended, StoreDone};
use crate::{conn, courier, dispatch};

/// Everything the engine is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bounds on clients.
    pub limits: conn::Limits,
    /// Calls out.
    pub courier: courier::Settings,
    /// Webhooks.
    pub dispatch: dispatch::Settings,
    /// Lines of all kinds at once; the slab's bound.
    pub lines_max: usize,
    /// Inbound lines from one address; `None` for no bound. Never holds for loopback peers.
    pub lines_per_address_max: Option<u32>,
    /// Bytes of messages, deliveries and buffers; over it intake answers 503.
    pub memory_bytes_max: u64,
    /// From the start of a drain to its end.
    pub drain_timeout: Duration,
}

/// A connection that is not taken in: what to send before closing it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// A complete answer, to be written once and without waiting.
    pub answer: &'static [u8],
}

/// The whole server without its sockets, clocks, threads and randomness.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// An engine with nothing in it. `seed` is 32 bytes of entropy (or a simulator's seed).
    #[must_use]
    pub fn new(_settings: Settings, _seed: [u8; 32], _now: Now) -> Engine {
        Engine {}
    }

    /// A client connected. The key names its line from now on, unless it is refused.
    pub fn opened(&mut self, _now: Now, _peer: IpAddr) -> Result<Key, Refusal> {
        Err(Refusal { answer: b"" })
    }

    /// A `Connect` succeeded.
    pub fn connected(&mut self, _now: Now, _key: Key) {}

    /// Bytes came in on a line; never empty.
    pub fn received(&mut self, _now: Now, _key: Key, _bytes: &[u8]) {}

    /// A line, or its reading half (`Ended::Finished`), has ended. Anything but `Finished` is final,
    /// and the engine still answers with a `Close`.
    pub fn ended(&mut self, _now: Now, _key: Key, _why: Ended) {}

    /// The store has something to say about what it was given.
    pub fn stored(&mut self, _now: Now, _done: StoreDone) {}

    /// Once a turn, after the reads: fires what is due, a bounded number of timers at a time.
    pub fn tick(&mut self, _now: Now) {}

    /// Begin to stop: nothing new is taken in, what is in flight is finished.
    pub fn drain(&mut self, _now: Now) {}

    /// Whether a drain has come to its end (everything finished, or its time is up).
    #[must_use]
    pub fn drained(&self) -> bool {
        false
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        None
    }

    /// Whether the line takes more bytes now. After a `false`, a `Resume` follows.
    #[must_use]
    pub fn wants_read(&self, _key: Key) -> bool {
        true
    }

    /// The next line that has something to write: answers and calls first, then a bounded number of
    /// streams per turn. Each line comes once until it gets something new or is `unblocked`.
    pub fn next_dirty(&mut self) -> Option<Key> {
        None
    }

    /// Appends what the line has to write. It may be more than one list holds: ask again after
    /// `wrote`.
    pub fn outgoing<'a>(&'a self, _key: Key, _gather: &mut Gather<'a>) {}

    /// That many bytes of what `outgoing` gave were accepted.
    pub fn wrote(&mut self, _now: Now, _key: Key, _bytes: usize) {}

    /// The line can be written again, after a write that was cut short or put off.
    pub fn unblocked(&mut self, _key: Key) {}

    /// When `tick` is next needed; a time in the past means at once, `None` never.
    #[must_use]
    pub fn next_wake(&self) -> Option<Mono> {
        None
    }

    /// Sweeps all invariants; panics with what is wrong. For tests and the simulator.
    pub fn check(&self) {}
}
