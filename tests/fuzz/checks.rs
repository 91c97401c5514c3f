//! What must hold for any bytes at all: one function for each fuzz target. The fuzzer calls them
//! with what it invents, `tests/corpus.rs` with what is kept in `corpus/<target>/`. To add a
//! target: a function, a row, a file in `fuzz_targets/` and its two lines in `Cargo.toml`.

#[path = "checks_batch.rs"]
mod checks_batch;
#[path = "checks_config.rs"]
mod checks_config;
#[path = "checks_forms.rs"]
mod checks_forms;
#[path = "checks_hub.rs"]
mod checks_hub;
#[path = "checks_json.rs"]
mod checks_json;
#[path = "checks_lines.rs"]
mod checks_lines;
#[path = "checks_names.rs"]
mod checks_names;
#[path = "checks_tokens.rs"]
mod checks_tokens;
#[path = "checks_wishes.rs"]
mod checks_wishes;
#[path = "drive.rs"]
mod drive;

pub use checks_batch::batch;
pub use checks_config::config_file;
pub use checks_forms::{multipart, urlencoded};
pub use checks_hub::{hub_diff, hub_discover, hub_request};
pub use checks_json::json;
pub use checks_lines::json_line;
pub use checks_names::dns_message;
pub use checks_tokens::tokens_file;
pub use checks_wishes::wish;
use drive::Log;

/// Panics if the rule does not hold for these bytes.
pub type Check = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Check)] = &[
    ("request", request),
    ("chunked", chunked),
    ("response", response),
    ("urlencoded", urlencoded),
    ("multipart", multipart),
    ("batch", batch),
    ("json", json),
    ("dns_message", dns_message),
    ("hub_request", hub_request),
    ("hub_discover", hub_discover),
    ("hub_diff", hub_diff),
    ("json_line", json_line),
    ("wish", wish),
    ("tokens_file", tokens_file),
    ("config_file", config_file),
];

/// Request heads and framing: no split changes the result, and what is accepted has one framing.
pub fn request(data: &[u8]) {
    let whole = same_for_all_splits(data, drive::requests);
    let first = whole.first().map(String::as_str).unwrap_or_default();
    if first.ends_with("none") || first.contains(" chunked") || first.contains(" length ") {
        one_framing(data);
    }
}

/// Chunked bodies: no split changes the result, and a decoder of another make agrees.
pub fn chunked(data: &[u8]) {
    let whole = same_for_all_splits(data, drive::chunked);
    let last = whole.last().map(String::as_str).unwrap_or_default();
    match decode(data) {
        Decoded::Complete { body, rest } => {
            assert_eq!(whole[0], format!("body {}", body.escape_ascii()).trim_end());
            assert_eq!(
                whole.get(1).cloned(),
                (rest > 0).then(|| format!("rest {rest}"))
            );
        }
        Decoded::Refused => assert!(last.starts_with('4'), "accepted: {whole:?}"),
        // The reader may see in a part of a line that the whole will be wrong.
        Decoded::Partial => assert!(last == "waiting" || last.starts_with('4'), "{whole:?}"),
    }
}

/// Answers: no split changes the result, to a HEAD neither.
pub fn response(data: &[u8]) {
    same_for_all_splits(data, |pieces| drive::responses(pieces, false));
    same_for_all_splits(data, |pieces| drive::responses(pieces, true));
}

/// Whole, byte by byte, in threes, and cut in two at up to 64 places.
fn same_for_all_splits(data: &[u8], run: impl Fn(&[&[u8]]) -> Log) -> Log {
    let whole = run(&[data]);
    for step in [1, 3] {
        let pieces: Vec<&[u8]> = data.chunks(step).collect();
        assert_eq!(run(&pieces), whole, "in pieces of {step}");
    }
    for cut in (0..data.len()).step_by(data.len().div_ceil(64).max(1)) {
        let (left, right) = data.split_at(cut);
        assert_eq!(run(&[left, right]), whole, "cut at {cut}");
    }
    whole
}

