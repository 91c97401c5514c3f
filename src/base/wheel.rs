//! The hierarchical, hashed timer wheel: every deadline of the process stands here.
//! It reads no clock, calls nobody back and never fires early; whoever pops says what time it is.
//!
//! A tick is a millisecond. A tick's number is read in base 64: an entry stands on the level of the
//! highest digit in which its tick differs from the wheel's own, in the slot of that digit. So all
//! entries of a level come before all those of the levels above, the slots of a level are in order,
//! and the earliest entry is found with a look at the occupancy words. When the wheel's tick enters
//! a slot above the lowest level, the slot's entries move to where they belong now, in their order:
//!
//! ```text
//! level 2   a slot = 4,096 ticks   . . # . . . # .
//! level 1   a slot =    64 ticks   . . . . # # . .   entered: its entries move down
//! level 0   a slot =     1 tick    . # . . . # . .   entered: its entries fire
//! ```
//!
//! Ten levels span all of `Mono`, so that no time lies beyond the wheel and nothing needs clamping.

use crate::base::slab::{Key, Slab};
use crate::base::time::Mono;

/// Microseconds of a tick.
const TICK_MICROS: u64 = 1_000;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// The greatest tick, of `Mono::NEVER`, has 55 bits.
const LEVELS: usize = 10;

/// Deadlines with an owner each, at most as many as the bound given at the start. All memory is
/// reserved at the start; nothing allocates afterwards.
///
/// An entry fires at the first pop at or after its time rounded up to the tick: never early, at
/// most one tick late. Entries fire in order of tick, and within a tick in the order in which they
/// were armed.
#[derive(Debug)]
pub struct Wheel<T> {
    nodes: Slab<Node<T>>,
    /// The slots' lists, level by level.
    lists: Box<[List]>,
    /// Bit s of word l: slot s of level l has entries.
    occupied: [u64; LEVELS],
    /// The wheel's own tick: nothing is armed before it, and everything before it has fired.
    elapsed: u64,
}

#[derive(Debug)]
struct Node<T> {
    tick: u64,
    prev: Option<Key>,
    next: Option<Key>,
    /// Where it stands in `lists`.
    place: usize,
    owner: T,
}

#[derive(Clone, Copy, Debug, Default)]
struct List {
    head: Option<Key>,
    tail: Option<Key>,
}

impl<T: Copy> Wheel<T> {
    /// Bytes that each entry there may be takes, used or not.
    pub const NODE_BYTES: usize = size_of::<Node<T>>() + size_of::<u64>();

    /// An empty wheel for at most `bound` entries, whose first tick is that of `start`.
    #[must_use]
    pub fn with_bound(bound: usize, start: Mono) -> Self {
        Wheel {
            nodes: Slab::reserved(bound),
            lists: vec![List::default(); LEVELS * SLOTS].into_boxed_slice(),
            occupied: [0; LEVELS],
            elapsed: start.0 / TICK_MICROS,
        }
    }

    /// Arms an entry that fires at `at`; `None` when the bound is reached. One whose tick has
    /// passed fires at the next pop. O(1).
    pub fn arm(&mut self, at: Mono, owner: T) -> Option<Key> {
        let node = Node {
            tick: self.tick_of(at),
            prev: None,
            next: None,
            place: 0,
            owner,
        };
        let id = self.nodes.insert(node).ok()?;
        self.link(id);
        Some(id)
    }

    /// Moves an entry to `at`, as if it were armed now; within the same tick it keeps its turn.
    /// False if it has fired or was cancelled. O(1).
    pub fn rearm(&mut self, id: Key, at: Mono) -> bool {
        let tick = self.tick_of(at);
        let Some(node) = self.nodes.get(id) else {
            return false;
        };
        if node.tick == tick {
            return true;
        }
        self.unlink(id);
        if let Some(node) = self.nodes.get_mut(id) {
            node.tick = tick;
        }
        self.link(id);
        true
    }

    /// Takes an entry out and gives its owner back; `None` if it has fired or was cancelled. O(1).
    pub fn cancel(&mut self, id: Key) -> Option<T> {
        self.unlink(id);
        self.nodes.remove(id).map(|node| node.owner)
    }

