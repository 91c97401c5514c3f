//! The hub: who subscribes to what, and what was published to it (PubSubHubbub 0.3 and 0.4, W3C
//! WebSub). It never touches a connection, and knows no delivery but by its key.
//!
//! Facts come in with the turn: requests, the ends of calls, offers and reports of deliveries, what
//! the store kept, a timer. What it wants comes out of its lists: calls (as [`Caller`]), decisions
//! on deliveries, content to be published, verdicts for those who wait for them.
//!
//! [`Caller`]: crate::port::Caller

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::base::frame::Frame;
use crate::base::index::Index;
use crate::base::rng::Rng;
use crate::base::slab::{Key, Slab};
use crate::base::time::Mono;
use crate::base::toll::Toll;
use crate::port::Turn;

mod agenda;
mod calls;
mod check;
mod deliver;
mod denial;
pub mod diff;
pub mod discover;
mod discovery;
mod fetch;
mod gate;
mod intake;
mod intent;
mod kept;
pub mod link;
pub mod name;
mod queue;
pub mod request;
mod restore;
pub mod settings;
mod subscription;
mod topic;
mod verify;
mod version;
mod window;

use agenda::{Agenda, Due};
use calls::Calls;
use denial::Denial;
use gate::Gate;
use restore::Numbers;
use subscription::{State, Subscription};
use topic::{Known, Topic};

pub use fetch::Content;
pub use intake::{Refused, Verdict, Vet};
pub use queue::Decision;
pub use settings::Settings;
pub use verify::Ticket;
pub use window::{Filter, Row};

/// Entries of the agenda that are looked at in one turn at most.
const LOOKS_PER_TURN_MAX: usize = 1_024;
/// Subscriptions that one address may ask for in a minute (security.md section 1).
const ASKED_PER_MINUTE_MAX: u32 = 10;
/// Pings that one address may send in a minute.
const PINGS_PER_MINUTE_MAX: u32 = 600;

/// Who makes a request.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// A loopback peer of a loopback listener: one who may name any address that this server's own
    /// policy allows, and as often as it likes.
    pub local: bool,
    /// One who may ask as often as it likes.
    pub free: bool,
    /// The server as the client called it: its Host field.
    pub host: &'a str,
}

/// The hub.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    subscriptions: Slab<Subscription>,
    /// By topic key and callback, a blank between them, which neither can have.
    by_pair: Index<Box<str>, Key>,
    by_number: Index<u64, Key>,
    numbers: Numbers,
    /// When the next of the calls may go that were pending at the restart.
    resumes: Mono,
    topics: Slab<Topic>,
    by_key: Index<Box<str>, Key>,
    denials: Slab<Denial>,
    calls: Calls,
    gate: Gate,
    agenda: Agenda,
    asked: Toll,
    pings: Toll,
    decisions: VecDeque<Decision>,
    /// Deliveries that were made under older terms, and their subscriptions.
    renewals: VecDeque<(Key, Key)>,
    contents: VecDeque<Content>,
    verdicts: VecDeque<(Ticket, bool)>,
    /// What was known of topics that only streams read, the oldest first.
    past: VecDeque<(Box<str>, Known)>,
    /// The number of the next ticket.
    ticket: Ticket,
    /// The body of calls that have none.
    empty: Frame,
}

impl Hub {
    /// A hub without subscriptions. `rng` is for the seeds of its maps.
    #[must_use]
    pub fn new(settings: Settings, rng: &mut Rng) -> Hub {
        let bound = settings.subscriptions_max;
        Hub {
            subscriptions: Slab::with_bound(bound),
            by_pair: Index::new(rng.u64()),
            by_number: Index::new(rng.u64()),
            numbers: Numbers::default(),
            resumes: Mono::default(),
            topics: Slab::with_bound(u32::MAX as usize - 1),
            by_key: Index::new(rng.u64()),
            denials: Slab::with_bound(bound),
            calls: Calls::new(),
            gate: Gate::new(rng.u64()),
            agenda: Agenda::default(),
            asked: Toll::per_minute(ASKED_PER_MINUTE_MAX, rng.u64()),
            pings: Toll::per_minute(PINGS_PER_MINUTE_MAX, rng.u64()),
            decisions: VecDeque::new(),
            renewals: VecDeque::new(),
            contents: VecDeque::new(),
            verdicts: VecDeque::new(),
            past: VecDeque::new(),
            ticket: 0,
            empty: Frame::copy_of(b""),
            settings,
        }
    }

