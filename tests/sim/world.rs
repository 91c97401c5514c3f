//! Virtual time and the queue of what will happen in it, in the order of (time, sequence).
//! It knows neither the engine nor what the events mean.

use std::collections::BTreeMap;

use hookah::base::slab::Key;
use hookah::base::time::{Mono, Now, Wall};

use crate::net::{Item, LinkId, Side};
use crate::rng::Rng;
use crate::trace::Trace;

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;
/// Microseconds in a second.
pub const SECOND: u64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: u64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: u64 = 60 * MINUTE;

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// A scripted client connects.
    Open(usize),
    /// A scripted reader connects.
    Join(usize),
    /// A connection that the engine asked for is made, or is not.
    Resolve(LinkId),
    /// A client's TLS handshake comes to its end.
    Shaken(LinkId),
    /// Something comes to one end of a link.
    Arrive(LinkId, Side, Item),
    /// The kernel's buffer has room again after a write that was cut short.
    Space(LinkId),
    /// The peer's end of a link goes on: its wait is over, or it reads again.
    Wake(LinkId),
    /// A datagram comes from a name server.
    Datagram(Key, Vec<u8>),
    /// The network says that a name server is not there.
    Unasked(Key),
    /// The store has finished a batch.
    Stored,
    /// The wall clock jumps by so many microseconds.
    Jump(i64),
    /// The hub's topic of that number says something else.
    Change(usize),
    /// The operator changes the file of tokens and sends SIGHUP.
    Reload,
    /// The operator changes what topics keep and sends SIGHUP.
    Retune,
    /// The operator sends SIGTERM.
    Drain,
    /// The process is stopped for so many microseconds, as by SIGSTOP.
    Stop(u64),
    /// It goes on.
    Continue,
    /// The process is killed soon.
    Crash,
    /// It is started again.
    Start,
}

/// Time, chance, the trace and the queue.
#[derive(Debug)]
pub struct World {
    /// Both clocks.
    pub now: Now,
    /// All chance outside the engine.
    pub rng: Rng,
    /// What passed.
    pub trace: Trace,
    /// Whether the wall clock jumped, so that it measures nothing any more.
    pub jumped: bool,
    /// The same, while there was no process.
    pub leapt: bool,
    /// How long the process stood still, in all.
    pub stopped: u64,
    /// What the engine's monotonic clock is ahead of the world's, all around.
    ahead: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
}

impl World {
    /// A world of that seed in which nothing happens yet.
    pub fn new(seed: u64) -> World {
        let now = Now {
            mono: Mono(1_000 * SECOND),
            wall: Wall(1_767_323_045 * SECOND + 250 * MS),
        };
        World {
            now,
            rng: Rng::new(seed),
            trace: Trace::new(),
            jumped: false,
            leapt: false,
            stopped: 0,
            ahead: 0,
            queue: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Monotonic microseconds.
    pub fn at(&self) -> u64 {
        self.now.mono.0
    }

    /// Both clocks as a process sees them: its monotonic one began anywhere.
    pub fn told(&self) -> Now {
        Now {
            mono: Mono(self.at().wrapping_add(self.ahead)),
            wall: self.now.wall,
        }
    }

    /// A new process begins, whose monotonic clock says that.
    pub fn begin(&mut self, mono: u64) {
        self.ahead = mono.wrapping_sub(self.at());
    }

    /// The time at which a process's clock says that; now if it lies behind.
    pub fn time_of(&self, told: Mono) -> u64 {
        self.at() + told.0.saturating_sub(self.told().mono.0)
    }

    /// Lets `event` happen at `at`, behind everything already due then.
    pub fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    /// Lets `event` happen after `delay` microseconds.
    pub fn after(&mut self, delay: u64, event: Event) {
        self.schedule(self.at() + delay, event);
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<u64> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event that is due by now.
    pub fn pop_due(&mut self) -> Option<Event> {
        let now = self.at();
        let entry = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Moves both clocks forward to `at`.
    pub fn advance(&mut self, at: u64) {
        let passed = at.saturating_sub(self.at());
        self.now.mono.0 += passed;
        self.now.wall.0 += passed;
    }

    /// Moves the wall clock alone.
    pub fn jump(&mut self, by: i64) {
        self.now.wall.0 = self.now.wall.0.saturating_add_signed(by);
        self.jumped = true;
    }

    /// Takes one fact or action down.
    pub fn note(&mut self, verb: &'static str, line: u64, amount: u64) {
        let at = self.at();
        self.trace.note(at, verb, line, amount);
    }

    /// The same, with the bytes that passed.
    pub fn note_bytes(&mut self, verb: &'static str, line: u64, bytes: &[u8]) {
        let at = self.at();
        self.trace.bytes(at, verb, line, bytes);
    }
}
