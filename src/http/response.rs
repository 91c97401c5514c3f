//! The client's side: the head of what a target answers, and how its body is framed.
//! Tolerant in what it reads, strict in what it trusts: a line that was sloppy once is not reused.

use httparse::{Header, ParserConfig, Status};
use memchr::memchr;

use crate::base::time::Wall;
use crate::http::body::BodyReader;
use crate::http::chunk::ChunkReader;
use crate::http::date;
use crate::http::field::{self, Connection, FIELDS_MAX};
use crate::http::request::{Slots, Version};

/// An answer's head at most, in bytes.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Why what came back is no HTTP/1.1 answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// Another protocol: `ICY`, an SSH banner, HTTP/2, HTTP/0.9.
    NotHttp,
    /// The status is not three digits from 100 to 599, or its line is malformed.
    BadStatus,
    /// A field that not even a tolerant reader can pass over, as one with a NUL.
    BadField,
    /// More than [`HEAD_BYTES_MAX`].
    HeadTooLarge,
    /// More than [`FIELDS_MAX`].
    TooManyFields,
}

impl BadResponse {
    /// The word of the attempt's detail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BadResponse::NotHttp => "not_http",
            BadResponse::BadStatus => "bad_status",
            BadResponse::BadField => "bad_field",
            BadResponse::HeadTooLarge => "head_too_large",
            BadResponse::TooManyFields => "too_many_fields",
        }
    }
}

/// How an answer's body is framed (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// None: HEAD, 1xx, 204, 304.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All until the target closes.
    ToClose,
}

impl ResponseBody {
    /// What reads it. There is no limit here: the caller stops when it has seen enough.
    #[must_use]
    pub fn reader(self) -> BodyReader {
        match self {
            ResponseBody::None | ResponseBody::Length(0) => BodyReader::None,
            ResponseBody::Length(left) => BodyReader::Length { left },
            ResponseBody::Chunked => BodyReader::Chunked(ChunkReader::new(u64::MAX)),
            ResponseBody::ToClose => BodyReader::ToClose,
        }
    }
}

/// Whether the fields that frame the body can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By the book.
    Sound,
    /// The status counts, the body is a guess, and the connection must not be used again.
    Malformed,
}

/// When the target wants to be asked again (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u64),
    /// At that time, which may lie in the past.
    At(Wall),
}

/// An answer's head. It borrows the buffer and the array given to [`parse`].
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'b> {
    /// 100 to 599. Below 200 it is interim, and the next head follows at once; 101 switches.
    pub status: u16,
    /// The target's version.
    pub version: Version,
    /// How the body is framed.
    pub body: ResponseBody,
    /// Whether `body` can be believed.
    pub framing: Framing,
    /// Whether the line may be used again once the body is complete; an interim head may forbid it
    /// as well as the final one.
    pub keep_alive: bool,
    /// When to ask again; what cannot be understood is as good as absent.
    pub retry_after: Option<RetryAfter>,
    /// The fields that could be understood, in their order.
    pub headers: &'b [Header<'b>],
}

impl<'b> ResponseHead<'b> {
    /// An interim answer: another head follows. 101 is not one of them.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// The value of the first field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        field::find(self.headers, name)
    }
}

/// How far an answer's head was looked at. One for each head, interim ones too.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseScan {
    seen: usize,
    line: usize,
    fields: usize,
}

impl ResponseScan {
    /// Goes on where it stopped; `buf` begins at the same byte at every call and only grows. Gives
    /// the head's length with its empty line, `None` if more bytes are needed.
    ///
    /// # Errors
    /// What came can be no answer, or passes a bound.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, BadResponse> {
        check_start(buf)?;
        let window = buf.get(..HEAD_BYTES_MAX).unwrap_or(buf);
        while let Some(offset) = memchr(b'\n', window.get(self.seen..).unwrap_or_default()) {
            let at = self.seen + offset;
            self.seen = at + 1;
            match window.get(self.line..at) {
                Some([] | [b'\r']) => return Ok(Some(self.seen)),
                // The status line is counted here too.
                _ if self.fields > FIELDS_MAX => return Err(BadResponse::TooManyFields),
                _ => self.fields += 1,
            }
            self.line = self.seen;
        }
        self.seen = window.len();
        if buf.len() > HEAD_BYTES_MAX {
            Err(BadResponse::HeadTooLarge)
        } else {
            Ok(None)
        }
    }

    /// Bytes that will not be looked at again, but for the first twelve.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }
}

/// `HTTP/1.0 ` or `HTTP/1.1 ` and a status, as far as it has come: garbage shows at its first byte.
fn check_start(buf: &[u8]) -> Result<(), BadResponse> {
    let matches = |at: usize, byte: u8| match at {
        0..7 => b"HTTP/1.".get(at) == Some(&byte),
        7 => matches!(byte, b'0' | b'1'),
        _ => byte == b' ',
    };
    if !buf
        .iter()
        .take(9)
        .enumerate()
        .all(|(at, byte)| matches(at, *byte))
    {
        return Err(BadResponse::NotHttp);
    }
    let status = |at: usize, byte: u8| match at {
        0 => matches!(byte, b'1'..=b'5'),
        _ => byte.is_ascii_digit(),
    };
    match buf
        .iter()
        .skip(9)
        .take(3)
        .enumerate()
        .all(|(at, byte)| status(at, *byte))
    {
        true => Ok(()),
        false => Err(BadResponse::BadStatus),
    }
}

