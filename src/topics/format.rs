//! The wire formats of streams: how a message is encoded in each, once for all who read it so.
//! Nothing here knows who reads, keeps a frame, or looks at a clock.
//!
//! A frame is a chunk of its own (RFC 9112 section 7.1), because nearly every reader speaks
//! HTTP/1.1; for the others [`payload`] is the part of it that they get.

use crate::base::frame::Frame;
use crate::http::{form, write};
use crate::model::Message;

mod fields;
mod line;
mod notice;
mod style;

pub use notice::Code;
pub use style::{FIELDS, Framing, Head, Resume, Style, come_back};

/// A wire format (streams.md section 3). WebSocket will be one more row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The body as a callback gets it and a line end. Form bodies hold no line break, so that a
    /// line is a message.
    Raw,
    /// The same behind a line that counts its bytes.
    RawLength,
    /// A line of JSON.
    Json,
    /// The same behind a line that counts its bytes.
    JsonLength,
    /// A line of JSON that has the body as it was published, whatever it is.
    JsonRaw,
    /// An event whose data is the line of JSON.
    Sse,
    /// An event whose data is the body.
    SseRaw,
}

/// Buffers that encoding uses again from message to message. It remembers the JSON of the last
/// message, for its other topics and formats, and with it that message's body.
#[derive(Debug, Default)]
pub struct Scratch {
    frame: Vec<u8>,
    json: line::Rendered,
}

/// Buffers up to this size are kept for the next message; what a rare large one took is given back.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Bytes kept free before a payload: a chunk's size in hexadecimal and a length in decimal, with
/// their line ends.
const ROOM: usize = 16 + 2 + 20 + 2;

impl Format {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// Every format, by number.
    pub const ALL: [Format; Format::COUNT] = [
        Format::Raw,
        Format::RawLength,
        Format::Json,
        Format::JsonLength,
        Format::JsonRaw,
        Format::Sse,
        Format::SseRaw,
    ];

    /// A message's bytes on the wire under that topic, in a chunk of their own. With warm buffers
    /// the frame is the one allocation, unless a form holds bytes that are no UTF-8.
    #[must_use]
    pub fn encode(self, message: &Message, topic: &[u8], scratch: &mut Scratch) -> Frame {
        let Scratch { frame: out, json } = scratch;
        out.clear();
        out.resize(ROOM, 0);
        match self {
            Format::Raw | Format::RawLength => {
                out.extend_from_slice(&message.body);
                out.extend_from_slice(b"\r\n");
            }
            Format::Json | Format::JsonLength | Format::JsonRaw => {
                json.line(message, topic, self == Format::JsonRaw, out);
                out.extend_from_slice(b"\r\n");
            }
            Format::Sse => {
                begin_event(message, out);
                out.extend_from_slice(b"data: ");
                json.line(message, topic, false, out);
                out.extend_from_slice(b"\n\n");
            }
            Format::SseRaw => {
                begin_event(message, out);
                data_lines(&message.body, out);
                out.push(b'\n');
            }
        }
        let frame = Frame::copy_of(enclose(out, self.is_delimited()));
        if out.capacity() > KEPT_BYTES_MAX {
            *out = Vec::new();
        }
        frame
    }

    /// The media type of a stream in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Raw | Format::RawLength => form::MEDIA_TYPE,
            Format::Json | Format::JsonLength | Format::JsonRaw => "application/x-ndjson",
            Format::Sse | Format::SseRaw => "text/event-stream",
        }
    }

    /// Whether a message's frame is the same under all its topics, because it does not name them.
    #[must_use]
    pub fn shares_topics(self) -> bool {
        matches!(self, Format::Raw | Format::RawLength | Format::SseRaw)
    }

    /// Whether it is made of events, which EventSource reads.
    #[must_use]
    pub fn is_sse(self) -> bool {
        matches!(self, Format::Sse | Format::SseRaw)
    }

    /// Whether a line before each message counts its bytes (`delimited=length`).
    #[must_use]
    pub fn is_delimited(self) -> bool {
        matches!(self, Format::RawLength | Format::JsonLength)
    }

    /// The number of the format, below [`Format::COUNT`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The format of that number.
    #[must_use]
    pub fn from_index(index: usize) -> Format {
        Format::ALL.get(index).copied().unwrap_or(Format::Raw)
    }
}

/// The payload within a chunk: what a client of HTTP/1.0 and a long-poll get. Nothing if `frame` is
/// no chunk.
#[must_use]
pub fn payload(frame: &[u8]) -> &[u8] {
    let start = memchr::memchr(b'\n', frame).map_or(frame.len(), |at| at + 1);
    frame
        .get(start..)
        .and_then(|rest| rest.strip_suffix(b"\r\n"))
        .unwrap_or_default()
}

/// The lines of an event before its data.
fn begin_event(message: &Message, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(&message.id.text());
    out.push(b'\n');
    if let Some(event) = message.extra.as_ref().and_then(|it| it.event.as_deref()) {
        // Options with control characters are refused at the door.
        debug_assert!(!event.contains(['\r', '\n']), "an event's name has lines");
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
}

/// A `data` line for each line of `body`. A line break at its end has an empty line behind it, so
/// that the reader, who joins them with LF, sees it.
fn data_lines(body: &[u8], out: &mut Vec<u8>) {
    let mut rest = body;
    loop {
        out.extend_from_slice(b"data: ");
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
            out.extend_from_slice(rest);
            out.push(b'\n');
            return;
        };
        let (line, behind) = rest.split_at(end);
        out.extend_from_slice(line);
        out.push(b'\n');
        let break_bytes = if behind.starts_with(b"\r\n") { 2 } else { 1 };
        rest = behind.get(break_bytes..).unwrap_or_default();
    }
}

/// Makes a chunk of the payload that stands behind [`ROOM`] bytes.
fn enclose(out: &mut Vec<u8>, delimited: bool) -> &[u8] {
    let mut bytes = out.len() - ROOM;
    let mut front = Front { out, start: ROOM };
    if delimited {
        front.line(bytes, 10);
        bytes += ROOM - front.start;
    }
    front.line(bytes, 16);
    let start = front.start;
    out.extend_from_slice(b"\r\n");
    out.get(start..).unwrap_or_default()
}

/// Writes from back to front: how long a payload is, is known behind it.
struct Front<'a> {
    out: &'a mut [u8],
    start: usize,
}

impl Front<'_> {
    /// A line with a number.
    fn line(&mut self, mut number: usize, base: usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.push(b'\n');
        self.push(b'\r');
        loop {
            self.push(DIGITS[number % base]);
            number /= base;
            if number == 0 {
                return;
            }
        }
    }

    fn push(&mut self, byte: u8) {
        debug_assert!(self.start > 0, "no room before a payload");
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.out.get_mut(self.start) {
            *place = byte;
        }
    }
}

/// Appends text in a line of its length, as `delimited=length` has it.
fn delimit(text: &[u8], out: &mut Vec<u8>) {
    write::number(out, text.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
