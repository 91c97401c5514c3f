//! Which version of a topic its subscribers had, and what of a feed's next version they need
//! (hub.md C27). In any doubt that is all of it, for everybody.

use super::Hub;
use super::diff::{self, Diffed, Seen};
use super::fetch::Content;
use super::topic::Topic;
use crate::base::frame::Frame;
use crate::base::slab::Key;

/// Bytes of a feed that is looked into; a larger one goes out whole.
const FEED_BYTES_MAX: usize = 1 << 20;

/// Which of its topic's versions a subscription had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Had {
    /// The delivery that was offered last, and its version.
    offered: Option<(Key, u64)>,
    /// The version that was delivered last, 0 before the first.
    delivered: u64,
}

impl Had {
    /// That version of the topic is on its way.
    pub(super) fn offered(&mut self, delivery: Key, version: u64) {
        self.offered = Some((delivery, version));
    }

    /// The version that was delivered last, to be kept.
    pub(super) fn last(&self) -> u64 {
        self.delivered
    }

    /// That version was delivered before the restart.
    pub(super) fn restore(&mut self, delivered: u64) {
        self.delivered = delivered;
    }

    /// The subscriber took that delivery.
    pub(super) fn delivered(&mut self, delivery: Key) {
        if let Some((offered, version)) = self.offered
            && offered == delivery
        {
            self.delivered = version;
        }
    }
}

impl Hub {
    /// What of new content those need who had the version before it, if that is less than all; and
    /// what to remember of it. Nothing where the operator did not ask for that.
    pub(super) fn lessened(&self, topic: &Topic, content: &Content) -> (Option<Frame>, Seen) {
        let is_wanted = self
            .settings
            .diff
            .iter()
            .any(|rule| rule.admits(&topic.name));
        let is_legible = content.encoding.is_none() && content.body.len() <= FEED_BYTES_MAX;
        if !is_wanted || !is_legible {
            return (None, Seen::default());
        }
        let (diffed, seen) = diff::diff(&topic.seen, &content.body);
        let less = match diffed {
            Diffed::Full => None,
            Diffed::Less(bytes) => Some(Frame::copy_of(&bytes)),
        };
        (less, seen)
    }

    /// Whether the topic has subscribers, and each of them had its last version delivered. One that
    /// is new, that missed a version or that still waits for it gets all there is, and so does
    /// everybody with it: what is published is one message.
    pub(super) fn all_had_the_last(&self, topic: Key) -> bool {
        let Some(topic) = self.topics.get(topic) else {
            return false;
        };
        let found = topic
            .subscriptions
            .iter()
            .filter_map(|key| self.subscriptions.get(*key));
        let mut verified = found.filter(|it| it.state.terms().is_some()).peekable();
        verified.peek().is_some() && verified.all(|it| it.had.delivered == topic.version)
    }
}
