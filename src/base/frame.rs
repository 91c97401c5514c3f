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

/// Slices of one gather list at most; far below the kernel's limit of 1,024, and 1 KiB of stack.
pub const SLICES_MAX: usize = 64;

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
