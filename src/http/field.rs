//! What header fields are made of: octet classes, names, lists, lengths, codings, hosts.
//! It never decides what a message means; request and response do.

use std::net::Ipv6Addr;

use httparse::Header;

use crate::http::problem::Reason;

/// Fields of one head at most, on both sides.
pub const FIELDS_MAX: usize = 100;

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const VALUE: u8 = 4;
const HOST: u8 = 8;

const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => TOKEN | TARGET | VALUE | HOST,
            b' '..=b'~' | b'\t' | 0x80.. => VALUE,
            _ => 0,
        };
        byte += 1;
    }
    table = marked(table, b"!#$%&'*+-.^_`|~", TOKEN);
    table = marked(table, b"-._~:/?[]@!$&'()*+,;=%", TARGET);
    // Unreserved and sub-delims, but no comma: in a Host it is the mark of two that were joined.
    marked(table, b"-._~!$&'()*+;=", HOST)
}

const fn marked(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] |= class;
        at += 1;
    }
    table
}

/// A character of a token (RFC 9110 section 5.6.2).
#[must_use]
pub fn is_token(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TOKEN != 0
}

/// A character that a request target may have: RFC 3986's without the fragment, and `[` `]`.
#[must_use]
pub fn is_target(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TARGET != 0
}

/// A character of a field value (RFC 9110 section 5.5): HTAB, SP, visible, obs-text.
#[must_use]
pub fn is_value(byte: u8) -> bool {
    CLASS[usize::from(byte)] & VALUE != 0
}

/// The first field of that name, in any case.
#[must_use]
pub fn find<'b>(headers: &[Header<'b>], name: &str) -> Option<&'b [u8]> {
    all(headers, name).next()
}

/// All fields of that name, in any case, in their order.
pub fn all<'h, 'b>(
    headers: &'h [Header<'b>],
    name: &'h str,
) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|h| h.value)
}

/// Without the white space of RFC 9110 section 5.6.3 at both ends.
#[must_use]
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The members of a comma-separated list (RFC 9110 section 5.6.1), trimmed, empty ones too.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// What the Connection fields of a message say (RFC 9112 section 9.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection {
    close: bool,
    keep_alive: bool,
}

impl Connection {
    /// Takes in one Connection field.
    pub fn note(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether the line stays open after the message, for a sender of HTTP/1.1 or of HTTP/1.0.
    #[must_use]
    pub fn persists(self, one_one: bool) -> bool {
        !self.close && (one_one || self.keep_alive)
    }
}

/// The number of a Content-Length: 1*DIGIT below 2^63 (RFC 9110 section 8.6), zeros before it too.
#[must_use]
pub fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        let length = length.checked_mul(10)?.checked_add(digit)?;
        (length <= i64::MAX as u64).then_some(length)
    })
}

/// Accepts a Transfer-Encoding that is exactly `chunked` in any case (RFC 9112 section 7).
///
/// # Errors
/// 501 for other codings before a last `chunked`; 400 for all else, because without `chunked` at
/// the end nobody knows where the body does (RFC 9112 section 6.3, rule 4).
pub fn transfer_encoding(value: &[u8]) -> Result<(), Reason> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let tokens =
        list(value).all(|coding| !coding.is_empty() && coding.iter().all(|b| is_token(*b)));
    let chunked = list(value)
        .filter(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        .count();
    let last = list(value)
        .last()
        .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    if tokens && chunked == 1 && last {
        Err(Reason::UnknownTransferCoding)
    } else {
        Err(Reason::BadTransferEncoding)
    }
}

/// The text of `uri-host [ ":" port ]` (RFC 9110 section 7.2), not empty; `None` if it is not that.
#[must_use]
pub fn host(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let port = if let Some(literal) = text.strip_prefix('[') {
        let (address, port) = literal.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        port
    } else {
        let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        if name.is_empty() || !is_reg_name(name.as_bytes()) {
            return None;
        }
        port
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(text),
        // RFC 3986 section 3.2.3 allows a colon without digits.
        Some(digits) => {
            let digits = digits.as_bytes();
            let number = digits.is_empty() || content_length(digits).is_some_and(|n| n <= 65_535);
            number.then_some(text)
        }
    }
}