/// Found by plain search, without any parser: at most one field that frames the body, one Host, and
/// no line end but CRLF.
fn one_framing(data: &[u8]) {
    let start = data
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let data = &data[start..];
    let end = data.windows(4).position(is_end);
    let head = &data[..end.map_or(data.len(), |end| end + 4)];
    let head = head.to_ascii_lowercase();
    let count = |text: &[u8]| head.windows(text.len()).filter(|at| *at == text).count();
    assert!(
        count(b"\ncontent-length:") + count(b"\ntransfer-encoding:") <= 1,
        "two framings"
    );
    assert!(count(b"\nhost:") <= 1, "two hosts");
    assert_eq!(count(b"\n"), count(b"\r\n"), "a bare LF");
    assert_eq!(count(b"\r"), count(b"\r\n"), "a bare CR");
}

fn is_end(bytes: &[u8]) -> bool {
    bytes == b"\r\n\r\n"
}

enum Decoded {
    Complete { body: Vec<u8>, rest: usize },
    Partial,
    Refused,
}

/// A chunked body decoded line by line from the whole of it: slow, simple, and of no use to anyone
/// who has only a part.
fn decode(data: &[u8]) -> Decoded {
    let mut body = Vec::new();
    let (mut rest, mut extensions) = (data, 0);
    loop {
        let Some((line, after)) = line(rest) else {
            return Decoded::Partial;
        };
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (size, extension) = line.split_at(digits);
        let size = std::str::from_utf8(size)
            .ok()
            .filter(|size| size.len() <= 16);
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        // The line's CR counts as the extension's, as it may turn out to be a part of it.
        extensions += if extension.is_empty() {
            0
        } else {
            extension.len() + 1
        };
        let room = drive::CHUNKED_BYTES_MAX - body.len() as u64;
        let Some(size) = size.filter(|size| *size <= room) else {
            return Decoded::Refused;
        };
        if extensions > 16 * 1024 || !is_extension(extension) {
            return Decoded::Refused;
        }
        if size == 0 {
            return trailers(after, body);
        }
        let Some((chunk, after)) = after.split_at_checked(size as usize) else {
            return Decoded::Partial;
        };
        body.extend_from_slice(chunk);
        match after {
            [b'\r', b'\n', next @ ..] => rest = next,
            [] | [b'\r'] => return Decoded::Partial,
            _ => return Decoded::Refused,
        }
    }
}

fn trailers(data: &[u8], body: Vec<u8>) -> Decoded {
    let (mut rest, mut fields) = (data, 0);
    loop {
        let Some((field, after)) = line(rest) else {
            return Decoded::Partial;
        };
        rest = after;
        if data.len() - rest.len() > 8 * 1024 {
            return Decoded::Refused;
        }
        if field.is_empty() {
            return Decoded::Complete {
                body,
                rest: rest.len(),
            };
        }
        fields += 1;
        let colon = field.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.map(|at| field.split_at(at)) else {
            return Decoded::Refused;
        };
        if fields > 32 || !is_token(name) || !value.iter().all(|byte| is_text(*byte)) {
            return Decoded::Refused;
        }
    }
}

/// Up to the next CRLF, and what is behind it.
fn line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&data[..at], &data[at + 2..]))
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn is_token(text: &[u8]) -> bool {
    let mark = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, by descent.
fn is_extension(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = skip_space(text).strip_prefix(b";") else {
            return false;
        };
        let (name, rest) = token(skip_space(rest));
        if name.is_empty() {
            return false;
        }
        text = rest;
        if let Some(value) = skip_space(rest).strip_prefix(b"=") {
            let value = skip_space(value);
            let rest = match value.strip_prefix(b"\"") {
                Some(quoted) => after_quotes(quoted),
                None => Some(token(value))
                    .filter(|(word, _)| !word.is_empty())
                    .map(|(_, r)| r),
            };
            match rest {
                Some(rest) => text = rest,
                None => return false,
            }
        }
    }
    true
}

fn skip_space(text: &[u8]) -> &[u8] {
    let spaces = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &text[spaces..]
}

fn token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| is_token(&[**byte])).count())
}

fn after_quotes(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', byte, rest @ ..] if is_text(*byte) => rest,
            [b'\\', ..] => return None,
            [byte, rest @ ..] if is_text(*byte) => rest,
            _ => return None,
        }
    }
}