/// Reads the head that [`ResponseScan`] found. `to_head` says that the request was a HEAD. It
/// allocates nothing.
///
/// # Errors
/// The status line is malformed, or a field has control characters. Other fields that cannot be
/// understood are left out, and the line is not kept.
pub fn parse<'b>(
    head: &'b [u8],
    slots: &'b mut Slots<'b>,
    to_head: bool,
) -> Result<ResponseHead<'b>, BadResponse> {
    let mut raw = httparse::Response::new(&mut []);
    match tolerant().parse_response_with_uninit_headers(&mut raw, head, slots) {
        Ok(Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(BadResponse::TooManyFields),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(BadResponse::BadField);
        }
        _ => return Err(BadResponse::BadStatus),
    }
    let status = raw
        .code
        .filter(|code| (100..=599).contains(code))
        .ok_or(BadResponse::BadStatus)?;
    let version = if raw.version == Some(1) {
        Version::Http11
    } else {
        Version::Http10
    };
    let headers: &'b [Header<'b>] = raw.headers;
    let mut found = Found::default();
    for header in headers {
        found.note(header, version);
    }
    let bodiless = to_head || status < 200 || status == 204 || status == 304;
    let body = if bodiless {
        ResponseBody::None
    } else {
        found.body()
    };
    let framing = if found.malformed {
        Framing::Malformed
    } else {
        Framing::Sound
    };
    let keep_alive = found.connection.persists(version == Version::Http11)
        && framing == Framing::Sound
        && body != ResponseBody::ToClose
        && status != 101
        && strict_lines(head) == Some(headers.len());
    Ok(ResponseHead {
        status,
        version,
        body,
        framing,
        keep_alive,
        retry_after: found.retry_after,
        headers,
    })
}

/// Real servers fold fields, put spaces before colons and send names that are none.
fn tolerant() -> ParserConfig {
    let mut config = ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    config
}

/// The number of field lines if all ends are CRLF and no white space stands before a colon. Folded
/// and left-out lines show by the difference to the number of fields.
fn strict_lines(head: &[u8]) -> Option<usize> {
    let mut rest = head;
    let mut lines = 0usize;
    while let Some(at) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at_checked(at + 1)?;
        let line = line.strip_suffix(b"\r\n")?;
        let colon = memchr(b':', line).unwrap_or(line.len());
        if lines > 0 && matches!(line.get(..colon), Some([.., b' ' | b'\t'])) {
            return None;
        }
        lines += 1;
        rest = after;
    }
    // Without the status line and the empty line.
    lines.checked_sub(2)
}

#[derive(Default)]
struct Found {
    length: Option<u64>,
    encoded: bool,
    chunked: bool,
    malformed: bool,
    connection: Connection,
    retry_after: Option<RetryAfter>,
}

impl Found {
    fn note(&mut self, header: &Header<'_>, version: Version) {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            10 if is("connection") => self.connection.note(header.value),
            11 if is("retry-after") => {
                self.retry_after = self.retry_after.or_else(|| retry_after(header.value));
            }
            14 if is("content-length") => self.note_length(header.value),
            17 if is("transfer-encoding") => {
                self.chunked = field::transfer_encoding(header.value).is_ok();
                self.malformed |= self.encoded
                    || self.length.is_some()
                    || !self.chunked
                    || version == Version::Http10;
                self.encoded = true;
            }
            _ => {}
        }
    }

    /// Repeated lengths may agree (RFC 9112 section 6.3, rule 5), but their sender is not trusted.
    fn note_length(&mut self, value: &[u8]) {
        let length = field::content_length(value);
        self.malformed |= self.encoded || self.length.is_some() || length.is_none();
        self.length = self.length.or(length);
    }

    /// Where the framing is malformed, all that comes is taken, and the line closes anyway.
    fn body(&self) -> ResponseBody {
        match (self.malformed, self.chunked, self.length) {
            (false, true, _) => ResponseBody::Chunked,
            (false, false, Some(length)) => ResponseBody::Length(length),
            _ => ResponseBody::ToClose,
        }
    }
}

/// Seconds or a date; a number too large to count is for ever, and anything else is nothing.
fn retry_after(value: &[u8]) -> Option<RetryAfter> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(RetryAfter::Seconds(text.parse().unwrap_or(u64::MAX)));
    }
    date::parse(text).map(RetryAfter::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that were seen are overwritten with LF, which would end the head.
    #[test]
    fn no_field_is_looked_at_twice() {
        let line = b"HTTP/1.1 200 OK\r\n";
        let head = [line.as_slice(), &b"Field: value\r\n".repeat(80), b"\r\n"].concat();
        for step in [1, 2, 3, 7, 1000] {
            let (mut scan, mut buf, mut end) = (ResponseScan::default(), Vec::new(), None);
            for piece in head.chunks(step) {
                assert_eq!(end, None, "{step}");
                buf.extend_from_slice(piece);
                end = scan.scan(&buf).unwrap();
                let seen = scan.seen().saturating_sub(1);
                buf.iter_mut()
                    .take(seen)
                    .skip(line.len())
                    .for_each(|byte| *byte = b'\n');
            }
            assert_eq!(end, Some(head.len()), "{step}");
        }
    }
}
