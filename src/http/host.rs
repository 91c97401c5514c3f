//! Host names as DNS can carry them (RFC 1035 section 2.3.4), for whoever takes or asks one.
//! It resolves nothing, and an address is no name.

/// Bytes of a name, its last dot not counted.
const NAME_BYTES_MAX: usize = 253;
/// Bytes between two dots.
const LABEL_BYTES_MAX: usize = 63;

/// Whether `text` is a name that can be asked for: labels of letters, digits, hyphens and
/// underscores, none empty or longer than 63 bytes, 253 in all. A dot at the end makes it absolute.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let rows = [
            ("hook.test", true),
            ("hook.test.", true),
            ("a", true),
            ("_service.xn--bcher-kva.example", true),
            (&label, true),
            (&longest, true),
            (&format!("{longest}."), true),
            (&format!("{longest}a"), false),
            (&format!("{label}a.test"), false),
            ("", false),
            (".", false),
            ("a..b", false),
            (".a", false),
            ("a..", false),
            ("a b", false),
            ("a\\.b", false),
            ("bücher.example", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }
}
