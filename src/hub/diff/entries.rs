//! The entries of a well-formed Atom or RSS 2.0 feed: where they are, who they are, what they say.
//! Whoever is not sure gets nothing from it.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use ring::digest;

use super::ENTRIES_MAX;

const ATOM: &str = "http://www.w3.org/2005/Atom";
/// Elements in each other at most.
const DEPTH_MAX: usize = 256;

/// Half of a SHA-256.
pub(super) type Digest = [u8; 16];

/// An entry of a feed.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its bytes, from `<` to `>`.
    pub(super) range: Range<usize>,
    /// Of its id's text.
    pub(super) id: Digest,
    /// Of its bytes, and of the tags around it, which may change what they mean.
    pub(super) content: Digest,
}

/// The entries in their order. `None` if there is any doubt.
pub(super) fn read(body: &[u8]) -> Option<Vec<Entry>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut scan = Scan {
        text,
        stage: Stage::Before,
        depth: 0,
        around: digest::Context::new(&digest::SHA256),
        open: None,
        entries: Vec::new(),
    };
    loop {
        let from = usize::try_from(reader.buffer_position()).ok()?;
        let (namespace, event) = reader.read_resolved_event().ok()?;
        let space = Space::of(&namespace);
        let to = usize::try_from(reader.buffer_position()).ok()?;
        match event {
            Event::Start(start) => scan.start(&start, space, from..to)?,
            // An empty entry has no id, and an empty id is none.
            Event::Empty(start) => {
                scan.start(&start, space, from..to)?;
                scan.end(to)?;
            }
            Event::End(_) => scan.end(to)?,
            Event::Text(text) => scan.text(&text.into_inner(), true)?,
            Event::CData(text) => scan.text(&text.into_inner(), false)?,
            Event::GeneralRef(reference) => {
                let known =
                    ["amp", "lt", "gt", "quot", "apos"].contains(&&*reference.xml10_content());
                if !known {
                    reference.resolve_char_ref().ok()??;
                }
                scan.text(&reference.into_inner(), false)?;
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::DocType(_) => return None,
            Event::Eof => return scan.done(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    None,
    Atom,
    Other,
    /// Of a prefix that nothing declares.
    Undeclared,
}

impl Space {
    fn of(namespace: &ResolveResult<'_>) -> Space {
        match namespace {
            ResolveResult::Unbound => Space::None,
            ResolveResult::Bound(Namespace(uri)) if *uri == ATOM => Space::Atom,
            ResolveResult::Bound(_) => Space::Other,
            ResolveResult::Unknown(_) => Space::Undeclared,
        }
    }
}

/// How far the feed's own elements have been seen.
///
/// ```text
/// Before ─► Rss ─► Channel ─┐
///    └───────────► Feed ────┴─► After
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    /// In `<rss>`, outside its channel.
    Rss,
    Channel,
    Feed,
    /// The channel has ended, or the root.
    After,
}

/// An entry that has not ended.
struct Open {
    start: usize,
    /// The text of its id so far.
    id: Option<String>,
    in_id: bool,
}

struct Scan<'t> {
    text: &'t str,
    stage: Stage,
    /// Elements that are open.
    depth: usize,
    /// The tags of the feed's own elements.
    around: digest::Context,
    open: Option<Open>,
    entries: Vec<Entry>,
}

impl Scan<'_> {
    /// Elements that are open where entries stand.
    fn level(&self) -> usize {
        if self.stage == Stage::Feed { 1 } else { 2 }
    }

    fn start(&mut self, start: &BytesStart<'_>, space: Space, range: Range<usize>) -> Option<()> {
        let sound =
            |value: &str| !value.contains('<') && quick_xml::escape::unescape(value).is_ok();
        if !start
            .attributes()
            .all(|it| it.is_ok_and(|it| sound(&it.value)))
        {
            return None;
        }
        if space == Space::Undeclared {
            return None;
        }
        let (tag, bytes) = (start.local_name(), self.text.get(range.clone())?);
        let (tag, level) = (tag.as_ref(), self.level());
        let next = match (self.stage, self.depth, tag, space) {
            (Stage::Before, 0, "feed", Space::Atom) => Some(Stage::Feed),
            (Stage::Before, 0, "rss", Space::None) => Some(Stage::Rss),
            (Stage::Rss, 1, "channel", Space::None) => Some(Stage::Channel),
            (Stage::After, 1, "channel", _) | (_, 0, ..) => return None,
            _ => None,
        };
        if let Some(stage) = next {
            self.stage = stage;
            self.around.update(bytes.as_bytes());
        } else if let Some(open) = &mut self.open {
            let is_id = self.depth == level + 1 && is_id(self.stage, tag, space);
            // Markup in an id, or another id.
            if open.in_id || is_id && open.id.is_some() {
                return None;
            }
            if is_id {
                open.in_id = true;
                open.id = Some(String::new());
            }
        } else if self.depth == level && is_entry(self.stage, tag, space) {
            self.open = Some(Open {
                start: range.start,
                id: None,
                in_id: false,
            });
        }
        self.depth += 1;
        (self.depth <= DEPTH_MAX).then_some(())
    }

    fn end(&mut self, to: usize) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        let level = self.level();
        if let Some(open) = &mut self.open {
            open.in_id &= self.depth > level + 1;
            if self.depth == level {
                self.close(to)?;
            }
        } else if self.depth < level {
            self.stage = Stage::After;
        }
        Some(())
    }

    /// The entry ends.
    fn close(&mut self, to: usize) -> Option<()> {
        let open = self.open.take()?;
        let id = open.id?;
        let range = open.start..to;
        let bytes = self.text.get(range.clone())?;
        let id = id.trim();
        let whole = bytes.starts_with('<') && bytes.ends_with('>');
        if id.is_empty() || !whole || self.entries.len() >= ENTRIES_MAX {
            return None;
        }
        let mut content = self.around.clone();
        content.update(bytes.as_bytes());
        self.entries.push(Entry {
            range,
            id: half(digest::digest(&digest::SHA256, id.as_bytes()))?,
            content: half(content.finish())?,
        });
        Some(())
    }

    fn text(&mut self, text: &str, is_plain: bool) -> Option<()> {
        if self.depth == 0 && !(is_plain && text.trim_ascii().is_empty()) {
            return None;
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.in_id) {
            open.id.as_mut()?.push_str(text);
        }
        Some(())
    }

    fn done(self) -> Option<Vec<Entry>> {
        (self.depth == 0 && self.stage == Stage::After).then_some(self.entries)
    }
}

fn is_entry(stage: Stage, tag: &str, space: Space) -> bool {
    matches!(
        (stage, tag, space),
        (Stage::Feed, "entry", Space::Atom) | (Stage::Channel, "item", Space::None)
    )
}

fn is_id(stage: Stage, tag: &str, space: Space) -> bool {
    matches!(
        (stage, tag, space),
        (Stage::Feed, "id", Space::Atom) | (Stage::Channel, "guid", Space::None)
    )
}

fn half(digest: digest::Digest) -> Option<Digest> {
    digest.as_ref().first_chunk().copied()
}
