//! Reads `multipart/form-data` (RFC 7578, RFC 2046 section 5.1) as byte ranges of the body.
//! It never re-encodes: parts are cut out by leaving their range out of a copy.

use std::fmt;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::http::media;

/// The media type of what this module reads.
pub const MEDIA_TYPE: &str = "multipart/form-data";
/// Parts of one body at most.
pub const PARTS_MAX: usize = 1_000;
/// Bytes of one part's head at most.
pub const PART_HEAD_BYTES_MAX: usize = 8 * 1_024;
/// RFC 2046 section 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Why a body, or its Content-Type, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub complaint: &'static str,
    /// The part it is wrong with, from 1; 0 if it is not about one part.
    pub part: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => write!(out, "multipart: {}", self.complaint),
            part => write!(out, "multipart, part {part}: {}", self.complaint),
        }
    }
}

/// What separates the parts: CRLF, two hyphens, the boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter {
    bytes: [u8; 4 + BOUNDARY_BYTES_MAX],
    len: usize,
}

impl Delimiter {
    /// The delimiter that the `boundary` parameter of `content_type` makes.
    pub fn of(content_type: &str) -> Result<Delimiter, Malformed> {
        let wrong = |complaint| Err(Malformed { complaint, part: 0 });
        let mut boundary = None;
        for param in media::params(content_type.as_bytes()) {
            match param {
                Ok(param) if param.name.eq_ignore_ascii_case(b"boundary") => {
                    if boundary.replace(param.value).is_some() {
                        return wrong("the Content-Type has two boundaries");
                    }
                }
                Ok(_) => {}
                Err(media::Malformed) => return wrong("the Content-Type is malformed"),
            }
        }
        match boundary {
            None => wrong("the Content-Type has no boundary"),
            Some(boundary) => Delimiter::new(boundary).ok_or(Malformed {
                complaint: "the boundary is malformed",
                part: 0,
            }),
        }
    }

    /// The delimiter of that boundary; `None` if it is not of the form of RFC 2046 section 5.1.1.
    #[must_use]
    pub fn new(boundary: &[u8]) -> Option<Delimiter> {
        let well = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
        let len = 4 + boundary.len();
        let mut bytes = [0; 4 + BOUNDARY_BYTES_MAX];
        bytes.get_mut(..4)?.copy_from_slice(b"\r\n--");
        bytes.get_mut(4..len)?.copy_from_slice(boundary);
        let ended = boundary.last().is_some_and(|last| *last != b' ');
        (ended && boundary.iter().all(well)).then_some(Delimiter { bytes, len })
    }

    /// The delimiter as it stands between two parts: CRLF, hyphens, boundary.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The delimiter without its CRLF, as a body begins with it.
    #[must_use]
    pub fn dashed(&self) -> &[u8] {
        self.bytes.get(2..self.len).unwrap_or_default()
    }

    /// The parts of `body`, in time linear in its length. An empty body has no parts.
    #[must_use]
    pub fn parts<'a>(&'a self, body: &'a [u8]) -> Parts<'a> {
        Parts {
            body,
            delimiter: self,
            finder: Finder::new(self.bytes()),
            at: Place::Preamble,
            count: 0,
            open: 0,
        }
    }

    /// Appends a part that is the field `name` with `value`. Quotes and line ends in the name are
    /// escaped as the HTML standard does. False, and nothing is appended, if the delimiter stands
    /// in the value, or the name has a backslash or a NUL, which receivers read in different ways.
    pub fn write_field(&self, name: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
        // The CRLF that ends the part's head may belong to a delimiter that follows at once.
        let in_value =
            value.starts_with(self.dashed()) || memchr::memmem::find(value, self.bytes()).is_some();
        if in_value || memchr::memchr2(b'\\', 0, name).is_some() {
            return false;
        }
        out.extend_from_slice(self.dashed());
        out.extend_from_slice(b"\r\nContent-Disposition: form-data; name=\"");
        for byte in name {
            match byte {
                b'"' => out.extend_from_slice(b"%22"),
                b'\r' => out.extend_from_slice(b"%0D"),
                b'\n' => out.extend_from_slice(b"%0A"),
                _ => out.push(*byte),
            }
        }
        out.extend_from_slice(b"\"\r\n\r\n");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
        true
    }

