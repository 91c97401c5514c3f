//! The store that nothing survives: everything it is told stands in a [`Book`], within a bound of
//! its own. A flush has nothing to wait for, and it never fails.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Store;
use crate::base::time::{Wall, micros};
use crate::port::{Seq, StoreDone, StoreOp};

mod book;
mod look;
mod row;

pub use book::Book;

/// Bytes that are remembered where nobody says how many.
const BYTES_MAX: u64 = 16 << 20;

/// Everything accepted is as durable as it will ever be with the next flush.
#[derive(Debug)]
pub struct Memory {
    book: Book,
    /// The last operation, unless that it lasts is said in `staged`.
    submitted: Option<Seq>,
    /// What there is to say after the next flush, in the order of the operations.
    staged: VecDeque<StoreDone>,
    /// What there is to say.
    told: VecDeque<StoreDone>,
}

impl Memory {
    /// Remembers ended messages in so many bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Memory {
        Memory {
            book: Book::new(bytes_max),
            submitted: None,
            staged: VecDeque::new(),
            // There was nothing before.
            told: VecDeque::from([StoreDone::Ready]),
        }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new(BYTES_MAX)
    }
}

impl Store for Memory {
    fn submit(&mut self, seq: Seq, op: StoreOp) {
        let now = match &op {
            StoreOp::Ask { .. } => wall(),
            _ => Wall::default(),
        };
        self.submitted = Some(seq);
        if let Some(done) = self.book.apply(now, op) {
            self.submitted = None;
            self.staged.extend([StoreDone::Durable(seq), done]);
        }
    }

    fn flush(&mut self) {
        let last = self.submitted.take().map(StoreDone::Durable);
        self.staged.extend(last);
        self.told.append(&mut self.staged);
    }

    fn completion(&mut self) -> Option<StoreDone> {
        self.told.pop_front()
    }

    fn close(&mut self) {}
}

/// What the clock on the wall says.
fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Wall(since.map_or(0, micros))
}

#[cfg(test)]
mod tests;
