//! How messages come in: all deliveries of one at once, held until the store has it or lost it, or
//! left to the store alone. It makes no attempt and reads no request.

use std::sync::Arc;

use super::{Deliveries, Open, Plan, Receivers};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::dispatch::delivery::{Delivery, State};
use crate::dispatch::queue::lanes::Parking;
use crate::dispatch::queue::{Entry, Queue, wall_at};
use crate::model::record::{End, Work};
use crate::model::{Message, Outcome};
use crate::port::{StoreOp, Turn};

/// Why a delivery is called off: too many wait for its subscriber.
const BACKLOG_FULL: &str = "backlog_full";

/// Where the deliveries of a message that was taken in are.
#[derive(Debug, Default)]
pub struct Admitted {
    /// The message, if some are in memory.
    pub open: Option<Key>,
    /// What of it goes to the store alone, if any does.
    pub parking: Option<Box<Parking>>,
}

/// A message that is being taken in.
struct Entering<'p> {
    open: Key,
    message: &'p Arc<Message>,
    /// Its last delivery in memory so far.
    last: Option<Key>,
    parking: Parking,
}

impl Deliveries {
    /// Takes in a message whose `cost` is on the account already. It is held until `durable`.
    /// Nothing is taken in if there are no receivers or no places.
    pub fn insert(
        &mut self,
        turn: &mut Turn,
        message: &Arc<Message>,
        receivers: Receivers<'_>,
        plan: &Plan,
    ) -> Admitted {
        if receivers.is_empty() {
            return Admitted::default();
        }
        let Ok(open) = self.messages.insert(Open::new(message, plan)) else {
            return Admitted::default();
        };
        let due = turn.now.mono + plan.delay;
        let mut entering = Entering {
            open,
            message,
            last: None,
            parking: Parking::at(due, wall_at(turn.now, due)),
        };
        let mut number = 0;
        for target in receivers.targets {
            number += 1;
            let delivery = Delivery::held(open, number, Arc::clone(target), plan);
            self.bring_in(turn, &mut entering, delivery, plan);
        }
        for callback in receivers.callbacks {
            number += 1;
            let (now, settings) = (turn.now.mono, &self.settings.notices);
            let delivery = Delivery::notice(open, number, callback, plan, settings, now);
            self.bring_in(turn, &mut entering, delivery, plan);
        }
        self.admitted(turn, entering)
    }

    /// A delivery joins those of its message that are in memory, or goes to the store alone.
    fn bring_in(
        &mut self,
        turn: &mut Turn,
        entering: &mut Entering<'_>,
        delivery: Delivery,
        plan: &Plan,
    ) {
        let seat = delivery.seat;
        let mut work = delivery.work(turn.now, entering.message.id);
        match self.queue.submit(turn, seat.lane, seat.order, plan.delay) {
            Entry::Held => {
                turn.hand(StoreOp::Work(work));
                entering.last = self.link(turn, entering.open, entering.last, delivery);
            }
            Entry::Parked => {
                turn.memory.give(delivery.charge());
                entering.parking.add(turn, seat.lane);
                work.place.parked = true;
                turn.hand(StoreOp::Work(work));
            }
            Entry::Full => {
                turn.memory.give(delivery.charge());
                refuse(turn, work);
            }
        }
    }

    fn admitted(&mut self, turn: &mut Turn, entering: Entering<'_>) -> Admitted {
        let Entering {
            open,
            message,
            last,
            mut parking,
        } = entering;
        if last.is_some() {
            self.by_id.insert(message.id, open);
            let parking = (!parking.is_empty()).then(|| Box::new(parking));
            return Admitted {
                open: Some(open),
                parking,
            };
        }
        // What was charged for the message is held until the store has it.
        if let Some(open) = self.messages.remove(open) {
            let bytes = open.bytes();
            turn.memory.give(bytes);
            parking.hold(turn, bytes);
        }
        Admitted {
            open: None,
            parking: Some(Box::new(parking)),
        }
    }

    /// Puts a delivery behind its message's last one; gives the last one there is then.
    fn link(
        &mut self,
        turn: &mut Turn,
        message: Key,
        last: Option<Key>,
        mut delivery: Delivery,
    ) -> Option<Key> {
        delivery.before = last;
        let open = self.messages.get_mut(message)?;
        let id = open.message.id;
        let Ok(delivery) = self.deliveries.insert(delivery) else {
            return last;
        };
        open.left += 1;
        match last.and_then(|last| self.deliveries.get_mut(last)) {
            Some(last) => last.sibling = Some(delivery),
            None => open.first = Some(delivery),
        }
        self.line_up(turn, delivery, id.number());
        Some(delivery)
    }

    /// The message is durable: its deliveries are due, now or after their delay.
    pub fn durable(&mut self, turn: &mut Turn, message: Key) {
        let mut next = self.messages.get(message).and_then(|open| open.first);
        while let Some(key) = next {
            let Some(delivery) = self.deliveries.get(key) else {
                return;
            };
            next = delivery.sibling;
            match delivery.state {
                State::Held { .. } if delivery.called_off.is_some() => {
                    self.end(turn, key, Outcome::Canceled, None, None);
                }
                State::Held { delay } => {
                    let due = turn.now.mono + delay;
                    self.queue_up(turn, key, due);
                }
                _ => {}
            }
        }
    }

    /// The store lost the message: nothing of it was promised, nothing is delivered.
    pub fn lost(&mut self, turn: &mut Turn, message: Key) {
        let Some(open) = self.messages.remove(message) else {
            return;
        };
        let mut next = open.first;
        while let Some((key, delivery)) =
            next.and_then(|key| Some((key, self.deliveries.remove(key)?)))
        {
            turn.memory.give(delivery.charge());
            self.queue.done(turn, delivery.seat, false);
            self.leave_gates(turn, key, &delivery, open.message.id.number());
            next = delivery.sibling;
        }
        turn.memory.give(open.bytes());
        self.by_id.remove(&open.message.id);
        self.gone(open.message.id);
    }
}

/// A delivery that ends with its message's acceptance.
fn refuse(turn: &mut Turn, work: Work) {
    turn.stats.add(Counter::DeliveriesCanceled, 1);
    let end = End {
        outcome: Outcome::Canceled,
        detail: BACKLOG_FULL,
        at: turn.now.wall,
        target: Arc::clone(&work.target),
    };
    let (id, number) = (work.id, work.number);
    turn.hand(StoreOp::Work(work));
    turn.hand(StoreOp::End {
        id,
        number,
        end,
        attempt: None,
    });
}
