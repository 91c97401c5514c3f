//! A strict reader of what a stream's line carries: answers before it, its head, then chunks or
//! plain bytes, byte by byte. It was written apart from Hookah's codec and knows no time.

use crate::asks::Asks;
use crate::ear::{Ear, Format, Unit};

/// Something that is complete with the byte just read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An answer before the stream: its head.
    Answer(String),
    /// The stream's head.
    Head(String),
    /// A unit of the stream; in chunked form it is exactly one chunk.
    Unit(Unit),
    /// The last chunk: nothing may follow.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Inside a head.
    Head,
    /// Inside the body of an answer before the stream: so many bytes are left.
    Body(usize),
    /// Inside a chunk's size line.
    Size,
    /// Inside a chunk's data: so many bytes are left.
    Data(usize),
    /// Inside the CRLF behind a chunk's data.
    AfterData,
    /// Inside the empty line behind the last chunk's size.
    AfterLast,
    /// Inside a stream without chunks.
    Plain,
    /// Behind the last chunk.
    Over,
}

/// The reader.
#[derive(Debug)]
pub struct Chunks {
    /// Whether the client speaks HTTP/1.0: no chunks, to the close.
    old: bool,
    /// Answers that come before the stream's head.
    before: usize,
    format: Format,
    state: State,
    text: Vec<u8>,
    ear: Ear,
    /// What the chunk under way held.
    unit: Option<Unit>,
}

impl Chunks {
    /// At the start of a line on which that is asked.
    pub fn new(asks: &Asks) -> Chunks {
        Chunks {
            old: asks.old,
            before: asks.before,
            format: asks.format,
            state: State::Head,
            text: Vec::new(),
            ear: Ear::new(asks.format),
            unit: None,
        }
    }

    /// Whether the next byte begins a unit of the stream, or its end.
    pub fn at_boundary(&self) -> bool {
        let begins = matches!(self.state, State::Size | State::Plain);
        begins && self.text.is_empty() && self.ear.is_idle()
    }

    /// Whether the stream's head is complete.
    pub fn is_streaming(&self) -> bool {
        !matches!(self.state, State::Head | State::Body(_))
    }

    /// The next byte; what is complete with it, or what is wrong.
    pub fn push(&mut self, byte: u8) -> Result<Option<Part>, String> {
        match self.state {
            State::Over => Err(format!("byte {byte:#x} behind the last chunk")),
            State::Body(left) => {
                self.state = match left {
                    0 | 1 => State::Head,
                    _ => State::Body(left - 1),
                };
                Ok(None)
            }
            State::Plain => Ok(self.ear.push(byte)?.map(Part::Unit)),
            State::Data(left) => {
                let unit = self.ear.push(byte)?;
                if self.unit.is_some() {
                    return Err("more than one unit in a chunk".to_owned());
                }
                self.unit = unit;
                if left == 1 {
                    self.state = State::AfterData;
                } else {
                    self.state = State::Data(left - 1);
                }
                Ok(None)
            }
            _ => self.push_text(byte),
        }
    }

    fn push_text(&mut self, byte: u8) -> Result<Option<Part>, String> {
        self.text.push(byte);
        let end: &[u8] = match self.state {
            State::Head => b"\r\n\r\n",
            _ => b"\r\n",
        };
        if !self.text.ends_with(end) {
            let most = match self.state {
                State::AfterData | State::AfterLast => 1,
                State::Size => 9,
                _ => usize::MAX,
            };
            let bare = byte == b'\n' && self.state != State::Head;
            if self.text.len() > most || bare {
                let text = String::from_utf8_lossy(&self.text);
                return Err(format!("{text:?} in {:?}", self.state));
            }
            return Ok(None);
        }
        self.text.truncate(self.text.len() - end.len());
        let text = std::mem::take(&mut self.text);
        self.complete(text)
    }

    fn complete(&mut self, text: Vec<u8>) -> Result<Option<Part>, String> {
        match self.state {
            State::Head => self.head(text).map(Some),
            State::Size => self.size(&text),
            State::AfterData => {
                self.state = State::Size;
                let unit = self.unit.take();
                let unit = unit.filter(|_| text.is_empty() && self.ear.is_idle());
                let unit = unit.ok_or_else(|| format!("a chunk that is no unit: {text:?}"))?;
                Ok(Some(Part::Unit(unit)))
            }
            _ => {
                self.state = State::Over;
                Ok(Some(Part::End))
            }
        }
    }

