//! Reads a POST to /dispatch/batch: where its messages lie, and what each of them asks for. What
//! the request says in its headers and its query goes before what a message says.
//! It builds no tree: a message is read where it lies, and only what is escaped is copied.
//!
//! ```text
//!  [{…}, {…}]   or   {…}\n{…}\n     each of them {"url" or "topic": …, "method", "headers": {…},
//!                                  "body": …, "body_base64": "…", any option by its name}
//! ```

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;

use super::body::{Query, bad_json};
use super::reader::Reader;
use super::{Intake, Parts, Scratch, Submission, stray_field};
use crate::base::time::Wall;
use crate::dispatch::Settings;
use crate::dispatch::draft::Accepted;
use crate::dispatch::fields::FIELD_FORM;
use crate::dispatch::options;
use crate::http::field;
use crate::http::json::scan;
use crate::http::problem::{Problem, Reason};
use crate::http::write;
use crate::model::Method;

/// Messages of one batch at most.
pub const ITEMS_MAX: usize = 10_000;

/// Where the messages of a batch lie in its body, in order; all of it is JSON. What the headers and
/// the query say was looked at: it goes for each of them.
///
/// # Errors
/// What is wrong with the request as a whole.
pub fn items(
    submission: &Submission<'_>,
    now: Wall,
    scratch: &mut Scratch,
) -> Result<Vec<Range<usize>>, Problem> {
    scratch.clear();
    let mut reader = Reader::new(scratch, now);
    reader.common(submission)?;
    if reader.given.once.is_some() {
        let detail = "idempotency-key: it stands for one message, and this is a batch; allowed: \
                      the member idempotency_key of each";
        return Err(Problem::new(Reason::BadOption, detail));
    }
    let body = submission.body;
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace());
    match start.and_then(|start| body.get(start)) {
        None => Err(Problem::new(Reason::BadJson, WANTED)),
        Some(b'[') => elements(body),
        Some(_) => lines(body),
    }
}

const WANTED: &str = "byte 0: an array of messages expected, or one on each line";

fn elements(body: &[u8]) -> Result<Vec<Range<usize>>, Problem> {
    let mut items = Vec::new();
    for element in scan::array(body).map_err(bad_json)?.into_iter().flatten() {
        push(&mut items, element.map_err(bad_json)?.value)?;
    }
    Ok(items)
}

/// One message on each line; empty lines are none.
fn lines(body: &[u8]) -> Result<Vec<Range<usize>>, Problem> {
    let mut items = Vec::new();
    let (mut start, mut number) = (0, 0_u64);
    for line in body.split(|byte| *byte == b'\n') {
        let range = start..start + line.len();
        start = range.end + 1;
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let malformed = match scan::object(line) {
            Ok(members) => members.into_iter().flatten().find_map(Result::err),
            Err(malformed) => Some(malformed),
        };
        if let Some(malformed) = malformed {
            let detail = format!("line {number}, {malformed}");
            return Err(Problem::new(Reason::BadJson, detail));
        }
        push(&mut items, range)?;
    }
    Ok(items)
}

fn push(items: &mut Vec<Range<usize>>, item: Range<usize>) -> Result<(), Problem> {
    if items.len() == ITEMS_MAX {
        let detail = format!("allowed: {ITEMS_MAX} messages, and --max-body bytes in all");
        return Err(Problem::new(Reason::BatchTooLong, detail));
    }
    items.push(item);
    Ok(())
}

/// Reads one message of a batch, which is JSON.
///
/// # Errors
/// What is wrong with it.
pub fn read<'a>(
    submission: &Submission<'a>,
    item: &'a [u8],
    defaults: &Settings,
    now: Wall,
    scratch: &'a mut Scratch,
) -> Result<Intake<'a>, Problem> {
    scratch.clear();
    let mut reader = Reader::new(scratch, now);
    reader.common(submission)?;
    reader.next_source();
    let found = reader.item(item)?;
    if !reader.has_target() {
        return Err(Reason::NoDestination.into());
    }
    let brought = reader.scratch.fields.len();
    reader.relay(submission)?;
    let (given, hops) = (reader.given, reader.hops);
    let method = given.method.unwrap_or(Method::Post);
    let options = given.settle(defaults, now)?;
    let scratch = &*scratch;
    let (usual, body) = match found.content {
        Content::None => ("", &[][..]),
        Content::Text => ("text/plain; charset=utf-8", &scratch.body[..]),
        Content::Bytes => ("application/octet-stream", &scratch.body[..]),
        Content::Json(range) => ("application/json", item.get(range).unwrap_or_default()),
    };
    let named = found.content_type.and_then(|range| scratch.text.get(range));
    let named = named.and_then(|named| std::str::from_utf8(named).ok());
    let parts = Parts {
        method,
        options,
        hops,
        brought,
        content_type: named.unwrap_or(usual),
        body,
        scope: submission.caller.scope,
    };
    Ok(parts.with(scratch))
}

/// Appends what became of a message.
pub(in crate::dispatch) fn answer(out: &mut Vec<u8>, taken: &Result<Accepted, Problem>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    match taken {
        Ok(accepted) => {
            out.extend_from_slice(b"{\"id\":\"");
            out.extend_from_slice(&accepted.id.text());
            out.push(b'"');
            if accepted.duplicate {
                out.extend_from_slice(b",\"duplicate\":true");
            }
        }
        Err(why) => {
            out.extend_from_slice(b"{\"error\":");
            write::problem_object(out, why);
        }
    }
    out.push(b'}');
}

