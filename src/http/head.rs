//! Finds the end of a request's head and refuses what can be no request as early as it shows.
//! It never looks at a field: that is `request`'s, once the head is complete.
//!
//! ```text
//! Before --token--> Method --SP--> Target --SP--> Version --CRLF--> Fields --empty line--> end
//! ```
//! Every byte is looked at in its order and once, so any split of the input gives the same result
//! at a cost linear in its length. httparse alone would start from the first byte at every call.

use memchr::memchr;

use crate::http::field::{FIELDS_MAX, is_target, is_token};
use crate::http::problem::Reason;
use crate::model::Method;

/// Bounds on a request's head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The whole head with its empty line, in bytes.
    pub head_bytes_max: usize,
    /// The request target, in bytes. RFC 9112 section 3 asks for 8,000 for the line at least.
    pub target_bytes_max: usize,
    /// Its fields; not more than there are [`super::request::slots`] for.
    pub fields_max: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            head_bytes_max: 32 * 1024,
            target_bytes_max: 16 * 1024,
            fields_max: FIELDS_MAX,
        }
    }
}

/// Where a head lies in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadEnd {
    /// Its first byte; before it are empty lines that mean nothing (RFC 9112 section 2.2).
    pub start: usize,
    /// The bytes from the buffer's first up to and including the empty line that ends the head.
    pub len: usize,
}

/// How far a request's head was looked at. One for each request.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    part: Part,
    start: usize,
    seen: usize,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Before { empty_lines: u8 },
    Method,
    Target { from: usize },
    Version { target: usize, from: usize },
    Fields { line: usize, count: usize },
}

impl Default for Part {
    fn default() -> Part {
        Part::Before { empty_lines: 0 }
    }
}

enum Step {
    Next(Part),
    Wait,
    End(HeadEnd),
}

/// Empty lines borne before a request line.
const EMPTY_LINES_MAX: u8 = 4;
/// Longer than any method in the registry.
const METHOD_BYTES_MAX: usize = 32;
/// Enough to tell a bad version from a request line with too many parts.
const VERSION_BYTES_MAX: usize = 16;

impl HeadScan {
    /// Goes on where it stopped. `buf` begins at the same byte at every call and only grows.
    /// `None` means that more bytes are needed.
    ///
    /// # Errors
    /// The first rule that the bytes break, in the order of the bytes; the line is lost with it.
    pub fn scan(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<HeadEnd>, Reason> {
        loop {
            let bound = self.start.saturating_add(limits.head_bytes_max);
            let window = buf.get(..bound).unwrap_or(buf);
            let step = match self.part {
                Part::Before { empty_lines } => self.before(window, empty_lines)?,
                Part::Method => self.method(window)?,
                Part::Target { from } => self.target(window, from, limits.target_bytes_max)?,
                Part::Version { target, from } => self.version(window, target, from)?,
                Part::Fields { line, count } => {
                    self.fields(window, (line, count), limits.fields_max)?
                }
            };
            match step {
                Step::Next(part) => self.part = part,
                Step::Wait if buf.len() > bound => return Err(Reason::HeadTooLarge),
                Step::Wait => return Ok(None),
                Step::End(end) => return Ok(Some(end)),
            }
        }
    }

    /// Bytes that will not be looked at again: all of the last buffer but at most one.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Whether a request has begun: not before its first byte that is no empty line's.
    #[must_use]
    pub fn begun(&self) -> bool {
        !matches!(self.part, Part::Before { .. })
    }

    fn rest<'a>(&self, window: &'a [u8]) -> &'a [u8] {
        window.get(self.seen..).unwrap_or_default()
    }

    fn before(&mut self, window: &[u8], empty_lines: u8) -> Result<Step, Reason> {
        match self.rest(window) {
            [] | [b'\r'] => Ok(Step::Wait),
            [b'\r', b'\n', ..] if empty_lines == EMPTY_LINES_MAX => Err(Reason::EmptyLines),
            [b'\r', b'\n', ..] => {
                self.seen += 2;
                self.start = self.seen;
                Ok(Step::Next(Part::Before {
                    empty_lines: empty_lines + 1,
                }))
            }
            [b'\n', ..] => Err(Reason::BareLf),
            [b'\r' | b' ' | b'\t', ..] => Err(Reason::BadRequestLine),
            [byte, ..] if !is_token(*byte) => Err(Reason::NotHttp),
            _ => Ok(Step::Next(Part::Method)),
        }
    }

    fn method(&mut self, window: &[u8]) -> Result<Step, Reason> {
        let stop = self.advance(window, is_token);
        if self.seen - self.start > METHOD_BYTES_MAX {
            return Err(Reason::MethodNotImplemented);
        }
        match stop {
            None => Ok(Step::Wait),
            Some(b' ') => {
                self.seen += 1;
                Ok(Step::Next(Part::Target { from: self.seen }))
            }
            Some(b'\n') => Err(Reason::BareLf),
            Some(_) => Err(Reason::BadRequestLine),
        }
    }

    fn target(&mut self, window: &[u8], from: usize, bytes_max: usize) -> Result<Step, Reason> {
        let stop = self.advance(window, is_target);
        let len = self.seen - from;
        if len > bytes_max {
            return Err(Reason::TargetTooLong);
        }
        match stop {
            None => Ok(Step::Wait),
            Some(b' ') if len > 0 => {
                self.seen += 1;
                Ok(Step::Next(Part::Version {
                    target: from,
                    from: self.seen,
                }))
            }
            Some(b'\n') => Err(Reason::BareLf),
            Some(b'\r') if len > 0 => Err(Reason::OldVersion),
            Some(byte) if byte.is_ascii_control() || byte == b' ' => Err(Reason::BadRequestLine),
            Some(_) => Err(Reason::BadRequestTarget),
        }
    }

    fn version(&mut self, window: &[u8], target: usize, from: usize) -> Result<Step, Reason> {
        let stop = self.advance(window, |byte| byte != b'\r' && byte != b'\n');
        if self.seen - from > VERSION_BYTES_MAX {
            return Err(Reason::BadRequestLine);
        }
        match (stop, window.get(self.seen + 1)) {
            (None, _) | (Some(b'\r'), None) => return Ok(Step::Wait),
            (Some(b'\r'), Some(b'\n')) => {}
            (Some(b'\r'), Some(_)) => return Err(Reason::BadRequestLine),
            (Some(_), _) => return Err(Reason::BareLf),
        }
        check_version(window.get(from..self.seen).unwrap_or_default())?;
        check_method(window.get(self.start..target - 1).unwrap_or_default())?;
        self.seen += 2;
        Ok(Step::Next(Part::Fields {
            line: self.seen,
            count: 0,
        }))
    }

    fn fields(
        &mut self,
        window: &[u8],
        (mut line, mut count): (usize, usize),
        max: usize,
    ) -> Result<Step, Reason> {
        while let Some(offset) = memchr(b'\n', self.rest(window)) {
            let at = self.seen + offset;
            self.seen = at + 1;
            match window.get(line..at) {
                Some([b'\r']) => {
                    return Ok(Step::End(HeadEnd {
                        start: self.start,
                        len: self.seen,
                    }));
                }
                Some([.., b'\r']) if count >= max => return Err(Reason::TooManyFields),
                Some([.., b'\r']) => count += 1,
                _ => return Err(Reason::BareLf),
            }
            line = self.seen;
        }
        self.seen = window.len();
        self.part = Part::Fields { line, count };
        Ok(Step::Wait)
    }

    /// Goes on to the first byte that is not of the class, and gives it.
    fn advance(&mut self, window: &[u8], class: impl Fn(u8) -> bool) -> Option<u8> {
        let rest = self.rest(window);
        let stop = rest.iter().position(|byte| !class(*byte));
        self.seen += stop.unwrap_or(rest.len());
        stop.and_then(|at| rest.get(at).copied())
    }
}

