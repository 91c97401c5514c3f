//! The backlog: which messages topics keep for those who come later, and which topic gives way.
//! It counts messages, bytes and age, and never looks at who reads.

use std::sync::Arc;

use super::Topics;
use super::channel::{Channel, Kind};
use super::keep::Keep;
use super::post::Until;
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::model::{Message, MessageId};

/// What a topic costs besides its name, which is held once for three: its place in the slab, in the
/// map of names and in their order.
const TOPIC_BYTES: usize = size_of::<Channel>() + 160;
/// Kept messages that one sweep lets go; what is left follows at once.
const SWEPT_MAX: usize = 4_096;
/// Sweeps are no nearer to each other than this, in microseconds.
const SWEEP_MICROS_MIN: u64 = 1_000_000;

/// What a topic keeps.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The topic's name.
    pub(super) name: Arc<[u8]>,
    /// How much it keeps.
    pub(super) keep: Keep,
    /// Bytes of the kept messages.
    bytes: usize,
    /// The newest message that was here and is not kept any more; of a topic that may have been
    /// here before, any that it might be.
    pub(super) lost: MessageId,
    /// The neighbours in the list of those that keep anything, by the time of the last publish.
    colder: Option<Key>,
    warmer: Option<Key>,
}

impl Backlog {
    pub(super) fn new(name: Arc<[u8]>, keep: Keep, lost: MessageId) -> Backlog {
        Backlog {
            name,
            keep,
            bytes: 0,
            lost,
            colder: None,
            warmer: None,
        }
    }

    /// Bytes of the kept messages.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Topics {
    /// The topic of that name; a new one if there is none.
    pub(super) fn topic(&mut self, name: &[u8]) -> Option<Key> {
        if let Some(key) = self.by_name.get(name) {
            return Some(*key);
        }
        let lost = self.forgotten.max(self.deleted.lost(name));
        let name: Arc<[u8]> = name.into();
        let backlog = Backlog::new(Arc::clone(&name), self.settings.keep_of(&name), lost);
        let kind = Kind::Topic {
            backlog,
            listed: Vec::new(),
        };
        let channel = Channel::new(kind, self.ring_bound);
        let key = self.channels.insert(channel).ok()?;
        self.posts.bytes += topic_bytes(&name);
        self.by_name.insert(Arc::clone(&name), key);
        self.by_order.insert(name, key);
        Some(key)
    }

    /// A topic goes if there is no reason for it to stay.
    pub(super) fn desert(&mut self, key: Key) {
        if !self.channels.get(key).is_some_and(Channel::is_deserted) {
            return;
        }
        let Some(channel) = self.channels.remove(key) else {
            return;
        };
        if let Kind::Topic { backlog, .. } = channel.kind {
            self.posts.bytes -= topic_bytes(&backlog.name);
            self.by_name.remove(&*backlog.name);
            self.by_order.remove(&*backlog.name);
            self.forgotten = self.forgotten.max(backlog.lost);
        }
    }

    /// The newest post of a topic is kept; what is then too much goes, the oldest first.
    pub(super) fn keep(&mut self, key: Key, post: Key, message: &Arc<Message>, until: Until) {
        self.posts.keep(post, message, key, until);
        self.cool(key);
        self.warm(key);
        if let Some(backlog) = self.backlog_mut(key) {
            backlog.bytes += message.bytes();
        }
        self.trim_backlog(key);
    }

    /// What a topic keeps beyond its bounds goes, the oldest first.
    pub(super) fn trim_backlog(&mut self, key: Key) {
        while let Some(channel) = self.channels.get(key)
            && let Kind::Topic { backlog, .. } = &channel.kind
            && ((channel.ring.end() - channel.kept) as usize > backlog.keep.messages
                || backlog.bytes > backlog.keep.bytes)
        {
            self.forget_oldest(key);
        }
    }

