//! Named queues: the deliveries of each in the order in which their messages were accepted. It says
//! whose turn it is and moves no delivery itself.

use std::collections::BTreeMap;

use crate::base::index::Index;
use crate::base::ledger::Ledger;
use crate::base::slab::{Key, Slab};

/// A delivery's place in its queue: the number of its message, and its own in the message.
pub type Place = (u64, u32);

/// Memory that a queue is charged for besides its name.
const QUEUE_BYTES: usize = 192;

#[derive(Debug)]
struct Queue {
    name: Box<[u8]>,
    members: BTreeMap<Place, Key>,
}

impl Queue {
    fn bytes(&self) -> u64 {
        (QUEUE_BYTES + 2 * self.name.len()) as u64
    }
}

/// All queues that have deliveries in memory.
#[derive(Debug)]
pub struct Queues {
    queues: Slab<Queue>,
    by_name: Index<Box<[u8]>, Key>,
    members: usize,
}

impl Queues {
    /// No queue yet. `seed` is for the map.
    #[must_use]
    pub fn new(seed: u64) -> Queues {
        Queues {
            queues: Slab::with_bound(u32::MAX as usize - 1),
            by_name: Index::new(seed),
            members: 0,
        }
    }

    /// A delivery takes its place in the queue of that name, until it leaves.
    pub fn join(
        &mut self,
        memory: &mut Ledger,
        name: &[u8],
        place: Place,
        delivery: Key,
    ) -> Option<Key> {
        let key = match self.by_name.get(name) {
            Some(key) => *key,
            None => {
                let (name, members) = (Box::from(name), BTreeMap::new());
                let queue = Queue { name, members };
                memory.charge(queue.bytes());
                let name = queue.name.clone();
                let key = self.queues.insert(queue).ok()?;
                self.by_name.insert(name, key);
                key
            }
        };
        let members = &mut self.queues.get_mut(key)?.members;
        if members.insert(place, delivery).is_none() {
            self.members += 1;
        }
        Some(key)
    }

    /// A delivery leaves its queue. The one whose turn it is now, if it was its own before.
    pub fn leave(&mut self, memory: &mut Ledger, key: Key, place: Place) -> Option<Key> {
        let queue = self.queues.get_mut(key)?;
        let was_first = queue.members.first_key_value().map(|(first, _)| *first) == Some(place);
        self.members -= usize::from(queue.members.remove(&place).is_some());
        let first = queue.members.first_key_value().map(|(_, key)| *key);
        if first.is_none()
            && let Some(queue) = self.queues.remove(key)
        {
            memory.give(queue.bytes());
            self.by_name.remove(&queue.name);
        }
        first.filter(|_| was_first)
    }

    /// Whose turn it is.
    #[must_use]
    pub fn first(&self, key: Key) -> Option<Key> {
        let members = &self.queues.get(key)?.members;
        members.first_key_value().map(|(_, key)| *key)
    }

    /// How many deliveries of the queue of that name are in memory.
    #[must_use]
    pub fn len_of(&self, name: &[u8]) -> usize {
        let queue = self.by_name.get(name).and_then(|key| self.queues.get(*key));
        queue.map_or(0, |queue| queue.members.len())
    }

    /// How many queues there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The first queue whose place is `index` or later, to go through all of them.
    #[must_use]
    pub fn queue_from(&self, index: usize) -> Option<Key> {
        self.queues.key_from(index)
    }

    /// A queue's name and how many deliveries it has in memory.
    #[must_use]
    pub fn view(&self, key: Key) -> Option<(&[u8], usize)> {
        let queue = self.queues.get(key)?;
        Some((&queue.name, queue.members.len()))
    }

    /// Deliveries in all of them.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// Sweeps the accounts. Returns the bytes that should stand on the account of memory.
    pub fn check(&self) -> u64 {
        let (mut bytes, mut members) = (0, 0);
        for (key, queue) in self.queues.iter() {
            assert_eq!(self.by_name.get(&queue.name), Some(&key), "{queue:?}");
            assert!(!queue.members.is_empty(), "a queue of nobody: {queue:?}");
            bytes += queue.bytes();
            members += queue.members.len();
        }
        assert_eq!(members, self.members, "members of queues are miscounted");
        assert_eq!(self.by_name.len(), self.queues.len(), "a name too many");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bits: u64) -> Key {
        Key::from_bits(bits << 32).unwrap()
    }

    #[test]
    fn the_order_is_that_of_acceptance_whoever_comes_first() {
        let mut memory = Ledger::new(1 << 20);
        let mut queues = Queues::new(1);
        let mut join = |queues: &mut Queues, name: &str, place, number| {
            queues
                .join(&mut memory, name.as_bytes(), place, key(number))
                .unwrap()
        };
        let a = join(&mut queues, "a", (5, 1), 1);
        assert_eq!(join(&mut queues, "a", (7, 1), 2), a);
        assert_eq!(join(&mut queues, "a", (5, 2), 3), a);
        let b = join(&mut queues, "b", (6, 1), 4);
        assert_eq!(join(&mut queues, "a", (4, 1), 5), a);
        assert_eq!(queues.first(a), Some(key(5)), "taken out of the store late");
        assert_eq!((queues.len_of(b"a"), queues.len_of(b"c")), (4, 0));
        queues.check();
        assert_eq!(queues.leave(&mut memory, a, (5, 2)), None, "not its turn");
        assert_eq!(queues.leave(&mut memory, a, (4, 1)), Some(key(1)));
        assert_eq!(queues.leave(&mut memory, a, (5, 1)), Some(key(2)));
        assert_eq!(queues.leave(&mut memory, a, (7, 1)), None);
        assert_eq!(queues.first(a), None);
        assert_eq!(queues.check(), memory.held());
        assert_eq!(queues.leave(&mut memory, b, (6, 1)), None);
        assert_eq!((memory.held(), queues.len(), queues.members()), (0, 0, 0));
    }
}
