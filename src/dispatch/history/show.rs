//! A message and its deliveries as JSON (dispatch.md section 6), for whoever asks.
//! It changes nothing, and what it shows has neither secrets nor userinfo in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::log::{Log, Record};
use crate::base::time::Wall;
use crate::http::json;
use crate::http::json::instant::time;
use crate::http::request;
use crate::http::response;
use crate::http::write;
use crate::model::{Message, MessageId, Method};

/// What is known of a delivery that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live<'a> {
    /// Its number.
    pub(crate) number: u32,
    /// The target, for people.
    pub(crate) url: &'a str,
    /// The word of the API.
    pub(crate) status: &'static str,
    /// When the next attempt is due, if it waits for one.
    pub(crate) next_attempt: Option<Wall>,
}

/// A message on its way.
pub(crate) fn open(log: &Log, message: &Message, method: Method, live: &[Live<'_>]) -> Vec<u8> {
    // As the log of one that has ended says it.
    let mut head = Log::default();
    head.message(message, method);
    let head = head.records().next().map(|record| own(&record));
    show(message.id, head, log, live)
}

/// A message that has ended.
pub(crate) fn ended(log: &Log, id: MessageId) -> Vec<u8> {
    let head = log
        .records()
        .find(|record| matches!(record, Record::Message { .. }));
    show(id, head.map(|record| own(&record)), log, &[])
}

/// The members that say what the message was.
fn own(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let Record::Message {
        accepted,
        method,
        label,
        topics,
    } = record
    else {
        return out;
    };
    out.extend_from_slice(b",\"accepted_at\":");
    time(&mut out, *accepted);
    out.extend_from_slice(b",\"method\":");
    string(&mut out, method);
    if !topics.is_empty() {
        out.extend_from_slice(b",\"topics\":[");
        let mut rest = *topics;
        while let Some((len, after)) = rest.split_first_chunk::<2>()
            && let Some((name, after)) = after.split_at_checked(u16::from_be_bytes(*len).into())
        {
            comma(&mut out, b'[');
            string(&mut out, name);
            rest = after;
        }
        out.push(b']');
    }
    if !label.is_empty() {
        out.extend_from_slice(b",\"label\":");
        string(&mut out, label);
    }
    out
}

/// A delivery's number, its URL, its status and the detail of that.
type Row<'a> = (u32, &'a [u8], &'a [u8], &'a [u8]);

fn show(id: MessageId, head: Option<Vec<u8>>, log: &Log, live: &[Live<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + 2 * log.len());
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(&id.text());
    out.push(b'"');
    out.extend_from_slice(&head.unwrap_or_default());
    out.extend_from_slice(b",\"deliveries\":[");
    let mut rows: Vec<Row<'_>> = log
        .records()
        .filter_map(|record| match record {
            Record::End {
                number,
                outcome,
                url,
                detail,
            } => Some((number, url, outcome, detail)),
            _ => None,
        })
        .collect();
    let live_rows = live
        .iter()
        .map(|it| (it.number, it.url.as_bytes(), it.status.as_bytes(), &[][..]));
    rows.extend(live_rows);
    rows.sort_unstable_by_key(|(number, ..)| *number);
    for (number, url, status, detail) in rows {
        comma(&mut out, b'[');
        out.extend_from_slice(b"{\"n\":");
        write::number(&mut out, u64::from(number));
        out.extend_from_slice(b",\"url\":");
        string(&mut out, url);
        out.extend_from_slice(b",\"status\":");
        string(&mut out, status);
        if !detail.is_empty() {
            out.extend_from_slice(b",\"detail\":");
            string(&mut out, detail);
        }
        out.extend_from_slice(b",\"attempts\":[");
        attempts(&mut out, log, number);
        out.push(b']');
        let live = live.iter().find(|it| it.number == number);
        if let Some(next) = live.and_then(|it| it.next_attempt) {
            out.extend_from_slice(b",\"next_attempt_at\":");
            time(&mut out, next);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

fn attempts(out: &mut Vec<u8>, log: &Log, of: u32) {
    for record in log.records() {
        let Record::Attempt {
            number,
            attempt,
            at,
            took,
            status,
            error,
            detail,
            truncated,
            head,
            body,
        } = record
        else {
            continue;
        };
        if number != of {
            continue;
        }
        comma(out, b'[');
        out.extend_from_slice(b"{\"at\":");
        time(out, at);
        out.extend_from_slice(b",\"duration_ms\":");
        write::number(out, took / 1_000);
        out.extend_from_slice(b",\"status\":");
        match status {
            0 => out.extend_from_slice(b"null"),
            status => write::number(out, u64::from(status)),
        }
        out.extend_from_slice(b",\"error\":");
        string_or_null(out, error);
        if !detail.is_empty() {
            out.extend_from_slice(b",\"detail\":");
            string(out, detail);
        }
        if status != 0 {
            let (body, truncated) = rest_of(log, of, attempt).unwrap_or((body, truncated));
            answer(out, head, body, truncated);
        }
        out.push(b'}');
    }
}

/// The body that came later.
fn rest_of(log: &Log, of: u32, attempt: u32) -> Option<(&[u8], bool)> {
    let mut records = log.records();
    records.find_map(|record| match record {
        Record::Rest {
            number,
            attempt: its,
            truncated,
            body,
        } if (number, its) == (of, attempt) => Some((body, truncated)),
        _ => None,
    })
}

fn answer(out: &mut Vec<u8>, head: &[u8], body: &[u8], truncated: bool) {
    out.extend_from_slice(b",\"response\":{\"headers\":{");
    let mut slots = request::slots();
    if let Ok(head) = response::parse(head, &mut slots, false) {
        headers(out, head.headers);
    }
    out.push(b'}');
    match std::str::from_utf8(body) {
        Ok(text) => {
            out.extend_from_slice(b",\"body\":");
            json::string(out, text);
        }
        Err(_) => {
            out.extend_from_slice(b",\"body_base64\":\"");
            out.extend_from_slice(STANDARD.encode(body).as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b",\"truncated\":");
    out.extend_from_slice(if truncated { b"true" } else { b"false" });
    out.push(b'}');
}

/// Names in lower case; the values of a repeated one are joined (RFC 9110 section 5.3).
fn headers(out: &mut Vec<u8>, headers: &[httparse::Header<'_>]) {
    for (place, header) in headers.iter().enumerate() {
        let same = |other: &&httparse::Header<'_>| other.name.eq_ignore_ascii_case(header.name);
        if headers.iter().take(place).any(|other| same(&other)) {
            continue;
        }
        comma(out, b'{');
        string(out, header.name.to_ascii_lowercase().as_bytes());
        out.push(b':');
        let values: Vec<&[u8]> = headers
            .iter()
            .filter(same)
            .map(|other| other.value)
            .collect();
        string(out, &values.join(&b", "[..]));
    }
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

fn string_or_null(out: &mut Vec<u8>, text: &[u8]) {
    match text {
        [] => out.extend_from_slice(b"null"),
        text => string(out, text),
    }
}