    fn size(&mut self, text: &[u8]) -> Result<Option<Part>, String> {
        let text = String::from_utf8_lossy(text).into_owned();
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let size = usize::from_str_radix(&text, 16).ok();
        let size = size.filter(|_| text.bytes().all(digits));
        let size = size.ok_or_else(|| format!("chunk size {text:?}"))?;
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!("chunk size {text:?} with zeros before it"));
        }
        self.state = match size {
            0 => State::AfterLast,
            _ => State::Data(size),
        };
        Ok(None)
    }

    fn head(&mut self, text: Vec<u8>) -> Result<Part, String> {
        let head = String::from_utf8(text).map_err(|e| format!("a head: {e}"))?;
        let field = |name: &str| {
            let mut lines = head.split("\r\n").skip(1);
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let stream = head.starts_with("HTTP/1.1 200 ") && field("Content-Length").is_none();
        if self.before > 0 || !stream {
            self.before = self.before.saturating_sub(1);
            let length = field("Content-Length").and_then(|text| text.parse().ok());
            let length: usize = length.ok_or_else(|| format!("no length: {head:?}"))?;
            if length > 0 {
                self.state = State::Body(length);
            }
            return Ok(Part::Answer(head));
        }
        let chunked = field("Transfer-Encoding");
        let right = head.starts_with("HTTP/1.1 200 OK\r\n")
            && field("Content-Length").is_none()
            && chunked == (!self.old).then_some("chunked")
            && (field("Connection") == Some("close")) == self.old
            && field("Content-Type") == Some(self.format.media_type())
            && field("Cache-Control") == Some("no-store, no-transform")
            && field("X-Accel-Buffering") == Some("no")
            && field("X-Content-Type-Options") == Some("nosniff")
            && field("Date").is_some_and(|date| httpdate::parse_http_date(date).is_ok());
        if !right {
            return Err(format!("a stream's head: {head:?}"));
        }
        self.state = if self.old { State::Plain } else { State::Size };
        Ok(Part::Head(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::{Body, Got, What};

    const HEAD: &str = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\
        Cache-Control: no-store, no-transform\r\n\
        X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n";

    fn read(old: bool, body: &str) -> Result<Vec<Part>, String> {
        let framing = match old {
            true => "Connection: close\r\n\r\n",
            false => "Transfer-Encoding: chunked\r\n\r\n",
        };
        let before = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        let mut chunks = Chunks::new(&Asks::of(&["a"], &[], "", (old, 1)));
        let mut parts = Vec::new();
        for byte in format!("{before}{HEAD}{framing}{body}").bytes() {
            parts.extend(chunks.push(byte)?);
        }
        Ok(parts)
    }

    fn unit(body: &str) -> Part {
        let got = Got {
            id: None,
            topic: None,
            body: Body::Raw(body.into()),
        };
        let what = match body {
            "" => What::Blank,
            _ => What::Message(got),
        };
        Part::Unit(Unit { retry: None, what })
    }

    #[test]
    fn lines_are_read_and_the_end_is_seen() {
        let parts = read(false, "2\r\n\r\n\r\n5\r\na=1\r\n\r\n0\r\n\r\n").unwrap();
        let lines = ["", "a=1"].map(unit);
        assert_eq!((&parts[2..4], &parts[4]), (&lines[..], &Part::End));
        let parts = read(true, "\r\na=1\r\n").unwrap();
        assert_eq!(&parts[2..], lines);
    }

    #[test]
    fn lies_are_called() {
        for body in [
            "2\n",
            "2;a=b\r\n",
            "02\r\n",
            "A\r\n",
            "+2\r\n",
            "3\r\nabc\r\n",
            "6\r\na\r\nb\r\n\r\n",
            "2\r\n\r\nxx",
            "0\r\nX: y\r\n\r\n",
            "0\r\n\r\n0",
        ] {
            assert!(read(false, body).is_err(), "{body:?}");
        }
        assert!(read(true, "a\nb").is_err());
    }
}
