//! Searches among messages: the store finds, what is under way here is put on top, and a search
//! whose slice of time was over goes on by itself for a while.

use super::looks::overlay;
use super::{Errand, behind};
use crate::admin::messages;
use crate::base::slab::Key;
use crate::dispatch::deliveries::Deliveries;
use crate::engine::Engine;
use crate::http::problem::Reason;
use crate::model::MessageId;
use crate::model::record::{Question, Search, Status, Story};

/// Slices of one search at most, and messages of one that is for what is being attempted now.
const ROUNDS_MAX: u32 = 32;
const ACTIVE_MAX: u32 = 200;

/// A search under way.
#[derive(Debug)]
pub(in crate::engine) struct Searching {
    /// What is searched for; `before` moves on.
    search: Search,
    /// The answer so far.
    out: Vec<u8>,
    shown: usize,
    rounds: u32,
    /// The message that was asked for, of those that are being attempted.
    at: Option<MessageId>,
}

impl Searching {
    pub(in crate::engine) fn new(search: Search) -> Searching {
        Searching {
            search,
            out: messages::begin(),
            shown: 0,
            rounds: 0,
            at: None,
        }
    }

    /// What the store is asked next; none if there is nothing more to be found. The store does not
    /// know what is being attempted now, so for that it is asked about one after the other.
    pub(in crate::engine) fn question(&mut self, deliveries: &Deliveries) -> Option<Question> {
        let search = self.search.clone();
        if self.search.status != Some(Status::Active) {
            let limit = self.search.limit - self.shown;
            return Some(Question::Search(Search { limit, ..search }));
        }
        self.at = deliveries.active(self.search.before, 1).first().copied();
        let next = self.at?;
        Some(Question::Search(Search {
            status: None,
            before: Some(behind(next)),
            limit: 1,
            ..search
        }))
    }

    /// The whole answer, with where the next page begins.
    pub(in crate::engine) fn finish(&mut self, next: Option<MessageId>) -> Vec<u8> {
        messages::end(&mut self.out, next);
        std::mem::take(&mut self.out)
    }

    fn is_over(&self) -> bool {
        let max = match self.search.status {
            Some(Status::Active) => ACTIVE_MAX,
            _ => ROUNDS_MAX,
        };
        self.shown >= self.search.limit || self.rounds >= max
    }
}

/// Whether a message is what is searched for, as its deliveries stand now.
pub(super) fn is_meant(status: Option<Status>, story: &Story) -> bool {
    status.is_none_or(|status| {
        let mut deliveries = story.deliveries.iter();
        story.more || deliveries.any(|told| told.status == status)
    })
}

impl Engine {
    /// The store has found messages, perhaps not all.
    pub(super) fn searched(&mut self, key: Key, stories: Vec<Story>, next: Option<MessageId>) {
        let deliveries = &self.dispatch.deliveries;
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let Errand::Search(searching) = &mut inquiry.errand else {
            return;
        };
        let status = searching.search.status;
        let had = searching.out.len();
        let asked = searching.at;
        for mut story in stories {
            overlay(deliveries, &self.turn, &mut story);
            // Of those that are being attempted one alone was asked for.
            let right = status != Some(Status::Active) || asked == Some(story.message.id);
            if right && is_meant(status, &story) {
                messages::row(&mut searching.out, &story);
                searching.shown += 1;
            }
        }
        searching.rounds += 1;
        let more = (searching.out.len() - had) as u64;
        let next = match status {
            Some(Status::Active) => asked,
            _ => next,
        };
        searching.search.before = next.or(searching.search.before);
        if !self.turn.memory.take(more) {
            return self.refuse_inquiry(key, Reason::MemoryFull.into());
        }
        inquiry.charged += more;
        let question = match next {
            Some(_) => searching.question(deliveries),
            None => None,
        };
        match question {
            Some(question) if !searching.is_over() => {
                self.inquiries.ask(&mut self.turn, key, question);
            }
            question => {
                let body = searching.finish(next.filter(|_| question.is_some()));
                self.tell(key, 200, Vec::new(), body);
            }
        }
    }
}
