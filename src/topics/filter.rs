//! Filters of streams: what a message's fields must be for a reader to get it.
//! It reads a body once and builds nothing of it; it knows no topic and no reader.

use std::fmt;
use std::sync::Arc;

use crate::http::json::scan;
use crate::http::multipart::{self, Delimiter};
use crate::http::{form, media};
use crate::model::Message;

/// What a message must have: each of the fields, with one of the values given for it
/// (streams.md section 1). Cheap to clone; equal filters are equal however they were written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Filter(Arc<[Want]>);

/// Pairs of one filter at most; a bit each while a body is looked at.
pub const WANTS_MAX: usize = 8;

/// A field and one of the values that will do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    /// The field's name, decoded.
    pub name: Box<[u8]>,
    /// The value, decoded.
    pub value: Box<[u8]>,
}

impl Filter {
    /// The filter of these pairs, in any order; `None` if there are none. Those beyond
    /// [`WANTS_MAX`] different ones are left out; who reads them refuses them before.
    #[must_use]
    pub fn of(mut wants: Vec<Want>) -> Option<Filter> {
        wants.sort_unstable();
        wants.dedup();
        wants.truncate(WANTS_MAX);
        (!wants.is_empty()).then(|| Filter(wants.into()))
    }

    /// The pairs, by name and value.
    #[must_use]
    pub fn wants(&self) -> &[Want] {
        &self.0
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = self.0.iter().map(|want| want.name.len() + want.value.len());
        size_of_val(&*self.0) + texts.sum::<usize>()
    }

    /// Whether the message has what it must: fields of a form, parts of a multipart form that are
    /// no files, members of a JSON object. Strings are compared by their text, numbers, `true`,
    /// `false` and `null` as they are written; objects and arrays equal nothing. A body of another
    /// type has no fields, and one that is not what its type says neither.
    ///
    /// Takes time in proportion to the body, and memory only to decode a name or value that has
    /// escapes and may still be the one.
    #[must_use]
    pub fn lets_through(&self, message: &Message) -> bool {
        let (kind, body) = (&*message.content_type, &message.body[..]);
        let mut found = Found {
            wants: &self.0,
            hits: 0,
        };
        if media::is(kind, form::MEDIA_TYPE) {
            found.in_form(body);
        } else if media::is(kind, multipart::MEDIA_TYPE) {
            found.in_multipart(kind, body);
        } else if media::is_json(kind) {
            found.in_json(body);
        }
        found.is_all()
    }
}

/// As it is written in a query, with what is not plain escaped.
impl fmt::Debug for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Want { name, value }) in self.0.iter().enumerate() {
            let and = if place > 0 { "&" } else { "" };
            let (name, value) = (name.escape_ascii(), value.escape_ascii());
            write!(out, "{and}where.{name}={value}")?;
        }
        Ok(())
    }
}

/// What of a filter a body was found to have, a bit a pair.
struct Found<'f> {
    wants: &'f [Want],
    hits: u32,
}

impl Found<'_> {
    fn in_form(&mut self, body: &[u8]) {
        for field in form::fields(body).filter(|field| !field.is_empty()) {
            let is = |raw: &[u8], text: &[u8]| match form::is_encoded(raw) {
                false => raw == text,
                true => may_be(raw.len(), text.len(), 3) && *form::decode(raw) == *text,
            };
            self.note(|text| is(field.name, text), |text| is(field.value, text));
            // Nothing that follows can take a hit back.
            if self.is_all() {
                return;
            }
        }
    }

    fn in_multipart(&mut self, content_type: &str, body: &[u8]) {
        let Ok(delimiter) = Delimiter::of(content_type) else {
            return;
        };
        for part in delimiter.parts(body) {
            match part {
                Ok(part) if part.filename.is_some() => {}
                Ok(part) => self.note(|text| part.name == text, |text| part.content == text),
                Err(_) => return self.forget(),
            }
        }
    }

    fn in_json(&mut self, body: &[u8]) {
        let Ok(Some(members)) = scan::object(body) else {
            return;
        };
        for member in members {
            let Ok(member) = member else {
                return self.forget();
            };
            let name = body.get(member.name).unwrap_or_default();
            let value = body.get(member.value).unwrap_or_default();
            self.note(
                |text| is_string(name, text),
                |text| match value.first() {
                    Some(b'"') => is_string(value, text),
                    Some(b'{' | b'[') => false,
                    _ => value == text,
                },
            );
        }
    }

    /// A field of the body: hits each pair that has its name and its value.
    fn note(&mut self, is_name: impl Fn(&[u8]) -> bool, is_value: impl Fn(&[u8]) -> bool) {
        let mut bit = 1;
        for same in self.wants.chunk_by(|one, next| one.name == next.name) {
            let named = same.first().is_some_and(|want| is_name(&want.name));
            for want in same {
                if named && is_value(&want.value) {
                    self.hits |= bit;
                }
                bit <<= 1;
            }
        }
    }

    /// The body is not what it seemed to be.
    fn forget(&mut self) {
        self.hits = 0;
    }

    /// Whether each of the fields has one of its values.
    fn is_all(&self) -> bool {
        let mut hits = self.hits;
        self.wants
            .chunk_by(|one, next| one.name == next.name)
            .all(|same| {
                let own = (1_u32 << same.len()) - 1;
                let hit = hits & own != 0;
                hits >>= same.len();
                hit
            })
    }
}

/// Whether a JSON string, in its quotes, says `text`.
fn is_string(quoted: &[u8], text: &[u8]) -> bool {
    let inner = quoted.len().saturating_sub(2);
    if inner == text.len() && quoted.get(1..=inner) == Some(text) {
        // Only a text with a backslash could look like itself and mean something else.
        return memchr::memchr(b'\\', text).is_none();
    }
    // An escape has up to six bytes for one; without any, different bytes say different things.
    may_be(inner, text.len(), 6)
        && memchr::memchr(b'\\', quoted).is_some()
        && scan::text(quoted).is_some_and(|said| *said == *text)
}

/// Whether so many encoded bytes may stand for so many, if each takes up to `most`.
fn may_be(encoded: usize, text: usize, most: usize) -> bool {
    (text..=text.saturating_mul(most)).contains(&encoded)
}

#[cfg(test)]
mod tests;
