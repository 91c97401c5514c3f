//! Joining: a stream gets its seat, and what it missed is before it, in one step, so that nothing
//! falls between what is kept and what comes.

use std::ops::Bound;

use super::Topics;
use super::channel::{Kind, Member};
use super::format::Resume;
use super::view::OWN;
use super::wish::{Cursor, Selection, Wish};
use crate::base::slab::Key;
use crate::model::MessageId;

/// Messages that a stream of more than one topic is given to begin with, at most.
pub(super) const REPLAY_MESSAGES_MAX: usize = 10_000;
/// Bytes of these.
const REPLAY_BYTES_MAX: u64 = 8 << 20;

/// A stream's seat in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The channel.
    pub channel: Key,
    /// Its place in the channel's list.
    pub place: usize,
    /// The position of the first frame it will get.
    pub at: u64,
}

/// What came of joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The seat.
    pub seat: Seat,
    /// How its cursor was met, if it had one.
    pub resume: Option<Resume>,
    /// Messages that are missing behind the cursor, if there are any and their number is known.
    pub missing: Option<u64>,
    /// The position behind what is kept.
    pub end: u64,
}

/// Where a stream begins, and what became of its cursor.
#[derive(Clone, Copy)]
struct Beginning {
    channel: Key,
    at: u64,
    resume: Option<Resume>,
    missing: Option<u64>,
}

/// A post that is to be replayed: its id, which of the message's topics it is under, its weight.
type Replayed = (MessageId, u16, Key, u64);

impl Topics {
    /// A stream joins, on that line. `None` if there is no place.
    pub fn join(&mut self, wish: &Wish, line: Key) -> Option<Joined> {
        let begins = match wish.selection.plain() {
            Some(name) => self.begin_topic(name, wish.cursor)?,
            None => self.begin_view(&wish.selection, wish.cursor)?,
        };
        let Beginning {
            channel: key, at, ..
        } = begins;
        self.begin_reading(key);
        let channel = self.channels.get_mut(key)?;
        let member = Member {
            line,
            format: wish.style.format,
            warns: wish.stall_warnings,
        };
        let place = channel.sit(&mut self.posts, member, at);
        let end = channel.ring.end();
        self.streams += 1;
        self.make_room();
        Some(Joined {
            seat: Seat {
                channel: key,
                place,
                at,
            },
            resume: begins.resume,
            missing: begins.missing,
            end,
        })
    }

    /// A stream leaves: what it has not passed waits for it no longer. Gives the stream that took
    /// over its place in the list, if one did; it must be told.
    pub fn leave(&mut self, seat: Seat) -> Option<Key> {
        let channel = self.channels.get_mut(seat.channel)?;
        let count = channel.members.len();
        let moved = channel.get_up(&mut self.posts, seat.place, seat.at);
        self.streams -= count - channel.members.len();
        match channel.kind {
            Kind::Topic { .. } => {
                if count > channel.members.len() {
                    self.end_reading(seat.channel);
                }
                self.desert(seat.channel);
            }
            Kind::View(_) => self.dissolve(seat.channel),
        }
        moved
    }

    fn begin_topic(&mut self, name: &[u8], cursor: Cursor) -> Option<Beginning> {
        let key = self.topic(name)?;
        let channel = self.channels.get(key)?;
        let Kind::Topic { backlog, .. } = &channel.kind else {
            return None;
        };
        let (kept, end) = (channel.kept, channel.ring.end());
        let mut begins = Beginning {
            channel: key,
            at: end,
            resume: Some(Resume::New),
            missing: None,
        };
        match cursor {
            Cursor::Now => begins.resume = None,
            Cursor::All => begins.at = kept,
            Cursor::Last(count) => begins.at = end.saturating_sub(count.into()).max(kept),
            Cursor::After(_) | Cursor::Since(_) => {
                let id = floor(cursor);
                let after = channel.after(&self.posts, id);
                begins.at = after.max(kept);
                begins.resume = Some(resumed(backlog.lost, id));
                // What was sent to somebody slow stands there without being kept.
                let known = after > channel.ring.first() && after < kept;
                begins.missing = known.then(|| kept - after);
            }
        }
        Some(begins)
    }

