//! What people may know of subscriptions. Secrets, tokens and credentials are not in it.

use super::subscription::Subscription;
use super::{Hub, name};
use crate::base::slab::Key;
use crate::base::time::{Mono, Now, Wall};

/// Which subscriptions are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Of that topic, in any spelling.
    pub topic: Option<&'a str>,
    /// Of that callback, as it is shown.
    pub callback: Option<&'a str>,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its place, for the page after it.
    pub index: usize,
    /// The topic, without credentials.
    pub topic: String,
    /// The callback, without credentials.
    pub callback: &'a str,
    /// `pending`, `active` or `changing`.
    pub state: &'static str,
    /// When its lease ends, if it was verified.
    pub until: Option<Wall>,
    /// When an attempt to deliver ended last.
    pub last: Option<Wall>,
    /// That attempt's status; 0 if it had no answer, or there was none.
    pub status: u16,
    /// What that attempt had instead of an answer.
    pub error: &'static str,
    /// Attempts that have failed since the last delivery.
    pub failures: u32,
    /// Deliveries that have not ended.
    pub waiting: usize,
}

impl Hub {
    /// How many verified subscriptions a topic has.
    #[must_use]
    pub fn verified(&self, now: Mono, topic: &[u8]) -> usize {
        let key = name::key(topic);
        let key = std::str::from_utf8(&key).ok();
        let topic = key.and_then(|key| self.topics.get(*self.by_key.get(key)?));
        let all = topic.map_or(&[][..], |topic| &topic.subscriptions);
        let held = all.iter().filter_map(|it| self.subscriptions.get(*it));
        held.filter(|it| it.holds(now).is_some()).count()
    }

    /// The subscriptions from that place on, in their order.
    pub fn rows<'a>(
        &'a self,
        now: Now,
        filter: Filter<'a>,
        mut from: usize,
    ) -> impl Iterator<Item = Row<'a>> {
        let topic = filter.topic.map(|topic| name::key(topic.as_bytes()));
        std::iter::from_fn(move || {
            while let Some(key) = self.subscriptions.key_from(from) {
                from = key.index() + 1;
                let Some(found) = self.subscriptions.get(key) else {
                    continue;
                };
                let of = self.topics.get(found.topic);
                let name = of.map_or("", |topic| topic.name.key());
                let is_topic = topic.as_ref().is_none_or(|it| **it == *name.as_bytes());
                let url = &*found.callback.target.url;
                if is_topic && filter.callback.is_none_or(|it| it == url) {
                    let shown = of.map_or("", |topic| topic.name.given());
                    return Some(row(now, key, found, shown));
                }
            }
            None
        })
    }
}

fn row<'a>(now: Now, key: Key, found: &'a Subscription, topic: &str) -> Row<'a> {
    let past = &found.past;
    let until = found.state.terms().map(|terms| terms.until.since(now.mono));
    Row {
        index: key.index(),
        topic: name::shown(topic),
        callback: &found.callback.target.url,
        state: found.state.word(),
        until: until.map(|left| now.wall + left),
        last: past.last,
        status: past.status,
        error: past.error,
        failures: past.failures,
        waiting: found.queue.len(),
    }
}
