//! Topics: one message to every stream that reads it, encoded once, shared, never copied.
//! It holds frames and who has yet to read them; sockets and requests are somebody else's.

use crate::base::frame::Frame;
use crate::base::index::Index;
use crate::base::ring::Ring;
use crate::base::slab::{Key, Slab};
use crate::model::{Message, MessageId};

pub mod filter;
pub mod format;
pub mod subscribe;
pub mod wish;

use format::{Framing, Scratch, Style, payload};

/// Bytes that a topic's slowest reader may be behind (streams.md section 6).
pub const BEHIND_BYTES_MAX: usize = 4 << 20;
/// Messages that a topic's slowest reader may be behind.
pub const BEHIND_MESSAGES_MAX: usize = 10_000;
/// Bytes of frames in all topics together.
pub const FRAMES_BYTES_MAX: usize = 64 << 20;

/// What of the topics can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Messages that a topic's backlog keeps at most.
    pub backlog_messages: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backlog_messages: 100,
        }
    }
}

/// A message as the streams of one topic see it, until the last of them has passed it.
#[derive(Debug)]
struct Entry {
    id: MessageId,
    /// One frame per format in use when it was published.
    frames: [Option<Frame>; Style::COUNT],
    /// Bytes of all its frames.
    bytes: usize,
    /// Bytes of the longest of them: what a reader that has yet to pass it is behind by.
    longest: usize,
    /// Members for whom it is the next. It goes, when it is the oldest, once there is none.
    next_for: usize,
}

/// What is known of a topic while somebody reads it.
#[derive(Debug)]
struct Topic {
    name: Box<[u8]>,
    ring: Ring<Entry>,
    bytes: usize,
    /// What its slowest reader is behind by, in bytes.
    behind: usize,
    /// Members that have passed everything.
    up_to_date: usize,
    /// The streams, each with its format; a stream knows its place in this list.
    members: Vec<(Key, Style)>,
    /// Members of each format.
    formats: [usize; Style::COUNT],
}

/// All topics that have members.
#[derive(Debug)]
pub struct Topics {
    topics: Slab<Topic>,
    by_name: Index<Box<[u8]>, Key>,
    bytes: usize,
    streams: usize,
    last: MessageId,
    keep_alive: [Frame; Style::COUNT],
    scratch: Scratch,
}

/// A topic's frames in one format.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    ring: Option<&'a Ring<Entry>>,
    format: Style,
}

impl<'a> Feed<'a> {
    /// The frame at a position.
    #[must_use]
    pub fn frame(&self, at: u64) -> Option<&'a Frame> {
        self.ring?.get(at)?.frames[self.format.index()].as_ref()
    }
}

/// What one message was encoded to, format by format, while it is handed to its topics.
#[derive(Debug, Default)]
pub struct Encoded([Option<Frame>; Style::COUNT]);

/// A stream's seat in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The topic.
    pub topic: Key,
    /// Its place in the topic's list.
    pub place: usize,
    /// The position of the first frame it will get.
    pub at: u64,
}

impl Topics {
    /// No topics. `seed` is for the map of names.
    #[must_use]
    pub fn new(seed: u64) -> Topics {
        Topics {
            topics: Slab::with_bound(u32::MAX as usize - 1),
            by_name: Index::new(seed),
            bytes: 0,
            streams: 0,
            last: MessageId::default(),
            scratch: Scratch::default(),
            keep_alive: std::array::from_fn(|index| {
                Frame::copy_of(Style::from_index(index).keep_alive())
            }),
        }
    }

    /// A stream joins: it gets what is published from now on. `None` if there is no place.
    pub fn join(&mut self, name: &[u8], line: Key, format: Style) -> Option<Seat> {
        let key = match self.by_name.get(name) {
            Some(key) => *key,
            None => {
                let key = self.topics.insert(Topic::new(name)).ok()?;
                self.by_name.insert(name.into(), key);
                key
            }
        };
        let topic = self.topics.get_mut(key)?;
        let place = topic.members.len();
        topic.members.push((line, format));
        topic.up_to_date += 1;
        topic.formats[format.index()] += 1;
        self.streams += 1;
        Some(Seat {
            topic: key,
            place,
            at: topic.ring.end(),
        })
    }

