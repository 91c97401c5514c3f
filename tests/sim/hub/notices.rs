//! Deliveries to subscribers, attempt by attempt, and the verdict on them in the end.
//! It knows them only from the wire.

use hookah::model::{Message as Stored, MessageId, Outcome};
use hookah::port::{Seq, StoreDone};
use ring::hmac;

use super::asks::{method, secret};
use super::book::{Fact, Open};
use super::{Hub, PUBLIC_URL};
use crate::http::Message;
use crate::world::{HOUR, MS, SECOND, World};

/// A message of a topic.
#[derive(Clone, Debug)]
pub struct Told {
    /// The topic.
    pub topic: usize,
    /// Its body.
    pub body: Vec<u8>,
    /// Its version, if it was fetched; then it is all there is to say.
    pub version: Option<usize>,
    /// The version that all who get it must have taken, if it is not all of its own.
    pub had: Option<usize>,
    /// When it was handed to the store, as what.
    pub at: u64,
    seq: Seq,
    /// Whether it is durable.
    pub kept: bool,
    /// Who must get it.
    must: Vec<usize>,
    /// Who may.
    may: Vec<usize>,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Sent {
    /// To whom.
    pub subscriber: usize,
    /// What.
    pub id: MessageId,
    /// `X-Hub-Attempt`.
    pub attempt: u64,
    /// When the first byte was written.
    pub at: u64,
    /// Whether it was the first request on its line.
    first: bool,
    /// When its answer's head was read, its status, and what its Retry-After asks for.
    pub reply: Option<(u64, u16, u64)>,
}

/// Waits between attempts, in seconds (hub.md C29).
const WAITS: [u64; 7] = [10, 60, 300, 1_800, 7_200, 21_600, 43_200];

impl Hub {
    /// A message was handed to the store.
    pub fn accepted(&mut self, world: &World, seq: Seq, message: &Stored) {
        let at = world.at();
        let name = message.topics.iter().next().map(String::from_utf8_lossy);
        let Some(name) = name else { return };
        let Some(topic) = self.topics.iter().position(|topic| topic.key == name) else {
            return;
        };
        let body = message.body.to_vec();
        let found = self.topics[topic].version(&body);
        let (version, had) = (found.map(|it| it.0), found.and_then(|it| it.1));
        if version.is_some() {
            let expected = self.topics[topic].content_type;
            let expected = expected.unwrap_or("application/octet-stream");
            assert_eq!(message.content_type, expected);
        }
        let all = 0..self.subscribers.len();
        let all: Vec<usize> = all
            .filter(|it| self.subscribers[*it].topic == topic)
            .collect();
        let must = all.iter().copied().filter(|it| self.must_hold(*it, at));
        let may = all.iter().copied().filter(|it| self.may_hold(*it, at));
        let told = Told {
            topic,
            body,
            version,
            had,
            at,
            seq,
            kept: false,
            must: must.collect(),
            may: may.collect(),
        };
        self.book.messages.insert(message.id, told);
    }

    /// The store has spoken.
    pub fn stored(&mut self, done: &StoreDone) {
        let StoreDone::Durable(up_to) = *done else {
            let StoreDone::Failed(up_to) = *done else {
                return;
            };
            let lost = |told: &Told| !told.kept && told.seq <= up_to;
            return self.book.messages.retain(|_, told| !lost(told));
        };
        for told in self.book.messages.values_mut() {
            told.kept |= told.seq <= up_to;
        }
    }

    /// A delivery has ended; false if it is none of a topic's.
    pub fn ended(&mut self, id: MessageId, number: u32, outcome: Outcome) -> bool {
        let known = self.book.messages.contains_key(&id);
        if known {
            let before = self.book.ends.insert((id, number), outcome);
            assert_eq!(before, None, "{id} {number} ended twice");
        }
        known
    }

