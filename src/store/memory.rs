//! The store that keeps nothing: the engine's own copy is the only one.
//! It never allocates and never fails.

use super::Store;
use crate::port::{Seq, StoreDone, StoreOp};

/// Everything accepted is as durable as it will ever be with the next flush.
#[derive(Debug, Default)]
pub struct Memory {
    submitted: Option<Seq>,
    flushed: Option<Seq>,
}

impl Store for Memory {
    fn submit(&mut self, seq: Seq, _op: StoreOp) {
        self.submitted = Some(seq);
    }

    fn flush(&mut self) {
        self.flushed = self.submitted.take().or(self.flushed);
    }

    fn completion(&mut self) -> Option<StoreDone> {
        self.flushed.take().map(StoreDone::Durable)
    }

    fn close(&mut self) {}
}
