//! Reads Link fields (RFC 8288 section 3). It resolves against the URL of the answer and nothing
//! else.

use url::Url;

use super::Found;

/// Takes in the links of one field. What is malformed is passed over up to the next `<`.
pub(super) fn read(value: &[u8], base: &Url, found: &mut Found) {
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'<', rest) {
        let inside = rest.get(open + 1..).unwrap_or_default();
        let Some(close) = memchr::memchr(b'>', inside) else {
            return;
        };
        let (href, after) = inside.split_at_checked(close).unwrap_or_default();
        let mut params = Params {
            rest: after.get(1..).unwrap_or_default(),
        };
        let (mut rel, mut anchored) = (None, false);
        for (name, value) in params.by_ref() {
            // Only the first rel counts (section 3.3); with an anchor it is a link of something
            // else (section 3.2).
            if name.eq_ignore_ascii_case(b"rel") {
                rel.get_or_insert(value);
            }
            anchored |= name.eq_ignore_ascii_case(b"anchor");
        }
        rest = params.rest;
        if let (Some(rel), Ok(href), false) = (rel, std::str::from_utf8(href), anchored) {
            found.note(&String::from_utf8_lossy(&rel), href, base);
        }
    }
}

/// The parameters of one link, up to the comma behind it.
struct Params<'v> {
    rest: &'v [u8],
}

impl<'v> Iterator for Params<'v> {
    type Item = (&'v [u8], Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.trim_ascii_start();
            let after = rest.strip_prefix(b";")?.trim_ascii_start();
            let name_len = after.iter().position(|byte| b"=;, \t".contains(byte));
            let (name, rest) = after.split_at_checked(name_len.unwrap_or(after.len()))?;
            let rest = rest.trim_ascii_start();
            let (value, rest) = match rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start) {
                None => (Vec::new(), rest),
                Some(text) => match text.strip_prefix(b"\"") {
                    Some(quoted) => unquoted(quoted),
                    None => {
                        let end = text.iter().position(|byte| b";, \t<".contains(byte));
                        let (value, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
                        (value.to_vec(), rest)
                    }
                },
            };
            self.rest = rest;
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

/// A quoted string without its first quote: its text and what follows it. One that does not end
/// goes to the end.
fn unquoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return (value, rest),
            [b'"', after @ ..] => return (value, after),
            [b'\\', byte, after @ ..] | [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}
