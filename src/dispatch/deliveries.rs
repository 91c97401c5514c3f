//! All messages on their way and their deliveries: accepted, due, under way, ended.
//! It says what is due and what an ending means; lines and lanes are somebody else's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::index::Index;
use crate::base::slab::{Key, Slab};
use crate::base::stats::Counter;
use crate::base::time::{Mono, Now};
use crate::model::record::Attempt;
use crate::model::{
    Answer, Callback, Ending, Fault, Message, MessageId, Method, Target, Ticket, Wants,
};
use crate::port::{Caller, Turn};

use super::Settings;
use super::compose;
use super::delivery::{Delivery, Next, State, Terms, charge};
use super::draft::Accepted;
use super::gate::Gates;
use super::notice;
use super::queue::lanes::Lanes;
use super::queue::{Memory, Queue};
use super::redirect::{self, Hop};
use super::retry::Schedule;

mod admit;
mod due;
mod end;
mod gated;
mod look;
mod notices;
mod receipts;
mod stored;

pub use notices::{Fate, Offer, Report};

use gated::Gatekeeper;
pub use gated::QueueView;

/// Deliveries that stand in the wheel at most; the rest wait in the due-index.
pub const NEAR_MAX: usize = 1 << 16;
/// The time of an attempt that was sent on is up before it has begun there.
const UNFINISHED: Ending = Ending::Fault {
    fault: Fault::Timeout,
    detail: "redirect_unfinished",
};

/// A message with deliveries that have not ended.
#[derive(Debug)]
struct Open {
    message: Arc<Message>,
    terms: Terms,
    /// Its deliveries that have not ended, each naming the next.
    first: Option<Key>,
    left: u32,
}

/// What an accepted message's deliveries have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The method.
    pub method: Method,
    /// Before the first attempt.
    pub delay: Duration,
    /// After the first attempt.
    pub retries: u32,
    /// Its own schedule, if it has one.
    pub schedule: Option<Schedule>,
    /// One attempt.
    pub timeout: Duration,
    /// When it is given up.
    pub expires: Mono,
    /// The rest.
    pub terms: Terms,
    /// Only public addresses.
    pub strict: bool,
    /// What may hold them back: its queue, its flow.
    pub gates: Option<Arc<Gates>>,
}

/// Who gets a message: its own targets, and those that subscribed to its topics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receivers<'a> {
    /// Its own targets.
    pub targets: &'a [Arc<Target>],
    /// The subscribers.
    pub callbacks: &'a [Callback],
}

impl Receivers<'_> {
    /// Whether nobody gets it but streams.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.callbacks.is_empty()
    }
}

impl Plan {
    /// What a message of that size with these receivers is charged, in bytes.
    #[must_use]
    pub fn cost(&self, message_bytes: usize, receivers: Receivers<'_>) -> u64 {
        let own = match receivers.is_empty() {
            true => 0,
            false => message_bytes + self.terms.bytes(),
        };
        let schedule = self.schedule.as_ref();
        let targets = receivers.targets.iter();
        let targets = targets.map(|target| charge(target, schedule, self.gates.as_deref()));
        let callbacks = receivers.callbacks.iter();
        let callbacks = callbacks.map(|it| charge(&it.target, None, None) + notice::bytes(it));
        own as u64 + targets.sum::<u64>() + callbacks.sum::<u64>()
    }
}

impl Open {
    /// A message without deliveries.
    fn new(message: &Arc<Message>, plan: &Plan) -> Open {
        Open {
            message: Arc::clone(message),
            terms: plan.terms.clone(),
            first: None,
            left: 0,
        }
    }

    /// What it is charged besides its deliveries, in bytes.
    fn bytes(&self) -> u64 {
        (self.message.bytes() + self.terms.bytes()) as u64
    }
}

/// Everything on its way.
#[derive(Debug)]
pub struct Deliveries {
    settings: Settings,
    messages: Slab<Open>,
    /// Messages that somebody waits for, and how many do.
    watched: Index<MessageId, u32>,
    /// Those of them whose last delivery here has ended.
    gone: VecDeque<MessageId>,
    deliveries: Slab<Delivery>,
    /// Messages that have deliveries in memory.
    by_id: Index<MessageId, Key>,
    /// When deliveries go on, and where they wait until then.
    queue: Memory,
    /// Queues and flows.
    gatekeeper: Gatekeeper,
    /// The last id there was before this process.
    before: MessageId,
    /// Notices that may go, once somebody has released them.
    offers: VecDeque<Key>,
    /// What became of notices, for who releases them.
    reports: VecDeque<Report>,
    /// The id of the last message.
    last: MessageId,
    /// Messages of our own that wait for the store.
    own: VecDeque<Accepted>,
    /// When nobody turned last, from when to when.
    missed: (Mono, Mono),
    /// Somebody reads of outcomes,
    observed: bool,
    /// and these have not been told yet.
    outcomes: VecDeque<Vec<u8>>,
}

