//! Messages that are sent again, one or many: each becomes a new message. Many go a page at a time,
//! the newest first, each page made durable by one commit before the next is looked for.

use super::looks::overlay;
use super::searches::is_meant;
use super::{Errand, unknown};
use crate::admin::messages;
use crate::base::slab::Key;
use crate::conn::reply::{Reply, Told};
use crate::dispatch::Accepted;
use crate::engine::Engine;
use crate::engine::door::Asker;
use crate::engine::lanes;
use crate::engine::stored::{Awaiting, Origin};
use crate::http::problem::{Problem, Reason};
use crate::model::record::{Question, Search, Story};
use crate::model::{Callback, MessageId, TopicNames};

/// Messages that one request has resent at most.
const RESENT_MAX: usize = 1_000;
/// Messages of a page, and bytes of their bodies unless one alone has more.
const PAGE_MAX: usize = 100;
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Searches of one request at most.
const ROUNDS_MAX: u32 = 64;

/// A request to send many again.
#[derive(Debug)]
pub(in crate::engine) struct Resending {
    /// Which; `before` moves on.
    search: Search,
    /// So many at most.
    left: usize,
    rounds: u32,
    /// Where to go on behind the page under way.
    next: Option<MessageId>,
    /// The page's messages, as they come.
    page: Vec<Story>,
    /// Messages that wait for the store.
    storing: usize,
    /// The new messages that are durable.
    ids: Vec<MessageId>,
    /// Why it goes no further.
    trouble: Option<Reason>,
}

impl Resending {
    pub(in crate::engine) fn new(search: Search) -> Resending {
        Resending {
            left: search.limit.min(RESENT_MAX),
            next: None,
            search,
            rounds: 0,
            page: Vec::new(),
            storing: 0,
            ids: Vec::new(),
            trouble: None,
        }
    }

    /// The next page is looked for.
    pub(in crate::engine) fn question(&self) -> Question {
        let limit = self.left.min(PAGE_MAX);
        Question::Search(Search {
            limit,
            ..self.search.clone()
        })
    }

    pub(super) fn is_storing(&self) -> bool {
        self.storing > 0
    }
}

impl Engine {
    /// A message becomes a new one.
    fn repeat(&mut self, story: &Story, asker: Asker) -> Result<Accepted, Problem> {
        if story.message.body.len() as u64 != story.body_bytes {
            let detail = format!("{}: its body is kept no longer", story.message.id);
            return Err(Problem::new(Reason::UnknownMessage, detail));
        }
        let own = story
            .deliveries
            .iter()
            .filter(|told| told.subscription == 0);
        let targets: Vec<_> = own
            .map(|told| std::sync::Arc::clone(&told.target))
            .collect();
        let policy = &self.courier.settings().policy;
        let vet = |target: &_, strict| lanes::vet(policy, target, strict || asker.strict);
        let (hub, now) = (&self.hub, self.turn.now.mono);
        let warrant = asker.warrant(&self.gate);
        warrant.sends()?;
        warrant.publishes(&story.message.topics)?;
        let callbacks_of = |topics: &TopicNames, callbacks: &mut Vec<Callback>| {
            hub.callbacks(now, topics.iter(), false, callbacks);
        };
        let message = &story.message;
        let turn = &mut self.turn;
        self.dispatch
            .resend(turn, message, &targets, vet, callbacks_of, asker.strict)
    }

    /// The message that is to be sent again is here.
    pub(super) fn resend_found(&mut self, key: Key, story: Option<Box<Story>>) {
        let Some(inquiry) = self.inquiries.slab.get(key) else {
            return;
        };
        let (of, line, asker) = (inquiry.id, inquiry.line, inquiry.asker);
        let Some(story) = story else {
            return self.refuse_inquiry(key, unknown(of));
        };
        let accepted = match self.repeat(&story, asker) {
            Ok(accepted) => accepted,
            Err(why) => return self.refuse_inquiry(key, why),
        };
        let (id, seq) = (accepted.id, accepted.seq);
        self.await_store(accepted, Origin::Client(line));
        let mut fields = vec![
            ("Hookah-Id", id.to_string()),
            ("Location", format!("/messages/{id}")),
        ];
        if self.settings.volatile {
            fields.push(("Hookah-Durability", "memory".into()));
        }
        let told = Told {
            status: 202,
            fields,
            body: messages::resent_one(id, of),
        };
        // A few bytes, and the message is taken in already.
        self.turn.memory.charge(told.body.len() as u64);
        self.answer_inquiry(key, seq, Reply::Told(Box::new(told)));
    }

