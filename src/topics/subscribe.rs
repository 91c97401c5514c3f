//! Reads the parameters of GET /stream. It opens nothing and knows no connection.

use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::topics::format::{Format, Framing, Style};

/// Bytes of a topic's name at most (streams.md section 1).
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// Parameters that later versions understand. To ignore one of them would be worse than to refuse:
/// the reader would wait for something that never comes.
const LATER: [&str; 14] = [
    "prefix",
    "delimited",
    "count",
    "since",
    "last_event_id",
    "poll",
    "wait",
    "keepalive",
    "heartbeat",
    "stall_warnings",
    "slow",
    "retry",
    "token",
    "data",
];

/// What a reader wants.
#[derive(Debug, PartialEq, Eq)]
pub struct Wish {
    /// The topic, decoded.
    pub topic: Box<[u8]>,
    /// The format.
    pub format: Style,
}

/// Reads a query. `http11` is false for clients of HTTP/1.0, which get no chunks.
///
/// # Errors
/// What is wrong: the parameter, its value and what is allowed.
pub fn read(query: &str, http11: bool) -> Result<Wish, Problem> {
    let bad = |detail: String| Err(Problem::new(Reason::BadParameter, detail));
    let mut topic = None;
    for field in form::fields(query.as_bytes()) {
        let (name, value) = (form::decode(field.name), form::decode(field.value));
        let text = String::from_utf8_lossy(&value);
        match &*name {
            b"topic" if topic.is_some() => {
                return bad(format!(
                    "topic: {text:?} is a second one; allowed: one topic"
                ));
            }
            b"topic" if value.is_empty() || value.len() > TOPIC_BYTES_MAX => {
                let bytes = value.len();
                return bad(format!(
                    "topic: {bytes} bytes; allowed: 1 to {TOPIC_BYTES_MAX}"
                ));
            }
            b"topic" if value.starts_with(b"$") => {
                let detail = format!("topic: {text:?}; allowed: names that do not begin with $");
                return Err(Problem::new(Reason::ReservedTopic, detail));
            }
            b"topic" => topic = Some(Box::from(&*value)),
            b"format" if &*value != b"raw" => {
                return bad(format!("format: {text:?}; allowed: raw"));
            }
            name => {
                let name = String::from_utf8_lossy(name);
                if LATER.contains(&&*name) || name.starts_with("where.") {
                    return bad(format!("{name}: not supported by this version"));
                }
            }
        }
    }
    let Some(topic) = topic else {
        return bad("topic: missing; allowed: a name, as in /stream?topic=news".to_owned());
    };
    let format = Style {
        format: Format::Raw,
        framing: if http11 {
            Framing::Chunked
        } else {
            Framing::Plain
        },
        heartbeat: false,
    };
    Ok(Wish { topic, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(query: &str) -> String {
        read(query, true).map_or_else(|problem| problem.detail.into_owned(), |_| "ok".into())
    }

    #[test]
    fn a_topic_is_decoded_and_opaque() {
        let wish = read("x=1&topic=a%20b,c%FF&format=raw", true);
        let (topic, format) = (Box::from(&b"a b,c\xff"[..]), Style::from_index(0));
        assert_eq!(wish, Ok(Wish { topic, format }));
        let format = read("topic=t", false).map(|wish| wish.format);
        assert_eq!(format, Ok(Style::from_index(2)));
    }

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
            (
                "topic=a&topic=b",
                "topic: \"b\" is a second one; allowed: one topic",
            ),
            (
                "topic=$x",
                "topic: \"$x\"; allowed: names that do not begin with $",
            ),
            ("topic=a&format=xml", "format: \"xml\"; allowed: raw"),
            ("topic=a&since=all", "since: not supported by this version"),
            (
                "topic=a&where.x=1",
                "where.x: not supported by this version",
            ),
        ];
        for (query, expected) in rows {
            assert_eq!(detail(query), expected, "{query}");
        }
    }
}
