//! The table of a dispatch's options: one row each, however it is spelled (dispatch.md section 2).
//! It never looks at a body's format; it gets names and values.

use std::time::Duration;

use crate::base::time::Wall;
use crate::base::units::{UnitError, parse_duration, parse_instant};
use crate::dispatch::Settings;
use crate::dispatch::retry::{SCHEDULE_FORM, Schedule};
use crate::http::problem::{Problem, Reason};
use crate::model::Method;

use self::Place::{Anywhere, Field, Header, HeaderPrefix};
use self::Take::{Topic, Unsupported, Url, Value};

/// Retries that a message may ask for at most.
pub const RETRIES_MAX: u32 = 1_000;
/// The shortest deadline of one exchange: less would fail on any real network.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The longest deadline of one exchange: each one holds a line and a place in its lane.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// How far ahead a message may be due or expire.
pub const AHEAD_MAX: Duration = Duration::from_secs(366 * 86_400);

/// How often to try, and when; what the message said with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The first attempt is not made before this time.
    pub not_before: Wall,
    /// What is not delivered by this time is given up. Always later than `not_before`.
    pub expires_at: Wall,
    /// Retries after the first attempt.
    pub retries: u32,
    /// The wait before each retry; `None` is the server's own schedule.
    pub schedule: Option<Schedule>,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
}

/// What the options of one message said, before the defaults.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `method`.
    pub method: Option<Method>,
    delay: Option<Duration>,
    not_before: Option<Wall>,
    expires: Option<Expiry>,
    retries: Option<u32>,
    schedule: Option<Schedule>,
    timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Expiry {
    Age(Duration),
    At(Wall),
}

impl Given {
    /// The options with the defaults filled in. An age runs from acceptance; the default age runs
    /// from the first attempt, so that a long delay does not expire a message that asked for no
    /// expiry.
    pub fn settle(self, defaults: &Settings, now: Wall) -> Result<Options, Problem> {
        let not_before = match (self.not_before, self.delay) {
            (Some(at), _) => at.max(now),
            (None, delay) => now + delay.unwrap_or_default(),
        };
        let expires_at = match self.expires {
            Some(Expiry::Age(age)) => now + age,
            Some(Expiry::At(at)) => at,
            None => not_before + defaults.expires,
        };
        if expires_at <= not_before {
            let detail = "expires: it lies before the first attempt; allowed: a later time, or \
                          a shorter delay";
            return Err(Problem::new(Reason::BadOption, detail));
        }
        Ok(Options {
            not_before,
            expires_at,
            retries: self.retries.unwrap_or(defaults.retries),
            schedule: self.schedule,
            timeout: self.timeout.unwrap_or(defaults.timeout),
        })
    }
}

/// Where an option may stand, and how it is spelled there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Field `_x_y` of form, query or JSON, and header `Hookah-X-Y`.
    Anywhere,
    /// The field only.
    Field,
    /// The field, and a header of this name.
    Header(&'static str),
    /// Headers whose names begin so.
    HeaderPrefix(&'static str),
}

/// What is done with an option's value.
#[derive(Clone, Copy)]
pub enum Take {
    /// It is a target's URL; may be repeated.
    Url,
    /// It is a topic's name; may be repeated.
    Topic,
    /// It is read into [`Given`]. The error is the complaint, to stand behind the value.
    Value(fn(&mut Given, &str, Wall) -> Result<(), &'static str>),
    /// This version cannot do it. To drop someone's signature or queue in silence would be worse
    /// than to refuse.
    Unsupported,
}

/// One option.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name: `retry-schedule`.
    pub name: &'static str,
    /// Where it may stand.
    pub place: Place,
    /// What is done with its value.
    pub take: Take,
    /// The values that are allowed, in words.
    pub allowed: &'static str,
    /// What it means, in words.
    pub help: &'static str,
}

macro_rules! table {
    ($($name:literal $take:expr, $place:expr, $allowed:expr, $help:literal;)+) => {
        /// Every option of dispatch.md section 4, in its order.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            place: $place,
            take: $take,
            allowed: $allowed,
            help: $help,
        },)+];
    };
}

table! {
    "url" Url, Anywhere, "an http URL", "a URL that gets the message";
    "topic" Topic, Anywhere, "1 to 1024 bytes", "a topic that gets the message";
    "method" Value(method), Anywhere, METHODS, "the method of the call";
    "header" Unsupported, Field, "", "a header for the target";
    "forward-headers" Unsupported, Anywhere, "", "forward the request's headers";
    "forward-" Unsupported, HeaderPrefix("Hookah-Forward-"), "", "a header for the target";
    "delay" Value(delay), Anywhere, DELAY_FORM, "wait before the first attempt";
    "not-before" Value(not_before), Anywhere, TIME_FORM, "no attempt before; wins over delay";
    "expires" Value(expires), Anywhere, EXPIRES_FORM, "give up after this age or at this time";
    "retries" Value(retries), Anywhere, "0 to 1000", "retries after the first attempt";
    "retry-schedule" Value(schedule), Anywhere, SCHEDULE_FORM, "the wait before each retry";
    "timeout" Value(timeout), Anywhere, TIMEOUT_FORM, "deadline of one whole exchange";
    "redirects" Unsupported, Anywhere, "", "redirects followed";
    "success" Unsupported, Anywhere, "", "statuses that count as delivered";
    "callback" Unsupported, Anywhere, "", "told when the delivery has ended";
    "errback" Unsupported, Anywhere, "", "told if the delivery has failed or expired";
    "secret" Unsupported, Anywhere, "", "signing keys";
    "sign" Unsupported, Anywhere, "", "name of a signing key in the config file";
    "sign-scheme" Unsupported, Anywhere, "", "how to sign";
    "idempotency-key" Unsupported, Header("Idempotency-Key"), "", "the same key is taken once";
    "queue" Unsupported, Anywhere, "", "a FIFO, one in flight";
    "flow-key" Unsupported, Anywhere, "", "what shares rate and parallelism";
    "rate" Unsupported, Anywhere, "", "attempts per time and flow key";
    "parallelism" Unsupported, Anywhere, "", "attempts in flight per flow key";
    "label" Unsupported, Anywhere, "", "a filter for the history";
    "event" Unsupported, Anywhere, "", "the event name that SSE readers get";
    "capture" Unsupported, Anywhere, "", "bytes kept of the target's answer";
    "targets" Unsupported, Anywhere, "", "`public` forbids private addresses";
}

