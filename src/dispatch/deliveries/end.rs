//! How deliveries end, and with the last of them their message: what they held is given back, the
//! store and whoever waits for it are told. It never decides that one has ended.

use std::sync::Arc;

use super::Deliveries;
use super::receipts::{outcome_told, receipts};
use crate::base::histogram::Histogram;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::dispatch::delivery::Delivery;
use crate::dispatch::queue::Queue;
use crate::model::record::{Attempt, End};
use crate::model::{Ending, MessageId, Outcome};
use crate::port::{StoreOp, Turn};

impl Deliveries {
    /// What waits too long, or was called off while it could not end, goes no further.
    pub(super) fn give_up(&mut self, turn: &mut Turn, key: Key) {
        let delivery = self.deliveries.get(key);
        let outcome = match delivery.and_then(|delivery| delivery.called_off) {
            Some(_) => Outcome::Canceled,
            None => Outcome::Expired,
        };
        self.end(turn, key, outcome, None, None);
    }

    /// A delivery has ended, with its last attempt and the ending of that if that was why.
    pub(super) fn end(
        &mut self,
        turn: &mut Turn,
        key: Key,
        outcome: Outcome,
        ending: Option<&Ending>,
        attempt: Option<Attempt>,
    ) {
        let Some(delivery) = self.deliveries.remove(key) else {
            return;
        };
        turn.memory.give(delivery.charge());
        turn.stats.add(counter(outcome), 1);
        self.report_end(key, &delivery, outcome, ending);
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let (id, number) = (open.message.id, delivery.number);
        log_end(id, &delivery, outcome);
        if outcome == Outcome::Delivered {
            let took = turn.now.wall.0.saturating_sub(open.message.accepted.0);
            turn.stats.observe(Histogram::Delivery, took);
        }
        let called_off = delivery.called_off;
        let detail = called_off.filter(|_| outcome == Outcome::Canceled);
        let end = End {
            outcome,
            detail: detail.unwrap_or_default(),
            at: turn.now.wall,
            target: Arc::clone(&delivery.target),
        };
        let answered = attempt.as_ref().and_then(|it| it.answer.as_deref());
        let receipts = receipts(open, &delivery, outcome, ending, answered);
        if self.observed {
            let told = outcome_told(open, &delivery, outcome, ending, answered);
            // What memory has no room for is not told.
            if turn.memory.take(told.len() as u64) {
                self.outcomes.push_back(told);
            }
        }
        turn.hand(StoreOp::End {
            id,
            number,
            end,
            attempt,
        });
        let well = outcome == Outcome::Delivered;
        self.queue.done(turn, delivery.seat, well);
        self.unlink(&delivery);
        self.leave_gates(turn, key, &delivery, id.number());
        if self.one_less(turn, delivery.message).is_some() {
            self.gone(id);
        }
        self.tell(turn, receipts);
    }

    /// Nothing of that message is left here. Whoever waits for it looks at what has become of it.
    pub(super) fn gone(&mut self, id: MessageId) {
        if !self.watched.is_empty() && self.watched.contains(&id) {
            self.gone.push_back(id);
        }
    }

    /// Takes an ended delivery out of its message's list.
    pub(super) fn unlink(&mut self, gone: &Delivery) {
        let next = gone.sibling.and_then(|key| self.deliveries.get_mut(key));
        if let Some(next) = next {
            next.before = gone.before;
        }
        let before = gone.before.and_then(|key| self.deliveries.get_mut(key));
        match (before, self.messages.get_mut(gone.message)) {
            (Some(before), _) => before.sibling = gone.sibling,
            (None, Some(open)) => open.first = gone.sibling,
            (None, None) => {}
        }
    }
}

fn counter(outcome: Outcome) -> Counter {
    match outcome {
        Outcome::Delivered => Counter::DeliveriesDelivered,
        Outcome::Failed => Counter::DeliveriesFailed,
        Outcome::Expired => Counter::DeliveriesExpired,
        Outcome::Canceled => Counter::DeliveriesCanceled,
    }
}

/// The delivery's last line in the server's own log.
fn log_end(id: MessageId, delivery: &Delivery, outcome: Outcome) {
    let level = match outcome {
        Outcome::Delivered => log::Level::Debug,
        _ => log::Level::Info,
    };
    let (number, attempts) = (delivery.number, delivery.attempts);
    let (word, url) = (outcome.as_str(), &delivery.target.url);
    log::log!(
        level,
        "delivery_ended id={id} delivery={number} outcome={word} attempts={attempts} url={url:?}"
    );
}