/// Where a message's body lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    None,
    /// A string, in the scratch.
    Text,
    /// Bytes that came in base64, in the scratch.
    Bytes,
    /// JSON, in the message.
    Json(Range<usize>),
}

/// What a message says besides targets, options and fields.
#[derive(Debug)]
struct Found {
    content: Content,
    /// In the scratch's text.
    content_type: Option<Range<usize>>,
}

impl Reader<'_> {
    /// What the request says for all its messages.
    fn common(&mut self, submission: &Submission<'_>) -> Result<(), Problem> {
        self.caller(submission.caller)?;
        self.headers(submission.headers)?;
        let query = Query(submission.query.unwrap_or_default().as_bytes());
        match self.query(query)? {
            Some(stray) => Err(stray_field(stray)),
            None => Ok(()),
        }
    }

    /// Takes the members of a message. One that is null is as if it were not there.
    fn item(&mut self, item: &[u8]) -> Result<Found, Problem> {
        let members = scan::object(item).map_err(bad_json)?;
        let members = members.ok_or_else(|| bad_item("a message is an object"))?;
        let mut found = Found {
            content: Content::None,
            content_type: None,
        };
        for member in members {
            let member = member.map_err(bad_json)?;
            let name = item.get(member.name.clone()).and_then(scan::text);
            let value = item.get(member.value.clone()).unwrap_or_default();
            let name = name.unwrap_or_default();
            match &*name {
                _ if value == b"null" => {}
                b"body" | b"body_base64" if found.content != Content::None => {
                    return Err(bad_item("body: there are two of them; allowed: one"));
                }
                b"body" => found.content = self.content(value, member.value)?,
                b"body_base64" => found.content = self.base64(value)?,
                b"headers" => self.fields(value, &mut found)?,
                other => {
                    let spelled = String::from_utf8_lossy(other);
                    let option = options::member(other);
                    let option = option.ok_or_else(|| unknown(&spelled))?;
                    self.member(option, &spelled, value)?;
                }
            }
        }
        Ok(found)
    }

    fn content(&mut self, value: &[u8], place: Range<usize>) -> Result<Content, Problem> {
        if !value.starts_with(b"\"") {
            return Ok(Content::Json(place));
        }
        let text = scan::text(value).ok_or_else(|| bad_item("body: half a surrogate pair"))?;
        self.scratch.body.extend_from_slice(&text);
        Ok(Content::Text)
    }

    fn base64(&mut self, value: &[u8]) -> Result<Content, Problem> {
        let text = scan::text(value);
        let decoded =
            text.map(|text| STANDARD_PAD_INDIFFERENT.decode_vec(&*text, &mut self.scratch.body));
        match decoded {
            Some(Ok(())) => Ok(Content::Bytes),
            _ => Err(bad_item(
                "body_base64: it is not; allowed: base64 in a string",
            )),
        }
    }

    /// The fields for the target. The media type is not one of them.
    fn fields(&mut self, value: &[u8], found: &mut Found) -> Result<(), Problem> {
        let members = scan::object(value).map_err(bad_json)?;
        let members = members.ok_or_else(|| bad_item("headers: it is no object"))?;
        for member in members {
            let member = member.map_err(bad_json)?;
            let name = value.get(member.name).and_then(scan::text);
            let name = name.unwrap_or_default();
            let content = value.get(member.value).and_then(scan::text);
            let content = content.as_deref().ok_or("is no string");
            let taken = content.and_then(|content| self.item_field(&name, content, found));
            taken.map_err(|complaint| bad_header(&name, complaint))?;
        }
        Ok(())
    }

    fn item_field(
        &mut self,
        name: &[u8],
        value: &[u8],
        found: &mut Found,
    ) -> Result<(), &'static str> {
        if !name.eq_ignore_ascii_case(b"content-type") {
            return self.field(name, value);
        }
        let value = field::trim(value);
        let is_text = value.iter().all(|byte| field::is_value(*byte));
        if found.content_type.is_some() {
            return Err("is given twice");
        }
        if value.is_empty() || !is_text {
            return Err("is no media type");
        }
        let start = self.scratch.text.len();
        self.scratch.text.extend_from_slice(value);
        found.content_type = Some(start..self.scratch.text.len());
        Ok(())
    }
}

fn bad_item(detail: &'static str) -> Problem {
    Problem::new(Reason::BadOption, detail)
}

/// The value itself is not repeated: it may be somebody's credentials.
fn bad_header(name: &[u8], complaint: &str) -> Problem {
    let name = String::from_utf8_lossy(name);
    let name: Cow<'_, str> = name.chars().take(80).collect();
    let detail = format!("headers: {name:?} {complaint}; allowed: {FIELD_FORM}");
    Problem::new(Reason::BadOption, detail)
}

fn unknown(name: &str) -> Problem {
    Problem::of_value(
        Reason::BadOption,
        "a member",
        name.as_bytes(),
        "is unknown",
        "url, topic, method, headers, body, body_base64, and any option by its name",
    )
}

#[cfg(test)]
mod tests;
