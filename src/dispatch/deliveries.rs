//! All messages on their way and their deliveries: accepted, due, under way, ended.
//! It says what is due and what an ending means; lines and lanes are somebody else's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::slab::{Key, Slab};
use crate::base::stats::Counter;
use crate::base::time::{Mono, micros};
use crate::model::{Ending, Message, Method, Outcome, Target};
use crate::port::{Action, StoreOp, Timer, Turn};

use super::Settings;
use super::compose;
use super::delivery::{Delivery, Next, State, charge};
use super::far::{Far, HORIZON};
use super::retry::Schedule;

/// Deliveries that stand in the wheel at most; the rest wait in the due-index.
pub const NEAR_MAX: usize = 1 << 16;
/// The due-index is looked at no more often than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A message with deliveries that have not ended.
#[derive(Debug)]
struct Open {
    message: Arc<Message>,
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
}

/// Everything on its way.
#[derive(Debug)]
pub struct Deliveries {
    settings: Settings,
    messages: Slab<Open>,
    deliveries: Slab<Delivery>,
    due: VecDeque<Key>,
    far: Far,
    /// The node that looks at the due-index again, and when.
    far_timer: Option<(Key, Mono)>,
    /// How many deliveries stand in the wheel.
    near: usize,
}

impl Deliveries {
    /// Nothing on its way.
    #[must_use]
    pub fn new(settings: Settings) -> Deliveries {
        let bound = u32::MAX as usize - 1;
        Deliveries {
            settings,
            messages: Slab::with_bound(bound),
            deliveries: Slab::with_bound(bound),
            due: VecDeque::new(),
            far: Far::default(),
            far_timer: None,
            near: 0,
        }
    }

    /// What a message of that size with these targets is charged, in bytes.
    #[must_use]
    pub fn cost(message_bytes: usize, targets: &[Arc<Target>], schedule: Option<&Schedule>) -> u64 {
        let message_bytes = if targets.is_empty() { 0 } else { message_bytes };
        let charges = targets.iter().map(|target| charge(target, schedule));
        message_bytes as u64 + charges.sum::<u64>()
    }

    /// Takes in a message whose `cost` is on the account already. It is held until `durable`.
    /// `None`, and nothing taken in, if there are no targets or no places.
    pub fn insert(
        &mut self,
        message: &Arc<Message>,
        targets: &[Arc<Target>],
        plan: &Plan,
    ) -> Option<Key> {
        if targets.is_empty() {
            return None;
        }
        let message = Arc::clone(message);
        let key = self
            .messages
            .insert(Open {
                message,
                first: None,
                left: 0,
            })
            .ok()?;
        let mut last: Option<Key> = None;
        for (target, number) in targets.iter().zip(1..) {
            let delivery = Delivery::held(key, number, Arc::clone(target), plan);
            let Ok(delivery) = self.deliveries.insert(delivery) else {
                break;
            };
            let open = self.messages.get_mut(key)?;
            open.left = number;
            match last.and_then(|last| self.deliveries.get_mut(last)) {
                Some(last) => last.sibling = Some(delivery),
                None => open.first = Some(delivery),
            }
            last = Some(delivery);
        }
        if last.is_none() {
            self.messages.remove(key);
            return None;
        }
        Some(key)
    }

    /// The message is durable: its deliveries are due, now or after their delay.
    pub fn durable(&mut self, turn: &mut Turn, message: Key) {
        let mut next = self.messages.get(message).and_then(|open| open.first);
        while let Some(key) = next {
            let Some(delivery) = self.deliveries.get(key) else {
                return;
            };
            next = delivery.sibling;
            if let State::Held { delay } = delivery.state {
                let due = turn.now.mono + delay;
                self.wait(turn, key, due);
            }
        }
    }

    /// The store lost the message: nothing of it was promised, nothing is delivered.
    pub fn lost(&mut self, turn: &mut Turn, message: Key) {
        let Some(open) = self.messages.remove(message) else {
            return;
        };
        let mut next = open.first;
        while let Some(delivery) = next.and_then(|key| self.deliveries.remove(key)) {
            turn.memory.give(delivery.charge());
            next = delivery.sibling;
        }
        turn.memory.give(open.message.bytes() as u64);
    }

    fn wait(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let due = due.min(delivery.expires);
        let now = turn.now.mono;
        if due <= now {
            delivery.state = State::Queued;
            self.due.push_back(key);
            return;
        }
        delivery.state = State::Waiting { due };
        if due < now + HORIZON && self.near < NEAR_MAX {
            self.stand(turn, key, due);
            return;
        }
        self.far.push(due, key);
        self.watch_far(turn);
    }

    fn stand(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        match turn.wheel.arm(due, Timer::Delivery(key)) {
            Some(_) => self.near += 1,
            None => self.far.push(due, key),
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
            self.stand(turn, key, due);
        }
        self.watch_far(turn);
    }

    /// A delivery's node fired: it is due.
    pub fn fired(&mut self, key: Key) {
        self.near = self.near.saturating_sub(1);
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        delivery.state = State::Queued;
        self.due.push_back(key);
    }

    /// A delivery that is due and has to join its origin's lane.
    pub fn next_due(&mut self) -> Option<(Key, &Arc<Target>)> {
        let key = self.due.pop_front()?;
        self.deliveries
            .get(key)
            .map(|delivery| (key, &delivery.target))
    }

