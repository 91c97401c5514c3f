//! The backend that is this process: what is near in the wheel, what cannot be parked in the
//! due-index, everything else in the store, of which the lanes know how much there is.

use std::collections::VecDeque;
use std::time::Duration;

use super::far::Far;
use super::lanes::Lanes;
use super::{Entry, HORIZON, Order, Queue, Seat, Spot, wall_at, watch};
use crate::base::slab::Key;
use crate::base::time::{Mono, micros};
use crate::dispatch::NEAR_MAX;
use crate::port::{Timer, Turn};

/// The due-index is looked at no more often than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Memory {
    due: VecDeque<Key>,
    far: Far,
    /// The node that looks at the due-index again, and when.
    far_node: Option<(Key, Mono)>,
    /// How many deliveries stand in the wheel.
    near: usize,
    /// What is in the store alone.
    pub lanes: Lanes,
}

impl Memory {
    /// An empty queue; `lanes` say whether it may park.
    #[must_use]
    pub fn new(lanes: Lanes) -> Memory {
        Memory {
            due: VecDeque::new(),
            far: Far::default(),
            far_node: None,
            near: 0,
            lanes,
        }
    }

    /// Deliveries in memory that are not due yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.near + self.far.len()
    }

    /// The due-index is looked at: gives what is near now and its node, as far as there is room in
    /// the wheel. Ask until it gives nothing.
    pub fn look_far(&mut self, turn: &mut Turn) -> Option<(Key, Mono, Key)> {
        let horizon = turn.now.mono + HORIZON;
        if self.near < NEAR_MAX
            && let Some((due, key)) = self.far.pop_before(horizon)
        {
            if let Some(node) = turn.wheel.arm(due, Timer::Delivery(key)) {
                self.near += 1;
                return Some((key, due, node));
            }
            self.far.push(due, key);
        }
        self.far_node = None;
        self.watch_far(turn);
        None
    }

    /// A delivery's node fired.
    pub fn fired(&mut self) {
        self.near = self.near.saturating_sub(1);
    }

    /// Half a horizon before the first of the due-index, it is looked at.
    fn watch_far(&mut self, turn: &mut Turn) {
        let soonest = turn.now.mono + LOOK_INTERVAL;
        let first = self.far.first_due();
        let at = first.map(|due| Mono(due.0.saturating_sub(micros(HORIZON / 2))).max(soonest));
        // What stands earlier finds nothing to do and looks again.
        if let (Some((_, stands)), Some(at)) = (self.far_node, at)
            && stands <= at
        {
            return;
        }
        watch(turn, &mut self.far_node, at, Timer::Far);
    }

    /// Sweeps its accounts; gives the bytes that should stand on the account of memory.
    pub fn check(&self) -> u64 {
        assert!(
            self.far.len() == 0 || self.far_node.is_some(),
            "nobody looks at the due-index"
        );
        self.lanes.check()
    }
}

impl Queue for Memory {
    fn submit(&mut self, turn: &mut Turn, lane: u64, order: Order, delay: Duration) -> Entry {
        self.lanes.submit(turn, lane, order, delay)
    }

    fn later(
        &mut self,
        turn: &mut Turn,
        (key, seat): (Key, Seat),
        due: Mono,
        may_park: bool,
    ) -> Spot {
        let now = turn.now;
        if due <= now.mono {
            return Spot::Due;
        }
        let near = due < now.mono + HORIZON && self.near < NEAR_MAX;
        if may_park && self.lanes.parks(&seat, due.since(now.mono), near) {
            self.lanes.park(turn, seat, due, wall_at(now, due));
            return Spot::Parked;
        }
        if near && let Some(node) = turn.wheel.arm(due, Timer::Delivery(key)) {
            self.near += 1;
            return Spot::Here(Some(node));
        }
        self.far.push(due, key);
        self.watch_far(turn);
        Spot::Here(None)
    }

    fn ready(&mut self, delivery: Key) {
        self.due.push_back(delivery);
    }

    fn take(&mut self) -> Option<Key> {
        self.due.pop_front()
    }

    fn withdraw(&mut self, turn: &mut Turn, whose: Key, due: Mono, node: Option<Key>) {
        match node {
            Some(node) => {
                turn.wheel.cancel(node);
                self.near = self.near.saturating_sub(1);
            }
            None => {
                self.far.remove(due, whose);
                if self.far.len() == 0 {
                    watch(turn, &mut self.far_node, None, Timer::Far);
                }
            }
        }
    }

    fn done(&mut self, turn: &mut Turn, seat: Seat, well: bool) {
        self.lanes.left(turn, seat, well);
    }
}
