//! Reads JSON (RFC 8259) strictly, as places in the text: members of an object, elements of an
//! array, strings. It builds no tree, changes no byte, and allocates only to decode a string.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Objects and arrays inside each other at most; the deepest fits the bits of one word.
pub const DEPTH_MAX: u32 = 128;

/// A text that is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Bytes before the place where it shows.
    pub at: usize,
    /// What is wrong there.
    pub complaint: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "byte {}: {}", self.at, self.complaint)
    }
}

/// A member of an object, or an element of an array, whose name is empty then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name in its quotes.
    pub name: Range<usize>,
    /// The value.
    pub value: Range<usize>,
    /// The comma behind it, if there is one.
    pub comma: Option<usize>,
    /// Where the next member begins; where there is none, the end of the value.
    pub next: usize,
}

impl Member {
    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> usize {
        if self.name.is_empty() {
            self.value.start
        } else {
            self.name.start
        }
    }
}

/// The members of the object that `text` is, `None` if it is JSON of another kind. The whole text
/// is checked before the last member was given, what is behind the object too.
///
/// # Errors
/// The text is not UTF-8, or it does not even begin as JSON does.
pub fn object(text: &[u8]) -> Result<Option<Members<'_>>, Malformed> {
    check_utf8(text)?;
    let mut cursor = Cursor { text, at: 0 };
    cursor.space();
    if cursor.peek() == Some(b'{') {
        return Ok(Some(Members::inside(cursor, true)));
    }
    cursor.value()?;
    cursor.end()?;
    Ok(None)
}

/// The elements of the array that `text` is, `None` if it is JSON of another kind. As [`object`].
///
/// # Errors
/// As [`object`].
pub fn array(text: &[u8]) -> Result<Option<Members<'_>>, Malformed> {
    check_utf8(text)?;
    let mut cursor = Cursor { text, at: 0 };
    cursor.space();
    if cursor.peek() == Some(b'[') {
        return Ok(Some(Members::inside(cursor, false)));
    }
    cursor.value()?;
    cursor.end()?;
    Ok(None)
}

fn check_utf8(text: &[u8]) -> Result<(), Malformed> {
    std::str::from_utf8(text)
        .map(|_| ())
        .map_err(|error| Malformed {
            at: error.valid_up_to(),
            complaint: "not UTF-8",
        })
}

/// See [`object`] and [`array()`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    cursor: Cursor<'a>,
    named: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Behind the opening bracket.
    First,
    /// At a member.
    Next,
    Done,
}

impl<'a> Members<'a> {
    fn inside(mut cursor: Cursor<'a>, named: bool) -> Members<'a> {
        cursor.at += 1;
        cursor.space();
        let state = State::First;
        Members {
            cursor,
            named,
            state,
        }
    }

    fn step(&mut self) -> Result<Option<Member>, Malformed> {
        let close = if self.named { b'}' } else { b']' };
        if self.state == State::Done {
            return Ok(None);
        }
        if self.state == State::First && self.cursor.peek() == Some(close) {
            self.finish()?;
            return Ok(None);
        }
        let name = if self.named {
            self.cursor.name()?
        } else {
            0..0
        };
        let start = self.cursor.at;
        self.cursor.value()?;
        let value = start..self.cursor.at;
        self.cursor.space();
        let (comma, next) = match self.cursor.peek() {
            Some(b',') => {
                let comma = self.cursor.at;
                self.cursor.at += 1;
                self.cursor.space();
                self.state = State::Next;
                (Some(comma), self.cursor.at)
            }
            Some(byte) if byte == close => {
                self.finish()?;
                (None, value.end)
            }
            _ => return Err(self.cursor.wrong("a comma or the end expected")),
        };
        Ok(Some(Member {
            name,
            value,
            comma,
            next,
        }))
    }

    /// At the closing bracket: nothing but white space may follow.
    fn finish(&mut self) -> Result<(), Malformed> {
        self.state = State::Done;
        self.cursor.at += 1;
        self.cursor.end()
    }
}

impl Iterator for Members<'_> {
    type Item = Result<Member, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.state = State::Done;
        }
        step.transpose()
    }
}

/// A place in a text that is UTF-8.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, complaint: &'static str) -> Malformed {
        let complaint = match self.peek() {
            Some(_) => complaint,
            None => "it ends too early",
        };
        Malformed {
            at: self.at,
            complaint,
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Nothing but white space to the end of the text.
    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("something follows the value")),
        }
    }

    /// A member's name and its colon, and the white space behind it.
    fn name(&mut self) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a member's name expected"));
        }
        self.string()?;
        let name = start..self.at;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.wrong("a colon expected"));
        }
        self.at += 1;
        self.space();
        Ok(name)
    }

    /// A whole value of any kind. What it opens stands in bits, so that no depth can overflow the
    /// stack.
    fn value(&mut self) -> Result<(), Malformed> {
        let mut open = Open::default();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let named = bracket == b'{';
                    if !open.push(named) {
                        return Err(self.wrong("too deep; allowed: 128 levels"));
                    }
                    self.at += 1;
                    self.space();
                    if self.peek() != Some(if named { b'}' } else { b']' }) {
                        if named {
                            self.name()?;
                        }
                        continue;
                    }
                    self.at += 1;
                    open.pop();
                }
                Some(b'"') => self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                _ => return Err(self.wrong("a value expected")),
            }
            if !self.goes_on(&mut open)? {
                return Ok(());
            }
        }
    }

    /// A value has ended: whether another one follows in what is open.
    fn goes_on(&mut self, open: &mut Open) -> Result<bool, Malformed> {
        while let Some(named) = open.top() {
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    if named {
                        self.name()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if named => {}
                Some(b']') if !named => {}
                _ => return Err(self.wrong("a comma or the end expected")),
            }
            self.at += 1;
            open.pop();
        }
        Ok(false)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.wrong("a value expected"));
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(..0x20) => return Err(self.wrong("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.wrong("")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.peek() {
                        Some(byte) if byte.is_ascii_hexdigit() => self.at += 1,
                        _ => return Err(self.wrong("four hexadecimal digits expected")),
                    }
                }
            }
            _ => return Err(self.wrong("an unknown escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // A number has no zeros in front.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(self.wrong("a digit expected")),
        }
    }
}

/// What is open inside a value: a bit each, set for an object.
#[derive(Default)]
struct Open {
    named: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, named: bool) -> bool {
        // The object or array whose members are being read is one level too.
        if self.depth + 1 >= DEPTH_MAX {
            return false;
        }
        self.named = self.named << 1 | u128::from(named);
        self.depth += 1;
        true
    }

    fn pop(&mut self) {
        self.named >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.named & 1 == 1)
    }
}

/// The text of a string that stands in `quoted` with its quotes; `None` if it is no string, or if
/// an escape names half a surrogate pair. Allocates only if something is escaped.
#[must_use]
pub fn text(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (letter, after) = escape.get(1..)?.split_first()?;
        rest = after;
        match letter {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (letter, after) = unicode(after)?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => out.push(*other),
        }
    }
    out.extend_from_slice(rest);
    Some(Cow::Owned(out))
}

/// The character of the digits behind `\u`, and of a second escape if it takes two.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = unit(text)?;
    if let Some(letter) = char::from_u32(first) {
        return Some((letter, rest));
    }
    let (second, rest) = unit(rest.strip_prefix(b"\\u")?)?;
    let pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    let code = 0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff);
    char::from_u32(code).filter(|_| pair).map(|it| (it, rest))
}

fn unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests;
