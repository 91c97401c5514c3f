//! What a POST to the hub asks for: its form, read and checked as a whole before anything is done.
//! It knows no subscription, and never repeats a secret.

use std::borrow::Cow;
use std::sync::Arc;

use crate::http::form;
use crate::http::media;
use crate::http::problem::{Problem, Reason};
use crate::hub::name::{Callback, TopicName};
use crate::hub::settings::Leases;
use crate::model::Seal;

mod publish;
mod subscribe;
mod values;

use values::Values;

/// Bytes of a secret are fewer than this (WebSub section 5.1).
pub const SECRET_BYTES_END: usize = 200;
/// Bytes of a `hub.verify_token` at most: it is kept as long as its subscription.
pub const TOKEN_BYTES_MAX: usize = 1_024;

/// A request without its connection.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The value of its Content-Type, if it has one.
    pub content_type: Option<&'a [u8]>,
    /// What stands behind the `?` of its target.
    pub query: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

/// Which of the hub's names was called: `/hub`, `/subscribe`, `/publish`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// `hub.mode` decides, and must be there.
    Any,
    /// `subscribe`, unless `hub.mode` says `unsubscribe`.
    Subscribe,
    /// `publish`.
    Publish,
}

/// What is asked for.
#[derive(Debug)]
pub enum Asked<'a> {
    /// `hub.mode=subscribe`.
    Subscribe(Subscribe),
    /// `hub.mode=unsubscribe`.
    Unsubscribe(Unsubscribe),
    /// `hub.mode=publish` without content: fetch these. Never empty, all of them URLs, and no key
    /// twice.
    Ping(Vec<TopicName>),
    /// `hub.mode=publish` with content, which needs the right to publish it (hub.md C28).
    Content(Content<'a>),
}

/// A subscription asked for.
#[derive(Debug)]
pub struct Subscribe {
    /// Its topic.
    pub topic: TopicName,
    /// Where its content goes.
    pub callback: Callback,
    /// For how long.
    pub lease: Lease,
    /// What its content is signed with; `None` without a secret.
    pub seal: Option<Arc<Seal>>,
    /// How it wants to be answered and verified.
    pub verify: Verify,
}

impl Subscribe {
    /// Whether its maker is of the time when subscriptions lasted: of version 0.3, without a lease
    /// of its own (hub.md C9).
    #[must_use]
    pub fn is_permanent_03(&self) -> bool {
        self.verify.is_03 && self.lease.asked.is_none()
    }
}

/// The end of a subscription asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Its topic.
    pub topic: TopicName,
    /// Its callback.
    pub callback: Callback,
    /// How it wants to be answered and verified.
    pub verify: Verify,
}

/// What PubSubHubbub 0.3 lets a subscriber say about the verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verify {
    /// `hub.verify` is there, whatever it says: a subscriber of version 0.3.
    pub is_03: bool,
    /// Verify first, then answer (hub.md C1).
    pub sync: bool,
    /// `hub.verify_token`, to be repeated in the verification.
    pub token: Option<Box<[u8]>>,
}

/// A lease in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What the subscriber wanted, if it said; what is no u64 is the greatest.
    pub asked: Option<u64>,
    /// What it gets.
    pub granted: u64,
}

impl Lease {
    /// The line of the answer that says so, if it gets something else than it wanted.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let change = match self.asked?.cmp(&self.granted) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => "reduced",
            std::cmp::Ordering::Less => "raised",
        };
        Some(format!("lease {change} to {}", self.granted))
    }
}

/// A fat ping: a topic's new content.
#[derive(Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// Its topic.
    pub topic: TopicName,
    /// The media type that goes out with it, fit for a field value.
    pub content_type: Cow<'a, str>,
    /// The bytes.
    pub body: Cow<'a, [u8]>,
}

/// Reads a request to one of the hub's names. Leases are granted within `leases`.
///
/// # Errors
/// [`Reason::BadParameter`] naming parameter, value and what is allowed;
/// [`Reason::UnsupportedMediaType`]; [`Reason::ReservedTopic`] for content of one of our own.
pub fn read<'a>(request: &Request<'a>, half: Half, leases: &Leases) -> Result<Asked<'a>, Problem> {
    if !is_form(request.content_type) {
        return publish::raw(request, half);
    }
    let values = Values::read(request.body);
    match mode(&values, half)? {
        Mode::Subscribe => subscribe::subscribe(&values, leases).map(Asked::Subscribe),
        Mode::Unsubscribe => subscribe::unsubscribe(&values).map(Asked::Unsubscribe),
        Mode::Publish => publish::form(values),
    }
}

/// Whether the parameters stand in the body. Whoever names no type means a form (hub.md C3).
fn is_form(content_type: Option<&[u8]>) -> bool {
    content_type.is_none_or(|value| {
        value.trim_ascii().is_empty()
            || media::is(&String::from_utf8_lossy(value), form::MEDIA_TYPE)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Subscribe,
    Unsubscribe,
    Publish,
}

/// `hub.mode`, literally (checklist row 2), and fit for the half.
fn mode(values: &Values<'_>, half: Half) -> Result<Mode, Problem> {
    let allowed = match half {
        Half::Any => "subscribe, unsubscribe, publish",
        Half::Subscribe => "subscribe, unsubscribe (POST /hub takes publish too)",
        Half::Publish => "publish (POST /hub takes subscribe and unsubscribe too)",
    };
    let given = values
        .mode
        .one("hub.mode")?
        .filter(|value| !value.is_empty());
    let mode = match (given, half) {
        (None, Half::Any) => return Err(missing("hub.mode", allowed)),
        (None, Half::Subscribe) => Some(Mode::Subscribe),
        (None, Half::Publish) => Some(Mode::Publish),
        (Some(b"subscribe"), Half::Any | Half::Subscribe) => Some(Mode::Subscribe),
        (Some(b"unsubscribe"), Half::Any | Half::Subscribe) => Some(Mode::Unsubscribe),
        (Some(b"publish"), Half::Any | Half::Publish) => Some(Mode::Publish),
        (Some(_), _) => None,
    };
    mode.ok_or_else(|| wrong("hub.mode", given.unwrap_or_default(), allowed))
}

/// A parameter that has to be there.
fn missing(parameter: &str, allowed: &str) -> Problem {
    Problem::new(
        Reason::BadParameter,
        format!("{parameter} is missing; allowed: {allowed}"),
    )
}

/// A parameter with a value that it cannot have.
fn wrong(parameter: &str, value: &[u8], allowed: &str) -> Problem {
    let start = value.get(..80).unwrap_or(value);
    let more = if start.len() < value.len() { "…" } else { "" };
    let shown = String::from_utf8_lossy(start);
    Problem::new(
        Reason::BadParameter,
        format!("{parameter} {shown:?}{more}; allowed: {allowed}"),
    )
}

#[cfg(test)]
mod tests;