    fn await_store(&mut self, accepted: Accepted, origin: Origin) {
        self.awaiting.push_back(Awaiting::of(accepted, origin));
    }

    /// The next page has been found; its bodies are asked for.
    pub(super) fn selected(&mut self, key: Key, stories: Vec<Story>, next: Option<MessageId>) {
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let Errand::ResendMany(resending) = &mut inquiry.errand else {
            return;
        };
        resending.rounds += 1;
        resending.next = next;
        let (mut ids, mut bytes) = (Vec::new(), 0);
        let mut last = None;
        for mut story in stories {
            bytes += story.body_bytes;
            if bytes > PAGE_BYTES_MAX && !ids.is_empty() {
                resending.next = last;
                break;
            }
            last = Some(story.message.id);
            overlay(&self.dispatch.deliveries, &self.turn, &mut story);
            if is_meant(resending.search.status, &story) {
                ids.push(story.message.id);
            }
        }
        let none = ids.is_empty();
        for id in ids {
            self.inquiries
                .ask(&mut self.turn, key, Question::Message(id));
        }
        if none {
            self.resend_on(key);
        }
    }

    /// A message of the page is here; with the last of them all are sent again.
    pub(super) fn page_found(&mut self, key: Key, story: Option<Box<Story>>) {
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let Errand::ResendMany(resending) = &mut inquiry.errand else {
            return;
        };
        // Its bytes are the store's no longer; they go with the page.
        if let Some(story) = story {
            let bytes = story.message.bytes() as u64;
            if self.turn.memory.take(bytes) {
                inquiry.charged += bytes;
                resending.page.push(*story);
            } else {
                resending.trouble = Some(Reason::MemoryFull);
            }
        }
        if inquiry.open > 0 {
            return;
        }
        let page = std::mem::take(&mut resending.page);
        let bytes = page.iter().map(|story| story.message.bytes() as u64);
        let bytes = bytes.sum();
        inquiry.charged -= bytes;
        self.turn.memory.give(bytes);
        self.send_page(key, page);
    }

    fn send_page(&mut self, key: Key, mut page: Vec<Story>) {
        page.sort_unstable_by_key(|story| std::cmp::Reverse(story.message.id));
        let Some(asker) = self.inquiries.slab.get(key).map(|it| it.asker) else {
            return;
        };
        let (mut storing, mut trouble) = (0, None);
        let mut last = None;
        for story in page {
            match self.repeat(&story, asker) {
                Ok(accepted) => {
                    let origin = Origin::Resend(key, accepted.id);
                    self.await_store(accepted, origin);
                    storing += 1;
                }
                Err(why) if why.reason == Reason::MemoryFull => {
                    trouble = Some(Reason::MemoryFull);
                    break;
                }
                // What is kept no longer, or may not be called any more, is left out.
                Err(_) => {}
            }
            last = Some(story.message.id);
        }
        if let Some(inquiry) = self.inquiries.slab.get_mut(key)
            && let Errand::ResendMany(resending) = &mut inquiry.errand
        {
            resending.storing = storing;
            resending.left = resending.left.saturating_sub(storing);
            resending.trouble = resending.trouble.or(trouble);
            if trouble.is_some() {
                resending.next = last.or(resending.search.before);
            }
        }
        if storing == 0 {
            self.resend_on(key);
        }
    }

    /// The store has one of the new messages, or has lost it.
    pub(in crate::engine) fn resent(&mut self, key: Key, id: MessageId, kept: bool) {
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let Errand::ResendMany(resending) = &mut inquiry.errand else {
            return;
        };
        resending.storing = resending.storing.saturating_sub(1);
        match kept {
            true => resending.ids.push(id),
            false => resending.trouble = Some(Reason::StoreFailed),
        }
        if resending.storing == 0 {
            self.resend_on(key);
        }
    }

    /// The page is done: the next is looked for, or it is answered.
    fn resend_on(&mut self, key: Key) {
        let Some(inquiry) = self.inquiries.slab.get_mut(key) else {
            return;
        };
        let Errand::ResendMany(resending) = &mut inquiry.errand else {
            return;
        };
        let on = resending.trouble.is_none() && resending.left > 0 && resending.rounds < ROUNDS_MAX;
        if on && resending.next.is_some() {
            resending.search.before = resending.next;
            let question = resending.question();
            return self.inquiries.ask(&mut self.turn, key, question);
        }
        let refused = resending.trouble.filter(|_| resending.ids.is_empty());
        let body = messages::resent(&resending.ids, resending.next);
        match refused {
            Some(reason) => self.refuse_inquiry(key, reason.into()),
            None => self.tell(key, 202, Vec::new(), body),
        }
    }
}
