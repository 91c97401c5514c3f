//! Publishing: a message becomes a post under each of its topics, on the rings of all who read it.
//! It wakes nobody: it says which channels have something new.

use std::sync::Arc;
use std::time::Duration;

use super::Topics;
use super::channel::{Channel, Kind, Member};
use super::format::Format;
use super::post::{Encoded, Until};
use super::restore::Deleted;
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::model::Message;

/// How full a channel is, in percent of the nearer of its bounds, when its readers are looked at.
pub const WARNING_PERCENT: u32 = 60;

impl Topics {
    /// A message goes to all streams that read any of its topics. The channels that got it are
    /// `touched`, and those among them with readers wait in `next_woken`.
    pub fn publish(&mut self, message: &Arc<Message>, now: Mono) {
        self.publish_aged(message, (now, Duration::ZERO), |_, _| true);
    }

    /// The same of a message that is so old, for those of its topics that are `wanted`.
    pub(super) fn publish_aged(
        &mut self,
        message: &Arc<Message>,
        when: (Mono, Duration),
        wanted: impl Fn(&Deleted, &[u8]) -> bool,
    ) {
        self.last = self.last.max(message.id);
        self.touched.clear();
        let mut encoded = Encoded::default();
        for (number, name) in message.topics.iter().enumerate() {
            if wanted(&self.deleted, name) {
                self.publish_under((number, name), message, &mut encoded, when);
            }
        }
        self.make_room();
    }

    fn publish_under(
        &mut self,
        (number, name): (usize, &[u8]),
        message: &Arc<Message>,
        encoded: &mut Encoded,
        (now, passed): (Mono, Duration),
    ) {
        let keep = self.settings.keep_of(name);
        let left = keep.age.saturating_sub(passed);
        let keeps = keep.messages > 0 && message.bytes() <= keep.bytes && !left.is_zero();
        let topic = match keeps {
            true => self.topic(name),
            false => self.emptied(name),
        };
        let mut targets = std::mem::take(&mut self.targets);
        self.find_views(topic, name, message, &mut targets);
        let reads = |key: &Key| self.channels.get(*key).is_some_and(Channel::has_members);
        let own = topic.filter(|key| keeps || reads(key));
        targets.extend(own);
        if !targets.is_empty() {
            let formats = self.formats_of(&targets);
            let post = self.posts.insert(message, (number, name), formats, encoded);
            if let Some(post) = post {
                for target in &targets {
                    self.push(*target, post, keeps && own == Some(*target));
                }
            }
            if let (true, Some(topic), Some(post)) = (keeps, own, post) {
                let (at, age) = (now + left, keep.age);
                self.keep(topic, post, message, Until { at, age });
            }
        }
        if !keeps {
            self.miss(topic, message);
        }
        targets.clear();
        self.targets = targets;
    }

    /// Appends the views that a message goes to under this name, unless it is there already.
    fn find_views(
        &mut self,
        topic: Option<Key>,
        name: &[u8],
        message: &Message,
        found: &mut Vec<Key>,
    ) {
        if let Some(Kind::Topic { listed, .. }) = self.kind(topic) {
            found.extend(listed.iter().map(|listing| listing.view));
        }
        self.views.find(name, found);
        let (channels, views) = (&mut self.channels, &mut self.views);
        found.retain(|key| {
            let Some(channel) = channels.get_mut(*key) else {
                return false;
            };
            let Kind::View(view) = &channel.kind else {
                return false;
            };
            // Under a name that is listed twice, or under its second name, it comes no more.
            let fresh = channel.newest != message.id;
            let passes = fresh && view.filter.is_none_or(|it| views.lets_through(it, message));
            if passes {
                channel.newest = message.id;
            }
            passes
        });
    }

    fn kind(&self, key: Option<Key>) -> Option<&Kind> {
        Some(&self.channels.get(key?)?.kind)
    }

    /// The formats in which anybody reads these channels.
    fn formats_of(&self, channels: &[Key]) -> [bool; Format::COUNT] {
        let mut formats = [false; Format::COUNT];
        for channel in channels.iter().filter_map(|key| self.channels.get(*key)) {
            for (format, count) in formats.iter_mut().zip(channel.formats) {
                *format |= count > 0;
            }
        }
        formats
    }

    fn push(&mut self, key: Key, post: Key, keeps: bool) {
        let Some(channel) = self.channels.get_mut(key) else {
            return;
        };
        channel.push(&mut self.posts, post, keeps);
        if !channel.has_members() {
            return;
        }
        self.touched.push(key);
        if !std::mem::replace(&mut channel.woken, true) {
            self.woken.push_back(key);
        }
    }

    /// The topic of that name, if it is there, without its backlog: a message that is not kept
    /// would leave a gap behind it.
    fn emptied(&mut self, name: &[u8]) -> Option<Key> {
        let key = self.by_name.get(name).copied()?;
        self.forget_all(key);
        self.channels.contains(key).then_some(key)
    }

