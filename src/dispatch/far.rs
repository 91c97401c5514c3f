//! Deliveries that are due too far ahead for the wheel, ordered by their due time.
//! It keeps the wheel bounded by configuration and not by the backlog; it arms nothing itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::Mono;

/// What is due within this time stands in the wheel, if there is room.
pub(super) const HORIZON: Duration = Duration::from_secs(60);

/// Due times and their deliveries; a delivery stands here at most once.
#[derive(Debug, Default)]
pub(super) struct Far {
    heap: BinaryHeap<Reverse<(Mono, Key)>>,
    /// Entries whose delivery has ended before it was due; less than half of all.
    gone: usize,
}

impl Far {
    pub(super) fn push(&mut self, due: Mono, delivery: Key) {
        self.heap.push(Reverse((due, delivery)));
    }

    /// The earliest, if it is due before `horizon`.
    pub(super) fn pop_before(&mut self, horizon: Mono) -> Option<(Mono, Key)> {
        let Reverse((due, _)) = self.heap.peek()?;
        if *due >= horizon {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The earliest due time.
    pub(super) fn first_due(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// A delivery that stands here has ended. Its entry stays until it comes out, or until half of
    /// them are such: then all of those go.
    pub(super) fn forget(&mut self, is_alive: impl Fn(Key) -> bool) {
        self.gone += 1;
        if self.gone * 2 >= self.heap.len() {
            self.heap.retain(|Reverse((_, key))| is_alive(*key));
            self.gone = 0;
        }
    }

    /// What has just come out was the entry of a delivery that has ended.
    pub(super) fn forgotten(&mut self) {
        self.gone = self.gone.saturating_sub(1);
    }

    /// Deliveries that stand here.
    pub(super) fn len(&self) -> usize {
        self.heap.len() - self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slab::Slab;

    #[test]
    fn gives_what_is_near_in_order_and_keeps_the_rest() {
        let mut slab = Slab::with_bound(3);
        let keys: Vec<Key> = (0..3).filter_map(|n| slab.insert(n).ok()).collect();
        let mut far = Far::default();
        for (due, key) in [(30, keys[0]), (10, keys[1]), (20, keys[2])] {
            far.push(Mono(due), key);
        }
        assert_eq!(far.first_due(), Some(Mono(10)));
        assert_eq!(far.pop_before(Mono(21)), Some((Mono(10), keys[1])));
        assert_eq!(far.pop_before(Mono(21)), Some((Mono(20), keys[2])));
        assert_eq!(far.pop_before(Mono(21)), None);
        assert_eq!(far.len(), 1);
    }
}
