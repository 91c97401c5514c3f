//! How messages come in: all deliveries of one at once, held until the store has it or lost it.
//! It makes no attempt and reads no request.

use std::sync::Arc;

use super::{Deliveries, Open, Plan, Receivers};
use crate::base::slab::Key;
use crate::dispatch::delivery::{Delivery, State};
use crate::dispatch::history::Log;
use crate::model::{Message, Outcome};
use crate::port::{StoreOp, Turn};

impl Deliveries {
    /// Takes in a message whose `cost` is on the account already. It is held until `durable`.
    /// `None`, and nothing taken in, if there are no receivers or no places.
    pub fn insert(
        &mut self,
        turn: &mut Turn,
        message: &Arc<Message>,
        receivers: Receivers<'_>,
        plan: &Plan,
    ) -> Option<Key> {
        if receivers.is_empty() {
            return None;
        }
        let open = Open {
            message: Arc::clone(message),
            method: plan.method,
            terms: plan.terms.clone(),
            first: None,
            left: 0,
            log: Log::default(),
            log_bytes: 0,
        };
        let key = self.messages.insert(open).ok()?;
        let mut last = None;
        let mut number = 0;
        for target in receivers.targets {
            number += 1;
            let delivery = Delivery::held(key, number, Arc::clone(target), plan);
            last = self.link(turn, key, last, delivery);
        }
        for callback in receivers.callbacks {
            number += 1;
            let (now, settings) = (turn.now.mono, &self.settings.notices);
            let delivery = Delivery::notice(key, number, callback, plan, settings, now);
            last = self.link(turn, key, last, delivery);
        }
        if last.is_none() {
            self.messages.remove(key);
            return None;
        }
        let log = self.history.open(message.id, key);
        self.messages.get_mut(key)?.log = log;
        Some(key)
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
        let work = delivery.work(turn.now, id);
        let Ok(delivery) = self.deliveries.insert(delivery) else {
            return last;
        };
        open.left += 1;
        turn.hand(StoreOp::Work(work));
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
                State::Held { .. } if delivery.called_off().is_some() => {
                    self.end(turn, key, Outcome::Canceled, None, None);
                }
                State::Held { delay } => {
                    let due = turn.now.mono + delay;
                    self.enter(turn, key, due);
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
            self.leave_gates(turn, key, &delivery, open.message.id.number());
            next = delivery.sibling;
        }
        turn.memory.give(open.bytes());
        self.history.give(turn, open.log_bytes);
        self.history.forget(open.message.id, open.log);
    }
}
