//! Views: selections of more than one topic, by names, by beginnings of names, by filters.
//! What is listed and how it is found; it never pushes a message itself.

use super::Topics;
use super::backlog::topic_bytes;
use super::channel::{Channel, Kind};
use super::filter::Filter;
use super::wish::Selection;
use crate::base::index::Index;
use crate::base::slab::{Key, Slab};
use crate::model::{Message, MessageId};

/// What topics begin with that are published to by the server alone.
pub(super) const OWN: &[u8] = b"$hookah/";

/// A view that a topic or a prefix lists, and by which of its sources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) view: Key,
    number: usize,
}

/// A selection that is more than one topic.
#[derive(Debug)]
pub(super) struct View {
    sources: Vec<Source>,
    pub(super) filter: Option<Key>,
    /// The selection's own name, under which others find the view.
    shared: Option<Box<[u8]>>,
    /// Messages and bytes that its one reader was given to begin with, beside the usual bounds.
    pub(super) given: (u64, u64),
    /// What it costs on the account.
    cost: usize,
}

/// One of the things that a view lists, and its place in the list there.
#[derive(Clone, Copy, Debug)]
struct Source {
    of: Of,
    place: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Topic(Key),
    Prefix(Key),
}

/// What a view costs on the account besides its sources and its filter.
const VIEW_BYTES: usize = size_of::<Channel>() + size_of::<View>() + 64;
/// What each of its sources costs, with its part of the view's own name.
const SOURCE_BYTES: usize = 2 * (size_of::<Source>() + size_of::<Listing>()) + 2 * MARK_BYTES;
/// A source in the view's own name: what it is, and its key.
const MARK_BYTES: usize = 1 + size_of::<u64>();
/// Bytes of names that people are shown of one view: with 64 topics of 1,024 bytes each, the
/// farewells of many streams would weigh more than all that they read.
const NAMES_BYTES_MAX: usize = 1_024;

/// The beginning of names that some views list.
#[derive(Debug)]
struct Prefix {
    bytes: Box<[u8]>,
    listed: Vec<Listing>,
}

/// A filter that some views have, with what it said of the message at hand.
#[derive(Debug)]
struct Known {
    filter: Filter,
    views: usize,
    judged: Option<(MessageId, bool)>,
}

/// How views are found.
#[derive(Debug)]
pub(super) struct Views {
    shared: Index<Box<[u8]>, Key>,
    prefixes: Slab<Prefix>,
    by_prefix: Index<Box<[u8]>, Key>,
    /// Lengths of prefixes, in order, with the number of those.
    lengths: Vec<(usize, usize)>,
    filters: Slab<Known>,
    by_filter: Index<Filter, Key>,
}

impl Views {
    pub(super) fn new(seed: u64) -> Views {
        Views {
            shared: Index::new(seed),
            prefixes: Slab::with_bound(u32::MAX as usize - 1),
            by_prefix: Index::new(seed.rotate_left(16)),
            lengths: Vec::new(),
            filters: Slab::with_bound(u32::MAX as usize - 1),
            by_filter: Index::new(seed.rotate_left(32)),
        }
    }

    /// Appends the views that list a prefix of that name. Who reads everything does not read what
    /// we tell of ourselves.
    pub(super) fn find(&self, name: &[u8], found: &mut Vec<Key>) {
        for (length, _) in &self.lengths {
            if *length == 0 && name.starts_with(OWN) {
                continue;
            }
            let prefix = name.get(..*length).and_then(|it| self.by_prefix.get(it));
            match prefix.and_then(|key| self.prefixes.get(*key)) {
                Some(prefix) => found.extend(prefix.listed.iter().map(|it| it.view)),
                None if *length > name.len() => return,
                None => {}
            }
        }
    }

    /// Whether a filter lets the message through; it is asked once for each message.
    pub(super) fn lets_through(&mut self, filter: Key, message: &Message) -> bool {
        let Some(known) = self.filters.get_mut(filter) else {
            return false;
        };
        match known.judged {
            Some((id, verdict)) if id == message.id => verdict,
            _ => {
                let verdict = known.filter.lets_through(message);
                known.judged = Some((message.id, verdict));
                verdict
            }
        }
    }

