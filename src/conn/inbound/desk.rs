//! A client's line's working place: what it has read, what it owes, what it has to send.
//! It holds bytes and never decides what happens to them.

use crate::base::buf::Buf;
use crate::conn::reply::Replies;
use crate::http::head::HeadScan;

/// What a line needs while it is at work; an idle line has none.
#[derive(Debug, Default)]
pub struct Desk {
    pub(super) scan: HeadScan,
    /// Bytes that came and are not used yet: part of a head, or requests behind a pause.
    pub(super) unread: Buf,
    /// The head of the request whose body is still coming.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) replies: Replies,
    pub(super) out: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes of `out` on the account of memory: those of answers that hold many messages.
    pub(super) charged: u64,
}

/// Replies owed at which reading pauses.
const OWED_MAX: usize = 64;
/// Unsent bytes of answers at which reading pauses.
const UNSENT_BYTES_MAX: usize = 64 << 10;
/// Buffers larger than this are not kept for the next line.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Desk {
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    pub(super) fn owes(&self) -> bool {
        self.unsent() > 0 || !self.replies.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.unsent() > UNSENT_BYTES_MAX || self.replies.len() >= OWED_MAX
    }

    pub(super) fn is_clear(&self) -> bool {
        !self.owes() && self.unread.is_empty() && self.head.is_empty()
    }

    /// Everything is sent. A buffer that held a large answer is given back; how many bytes of it
    /// were on the account.
    pub(super) fn sent_all(&mut self) -> u64 {
        self.out.clear();
        self.sent = 0;
        if self.charged > 0 {
            self.out.shrink_to(KEPT_BYTES_MAX);
        }
        std::mem::take(&mut self.charged)
    }

    /// Makes it fit for the next line: a head that was refused leaves its scan half done.
    pub(super) fn trim(&mut self) {
        self.scan = HeadScan::default();
        self.out.shrink_to(KEPT_BYTES_MAX);
        self.body.shrink_to(KEPT_BYTES_MAX);
        self.head.shrink_to(KEPT_BYTES_MAX);
        self.unread.shrink_to(KEPT_BYTES_MAX);
    }

    pub(super) fn clear(&mut self) {
        let Desk {
            unread,
            head,
            body,
            replies,
            out,
            sent,
            charged,
            ..
        } = self;
        (*sent, *charged, *replies) = (0, 0, Replies::default());
        unread.clear();
        head.clear();
        body.clear();
        out.clear();
        self.trim();
    }
}
