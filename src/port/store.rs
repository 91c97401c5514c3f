//! The verbs between the engine and the store: what is to last, what is asked, what came of it.
//! Operations keep their order, and what is handed over between two flushes lasts together or not
//! at all.

use std::sync::Arc;

use crate::base::time::Wall;
use crate::model::record::{
    Attempt, End, Found, Parked, Place, Question, Restored, Table, Taken, Work,
};
use crate::model::{Message, MessageId};

/// Position in the order of things handed to the store; grows by one with each.
pub type Seq = u64;

/// An operation for the store.
#[derive(Debug)]
pub enum StoreOp {
    /// A message to keep. Its `Work` follows, before any flush.
    Accept {
        /// The message.
        message: Arc<Message>,
        /// Nobody could be told that it was lost: with its work it is among what the store has and
        /// repeats after a failure, as a callback is beside the end that brought it about.
        promised: bool,
    },
    /// A delivery of a message that was accepted with it.
    Work(Work),
    /// A delivery goes on later, after an attempt or without one.
    Later {
        /// The message.
        id: MessageId,
        /// The delivery's number.
        number: u32,
        /// Where it stands from now on.
        place: Place,
        /// Attempts that have ended so far.
        attempts: u32,
        /// The one that has just ended.
        attempt: Option<Attempt>,
    },
    /// A delivery has ended. What is not there any more is no error.
    End {
        /// The message.
        id: MessageId,
        /// The delivery's number.
        number: u32,
        /// How.
        end: End,
        /// The last attempt, if that was why.
        attempt: Option<Attempt>,
    },
    /// The rest of what an attempt was answered.
    Rest {
        /// The message.
        id: MessageId,
        /// The delivery's number.
        number: u32,
        /// The attempt's number.
        attempt: u32,
        /// The start of the body.
        body: Box<[u8]>,
        /// There is more than that.
        truncated: bool,
    },
    /// Parked deliveries of a lane are wanted, in the order of their ranks: they are parked no
    /// longer. Answered by exactly one `Taken`, once that lasts.
    Take {
        /// The lane.
        lane: u64,
        /// Ranks up to and including this.
        until: u64,
        /// So many at most.
        rows: u32,
        /// And, from the second on, no more than so many bytes of bodies.
        bytes: u64,
    },
    /// All parked deliveries of a message end as canceled. Answered by exactly one `Canceled`.
    Cancel {
        /// Who asks.
        ticket: u64,
        /// The message.
        id: MessageId,
        /// When.
        at: Wall,
    },
    /// A small fact is kept in the place of the one with the same key, or forgotten.
    Keep {
        /// Its kind.
        table: Table,
        /// Its key.
        key: Box<[u8]>,
        /// What is kept; `None` to forget it.
        value: Option<Box<[u8]>>,
    },
    /// A question. It is answered, by exactly one `Found`, as of all operations before it, once
    /// they last or are lost.
    Ask {
        /// Who asks.
        ticket: u64,
        /// What.
        question: Box<Question>,
    },
}

impl StoreOp {
    /// Whether somebody waits for it to last; everything else may wait up to a tenth of a second
    /// to share a sync with more of its kind.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        match self {
            StoreOp::Accept { .. }
            | StoreOp::Work(_)
            | StoreOp::Take { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Keep { .. }
            | StoreOp::Ask { .. } => true,
            StoreOp::Later { .. } | StoreOp::End { .. } | StoreOp::Rest { .. } => false,
        }
    }

    /// Bytes of memory held by what a peer chose the size of, apart from messages.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            StoreOp::Later { attempt, .. } | StoreOp::End { attempt, .. } => {
                attempt.as_ref().map_or(0, Attempt::bytes)
            }
            StoreOp::Rest { body, .. } => body.len(),
            StoreOp::Keep { key, value, .. } => {
                key.len() + value.as_ref().map_or(0, |value| value.len())
            }
            StoreOp::Accept { .. }
            | StoreOp::Work(_)
            | StoreOp::Take { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Ask { .. } => 0,
        }
    }
}

/// What came of the operations. What is told of one of them counts as of its place in their order:
/// it comes after a `Durable` of everything up to it, and before any `Durable` of what follows it.
#[derive(Clone, Debug)]
pub enum StoreDone {
    /// Everything handed over up to and including this number is durable.
    Durable(Seq),
    /// Messages accepted up to and including this number that are neither durable yet nor promised
    /// were lost: they must be refused, and nothing new be taken in until the store is `Usable`.
    /// What was to be kept under `Table::Keys` was lost with them. All other operations the store
    /// still has, and repeats them.
    Failed(Seq),
    /// The store takes messages again, or, with a reason, does not: `full` if there is no room.
    Usable {
        /// Why not, in one word; `None` if it does.
        trouble: Option<&'static str>,
    },
    /// Deliveries that were wanted.
    Taken {
        /// The lane.
        lane: u64,
        /// They, in the order of their ranks.
        rows: Vec<Taken>,
        /// What is parked there still, if anything is.
        left: Option<Parked>,
    },
    /// A message's parked deliveries were canceled.
    Canceled {
        /// Who asked.
        ticket: u64,
        /// How many they were.
        count: u32,
        /// What is parked still in each lane that they were in; a count of zero for nothing.
        lanes: Vec<Parked>,
    },
    /// The answer to a question.
    Found {
        /// Who asked.
        ticket: u64,
        /// What was found.
        found: Found,
    },
    /// What there was before; comes only before `Ready`.
    Restored(Vec<Restored>),
    /// All of that has been said. Comes once, before everything else that is said of operations.
    Ready,
}
