//! A message in the book, its deliveries and what they hold of memory.
//! It knows no other message and decides nothing.

use std::sync::Arc;

use crate::model::record::{Attempt, End, Work};
use crate::model::{Message, Target};

/// Memory of a message's row besides what the message itself holds, its places in the tables
/// included.
const ROW_BYTES: usize = 320;
/// The same for a delivery.
const DELIVERY_BYTES: usize = size_of::<Delivery>() + size_of::<Target>() + 128;

/// A message and what became of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) message: Arc<Message>,
    /// In the order of their numbers.
    pub(super) deliveries: Vec<Delivery>,
    /// Deliveries that have not ended.
    pub(super) open: usize,
    /// Bytes of answers.
    pub(super) answers: u64,
    /// Bytes held, the message only if it has ended: until then it is somebody else's.
    pub(super) bytes: u64,
}

/// A delivery and what became of it.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) work: Work,
    pub(super) end: Option<End>,
    /// In the order of their numbers.
    pub(super) attempts: Vec<Attempt>,
}

impl Row {
    /// A message without deliveries, which has ended.
    pub(super) fn new(message: Arc<Message>) -> Row {
        let bytes = (ROW_BYTES + message.bytes()) as u64;
        Row {
            message,
            deliveries: Vec::new(),
            open: 0,
            answers: 0,
            bytes,
        }
    }

    /// A further delivery; false if it has one of that number already.
    pub(super) fn add(&mut self, work: Work) -> bool {
        let Err(place) = self.place(work.number) else {
            return false;
        };
        if self.open == 0 {
            self.bytes -= self.message.bytes() as u64;
        }
        self.open += 1;
        self.bytes += (DELIVERY_BYTES + work.target.bytes()) as u64;
        if self.deliveries.is_empty() {
            // Most messages have one.
            self.deliveries.reserve_exact(1);
        }
        let delivery = Delivery {
            work,
            end: None,
            attempts: Vec::new(),
        };
        self.deliveries.insert(place, delivery);
        true
    }

    /// The delivery of that number.
    pub(super) fn delivery(&mut self, number: u32) -> Option<&mut Delivery> {
        let place = self.place(number).ok()?;
        self.deliveries.get_mut(place)
    }

    /// A delivery that was open has ended.
    pub(super) fn end(&mut self, number: u32, end: End) {
        let Some(delivery) = self.delivery(number) else {
            return;
        };
        let was_open = delivery.end.is_none();
        delivery.end = Some(end);
        if was_open {
            self.open -= 1;
            if self.open == 0 {
                self.bytes += self.message.bytes() as u64;
            }
        }
    }

    /// An attempt has ended; it takes the place of one with the same number.
    pub(super) fn record(&mut self, number: u32, attempt: Attempt) {
        let (count, answer) = (attempt.attempt, attempt.bytes() as u64);
        self.strike(number, count);
        let Some(delivery) = self.delivery(number) else {
            return;
        };
        let place = delivery.attempts.partition_point(|it| it.attempt < count);
        delivery.attempts.insert(place, attempt);
        self.answers += answer;
        self.bytes += answer + size_of::<Attempt>() as u64;
    }

    /// An attempt is forgotten.
    pub(super) fn strike(&mut self, number: u32, attempt: u32) {
        let Some(delivery) = self.delivery(number) else {
            return;
        };
        let attempts = &mut delivery.attempts;
        let Ok(place) = attempts.binary_search_by_key(&attempt, |it| it.attempt) else {
            return;
        };
        let gone = attempts.remove(place).bytes() as u64;
        self.answers -= gone;
        self.bytes -= gone + size_of::<Attempt>() as u64;
    }

    /// The rest of what an attempt was answered.
    pub(super) fn rest(&mut self, number: u32, attempt: u32, body: Box<[u8]>, truncated: bool) {
        let Some(delivery) = self.delivery(number) else {
            return;
        };
        let mut attempts = delivery.attempts.iter_mut();
        let attempt = attempts.find(|it| it.attempt == attempt);
        let Some(answer) = attempt.and_then(|it| it.answer.as_mut()) else {
            return;
        };
        let (before, after) = (answer.body.len() as u64, body.len() as u64);
        (answer.body, answer.truncated) = (body, truncated);
        self.answers = self.answers - before + after;
        self.bytes = self.bytes - before + after;
    }

    /// Forgets what was answered.
    pub(super) fn strip(&mut self) {
        for delivery in &mut self.deliveries {
            for attempt in &mut delivery.attempts {
                attempt.answer = None;
            }
        }
        self.bytes -= self.answers;
        self.answers = 0;
    }

    fn place(&self, number: u32) -> Result<usize, usize> {
        // Deliveries are numbered from 1, without gaps as long as nobody lies.
        let guess = (number as usize).wrapping_sub(1);
        match self.deliveries.get(guess) {
            Some(delivery) if delivery.work.number == number => Ok(guess),
            _ => self
                .deliveries
                .binary_search_by_key(&number, |it| it.work.number),
        }
    }

    /// Sweeps the account.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let attempts = || self.deliveries.iter().flat_map(|it| &it.attempts);
        let answers: usize = attempts().map(Attempt::bytes).sum();
        assert_eq!(self.answers, answers as u64, "answers of {self:?}");
        let open = self.deliveries.iter().filter(|it| it.end.is_none()).count();
        assert_eq!(self.open, open, "open deliveries of {self:?}");
        let deliveries = self.deliveries.iter();
        let targets: usize = deliveries.map(|it| it.work.target.bytes()).sum();
        let message = if open == 0 { self.message.bytes() } else { 0 };
        let bytes = ROW_BYTES
            + message
            + targets
            + DELIVERY_BYTES * self.deliveries.len()
            + answers
            + size_of::<Attempt>() * attempts().count();
        assert_eq!(self.bytes, bytes as u64, "bytes of {self:?}");
    }
}
