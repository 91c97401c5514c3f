//! Denials: a subscriber is told that it cannot have a topic, and why (WebSub section 5.2). The
//! subscription is gone by then; whether the subscriber listens makes no difference.

use super::agenda::Due;
use super::calls::{Call, Errand};
use super::name::{self, Callback};
use super::verify::{self, EXCHANGE_TIMEOUT, Sense};
use super::{Hub, gate};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::model::Ending;
use crate::port::Turn;

/// Tries of one denial (hub.md C23).
const TRIES_MAX: u32 = 3;
/// What subscribers are told of a topic that the operator has removed.
const REMOVED: &str = "removed by the operator";
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 200;

/// Somebody who has to be told.
#[derive(Debug)]
pub(super) struct Denial {
    callback: Callback,
    topic: Box<str>,
    reason: Box<str>,
    local: bool,
    tries: u32,
    /// When it is tried again.
    due: Mono,
    /// When the agenda looks at it.
    pub(super) stands: Mono,
}

impl Denial {
    /// Bytes on the account of memory.
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.callback.bytes() + self.topic.len() + self.reason.len();
        (size_of::<Denial>() + texts) as u64
    }

    /// When it has to be looked at next.
    pub(super) fn next_look(&self) -> Mono {
        self.due
    }
}

impl Hub {
    /// The operator removes a topic, or one of its callbacks: those who subscribed are denied it,
    /// and may subscribe again (hub.md C23). How many they are. The callback is as the window shows
    /// it, or as it was given.
    pub fn dismiss(&mut self, turn: &mut Turn, topic: &str, callback: Option<&str>) -> usize {
        let key = name::key(topic.as_bytes());
        let key = std::str::from_utf8(&key).ok();
        let topic = key.and_then(|key| self.topics.get(*self.by_key.get(key)?));
        let is_meant = |key: &Key| {
            let found = self.subscriptions.get(*key).map(|it| &it.callback);
            found.is_some_and(|found| {
                callback.is_none_or(|it| *it == *found.target.url || it == found.text())
            })
        };
        let keys = topic.map_or(&[][..], |topic| &topic.subscriptions);
        let meant: Vec<Key> = keys.iter().copied().filter(is_meant).collect();
        for key in &meant {
            self.deny(turn, *key, REMOVED);
        }
        meant.len()
    }

    /// A subscription cannot be: it is gone at once, and its subscriber is told why.
    pub(super) fn deny(&mut self, turn: &mut Turn, key: Key, reason: &str) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let given = subscription
            .state
            .terms()
            .map(|terms| (&terms.topic, terms.local));
        let asked = subscription
            .state
            .asked()
            .map(|asked| (asked.topic(), asked.local));
        let (topic, local) = asked
            .or(given.map(|(topic, local)| (topic.given(), local)))
            .unwrap_or_default();
        let denial = Denial {
            callback: subscription.callback.clone(),
            topic: topic.into(),
            reason: reason
                .chars()
                .take(REASON_CHARS_MAX)
                .collect::<String>()
                .into(),
            local,
            tries: 0,
            due: Mono::NEVER,
            stands: Mono::NEVER,
        };
        if let Some(asked) = subscription.state.denied() {
            self.resolve(&asked, false);
        }
        self.settle(turn, key);
        turn.stats.add(Counter::Denials, 1);
        log::info!(
            "subscription_denied callback={:?}",
            denial.callback.target.url
        );
        let (bytes, host) = (denial.bytes(), denial.callback.target.origin.host.clone());
        // Where there is no place for it, nobody is told: the subscription is gone all the same.
        let Ok(denial) = self.denials.insert(denial) else {
            return;
        };
        turn.memory.charge(bytes);
        self.queue_denial(turn, &host, denial);
    }

    fn queue_denial(&mut self, turn: &mut Turn, host: &str, key: Key) {
        let caller = gate::Caller::Denial(key);
        if self.gate.enter(host, caller) {
            self.let_in(turn, host, caller);
        }
    }

    /// The GET. False if nobody is to be told.
    pub(super) fn tell_denied(&mut self, turn: &mut Turn, key: Key) -> bool {
        let Some(denial) = self.denials.get(key) else {
            return false;
        };
        let mut query: Vec<(&str, &[u8])> = vec![
            ("hub.mode", b"denied"),
            ("hub.topic", denial.topic.as_bytes()),
        ];
        if !denial.reason.is_empty() {
            query.push(("hub.reason", denial.reason.as_bytes()));
        }
        let target = &denial.callback.target;
        let mut call = Call::get(Errand::Deny(key), target, self.fields(""));
        call.path = Some(denial.callback.path_with(&query).into());
        call.strict = self.is_strict_for(denial.local);
        call.timeout = EXCHANGE_TIMEOUT;
        call.body_bytes_max = 0;
        self.calls.start(turn, call).is_some()
    }

    /// The subscriber was told, or not: what it answers means nothing.
    pub(super) fn denial_told(&mut self, turn: &mut Turn, key: Key, ending: &Ending) {
        let Some(denial) = self.denials.get_mut(key) else {
            return;
        };
        denial.tries += 1;
        let wait = match verify::unanswered(ending) {
            Sense::Unclear(_) if denial.tries < TRIES_MAX => {
                self.settings.verify_steps.wait(denial.tries)
            }
            _ => None,
        };
        let Some(wait) = wait else {
            if let Some(denial) = self.denials.remove(key) {
                turn.memory.give(denial.bytes());
            }
            return;
        };
        denial.due = turn.now.mono + wait;
        let (due, stands) = (denial.due, &mut denial.stands);
        self.agenda.stand(turn, stands, due, Due::Denial(key));
    }

    /// A denial is tried again.
    pub(super) fn denial_due(&mut self, turn: &mut Turn, key: Key) {
        let Some(denial) = self.denials.get_mut(key) else {
            return;
        };
        denial.due = Mono::NEVER;
        let host = denial.callback.target.origin.host.clone();
        self.queue_denial(turn, &host, key);
    }
}
