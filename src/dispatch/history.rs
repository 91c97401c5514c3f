//! What is remembered of messages: each attempt, its answer, how each delivery ended. Messages on
//! their way have theirs, and the last that have ended are kept within bounds.
//! It decides nothing, and whatever does not fit is forgotten, never refused.

use std::collections::VecDeque;

use crate::base::buf::Pool;
use crate::base::index::Index;
use crate::base::slab::Key;
use crate::model::MessageId;
use crate::port::Turn;

mod log;
pub(super) mod show;

pub(super) use log::{Attempt, Log, Rest};

/// Ended messages that are remembered at most.
pub const ENDED_MAX: usize = 1_000;
/// Bytes of them at most, and no more than this part of all memory.
pub const ENDED_BYTES_MAX: u64 = 8 << 20;
const ENDED_PART_OF_MEMORY: u64 = 16;
/// The part of all memory that the logs of messages on their way may have; in the second half of
/// it attempts are remembered without what was answered.
const OPEN_PART_OF_MEMORY: u64 = 8;
/// What a remembered message is charged besides its log.
const ENTRY_BYTES: u64 = 96;
/// Memory of a fresh log: most have one attempt and its end.
const LOG_BYTES: usize = 512;
/// A log's memory larger than this is not kept for the next message.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// Where a message's log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is on its way: its key among the messages.
    Open(Key),
    /// It has ended: its number among those that have.
    Ended(u64),
}

#[derive(Debug)]
struct Ended {
    id: MessageId,
    log: Log,
}

/// All that is remembered.
#[derive(Debug)]
pub(super) struct History {
    places: Index<MessageId, Place>,
    /// The oldest first; its number is `first`.
    ended: VecDeque<Ended>,
    first: u64,
    spare: Pool<Vec<u8>>,
    /// Bytes lent by the account of memory for `ended`.
    bytes: u64,
    /// Bytes taken from it for the logs of messages on their way.
    open_bytes: u64,
}

impl History {
    pub(super) fn new(seed: u64) -> History {
        History {
            places: Index::new(seed),
            ended: VecDeque::new(),
            first: 0,
            spare: Pool::with_bound(64),
            bytes: 0,
            open_bytes: 0,
        }
    }

    /// A message is on its way; its log is empty.
    pub(super) fn open(&mut self, id: MessageId, key: Key) -> Log {
        let before = self.places.insert(id, Place::Open(key));
        if let Some(Place::Ended(number)) = before {
            // It goes on: what was remembered of it has no name any more, until its turn comes.
            let place = number.checked_sub(self.first);
            let place = place.and_then(|it| usize::try_from(it).ok());
            if let Some(ended) = place.and_then(|place| self.ended.get_mut(place)) {
                ended.id = MessageId::default();
            }
        }
        self.fresh()
    }

    /// An empty log.
    pub(super) fn fresh(&mut self) -> Log {
        Log::new(
            self.spare
                .take()
                .unwrap_or_else(|| Vec::with_capacity(LOG_BYTES)),
        )
    }

    /// A message is as if it had never been.
    pub(super) fn forget(&mut self, id: MessageId, log: Log) {
        self.places.remove(&id);
        self.recycle(log);
    }

    /// A message has ended: its log is kept while there is room.
    pub(super) fn ended(&mut self, turn: &mut Turn, id: MessageId, mut log: Log) {
        log.trim(KEPT_BYTES_MAX);
        let cost = cost(&log);
        let max = ENDED_BYTES_MAX.min(turn.memory.max() / ENDED_PART_OF_MEMORY);
        if cost > max {
            return self.forget(id, log);
        }
        while self.ended.len() >= ENDED_MAX || self.bytes + cost > max {
            if !self.forget_oldest(turn) {
                break;
            }
        }
        if !turn.memory.lend(cost) {
            return self.forget(id, log);
        }
        self.bytes += cost;
        let number = self.first + self.ended.len() as u64;
        self.places.insert(id, Place::Ended(number));
        self.ended.push_back(Ended { id, log });
    }

    /// Gives back the memory of the oldest; false if nothing is remembered.
    pub(super) fn forget_oldest(&mut self, turn: &mut Turn) -> bool {
        let Some(Ended { id, log }) = self.ended.pop_front() else {
            return false;
        };
        self.first += 1;
        self.bytes -= cost(&log);
        turn.memory.give_back(cost(&log));
        self.forget(id, log);
        true
    }

    /// What is remembered makes way for what is new.
    pub(super) fn make_way(&mut self, turn: &mut Turn) {
        while turn.memory.is_over() && self.forget_oldest(turn) {}
    }

    /// Takes `bytes` for the log of a message on its way, of which `bare` are worth more. What was
    /// taken, nothing if there is no room.
    pub(super) fn take(&mut self, turn: &mut Turn, bytes: usize, bare: usize) -> usize {
        let max = turn.memory.max() / OPEN_PART_OF_MEMORY;
        for (bytes, max) in [(bytes, max / 2), (bare, max)] {
            if self.open_bytes + bytes as u64 <= max && turn.memory.take(bytes as u64) {
                self.open_bytes += bytes as u64;
                return bytes;
            }
        }
        0
    }