/// Bytes of the longest field name that spells an option, its underscore included.
pub const NAME_BYTES_MAX: usize = 32;

/// A row's bit in the set of the options that one source gave.
const _: () = assert!(TABLE.len() <= 64);

impl Row {
    /// Whether it may stand more than once in one source.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(self.take, Url | Topic)
    }

    fn is_field(&self, name: &[u8]) -> bool {
        let same = |(given, own): (&u8, u8)| *given == if own == b'-' { b'_' } else { own };
        !matches!(self.place, Place::HeaderPrefix(_))
            && name.len() == self.name.len()
            && name.iter().zip(self.name.bytes()).all(same)
    }

    fn is_header(&self, name: &str) -> bool {
        match self.place {
            Place::Anywhere => {
                strip_prefix(name, "hookah-").is_some_and(|it| it.eq_ignore_ascii_case(self.name))
            }
            Place::Field => false,
            Place::Header(whole) => name.eq_ignore_ascii_case(whole),
            Place::HeaderPrefix(prefix) => strip_prefix(name, prefix).is_some(),
        }
    }
}

fn strip_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The option that the decoded field name `name` spells, with its index in the table. Any other
/// field, `_foo` included, is payload.
#[must_use]
pub fn field(name: &[u8]) -> Option<(usize, &'static Row)> {
    let name = name.strip_prefix(b"_")?;
    TABLE.iter().enumerate().find(|(_, row)| row.is_field(name))
}

/// The option that a request header of that name spells, with its index in the table.
#[must_use]
pub fn header(name: &str) -> Option<(usize, &'static Row)> {
    // Nearly all headers end here; the rows are asked only about names that can be ours.
    if !matches!(name.as_bytes().first(), Some(b'h' | b'H' | b'i' | b'I')) {
        return None;
    }
    TABLE
        .iter()
        .enumerate()
        .find(|(_, row)| row.is_header(name))
}

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const DELAY_FORM: &str = "up to 366d, in seconds or as 250ms, 10s, 5m, 1d10h";
const TIME_FORM: &str =
    "up to 366d ahead, in unix seconds or as RFC 3339 such as 2026-01-02T03:04:05Z";
const EXPIRES_FORM: &str = "an age up to 366d such as 10s, 4d, or a time ahead as unix seconds (9 \
                            digits or more) or RFC 3339";
const TIMEOUT_FORM: &str = "100ms to 1h, in seconds or as 250ms, 10s, 5m";
const OUT_OF_RANGE: &str = "is out of range";

fn method(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
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

fn delay(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.delay = Some(span(value, Duration::ZERO, AHEAD_MAX)?);
    Ok(())
}

fn not_before(given: &mut Given, value: &str, now: Wall) -> Result<(), &'static str> {
    let at = parse_instant(value).map_err(|error| error.complaint)?;
    if at > now + AHEAD_MAX {
        return Err(OUT_OF_RANGE);
    }
    given.not_before = Some(at);
    Ok(())
}

fn expires(given: &mut Given, value: &str, now: Wall) -> Result<(), &'static str> {
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

fn retries(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a number");
    }
    let number = value.parse().ok().filter(|number| *number <= RETRIES_MAX);
    given.retries = Some(number.ok_or(OUT_OF_RANGE)?);
    Ok(())
}

fn schedule(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.schedule = Some(Schedule::parse(value)?);
    Ok(())
}

fn timeout(given: &mut Given, value: &str, _now: Wall) -> Result<(), &'static str> {
    given.timeout = Some(span(value, TIMEOUT_MIN, TIMEOUT_MAX)?);
    Ok(())
}

fn span(value: &str, min: Duration, max: Duration) -> Result<Duration, &'static str> {
    let span = parse_duration(value).map_err(|error: UnitError| error.complaint)?;
    (min..=max)
        .contains(&span)
        .then_some(span)
        .ok_or(OUT_OF_RANGE)
}

/// The refusal of a value: the option as it was spelled, the value, what is allowed.
#[must_use]
pub fn bad_value(row: &Row, spelled: &str, value: &[u8], complaint: &str) -> Problem {
    // A value may be as long as a body; no more of it is looked at than is shown.
    let start = value.get(..4 * (SHOWN_CHARS_MAX + 1)).unwrap_or(value);
    let value = String::from_utf8_lossy(start);
    let allowed = row.allowed;
    let detail = match value.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => {
            let start = value.get(..end).unwrap_or_default();
            format!("{spelled}: {start:?}… {complaint}; allowed: {allowed}")
        }
        None => format!("{spelled}: {value:?} {complaint}; allowed: {allowed}"),
    };
    Problem::new(Reason::BadOption, detail)
}

/// Characters of a bad value that an answer repeats.
const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests;
