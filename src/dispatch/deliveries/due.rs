//! When deliveries are due: in the wheel if it is soon, in the due-index if it is not, and then in
//! the list of those that join their lanes. It never looks at an answer.

use std::sync::Arc;
use std::time::Duration;

use super::{Deliveries, NEAR_MAX};
use crate::base::slab::Key;
use crate::base::time::{Mono, micros};
use crate::dispatch::delivery::State;
use crate::dispatch::far::HORIZON;
use crate::model::Target;
use crate::port::{Timer, Turn};

/// The due-index is looked at no more often than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Deliveries {
    pub(super) fn wait(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let due = due.min(delivery.expires);
        let now = turn.now.mono;
        if due <= now {
            self.ready(turn, key);
            return;
        }
        delivery.state = State::Waiting { due, node: None };
        if due < now + HORIZON && self.near < NEAR_MAX {
            self.stand(turn, key, due);
            return;
        }
        self.far.push(due, key);
        self.watch_far(turn);
    }

    /// It is due: it joins its lane, or asks its flow first, or is offered to whoever releases it.
    fn ready(&mut self, turn: &mut Turn, key: Key) {
        if self.ask_flow(turn, key) {
            return;
        }
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let (state, list) = match delivery.waits_for_release() {
            true => (State::Offered, &mut self.offers),
            false => (State::Queued, &mut self.due),
        };
        delivery.state = state;
        list.push_back(key);
    }

    fn stand(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        let node = turn.wheel.arm(due, Timer::Delivery(key));
        match node {
            Some(_) => self.near += 1,
            None => self.far.push(due, key),
        }
        if let Some(delivery) = self.deliveries.get_mut(key) {
            delivery.state = State::Waiting { due, node };
        }
    }

    /// A delivery that waited has ended before it was due; `node` is where it stood in the wheel.
    pub(super) fn stop_waiting(&mut self, turn: &mut Turn, node: Option<Key>) {
        if let Some(node) = node {
            turn.wheel.cancel(node);
            self.near = self.near.saturating_sub(1);
            return;
        }
        self.far.forget(|key| self.deliveries.contains(key));
        if self.far.len() == 0
            && let Some((node, _)) = self.far_timer.take()
        {
            turn.wheel.cancel(node);
        }
    }

    /// Half a horizon before the first of the due-index, it is looked at.
    fn watch_far(&mut self, turn: &mut Turn) {
        let Some(first) = self.far.first_due() else {
            return;
        };
        let soonest = turn.now.mono + LOOK_INTERVAL;
        let at = Mono(first.0.saturating_sub(micros(HORIZON / 2))).max(soonest);
        match self.far_timer {
            Some((_, stands)) if stands <= at => {}
            Some((node, _)) => {
                turn.wheel.rearm(node, at);
                self.far_timer = Some((node, at));
            }
            None => self.far_timer = turn.wheel.arm(at, Timer::Far).map(|node| (node, at)),
        }
    }

    /// The due-index is looked at: what is near moves to the wheel, as far as there is room.
    pub fn look_far(&mut self, turn: &mut Turn) {
        self.far_timer = None;
        let horizon = turn.now.mono + HORIZON;
        while self.near < NEAR_MAX
            && let Some((due, key)) = self.far.pop_before(horizon)
        {
            match self.deliveries.contains(key) {
                true => self.stand(turn, key, due),
                false => self.far.forgotten(),
            }
        }
        self.watch_far(turn);
    }

    /// A delivery's node fired: it is due.
    pub fn fired(&mut self, turn: &mut Turn, key: Key) {
        self.near = self.near.saturating_sub(1);
        self.ready(turn, key);
    }

    /// A delivery that is due and has to join its origin's lane, and when it is given up there.
    pub(super) fn pop_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)> {
        while let Some(key) = self.due.pop_front() {
            if let Some(delivery) = self.deliveries.get(key) {
                return Some((key, delivery.waits_until(), delivery.target_now()));
            }
        }
        None
    }
}