fn check_version(version: &[u8]) -> Result<(), Reason> {
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        b"HTTP/0.9" => Err(Reason::OldVersion),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Reason::VersionNotSupported)
        }
        [h, t1, t2, p, b'/', rest @ ..]
            if [*h, *t1, *t2, *p].eq_ignore_ascii_case(b"HTTP")
                && rest.iter().all(u8::is_ascii_graphic) =>
        {
            Err(Reason::BadVersion)
        }
        _ => Err(Reason::BadRequestLine),
    }
}

/// We never tunnel and never echo (RFC 9110 sections 9.3.6 and 9.3.8), whatever the target.
fn check_method(method: &[u8]) -> Result<(), Reason> {
    match std::str::from_utf8(method).ok().and_then(Method::parse) {
        None | Some(Method::Connect | Method::Trace) => Err(Reason::MethodNotImplemented),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that were seen are overwritten with LF: whoever looks at them again, refuses them.
    #[test]
    fn no_field_is_looked_at_twice() {
        let line = b"POST / HTTP/1.1\r\n";
        let head = [line.as_slice(), &b"Field: value\r\n".repeat(80), b"\r\n"].concat();
        for step in [1, 2, 3, 7, 1000] {
            let (mut scan, mut buf, mut end) = (HeadScan::default(), Vec::new(), None);
            for piece in head.chunks(step) {
                buf.extend_from_slice(piece);
                end = scan.scan(&buf, &HeadLimits::default()).unwrap();
                // The last byte seen may be the CR of an LF to come.
                let seen = scan.seen().saturating_sub(1);
                buf.iter_mut()
                    .take(seen)
                    .skip(line.len())
                    .for_each(|byte| *byte = b'\n');
            }
            assert_eq!(
                end,
                Some(HeadEnd {
                    start: 0,
                    len: head.len()
                }),
                "{step}"
            );
        }
    }

    #[test]
    fn a_request_begins_with_its_first_byte() {
        let mut scan = HeadScan::default();
        assert_eq!(scan.scan(b"\r\n\r", &HeadLimits::default()), Ok(None));
        assert!(!scan.begun());
        assert_eq!(scan.scan(b"\r\n\r\nG", &HeadLimits::default()), Ok(None));
        assert!(scan.begun());
    }

    #[test]
    fn limits_are_the_callers() {
        let limits = HeadLimits {
            head_bytes_max: 38,
            target_bytes_max: 5,
            fields_max: 2,
        };
        let scan = |head: &[u8]| HeadScan::default().scan(head, &limits);
        assert_eq!(scan(b"GET /1234 HTTP/1.1\r\n"), Ok(None));
        assert_eq!(scan(b"GET /12345"), Err(Reason::TargetTooLong));
        assert_eq!(
            scan(b"GET / HTTP/1.1\r\nHost: h\r\nField: 12\r\n\r\n"),
            Ok(Some(HeadEnd { start: 0, len: 38 }))
        );
        assert_eq!(
            scan(b"GET / HTTP/1.1\r\nHost: h\r\nField: 123\r\n\r\n"),
            Err(Reason::HeadTooLarge)
        );
        assert_eq!(
            scan(b"GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n"),
            Err(Reason::TooManyFields)
        );
        // Empty lines before the request are no part of its head.
        assert_eq!(
            scan(b"\r\nGET / HTTP/1.1\r\nHost: h\r\nField: 12\r\n\r\n"),
            Ok(Some(HeadEnd { start: 2, len: 40 }))
        );
    }
}