    /// Appends the line that ends a body.
    pub fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.dashed());
        out.extend_from_slice(b"--\r\n");
    }
}

/// One part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// From its delimiter line's first hyphen up to the next one's: leave this range out of a copy
    /// of the body, and the part is gone and nothing else has changed.
    pub range: Range<usize>,
    /// The field's name as it stands between the quotes.
    pub name: &'a [u8],
    /// The file's name, if the part is a file.
    pub filename: Option<&'a [u8]>,
    /// The part's Content-Type, if it has one.
    pub content_type: Option<&'a [u8]>,
    /// The content.
    pub content: &'a [u8],
}

/// See [`Delimiter::parts`]. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    body: &'a [u8],
    delimiter: &'a Delimiter,
    finder: Finder<'a>,
    at: Place,
    count: usize,
    /// Where the present delimiter's first hyphen stands; at the end, the closing one's.
    open: usize,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing is read yet.
    Preamble,
    /// Behind the delimiter line of a part.
    Part { start: usize },
    /// Behind the closing delimiter, or an error.
    End,
}

impl<'a> Parts<'a> {
    /// Where the first hyphen of the closing delimiter stands; known once the iterator has ended
    /// without an error. New parts go in before it.
    #[must_use]
    pub fn close(&self) -> usize {
        self.open
    }

    fn fail(&mut self, complaint: &'static str) -> Malformed {
        self.at = Place::End;
        Malformed {
            complaint,
            part: self.count,
        }
    }

    /// Finds the first delimiter: at the very start, or behind a preamble, which means nothing.
    fn begin(&mut self) -> Result<(), Malformed> {
        let dashed = self.delimiter.dashed();
        if self.body.is_empty() {
            self.at = Place::End;
            return Ok(());
        }
        if !self.body.starts_with(dashed) {
            let found = self.finder.find(self.body);
            self.open = 2 + found.ok_or_else(|| self.fail("the boundary is not in the body"))?;
        }
        self.line()
    }

    /// Reads the rest of the delimiter line whose hyphens stand at `open`.
    fn line(&mut self) -> Result<(), Malformed> {
        let after = self.open + self.delimiter.dashed().len();
        let rest = self.body.get(after..).unwrap_or_default();
        if rest.starts_with(b"--") {
            // RFC 2046 calls what follows the epilogue; it is kept as it is and means nothing.
            let (_, behind) = padding(rest.get(2..).unwrap_or_default());
            self.at = Place::End;
            return match behind.is_empty() || behind.starts_with(b"\r\n") {
                true => Ok(()),
                false => Err(self.fail(UNCLEAR_LINE)),
            };
        }
        let (blanks, behind) = padding(rest);
        if !behind.starts_with(b"\r\n") {
            return Err(self.fail(UNCLEAR_LINE));
        }
        self.at = Place::Part {
            start: after + blanks + 2,
        };
        Ok(())
    }

