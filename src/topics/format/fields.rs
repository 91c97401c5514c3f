//! Fields of a form as one JSON object: those of one name are together, in the order of each
//! name's first. It knows a field only as two pieces of JSON and decides nothing about them.

use std::cmp::Ordering;

use super::KEPT_BYTES_MAX;
use super::line::{base64, string};
use crate::http::form;
use crate::http::json;
use crate::http::multipart::{Part, Parts};
use crate::http::write;

/// A longer body is not taken apart: its places would not fit their numbers.
const BODY_BYTES_MAX: usize = 256 << 20;

/// The fields of one body, in buffers that serve the next one too.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Each field's name and then its value, as JSON.
    text: Vec<u8>,
    fields: Vec<Field>,
    /// Each field's [`beginning`] and its place. Sorting these finds what belongs together in a
    /// time that no choice of names can spoil, as it could a hash's.
    order: Vec<(u64, u32)>,
    decoded: Vec<u8>,
}

/// Where a field stands in the text. A body may be all fields, so it is small.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: u32,
    value: u32,
    end: u32,
    /// The next field of the same name.
    next: u32,
    /// It is the next of another one.
    follows: bool,
}

/// No field.
const NONE: u32 = u32::MAX;

impl Fields {
    /// Takes a form apart; false if it is too long for that. The nothing between two `&` is no
    /// field.
    pub(super) fn read_form(&mut self, body: &[u8]) -> bool {
        self.clear();
        if body.len() > BODY_BYTES_MAX {
            return false;
        }
        for field in form::fields(body).filter(|field| !field.is_empty()) {
            let name = self.text.len();
            self.decoded_string(field.name);
            let value = self.text.len();
            self.decoded_string(field.value);
            self.push(name, value);
        }
        true
    }

    /// Takes parts as fields; false if they cannot be read.
    pub(super) fn read_multipart(&mut self, parts: Parts<'_>) -> bool {
        self.clear();
        for part in parts {
            let Ok(part) = part else {
                return false;
            };
            if part.range.end > BODY_BYTES_MAX {
                return false;
            }
            let name = self.text.len();
            string(part.name, &mut self.text);
            let value = self.text.len();
            content(&part, &mut self.text);
            self.push(name, value);
        }
        true
    }

    /// Forgets them. Gives back what a large body took.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT_BYTES_MAX);
        self.fields.clear();
        self.fields.shrink_to(KEPT_BYTES_MAX / size_of::<Field>());
        self.order.clear();
        self.order
            .shrink_to(KEPT_BYTES_MAX / size_of::<(u64, u32)>());
        self.decoded.clear();
        self.decoded.shrink_to(KEPT_BYTES_MAX);
    }

    /// Bytes of the buffers.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let places = self.fields.capacity() * size_of::<Field>();
        let order = self.order.capacity() * size_of::<(u64, u32)>();
        self.text.capacity() + places + order + self.decoded.capacity()
    }

    /// Appends the object.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        self.link();
        out.push(b'{');
        let mut first = true;
        for field in self.fields.iter().filter(|field| !field.follows) {
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(self.piece(field.name, field.value));
            out.push(b':');
            self.values(field, out);
        }
        out.push(b'}');
    }

    /// A field's value, or an array of its and its followers'.
    fn values(&self, field: &Field, out: &mut Vec<u8>) {
        if field.next == NONE {
            return out.extend_from_slice(self.piece(field.value, field.end));
        }
        out.push(b'[');
        let mut field = field;
        loop {
            out.extend_from_slice(self.piece(field.value, field.end));
            let Some(next) = self.fields.get(field.next as usize) else {
                break;
            };
            out.push(b',');
            field = next;
        }
        out.push(b']');
    }

    /// Leads from each field to the next one of its name.
    fn link(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        for (place, field) in self.fields.iter().enumerate() {
            let name = self.piece(field.name, field.value);
            order.push((beginning(name), place as u32));
        }
        order.sort_unstable_by(|one, other| {
            let names = self.compare(*one, *other);
            names.then(one.1.cmp(&other.1))
        });
        for pair in order.windows(2) {
            let [one, other] = [pair[0], pair[1]];
            if self.compare(one, other).is_ne() {
                continue;
            }
            if let Some(field) = self.fields.get_mut(one.1 as usize) {
                field.next = other.1;
            }
            if let Some(field) = self.fields.get_mut(other.1 as usize) {
                field.follows = true;
            }
        }
        self.order = order;
    }

    /// Any order of names will do; it looks at those only that do not fit their beginnings.
    fn compare(&self, one: (u64, u32), other: (u64, u32)) -> Ordering {
        let beginnings = one.0.cmp(&other.0);
        match one.0 as u8 == LONG && beginnings.is_eq() {
            true => self.name(one.1).cmp(self.name(other.1)),
            false => beginnings,
        }
    }

    fn name(&self, place: u32) -> &[u8] {
        let field = self.fields.get(place as usize);
        field.map_or(&[], |field| self.piece(field.name, field.value))
    }

    fn piece(&self, start: u32, end: u32) -> &[u8] {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Appends an encoded name or value as a string.
    fn decoded_string(&mut self, raw: &[u8]) {
        // Nearly all of them: one look at each byte.
        if raw.iter().all(is_plain) {
            self.text.push(b'"');
            self.text.extend_from_slice(raw);
            self.text.push(b'"');
            return;
        }
        self.decoded.clear();
        form::decode_into(raw, &mut self.decoded);
        string(&self.decoded, &mut self.text);
    }

    /// The field whose pieces begin there and end with the text.
    fn push(&mut self, name: usize, value: usize) {
        // A byte of a body is six of text at most, so that none of these is cut.
        self.fields.push(Field {
            name: name as u32,
            value: value as u32,
            end: self.text.len() as u32,
            next: NONE,
            follows: false,
        });
    }
}

/// The last byte of the beginning of a name that has more bytes than fit there.
const LONG: u8 = 8;

/// The first seven bytes of a name that stands in quotes, and its length: all of a short one.
fn beginning(quoted: &[u8]) -> u64 {
    let name = quoted.get(1..quoted.len().saturating_sub(1));
    let name = name.unwrap_or_default();
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(name) {
        *place = *byte;
    }
    bytes[7] = name.len().min(LONG.into()) as u8;
    u64::from_be_bytes(bytes)
}

/// Whether a byte stands for itself both in a form and in a string of JSON.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'+' | b'%')
}

/// A part's content: text as a string; a file, and what is no text, in base64 with its size.
fn content(part: &Part<'_>, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(part.content);
    if let (None, Ok(text)) = (part.filename, text) {
        return json::string(out, text);
    }
    out.push(b'{');
    if let Some(filename) = part.filename {
        out.extend_from_slice(b"\"filename\":");
        string(filename, out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"type\":");
    string(part.content_type.unwrap_or_default(), out);
    out.extend_from_slice(b",\"size\":");
    write::number(out, part.content.len() as u64);
    out.extend_from_slice(b",\"base64\":");
    base64(part.content, out);
    out.push(b'}');
}
