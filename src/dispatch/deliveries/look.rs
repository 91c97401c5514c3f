//! What is remembered of deliveries: written as attempts end, read by whoever asks.
//! It never changes what becomes of a delivery.

use super::Deliveries;
use crate::base::slab::Key;
use crate::base::time::{Wall, micros};
use crate::dispatch::delivery::{Delivery, Next, State};
use crate::dispatch::history::{Attempt, Place, Rest, show};
use crate::model::{Answer, Ending, Fault, Message, MessageId, Outcome, Ticket};
use crate::port::Turn;

/// A log's records besides what was answered, at most; so much is charged for each attempt.
const RECORD_BYTES: usize = 160;
/// The record of a delivery's end besides its target's URL, at most: what its end needs besides
/// an outcome is one word.
const END_BYTES: usize = 64;

impl Deliveries {
    /// Writes the attempt that has just ended into its message's log. What memory has no room for
    /// is left out.
    pub(super) fn remember(
        &mut self,
        turn: &mut Turn,
        key: Key,
        ending: &Ending,
        next: Next,
        refused: Option<&'static str>,
        answer: Option<Answer<'_>>,
    ) {
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(open) = self.messages.get_mut(delivery.message) else {
            return;
        };
        let failed = next != Next::End(Outcome::Delivered);
        let (status, error, detail) = match (ending, refused) {
            (Ending::Answer { status, .. }, Some(detail)) => {
                (*status, Fault::Policy.as_str(), detail)
            }
            (Ending::Answer { status, .. }, None) if failed => {
                (*status, Fault::Status.as_str(), "")
            }
            (Ending::Answer { status, .. }, None) => (*status, "", ""),
            (Ending::Fault { fault, detail }, _) => (0, fault.as_str(), *detail),
        };
        let answered = answer.map_or(0, |answer| answer.head.len() + answer.body.len());
        let whole = RECORD_BYTES + answered;
        let taken = self.history.take(turn, whole, RECORD_BYTES);
        if taken == 0 {
            return;
        }
        open.log_bytes += taken as u64;
        let answer = answer.filter(|_| taken == whole);
        open.log.attempt(&Attempt {
            number: delivery.number,
            attempt: delivery.attempts,
            at: delivery.began.wall,
            took: micros(turn.now.mono.since(delivery.began.mono)),
            status,
            error,
            detail,
            answer,
        });
        // An older one may have made room for it.
        let spare = open.log_bytes.saturating_sub(open.log.len() as u64);
        open.log_bytes -= spare;
        self.history.give(turn, spare);
    }

    /// The attempt's line in the server's own log.
    pub(super) fn log(&self, turn: &Turn, key: Key, ending: &Ending, next: Next) {
        if !log::log_enabled!(log::Level::Debug) {
            return;
        }
        let Some(delivery) = self.deliveries.get(key) else {
            return;
        };
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let (id, url, attempt) = (open.message.id, &delivery.target.url, delivery.attempts);
        let age_ms = turn.now.wall.since(open.message.accepted).as_millis();
        log::debug!(
            "attempt_ended id={id} url={url:?} attempt={attempt} {ending} next={next:?} \
             age_ms={age_ms}"
        );
    }

    /// Writes a delivery's end into its message's log: without its target's URL, if memory has no
    /// room for it.
    pub(super) fn remember_end(&mut self, turn: &mut Turn, delivery: &Delivery, outcome: Outcome) {
        let Some(open) = self.messages.get_mut(delivery.message) else {
            return;
        };
        let url = &*delivery.target.url;
        let called_off = delivery.called_off();
        let detail = called_off.filter(|_| outcome == Outcome::Canceled);
        let bytes = END_BYTES + url.len();
        let taken = self.history.take(turn, bytes, END_BYTES);
        open.log_bytes += taken as u64;
        let url = if taken == bytes { url } else { "" };
        open.log
            .end(delivery.number, outcome, url, detail.unwrap_or_default());
    }

    /// The rest of an answer is here, or will not come.
    pub fn completed(&mut self, turn: &mut Turn, ticket: Ticket, body: &[u8], truncated: bool) {
        let awaited = self.awaiting(ticket);
        let rest = Rest {
            number: ticket.number,
            attempt: ticket.attempt,
            body,
            truncated,
        };
        match self.history.place(ticket.id) {
            Some(Place::Open(key)) => {
                let bytes = usize::try_from(rest.bytes()).unwrap_or(usize::MAX);
                if let Some(open) = self.messages.get_mut(key)
                    && self.history.take(turn, bytes, bytes) > 0
                {
                    open.log_bytes += rest.bytes();
                    open.log.rest(&rest);
                }
            }
            Some(Place::Ended(number)) => self.history.complete(turn, number, &rest),
            None => {}
        }
        if let Some(key) = awaited {
            self.answered(turn, key, body, truncated);
        }
    }

    /// A message that only went to topics was published.
    pub fn published(&mut self, turn: &mut Turn, message: &Message) {
        let mut log = self.history.fresh();
        log.message(message, crate::model::Method::Post);
        self.history.ended(turn, message.id, log);
    }

    /// Once a turn: what is remembered makes way for what is new.
    pub fn make_way(&mut self, turn: &mut Turn) {
        self.history.make_way(turn);
    }

    /// Bytes lent by the account of memory for messages that have ended.
    #[must_use]
    pub fn remembered_bytes(&self) -> u64 {
        self.history.bytes()
    }

    /// The message as JSON, if it is remembered.
    #[must_use]
    pub fn show(&self, turn: &Turn, id: MessageId) -> Option<Vec<u8>> {
        match self.history.place(id)? {
            Place::Ended(number) => Some(show::ended(self.history.get(number)?, id)),
            Place::Open(key) => {
                let open = self.messages.get(key)?;
                let mut live = Vec::new();
                let mut next = open.first;
                while let Some(delivery) = next.and_then(|key| self.deliveries.get(key)) {
                    live.push(delivery.live(turn));
                    next = delivery.sibling;
                }
                Some(show::open(&open.log, &open.message, open.method, &live))
            }
        }
    }
}

impl Delivery {
    /// What is said of it (dispatch.md section 6).
    fn live(&self, turn: &Turn) -> show::Live<'_> {
        let tried = self.attempts > 0;
        let due = match self.state {
            State::Held { delay } => Some(turn.now.mono + delay).filter(|_| !delay.is_zero()),
            State::Waiting { due, .. } => Some(due),
            State::Behind { due } => Some(due).filter(|due| *due > turn.now.mono),
            State::Offered | State::Gated | State::Queued | State::Active => None,
        };
        let status = match self.state {
            State::Active => "active",
            _ if tried => "retrying",
            _ if due.is_some() => "scheduled",
            _ => "queued",
        };
        let wall: Option<Wall> = due.map(|due| turn.now.wall + due.since(turn.now.mono));
        show::Live {
            number: self.number,
            url: &self.target.url,
            status,
            next_attempt: wall,
        }
    }
}
