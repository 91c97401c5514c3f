//! Log lines on stderr: a time, a level, an event name with key=value pairs.
//! Which lines are wanted is the filter's business; no room's code formats a log line's time.
//! Of one event no more than so many lines are written in a span, unless somebody wants to see all.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError, RwLock};

use log::{Level, Log, Metadata, Record};

use super::clock;
use super::throttle::{LINES_MAX, SPAN, Throttle, Verdict};
use crate::base::time::Wall;

/// Starts the log with an env_logger filter such as `info` or `warn,hookah::shell=debug`. A second
/// call changes nothing.
pub fn start(filter: &str) {
    if log::set_logger(&JOURNAL).is_ok() {
        refilter(filter);
    }
}

/// Other lines are wanted from now on.
pub(super) fn refilter(filter: &str) {
    let logger = logger(filter);
    log::set_max_level(logger.filter());
    *JOURNAL.0.write().unwrap_or_else(PoisonError::into_inner) = Some(logger);
}

/// What every log line goes through, so that its filter can be another one day.
struct Journal(RwLock<Option<env_logger::Logger>>);

static JOURNAL: Journal = Journal(RwLock::new(None));

impl Journal {
    fn with<T>(&self, look: impl FnOnce(&env_logger::Logger) -> T) -> Option<T> {
        let logger = self.0.read().unwrap_or_else(PoisonError::into_inner);
        logger.as_ref().map(look)
    }
}

impl Log for Journal {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        self.with(|logger| logger.enabled(about)).unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        self.with(|logger| logger.log(record));
    }

    fn flush(&self) {
        self.with(Log::flush);
    }
}

fn logger(filter: &str) -> env_logger::Logger {
    let mut builder = env_logger::Builder::new();
    // Why a line's TLS failed is in our own words; rustls' lines are for whoever asks for them.
    builder.filter_module("rustls", log::LevelFilter::Off);
    let throttle = Mutex::<Throttle>::default();
    builder
        .parse_filters(filter)
        .format(move |out, record| line(out, record, &throttle));
    builder.build()
}

fn line(out: &mut impl Write, record: &Record<'_>, throttle: &Mutex<Throttle>) -> io::Result<()> {
    let now = clock::wall();
    let mut write =
        |level: Level, text: fmt::Arguments<'_>| writeln!(out, "{} {level:5} {text}", Stamp(now));
    // Whoever asks for these wants all of them, and no peer can.
    if record.level() > Level::Info {
        return write(record.level(), *record.args());
    }
    let text = record.args().to_string();
    let event = text.split_whitespace().next().unwrap_or_default();
    let mut throttle = throttle.lock().unwrap_or_else(PoisonError::into_inner);
    match throttle.admit(event, now.seconds()) {
        Verdict::Write => {}
        Verdict::After(count) => {
            write(
                Level::Warn,
                format_args!("log_dropped event={event} lines={count}"),
            )?;
        }
        Verdict::Limit => {
            let limit = format_args!("log_limited event={event} lines_max={LINES_MAX} in={SPAN}s");
            return write(Level::Warn, limit);
        }
        Verdict::Drop => return Ok(()),
    }
    write(record.level(), format_args!("{text}"))
}

/// A time as RFC 3339 has it, in UTC and milliseconds.
struct Stamp(Wall);

impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.seconds();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = self.0.millis() % 1000;
        write!(
            out,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day of the day that many days after 1970-01-01, in the Gregorian calendar. Years
/// are counted from March, so that the leap day is a year's last and a month's start is linear.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, carry) = match month_from_march {
        0..=9 => (month_from_march + 3, 0),
        _ => (month_from_march - 9, 1),
    };
    (era * 400 + year_of_era + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_the_calendar_s() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (millis, text) in rows {
            assert_eq!(Stamp(Wall(millis * 1000)).to_string(), text);
        }
    }
}
