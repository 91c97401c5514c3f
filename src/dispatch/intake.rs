//! Reads one POST to /dispatch: its targets, its options, and the body that the targets get.
//! It resolves no target and accepts nothing; it does not touch the request's connection.
//!
//! ```
//! use hookah::base::time::Wall;
//! use hookah::dispatch::Settings;
//! use hookah::dispatch::intake::{Scratch, Submission, read};
//!
//! let submission = Submission {
//!     caller: Default::default(),
//!     tail: None,
//!     query: Some("_url=http://localhost:9000/hook"),
//!     content_type: Some("application/x-www-form-urlencoded"),
//!     body: b"_retries=3&name=value",
//!     headers: &[],
//! };
//! let mut scratch = Scratch::default();
//! let intake = read(&submission, &Settings::default(), Wall(0), &mut scratch).unwrap();
//! assert_eq!(intake.urls.strs().next(), Some("http://localhost:9000/hook"));
//! assert_eq!(intake.options.retries, 3);
//! assert_eq!(intake.body, b"name=value");
//! ```

use std::ops::Range;

use crate::base::time::Wall;
use crate::dispatch::Settings;
use crate::dispatch::intake::body::{Outgoing, Query};
use crate::dispatch::intake::reader::{Path, Reader};
use crate::dispatch::options::{self, Options};
use crate::http::form;
use crate::http::media;
use crate::http::problem::{Problem, Reason};
use crate::model::Method;

pub mod batch;
mod body;
mod reader;

pub use reader::hops_of;

/// Targets of one message at most, URLs and topics together.
pub const TARGETS_MAX: usize = 64;
/// Bytes of a topic's name at most (streams.md section 1).
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// What of a request the intake looks at.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// What follows `/dispatch/` in the path, still encoded; `None` for `/dispatch` itself.
    pub tail: Option<&'a str>,
    /// What follows the first `?` of the request target.
    pub query: Option<&'a str>,
    /// The Content-Type field.
    pub content_type: Option<&'a str>,
    /// The whole body, its transfer coding removed.
    pub body: &'a [u8],
    /// The head's fields.
    pub headers: &'a [httparse::Header<'a>],
    /// Who makes it.
    pub caller: Caller<'a>,
}

/// What of a client matters for its messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The scope in which its idempotency keys are its own; up to 255 bytes.
    pub scope: &'a str,
    /// Its targets have to be public, whatever the request says.
    pub strict: bool,
    /// The Authorization field was for us, and goes to nobody else.
    pub authorized: bool,
}

impl<'a> Submission<'a> {
    /// The media type of the body; an empty field says nothing.
    fn media_type(&self) -> Option<&'a str> {
        self.content_type
            .filter(|given| !media::essence(given).is_empty())
    }
}

/// What a POST to /dispatch asks for. Everything lies in the request or the scratch; nothing is
/// owned but the retry schedule, if the message brings its own.
#[derive(Clone, Debug)]
pub struct Intake<'a> {
    /// The method of the call.
    pub method: Method,
    /// The target URLs as given, in order, repeated ones too; still to be parsed.
    pub urls: Texts<'a>,
    /// The topics as given, in order.
    pub topics: Texts<'a>,
    /// When and how often to try.
    pub options: Options,
    /// Fields that go out beside our own, ready to be appended to a head.
    pub fields: &'a [u8],
    /// What of the options its deliveries need later, as a query string.
    pub kept: &'a [u8],
    /// Servers of our kind that the request has passed.
    pub hops: u8,
    /// Those of them that the publisher named, and that did not merely pass by.
    pub brought: &'a [u8],
    /// The media type that goes out with the body; empty for none.
    pub content_type: &'a str,
    /// The body that the targets get.
    pub body: &'a [u8],
    /// The scope of the publisher's key.
    pub scope: &'a str,
    said: Said<'a>,
}

/// The values of options as they were given.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    text: &'a [u8],
    rows: &'a [(usize, Range<usize>)],
}

impl<'a> Intake<'a> {
    /// The options that hold, as they were given, in the order of the table; but those that name
    /// targets and fields, and the publisher's key.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, &'a [u8])> {
        let Said { text, rows } = self.said;
        options::TABLE
            .iter()
            .enumerate()
            .filter_map(move |(index, row)| {
                let (_, range) = rows.iter().find(|(said, _)| *said == index)?;
                let value = text.get(range.clone())?;
                (row.name != KEY_NAME).then_some((row.name, value))
            })
    }
}

/// The option that names the request itself.
const KEY_NAME: &str = "idempotency-key";

