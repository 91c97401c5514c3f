//! What a line keeps of an answer for whoever looks at the attempt later: its head, the start of
//! its body, where it sends us. It judges nothing, and its memory is used again.

use super::faults::protocol;
use super::whole::MEMORY_FULL;
use super::{Outbound, Phase, Verdict};
use crate::base::buf::Buf;
use crate::base::ledger::Ledger;
use crate::model::{Answer, Ticket, Wants};

/// Bytes of a Location that are looked at; one that is longer is no URL of ours.
const LOCATION_BYTES_MAX: usize = (8 << 10) + 1;
/// Memory that a line keeps for its next answer.
const SPARE_BYTES_MAX: usize = 4 << 10;

/// What is kept of one answer.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The head, then the body's start.
    bytes: Vec<u8>,
    head: usize,
    /// Bytes of the body that are wanted.
    max: usize,
    /// The body has more than that, or should have had.
    truncated: bool,
    /// All of it counts, and is held until the verdict.
    whole: bool,
    location: Option<Box<[u8]>>,
    ticket: Option<Ticket>,
    /// The verdict has fallen and the body goes on: the rest is owed.
    owed: bool,
}

impl Kept {
    /// A new call: nothing is kept of the last one.
    pub(super) fn begin(&mut self, wants: Wants) {
        self.let_go();
        let bytes = std::mem::take(&mut self.bytes);
        let (max, ticket) = match wants {
            Wants::Head(ticket, max) => (max, Some(ticket)),
            Wants::Body(max) => (max, None),
        };
        *self = Kept {
            bytes,
            max,
            whole: ticket.is_none(),
            ticket,
            ..Kept::default()
        };
    }

    /// Nobody wants it any more.
    fn let_go(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES_MAX);
        self.head = 0;
    }

    /// The final head.
    pub(super) fn head(&mut self, head: &[u8], location: Option<&[u8]>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
        self.head = head.len();
        let location = location.map(|it| it.get(..LOCATION_BYTES_MAX).unwrap_or(it));
        self.location = location.map(Box::from);
    }

    /// A piece of the body.
    pub(super) fn body(&mut self, piece: &[u8]) {
        let wanted = piece.get(..self.room()).unwrap_or(piece);
        self.bytes.extend_from_slice(wanted);
        self.truncated |= wanted.len() < piece.len();
    }

    /// The body ends before its time, or nobody will read it.
    pub(super) fn cut(&mut self) {
        self.truncated = true;
    }

    /// Whether there is more of the body than is kept.
    pub(super) fn is_cut(&self) -> bool {
        self.truncated
    }

    /// Bytes of the body that may still be kept.
    pub(super) fn room(&self) -> usize {
        self.max - (self.bytes.len() - self.head).min(self.max)
    }

    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the call is decided by the whole answer.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Bytes of the body that are wanted.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// What is kept now; with `goes_on` the body is still coming, and is owed.
    pub(super) fn answer(&mut self, goes_on: bool) -> Answer<'_> {
        self.owed = goes_on && self.max > 0;
        let (head, body) = self.bytes.split_at(self.head.min(self.bytes.len()));
        Answer {
            head,
            body,
            truncated: self.truncated || goes_on,
            unfinished: self.owed,
            location: self.location.as_deref(),
        }
    }

    /// What was owed: whose it is, the body, whether it is cut.
    pub(super) fn late(&mut self) -> Option<(Ticket, &[u8], bool)> {
        if !std::mem::take(&mut self.owed) {
            return None;
        }
        let body = self.bytes.get(self.head..).unwrap_or_default();
        Some((self.ticket.take()?, body, self.truncated))
    }

    /// Bytes that are held while somebody waits for them.
    pub(super) fn held(&self) -> usize {
        match self.owed || self.whole {
            true => self.bytes.len(),
            false => 0,
        }
    }

    /// Memory it has beyond what is held.
    pub(super) fn spare(&self) -> usize {
        self.bytes.capacity() - self.held()
    }

    /// Memory is short: what is held goes.
    pub(super) fn drop_body(&mut self) {
        self.bytes.truncate(self.head);
        self.bytes.shrink_to(SPARE_BYTES_MAX);
        (self.max, self.truncated) = (0, true);
    }
}

impl Outbound {
    /// Whether what comes now answers something else: not a byte of the request is out; or, on a
    /// line that had another's answer and may bring more behind it, not the whole head.
    pub(super) fn is_too_soon(&self) -> bool {
        self.sent == 0 || (self.served > 0 && self.sent < self.head.len())
    }

    /// The answer that has just given a verdict, as far as it is here.
    pub fn answer(&mut self) -> Answer<'_> {
        self.kept
            .answer(matches!(self.phase, Phase::Surplus { .. }))
    }

    /// The body of an answer whose verdict fell before it was complete: which attempt's, the
    /// bytes, and whether there is more. It comes once, when no more will.
    pub fn late_answer(&mut self) -> Option<(Ticket, &[u8], bool)> {
        match self.phase {
            Phase::Surplus { .. } => None,
            _ => self.kept.late(),
        }
    }

    /// Brings what the line holds of an answer on the account of memory, or off it. Over the bound
    /// it lets go of it.
    pub fn charge(&mut self, memory: &mut Ledger) {
        // It was handed over with the verdict.
        if self.call.is_none() && !self.kept.owed {
            self.kept.let_go();
        }
        let held = self.kept.held() as u64;
        if held > self.held && !memory.take(held - self.held) {
            self.kept.drop_body();
            memory.give(std::mem::take(&mut self.held));
            return self.weigh(memory);
        }
        if held < self.held {
            memory.give(self.held - held);
        }
        self.held = held;
        self.weigh(memory);
    }

    fn buffers(&self) -> u64 {
        let buffers = self.head.capacity() + self.unread.capacity() + self.kept.spare();
        (size_of::<Outbound>() + buffers) as u64
    }

    /// Brings the buffers on the account, or off it: they are there, whatever the bound says.
    fn weigh(&mut self, memory: &mut Ledger) {
        let bytes = self.buffers();
        match bytes.checked_sub(self.buffers) {
            Some(more) => memory.charge(more),
            None => memory.give(self.buffers - bytes),
        }
        self.buffers = bytes;
    }

    /// After bytes were put aside that decide nothing yet: without room for them the call ends.
    pub(super) fn afford(&mut self, memory: &Ledger) -> Option<Verdict> {
        let more = self.buffers().saturating_sub(self.buffers);
        if self.unread.is_empty() || more == 0 || memory.has_room(more) {
            return None;
        }
        self.unread = Buf::default();
        self.phase = Phase::Gone;
        self.conclude(protocol(MEMORY_FULL))
    }
}
