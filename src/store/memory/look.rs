//! Questions to the book: one message with its story, and searches. It changes nothing and looks
//! for a bounded time.

use std::sync::Arc;

use super::book::Book;
use super::row::{Delivery, Row};
use crate::base::frame::Frame;
use crate::base::time::Wall;
use crate::model::record::{Attempt, Found, Question, Search, Status, Story, Told};
use crate::model::{Extra, Message, MessageId};

/// Deliveries that are told of one message at most.
const TOLD_MAX: usize = 1_000;
/// The same of each message that a search has found.
const TOLD_OF_EACH_MAX: usize = 10;
/// Bytes of answers that are told of one message at most.
const ANSWERS_MAX: usize = 4 << 20;
/// Messages looked at for one search at most.
const LOOKED_AT_MAX: usize = 10_000;

impl Book {
    /// The answer to a question.
    pub(super) fn answer(&self, now: Wall, question: &Question) -> Found {
        match question {
            Question::Message(id) => {
                let row = self.rows.get(&id.number());
                let row = row.filter(|row| row.message.id == *id);
                Found::Message(row.map(|row| Box::new(whole(row, now))))
            }
            Question::Search(search) => self.search(now, search),
        }
    }

    fn search(&self, now: Wall, search: &Search) -> Found {
        let end = search.before.map_or(u64::MAX, MessageId::number);
        let mut stories = Vec::new();
        let mut last = None;
        let rows = self.rows.range(..end).rev().map(|(_, row)| row);
        for (looked_at, row) in rows.enumerate() {
            if looked_at == LOOKED_AT_MAX || stories.len() >= search.limit {
                return Found::Search {
                    stories,
                    next: last.or(search.before),
                };
            }
            if is_sought(row, now, search) {
                stories.push(brief(row, now));
            }
            last = Some(row.message.id);
        }
        Found::Search {
            stories,
            next: None,
        }
    }
}

fn is_sought(row: &Row, now: Wall, search: &Search) -> bool {
    let message = &row.message;
    let sought = |wanted: &Option<Box<str>>, has: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| Some(&**wanted) == has)
    };
    let label = message.extra.as_ref().and_then(|it| it.label.as_deref());
    let topic = |name: &[u8]| message.topics.iter().any(|topic| topic == name);
    let url = |url: &str| row.deliveries.iter().any(|it| &*target(it).url == url);
    let status = |wanted| row.deliveries.iter().any(|it| status(it, now) == wanted);
    search.since.is_none_or(|since| message.accepted >= since)
        && search.until.is_none_or(|until| message.accepted < until)
        && sought(&search.label, label)
        && search.topic.as_deref().is_none_or(topic)
        && search.url.as_deref().is_none_or(url)
        && search.status.is_none_or(status)
}

fn whole(row: &Row, now: Wall) -> Story {
    let deliveries = row.deliveries.iter().take(TOLD_MAX);
    let mut left = ANSWERS_MAX;
    Story {
        message: Arc::clone(&row.message),
        body_bytes: row.message.body.len() as u64,
        deliveries: deliveries
            .map(|it| told(it, now, within(&it.attempts, &mut left)))
            .collect(),
        more: row.deliveries.len() > TOLD_MAX,
    }
}

/// The attempts, each without its answer where that is more than is left to be told.
fn within(attempts: &[Attempt], left: &mut usize) -> Vec<Attempt> {
    let copy = |attempt: &Attempt| {
        let answer = attempt.answer.as_ref();
        let rest = answer.map(|it| left.checked_sub(it.head.len() + it.body.len()));
        *left = rest.flatten().unwrap_or(*left);
        Attempt {
            error: attempt.error.clone(),
            detail: attempt.detail.clone(),
            answer: answer.filter(|_| rest.flatten().is_some()).cloned(),
            ..*attempt
        }
    };
    attempts.iter().map(copy).collect()
}

/// Without the body, and of each delivery only the last attempt without its answer.
fn brief(row: &Row, now: Wall) -> Story {
    let message = &row.message;
    let extra = message.extra.as_ref().map(|extra| {
        Box::new(Extra {
            fields: extra.fields.clone(),
            label: extra.label.clone(),
            event: extra.event.clone(),
            options: extra.options.clone(),
            resend_of: extra.resend_of,
        })
    });
    let bare = Message {
        id: message.id,
        accepted: message.accepted,
        content_type: message.content_type.clone(),
        body: Frame::copy_of(b""),
        topics: message.topics.clone(),
        method: message.method,
        hops: message.hops,
        extra,
    };
    let last = |it: &Delivery| {
        let last = it.attempts.last();
        let bare = last.map(|last| Attempt {
            error: last.error.clone(),
            detail: last.detail.clone(),
            answer: None,
            ..*last
        });
        bare.into_iter().collect()
    };
    let deliveries = row.deliveries.iter().take(TOLD_OF_EACH_MAX);
    Story {
        message: Arc::new(bare),
        body_bytes: message.body.len() as u64,
        deliveries: deliveries.map(|it| told(it, now, last(it))).collect(),
        more: row.deliveries.len() > TOLD_OF_EACH_MAX,
    }
}

fn told(delivery: &Delivery, now: Wall, attempts: Vec<Attempt>) -> Told {
    let (work, end) = (&delivery.work, &delivery.end);
    Told {
        number: work.number,
        target: Arc::clone(target(delivery)),
        status: status(delivery, now),
        detail: end.as_ref().map_or("", |end| end.detail).into(),
        next: Some(work.place.due).filter(|due| end.is_none() && *due > now),
        attempts,
        subscription: work.subscription,
    }
}

/// Where it goes, or went.
fn target(delivery: &Delivery) -> &Arc<crate::model::Target> {
    let end = delivery.end.as_ref();
    end.map_or(&delivery.work.target, |end| &end.target)
}

/// Where a delivery stands, as far as it is known here.
fn status(delivery: &Delivery, now: Wall) -> Status {
    let work = &delivery.work;
    match &delivery.end {
        Some(end) => Status::Ended(end.outcome),
        None if work.attempts > 0 => Status::Retrying,
        None if work.place.due > now => Status::Scheduled,
        None => Status::Queued,
    }
}
