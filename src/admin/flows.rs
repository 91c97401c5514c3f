//! The windows onto flows and queues: what each holds back, a page at a time. They only read.

use super::page::{LIMIT_DEFAULT, LIMIT_MAX, number, separate};
use crate::base::time::{Mono, Now, Wall};
use crate::dispatch::deliveries::{Deliveries, QueueView};
use crate::dispatch::flows;
use crate::http::form;
use crate::http::json::{self, instant};
use crate::http::problem::Problem;

/// The flows from the query's `cursor` on, `limit` at most, as `{"flows":[…],"next":…}`. `next` is
/// the cursor of the next page, or null.
///
/// # Errors
/// A parameter has a value it cannot have.
pub fn list(deliveries: &Deliveries, now: Now, query: &str) -> Result<Vec<u8>, Problem> {
    let flows = deliveries.flows();
    page("flows", query, |out, index, first| {
        let key = flows.flow_from(index)?;
        if let Some(view) = flows.view(key) {
            separate(out, !first);
            flow(out, now, &view);
        }
        Some(key.index() + 1)
    })
}

/// The queues that have deliveries in memory, in the same way, as `{"queues":[…],"next":…}`.
///
/// # Errors
/// A parameter has a value it cannot have.
pub fn queues(deliveries: &Deliveries, now: Now, query: &str) -> Result<Vec<u8>, Problem> {
    page("queues", query, |out, index, first| {
        let key = deliveries.queues().queue_from(index)?;
        if let Some(view) = deliveries.queue(now, key) {
            separate(out, !first);
            queue(out, &view);
        }
        Some(key.index() + 1)
    })
}

/// A page of rows. `row` writes the one at an index or later, the first of the page or not, and
/// gives the index after it.
fn page(
    name: &str,
    query: &str,
    mut row: impl FnMut(&mut Vec<u8>, usize, bool) -> Option<usize>,
) -> Result<Vec<u8>, Problem> {
    let (mut limit, mut index) = (LIMIT_DEFAULT, 0);
    for field in form::fields(query.as_bytes()) {
        let value = form::decode(field.value);
        match &*form::decode(field.name) {
            b"limit" => limit = number("limit", &value, 1, LIMIT_MAX)?,
            b"cursor" => index = number("cursor", &value, 0, u32::MAX as usize)?,
            _ => {}
        }
    }
    let mut out = format!(r#"{{"{name}":["#).into_bytes();
    let mut next = Some(index);
    for shown in 0..limit {
        next = next.and_then(|index| row(&mut out, index, shown == 0));
    }
    // There may be nothing more, which the next page says then.
    out.extend_from_slice(br#"],"next":"#);
    match next {
        Some(index) => json::string(&mut out, &index.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

/// `{"key":…}` or `{"origin":…}`, and the rest.
fn flow(out: &mut Vec<u8>, now: Now, view: &flows::View<'_>) {
    let name = String::from_utf8_lossy(view.name);
    let (kind, name) = name.split_once(':').unwrap_or(("key", &name));
    out.extend_from_slice(format!(r#"{{"{kind}":"#).as_bytes());
    json::string(out, name);
    out.extend_from_slice(br#","rate":"#);
    match view.rate {
        Some(rate) => json::string(out, &rate.to_string()),
        None => out.extend_from_slice(b"null"),
    }
    let parallelism = view
        .parallelism
        .map_or("null".to_owned(), |it| it.to_string());
    let (waiting, in_flight) = (view.waiting, view.in_flight);
    let rest =
        format!(r#","parallelism":{parallelism},"waiting":{waiting},"in_flight":{in_flight}"#);
    out.extend_from_slice(rest.as_bytes());
    next_at(out, view.next.map(|at| wall(now, at)));
    out.push(b'}');
}

fn queue(out: &mut Vec<u8>, view: &QueueView<'_>) {
    out.extend_from_slice(br#"{"name":"#);
    json::string(out, &String::from_utf8_lossy(view.name));
    let (waiting, status) = (view.waiting, view.status);
    out.extend_from_slice(format!(r#","waiting":{waiting},"head":"#).as_bytes());
    json::string(out, &view.head.to_string());
    out.extend_from_slice(br#","status":"#);
    json::string(out, status);
    next_at(out, view.next);
    out.push(b'}');
}

fn next_at(out: &mut Vec<u8>, at: Option<Wall>) {
    out.extend_from_slice(br#","next_at":"#);
    match at {
        Some(at) => instant::time(out, at),
        None => out.extend_from_slice(b"null"),
    }
}

fn wall(now: Now, at: Mono) -> Wall {
    now.wall + at.since(now.mono)
}
