//! Cancellations: what is here is called off at once, what is parked by the store, and what comes
//! out of the store between the two as it comes.

use super::{Errand, behind, unknown};
use crate::admin::messages;
use crate::base::slab::Key;
use crate::engine::Engine;
use crate::model::record::{Question, Search, Story};

impl Engine {
    /// The store has called off what was parked of a message.
    pub(in crate::engine) fn canceled(&mut self, ticket: u64, count: u32) {
        let Some(key) = Key::from_bits(ticket) else {
            return;
        };
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let id = inquiry.id;
        let Errand::Cancel(total) = &mut inquiry.errand else {
            return;
        };
        *total += u64::from(count);
        *total += u64::from(self.dispatch.deliveries.cancel_all(&mut self.turn, id));
        let total = *total;
        if count > 0 {
            self.look_again(id);
        }
        if total > 0 {
            return self.tell(key, 200, Vec::new(), messages::canceled(total));
        }
        // Nothing was left to be called off, or there never was such a message.
        let search = Search {
            before: Some(behind(id)),
            limit: 1,
            ..Search::default()
        };
        self.inquiries
            .ask(&mut self.turn, key, Question::Search(search));
    }

    /// Whether there is a message of which nothing was left to be called off.
    pub(super) fn cancel_found(&mut self, key: Key, stories: &[Story]) {
        let Some(inquiry) = self.inquiries.slab.get(key) else {
            return;
        };
        let id = inquiry.id;
        match stories.iter().any(|story| story.message.id == id) {
            true => self.tell(key, 200, Vec::new(), messages::canceled(0)),
            false => self.refuse_inquiry(key, unknown(id)),
        }
    }

    /// Deliveries have come out of the store: those of a message that is being called off are, too,
    /// before any of them begins.
    pub(in crate::engine) fn cancel_taken(&mut self) {
        if self.inquiries.is_empty() {
            return;
        }
        let cancels = |inquiry: &super::Inquiry| matches!(inquiry.errand, Errand::Cancel(_));
        for key in self.inquiries.keys(cancels) {
            if let Some(inquiry) = self.inquiries.slab.get_mut(key)
                && let Errand::Cancel(total) = &mut inquiry.errand
            {
                let deliveries = &mut self.dispatch.deliveries;
                *total += u64::from(deliveries.cancel_all(&mut self.turn, inquiry.id));
            }
        }
    }
}
