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
}

/// Replies owed at which reading pauses.
const OWED_MAX: usize = 64;
/// Unsent bytes of answers at which reading pauses.
const UNSENT_BYTES_MAX: usize = 64 << 10;
/// The same for both while memory is short: what a client does not take is ours to hold.
const OWED_TIGHT_MAX: usize = 4;
const UNSENT_TIGHT_BYTES_MAX: usize = 4 << 10;
/// Buffers larger than this are not kept for the next request or line.
pub(super) const KEPT_BYTES_MAX: usize = 4 << 10;

impl Desk {
    /// Bytes of memory that one takes at most while it waits for a line.
    pub const KEPT_BYTES: usize = size_of::<Desk>() + 4 * KEPT_BYTES_MAX + Replies::KEPT_BYTES;

    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    pub(super) fn owes(&self) -> bool {
        self.unsent() > 0 || !self.replies.is_empty()
    }

    /// Whether it owes so much that no more requests are read; `tight` while memory is short. Then
    /// there is something to be sent, after which it is asked again.
    pub(super) fn is_full(&self, tight: bool) -> bool {
        let (unsent, owed) = (self.unsent(), self.replies.len());
        let short = tight && (unsent > UNSENT_TIGHT_BYTES_MAX || owed >= OWED_TIGHT_MAX);
        short || unsent > UNSENT_BYTES_MAX || owed >= OWED_MAX
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        let buffers = self.unread.capacity()
            + self.head.capacity()
            + self.body.capacity()
            + self.out.capacity();
        (size_of::<Desk>() + buffers) as u64 + self.replies.bytes()
    }

    pub(super) fn is_clear(&self) -> bool {
        !self.owes() && self.unread.is_empty() && self.head.is_empty()
    }

    /// Everything is sent. A buffer that held a large answer is given back.
    pub(super) fn sent_all(&mut self) {
        self.out.clear();
        self.sent = 0;
        self.out.shrink_to(KEPT_BYTES_MAX);
    }

    /// The request is over, answered or refused: what came of it is not needed any more.
    pub(super) fn drop_request(&mut self) {
        self.head.clear();
        self.body.clear();
        self.head.shrink_to(KEPT_BYTES_MAX);
        self.body.shrink_to(KEPT_BYTES_MAX);
    }

    /// Makes it fit for the next line: a head that was refused leaves its scan half done.
    pub(super) fn trim(&mut self) {
        self.scan = HeadScan::default();
        self.out.shrink_to(KEPT_BYTES_MAX);
        self.body.shrink_to(KEPT_BYTES_MAX);
        self.head.shrink_to(KEPT_BYTES_MAX);
        self.unread.shrink_to(KEPT_BYTES_MAX);
        self.replies.shrink();
    }

    pub(super) fn clear(&mut self) {
        let Desk {
            unread,
            head,
            body,
            replies,
            out,
            sent,
            ..
        } = self;
        (*sent, *replies) = (0, Replies::default());
        unread.clear();
        head.clear();
        body.clear();
        out.clear();
        self.trim();
    }
}
