//! Finds the `<link>`s in the head of an HTML page. Only there: in the body a visitor may have
//! written them (WebSub section 8.1). It builds no tree.

use url::Url;

use super::Found;

/// Elements that leave the parser in the head.
const OF_HEAD: [&str; 8] = [
    "html", "head", "meta", "link", "base", "basefont", "bgsound", "command",
];
/// Elements whose content is no markup of this page.
const OPAQUE: [&str; 5] = ["script", "style", "title", "noscript", "template"];

/// Reads up to the end of the head, or of the text.
pub(super) fn read(text: &str, base: &Url, found: &mut Found) {
    let mut base = base.clone();
    let mut based = false;
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        if !before.trim_ascii().is_empty() {
            return;
        }
        let after = after.get(1..).unwrap_or_default();
        rest = if let Some(comment) = after.strip_prefix("!--") {
            behind(comment, "-->")
        } else if after.starts_with(['!', '?']) {
            behind(after, ">")
        } else if let Some(end) = after.strip_prefix('/') {
            if is_end_of_head(name(end)) {
                return;
            }
            behind(end, ">")
        } else {
            let tag = name(after).to_ascii_lowercase();
            let mut attributes = Attributes {
                rest: after.get(tag.len()..).unwrap_or_default(),
            };
            match &*tag {
                "link" => link(&mut attributes, &base, found),
                "base" if !based => based = set_base(&mut attributes, &mut base),
                _ => {}
            }
            attributes.by_ref().for_each(drop);
            let content = attributes.rest.strip_prefix('>').unwrap_or_default();
            if OPAQUE.contains(&&*tag) {
                behind_end(content, &tag)
            } else if OF_HEAD.contains(&&*tag) {
                content
            } else {
                return;
            }
        };
    }
}

fn is_end_of_head(name: &str) -> bool {
    ["head", "html", "body", "br"]
        .iter()
        .any(|end| end.eq_ignore_ascii_case(name))
}

fn link(attributes: &mut Attributes<'_>, base: &Url, found: &mut Found) {
    let (mut rel, mut href) = (None, None);
    for (name, value) in attributes.by_ref() {
        // Of two attributes of one name the first counts.
        if name.eq_ignore_ascii_case("rel") {
            rel.get_or_insert(value);
        } else if name.eq_ignore_ascii_case("href") {
            href.get_or_insert(value);
        }
    }
    // A tag that the end of the text cuts is none: its address may be halved.
    let is_whole = attributes.rest.starts_with('>');
    if let (Some(rel), Some(href), true) = (rel, href, is_whole) {
        found.note(&unescaped(rel), &unescaped(href), base);
    }
}

/// Whether it has an address, so that no other `<base>` counts.
fn set_base(attributes: &mut Attributes<'_>, base: &mut Url) -> bool {
    let href = attributes.find(|(name, _)| name.eq_ignore_ascii_case("href"));
    if let Some(url) = href.and_then(|(_, href)| base.join(&unescaped(href)).ok()) {
        *base = url;
    }
    href.is_some()
}

/// With XML's entities resolved, which are those that URLs need; text with others, or with a bare
/// `&`, stays as it is.
fn unescaped(text: &str) -> String {
    quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), String::from)
}

/// The name that a tag begins with.
fn name(text: &str) -> &str {
    let end = text.find(|it: char| it.is_ascii_whitespace() || matches!(it, '>' | '/'));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

fn behind<'t>(text: &'t str, end: &str) -> &'t str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// What follows the end tag of an opaque element.
fn behind_end<'t>(text: &'t str, tag: &str) -> &'t str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        if name(after).eq_ignore_ascii_case(tag) {
            return behind(after, ">");
        }
        rest = after;
    }
    ""
}

/// The attributes of one start tag; when they are through, `rest` begins with its `>`.
struct Attributes<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Attributes<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let skipped = |it: char| it.is_ascii_whitespace() || it == '/';
        let text = self.rest.trim_start_matches(skipped);
        if text.is_empty() || text.starts_with('>') {
            self.rest = text;
            return None;
        }
        let ends = |it: char| skipped(it) || matches!(it, '>' | '=');
        // A `=` in the first place is part of the name.
        let first = text.chars().next().map_or(0, char::len_utf8);
        let end = text
            .get(first..)?
            .find(ends)
            .map_or(text.len(), |at| first + at);
        let (name, after) = text.split_at(end);
        let Some(value) = after
            .trim_ascii_start()
            .strip_prefix('=')
            .map(str::trim_ascii_start)
        else {
            self.rest = after;
            return Some((name, ""));
        };
        let (value, rest) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..)?;
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            _ => {
                let end = value.find(|it: char| it.is_ascii_whitespace() || it == '>');
                value.split_at(end.unwrap_or(value.len()))
            }
        };
        self.rest = rest;
        Some((name, value))
    }
}
