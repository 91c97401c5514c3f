//! The window onto messages: what became of one, or of many, as JSON (dispatch.md section 6).
//! It only reads, and what it shows has neither secrets nor userinfo in it.

use crate::base::time::Wall;
use crate::http::json::instant::time;
use crate::http::json::{self, answer};
use crate::http::write;
use crate::model::MessageId;
use crate::model::record::{Answered, Attempt, Story, Told};

mod asked;

pub use asked::{Asked, search, wait};

/// A message with all that is known of it.
#[must_use]
pub fn one(story: &Story) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    message(&mut out, story, true);
    out.push(b'\n');
    out
}

/// The beginning of an answer to a search.
#[must_use]
pub fn begin() -> Vec<u8> {
    b"{\"messages\":[".to_vec()
}

/// A further message of that answer.
pub fn row(out: &mut Vec<u8>, story: &Story) {
    comma(out, b'[');
    message(out, story, false);
}

/// Its end; `next` is where the next page begins.
pub fn end(out: &mut Vec<u8>, next: Option<MessageId>) {
    out.push(b']');
    cursor(out, next);
}

/// The answer to a resend of many: the new ids, and where to go on if there may be more.
#[must_use]
pub fn resent(ids: &[MessageId], next: Option<MessageId>) -> Vec<u8> {
    let mut out = b"{\"resent\":".to_vec();
    write::number(&mut out, ids.len() as u64);
    out.extend_from_slice(b",\"ids\":[");
    for id in ids {
        comma(&mut out, b'[');
        quoted(&mut out, *id);
    }
    out.push(b']');
    cursor(&mut out, next);
    out
}

/// The answer to a resend of one, as a dispatch is answered in JSON.
#[must_use]
pub fn resent_one(id: MessageId, of: MessageId) -> Vec<u8> {
    let mut out = b"{\"id\":".to_vec();
    quoted(&mut out, id);
    out.extend_from_slice(b",\"status\":\"scheduled\",\"resend_of\":");
    quoted(&mut out, of);
    out.extend_from_slice(b"}\n");
    out
}

/// The answer to a cancellation.
#[must_use]
pub fn canceled(count: u64) -> Vec<u8> {
    format!("{{\"canceled\":{count}}}\n").into()
}

fn cursor(out: &mut Vec<u8>, next: Option<MessageId>) {
    out.extend_from_slice(b",\"next_cursor\":");
    match next {
        Some(next) => quoted(out, next),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
}

fn quoted(out: &mut Vec<u8>, id: MessageId) {
    out.push(b'"');
    out.extend_from_slice(&id.text());
    out.push(b'"');
}

/// `whole` shows answers too.
fn message(out: &mut Vec<u8>, story: &Story, whole: bool) {
    let message = &*story.message;
    out.extend_from_slice(b"{\"id\":");
    quoted(out, message.id);
    out.extend_from_slice(b",\"accepted_at\":");
    time(out, message.accepted);
    out.extend_from_slice(b",\"method\":");
    json::string(out, message.method.as_str());
    out.extend_from_slice(b",\"content_type\":");
    text_or_null(out, &message.content_type);
    out.extend_from_slice(b",\"body_bytes\":");
    write::number(out, story.body_bytes);
    if message.topics.bytes() > 0 {
        out.extend_from_slice(b",\"topics\":[");
        for name in message.topics.iter() {
            comma(out, b'[');
            string(out, name);
        }
        out.push(b']');
    }
    let extra = message.extra.as_deref();
    if let Some(label) = extra.and_then(|extra| extra.label.as_deref()) {
        out.extend_from_slice(b",\"label\":");
        json::string(out, label);
    }
    if let Some(of) = extra.and_then(|extra| extra.resend_of) {
        out.extend_from_slice(b",\"resend_of\":");
        quoted(out, of);
    }
    out.extend_from_slice(b",\"deliveries\":[");
    for told in &story.deliveries {
        comma(out, b'[');
        delivery(out, told, whole);
    }
    out.push(b']');
    if story.more {
        out.extend_from_slice(b",\"more_deliveries\":true");
    }
    out.push(b'}');
}

fn delivery(out: &mut Vec<u8>, told: &Told, whole: bool) {
    out.extend_from_slice(b"{\"n\":");
    write::number(out, u64::from(told.number));
    out.extend_from_slice(b",\"url\":");
    json::string(out, &told.target.url);
    out.extend_from_slice(b",\"status\":");
    json::string(out, told.status.as_str());
    if !told.detail.is_empty() {
        out.extend_from_slice(b",\"detail\":");
        json::string(out, &told.detail);
    }
    out.extend_from_slice(b",\"attempts\":[");
    for it in &told.attempts {
        comma(out, b'[');
        attempt(out, it, whole);
    }
    out.push(b']');
    if let Some(next) = told.next {
        moment(out, ",\"next_attempt_at\":", next);
    }
    out.push(b'}');
}

fn moment(out: &mut Vec<u8>, name: &str, at: Wall) {
    out.extend_from_slice(name.as_bytes());
    time(out, at);
}

fn attempt(out: &mut Vec<u8>, it: &Attempt, whole: bool) {
    moment(out, "{\"at\":", it.at);
    out.extend_from_slice(b",\"duration_ms\":");
    write::number(out, it.took / 1_000);
    out.extend_from_slice(b",\"status\":");
    match it.status {
        0 => out.extend_from_slice(b"null"),
        status => write::number(out, u64::from(status)),
    }
    out.extend_from_slice(b",\"error\":");
    text_or_null(out, &it.error);
    if !it.detail.is_empty() {
        out.extend_from_slice(b",\"detail\":");
        json::string(out, &it.detail);
    }
    if whole && it.status != 0 {
        out.extend_from_slice(b",\"response\":{");
        match &it.answer {
            Some(kept) => response(out, kept),
            // There was no room to keep it.
            None => out.extend_from_slice(b"\"headers\":{},\"body\":\"\",\"truncated\":true"),
        }
        out.push(b'}');
    }
    out.push(b'}');
}

fn response(out: &mut Vec<u8>, kept: &Answered) {
    out.extend_from_slice(b"\"headers\":");
    answer::headers(out, &kept.head);
    out.push(b',');
    answer::body(out, &kept.body);
    let truncated: &[u8] = if kept.truncated { b"true" } else { b"false" };
    out.extend_from_slice(b",\"truncated\":");
    out.extend_from_slice(truncated);
}

/// A comma unless it is the first.
fn comma(out: &mut Vec<u8>, open: u8) {
    if out.last() != Some(&open) {
        out.push(b',');
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    json::string(out, &String::from_utf8_lossy(text));
}

fn text_or_null(out: &mut Vec<u8>, text: &str) {
    match text {
        "" => out.extend_from_slice(b"null"),
        text => json::string(out, text),
    }
}
