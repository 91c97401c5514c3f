//! How the value of each option is read from its text.
//! It knows neither where an option stood nor what its default is.

use std::time::Duration;

use super::{AHEAD_MAX, Expiry, Given, REDIRECTS_MAX, RETRIES_MAX, TIMEOUT_MAX, TIMEOUT_MIN};
use crate::base::time::Wall;
use crate::base::units::{UnitError, parse_bool, parse_duration, parse_instant, parse_size};
use crate::dispatch::flows::Rate;
use crate::dispatch::retry::Schedule;
use crate::dispatch::sign::{Scheme, Secret};
use crate::dispatch::status::Success;
use crate::model::Method;

pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
pub(super) const DELAY_FORM: &str = "up to 366d, in seconds or as 250ms, 10s, 5m, 1d10h";
pub(super) const TIME_FORM: &str =
    "up to 366d ahead, in unix seconds or as RFC 3339 such as 2026-01-02T03:04:05Z";
pub(super) const EXPIRES_FORM: &str = "an age up to 366d such as 10s, 4d, or a time ahead as \
                                       unix seconds (9 digits or more) or RFC 3339";
pub(super) const TIMEOUT_FORM: &str = "100ms to 1h, in seconds or as 250ms, 10s, 5m";
const OUT_OF_RANGE: &str = "is out of range";

pub(super) fn method(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    let known = METHODS
        .split(", ")
        .find(|name| name.eq_ignore_ascii_case(value));
    given.method = Some(
        known
            .and_then(Method::parse)
            .ok_or("is not a method for targets")?,
    );
    Ok(())
}

pub(super) fn delay(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.delay = Some(span(value, Duration::ZERO, AHEAD_MAX)?);
    Ok(())
}

pub(super) fn not_before(given: &mut Given, value: &str, now: Wall) -> Result<(), &'static str> {
    let at = parse_instant(value).map_err(|error| error.complaint)?;
    if at > now + AHEAD_MAX {
        return Err(OUT_OF_RANGE);
    }
    given.not_before = Some(at);
    Ok(())
}

pub(super) fn expires(given: &mut Given, value: &str, now: Wall) -> Result<(), &'static str> {
    let all_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = if all_digits {
        value.len() >= 9
    } else {
        value.contains(['-', ':'])
    };
    if !is_time {
        given.expires = Some(Expiry::Age(span(
            value,
            Duration::from_millis(1),
            AHEAD_MAX,
        )?));
        return Ok(());
    }
    let at = parse_instant(value).map_err(|error| error.complaint)?;
    if at <= now {
        return Err("lies in the past");
    }
    // Twice as far, so that what is due at the last moment can still have an age of its own.
    if at > now + AHEAD_MAX * 2 {
        return Err(OUT_OF_RANGE);
    }
    given.expires = Some(Expiry::At(at));
    Ok(())
}

pub(super) fn retries(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a number");
    }
    let number = value.parse().ok().filter(|number| *number <= RETRIES_MAX);
    given.retries = Some(number.ok_or(OUT_OF_RANGE)?);
    Ok(())
}

pub(super) fn schedule(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.schedule = Some(Schedule::parse(value)?);
    Ok(())
}

pub(super) fn timeout(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.timeout = Some(span(value, TIMEOUT_MIN, TIMEOUT_MAX)?);
    Ok(())
}

pub(super) fn targets(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.strict = value == "public";
    given.strict.then_some(()).ok_or("would open more")
}

fn span(value: &str, min: Duration, max: Duration) -> Result<Duration, &'static str> {
    let span = parse_duration(value).map_err(|error: UnitError| error.complaint)?;
    (min..=max)
        .contains(&span)
        .then_some(span)
        .ok_or(OUT_OF_RANGE)
}

pub(super) const CAPTURE_FORM: &str = "0 to 1MiB, in bytes or as 64k";
pub(super) const LABEL_FORM: &str = "1 to 256 bytes of text without control characters";

