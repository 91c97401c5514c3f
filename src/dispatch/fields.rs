//! Header fields that a message brings for its targets: which are allowed, and one block of bytes
//! that holds them ready to go out. It decides no value and knows no target.

use std::borrow::Cow;

use httparse::Header;

use crate::http::field;
use crate::http::problem::{Problem, Reason};

/// Bytes of all fields of one message at most; most servers take no more in a head.
pub(super) const FIELDS_BYTES_MAX: usize = 16 << 10;
/// What a field may be, in words.
pub(super) const FIELD_FORM: &str = "Name: value, 16 KiB in all; not Host, Content-Length, \
                                     Content-Type, webhook-*, Hookah-* or one between two hops";

/// Fields that frame a message, or belong to one connection (RFC 9110 section 7.6.1), or that
/// say what only this server can know.
const REFUSED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Fields that say who is asking; they stay with the origin they were meant for.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "x-hub-signature",
    "x-hub-signature-256",
];

/// What such fields have in their names by custom; no standard names them, so that a publisher's
/// own are known only by this. Losing a harmless field elsewhere costs less than giving away a key.
const CREDENTIAL_WORDS: &[&str] = &[
    "api-key", "apikey", "auth-", "-auth", "password", "secret", "token",
];

fn is_refused(name: &str) -> bool {
    let same = |known: &&str| known.eq_ignore_ascii_case(name);
    let own = name
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("hookah-"));
    own || REFUSED.iter().any(same)
}

/// Whether a field of that name must not follow a redirect to another origin.
#[must_use]
pub(super) fn is_credential(name: &str) -> bool {
    let known = CREDENTIALS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    let has = |word: &&str| {
        let mut parts = name.as_bytes().windows(word.len());
        parts.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    known || CREDENTIAL_WORDS.iter().any(has)
}

/// Adds a field to `block`. `settled` is where the fields of weightier sources end: a name that
/// stands there is outweighed. The error is the complaint, to stand behind the value.
pub(super) fn add(
    block: &mut Vec<u8>,
    settled: usize,
    name: &[u8],
    value: &[u8],
) -> Result<(), &'static str> {
    let value = field::trim(value);
    let token = !name.is_empty() && name.iter().all(|byte| field::is_token(*byte));
    let Some(name) = std::str::from_utf8(name).ok().filter(|_| token) else {
        return Err("has a name that is no token");
    };
    if is_refused(name) {
        return Err("is not for a message to set");
    }
    if !value.iter().all(|byte| field::is_value(*byte)) {
        return Err("has a control character in its value");
    }
    if has(block.get(..settled).unwrap_or_default(), name) {
        return Ok(());
    }
    push(block, name, value);
    match block.len() > FIELDS_BYTES_MAX {
        true => Err("makes too many bytes of fields"),
        false => Ok(()),
    }
}

fn push(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    block.extend_from_slice(b"\r\n");
    block.extend_from_slice(name.as_bytes());
    block.extend_from_slice(b": ");
    block.extend_from_slice(value);
}

/// The parts of `Name: value`.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((line.get(..colon)?, line.get(colon + 1..)?))
}

/// The names and values of a block, in order.
pub(super) fn iter(block: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let line = rest.strip_prefix(b"\r\n")?;
        let end = memchr::memchr(b'\r', line).unwrap_or(line.len());
        let (line, after) = line.split_at(end);
        rest = after;
        let (name, value) = split(line)?;
        Some((std::str::from_utf8(name).ok()?, field::trim(value)))
    })
}

