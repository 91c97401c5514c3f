//! What a reader of streams asks for, once it is understood. It holds values and does nothing.

use std::time::Duration;

use super::filter::Filter;
use super::format::Style;
use crate::base::time::Wall;
use crate::model::MessageId;

/// What a GET /stream asks for (streams.md section 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What is read.
    pub selection: Selection,
    /// How it is written.
    pub style: Style,
    /// Where it begins.
    pub cursor: Cursor,
    /// When it ends.
    pub mode: Mode,
    /// Whether the request had a condition that the cursor was read from: If-None-Match. An answer
    /// that has nothing new is 304 then.
    pub conditional: bool,
    /// Idle time after which keep-alive bytes are sent; none for the server's own.
    pub keep_alive: Option<Duration>,
    /// Whether a reader that falls behind is told so in good time.
    pub stall_warnings: bool,
    /// Whether a reader that is too slow loses the oldest messages instead of its stream.
    pub drops: bool,
    /// The `retry:` of event streams, in milliseconds; none for one by chance.
    pub retry_ms: Option<u32>,
}

/// Which messages are read: those of any of the topics, those of any topic that begins with one of
/// the prefixes; of these, those that the filter lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Exact names, each once, in the order asked for.
    pub topics: Vec<Box<[u8]>>,
    /// Beginnings of names, each once.
    pub prefixes: Vec<Box<[u8]>>,
    /// What a message must have.
    pub filter: Option<Filter>,
}

impl Selection {
    /// Bytes of memory that the names and the filter take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = self.topics.iter().chain(&self.prefixes);
        let names: usize = names.map(|name| size_of::<Box<[u8]>>() + name.len()).sum();
        names + self.filter.as_ref().map_or(0, Filter::bytes)
    }

    /// The topic, if it is one and nothing else: what almost everybody reads.
    #[must_use]
    pub fn plain(&self) -> Option<&[u8]> {
        match (&self.topics[..], &self.prefixes[..], &self.filter) {
            ([topic], [], None) => Some(topic),
            _ => None,
        }
    }
}

/// The id before all others. No message has it, so that whoever comes with it gets everything that
/// is kept, as after any cursor that is too old.
pub const LOST: MessageId = MessageId(0);

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// With what is published from now on.
    Now,
    /// With the last so many kept messages.
    Last(u32),
    /// Behind that message: Last-Event-ID, `since` with an id, If-None-Match. [`LOST`] where the
    /// reader named one that nobody here can have given.
    After(MessageId),
    /// With the first message accepted at that time or later.
    Since(Wall),
    /// With the oldest kept message.
    All,
}

/// When a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When the reader goes.
    Live,
    /// When what is kept is sent: `count` below zero, code 9.
    Kept,
    /// At once, as one answer with its length: `poll=1`.
    Poll,
    /// The same with the first message, or after this time: `wait`.
    Wait(Duration),
}
