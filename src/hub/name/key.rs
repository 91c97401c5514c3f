//! What makes two spellings of a URL one topic (hub.md C5): a comparison, never what goes out.
//! It refuses nothing; what is no URL is its own key.

use std::borrow::Cow;

/// The key of a topic's name. Of a URL: the escapes of unreserved characters decoded, scheme and
/// host in lower case, without the scheme's default port, an empty path as `/`. Borrowed where
/// nothing of that changes a byte.
#[must_use]
pub fn key(name: &[u8]) -> Cow<'_, [u8]> {
    let Some((scheme_len, port)) = scheme(name) else {
        return Cow::Borrowed(name);
    };
    let text = decoded(name);
    let (front, after) = text.split_at_checked(scheme_len).unwrap_or((&text, &[]));
    let end = memchr::memchr3(b'/', b'?', b'#', after).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end).unwrap_or((after, &[]));
    let host = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
    let (userinfo, host) = authority.split_at_checked(host).unwrap_or((authority, &[]));
    let host = without_port(host, port);
    let mut key = Vec::with_capacity(text.len() + 1);
    key.extend(front.to_ascii_lowercase());
    key.extend_from_slice(userinfo);
    key.extend(host.to_ascii_lowercase());
    if !rest.starts_with(b"/") {
        key.push(b'/');
    }
    key.extend_from_slice(rest);
    match key == name {
        true => Cow::Borrowed(name),
        false => Cow::Owned(key),
    }
}

/// The bytes of `http://` or `https://`, and the port that goes without saying.
fn scheme(name: &[u8]) -> Option<(usize, u32)> {
    let known: [(&[u8], u32); 2] = [(b"http://", 80), (b"https://", 443)];
    let is = |(text, _): &(&[u8], u32)| {
        name.get(..text.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    known
        .into_iter()
        .find(is)
        .map(|(text, port)| (text.len(), port))
}

fn without_port(host: &[u8], usual: u32) -> &[u8] {
    let Some(colon) = memchr::memrchr(b':', host) else {
        return host;
    };
    let (name, port) = (host.get(..colon), host.get(colon + 1..));
    let digits = port.unwrap_or_default();
    let number = std::str::from_utf8(digits)
        .ok()
        .filter(|_| digits.iter().all(u8::is_ascii_digit));
    let is_usual = digits.is_empty() || number.and_then(|it| it.parse().ok()) == Some(usual);
    name.filter(|_| is_usual).unwrap_or(host)
}

/// With the escapes of unreserved characters decoded. A text with a broken escape stays as it is:
/// decoding what stands behind one could make another of it.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut rest = text;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        let (before, after) = rest.split_at_checked(percent).unwrap_or((rest, &[]));
        let Some((byte, next)) = escape(after) else {
            return Cow::Borrowed(text);
        };
        if let Some(out) = &mut out {
            out.extend_from_slice(before);
        }
        if is_unreserved(byte) {
            let done = text.len() - rest.len() + before.len();
            let out = out.get_or_insert_with(|| text.get(..done).unwrap_or_default().to_vec());
            out.push(byte);
        } else if let Some(out) = &mut out {
            out.extend_from_slice(after.get(..3).unwrap_or_default());
        }
        rest = next;
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.extend_from_slice(rest);
            Cow::Owned(out)
        }
    }
}

/// The byte of the escape that `text` begins with, and what follows it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(*high)? << 4 | digit(*low)?;
    Some((u8::try_from(byte).ok()?, rest))
}

/// RFC 3986 section 2.3.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// hub.md C5 and checklist row 15.
    #[test]
    fn row_15_and_c5_spellings_of_one_topic_have_one_key() {
        let rows = [
            ("orders", "orders"),
            ("Orders%41", "Orders%41"),
            ("ftp://H/%41", "ftp://H/%41"),
            ("http://example.com/", "http://example.com/"),
            ("HTTP://Example.COM", "http://example.com/"),
            ("http://example.com:80/a", "http://example.com/a"),
            ("http://example.com:/a", "http://example.com/a"),
            ("http://example.com:0080/a", "http://example.com/a"),
            ("http://example.com:443/a", "http://example.com:443/a"),
            ("https://example.com:443?a", "https://example.com/?a"),
            ("https://example.com:80", "https://example.com:80/"),
            ("http://Me:Pw@Example.com/", "http://Me:Pw@example.com/"),
            ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
            ("http://[2001:DB8::80]", "http://[2001:db8::80]/"),
            ("http://h/%41%2d%2E%5f%7E%7a", "http://h/A-._~z"),
            (
                "http://h/%2F%2f%3a%C3%A9?%26",
                "http://h/%2F%2f%3a%C3%A9?%26",
            ),
            ("http://h/%2541", "http://h/%2541"),
            ("http://h/%%34%31", "http://h/%%34%31"),
            ("http://h/a%2Fb%41c", "http://h/a%2FbAc"),
            ("http://h/Path?Q", "http://h/Path?Q"),
            ("http://h/a/../b", "http://h/a/../b"),
            ("http://%45xample.com/", "http://example.com/"),
        ];
        for (name, want) in rows {
            let got = key(name.as_bytes());
            assert_eq!(String::from_utf8_lossy(&got), want, "{name}");
            assert_eq!(key(&got), got, "{name}");
            assert_eq!(matches!(got, Cow::Borrowed(_)), name == want, "{name}");
        }
    }
}
