//! What of a message goes to the store alone, from its acceptance until that lasts. It only counts.

use crate::base::time::{Mono, Wall};
use crate::port::Turn;

/// What of a message goes to the store alone, until that lasts.
#[derive(Debug, Default)]
pub struct Parking {
    /// When it is due.
    pub(super) due: Mono,
    /// The same as the store has it.
    pub(super) stored: Wall,
    /// The lanes, one for each delivery.
    pub(super) lanes: Vec<u64>,
    /// Bytes on the account of memory until then: its own, and the message's if nothing of it is
    /// held besides.
    bytes: u64,
}

impl Parking {
    /// Nothing yet, of what is due then.
    pub(in crate::dispatch) fn at(due: Mono, stored: Wall) -> Parking {
        Parking {
            due,
            stored,
            ..Parking::default()
        }
    }

    /// A delivery of that lane belongs to it.
    pub(in crate::dispatch) fn add(&mut self, turn: &mut Turn, lane: u64) {
        self.lanes.push(lane);
        self.hold(turn, size_of::<u64>() as u64);
    }

    /// So much more is on the account.
    pub(in crate::dispatch) fn hold(&mut self, turn: &mut Turn, bytes: u64) {
        turn.memory.charge(bytes);
        self.bytes += bytes;
    }

    pub(in crate::dispatch) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Bytes on the account of memory.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.bytes
    }
}