    /// A stream leaves: what it has not passed waits for it no longer. Gives the stream that took
    /// over its place in the list, if one did; it must be told.
    pub fn leave(&mut self, seat: Seat) -> Option<Key> {
        let topic = self.topics.get_mut(seat.topic)?;
        if seat.place >= topic.members.len() {
            return None;
        }
        let (_, format) = topic.members.swap_remove(seat.place);
        topic.formats[format.index()] -= 1;
        self.streams -= 1;
        let moved = topic.members.get(seat.place).map(|(line, _)| *line);
        self.bytes -= topic.pass(seat.at, topic.ring.end());
        topic.up_to_date -= 1;
        if topic.members.is_empty()
            && let Some(topic) = self.topics.remove(seat.topic)
        {
            self.by_name.remove(&topic.name);
        }
        moved
    }

    /// Hands a message to all streams of the topic; gives them back, so that each can be put on the
    /// list of lines to be written. A topic without streams costs one look-up.
    ///
    /// `encoded` is the message's own, the same for all its topics, so that their rings share one
    /// frame a format: no format says yet under which topic a message came.
    pub fn publish(
        &mut self,
        name: &[u8],
        message: &Message,
        encoded: &mut Encoded,
    ) -> &[(Key, Style)] {
        self.last = self.last.max(message.id);
        let Some(key) = self.by_name.get(name).copied() else {
            return &[];
        };
        let Some(topic) = self.topics.get_mut(key) else {
            return &[];
        };
        // A message that names its topic twice comes once (streams.md section 5).
        let newest = topic.ring.end().checked_sub(1);
        if newest
            .and_then(|at| topic.ring.get(at))
            .is_some_and(|it| it.id == message.id)
        {
            return &[];
        }
        let mut entry = Entry {
            id: message.id,
            frames: [const { None }; Style::COUNT],
            bytes: 0,
            longest: 0,
            next_for: std::mem::take(&mut topic.up_to_date),
        };
        for format in (0..Style::COUNT).map(Style::from_index) {
            if topic.formats[format.index()] > 0 {
                let frame = encoded.0[format.index()]
                    .get_or_insert_with(|| encode(format, message, name, &mut self.scratch));
                entry.bytes += frame.len();
                entry.longest = entry.longest.max(frame.len());
                entry.frames[format.index()] = Some(frame.clone());
            }
        }
        topic.bytes += entry.bytes;
        topic.behind += entry.longest;
        self.bytes += entry.bytes;
        // The ring has room for more than the bound that `over` keeps.
        let pushed = topic.ring.push(entry);
        debug_assert!(pushed.is_ok(), "a topic's ring is full");
        &topic.members
    }

    /// The stream that is to be ended because its topic, or all topics together, hold too much for
    /// it: the one that is furthest behind. Ask again after it has left.
    #[must_use]
    pub fn over(&self, name: &[u8]) -> Option<Key> {
        let topic = self.topics.get(*self.by_name.get(name)?)?;
        // One message is always admitted, whatever its size.
        if topic.ring.len() > 1
            && (topic.behind > BEHIND_BYTES_MAX || topic.ring.len() > BEHIND_MESSAGES_MAX)
        {
            return Some(*self.by_name.get(name)?);
        }
        if self.bytes <= FRAMES_BYTES_MAX {
            return None;
        }
        // The newest message is always admitted; all that came before it may have to make room.
        let fronts = self.topics.iter().filter_map(|(key, topic)| {
            let front = topic.ring.get(topic.ring.first())?;
            (front.id < self.last).then_some((front.id, key))
        });
        fronts.min().map(|(_, key)| key)
    }

    /// How many streams read the topic of that name.
    #[must_use]
    pub fn readers(&self, name: &[u8]) -> usize {
        let topic = self.by_name.get(name);
        topic.map_or(0, |topic| self.members(*topic).len())
    }

    /// The streams of a topic.
    #[must_use]
    pub fn members(&self, topic: Key) -> &[(Key, Style)] {
        self.topics.get(topic).map_or(&[], |topic| &topic.members)
    }

