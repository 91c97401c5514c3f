//! Shared immutable bytes, and the list of slices that one `writev` takes from them.
//! Nothing here copies a payload; a frame is shared by whoever sends it.

use std::io::IoSlice;
use std::ops::Deref;
use std::sync::Arc;

/// Immutable bytes with shared ownership: one message in one wire format, or a body. Cloning counts
/// a reference. `Send`, because bodies also go to the store's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

impl Frame {
    /// A frame holding a copy of `bytes`: one allocation.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Frame {
        Frame(Arc::from(bytes))
    }

    /// Whether both are the same allocation.
    #[must_use]
    pub fn same(&self, other: &Frame) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Slices of one gather list at most: few, because a new list is filled with empty ones, and most
/// lists take only one.
pub const SLICES_MAX: usize = 24;

/// The slices that one write gathers, in order, without an allocation.
#[derive(Debug)]
pub struct Gather<'a> {
    slices: [IoSlice<'a>; SLICES_MAX],
    len: usize,
    bytes: usize,
}

impl<'a> Gather<'a> {
    /// An empty list.
    #[must_use]
    pub fn new() -> Gather<'a> {
        Gather {
            slices: [IoSlice::new(&[]); SLICES_MAX],
            len: 0,
            bytes: 0,
        }
    }

    /// Appends `slice`; an empty one takes no place. False if the list is full: ask again after the
    /// write.
    pub fn push(&mut self, slice: &'a [u8]) -> bool {
        if slice.is_empty() {
            return true;
        }
        if self.len == SLICES_MAX {
            return false;
        }
        self.slices[self.len] = IoSlice::new(slice);
        self.len += 1;
        self.bytes += slice.len();
        true
    }

    /// What to hand to a vectored write.
    #[must_use]
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.len]
    }

    /// Sum of the slices' lengths, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Gather<'_> {
    fn default() -> Self {
        Gather::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_the_bytes_and_a_copy_does_not() {
        let frame = Frame::copy_of(b"event");
        assert_eq!(&frame[..], b"event");
        assert!(frame.same(&frame.clone()));
        let copy = Frame::copy_of(&frame);
        assert_eq!(copy, frame);
        assert!(!copy.same(&frame));
    }

    #[test]
    fn gather_keeps_order_and_skips_empty_slices() {
        let mut gather = Gather::new();
        assert!(gather.is_empty());
        for slice in [&b"head"[..], b"", b"body"] {
            assert!(gather.push(slice));
        }
        let lengths: Vec<usize> = gather.slices().iter().map(|slice| slice.len()).collect();
        assert_eq!((lengths, gather.bytes()), (vec![4, 4], 8));
        assert_eq!(
            (&gather.slices()[0][..], &gather.slices()[1][..]),
            (&b"head"[..], &b"body"[..])
        );
        assert!(!gather.is_empty());
    }

    #[test]
    fn a_full_gather_says_so_and_stays_as_it_is() {
        let mut gather = Gather::new();
        for _ in 0..SLICES_MAX {
            assert!(gather.push(b"x"));
        }
        assert!(!gather.push(b"y"));
        assert!(gather.push(b""), "an empty slice takes no place");
        assert_eq!(
            (gather.slices().len(), gather.bytes()),
            (SLICES_MAX, SLICES_MAX)
        );
    }
}
