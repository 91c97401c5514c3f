//! How one reader's stream is written: its format, whether in chunks, and what fills the silence.
//! It makes the bytes around messages and never a message's own.

use std::io::Write;

use super::Format;
use crate::http::write::{self, Answer, How};
use crate::model::MessageId;

/// How payloads become a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// In chunks.
    Chunked,
    /// As they are, to the close of the connection: for HTTP/1.0.
    Plain,
}

/// How a stream is written. It is a small number to whoever must not know of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The format of messages.
    pub format: Format,
    /// What is around them.
    pub framing: Framing,
    /// Whether an event stream's silence is filled with events that scripts can see. Means nothing
    /// in other formats.
    pub heartbeat: bool,
}

/// Whether a stream goes on where its reader had stopped: the value of `Hookah-Resume`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It begins anew.
    New,
    /// Nothing is missing behind the cursor.
    Continue,
    /// Something between the cursor and the first message sent is missing.
    Reset,
}

impl Resume {
    /// The word of the field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Resume::New => "new",
            Resume::Continue => "continue",
            Resume::Reset => "reset",
        }
    }
}

/// What a stream's head depends on.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The Date field's value.
    pub date: &'a str,
    /// The newest message at the time of joining; the least id if there is none.
    pub last: MessageId,
    /// How the cursor was met, if there was one.
    pub resume: Option<Resume>,
    /// What to allow in `Access-Control-Allow-Origin`, if anything.
    pub origin: Option<&'a str>,
    /// When EventSource comes again after its stream broke, in milliseconds.
    pub retry_ms: u32,
    /// The request was a HEAD: there are no first bytes.
    pub head_only: bool,
    /// The line ends with the answer to a HEAD. A stream in chunks says so at its end.
    pub closes: bool,
}

/// Fields that every answer of streams has: nothing between us and the reader may keep or change
/// what is sent.
pub const FIELDS: [(&str, &str); 3] = [
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
];

impl Style {
    /// How many there are.
    pub const COUNT: usize = Format::COUNT * 4;

    /// The number of the style, below [`Style::COUNT`].
    #[must_use]
    pub fn index(self) -> usize {
        let plain = usize::from(self.framing == Framing::Plain);
        self.format.index() * 4 + plain * 2 + usize::from(self.heartbeat)
    }

    /// The style of that number.
    #[must_use]
    pub fn from_index(index: usize) -> Style {
        Style {
            format: Format::from_index(index / 4),
            framing: match index & 2 {
                0 => Framing::Chunked,
                _ => Framing::Plain,
            },
            heartbeat: index & 1 == 1,
        }
    }

    /// What is sent when nothing else was for a while.
    #[must_use]
    pub fn keep_alive(self) -> &'static [u8] {
        match (self.format.is_sse(), self.heartbeat, self.framing) {
            (false, _, Framing::Chunked) => b"2\r\n\r\n\r\n",
            (false, _, Framing::Plain) => b"\r\n",
            (true, false, Framing::Chunked) => b"3\r\n:\n\n\r\n",
            (true, false, Framing::Plain) => b":\n\n",
            (true, true, Framing::Chunked) => b"18\r\nevent: heartbeat\ndata:\n\n\r\n",
            (true, true, Framing::Plain) => b"event: heartbeat\ndata:\n\n",
        }
    }

    /// The last bytes of a stream.
    #[must_use]
    pub fn terminator(self) -> &'static [u8] {
        match self.framing {
            Framing::Chunked => b"0\r\n\r\n",
            Framing::Plain => b"",
        }
    }

    /// The head of the answer that a stream begins with, and its first bytes: both leave at once,
    /// because some proxies hold a head until its body begins (streams.md section 2).
    #[must_use]
    pub fn head(self, head: &Head<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        write::field(&mut out, "Date", head.date);
        write::field(&mut out, "Content-Type", self.format.content_type());
        match self.framing {
            Framing::Chunked => write::field(&mut out, "Transfer-Encoding", "chunked"),
            Framing::Plain => write::field(&mut out, "Connection", "close"),
        }
        if head.closes && self.framing == Framing::Chunked {
            write::field(&mut out, "Connection", "close");
        }
        for (name, value) in FIELDS {
            write::field(&mut out, name, value);
        }
        if let Some(origin) = head.origin {
            write::share(&mut out, origin);
        }
        if head.last != MessageId::default() {
            out.extend_from_slice(b"Hookah-Last-Id: ");
            out.extend_from_slice(&head.last.text());
            out.extend_from_slice(b"\r\n");
        }
        if let Some(resume) = head.resume {
            write::field(&mut out, "Hookah-Resume", resume.as_str());
        }
        out.extend_from_slice(b"\r\n");
        if !head.head_only {
            self.begin(head.retry_ms, &mut out);
        }
        out.shrink_to_fit();
        out
    }

    /// Appends the first bytes of the body.
    fn begin(self, retry_ms: u32, out: &mut Vec<u8>) {
        let mut first = Vec::new();
        match self.format.is_sse() {
            true => {
                self.format.retry(retry_ms, &mut first);
                first.extend_from_slice(b":\n\n");
            }
            false => first.extend_from_slice(b"\r\n"),
        }
        self.enclose(&first, out);
    }

    /// A notice as it is sent. Nothing of nothing, since an empty chunk would end the stream.
    #[must_use]
    pub fn frame_notice(self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 20);
        if !payload.is_empty() {
            self.enclose(payload, &mut out);
        }
        out
    }

    fn enclose(self, payload: &[u8], out: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{:x}\r\n", payload.len());
        }
        out.extend_from_slice(payload);
        if self.framing == Framing::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends the whole answer of an event stream that there is no room for. EventSource gives up for
/// good on a 503; this makes it come again in so many milliseconds, which the caller draws by
/// chance so that not all come at once.
pub fn come_back(out: &mut Vec<u8>, retry_ms: u32, how: &How<'_>) {
    let mut body = Vec::new();
    Format::Sse.retry(retry_ms, &mut body);
    body.extend_from_slice(b":\n\n");
    let answer = Answer {
        status: 200,
        content_type: Some(Format::Sse.content_type()),
        fields: &FIELDS,
        body: &body,
    };
    write::answer(out, &answer, how);
}
