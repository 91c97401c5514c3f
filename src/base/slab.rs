//! The generational slab: one stable, bounded home for whatever is referred to by key.
//! It never hands out a key twice, so a stale key finds nothing, and that is normal.

use std::num::NonZeroU32;

/// A name for one tenant of one slab, good until the tenant is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    // Never zero, so that `Option<Key>` needs no more room than `Key`.
    generation: NonZeroU32,
}

impl Key {
    /// The place in the slab, for columns that run beside it under the same index.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The key as one number, for a poll token. Every index is below the slab's bound, so numbers
    /// whose low half is at or above it are free for other uses.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        (u64::from(self.generation.get()) << 32) | u64::from(self.index)
    }

    /// The key of that number; `None` if no key can have it.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Key> {
        let generation = NonZeroU32::new((bits >> 32) as u32)?;
        Some(Key {
            index: bits as u32,
            generation,
        })
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: NonZeroU32,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Taken(T),
    Free { next: Option<u32> },
}

/// Values under generational keys, at most as many as the bound given at the start. Insert, look-up
/// and removal are O(1); memory grows with the largest number held at once and is kept for reuse.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Option<u32>,
    len: usize,
    bound: usize,
}

impl<T> Slab<T> {
    /// An empty slab that will hold at most `bound` values; allocates nothing yet.
    #[must_use]
    pub fn with_bound(bound: usize) -> Slab<T> {
        let bound = bound.min(u32::MAX as usize - 1);
        Slab {
            slots: Vec::new(),
            free: None,
            len: 0,
            bound,
        }
    }

    /// The same with all its memory reserved (untouched pages are not resident): it never allocates
    /// again.
    #[must_use]
    pub(crate) fn reserved(bound: usize) -> Slab<T> {
        let mut slab = Slab::with_bound(bound);
        slab.slots.reserve_exact(slab.bound);
        slab
    }

    /// Takes `value` in. When the slab is full it comes back as the error.
    pub fn insert(&mut self, value: T) -> Result<Key, T> {
        if self.is_full() {
            return Err(value);
        }
        let (index, generation) = match self.free {
            Some(index) => {
                let slot = &mut self.slots[index as usize];
                if let State::Free { next } = slot.state {
                    self.free = next;
                }
                slot.state = State::Taken(value);
                (index, slot.generation)
            }
            None => {
                let generation = NonZeroU32::MIN;
                self.slots.push(Slot {
                    generation,
                    state: State::Taken(value),
                });
                (self.slots.len() as u32 - 1, generation)
            }
        };
        self.len += 1;
        Ok(Key { index, generation })
    }

