//! The oracle: what was promised to clients, what targets were sent, how it ended, and whether all
//! of it agrees with dispatch.md and guarantees.md. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hookah::model::{Message as Stored, MessageId, Outcome};
use hookah::port::{Seq, StoreDone};

use crate::clients::Want;
use crate::feeds::Feeds;
use crate::gates::Gates;
use crate::guests::Guests;
use crate::http::Message;
use crate::lasting::{Resumed, Waiting};
use crate::net::LinkId;
use crate::order::Order;
use crate::receipts::{self, Receipts};
use crate::tap::{Heard, Tap};
use crate::targets::Target;
use crate::world::{MS, SECOND, World};

#[path = "attempts.rs"]
mod attempts;

use attempts::{check_hop, check_reach, retry_after};

/// One attempt as it went out.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When the first byte was written.
    pub at: u64,
    /// The order.
    pub order: usize,
    /// `Hookah-Attempt`.
    pub attempt: u32,
    /// Whether it was the first request on its link.
    pub first: bool,
    /// The final answer's head: when it was read, and its status.
    pub reply: Option<(u64, u16)>,
    /// What its Retry-After asks for from then on.
    pub retry_after: u64,
}

/// What is known of one order.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// The id that its client was told.
    pub promised: Option<MessageId>,
    /// Its client was told no, or it never was complete.
    pub refused: bool,
    /// Handed to the store: when, as what.
    pub accepted: Option<(u64, Seq)>,
    /// Durable since.
    pub durable: Option<u64>,
    /// Its id, once anything has told it.
    pub id: Option<MessageId>,
    /// Its attempts that went out, by number in `Oracle::sent`.
    pub attempts: Vec<usize>,
    /// What the disk knew of it when the process ended, until it goes out again.
    pub resumed: Option<Resumed>,
    /// Attempts of it that the ends of processes cut, or that nobody was told of in time.
    pub again: u32,
}

/// All that is known.
#[derive(Debug)]
pub struct Oracle {
    /// Those who show tokens.
    pub guests: Guests,
    /// A 503 is no fault now: memory, store or drain.
    pub may_refuse: bool,
    /// The operator has asked to stop.
    pub draining: bool,
    /// Calls in flight to one origin at most.
    pub parallelism: usize,
    /// Targets whose lanes are paused for a while.
    pub paused: BTreeSet<usize>,
    /// One for each order.
    pub fates: Vec<Fate>,
    /// Links are quick, so that only peers take time.
    pub calm: bool,
    /// Lines are scarce, so that calls may wait for one.
    pub crowded: bool,
    /// There may be no memory for one row out of the store while others wait, so that calls may
    /// wait for them: there is less than can be configured.
    pub cramped: bool,
    /// An order is sent again under its key.
    pub keyed: bool,
    /// Orders placed with each target.
    pub load: BTreeMap<usize, usize>,
    /// All attempts that went out.
    pub sent: Vec<Sent>,
    /// `Connect`s to each target.
    pub connects: BTreeMap<usize, u32>,
    /// Topics and their readers.
    pub feeds: Feeds,
    /// Queues and flows.
    pub gates: Gates,
    /// Answers of the hub that its world has not seen yet.
    pub mail: Vec<(Want, Message)>,
    /// Requests to each target.
    pub(super) sent_to: BTreeMap<usize, u32>,
    /// Nothing survives the process.
    pub volatile: bool,
    /// The wall clock may be set while there is no process,
    pub leaps: bool,
    /// and was; or it jumps while there is one.
    pub leapt: bool,
    /// See `leapt`; only with a store that lasts.
    pub jumps: bool,
    /// How long the process stood still, in all.
    pub stopped: u64,
    /// Ends of processes, and when the last one knew all that was before.
    pub crashes: u32,
    pub(super) began: u64,
    /// The longest that the store takes over something, its failures included.
    pub store_within: u64,
    /// What was handed to the store and is not settled.
    pub(super) waiting: Vec<Waiting>,
    /// When each message that there was was accepted, and under which number.
    pub(super) accepts: BTreeMap<MessageId, (Seq, u64)>,
    /// What was refused, and may be on the disk all the same.
    pub(super) doubtful: BTreeSet<MessageId>,
    pub(super) ends: BTreeMap<MessageId, (u64, Outcome)>,
    pub(super) kept: BTreeMap<MessageId, u64>,
    pub(super) taps: BTreeMap<LinkId, Tap>,
    /// What tells of ends.
    pub(super) receipts: Receipts,
}

