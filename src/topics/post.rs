//! Posts: a message under one topic, with the frames it was encoded to, shared by all rings that
//! hold it. They know how many need them and what they weigh, and never who reads.

use std::sync::Arc;
use std::time::Duration;

use super::format::{Format, Scratch};
use crate::base::frame::Frame;
use crate::base::slab::{Key, Slab};
use crate::base::time::{Mono, micros};
use crate::model::{Message, MessageId};

/// What a post holds besides its message and its frames.
const POST_BYTES: usize = size_of::<Post>() + size_of::<u64>();

/// A message under one of its topics.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) id: MessageId,
    /// One for each format that somebody needs or needed while anybody has yet to pass it.
    frames: [Option<Frame>; Format::COUNT],
    /// What a reader that has yet to pass it is behind by, in bytes: its longest frame at the time
    /// it was published.
    pub(super) weight: u64,
    /// Bytes on the account.
    bytes: usize,
    /// Rings in which somebody has yet to pass it.
    waits: u32,
    /// Which of the message's topics it is under.
    pub(super) number: u16,
    /// The message, while it is in its topic's backlog.
    kept: Option<Kept>,
}

/// A post's place in the backlog.
#[derive(Debug)]
struct Kept {
    message: Arc<Message>,
    topic: Key,
    /// It is too old then.
    until: Mono,
    /// The list of those that are kept as long.
    list: usize,
    older: Option<Key>,
    newer: Option<Key>,
}

/// What one message was encoded to in the formats that do not name its topic.
#[derive(Debug, Default)]
pub(super) struct Encoded([Option<Frame>; Format::COUNT]);

/// How long a post is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// It is too old then.
    pub(super) at: Mono,
    /// How old it is by then.
    pub(super) age: Duration,
}

/// Those that are kept for the same time, in the order in which they were published.
#[derive(Clone, Copy, Debug)]
struct List {
    age: Duration,
    oldest: Option<Key>,
    newest: Option<Key>,
}

/// All posts that are in a backlog or that somebody has yet to pass, and the account of all that
/// topics hold.
#[derive(Debug)]
pub(super) struct Posts {
    slab: Slab<Post>,
    /// Those in a backlog, by the time for which they are kept.
    lists: Box<[List]>,
    /// Bytes on the account: posts, and what rooms beside them charge.
    pub(super) bytes: usize,
    scratch: Scratch,
}

impl Posts {
    /// None. `ages` are all times for which posts are kept, in their order.
    pub(super) fn new(ages: Vec<Duration>) -> Posts {
        Posts {
            slab: Slab::with_bound(u32::MAX as usize - 1),
            lists: lists(ages),
            bytes: 0,
            scratch: Scratch::default(),
        }
    }

    /// A new post of the message under the topic of that number, encoded in the formats that have
    /// readers. `encoded` is shared by the message's topics.
    pub(super) fn insert(
        &mut self,
        message: &Message,
        (number, name): (usize, &[u8]),
        formats: [bool; Format::COUNT],
        encoded: &mut Encoded,
    ) -> Option<Key> {
        let mut post = Post {
            id: message.id,
            frames: [const { None }; Format::COUNT],
            weight: message.body.len() as u64,
            bytes: POST_BYTES,
            waits: 0,
            number: u16::try_from(number).unwrap_or(u16::MAX),
            kept: None,
        };
        let wanted = Format::ALL.into_iter().zip(formats);
        for (format, _) in wanted.filter(|(_, wanted)| *wanted) {
            let scratch = &mut self.scratch;
            let frame = match format.shares_topics() {
                true => encoded.0[format.index()]
                    .get_or_insert_with(|| format.encode(message, name, scratch))
                    .clone(),
                false => format.encode(message, name, scratch),
            };
            post.weight = post.weight.max(frame.len() as u64);
            post.bytes += frame.len();
            post.frames[format.index()] = Some(frame);
        }
        self.bytes += post.bytes;
        self.slab.insert(post).ok()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Post> {
        self.slab.get(key)
    }

    /// A post's frame in a format.
    pub(super) fn frame(&self, key: Key, format: Format) -> Option<&Frame> {
        self.slab.get(key)?.frames[format.index()].as_ref()
    }

    /// Somebody will read a post in that format who was not there when it was published.
    pub(super) fn encode(&mut self, key: Key, format: Format) {
        let Some(post) = self.slab.get_mut(key) else {
            return;
        };
        let Some(kept) = &post.kept else {
            return;
        };
        let frame = &mut post.frames[format.index()];
        if frame.is_some() {
            return;
        }
        let name = kept.message.topics.iter().nth(post.number.into());
        let name = name.unwrap_or_default();
        let encoded = format.encode(&kept.message, name, &mut self.scratch);
        post.bytes += encoded.len();
        self.bytes += encoded.len();
        *frame = Some(encoded);
    }

    /// A ring's readers have a post before them.
    pub(super) fn wait(&mut self, key: Key) {
        if let Some(post) = self.slab.get_mut(key) {
            post.waits += 1;
        }
    }

    /// All readers of a ring have passed a post. Its frames go with the last of them; the post too,
    /// unless it is kept.
    pub(super) fn passed(&mut self, key: Key) {
        let Some(post) = self.slab.get_mut(key) else {
            return;
        };
        post.waits -= 1;
        if post.waits > 0 {
            return;
        }
        if post.kept.is_none() {
            self.remove(key);
            return;
        }
        let mut bytes = 0;
        for frame in &mut post.frames {
            bytes += frame.take().map_or(0, |frame| frame.len());
        }
        post.bytes -= bytes;
        self.bytes -= bytes;
    }

    fn remove(&mut self, key: Key) {
        if let Some(post) = self.slab.remove(key) {
            self.bytes -= post.bytes;
        }
    }
}

fn lists(ages: Vec<Duration>) -> Box<[List]> {
    let empty = |age| List {
        age,
        oldest: None,
        newest: None,
    };
    ages.into_iter().map(empty).collect()
}

/// The backlog's side.
impl Posts {
    /// The newest post of a topic becomes part of its backlog.
    pub(super) fn keep(&mut self, key: Key, message: &Arc<Message>, topic: Key, until: Until) {
        let Some(post) = self.slab.get_mut(key) else {
            return;
        };
        post.bytes += message.bytes();
        self.bytes += message.bytes();
        post.kept = Some(Kept {
            message: Arc::clone(message),
            topic,
            until: until.at,
            list: 0,
            older: None,
            newer: None,
        });
        self.enlist(key, until.age);
    }

