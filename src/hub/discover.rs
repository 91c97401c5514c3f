//! What a topic says of itself: its canonical URL and its hubs (WebSub section 4, hub.md C19).
//! It looks at the start of a body and no further, and asks for nothing.

use url::Url;

use crate::http::media;
use crate::http::target::URL_BYTES_MAX;
use crate::http::{field, request, response};
use crate::hub::name::TopicName;

mod feed;
mod html;
mod link_header;

/// Bytes of a body that are looked at.
pub const LOOKED_BYTES_MAX: usize = 64 << 10;
/// Hubs of one topic at most; more are passed over.
pub const HUBS_MAX: usize = 8;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first `rel=self`.
    pub own: Option<Box<str>>,
    /// Each `rel=hub`, in order.
    pub hubs: Vec<Box<str>>,
}

/// Looks for `rel=self` and `rel=hub` in the Link fields of the answer `head` that came from
/// `url`, and in the start of its `body` for what is not there.
#[must_use]
pub fn discover(head: &[u8], body: &[u8], url: &str) -> Found {
    let Ok(base) = Url::parse(url) else {
        return Found::default();
    };
    let mut found = Found::default();
    let mut slots = request::slots();
    let head = response::parse(head, &mut slots, false).ok();
    let headers = head.map(|head| head.headers).unwrap_or_default();
    for value in field::all(headers, "link") {
        link_header::read(value, &base, &mut found);
    }
    if found.own.is_some() && !found.hubs.is_empty() {
        return found;
    }
    let content_type = field::find(headers, "content-type").unwrap_or_default();
    let within = embedded(&String::from_utf8_lossy(content_type), body, &base);
    if found.hubs.is_empty() {
        found.hubs = within.hubs;
    }
    found.own = found.own.or(within.own);
    found
}

/// What stands in the body.
fn embedded(content_type: &str, body: &[u8], base: &Url) -> Found {
    let mut found = Found::default();
    let start = body.get(..LOOKED_BYTES_MAX).unwrap_or(body);
    // Bytes that are no text are in nobody's URL; where the start was cut, one may be halved.
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    match kind(content_type, text) {
        Some(Kind::Feed) => feed::read(text, base, &mut found),
        Some(Kind::Html) => html::read(text, base, &mut found),
        None => {}
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Feed,
    Html,
}

/// What a body is. Its first tag is believed before its type: many feeds are served as something
/// else.
fn kind(content_type: &str, text: &str) -> Option<Kind> {
    let begins = |tag: &str| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    if ["<!doctype html", "<html", "<head"].into_iter().any(begins) {
        return Some(Kind::Html);
    }
    if ["<rss", "<feed", "<rdf:", "<atom:"].into_iter().any(begins) {
        return Some(Kind::Feed);
    }
    let essence = media::essence(content_type).to_ascii_lowercase();
    match &*essence {
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "text/xml" | "application/xml" => Some(Kind::Feed),
        other if other.ends_with("+xml") => Some(Kind::Feed),
        _ => begins("<?xml").then_some(Kind::Feed),
    }
}

impl Found {
    /// Takes in one link: `rels` is a list of words, `href` is seen from `base`.
    fn note(&mut self, rels: &str, href: &str, base: &Url) {
        let is = |wanted: &str| {
            rels.split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case(wanted))
        };
        let (own, hub) = (is("self") && self.own.is_none(), is("hub"));
        if !(own || hub && self.hubs.len() < HUBS_MAX) {
            return;
        }
        let Some(url) = resolved(href.trim_ascii(), base) else {
            return;
        };
        if hub && self.hubs.len() < HUBS_MAX && !self.hubs.contains(&url) {
            self.hubs.push(url.clone());
        }
        if own {
            self.own = Some(url);
        }
    }
}

/// An absolute http or https URL without a fragment. One that is whole already keeps its bytes.
fn resolved(href: &str, base: &Url) -> Option<Box<str>> {
    if href.is_empty() || href.len() > URL_BYTES_MAX {
        return None;
    }
    let whole = TopicName::parse("", href.as_bytes())
        .ok()
        .filter(TopicName::is_url);
    if whole.is_some() {
        return Some(href.into());
    }
    let mut url = base.join(href).ok()?;
    url.set_fragment(None);
    let known = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= URL_BYTES_MAX;
    known.then(|| String::from(url).into())
}

#[cfg(test)]
mod tests;
