//! The retry policy: how long to wait before each retry of a delivery, and its text form.
//! Pure: it reads no clock, draws no random number and arms no timer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::micros;
use crate::base::units::{DurationText, parse_duration};

/// The longest wait that a target can ask for with Retry-After.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest step a schedule may name.
pub const STEP_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Steps of a list at most.
pub const STEPS_MAX: usize = 64;
/// What [`Schedule::parse`] takes, in words.
pub const SCHEDULE_FORM: &str = "up to 64 waits such as 5s,5m,2h, or \
     exponential(base,factor,cap) such as exponential(5s,2,1h); waits up to 30d, factor 1 to 100";

/// The wait before each retry. A clone shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Arc<Shape>);

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    /// One step a retry, the last repeats. Never empty.
    List(Box<[Duration]>),
    /// `base * factor^(n-1)`, at most `cap`; the factor in thousandths, so that no float decides.
    Exponential {
        base: Duration,
        factor_milli: u32,
        cap: Duration,
    },
}

impl Default for Schedule {
    /// `5s,5m,30m,2h,5h,10h,14h,20h,24h` (dispatch.md section 4): Standard Webhooks' own example.
    fn default() -> Schedule {
        const SECONDS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Schedule::of_seconds(&SECONDS)
    }
}

impl Schedule {
    /// A list of waits in seconds, at least one.
    pub(super) fn of_seconds(seconds: &[u64]) -> Schedule {
        debug_assert!(!seconds.is_empty(), "a schedule without a step");
        let steps = seconds.iter().copied().map(Duration::from_secs);
        Schedule(Arc::new(Shape::List(steps.collect())))
    }

    /// Reads a list of durations separated by commas, or `exponential(base,factor,cap)`. Spaces
    /// around the parts are allowed. The error is the complaint, to stand behind the text;
    /// [`SCHEDULE_FORM`] says what is allowed.
    pub fn parse(text: &str) -> Result<Schedule, &'static str> {
        let text = text.trim();
        let inner = text
            .strip_prefix("exponential(")
            .and_then(|rest| rest.strip_suffix(')'));
        let shape = match inner {
            Some(inner) => exponential(inner)?,
            None => list(text)?,
        };
        Ok(Schedule(Arc::new(shape)))
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let steps = match &*self.0 {
            Shape::List(steps) => std::mem::size_of_val(&steps[..]),
            Shape::Exponential { .. } => 0,
        };
        std::mem::size_of::<Shape>() + steps
    }

    /// The wait before retry number `retry_number`, counted from 1: the schedule's step, `random`
    /// (64 uniform bits) spread over `jitter_percent` either way (at most 100), and no less than
    /// the target's own `retry_after`, of which at most 24 h count.
    #[must_use]
    pub fn wait(
        &self,
        retry_number: u32,
        jitter_percent: u32,
        random: u64,
        retry_after: Option<Duration>,
    ) -> Duration {
        let step = micros(self.step(retry_number));
        let spread = step / 100 * u64::from(jitter_percent.min(100));
        // The high half of the product maps the random bits to 0..=2*spread without a division.
        let part = (u128::from(random) * (u128::from(spread) * 2 + 1)) >> 64;
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        let jittered = Duration::from_micros((step - spread).saturating_add(part));
        jittered.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// The longest wait there can be.
    #[must_use]
    pub fn longest(&self, jitter_percent: u32) -> Duration {
        let step = match &*self.0 {
            Shape::List(steps) => steps.iter().max().copied().unwrap_or_default(),
            Shape::Exponential { cap, .. } => *cap,
        };
        let spread = step / 100 * jitter_percent.min(100);
        (step + spread).max(RETRY_AFTER_MAX)
    }

    /// The wait before retry number `retry_number`, counted from 1, without jitter.
    #[must_use]
    pub fn step(&self, retry_number: u32) -> Duration {
        let index = retry_number.saturating_sub(1);
        match &*self.0 {
            Shape::List(steps) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                steps
                    .get(index)
                    .or(steps.last())
                    .copied()
                    .unwrap_or_default()
            }
            Shape::Exponential {
                base,
                factor_milli,
                cap,
            } => power(*base, *factor_milli, index, *cap),
        }
    }
}

