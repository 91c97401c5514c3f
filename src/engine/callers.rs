//! Which room wants a call: whatever lanes and lines have to ask or to tell goes to that one.
//! It knows neither what a call is for nor where it goes.

use super::Engine;
use crate::courier::Call;
use crate::model::{Owner, Room};

/// The room of that name in an engine, as a `&mut dyn Caller`. A macro, so that the engine's other
/// fields can still be borrowed. Tests of the engine may call out in the hub's stead.
macro_rules! caller {
    ($engine:expr, $room:expr) => {{
        let caller: &mut dyn $crate::port::Caller = match $room {
            $crate::model::Room::Dispatch => &mut $engine.dispatch.deliveries,
            #[cfg(not(test))]
            $crate::model::Room::Hub => &mut $engine.hub,
            #[cfg(test)]
            $crate::model::Room::Hub => match &mut $engine.stand_in {
                Some(stand_in) => stand_in,
                None => &mut $engine.hub,
            },
        };
        caller
    }};
}
pub(super) use caller;

impl Engine {
    /// Calls that are due join their lanes: one of each room in turn, so that in a lane that both
    /// use nobody waits for the whole of the other's backlog.
    pub(super) fn join_lanes(&mut self) {
        while self.join_lane(Room::Dispatch) | self.join_lane(Room::Hub) {}
    }

    /// The room's next call that is due joins its lane; false if there is none.
    fn join_lane(&mut self, room: Room) -> bool {
        let Some((key, expires, target)) = caller!(self, room).next_due() else {
            return false;
        };
        let call = Call {
            owner: Owner { room, key },
            fresh: false,
            expires,
        };
        let lane = self.courier.enqueue(&mut self.turn, &target.origin, call);
        self.hungry.extend(lane);
        true
    }
}