    fn take_filter(&mut self, filter: &Filter) -> Option<Key> {
        let key = match self.by_filter.get(filter) {
            Some(key) => *key,
            None => {
                let known = Known {
                    filter: filter.clone(),
                    views: 0,
                    judged: None,
                };
                let key = self.filters.insert(known).ok()?;
                self.by_filter.insert(filter.clone(), key);
                key
            }
        };
        self.filters.get_mut(key)?.views += 1;
        Some(key)
    }

    fn give_filter(&mut self, key: Key) {
        let Some(known) = self.filters.get_mut(key) else {
            return;
        };
        known.views -= 1;
        if known.views == 0
            && let Some(known) = self.filters.remove(key)
        {
            self.by_filter.remove(&known.filter);
        }
    }

    fn prefix(&mut self, bytes: &[u8]) -> Option<Key> {
        if let Some(key) = self.by_prefix.get(bytes) {
            return Some(*key);
        }
        let prefix = Prefix {
            bytes: bytes.into(),
            listed: Vec::new(),
        };
        let key = self.prefixes.insert(prefix).ok()?;
        self.by_prefix.insert(bytes.into(), key);
        let place = self.lengths.partition_point(|(it, _)| *it < bytes.len());
        match self.lengths.get_mut(place) {
            Some((length, count)) if *length == bytes.len() => *count += 1,
            _ => self.lengths.insert(place, (bytes.len(), 1)),
        }
        Some(key)
    }

    fn desert_prefix(&mut self, key: Key) {
        if self
            .prefixes
            .get(key)
            .is_none_or(|it| !it.listed.is_empty())
        {
            return;
        }
        let Some(prefix) = self.prefixes.remove(key) else {
            return;
        };
        self.by_prefix.remove(&*prefix.bytes);
        let length = prefix.bytes.len();
        let place = self.lengths.partition_point(|(it, _)| *it < length);
        if let Some((_, count)) = self.lengths.get_mut(place) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(place);
            }
        }
    }
}

impl Topics {
    /// The view that all streams with this selection share while they read it live.
    pub(super) fn shared_view(&mut self, selection: &Selection) -> Option<Key> {
        let name = self.known_name(selection);
        if let Some(key) = name.and_then(|name| self.views.shared.get(&*name)) {
            return Some(*key);
        }
        let key = self.view(selection)?;
        let view = self.view_mut(key)?;
        let name = name_of(view.sources.iter().map(|source| source.of), view.filter);
        view.shared = Some(name.clone());
        self.views.shared.insert(name, key);
        Some(key)
    }

    /// The name of the view of that selection, if there can be one: if a topic, a prefix or the
    /// filter is not here, no view has it.
    fn known_name(&self, selection: &Selection) -> Option<Box<[u8]>> {
        let mut sources = Vec::with_capacity(selection.topics.len() + selection.prefixes.len());
        for name in &selection.topics {
            sources.push(Of::Topic(*self.by_name.get(&**name)?));
        }
        for bytes in &selection.prefixes {
            sources.push(Of::Prefix(*self.views.by_prefix.get(&**bytes)?));
        }
        let filter = match &selection.filter {
            Some(filter) => Some(*self.views.by_filter.get(filter)?),
            None => None,
        };
        Some(name_of(sources.into_iter(), filter))
    }

    /// Whether what a selection needs for itself, besides messages, fits what views and the topics
    /// that are read take already. One topic alone always does: streams are counted.
    #[must_use]
    pub fn has_room_for(&self, selection: &Selection) -> bool {
        if selection.plain().is_some() {
            return true;
        }
        let topics = selection.topics.iter();
        let new = topics.filter(|name| !self.by_name.contains(&***name));
        let new: usize = new.map(|name| topic_bytes(name)).sum();
        self.standing + cost_of(selection) + new <= self.settings.bytes_max / 2
    }

