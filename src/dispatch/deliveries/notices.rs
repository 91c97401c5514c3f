//! Notices in the hands of whoever keeps their order: they are offered, released one by one or
//! called off, and each attempt is reported. It does not know who that is, and keeps no order.

use super::Deliveries;
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::dispatch::delivery::{Delivery, State};
use crate::dispatch::queue::Queue;
use crate::model::{Callback, Ending, MessageId, Outcome};
use crate::port::Turn;

/// The detail of what somebody had us cancel.
const ON_REQUEST: &str = "on_request";

/// A notice that may go, once it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The delivery.
    pub delivery: Key,
    /// Its subscription.
    pub subscription: Key,
    /// It is all there is to say of its topic.
    pub full: bool,
    /// It comes back out of the store.
    pub stored: bool,
    /// An attempt at it has failed.
    pub failing: bool,
}

/// What became of an attempt at a notice, or of the notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The delivery, as it was offered.
    pub delivery: Key,
    /// Its subscription.
    pub subscription: Key,
    /// How the attempt ended; none if there was none, as when its time was up before.
    pub ending: Option<Ending>,
    /// What follows.
    pub next: Fate,
}

/// What follows for a notice. Each one that was offered comes to exactly one `Ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is over; its key means nothing any more.
    Ended(Outcome),
    /// It is tried again at this time.
    Retrying(Mono),
}

impl Deliveries {
    /// The next notice that may go, its subscription, and whether it is all there is to say of its
    /// topic; each comes once. It goes nowhere until `release`.
    pub fn next_offer(&mut self) -> Option<Offer> {
        while let Some(key) = self.offers.pop_front() {
            let delivery = self.deliveries.get(key);
            let offer = delivery.and_then(|it| {
                let notice = it.notice.as_ref()?;
                Some(Offer {
                    delivery: key,
                    subscription: notice.subscription,
                    full: notice.full,
                    stored: it.seat.taken,
                    failing: it.attempts > 0,
                })
            });
            if offer.is_some() {
                return offer;
            }
        }
        None
    }

    /// A notice that was offered is due.
    pub fn release(&mut self, turn: &mut Turn, key: Key) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        if delivery.state == State::Offered
            && let Some(notice) = &mut delivery.notice
        {
            notice.released = true;
            let due = notice.put_off.max(turn.now.mono);
            self.wait(turn, key, due);
        }
    }

    /// The subscription of a notice was verified anew, perhaps with another secret or lease.
    pub fn renew(&mut self, turn: &mut Turn, key: Key, callback: &Callback) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        if let Some(notice) = &mut delivery.notice {
            let before = notice.bytes();
            notice.renew(callback);
            turn.memory.charge(notice.bytes());
            turn.memory.give(before);
        }
    }

    /// A notice is called off; `detail` says why, in one word for people.
    pub fn cancel(&mut self, turn: &mut Turn, key: Key, detail: &'static str) {
        let delivery = self.deliveries.get(key);
        if delivery.is_some_and(|delivery| delivery.notice.is_some()) {
            self.call_off(turn, key, detail);
        }
    }

    /// A delivery is called off. One whose message is not durable ends once it is. Of one that is
    /// under way the attempt goes on: it ends as delivered, a notice also as failed, if that
    /// decides it, and as canceled instead of being tried again.
    fn call_off(&mut self, turn: &mut Turn, key: Key, detail: &'static str) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.called_off = Some(detail);
        match delivery.state {
            State::Held { .. } | State::Active => {}
            State::Waiting { due, node } => {
                self.end(turn, key, Outcome::Canceled, None, None);
                self.queue.withdraw(turn, key, due, node);
            }
            State::Offered | State::Behind { .. } | State::Gated | State::Queued => {
                self.end(turn, key, Outcome::Canceled, None, None);
            }
        }
    }

    /// Calls off all deliveries of a message that are here; how many they were.
    pub fn cancel_all(&mut self, turn: &mut Turn, id: MessageId) -> u32 {
        let open = self.by_id.get(&id).and_then(|key| self.messages.get(*key));
        let mut next = open.and_then(|open| open.first);
        let mut count = 0;
        while let Some(key) = next {
            let Some(delivery) = self.deliveries.get(key) else {
                break;
            };
            next = delivery.sibling;
            if delivery.called_off.is_none() {
                self.call_off(turn, key, ON_REQUEST);
                count += 1;
            }
        }
        count
    }

    /// What became of the notices, in the order in which it happened. Whoever takes offers takes
    /// these too.
    pub fn next_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// An attempt at a delivery has failed, and it waits for the next.
    pub(super) fn report_retry(&mut self, key: Key, ending: &Ending) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(notice) = &delivery.notice else {
            return;
        };
        let at = match delivery.state {
            State::Waiting { due, .. } => due,
            _ => delivery.expires,
        };
        self.reports.push_back(Report {
            delivery: key,
            subscription: notice.subscription,
            ending: Some(ending.clone()),
            next: Fate::Retrying(at),
        });
    }

    /// A delivery has ended.
    pub(super) fn report_end(
        &mut self,
        key: Key,
        delivery: &Delivery,
        outcome: Outcome,
        ending: Option<&Ending>,
    ) {
        let Some(notice) = &delivery.notice else {
            return;
        };
        self.reports.push_back(Report {
            delivery: key,
            subscription: notice.subscription,
            ending: ending.cloned(),
            next: Fate::Ended(outcome),
        });
    }
}

#[cfg(test)]
mod tests;
