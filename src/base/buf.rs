//! A byte buffer for leftovers, and a bounded stack of things to use again.
//! A buffer holds only what could not be used at once; nothing here reads or writes a socket.

/// Bytes that wait: appended at the end, consumed from the front, always one slice.
#[derive(Debug, Default)]
pub struct Buf {
    bytes: Vec<u8>,
    // Bytes before this place are consumed. Never beyond the end; zero whenever nothing waits.
    start: usize,
}

impl Buf {
    /// An empty buffer without memory.
    #[must_use]
    pub fn new() -> Buf {
        Buf::default()
    }

    /// Adds `bytes` at the end. Amortised O(1) a byte: what waits is moved to the front only when
    /// the memory would have to grow and at least as many bytes were consumed as are moved.
    pub fn append(&mut self, bytes: &[u8]) {
        let room = self.bytes.capacity() - self.bytes.len();
        if room < bytes.len() && self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the first `count` bytes, or all there are.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len(), "{count} consumed of {}", self.len());
        if count >= self.len() {
            self.clear();
        } else {
            self.start += count;
        }
    }

    /// What waits.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops everything; the memory is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Gives memory back, down to about `bytes` or what waits.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes);
    }

    /// Bytes of memory held, for the bound on memory.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Things of one kind put aside for the next user, at most as many as the bound. The last one given
/// is the first taken, because it is most likely still in the processor's cache.
#[derive(Debug)]
pub struct Pool<T> {
    spare: Vec<T>,
    bound: usize,
}

impl<T> Pool<T> {
    /// An empty pool that keeps at most `bound` things; allocates nothing yet.
    #[must_use]
    pub fn with_bound(bound: usize) -> Pool<T> {
        Pool {
            spare: Vec::new(),
            bound,
        }
    }

    /// A thing put aside, in the state in which it was given.
    pub fn take(&mut self) -> Option<T> {
        self.spare.pop()
    }

    /// Puts `thing` aside; it is dropped if the pool is full.
    pub fn give(&mut self, thing: T) {
        if self.spare.len() < self.bound {
            self.spare.push(thing);
        }
    }

    /// How many things are put aside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spare.len()
    }

    /// Whether nothing is put aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spare.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn agrees_with_a_model_under_random_steps() {
        let mut rng = Rng::new([4; 32]);
        let mut buf = Buf::new();
        let mut model: Vec<u8> = Vec::new();
        for _ in 0..50_000 {
            if rng.below(2) == 0 {
                let mut bytes = vec![0; rng.below(40) as usize];
                rng.fill(&mut bytes);
                buf.append(&bytes);
                model.extend_from_slice(&bytes);
            } else {
                let count = rng.below(model.len().min(45) as u64 + 1) as usize;
                buf.consume(count);
                model.drain(..count);
            }
            assert_eq!(buf.as_slice(), model);
            assert_eq!((buf.len(), buf.is_empty()), (model.len(), model.is_empty()));
            assert!(buf.bytes.len() > buf.start || buf.start == 0);
        }
    }

    #[test]
    fn memory_follows_what_waits_and_not_what_passed() {
        let mut buf = Buf::new();
        buf.append(&[1; 100]);
        for _ in 0..10_000 {
            buf.append(&[2; 100]);
            buf.consume(100);
        }
        assert_eq!(buf.len(), 100);
        assert!(buf.capacity() <= 1_000, "{}", buf.capacity());
    }

    #[test]
    fn clear_keeps_the_memory() {
        let mut buf = Buf::new();
        assert_eq!(buf.capacity(), 0);
        buf.append(b"leftover");
        buf.consume(4);
        assert_eq!(buf.as_slice(), b"over");
        let capacity = buf.capacity();
        buf.clear();
        assert_eq!((buf.as_slice(), buf.capacity()), (&b""[..], capacity));
    }

    #[test]
    fn a_pool_is_a_bounded_stack() {
        let mut pool = Pool::with_bound(2);
        assert_eq!(pool.take(), None);
        for thing in 1..=3 {
            pool.give(thing);
        }
        assert_eq!(pool.len(), 2);
        assert_eq!(
            [pool.take(), pool.take(), pool.take()],
            [Some(2), Some(1), None]
        );
        assert!(pool.is_empty());
    }
}