    /// A new view of a selection, for one reader.
    pub(super) fn view(&mut self, selection: &Selection) -> Option<Key> {
        let mut sources = Vec::with_capacity(selection.topics.len() + selection.prefixes.len());
        for name in &selection.topics {
            sources.push(Of::Topic(self.topic(name)?));
        }
        for bytes in &selection.prefixes {
            sources.push(Of::Prefix(self.views.prefix(bytes)?));
        }
        let filter = match &selection.filter {
            Some(filter) => Some(self.views.take_filter(filter)?),
            None => None,
        };
        let view = View {
            sources: Vec::new(),
            filter,
            shared: None,
            given: (0, 0),
            cost: cost_of(selection),
        };
        let channel = Channel::new(Kind::View(Box::new(view)), self.ring_bound);
        let key = self.channels.insert(channel).ok()?;
        self.posts.bytes += cost_of(selection);
        self.standing += cost_of(selection);
        let mut placed = Vec::with_capacity(sources.len());
        for (number, of) in sources.into_iter().enumerate() {
            if let Of::Topic(topic) = of {
                self.begin_reading(topic);
            }
            let Some(listed) = self.listed_mut(of) else {
                continue;
            };
            let place = listed.len();
            listed.push(Listing { view: key, number });
            placed.push(Source { of, place });
        }
        if let Some(view) = self.view_mut(key) {
            view.sources = placed;
        }
        Some(key)
    }

    /// A view whose last reader has left goes, with all that only it needed.
    pub(super) fn dissolve(&mut self, key: Key) {
        let deserted = self.channels.get(key).is_some_and(Channel::is_deserted);
        let Some(channel) = deserted.then(|| self.channels.remove(key)).flatten() else {
            return;
        };
        let Kind::View(view) = channel.kind else {
            return;
        };
        self.posts.bytes -= view.cost;
        self.standing -= view.cost;
        for Source { of, place } in view.sources {
            let Some(listed) = self.listed_mut(of) else {
                continue;
            };
            listed.swap_remove(place);
            let moved = listed.get(place).copied();
            if let Some(Listing { view, number }) = moved
                && let Some(source) = self.source_mut(view, number)
            {
                source.place = place;
            }
            match of {
                Of::Topic(key) => {
                    self.end_reading(key);
                    self.desert(key);
                }
                Of::Prefix(key) => self.views.desert_prefix(key),
            }
        }
        if let Some(filter) = view.filter {
            self.views.give_filter(filter);
        }
        if let Some(name) = view.shared {
            self.views.shared.remove(&*name);
        }
    }

    pub(super) fn view_mut(&mut self, key: Key) -> Option<&mut View> {
        match &mut self.channels.get_mut(key)?.kind {
            Kind::View(view) => Some(view),
            Kind::Topic { .. } => None,
        }
    }

    /// The views that list a topic by its name.
    pub(super) fn listed(&self, topic: Key) -> impl Iterator<Item = Key> {
        let listed = match self.channels.get(topic).map(|channel| &channel.kind) {
            Some(Kind::Topic { listed, .. }) => &listed[..],
            _ => &[],
        };
        listed.iter().map(|listing| listing.view)
    }

    fn source_mut(&mut self, view: Key, number: usize) -> Option<&mut Source> {
        self.view_mut(view)?.sources.get_mut(number)
    }

    fn listed_mut(&mut self, of: Of) -> Option<&mut Vec<Listing>> {
        match of {
            Of::Topic(key) => match &mut self.channels.get_mut(key)?.kind {
                Kind::Topic { listed, .. } => Some(listed),
                Kind::View(_) => None,
            },
            Of::Prefix(key) => Some(&mut self.views.prefixes.get_mut(key)?.listed),
        }
    }

