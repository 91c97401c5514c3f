//! The nouns of Hookah and their ids: message, delivery, attempt, outcome.
//! No behaviour beyond a noun's own text form; no room, no time, no I/O.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::time::Wall;

mod calls;
pub mod record;
mod visitor;

pub use calls::{Callback, Owner, Room, Seal, SealMethod, Wants};
pub use visitor::{Door, Visitor};

/// Request methods a target may be called with (dispatch.md section 4), and those a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// CONNECT, always refused.
    Connect,
    /// TRACE, always refused.
    Trace,
}

impl Method {
    const ALL: [(Method, &'static str); 9] = [
        (Method::Get, "GET"),
        (Method::Head, "HEAD"),
        (Method::Post, "POST"),
        (Method::Put, "PUT"),
        (Method::Patch, "PATCH"),
        (Method::Delete, "DELETE"),
        (Method::Options, "OPTIONS"),
        (Method::Connect, "CONNECT"),
        (Method::Trace, "TRACE"),
    ];

    /// The method of that exact name (RFC 9110 section 9.1: case-sensitive), if we know it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Method> {
        Method::ALL
            .iter()
            .find(|(_, text)| *text == name)
            .map(|(method, _)| *method)
    }

    /// The name as it stands in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Method::ALL[self as usize].1
    }
}

/// A message's id: a ULID, strictly increasing on one server. Written `msg_` + 26 characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u128);

/// Crockford's base 32, as the ULID specification has it.
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl MessageId {
    /// Bytes of the text form.
    pub const TEXT_BYTES: usize = 30;

    /// The id after `last` for a message accepted at `at`: the time's 48 bits of milliseconds and
    /// 80 bits of `entropy`. If its number would not be greater than that of `last` (same
    /// millisecond, or a wall clock that went back), it has the number after that.
    #[must_use]
    pub fn next(last: MessageId, at: Wall, entropy: u128) -> MessageId {
        let fresh = (u128::from(at.millis()) << 80) | (entropy >> 48);
        if fresh >> 64 > last.0 >> 64 {
            return MessageId(fresh);
        }
        let number = last.number().wrapping_add(1);
        MessageId((u128::from(number) << 64) | (fresh & u128::from(u64::MAX)))
    }

    /// The greatest id that a message accepted before that time can have, if the clock was never
    /// set back.
    #[must_use]
    pub fn before(at: Wall) -> MessageId {
        MessageId((u128::from(at.millis()) << 80).saturating_sub(1))
    }

    /// The first half of the id, which alone tells it from all others of one server and has their
    /// order: 48 bits of milliseconds and 16 more.
    #[must_use]
    pub fn number(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// The text form, without an allocation.
    #[must_use]
    pub fn text(self) -> [u8; MessageId::TEXT_BYTES] {
        let mut text = *b"msg_00000000000000000000000000";
        for (place, byte) in text[4..].iter_mut().enumerate() {
            let shift = 5 * (25 - place);
            *byte = BASE32[((self.0 >> shift) & 31) as usize];
        }
        text
    }

    /// Reads the text form; `None` if it is not exactly `msg_` and a ULID in upper case.
    #[must_use]
    pub fn parse(text: &str) -> Option<MessageId> {
        let digits = text.strip_prefix("msg_")?.as_bytes();
        if digits.len() != 26 || digits[0] > b'7' {
            return None;
        }
        digits.iter().try_fold(MessageId(0), |id, digit| {
            let value = BASE32.iter().position(|known| known == digit)?;
            Some(MessageId((id.0 << 5) | value as u128))
        })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.text()).unwrap_or("msg_"))
    }
}

/// What one accepted POST carries; shared by its deliveries, the topics' rings and the store.
#[derive(Debug)]
pub struct Message {
    /// Its id, also the event id of streams and the `webhook-id`.
    pub id: MessageId,
    /// When it was accepted.
    pub accepted: Wall,
    /// The media type that goes out with the body; empty where there is none.
    pub content_type: Cow<'static, str>,
    /// The body as targets get it.
    pub body: Frame,
    /// The topics it is published to.
    pub topics: TopicNames,
    /// The method of the calls to its own targets.
    pub method: Method,
    /// Servers of our kind that it had passed when it came.
    pub hops: u8,
    /// What few messages bring along.
    pub extra: Option<Box<Extra>>,
}

/// What a message brings along only if its options said so.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// Fields for its targets, in one piece: each begins with the line end before it.
    pub fields: Box<[u8]>,
    /// A filter for the history.
    pub label: Option<Box<str>>,
    /// The name that readers of event streams get.
    pub event: Option<Box<str>>,
    /// What it says of its deliveries, as a query string of options by their names: what is
    /// needed, with the server's defaults, to go on with them after a restart.
    pub options: Box<str>,
    /// The message that it repeats.
    pub resend_of: Option<MessageId>,
}

/// Without the options, among which there may be a secret.
impl fmt::Debug for Extra {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, event) = (&self.label, &self.event);
        write!(out, "Extra(label {label:?}, event {event:?}, …)")
    }
}

impl Extra {
    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = |it: &Option<Box<str>>| it.as_ref().map_or(0, |text| text.len());
        let texts = text(&self.label) + text(&self.event) + self.options.len();
        size_of::<Extra>() + self.fields.len() + texts
    }
}

