//! Reads `application/x-www-form-urlencoded` text, of bodies and of queries, without changing it.
//! It never re-encodes: whoever cuts fields out copies the raw pieces that stay.

use std::borrow::Cow;
use std::ops::Range;

/// The media type of what this module reads.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// One piece between two `&`, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The whole piece, byte for byte; empty for the nothing between two `&`, which is no field.
    pub raw: &'a [u8],
    /// What stands before the first `=`, still encoded.
    pub name: &'a [u8],
    /// What stands after it, still encoded; empty if there is no `=`.
    pub value: &'a [u8],
    /// Where `raw` begins in the text.
    pub start: usize,
}

impl Field<'_> {
    /// The piece's place in the text.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// Whether the piece is nothing at all, as at the end of `a=1&`. The URL standard knows no
    /// field there, yet a copy has to keep it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// The pieces of `text` in order, duplicates kept. Joined again with `&` they are `text`, so an
/// empty text has one empty piece.
#[must_use]
pub fn fields(text: &[u8]) -> Fields<'_> {
    Fields {
        text,
        next: Some(0),
    }
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    text: &'a [u8],
    next: Option<usize>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.next?;
        let rest = self.text.get(start..)?;
        let raw = match memchr::memchr(b'&', rest) {
            Some(end) => {
                self.next = Some(start + end + 1);
                rest.get(..end)?
            }
            None => {
                self.next = None;
                rest
            }
        };
        let (name, value) = match memchr::memchr(b'=', raw) {
            Some(equals) => (raw.get(..equals)?, raw.get(equals + 1..)?),
            None => (raw, &raw[raw.len()..]),
        };
        Some(Field {
            raw,
            name,
            value,
            start,
        })
    }
}

/// Text as a name or a value of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Appends `raw` to `text`, decoded as the URL standard does: `+` is a space, `%XX` a byte, and a
/// broken escape stays as it is.
pub fn decode_into(raw: &[u8], text: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        let (before, after) = rest.split_at(plus);
        unescape_into(before, text);
        text.push(b' ');
        rest = after.get(1..).unwrap_or_default();
    }
    unescape_into(rest, text);
}

/// Appends `raw` to `text` with each `%XX` as its byte; a broken escape and a `+` stay as they are.
pub fn unescape_into(raw: &[u8], text: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        let (before, after) = rest.split_at(percent);
        text.extend_from_slice(before);
        let byte = match after {
            [_, high, low, ..] => escaped(*high, *low),
            _ => None,
        };
        text.push(byte.unwrap_or(b'%'));
        let escape_bytes = if byte.is_some() { 3 } else { 1 };
        rest = after.get(escape_bytes..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
}

/// Whether [`decode_into`] would change anything.
#[must_use]
pub fn is_encoded(raw: &[u8]) -> bool {
    memchr::memchr2(b'+', b'%', raw).is_some()
}

/// [`decode_into`] without a buffer at hand: allocates only if there is something to decode.
#[must_use]
pub fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if !is_encoded(raw) {
        return Cow::Borrowed(raw);
    }
    let mut text = Vec::with_capacity(raw.len());
    decode_into(raw, &mut text);
    Cow::Owned(text)
}

/// The byte that `%` with these two digits stands for.
fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// Collects the pieces that stay after a cut, joined by `&`.
#[derive(Debug)]
pub struct Keeper<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    fields: usize,
}

impl<'a> Keeper<'a> {
    /// Appends to `out` from its present end.
    pub fn new(out: &'a mut Vec<u8>) -> Keeper<'a> {
        Keeper {
            out,
            first: true,
            fields: 0,
        }
    }

    /// Keeps `field` byte for byte.
    pub fn keep(&mut self, field: &Field<'_>) {
        if !self.first {
            self.out.push(b'&');
        }
        self.first = false;
        self.fields += usize::from(!field.is_empty());
        self.out.extend_from_slice(field.raw);
    }

    /// How many fields were kept; empty pieces do not count.
    #[must_use]
    pub fn fields(&self) -> usize {
        self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(String, String)> {
        let own = |bytes: &[u8]| String::from_utf8_lossy(&decode(bytes)).into_owned();
        let present = fields(text.as_bytes()).filter(|field| !field.is_empty());
        present
            .map(|field| (own(field.name), own(field.value)))
            .collect()
    }

    #[test]
    fn fields_come_in_order_with_duplicates() {
        let rows: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&", &[]),
            ("&&a=1&&", &[("a", "1")]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=1", &[("", "1")]),
            ("=", &[("", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a+b=c+d", &[("a b", "c d")]),
            ("%61%3D=%26%2B", &[("a=", "&+")]),
            ("a=%C3%A9", &[("a", "é")]),
            ("a=%E9", &[("a", "\u{fffd}")]),
            (
                "a=100%&b=%4&c=%zz&d=%%41&e=%",
                &[
                    ("a", "100%"),
                    ("b", "%4"),
                    ("c", "%zz"),
                    ("d", "%A"),
                    ("e", "%"),
                ],
            ),
            ("a;b=1", &[("a;b", "1")]),
            ("a=1\r\n", &[("a", "1\r\n")]),
        ];
        for (text, want) in rows {
            let got = split(text);
            let got: Vec<_> = got
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            assert_eq!(got, *want, "{text}");
        }
    }

    #[test]
    fn pieces_joined_again_are_the_text() {
        for text in ["", "&", "a", "a=1&", "&a=1", "a=1&&b=%zz&+", "=&=&&&"] {
            let mut out = b"before ".to_vec();
            let mut keeper = Keeper::new(&mut out);
            fields(text.as_bytes()).for_each(|field| keeper.keep(&field));
            assert_eq!(out, [b"before ", text.as_bytes()].concat(), "{text}");
        }
    }

    #[test]
    fn a_cut_leaves_the_rest_as_it_was() {
        let rows = [
            ("_url=x", "", 0),
            ("_url=x&a=%41+%zz", "a=%41+%zz", 1),
            ("a=1&_url=x", "a=1", 1),
            ("a=1&_url=x&a=1", "a=1&a=1", 2),
            ("a=1&&_url=x&", "a=1&&", 1),
            ("_url=x&&", "&", 0),
        ];
        for (text, want, count) in rows {
            let mut out = Vec::new();
            let mut keeper = Keeper::new(&mut out);
            for field in fields(text.as_bytes()).filter(|field| field.name != b"_url") {
                assert_eq!(text.as_bytes().get(field.range()), Some(field.raw));
                keeper.keep(&field);
            }
            assert_eq!(keeper.fields(), count, "{text}");
            assert_eq!(out, want.as_bytes(), "{text}");
        }
    }

    #[test]
    fn decoding_borrows_where_it_can() {
        assert!(matches!(decode(b"plain"), Cow::Borrowed(b"plain")));
        assert!(matches!(decode(b"a%20b"), Cow::Owned(_)));
        let mut text = b"x".to_vec();
        decode_into(b"+%2b%", &mut text);
        unescape_into(b"+%2b%%", &mut text);
        assert_eq!(text, b"x +%++%%");
    }
}
