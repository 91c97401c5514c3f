//! What clients ask of the hub: to subscribe, to end that, to look at a topic again. It answers
//! before anybody is called, and the answer says nothing of what others have subscribed to.

use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::{Mono, Wall};
use crate::http::problem::{Problem, Reason};
use crate::hub::name::{Callback, TopicName};
use crate::hub::request::{Subscribe, Unsubscribe, Verify};
use crate::hub::settings::Refresh;
use crate::hub::subscription::{State, Subscription, Terms};
use crate::hub::topic::Topic;
use crate::hub::verify::{Step, Ticket, Verification};
use crate::hub::{Client, Hub, pair};
use crate::model::Target;
use crate::port::Turn;

/// How long somebody waits for a verification at most (hub.md C1).
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 202: the subscriber will be asked. With a line of text that the answer should say.
    Pending(Option<String>),
    /// The client waits for what the subscriber says: see [`Hub::next_verdict`].
    Verifying(Ticket),
}

/// Why a request is refused, and when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub problem: Problem,
    /// Seconds to wait, with a 429 or 503.
    pub retry_after: Option<u32>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        let retry_after = (problem.reason.row().status == 503).then_some(1);
        Refused {
            problem,
            retry_after,
        }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Refused {
        Problem::from(reason).into()
    }
}

/// Whether an address may be called, or only by somebody who may name any.
pub type Vet<'a> = &'a dyn Fn(&Target, bool) -> Result<(), Problem>;

impl Hub {
    /// Somebody wants to subscribe a callback to a topic, or to renew that.
    ///
    /// # Errors
    /// Too many requests of that client, a topic or an address that is not allowed, or no room.
    pub fn subscribe(
        &mut self,
        turn: &mut Turn,
        asked: Subscribe,
        from: Client<'_>,
        vet: Vet<'_>,
    ) -> Result<Verdict, Refused> {
        self.admit(turn, from)?;
        let rules = &self.settings.topics;
        if !rules.is_empty() && !rules.iter().any(|rule| rule.admits(&asked.topic)) {
            return Err(Reason::TopicForbidden.into());
        }
        let strict = self.is_strict_for(from.local);
        vet(&asked.callback.target, strict)?;
        if let Some(target) = asked.topic.target() {
            vet(&target, strict)?;
        }
        let renews = match self.settings.refresh {
            Refresh::Push03 => asked.is_permanent_03(),
            Refresh::Always => true,
            Refresh::Never => false,
        };
        let warning = asked.lease.warning();
        let terms = Terms {
            topic: asked.topic.clone(),
            seal: asked.seal,
            token: asked.verify.token.clone(),
            lease: Duration::from_secs(asked.lease.granted),
            until: Mono::NEVER,
            ends: Wall(u64::MAX),
            renews,
            renew_at: Mono::NEVER,
            local: from.local,
            host: from.host.into(),
        };
        let verification = Verification::new(Some(terms), None, from.local);
        let step = match self.settings.approve {
            Some(_) => Step::Unapproved,
            None => Step::Gated,
        };
        let verification = verification.at(step);
        let request = (asked.topic, asked.callback, asked.verify, verification);
        self.take(turn, request).map(|ticket| match ticket {
            Some(ticket) => Verdict::Verifying(ticket),
            None => Verdict::Pending(warning),
        })
    }

    /// Somebody wants to end a subscription. The answer is the same whether there is one or not
    /// (hub.md C13).
    ///
    /// # Errors
    /// As for [`Hub::subscribe`].
    pub fn unsubscribe(
        &mut self,
        turn: &mut Turn,
        asked: Unsubscribe,
        from: Client<'_>,
        vet: Vet<'_>,
    ) -> Result<Verdict, Refused> {
        self.admit(turn, from)?;
        vet(&asked.callback.target, self.is_strict_for(from.local))?;
        let ended = (asked.topic.clone(), asked.verify.token.clone());
        let verification = Verification::new(None, Some(ended), from.local);
        let request = (asked.topic, asked.callback, asked.verify, verification);
        self.take(turn, request).map(|ticket| match ticket {
            Some(ticket) => Verdict::Verifying(ticket),
            None => Verdict::Pending(None),
        })
    }

