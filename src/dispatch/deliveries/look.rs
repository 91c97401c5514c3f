//! What is told of deliveries: their attempts as the store keeps them, and where those stand that
//! are under way. It never changes what becomes of a delivery.

use std::borrow::Cow;

use super::Deliveries;
use crate::base::slab::Key;
use crate::base::time::{Now, Wall, micros};
use crate::dispatch::delivery::{Delivery, Next, State};
use crate::model::record::{Answered, Attempt, Status};
use crate::model::{Answer, Ending, Fault, MessageId, Outcome, Ticket};
use crate::port::{StoreOp, Turn};

/// Where a delivery stands that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its number within the message.
    pub number: u32,
    /// Where it stands.
    pub status: Status,
    /// When the next attempt is due, if it waits for one.
    pub next: Option<Wall>,
}

impl Deliveries {
    /// The attempt that has just ended, as the store keeps it. An answer that memory has no room
    /// for is left out.
    pub(super) fn attempt(
        &self,
        turn: &mut Turn,
        key: Key,
        ending: &Ending,
        next: Next,
        refused: Option<&'static str>,
        answer: Option<Answer<'_>>,
    ) -> Option<Attempt> {
        let delivery = self.deliveries.get(key)?;
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
        // Whoever is told of the end is told what was answered.
        let owed = matches!(next, Next::End(outcome) if self.tells(key, outcome));
        let answer = answer.filter(|answer| {
            let bytes = size_of::<Answered>() + answer.head.len() + answer.body.len();
            owed || turn.memory.has_room_for_strangers(bytes as u64)
        });
        Some(Attempt {
            attempt: delivery.attempts,
            at: delivery.began.wall,
            took: micros(turn.now.mono.since(delivery.began.mono)),
            status,
            error: error.into(),
            detail: detail.into(),
            answer: answer.map(|answer| Box::new(answered(&answer))),
        })
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
        let (number, next) = (delivery.number, word(next));
        log::debug!(
            "attempt_ended id={id} delivery={number} url={url:?} attempt={attempt} {ending} \
             next={next} age_ms={age_ms}"
        );
    }

    /// The rest of an answer is here, or will not come. What memory has no room for is left out.
    pub fn completed(&mut self, turn: &mut Turn, ticket: Ticket, body: &[u8], truncated: bool) {
        if let Some(key) = self.awaiting(ticket) {
            return self.answered(turn, key, body, truncated);
        }
        if !turn.memory.has_room_for_strangers(body.len() as u64) {
            return;
        }
        turn.hand(StoreOp::Rest {
            id: ticket.id,
            number: ticket.number,
            attempt: ticket.attempt,
            body: body.into(),
            truncated,
        });
    }

    /// Where the deliveries of a message stand that are under way, in the order of their numbers,
    /// up to and including that one.
    #[must_use]
    pub fn live(&self, turn: &Turn, id: MessageId, last: u32) -> Vec<Live> {
        let open = self.by_id.get(&id).and_then(|key| self.messages.get(*key));
        let mut next = open.and_then(|open| open.first);
        let now = turn.now;
        let rows = std::iter::from_fn(move || {
            let delivery = self.deliveries.get(next?)?;
            next = delivery.sibling;
            Some(delivery)
        });
        // What came back out of the store stands before the rest.
        let rows = rows.filter(|delivery| delivery.number <= last);
        let mut rows: Vec<_> = rows.map(|delivery| delivery.live(now)).collect();
        rows.sort_unstable_by_key(|live| live.number);
        rows
    }

    /// Whether anything of a message is under way.
    #[must_use]
    pub fn knows(&self, id: MessageId) -> bool {
        self.by_id.contains(&id)
    }

    /// Messages of which a delivery is being attempted now, the newest first, of those that are
    /// older than `before`; so many at most.
    #[must_use]
    pub fn active(&self, before: Option<MessageId>, most: usize) -> Vec<MessageId> {
        let active = self.deliveries.iter();
        let active = active.filter(|(_, delivery)| delivery.is_active());
        let open = active.filter_map(|(_, delivery)| self.messages.get(delivery.message));
        let ids = open.map(|open| open.message.id);
        let mut ids: Vec<_> = ids
            .filter(|id| before.is_none_or(|before| *id < before))
            .collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        ids.truncate(most);
        ids
    }

    /// Somebody waits for the message to end: it is among those that `next_gone` tells of.
    pub fn watch(&mut self, id: MessageId) {
        let watchers = self.watched.get(&id).copied().unwrap_or(0);
        self.watched.insert(id, watchers + 1);
    }

    /// One of those has gone.
    pub fn unwatch(&mut self, id: MessageId) {
        match self.watched.get_mut(&id) {
            Some(watchers) if *watchers > 1 => *watchers -= 1,
            _ => {
                self.watched.remove(&id);
            }
        }
    }

    /// A watched message of which nothing is under way any more: it has ended, or the rest of it is
    /// parked.
    pub fn next_gone(&mut self) -> Option<MessageId> {
        self.gone.pop_front()
    }
}

/// What is kept of an answer. A body that is unfinished comes again as a whole.
fn answered(answer: &Answer<'_>) -> Answered {
    let body = if answer.unfinished { &[] } else { answer.body };
    Answered {
        head: answer.head.into(),
        body: body.into(),
        truncated: answer.truncated || answer.unfinished,
    }
}

impl Delivery {
    /// What is said of it (dispatch.md section 6).
    fn live(&self, now: Now) -> Live {
        let (status, next) = self.stands(now);
        Live {
            number: self.number,
            status,
            next,
        }
    }

    /// Where it stands, and when it is tried if it waits for that.
    pub(super) fn stands(&self, now: Now) -> (Status, Option<Wall>) {
        let due = match self.state {
            State::Held { delay } => Some(now.mono + delay).filter(|_| !delay.is_zero()),
            State::Waiting { due, .. } => Some(due),
            State::Behind { due } => Some(due).filter(|due| *due > now.mono),
            State::Offered | State::Gated | State::Queued | State::Active => None,
        };
        let status = match self.state {
            _ if self.is_active() => Status::Active,
            _ if self.attempts > 0 => Status::Retrying,
            _ if due.is_some() => Status::Scheduled,
            _ => Status::Queued,
        };
        (status, due.map(|due| now.wall + due.since(now.mono)))
    }
}

/// What comes next, and the least wait before it if somebody has asked for one.
fn word(next: Next) -> Cow<'static, str> {
    match next {
        Next::End(outcome) => outcome.as_str().into(),
        Next::Retry {
            at_least: Some(wait),
            ..
        } => format!("retry at_least_ms={}", wait.as_millis()).into(),
        Next::Retry { .. } => "retry".into(),
        Next::Follow => "follow".into(),
    }
}
