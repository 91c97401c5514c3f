//! The options that a message keeps, as a query string by their names: written at intake, read
//! again when its deliveries go on after a restart. The table alone says which options those are.

use super::{Given, Hidden, Row, TABLE, Value};
use crate::base::time::Wall;
use crate::http::form;

/// Appends `name=value` to a query string.
pub(in crate::dispatch) fn note(row: &Row, value: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if !out.is_empty() {
        out.push(b'&');
    }
    out.extend_from_slice(row.name.as_bytes());
    out.push(b'=');
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte),
            b'-' | b'.' | b'_' | b'~' | b',' | b':' | b'/' | b'(' | b')' => out.push(byte),
            _ => {
                let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
                out.extend_from_slice(&[b'%', digits[0], digits[1]]);
            }
        }
    }
}

impl Given {
    /// What such a query string says; `None` if this version cannot read all of it.
    #[must_use]
    pub fn of_text(text: &str, now: Wall) -> Option<Given> {
        let mut given = Given::default();
        let fields = form::fields(text.as_bytes());
        for field in fields.filter(|field| !field.is_empty()) {
            let name = form::decode(field.name);
            // What the hub says of content is no option.
            if *name == *b"full" {
                continue;
            }
            let row = TABLE.iter().find(|row| row.name.as_bytes() == &*name)?;
            let (Value(set) | Hidden(set)) = row.take else {
                return None;
            };
            let value = form::decode(field.value);
            set(&mut given, std::str::from_utf8(&value).ok()?, now).ok()?;
        }
        Some(given)
    }
}
