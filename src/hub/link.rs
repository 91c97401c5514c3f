//! The one Link field that goes out with everything a subscriber gets (hub.md C19).
//! It does not choose the URLs in it.

/// Where a hub of that public URL is asked and pinged.
#[must_use]
pub fn hub_url(public_url: &str) -> String {
    format!("{public_url}/hub")
}

/// The canonical URL of a topic that is a plain name (hub.md C37).
#[must_use]
pub fn plain_url(public_url: &str, name: &str) -> String {
    format!("{public_url}/topics/{name}")
}

/// `<hub>; rel="hub", <own>; rel="self"` for each of the hubs and the topic's own URL
/// (WebSub section 7).
#[must_use]
pub fn value<'u>(hubs: impl IntoIterator<Item = &'u str>, own: &str) -> String {
    let mut out = String::new();
    for hub in hubs {
        link_into(hub, "hub", &mut out);
        out.push_str(", ");
    }
    link_into(own, "self", &mut out);
    out
}

fn link_into(url: &str, rel: &str, out: &mut String) {
    out.push('<');
    for byte in url.bytes() {
        // Whatever could end the URL, the field or the line, and what RFC 3986 has no place for.
        if byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
            let digits = [digit(byte >> 4), digit(byte & 15)].map(|it| it.to_ascii_uppercase());
            out.push('%');
            out.extend(digits);
        }
    }
    out.push_str(">; rel=\"");
    out.push_str(rel);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checklist rows 53 to 55.
    #[test]
    fn rows_53_to_55_one_field_names_hubs_and_self() {
        let one = value(["https://hub.test/hub"], "http://p.test/?a,b;c");
        let want = "<https://hub.test/hub>; rel=\"hub\", <http://p.test/?a,b;c>; rel=\"self\"";
        assert_eq!(one, want);
        let two = value(["http://a/", "http://b/"], "http://c/");
        let want = "<http://a/>; rel=\"hub\", <http://b/>; rel=\"hub\", <http://c/>; rel=\"self\"";
        assert_eq!(two, want);
    }

    #[test]
    fn c19_nothing_in_a_url_ends_it() {
        let value = value(["http://h/%41"], "http://p/>\"a b\r\n\0\x7f<\\é");
        let own = "<http://p/%3E%22a%20b%0D%0A%00%7F%3C%5C%C3%A9>; rel=\"self\"";
        assert_eq!(value, format!("<http://h/%41>; rel=\"hub\", {own}"));
    }

    #[test]
    fn c37_a_plain_name_has_a_url() {
        assert_eq!(
            plain_url("https://h.test", "a.b$"),
            "https://h.test/topics/a.b$"
        );
        assert_eq!(hub_url("https://h.test"), "https://h.test/hub");
    }
}
