//! Topics are fetched, and what is new of them goes out to be published (hub.md C24 to C26). What
//! fails distributes nothing, and what is not durable is as good as not fetched.

use std::time::Duration;

use ring::digest;

use super::agenda::Due;
use super::calls::{Call, Errand};
use super::diff::Seen;
use super::topic::{Advert, Fetch, Known, Topic};
use super::{Hub, discovery};
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Wall;
use crate::http::date;
use crate::http::request::slots;
use crate::http::response::{self, ResponseHead};
use crate::model::{Answer, Ending, Fault};
use crate::port::Turn;

/// The whole exchange, redirects included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that a publisher may put us off with Retry-After.
const PUT_OFF_MAX: Duration = Duration::from_secs(3_600);
/// Bytes of an ETag or a Last-Modified that are repeated to the publisher.
const VALIDATOR_BYTES_MAX: usize = 512;
/// What content is that came without a type (hub.md C18).
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// Topics without subscribers of which something is known.
const PAST_MAX: usize = 64;
/// Bytes of such a topic's key.
const PAST_KEY_BYTES_MAX: usize = 1_024;
/// Bytes of a content type or an encoding that are passed on.
const TYPE_BYTES_MAX: usize = 256;

/// What a topic says now, to be published under its name; the answer is [`Hub::stored`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The topic.
    pub topic: Key,
    /// What the topic is known by: the name of its streams.
    pub name: Box<str>,
    /// The publisher's Content-Type as it came.
    pub content_type: Box<str>,
    /// Its Content-Encoding, if it came with one (hub.md C17).
    pub encoding: Option<Box<str>>,
    /// The body as it came.
    pub body: Frame,
    /// What of it goes out instead, if everybody who gets it had what came before.
    pub(super) less: Option<Frame>,
}

/// What the end of a fetch means.
enum Found {
    /// Something new.
    New(Known, Seen, Content, Advert),
    /// The same as before, under these validators if it came again.
    Same(Option<Known>),
    /// Nothing that can be passed on, and another try would change nothing.
    Nothing(&'static str),
    /// Another try may help; when, if the publisher said so.
    Failed(Option<Duration>),
}

impl Hub {
    /// Content to be published.
    pub fn next_content(&mut self) -> Option<Content> {
        let mut content = self.contents.pop_front()?;
        if let Some(less) = content.less.take()
            && self.all_had_the_last(content.topic)
        {
            content.body = less;
        }
        Some(content)
    }

    /// Content that was handed out is durable, or was not taken in or lost. Only what is durable is
    /// known, so that a crash fetches it again (hub.md C25).
    pub fn stored(&mut self, turn: &mut Turn, key: Key, kept: bool) {
        let Some(topic) = self.topics.get_mut(key) else {
            return;
        };
        let Fetch::Storing { next, seen, .. } = &mut topic.fetch else {
            return;
        };
        if kept {
            topic.known = std::mem::take(next);
            topic.seen = std::mem::take(seen);
            topic.version += 1;
        }
        match kept {
            true => self.fetch_settled(turn, key),
            false => self.fetch_failed(turn, key, None),
        }
    }

    /// After any change of a topic: what is due is fetched, what nobody needs is gone, its account
    /// and its next look are right.
    pub(super) fn settle_topic(&mut self, turn: &mut Turn, key: Key) {
        let now = turn.now.mono;
        let due = self.topics.get(key).map(|topic| topic.fetch.due());
        if due.is_some_and(|due| due <= now) {
            self.fetch(turn, key);
        }
        self.keep_topic(turn, key);
        let Some(topic) = self.topics.get_mut(key) else {
            return;
        };
        if topic.is_idle() {
            self.by_key.remove(topic.name.key());
            turn.memory.give(topic.charged);
            if let Some(gone) = self.topics.remove(key) {
                self.remember(turn, gone);
            }
            return;
        }
        let bytes = topic.bytes();
        turn.memory.charge(bytes);
        turn.memory
            .give(std::mem::replace(&mut topic.charged, bytes));
        let at = topic.fetch.due();
        self.agenda
            .stand(turn, &mut topic.stands, at, Due::Topic(key));
    }

    /// Nobody subscribes to the topic, but streams may read it: what is known of it is kept for the
    /// next ping, as long as there are few such topics.
    fn remember(&mut self, turn: &mut Turn, gone: Topic) {
        if gone.kept != 0 {
            self.recollect(turn, gone.name.key(), gone.known);
        }
    }

    /// The same of what was kept over a restart. The store forgets what is not remembered here.
    pub(super) fn recollect(&mut self, turn: &mut Turn, key: &str, known: Known) {
        if known.digest.is_none() || key.len() > PAST_KEY_BYTES_MAX {
            return Hub::forget_topic(turn, key);
        }
        if self.past.len() >= PAST_MAX
            && let Some((oldest, _)) = self.past.pop_front()
        {
            Hub::forget_topic(turn, &oldest);
        }
        self.past.push_back((key.into(), known));
    }

