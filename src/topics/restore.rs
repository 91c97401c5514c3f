//! What topics keep over a restart: messages come back out of the store as if they were published
//! again, to nobody; what was deleted stays deleted. Nothing is encoded, and nobody is woken.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::Topics;
use crate::base::time::{Mono, Now, Wall, micros};
use crate::model::record::Table;
use crate::model::{Message, MessageId};
use crate::port::{StoreOp, Turn};

/// Topics that were deleted within the age of a backlog, at most.
pub const DELETED_MAX: usize = 4_096;
/// What one of them costs besides its name, which is held twice.
const DELETED_BYTES: usize = 160;
/// What the key of such a fact begins with; others keep facts of topics in the same table.
const PREFIX: &[u8] = b"stream ";
/// The key of the fact up to where nothing comes back at all; it is the key of no topic.
const GONE: &[u8] = b"streams";
/// What the value of either begins with: the version of the form, and the name of the only field.
const VALUE: &[u8] = b"v=1&deleted=";
/// What the names of Hookah's own topics begin with: the store has nothing of them.
const OWN: &[u8] = b"$";

/// Topics that were deleted, as long as the store may still have what was published to them.
#[derive(Debug)]
pub(super) struct Deleted {
    /// The newest message that was deleted, and until when that matters.
    by_name: BTreeMap<Arc<[u8]>, (MessageId, Mono)>,
    /// The same in the order in which they cease to matter. An entry of another time means nothing.
    order: VecDeque<(Mono, Arc<[u8]>)>,
    /// The newest message that may have come to one of Hookah's own topics before the start.
    own: MessageId,
    /// The newest that was deleted so long ago that it is not held by name any more. Whatever is no
    /// newer was too old for every backlog then, and stays away though one may keep it longer now:
    /// the store may have it for as long as it likes.
    gone: MessageId,
    /// Whether it was said up to where the backlog that comes back may have gaps.
    told: bool,
}

impl Deleted {
    /// None. `own` is the newest message that there may have been before the start.
    pub(super) fn new(own: MessageId) -> Deleted {
        Deleted {
            by_name: BTreeMap::new(),
            order: VecDeque::new(),
            own,
            gone: MessageId::default(),
            told: false,
        }
    }

    /// The newest message of that topic that is known to be lost, whether the topic is here or not.
    pub(super) fn lost(&self, name: &[u8]) -> MessageId {
        let deleted = self.by_name.get(name).map(|(id, _)| *id);
        let own = name.starts_with(OWN).then_some(self.own);
        deleted.max(own).unwrap_or_default()
    }

    /// The same of all topics whose names begin so.
    pub(super) fn lost_below(&self, prefix: &[u8]) -> MessageId {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let below = self.by_name.range::<[u8], _>(from);
        let below = below.take_while(|(name, _)| name.starts_with(prefix));
        let deleted = below.map(|(_, (id, _))| *id).max();
        let may_be_own = prefix.is_empty() || prefix.starts_with(OWN);
        let own = may_be_own.then_some(self.own);
        deleted.max(own).unwrap_or_default()
    }

    /// Bytes on the account.
    pub(super) fn bytes(&self) -> usize {
        self.order.iter().map(|(_, name)| cost(name)).sum()
    }

    fn add(&mut self, name: &[u8], id: MessageId, until: Mono) -> usize {
        let name: Arc<[u8]> = name.into();
        self.order.push_back((until, Arc::clone(&name)));
        let bytes = cost(&name);
        self.by_name.insert(name, (id, until));
        bytes
    }

    /// What is kept from now on, is kept that much longer or less long.
    pub(super) fn regroup(&mut self, was: Duration, is: Duration) {
        let other = |until: Mono| Mono((until + is).0.saturating_sub(micros(was)));
        for (until, _) in &mut self.order {
            *until = other(*until);
        }
        for (_, until) in self.by_name.values_mut() {
            *until = other(*until);
        }
    }
}

