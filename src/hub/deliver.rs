//! What subscribers get: who they are, which of their deliveries goes next, and what became of it.
//! It carries no message and no attempt; deliveries are somebody else's, known here by their keys.

use std::sync::Arc;

use super::subscription::Terms;
use super::topic::Topic;
use super::{Decision, Hub, link, name};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::model::{Callback, Ending};
use crate::port::Turn;

impl Hub {
    /// Appends the subscribers of these topics whose leases hold. With `full`, what they get is all
    /// there is to say of the topic, and makes what is older worthless.
    pub fn callbacks<'t>(
        &self,
        now: Mono,
        topics: impl Iterator<Item = &'t [u8]>,
        full: bool,
        out: &mut Vec<Callback>,
    ) {
        for topic in topics {
            let key = name::key(topic);
            let Ok(key) = std::str::from_utf8(&key) else {
                continue;
            };
            let topic = self
                .by_key
                .get(key)
                .and_then(|topic| self.topics.get(*topic));
            for subscription in topic.map_or(&[][..], |topic| &topic.subscriptions) {
                out.extend(self.callback(now, *subscription, full));
            }
        }
    }

    pub(super) fn callback(&self, now: Mono, subscription: Key, full: bool) -> Option<Callback> {
        let found = self.subscriptions.get(subscription)?;
        let terms = found.holds(now)?;
        Some(Callback {
            subscription,
            number: found.number,
            target: Arc::clone(&found.callback.target),
            link: Arc::clone(&found.link),
            seal: terms.seal.clone(),
            until: terms.until,
            strict: self.is_strict_for(terms.local),
            full,
        })
    }

    /// A delivery that was made under older terms, and those that hold now.
    pub fn next_renewal(&mut self, now: Mono) -> Option<(Key, Callback)> {
        while let Some((delivery, subscription)) = self.renewals.pop_front() {
            if let Some(callback) = self.callback(now, subscription, false) {
                return Some((delivery, callback));
            }
        }
        None
    }

    /// Other terms hold: what waits was made under older ones.
    pub(super) fn renew_waiting(&mut self, subscription: Key) {
        if let Some(known) = self.subscriptions.get(subscription) {
            let waiting = known.queue.deliveries();
            self.renewals.extend(waiting.map(|it| (it, subscription)));
        }
    }

    /// A delivery is durable and waits for its turn.
    pub fn offered(&mut self, delivery: Key, subscription: Key, full: bool) {
        if full
            && let Some(known) = self.subscriptions.get_mut(subscription)
            && let Some(topic) = self.topics.get(known.topic)
        {
            known.had.offered(delivery, topic.version);
        }
        self.offered_again(delivery, subscription, full, false);
    }

    /// A delivery comes back out of the store, in its old place; `failing` if an attempt at it has
    /// failed. Which version of its topic it is nobody knows.
    pub fn offered_again(&mut self, delivery: Key, subscription: Key, full: bool, failing: bool) {
        match self.subscriptions.get_mut(subscription) {
            Some(known) if known.state.terms().is_some() => {
                let max = self.settings.waiting_max;
                known
                    .queue
                    .offered((delivery, full), max, &mut self.decisions);
                if failing {
                    known.queue.retrying(delivery, &mut self.decisions);
                }
                // It may have been verified anew while the store had the message.
                self.renewals.push_back((delivery, subscription));
            }
            _ => self
                .decisions
                .push_back(Decision::Cancel(delivery, "unsubscribed")),
        }
    }

    /// An attempt at a delivery has ended, or the delivery without one; `over` if nothing more
    /// follows. A 410 ends the subscription (hub.md C29), and nothing else does.
    pub fn reported(
        &mut self,
        turn: &mut Turn,
        (delivery, subscription): (Key, Key),
        ending: Option<&Ending>,
        over: bool,
    ) {
        let Some(known) = self.subscriptions.get_mut(subscription) else {
            return;
        };
        let had = (known.past.failures, known.had.last());
        if let Some(ending) = ending {
            let (status, error) = match ending {
                Ending::Answer { status, .. } => (*status, ""),
                Ending::Fault { fault, .. } => (0, fault.as_str()),
            };
            let past = &mut known.past;
            past.last = Some(turn.now.wall);
            (past.status, past.error) = (status, error);
            let delivered = (200..=299).contains(&status);
            past.failures = if delivered {
                0
            } else {
                past.failures.saturating_add(1)
            };
            if delivered && over {
                known.had.delivered(delivery);
            }
            let counter = match delivered {
                true => Counter::NoticesDelivered,
                false => Counter::NoticesFailed,
            };
            turn.stats.add(counter, 1);
        }
        match over {
            true => known.queue.ended(delivery, &mut self.decisions),
            false => known.queue.retrying(delivery, &mut self.decisions),
        }
        if matches!(ending, Some(Ending::Answer { status: 410, .. })) {
            log::info!("subscription_gone callback={:?}", known.callback.target.url);
            known.state.lapsed();
            return self.settle(turn, subscription);
        }
        // One delivery after the other is no news; whether there is trouble is, and what of a feed
        // its subscriber has.
        let (failures, version) = (known.past.failures, known.had.last());
        let looks = self.topics.get(known.topic).is_some_and(Topic::is_seen);
        if failures != had.0 || (looks && version != had.1) {
            self.keep_subscription(turn, subscription);
        }
    }

    /// What a subscription's deliveries say in their Link field is built anew.
    pub(super) fn link(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let Some(topic) = self.topics.get(subscription.topic) else {
            return;
        };
        let Some(terms) = subscription.state.terms() else {
            return;
        };
        let link = self.link_of(topic, terms);
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.link = link.into();
        }
    }

    /// The topic has said something else of itself.
    pub(super) fn link_all(&mut self, turn: &mut Turn, topic: Key) {
        for place in 0.. {
            let topic = self.topics.get(topic);
            let Some(key) = topic.and_then(|topic| topic.subscriptions.get(place).copied()) else {
                return;
            };
            self.link(key);
            self.reckon(turn, key);
        }
    }

    /// One hub and one self (hub.md C19, C33): the hub that the topic names if it is ours, else
    /// what we are called; the topic's own name for itself, else the subscriber's.
    fn link_of(&self, topic: &Topic, terms: &Terms) -> String {
        let advert = topic.advert.as_ref();
        let here = match &self.settings.public_url {
            Some(url) => url.to_string(),
            None => format!("http://{}", terms.host),
        };
        let named = advert.and_then(|advert| advert.hub.as_deref());
        let hub = named.map_or_else(|| link::hub_url(&here), str::to_owned);
        let canonical = advert.and_then(|advert| advert.canonical.as_deref());
        let own = match (canonical, topic.name.is_url()) {
            (Some(canonical), _) => canonical.to_owned(),
            (None, true) => terms.topic.given().to_owned(),
            (None, false) => link::plain_url(&here, topic.name.given()),
        };
        link::value([&*hub], &own)
    }
}