    /// What was known of a topic, for a ping. A new subscriber is better served by all there is.
    pub(super) fn recall(&mut self, key: &str) -> Option<Known> {
        let place = self.past.iter().position(|(known, _)| **known == *key)?;
        self.past.remove(place).map(|(_, known)| known)
    }

    /// The GET: conditional, unless whoever pings wants it passed on whatever it is.
    fn fetch(&mut self, turn: &mut Turn, key: Key) {
        let Some(topic) = self.topics.get(key) else {
            return;
        };
        let Some(target) = &topic.target else {
            return;
        };
        let now = turn.now.mono;
        let holds = |key: &&Key| {
            self.subscriptions
                .get(**key)
                .is_some_and(|it| it.holds(now).is_some())
        };
        let count = topic.subscriptions.iter().filter(holds).count();
        let noun = if count == 1 {
            "subscriber"
        } else {
            "subscribers"
        };
        let mut fields = self.fields(&format!("{count} {noun}"));
        fields.push_str(&format!(
            "\r\nX-Hub-Subscribers: {count}\r\nAccept-Encoding: identity"
        ));
        if !self.settings.distribute_unchanged {
            topic.known.ask(&mut fields);
        }
        let mut call = Call::get(Errand::Fetch(key), target, fields);
        call.strict = self.is_strict_for(topic.local);
        call.timeout = FETCH_TIMEOUT;
        call.body_bytes_max = self.settings.content_bytes_max;
        turn.stats.add(Counter::Fetches, 1);
        let call = self.calls.start(turn, call);
        if let Some(call) = call
            && let Some(topic) = self.topics.get_mut(key)
        {
            topic.fetched = Some(now);
            topic.fetch.begun(call);
        }
    }

    /// A fetch has ended.
    pub(super) fn fetched(
        &mut self,
        turn: &mut Turn,
        (key, at): (Key, Key),
        call: &Call,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        let Some(topic) = self
            .topics
            .get(key)
            .filter(|topic| topic.fetch.waits_for(at))
        else {
            return;
        };
        let url = &call.first.url;
        match self.read(key, topic, &call.target.url, ending, answer) {
            Found::New(known, seen, content, advert) => {
                self.renewed(turn, key, (known, seen), content, advert);
            }
            Found::Same(known) => {
                if let (Some(known), Some(topic)) = (known, self.topics.get_mut(key)) {
                    topic.known = known;
                }
                self.fetch_settled(turn, key);
            }
            Found::Nothing(why) => {
                turn.stats.add(Counter::FetchesFailed, 1);
                log::warn!("topic_not_distributed topic={url:?} why={why} {ending}");
                self.fetch_settled(turn, key);
            }
            Found::Failed(asked) => {
                turn.stats.add(Counter::FetchesFailed, 1);
                log::info!("topic_not_fetched topic={url:?} {ending}");
                self.fetch_failed(turn, key, asked);
            }
        }
    }

    /// There is something new: what the topic says of itself holds at once, its content goes out to
    /// be published.
    fn renewed(
        &mut self,
        turn: &mut Turn,
        key: Key,
        (known, seen): (Known, Seen),
        content: Content,
        advert: Advert,
    ) {
        let Some(topic) = self.topics.get_mut(key) else {
            return;
        };
        let is_other = topic.advert.as_ref() != Some(&advert);
        topic.advert = Some(advert);
        if let Some(reason) = self.objection(key) {
            self.deny_all(turn, key, reason);
            return self.fetch_settled(turn, key);
        }
        if let Some(topic) = self.topics.get_mut(key) {
            topic.fetch.changed(known, seen);
        }
        if is_other {
            self.link_all(turn, key);
        }
        self.contents.push_back(content);
        self.settle_topic(turn, key);
    }

    /// Why the topic is not one for this hub, as far as that is known (hub.md C20, C21).
    pub(super) fn objection(&self, key: Key) -> Option<&'static str> {
        let topic = self.topics.get(key)?;
        let advert = topic.advert.as_ref()?;
        let is_own = |own: &str| *super::name::key(own.as_bytes()) == *topic.name.key().as_bytes();
        if self.settings.strict_self && !advert.canonical.as_deref().is_some_and(is_own) {
            return Some("topic is not its own rel=self");
        }
        if self.settings.strict_hub_link && advert.hub.is_none() {
            return Some("topic does not list this hub");
        }
        None
    }

    fn deny_all(&mut self, turn: &mut Turn, topic: Key, reason: &str) {
        while let Some(key) = self
            .topics
            .get(topic)
            .and_then(|topic| topic.subscriptions.last().copied())
        {
            self.deny(turn, key, reason);
        }
    }

    /// It waits for the next ping, if that has not come already.
    fn fetch_settled(&mut self, turn: &mut Turn, key: Key) {
        let interval = self.settings.fetch_interval_min;
        if let Some(topic) = self.topics.get_mut(key) {
            let soonest = topic.soonest(turn.now.mono, interval);
            topic.fetch.settled(soonest);
        }
        self.settle_topic(turn, key);
    }

