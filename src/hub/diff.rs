//! Leaves out of a feed the entries that went out before (hub.md C27, checklist row 51).
//! It changes no byte of what stays, and in any doubt leaves out nothing.

use crate::hub::diff::entries::{Digest, Entry};

mod entries;

/// Entries of a feed at most; one with more goes out whole.
pub const ENTRIES_MAX: usize = 1_000;

/// The entries of a feed's version that went out, as digests: 32 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Id and content, in the order of the ids.
    entries: Box<[(Digest, Digest)]>,
}

impl Seen {
    /// `None` if two entries have one id.
    fn of(entries: &[Entry]) -> Option<Seen> {
        let mut pairs: Vec<_> = entries
            .iter()
            .map(|entry| (entry.id, entry.content))
            .collect();
        pairs.sort_unstable();
        let twice = pairs
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one.0 == other.0));
        (!twice).then(|| Seen {
            entries: pairs.into(),
        })
    }

    fn has(&self, entry: &Entry) -> bool {
        self.entries
            .binary_search(&(entry.id, entry.content))
            .is_ok()
    }

    /// All of it as bytes, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let halves = self.entries.iter().flat_map(|(id, content)| [id, content]);
        halves.flatten().copied().collect()
    }

    /// What was kept; `None` if it is no such thing.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Seen> {
        let (pairs, rest) = bytes.as_chunks::<32>();
        let halves = pairs.iter().map(|pair| {
            let (id, content) = pair.split_first_chunk::<16>()?;
            Some((*id, *content.first_chunk::<16>()?))
        });
        let entries: Box<[(Digest, Digest)]> = halves.collect::<Option<_>>()?;
        let in_order = entries.is_sorted_by(|one, other| one.0 < other.0);
        (rest.is_empty() && in_order && entries.len() <= ENTRIES_MAX).then_some(Seen { entries })
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.entries)
    }
}

/// What goes out of a feed to those who had its last version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diffed {
    /// All of it, as it came.
    Full,
    /// The feed without the entries that they have.
    Less(Vec<u8>),
}

/// Compares a feed with the version of it that went out last, and gives what to remember of it.
/// Whatever is no well-formed Atom or RSS 2.0 in UTF-8 whose entries all have an id of their own
/// goes out whole, and so does the version after it.
#[must_use]
pub fn diff(old: &Seen, body: &[u8]) -> (Diffed, Seen) {
    let entries = entries::read(body);
    let Some((entries, seen)) = entries.and_then(|it| Seen::of(&it).map(|seen| (it, seen))) else {
        return (Diffed::Full, Seen::default());
    };
    let mut less = Vec::new();
    let mut end = 0;
    for entry in entries.iter().filter(|entry| old.has(entry)) {
        less.extend_from_slice(body.get(end..entry.range.start).unwrap_or_default());
        end = entry.range.end;
    }
    if end == 0 {
        return (Diffed::Full, seen);
    }
    less.extend_from_slice(body.get(end..).unwrap_or_default());
    (Diffed::Less(less), seen)
}

#[cfg(test)]
mod tests;
