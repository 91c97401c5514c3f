//! What one subscriber waits for: one delivery on its way, the others behind it in their order.
//! It decides which delivery goes and which is called off, and carries out neither.

use std::collections::VecDeque;

use crate::base::slab::Key;

/// Why a delivery is called off: something newer says it all.
const SUPERSEDED: &str = "superseded";
/// Why a delivery is called off: too many came after it.
const BACKLOG_FULL: &str = "backlog_full";
/// Why a delivery is called off: nobody wants it any more.
const UNSUBSCRIBED: &str = "unsubscribed";

/// What is to be done with a delivery that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes out.
    Release(Key),
    /// It is called off, for that reason.
    Cancel(Key, &'static str),
}

/// A delivery, and whether it holds all there is to say of its topic.
#[derive(Clone, Copy, Debug)]
struct Item {
    delivery: Key,
    full: bool,
}

/// The delivery that was let go.
#[derive(Clone, Copy, Debug)]
struct Head {
    item: Item,
    /// An attempt has failed.
    failing: bool,
    /// It was called off; its end is to come.
    doomed: bool,
}

/// A subscription's deliveries.
#[derive(Debug, Default)]
pub(super) struct Queue {
    head: Option<Head>,
    waiting: VecDeque<Item>,
}

impl Queue {
    /// A delivery is ready. One with full content takes the place of those like it that wait, and
    /// of the one that is failing; others keep their order (hub.md C30). At most `max` wait behind
    /// the first: anybody may subscribe, so one subscriber that takes nothing must not keep the
    /// memory of a day's messages; who lags further loses the oldest, and stays subscribed (WebSub
    /// section 7).
    pub(super) fn offered(
        &mut self,
        (delivery, full): (Key, bool),
        max: usize,
        out: &mut VecDeque<Decision>,
    ) {
        if full {
            self.waiting.retain(|older| {
                if older.full {
                    out.push_back(Decision::Cancel(older.delivery, SUPERSEDED));
                }
                !older.full
            });
        }
        self.waiting.push_back(Item { delivery, full });
        self.supersede(out);
        self.next(out);
        if self.waiting.len() > max
            && let Some(oldest) = self.waiting.pop_front()
        {
            out.push_back(Decision::Cancel(oldest.delivery, BACKLOG_FULL));
        }
    }

    /// An attempt of the delivery has failed, and it will be tried again.
    pub(super) fn retrying(&mut self, delivery: Key, out: &mut VecDeque<Decision>) {
        if let Some(head) = &mut self.head
            && head.item.delivery == delivery
        {
            head.failing = true;
            self.supersede(out);
        }
    }

    /// The delivery has ended, however.
    pub(super) fn ended(&mut self, delivery: Key, out: &mut VecDeque<Decision>) {
        self.waiting.retain(|item| item.delivery != delivery);
        if self.head.is_some_and(|head| head.item.delivery == delivery) {
            self.head = None;
            self.next(out);
        }
    }

    /// Nobody wants any of it.
    pub(super) fn clear(&mut self, out: &mut VecDeque<Decision>) {
        let head = self.head.take().filter(|head| !head.doomed);
        let all = head.map(|head| head.item).into_iter();
        for item in all.chain(self.waiting.drain(..)) {
            out.push_back(Decision::Cancel(item.delivery, UNSUBSCRIBED));
        }
    }