    /// The oldest message that a topic keeps is kept no more. The topic goes with the last of them,
    /// if nobody reads it.
    pub(super) fn forget_oldest(&mut self, key: Key) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        let Some(post) = channel.ring.get(channel.kept).map(|entry| entry.post) else {
            return;
        };
        channel.kept += 1;
        let message = self.posts.forget(post);
        channel.trim(&mut self.posts);
        let is_empty = channel.kept == channel.ring.end();
        if let Kind::Topic { backlog, .. } = &mut channel.kind
            && let Some(message) = message
        {
            backlog.bytes -= message.bytes();
            backlog.lost = backlog.lost.max(message.id);
        }
        if is_empty {
            self.cool(key);
            self.desert(key);
        }
    }

    /// Whatever a topic keeps goes.
    pub(super) fn forget_all(&mut self, key: Key) {
        while let Some(channel) = self.channels.get(key)
            && channel.kept < channel.ring.end()
        {
            self.forget_oldest(key);
        }
    }

    /// Lets backlog go until all topics together are within their bound: first that of the topic to
    /// which nothing was published for the longest time.
    pub(super) fn make_room(&mut self) {
        while self.is_full()
            && let Some(coldest) = self.coldest
        {
            self.crowded_out += 1;
            self.forget_oldest(coldest);
        }
    }

    /// Messages that went because all topics together were over their bound, since this was last
    /// asked.
    pub fn take_crowded_out(&mut self) -> u64 {
        std::mem::take(&mut self.crowded_out)
    }

    /// Whether messages and their frames, and the topics that only keep some, are beyond their
    /// bound. What readers selected takes half of it at most, but for single topics, and no message
    /// that goes makes room for that.
    pub(super) fn is_full(&self) -> bool {
        let left = self.standing + self.settings.bytes_max / 2;
        self.posts.bytes > left.max(self.settings.bytes_max)
    }

    /// A topic is about to get a reader, alone or with others: it stays for that reader's sake.
    pub(super) fn begin_reading(&mut self, key: Key) {
        self.standing += self.unread_bytes(key);
    }

    /// A topic has lost a reader.
    pub(super) fn end_reading(&mut self, key: Key) {
        self.standing -= self.unread_bytes(key);
    }

    /// What a topic costs, if nobody reads it.
    fn unread_bytes(&self, key: Key) -> usize {
        let unread = self.channels.get(key).filter(|channel| !channel.is_read());
        match unread.map(|channel| &channel.kind) {
            Some(Kind::Topic { backlog, .. }) => topic_bytes(&backlog.name),
            _ => 0,
        }
    }

    /// When the next sweep is due, if none is armed for as early; it must be armed then.
    pub fn next_sweep(&mut self) -> Option<Mono> {
        let (_, until) = self.posts.oldest()?;
        if self.sweeps.is_some_and(|at| at <= until) {
            return None;
        }
        self.sweeps = Some(until);
        Some(until)
    }

    /// Lets go what was kept long enough, a bounded number of messages at a time. Gives the time of
    /// the next sweep.
    pub fn sweep(&mut self, now: Mono) -> Option<Mono> {
        self.sweeps = None;
        for _ in 0..SWEPT_MAX {
            match self.posts.oldest() {
                Some((topic, until)) if until <= now => {
                    self.forget_oldest(topic);
                }
                _ => {
                    let next = self.next_sweep()?;
                    return Some(next.max(Mono(now.0 + SWEEP_MICROS_MIN)));
                }
            }
        }
        self.sweeps = Some(now);
        Some(now)
    }
}

/// What a topic of that name costs on the account.
pub(super) fn topic_bytes(name: &[u8]) -> usize {
    TOPIC_BYTES + name.len()
}

/// The list of topics that keep anything, by the time of their last publish.
impl Topics {
    fn backlog_mut(&mut self, key: Key) -> Option<&mut Backlog> {
        match &mut self.channels.get_mut(key)?.kind {
            Kind::Topic { backlog, .. } => Some(backlog),
            Kind::View(_) => None,
        }
    }

    /// Takes a topic out of the list; nothing if it is not there.
    fn cool(&mut self, key: Key) {
        let (coldest, warmest) = (self.coldest, self.warmest);
        let Some(backlog) = self.backlog_mut(key) else {
            return;
        };
        let (colder, warmer) = (backlog.colder.take(), backlog.warmer.take());
        if colder.is_none() && coldest != Some(key) || warmer.is_none() && warmest != Some(key) {
            return;
        }
        match colder.and_then(|key| self.backlog_mut(key)) {
            Some(colder) => colder.warmer = warmer,
            None => self.coldest = warmer,
        }
        match warmer.and_then(|key| self.backlog_mut(key)) {
            Some(warmer) => warmer.colder = colder,
            None => self.warmest = colder,
        }
    }

    /// Puts a topic at the warm end of the list.
    fn warm(&mut self, key: Key) {
        let colder = self.warmest.replace(key);
        match colder.and_then(|key| self.backlog_mut(key)) {
            Some(colder) => colder.warmer = Some(key),
            None => self.coldest = Some(key),
        }
        if let Some(backlog) = self.backlog_mut(key) {
            backlog.colder = colder;
        }
    }

    /// Sweeps the list and the account of one topic; gives what its size is on the account.
    pub(super) fn check_backlog(&self, channel: &Channel, backlog: &Backlog) -> usize {
        let kept = channel.entries().filter(|(at, _)| *at >= channel.kept);
        let messages = kept.filter_map(|(_, entry)| self.posts.message(entry.post));
        let bytes: usize = messages.clone().map(|message| message.bytes()).sum();
        assert_eq!(bytes, backlog.bytes, "a backlog's bytes are miscounted");
        assert_eq!(
            messages.count() as u64,
            channel.ring.end() - channel.kept,
            "a kept post without its message"
        );
        let keep = self.settings.keep_of(&backlog.name);
        assert_eq!(backlog.keep, keep, "a topic goes by an old rule");
        assert!(bytes <= keep.bytes);
        assert!((channel.ring.end() - channel.kept) as usize <= keep.messages);
        topic_bytes(&backlog.name)
    }

    /// Sweeps the list of topics that keep anything.
    pub(super) fn check_temperature(&self) {
        let (mut at, mut last, mut count) = (self.coldest, None, 0);
        let mut newest = MessageId::default();
        while let Some(key) = at {
            let channel = self.channels.get(key);
            let Some(Channel {
                kind: Kind::Topic { backlog, .. },
                newest: id,
                ring,
                kept,
                ..
            }) = channel
            else {
                assert!(channel.is_some(), "a topic that is gone is in the list");
                return;
            };
            assert!(
                *kept < ring.end(),
                "a topic that keeps nothing is in the list"
            );
            assert!(*id >= newest, "the list is not in order");
            assert_eq!(backlog.colder, last, "a link of the list is wrong");
            newest = *id;
            count += 1;
            (last, at) = (at, backlog.warmer);
        }
        assert_eq!(self.warmest, last, "the end of the list is wrong");
        let keep = |channel: &Channel| channel.kept < channel.ring.end();
        let keeping = self.channels.iter().filter(|(_, it)| keep(it)).count();
        assert_eq!(keeping, count, "a topic is not in the list");
    }
}