    /// Streams with equal selections share a view, unless they have something to catch up on.
    fn begin_view(&mut self, selection: &Selection, cursor: Cursor) -> Option<Beginning> {
        let (mut replayed, mut resume, mut missing) = (Vec::new(), None, None);
        if cursor != Cursor::Now {
            let lost = self.merge(selection, cursor, &mut replayed);
            resume = Some(match cursor {
                Cursor::After(_) | Cursor::Since(_) => resumed(lost, floor(cursor)),
                _ => Resume::New,
            });
            let cut = cut(&mut replayed, cursor);
            if cut > 0 {
                let complete = resume != Some(Resume::Reset);
                (resume, missing) = (Some(Resume::Reset), complete.then_some(cut));
            }
        }
        let channel = match replayed.is_empty() {
            true => self.shared_view(selection)?,
            false => self.view(selection)?,
        };
        let at = self.channels.get(channel)?.ring.end();
        self.give(channel, &replayed);
        Some(Beginning {
            channel,
            at,
            resume,
            missing,
        })
    }

    /// Puts what a view's one reader has missed on its ring, before anything else comes there.
    fn give(&mut self, key: Key, replayed: &[Replayed]) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        for (_, _, post, weight) in replayed {
            channel.push(&mut self.posts, *post, false);
            if let Kind::View(view) = &mut channel.kind {
                view.given.0 += 1;
                view.given.1 += weight;
            }
        }
    }

    /// Gathers what the selected topics keep behind a cursor, in the order of publishing, each
    /// message once. Gives the newest message that may have been lost.
    fn merge(
        &mut self,
        selection: &Selection,
        cursor: Cursor,
        replayed: &mut Vec<Replayed>,
    ) -> MessageId {
        let (topics, mut lost) = self.selected(selection);
        for key in topics {
            let Some(channel) = self.channels.get(key) else {
                continue;
            };
            if let Kind::Topic { backlog, .. } = &channel.kind {
                lost = lost.max(backlog.lost);
            }
            let start = channel.after(&self.posts, floor(cursor)).max(channel.kept);
            for position in start..channel.ring.end() {
                let entry = channel.ring.get(position);
                let post = entry.and_then(|it| Some((it.post, self.posts.get(it.post)?)));
                replayed.extend(post.map(|(key, it)| (it.id, it.number, key, it.weight)));
            }
        }
        replayed.sort_unstable();
        replayed.dedup_by_key(|(id, ..)| *id);
        if let Some(filter) = &selection.filter {
            replayed.retain(|(_, _, key, _)| {
                let message = self.posts.message(*key);
                message.is_some_and(|message| filter.lets_through(message))
            });
        }
        lost
    }

    /// The topics of a selection that are here, and the newest message that any of the others may
    /// have had.
    fn selected(&self, selection: &Selection) -> (Vec<Key>, MessageId) {
        let (mut topics, mut lost) = (Vec::new(), MessageId::default());
        for name in &selection.topics {
            match self.by_name.get(&**name) {
                Some(key) => topics.push(*key),
                None => {
                    let unknown = self.forgotten.max(self.deleted.lost(name));
                    lost = lost.max(unknown);
                }
            }
        }
        for prefix in &selection.prefixes {
            let unknown = self.forgotten.max(self.deleted.lost_below(prefix));
            lost = lost.max(unknown);
            let from = (Bound::Included(&**prefix), Bound::Unbounded);
            let named = self.by_order.range::<[u8], _>(from);
            let named = named.take_while(|(name, _)| name.starts_with(prefix));
            let all = prefix.is_empty();
            let named = named.filter(|(name, _)| !(all && name.starts_with(OWN)));
            topics.extend(named.map(|(_, key)| *key));
        }
        topics.sort_unstable();
        topics.dedup();
        (topics, lost)
    }
}

/// The greatest id that a cursor has behind it.
fn floor(cursor: Cursor) -> MessageId {
    match cursor {
        Cursor::After(id) => id,
        Cursor::Since(time) => MessageId::before(time),
        Cursor::Now | Cursor::Last(_) | Cursor::All => MessageId::default(),
    }
}

fn resumed(lost: MessageId, cursor: MessageId) -> Resume {
    match lost <= cursor {
        true => Resume::Continue,
        false => Resume::Reset,
    }
}

/// Leaves what a new stream may be given: the newest that were asked for, within the bounds. How
/// many had to be left out.
fn cut(replayed: &mut Vec<Replayed>, cursor: Cursor) -> u64 {
    if let Cursor::Last(count) = cursor {
        let surplus = replayed.len().saturating_sub(count as usize);
        replayed.drain(..surplus);
    }
    let mut bytes = 0;
    let fits = |(_, _, _, weight): &&Replayed| {
        bytes += weight;
        bytes <= REPLAY_BYTES_MAX
    };
    let fitting = replayed.iter().rev().take(REPLAY_MESSAGES_MAX);
    let fitting = fitting.take_while(fits).count();
    let surplus = replayed.len() - fitting;
    replayed.drain(..surplus);
    surplus as u64
}
