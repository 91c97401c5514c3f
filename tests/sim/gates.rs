//! Queues and flows as orders ask for them, and what must hold of them: the order of a queue, one
//! at a time; no span with more than a rate allows; no more under way than a key may have.

use std::collections::BTreeMap;

use hookah::model::{Message as Stored, MessageId};

use crate::oracle::{Oracle, SLACK, Sent};
use crate::order::{Order, duration};
use crate::tap::Tap;
use crate::world::{MS, SECOND};

/// Names of queues; orders of any target may share one.
pub const QUEUES: [&str; 3] = ["orders", "a b&c=d", "\u{e9}"];

/// What is asked of a flow. One key always says the same, so that it is known what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// `flow-key`; without it the target's origin is the key.
    pub key: Option<&'static str>,
    /// `rate`: so many in so many microseconds.
    pub rate: Option<(usize, u64)>,
    /// `parallelism`.
    pub parallelism: Option<usize>,
}

/// The flows of random orders.
pub const FLOWS: [Flow; 5] = [
    Flow::paced("quick", 3, 2 * SECOND),
    Flow::paced("slow", 1, 20 * SECOND),
    Flow::paced("many", 100, 10 * SECOND),
    Flow {
        key: Some("narrow & few"),
        rate: None,
        parallelism: Some(1),
    },
    Flow {
        key: None,
        rate: Some((4, 5 * SECOND)),
        parallelism: Some(2),
    },
];

impl Flow {
    /// So many in a span.
    pub const fn paced(key: &'static str, count: usize, span: u64) -> Flow {
        Flow {
            key: Some(key),
            rate: Some((count, span)),
            parallelism: None,
        }
    }

    /// The fields that ask for it.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let key = self.key.map(|key| ("_flow_key", key.to_owned()));
        let mut options: Vec<_> = key.into_iter().collect();
        if let Some((count, span)) = self.rate {
            options.push(("_rate", format!("{count}/{}", duration(span))));
        }
        let parallelism = self.parallelism.map(|it| ("_parallelism", it.to_string()));
        options.extend(parallelism);
        options
    }

    fn name(&self, order: &Order) -> String {
        self.key.map_or(order.base.clone(), str::to_owned)
    }
}

/// What went on in queues and flows.
#[derive(Debug, Default)]
pub struct Gates {
    /// The messages of each queue, in the order of acceptance.
    queues: BTreeMap<String, Vec<MessageId>>,
    /// The queue of each message that has one.
    queue_of: BTreeMap<MessageId, String>,
    /// When attempts of each flow went out.
    sent: BTreeMap<String, Vec<u64>>,
}

impl Gates {
    /// A message was handed to the store.
    pub fn accepted(&mut self, message: &Stored) {
        let options = message.extra.as_ref().map_or("", |extra| &extra.options);
        let mut options = options.split('&');
        let Some(queue) = options.find_map(|option| option.strip_prefix("queue=")) else {
            return;
        };
        self.queue_of.insert(message.id, queue.to_owned());
        self.queues
            .entry(queue.to_owned())
            .or_default()
            .push(message.id);
    }

    /// A request of a message goes out: nothing that was accepted before it in its queue `lives`.
    pub fn check_turn(&self, id: MessageId, lives: impl Fn(&MessageId) -> bool) {
        let Some(queue) = self.queue_of.get(&id) else {
            return;
        };
        let before = self.queues[queue].iter().take_while(|other| **other != id);
        for other in before {
            assert!(
                !lives(other),
                "{id} goes out before the end of {other} in {queue:?}"
            );
        }
    }

    /// An attempt of an order goes out, of a server that `began` then: what the one before it sent
    /// this one can only guess.
    pub fn goes_out(&mut self, order: &Order, at: u64, began: u64) {
        let Some((flow, (count, span))) = order.flow.and_then(|it| Some((it, it.rate?))) else {
            return;
        };
        let sent = self.sent.entry(flow.name(order)).or_default();
        sent.push(at);
        // A socket may take the first byte of one that was sent a little later.
        let since = at.saturating_sub(span - SLACK - MS).max(began);
        let recent = sent.iter().filter(|at| **at >= since).count();
        assert!(
            recent <= count,
            "{recent} in {span} us of {flow:?}: {order:?}"
        );
    }

    /// The flow of an order, if it has a bound on requests in flight, and that.
    pub fn parallelism(order: &Order) -> Option<(String, usize)> {
        let flow = order.flow?;
        Some((flow.name(order), flow.parallelism?))
    }
}

impl Oracle {
    /// An attempt goes out, as far as its queue and its flow let it.
    pub(super) fn check_gates(&mut self, order: &Order, id: MessageId, sent: &Sent) {
        let (kept, ended) = (&self.kept, &self.ends);
        let lives = |id: &MessageId| kept.contains_key(id) && !ended.contains_key(id);
        self.gates.check_turn(id, lives);
        let last = self.fates[order.number].attempts.last();
        // What is sent again for a dead line is the same attempt.
        if last.is_none_or(|last| self.sent[*last].attempt != sent.attempt) {
            self.gates.goes_out(order, sent.at, self.began);
        }
    }

    /// Never more than its parallelism of one flow.
    pub(super) fn check_flow(&self, orders: &[Order], order: usize) {
        let Some((flow, max)) = Gates::parallelism(&orders[order]) else {
            return;
        };
        let undecided = |tap: &Tap| {
            let open = tap.open.filter(|_| !tap.told)?;
            let order = &orders[self.sent[open].order];
            // What tells of its end is no attempt of its own.
            let own = self.fates[order.number].attempts.contains(&open);
            let same = Gates::parallelism(order).is_some_and(|it| it.0 == flow);
            (own && same).then(|| &self.sent[open])
        };
        let flying: Vec<_> = self.taps.values().filter_map(undecided).collect();
        let many = flying.len();
        assert!(
            many <= max,
            "{many} requests in flight of {flow}: {flying:?}"
        );
    }
}