    /// An attempt is about to start: its target and how long it may take. `None` if there is
    /// nothing to attempt; a delivery that has expired ends with that.
    pub fn begin(&mut self, turn: &mut Turn, key: Key) -> Option<(Arc<Target>, Duration)> {
        let delivery = self.deliveries.get_mut(key)?;
        if delivery.expires <= turn.now.mono {
            self.end(turn, key, Outcome::Expired);
            return None;
        }
        delivery.attempts += 1;
        delivery.state = State::Active;
        turn.stats.add(Counter::Attempts, 1);
        Some((Arc::clone(&delivery.target), delivery.timeout))
    }

    /// The attempt did not count: a kept-alive line was dead. It begins again.
    pub fn uncount(&mut self, turn: &mut Turn, key: Key) {
        if self.deliveries.contains(key) {
            turn.stats.add(Counter::Resends, 1);
            self.unbegin(key);
        }
    }

    /// The attempt could not start for want of a place: it goes back to its lane.
    pub fn unbegin(&mut self, key: Key) {
        if let Some(delivery) = self.deliveries.get_mut(key) {
            delivery.attempts = delivery.attempts.saturating_sub(1);
            delivery.state = State::Queued;
        }
    }

    /// Writes the request's head to `out`; gives its body, and whether it is a HEAD.
    pub fn compose(&self, turn: &Turn, key: Key, out: &mut Vec<u8>) -> Option<Frame> {
        let delivery = self.deliveries.get(key)?;
        let open = self.messages.get(delivery.message)?;
        compose::head(out, delivery, &open.message, turn.now.wall);
        Some(open.message.body.clone())
    }

    /// Whether the delivery's requests are HEADs.
    #[must_use]
    pub fn is_head(&self, key: Key) -> bool {
        self.deliveries
            .get(key)
            .is_some_and(|delivery| delivery.method == Method::Head)
    }

    /// The target of a delivery.
    #[must_use]
    pub fn target(&self, key: Key) -> Option<&Arc<Target>> {
        self.deliveries.get(key).map(|delivery| &delivery.target)
    }

    /// The attempt under way has ended.
    pub fn concluded(&mut self, turn: &mut Turn, key: Key, ending: &Ending) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let next = delivery.judge(ending);
        self.log(turn, key, ending, next);
        match next {
            Next::End(outcome) => self.end(turn, key, outcome),
            Next::Retry { number, at_least } => {
                turn.stats.add(Counter::AttemptsFailed, 1);
                let random = turn.rng.u64();
                let jitter = self.settings.jitter_percent;
                let schedule = delivery
                    .schedule
                    .as_ref()
                    .unwrap_or(&self.settings.schedule);
                let wait = schedule.wait(number, jitter, random, at_least);
                self.wait(turn, key, turn.now.mono + wait);
            }
        }
    }

    fn log(&self, turn: &Turn, key: Key, ending: &Ending, next: Next) {
        if !log::log_enabled!(log::Level::Debug) {
            return;
        }
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let (id, url, attempt) = (open.message.id, &delivery.target.url, delivery.attempts);
        let age_ms = turn.now.wall.since(open.message.accepted).as_millis();
        log::debug!(
            "attempt_ended id={id} url={url:?} attempt={attempt} {ending} next={next:?} \
             age_ms={age_ms}"
        );
    }

    fn end(&mut self, turn: &mut Turn, key: Key, outcome: Outcome) {
        let Some(delivery) = self.deliveries.remove(key) else {
            return;
        };
        turn.memory.give(delivery.charge());
        turn.stats.add(
            match outcome {
                Outcome::Delivered => Counter::DeliveriesDelivered,
                Outcome::Failed => Counter::DeliveriesFailed,
                Outcome::Expired => Counter::DeliveriesExpired,
            },
            1,
        );
        let Some(open) = self.messages.get_mut(delivery.message) else {
            return;
        };
        let (id, number) = (open.message.id, delivery.number);
        if outcome != Outcome::Delivered {
            let (word, url) = (outcome.as_str(), &delivery.target.url);
            log::info!("delivery_ended id={id} outcome={word} url={url:?}");
        }
        turn.actions.push_back(Action::Store(StoreOp::End {
            id,
            number,
            outcome,
        }));
        open.left -= 1;
        if open.left == 0 {
            turn.memory.give(open.message.bytes() as u64);
            self.messages.remove(delivery.message);
        }
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
        let (mut waiting, mut bytes) = (0, 0);
        for (_, delivery) in self.deliveries.iter() {
            let open = self.messages.get(delivery.message);
            assert!(
                open.is_some(),
                "a delivery without its message: {delivery:?}"
            );
            waiting += usize::from(matches!(delivery.state, State::Waiting { .. }));
            bytes += delivery.charge();
        }
        assert_eq!(
            waiting,
            self.near + self.far.len(),
            "a waiting delivery has no timer"
        );
        assert!(
            self.far.len() == 0 || self.far_timer.is_some(),
            "nobody looks at the due-index"
        );
        let mut left = 0;
        for (_, open) in self.messages.iter() {
            left += open.left as usize;
            bytes += open.message.bytes() as u64;
        }
        assert_eq!(
            left,
            self.deliveries.len(),
            "messages and deliveries disagree"
        );
        bytes
    }
}
