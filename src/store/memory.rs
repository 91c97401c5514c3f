//! The store that nothing survives: everything it is told stands in a [`Book`], within a bound of
//! its own. A flush has nothing to wait for, and it never fails.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Store;
use crate::base::time::{Wall, micros};
use crate::port::{Seq, StoreDone, StoreOp};

mod book;
mod look;
mod row;

pub use book::Book;

/// Everything accepted is as durable as it will ever be with the next flush.
#[derive(Debug)]
pub struct Memory {
    book: Book,
    /// How long ended messages are remembered, in microseconds.
    age_max: u64,
    /// The last operation, unless that it lasts is said in `staged`.
    submitted: Option<Seq>,
    /// What there is to say after the next flush, in the order of the operations.
    staged: VecDeque<StoreDone>,
    /// What there is to say.
    told: VecDeque<StoreDone>,
}

impl Memory {
    /// Remembers ended messages in so many bytes and for so long.
    #[must_use]
    pub fn new(bytes_max: u64, age_max: Duration) -> Memory {
        Memory {
            book: Book::new(bytes_max),
            age_max: micros(age_max),
            submitted: None,
            staged: VecDeque::new(),
            // There was nothing before.
            told: VecDeque::from([StoreDone::Ready]),
        }
    }
}

impl Store for Memory {
    fn submit(&mut self, seq: Seq, op: StoreOp) {
        let now = match &op {
            StoreOp::Ask { .. } => wall(),
            _ => Wall::default(),
        };
        if let StoreOp::Accept { message, .. } = &op {
            let since = message.accepted.0.saturating_sub(self.age_max);
            self.book.forget_before(Wall(since));
        }
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
