//! Deliveries in memory that are due too far ahead for the wheel, ordered by their due time.
//! It keeps the wheel bounded by configuration and not by the backlog; it arms nothing itself.

use std::collections::BTreeSet;

use crate::base::slab::Key;
use crate::base::time::Mono;

/// Due times and their deliveries; a delivery stands here at most once.
#[derive(Debug, Default)]
pub(super) struct Far {
    entries: BTreeSet<(Mono, Key)>,
}

impl Far {
    pub(super) fn push(&mut self, due: Mono, delivery: Key) {
        self.entries.insert((due, delivery));
    }

    /// The earliest, if it is due before `horizon`.
    pub(super) fn pop_before(&mut self, horizon: Mono) -> Option<(Mono, Key)> {
        self.first_due().filter(|due| *due < horizon)?;
        self.entries.pop_first()
    }

    /// The earliest due time.
    pub(super) fn first_due(&self) -> Option<Mono> {
        self.entries.first().map(|(due, _)| *due)
    }

    /// A delivery that stands here has ended.
    pub(super) fn remove(&mut self, due: Mono, delivery: Key) {
        self.entries.remove(&(due, delivery));
    }

    /// Deliveries that stand here.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slab::Slab;

    #[test]
    fn gives_what_is_near_in_order_and_keeps_the_rest() {
        let mut slab = Slab::with_bound(4);
        let keys: Vec<Key> = (0..4).filter_map(|n| slab.insert(n).ok()).collect();
        let mut far = Far::default();
        for (due, key) in [(30, keys[0]), (10, keys[1]), (20, keys[2]), (5, keys[3])] {
            far.push(Mono(due), key);
        }
        far.remove(Mono(5), keys[3]);
        assert_eq!(far.first_due(), Some(Mono(10)));
        assert_eq!(far.pop_before(Mono(21)), Some((Mono(10), keys[1])));
        assert_eq!(far.pop_before(Mono(21)), Some((Mono(20), keys[2])));
        assert_eq!(far.pop_before(Mono(21)), None);
        assert_eq!(far.len(), 1);
    }
}
