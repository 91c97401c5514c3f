//! A channel: one ring of posts and the streams that read it, each at its own position.
//! It is the same for a topic and for a view, and never knows what was selected.

use super::backlog::Backlog;
use super::format::{Format, Framing, Style, payload};
use super::post::Posts;
use super::view::{Listing, View};
use crate::base::frame::Frame;
use crate::base::ring::Ring;
use crate::base::slab::Key;
use crate::model::MessageId;

/// What an entry costs, in a ring that doubles when it is full.
pub(super) const ENTRY_BYTES: usize = 2 * size_of::<Entry>();

/// A post in a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) post: Key,
    /// Members for whom it is the next.
    next_for: u32,
    /// The weights of all that came before it.
    before: u64,
}

/// A stream that reads a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) line: Key,
    pub(super) format: Format,
    pub(super) warns: bool,
}

/// What a channel is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A name, what is kept of it, and the views that list it.
    Topic {
        backlog: Backlog,
        listed: Vec<Listing>,
    },
    /// A selection that is more than one topic.
    View(Box<View>),
}

/// A ring and its readers.
///
/// ```text
///        kept           slow                         end
///  first  │              │                            │
///    ├────┴──────────────┴────────────────────────────┤
///         │◄─ backlog ───────────────────────────────►│   (a topic's; none of a view)
///                        │◄─ somebody has yet to pass ►│
/// ```
///
/// What is before both `kept` and `slow` is gone.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) ring: Ring<Entry>,
    /// The oldest that somebody has yet to pass; the end, if nobody has to.
    pub(super) slow: u64,
    /// The oldest of the backlog; the end, if there is none.
    pub(super) kept: u64,
    /// The weights of all that was ever pushed.
    total: u64,
    /// Members that have passed everything.
    up_to_date: u32,
    /// The percentage of a bound at which the members were last looked at.
    pub(super) looked: u32,
    /// Whether it is on the list of those whose members are to be woken.
    pub(super) woken: bool,
    /// The newest message that was pushed.
    pub(super) newest: MessageId,
    /// The streams; each knows its place in this list.
    pub(super) members: Vec<Member>,
    /// Members of each format.
    pub(super) formats: [u32; Format::COUNT],
    /// Members that want to be warned.
    pub(super) warners: u32,
    pub(super) kind: Kind,
}

impl Channel {
    pub(super) fn new(kind: Kind, bound: usize) -> Channel {
        Channel {
            ring: Ring::with_bound(bound),
            slow: 0,
            kept: 0,
            total: 0,
            up_to_date: 0,
            looked: 0,
            woken: false,
            newest: MessageId::default(),
            members: Vec::new(),
            formats: [0; Format::COUNT],
            warners: 0,
            kind,
        }
    }

    /// Appends a post. Those of its members that had passed everything have it before them now.
    pub(super) fn push(&mut self, posts: &mut Posts, post: Key, keeps: bool) {
        let Some((id, weight)) = posts.get(post).map(|it| (it.id, it.weight)) else {
            return;
        };
        let entry = Entry {
            post,
            next_for: std::mem::take(&mut self.up_to_date),
            before: self.total,
        };
        // The ring has room for more than its bounds let stand.
        if self.ring.push(entry).is_err() {
            debug_assert!(false, "a ring is full");
            return;
        }
        posts.bytes += ENTRY_BYTES;
        self.total += weight;
        self.newest = id;
        if self.members.is_empty() {
            self.slow = self.ring.end();
        } else {
            posts.wait(post);
        }
        if !keeps {
            self.kept = self.ring.end();
        }
    }

    /// A member sits down at a position that is in the ring, or at its end. Everything from there
    /// on will be read in its format.
    pub(super) fn sit(&mut self, posts: &mut Posts, member: Member, at: u64) -> usize {
        let place = self.members.len();
        self.members.push(member);
        self.formats[member.format.index()] += 1;
        self.warners += u32::from(member.warns);
        for position in at..self.ring.end() {
            let Some(entry) = self.ring.get(position) else {
                continue;
            };
            if position < self.slow {
                posts.wait(entry.post);
            }
            posts.encode(entry.post, member.format);
        }
        self.slow = self.slow.min(at);
        *self.standing(at) += 1;
        place
    }

    /// A member gets up from where it stands. Gives the member that took over its place.
    pub(super) fn get_up(&mut self, posts: &mut Posts, place: usize, at: u64) -> Option<Key> {
        if place >= self.members.len() {
            return None;
        }
        let member = self.members.swap_remove(place);
        self.formats[member.format.index()] -= 1;
        self.warners -= u32::from(member.warns);
        self.pass(posts, at, self.ring.end());
        self.up_to_date -= 1;
        self.members.get(place).map(|member| member.line)
    }

