//! A rate: so many in a span of time, and its text form. It counts nothing.

use std::fmt;
use std::time::Duration;

use crate::base::units::{DurationText, parse_duration};

/// What [`Rate::parse`] takes, in words.
pub const RATE_FORM: &str = "N/TIME with N from 1 to 1000000 and TIME from 100ms to 31d, such as \
                             10/1m or 10/m";
const COUNT_MAX: u32 = 1_000_000;
const SPAN_MIN: Duration = Duration::from_millis(100);
const SPAN_MAX: Duration = Duration::from_secs(31 * 86_400);

/// At most `count` in any `span`. So many may go at once, and then none for the rest of the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how much time.
    pub span: Duration,
}

impl Rate {
    /// Reads `10/1m`, and `10/m`, where one of the unit is meant. The error is the complaint, to
    /// stand behind the text; [`RATE_FORM`] says what is allowed.
    pub fn parse(text: &str) -> Result<Rate, &'static str> {
        let (count, span) = text.split_once('/').ok_or("is not a rate")?;
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("is not a rate");
        }
        let one = !span.is_empty() && span.bytes().all(|byte| byte.is_ascii_alphabetic());
        let span = match one {
            true => parse_duration(&format!("1{span}")),
            false => parse_duration(span),
        };
        let span = span.map_err(|error| error.complaint)?;
        let count = count
            .parse()
            .ok()
            .filter(|count| (1..=COUNT_MAX).contains(count));
        match count {
            Some(count) if (SPAN_MIN..=SPAN_MAX).contains(&span) => Ok(Rate { count, span }),
            _ => Err("is out of range"),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.count, DurationText(self.span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_its_rate() {
        let rate = |count, millis| {
            let span = Duration::from_millis(millis);
            Ok(Rate { count, span })
        };
        let unclear = Err("is not a rate");
        let rows = [
            ("10/1m", rate(10, 60_000)),
            ("10/m", rate(10, 60_000)),
            ("100/s", rate(100, 1_000)),
            ("7/h", rate(7, 3_600_000)),
            ("1/d", rate(1, 86_400_000)),
            ("1/ms", Err("is out of range")),
            ("1/100ms", rate(1, 100)),
            ("5/2", rate(5, 2_000)),
            ("007/1d10h", rate(7, 122_400_000)),
            ("1000000/31d", rate(1_000_000, 31 * 86_400_000)),
            ("0/1m", Err("is out of range")),
            ("1000001/1m", Err("is out of range")),
            ("99999999999999999999/1m", Err("is out of range")),
            ("1/99ms", Err("is out of range")),
            ("1/32d", Err("is out of range")),
            ("", unclear),
            ("10", unclear),
            ("/1m", unclear),
            ("+1/1m", unclear),
            ("1.5/1m", unclear),
        ];
        for (text, right) in rows {
            assert_eq!(Rate::parse(text), right, "{text:?}");
            if let Ok(rate) = right {
                assert_eq!(Rate::parse(&rate.to_string()), Ok(rate), "{text:?}");
            }
        }
        for text in ["1/", "1/x", "1/mh", "1/1/1", "1/-1s"] {
            assert!(Rate::parse(text).is_err(), "{text:?}");
        }
    }
}
