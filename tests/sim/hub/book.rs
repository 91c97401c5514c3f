//! What passed between the engine and the hub's world on each line, and what must hold after it:
//! whom it may verify, what was confirmed, until when. It changes nothing.

use std::collections::BTreeMap;

use hookah::model::{MessageId, Outcome};
use hookah::port::Ended;

use super::asks::{Ping, token};
use super::hosts::number_behind;
use super::notices::{Sent, Told};
use super::{Hub, parameters};
use crate::http::Message;
use crate::net::LinkId;
use crate::oracle::SLACK;
use crate::tap::{Heard, Tap};
use crate::world::{SECOND, World};

/// All that is known.
#[derive(Debug, Default)]
pub struct Book {
    /// Pings, by number.
    pub pings: Vec<Ping>,
    /// Messages of its topics.
    pub messages: BTreeMap<MessageId, Told>,
    /// Attempts at deliveries.
    pub sent: Vec<Sent>,
    /// How deliveries have ended.
    pub ends: BTreeMap<(MessageId, u32), Outcome>,
    /// Denials are no fault.
    pub may_deny: bool,
    /// How often each subscriber was denied.
    denials: BTreeMap<usize, usize>,
    /// What whoever waits in vain is told.
    pub refusal: Option<String>,
    /// In the order in which the engine heard of them.
    pub facts: Vec<Fact>,
    pub(super) wires: BTreeMap<LinkId, Wire>,
    /// Challenges that were used, and whether that was on a line that turned out to be stale.
    challenges: BTreeMap<String, bool>,
}

/// Something that changes whether a subscriber is one.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// Whose.
    pub subscriber: usize,
    /// When the engine heard it.
    pub at: u64,
    /// The request that was confirmed, and when the subscriber was asked; none after a 410.
    pub confirmed: Option<(usize, u64)>,
}

/// A line to a host.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) tap: Tap,
    host: usize,
    pub(super) open: Option<Open>,
}

/// The request that is out on a line.
#[derive(Clone, Debug)]
pub(super) enum Open {
    /// A verification.
    Verify {
        ask: usize,
        challenge: String,
        at: u64,
    },
    /// A denial.
    Deny,
    /// A delivery, by its number.
    Notice(usize),
    /// A topic's fetch.
    Fetch,
}

/// Lines.
impl Hub {
    /// The engine connects to a host.
    pub fn connects(&mut self, link: LinkId, host: usize) {
        let (tap, open) = (Tap::new(false), None);
        self.book.wires.insert(link, Wire { tap, host, open });
    }

    /// The engine wrote.
    pub fn wrote(&mut self, world: &World, link: LinkId, bytes: &[u8]) {
        let Some(wire) = self.book.wires.get_mut(&link) else {
            return;
        };
        let Some(Heard::Asked(head)) = wire.tap.wrote(world.at(), bytes) else {
            return;
        };
        let (at, first) = (wire.tap.began, wire.tap.begun == 1);
        let path = head.word(1);
        let open = match (head.word(0), number_behind(path, "/s/")) {
            ("GET", Some(number)) => self.verifies(world, link, number, &head),
            ("POST", Some(number)) => self.delivers(at, first, number, &head),
            ("GET", None) => self.fetches(&head),
            _ => panic!("{head:?}"),
        };
        if let Some(wire) = self.book.wires.get_mut(&link) {
            // Whoever answers to more than that is not heard.
            wire.tap.open = Some(0);
            wire.open = Some(open);
        }
    }

    /// The engine read.
    pub fn read(&mut self, world: &World, link: LinkId, bytes: &[u8]) {
        let Some(wire) = self.book.wires.get_mut(&link) else {
            return;
        };
        let heard = wire.tap.read(bytes);
        if let (Some(Heard::Told(head)), Some(Open::Notice(sent))) = (heard, wire.open.clone()) {
            self.took(world.at(), sent, &head);
        }
        self.hear(world.at(), link);
    }

    /// The engine was told that a line has ended.
    pub fn line_ended(&mut self, at: u64, link: LinkId, why: &Ended) {
        let Some(wire) = self.book.wires.get_mut(&link) else {
            return;
        };
        let stale = wire.tap.begun > 1 && !wire.tap.any_byte;
        if let (true, Some(Open::Verify { challenge, .. })) = (stale, &wire.open) {
            self.book.challenges.insert(challenge.clone(), true);
        }
        if *why == Ended::Finished {
            wire.tap.finish();
        } else {
            wire.open = None;
        }
        wire.tap.ended();
        self.hear(at, link);
    }

