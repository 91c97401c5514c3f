//! The window onto topics: who reads them and what is kept, a page at a time.
//! It only reads; ending streams is the engine's.

use super::page::{LIMIT_DEFAULT, LIMIT_MAX, number, separate};
use crate::base::time::Mono;
use crate::http::problem::{Problem, Reason};
use crate::http::{form, json, write};
use crate::hub::Hub;
use crate::topics::window::Row;
use crate::topics::{DELETED_MAX, Topics};

/// The topics that have readers or a backlog, from the query's `cursor` on, `limit` at most, as
/// `{"topics":[…],"next":…}`. `next` is the cursor of the next page, or null.
///
/// # Errors
/// A parameter has a value it cannot have.
pub fn list(topics: &Topics, hub: &Hub, now: Mono, query: &str) -> Result<Vec<u8>, Problem> {
    let (mut limit, mut index) = (LIMIT_DEFAULT, 0);
    for field in form::fields(query.as_bytes()) {
        let value = form::decode(field.value);
        match &*form::decode(field.name) {
            b"limit" => limit = number("limit", &value, 1, LIMIT_MAX)?,
            b"cursor" => index = number("cursor", &value, 0, u32::MAX as usize)?,
            _ => {}
        }
    }
    let mut out = br#"{"topics":["#.to_vec();
    let mut shown = 0;
    let next = loop {
        let Some(found) = topics.row_from(index) else {
            break None;
        };
        if shown == limit {
            break Some(found.index);
        }
        index = found.index + 1;
        separate(&mut out, shown > 0);
        row(&mut out, &found, hub.verified(now, found.name));
        shown += 1;
    };
    out.extend_from_slice(br#"],"next":"#);
    match next {
        Some(index) => json::string(&mut out, &index.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

/// The topic of that name.
///
/// # Errors
/// Nobody reads it, nothing of it is kept, and nobody subscribes to it.
pub fn one(topics: &Topics, hub: &Hub, now: Mono, name: &[u8]) -> Result<Vec<u8>, Problem> {
    let callbacks = hub.verified(now, name);
    let nothing = Row {
        index: 0,
        name,
        streams: topics.readers(name),
        messages: 0,
        bytes: 0,
        published: 0,
        last: None,
    };
    let found = topics.row(name);
    if found.is_none() && callbacks == 0 {
        return Err(unknown(name));
    }
    let mut out = Vec::new();
    row(&mut out, &found.unwrap_or(nothing), callbacks);
    out.push(b'\n');
    Ok(out)
}

/// What a DELETE did: streams and polls ended, messages dropped.
#[must_use]
pub fn ended(name: &[u8], streams: usize, messages: u64) -> Vec<u8> {
    let mut out = begin(name);
    member(&mut out, "ended", streams as u64);
    member(&mut out, "dropped", messages);
    out.extend_from_slice(b"}\n");
    out
}

/// The refusal where nothing is known of a topic. Topics need not be created, so that a name that
/// was spelled wrongly is the likely reason.
#[must_use]
pub fn unknown(name: &[u8]) -> Problem {
    let (complaint, allowed) = (
        "has no reader, no subscriber and no message that is kept",
        "the names of /topics, percent-encoded",
    );
    Problem::of_value(Reason::UnknownTopic, "topic", name, complaint, allowed)
}

/// Why no topic is deleted for a while.
#[must_use]
pub fn too_many() -> Problem {
    let detail = format!(
        "DELETE /topics: {DELETED_MAX} topics were deleted within the age of their backlogs \
         (--backlog-age); allowed: one more when that is over for one of them"
    );
    Problem::new(Reason::TooManyRequests, detail)
}

fn begin(name: &[u8]) -> Vec<u8> {
    let mut out = br#"{"topic":"#.to_vec();
    json::string(&mut out, &String::from_utf8_lossy(name));
    out
}

fn member(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write::number(out, value);
}

fn row(out: &mut Vec<u8>, found: &Row<'_>, callbacks: usize) {
    out.extend_from_slice(&begin(found.name));
    member(out, "streams", found.streams as u64);
    member(out, "callbacks", callbacks as u64);
    member(out, "messages", found.messages);
    member(out, "bytes", found.bytes as u64);
    member(out, "published", found.published);
    out.extend_from_slice(br#","last_id":"#);
    match found.last {
        Some(id) => json::string(out, &id.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}
