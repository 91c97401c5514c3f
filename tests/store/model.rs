//! What a store must know, kept in the plainest way: the measure for the backends.
//! It looks at everything for every question, and knows no time but past and future.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hookah::base::frame::Frame;
use hookah::model::record::{
    Attempt, End, Parked, Restored, Search, Status, Story, Table, Taken, Told, Work,
};
use hookah::model::{Message, MessageId, Outcome};
use hookah::port::StoreOp;

use crate::make;

/// What is known of a delivery.
struct Delivery {
    work: Work,
    ended: Option<(Outcome, Cow<'static, str>)>,
    attempts: BTreeMap<u32, Attempt>,
}

/// A message and its deliveries by their numbers.
struct Entry {
    message: Arc<Message>,
    deliveries: BTreeMap<u32, Delivery>,
}

/// What a small fact is kept under.
type Name = (Table, Box<[u8]>);

/// The model.
#[derive(Default)]
pub struct Model {
    messages: BTreeMap<MessageId, Entry>,
    kept: BTreeMap<Name, Box<[u8]>>,
}

impl Model {
    /// Whatever is no question and brings no rows back.
    pub fn apply(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Accept { message, .. } => self.accept(message),
            StoreOp::Work(work) => self.work(work),
            StoreOp::Later {
                id,
                number,
                place,
                attempts,
                attempt,
            } => {
                let delivery = self.delivery(*id, *number);
                delivery.work.place = *place;
                delivery.work.attempts = *attempts;
                delivery.attempted(attempt);
            }
            StoreOp::End {
                id,
                number,
                end,
                attempt,
            } => self.delivery(*id, *number).end(end, attempt),
            StoreOp::Rest {
                id,
                number,
                attempt,
                body,
                truncated,
            } => {
                let attempts = &mut self.delivery(*id, *number).attempts;
                let answer = attempts.get_mut(attempt).and_then(|it| it.answer.as_mut());
                let answer = answer.expect("an attempt that was answered");
                answer.body = body.clone();
                answer.truncated = *truncated;
            }
            StoreOp::Keep { table, key, value } => match value {
                Some(value) => drop(self.kept.insert((*table, key.clone()), value.clone())),
                None => drop(self.kept.remove(&(*table, key.clone()))),
            },
            StoreOp::Take { .. } | StoreOp::Cancel { .. } | StoreOp::Ask { .. } => {
                panic!("{op:?} has a method of its own")
            }
        }
    }

    fn accept(&mut self, message: &Arc<Message>) {
        let entry = Entry {
            message: Arc::clone(message),
            deliveries: BTreeMap::new(),
        };
        assert!(self.messages.insert(message.id, entry).is_none());
    }

    fn work(&mut self, work: &Work) {
        let entry = self.messages.get_mut(&work.id).expect("accepted");
        let delivery = Delivery {
            work: work.clone(),
            ended: None,
            attempts: BTreeMap::new(),
        };
        assert!(entry.deliveries.insert(work.number, delivery).is_none());
    }