fn is_reg_name(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if CLASS[usize::from(*byte)] & HOST != 0 => rest,
            _ => return false,
        };
    }
}

/// What is wrong with a line of the field section, its CRLF left out; `first` if it is the first.
///
/// # Errors
/// The first rule of RFC 9112 section 5 that the line breaks.
pub fn check_line(line: &[u8], first: bool) -> Result<(), Reason> {
    if let [b' ' | b'\t', ..] = line {
        return Err(if first {
            Reason::SpaceBeforeField
        } else {
            Reason::FoldedField
        });
    }
    let end = line
        .iter()
        .position(|byte| !is_token(*byte))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    match rest {
        [b':', value @ ..] if !name.is_empty() => match value.iter().all(|byte| is_value(*byte)) {
            true => Ok(()),
            false => Err(Reason::BadFieldValue),
        },
        [b' ' | b'\t', rest @ ..] if !name.is_empty() && trim(rest).starts_with(b":") => {
            Err(Reason::SpaceBeforeColon)
        }
        _ => Err(Reason::BadFieldName),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::chunk::ChunkReader;

    const ALPHANUMERIC: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    #[test]
    fn classes_are_those_of_the_grammar() {
        for byte in 0..=255u8 {
            let among =
                |marks: &str| ALPHANUMERIC.contains(byte as char) || marks.contains(byte as char);
            assert_eq!(
                is_token(byte),
                byte < 0x80 && among("!#$%&'*+-.^_`|~"),
                "{byte:#x}"
            );
            let target = "-._~:/?[]@!$&'()*+,;=%";
            assert_eq!(is_target(byte), byte < 0x80 && among(target), "{byte:#x}");
            let value = matches!(byte, b'\t' | 0x20..=0x7e | 0x80..);
            assert_eq!(is_value(byte), value, "{byte:#x}");
        }
    }

    /// Heads go through httparse, trailers through our automaton, refusals through `check_line`:
    /// three readers of one grammar, for every byte in every place.
    #[test]
    fn heads_trailers_and_diagnoses_agree_on_every_byte() {
        for byte in (0..=255u8).filter(|byte| *byte != b'\n') {
            let (b, line) = ([byte], |parts: [&[u8]; 3]| parts.concat());
            for line in [
                line([&b, b"ame: value", b""]),
                line([b"Na", &b, b"me: value"]),
                line([b"Name", &b, b": value"]),
                line([b"Name:", &b, b"value"]),
                line([b"Name: va", &b, b"lue"]),
                line([b"Name: value", &b, b""]),
                line([b"Name", &b, b"value"]),
            ] {
                let checked = check_line(&line, true);
                let mut fields = [httparse::EMPTY_HEADER; 1];
                let section = [line.as_slice(), b"\r\n\r\n"].concat();
                let head = httparse::parse_headers(&section, &mut fields);
                let head = head.is_ok_and(|status| status.is_complete());
                assert_eq!(head, checked.is_ok(), "{}", line.escape_ascii());
                let trailer = [b"0\r\n", section.as_slice()].concat();
                let trailer = ChunkReader::new(0).read(&trailer);
                assert_eq!(
                    trailer.map(|piece| assert!(piece.done)),
                    checked,
                    "{}",
                    line.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn connection_options() {
        let table: [(&[&str], bool, bool); 6] = [
            (&[], true, false),
            (&["close"], false, false),
            (&["Keep-Alive"], true, true),
            (&["keep-alive", "x , CLOSE\t"], false, false),
            (&["closed, , keep-alive,"], true, true),
            (&["keep alive"], true, false),
        ];
        for (fields, one_one, one_zero) in table {
            let mut connection = Connection::default();
            fields
                .iter()
                .for_each(|value| connection.note(value.as_bytes()));
            let both = (connection.persists(true), connection.persists(false));
            assert_eq!(both, (one_one, one_zero), "{fields:?}");
        }
    }
}
