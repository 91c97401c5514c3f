//! `send --wait`: how messages ended, asked for as long as it takes.
//! It prints a line for each delivery.

use std::time::{Duration, Instant};

use super::Failure;
use super::answer::{elements, member, string};
use super::call::{Caller, PATIENCE, Request};
use super::send::print;
use crate::base::exit::Exit;

/// How long the server holds one question, in seconds; it holds none for more than a minute.
const HELD_SECONDS: u64 = 30;

/// Waits until all deliveries of these messages have ended, or for that time.
pub(super) fn run(
    caller: &mut Caller,
    ids: &[String],
    time: Option<Duration>,
) -> Result<(), Failure> {
    let until = time.map(|time| Instant::now() + time);
    let mut failed = 0;
    for id in ids {
        failed += one(caller, id, until)?;
    }
    match failed {
        0 => Ok(()),
        // What is printed says all.
        _ => Err(Failure::new(Exit::Undelivered, "")),
    }
}

/// Waits for one; how many of its deliveries were not delivered.
fn one(caller: &mut Caller, id: &str, until: Option<Instant>) -> Result<usize, Failure> {
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let seconds = left.map_or(HELD_SECONDS, |left| left.as_secs().min(HELD_SECONDS));
        let path = match seconds {
            0 => format!("/messages/{id}"),
            seconds => format!("/messages/{id}?wait={seconds}"),
        };
        let answer = caller.insist(&Request {
            patience: PATIENCE + Duration::from_secs(seconds),
            ..Request::get(&path)
        })?;
        if answer.head.status != 200 {
            return Err(answer.refusal());
        }
        let deliveries = elements(member(&answer.body, "deliveries").unwrap_or_default());
        let ended: Option<Vec<Ended>> = deliveries.iter().map(|it| Ended::of(it)).collect();
        if let Some(ended) = ended {
            let lines: String = ended.iter().map(|it| it.line.as_str()).collect();
            print(&lines)?;
            return Ok(ended.iter().filter(|it| !it.is_delivered).count());
        }
        if left.is_some_and(|left| left.is_zero()) {
            let text = format!("{id} has not ended yet");
            return Err(Failure::new(Exit::LATER, text));
        }
    }
}

/// A delivery that has ended.
struct Ended {
    is_delivered: bool,
    line: String,
}

impl Ended {
    /// Of the server's JSON; `None` if it has not ended.
    fn of(delivery: &[u8]) -> Option<Ended> {
        let status = string(delivery, "status")?;
        if !matches!(&*status, "delivered" | "failed" | "expired" | "canceled") {
            return None;
        }
        let attempts = elements(member(delivery, "attempts").unwrap_or_default());
        let last = attempts.last().copied().unwrap_or_default();
        let number = member(last, "status").filter(|it| *it != b"null");
        let why = match number {
            Some(number) => String::from_utf8_lossy(number).into_owned(),
            None => string(last, "error").unwrap_or("-".into()).into_owned(),
        };
        let url = string(delivery, "url").unwrap_or_default();
        let line = format!("{status} {why} {url}").replace(char::is_control, " ");
        Some(Ended {
            is_delivered: status == "delivered",
            line: line + "\n",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_ending() {
        let rows = [
            (
                r#"{"n":1,"url":"http://a/","status":"delivered","attempts":[{"status":500},
                   {"status":200,"error":null}]}"#,
                Some("delivered 200 http://a/\n"),
            ),
            (
                r#"{"url":"http://a/","status":"failed","attempts":[{"status":null,
                   "error":"connect"}]}"#,
                Some("failed connect http://a/\n"),
            ),
            (
                r#"{"url":"http://a/\u001b[2J","status":"canceled","attempts":[]}"#,
                Some("canceled - http://a/ [2J\n"),
            ),
            (
                r#"{"url":"http://a/","status":"retrying","attempts":[]}"#,
                None,
            ),
            (r#"{"url":"http://a/"}"#, None),
        ];
        for (json, expected) in rows {
            let line = Ended::of(json.as_bytes()).map(|it| it.line);
            assert_eq!(line.as_deref(), expected, "{json}");
        }
    }
}