/// Whether a block has a field of that name.
#[must_use]
pub(super) fn has(block: &[u8], name: &str) -> bool {
    iter(block).any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Appends the fields of `block` that `goes` lets go.
pub(super) fn write(out: &mut Vec<u8>, block: &[u8], goes: impl Fn(&str) -> bool) {
    for (name, value) in iter(block).filter(|(name, _)| goes(name)) {
        push(out, name, value);
    }
}

/// Adds the end-to-end fields of a request, but those that are named already and those that were
/// for us, in `own`.
///
/// # Errors
/// They are too many bytes.
pub(super) fn relay(
    block: &mut Vec<u8>,
    headers: &[Header<'_>],
    own: &[&str],
) -> Result<(), Problem> {
    let named = block.len();
    for header in headers {
        let listed = field::all(headers, "connection")
            .flat_map(field::list)
            .any(|option| option.eq_ignore_ascii_case(header.name.as_bytes()));
        let is_own = own.iter().any(|own| header.name.eq_ignore_ascii_case(own));
        if listed || is_own || is_refused(header.name) {
            continue;
        }
        add(block, named, header.name.as_bytes(), header.value).map_err(|complaint| {
            let name: Cow<'_, str> = header.name.chars().take(80).collect();
            let detail = format!("forward-headers: {name} {complaint}; allowed: {FIELD_FORM}");
            Problem::new(Reason::BadOption, detail)
        })?;
    }
    Ok(())
}

/// Adds one field as it came, unless it is named already: what passes unchanged.
pub(super) fn pass(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !has(block, name) {
        push(block, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            add(&mut block, 0, name.as_bytes(), value.as_bytes()).unwrap();
        }
        block
    }

    #[test]
    fn refused_header_names() {
        for name in [
            "Host",
            "host",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "Transfer-Encoding",
            "Proxy-Connection",
            "Proxy-Authorization",
            "Proxy-Authenticate",
            "Content-Length",
            "Content-Type",
            "Expect",
            "webhook-id",
            "Webhook-Timestamp",
            "webhook-signature",
            "Hookah-Attempt",
            "Hookah-Hops",
            "hookah-x",
            "",
            "a b",
            "a:",
            "é",
        ] {
            assert!(
                add(&mut Vec::new(), 0, name.as_bytes(), b"v").is_err(),
                "{name:?}"
            );
        }
        for value in [&b"a\r\nHost: x"[..], b"a\0", b"a\nb", b"\x7f"] {
            assert!(add(&mut Vec::new(), 0, b"X", value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn fields_are_ready_to_go_out() {
        let block = block(&[("X-A", " 1 "), ("x-a", ""), ("Authorization", "Basic é")]);
        assert_eq!(
            block,
            "\r\nX-A: 1\r\nx-a: \r\nAuthorization: Basic é".as_bytes()
        );
        let read: Vec<_> = iter(&block).collect();
        assert_eq!(read[0], ("X-A", &b"1"[..]));
        assert_eq!(read[2], ("Authorization", "Basic é".as_bytes()));
        assert!(has(&block, "AUTHORIZATION") && !has(&block, "X-B"));
        let mut out = Vec::new();
        write(&mut out, &block, |name| !is_credential(name));
        assert_eq!(out, b"\r\nX-A: 1\r\nx-a: ");
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "Api-Key",
            "apikey",
            "X-Auth-Token",
            "X-Auth",
            "Hookah-Token",
            "X-Gitlab-Token",
            "X-Amz-Security-Token",
            "X-Webhook-Secret",
            "X-Password",
            "X-Hub-Signature",
            "x-hub-signature-256",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "User-Agent",
            "X-GitHub-Event",
            "Content-Encoding",
            "X-Request-Id",
            "Accept",
            "X-Key",
            "tok",
            "",
        ] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn a_weightier_source_keeps_its_names() {
        let mut block = block(&[("X-A", "header")]);
        let settled = block.len();
        add(&mut block, settled, b"x-a", b"body").unwrap();
        add(&mut block, settled, b"X-B", b"1").unwrap();
        add(&mut block, settled, b"X-B", b"2").unwrap();
        assert_eq!(block, b"\r\nX-A: header\r\nX-B: 1\r\nX-B: 2");
    }

    #[test]
    fn bytes_are_bounded() {
        let (mut block, value) = (Vec::new(), [b'x'; 8_000]);
        assert!(add(&mut block, 0, b"A", &value).is_ok());
        assert!(add(&mut block, 0, b"B", &value).is_ok());
        assert!(add(&mut block, 0, b"C", &value).is_err());
    }

    #[test]
    fn a_relay_forwards_what_is_end_to_end() {
        let header = |name: &'static str, value: &'static str| Header {
            name,
            value: value.as_bytes(),
        };
        let headers = [
            header("Host", "us"),
            header("User-Agent", "GitHub-Hookshot/1"),
            header("Connection", "close, X-Hop"),
            header("X-Hop", "1"),
            header("X-GitHub-Event", "push"),
            header("Hookah-Url", "http://secret@host/"),
            header("Content-Type", "text/plain"),
            header("webhook-id", "theirs"),
            header("X-Named", "theirs"),
            header("Cookie", "a=b"),
        ];
        let mut block = block(&[("x-named", "ours")]);
        relay(&mut block, &headers, &["idempotency-key"]).unwrap();
        let text = String::from_utf8(block).unwrap();
        assert_eq!(
            text,
            "\r\nx-named: ours\r\nUser-Agent: GitHub-Hookshot/1\r\nX-GitHub-Event: push\
             \r\nCookie: a=b"
        );
    }
}
