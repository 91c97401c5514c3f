//! What the server answers: the head, and a body as it comes. The grammar is that of our own calls
//! to targets; nothing here decides what an answer means.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::Duration;

use super::call::Trouble;
use super::line::Line;
use crate::http::body::BodyReader;
use crate::http::json::scan;
use crate::http::request;
use crate::http::response::{self, Framing, ResponseScan, RetryAfter};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// What is kept of a refusal: enough to say why.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// What an answer may have at most: a thousand times what ours have.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Interim answers before the final one, at most.
const INTERIM_MAX: usize = 8;

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// When to come again, if the server says so in seconds.
    pub(super) retry_after: Option<Duration>,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The value of the first field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut all = self.fields.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer of which not all has come.
pub(super) struct Incoming {
    line: Line,
    buf: Vec<u8>,
    /// Bytes of `buf` that are done with.
    done: usize,
    body: BodyReader,
    is_success: bool,
    keep_alive: bool,
}

impl Incoming {
    /// The head of the next answer on that line, and the rest of it.
    pub(super) fn begin(line: Line) -> Result<(Head, Incoming), Trouble> {
        let mut incoming = Incoming {
            line,
            buf: Vec::new(),
            done: 0,
            body: BodyReader::None,
            is_success: false,
            keep_alive: false,
        };
        for _ in 0..=INTERIM_MAX {
            let head = incoming.head()?;
            if head.status >= 200 {
                return Ok((head, incoming));
            }
        }
        Err(Trouble::Protocol("too many interim answers".to_owned()))
    }

    fn head(&mut self) -> Result<Head, Trouble> {
        let strange = |word: &str| Trouble::Protocol(format!("it answers no HTTP/1.1: {word}"));
        let mut scan = ResponseScan::default();
        loop {
            let rest = self.buf.get(self.done..).unwrap_or_default();
            let end = scan.scan(rest).map_err(|why| strange(why.as_str()))?;
            let Some(end) = end else {
                if self.fill()? == 0 {
                    return Err(Trouble::Broken(
                        "the line broke before an answer".to_owned(),
                    ));
                }
                continue;
            };
            let mut slots = request::slots();
            let head = response::parse(rest.get(..end).unwrap_or_default(), &mut slots, false);
            let head = head.map_err(|why| strange(why.as_str()))?;
            if head.framing == Framing::Malformed {
                return Err(strange("bad_framing"));
            }
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let fields = head.headers.iter();
            let found = Head {
                status: head.status,
                retry_after: match head.retry_after {
                    Some(RetryAfter::Seconds(seconds)) => Some(Duration::from_secs(seconds)),
                    _ => None,
                },
                fields: fields
                    .map(|it| (it.name.to_owned(), text(it.value)))
                    .collect(),
            };
            self.is_success = (200..300).contains(&head.status);
            self.keep_alive = head.keep_alive;
            self.body = head.body.reader();
            self.done += end;
            return Ok(found);
        }
    }

    /// Reads once from the line; 0 at its end.
    pub(super) fn fill(&mut self) -> Result<usize, Trouble> {
        self.buf.drain(..std::mem::take(&mut self.done));
        let old = self.buf.len();
        self.buf.resize(old + READ_BYTES, 0);
        let room = self.buf.get_mut(old..).unwrap_or_default();
        let read = loop {
            match self.line.read(room) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buf
            .truncate(old + read.as_ref().map_or(0, |count| *count));
        read.map_err(|why| match why.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Trouble::Broken("no answer in time".to_owned())
            }
            _ => Trouble::Broken(format!("the line broke: {why}")),
        })
    }

    /// Appends what has come of the body; true if that was the last of it.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) -> Result<bool, Trouble> {
        loop {
            let rest = self.buf.get(self.done..).unwrap_or_default();
            let piece = self.body.read(rest);
            let piece = piece.map_err(|_| Trouble::Protocol("a broken chunk".to_owned()))?;
            out.extend_from_slice(piece.data);
            self.done += piece.consumed;
            if piece.done || piece.consumed == 0 {
                return Ok(piece.done);
            }
        }
    }

    /// The whole body, and the line if it may be used again; of a refusal its first part, and of a
    /// success whose body nobody needs what has come.
    pub(super) fn whole(mut self, is_needed: bool) -> Result<(Vec<u8>, Option<Line>), Trouble> {
        let mut body = Vec::new();
        loop {
            let done = self.take(&mut body)?;
            if self.is_success && body.len() > ANSWER_BYTES_MAX {
                let most = ANSWER_BYTES_MAX >> 20;
                let text = format!("it answers more than {most} MiB; is it a Hookah?");
                return Err(Trouble::Protocol(text));
            }
            if !self.is_success && body.len() > REFUSAL_BYTES_MAX {
                body.truncate(REFUSAL_BYTES_MAX);
                return Ok((body, None));
            }
            if done {
                return Ok((body, self.keep_alive.then_some(self.line)));
            }
            if self.is_success && !is_needed {
                return Ok((body, None));
            }
            if self.fill()? == 0 {
                if self.body.ends_with_close() {
                    return Ok((body, None));
                }
                return Err(Trouble::Broken(
                    "the line broke within an answer".to_owned(),
                ));
            }
        }
    }

    /// The line below.
    pub(super) fn line(&mut self) -> &mut Line {
        &mut self.line
    }
}

/// The value of a member of the JSON object that `text` is, as it stands there.
pub(super) fn member<'t>(text: &'t [u8], name: &str) -> Option<&'t [u8]> {
    let mut members = scan::object(text).ok()??.map_while(Result::ok);
    let found = members.find(|it| {
        let quoted = text.get(it.name.clone()).unwrap_or_default();
        scan::text(quoted).is_some_and(|it| *it == *name.as_bytes())
    })?;
    text.get(found.value)
}

/// The elements of the JSON array that `text` is; none if it is something else.
pub(super) fn elements(text: &[u8]) -> Vec<&[u8]> {
    let elements = scan::array(text).ok().flatten().into_iter().flatten();
    let places = elements.map_while(Result::ok).map(|it| it.value);
    places.filter_map(|place| text.get(place)).collect()
}

/// A member that is a string, decoded.
pub(super) fn string<'t>(text: &'t [u8], name: &str) -> Option<Cow<'t, str>> {
    match scan::text(member(text, name)?)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// What an answer that is no success says, in one line.
pub(super) fn words(status: u16, body: &[u8]) -> String {
    const SHOWN_CHARS_MAX: usize = 400;
    let text = match (string(body, "title"), string(body, "detail")) {
        (Some(title), Some(detail)) => format!("{status} {title}: {detail}"),
        (Some(title), None) => format!("{status} {title}"),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let line = text.trim().lines().next().unwrap_or_default();
    let line: String = line.chars().take(SHOWN_CHARS_MAX).collect();
    let line = line.replace(char::is_control, " ");
    match line.starts_with(|first: char| first.is_ascii_digit()) {
        true => line,
        // A web server's page in front of ours.
        false => format!("it answers {status}"),
    }
}
