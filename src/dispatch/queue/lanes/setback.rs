//! What a failed attempt means for its lane: fewer are taken, and who waits for the next attempt
//! may leave its place to another.

use super::Lanes;
use crate::dispatch::queue::Seat;
use crate::port::Turn;

impl Lanes {
    /// An attempt has failed.
    pub fn failed(&mut self, turn: &mut Turn, seat: Seat) {
        if let Some(lane) = self.lanes.get_mut(&seat.lane) {
            lane.failed();
        }
        // It may have no room any more.
        self.settle(turn, seat.lane);
    }

    /// One that has failed waits in memory: whether it leaves its place among those that were taken
    /// to another, and counts as one that came in by itself from now on.
    pub fn frees(&mut self, turn: &mut Turn, seat: Seat) -> bool {
        let lane = self.lanes.get_mut(&seat.lane);
        let Some(lane) = lane.filter(|lane| seat.taken && lane.shares()) else {
            return false;
        };
        lane.taken = lane.taken.saturating_sub(1);
        self.taken = self.taken.saturating_sub(1);
        self.settle(turn, seat.lane);
        true
    }
}