impl Message {
    /// Bytes of memory held by what a client chose the size of.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.bytes());
        self.body.len() + self.content_type.len() + self.topics.bytes() + extra
    }
}

/// Names of topics: opaque bytes, in one piece of memory, none of it if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicNames(Box<[u8]>);

impl TopicNames {
    /// Holds these names, each of them once and at most 65,535 bytes long.
    pub fn of<'n>(names: impl Iterator<Item = &'n [u8]> + Clone) -> TopicNames {
        let len = names.clone().map(|name| 2 + name.len()).sum();
        let mut bytes = Vec::with_capacity(len);
        for name in names {
            if names_in(&bytes).any(|known| known == name) {
                continue;
            }
            let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(&name[..usize::from(len)]);
        }
        TopicNames(bytes.into())
    }

    /// The names in the form in which they are kept: each after its length, two bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads that form; `None` if it is not whole.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<TopicNames> {
        let read: usize = names_in(bytes).map(|name| 2 + name.len()).sum();
        (read == bytes.len()).then(|| TopicNames(bytes.into()))
    }

    /// The names in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        names_in(&self.0)
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// The names in the form in which [`TopicNames`] holds them.
fn names_in(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
        rest = after;
        Some(name)
    })
}

/// Why an attempt failed; the words of `error` in dispatch.md section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The name has no address we may use.
    Dns,
    /// No connection: refused, unreachable, reset before the request was sent, or too slow.
    Connect,
    /// The TLS handshake or a certificate failed.
    Tls,
    /// The deadline of the whole exchange passed.
    Timeout,
    /// A complete answer whose status does not count as delivered.
    Status,
    /// What came back is no HTTP/1.1 answer, or the connection ended inside it.
    Protocol,
    /// A rule of ours forbids the target.
    Policy,
}

impl Fault {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Dns => "dns",
            Fault::Connect => "connect",
            Fault::Tls => "tls",
            Fault::Timeout => "timeout",
            Fault::Status => "status",
            Fault::Protocol => "protocol",
            Fault::Policy => "policy",
        }
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took it.
    Delivered,
    /// The retry budget ran out, or the answer was final.
    Failed,
    /// `expires` came first.
    Expired,
    /// It was called off before it was delivered.
    Canceled,
}

impl Outcome {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Failed => "failed",
            Outcome::Expired => "expired",
            Outcome::Canceled => "canceled",
        }
    }
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URL, without the colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// The lane a call travels in: everything sent to one origin shares its fate, and nothing else
/// does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// The host as in a URL: lower case, IPv6 in brackets.
    pub host: Box<str>,
    /// The port, the scheme's default filled in.
    pub port: u16,
}

impl fmt::Display for Origin {
    /// As in a URL: the scheme's default port is left out.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Https => ("https", 443),
        };
        write!(out, "{scheme}://{}", self.host)?;
        match self.port {
            port if port == usual => Ok(()),
            port => write!(out, ":{port}"),
        }
    }
}

/// A parsed and vetted target, shared by all deliveries to the same URL.
pub struct Target {
    /// Its lane.
    pub origin: Origin,
    /// Where to connect, in the order to try; empty where that has to be looked up.
    pub addrs: Box<[SocketAddr]>,
    /// The name to look up; none if the host is an address or this machine.
    pub name: Option<Box<str>>,
    /// For TLS: the name that its certificate must be for; an address without brackets.
    pub server_name: Option<Arc<str>>,
    /// The Host field: the port is left out where it is the scheme's default.
    pub authority: Box<str>,
    /// The request target: path and query, as the URL standard serializes them.
    pub path: Box<str>,
    /// The value of the Authorization field made of the URL's userinfo, if it has any.
    pub authorization: Option<Box<str>>,
    /// The URL for people: userinfo left out.
    pub url: Box<str>,
    /// The hash of its origin: the lane of the work that waits for it, the same on every machine.
    pub lane: u64,
}

/// Which attempt an answer belongs to, when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The message.
    pub id: MessageId,
    /// The delivery's number within the message, from 1.
    pub number: u32,
    /// The attempt's number, from 1.
    pub attempt: u32,
}

/// What is kept of a target's answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The head as it came, its empty line included.
    pub head: &'a [u8],
    /// The start of the body, its framing removed.
    pub body: &'a [u8],
    /// There is more than that, or there should have been.
    pub truncated: bool,
    /// The rest of the body is still being read.
    pub unfinished: bool,
    /// Where the target sends us, of an answer that redirects.
    pub location: Option<&'a [u8]>,
}

impl Target {
    /// Bytes of memory held by what a client chose the size of.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let authorization = self.authorization.as_ref().map_or(0, |value| value.len());
        let texts = [&self.origin.host, &self.authority, &self.path, &self.url];
        authorization + texts.map(|text| text.len()).iter().sum::<usize>()
    }
}

/// Without its credentials.
impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Target({:?}, {:?})", self.url, self.addrs)
    }
}

/// How one attempt at a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A complete response head came.
    Answer {
        /// Its status, 200 or above.
        status: u16,
        /// How long the target wants to be left alone, if it said so.
        retry_after: Option<Duration>,
    },
    /// No answer.
    Fault {
        /// The kind, for people and callbacks.
        fault: Fault,
        /// The rest, one word.
        detail: &'static str,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Answer { status, .. } => write!(out, "status={status}"),
            Ending::Fault { fault, detail } => {
                write!(out, "error={} detail={detail}", fault.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests;
