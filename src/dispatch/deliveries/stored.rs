//! Deliveries that come back out of the store, where they were alone: their plans are made anew,
//! their messages shared, and they go on where they stood. It asks the store for nothing.

use std::sync::Arc;

use super::{Deliveries, Open, Plan};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::{Mono, Now};
use crate::dispatch::delivery::Delivery;
use crate::dispatch::draft::{is_full, notices_only};
use crate::dispatch::queue::lanes::{Brought, Parking};
use crate::dispatch::queue::{Order, Seat};
use crate::model::record::{End, Parked, Taken, Work};
use crate::model::{Callback, Message, MessageId, Outcome};
use crate::port::{Seq, StoreOp, Turn};

impl Deliveries {
    /// The store has answered a `Take`. `callback_of` is who has the subscription of that number.
    pub fn taken(
        &mut self,
        turn: &mut Turn,
        (lane, rows): (u64, Vec<Taken>),
        left: Option<&Parked>,
        callback_of: impl Fn(u64) -> Option<Callback>,
    ) {
        let Some(mut brought) = self.queue.lanes.brought(turn, lane, &rows) else {
            return;
        };
        let mut entered = Vec::with_capacity(rows.len());
        for row in rows {
            let callback = match row.work.subscription {
                0 => None,
                number => callback_of(number),
            };
            entered.extend(self.take_in(turn, (lane, &mut brought), &row, callback));
        }
        // Only now, for what has to wait long goes back to the lane.
        self.queue.lanes.seen_to(turn, lane, &brought, left);
        for (key, due) in entered {
            let delivery = self.deliveries.get(key);
            match delivery.is_some_and(|it| it.is_over(turn.now.mono)) {
                true => self.give_up(turn, key),
                false => self.queue_up(turn, key, due),
            }
        }
    }

    /// One of them is held from now on, unless it has ended; its key and when it is due.
    fn take_in(
        &mut self,
        turn: &mut Turn,
        (lane, brought): (u64, &mut Brought),
        row: &Taken,
        callback: Option<Callback>,
    ) -> Option<(Key, Mono)> {
        let (work, now) = (&row.work, turn.now);
        let plan = match self.plan_of(row, callback.as_ref(), now) {
            Ok(plan) => plan,
            Err((outcome, detail)) => {
                self.end_stored(turn, work, outcome, detail);
                return None;
            }
        };
        let open = self.reopen(turn, &row.message, &plan)?;
        let restored = work.id <= self.before;
        let seat = Seat {
            lane,
            order: brought.order,
            taken: true,
        };
        let mut made = Delivery {
            seat,
            attempts: work.attempts,
            expires: now.mono + work.expires.since(now.wall),
            ..self.remade(open, work, &plan, callback.as_ref(), now)
        };
        if let Some(gate) = &mut made.gate {
            gate.restored = restored;
        }
        turn.memory.charge(made.charge());
        let (schedule, jitter) = made.pace(&self.settings);
        let mut due = brought.due(turn, row, schedule.longest(jitter));
        if seat.order == Order::Noticed
            && let Some(notice) = &mut made.notice
        {
            // It is offered in its turn, before those behind it, and waits then.
            notice.put_off = std::mem::replace(&mut due, now.mono);
            notice.full = is_full(&row.message);
        }
        let key = self.link_first(open, made)?;
        self.queue.lanes.enter(lane);
        self.line_up(turn, key, work.id.number());
        Some((key, due))
    }

    /// Its plan; or how it ends, and why.
    fn plan_of(
        &self,
        row: &Taken,
        callback: Option<&Callback>,
        now: Now,
    ) -> Result<Plan, (Outcome, &'static str)> {
        if row.work.subscription != 0 && callback.is_none() {
            return Err((Outcome::Canceled, "unsubscribed"));
        }
        match Plan::of(&row.message, &row.work, &self.settings, now) {
            Err(_) if callback.is_some() => Ok(notices_only(row.message.hops)),
            plan => plan.map_err(|detail| (Outcome::Failed, detail)),
        }
    }

