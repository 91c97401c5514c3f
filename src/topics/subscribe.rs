//! Reads what a client of /stream asks for: its parameters and the fields of its request's head.
//! It opens nothing, knows no connection, and never repeats a token.

use crate::base::time::Wall;
use crate::http::form;
use crate::http::problem::{Problem, Reason, SHOWN_CHARS_MAX};
use crate::topics::Settings;
use crate::topics::filter::{WANTS_MAX, Want};
use crate::topics::wish::Wish;

use self::Take::{Hidden, Prefix, Topic, Value, Where};
use self::given::Given;

mod given;
mod values;

/// Bytes of a topic's name at most (streams.md section 1); of a prefix, a filter's field and its
/// value too.
pub const TOPIC_BYTES_MAX: usize = 1_024;
/// Topics of one stream at most.
pub const TOPICS_MAX: usize = 64;
/// Prefixes of one stream at most.
pub const PREFIXES_MAX: usize = 8;

/// What of a request decides on its stream.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What follows the target's first `?`.
    pub query: &'a str,
    /// The body of a POST, if it is a form.
    pub form_body: Option<&'a [u8]>,
    /// False for clients of HTTP/1.0, which get no chunks.
    pub http11: bool,
    /// The Accept field.
    pub accept: Option<&'a [u8]>,
    /// The Last-Event-ID field, which browsers send when they come back.
    pub last_event_id: Option<&'a [u8]>,
    /// The If-None-Match field, by which a poll goes on.
    pub if_none_match: Option<&'a [u8]>,
    /// The bounds.
    pub settings: &'a Settings,
    /// The time.
    pub now: Wall,
}

/// Reads everything that a client asks for. The query is merged with the form: topics, prefixes and
/// filters of both count, of other parameters the query's does. Unknown ones are ignored.
///
/// # Errors
/// What is wrong, on one line: the parameter, its value and what is allowed.
pub fn read(asked: &Asked<'_>) -> Result<Wish, Problem> {
    let mut reader = Reader {
        given: Given::default(),
        settled: 0,
        seen: 0,
        now: asked.now,
    };
    reader.source(asked.query.as_bytes())?;
    reader.source(asked.form_body.unwrap_or_default())?;
    reader.given.settle(asked)
}

/// What is done with a parameter's value.
#[derive(Clone, Copy)]
pub enum Take {
    /// It is a topic's name; may be repeated.
    Topic,
    /// It is the beginning of names; may be repeated.
    Prefix,
    /// It is a field's value, the field's name being what follows this name; may be repeated.
    Where,
    /// It is read. The error is the complaint, to stand behind the value.
    Value(fn(&mut Values, &str, Wall) -> Result<(), &'static str>),
    /// It is for whoever guards the door; nothing here looks at it or shows it.
    Hidden,
}

pub use self::given::Values;

/// One parameter.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name; with [`Take::Where`] what it begins with.
    pub name: &'static str,
    /// What is done with its value.
    pub take: Take,
    /// The values that are allowed, in words.
    pub allowed: &'static str,
    /// What holds without it; may be empty.
    pub default: &'static str,
    /// What it means, in words.
    pub help: &'static str,
}

macro_rules! table {
    ($($name:literal $take:expr, $allowed:expr, $default:literal, $help:literal;)+) => {
        /// Every parameter of streams.md section 1, in its order.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            take: $take,
            allowed: $allowed,
            default: $default,
            help: $help,
        },)+];
    };
}

table! {
    "topic" Topic, "1 to 1024 bytes; up to 64 topics", "",
        "a topic to read, exactly as it is published to; repeated for several";
    "prefix" Prefix, "up to 1024 bytes; up to 8 prefixes", "",
        "read every topic whose name begins so; an empty one reads all";
    "format" Value(values::format), "raw, json, sse", "by Accept, else raw",
        "how messages are written; wins over Accept";
    "delimited" Value(values::delimited), "length, with raw or json", "",
        "a line with the length in bytes before each message";
    "data" Value(values::data), "raw, not with delimited=length and json", "",
        "an SSE event's data, or text in JSON, is the body as it was published";
    "count" Value(values::count), "1 up to what a backlog keeps, or -1 down to as many", "",
        "N: the last N kept messages, then live; -N: the last N, then the end";
    "since" Value(values::since), values::SINCE_FORM, "latest",
        "begin with kept messages: those behind a message, from a time on, or all";
    "last_event_id" Value(values::last_event_id), "the id of a message, msg_ and 26 characters", "",
        "as Last-Event-ID, which wins; wins over since and count";
    "poll" Value(values::poll), "true, false, 1, 0", "0",
        "one answer with what there is; all that is kept unless since or count says else";
    "wait" Value(values::wait), "1 to 60 seconds", "",
        "one answer with the first message, or none after that time";
    "keepalive" Value(values::keep_alive), "5 to 300 seconds", "as --keepalive",
        "idle time before keep-alive bytes";
    "heartbeat" Value(values::heartbeat), "comment, event", "comment",
        "what keeps an SSE stream alive";
    "stall_warnings" Value(values::stall_warnings), "true, false, 1, 0", "false",
        "json and sse: a warning before a reader is too far behind";
    "slow" Value(values::slow), "disconnect, drop", "disconnect",
        "what a reader that is too slow loses: its stream, or the oldest messages";
    "where." Where, "where.FIELD=VALUE, up to 1024 bytes each; up to 8 of them", "",
        "only messages whose form or JSON field equals that; of the same field one will do";
    "retry" Value(values::retry), "100 to 3600000", "3000 to 5000",
        "milliseconds before a reader of SSE comes back";
    "token" Hidden, "a token", "",
        "in the query, for readers that cannot set Authorization, which wins";
    "access_token" Hidden, "a token", "", "the same (RFC 6750 section 2.3)";
    "exp" Hidden, "unix seconds", "", "of a ticket, in the query: when it ends, and the stream too";
    "key" Hidden, "the name of a token", "", "of a ticket: whose secret signed it";
    "sig" Hidden, "64 hexadecimal digits", "", "of a ticket: its signature";
}

