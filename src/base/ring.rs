//! A bounded queue whose values keep absolute positions: the history and fan-out of one topic.
//! It never drops a value by itself; whoever pushes into a full ring takes the oldest out first.

use std::collections::VecDeque;

/// Values in order, the oldest at position `first()`, the next to come at `end()`. Positions start
/// at 0 and are never given twice. Everything is O(1); memory grows with use, up to the bound.
#[derive(Debug)]
pub struct Ring<T> {
    values: VecDeque<T>,
    first: u64,
    bound: usize,
}

impl<T> Ring<T> {
    /// An empty ring for at most `bound` values; allocates nothing yet.
    #[must_use]
    pub fn with_bound(bound: usize) -> Ring<T> {
        Ring {
            values: VecDeque::new(),
            first: 0,
            bound,
        }
    }

    /// Lets it hold that many values, if it could not before.
    pub fn widen(&mut self, bound: usize) {
        self.bound = self.bound.max(bound);
    }

    /// Appends `value` and tells its position. When the ring is full it comes back as the error, so
    /// that the caller can account for what it evicts.
    pub fn push(&mut self, value: T) -> Result<u64, T> {
        if self.is_full() {
            return Err(value);
        }
        let position = self.end();
        self.values.push_back(value);
        Ok(position)
    }

    /// Takes the oldest value out; `first()` moves on by one.
    pub fn pop_front(&mut self) -> Option<T> {
        let value = self.values.pop_front()?;
        self.first += 1;
        Some(value)
    }

    /// The oldest value.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.values.front()
    }

    /// Position of the oldest value; equal to `end()` if there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Position that the next value will get.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.values.len() as u64
    }

    /// The value at `position` for changing.
    #[must_use]
    pub fn get_mut(&mut self, position: u64) -> Option<&mut T> {
        let place = usize::try_from(position.checked_sub(self.first)?).ok()?;
        self.values.get_mut(place)
    }

    /// The value at `position`; `None` if it is gone or yet to come.
    #[must_use]
    pub fn get(&self, position: u64) -> Option<&T> {
        let place = usize::try_from(position.checked_sub(self.first)?).ok()?;
        self.values.get(place)
    }

    /// How many values are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether `push` would give the value back.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.values.len() >= self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stay_while_the_oldest_leave() {
        let mut ring = Ring::with_bound(3);
        assert_eq!((ring.first(), ring.end(), ring.get(0)), (0, 0, None));
        for value in 0..100_u64 {
            if ring.is_full() {
                assert_eq!(ring.pop_front(), Some(value - 3));
            }
            assert_eq!(ring.push(value), Ok(value));
            assert_eq!(ring.end(), value + 1);
            assert!(ring.len() <= 3);
            for position in ring.first()..ring.end() {
                assert_eq!(ring.get(position), Some(&position));
            }
            assert_eq!(ring.get(ring.end()), None);
            assert_eq!(ring.get(u64::MAX), None);
        }
        assert_eq!((ring.first(), ring.get(96)), (97, None));
    }

    #[test]
    fn a_full_ring_gives_the_value_back_and_keeps_its_own() {
        let mut ring = Ring::with_bound(1);
        assert_eq!(ring.push('a'), Ok(0));
        assert_eq!(ring.push('b'), Err('b'));
        assert_eq!((ring.get(0), ring.len()), (Some(&'a'), 1));
        assert_eq!(Ring::with_bound(0).push('c'), Err('c'));
    }

    #[test]
    fn an_emptied_ring_goes_on_counting() {
        let mut ring = Ring::with_bound(2);
        assert_eq!(ring.push('a'), Ok(0));
        assert_eq!(ring.pop_front(), Some('a'));
        assert_eq!(ring.pop_front(), None);
        assert!(ring.is_empty());
        assert_eq!((ring.first(), ring.end()), (1, 1));
        assert_eq!(ring.push('b'), Ok(1));
    }
}
