//! Log lines on stderr: a time, a level, an event name with key=value pairs; or all that in JSON.
//! Which lines are wanted is the filter's business; no room's code formats a log line's time.
//! Of one event no more than so many lines are written in a span, unless somebody wants to see all.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError, RwLock};

use log::{Level, Log, Metadata, Record};

use super::clock;
use super::throttle::{LINES_MAX, SPAN, Throttle, Verdict};
use crate::base::time::Wall;
use crate::http::json;
use fields::{Fields, Value};

mod fields;

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `TIME LEVEL event key=value …`
    Text,
    /// An object with the members `time`, `level`, `event`, and one for each key.
    Json,
}

impl Format {
    /// Reads its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Format> {
        match text {
            "text" => Some(Format::Text),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// Starts the log with an env_logger filter such as `info` or `warn,hookah::shell=debug`. A second
/// call changes nothing.
pub fn start(filter: &str, format: Format) {
    if log::set_logger(&JOURNAL).is_ok() {
        wanted(filter, format);
    }
}

/// Other lines are wanted from now on.
pub(super) fn refilter(filter: &str) {
    if let Some(format) = JOURNAL.with(|(_, format)| *format) {
        wanted(filter, format);
    }
}

fn wanted(filter: &str, format: Format) {
    let logger = logger(filter, format);
    log::set_max_level(logger.filter());
    let mut journal = JOURNAL.0.write().unwrap_or_else(PoisonError::into_inner);
    *journal = Some((logger, format));
}

/// What every log line goes through, so that its filter can be another one day.
struct Journal(RwLock<Option<(env_logger::Logger, Format)>>);

static JOURNAL: Journal = Journal(RwLock::new(None));

impl Journal {
    fn with<T>(&self, look: impl FnOnce(&(env_logger::Logger, Format)) -> T) -> Option<T> {
        let logger = self.0.read().unwrap_or_else(PoisonError::into_inner);
        logger.as_ref().map(look)
    }
}

impl Log for Journal {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        self.with(|(logger, _)| logger.enabled(about))
            .unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        self.with(|(logger, _)| logger.log(record));
    }

    fn flush(&self) {
        self.with(|(logger, _)| logger.flush());
    }
}

fn logger(filter: &str, format: Format) -> env_logger::Logger {
    let mut builder = env_logger::Builder::new();
    // Why a line's TLS failed is in our own words; rustls' lines are for whoever asks for them.
    builder.filter_module("rustls", log::LevelFilter::Off);
    let throttle = Mutex::<Throttle>::default();
    builder
        .parse_filters(filter)
        .format(move |out, record| line(out, record, &throttle, format));
    builder.build()
}

fn line(
    out: &mut impl Write,
    record: &Record<'_>,
    throttle: &Mutex<Throttle>,
    format: Format,
) -> io::Result<()> {
    let now = clock::wall();
    let mut write = |level: Level, text: &str| match format {
        Format::Text => writeln!(out, "{} {level:5} {text}", Stamp(now)),
        Format::Json => out.write_all(&object(now, level, text)),
    };
    let text = ours(record);
    // Whoever asks for these wants all of them, and no peer can.
    if record.level() > Level::Info {
        return write(record.level(), &text);
    }
    let event = text.split(' ').next().unwrap_or_default();
    let mut throttle = throttle.lock().unwrap_or_else(PoisonError::into_inner);
    match throttle.admit(event, now.seconds()) {
        Verdict::Write => {}
        Verdict::After(count) => {
            let dropped = format!("log_dropped of={event} lines={count}");
            write(Level::Warn, &dropped)?;
        }
        Verdict::Limit => {
            let limit = format!("log_limited of={event} lines_max={LINES_MAX} in_seconds={SPAN}");
            return write(Level::Warn, &limit);
        }
        Verdict::Drop => return Ok(()),
    }
    write(record.level(), &text)
}

/// The line as we write lines: what others have to say, libraries for one, is the text of an event
/// of its own.
fn ours(record: &Record<'_>) -> String {
    let text = record.args().to_string();
    let is_ours = record.target().starts_with("hookah::");
    if is_ours && Fields::of(&text).is_some() {
        return text;
    }
    debug_assert!(!is_ours, "a log line is not event key=value: {text:?}");
    format!("log target={:?} text={text:?}", record.target())
}

/// Lines for people as objects: the text of an event of that name, line by line.
pub(super) fn in_json(event: &str, lines: &str) -> String {
    let now = clock::wall();
    let objects = lines.lines().map(|line| {
        let object = object(now, Level::Info, &format!("{event} text={line:?}"));
        String::from_utf8_lossy(&object).into_owned()
    });
    objects.collect()
}

/// The last words of a process that failed: what is wrong, in one line, and its exit code.
#[must_use]
pub fn failed(format: Format, text: &str, exit_code: u8) -> String {
    match format {
        Format::Text => format!("hookah: {text}\n"),
        Format::Json => {
            let words = format!("failed text={text:?} exit_code={exit_code}");
            String::from_utf8_lossy(&object(clock::wall(), Level::Error, &words)).into_owned()
        }
    }
}

fn object(now: Wall, level: Level, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 96);
    let level = level.as_str().to_ascii_lowercase();
    let opening = format!("{{\"time\":\"{}\",\"level\":\"{level}\"", Stamp(now));
    out.extend_from_slice(opening.as_bytes());
    if let Some(fields) = Fields::of(text) {
        out.extend_from_slice(b",\"event\":");
        json::string(&mut out, fields.event);
        for (key, value) in &fields.pairs {
            out.push(b',');
            json::string(&mut out, key);
            out.push(b':');
            match value {
                Value::Bare(bare) if is_plain(bare) => out.extend_from_slice(bare.as_bytes()),
                Value::Bare(bare) => json::string(&mut out, bare),
                Value::Text(text) => json::string(&mut out, text),
            }
        }
    }
    out.extend_from_slice(b"}\n");
    out
}

