//! Text forms of durations, sizes, booleans and points in time, as options and flags spell them.
//! Nothing here knows which option is read, nor a locale; the same forms are printed back.

use std::fmt;
use std::time::Duration;

use crate::base::time::Wall;

/// A text that is not of the form asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitError {
    /// What is wrong, to stand behind the text: `is not a duration`.
    pub complaint: &'static str,
    /// The form that is allowed, with examples.
    pub allowed: &'static str,
}

impl fmt::Display for UnitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}; allowed: {}", self.complaint, self.allowed)
    }
}

/// What [`parse_duration`] takes, in words.
pub const DURATION_FORM: &str =
    "seconds, or d, h, m, s, ms in that order, such as 250ms, 10s, 1d10h";

const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `250ms`, `10s`, `5m`, `1d10h`; a bare integer is seconds (dispatch.md section 2). Units
/// descend and stand once each; there are no fractions, signs or spaces.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = |complaint| UnitError {
        complaint,
        allowed: DURATION_FORM,
    };
    let malformed = wrong("is not a duration");
    let overflow = wrong("is too long a duration");
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    let mut total_ms: u64 = 0;
    loop {
        let (number, after) = leading_number(rest).ok_or(malformed)?;
        let name_bytes = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (name, next) = after.split_at(name_bytes);
        if name.is_empty() && !(rest.len() == text.len() && next.is_empty()) {
            return Err(malformed);
        }
        let name = if name.is_empty() { "s" } else { name };
        // The iterator is used up as it searches, so a unit can only be followed by smaller ones.
        let (_, unit_ms) = units.find(|(known, _)| *known == name).ok_or(malformed)?;
        total_ms = number
            .and_then(|number| number.checked_mul(*unit_ms))
            .and_then(|ms| total_ms.checked_add(ms))
            .ok_or(overflow)?;
        if next.is_empty() {
            return Ok(Duration::from_millis(total_ms));
        }
        rest = next;
    }
}

/// The digits at the start of `text` as a number (`None` inside if it is beyond 64 bits) and what
/// follows; `None` if there is no digit.
fn leading_number(text: &str) -> Option<(Option<u64>, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    (digits > 0).then(|| (number.parse().ok(), rest))
}

/// A duration in the form that [`parse_duration`] reads: `1d10h`. What is below a millisecond is
/// left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return out.write_str("0s");
        }
        for (name, unit_ms) in DURATION_UNITS {
            let count = rest / u128::from(unit_ms);
            rest %= u128::from(unit_ms);
            if count > 0 {
                write!(out, "{count}{name}")?;
            }
        }
        Ok(())
    }
}

/// What [`parse_size`] takes, in words.
pub const SIZE_FORM: &str = "bytes, or a number with B, k or KiB, M or MiB, G or GiB, such as 64k";

const SIZE_UNITS: [(&str, u64); 9] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
    ("k", 1 << 10),
    ("", 1),
];

/// Reads a number of bytes: `512`, `512B`, `64k` = `64K` = `64KiB`, `1M`, `2GiB` (cli.md). All
/// units are powers of 1,024.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let wrong = |complaint| UnitError {
        complaint,
        allowed: SIZE_FORM,
    };
    let (number, name) = leading_number(text).ok_or(wrong("is not a size"))?;
    let (_, unit) = SIZE_UNITS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or(wrong("is not a size"))?;
    number
        .and_then(|number| number.checked_mul(*unit))
        .ok_or(wrong("is too large a size"))
}

/// A number of bytes in the form that [`parse_size`] reads, in the largest unit that divides it:
/// `32KiB`, `1500B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeText(pub u64);

impl fmt::Display for SizeText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: u64| unit == 1 || (self.0 > 0 && self.0.is_multiple_of(unit));
        let found = SIZE_UNITS.iter().find(|(_, unit)| fits(*unit));
        let (name, unit) = found.copied().unwrap_or(("B", 1));
        write!(out, "{}{name}", self.0 / unit)
    }
}

/// What [`parse_bool`] takes, in words.
pub const BOOL_FORM: &str = "true, false, 1, 0";

/// Reads `true false 1 0`.
pub fn parse_bool(text: &str) -> Result<bool, UnitError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(UnitError {
            complaint: "is not a boolean",
            allowed: BOOL_FORM,
        }),
    }
}

