//! What the hub hands to the store whenever it changes, and what a new hub makes of it.
//! It makes no call: what was pending is asked again, each a little after the one before, so that
//! a restart is no storm.

use std::time::Duration;

use super::kept::{self, Reader, Writer};
use super::subscription::{State, Subscription};
use super::topic::Fetch;
use super::verify::Step;
use super::{Hub, pair};
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::model::Callback;
use crate::model::record::Table;
use crate::port::{StoreOp, Turn};

/// Between two calls that were pending at the restart.
const PACE: Duration = Duration::from_millis(10);
/// Numbers that are set aside at once: as many as an hour has microseconds.
const NUMBERS_AHEAD: u64 = 3_600_000_000;

/// Which numbers subscriptions were given: the time of each in microseconds, or the next that is
/// free.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    last: u64,
    /// Up to here the store knows that they may have been given, whatever the clock does.
    reserved: u64,
}

impl Numbers {
    /// The number of a new subscription.
    pub(super) fn next(&mut self, turn: &mut Turn) -> u64 {
        self.last = (self.last + 1).max(turn.now.wall.0);
        if self.last > self.reserved {
            self.reserved = self.last.saturating_add(NUMBERS_AHEAD);
            let mut value = Writer::new();
            value.number("last", self.reserved);
            keep(
                turn,
                Table::Subscriptions,
                kept::NUMBERS.into(),
                Some(value.done()),
            );
        }
        self.last
    }

    fn given(&mut self, number: u64) {
        self.last = self.last.max(number);
    }
}

fn keep(turn: &mut Turn, table: Table, key: Box<[u8]>, value: Option<Box<[u8]>>) {
    turn.hand(StoreOp::Keep { table, key, value });
}

/// What the store was given last is another: whether it has to be given `value` now. `stamp` tells
/// what it has.
fn is_other(stamp: &mut u64, value: Option<&[u8]>) -> bool {
    let newer = value.map_or(0, kept::stamp);
    std::mem::replace(stamp, newer) != newer
}

impl Hub {
    /// Hands a subscription to the store, if it is another than the store has.
    pub(super) fn keep_subscription(&mut self, turn: &mut Turn, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let value = kept::subscription::write(subscription, turn.now);
        if is_other(&mut subscription.kept, value.as_deref()) {
            let key = subscription.number.to_be_bytes();
            keep(turn, Table::Subscriptions, Box::new(key), value);
        }
    }

    /// Hands a topic to the store, if it is another than the store has.
    pub(super) fn keep_topic(&mut self, turn: &mut Turn, key: Key) {
        let Some(topic) = self.topics.get_mut(key) else {
            return;
        };
        let value = kept::topic::write(topic, turn.now);
        if is_other(&mut topic.kept, value.as_deref()) {
            let key = kept::topic_key(topic.name.key());
            keep(turn, Table::Topics, key, value);
        }
    }

    /// The store has nothing more to know of a topic.
    pub(super) fn forget_topic(turn: &mut Turn, key: &str) {
        keep(turn, Table::Topics, kept::topic_key(key), None);
    }

    /// A fact of the time before the restart. What cannot be read is left as it is.
    pub fn restore(&mut self, turn: &mut Turn, table: Table, key: &[u8], value: &[u8]) {
        let is_read = match table {
            Table::Subscriptions => self.restore_subscription(turn, key, value),
            Table::Topics => self.restore_topic(turn, key, value),
            Table::Keys => true,
        };
        if !is_read {
            let (table, key) = (table.as_str(), String::from_utf8_lossy(key));
            log::warn!("fact_unreadable table={table} key={key:?}");
        }
    }

