//! Those who wait for what the store says of messages: each has a ticket, and its line holds the
//! place of its answer. What it asks and what it makes of the answer is decided below, by errand.
//!
//! ```text
//!  begin ──ask──► asked ──found──► answered
//!                  ▲  │ not ended yet, and there is time
//!        gone, time└──┴──► waits
//! ```

use super::Engine;
use super::door::Asker;
use crate::base::slab::{Key, Slab};
use crate::base::time::Mono;
use crate::conn::reply::{Reply, Told};
use crate::dispatch::deliveries::Deliveries;
use crate::http::problem::{Problem, Reason};
use crate::model::MessageId;
use crate::model::record::{Found, Question};
use crate::port::{Seq, StoreOp, Timer, Turn};

mod cancels;
mod looks;
mod resends;
mod searches;

pub(super) use resends::Resending;
pub(super) use searches::Searching;

/// So many at once at most, and as many nodes of the wheel.
pub(super) const INQUIRIES_MAX: usize = 1_024;
/// What each is charged besides what it gathers, in bytes.
const INQUIRY_BYTES: u64 = 1_024;

/// What somebody has come for.
#[derive(Debug)]
pub(super) enum Errand {
    /// One message.
    Look,
    /// How what was just dispatched ends, or, if that takes too long, this.
    Dispatched {
        /// The 202.
        reply: Box<Reply>,
        /// The seconds that were granted.
        seconds: u64,
    },
    /// Many messages.
    Search(Box<Searching>),
    /// A message is to be sent again.
    Resend,
    /// Many are.
    ResendMany(Box<Resending>),
    /// A message is called off; so many of its deliveries were so far.
    Cancel(u64),
}

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Inquiry {
    line: Key,
    /// The message that it is about, if it is one.
    id: MessageId,
    errand: Errand,
    /// Whether it is refused in JSON.
    json: bool,
    /// Who it is, for what it sends again.
    pub(super) asker: Asker,
    /// Questions that are not answered yet.
    open: u32,
    /// It waits for the message to end, at most until then.
    until: Option<Mono>,
    node: Option<Key>,
    /// The message has gone since it was last asked about.
    stale: bool,
    /// Bytes on the account of memory.
    charged: u64,
}

