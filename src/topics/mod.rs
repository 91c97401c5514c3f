//! Topics: one message to every stream that reads it, encoded once, shared, never copied.
//! It holds frames and who has yet to read them; sockets and requests are somebody else's.
//!
//! A stream reads one *channel*, at a position of its ring: a topic, or a view, which selects from
//! more than one. A message under a topic is a *post*, which all rings that hold it share:
//!
//! ```text
//!  topic "news"    ring: [p1 p2 p4 p5]──┐
//!  topic "sport"   ring: [p3]───────────┤ posts: message, frames, who needs them
//!  view news+sport ring: [p3 p4 p5]─────┘
//! ```
//!
//! The order of publishing is the order of ids, so that a view's ring is merged without any work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::index::Index;
use crate::base::slab::{Key, Slab};
use crate::base::time::{Mono, Wall};
use crate::model::MessageId;

mod backlog;
mod channel;
mod check;
pub mod filter;
pub mod format;
mod join;
pub mod keep;
mod post;
mod publish;
mod restore;
mod retune;
pub mod subscribe;
mod view;
pub mod window;
pub mod wish;

use channel::Channel;
pub use channel::{Feed, Reading};
use format::Style;
pub use join::{Joined, Seat};
use keep::{Keep, Rules};
use post::Posts;
pub use publish::WARNING_PERCENT;
pub use restore::DELETED_MAX;
use restore::Deleted;
use view::Views;

/// Bytes that a channel's slowest reader may be behind (streams.md section 6).
pub const BEHIND_BYTES_MAX: u64 = 4 << 20;
/// Messages that a channel's slowest reader may be behind.
pub const BEHIND_MESSAGES_MAX: u64 = 10_000;

/// What the room is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Messages that a topic keeps for those who come later.
    pub backlog_messages: usize,
    /// How long it keeps them.
    pub backlog_age: Duration,
    /// Bytes of messages that a topic keeps.
    pub backlog_bytes: usize,
    /// Topics that keep something else.
    pub rules: Rules,
    /// Bytes of all that topics hold together.
    pub bytes_max: usize,
    /// Silence after which a stream gets keep-alive bytes, unless its reader says otherwise.
    pub keep_alive: Duration,
    /// Streams at once; `None` for as many as there is room for lines.
    pub streams_max: Option<usize>,
    /// After this time, more or less, a stream is ended so that its reader comes anew; `None` for
    /// never.
    pub age_max: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backlog_messages: 100,
            backlog_age: Duration::from_secs(3_600),
            backlog_bytes: 1 << 20,
            rules: Rules::default(),
            bytes_max: 64 << 20,
            keep_alive: Duration::from_secs(30),
            streams_max: None,
            age_max: None,
        }
    }
}

impl Keep {
    /// Messages that a reader may be behind: more than the longest backlog, which it may ask for.
    fn behind_messages_max(&self) -> u64 {
        BEHIND_MESSAGES_MAX.max(4 * self.messages as u64)
    }

    /// The same in bytes.
    fn behind_bytes_max(&self) -> u64 {
        BEHIND_BYTES_MAX.max(4 * self.bytes as u64)
    }
}

impl Settings {
    /// More than any ring holds.
    fn ring_bound(&self) -> usize {
        let widest = self.widest();
        let behind = usize::try_from(widest.behind_messages_max()).unwrap_or(usize::MAX);
        behind.saturating_add(widest.messages + join::REPLAY_MESSAGES_MAX + 2)
    }
}

/// All topics that have readers or a backlog, and all views.
#[derive(Debug)]
pub struct Topics {
    settings: Settings,
    channels: Slab<Channel>,
    posts: Posts,
    by_name: Index<Arc<[u8]>, Key>,
    /// The same by the order of their names, for prefixes.
    by_order: BTreeMap<Arc<[u8]>, Key>,
    views: Views,
    /// The ends of the list of topics that keep anything.
    coldest: Option<Key>,
    warmest: Option<Key>,
    streams: usize,
    /// Bytes of views and of topics that have readers, without their messages.
    standing: usize,
    last: MessageId,
    crowded_out: u64,
    /// The newest message that a topic which is not here may have had.
    forgotten: MessageId,
    deleted: Deleted,
    /// More than any ring holds.
    ring_bound: usize,
    /// For when a sweep is armed.
    sweeps: Option<Mono>,
    /// Channels with readers that the last message went to.
    touched: Vec<Key>,
    /// Channels whose readers have not been woken since something came.
    woken: VecDeque<Key>,
    /// Working space.
    targets: Vec<Key>,
    /// What fills the silence, by the number of the style.
    keep_alive: Vec<Frame>,
}

impl Topics {
    /// No topics. `seed` is for the maps; of what was published before `now` nothing is known.
    #[must_use]
    pub fn new(settings: Settings, now: Wall, seed: u64) -> Topics {
        Topics {
            ring_bound: settings.ring_bound(),
            posts: Posts::new(settings.ages()),
            settings,
            channels: Slab::with_bound(u32::MAX as usize - 1),
            by_name: Index::new(seed),
            by_order: BTreeMap::new(),
            views: Views::new(seed.rotate_left(48)),
            coldest: None,
            warmest: None,
            streams: 0,
            standing: 0,
            last: MessageId::default(),
            crowded_out: 0,
            forgotten: MessageId::before(now),
            deleted: Deleted::new(MessageId::before(now)),
            sweeps: None,
            touched: Vec::new(),
            woken: VecDeque::new(),
            targets: Vec::new(),
            keep_alive: (0..Style::COUNT)
                .map(|number| Frame::copy_of(Style::from_index(number).keep_alive()))
                .collect(),
        }
    }

    /// What it was told last.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The frames of a channel as one of its readers gets them; none if the channel is gone.
    #[must_use]
    pub fn feed(&self, channel: Key, style: Style) -> Feed<'_> {
        Feed {
            channel: self.channels.get(channel),
            posts: &self.posts,
            style,
        }
    }

    /// A channel, for one of its readers to move on.
    pub fn reading(&mut self, channel: Key) -> Option<Reading<'_>> {
        Some(Reading {
            channel: self.channels.get_mut(channel)?,
            posts: &mut self.posts,
        })
    }

    /// How many streams read the topic of that name, alone or with others, whatever their filters.
    #[must_use]
    pub fn readers(&self, name: &[u8]) -> usize {
        let topic = self.by_name.get(name).copied();
        let mut channels: Vec<Key> = topic.into_iter().collect();
        channels.extend(topic.into_iter().flat_map(|topic| self.listed(topic)));
        self.views.find(name, &mut channels);
        channels.sort_unstable();
        channels.dedup();
        channels.iter().map(|channel| self.size(*channel)).sum()
    }

    /// What is sent on a stream when nothing else was for a while.
    #[must_use]
    pub fn keep_alive(&self, style: Style) -> &Frame {
        &self.keep_alive[style.index()]
    }

    /// The id of the newest message published.
    #[must_use]
    pub fn last(&self) -> MessageId {
        self.last
    }

    /// Streams of all channels.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// Topics that have readers or a backlog.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Bytes of all that topics hold: messages that are kept, frames that streams have yet to pass,
    /// and what topics and views cost themselves.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.posts.bytes
    }

    /// Whether nobody reads anything and nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }
}

#[cfg(test)]
mod tests;