fn cost(name: &[u8]) -> usize {
    DELETED_BYTES + 2 * name.len()
}

fn keep(turn: &mut Turn, key: Box<[u8]>, value: Option<Box<[u8]>>) {
    let table = Table::Topics;
    turn.hand(StoreOp::Keep { table, key, value });
}

fn value(id: MessageId) -> Option<Box<[u8]>> {
    Some([VALUE, &id.text()].concat().into())
}

fn key(name: &[u8]) -> Box<[u8]> {
    [PREFIX, name].concat().into()
}

impl Topics {
    /// A topic's messages are deleted, and must not come back after a restart.
    pub(super) fn delete(&mut self, turn: &mut Turn, name: &[u8]) {
        let until = turn.now.mono + self.settings.widest().age;
        self.posts.bytes += self.deleted.add(name, self.last, until);
        keep(turn, key(name), value(self.last));
    }

    /// Whether one more topic can be deleted.
    pub fn may_delete(&mut self, turn: &mut Turn) -> bool {
        self.purge(turn);
        self.deleted.order.len() < DELETED_MAX
    }

    /// What was deleted so long ago that it would be too old by now is not held by name any more.
    pub fn purge(&mut self, turn: &mut Turn) {
        while let Some((until, _)) = self.deleted.order.front()
            && *until <= turn.now.mono
        {
            let Some((until, name)) = self.deleted.order.pop_front() else {
                return;
            };
            self.posts.bytes -= cost(&name);
            let Some((id, last)) = self.deleted.by_name.get(&name).copied() else {
                continue;
            };
            // It may have been deleted once more.
            if last <= until {
                self.deleted.by_name.remove(&name);
                self.deleted.gone = self.deleted.gone.max(id);
                keep(turn, GONE.into(), value(self.deleted.gone));
                keep(turn, key(&name), None);
            }
        }
    }

    /// Of what was published before the start nothing is missing but messages up to this one.
    pub fn missing(&mut self, id: MessageId) {
        self.forgotten = id;
        self.deleted.told = true;
    }

    /// A fact of the time before the start: what was deleted. False if it is no such fact.
    pub fn recall(&mut self, now: Now, fact: &[u8], value: &[u8]) -> bool {
        let text = value.strip_prefix(VALUE).map(std::str::from_utf8);
        let id = text.and_then(|text| MessageId::parse(text.ok()?));
        if let (GONE, Some(id)) = (fact, id) {
            self.deleted.gone = self.deleted.gone.max(id);
            return true;
        }
        let (Some(name), Some(id)) = (fact.strip_prefix(PREFIX), id) else {
            return false;
        };
        // Its messages came no later than it did.
        let left = self.left(now, Wall((id.0 >> 80) as u64 * 1_000));
        self.posts.bytes += self.deleted.add(name, id, now.mono + left);
        true
    }

    /// A message of the time before the start, the oldest first, as it would have been kept.
    pub fn restore(&mut self, message: &Arc<Message>, now: Now) {
        if !self.deleted.told {
            // Nobody knows what there was before the first.
            let before = MessageId(message.id.0.saturating_sub(1));
            self.missing(before);
        }
        let left = self.left(now, message.accepted);
        if left.is_zero() || message.id <= self.deleted.gone {
            self.forgotten = self.forgotten.max(message.id);
            return;
        }
        let passed = now.wall.since(message.accepted);
        self.publish_aged(message, (now.mono, passed), |deleted, name| {
            let gone = deleted.by_name.get(name).map(|(id, _)| *id);
            gone.is_none_or(|gone| message.id > gone)
        });
        self.touched.clear();
        self.woken.clear();
    }

    /// How long something that came then may be kept yet, under any name.
    fn left(&self, now: Now, then: Wall) -> Duration {
        let age = now.wall.since(then);
        self.settings.widest().age.saturating_sub(age)
    }
}
