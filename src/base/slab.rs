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

    /// Whether `insert` would give the value back.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len >= self.bound
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