    /// The engine closed a line.
    pub fn line_closed(&mut self, link: LinkId) {
        if let Some(wire) = self.book.wires.get_mut(&link) {
            wire.open = None;
        }
    }

    /// A whole answer was read.
    fn hear(&mut self, at: u64, link: LinkId) {
        let Some(wire) = self.book.wires.get_mut(&link) else {
            return;
        };
        let Some(answer) = wire.tap.answer.take() else {
            return;
        };
        let Some(Open::Verify {
            ask,
            challenge,
            at: sent,
        }) = wire.open.take()
        else {
            return;
        };
        if (200..300).contains(&answer.status) && answer.body == challenge.as_bytes() {
            self.book.facts.push(Fact {
                subscriber: self.asks[ask].subscriber,
                at,
                confirmed: Some((ask, sent)),
            });
        }
    }

    fn fetches(&self, head: &Message) -> Open {
        let number = number_behind(head.word(1), "/t/").expect("a topic");
        let count: usize = head
            .field("x-hub-subscribers")
            .and_then(|count| count.parse().ok())
            .expect("X-Hub-Subscribers");
        let all = self
            .subscribers
            .iter()
            .filter(|it| it.topic == number)
            .count();
        assert!(count <= all, "{count} subscribers of {all}");
        let agent = head.field("user-agent").unwrap_or("");
        assert!(agent.contains("subscriber"), "{agent}");
        Open::Fetch
    }
}

/// Verifications.
impl Hub {
    /// A subscriber is asked, or told that it cannot be.
    fn verifies(&mut self, world: &World, link: LinkId, number: usize, head: &Message) -> Open {
        let subscriber = &self.subscribers[number];
        let own = self.book.wires[&link].host;
        for (other, wire) in &self.book.wires {
            let asks = matches!(wire.open, Some(Open::Verify { .. } | Open::Deny));
            let two = asks && wire.host == own && *other != link;
            assert!(!two, "two verifications at a time");
        }
        let rest = head.word(1).strip_prefix(&*subscriber.path);
        let rest = rest.unwrap_or_else(|| panic!("{subscriber:?} was called {head:?}"));
        let mark = if subscriber.path.contains('?') {
            '&'
        } else {
            '?'
        };
        let query = match subscriber.path.ends_with('?') {
            true => Some(rest),
            false => rest.strip_prefix(mark),
        };
        let query = query.unwrap_or_else(|| panic!("{head:?}"));
        let found = parameters(query);
        let get = |name: &str| {
            let mut values = found.iter().filter(|(known, _)| known == name);
            let first = values.next().map(|(_, value)| &**value);
            assert!(values.next().is_none(), "{name} twice in {found:?}");
            first
        };
        assert_eq!(get("hub.topic"), Some(&*subscriber.spelling));
        let mode = get("hub.mode").expect("hub.mode");
        let challenge = get("hub.challenge").map(str::to_owned);
        if mode == "denied" {
            assert_eq!(challenge, None, "a denial with a challenge");
            assert!(self.book.may_deny, "{subscriber:?} is denied");
            assert!(get("hub.reason").is_some() && found.len() <= 4, "{found:?}");
            let asks = self.asks.iter().filter(|ask| ask.subscriber == number);
            let asks = asks.count();
            let denials = self.book.denials.entry(number).or_default();
            *denials += 1;
            // Three tries where the host is not there; each request is denied once at most.
            assert!(*denials <= 3 * asks, "{denials} denials of {asks} requests");
            return Open::Deny;
        }
        let lease = get("hub.lease_seconds").and_then(|it| it.parse().ok());
        let ask = self.whose_ask(world.at(), number, mode, lease, get("hub.verify_token"));
        let Some(ask) = ask else {
            panic!("nobody asked for {found:?}, {subscriber:?}")
        };
        let challenge = challenge.expect("hub.challenge");
        assert!(challenge.len() >= 32, "{challenge:?}");
        let used = self.book.challenges.insert(challenge.clone(), false);
        assert!(used.is_none_or(|stale| stale), "a challenge again");
        let at = self.book.wires[&link].tap.began;
        Open::Verify { ask, challenge, at }
    }

