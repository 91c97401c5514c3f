//! What the parameters of one request said, and the wish that they make together.
//! It knows no spelling; it decides what wins, what goes with what, and what holds by default.

use std::time::Duration;

use super::{Asked, Row, TABLE};
use crate::base::time::Wall;
use crate::http::accept::{self, Fit};
use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::model::MessageId;
use crate::topics::filter::{Filter, Want};
use crate::topics::format::{Format, Framing, Style};
use crate::topics::wish::{Cursor, LOST, Mode, Selection, Wish};

/// Everything that was given.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) topics: Vec<Box<[u8]>>,
    pub(super) prefixes: Vec<Box<[u8]>>,
    pub(super) wants: Vec<Want>,
    pub(super) values: Values,
}

/// What the parameters said that stand once.
#[derive(Debug, Default)]
pub struct Values {
    pub(super) format: Option<Kind>,
    pub(super) delimited: bool,
    pub(super) raw_data: bool,
    pub(super) count: Option<Count>,
    pub(super) since: Option<Since>,
    pub(super) last_event_id: Option<MessageId>,
    pub(super) poll: bool,
    pub(super) wait: Option<Duration>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) heartbeat: bool,
    pub(super) stall_warnings: bool,
    pub(super) drops: bool,
    pub(super) retry_ms: Option<u32>,
}

/// A format as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Raw,
    Json,
    Sse,
}

/// `count`: so many of the last, and whether the stream ends with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) last: u64,
    pub(super) ends: bool,
}

/// `since`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    After(MessageId),
    At(Wall),
    All,
    Latest,
}

impl Given {
    /// The wish, with the defaults filled in.
    pub(super) fn settle(self, asked: &Asked<'_>) -> Result<Wish, Problem> {
        if self.topics.is_empty() && self.prefixes.is_empty() {
            let detail = "topic: missing; allowed: a name, as in /stream?topic=news";
            return Err(Problem::new(Reason::BadParameter, detail));
        }
        let values = &self.values;
        let mode = values.mode();
        let style = values.style(asked, mode)?;
        let (cursor, conditional) = values.cursor(asked, mode)?;
        Ok(Wish {
            style,
            cursor,
            mode,
            conditional,
            keep_alive: values.keep_alive,
            stall_warnings: values.stall_warnings,
            drops: values.drops,
            retry_ms: values.retry_ms,
            selection: Selection {
                topics: self.topics,
                prefixes: self.prefixes,
                filter: Filter::of(self.wants),
            },
        })
    }
}

impl Values {
    fn mode(&self) -> Mode {
        match (self.wait, self.poll, self.count) {
            (Some(span), _, _) => Mode::Wait(span),
            (None, true, _) => Mode::Poll,
            (None, false, Some(Count { ends: true, .. })) => Mode::Kept,
            _ => Mode::Live,
        }
    }

    fn style(&self, asked: &Asked<'_>, mode: Mode) -> Result<Style, Problem> {
        let kind = match (self.format, asked.accept) {
            (Some(kind), _) => kind,
            (None, Some(accept)) => negotiate(accept)?,
            (None, None) => Kind::Raw,
        };
        let format = match (kind, self.delimited, self.raw_data) {
            (Kind::Raw, false, _) => Format::Raw,
            (Kind::Raw, true, _) => Format::RawLength,
            (Kind::Json, false, false) => Format::Json,
            (Kind::Json, true, false) => Format::JsonLength,
            (Kind::Sse, false, false) => Format::Sse,
            (Kind::Sse, false, true) => Format::SseRaw,
            (Kind::Sse, true, _) => return Err(misplaced("delimited", "length", "sse")),
            (Kind::Json, false, true) => Format::JsonRaw,
            (Kind::Json, true, true) => {
                return Err(misplaced("data", "raw", "json and delimited=length"));
            }
        };
        // An answer that has a length is no stream of chunks.
        let framing = match mode {
            Mode::Live | Mode::Kept if asked.http11 => Framing::Chunked,
            _ => Framing::Plain,
        };
        Ok(Style {
            format,
            framing,
            heartbeat: self.heartbeat && kind == Kind::Sse,
        })
    }