impl Deliveries {
    /// Nothing on its way. `seed` is for the maps; `began` is when the process did. Ids come after
    /// all that an earlier process may have given, though the clock be set back before the first.
    #[must_use]
    pub fn new(settings: Settings, seed: u64, began: Now) -> Deliveries {
        let bound = u32::MAX as usize - 1;
        let rate = settings.recovery_rate;
        Deliveries {
            by_id: Index::new(seed.rotate_left(16)),
            queue: Memory::new(Lanes::new(settings.keeps, rate, seed.rotate_left(48))),
            settings,
            messages: Slab::with_bound(bound),
            watched: Index::new(seed.rotate_left(16)),
            gone: VecDeque::new(),
            deliveries: Slab::with_bound(bound),
            gatekeeper: Gatekeeper::new(seed.rotate_left(5), began.mono),
            before: MessageId::default(),
            offers: VecDeque::new(),
            reports: VecDeque::new(),
            last: MessageId::before(began.wall),
            own: VecDeque::new(),
            missed: (began.mono, began.mono),
            observed: false,
            outcomes: VecDeque::new(),
        }
    }

    /// Goes by other settings from now on: those that are on their way wait by the new schedule.
    pub(super) fn retune(&mut self, settings: &Settings) {
        self.settings = settings.clone();
    }
}

impl Caller for Deliveries {
    fn next_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)> {
        self.pop_due()
    }

    /// A delivery has expired, or an attempt that was sent on had no more time than that.
    fn expire(&mut self, turn: &mut Turn, key: Key) {
        match self.deliveries.get(key).map(|delivery| delivery.expires) {
            Some(expires) if expires > turn.now.mono => {
                self.concluded(turn, key, &UNFINISHED, None);
            }
            _ => self.give_up(turn, key),
        }
    }

    fn expires(&self, key: Key) -> Mono {
        let delivery = self.deliveries.get(key);
        delivery.map_or(Mono::NEVER, Delivery::waits_until)
    }

    fn is_strict(&self, key: Key) -> bool {
        self.deliveries
            .get(key)
            .is_none_or(|delivery| delivery.strict)
    }

    /// An attempt is about to start, or to go on where it was sent: its target and how long it may
    /// take. `None` if there is nothing to attempt; a delivery that has expired, and an attempt
    /// whose time is up, end with that.
    fn begin(&mut self, turn: &mut Turn, key: Key) -> Option<(Arc<Target>, Duration)> {
        let now = turn.now;
        let delivery = self.deliveries.get_mut(key)?;
        if delivery.is_over(now.mono) {
            self.give_up(turn, key);
            return None;
        }
        delivery.state = State::Active;
        let Some(hop) = &delivery.hop else {
            delivery.attempts += 1;
            delivery.began = now;
            turn.stats.add(Counter::Attempts, 1);
            return Some((Arc::clone(&delivery.target), delivery.timeout));
        };
        let left = hop.until.since(now.mono);
        if left.is_zero() {
            self.concluded(turn, key, &UNFINISHED, None);
            return None;
        }
        Some((Arc::clone(&hop.target), left))
    }

    fn uncount(&mut self, turn: &mut Turn, key: Key) {
        if self.deliveries.contains(key) {
            turn.stats.add(Counter::Resends, 1);
            self.put_back(key, true);
        }
    }

    fn unbegin(&mut self, key: Key) {
        self.put_back(key, false);
    }

    fn sends(&mut self, turn: &mut Turn, key: Key) {
        self.flow_began(turn, key);
    }

    fn compose(&self, turn: &Turn, key: Key, out: &mut Vec<u8>) -> Option<Frame> {
        let delivery = self.deliveries.get(key)?;
        let open = self.messages.get(delivery.message)?;
        compose::head(out, delivery, &open.message, &open.terms, turn.now.wall);
        Some(open.message.body.clone())
    }

    fn is_head(&self, key: Key) -> bool {
        self.deliveries
            .get(key)
            .is_some_and(|delivery| delivery.method == Method::Head)
    }

    fn target(&self, key: Key) -> Option<&Arc<Target>> {
        self.deliveries.get(key).map(Delivery::target_now)
    }

    fn wants(&self, key: Key) -> Option<Wants> {
        let delivery = self.deliveries.get(key)?;
        let open = self.messages.get(delivery.message)?;
        let ticket = Ticket {
            id: open.message.id,
            number: delivery.number,
            attempt: delivery.attempts,
        };
        // A subscriber's answer is its status (WebSub section 7).
        let capture = match delivery.notice {
            Some(_) => 0,
            None => open.terms.capture as usize,
        };
        Some(Wants::Head(ticket, capture))
    }

    /// The attempt under way has ended, with that answer if there was one; or it goes on where the
    /// answer sends it.
    fn concluded(
        &mut self,
        turn: &mut Turn,
        key: Key,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let mut next = delivery.judge(&open.terms, ending);
        let mut refused = None;
        if let Next::Follow = next {
            match self.follow(turn, key, answer.and_then(|answer| answer.location)) {
                Ok(()) => return,
                Err(detail) => refused = Some(detail),
            }
            next = match self.deliveries.get(key) {
                Some(delivery) => delivery.retry(None),
                None => return,
            };
        }
        self.log(turn, key, ending, next);
        let unfinished = answer.is_some_and(|answer| answer.unfinished);
        let attempt = self.attempt(turn, key, ending, next, refused, answer);
        match next {
            Next::End(outcome) => self.decide(turn, key, (outcome, ending), attempt, unfinished),
            Next::Retry { number, at_least } => {
                self.retry(turn, key, (number, at_least), attempt);
                self.report_retry(key, ending);
            }
            Next::Follow => {}
        }
    }
}