    /// Deliveries that have not ended and are still wanted.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = Key> {
        let head = self.head.iter().filter(|head| !head.doomed);
        let all = head.map(|head| &head.item).chain(&self.waiting);
        all.map(|item| item.delivery)
    }

    /// Deliveries that have not ended.
    pub(super) fn len(&self) -> usize {
        usize::from(self.head.is_some()) + self.waiting.len()
    }

    fn next(&mut self, out: &mut VecDeque<Decision>) {
        if self.head.is_none()
            && let Some(item) = self.waiting.pop_front()
        {
            out.push_back(Decision::Release(item.delivery));
            self.head = Some(Head {
                item,
                failing: false,
                doomed: false,
            });
        }
    }

    /// What fails makes way for what is newer.
    fn supersede(&mut self, out: &mut VecDeque<Decision>) {
        let newer = self.waiting.iter().any(|item| item.full);
        if let Some(head) = &mut self.head
            && head.item.full
            && head.failing
            && !head.doomed
            && newer
        {
            head.doomed = true;
            out.push_back(Decision::Cancel(head.item.delivery, SUPERSEDED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decision::{Cancel, Release};
    use super::*;
    use crate::base::slab::Slab;

    fn keys() -> Vec<Key> {
        let mut slab = Slab::with_bound(4);
        (0..4).filter_map(|n| slab.insert(n).ok()).collect()
    }

    fn said(out: &mut VecDeque<Decision>) -> Vec<Decision> {
        out.drain(..).collect()
    }

    #[test]
    fn point_30_one_at_a_time_and_in_order() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        for key in &k[..3] {
            queue.offered((*key, false), 3, &mut out);
        }
        assert_eq!(said(&mut out), [Release(k[0])]);
        queue.retrying(k[0], &mut out);
        assert_eq!(said(&mut out), [], "none of them says it all");
        queue.ended(k[0], &mut out);
        queue.ended(k[1], &mut out);
        queue.ended(k[2], &mut out);
        assert_eq!(said(&mut out), [Release(k[1]), Release(k[2])]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn point_30_the_newest_content_replaces_what_waits() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        for key in &k[..3] {
            queue.offered((*key, true), 3, &mut out);
        }
        assert_eq!(said(&mut out), [Release(k[0]), Cancel(k[1], SUPERSEDED)]);
        queue.retrying(k[0], &mut out);
        assert_eq!(said(&mut out), [Cancel(k[0], SUPERSEDED)]);
        queue.retrying(k[0], &mut out);
        assert_eq!(said(&mut out), [], "once is enough");
        queue.ended(k[0], &mut out);
        assert_eq!(said(&mut out), [Release(k[2])]);
    }

    #[test]
    fn point_30_what_is_failing_makes_way_at_once() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        queue.offered((k[0], true), 3, &mut out);
        queue.retrying(k[0], &mut out);
        queue.offered((k[1], true), 3, &mut out);
        assert_eq!(said(&mut out), [Release(k[0]), Cancel(k[0], SUPERSEDED)]);
        queue.ended(k[0], &mut out);
        assert_eq!(said(&mut out), [Release(k[1])]);
    }

    #[test]
    fn what_goes_well_is_let_finish() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        queue.offered((k[0], true), 3, &mut out);
        queue.offered((k[1], true), 3, &mut out);
        assert_eq!(said(&mut out), [Release(k[0])]);
    }

    #[test]
    fn point_30_other_messages_keep_their_place_between_contents() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        queue.offered((k[0], true), 3, &mut out);
        queue.offered((k[1], false), 3, &mut out);
        queue.offered((k[2], true), 3, &mut out);
        queue.offered((k[3], true), 3, &mut out);
        assert_eq!(said(&mut out), [Release(k[0]), Cancel(k[2], SUPERSEDED)]);
        queue.ended(k[0], &mut out);
        queue.ended(k[1], &mut out);
        assert_eq!(said(&mut out), [Release(k[1]), Release(k[3])]);
    }

    #[test]
    fn who_lags_too_far_behind_loses_the_oldest() {
        let mut slab = Slab::with_bound(6);
        let keys: Vec<Key> = (0..6).filter_map(|n| slab.insert(n).ok()).collect();
        let (mut out, mut queue) = (VecDeque::new(), Queue::default());
        for key in &keys {
            queue.offered((*key, false), 3, &mut out);
        }
        let lost = |key| Cancel(key, BACKLOG_FULL);
        assert_eq!(
            said(&mut out),
            [Release(keys[0]), lost(keys[1]), lost(keys[2])]
        );
        assert_eq!(queue.len(), 4);
        queue.ended(keys[1], &mut out);
        queue.ended(keys[2], &mut out);
        queue.ended(keys[0], &mut out);
        assert_eq!(said(&mut out), [Release(keys[3])], "in order");
    }

    #[test]
    fn an_ended_subscription_calls_everything_off() {
        let (k, mut out, mut queue) = (keys(), VecDeque::new(), Queue::default());
        queue.offered((k[0], true), 3, &mut out);
        queue.offered((k[1], false), 3, &mut out);
        said(&mut out);
        queue.clear(&mut out);
        let all = [Cancel(k[0], UNSUBSCRIBED), Cancel(k[1], UNSUBSCRIBED)];
        assert_eq!(said(&mut out), all);
        queue.ended(k[0], &mut out);
        assert_eq!((said(&mut out), queue.len()), (vec![], 0));
    }
}
