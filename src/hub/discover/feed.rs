//! Finds the links of an Atom or RSS feed about itself: those of the feed or channel, not those of
//! its entries. It expands no entity but XML's own five.

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};
use url::Url;

use super::Found;

const ATOM: [&str; 2] = ["http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"];

/// Reads until the text ends or is no XML any more.
pub(super) fn read(text: &str, base: &Url, found: &mut Found) {
    let mut reader = NsReader::from_str(text);
    // The base of each element that is open around what comes next, of the feed's two levels.
    let mut bases: Vec<Url> = vec![base.clone()];
    let mut depth = 0usize;
    let mut in_channel = false;
    loop {
        let (start, is_empty, is_atom) = match reader.read_resolved_event() {
            Ok((namespace, Event::Start(start))) => (start, false, is_atom(&namespace)),
            Ok((namespace, Event::Empty(start))) => (start, true, is_atom(&namespace)),
            Ok((_, Event::End(_))) => {
                depth = depth.saturating_sub(1);
                bases.truncate(depth + 1);
                in_channel &= depth >= 2;
                continue;
            }
            Ok((_, Event::Eof)) | Err(_) => return,
            Ok(_) => continue,
        };
        let about_feed = depth == 1 || depth == 2 && in_channel;
        if depth <= 2 {
            let outer = bases.last().unwrap_or(base);
            let own = match attribute(&start, "xml:base") {
                Some(relative) => outer.join(&relative).unwrap_or_else(|_| outer.clone()),
                None => outer.clone(),
            };
            let local = start.local_name();
            if about_feed && is_atom && local.as_ref() == "link" {
                link(&start, &own, found);
            }
            in_channel |= depth == 1 && !is_empty && local.as_ref() == "channel";
            if !is_empty {
                bases.push(own);
            }
        }
        depth += usize::from(!is_empty);
    }
}

fn is_atom(namespace: &ResolveResult<'_>) -> bool {
    matches!(namespace, ResolveResult::Bound(Namespace(uri)) if ATOM.contains(uri))
}

fn link(start: &BytesStart<'_>, base: &Url, found: &mut Found) {
    if let (Some(rel), Some(href)) = (attribute(start, "rel"), attribute(start, "href")) {
        found.note(&rel, &href, base);
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    let text = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(text.into_owned())
}
