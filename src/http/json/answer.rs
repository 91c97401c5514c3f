//! What a target answered, as JSON: its header fields and its body.
//! It opens and closes no object, and it decides nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::string;
use crate::http::{request, response};

/// Appends the fields of a head as an object. Names are in lower case; the values of a repeated one
/// are joined (RFC 9110 section 5.3).
pub fn headers(out: &mut Vec<u8>, head: &[u8]) {
    let mut slots = request::slots();
    let head = response::parse(head, &mut slots, false);
    let headers = head.as_ref().map_or(&[][..], |head| head.headers);
    out.push(b'{');
    for (place, header) in headers.iter().enumerate() {
        let same = |other: &&httparse::Header<'_>| other.name.eq_ignore_ascii_case(header.name);
        if headers.iter().take(place).any(|other| same(&other)) {
            continue;
        }
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        string(out, &header.name.to_ascii_lowercase());
        out.push(b':');
        let values = headers.iter().filter(same).map(|other| other.value);
        let values: Vec<&[u8]> = values.collect();
        string(out, &String::from_utf8_lossy(&values.join(&b", "[..])));
    }
    out.push(b'}');
}

/// Appends the member that holds a body: `body` if it is text, `body_base64` if it is not.
pub fn body(out: &mut Vec<u8>, body: &[u8]) {
    match std::str::from_utf8(body) {
        Ok(text) => {
            out.extend_from_slice(b"\"body\":");
            string(out, text);
        }
        Err(_) => {
            out.extend_from_slice(b"\"body_base64\":\"");
            out.extend_from_slice(STANDARD.encode(body).as_bytes());
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_once_and_a_body_is_text_or_base64() {
        let head = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-b: \"\r\nx-a: 2\r\n\r\n";
        let mut out = Vec::new();
        headers(&mut out, head);
        assert_eq!(out, br#"{"x-a":"1, 2","x-b":"\""}"#);
        for (bytes, want) in [
            (&b""[..], r#""body":"""#),
            (b"a\n\xc3\xa9", "\"body\":\"a\\n\u{e9}\""),
            (b"\xff\xfe", r#""body_base64":"//4=""#),
        ] {
            out.clear();
            body(&mut out, bytes);
            assert_eq!(String::from_utf8_lossy(&out), want);
        }
        out.clear();
        headers(&mut out, b"no head");
        assert_eq!(out, b"{}");
    }
}