    /// The position of the oldest frame that a topic holds.
    #[must_use]
    pub fn first(&self, topic: Key) -> u64 {
        self.topics.get(topic).map_or(0, |topic| topic.ring.first())
    }

    /// The frames of a topic in one format; none if the topic is gone.
    #[must_use]
    pub fn feed(&self, topic: Key, format: Style) -> Feed<'_> {
        let ring = self.topics.get(topic).map(|topic| &topic.ring);
        Feed { ring, format }
    }

    /// A stream has passed the frames from `from` up to, not including, `to`.
    pub fn passed(&mut self, topic: Key, from: u64, to: u64) {
        if let Some(topic) = self.topics.get_mut(topic) {
            self.bytes -= topic.pass(from, to);
        }
    }

    /// What is sent on a stream when nothing else was for a while.
    #[must_use]
    pub fn keep_alive(&self, format: Style) -> &Frame {
        &self.keep_alive[format.index()]
    }

    /// The id of the newest message published.
    #[must_use]
    pub fn last(&self) -> MessageId {
        self.last
    }

    /// Streams of all topics.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// Topics that have streams.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Bytes of frames that streams have yet to pass.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nobody reads anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Sweeps the accounts: no frame without a reader, sums equal to the totals.
    pub fn check(&self) {
        let (mut bytes, mut streams) = (0, 0);
        for (_, topic) in self.topics.iter() {
            let (mut held, mut behind, mut members) = (0, 0, topic.up_to_date);
            for at in topic.ring.first()..topic.ring.end() {
                let entry = topic.ring.get(at);
                members += entry.map_or(0, |entry| entry.next_for);
                held += entry.map_or(0, |entry| entry.bytes);
                behind += entry.map_or(0, |entry| entry.longest);
            }
            let front = topic.ring.get(topic.ring.first());
            assert!(
                front.is_none_or(|entry| entry.next_for > 0),
                "a frame that nobody waits for"
            );
            assert_eq!(members, topic.members.len(), "a member stands nowhere");
            let known = (topic.bytes, topic.behind);
            assert_eq!((held, behind), known, "a topic's bytes are miscounted");
            assert_eq!(topic.formats.iter().sum::<usize>(), topic.members.len());
            bytes += topic.bytes;
            streams += topic.members.len();
        }
        assert_eq!(
            (bytes, streams),
            (self.bytes, self.streams),
            "totals differ from the sums"
        );
        assert_eq!(
            self.by_name.len(),
            self.topics.len(),
            "a name without its topic"
        );
    }
}

/// What a reader in this style gets of a message.
fn encode(style: Style, message: &Message, topic: &[u8], scratch: &mut Scratch) -> Frame {
    let frame = style.format.encode(message, topic, scratch);
    match style.framing {
        Framing::Chunked => frame,
        Framing::Plain => Frame::copy_of(payload(&frame)),
    }
}

impl Topic {
    fn new(name: &[u8]) -> Topic {
        Topic {
            name: name.into(),
            ring: Ring::with_bound(BEHIND_MESSAGES_MAX + 2),
            bytes: 0,
            behind: 0,
            up_to_date: 0,
            members: Vec::new(),
            formats: [0; Style::COUNT],
        }
    }

    /// A member moves from one position to another; what nobody waits for goes. Gives the bytes let
    /// go.
    fn pass(&mut self, from: u64, to: u64) -> usize {
        self.stand(to, 1);
        self.stand(from, -1);
        let mut bytes = 0;
        while self.ring.front().is_some_and(|entry| entry.next_for == 0) {
            let Some(entry) = self.ring.pop_front() else {
                break;
            };
            bytes += entry.bytes;
            self.behind -= entry.longest;
        }
        self.bytes -= bytes;
        bytes
    }

    fn stand(&mut self, at: u64, change: isize) {
        let here = match self.ring.get_mut(at) {
            Some(entry) => &mut entry.next_for,
            None => &mut self.up_to_date,
        };
        *here = here.saturating_add_signed(change);
    }
}

#[cfg(test)]
mod tests;