impl Deliveries {
    /// An attempt goes back to its lane and begins again; something may have been `sent`.
    fn put_back(&mut self, key: Key, sent: bool) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.state = State::Queued;
        // A hop is no attempt of its own.
        if delivery.hop.is_none() {
            delivery.attempts = delivery.attempts.saturating_sub(1);
            if sent {
                self.flow_again(key);
            }
        }
    }

    /// The next attempt is that retry, after at least that wait; `attempt` is the one before.
    fn retry(
        &mut self,
        turn: &mut Turn,
        key: Key,
        (number, at_least): (u32, Option<Duration>),
        attempt: Option<Attempt>,
    ) {
        turn.stats.add(Counter::AttemptsFailed, 1);
        let random = turn.rng.u64();
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.come_back(&mut turn.memory);
        let (schedule, jitter) = delivery.pace(&self.settings);
        let wait = schedule.wait(number, jitter, random, at_least);
        let due = turn.now.mono + wait;
        self.flow_ended(turn, key);
        self.put_off(turn, key, due, attempt);
    }

    /// The attempt goes on at `location`, in that origin's lane. The error is why it does not.
    fn follow(
        &mut self,
        turn: &mut Turn,
        key: Key,
        location: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return Ok(());
        };
        let location = location.ok_or("no_location")?;
        let from = delivery.target_now();
        let stripped = delivery.is_stripped();
        let (target, stripped) = redirect::resolve(&delivery.target, from, location, stripped)?;
        let count = delivery.hop.as_ref().map_or(0, |hop| hop.count) + 1;
        let hop = Hop {
            target: Arc::new(target),
            stripped,
            count,
            until: delivery.began.mono + delivery.timeout,
        };
        delivery.send_on(&mut turn.memory, hop)?;
        self.queue.ready(key);
        Ok(())
    }

    /// Deliveries that have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Whether every delivery has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Sweeps the accounts. Returns the bytes that should stand on the account of memory.
    pub fn check(&self) -> u64 {
        let (mut waiting, mut bytes) = (0, self.queue.check());
        let mut lanes: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
        for (_, delivery) in self.deliveries.iter() {
            let open = self.messages.get(delivery.message);
            assert!(
                open.is_some(),
                "a delivery without its message: {delivery:?}"
            );
            waiting += usize::from(matches!(delivery.state, State::Waiting { .. }));
            bytes += delivery.charge();
            let lane = lanes.entry(delivery.seat.lane).or_default();
            *lane = (lane.0 + 1, lane.1 + u32::from(delivery.seat.taken));
        }
        self.queue.lanes.check_memory(&lanes);
        assert_eq!(
            waiting,
            self.queue.waiting(),
            "a waiting delivery has no timer"
        );
        assert_eq!(self.by_id.len(), self.messages.len(), "an id of no message");
        let mut left = 0;
        for (key, open) in self.messages.iter() {
            left += open.left as usize;
            let named = self.by_id.get(&open.message.id);
            assert_eq!(named, Some(&key), "a message without its id");
            let (mut last, mut next, mut listed) = (None, open.first, 0);
            while let Some(delivery) = next.and_then(|key| self.deliveries.get(key)) {
                assert_eq!(delivery.before, last, "a list that goes one way only");
                (last, next, listed) = (next, delivery.sibling, listed + 1);
            }
            assert_eq!((next, listed), (None, open.left), "a list with a gap");
            bytes += open.bytes();
        }
        assert_eq!(self.by_id.len(), self.messages.len(), "an id of no message");
        bytes += self.check_gates();
        bytes += self.outcomes.iter().map(|it| it.len() as u64).sum::<u64>();
        assert_eq!(
            left,
            self.deliveries.len(),
            "messages and deliveries disagree"
        );
        bytes
    }
}
