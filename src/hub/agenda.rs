//! What the hub has to look at, and when: a heap of times, of which one node of the wheel knows the
//! first. It does nothing by itself and knows no state.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::port::{Timer, Turn};

/// Entries that nobody waits for any more, besides as many as there are live ones.
const STALE_SPARE: usize = 64;

/// What has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A subscription: a lease, a renewal, a try, the end of somebody's patience.
    Subscription(Key),
    /// A topic: its next fetch.
    Topic(Key),
    /// A denial: its next try.
    Denial(Key),
}

/// The times. Whoever is due holds the time at which it `stands`; an entry of any other time is
/// stale and means nothing, so that nothing is ever searched for.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(Mono, Due)>>,
    /// The node of the wheel, and the time that it stands for.
    node: Option<(Key, Mono)>,
}

impl Agenda {
    /// `due` is to be looked at `at`, unless it `stands` for an earlier look, where the next one
    /// is asked for.
    pub(super) fn stand(&mut self, turn: &mut Turn, stands: &mut Mono, at: Mono, due: Due) {
        if at >= *stands {
            return;
        }
        *stands = at;
        self.heap.push(Reverse((at, due)));
        match self.node {
            Some((_, fires)) if fires <= at => {}
            Some((node, _)) => {
                turn.wheel.rearm(node, at);
                self.node = Some((node, at));
            }
            None => self.watch(turn),
        }
    }

    /// The node has fired.
    pub(super) fn fired(&mut self) {
        self.node = None;
    }

    /// The next entry whose time has come; the time tells whether it is stale.
    pub(super) fn pop(&mut self, now: Mono) -> Option<(Mono, Due)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The node stands at the first entry, or there is none.
    pub(super) fn watch(&mut self, turn: &mut Turn) {
        let first = self.heap.peek().map(|Reverse((at, _))| *at);
        match (first, self.node) {
            (Some(at), None) => {
                // What is overdue waits for the next turn: this one has done its share.
                let fires = at.max(Mono(turn.now.mono.0.saturating_add(1)));
                self.node = turn.wheel.arm(fires, Timer::Hub).map(|node| (node, at));
            }
            (None, Some((node, _))) => {
                turn.wheel.cancel(node);
                self.node = None;
            }
            _ => {}
        }
    }

    /// Throws stale entries away once there are more of them than live ones.
    pub(super) fn tidy(&mut self, live: usize, is_live: impl Fn(Mono, Due) -> bool) {
        if self.heap.len() > 2 * live + STALE_SPARE || live == 0 {
            self.heap.retain(|Reverse((at, due))| is_live(*at, *due));
        }
    }

    /// Panics unless every live entry is there once and the node is not late.
    pub(super) fn check(&self, live: usize, is_live: impl Fn(Mono, Due) -> bool) {
        let mut found: Vec<(Mono, Due)> = self
            .heap
            .iter()
            .map(|Reverse(entry)| *entry)
            .filter(|(at, due)| is_live(*at, *due))
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), live, "the agenda lacks somebody who stands");
        if let Some(Reverse((first, _))) = self.heap.peek() {
            let fires = self.node.map_or(Mono::NEVER, |(_, fires)| fires);
            assert!(fires <= *first, "the hub's node is late");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slab::Slab;
    use crate::hub::tests::turn;

    #[test]
    fn the_node_stands_at_the_first_and_later_entries_wait() {
        let mut turn = turn();
        let mut slab = Slab::with_bound(2);
        let keys: Vec<Key> = (0..2).filter_map(|n| slab.insert(n).ok()).collect();
        let mut agenda = Agenda::default();
        let (mut first, mut second) = (Mono::NEVER, Mono::NEVER);
        let due = Due::Subscription;
        agenda.stand(&mut turn, &mut first, Mono(1_009_000), due(keys[0]));
        agenda.stand(&mut turn, &mut second, Mono(1_005_000), due(keys[1]));
        agenda.stand(&mut turn, &mut second, Mono(1_007_000), due(keys[1]));
        assert_eq!((first, second), (Mono(1_009_000), Mono(1_005_000)));
        assert_eq!(turn.wheel.next_wake(), Some(Mono(1_005_000)));
        assert_eq!(agenda.pop(Mono(1_004_999)), None);
        assert_eq!(
            agenda.pop(Mono(1_005_000)),
            Some((Mono(1_005_000), due(keys[1])))
        );
        assert_eq!(agenda.pop(Mono(1_005_000)), None);
        assert_eq!(turn.wheel.len(), 1, "one node for all of them");
    }

    #[test]
    fn stale_entries_are_thrown_away_in_time() {
        let mut turn = turn();
        let key = Slab::with_bound(1).insert(0).unwrap();
        let mut agenda = Agenda::default();
        let mut stands = Mono::NEVER;
        for at in (0..1_000).rev() {
            agenda.stand(&mut turn, &mut stands, Mono(at), Due::Topic(key));
            agenda.tidy(1, |at, _| at == stands);
        }
        assert!(
            agenda.heap.len() <= 2 + STALE_SPARE,
            "{}",
            agenda.heap.len()
        );
        agenda.check(1, |at, _| at == stands);
    }
}