    /// A delivery goes out.
    pub(super) fn delivers(&mut self, at: u64, first: bool, whose: usize, head: &Message) -> Open {
        let subscriber = &self.subscribers[whose];
        assert_eq!(head.word(1), subscriber.path, "the callback's own bytes");
        let id = head.field("x-hub-delivery").and_then(MessageId::parse);
        let id = id.expect("X-Hub-Delivery");
        assert_eq!(head.field("webhook-id"), head.field("x-hub-delivery"));
        let attempt = head.field("x-hub-attempt").and_then(|it| it.parse().ok());
        let sent = Sent {
            subscriber: whose,
            id,
            attempt: attempt.expect("X-Hub-Attempt"),
            at,
            first,
            reply: None,
        };
        let told = self.book.messages.get(&id);
        let told = told.unwrap_or_else(|| panic!("nobody published {head:?}"));
        assert!(told.kept, "{id} goes out before it is durable");
        assert_eq!(told.topic, subscriber.topic);
        assert!(
            told.may.contains(&whose),
            "{whose} was no subscriber: {told:?}"
        );
        assert!(self.may_hold(whose, at), "{subscriber:?} gets {told:?}");
        if let Some(had) = told.had {
            let mut before = self.book.messages.iter();
            let took = before.any(|(id, other)| {
                let same = other.topic == told.topic && other.version == Some(had);
                same && self.has_taken(whose, *id)
            });
            assert!(took, "{whose} gets what is new since {had}: {told:?}");
        }
        self.check_link(whose, told, head);
        self.check_seal(whose, at, told, head);
        self.check_turn(&sent);
        self.book.sent.push(sent);
        Open::Notice(self.book.sent.len() - 1)
    }

    /// Exactly one hub and one self.
    fn check_link(&self, whose: usize, told: &Told, head: &Message) {
        let topic = &self.topics[told.topic];
        let spelling = &self.subscribers[whose].spelling;
        let own = match topic.host {
            Some(_) => spelling.clone(),
            None => format!("{PUBLIC_URL}/topics/{}", topic.key),
        };
        let value = |own: &str| format!("<{PUBLIC_URL}/hub>; rel=\"hub\", <{own}>; rel=\"self\"");
        let link = head.field("link").expect("Link");
        let canonical = topic.canonical.as_ref().map(|own| value(own));
        let known = canonical.as_deref() == Some(link);
        // Before the first fetch nobody knows what the topic calls itself.
        let usual = link == value(&own) && (told.version.is_none() || canonical.is_none());
        assert!(known || usual, "Link {link:?} of {topic:?}");
        if told.version.is_some() {
            let expected = topic.content_type.unwrap_or("application/octet-stream");
            assert_eq!(head.field("content-type"), Some(expected));
        }
    }

    /// Signed with the secret and the method that hold now.
    fn check_seal(&self, whose: usize, at: u64, told: &Told, head: &Message) {
        let signed = head.field("x-hub-signature");
        let terms = self.terms(whose, at).into_iter().flatten();
        let mut right = terms.map(|(ask, _)| {
            let method = method(&self.asks[ask].wish)?;
            let algorithm = match method {
                "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                "sha256" => hmac::HMAC_SHA256,
                "sha384" => hmac::HMAC_SHA384,
                _ => hmac::HMAC_SHA512,
            };
            let key = hmac::Key::new(algorithm, secret(ask).as_bytes());
            let tag = hmac::sign(&key, &told.body);
            let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
            Some(format!("{method}={}", digits.collect::<String>()))
        });
        let found = right.any(|seal| seal.as_deref() == signed);
        let terms = self.terms(whose, at);
        assert!(found, "{signed:?} of subscriber {whose} at {at}, {terms:?}");
    }

    /// One at a time, in order, each until it is taken.
    fn check_turn(&self, sent: &Sent) {
        let mut open = self.book.wires.values().filter_map(|wire| match wire.open {
            Some(Open::Notice(other)) if !wire.tap.told => Some(&self.book.sent[other]),
            _ => None,
        });
        let flying = open.any(|other| other.subscriber == sent.subscriber);
        assert!(!flying, "two deliveries at a time: {sent:?}");
        let mut before = self.book.sent.iter().rev();
        let Some(last) = before.find(|other| other.subscriber == sent.subscriber) else {
            return;
        };
        assert!(sent.id >= last.id, "out of order: {sent:?} after {last:?}");
        if sent.id > last.id {
            return;
        }
        let status = last.reply.map_or(0, |(_, status, _)| status);
        assert!(!(200..300).contains(&status), "taken, and again: {sent:?}");
        if sent.attempt == last.attempt {
            let stale = !last.first && last.reply.is_none() && sent.first;
            return assert!(stale, "{sent:?} after {last:?}");
        }
        assert!(sent.attempt > last.attempt, "{sent:?} after {last:?}");
        if sent.attempt == last.attempt + 1 {
            let wait = WAITS[(last.attempt as usize - 1).min(6)] * SECOND / 10 * 9;
            let (ended, asked) = last
                .reply
                .map_or((last.at, 0), |(at, _, asked)| (at, asked));
            let soonest = ended + wait.max(asked);
            assert!(
                sent.at + 2 * MS >= soonest,
                "too early: {sent:?} after {last:?}"
            );
        }
    }