    fn part(&mut self, start: usize) -> Result<Part<'a>, Malformed> {
        self.count += 1;
        if self.count > PARTS_MAX {
            return Err(self.fail("more than 1,000 parts"));
        }
        let rest = self.body.get(start..).unwrap_or_default();
        // The blank line may follow at once: then its CRLF is the one before the content.
        let head_bytes = if rest.starts_with(b"\r\n") {
            0
        } else {
            let window = rest.get(..PART_HEAD_BYTES_MAX + 4).unwrap_or(rest);
            let found = memchr::memmem::find(window, b"\r\n\r\n");
            let long = window.len() < rest.len();
            let complaint = if long {
                "its head is over 8 KiB"
            } else {
                "its head does not end"
            };
            found.ok_or_else(|| self.fail(complaint))? + 2
        };
        let head = rest.get(..head_bytes).unwrap_or_default();
        let dashed = self.delimiter.dashed();
        if head.starts_with(dashed) || self.finder.find(head).is_some() {
            return Err(self.fail("its head does not end"));
        }
        let head = part_head(head).map_err(|complaint| self.fail(complaint))?;
        let content_start = start + head_bytes + 2;
        let content = self.body.get(content_start..).unwrap_or_default();
        if content.starts_with(dashed) {
            // Is the blank line's CRLF also the delimiter's? Receivers disagree.
            return Err(self.fail("the boundary follows its head at once"));
        }
        let found = self.finder.find(content);
        let len = found.ok_or_else(|| self.fail("the closing boundary is missing"))?;
        let part = Part {
            range: self.open..content_start + len + 2,
            name: head.name,
            filename: head.filename,
            content_type: head.content_type,
            content: content.get(..len).unwrap_or_default(),
        };
        self.open = part.range.end;
        self.line().map(|()| part)
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Place::Preamble = self.at
            && let Err(malformed) = self.begin()
        {
            return Some(Err(malformed));
        }
        match self.at {
            Place::Part { start } => Some(self.part(start)),
            Place::Preamble | Place::End => None,
        }
    }
}

/// Receivers disagree on such a line: for some it ends the part, for others it is content.
const UNCLEAR_LINE: &str = "a line begins with the boundary and goes on";

/// How many blanks `text` begins with, and what follows them.
fn padding(text: &[u8]) -> (usize, &[u8]) {
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    (blanks, text.get(blanks..).unwrap_or_default())
}

#[derive(Default)]
struct Head<'a> {
    name: &'a [u8],
    filename: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
}

/// Reads the fields of a part's head; each line ends with CRLF.
fn part_head(head: &[u8]) -> Result<Head<'_>, &'static str> {
    let mut disposition = None;
    let mut content_type = None;
    let mut rest = head;
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let (line, after) = rest.split_at(end);
        rest = after.get(2..).unwrap_or_default();
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err("its head has a bare CR, LF or NUL");
        }
        let colon = memchr::memchr(b':', line).ok_or("a line of its head has no colon")?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err("a line of its head has no field name");
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let place = match name {
            _ if name.eq_ignore_ascii_case(b"content-disposition") => &mut disposition,
            _ if name.eq_ignore_ascii_case(b"content-type") => &mut content_type,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err("its head has a field twice");
        }
    }
    let disposition = disposition.ok_or("it has no Content-Disposition")?;
    let found = Head {
        content_type,
        ..Head::default()
    };
    form_data(disposition, found)
}

/// Reads `form-data; name="…"; filename="…"`.
fn form_data<'a>(disposition: &'a [u8], mut head: Head<'a>) -> Result<Head<'a>, &'static str> {
    let kind = disposition
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return Err("its Content-Disposition is not form-data");
    }
    let mut name = None;
    let mut extended = None;
    for param in media::params(disposition) {
        let param = param.map_err(|media::Malformed| "its Content-Disposition is malformed")?;
        let place = match param.name {
            _ if param.name.eq_ignore_ascii_case(b"name") => &mut name,
            _ if param.name.eq_ignore_ascii_case(b"filename") => &mut head.filename,
            // RFC 7578 section 4.2 forbids it, but who sends it means a file.
            _ if param.name.eq_ignore_ascii_case(b"filename*") => &mut extended,
            _ => continue,
        };
        if place.replace(param.value).is_some() {
            return Err("its Content-Disposition has a parameter twice");
        }
    }
    head.filename = head.filename.or(extended);
    head.name = name.ok_or("its Content-Disposition has no name")?;
    Ok(head)
}

#[cfg(test)]
mod tests;