    /// A member moves from one position to another; what nobody waits for any more is let go.
    pub(super) fn pass(&mut self, posts: &mut Posts, from: u64, to: u64) {
        *self.standing(to) += 1;
        let left = self.standing(from);
        *left -= 1;
        if *left > 0 || from != self.slow {
            return;
        }
        while let Some(entry) = self.ring.get(self.slow)
            && entry.next_for == 0
        {
            posts.passed(entry.post);
            self.slow += 1;
        }
        self.trim(posts);
    }

    /// Lets go what is neither kept nor waited for.
    pub(super) fn trim(&mut self, posts: &mut Posts) {
        let needed = self.slow.min(self.kept);
        while self.ring.first() < needed && self.ring.pop_front().is_some() {
            posts.bytes -= ENTRY_BYTES;
        }
    }

    fn standing(&mut self, at: u64) -> &mut u32 {
        match self.ring.get_mut(at) {
            Some(entry) => &mut entry.next_for,
            None => &mut self.up_to_date,
        }
    }

    /// What a reader at that position is behind by: messages and bytes.
    pub(super) fn behind(&self, at: u64) -> (u64, u64) {
        let entry = self.ring.get(at);
        let bytes = entry.map_or(0, |entry| self.total - entry.before);
        (self.ring.end().saturating_sub(at), bytes)
    }

    /// The first position whose post is after that message.
    pub(super) fn after(&self, posts: &Posts, id: MessageId) -> u64 {
        let (mut low, mut high) = (self.ring.first(), self.ring.end());
        while low < high {
            let middle = low + (high - low) / 2;
            let post = self.ring.get(middle).and_then(|it| posts.get(it.post));
            match post.is_some_and(|post| post.id <= id) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// Whether there is no reason for it to be.
    pub(super) fn is_deserted(&self) -> bool {
        !self.is_read() && self.kept == self.ring.end()
    }

    /// Whether anybody reads it, alone or with others.
    pub(super) fn is_read(&self) -> bool {
        let listed = match &self.kind {
            Kind::Topic { listed, .. } => !listed.is_empty(),
            Kind::View(_) => false,
        };
        !self.members.is_empty() || listed
    }

    /// Sweeps what it knows of itself; gives for each post in its ring whether somebody waits for
    /// it and whether it is kept.
    pub(super) fn check(&self) -> impl Iterator<Item = (Key, bool, bool)> {
        let mut members = self.up_to_date;
        for (position, entry) in self.entries() {
            members += entry.next_for;
            assert!(entry.next_for == 0 || position >= self.slow, "behind slow");
        }
        assert_eq!(members as usize, self.members.len(), "a member is nowhere");
        let (first, end) = (self.ring.first(), self.ring.end());
        assert!((first..=end).contains(&self.slow) && (first..=end).contains(&self.kept));
        assert_eq!(first, self.slow.min(self.kept), "kept for nobody");
        if let Some(entry) = self.ring.get(self.slow) {
            assert!(entry.next_for > 0, "nobody is as slow as that");
        }
        assert_eq!(
            self.formats.iter().sum::<u32>() as usize,
            self.members.len()
        );
        let warners = self.members.iter().filter(|member| member.warns);
        assert_eq!(warners.count(), self.warners as usize);
        self.entries()
            .map(|(at, entry)| (entry.post, at >= self.slow, at >= self.kept))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> + Clone {
        (self.ring.first()..self.ring.end()).filter_map(|at| Some((at, self.ring.get(at)?)))
    }
}

/// A channel's frames as one reader gets them.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    pub(super) channel: Option<&'a Channel>,
    pub(super) posts: &'a Posts,
    pub(super) style: Style,
}

impl<'a> Feed<'a> {
    /// The position behind the newest frame.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.channel.map_or(0, |channel| channel.ring.end())
    }

    /// The frame at a position.
    #[must_use]
    pub fn frame(&self, at: u64) -> Option<&'a Frame> {
        let entry = self.channel?.ring.get(at)?;
        self.posts.frame(entry.post, self.style.format)
    }

    /// The id of the message at a position.
    #[must_use]
    pub fn id(&self, at: u64) -> Option<MessageId> {
        let entry = self.channel?.ring.get(at)?;
        Some(self.posts.get(entry.post)?.id)
    }

    /// What of a frame is sent.
    #[must_use]
    pub fn bytes<'f>(&self, frame: &'f Frame) -> &'f [u8] {
        match self.style.framing {
            Framing::Chunked => frame,
            Framing::Plain => payload(frame),
        }
    }
}

/// A channel while one of its readers moves on.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(super) channel: &'a mut Channel,
    pub(super) posts: &'a mut Posts,
}

impl Reading<'_> {
    /// Its frames.
    #[must_use]
    pub fn feed(&self, style: Style) -> Feed<'_> {
        Feed {
            channel: Some(self.channel),
            posts: self.posts,
            style,
        }
    }

    /// The reader has passed the posts from `from` up to, not including, `to`.
    pub fn passed(&mut self, from: u64, to: u64) {
        if from < to {
            self.channel.pass(self.posts, from, to);
        }
    }
}