/// Attempts at one order at most. What waits in the store alone comes one by one as long as it
/// fails, and each may have to spend all its attempts before the next one comes.
pub const ATTEMPTS_MAX: u64 = 10;
/// The longest cool-down, a fifth of jitter, and the longest deadline of a probe.
const PROBE_MAX: u64 = (60 + 12 + 16) * SECOND;
/// Room for the network's and the loop's own time in what is bounded from above.
pub const SLACK: u64 = 400 * MS;

impl Oracle {
    /// Nothing is known.
    pub fn new(parallelism: usize, volatile: bool) -> Oracle {
        Oracle {
            guests: Guests::default(),
            may_refuse: false,
            draining: false,
            parallelism,
            paused: BTreeSet::new(),
            fates: Vec::new(),
            calm: false,
            crowded: false,
            cramped: false,
            keyed: false,
            load: BTreeMap::new(),
            sent: Vec::new(),
            connects: BTreeMap::new(),
            feeds: Feeds::default(),
            gates: Gates::default(),
            mail: Vec::new(),
            sent_to: BTreeMap::new(),
            volatile,
            leaps: false,
            leapt: false,
            jumps: false,
            stopped: 0,
            crashes: 0,
            began: 0,
            store_within: 0,
            waiting: Vec::new(),
            accepts: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            ends: BTreeMap::new(),
            kept: BTreeMap::new(),
            taps: BTreeMap::new(),
            receipts: Receipts::default(),
        }
    }

    /// A client was told 202.
    pub fn promised(&mut self, world: &World, order: usize, id: &str) {
        let Some(id) = MessageId::parse(id) else {
            panic!("Hookah-Id {id:?}")
        };
        assert!(
            self.kept.contains_key(&id),
            "202 for {id} before it was durable, at {:?}",
            world.now
        );
        let twice = self.fates.iter().any(|fate| fate.promised == Some(id));
        assert!(!twice, "{id} promised twice");
        self.fates[order].promised = Some(id);
        self.name(order, id);
    }

    /// A client was told no, or went away inside its request.
    pub fn refused(&mut self, order: usize) {
        self.fates[order].refused = true;
    }

    /// A message was handed to the store.
    pub fn accepted(&mut self, world: &World, seq: Seq, message: &Stored, promised: bool) {
        let last = self.accepts.last_key_value();
        let last = last.map_or(MessageId(0), |(id, _)| *id);
        assert!(message.id > last, "{} handed out after {last}", message.id);
        self.accepts.insert(message.id, (seq, world.at()));
        self.waiting.push(Waiting {
            seq,
            id: message.id,
            promised,
        });
        self.feeds.accepted(seq, message);
        if promised {
            self.tells(message);
        }
        self.gates.accepted(message);
        if let Some(order) = Order::number_in_body(&message.body) {
            self.name(order, message.id);
        }
    }

    /// The store has told the engine.
    pub fn stored(&mut self, world: &World, done: &StoreDone) {
        if matches!(done, StoreDone::Ready) {
            self.began = world.at();
        }
        let (StoreDone::Durable(up_to) | StoreDone::Failed(up_to)) = *done else {
            return;
        };
        let lasts = matches!(done, StoreDone::Durable(_));
        let is_settled = |it: &mut Waiting| it.seq <= up_to && (lasts || !it.promised);
        let settled: Vec<Waiting> = self.waiting.extract_if(.., is_settled).collect();
        for waiting in settled {
            match lasts {
                true => self.lasts(world.at(), waiting.id),
                false => drop(self.doubtful.insert(waiting.id)),
            }
        }
        self.feeds.stored(world.at(), done);
    }

    /// A message lasts.
    pub(super) fn lasts(&mut self, at: u64, id: MessageId) {
        self.kept.insert(id, at);
        let fate = self.fates.iter_mut().find(|fate| fate.id == Some(id));
        if let Some(fate) = fate {
            fate.durable = Some(at);
        }
    }

    /// A delivery has ended.
    pub fn ended(&mut self, world: &World, id: MessageId, outcome: Outcome) {
        let before = self.ends.insert(id, (world.at(), outcome));
        assert!(
            before.is_none(),
            "{id} ended twice: {before:?}, {outcome:?}"
        );
    }

    /// How a message ended.
    pub fn end_of(&self, id: MessageId) -> Option<(u64, Outcome)> {
        self.ends.get(&id).copied()
    }

    /// Ids that were handed to the store and kept.
    pub fn kept(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.kept.keys().copied()
    }

