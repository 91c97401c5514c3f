//! When deliveries are due: what waits stands in the queue, in memory or in the store alone, and
//! then in the list of those that join their lanes. It never looks at an answer.

use std::sync::Arc;

use super::{Deliveries, Open};
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::dispatch::delivery::State;
use crate::dispatch::queue::{HORIZON, Queue, Spot};
use crate::model::Target;
use crate::model::record::Attempt;
use crate::port::{StoreOp, Timer, Turn};

impl Deliveries {
    /// It waits until `due`, and what is parked is dropped from memory.
    pub(super) fn wait(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        let may_park = self.deliveries.get(key).is_some_and(|it| it.may_park());
        if let Some(due) = self.stand(turn, key, due, may_park) {
            self.tell_store(turn, key, due, (true, None));
            self.drop_parked(turn, key);
        }
    }

    /// An attempt has ended, and another begins at `due`: the store hears of both.
    pub(super) fn put_off(
        &mut self,
        turn: &mut Turn,
        key: Key,
        due: Mono,
        attempt: Option<Attempt>,
    ) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let (seat, expires, may_park) = (delivery.seat, delivery.expires, delivery.may_park());
        let at = due.min(expires);
        self.queue.lanes.failed(turn, seat);
        let parked = self.stand(turn, key, due, may_park).is_some();
        self.tell_store(turn, key, at, (parked, attempt));
        if parked {
            self.drop_parked(turn, key);
        } else if self.queue.lanes.frees(turn, seat)
            && let Some(delivery) = self.deliveries.get_mut(key)
        {
            delivery.seat.taken = false;
        }
    }

    /// It waits until `due`. If it has been parked, gives the time: the store must hear of it, and
    /// it must be dropped.
    fn stand(&mut self, turn: &mut Turn, key: Key, due: Mono, may_park: bool) -> Option<Mono> {
        let delivery = self.deliveries.get_mut(key)?;
        let due = due.min(delivery.expires);
        match self.queue.later(turn, (key, delivery.seat), due, may_park) {
            Spot::Due => self.ready(turn, key),
            Spot::Here(node) => delivery.state = State::Waiting { due, node },
            Spot::Parked => return Some(due),
        }
        None
    }

    /// The store hears when it goes on and where it is until then.
    fn tell_store(
        &self,
        turn: &mut Turn,
        key: Key,
        due: Mono,
        (parked, attempt): (bool, Option<Attempt>),
    ) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let id = open.message.id;
        let mut place = delivery.place(turn.now, id, due);
        place.parked = parked;
        turn.hand(StoreOp::Later {
            id,
            number: delivery.number,
            place,
            attempts: delivery.attempts,
            attempt,
        });
    }

    /// It is in the store alone now; with the last of them its message is, too.
    fn drop_parked(&mut self, turn: &mut Turn, key: Key) {
        let Some(delivery) = self.deliveries.remove(key) else {
            return;
        };
        turn.memory.give(delivery.charge());
        self.unlink(&delivery);
        let message = self.messages.get(delivery.message);
        if let Some(number) = message.map(|open| open.message.id.number()) {
            self.leave_gates(turn, key, &delivery, number);
        }
        self.one_less(turn, delivery.message);
    }

    /// One of a message's deliveries is here no longer; the message goes with the last. Gives it
    /// then.
    pub(super) fn one_less(&mut self, turn: &mut Turn, message: Key) -> Option<Open> {
        let open = self.messages.get_mut(message)?;
        open.left -= 1;
        if open.left > 0 {
            return None;
        }
        let open = self.messages.remove(message)?;
        turn.memory.give(open.bytes());
        self.by_id.remove(&open.message.id);
        Some(open)
    }

    /// It is due: it joins its lane, or asks its flow first, or is offered to whoever releases it.
    fn ready(&mut self, turn: &mut Turn, key: Key) {
        if self.ask_flow(turn, key) {
            return;
        }
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        if delivery.waits_for_release() {
            delivery.state = State::Offered;
            self.offers.push_back(key);
            return;
        }
        delivery.state = State::Queued;
        self.queue.ready(key);
    }

    /// The due-index is looked at: what is near moves to the wheel, as far as there is room.
    pub fn look_far(&mut self, turn: &mut Turn) {
        while let Some((key, due, node)) = self.queue.look_far(turn) {
            if let Some(delivery) = self.deliveries.get_mut(key) {
                let node = Some(node);
                delivery.state = State::Waiting { due, node };
            }
        }
    }

    /// Nobody turned between these times.
    pub fn missed(&mut self, from: Mono, to: Mono) {
        self.missed = (from, to);
    }

    /// Whether a delivery was due while nobody turned. Then it is due as much later, so that not
    /// all of them go at once.
    fn is_put_off(&mut self, turn: &mut Turn, key: Key) -> bool {
        let (from, to) = self.missed;
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return false;
        };
        let State::Waiting { due, node } = &mut delivery.state else {
            return false;
        };
        let later = (*due + to.since(from).min(HORIZON)).min(delivery.expires);
        if *due < from || *due > to || later <= turn.now.mono {
            return false;
        }
        let Some(armed) = turn.wheel.arm(later, Timer::Delivery(key)) else {
            return false;
        };
        (*due, *node) = (later, Some(armed));
        true
    }

    /// A delivery's node fired: it is due.
    pub fn fired(&mut self, turn: &mut Turn, key: Key) {
        if self.is_put_off(turn, key) {
            return;
        }
        self.queue.fired();
        self.ready(turn, key);
    }

    /// A delivery that is due and has to join its origin's lane, and when it is given up there.
    pub(super) fn pop_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)> {
        while let Some(key) = self.queue.take() {
            if let Some(delivery) = self.deliveries.get(key) {
                return Some((key, delivery.waits_until(), delivery.target_now()));
            }
        }
        None
    }
}
