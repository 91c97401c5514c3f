//! The window onto subscriptions: whose lease ends when, how their deliveries went, and the
//! operator's way to end them. Secrets, tokens and credentials are not among what it can read.

use super::page::{LIMIT_DEFAULT, LIMIT_MAX, number, separate};
use crate::base::time::{Now, Wall};
use crate::http::form;
use crate::http::json::{self, instant};
use crate::http::problem::{Problem, Reason};
use crate::hub::{Filter, Hub, Row};
use crate::port::Turn;

/// The subscriptions from the query's `cursor` on, `limit` at most, of its `topic` and `callback`
/// if it names them, as `{"subscriptions":[…],"next":…}`. `next` is the cursor of the next page, or
/// null.
///
/// # Errors
/// A parameter has a value it cannot have.
pub fn list(hub: &Hub, now: Now, query: &str) -> Result<Vec<u8>, Problem> {
    let (mut limit, mut index) = (LIMIT_DEFAULT, 0);
    let (mut topic, mut callback) = (None, None);
    for field in form::fields(query.as_bytes()) {
        let value = form::decode(field.value);
        match &*form::decode(field.name) {
            b"limit" => limit = number("limit", &value, 1, LIMIT_MAX)?,
            b"cursor" => index = number("cursor", &value, 0, u32::MAX as usize)?,
            b"topic" => topic = Some(String::from_utf8_lossy(&value).into_owned()),
            b"callback" => callback = Some(String::from_utf8_lossy(&value).into_owned()),
            _ => {}
        }
    }
    let filter = Filter {
        topic: topic.as_deref(),
        callback: callback.as_deref(),
    };
    let mut out = br#"{"subscriptions":["#.to_vec();
    let mut next = None;
    for (shown, found) in hub.rows(now, filter, index).enumerate() {
        if shown == limit {
            next = Some(found.index);
            break;
        }
        separate(&mut out, shown > 0);
        row(&mut out, &found);
    }
    out.extend_from_slice(br#"],"next":"#);
    match next {
        Some(index) => json::string(&mut out, &index.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

/// Ends the subscriptions of the query's `topic`, or only that of its `callback`, whose subscribers
/// are told: `{"denied":N}`.
///
/// # Errors
/// The query names no topic.
pub fn remove(hub: &mut Hub, turn: &mut Turn, query: &str) -> Result<Vec<u8>, Problem> {
    let (mut topic, mut callback) = (None, None);
    for field in form::fields(query.as_bytes()) {
        let value = || Some(String::from_utf8_lossy(&form::decode(field.value)).into_owned());
        match &*form::decode(field.name) {
            b"topic" => topic = value(),
            b"callback" => callback = value(),
            _ => {}
        }
    }
    let Some(topic) = topic.filter(|topic| !topic.is_empty()) else {
        let detail = "topic is missing; allowed: the topic whose subscribers are to be denied";
        return Err(Problem::new(Reason::BadParameter, detail.to_owned()));
    };
    let denied = hub.dismiss(turn, &topic, callback.as_deref());
    Ok(format!("{{\"denied\":{denied}}}\n").into())
}

fn row(out: &mut Vec<u8>, found: &Row<'_>) {
    out.extend_from_slice(br#"{"topic":"#);
    json::string(out, &found.topic);
    out.extend_from_slice(br#","callback":"#);
    json::string(out, found.callback);
    out.extend_from_slice(br#","state":"#);
    json::string(out, found.state);
    time(out, "lease_ends", found.until);
    time(out, "last_delivery", found.last);
    let (status, failures, waiting) = (found.status, found.failures, found.waiting);
    let status = match status {
        0 => "null".to_owned(),
        status => status.to_string(),
    };
    out.extend_from_slice(format!(r#","last_status":{status},"last_error":"#).as_bytes());
    match found.error {
        "" => out.extend_from_slice(b"null"),
        error => json::string(out, error),
    }
    let rest = format!(r#","failures":{failures},"waiting":{waiting}}}"#);
    out.extend_from_slice(rest.as_bytes());
}

fn time(out: &mut Vec<u8>, name: &str, at: Option<Wall>) {
    out.extend_from_slice(format!(r#","{name}":"#).as_bytes());
    match at {
        Some(at) => instant::time(out, at),
        None => out.extend_from_slice(b"null"),
    }
}
