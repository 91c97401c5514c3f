//! What a target may wish for the next attempt, and what comes of wishes that are none.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{ended, retrying, schedule};
use crate::server::Server;
use crate::target::{Absent, Target};

const HOUR: u64 = 3_600;

/// Seconds from the last attempt to the next.
fn wait(at: SocketAddr, target: &Target, more: &str) -> f64 {
    let id = schedule(at, &target.url("/"), more);
    let delivery = retrying(at, &id);
    let attempts = delivery["attempts"].as_array().expect("a list");
    let last = attempts.last().expect("an attempt");
    seconds(&delivery["next_attempt_at"]) - seconds(&last["at"])
}

/// A time in seconds since some midnight. A wait of a day and its jitter goes over two of them at
/// most, so the day of the year is enough; a new year is not.
fn seconds(at: &Value) -> f64 {
    let text = at.as_str().expect("a time");
    let (date, time) = text.trim_end_matches('Z').split_once('T').expect("a time");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let time = time
        .split(':')
        .fold(0.0, |sum, part| sum * 60.0 + number(part));
    days(date) as f64 * 86_400.0 + time
}

/// Days since 1970-03-01 in the Gregorian calendar, years counted from March.
fn days(date: &str) -> i64 {
    let mut parts = date
        .split('-')
        .map(|part| part.parse::<i64>().expect("a number"));
    let mut next = || parts.next().expect("a part");
    let (year, month, day) = (next(), next(), next());
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day
}

fn busy(status: u16, wish: &str) -> Target {
    let answer =
        format!("HTTP/1.1 {status} Busy\r\nRetry-After: {wish}\r\nContent-Length: 0\r\n\r\n");
    Target::new(move |_| answer.as_bytes().into())
}

/// A date so many seconds ahead.
fn date(ahead: u64) -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(ahead))
}

#[test]
fn a_wish_is_kept_for_a_day_at_most_and_garbage_is_none() {
    let server = Server::start();
    let (minute, day) = (60.0, 24.0 * 3_600.0);
    // Without a wish the next attempt is a minute away, give or take a fifth.
    let none = (0.8 * minute, 1.2 * minute);
    let rows = [
        (503, "7200".to_owned(), (2.0 * 3_600.0, 2.5 * 3_600.0)),
        (429, "7200".to_owned(), (2.0 * 3_600.0, 2.5 * 3_600.0)),
        (503, date(2 * HOUR), (2.0 * 3_600.0 - minute, 2.5 * 3_600.0)),
        (503, "1000000000".to_owned(), (day, 1.2 * day)),
        (503, "99999999999999999999".to_owned(), (0.0, 1.2 * day)),
        (429, date(400 * 24 * HOUR), (day, 1.2 * day)),
        (503, "Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), none),
        (503, "0".to_owned(), none),
        (503, "soon".to_owned(), none),
        (503, "-7200".to_owned(), none),
        (503, "7200.5".to_owned(), none),
        (503, "7200 s".to_owned(), none),
        (503, "\u{e9}".to_owned(), none),
        // Whoever fails otherwise may wish as well.
        (500, "7200".to_owned(), (2.0 * 3_600.0, 2.5 * 3_600.0)),
    ];
    for (status, wish, (least, most)) in rows {
        let target = busy(status, &wish);
        let found = wait(server.addr(), &target, "&_retry_schedule=1m");
        let fits = least - 1.0 <= found && found <= most + 60.0;
        assert!(fits, "{status} {wish:?}: {found} s, not {least} to {most}");
    }
}

#[test]
fn who_is_not_there_is_refused_and_called_again() {
    let (server, absent) = (Server::start(), Absent::new());
    let id = schedule(
        server.addr(),
        &absent.url("/"),
        "&_retry_schedule=10ms&_retries=1000",
    );
    let first = retrying(server.addr(), &id)["attempts"][0].take();
    assert_eq!(
        (&first["error"], &first["detail"]),
        (&"connect".into(), &"refused".into())
    );
    let target = absent.listen(|_| crate::target::OK.into());
    target.arrival();
    assert_eq!(ended(server.addr(), &id)["status"], "delivered");
}
