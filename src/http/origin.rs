//! Origins (RFC 6454): whose pages' scripts may read what is sent to a browser, and may send.
//! It decides by names alone; whoever is let in still has to have a right to what it asks for.

use std::sync::Arc;

/// The origins that may.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// `*`, where all may.
    all: Option<Arc<str>>,
    list: Vec<Arc<str>>,
}

/// What a configured origin looks like, for people.
pub const ORIGIN_FORM: &str = "an origin as browsers send it (https://app.example, \
                               http://localhost:3000), or *";

impl Origins {
    /// Adds one as it is configured: as browsers write it, or `*` for all. False if no browser can
    /// ever send it.
    pub fn add(&mut self, text: &str) -> bool {
        if text == "*" {
            self.all = Some(text.into());
            return true;
        }
        let is_origin = is_origin(text);
        if is_origin {
            self.list.push(text.into());
        }
        is_origin
    }

    /// Whether that one is among them by its own name.
    #[must_use]
    pub fn lists(&self, origin: &[u8]) -> bool {
        self.list.iter().any(|it| it.as_bytes() == origin)
    }

    /// Whether all are among them.
    #[must_use]
    pub fn are_all(&self) -> bool {
        self.all.is_some()
    }

    /// What a request with that Origin field is told: the origin itself, `*` where all may, or
    /// nothing.
    #[must_use]
    pub fn allowed(&self, origin: Option<&[u8]>) -> Option<Arc<str>> {
        let origin = origin?;
        let listed = self.list.iter().find(|it| it.as_bytes() == origin);
        listed.or(self.all.as_ref()).map(Arc::clone)
    }
}

/// Whether a browser could send it: scheme and authority in lower case, nothing after, and no port
/// that goes without saying.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "/",
    };
    scheme.starts_with(|it: char| it.is_ascii_lowercase())
        && scheme.bytes().all(|it| plain(it) || b"+-.".contains(&it))
        && !authority.is_empty()
        && authority
            .bytes()
            .all(|it| plain(it) || b"-._:[]".contains(&it))
        && !authority.ends_with(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_can_be_configured() {
        for yes in [
            "https://app.example",
            "http://localhost:3000",
            "http://[::1]:80800",
            "chrome-extension://abcdef",
            "*",
        ] {
            assert!(Origins::default().add(yes), "{yes}");
        }
        for no in [
            "",
            "null",
            "app.example",
            "https://",
            "https://app.example/",
            "https://App.example",
            "HTTPS://app.example",
            "https://app.example:443",
            "http://a:80",
            "https://*.example",
            "https://a\r\nb: c",
        ] {
            assert!(!Origins::default().add(no), "{no}");
        }
    }

    #[test]
    fn an_origin_is_echoed_if_it_is_listed_byte_for_byte() {
        let mut origins = Origins::default();
        assert_eq!(origins.allowed(Some(b"https://a")), None);
        origins.add("https://a");
        let rows: [(Option<&[u8]>, _, _); 5] = [
            (Some(b"https://a"), Some("https://a"), Some("https://a")),
            (Some(b"https://A"), None, Some("*")),
            (Some(b"https://a.b"), None, Some("*")),
            (Some(b"null"), None, Some("*")),
            (None, None, None),
        ];
        for (origin, listed, _) in rows {
            assert_eq!(origin.is_some_and(|it| origins.lists(it)), listed.is_some());
            assert!(!origins.are_all());
            assert_eq!(origins.allowed(origin).as_deref(), listed, "{origin:?}");
        }
        origins.add("*");
        assert!(origins.are_all() && !origins.lists(b"https://b"));
        for (origin, _, all) in rows {
            assert_eq!(origins.allowed(origin).as_deref(), all, "{origin:?}");
        }
    }
}
