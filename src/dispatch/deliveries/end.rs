//! How deliveries end, and with the last of them their message: what they held is given back, the
//! store and whoever waits for it are told. It never decides that one has ended.

use std::sync::Arc;

use super::Deliveries;
use super::receipts::receipts;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::dispatch::delivery::Delivery;
use crate::dispatch::queue::Queue;
use crate::model::record::{Answered, End};
use crate::model::{Ending, Outcome};
use crate::port::{StoreOp, Turn};

impl Deliveries {
    /// What waits too long, or was called off while it could not end, goes no further.
    pub(super) fn give_up(&mut self, turn: &mut Turn, key: Key) {
        let delivery = self.deliveries.get(key);
        let outcome = match delivery.and_then(|delivery| delivery.called_off()) {
            Some(_) => Outcome::Canceled,
            None => Outcome::Expired,
        };
        self.end(turn, key, outcome, None, None);
    }

    /// A delivery has ended, with its last attempt's ending and answer if that was why.
    pub(super) fn end(
        &mut self,
        turn: &mut Turn,
        key: Key,
        outcome: Outcome,
        ending: Option<&Ending>,
        answered: Option<&Answered>,
    ) {
        let Some(delivery) = self.deliveries.remove(key) else {
            return;
        };
        turn.memory.give(delivery.charge());
        turn.stats.add(
            match outcome {
                Outcome::Delivered => Counter::DeliveriesDelivered,
                Outcome::Failed => Counter::DeliveriesFailed,
                Outcome::Expired => Counter::DeliveriesExpired,
                Outcome::Canceled => Counter::DeliveriesCanceled,
            },
            1,
        );
        self.report_end(key, &delivery, outcome, ending);
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let (id, number) = (open.message.id, delivery.number);
        if outcome != Outcome::Delivered {
            let (word, url) = (outcome.as_str(), &delivery.target.url);
            log::info!("delivery_ended id={id} outcome={word} url={url:?}");
        }
        let end = End {
            outcome,
            detail: delivery.called_off().unwrap_or_default(),
            at: turn.now.wall,
            target: Arc::clone(&delivery.target),
        };
        turn.hand(StoreOp::End {
            id,
            number,
            end,
            attempt: None,
        });
        let receipts = receipts(open, &delivery, outcome, ending, answered);
        let well = outcome == Outcome::Delivered;
        self.queue.done(turn, delivery.seat, well);
        self.remember_end(turn, &delivery, outcome);
        self.unlink(&delivery);
        self.leave_gates(turn, key, &delivery, id.number());
        if let Some(mut open) = self.one_less(turn, delivery.message) {
            self.history.give(turn, open.log_bytes);
            open.log.message(&open.message, open.method);
            self.history.ended(turn, id, open.log);
        }
        self.tell(turn, receipts);
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
