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
    fn submit(&mut self, op: StoreOp) {
        if let StoreOp::Accept { seq, .. } = op {
            self.submitted = Some(seq);
        }
    }

    fn flush(&mut self) {
        self.flushed = self.submitted.take().or(self.flushed);
    }

    fn completion(&mut self) -> Option<StoreDone> {
        self.flushed.take().map(StoreDone::Durable)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::frame::Frame;
    use crate::base::time::Wall;
    use crate::model::{Message, MessageId, Outcome};

    fn accept(seq: Seq) -> StoreOp {
        let message = Message {
            id: MessageId(u128::from(seq)),
            accepted: Wall(0),
            content_type: "".into(),
            topics: crate::model::TopicNames::default(),
            extra: None,
            body: Frame::copy_of(b"x"),
        };
        StoreOp::Accept {
            seq,
            message: Arc::new(message),
        }
    }

    #[test]
    fn a_flush_completes_everything_before_it_once() {
        let mut store = Memory::default();
        store.flush();
        assert_eq!(store.completion(), None);
        store.submit(accept(1));
        store.submit(accept(2));
        assert_eq!(store.completion(), None, "not flushed yet");
        store.flush();
        store.submit(accept(3));
        assert_eq!(store.completion(), Some(StoreDone::Durable(2)));
        assert_eq!(store.completion(), None);
        store.flush();
        assert_eq!(store.completion(), Some(StoreDone::Durable(3)));
    }

    #[test]
    fn flushes_without_a_reader_in_between_lose_nothing() {
        let mut store = Memory::default();
        store.submit(accept(1));
        store.flush();
        store.flush();
        assert_eq!(store.completion(), Some(StoreDone::Durable(1)));
        store.submit(accept(2));
        store.flush();
        store.submit(accept(3));
        store.flush();
        assert_eq!(
            store.completion(),
            Some(StoreDone::Durable(3)),
            "one says it for both"
        );
        assert_eq!(store.completion(), None);
    }

    #[test]
    fn the_end_of_a_delivery_needs_no_completion() {
        let mut store = Memory::default();
        store.submit(StoreOp::End {
            id: MessageId(1),
            number: 1,
            outcome: Outcome::Delivered,
        });
        store.flush();
        assert_eq!(store.completion(), None);
    }
}