    /// Topics may have something new. Those that nobody subscribes to, and that `is_read` by no
    /// stream, are left alone.
    ///
    /// # Errors
    /// Too many pings of that client, or an address that is not allowed: then none is looked at.
    pub fn ping(
        &mut self,
        turn: &mut Turn,
        mut topics: Vec<TopicName>,
        from: Client<'_>,
        is_read: impl Fn(&str) -> bool,
        vet: Vet<'_>,
    ) -> Result<(), Refused> {
        if !from.local && !from.free {
            let waited = self.pings.pay(turn.now.mono, from.peer);
            waited.map_err(too_many)?;
        }
        // Who is refused must not tell what others have subscribed to.
        for topic in &topics {
            if let Some(target) = topic.target() {
                vet(&target, self.is_strict_for(from.local))?;
            }
        }
        topics.retain(|topic| self.by_key.contains(topic.key()) || is_read(topic.key()));
        let bytes: usize = topics.iter().map(TopicName::bytes).sum();
        self.has_memory(turn, bytes as u64)?;
        for topic in topics {
            let is_new = !self.by_key.contains(topic.key());
            let known = self.recall(topic.key());
            let Some(key) = self.topic(topic) else {
                return Err(Reason::MemoryFull.into());
            };
            let Some(topic) = self.topics.get_mut(key) else {
                continue;
            };
            topic.local |= is_new && from.local;
            if is_new {
                topic.known = known.unwrap_or_default();
            }
            let soonest = topic.soonest(turn.now.mono, self.settings.fetch_interval_min);
            topic.fetch.ping(soonest);
            self.settle_topic(turn, key);
        }
        Ok(())
    }

    /// Whether only public addresses will do for what such a client names.
    pub(super) fn is_strict_for(&self, local: bool) -> bool {
        self.settings.strict_targets && !local
    }

    fn admit(&mut self, turn: &Turn, from: Client<'_>) -> Result<(), Refused> {
        match from.local || from.free {
            true => Ok(()),
            false => self.asked.pay(turn.now.mono, from.peer).map_err(too_many),
        }
    }

    fn has_memory(&self, turn: &mut Turn, bytes: u64) -> Result<(), Refused> {
        if !turn.memory.take_for_strangers(bytes) {
            return Err(Reason::MemoryFull.into());
        }
        turn.memory.give(bytes);
        Ok(())
    }

    /// The verification of a new or a known subscription begins.
    fn take(&mut self, turn: &mut Turn, request: Request) -> Result<Option<Ticket>, Refused> {
        let (name, callback, verify, mut verification) = request;
        let pair = pair(name.key(), callback.text());
        let known = self.by_pair.get(&*pair).copied();
        if known.is_none() && self.subscriptions.is_full() {
            return Err(Reason::SubscriptionsFull.into());
        }
        let local = verification.local;
        // What is kept of it is on its way to the store for a while.
        let kept = 3 * (verification.bytes() + callback.text().len());
        let cost = verification.bytes() + 2 * callback.bytes() + 4 * name.bytes() + kept;
        self.has_memory(turn, cost as u64 + size_of::<Topic>() as u64 + 1_024)?;
        let ticket = verify.sync.then_some(self.ticket);
        if let Some(ticket) = ticket {
            self.ticket += 1;
            verification.ticket = Some((ticket, turn.now.mono + PATIENCE));
        }
        if let Some(key) = known {
            self.ask(turn, key, verification);
            return Ok(ticket);
        }
        // Who is new to a topic is better served by all there is.
        if !self.by_key.contains(name.key()) && self.recall(name.key()).is_some() {
            Hub::forget_topic(turn, name.key());
        }
        let topic_key = self.topic(name).ok_or(Reason::SubscriptionsFull)?;
        let step = verification.step;
        let (number, state) = (self.numbers.next(turn), State::Pending(verification));
        let subscription = Subscription::new(number, topic_key, callback, state);
        let key = self.enlist(turn, topic_key, subscription, local);
        let key = key.ok_or(Reason::SubscriptionsFull)?;
        self.pursue(turn, key, step);
        self.settle(turn, key);
        Ok(ticket)
    }

    /// The topic of that name; a new one if there is none.
    pub(super) fn topic(&mut self, name: TopicName) -> Option<Key> {
        if let Some(key) = self.by_key.get(name.key()) {
            return Some(*key);
        }
        let text: Box<str> = name.key().into();
        let key = self.topics.insert(Topic::new(name)).ok()?;
        self.by_key.insert(text, key);
        Some(key)
    }
}

type Request = (TopicName, Callback, Verify, Verification);

/// How long to wait, in whole seconds.
fn too_many(wait: Duration) -> Refused {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Refused {
        problem: Reason::TooManyRequests.into(),
        retry_after: Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)),
    }
}