    /// Gives back what was taken for one log.
    pub(super) fn give(&mut self, turn: &mut Turn, bytes: u64) {
        self.open_bytes -= bytes;
        turn.memory.give(bytes);
    }

    fn recycle(&mut self, log: Log) {
        let bytes = log.into_bytes();
        if bytes.capacity() > 0 && bytes.capacity() <= KEPT_BYTES_MAX {
            self.spare.give(bytes);
        }
    }

    /// Where a message's log stands.
    pub(super) fn place(&self, id: MessageId) -> Option<Place> {
        self.places.get(&id).copied()
    }

    /// The log of a message that has ended.
    pub(super) fn get(&self, number: u64) -> Option<&Log> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.ended.get(place).map(|ended| &ended.log)
    }

    /// The rest of an answer came after its message had ended.
    pub(super) fn complete(&mut self, turn: &mut Turn, number: u64, rest: &Rest<'_>) {
        let place = number
            .checked_sub(self.first)
            .and_then(|it| usize::try_from(it).ok());
        let Some(ended) = place.and_then(|place| self.ended.get_mut(place)) else {
            return;
        };
        let max = ENDED_BYTES_MAX.min(turn.memory.max() / ENDED_PART_OF_MEMORY);
        let more = rest.bytes();
        if self.bytes + more <= max && turn.memory.lend(more) {
            self.bytes += more;
            ended.log.rest(rest);
        }
    }

    /// Bytes lent by the account of memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sweeps the account.
    pub(super) fn check(&self, open: usize, open_bytes: u64) {
        assert_eq!(open_bytes, self.open_bytes, "logs and their account differ");
        let bytes: u64 = self.ended.iter().map(|ended| cost(&ended.log)).sum();
        assert_eq!(bytes, self.bytes, "the history's account is wrong");
        let named = self.ended.iter().filter(|it| it.id != MessageId::default());
        assert_eq!(
            self.places.len(),
            open + named.count(),
            "a message without its place"
        );
    }
}

fn cost(log: &Log) -> u64 {
    ENTRY_BYTES + log.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ledger::Ledger;
    use crate::base::rng::Rng;
    use crate::base::stats::Stats;
    use crate::base::time::{Mono, Now};
    use crate::base::wheel::Wheel;
    use crate::model::Outcome;

    fn turn(memory: u64) -> Turn {
        Turn {
            now: Now::default(),
            wheel: Wheel::with_bound(1, Mono(0)),
            rng: Rng::new([0; 32]),
            stats: Stats::default(),
            memory: Ledger::new(memory),
            actions: VecDeque::new(),
            dirty: VecDeque::new(),
            dirty_streams: VecDeque::new(),
            handed: crate::port::Handed::default(),
        }
    }

    /// Remembers a message whose log has about that many bytes.
    fn end(history: &mut History, turn: &mut Turn, id: u128, bytes: usize) {
        let mut log = history.fresh();
        log.end(1, Outcome::Delivered, &"x".repeat(bytes), "");
        history.ended(turn, MessageId(id), log);
        history.check(0, 0);
        assert_eq!(turn.memory.lent(), history.bytes());
    }

    fn known(history: &History, id: u128) -> bool {
        match history.place(MessageId(id)) {
            Some(Place::Ended(number)) => history.get(number).is_some(),
            _ => false,
        }
    }

    #[test]
    fn the_last_thousand_messages_are_remembered() {
        let (mut history, mut turn) = (History::new(1), turn(256 << 20));
        for id in 1..=1_500 {
            end(&mut history, &mut turn, id, 10);
        }
        assert!(!known(&history, 500) && known(&history, 501) && known(&history, 1_500));
        assert_eq!(history.ended.len(), ENDED_MAX);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let (mut history, mut turn) = (History::new(1), turn(256 << 20));
        for id in 1..=20 {
            end(&mut history, &mut turn, id, 1 << 20);
            assert!(history.bytes() <= ENDED_BYTES_MAX);
        }
        assert!(!known(&history, 13) && known(&history, 14) && known(&history, 20));
        // What is larger than all of it is forgotten at once, and nothing for it.
        end(&mut history, &mut turn, 21, 9 << 20);
        assert!(!known(&history, 21) && known(&history, 20));
    }

    #[test]
    fn what_is_remembered_makes_way_for_what_is_new() {
        let (mut history, mut turn) = (History::new(1), turn(160_000));
        for id in 1..=10 {
            end(&mut history, &mut turn, id, 800);
        }
        assert!(turn.memory.take(155_000), "nothing new is refused for it");
        history.make_way(&mut turn);
        history.check(0, 0);
        assert!(!turn.memory.is_over() && known(&history, 10) && !known(&history, 1));
    }
}
