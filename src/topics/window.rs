//! What people may know of topics, and what they may have dropped. No message is shown.

use super::Topics;
use super::channel::{Channel, Kind};
use crate::base::slab::Key;
use crate::model::MessageId;
use crate::port::Turn;

/// One topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its place, for the page after it.
    pub index: usize,
    /// Its name.
    pub name: &'a [u8],
    /// Streams and waiting polls that read it, alone or with others.
    pub streams: usize,
    /// Messages that are kept.
    pub messages: u64,
    /// Their bytes.
    pub bytes: usize,
    /// Messages that came since the topic was last without readers and backlog: what tells how many
    /// a second there are, to whoever looks twice.
    pub published: u64,
    /// The newest message that came since the topic was last without readers and backlog.
    pub last: Option<MessageId>,
}

impl Topics {
    /// The first topic at that place or behind it.
    #[must_use]
    pub fn row_from(&self, mut index: usize) -> Option<Row<'_>> {
        while let Some(key) = self.channels.key_from(index) {
            if let Some(row) = self.show(key) {
                return Some(row);
            }
            index = key.index() + 1;
        }
        None
    }

    /// The topic of that name, if it has readers or a backlog.
    #[must_use]
    pub fn row(&self, name: &[u8]) -> Option<Row<'_>> {
        self.show(*self.by_name.get(name)?)
    }

    fn show(&self, key: Key) -> Option<Row<'_>> {
        let channel = self.channels.get(key)?;
        let Kind::Topic { backlog, .. } = &channel.kind else {
            return None;
        };
        Some(Row {
            index: key.index(),
            name: &backlog.name,
            streams: self.readers(&backlog.name),
            messages: kept(channel),
            bytes: backlog.bytes(),
            published: channel.ring.end(),
            last: Some(channel.newest).filter(|id| *id != MessageId::default()),
        })
    }

    /// The lines that read the topic of that name because they named it, alone or with others.
    #[must_use]
    pub fn named_by(&self, name: &[u8]) -> Vec<Key> {
        let Some(topic) = self.by_name.get(name) else {
            return Vec::new();
        };
        let mut channels: Vec<Key> = self.listed(*topic).collect();
        channels.push(*topic);
        channels.sort_unstable();
        channels.dedup();
        let lines = channels.iter().flat_map(|channel| self.lines(*channel));
        lines.collect()
    }

    /// Drops whatever the topic of that name keeps, for ever. How many messages that were.
    pub fn drop_backlog(&mut self, turn: &mut Turn, name: &[u8]) -> u64 {
        let Some(key) = self.by_name.get(name).copied() else {
            return 0;
        };
        let messages = self.channels.get(key).map_or(0, kept);
        self.forget_all(key);
        self.delete(turn, name);
        messages
    }
}

fn kept(channel: &Channel) -> u64 {
    channel.ring.end() - channel.kept
}
