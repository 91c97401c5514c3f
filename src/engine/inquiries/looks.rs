//! Looks at one message: as the store has it, with what is under way here; now, or once it has
//! ended or the time for that is up.

use super::{Errand, unknown};
use crate::admin::messages;
use crate::base::slab::Key;
use crate::conn::reply::Reply;
use crate::dispatch::deliveries::Deliveries;
use crate::engine::Engine;
use crate::model::record::{Question, Status, Story};
use crate::port::Turn;

/// Puts where deliveries stand that are under way here in the place of what the store knows.
pub(super) fn overlay(deliveries: &Deliveries, turn: &Turn, story: &mut Story) {
    let Some(last) = story.deliveries.last().map(|told| told.number) else {
        return;
    };
    let now = turn.now.wall;
    for told in &mut story.deliveries {
        // One that is parked becomes due without anybody telling the store.
        if let (Status::Scheduled | Status::Queued, Some(due)) = (told.status, told.next) {
            (told.status, told.next) = match due > now {
                true => (Status::Scheduled, Some(due)),
                false => (Status::Queued, None),
            };
        }
    }
    let mut rows = story.deliveries.iter_mut().peekable();
    for live in deliveries.live(turn, story.message.id, last) {
        while rows.next_if(|told| told.number < live.number).is_some() {}
        if let Some(told) = rows.next_if(|told| told.number == live.number)
            && !matches!(told.status, Status::Ended(_))
        {
            (told.status, told.next) = (live.status, live.next);
        }
    }
}

/// Whether nothing of a message is to be done any more, as far as its story goes.
fn has_ended(story: &Story) -> bool {
    let ended = |status| matches!(status, Status::Ended(_));
    story.deliveries.iter().all(|told| ended(told.status))
}

impl Engine {
    /// The store has told what it knows of a message.
    pub(super) fn looked(&mut self, key: Key, story: Option<Box<Story>>) {
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let (id, is_look) = (inquiry.id, matches!(inquiry.errand, Errand::Look));
        let Some(mut story) = story else {
            return match is_look {
                true => self.refuse_inquiry(key, unknown(id)),
                false => self.answer_dispatched(key),
            };
        };
        let deliveries = &self.dispatch.deliveries;
        overlay(deliveries, &self.turn, &mut story);
        let more = story.more && deliveries.knows(id);
        let ended = has_ended(&story) && !more;
        let now = self.turn.now.mono;
        let stale = std::mem::take(&mut inquiry.stale);
        if !ended && inquiry.until.is_some_and(|until| until > now) {
            if stale {
                self.inquiries
                    .ask(&mut self.turn, key, Question::Message(id));
            }
            return;
        }
        let fields = match &inquiry.errand {
            Errand::Dispatched { .. } if !ended => return self.answer_dispatched(key),
            Errand::Dispatched { seconds, .. } => vec![
                ("Hookah-Id", id.to_string()),
                ("Location", format!("/messages/{id}")),
                ("Preference-Applied", format!("wait={seconds}")),
            ],
            _ => Vec::new(),
        };
        self.tell(key, 200, fields, messages::one(&story));
    }

    /// What was dispatched has not ended in time: the usual answer.
    pub(super) fn answer_dispatched(&mut self, key: Key) {
        let inquiry = self.inquiries.slab.get_mut(key);
        if let Some(Errand::Dispatched { reply, .. }) = inquiry.map(|it| &mut it.errand) {
            let reply = std::mem::replace(&mut **reply, Reply::Continue);
            self.answer_inquiry(key, 0, reply);
        }
    }
}
