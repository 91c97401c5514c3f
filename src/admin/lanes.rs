//! The window onto lanes: what waits and runs for each origin, a page at a time.
//! It only reads; pausing is the engine's.

use super::page::{LIMIT_DEFAULT, LIMIT_MAX, number, separate};
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::courier::breaker::State;
use crate::courier::{Courier, View};
use crate::http::form;
use crate::http::json;
use crate::http::problem::Problem;

/// The lanes from the query's `cursor` on, `limit` at most, as `{"lanes":[…],"next":…}`. `next` is
/// the cursor of the next page, or null.
///
/// # Errors
/// A parameter has a value it cannot have.
pub fn list(courier: &Courier, now: Mono, query: &str) -> Result<Vec<u8>, Problem> {
    let (mut limit, mut index) = (LIMIT_DEFAULT, 0);
    for field in form::fields(query.as_bytes()) {
        let value = form::decode(field.value);
        match &*form::decode(field.name) {
            b"limit" => limit = number("limit", &value, 1, LIMIT_MAX)?,
            b"cursor" => index = number("cursor", &value, 0, u32::MAX as usize)?,
            _ => {}
        }
    }
    let mut out = br#"{"lanes":["#.to_vec();
    let mut shown = 0;
    let next = loop {
        let Some(key) = courier.lane_from(index) else {
            break None;
        };
        if shown == limit {
            break Some(index);
        }
        index = key.index() + 1;
        if let Some(view) = courier.view(key) {
            separate(&mut out, shown > 0);
            row(&mut out, now, &view);
            shown += 1;
        }
    };
    out.extend_from_slice(br#"],"next":"#);
    match next {
        Some(index) => json::string(&mut out, &index.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

/// One lane as a JSON object.
#[must_use]
pub fn one(courier: &Courier, now: Mono, lane: Key) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(view) = courier.view(lane) {
        row(&mut out, now, &view);
        out.push(b'\n');
    }
    out
}

fn row(out: &mut Vec<u8>, now: Mono, view: &View<'_>) {
    out.extend_from_slice(br#"{"origin":"#);
    json::string(out, &view.origin.to_string());
    let (breaker, paused) = (view.breaker.as_str(), view.paused);
    let (waiting, in_flight, idle) = (view.waiting, view.in_flight, view.idle);
    let rest = format!(
        r#","waiting":{waiting},"in_flight":{in_flight},"idle":{idle},"breaker":"{breaker}","#
    );
    out.extend_from_slice(rest.as_bytes());
    if let State::Open { until } = view.breaker {
        let probe = format!(r#""probe_in_ms":{},"#, until.since(now).as_millis());
        out.extend_from_slice(probe.as_bytes());
    }
    out.extend_from_slice(format!(r#""paused":{paused}}}"#).as_bytes());
}