    /// It is tried again, if there are tries left.
    fn fetch_failed(&mut self, turn: &mut Turn, key: Key, asked: Option<Duration>) {
        let Some(topic) = self.topics.get_mut(key) else {
            return;
        };
        let Some(wait) = self.settings.fetch_steps.wait(topic.fetch.retry()) else {
            log::warn!("topic_given_up topic={:?}", topic.name.given());
            return self.fetch_settled(turn, key);
        };
        let asked = asked.map(|asked| asked.min(PUT_OFF_MAX));
        topic.fetch.failed(turn.now.mono, wait, asked);
        self.settle_topic(turn, key);
    }

    /// What the end of a fetch means for that topic; `url` is where it ended.
    fn read(
        &self,
        key: Key,
        topic: &Topic,
        url: &str,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) -> Found {
        match ending {
            Ending::Answer { status: 304, .. } => return Found::Same(None),
            Ending::Answer {
                status: 204..=206, ..
            } => return Found::Nothing("no_content"),
            Ending::Answer {
                status: 200..=299, ..
            } => {}
            Ending::Answer {
                status: 429 | 500..=599,
                retry_after,
            } => return Found::Failed(*retry_after),
            Ending::Answer { status: 410, .. } => return Found::Nothing("gone"),
            Ending::Answer { .. } => return Found::Nothing("refused"),
            Ending::Fault {
                fault: Fault::Policy,
                ..
            } => return Found::Nothing("forbidden"),
            Ending::Fault { .. } => return Found::Failed(None),
        }
        let Some(answer) = answer else {
            return Found::Failed(None);
        };
        if answer.truncated {
            return Found::Nothing("too_large");
        }
        let mut slots = slots();
        let Ok(head) = response::parse(answer.head, &mut slots, false) else {
            return Found::Failed(None);
        };
        let mut content = content(key, topic, &head, answer.body);
        let known = Known::of(&head, &content);
        let is_same = known.digest == topic.known.digest;
        if is_same && !self.settings.distribute_unchanged {
            return Found::Same(Some(known));
        }
        let (less, seen) = self.lessened(topic, &content);
        // Who wants what did not change wants it whole.
        content.less = less.filter(|_| !is_same);
        // What is encoded cannot be looked into.
        let legible = match content.encoding {
            Some(_) => &[][..],
            None => answer.body,
        };
        let advert = discovery::advert(&self.settings, answer.head, legible, url);
        Found::New(known, seen, content, advert)
    }
}

fn content(key: Key, topic: &Topic, head: &ResponseHead<'_>, body: &[u8]) -> Content {
    let field = |name: &str| {
        let value = head.field(name)?.trim_ascii();
        let text = std::str::from_utf8(value).ok()?;
        let fits = (1..=TYPE_BYTES_MAX).contains(&text.len()) && text.is_ascii();
        fits.then_some(text)
    };
    let encoding = field("content-encoding").filter(|it| !it.eq_ignore_ascii_case("identity"));
    Content {
        topic: key,
        name: topic.name.key().into(),
        content_type: field("content-type").unwrap_or(UNKNOWN_TYPE).into(),
        encoding: encoding.map(Box::from),
        body: Frame::copy_of(body),
        less: None,
    }
}

/// Whether nothing can have changed since within that very second (RFC 9110 section 8.8.2.2): a
/// publisher that pings twice a second would be asked for what is newer than both.
fn is_strong(head: &ResponseHead<'_>, modified: &str) -> bool {
    let seconds = |text: &str| date::parse(text).map(Wall::seconds);
    let said = head
        .field("date")
        .and_then(|it| std::str::from_utf8(it).ok());
    match (said.and_then(|it| seconds(it.trim())), seconds(modified)) {
        (Some(said), Some(modified)) => said > modified,
        _ => false,
    }
}

impl Known {
    /// What tells this content from the next.
    fn of(head: &ResponseHead<'_>, content: &Content) -> Known {
        let validator = |name: &str| {
            let value = head.field(name)?.trim_ascii();
            let plain = |byte: &u8| (0x20..0x7f).contains(byte);
            let fits = (1..=VALIDATOR_BYTES_MAX).contains(&value.len()) && value.iter().all(plain);
            fits.then(|| String::from_utf8_lossy(value).into())
        };
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [Some(&content.content_type), content.encoding.as_ref()] {
            let part = part.map_or(&b""[..], |part| part.as_bytes());
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.update(&content.body);
        Known {
            tag: validator("etag"),
            modified: validator("last-modified").filter(|it| is_strong(head, it)),
            digest: <[u8; 32]>::try_from(context.finish().as_ref()).ok(),
        }
    }

    /// Asks for what is newer only (RFC 9110 section 13.1).
    fn ask(&self, fields: &mut String) {
        let conditions = [
            ("If-None-Match", &self.tag),
            ("If-Modified-Since", &self.modified),
        ];
        for (name, value) in conditions {
            if let Some(value) = value {
                fields.push_str(&format!("\r\n{name}: {value}"));
            }
        }
    }
}