impl Inquiry {
    /// It is about that message, or about none in particular.
    pub(super) fn new(line: Key, id: MessageId, errand: Errand, json: bool) -> Inquiry {
        Inquiry {
            line,
            id,
            errand,
            json,
            asker: Asker::ANYONE,
            open: 0,
            until: None,
            node: None,
            stale: false,
            charged: INQUIRY_BYTES,
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Inquiries {
    slab: Slab<Inquiry>,
}

impl Default for Inquiries {
    fn default() -> Inquiries {
        Inquiries {
            slab: Slab::with_bound(INQUIRIES_MAX),
        }
    }
}

impl Inquiries {
    /// Somebody has come.
    ///
    /// # Errors
    /// There are too many, or there is no memory.
    pub(super) fn begin(&mut self, turn: &mut Turn, inquiry: Inquiry) -> Result<Key, Problem> {
        if self.slab.is_full() {
            return Err(Reason::InquiriesFull.into());
        }
        let charged = inquiry.charged;
        if !turn.memory.take(charged) {
            return Err(Reason::MemoryFull.into());
        }
        self.slab.insert(inquiry).map_err(|_| {
            turn.memory.give(charged);
            Reason::InquiriesFull.into()
        })
    }

    /// The same; if it cannot be, its errand is given back.
    pub(super) fn begin_or_give(
        &mut self,
        turn: &mut Turn,
        inquiry: Inquiry,
    ) -> Result<Key, Errand> {
        let charged = inquiry.charged;
        if self.slab.is_full() || !turn.memory.take(charged) {
            return Err(inquiry.errand);
        }
        self.slab.insert(inquiry).map_err(|inquiry| {
            turn.memory.give(charged);
            inquiry.errand
        })
    }

    /// So many deliveries were called off for it.
    pub(super) fn count_canceled(&mut self, key: Key, count: u32) {
        if let Some(Errand::Cancel(total)) = self.slab.get_mut(key).map(|it| &mut it.errand) {
            *total += u64::from(count);
        }
    }

    /// It waits for its message to end, until then at most.
    pub(super) fn wait(
        &mut self,
        turn: &mut Turn,
        deliveries: &mut Deliveries,
        key: Key,
        until: Mono,
    ) {
        if let Some(inquiry) = self.slab.get_mut(key) {
            deliveries.watch(inquiry.id);
            inquiry.until = Some(until);
            inquiry.node = turn.wheel.arm(until, Timer::Inquiry(key));
        }
    }

    /// The store is asked on its behalf.
    pub(super) fn ask(&mut self, turn: &mut Turn, key: Key, question: Question) {
        if let Some(inquiry) = self.slab.get_mut(key) {
            inquiry.open += 1;
            turn.hand(StoreOp::Ask {
                ticket: key.to_bits(),
                question: Box::new(question),
            });
        }
    }

    /// It is over, however it ended.
    fn end(&mut self, turn: &mut Turn, deliveries: &mut Deliveries, key: Key) -> Option<Inquiry> {
        let inquiry = self.slab.remove(key)?;
        turn.memory.give(inquiry.charged);
        if inquiry.until.is_some() {
            deliveries.unwatch(inquiry.id);
        }
        if let Some(node) = inquiry.node {
            turn.wheel.cancel(node);
        }
        Some(inquiry)
    }

    /// Those for whom it is true.
    fn keys(&self, is_it: impl Fn(&Inquiry) -> bool) -> Vec<Key> {
        let those = self.slab.iter().filter(|(_, inquiry)| is_it(inquiry));
        those.map(|(key, _)| key).collect()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Sweeps what must hold; the bytes that should stand on the account.
    pub(super) fn check(&self) -> u64 {
        let mut bytes = 0;
        for (_, inquiry) in self.slab.iter() {
            let waits = inquiry.until.is_some() || matches!(inquiry.errand, Errand::Cancel(_));
            let stores = matches!(&inquiry.errand, Errand::ResendMany(it) if it.is_storing());
            assert!(
                inquiry.open > 0 || waits || stores,
                "nobody will answer {inquiry:?}"
            );
            bytes += inquiry.charged;
        }
        bytes
    }
}

/// The least id behind that one: only messages up to it are older.
fn behind(id: MessageId) -> MessageId {
    MessageId(u128::from(id.number().wrapping_add(1)) << 64)
}

impl Engine {
    /// The store has answered a question.
    pub(super) fn store_found(&mut self, ticket: u64, found: Found) {
        let key = Key::from_bits(ticket);
        let Some(key) = key.filter(|key| self.inquiries.slab.contains(*key)) else {
            return;
        };
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        inquiry.open = inquiry.open.saturating_sub(1);
        match (&inquiry.errand, found) {
            (_, Found::Failed(why)) => {
                self.refuse_inquiry(key, Problem::new(Reason::StoreSilent, why));
            }
            (Errand::Look | Errand::Dispatched { .. }, Found::Message(story)) => {
                self.looked(key, story);
            }
            (Errand::Resend, Found::Message(story)) => self.resend_found(key, story),
            (Errand::ResendMany(_), Found::Message(story)) => self.page_found(key, story),
            (Errand::ResendMany(_), Found::Search { stories, next }) => {
                self.selected(key, stories, next);
            }
            (Errand::Search(_), Found::Search { stories, next }) => {
                self.searched(key, stories, next);
            }
            (Errand::Cancel(_), Found::Search { stories, .. }) => self.cancel_found(key, &stories),
            // Nobody asks that.
            (Errand::Look | Errand::Dispatched { .. } | Errand::Resend, Found::Search { .. })
            | (Errand::Search(_) | Errand::Cancel(_), Found::Message(_)) => {}
        }
    }

    /// What is watched has gone from here: it has ended, or the rest of it is parked. Whoever waits
    /// for it asks again.
    pub(super) fn carry_gone(&mut self) {
        while let Some(id) = self.dispatch.deliveries.next_gone() {
            self.look_again(id);
        }
    }

    fn look_again(&mut self, id: MessageId) {
        let waits = |inquiry: &Inquiry| inquiry.id == id && inquiry.until.is_some();
        for key in self.inquiries.keys(waits) {
            let inquiry = self.inquiries.slab.get_mut(key);
            match inquiry {
                Some(inquiry) if inquiry.open > 0 => inquiry.stale = true,
                _ => self
                    .inquiries
                    .ask(&mut self.turn, key, Question::Message(id)),
            }
        }
    }

    /// The time of somebody who waits is up.
    pub(super) fn inquiry_fired(&mut self, key: Key) {
        if let Some(inquiry) = self.inquiries.slab.get_mut(key) {
            inquiry.node = None;
            self.hurry_inquiry(key);
        }
    }

    /// The server stops: nobody waits any longer.
    pub(super) fn hurry_inquiries(&mut self) {
        for key in self.inquiries.keys(|inquiry| inquiry.until.is_some()) {
            self.hurry_inquiry(key);
        }
    }

    /// It is answered with what there is.
    fn hurry_inquiry(&mut self, key: Key) {
        let now = self.turn.now.mono;
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        inquiry.until = inquiry.until.map(|until| until.min(now));
        let (id, open) = (inquiry.id, inquiry.open);
        if let Errand::Dispatched { .. } = inquiry.errand {
            return self.answer_dispatched(key);
        }
        if open == 0 {
            self.inquiries
                .ask(&mut self.turn, key, Question::Message(id));
        }
    }

    /// A line is gone. Who has something canceled must see it through nonetheless.
    pub(super) fn forget_inquiries(&mut self, line: Key) {
        if self.inquiries.is_empty() {
            return;
        }
        let is_its = |inquiry: &Inquiry| {
            inquiry.line == line && !matches!(inquiry.errand, Errand::Cancel(_))
        };
        for key in self.inquiries.keys(is_its) {
            self.end_inquiry(key);
        }
    }

    fn end_inquiry(&mut self, key: Key) -> Option<Inquiry> {
        let deliveries = &mut self.dispatch.deliveries;
        self.inquiries.end(&mut self.turn, deliveries, key)
    }

    /// It gets its answer, once everything up to `seq` is durable.
    fn answer_inquiry(&mut self, key: Key, seq: Seq, reply: Reply) {
        match self.end_inquiry(key) {
            Some(inquiry) => self.answer_held(inquiry.line, key.to_bits(), (seq, reply)),
            None => self.turn.memory.give(reply.bytes()),
        }
    }

    fn refuse_inquiry(&mut self, key: Key, problem: Problem) {
        let json = self.inquiries.slab.get(key).is_some_and(|it| it.json);
        let retry_after = (problem.reason.row().status == 503).then_some(1);
        let reply = Reply::Problem {
            problem,
            json,
            allow: None,
            retry_after,
        };
        self.answer_inquiry(key, 0, reply);
    }

    /// It is told what it came for, if memory has room for that until it is sent.
    fn tell(&mut self, key: Key, status: u16, fields: Vec<(&'static str, String)>, body: Vec<u8>) {
        let charged = body.len() as u64;
        // What it gathered makes way for the whole of it.
        let gathered = self.inquiries.slab.get_mut(key).map_or(0, |inquiry| {
            std::mem::replace(&mut inquiry.charged, INQUIRY_BYTES) - INQUIRY_BYTES
        });
        self.turn.memory.give(gathered);
        if !self.turn.memory.take(charged) {
            return self.refuse_inquiry(key, Reason::MemoryFull.into());
        }
        let told = Told {
            status,
            fields,
            body,
        };
        self.answer_inquiry(key, 0, Reply::Told(Box::new(told)));
    }
}

/// No message of that id is known.
pub(super) fn unknown(id: MessageId) -> Problem {
    let detail = format!("{id} was never here, or is kept no longer");
    Problem::new(Reason::UnknownMessage, detail)
}