    fn remade(
        &self,
        open: Key,
        work: &Work,
        plan: &Plan,
        callback: Option<&Callback>,
        now: Now,
    ) -> Delivery {
        match callback {
            Some(callback) => {
                let settings = &self.settings.notices;
                Delivery::notice(open, work.number, callback, plan, settings, now.mono)
            }
            None => Delivery::held(open, work.number, Arc::clone(&work.target), plan),
        }
    }

    /// The message among those that have deliveries here.
    fn reopen(&mut self, turn: &mut Turn, message: &Arc<Message>, plan: &Plan) -> Option<Key> {
        if let Some(open) = self.by_id.get(&message.id) {
            return Some(*open);
        }
        let open = Open::new(message, plan);
        let bytes = open.bytes();
        let key = self.messages.insert(open).ok()?;
        turn.memory.charge(bytes);
        self.by_id.insert(message.id, key);
        Some(key)
    }

    /// Puts a delivery before its message's first one.
    fn link_first(&mut self, message: Key, mut delivery: Delivery) -> Option<Key> {
        let open = self.messages.get_mut(message)?;
        delivery.sibling = open.first;
        let key = self.deliveries.insert(delivery).ok()?;
        let next = open.first.replace(key);
        open.left += 1;
        if let Some(next) = next.and_then(|next| self.deliveries.get_mut(next)) {
            next.before = Some(key);
        }
        Some(key)
    }

    /// What was in the store alone has ended without being in memory.
    pub(super) fn end_stored(
        &mut self,
        turn: &mut Turn,
        work: &Work,
        outcome: Outcome,
        detail: &'static str,
    ) {
        let (id, number, word) = (work.id, work.number, outcome.as_str());
        let url = &work.target.url;
        log::info!(
            "delivery_ended id={id} delivery={number} outcome={word} detail={detail} url={url:?}"
        );
        turn.stats.add(
            match outcome {
                Outcome::Delivered => Counter::DeliveriesDelivered,
                Outcome::Failed => Counter::DeliveriesFailed,
                Outcome::Expired => Counter::DeliveriesExpired,
                Outcome::Canceled => Counter::DeliveriesCanceled,
            },
            1,
        );
        let end = End {
            outcome,
            detail,
            at: turn.now.wall,
            target: Arc::clone(&work.target),
        };
        turn.hand(StoreOp::End {
            id,
            number,
            end,
            attempt: None,
        });
    }

    /// What of a message goes to the store alone is durable.
    pub fn parked(&mut self, turn: &mut Turn, parking: &Parking) {
        self.queue.lanes.durable(turn, parking);
    }

    /// The same was lost.
    pub fn unparked(&mut self, turn: &mut Turn, parking: &Parking) {
        self.queue.lanes.lost(turn, parking);
    }

    /// What the store says of a lane at the start.
    pub fn restore(&mut self, turn: &mut Turn, parked: &Parked) {
        self.queue.lanes.restore(turn, parked);
    }

    /// Ids go on after this one.
    pub fn ids_go_on(&mut self, last: MessageId) {
        self.last = self.last.max(last);
        self.before = self.last;
    }

    /// The store has said everything.
    pub fn goes_on(&mut self, now: Mono) {
        self.queue.lanes.begin(now);
    }

    /// Work that is due soon is wanted from the store.
    pub fn ask(&mut self, turn: &mut Turn) {
        self.queue.lanes.ask(turn);
    }

    /// The node for that has fired.
    pub fn asks_again(&mut self) {
        self.queue.lanes.fired();
    }

    /// Parked deliveries were canceled; `lanes` are as of everything up to that number.
    pub fn lanes_canceled(&mut self, turn: &mut Turn, lanes: &[Parked], seq: Seq) {
        self.queue.lanes.canceled(turn, lanes, seq);
    }

    /// Deliveries that are in the store alone.
    #[must_use]
    pub fn in_store(&self) -> u64 {
        self.queue.lanes.parked()
    }
}