    /// False if it cannot be read.
    fn restore_subscription(&mut self, turn: &mut Turn, key: &[u8], value: &[u8]) -> bool {
        if key == kept::NUMBERS {
            let numbers = Reader::of(value).map(|fields| fields.number("last"));
            let reserved = numbers.unwrap_or_default();
            self.numbers.given(reserved);
            self.numbers.reserved = self.numbers.reserved.max(reserved);
            return numbers.is_some();
        }
        let number = <[u8; 8]>::try_from(key).map(u64::from_be_bytes);
        let record = kept::subscription::read(value, turn.now);
        let (Some(number), Some(record)) = (number.ok().filter(|it| *it > 0), record) else {
            return false;
        };
        self.numbers.given(number);
        let asked = record.asked.as_ref().and_then(|asked| asked.terms.as_ref());
        let name = record.terms.as_ref().or(asked).map(|terms| &terms.topic);
        let ended = record.asked.as_ref().and_then(|it| it.ended.as_ref());
        let Some(name) = name.or(ended.map(|(topic, _)| topic)).cloned() else {
            return false;
        };
        let local = record.terms.as_ref().map(|terms| terms.local);
        let local = local.or(record.asked.as_ref().map(|asked| asked.local));
        let pair = pair(name.key(), record.callback.text());
        if self.by_pair.contains(&*pair) || self.subscriptions.is_full() {
            let callback = &record.callback.target.url;
            log::warn!("subscription_not_restored number={number} callback={callback:?}");
            return true;
        }
        let Some(topic_key) = self.topic(name) else {
            return true;
        };
        let had = record.had;
        let state = match (record.terms, record.asked) {
            (Some(terms), Some(asked)) => State::Changing(terms, asked),
            (Some(terms), None) => State::Active(terms),
            (None, Some(asked)) => State::Pending(asked),
            (None, None) => State::Gone,
        };
        let mut subscription = Subscription::new(number, topic_key, record.callback, state);
        subscription.past = record.past;
        subscription.had.restore(had);
        self.pace(turn, &mut subscription);
        let value = kept::subscription::write(&subscription, turn.now);
        subscription.kept = value.as_deref().map_or(0, kept::stamp);
        if had > 0
            && let Some(topic) = self.topics.get_mut(topic_key)
        {
            // Until the topic's own fact says it, nobody had its last version.
            topic.version = topic.version.max(had + 1);
        }
        if let Some(key) = self.enlist(turn, topic_key, subscription, local.unwrap_or(false)) {
            self.link(key);
            self.settle(turn, key);
        }
        true
    }

    /// Its next call is due when it was, or as soon as those before it have had their turn.
    fn pace(&mut self, turn: &Turn, subscription: &mut Subscription) {
        let now = turn.now.mono;
        let soonest = self.resumes.max(now);
        let mut is_due = false;
        if let Some(asked) = subscription.state.asked_mut()
            && let Step::Waiting { due, approval } = &mut asked.step
            && *due <= soonest
        {
            (*due, is_due) = (soonest, true);
            // There may be nobody to ask for it any more.
            *approval &= self.settings.approve.is_some();
        } else if let State::Active(terms) = &mut subscription.state
            && terms.renew_at <= soonest
        {
            // What is left of the lease is enough for it.
            let latest = now + terms.until.since(now) / 2;
            (terms.renew_at, is_due) = (soonest.min(latest), true);
        }
        if is_due {
            self.resumes = soonest + PACE;
        }
    }

    fn restore_topic(&mut self, turn: &mut Turn, key: &[u8], value: &[u8]) -> bool {
        let Some(own) = kept::topic_of(key) else {
            // It is somebody else's.
            return true;
        };
        let Some(mut record) = kept::topic::read(value, turn.now) else {
            return false;
        };
        if record.name.key() != own {
            return false;
        }
        let is_idle = matches!(record.fetch, Fetch::Idle);
        if is_idle && !self.by_key.contains(own) {
            self.recollect(turn, own, record.known);
            return true;
        }
        let Some(key) = self.topic(record.name) else {
            return true;
        };
        if let Fetch::Waiting { due, .. } = &mut record.fetch {
            let soonest = self.resumes.max(turn.now.mono);
            if *due <= soonest {
                *due = soonest;
                self.resumes = soonest + PACE;
            }
        }
        let Some(topic) = self.topics.get_mut(key) else {
            return true;
        };
        topic.local |= record.local;
        topic.known = record.known;
        topic.version = record.version;
        topic.seen = record.seen;
        topic.advert = record.advert;
        topic.fetch = record.fetch;
        let value = kept::topic::write(topic, turn.now);
        topic.kept = value.as_deref().map_or(0, kept::stamp);
        self.link_all(turn, key);
        self.settle_topic(turn, key);
        true
    }

    /// The subscriber of that number, as a delivery needs it, if its lease holds.
    #[must_use]
    pub fn by_number(&self, now: Mono, number: u64) -> Option<Callback> {
        let key = self.by_number.get(&number)?;
        self.callback(now, *key, false)
    }

    /// The subscription stands in all lists.
    pub(super) fn enlist(
        &mut self,
        turn: &mut Turn,
        topic: Key,
        subscription: Subscription,
        local: bool,
    ) -> Option<Key> {
        let number = subscription.number;
        let topic_key = topic;
        let topic = self.topics.get_mut(topic)?;
        let pair = pair(topic.name.key(), subscription.callback.text());
        let Ok(key) = self.subscriptions.insert(subscription) else {
            self.settle_topic(turn, topic_key);
            return None;
        };
        self.by_pair.insert(pair, key);
        self.by_number.insert(number, key);
        topic.local |= local;
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.place = topic.subscriptions.len();
        }
        topic.subscriptions.push(key);
        self.settle_topic(turn, topic_key);
        Some(key)
    }
}
