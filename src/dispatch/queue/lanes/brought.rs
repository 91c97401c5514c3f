//! What a `Take` has brought: which order its lane keeps, and when its rows are due on our own
//! clock. It takes in nothing.

use std::time::Duration;

use super::LEAD;
use super::lane::{Lane, doubted_due};
use crate::base::time::{Mono, Wall};
use crate::dispatch::queue::Order;
use crate::model::record::Taken;
use crate::port::Turn;

/// What a `Take` has brought: how its rows' times are to be read.
#[derive(Debug)]
pub struct Brought {
    /// The lane's order; `None` if nothing told.
    pub order: Order,
    pub(super) lane: Lane,
    /// When one of the rows is due, as the store has it and as it is, if the lane was doubted.
    pub(super) known: Option<(Wall, Mono)>,
}

impl Brought {
    /// When one of the rows is due; `longest` is the longest wait of its schedule.
    #[must_use]
    pub fn due(&mut self, turn: &Turn, row: &Taken, longest: Duration) -> Mono {
        let (now, stored) = (turn.now, row.work.place.due);
        if !self.lane.is_doubted() || stored <= now.wall + LEAD {
            return self.lane.due_of(stored);
        }
        let due = doubted_due(now, &row.work, row.message.accepted, longest);
        self.known = Some((stored, due));
        due
    }
}

/// What decides the order of the lane that this came out of: where it is time, the rank is the due
/// time.
pub(super) fn order_of(row: &Taken) -> Order {
    let place = &row.work.place;
    match (place.rank == place.due.0, row.work.subscription) {
        (true, _) => Order::Time,
        (false, 0) => Order::Accepted,
        (false, _) => Order::Noticed,
    }
}