/// What [`parse_instant`] takes, in words.
pub const INSTANT_FORM: &str = "unix seconds, or RFC 3339 such as 2026-01-02T03:04:05Z";

/// Reads a point in time: unix seconds, or RFC 3339 section 5.6 with `Z` or an offset. A leap
/// second counts as the second after it; times before 1970 do not exist.
pub fn parse_instant(text: &str) -> Result<Wall, UnitError> {
    let wrong = UnitError {
        complaint: "is not a time",
        allowed: INSTANT_FORM,
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: Option<u64> = text.parse().ok();
        return seconds
            .and_then(|it| it.checked_mul(1_000_000))
            .map(Wall)
            .ok_or(wrong);
    }
    rfc3339(text.as_bytes()).ok_or(wrong)
}

fn rfc3339(text: &[u8]) -> Option<Wall> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        mo0,
        mo1,
        b'-',
        d0,
        d1,
        b'T' | b't' | b' ',
        clock @ ..,
    ] = date_time
    else {
        return None;
    };
    let [h0, h1, b':', mi0, mi1, b':', s0, s1] = clock else {
        return None;
    };
    let year = digits(&[*y0, *y1, *y2, *y3])?;
    let month = digits(&[*mo0, *mo1]).filter(|it| (1..=12).contains(it))?;
    let last = days_before(year, month + 1) - days_before(year, month);
    let day = digits(&[*d0, *d1]).filter(|it| (1..=last).contains(it))?;
    let hour = digits(&[*h0, *h1]).filter(|it| *it <= 23)?;
    let minute = digits(&[*mi0, *mi1]).filter(|it| *it <= 59)?;
    let second = digits(&[*s0, *s1]).filter(|it| *it <= 60)?;
    let (micros, rest) = fraction(rest)?;
    let offset_minutes = offset(rest)?;
    let days = days_before(year, month) + day - 1 - DAYS_TO_1970;
    let seconds = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    let seconds = u64::try_from(seconds).ok()?;
    Some(Wall(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
}

/// Two or four digits as a number.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// The microseconds of `.25` and what follows; digits beyond the sixth are dropped.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(count);
    let known = number.iter().map(|byte| u64::from(byte - b'0'));
    let micros = known
        .chain(std::iter::repeat(0))
        .take(6)
        .fold(0, |sum, it| sum * 10 + it);
    (count > 0).then_some((micros, rest))
}

/// Minutes east of UTC in `Z` or `+01:30`.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let hours = digits(&[*h0, *h1]).filter(|it| *it <= 23)?;
            let minutes = digits(&[*m0, *m1]).filter(|it| *it <= 59)?;
            let east = hours * 60 + minutes;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

const DAYS_TO_1970: i64 = 719_528;