/// `base * (factor_milli / 1000)^exponent`, at most `cap`.
fn power(base: Duration, factor_milli: u32, exponent: u32, cap: Duration) -> Duration {
    let cap = u128::from(micros(cap));
    let mut value = u128::from(micros(base));
    for _ in 0..exponent {
        let grown = value * u128::from(factor_milli) / 1_000;
        // A value that is capped or stands still will do so for ever; so the loop is short.
        if value >= cap || grown == value {
            break;
        }
        value = grown;
    }
    Duration::from_micros(u64::try_from(value.min(cap)).unwrap_or(u64::MAX))
}

fn list(text: &str) -> Result<Shape, &'static str> {
    let steps: Vec<Duration> = text
        .split(',')
        .take(STEPS_MAX + 1)
        .map(step)
        .collect::<Result<_, _>>()?;
    if steps.len() > STEPS_MAX {
        return Err("has too many waits");
    }
    Ok(Shape::List(steps.into()))
}

fn step(text: &str) -> Result<Duration, &'static str> {
    match parse_duration(text.trim()) {
        Ok(span) if span <= STEP_MAX => Ok(span),
        Ok(_) => Err("has a wait that is too long"),
        Err(_) => Err("is not a retry schedule"),
    }
}

fn exponential(inner: &str) -> Result<Shape, &'static str> {
    let mut parts = inner.split(',');
    let (Some(base), Some(factor), Some(cap), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("needs exactly base, factor and cap");
    };
    let (base, cap) = (step(base)?, step(cap)?);
    let factor_milli = thousandths(factor.trim()).ok_or("is not a retry schedule")?;
    if !(1_000..=100_000).contains(&factor_milli) {
        return Err("has a factor out of range");
    }
    if base.is_zero() || cap < base {
        return Err("needs a base above zero and a cap no less than the base");
    }
    Ok(Shape::Exponential {
        base,
        factor_milli,
        cap,
    })
}