    /// An order's attempts, in order.
    pub fn attempts(&self, order: usize) -> Vec<&Sent> {
        self.fates[order]
            .attempts
            .iter()
            .map(|sent| &self.sent[*sent])
            .collect()
    }

    /// An order's id is known now, and with it what the store was told of it.
    pub(super) fn name(&mut self, order: usize, id: MessageId) {
        let accepted = self.accepts.get(&id);
        let fate = &mut self.fates[order];
        let known = fate.id.replace(id);
        assert!(
            known.is_none_or(|known| known == id),
            "order {order} is {known:?} and {id}"
        );
        fate.accepted = accepted.map(|(seq, at)| (*at, *seq));
        fate.durable = self.kept.get(&id).copied();
    }
}

/// Lines to targets.
impl Oracle {
    /// The engine connects to a target, at an address that is `loose` if no strict order may come
    /// there.
    pub fn connects(&mut self, link: LinkId, target: usize, loose: bool) {
        *self.connects.entry(target).or_default() += 1;
        self.taps.insert(link, Tap::new(loose));
    }

    /// The engine wrote to a target.
    pub fn wrote(
        &mut self,
        world: &World,
        orders: &[Order],
        targets: &[Target],
        link: LinkId,
        bytes: &[u8],
    ) {
        let Some(tap) = self.taps.get_mut(&link) else {
            return;
        };
        let Some(Heard::Asked(head)) = tap.wrote(world.at(), bytes) else {
            return;
        };
        if let Some(order) = receipts::number(head.word(1)) {
            return self.told(orders, order, link, &head);
        }
        let order = Order::number_in_hook(head.word(1));
        let Some(order) = order else {
            panic!("nobody ordered {:?}", head.start)
        };
        check_reach(&orders[order], tap);
        if Order::is_hop(head.word(1)) {
            tap.open = self.fates[order].attempts.last().copied();
            if let Some(sent) = tap.open {
                (self.sent[sent].reply, self.sent[sent].retry_after) = (None, 0);
            }
            return check_hop(&orders[order], &head);
        }
        tap.open = Some(self.sent.len());
        let (at, first) = (tap.began, tap.begun == 1);
        let (id, attempt) = receipts::labels(&head);
        self.name(order, id);
        assert!(
            self.kept.contains_key(&id),
            "order {order} goes out before it is durable"
        );
        let sent = Sent {
            at,
            order,
            attempt,
            first,
            reply: None,
            retry_after: 0,
        };
        self.check_attempt(&orders[order], &targets[orders[order].target], &sent, world);
        self.check_gates(&orders[order], id, &sent);
        self.check_alone(link, order);
        self.fates[order].resumed = None;
        self.fates[order].attempts.push(self.sent.len());
        self.sent.push(sent);
        *self.sent_to.entry(orders[order].target).or_default() += 1;
        self.check_lane(orders, orders[order].target);
        self.check_flow(orders, order);
    }

    /// The engine read from a target or a reader.
    pub fn read(&mut self, world: &World, link: LinkId, bytes: &[u8]) {
        self.feeds.read(link, world.at(), bytes.len());
        let Some(tap) = self.taps.get_mut(&link) else {
            return;
        };
        let open = tap.open;
        let Some(Heard::Told(head)) = tap.read(bytes) else {
            return;
        };
        let Some(sent) = open else { return };
        self.sent[sent].reply = Some((world.at(), head.status));
        self.sent[sent].retry_after = retry_after(&head, world);
    }

    /// The engine was told that a target has finished or the line has ended.
    pub fn line_ended(&mut self, link: LinkId) {
        self.feeds.ended(link);
        if let Some(tap) = self.taps.get_mut(&link) {
            tap.ended();
        }
    }

    /// The engine closed a line.
    pub fn line_closed(&mut self, world: &World, link: LinkId) {
        self.feeds.closed(link, world.at(), self.draining);
        if let Some(tap) = self.taps.get_mut(&link) {
            tap.open = None;
        }
    }

    /// Never more than `parallelism` requests to one target whose answers are not decided.
    pub(super) fn check_lane(&self, orders: &[Order], target: usize) {
        let undecided = |tap: &&Tap| {
            let open = tap.open.filter(|_| !tap.told);
            open.is_some_and(|sent| orders[self.sent[sent].order].target == target)
        };
        let flying = self.taps.values().filter(undecided).count();
        assert!(
            flying <= self.parallelism,
            "{flying} requests in flight to target {target}"
        );
    }
}