/// Days from 0000-01-01 to the first of that month; month 13 is the next year's first.
fn days_before(year: i64, month: i64) -> i64 {
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let past = year - 1;
    let leaps_before = if year == 0 {
        0
    } else {
        past / 4 - past / 100 + past / 400 + 1
    };
    let in_year = BEFORE
        .get(usize::try_from(month - 1).unwrap_or(0))
        .copied()
        .unwrap_or(0);
    year * 365 + leaps_before + in_year + i64::from(leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<u64> {
        parse_duration(text)
            .ok()
            .map(|span| span.as_millis() as u64)
    }

    #[test]
    fn durations_are_read() {
        let rows: &[(&str, u64)] = &[
            ("0", 0),
            ("10", 10_000),
            ("0010", 10_000),
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("90m", 5_400_000),
            ("1d10h", 122_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("1d1ms", 86_400_001),
            ("18446744073709551s", 18_446_744_073_709_551_000),
            ("18446744073709551615ms", u64::MAX),
        ];
        for (text, want) in rows {
            assert_eq!(ms(text), Some(*want), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let rows = [
            "", " ", "s", "ms", "-1", "+1", "1.5s", "1 s", " 1s", "1s ", "1w", "1S", "1H", "1h1d",
            "1s1s", "5m10", "10 5", "1ms1s", "1dd", "0x10", "１s", "1é", "1day",
        ];
        for text in rows {
            assert_eq!(
                parse_duration(text).unwrap_err().complaint,
                "is not a duration",
                "{text}"
            );
        }
        for text in [
            "18446744073709552",
            "18446744073709551616ms",
            "213503982335d",
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.complaint, "is too long a duration", "{text}");
        }
    }

    #[test]
    fn durations_round_trip() {
        let rows: &[(u64, &str)] = &[
            (0, "0s"),
            (250, "250ms"),
            (10_000, "10s"),
            (60_000, "1m"),
            (90_000, "1m30s"),
            (122_400_000, "1d10h"),
            (93_784_005, "1d2h3m4s5ms"),
        ];
        for (ms, want) in rows {
            let span = Duration::from_millis(*ms);
            assert_eq!(DurationText(span).to_string(), *want);
            assert_eq!(parse_duration(want), Ok(span));
        }
        let long = Duration::from_millis(u64::MAX);
        assert_eq!(parse_duration(&DurationText(long).to_string()), Ok(long));
        assert_eq!(DurationText(Duration::from_micros(999)).to_string(), "0s");
    }

    #[test]
    fn sizes_are_read_and_printed_back() {
        let rows: &[(&str, u64, &str)] = &[
            ("0", 0, "0B"),
            ("512", 512, "512B"),
            ("512B", 512, "512B"),
            ("1500", 1500, "1500B"),
            ("64k", 65_536, "64KiB"),
            ("64K", 65_536, "64KiB"),
            ("64KiB", 65_536, "64KiB"),
            ("1024k", 1 << 20, "1MiB"),
            ("1M", 1 << 20, "1MiB"),
            ("256MiB", 256 << 20, "256MiB"),
            ("2G", 2 << 30, "2GiB"),
            ("3GiB", 3 << 30, "3GiB"),
            ("18446744073709551615", u64::MAX, "18446744073709551615B"),
        ];
        for (text, bytes, printed) in rows {
            assert_eq!(parse_size(text), Ok(*bytes), "{text}");
            assert_eq!(SizeText(*bytes).to_string(), *printed);
            assert_eq!(parse_size(printed), Ok(*bytes));
        }
        for text in [
            "", "k", "-1", "1.5M", "1 k", "1kb", "1kB", "1m", "1g", "1b", "1T", "1KiBB",
        ] {
            assert_eq!(
                parse_size(text).unwrap_err().complaint,
                "is not a size",
                "{text}"
            );
        }
        for text in ["18446744073709551616", "17179869184G"] {
            assert_eq!(
                parse_size(text).unwrap_err().complaint,
                "is too large a size",
                "{text}"
            );
        }
    }

    #[test]
    fn booleans() {
        for (text, want) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            assert_eq!(parse_bool(text), Ok(want));
        }
        for text in ["", "True", "yes", "on", "2", " 1"] {
            let error = parse_bool(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                "is not a boolean; allowed: true, false, 1, 0"
            );
        }
    }

    #[test]
    fn instants_are_read() {
        let rows: &[(&str, u64)] = &[
            ("0", 0),
            ("1767323045", 1_767_323_045_000_000),
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000_000),
            ("2026-01-02t03:04:05z", 1_767_323_045_000_000),
            ("2026-01-02 03:04:05Z", 1_767_323_045_000_000),
            ("2026-01-02T03:04:05.25Z", 1_767_323_045_250_000),
            ("2026-01-02T03:04:05.1234567Z", 1_767_323_045_123_456),
            ("2026-01-02T04:34:05+01:30", 1_767_323_045_000_000),
            ("2026-01-01T22:04:05-05:00", 1_767_323_045_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("2000-03-01T00:00:00Z", 951_868_800_000_000),
            ("2024-12-31T23:59:60Z", 1_735_689_600_000_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ];
        for (text, want) in rows {
            assert_eq!(parse_instant(text), Ok(Wall(*want)), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        let rows = [
            "",
            "-1",
            "1.5",
            "18446744073709551615",
            "99999999999999999999999",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04Z",
            "2026-1-2T03:04:05Z",
            "2026-00-02T03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-01-00T03:04:05Z",
            "2026-01-32T03:04:05Z",
            "2025-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:60:05Z",
            "2026-01-02T03:04:61Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05+0130",
            "2026-01-02T03:04:05+24:00",
            "2026-01-02T03:04:05ZZ",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "0000-01-01T00:00:00Z",
            "２０２６-01-02T03:04:05Z",
        ];
        for text in rows {
            assert_eq!(
                parse_instant(text).unwrap_err().complaint,
                "is not a time",
                "{text}"
            );
        }
    }
}