    /// The head of a subscriber's answer was read.
    pub(super) fn took(&mut self, at: u64, sent: usize, head: &Message) {
        let asked = head.field("retry-after").and_then(|it| it.parse().ok());
        let asked: u64 = asked
            .filter(|_| [429, 503].contains(&head.status))
            .unwrap_or(0);
        let sent = &mut self.book.sent[sent];
        sent.reply = Some((at, head.status, asked * SECOND));
        if head.status == 410 {
            let (subscriber, confirmed) = (sent.subscriber, None);
            self.book.facts.push(Fact {
                subscriber,
                at,
                confirmed,
            });
        }
    }
}

/// The verdict.
impl Hub {
    /// At rest: what was promised came to pass.
    pub fn judge(&self) {
        for (id, told) in self.book.messages.iter().filter(|(_, told)| told.kept) {
            let ends = self.book.ends.iter().filter(|((of, _), _)| of == id);
            let outcomes: Vec<Outcome> = ends.map(|(_, outcome)| *outcome).collect();
            let (least, most) = (told.must.len(), told.may.len());
            let count = outcomes.len();
            assert!((least..=most).contains(&count), "{count} of {told:?}");
            let delivered = outcomes.iter().filter(|it| **it == Outcome::Delivered);
            let takers = (0..self.subscribers.len()).filter(|it| self.has_taken(*it, *id));
            assert_eq!(
                delivered.count(),
                takers.count(),
                "{id}, {outcomes:?}, {told:?}"
            );
        }
        if !self.lossy {
            self.judge_deliveries();
            self.judge_pings();
        }
    }

    fn has_taken(&self, subscriber: usize, id: MessageId) -> bool {
        let mut sent = self.book.sent.iter();
        sent.any(|sent| {
            let status = sent.reply.map_or(0, |(_, status, _)| status);
            let same = sent.subscriber == subscriber && sent.id == id;
            same && (200..300).contains(&status)
        })
    }

    /// Whoever stays subscribed gets everything; of what says all there is to say, the newest.
    fn judge_deliveries(&self) {
        for (id, told) in self.book.messages.iter().filter(|(_, told)| told.kept) {
            let newer = |whose: &usize| {
                let mut behind = self.book.messages.range(id..).skip(1);
                behind.any(|(_, other)| {
                    let same = other.topic == told.topic && other.kept;
                    same && other.version.is_some() && other.may.contains(whose)
                })
            };
            for whose in &told.must {
                let replaced = told.version.is_some() && newer(whose);
                if replaced || !self.is_unbroken(*whose, told.at, told.at + 25 * HOUR) {
                    continue;
                }
                let taken = self.has_taken(*whose, *id);
                assert!(
                    taken,
                    "{:?} never took {id} {told:?}",
                    self.subscribers[*whose]
                );
            }
        }
    }

    /// No ping is lost: once a topic can be fetched, what it says is passed on.
    fn judge_pings(&self) {
        for ping in &self.book.pings {
            let Some(taken) = ping.taken else { continue };
            for number in &ping.topics {
                let topic = &self.topics[*number];
                let is_well = topic
                    .serves
                    .last()
                    .is_none_or(|(until, _)| *until < ping.from);
                let there = topic.host.is_some_and(|host| {
                    let mut away = self.hosts[host].away.iter();
                    away.all(|(_, until, _)| *until < ping.from)
                });
                let mut readers = 0..self.subscribers.len();
                let wanted = readers.any(|it| {
                    self.subscribers[it].topic == *number
                        && self.is_unbroken(it, ping.from, taken + HOUR)
                });
                if !(is_well && there && wanted) {
                    continue;
                }
                let versions = topic.versions.iter();
                let known = versions.filter(|(at, _)| *at < ping.from).count();
                let mut messages = self.book.messages.values();
                let told = messages.any(|told| {
                    told.topic == *number && told.version.is_some_and(|it| it + 1 >= known)
                });
                assert!(told, "lost: {ping:?} of version {known} of {topic:?}");
            }
        }
    }
}