    /// The value under `key`, if it is still there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index()) {
            Some(Slot {
                generation,
                state: State::Taken(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The value under `key` for changing, if it is still there.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index()) {
            Some(Slot {
                generation,
                state: State::Taken(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// Takes the value under `key` out; the key is stale from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let slot = &mut self.slots[key.index()];
        // A slot whose generations are used up is never given out again: a key must not come back.
        let next_generation = slot.generation.checked_add(1);
        let vacant = State::Free { next: self.free };
        let taken = std::mem::replace(&mut slot.state, vacant);
        if let Some(generation) = next_generation {
            slot.generation = generation;
            self.free = Some(key.index);
        }
        self.len -= 1;
        match taken {
            State::Taken(value) => Some(value),
            State::Free { .. } => None,
        }
    }

    /// Whether `key` still finds something.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// How many values are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `insert` would give the value back. A slot whose generations are used up still
    /// counts against the bound, so that no index ever reaches it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.free.is_none() && self.slots.len() >= self.bound
    }

    /// The greatest number of values it will hold.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Every key and value, by index; for sweeps, never for a hot path.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| match &slot.state {
                State::Taken(value) => Some((
                    Key {
                        index: index as u32,
                        generation: slot.generation,
                    },
                    value,
                )),
                State::Free { .. } => None,
            })
    }

    /// The first key whose index is at or after `index`; a sweep that changes the slab as it goes
    /// walks with this.
    #[must_use]
    pub fn key_from(&self, index: usize) -> Option<Key> {
        let taken = |slot: &Slot<T>| matches!(slot.state, State::Taken(_));
        let step = self.slots.get(index..)?.iter().position(taken)?;
        let index = index + step;
        Some(Key {
            index: index as u32,
            generation: self.slots[index].generation,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn key_survives_the_trip_through_bits() {
        for (index, generation) in [(0, 1), (7, 9), (u32::MAX - 2, u32::MAX), (1, 1 << 31)] {
            let generation = NonZeroU32::new(generation).unwrap();
            let key = Key { index, generation };
            assert_eq!(Key::from_bits(key.to_bits()), Some(key));
        }
        assert_eq!(Key::from_bits(u64::from(u32::MAX)), None);
        assert_eq!(size_of::<Option<Key>>(), size_of::<Key>());
    }

    #[test]
    fn a_stale_key_finds_nothing_even_when_its_slot_is_taken_again() {
        let mut slab = Slab::with_bound(4);
        let stale = slab.insert("first").unwrap();
        assert_eq!(slab.remove(stale), Some("first"));
        let fresh = slab.insert("second").unwrap();
        assert_eq!(fresh.index(), stale.index());
        assert_eq!(slab.get(stale), None);
        assert_eq!(slab.get_mut(stale), None);
        assert_eq!(slab.remove(stale), None);
        assert_eq!(slab.get(fresh), Some(&"second"));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn a_full_slab_gives_the_value_back() {
        let mut slab = Slab::with_bound(2);
        let first = slab.insert(1).unwrap();
        slab.insert(2).unwrap();
        assert!(slab.is_full());
        assert_eq!(slab.insert(3), Err(3));
        slab.remove(first);
        assert!(slab.insert(4).is_ok());
        assert_eq!(Slab::with_bound(0).insert(5), Err(5));
    }

    #[test]
    fn a_slot_out_of_generations_is_retired_and_counts_against_the_bound() {
        let mut slab = Slab::with_bound(2);
        let first = slab.insert('a').unwrap();
        slab.remove(first);
        slab.slots[0].generation = NonZeroU32::MAX;
        let last = slab.insert('b').unwrap();
        assert_eq!(slab.remove(last), Some('b'));
        assert!(!slab.contains(last));
        assert_eq!(slab.insert('c').unwrap().index(), 1);
        assert!(slab.is_full());
        assert_eq!(slab.insert('d'), Err('d'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn reserved_memory_is_never_moved() {
        let mut slab = Slab::reserved(100);
        let capacity = slab.slots.capacity();
        while slab.insert(0u64).is_ok() {}
        assert_eq!((slab.len(), slab.slots.capacity()), (100, capacity));
    }

    #[test]
    fn agrees_with_a_model_under_random_steps() {
        const BOUND: usize = 50;
        let mut rng = Rng::new([1; 32]);
        let mut slab = Slab::with_bound(BOUND);
        let mut model = BTreeMap::new();
        let mut keys: Vec<Key> = Vec::new();
        for step in 0..100_000_u64 {
            let known = rng.below(keys.len() as u64 + 1) as usize;
            match (rng.below(4), keys.get(known)) {
                (0 | 1, _) => match slab.insert(step) {
                    Ok(key) => {
                        assert!(model.insert(key, step).is_none(), "{key:?} came back");
                        keys.push(key);
                    }
                    Err(value) => assert_eq!((value, model.len()), (step, BOUND)),
                },
                (2, Some(key)) => assert_eq!(slab.remove(*key), model.remove(key)),
                (_, Some(key)) => {
                    assert_eq!(slab.get(*key), model.get(key));
                    assert_eq!(slab.get_mut(*key), model.get_mut(key));
                    assert_eq!(slab.contains(*key), model.contains_key(key));
                }
                (_, None) => {}
            }
            if keys.len() > 4 * BOUND {
                keys.remove(0);
            }
            assert_eq!(
                (slab.len(), slab.is_empty()),
                (model.len(), model.is_empty())
            );
            assert_eq!(slab.is_full(), model.len() == BOUND);
            if step % 1_000 == 0 {
                let mut held: Vec<_> = slab.iter().map(|(key, value)| (key, *value)).collect();
                held.sort_unstable();
                assert!(
                    held.into_iter()
                        .eq(model.iter().map(|(key, value)| (*key, *value)))
                );
            }
        }
    }

    #[test]
    fn key_from_walks_every_tenant_once() {
        let mut slab = Slab::with_bound(5);
        let keys: Vec<Key> = (0..5).map(|value| slab.insert(value).unwrap()).collect();
        slab.remove(keys[0]);
        slab.remove(keys[3]);
        let mut walked = Vec::new();
        let mut index = 0;
        while let Some(key) = slab.key_from(index) {
            walked.push(key);
            index = key.index() + 1;
        }
        assert_eq!(walked, [keys[1], keys[2], keys[4]]);
        assert_eq!(slab.key_from(99), None);
    }
}
