//! What a client's line holds, on the account of memory: brought up to date whenever a buffer may
//! have grown, and judged before the next byte is taken. It decides by size, never by content.

use super::desk::Desk;
use super::{Context, Inbound, Phase};
use crate::base::ledger::Ledger;
use crate::base::stats::Counter;
use crate::conn::reply::Reply;
use crate::http::problem::{Problem, Reason};
use crate::port::Turn;

/// An answer that only shows something, and is no larger, is given however short memory is.
const SHOWN_BYTES: u64 = 1 << 10;

impl Context<'_> {
    /// Whether memory is so short that lines must not make us hold more for them.
    pub(super) fn is_tight(&self) -> bool {
        !self.turn.memory.has_room_for_strangers(0)
    }
}

impl Desk {
    /// Makes room for the next `bytes` of a body, of which `left` more may follow. False if the
    /// account has none. Requests under way leave a quarter of the bound to those that come whole.
    pub(super) fn has_room_for(&mut self, memory: &Ledger, bytes: usize, left: u64) -> bool {
        let (held, needed) = (self.body.capacity(), self.body.len() + bytes);
        if needed <= held {
            return true;
        }
        let whole = needed.saturating_add(usize::try_from(left).unwrap_or(usize::MAX));
        // Twice as much each time is a copy a byte; beyond the whole body it would be for nothing.
        for size in [needed.max(2 * held).min(whole), needed] {
            if memory.has_room_for_strangers((size - held) as u64) {
                self.body.reserve_exact(size - self.body.len());
                return true;
            }
        }
        false
    }
}

impl Inbound {
    /// Brings what `desk` takes on the account, or off it. It is held already, so it counts
    /// whatever the bound says; who asks next finds less room.
    pub(super) fn weigh(&mut self, memory: &mut Ledger, desk: &Desk) {
        let bytes = desk.bytes();
        match bytes.checked_sub(self.held) {
            Some(more) => memory.charge(more),
            None => memory.give(self.held - bytes),
        }
        self.held = bytes;
    }

    /// After bytes were put aside that make no request yet: without room for them the line ends,
    /// and what it held is free.
    pub(super) fn afford(&mut self, context: &mut Context<'_>, desk: &mut Desk) {
        let before = self.held;
        self.weigh(&mut context.turn.memory, desk);
        let open = !matches!(self.phase, Phase::Last | Phase::Linger { .. } | Phase::Gone);
        let grew = self.held > before && !desk.unread.is_empty();
        if open && grew && context.is_tight() {
            self.refuse(context, desk, Reason::MemoryFull, &[]);
        }
    }

    /// Bytes it has on the account of memory.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.held
    }

    /// Panics unless the account has what it holds. For tests and the simulator.
    pub fn check(&self) {
        let bytes = self.desk.as_ref().map_or(0, |desk| desk.bytes());
        assert_eq!(self.held, bytes, "a line's buffers are not on the account");
    }
}

/// Those who are told at once to come again must not all come at once; but a server that starts or
/// stops is soon another, and whoever found no place for a stream has its own wait already.
pub(super) fn spread(turn: &mut Turn, reply: &mut Reply) {
    match reply {
        Reply::Shared { reply, .. } => spread(turn, reply),
        Reply::Problem {
            problem,
            retry_after: Some(wait @ 1),
            ..
        } if problem.reason.row().status == 503
            && !matches!(
                problem.reason,
                Reason::Starting | Reason::Draining | Reason::StreamsFull
            ) =>
        {
            *wait = turn.patience();
        }
        _ => {}
    }
}

/// The answer, or 503 in its place if nothing is lost by that and there is no room for it.
pub(super) fn affordable(context: &mut Context<'_>, reply: Reply) -> Reply {
    let bytes = reply.weight();
    if bytes <= SHOWN_BYTES || !reply.only_shows() || context.turn.memory.may_overdraw(bytes) {
        return reply;
    }
    context.turn.stats.add(Counter::RequestsRefusedForMemory, 1);
    Reply::Problem {
        problem: Problem::from(Reason::MemoryFull),
        json: false,
        allow: None,
        retry_after: Some(1),
    }
}
