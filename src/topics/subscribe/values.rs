//! How the value of each parameter is read from its text.
//! It knows neither where a parameter stood nor what goes with it.

use std::time::Duration;

use super::given::{Count, Kind, Since, Values};
use crate::base::time::{Wall, micros};
use crate::base::units::{parse_bool, parse_duration};
use crate::model::MessageId;

pub(super) const SINCE_FORM: &str = "the id of a message, unix seconds such as 1763880000 or \
                                     1763880000.5, an age such as 30s, 10m, 2h, all, latest";
const OUT_OF_RANGE: &str = "is out of range";
const NOT_ALLOWED: &str = "is not allowed";
/// Clocks that differ by more than this are not to blame for a time that lies ahead.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

pub(super) fn format(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.format = Some(match text {
        "raw" => Kind::Raw,
        "json" => Kind::Json,
        "sse" => Kind::Sse,
        _ => return Err("is not a format"),
    });
    Ok(())
}

pub(super) fn delimited(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.delimited = one_of(text, "length")?;
    Ok(())
}

pub(super) fn data(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.raw_data = one_of(text, "raw")?;
    Ok(())
}

pub(super) fn count(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    let (digits, ends) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if !is_number(digits) {
        return Err("is not a number");
    }
    // What is beyond this is beyond any backlog too.
    let last = digits.parse().unwrap_or(u64::MAX);
    if last == 0 {
        return Err(OUT_OF_RANGE);
    }
    values.count = Some(Count { last, ends });
    Ok(())
}

pub(super) fn since(values: &mut Values, text: &str, now: Wall) -> Result<(), &'static str> {
    values.since = Some(match text {
        "all" => Since::All,
        "latest" => Since::Latest,
        _ if text.starts_with("msg_") => {
            Since::After(MessageId::parse(text).ok_or("is no id of a message")?)
        }
        _ => match unix_time(text) {
            Some(at) if at > now + AHEAD_MAX => return Err("lies ahead"),
            Some(at) => Since::At(at),
            None => {
                let age = parse_duration(text).map_err(|_| "is neither an id nor a time")?;
                Since::At(Wall(now.0.saturating_sub(micros(age))))
            }
        },
    });
    Ok(())
}

pub(super) fn last_event_id(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    // A script that has seen nothing yet often sends it empty.
    if !text.is_empty() {
        values.last_event_id = Some(MessageId::parse(text).ok_or("is no id of a message")?);
    }
    Ok(())
}

pub(super) fn poll(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.poll = parse_bool(text).map_err(|error| error.complaint)?;
    Ok(())
}

pub(super) fn wait(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.wait = Some(seconds(text, 1, 60)?);
    Ok(())
}

pub(super) fn keep_alive(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.keep_alive = Some(seconds(text, 5, 300)?);
    Ok(())
}

pub(super) fn heartbeat(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.heartbeat = match text {
        "event" => true,
        "comment" => false,
        _ => return Err(NOT_ALLOWED),
    };
    Ok(())
}

pub(super) fn stall_warnings(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.stall_warnings = parse_bool(text).map_err(|error| error.complaint)?;
    Ok(())
}

pub(super) fn slow(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    values.drops = match text {
        "drop" => true,
        "disconnect" => false,
        _ => return Err(NOT_ALLOWED),
    };
    Ok(())
}

pub(super) fn retry(values: &mut Values, text: &str, _: Wall) -> Result<(), &'static str> {
    if !is_number(text) {
        return Err("is not a number");
    }
    let retry = text.parse().ok();
    let retry = retry.filter(|retry| (100..=3_600_000).contains(retry));
    values.retry_ms = Some(retry.ok_or(OUT_OF_RANGE)?);
    Ok(())
}

fn one_of(text: &str, only: &str) -> Result<bool, &'static str> {
    (text == only).then_some(true).ok_or(NOT_ALLOWED)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn seconds(text: &str, min: u64, max: u64) -> Result<Duration, &'static str> {
    let span = parse_duration(text).map_err(|error| error.complaint)?;
    (Duration::from_secs(min)..=Duration::from_secs(max))
        .contains(&span)
        .then_some(span)
        .ok_or(OUT_OF_RANGE)
}

/// Seconds since 1970 with or without a fraction, of which what is below a microsecond is dropped;
/// `None` if it is no such number.
fn unix_time(text: &str) -> Option<Wall> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits = fraction.bytes().map(|byte| u64::from(byte - b'0'));
    let digits = digits.chain(std::iter::repeat(0)).take(6);
    let micros = digits.fold(0, |sum, digit| sum * 10 + digit);
    // A number that does not fit lies ahead of any clock.
    let seconds = whole.parse::<u64>().unwrap_or(u64::MAX);
    Some(Wall(
        seconds.saturating_mul(1_000_000).saturating_add(micros),
    ))
}
