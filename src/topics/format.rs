//! The wire formats of streams: one row each, and how a message is encoded in it.
//! Encoding happens once per message and format; nothing here knows who reads.

use std::io::Write;

use crate::base::frame::Frame;
use crate::model::{Message, MessageId};

/// A wire format of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The body as a callback gets it, and a line's end.
    Raw,
    /// The same behind a line that says how long it is.
    RawLength,
    /// A line of JSON.
    Json,
    /// The same behind a line that says how long it is.
    JsonLength,
    /// Server-sent events whose data is the line of JSON.
    Sse,
    /// Server-sent events whose data is the body.
    SseRaw,
}

/// How a stream's bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A chunk per message (RFC 9112 section 7.1).
    Chunked,
    /// To the close of the connection, or as one answer with its length.
    Plain,
}

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// The framing.
    pub framing: Framing,
    /// Whether keep-alive bytes are an event of their own.
    pub heartbeat: bool,
}

/// A wire format. `raw` is the body as a callback gets it and an empty line's end after it; form
/// bodies hold no line break, so a line is a message (streams.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// raw, a chunk per message (RFC 9112 section 7.1).
    RawChunked,
    /// raw to the close of the connection, for HTTP/1.0.
    RawPlain,
}

impl Wire {
    /// How many there are.
    pub const COUNT: usize = 2;
    /// Every format.
    pub const ALL: [Wire; Wire::COUNT] = [Wire::RawChunked, Wire::RawPlain];

    /// The media type of a stream in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    /// A message's bytes on the wire, chunk header included. `bytes` is overwritten and used
    /// again, so that the frame is the one allocation.
    #[must_use]
    pub fn encode(self, message: &Message, bytes: &mut Vec<u8>) -> Frame {
        bytes.clear();
        if self == Wire::RawChunked {
            // Writing to a vector cannot fail.
            let _ = write!(bytes, "{:x}\r\n", message.body.len() + 2);
        }
        bytes.extend_from_slice(&message.body);
        bytes.extend_from_slice(b"\r\n");
        if self == Wire::RawChunked {
            bytes.extend_from_slice(b"\r\n");
        }
        Frame::copy_of(bytes)
    }

    /// The number of the format, below [`Wire::COUNT`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The format of that number.
    #[must_use]
    pub fn from_index(index: usize) -> Wire {
        Wire::ALL.get(index).copied().unwrap_or(Wire::RawChunked)
    }

    /// The head of the answer that a stream begins with, and its first bytes: both leave at once,
    /// because some proxies hold a head until its body begins (streams.md section 2).
    #[must_use]
    pub fn head(self, date: &str, last: MessageId) -> Vec<u8> {
        let mut head = String::with_capacity(320);
        for part in [
            "HTTP/1.1 200 OK\r\nDate: ",
            date,
            "\r\nContent-Type: ",
            self.content_type(),
        ] {
            head.push_str(part);
        }
        head.push_str(match self {
            Wire::RawChunked => "\r\nTransfer-Encoding: chunked",
            Wire::RawPlain => "\r\nConnection: close",
        });
        head.push_str("\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no");
        head.push_str("\r\nX-Content-Type-Options: nosniff");
        if last != MessageId::default() {
            head.push_str("\r\nHookah-Last-Id: ");
            head.push_str(&last.to_string());
        }
        head.push_str("\r\n\r\n");
        let mut head = head.into_bytes();
        head.extend_from_slice(self.keep_alive());
        head
    }

    /// The first bytes of a stream, and what is sent when nothing else was for a while.
    #[must_use]
    pub fn keep_alive(self) -> &'static [u8] {
        match self {
            Wire::RawChunked => b"2\r\n\r\n\r\n",
            Wire::RawPlain => b"\r\n",
        }
    }

    /// The last bytes of a stream.
    #[must_use]
    pub fn terminator(self) -> &'static [u8] {
        match self {
            Wire::RawChunked => b"0\r\n\r\n",
            Wire::RawPlain => b"",
        }
    }
}