/// Texts that lie in the scratch, in order.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    text: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Texts<'a> {
    /// Each of them as bytes: topics are opaque.
    pub fn bytes(self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.ranges
            .iter()
            .map(move |range| self.text.get(range.clone()).unwrap_or_default())
    }

    /// Each of them as text. URLs always are; what is not UTF-8 comes as nothing.
    pub fn strs(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.bytes()
            .map(|bytes| std::str::from_utf8(bytes).unwrap_or_default())
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.ranges.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.ranges.is_empty()
    }
}

/// Buffers that [`read`] uses again and again, so that the common request allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    body: Vec<u8>,
    text: Vec<u8>,
    value: Vec<u8>,
    fields: Vec<u8>,
    kept: Vec<u8>,
    urls: Vec<Range<usize>>,
    topics: Vec<Range<usize>>,
    /// Options by their rows, their values in the text.
    said: Vec<(usize, Range<usize>)>,
}

impl Scratch {
    fn clear(&mut self) {
        self.body.clear();
        self.text.clear();
        self.value.clear();
        self.fields.clear();
        self.kept.clear();
        self.urls.clear();
        self.topics.clear();
        self.said.clear();
    }
}

/// Reads a submission: the sources in the order of dispatch.md section 3, so that the first one
/// that names a target or sets an option wins.
pub fn read<'a>(
    submission: &Submission<'a>,
    defaults: &Settings,
    now: Wall,
    scratch: &'a mut Scratch,
) -> Result<Intake<'a>, Problem> {
    scratch.clear();
    let mut reader = Reader::new(scratch, now);
    let path = reader.path(submission)?;
    reader.caller(submission.caller)?;
    reader.headers(submission.headers)?;
    // The query of a URL in the path is the target's own.
    let query = submission.query.filter(|_| path != Path::Url);
    let query = Query(query.unwrap_or_default().as_bytes());
    let stray = reader.query(query)?;
    let outgoing = match path {
        Path::None => reader.body(submission, query)?,
        Path::Url | Path::Base64 => Outgoing::Untouched,
    };
    if !reader.has_target() {
        return Err(Reason::NoDestination.into());
    }
    if let (Outgoing::Untouched | Outgoing::Members, Some(name)) = (outgoing, stray) {
        return Err(stray_field(name));
    }
    let brought = reader.scratch.fields.len();
    reader.relay(submission)?;
    let (given, hops) = (reader.given, reader.hops);
    let usual = match outgoing {
        Outgoing::NoField => Method::Get,
        Outgoing::Untouched | Outgoing::Fields | Outgoing::Members => Method::Post,
    };
    let method = given.method.unwrap_or(usual);
    let options = given.settle(defaults, now)?;
    let scratch = &*scratch;
    let given_type = submission.media_type();
    let (content_type, body) = match outgoing {
        Outgoing::Untouched => (given_type.unwrap_or_default(), submission.body),
        Outgoing::Members => (given_type.unwrap_or_default(), &scratch.body[..]),
        Outgoing::Fields => (given_type.unwrap_or(form::MEDIA_TYPE), &scratch.body[..]),
        Outgoing::NoField => ("", &[][..]),
    };
    let parts = Parts {
        method,
        options,
        hops,
        brought,
        content_type,
        body,
        scope: submission.caller.scope,
    };
    Ok(parts.with(scratch))
}

/// What of an intake does not lie in the scratch.
struct Parts<'a> {
    method: Method,
    options: Options,
    hops: u8,
    /// Bytes of fields that were named.
    brought: usize,
    content_type: &'a str,
    body: &'a [u8],
    scope: &'a str,
}

impl<'a> Parts<'a> {
    fn with(self, scratch: &'a Scratch) -> Intake<'a> {
        let text = &scratch.text[..];
        let texts = |ranges| Texts { text, ranges };
        Intake {
            method: self.method,
            urls: texts(&scratch.urls),
            topics: texts(&scratch.topics),
            options: self.options,
            fields: &scratch.fields,
            kept: &scratch.kept,
            hops: self.hops,
            brought: scratch.fields.get(..self.brought).unwrap_or_default(),
            content_type: self.content_type,
            body: self.body,
            scope: self.scope,
            said: Said {
                text,
                rows: &scratch.said,
            },
        }
    }
}

fn stray_field(name: &[u8]) -> Problem {
    let name = String::from_utf8_lossy(name);
    let name: String = name.chars().take(80).collect();
    let detail = format!("query field {name:?} is no option; allowed: options, or a form body");
    Problem::new(Reason::BadQuery, detail)
}

#[cfg(test)]
mod tests;
