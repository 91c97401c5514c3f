//! The bytes of live streams: how each server is asked and told, and how its stream is read.
//! It never reads or writes a socket.

use std::io;

use memchr::memmem;

use crate::wire::odd;

/// How one of the servers is spoken to.
pub struct Dialect {
    /// The whole request for a stream.
    pub ask: &'static str,
    /// Where a message is posted to.
    path: &'static str,
    /// What stands before the fields of a message.
    prefix: &'static str,
    is_sse: bool,
}

pub const HOOKAH_RAW: Dialect = Dialect {
    ask: "GET /stream?topic=t&format=raw HTTP/1.1\r\nHost: localhost\r\n\r\n",
    path: "/dispatch",
    prefix: "_topic=t&",
    is_sse: false,
};

/// The body as it is in `data:`, which is all that nchan can do.
pub const HOOKAH_SSE: Dialect = Dialect {
    ask: "GET /stream?topic=t&format=sse&data=raw HTTP/1.1\r\n\
          Host: localhost\r\n\r\n",
    is_sse: true,
    ..HOOKAH_RAW
};

pub const NCHAN_RAW: Dialect = Dialect {
    ask: "GET /sub HTTP/1.1\r\nHost: localhost\r\nTE: chunked\r\n\r\n",
    path: "/pub",
    prefix: "",
    is_sse: false,
};

pub const NCHAN_SSE: Dialect = Dialect {
    ask: "GET /sub HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    is_sse: true,
    ..NCHAN_RAW
};

/// Stands once in each message and nowhere else in a stream, whatever the format: counting it
/// counts messages.
pub const MARK: u8 = b'*';

/// Bytes of a message's fields.
pub const FIELDS_BYTES: usize = 100;

/// The fields of a message: its number and when it was posted, in nanoseconds.
pub fn fields(number: u64, stamp: u64) -> String {
    let text = format!("number={number:08}&stamp={stamp:016}&mark=*&fill=");
    format!("{text:x<FIELDS_BYTES$}")
}

/// The POST that publishes these fields.
pub fn publish(dialect: &Dialect, fields: &str) -> Vec<u8> {
    let Dialect { path, prefix, .. } = dialect;
    let length = prefix.len() + fields.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{prefix}{fields}"
    )
    .into_bytes()
}

/// The head of a stream as `bytes` begin with it: its size and whether chunks follow, `None`
/// while some are missing; an error if it is no stream.
pub fn stream_head(bytes: &[u8]) -> io::Result<Option<(usize, bool)>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    if !bytes.starts_with(b"HTTP/1.1 200 ") {
        return Err(odd("no stream", bytes));
    }
    let head = bytes[..end].to_ascii_lowercase();
    let is_chunked = memmem::find(&head, b"transfer-encoding: chunked").is_some();
    Ok(Some((end + 4, is_chunked)))
}

/// Reads a stream strictly, behind its head.
pub struct Decoder {
    is_sse: bool,
    is_chunked: bool,
    /// What came of a chunk that is not whole yet.
    held: Vec<u8>,
    /// What came of an event that is not whole yet.
    text: Vec<u8>,
}

impl Decoder {
    pub fn new(dialect: &Dialect, is_chunked: bool) -> Decoder {
        Decoder {
            is_sse: dialect.is_sse,
            is_chunked,
            held: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Takes what came and tells `found` the number and the stamp of each message that it made
    /// whole. Fails at the first byte that should not stand where it does.
    pub fn take(&mut self, bytes: &[u8], found: &mut impl FnMut(u64, u64)) -> io::Result<()> {
        if !self.is_chunked {
            self.text.extend_from_slice(bytes);
            return self.events(found);
        }
        self.held.extend_from_slice(bytes);
        let mut used = 0;
        while let Some((start, end)) = chunk(&self.held[used..])? {
            let payload = &self.held[used + start..used + end];
            if self.is_sse {
                self.text.extend_from_slice(payload);
            } else {
                let line = payload.strip_suffix(b"\r\n").unwrap_or(payload);
                if !line.is_empty() {
                    let (number, stamp) = message(line)?;
                    found(number, stamp);
                }
            }
            used += end + 2;
        }
        self.held.drain(..used);
        self.events(found)
    }

    fn events(&mut self, found: &mut impl FnMut(u64, u64)) -> io::Result<()> {
        let mut used = 0;
        while let Some(end) = memmem::find(&self.text[used..], b"\n\n") {
            let mut lines = self.text[used..used + end].split(|&byte| byte == b'\n');
            // An event without data is a comment, or the time to wait before a reconnection.
            if let Some(data) = lines.find_map(|line| line.strip_prefix(b"data: ")) {
                let (number, stamp) = message(data)?;
                found(number, stamp);
            }
            used += end + 2;
        }
        self.text.drain(..used);
        Ok(())
    }
}

/// Where the payload of the chunk that `bytes` begin with starts and ends, if all of it is there.
fn chunk(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(line) = memmem::find(bytes, b"\r\n") else {
        return Ok(None);
    };
    let size = std::str::from_utf8(&bytes[..line]).ok();
    let size = size.and_then(|text| usize::from_str_radix(text, 16).ok());
    let Some(size @ 1..) = size else {
        return Err(odd("no chunk, or the last one", bytes));
    };
    let end = line + 2 + size;
    match bytes.get(end..end + 2) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((line + 2, end))),
        Some(_) => Err(odd("a chunk is longer than it says", bytes)),
    }
}

/// The number and the stamp of a message, if it is one to the last byte.
fn message(bytes: &[u8]) -> io::Result<(u64, u64)> {
    let digits = |from: usize, to: usize| {
        let text = std::str::from_utf8(bytes.get(from..to)?).ok()?;
        text.parse::<u64>().ok()
    };
    let read = digits(7, 15).zip(digits(22, 38));
    match read.filter(|&(number, stamp)| fields(number, stamp).as_bytes() == bytes) {
        Some(read) => Ok(read),
        None => Err(odd("not the message that was published", bytes)),
    }
}