    /// The request that leads to such a verification.
    fn whose_ask(
        &self,
        at: u64,
        subscriber: usize,
        mode: &str,
        lease: Option<u64>,
        told: Option<&str>,
    ) -> Option<usize> {
        let mut asks = self.asks.iter().enumerate().rev();
        let found = asks.find(|(number, ask)| {
            let heard = !ask.is_refused() || (self.lossy && ask.is_doubtful());
            let same = ask.subscriber == subscriber && ask.from <= at && heard;
            let kind = match ask.wish.end {
                true => mode == "unsubscribe",
                false => mode == "subscribe" && lease == Some(ask.granted),
            };
            let expected = ask.wish.token.then(|| token(*number));
            same && kind && told == expected.as_deref()
        });
        found.map(|(number, _)| number)
    }

    /// Whether the subscriber has confirmed that request.
    pub(super) fn is_confirmed(&self, ask: usize) -> bool {
        let whose = self.asks[ask].subscriber;
        let mut facts = self.book.facts.iter();
        facts.any(|fact| fact.subscriber == whose && fact.confirmed.is_some())
    }

    /// What may hold for a subscriber at a time: requests that it confirmed and when it was asked,
    /// `None` if that may be nothing.
    pub fn terms(&self, subscriber: usize, at: u64) -> Vec<Option<(usize, u64)>> {
        let mut states = vec![None];
        let facts = self.book.facts.iter();
        for fact in facts.filter(|fact| fact.subscriber == subscriber && fact.at <= at) {
            let Some((ask, sent)) = fact.confirmed else {
                states.push(None);
                continue;
            };
            let (may_be_void, is_void) = self.is_void(fact, ask, sent);
            if is_void {
                continue;
            }
            if !may_be_void {
                states.clear();
            }
            states.push((!self.asks[ask].wish.end).then_some((ask, sent)));
        }
        states
    }

    /// Whether a newer request may have come between the question and its answer, or has.
    fn is_void(&self, fact: &Fact, ask: usize, sent: u64) -> (bool, bool) {
        let mut may = false;
        let mut is = false;
        for (number, other) in self.asks.iter().enumerate() {
            let same = other.subscriber == fact.subscriber && number != ask;
            let doubtful = self.lossy && other.is_doubtful();
            let unheard = other.is_refused() && !doubtful;
            if !same || unheard || other.from > fact.at {
                continue;
            }
            let until = other.answered.map_or(u64::MAX, |(at, _)| at);
            may |= until.saturating_add(SLACK) >= sent;
            is |= !doubtful && other.from > sent && until < fact.at;
        }
        let waited = self.asks[ask].wish.speaks == super::asks::Speaks::Sync;
        may |= waited && fact.at > self.asks[ask].from + 9 * SECOND;
        (may, is)
    }

    /// Whether it may be subscribed at a time.
    pub fn may_hold(&self, subscriber: usize, at: u64) -> bool {
        let lasts = |(ask, sent): (usize, u64)| sent + self.asks[ask].granted * SECOND + SLACK > at;
        let mut terms = self.terms(subscriber, at).into_iter();
        terms.any(|it| it.is_some_and(lasts))
    }

    /// Whether it must be subscribed at a time.
    pub fn must_hold(&self, subscriber: usize, at: u64) -> bool {
        let lasts =
            |(ask, sent): (usize, u64)| sent + self.asks[ask].granted * SECOND > at + 2 * SECOND;
        if self.book.may_deny {
            return false;
        }
        let mut terms = self.terms(subscriber, at).into_iter();
        terms.all(|it| it.is_some_and(lasts))
    }

    /// Whether it must be subscribed all the time.
    pub fn is_unbroken(&self, subscriber: usize, from: u64, until: u64) -> bool {
        let facts = self.book.facts.iter();
        let mut between =
            facts.filter(|fact| fact.subscriber == subscriber && (from..=until).contains(&fact.at));
        let holds = |at| self.must_hold(subscriber, at);
        holds(from)
            && holds(until)
            && between.all(|fact| fact.confirmed.is_some() && holds(fact.at - 1) && holds(fact.at))
    }
}