/// A row's bit in the set of the parameters that one source gave.
const _: () = assert!(TABLE.len() <= 32);

/// The row of the parameter of that decoded name, with its index, and what of the name follows the
/// row's own.
fn row_of(name: &[u8]) -> Option<(usize, &'static Row, &[u8])> {
    let mut rows = TABLE.iter().enumerate();
    rows.find_map(|(index, row)| {
        let rest = name.strip_prefix(row.name.as_bytes())?;
        (rest.is_empty() || matches!(row.take, Where)).then_some((index, row, rest))
    })
}

/// The sources of one request, read one after the other.
struct Reader {
    given: Given,
    /// The parameters of earlier sources, one bit a row.
    settled: u32,
    /// The parameters of the present source.
    seen: u32,
    now: Wall,
}

impl Reader {
    /// Takes the parameters of a query or a form. What comes later has less weight.
    fn source(&mut self, text: &[u8]) -> Result<(), Problem> {
        self.settled |= self.seen;
        self.seen = 0;
        for field in form::fields(text) {
            let name = form::decode(field.name);
            if let Some((index, row, rest)) = row_of(&name) {
                self.parameter(index, row, rest, &form::decode(field.value))?;
            }
        }
        Ok(())
    }

    fn parameter(
        &mut self,
        index: usize,
        row: &'static Row,
        rest: &[u8],
        value: &[u8],
    ) -> Result<(), Problem> {
        match row.take {
            Topic => return self.topic(row, value),
            Prefix => return self.prefix(row, value),
            Where => return self.want(row, rest, value),
            Value(_) | Hidden => {}
        }
        let bit = 1 << index;
        if self.seen & bit != 0 {
            return Err(bad_value(row, value, "is given twice"));
        }
        self.seen |= bit;
        let Value(set) = row.take else {
            return Ok(());
        };
        let Ok(text) = std::str::from_utf8(value) else {
            return Err(bad_value(row, value, "is not UTF-8"));
        };
        // A value that is outweighed is still refused if it is a bad one.
        let mut outweighed = Values::default();
        let lost = self.settled & bit != 0;
        let values = if lost {
            &mut outweighed
        } else {
            &mut self.given.values
        };
        set(values, text, self.now).map_err(|complaint| bad_value(row, value, complaint))
    }

    fn topic(&mut self, row: &Row, value: &[u8]) -> Result<(), Problem> {
        if value.is_empty() {
            return Err(bad_value(row, value, "is empty"));
        }
        add(row, &mut self.given.topics, value, TOPICS_MAX)
    }

    fn prefix(&mut self, row: &Row, value: &[u8]) -> Result<(), Problem> {
        add(row, &mut self.given.prefixes, value, PREFIXES_MAX)
    }

    fn want(&mut self, row: &Row, name: &[u8], value: &[u8]) -> Result<(), Problem> {
        let refuse = |complaint| Err(bad_where(row, name, value, complaint));
        if name.is_empty() {
            return refuse("names no field");
        }
        if name.len().max(value.len()) > TOPIC_BYTES_MAX {
            return refuse("is too long");
        }
        let want = Want {
            name: name.into(),
            value: value.into(),
        };
        if self.given.wants.contains(&want) {
            return Ok(());
        }
        if self.given.wants.len() >= WANTS_MAX {
            return refuse("is one too many");
        }
        self.given.wants.push(want);
        Ok(())
    }
}

/// Adds a name to a list that has each once.
fn add(row: &Row, list: &mut Vec<Box<[u8]>>, name: &[u8], most: usize) -> Result<(), Problem> {
    if name.len() > TOPIC_BYTES_MAX {
        return Err(bad_value(row, name, "is too long"));
    }
    if list.iter().any(|known| **known == *name) {
        return Ok(());
    }
    if list.len() >= most {
        let (reason, complaint) = (Reason::TooManyTopics, "is one too many");
        let problem = Problem::of_value(reason, row.name, name, complaint, row.allowed);
        return Err(problem);
    }
    list.push(name.into());
    Ok(())
}

/// The refusal of a parameter's value.
fn bad_value(row: &Row, value: &[u8], complaint: &str) -> Problem {
    if let Hidden = row.take {
        let (name, allowed) = (row.name, row.allowed);
        let detail = format!("{name}: it {complaint}; allowed: {allowed}");
        return Problem::new(Reason::BadParameter, detail);
    }
    Problem::of_value(
        Reason::BadParameter,
        row.name,
        value,
        complaint,
        row.allowed,
    )
}

/// The refusal of a filter, whose parameter's name is the client's in part.
fn bad_where(row: &Row, name: &[u8], value: &[u8], complaint: &str) -> Problem {
    let start = name.get(..4 * SHOWN_CHARS_MAX).unwrap_or(name);
    let field = String::from_utf8_lossy(start);
    let field = field.chars().take(SHOWN_CHARS_MAX);
    let field: String = field.flat_map(char::escape_debug).collect();
    let name = format!("{}{field}", row.name);
    Problem::of_value(Reason::BadParameter, &name, value, complaint, row.allowed)
}

#[cfg(test)]
mod tests;