/// `2`, `1.5` or `1.125` in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let scale = [100, 10, 1].get(fraction.len() - 1)?;
    let fraction: u32 = fraction.parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(fraction * scale)
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Shape::List(steps) => {
                for (index, step) in steps.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(out, "{comma}{}", DurationText(*step))?;
                }
                Ok(())
            }
            Shape::Exponential {
                base,
                factor_milli,
                cap,
            } => {
                write!(
                    out,
                    "exponential({},{}",
                    DurationText(*base),
                    factor_milli / 1_000
                )?;
                let fraction = factor_milli % 1_000;
                if fraction > 0 {
                    write!(out, ".{}", format!("{fraction:03}").trim_end_matches('0'))?;
                }
                write!(out, ",{})", DurationText(*cap))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "5s,5m,30m,2h,5h,10h,14h,20h,1d";

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap()
    }

    #[test]
    fn text_forms_round_trip() {
        let rows = [
            (DEFAULT, DEFAULT),
            ("5s,5m,30m,2h,5h,10h,14h,20h,24h", DEFAULT),
            ("5", "5s"),
            (" 5s , 250ms ", "5s,250ms"),
            ("0", "0s"),
            ("30d", "30d"),
            ("exponential(5s,2,1h)", "exponential(5s,2,1h)"),
            ("exponential( 5s , 1.50 , 60m )", "exponential(5s,1.5,1h)"),
            ("exponential(1s,1,1s)", "exponential(1s,1,1s)"),
            ("exponential(1ms,1.125,30d)", "exponential(1ms,1.125,30d)"),
            ("exponential(1ms,1.05,30d)", "exponential(1ms,1.05,30d)"),
        ];
        for (text, printed) in rows {
            assert_eq!(schedule(text).to_string(), printed, "{text}");
            assert_eq!(schedule(printed), schedule(text));
        }
        assert_eq!(Schedule::default(), schedule(DEFAULT));
        let most = vec!["1s"; STEPS_MAX].join(",");
        assert_eq!(schedule(&most).to_string(), most);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let rows = [
            ("", "is not a retry schedule"),
            (",", "is not a retry schedule"),
            ("5s,", "is not a retry schedule"),
            ("5s;5m", "is not a retry schedule"),
            ("-5s", "is not a retry schedule"),
            ("31d", "has a wait that is too long"),
            ("5s,31d", "has a wait that is too long"),
            ("18446744073709551615ms", "has a wait that is too long"),
            ("linear(1,2)", "is not a retry schedule"),
            ("exponential(5s,2,1h", "is not a retry schedule"),
            ("exponential()", "needs exactly base, factor and cap"),
            ("exponential(5s,2)", "needs exactly base, factor and cap"),
            (
                "exponential(5s,2,1h,1)",
                "needs exactly base, factor and cap",
            ),
            ("exponential(5s,0.999,1h)", "has a factor out of range"),
            ("exponential(5s,100.001,1h)", "has a factor out of range"),
            ("exponential(5s,1.0001,1h)", "is not a retry schedule"),
            ("exponential(5s,-2,1h)", "is not a retry schedule"),
            ("exponential(5s,.5,1h)", "is not a retry schedule"),
            ("exponential(5s,99999999999,1h)", "is not a retry schedule"),
            (
                "exponential(0,2,1h)",
                "needs a base above zero and a cap no less than the base",
            ),
            (
                "exponential(1h,2,5s)",
                "needs a base above zero and a cap no less than the base",
            ),
        ];
        for (text, complaint) in rows {
            assert_eq!(Schedule::parse(text), Err(complaint), "{text}");
        }
        let too_many = vec!["1s"; STEPS_MAX + 1].join(",");
        assert_eq!(Schedule::parse(&too_many), Err("has too many waits"));
    }

    #[test]
    fn steps_follow_the_text() {
        let rows: &[(&str, &[(u32, u64)])] = &[
            (
                "5s,5m",
                &[
                    (0, 5_000),
                    (1, 5_000),
                    (2, 300_000),
                    (3, 300_000),
                    (u32::MAX, 300_000),
                ],
            ),
            (
                "exponential(5s,2,1m)",
                &[(1, 5_000), (2, 10_000), (4, 40_000), (5, 60_000)],
            ),
            (
                "exponential(5s,1.5,30d)",
                &[(2, 7_500), (3, 11_250), (4, 16_875)],
            ),
            ("exponential(5s,1,30d)", &[(1, 5_000), (u32::MAX, 5_000)]),
            (
                "exponential(1ms,1.001,30d)",
                &[(1, 1), (2, 1), (u32::MAX, 2_592_000_000)],
            ),
            ("exponential(30d,100,30d)", &[(u32::MAX, 2_592_000_000)]),
        ];
        for (text, steps) in rows {
            for (retry_number, ms) in *steps {
                let got = schedule(text).step(*retry_number).as_millis();
                assert_eq!(got, u128::from(*ms), "{text} {retry_number}");
            }
        }
    }

    #[test]
    fn jitter_stays_within_its_per_cent_and_reaches_both_ends() {
        let ten = schedule("10s");
        let rows = [
            (20, 0, 8_000_000),
            (20, u64::MAX, 12_000_000),
            (20, u64::MAX / 2, 9_999_999),
            (0, u64::MAX, 10_000_000),
            (100, 0, 0),
            (100, u64::MAX, 20_000_000),
            (u32::MAX, u64::MAX, 20_000_000),
        ];
        for (percent, random, micros) in rows {
            let got = ten.wait(1, percent, random, None).as_micros();
            assert!(got.abs_diff(micros) <= 1, "{percent} {random}: {got} µs");
        }
        assert_eq!(schedule("0").wait(1, 20, u64::MAX, None), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_a_minimum_of_at_most_a_day() {
        let second = Duration::from_secs;
        let ten = schedule("10s");
        let rows = [
            (0, 10),
            (9, 10),
            (10, 10),
            (60, 60),
            (86_400, 86_400),
            (86_401, 86_400),
        ];
        for (asked, want) in rows {
            assert_eq!(
                ten.wait(1, 0, 0, Some(second(asked))),
                second(want),
                "{asked}"
            );
        }
        assert_eq!(ten.wait(1, 0, 0, Some(Duration::MAX)), RETRY_AFTER_MAX);
        // A schedule's own step may be longer than a day.
        assert_eq!(
            schedule("2d").wait(1, 0, 0, Some(Duration::MAX)),
            second(172_800)
        );
    }
}