    /// The owner of the next entry that is due at `now`; the entry is gone. Call until `None`, or
    /// until enough: what is left fires later in the same order.
    ///
    /// A jump costs by the occupied slots it passes, whatever its length. Entering a slot above the
    /// lowest level moves its entries down, each at most once a level in its life.
    pub fn pop(&mut self, now: Mono) -> Option<T> {
        let now = now.0 / TICK_MICROS;
        while let Some((place, start)) = self.earliest()
            && start <= now
        {
            debug_assert!(start >= self.elapsed, "slot {place} was passed");
            self.elapsed = start;
            if place >= SLOTS {
                self.cascade(place);
            } else if let Some(id) = self.lists[place].head {
                return self.cancel(id);
            }
        }
        // No occupied slot begins at or before `now`, so that no entry changes its place by this.
        self.elapsed = self.elapsed.max(now);
        None
    }

    /// When to pop next: the time of the earliest entry, or of the slot it has to be moved out of,
    /// which may be earlier but is never later. A time in the past means at once; `None` that there
    /// is nothing to wait for.
    #[must_use]
    pub fn next_wake(&self) -> Option<Mono> {
        let (_, start) = self.earliest()?;
        // The tick after the last whole one never comes.
        start.checked_mul(TICK_MICROS).map(Mono)
    }

    /// How many entries are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Sweeps all invariants; panics with what is wrong. For tests and the simulator.
    pub fn check(&self) {
        let mut linked = 0;
        for (place, list) in self.lists.iter().enumerate() {
            let bit = self.occupied[place / SLOTS] >> (place % SLOTS) & 1;
            assert_eq!(bit == 1, list.head.is_some(), "occupancy of {place}");
            let (mut prev, mut next) = (None, list.head);
            while let Some(id) = next {
                let node = self.nodes.get(id);
                assert!(node.is_some(), "{id:?} is linked in {place} but not armed");
                let Some(node) = node else { break };
                assert_eq!((node.place, node.prev), (place, prev), "links of {id:?}");
                assert!(node.tick >= self.elapsed, "{id:?} was passed");
                assert_eq!(place_of(self.elapsed, node.tick), place, "place of {id:?}");
                linked += 1;
                assert!(linked <= self.nodes.len(), "list {place} has a loop");
                (prev, next) = (next, node.next);
            }
            assert_eq!(list.tail, prev, "tail of {place}");
        }
        assert_eq!(linked, self.nodes.len(), "armed but not linked");
    }

    /// The tick at which an entry for `at` fires.
    fn tick_of(&self, at: Mono) -> u64 {
        at.0.div_ceil(TICK_MICROS).max(self.elapsed)
    }

    /// The first occupied slot and the tick at which it begins.
    fn earliest(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|word| *word != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = level as u32 * DIGIT_BITS;
        // The digits above the level are the wheel's own; those below are zero.
        let above = self.elapsed >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        Some((
            level * SLOTS + slot as usize,
            above | u64::from(slot) << shift,
        ))
    }

    /// Puts all entries of a slot that the wheel has just entered where they belong now, in order.
    fn cascade(&mut self, place: usize) {
        let list = std::mem::take(&mut self.lists[place]);
        self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        let mut next = list.head;
        while let Some(id) = next {
            next = self.nodes.get(id).and_then(|node| node.next);
            self.link(id);
        }
    }

    /// Appends an entry to the list of the slot where its tick belongs.
    fn link(&mut self, id: Key) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let place = place_of(self.elapsed, node.tick);
        let list = &mut self.lists[place];
        let prev = list.tail.replace(id);
        (node.place, node.prev, node.next) = (place, prev, None);
        match prev.and_then(|prev| self.nodes.get_mut(prev)) {
            Some(prev) => prev.next = Some(id),
            None => list.head = Some(id),
        }
        self.occupied[place / SLOTS] |= 1 << (place % SLOTS);
    }

    /// Takes an entry out of its list; its own links are left as they were.
    fn unlink(&mut self, id: Key) {
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        let (place, prev, next) = (node.place, node.prev, node.next);
        let list = &mut self.lists[place];
        match prev.and_then(|prev| self.nodes.get_mut(prev)) {
            Some(prev) => prev.next = next,
            None => list.head = next,
        }
        match next.and_then(|next| self.nodes.get_mut(next)) {
            Some(next) => next.prev = prev,
            None => list.tail = prev,
        }
        if list.head.is_none() {
            self.occupied[place / SLOTS] &= !(1 << (place % SLOTS));
        }
    }
}

/// Where an entry for `tick` stands while the wheel is at `elapsed`.
fn place_of(elapsed: u64, tick: u64) -> usize {
    let lowest_digit = SLOTS as u64 - 1;
    let level = ((elapsed ^ tick) | lowest_digit).ilog2() / DIGIT_BITS;
    let digit = (tick >> (level * DIGIT_BITS)) & lowest_digit;
    level as usize * SLOTS + digit as usize
}

#[cfg(test)]
mod tests;
