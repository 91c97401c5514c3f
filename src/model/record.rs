//! What outlives the process: a delivery's place among the work, its attempts, and what is told of
//! a message to whoever asks later. Plain data; no behaviour beyond a word of the API.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Message, MessageId, Outcome, Target};
use crate::base::time::Wall;

/// Where a delivery that has not ended stands among the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it waits behind: the hash of its origin, or of the queue it belongs to.
    pub lane: u64,
    /// Its rank in that lane, the smallest first: `due` where the order is that of time, and a
    /// number of its message where it is that of acceptance.
    pub rank: u64,
    /// Not attempted before this time.
    pub due: Wall,
    /// It is in the store alone, until it is taken; otherwise the engine has it.
    pub parked: bool,
}

/// A delivery that has not ended: all that is needed, besides its message, to go on with it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The message.
    pub id: MessageId,
    /// The delivery's number within the message, from 1.
    pub number: u32,
    /// Where it goes.
    pub target: Arc<Target>,
    /// Where it stands.
    pub place: Place,
    /// It is given up at this time.
    pub expires: Wall,
    /// Attempts that have ended.
    pub attempts: u32,
    /// Of one that goes to a subscriber: the number of the subscription, never zero.
    pub subscription: u64,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it began.
    pub at: Wall,
    /// How long it took, in microseconds.
    pub took: u64,
    /// What was answered; zero for nothing.
    pub status: u16,
    /// Why it failed, the word of the API; empty if it did not.
    pub error: Cow<'static, str>,
    /// The rest of it, one word; may be empty.
    pub detail: Cow<'static, str>,
    /// What was answered, as far as it is kept.
    pub answer: Option<Box<Answered>>,
}

/// What is kept of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The head as it came, its empty line included.
    pub head: Box<[u8]>,
    /// The start of the body.
    pub body: Box<[u8]>,
    /// There is more than that, or there should have been.
    pub truncated: bool,
}

impl Attempt {
    /// Bytes of memory held besides the attempt itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let answer = self.answer.as_ref();
        answer.map_or(0, |it| {
            size_of::<Answered>() + it.head.len() + it.body.len()
        })
    }
}

/// How a delivery ended.
#[derive(Clone, Debug)]
pub struct End {
    /// How.
    pub outcome: Outcome,
    /// Why, where no attempt says it, in one word; may be empty.
    pub detail: &'static str,
    /// When.
    pub at: Wall,
    /// Where it went.
    pub target: Arc<Target>,
}

/// A delivery that was taken out of the store to be gone on with.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its message; deliveries of one message that are taken together share it.
    pub message: Arc<Message>,
    /// The delivery.
    pub work: Work,
}

/// A lane that has parked work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The lane.
    pub lane: u64,
    /// When the first in rank is due.
    pub due: Wall,
    /// How many deliveries are parked in it.
    pub count: u64,
}

/// Small facts that are kept by key, each kind in a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Subscriptions, verified or asked for.
    Subscriptions,
    /// What the hub knows of its topics.
    Topics,
    /// Idempotency keys.
    Keys,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 3] = [Table::Subscriptions, Table::Topics, Table::Keys];

    /// Its name, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Table::Subscriptions => "subscriptions",
            Table::Topics => "topics",
            Table::Keys => "keys",
        }
    }
}

/// What a new engine is told of the time before it, in this order.
#[derive(Clone, Debug)]
pub enum Restored {
    /// The greatest id that was ever given.
    Last(MessageId),
    /// Messages of topics up to this one may be missing from the backlog that follows: they are
    /// too old, too many, or have been let go. Where it is not said, whatever is older than the
    /// first of the backlog may be.
    Missing(MessageId),
    /// A fact that was kept; the tables in the order of `Table::ALL`.
    Kept {
        /// Its kind.
        table: Table,
        /// Its key.
        key: Box<[u8]>,
        /// What was kept.
        value: Box<[u8]>,
    },
    /// A message of the backlog, the oldest first.
    Published(Arc<Message>),
    /// A lane with work; all that was under way is parked.
    Lane(Parked),
}

/// Where a delivery stands, as the API has it (dispatch.md section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not due yet, never tried.
    Scheduled,
    /// Due, not begun.
    Queued,
    /// An attempt is under way.
    Active,
    /// Tried, and to be tried again.
    Retrying,
    /// Ended.
    Ended(Outcome),
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 8] = [
        Status::Scheduled,
        Status::Queued,
        Status::Active,
        Status::Retrying,
        Status::Ended(Outcome::Delivered),
        Status::Ended(Outcome::Failed),
        Status::Ended(Outcome::Expired),
        Status::Ended(Outcome::Canceled),
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Scheduled => "scheduled",
            Status::Queued => "queued",
            Status::Active => "active",
            Status::Retrying => "retrying",
            Status::Ended(outcome) => outcome.as_str(),
        }
    }

    /// The status of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Status> {
        let mut all = Status::ALL.into_iter();
        all.find(|status| status.as_str() == word)
    }
}

/// What somebody asks the store.
#[derive(Clone, Debug)]
pub enum Question {
    /// One message with everything that happened to it.
    Message(MessageId),
    /// Messages, the newest first, without bodies and answers.
    Search(Search),
}

/// Which messages are asked for. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// At least one of its deliveries stands so. What the store cannot know better counts as
    /// queued where it is due.
    pub status: Option<Status>,
    /// It was published to this topic.
    pub topic: Option<Box<[u8]>>,
    /// One of its deliveries goes to this URL, as it is shown.
    pub url: Option<Box<str>>,
    /// It has this label.
    pub label: Option<Box<str>>,
    /// Accepted at this time or later.
    pub since: Option<Wall>,
    /// Accepted before this time.
    pub until: Option<Wall>,
    /// Only messages older than this one.
    pub before: Option<MessageId>,
    /// So many at most.
    pub limit: usize,
}

/// What the store knows of a message.
#[derive(Clone, Debug)]
pub struct Story {
    /// The message. In answers to a search its body is empty.
    pub message: Arc<Message>,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// Its deliveries, in the order of their numbers; a bounded number of them.
    pub deliveries: Vec<Told>,
    /// There are more deliveries than these.
    pub more: bool,
}

/// What the store knows of a delivery.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its number within the message, from 1.
    pub number: u32,
    /// Where it goes.
    pub target: Arc<Target>,
    /// Where it stands, as far as the store knows.
    pub status: Status,
    /// Why it ended, where no attempt says it; may be empty.
    pub detail: Cow<'static, str>,
    /// When it is tried next, if it waits for that.
    pub next: Option<Wall>,
    /// Its attempts, the oldest first. In answers to a search only the last, without its answer.
    pub attempts: Vec<Attempt>,
    /// The number of the subscription it goes to; zero for none.
    pub subscription: u64,
}

/// What the store found.
#[derive(Clone, Debug)]
pub enum Found {
    /// The message, if it is kept.
    Message(Option<Box<Story>>),
    /// Messages, the newest first.
    Search {
        /// They.
        stories: Vec<Story>,
        /// Where to go on, if there may be more. It may be told although nothing was found: the
        /// store looks for a bounded time only.
        next: Option<MessageId>,
    },
    /// The store cannot say; why, in a few words.
    Failed(&'static str),
}
