//! Reads the parameters of GET /stream. It opens nothing and knows no connection.

use std::time::Duration;

use super::Settings;
use super::filter::Filter;
use super::format::{Format, Framing, Style};
use super::wish::{Cursor, Mode, Selection, Wish};
use crate::base::time::Wall;
use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::model::MessageId;

/// Bytes of a topic's name at most (streams.md section 1).
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// A request for a stream, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The query.
    pub query: &'a str,
    /// The body of a POST with a form.
    pub form_body: Option<&'a [u8]>,
    /// Whether the client speaks HTTP/1.1, and so understands chunks.
    pub http11: bool,
    /// The Accept field.
    pub accept: Option<&'a [u8]>,
    /// The Last-Event-ID field.
    pub last_event_id: Option<&'a [u8]>,
    /// The If-None-Match field.
    pub if_none_match: Option<&'a [u8]>,
    /// Bounds.
    pub settings: &'a Settings,
    /// The time.
    pub now: Wall,
}

/// Reads what is asked for.
///
/// # Errors
/// What is wrong: the parameter, its value and what is allowed.
pub fn read(asked: &Asked<'_>) -> Result<Wish, Problem> {
    let mut wish = blank(asked.http11);
    for field in form::fields(asked.query.as_bytes()) {
        let (name, value) = (form::decode(field.name), form::decode(field.value));
        parameter(&mut wish, &name, &value)?;
    }
    if let Some(id) = asked.last_event_id.and_then(id) {
        wish.cursor = Cursor::After(id);
    }
    if wish.selection.topics.is_empty() && wish.selection.prefixes.is_empty() {
        return bad("topic: missing; allowed: a name, as in /stream?topic=news".to_owned());
    }
    Ok(wish)
}

fn bad<T>(detail: String) -> Result<T, Problem> {
    Err(Problem::new(Reason::BadParameter, detail))
}

fn blank(http11: bool) -> Wish {
    Wish {
        selection: Selection::default(),
        style: Style {
            format: Format::Raw,
            framing: match http11 {
                true => Framing::Chunked,
                false => Framing::Plain,
            },
            heartbeat: false,
        },
        cursor: Cursor::Now,
        mode: Mode::Live,
        conditional: false,
        keep_alive: None,
        stall_warnings: false,
        drops: false,
        retry_ms: None,
    }
}

fn id(text: &[u8]) -> Option<MessageId> {
    MessageId::parse(std::str::from_utf8(text).ok()?)
}

fn parameter(wish: &mut Wish, name: &[u8], value: &[u8]) -> Result<(), Problem> {
    let text = String::from_utf8_lossy(value);
    match name {
        b"topic" if value.is_empty() || value.len() > TOPIC_BYTES_MAX => {
            let bytes = value.len();
            return bad(format!(
                "topic: {bytes} bytes; allowed: 1 to {TOPIC_BYTES_MAX}"
            ));
        }
        b"topic" if !wish.selection.topics.iter().any(|known| **known == *value) => {
            wish.selection.topics.push(value.into());
        }
        b"prefix" => wish.selection.prefixes.push(value.into()),
        b"format" => {
            wish.style.format = match &*text {
                "raw" => Format::Raw,
                "json" => Format::Json,
                "sse" => Format::Sse,
                _ => return bad(format!("format: {text:?}; allowed: raw, json, sse")),
            };
        }
        b"count" => match text.parse::<i64>() {
            Ok(count) => {
                let most = count.unsigned_abs().min(u32::MAX.into());
                wish.cursor = Cursor::Last(most as u32);
                if count < 0 {
                    wish.mode = Mode::Kept;
                }
            }
            Err(_) => return bad(format!("count: {text:?}; allowed: a number")),
        },
        b"since" if &*text == "all" => wish.cursor = Cursor::All,
        b"since" | b"last_event_id" => match (id(value), text.parse::<u64>()) {
            (Some(id), _) => wish.cursor = Cursor::After(id),
            (None, Ok(seconds)) => wish.cursor = Cursor::Since(Wall(seconds * 1_000_000)),
            _ => return bad(format!("since: {text:?}; allowed: all, or an id")),
        },
        b"keepalive" => match text.parse::<u64>() {
            Ok(seconds) => wish.keep_alive = Some(Duration::from_secs(seconds.clamp(5, 300))),
            Err(_) => return bad(format!("keepalive: {text:?}; allowed: 5 to 300")),
        },
        b"slow" => wish.drops = value == b"drop",
        b"stall_warnings" => wish.stall_warnings = value == b"true",
        _ => {
            if let Some(field) = name.strip_prefix(b"where.") {
                let filter = wish.selection.filter.get_or_insert_with(Filter::default);
                filter.add(field, value);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_parameters_name_themselves_their_value_and_what_is_allowed() {
        let long = format!("topic={}", "x".repeat(1_025));
        let rows = [
            (
                "",
                "topic: missing; allowed: a name, as in /stream?topic=news",
            ),
            ("topic=", "topic: 0 bytes; allowed: 1 to 1024"),
            (&*long, "topic: 1025 bytes; allowed: 1 to 1024"),
        ];
        let settings = Settings::default();
        for (query, expected) in rows {
            let asked = Asked {
                query,
                form_body: None,
                http11: true,
                accept: None,
                last_event_id: None,
                if_none_match: None,
                settings: &settings,
                now: Wall(0),
            };
            let detail = read(&asked).map_or_else(|problem| problem.detail, |_| "ok".into());
            assert_eq!(detail, expected, "{query}");
        }
    }
}