    /// Where it begins, and whether If-None-Match said so. What a client adds by itself when it
    /// comes back on the same URL wins over what stands in the URL.
    fn cursor(&self, asked: &Asked<'_>, mode: Mode) -> Result<(Cursor, bool), Problem> {
        if let (Some(_), Some(count)) = (self.since, self.count) {
            let complaint = "stands beside since";
            return Err(bad_count(
                Reason::BadParameter,
                count,
                complaint,
                "one of them",
            ));
        }
        let answer = matches!(mode, Mode::Poll | Mode::Wait(_));
        let field = asked.last_event_id.map(<[u8]>::trim_ascii);
        if let Some(id) = field.filter(|id| !id.is_empty()) {
            return Ok((Cursor::After(seen(id)), false));
        }
        if let Some(id) = self.last_event_id {
            return Ok((Cursor::After(id), false));
        }
        if let Some(id) = asked.if_none_match.filter(|_| answer).and_then(entity_tag) {
            return Ok((Cursor::After(id), true));
        }
        let cursor = match (self.since, self.count) {
            (Some(Since::After(id)), _) => Cursor::After(id),
            (Some(Since::At(at)), _) => Cursor::Since(at),
            (Some(Since::All), _) => Cursor::All,
            (Some(Since::Latest), _) => Cursor::Now,
            (None, Some(count)) => Cursor::Last(kept(count, asked)?),
            (None, None) if self.poll => Cursor::All,
            (None, None) => Cursor::Now,
        };
        Ok((cursor, false))
    }
}

/// The message that a Last-Event-ID names. Browsers send what they got last, from whoever answered
/// on this URL then, and take any refusal as the end for good; so a word that we never gave is as
/// good as an id that is too old: the reader gets everything that is kept, and is told so.
fn seen(id: &[u8]) -> MessageId {
    let text = std::str::from_utf8(id).ok();
    text.and_then(MessageId::parse).unwrap_or(LOST)
}

/// The newest id among entity tags (RFC 9110 section 8.8.3): `"msg_…"`, `W/"msg_…"`, with commas
/// between. Tags that are none of ours match nothing and say nothing.
fn entity_tag(field: &[u8]) -> Option<MessageId> {
    let ids = field.split(|byte| *byte == b',').filter_map(|tag| {
        let tag = tag.trim_ascii();
        let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
        let id = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        MessageId::parse(std::str::from_utf8(id).ok()?)
    });
    ids.max()
}

/// How many of the last messages; no more than any topic keeps.
fn kept(count: Count, asked: &Asked<'_>) -> Result<u32, Problem> {
    let most = asked.settings.widest().messages;
    let last = u32::try_from(count.last).ok();
    if let Some(last) = last.filter(|last| *last as usize <= most) {
        return Ok(last);
    }
    let allowed = format!("1 to {most}, or -1 to -{most} (--backlog-messages)");
    let complaint = "is more than is kept";
    Err(bad_count(Reason::BeyondBacklog, count, complaint, &allowed))
}

fn bad_count(reason: Reason, count: Count, complaint: &str, allowed: &str) -> Problem {
    let sign = if count.ends { "-" } else { "" };
    let value = format!("{sign}{}", count.last);
    Problem::of_value(reason, "count", value.as_bytes(), complaint, allowed)
}

/// The refusal of a value that changes what a format is, and does not go with this one.
fn misplaced(name: &str, value: &str, format: &str) -> Problem {
    let row = TABLE.iter().find(|row| row.name == name);
    let allowed = row.map_or("", |row: &Row| row.allowed);
    let complaint = format!("does not go with {format}");
    Problem::of_value(
        Reason::BadParameter,
        name,
        value.as_bytes(),
        &complaint,
        allowed,
    )
}

/// The format that an Accept field wants most. A range that names no type leaves us the choice, and
/// that is raw.
fn negotiate(accept: &[u8]) -> Result<Kind, Problem> {
    // Of those wanted alike the last wins, so the order is ours, least first.
    let offers = [
        (Kind::Raw, form::MEDIA_TYPE),
        (Kind::Json, "application/json"),
        (Kind::Json, "application/x-ndjson"),
        (Kind::Sse, "text/event-stream"),
    ];
    let mut best = None;
    for (kind, media_type) in offers {
        let Some(preference) = accept::preference(accept, media_type) else {
            // It says nothing at all.
            return Ok(Kind::Raw);
        };
        let better = match best {
            None => true,
            Some((_, known)) if preference.fit == Fit::Exact => preference >= known,
            Some((_, known)) => preference > known,
        };
        if preference.weight > 0 && better {
            best = Some((kind, preference));
        }
    }
    let allowed = "application/x-www-form-urlencoded, application/x-ndjson, application/json, \
                   text/event-stream, or format=raw, json, sse";
    best.map(|(kind, _)| kind).ok_or_else(|| {
        let (reason, complaint) = (Reason::NotAcceptable, "names no format of streams");
        Problem::of_value(reason, "Accept", accept, complaint, allowed)
    })
}
