//! Writes a text as a JSON string (RFC 8259 section 7); what reads it stands in `scan`.
//! It never builds a tree, and it never writes anything but strings.

pub mod answer;
pub mod cut;
pub mod instant;
pub mod scan;

/// Appends `text` in quotes, escaped where JSON demands it and nowhere else.
pub fn string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            break;
        };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_must_be_and_nothing_else() {
        let table = [
            ("", r#""""#),
            ("plain ✓ /", r#""plain ✓ /""#),
            ("say \"hi\" \\ there", r#""say \"hi\" \\ there""#),
            ("a\r\n\tb", r#""a\r\n\tb""#),
            ("\0\u{1f}\u{7f}", "\"\\u0000\\u001f\u{7f}\""),
            ("\"", r#""\"""#),
        ];
        for (text, json) in table {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), json, "{text:?}");
        }
    }
}