    /// Puts a kept post at the end of the list of those that are kept as long.
    fn enlist(&mut self, key: Key, age: Duration) {
        let found = self.lists.binary_search_by(|list| list.age.cmp(&age));
        // The ages are those of the settings, of which this is one.
        let number = found.unwrap_or_else(|near| near.min(self.lists.len() - 1));
        let list = &mut self.lists[number];
        let older = list.newest.replace(key);
        if older.is_none() {
            list.oldest = Some(key);
        }
        if let Some(Post { kept: Some(it), .. }) = older.and_then(|it| self.slab.get_mut(it)) {
            it.newer = Some(key);
        }
        if let Some(Post { kept: Some(it), .. }) = self.slab.get_mut(key) {
            (it.list, it.older, it.newer) = (number, older, None);
        }
    }

    /// All are kept for other times from now on, each as long as its topic's are.
    pub(super) fn regroup(&mut self, ages: Vec<Duration>, age_of: impl Fn(Key) -> Duration) {
        let was = std::mem::replace(&mut self.lists, lists(ages));
        let kept = self.slab.iter().filter(|(_, post)| post.kept.is_some());
        let mut kept: Vec<_> = kept.map(|(key, it)| (it.id, it.number, key)).collect();
        kept.sort_unstable();
        for (_, _, key) in kept {
            let Some(Post { kept: Some(it), .. }) = self.slab.get_mut(key) else {
                continue;
            };
            let (old, new) = (was[it.list].age, age_of(it.topic));
            it.until = Mono((it.until + new).0.saturating_sub(micros(old)));
            self.enlist(key, new);
        }
    }

    /// The post is part of a backlog no more. It goes, if nobody reads it. Gives its message.
    pub(super) fn forget(&mut self, key: Key) -> Option<Arc<Message>> {
        let post = self.slab.get_mut(key)?;
        let kept = post.kept.take()?;
        let bytes = kept.message.bytes();
        post.bytes -= bytes;
        self.bytes -= bytes;
        if post.waits == 0 {
            self.remove(key);
        }
        match kept.older.and_then(|older| self.slab.get_mut(older)) {
            Some(Post { kept: Some(it), .. }) => it.newer = kept.newer,
            _ => self.lists[kept.list].oldest = kept.newer,
        }
        match kept.newer.and_then(|newer| self.slab.get_mut(newer)) {
            Some(Post { kept: Some(it), .. }) => it.older = kept.older,
            _ => self.lists[kept.list].newest = kept.older,
        }
        Some(kept.message)
    }

    /// The topic of the post that is too old first, and when it is.
    pub(super) fn oldest(&self) -> Option<(Key, Mono)> {
        let oldest = self.lists.iter().filter_map(|list| {
            let kept = self.slab.get(list.oldest?)?.kept.as_ref()?;
            Some((kept.topic, kept.until))
        });
        oldest.min_by_key(|(_, until)| *until)
    }

    /// A kept post's message.
    pub(super) fn message(&self, key: Key) -> Option<&Arc<Message>> {
        Some(&self.slab.get(key)?.kept.as_ref()?.message)
    }

    /// Sweeps the accounts: every post by key, with how many rings wait for it and whether a
    /// backlog has it, must be as the rings say. Gives the bytes of all posts.
    pub(super) fn check(&self, known: impl Fn(Key) -> (u32, bool)) -> usize {
        let mut sum = 0;
        for (key, post) in self.slab.iter() {
            assert_eq!(known(key), (post.waits, post.kept.is_some()), "{key:?}");
            assert!(post.waits > 0 || post.kept.is_some(), "nobody's post");
            let frames = post.frames.iter().flatten();
            assert!(post.waits > 0 || frames.clone().count() == 0, "idle frames");
            let message = post.kept.as_ref().map_or(0, |it| it.message.bytes());
            let bytes = POST_BYTES + frames.map(|it| it.len()).sum::<usize>() + message;
            assert_eq!(bytes, post.bytes, "a post's bytes are miscounted");
            sum += bytes;
        }
        let mut listed = 0;
        for list in &self.lists {
            let (mut at, mut last) = (list.oldest, None);
            while let Some(key) = at {
                let kept = self.slab.get(key).and_then(|post| post.kept.as_ref());
                assert_eq!(kept.and_then(|it| it.older), last, "the list of the kept");
                (last, at) = (at, kept.and_then(|it| it.newer));
                listed += 1;
            }
            assert_eq!(list.newest, last, "the end of the list of the kept");
        }
        let kept = self.slab.iter().filter(|(_, post)| post.kept.is_some());
        assert_eq!(kept.count(), listed, "kept but not listed");
        sum
    }
}
