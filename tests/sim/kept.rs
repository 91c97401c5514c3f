//! What topics keep for those who come later, said naively from the list of all that was published:
//! the newest few, young and small enough (streams.md section 5). It shares nothing with Hookah's.

use std::collections::BTreeMap;

use crate::world::{MS, SECOND};

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

/// What a topic keeps at some time between `from` and `to`: the messages by their places in the
/// history, newest first.
fn of_topic(
    history: &[Published],
    topic: &str,
    bounds: &Bounds,
    (from, to): (u64, u64),
) -> Vec<(usize, Kept)> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    let named = |it: &&Published| it.topics.iter().any(|name| name == topic);
    let places = history.iter().enumerate().rev();
    for (place, message) in places.filter(|(_, it)| named(it)) {
        bytes += message.bytes;
        if kept.len() == bounds.messages || bytes > bounds.bytes {
            break;
        }
        let end = message.at + bounds.age;
        if from > end + SWEEP {
            break;
        }
        let surely = to < end && !bounds.tight;
        kept.push((place, if surely { Kept::Yes } else { Kept::Perhaps }));
    }
    kept
}

/// Of each message whether all its topics keep it, and whether any of those that `reads` does.
pub fn all(
    history: &[Published],
    bounds: &Bounds,
    span: (u64, u64),
    reads: impl Fn(&str) -> bool,
) -> Vec<(Kept, Kept)> {
    let mut topics: BTreeMap<&str, BTreeMap<usize, Kept>> = BTreeMap::new();
    for topic in history.iter().flat_map(|it| &it.topics) {
        let kept = || of_topic(history, topic, bounds, span).into_iter().collect();
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