    /// A message was published that its topic does not keep.
    fn miss(&mut self, topic: Option<Key>, message: &Message) {
        let channel = topic.and_then(|key| self.channels.get_mut(key));
        match channel.map(|channel| &mut channel.kind) {
            Some(Kind::Topic { backlog, .. }) => backlog.lost = message.id,
            _ => self.forgotten = self.forgotten.max(message.id),
        }
    }

    /// The channels that the last message went to and that have readers, by number.
    #[must_use]
    pub fn touched(&self, number: usize) -> Option<Key> {
        self.touched.get(number).copied()
    }

    /// A channel whose readers have something new since they were last woken.
    pub fn next_woken(&mut self) -> Option<Key> {
        while let Some(key) = self.woken.pop_front() {
            if let Some(channel) = self.channels.get_mut(key) {
                channel.woken = false;
                return Some(key);
            }
        }
        None
    }

    /// Whether any channel's readers wait to be woken.
    #[must_use]
    pub fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    /// Whether the slowest readers of a channel have to give way, because it holds too much for
    /// them. Ask again after they have.
    #[must_use]
    pub fn over(&self, touched: Key) -> bool {
        // One message is always admitted, whatever its size.
        self.channels.get(touched).is_some_and(|channel| {
            channel.slow + 1 < channel.ring.end() && self.percent(channel, channel.slow) > 100
        })
    }

    /// The channel whose slowest readers have to give way, because all channels together hold too
    /// much and it holds the oldest. Looks at every channel then; ask once for each message, and
    /// again after they have.
    #[must_use]
    pub fn all_over(&self) -> Option<Key> {
        if !self.is_full() {
            return None;
        }
        // The newest message is always admitted; all that came before it may have to make room.
        let fronts = self.channels.iter().filter_map(|(key, channel)| {
            let front = channel.ring.get(channel.slow)?;
            let id = self.posts.get(front.post)?.id;
            (id < self.last).then_some((id, key))
        });
        fronts.min().map(|(_, key)| key)
    }

    /// The position of the slowest readers of a channel.
    #[must_use]
    pub fn slowest(&self, channel: Key) -> u64 {
        self.channels.get(channel).map_or(0, |it| it.slow)
    }

    /// Where a reader of a full channel finds some room again.
    #[must_use]
    pub fn relief(&self, channel: Key) -> u64 {
        let Some(channel) = self.channels.get(channel) else {
            return 0;
        };
        let (mut low, mut high) = (channel.slow + 1, channel.ring.end());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.percent(channel, middle) > RELIEF_PERCENT {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// How much of the nearer of its bounds a reader at that position uses, in percent.
    #[must_use]
    pub fn fullness(&self, channel: Key, at: u64) -> u32 {
        let channel = self.channels.get(channel);
        channel.map_or(0, |channel| self.percent(channel, at))
    }

    /// Whether the readers of a channel are to be looked at because some may have to be warned;
    /// once for each percent that it fills.
    pub fn may_warn(&mut self, key: Key) -> bool {
        let Some(channel) = self.channels.get(key).filter(|it| it.warners > 0) else {
            return false;
        };
        let percent = self.percent(channel, channel.slow);
        let Some(channel) = self.channels.get_mut(key) else {
            return false;
        };
        let looks = percent >= WARNING_PERCENT && percent > channel.looked;
        channel.looked = if percent < WARNING_PERCENT {
            0
        } else {
            percent
        };
        looks
    }

    fn percent(&self, channel: &Channel, at: u64) -> u32 {
        let (messages, bytes) = channel.behind(at);
        let (keep, (messages_given, bytes_given)) = match &channel.kind {
            Kind::View(view) => (self.settings.keep(), view.given),
            Kind::Topic { backlog, .. } => (backlog.keep, (0, 0)),
        };
        let messages_max = keep.behind_messages_max() + messages_given;
        let bytes_max = keep.behind_bytes_max() + bytes_given;
        // Rounded up: whoever is over a bound by one is over a hundred percent.
        let percent = (messages * 100)
            .div_ceil(messages_max)
            .max((bytes * 100).div_ceil(bytes_max));
        u32::try_from(percent).unwrap_or(u32::MAX)
    }
}

/// A reader that loses messages instead of its stream goes on so far from the bound.
const RELIEF_PERCENT: u32 = 75;

impl Channel {
    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }
}

/// A channel's streams.
impl Topics {
    /// How many streams read a channel.
    #[must_use]
    pub fn size(&self, channel: Key) -> usize {
        self.members(channel).len()
    }

    /// The lines of the streams that read a channel.
    pub fn lines(&self, channel: Key) -> impl Iterator<Item = Key> {
        self.members(channel).iter().map(|member| member.line)
    }

    /// The line of one of them.
    #[must_use]
    pub fn line(&self, channel: Key, place: usize) -> Option<Key> {
        Some(self.members(channel).get(place)?.line)
    }

    fn members(&self, channel: Key) -> &[Member] {
        self.channels.get(channel).map_or(&[], |it| &it.members)
    }
}