/// Whether that stands in JSON without quotes: true, false, and whole numbers that everybody can
/// read without loss (RFC 8259 section 6).
fn is_plain(bare: &str) -> bool {
    let is_number = bare.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = bare.len() == 1 || !bare.starts_with('0');
    matches!(bare, "true" | "false") || (is_number && is_first && bare.len() <= 15)
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

    /// What a line of that target and text becomes, at 1970 and level info.
    fn written(target: &str, text: &str, format: Format) -> String {
        let mut out = Vec::new();
        let arguments = format_args!("{text}");
        let mut builder = Record::builder();
        let record = builder.target(target).level(Level::Info).args(arguments);
        line(&mut out, &record.build(), &Mutex::default(), format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_words_are_of_the_form_of_the_log() {
        let text = "--tokens \"x\": no\u{1b}";
        let plain = failed(Format::Text, text, 78);
        assert_eq!(plain, format!("hookah: {text}\n"));
        let json = failed(Format::Json, text, 78);
        let (time, rest) = json.split_once("\"level\"").unwrap();
        assert!(time.starts_with("{\"time\":\""), "{json}");
        let told = r#":"error","event":"failed","text":"--tokens \"x\": no\u001b","exit_code":78}"#;
        assert_eq!(rest, format!("{told}\n"));
    }

    #[test]
    fn a_line_in_both_forms() {
        let text = "seen id=7 zip=007 ok=true peer=[::1]:2 what=\"a \\\"b\\\"\\n\\u{1b}\"";
        let line = written("hookah::shell", text, Format::Text);
        assert_eq!(line[24..], format!(" INFO  {text}\n"));
        let line = written("hookah::shell", text, Format::Json);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let rows = [
            ("level", serde_json::json!("info")),
            ("event", serde_json::json!("seen")),
            ("id", serde_json::json!(7)),
            ("zip", serde_json::json!("007")),
            ("ok", serde_json::json!(true)),
            ("peer", serde_json::json!("[::1]:2")),
            ("what", serde_json::json!("a \"b\"\n\u{1b}")),
        ];
        for (key, expected) in rows {
            assert_eq!(read[key], expected, "{line}");
        }
    }

    #[test]
    fn what_others_say_is_one_event() {
        for (target, text) in [("mio::poll", "a=b c\nd"), ("main", "Plain words")] {
            let line = written(target, text, Format::Text);
            let rest = format!("log target={target:?} text={text:?}\n");
            assert_eq!(line.split_once(" INFO  ").unwrap().1, rest);
            let line = written(target, text, Format::Json);
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["text"], serde_json::json!(text));
        }
    }

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