    /// What a channel reads, for people.
    #[must_use]
    pub fn names(&self, channel: Key) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let topic = |key| match &self.channels.get(key)?.kind {
            Kind::Topic { backlog, .. } => Some(text(&backlog.name)),
            Kind::View(_) => None,
        };
        let source = |source: &Source| match source.of {
            Of::Topic(key) => topic(key),
            Of::Prefix(key) => {
                let prefix = self.views.prefixes.get(key)?;
                Some(text(&prefix.bytes) + "*")
            }
        };
        match self.channels.get(channel).map(|channel| &channel.kind) {
            Some(Kind::View(view)) => {
                let mut names = String::new();
                for name in view.sources.iter().filter_map(source) {
                    if !names.is_empty() && names.len() + name.len() >= NAMES_BYTES_MAX {
                        names.push_str(",\u{2026}");
                        break;
                    }
                    if !names.is_empty() {
                        names.push(',');
                    }
                    names.push_str(&name);
                }
                names
            }
            _ => topic(channel).unwrap_or_default(),
        }
    }

    /// Sweeps how views are found; gives the bytes of all views.
    pub(super) fn check_views(&self) -> usize {
        let (mut bytes, mut shared, mut filters, mut listed) = (0, 0, 0, 0);
        for (key, channel) in self.channels.iter() {
            let Kind::View(view) = &channel.kind else {
                continue;
            };
            assert!(!channel.members.is_empty(), "a view that nobody reads");
            bytes += view.cost;
            shared += usize::from(view.shared.is_some());
            filters += usize::from(view.filter.is_some());
            listed += view.sources.len();
            for (number, source) in view.sources.iter().enumerate() {
                let list = match source.of {
                    Of::Topic(key) => self.channels.get(key).map(|it| &it.kind),
                    Of::Prefix(_) => None,
                };
                let listing = match (list, source.of) {
                    (Some(Kind::Topic { listed, .. }), _) => listed.get(source.place),
                    (_, Of::Prefix(key)) => {
                        let prefix = self.views.prefixes.get(key);
                        prefix.and_then(|it| it.listed.get(source.place))
                    }
                    _ => None,
                };
                let found = listing.map(|it| (it.view, it.number));
                assert_eq!(found, Some((key, number)), "a view is listed wrongly");
            }
        }
        let of_topics = self.channels.iter().map(|(_, it)| match &it.kind {
            Kind::Topic { listed, .. } => listed.len(),
            Kind::View(_) => 0,
        });
        let prefixes = self.views.prefixes.iter().map(|(_, it)| it.listed.len());
        assert_eq!(of_topics.sum::<usize>() + prefixes.sum::<usize>(), listed);
        assert_eq!(shared, self.views.shared.len(), "shared views");
        let known = self.views.filters.iter().map(|(_, it)| it.views);
        assert_eq!(known.sum::<usize>(), filters, "filters' views");
        assert_eq!(self.views.filters.len(), self.views.by_filter.len());
        assert_eq!(self.views.prefixes.len(), self.views.by_prefix.len());
        let lengths = self.views.lengths.iter().map(|(_, count)| count);
        assert_eq!(lengths.sum::<usize>(), self.views.prefixes.len());
        bytes
    }
}

/// What a view of that selection costs on the account. A prefix is held twice; it and the filter
/// count for each view that has them.
fn cost_of(selection: &Selection) -> usize {
    let sources = selection.topics.len() + selection.prefixes.len();
    let prefixes: usize = selection.prefixes.iter().map(|it| 2 * it.len()).sum();
    let filter = selection.filter.as_ref().map_or(0, Filter::bytes);
    VIEW_BYTES + sources * SOURCE_BYTES + prefixes + filter
}

/// A name for a selection, the same for all that are equal whatever their order. It is made of
/// keys: names themselves may be a hundred times as long.
fn name_of(sources: impl Iterator<Item = Of>, filter: Option<Key>) -> Box<[u8]> {
    let mut marks: Vec<(u8, u64)> = sources
        .map(|of| match of {
            Of::Topic(key) => (b't', key.to_bits()),
            Of::Prefix(key) => (b'p', key.to_bits()),
        })
        .collect();
    marks.sort_unstable();
    let mut name = Vec::with_capacity((marks.len() + 1) * MARK_BYTES);
    for (kind, bits) in marks {
        name.push(kind);
        name.extend_from_slice(&bits.to_be_bytes());
    }
    if let Some(filter) = filter {
        name.push(b'f');
        name.extend_from_slice(&filter.to_bits().to_be_bytes());
    }
    name.into()
}