    fn delivery(&mut self, id: MessageId, number: u32) -> &mut Delivery {
        let entry = self.messages.get_mut(&id).expect("accepted");
        entry.deliveries.get_mut(&number).expect("its work")
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Delivery> {
        let entries = self.messages.values_mut();
        entries.flat_map(|entry| entry.deliveries.values_mut())
    }

    /// Deliveries that have not ended and are parked, or are not.
    pub fn open(&mut self, parked: bool) -> Vec<Work> {
        let open = self.all().filter(|it| it.ended.is_none());
        let fit = open.filter(|it| it.work.place.parked == parked);
        fit.map(|it| it.work.clone()).collect()
    }

    /// Those of them that were answered, by message, number and attempt.
    pub fn answered(&mut self) -> Vec<(MessageId, u32, u32)> {
        let answered = |it: &&mut Delivery| {
            let last = it.attempts.last_key_value();
            last.is_some_and(|(_, attempt)| attempt.answer.is_some())
        };
        let name = |it: &mut Delivery| {
            let last = it.attempts.last_key_value().expect("just seen");
            (it.work.id, it.work.number, *last.0)
        };
        self.all().filter(answered).map(name).collect()
    }

    /// What a lane has parked.
    pub fn parked(&mut self, lane: u64) -> Option<Parked> {
        let mut rows = self.open(true);
        rows.retain(|work| work.place.lane == lane);
        rows.sort_by_key(in_rank);
        let first = rows.first()?;
        Some(Parked {
            lane,
            due: first.place.due,
            count: rows.len() as u64,
        })
    }

    /// As the operation of that name.
    pub fn take(&mut self, lane: u64, until: u64, rows: u32, bytes: u64) -> Vec<Taken> {
        let mut work = self.open(true);
        work.retain(|work| work.place.lane == lane && work.place.rank <= until);
        work.sort_by_key(in_rank);
        let mut taken: Vec<Taken> = vec![];
        let mut left = bytes;
        for mut work in work.into_iter().take(rows as usize) {
            let message = Arc::clone(&self.messages[&work.id].message);
            // Deliveries of one message that are taken together share its body.
            if !taken.iter().any(|it| it.work.id == work.id) {
                match left.checked_sub(message.body.len() as u64) {
                    None if !taken.is_empty() => break,
                    rest => left = rest.unwrap_or(0),
                }
            }
            self.delivery(work.id, work.number).work.place.parked = false;
            work.place.parked = false;
            taken.push(Taken { message, work });
        }
        taken
    }

    /// As the operation of that name: how many, and the lanes that they were in.
    pub fn cancel(&mut self, id: MessageId) -> (u32, BTreeSet<u64>) {
        let mut rows = self.open(true);
        rows.retain(|work| work.id == id);
        for row in &rows {
            self.delivery(id, row.number).ended = Some((Outcome::Canceled, "".into()));
        }
        let lanes = rows.iter().map(|row| row.place.lane).collect();
        (rows.len() as u32, lanes)
    }

    /// The process died, and another has the store.
    pub fn restart(&mut self) {
        for delivery in self.all() {
            delivery.work.place.parked = true;
        }
    }

    /// Everything is forgotten.
    pub fn forget(&mut self) {
        *self = Model::default();
    }

    /// The facts of a new engine, without the backlog.
    pub fn restored(&mut self) -> Vec<Restored> {
        let last = self.messages.last_key_value();
        let last = last.map(|(id, _)| Restored::Last(*id));
        let kept = self
            .kept
            .iter()
            .map(|((table, key), value)| Restored::Kept {
                table: *table,
                key: key.clone(),
                value: value.clone(),
            });
        let mut all: Vec<Restored> = last.into_iter().chain(kept).collect();
        let open = self.open(true);
        let lanes: BTreeSet<u64> = open.iter().map(|work| work.place.lane).collect();
        let parked = lanes.into_iter().filter_map(|lane| self.parked(lane));
        all.extend(parked.map(Restored::Lane));
        all
    }

    /// All there is about one message.
    pub fn story(&self, id: MessageId) -> Option<Story> {
        let entry = self.messages.get(&id)?;
        let deliveries = entry.deliveries.values().map(Delivery::told).collect();
        Some(Story {
            message: Arc::clone(&entry.message),
            body_bytes: entry.message.body.len() as u64,
            deliveries,
            more: false,
        })
    }

    /// All that a search finds, whatever its limit.
    pub fn search(&self, search: &Search) -> Vec<Story> {
        let newest = self.messages.keys().rev();
        let stories = newest.filter_map(|id| self.story(*id));
        stories
            .filter(|story| fits(story, search))
            .map(brief)
            .collect()
    }

    /// Every id, the newest first.
    pub fn ids(&self) -> Vec<MessageId> {
        self.messages.keys().rev().copied().collect()
    }
}

impl Delivery {
    fn attempted(&mut self, attempt: &Option<Attempt>) {
        if let Some(attempt) = attempt {
            self.attempts.insert(attempt.attempt, attempt.clone());
        }
    }

    fn end(&mut self, end: &End, attempt: &Option<Attempt>) {
        self.attempted(attempt);
        self.ended = Some((end.outcome, end.detail.into()));
    }

    fn told(&self) -> Told {
        let due = self.work.place.due;
        let is_ahead = due == make::FUTURE;
        let status = match &self.ended {
            Some((outcome, _)) => Status::Ended(*outcome),
            None if self.work.attempts > 0 => Status::Retrying,
            None if is_ahead => Status::Scheduled,
            None => Status::Queued,
        };
        let waits = is_ahead && self.ended.is_none();
        let detail = self.ended.as_ref().map(|(_, detail)| detail.clone());
        Told {
            number: self.work.number,
            target: Arc::clone(&self.work.target),
            status,
            detail: detail.unwrap_or_default(),
            next: waits.then_some(due),
            attempts: self.attempts.values().cloned().collect(),
            subscription: self.work.subscription,
        }
    }
}

/// Whether a search wants it.
fn fits(story: &Story, search: &Search) -> bool {
    let message = &story.message;
    let label = message.extra.as_ref().and_then(|it| it.label.as_ref());
    let any = |found: &dyn Fn(&Told) -> bool| story.deliveries.iter().any(found);
    let accepted = message.accepted;
    search
        .status
        .is_none_or(|status| any(&|it| it.status == status))
        && (search.url.as_ref()).is_none_or(|url| any(&|it| it.target.url == *url))
        && (search.topic.as_ref())
            .is_none_or(|topic| message.topics.iter().any(|it| *it == **topic))
        && search.label.as_ref().is_none_or(|it| label == Some(it))
        && search.since.is_none_or(|since| accepted >= since)
        && search.until.is_none_or(|until| accepted < until)
        && search.before.is_none_or(|before| message.id < before)
}

/// Without the body, the answers, and all attempts but the last.
fn brief(story: Story) -> Story {
    let whole = &story.message;
    let message = Message {
        id: whole.id,
        accepted: whole.accepted,
        content_type: whole.content_type.clone(),
        body: Frame::copy_of(b""),
        topics: whole.topics.clone(),
        method: whole.method,
        hops: whole.hops,
        extra: whole.extra.as_ref().map(|extra| {
            Box::new(hookah::model::Extra {
                fields: extra.fields.clone(),
                label: extra.label.clone(),
                event: extra.event.clone(),
                options: extra.options.clone(),
                resend_of: extra.resend_of,
            })
        }),
    };
    let short = |mut told: Told| {
        let last = told.attempts.pop();
        told.attempts = last
            .map(|last| Attempt {
                answer: None,
                ..last
            })
            .into_iter()
            .collect();
        told
    };
    Story {
        message: Arc::new(message),
        body_bytes: story.body_bytes,
        deliveries: story.deliveries.into_iter().map(short).collect(),
        more: story.more,
    }
}

fn in_rank(work: &Work) -> (u64, MessageId, u32) {
    (work.place.rank, work.id, work.number)
}
