//! What is due: the queue's own small interface, and its backends. It decides when a delivery goes
//! on and where it waits until then; it knows neither messages nor targets.
//!
//! The one backend so far is [`Memory`]: what is near waits in memory, what is far or too much
//! waits in the store alone and is taken out of it lane by lane ([`lanes`]). A later backend that
//! is a broker must keep the same: what was submitted comes out of `take` again, at its time and
//! not before, once for each time that it was submitted or put off, also after a crash (the store
//! tells it what was there), and what is done never comes again. Of one lane that keeps an order
//! nothing comes before what stands in front of it. What it holds in memory is on the account and
//! has a bound, however much waits.

use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::{Mono, Now, Wall};
use crate::port::{Timer, Turn};

mod far;
pub mod lanes;
mod memory;
mod pace;

pub use memory::Memory;

/// What is due within this time waits in memory, if there is room.
pub const HORIZON: Duration = Duration::from_secs(60);

/// What decides which of a lane goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What is due first; nothing waits for anything else. The lane of an origin.
    Time,
    /// What was accepted first, and nothing before that has ended. The lane of a named queue.
    Accepted,
    /// The same, but who decides it has the deliveries in memory, as many as there are. The lane of
    /// a subscription.
    Noticed,
}

impl Order {
    /// Whether it is that of acceptance.
    #[must_use]
    pub fn is_fifo(self) -> bool {
        self != Order::Time
    }
}

/// Where a delivery belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its lane.
    pub lane: u64,
    /// What the lane goes by.
    pub order: Order,
    /// It was in the store alone, and was taken out of it.
    pub taken: bool,
}

/// Where a delivery waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Nowhere: it is due.
    Due,
    /// In memory until its time, with its node of the wheel if it has one.
    Here(Option<Key>),
    /// In the store alone. Whoever holds it drops it.
    Parked,
}

/// What becomes of a delivery that is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is held in memory.
    Held,
    /// It goes to the store alone.
    Parked,
    /// Too many wait in its lane already.
    Full,
}

/// A queue. Each delivery that is `Held` leaves it by exactly one `done`, or by being parked.
///
/// ```text
///  submit ─► (held until durable) ─► later ─► (waits) ─► ready ─► take ─► … ─► done
///                                      ▲                             │
///                                      └───────── another try ───────┘
/// ```
pub trait Queue {
    /// A message's delivery comes in, to be due after `delay`.
    fn submit(&mut self, turn: &mut Turn, lane: u64, order: Order, delay: Duration) -> Entry;

    /// It waits until `due`: its message is durable, or an attempt has failed. `may_park` if it can
    /// be dropped from memory.
    fn later(&mut self, turn: &mut Turn, whose: (Key, Seat), due: Mono, may_park: bool) -> Spot;

    /// It is due.
    fn ready(&mut self, delivery: Key);

    /// The next that is due.
    fn take(&mut self) -> Option<Key>;

    /// It waits no longer, for it has ended.
    fn withdraw(&mut self, turn: &mut Turn, whose: Key, due: Mono, node: Option<Key>);

    /// It has ended; `well` if its target took it.
    fn done(&mut self, turn: &mut Turn, seat: Seat, well: bool);
}

/// The wall clock's reading at a time to come, or one that has passed.
#[must_use]
pub fn wall_at(now: Now, at: Mono) -> Wall {
    match at.0.checked_sub(now.mono.0) {
        Some(ahead) => Wall(now.wall.0.saturating_add(ahead)),
        None => Wall(now.wall.0.saturating_sub(now.mono.0 - at.0)),
    }
}

/// Arms the one node of `timer` for `at`, or moves it there; with `None` it goes.
fn watch(turn: &mut Turn, node: &mut Option<(Key, Mono)>, at: Option<Mono>, timer: Timer) {
    match (*node, at) {
        (Some((_, stands)), Some(at)) if stands == at => {}
        (Some((key, _)), Some(at)) => {
            turn.wheel.rearm(key, at);
            *node = Some((key, at));
        }
        (Some((key, _)), None) => {
            turn.wheel.cancel(key);
            *node = None;
        }
        (None, Some(at)) => *node = turn.wheel.arm(at, timer).map(|key| (key, at)),
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests;
