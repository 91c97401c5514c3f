//! What topics keep for those who come later, said naively from the list of all that was published:
//! the newest few, young and small enough (streams.md section 5). It shares nothing with Hookah's.

use std::collections::BTreeMap;

use crate::world::{MS, SECOND};

/// What is kept from some time on, until other bounds take their place.
#[derive(Clone, Debug)]
pub struct Edition {
    /// From when.
    pub since: u64,
    /// Of topics without a rule.
    pub others: Bounds,
    /// Of topics by their names, or by how they begin and `*`.
    pub rules: Vec<(String, Bounds)>,
}

impl Edition {
    /// The bounds of a topic: those of its name, else of the longest beginning.
    fn of(&self, topic: &str) -> Bounds {
        let named = self.rules.iter().find(|(name, _)| name == topic);
        let begins = self.rules.iter().filter(|(name, _)| {
            let beginning = name.strip_suffix('*');
            beginning.is_some_and(|it| topic.starts_with(it))
        });
        let longest = begins.max_by_key(|(name, _)| name.len());
        named.or(longest).map_or(self.others, |(_, bounds)| *bounds)
    }
}

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages of a topic.
    pub messages: usize,
    /// Bytes of a topic.
    pub bytes: usize,
    /// For so long, in microseconds.
    pub age: u64,
    /// All together are bounded so narrowly that anything may have to go.
    pub tight: bool,
}

/// A message that became durable.
#[derive(Clone, Debug)]
pub struct Published {
    /// The number of its publication.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// When it was published.
    pub at: u64,
    /// What it counts for.
    pub bytes: usize,
    /// Its topics, each once.
    pub topics: Vec<String>,
}

/// Whether a message is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It is not.
    No,
    /// Nobody can tell.
    Perhaps,
    /// It is.
    Yes,
}

/// What is too old goes no later than this.
const SWEEP: u64 = SECOND + 20 * MS;

/// Of the bounds that held for a topic at any time in a span the narrowest and the widest.
fn extremes(editions: &[Edition], topic: &str, (from, to): (u64, u64)) -> (Bounds, Bounds) {
    let held = editions.iter().enumerate().filter(|(number, edition)| {
        let until = editions.get(number + 1).map_or(u64::MAX, |it| it.since);
        edition.since <= to && until > from
    });
    let mut all = held.map(|(_, edition)| edition.of(topic));
    let first = all.next().expect("bounds that held");
    all.fold((first, first), |(least, most), it| {
        let least = Bounds {
            messages: least.messages.min(it.messages),
            bytes: least.bytes.min(it.bytes),
            age: least.age.min(it.age),
            tight: least.tight || it.tight,
        };
        let most = Bounds {
            messages: most.messages.max(it.messages),
            bytes: most.bytes.max(it.bytes),
            age: most.age.max(it.age),
            tight: most.tight || it.tight,
        };
        (least, most)
    })
}

/// The most messages that any topic kept by the bounds of a span: at least and at most.
pub fn widest(editions: &[Edition], (from, to): (u64, u64)) -> (usize, usize) {
    let held = editions.iter().enumerate().filter(|(number, edition)| {
        let until = editions.get(number + 1).map_or(u64::MAX, |it| it.since);
        edition.since <= to && until >= from
    });
    let most = |edition: &Edition| {
        let rules = edition.rules.iter().map(|(_, bounds)| bounds.messages);
        rules.fold(edition.others.messages, usize::max)
    };
    let counts = || held.clone().map(|(_, edition)| most(edition));
    (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
}

/// What a topic keeps at some time between `from` and `to`: the messages by their places in the
/// history, newest first. What any bounds since its publication had no room for may be gone.
fn of_topic(
    history: &[Published],
    topic: &str,
    editions: &[Edition],
    (from, to): (u64, u64),
) -> Vec<(usize, Kept)> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    let (_, bounds) = extremes(editions, topic, (from, to));
    let named = |it: &&Published| it.topics.iter().any(|name| name == topic);
    let places = history.iter().enumerate().rev();
    for (place, message) in places.filter(|(_, it)| named(it)) {
        bytes += message.bytes;
        if kept.len() == bounds.messages || bytes > bounds.bytes {
            break;
        }
        if from > message.at + bounds.age + SWEEP {
            break;
        }
        let (least, _) = extremes(editions, topic, (message.at, to));
        let fits = kept.len() < least.messages && bytes <= least.bytes;
        let surely = to < message.at + least.age && fits && !bounds.tight;
        kept.push((place, if surely { Kept::Yes } else { Kept::Perhaps }));
    }
    kept
}

/// Of each message whether all its topics keep it, and whether any of those that `reads` does.
pub fn all(
    history: &[Published],
    editions: &[Edition],
    span: (u64, u64),
    reads: impl Fn(&str) -> bool,
) -> Vec<(Kept, Kept)> {
    let mut topics: BTreeMap<&str, BTreeMap<usize, Kept>> = BTreeMap::new();
    for topic in history.iter().flat_map(|it| &it.topics) {
        let kept = || {
            of_topic(history, topic, editions, span)
                .into_iter()
                .collect()
        };
        topics.entry(topic).or_insert_with(kept);
    }
    let fate = |(place, message): (usize, &Published)| {
        let (mut all, mut any) = (Kept::Yes, Kept::No);
        for topic in &message.topics {
            let kept = topics[&**topic].get(&place).copied().unwrap_or(Kept::No);
            all = all.min(kept);
            if reads(topic) {
                any = any.max(kept);
            }
        }
        (all, any)
    };
    history.iter().enumerate().map(fate).collect()
}