/// Bytes of a label and of an event's name at most.
const LABEL_BYTES_MAX: usize = 256;
/// Bytes of a queue's name and of a flow's key at most.
const NAME_BYTES_MAX: usize = 255;
pub(super) const NAME_FORM: &str = "1 to 255 bytes of text without control characters";
/// Attempts that one flow may have under way at most: as many as one lane may.
const PARALLELISM_MAX: u32 = 10_000;
/// The most that is kept of one answer's body.
const CAPTURE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn forward_headers(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.forward_headers = parse_bool(value).map_err(|error| error.complaint)?;
    Ok(())
}

pub(super) fn redirects(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a number");
    }
    let number = value.parse().ok().filter(|number| *number <= REDIRECTS_MAX);
    given.redirects = Some(number.ok_or(OUT_OF_RANGE)?);
    Ok(())
}

pub(super) fn success(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.success = Some(Success::parse(value)?);
    Ok(())
}

pub(super) fn secret(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.secret = Some(Secret::new(value));
    Ok(())
}

pub(super) fn sign(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.sign = Some(value.into());
    Ok(())
}

pub(super) fn sign_scheme(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.scheme = Some(Scheme::parse(value).ok_or("is not a scheme")?);
    Ok(())
}

pub(super) fn label(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.label = Some(name(value)?);
    Ok(())
}

pub(super) fn event(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.event = Some(name(value)?);
    Ok(())
}

pub(super) const URL_FORM: &str = "an http or https URL";
pub(super) const ONCE_FORM: &str = "1 to 255 printable ASCII characters";

/// Bytes of a publisher's key at most.
pub(in crate::dispatch) const ONCE_BYTES_MAX: usize = 255;

pub(super) fn callback(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.callback = Some(url(value)?);
    Ok(())
}

pub(super) fn errback(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.errback = Some(url(value)?);
    Ok(())
}

/// It is read as a URL once it is certain that it holds.
fn url(value: &str) -> Result<Box<str>, &'static str> {
    (!value.is_empty()).then(|| value.into()).ok_or("is empty")
}

pub(super) fn once(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    if value.is_empty() || value.len() > ONCE_BYTES_MAX {
        return Err(OUT_OF_RANGE);
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("has a character that is not printable ASCII");
    }
    given.once = Some(value.into());
    Ok(())
}

pub(super) fn queue(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.gates.queue = Some(text(value, NAME_BYTES_MAX)?);
    Ok(())
}

pub(super) fn flow_key(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.gates.flow_key = Some(text(value, NAME_BYTES_MAX)?);
    Ok(())
}

pub(super) fn rate(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    given.gates.rate = Some(Rate::parse(value)?);
    Ok(())
}

pub(super) fn parallelism(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a number");
    }
    let number = value.parse().ok();
    let number = number.filter(|number| (1..=PARALLELISM_MAX).contains(number));
    given.gates.parallelism = Some(number.ok_or(OUT_OF_RANGE)?);
    Ok(())
}

fn name(value: &str) -> Result<Box<str>, &'static str> {
    text(value, LABEL_BYTES_MAX)
}

fn text(value: &str, bytes_max: usize) -> Result<Box<str>, &'static str> {
    if value.is_empty() || value.len() > bytes_max {
        return Err(OUT_OF_RANGE);
    }
    match value.chars().any(char::is_control) {
        true => Err("has a control character"),
        false => Ok(value.into()),
    }
}

pub(super) fn capture(given: &mut Given, value: &str, _: Wall) -> Result<(), &'static str> {
    let bytes = parse_size(value).map_err(|error| error.complaint)?;
    let bytes = u32::try_from(bytes)
        .ok()
        .filter(|_| bytes <= CAPTURE_BYTES_MAX);
    given.capture = Some(bytes.ok_or(OUT_OF_RANGE)?);
    Ok(())
}