    /// Goes by other settings from now on. How many subscriptions there may be stays, what topics
    /// are called, and who is asked before a subscription: somebody may be waiting for the answer.
    pub fn retune(&mut self, settings: &Settings) {
        self.settings = Settings {
            subscriptions_max: self.settings.subscriptions_max,
            public_url: self.settings.public_url.clone(),
            approve: self.settings.approve.clone(),
            ..settings.clone()
        };
    }

    /// What it was told last.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Subscriptions, verified or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there is nothing: no subscription, no topic, no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let held = [
            self.len(),
            self.topics.len(),
            self.denials.len(),
            self.calls.len(),
        ];
        held.iter().all(|len| *len == 0)
    }

    /// What is to be done with a delivery that was offered.
    pub fn next_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// What came of a verification that somebody waits for: whether the subscriber confirmed.
    pub fn next_verdict(&mut self) -> Option<(Ticket, bool)> {
        self.verdicts.pop_front()
    }

    /// The hub's node of the wheel fired.
    pub fn fired(&mut self, turn: &mut Turn) {
        let now = turn.now.mono;
        self.agenda.fired();
        for _ in 0..LOOKS_PER_TURN_MAX {
            let Some((at, due)) = self.agenda.pop(now) else {
                break;
            };
            if !self.is_live(at, due) {
                continue;
            }
            self.unstand(due);
            match due {
                Due::Subscription(key) => self.subscription_due(turn, key),
                Due::Topic(key) => self.settle_topic(turn, key),
                Due::Denial(key) => self.denial_due(turn, key),
            }
        }
        self.tidy();
        self.agenda.watch(turn);
    }

    /// Whether that is the time at which its owner is to be looked at.
    fn is_live(&self, at: Mono, due: Due) -> bool {
        let stands = match due {
            Due::Subscription(key) => self.subscriptions.get(key).map(|it| it.stands),
            Due::Topic(key) => self.topics.get(key).map(|it| it.stands),
            Due::Denial(key) => self.denials.get(key).map(|it| it.stands),
        };
        stands == Some(at)
    }

    /// It is looked at now, and has to say when again.
    fn unstand(&mut self, due: Due) {
        let stands = match due {
            Due::Subscription(key) => self.subscriptions.get_mut(key).map(|it| &mut it.stands),
            Due::Topic(key) => self.topics.get_mut(key).map(|it| &mut it.stands),
            Due::Denial(key) => self.denials.get_mut(key).map(|it| &mut it.stands),
        };
        if let Some(stands) = stands {
            *stands = Mono::NEVER;
        }
    }

    fn tidy(&mut self) {
        let live = self.subscriptions.len() + self.topics.len() + self.denials.len();
        let mut agenda = std::mem::take(&mut self.agenda);
        agenda.tidy(live, |at, due| self.is_live(at, due));
        self.agenda = agenda;
    }

    /// After any change of a subscription: the store is told, and it is gone, or its account and
    /// its next look are right.
    fn settle(&mut self, turn: &mut Turn, key: Key) {
        self.keep_subscription(turn, key);
        self.reckon(turn, key);
    }

    /// After a change of which the store knows nothing.
    fn reckon(&mut self, turn: &mut Turn, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if subscription.state.terms().is_none() {
            subscription.queue.clear(&mut self.decisions);
        }
        if matches!(subscription.state, State::Gone) {
            return self.remove(turn, key);
        }
        let bytes = subscription.bytes();
        turn.memory.charge(bytes);
        turn.memory
            .give(std::mem::replace(&mut subscription.charged, bytes));
        let at = subscription.next_look();
        let due = Due::Subscription(key);
        self.agenda.stand(turn, &mut subscription.stands, at, due);
    }

    fn remove(&mut self, turn: &mut Turn, key: Key) {
        let Some(gone) = self.subscriptions.remove(key) else {
            return;
        };
        turn.memory.give(gone.charged);
        self.by_number.remove(&gone.number);
        let Some(topic) = self.topics.get_mut(gone.topic) else {
            return;
        };
        self.by_pair
            .remove(&*pair(topic.name.key(), gone.callback.text()));
        topic.subscriptions.swap_remove(gone.place);
        if let Some(moved) = topic.subscriptions.get(gone.place).copied()
            && let Some(moved) = self.subscriptions.get_mut(moved)
        {
            moved.place = gone.place;
        }
        self.settle_topic(turn, gone.topic);
        self.tidy();
        self.agenda.watch(turn);
    }
}

/// What a subscription is known by.
fn pair(topic_key: &str, callback: &str) -> Box<str> {
    format!("{topic_key} {callback}").into()
}

#[cfg(test)]
mod tests;
