//! What happened to one message: its deliveries, each with its attempts, within bounds.
//! It looks for no message; a search brings the number.

use std::sync::{Arc, LazyLock};

use rusqlite::OptionalExtension;

use super::View;
use crate::base::frame::Frame;
use crate::base::time::Wall;
use crate::model::record::{Attempt, Found, Status, Story, Told, Work};
use crate::model::{Message, MessageId};
use crate::store::sqlite::record::{
    self, ATTEMPT, Damaged, Ended, MESSAGE, NO_ATTEMPT, Tried, WORK, number_of,
};

/// Deliveries that are told of one message at most.
const TOLD_MAX: usize = 1_000;
/// The same of each message that a search has found.
const TOLD_OF_EACH_MAX: usize = 10;
/// Bytes of answers that are told of one message at most.
const ANSWERS_MAX: usize = 4 << 20;
/// What is said of a delivery of which a record is not as it was written.
const DAMAGED: &str = "damaged_record";

static MESSAGE_SQL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {MESSAGE} FROM messages WHERE number = ?"));
static WORK_SQL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {WORK} FROM work WHERE number = ? AND delivery = ?"));
static ATTEMPTS_SQL: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {ATTEMPT} FROM attempts WHERE number = ? AND delivery = ? ORDER BY attempt")
});
/// An end without an attempt comes first, and behind it the last attempt.
static LAST_SQL: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {ATTEMPT} FROM attempts WHERE number = ? AND delivery = ? \
         ORDER BY attempt DESC LIMIT 2"
    )
});

/// How much of a message is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Brief,
}

/// The rows of one delivery.
#[derive(Default)]
struct Rows {
    work: Option<Work>,
    attempts: Vec<Attempt>,
    end: Option<Ended>,
    damaged: bool,
}

impl View<'_> {
    /// All there is about one message.
    pub(super) fn message(&self, id: MessageId) -> rusqlite::Result<Found> {
        let number = number_of(id);
        Ok(match self.read_message(number)? {
            None => Found::Message(None),
            Some(Err(Damaged)) => {
                log::error!("record_damaged what=message id={id}");
                Found::Failed("the message's record is damaged; hookah check says more")
            }
            Some(Ok(message)) if message.id != id => Found::Message(None),
            Some(Ok(message)) => {
                let size = message.body.len() as u64;
                let story = self.story(message, size, Extent::Whole)?;
                Found::Message(Some(Box::new(story)))
            }
        })
    }

    /// What a search tells of a message; `None` if its record is gone or damaged.
    pub(super) fn brief(&self, number: i64) -> rusqlite::Result<Option<Story>> {
        match self.read_message(number)? {
            Some(Ok(mut message)) => {
                let size = message.body.len() as u64;
                message.body = Frame::copy_of(b"");
                self.story(message, size, Extent::Brief).map(Some)
            }
            Some(Err(Damaged)) => {
                log::error!("record_damaged what=message number={number}");
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn read_message(&self, number: i64) -> rusqlite::Result<Option<Result<Message, Damaged>>> {
        let mut message = self.db.prepare_cached(&MESSAGE_SQL)?;
        message
            .query_row([number], |row| Ok(record::message(row, 0)))
            .optional()
    }

    fn story(&self, message: Message, body_bytes: u64, extent: Extent) -> rusqlite::Result<Story> {
        let number = number_of(message.id);
        let most = match extent {
            Extent::Whole => TOLD_MAX,
            Extent::Brief => TOLD_OF_EACH_MAX,
        };
        let mut deliveries = Vec::new();
        let mut more = false;
        let mut answers = 0;
        let mut last = 0;
        while let Some(delivery) = self.next_delivery(number, last)? {
            if deliveries.len() == most {
                more = true;
                break;
            }
            last = delivery;
            let rows = self.rows(number, delivery, extent, &mut answers)?;
            if let Some(told) = rows.told(delivery, self) {
                deliveries.push(told);
            } else {
                let id = message.id;
                log::error!("record_damaged what=delivery id={id} number={delivery}");
                more = true;
            }
        }
        Ok(Story {
            message: Arc::new(message),
            body_bytes,
            deliveries,
            more,
        })
    }

    /// The least number of a delivery after `last`.
    fn next_delivery(&self, number: i64, last: u32) -> rusqlite::Result<Option<u32>> {
        let mut least = None;
        for text in [
            "SELECT min(delivery) FROM work WHERE number = ? AND delivery > ?",
            "SELECT min(delivery) FROM attempts WHERE number = ? AND delivery > ?",
        ] {
            let mut next = self.db.prepare_cached(text)?;
            let found: Option<i64> = next.query_row([number, last.into()], |row| row.get(0))?;
            let found = found.and_then(|found| u32::try_from(found).ok());
            least = match (least, found) {
                (Some(one), Some(other)) => Some(u32::min(one, other)),
                (one, other) => one.or(other),
            };
        }
        Ok(least)
    }

    fn rows(
        &self,
        number: i64,
        delivery: u32,
        extent: Extent,
        answers: &mut usize,
    ) -> rusqlite::Result<Rows> {
        let mut rows = Rows::default();
        let key = [number, delivery.into()];
        let mut work = self.db.prepare_cached(&WORK_SQL)?;
        let work = work.query_row(key, |row| Ok(record::work(row, 0, self.targets)));
        match work.optional()? {
            Some(Ok(work)) => rows.work = Some(work),
            Some(Err(Damaged)) => rows.damaged = true,
            None => {}
        }
        let text = match extent {
            Extent::Whole => &ATTEMPTS_SQL,
            Extent::Brief => &LAST_SQL,
        };
        let mut tried = self.db.prepare_cached(text)?;
        let mut tried = tried.query(key)?;
        while let Some(row) = tried.next()? {
            match record::attempt(row, 0) {
                Ok(tried) => rows.take(tried, extent, answers),
                Err(Damaged) => rows.damaged = true,
            }
        }
        Ok(rows)
    }

    /// Whether one of a message's deliveries goes or went to that URL.
    pub(super) fn goes_to(&self, number: i64, url: &str) -> rusqlite::Result<bool> {
        let mut found = self.db.prepare_cached(
            "SELECT 1 FROM work WHERE number = ?1 AND url = ?2 UNION ALL \
             SELECT 1 FROM attempts WHERE number = ?1 AND url = ?2 LIMIT 1",
        )?;
        found.exists((number, url))
    }

    /// Whether one of a message's deliveries stands so.
    pub(super) fn stands(&self, number: i64, wanted: Status) -> rusqlite::Result<bool> {
        if let Status::Ended(outcome) = wanted {
            let mut found = self
                .db
                .prepare_cached("SELECT 1 FROM attempts WHERE number = ? AND outcome = ?")?;
            return found.exists((number, outcome.as_str()));
        }
        let mut open = self
            .db
            .prepare_cached("SELECT due, attempts FROM work WHERE number = ?")?;
        let mut open = open.query([number])?;
        while let Some(row) = open.next()? {
            if self.open_status(row.get(0)?, row.get(1)?) == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How a delivery stands that has not ended. Whether one is under way is not known here.
    pub(super) fn open_status(&self, due: i64, attempts: i64) -> Status {
        if attempts > 0 {
            Status::Retrying
        } else if Wall(due.cast_unsigned()) > self.now {
            Status::Scheduled
        } else {
            Status::Queued
        }
    }
}

impl Rows {
    /// Takes in a row of the attempts, with its answer if that is told and there is room for it.
    fn take(&mut self, tried: Tried, extent: Extent, answers: &mut usize) {
        self.end = tried.end.or(self.end.take());
        let Some(mut attempt) = tried.attempt else {
            return;
        };
        debug_assert!(attempt.attempt != NO_ATTEMPT, "an end is no attempt");
        let answer = attempt.answer.take();
        if extent == Extent::Whole {
            let bytes = answer
                .as_ref()
                .map_or(0, |it| it.head.len() + it.body.len());
            attempt.answer = answer.filter(|_| *answers + bytes <= ANSWERS_MAX);
            *answers += attempt.answer.as_ref().map_or(0, |_| bytes);
            self.attempts.push(attempt);
        } else if self.attempts.is_empty() {
            self.attempts.push(attempt);
        }
    }

    /// What is told; nothing if what is left of it does not even say where it goes.
    fn told(self, number: u32, view: &View<'_>) -> Option<Told> {
        let detail = match (&self.end, self.damaged) {
            (_, true) => DAMAGED.into(),
            (Some(end), false) => end.why.to_string().into(),
            (None, false) => "".into(),
        };
        if let Some(end) = self.end {
            let target = (view.targets)(&end.url, None)?;
            return Some(Told {
                number,
                target: Arc::new(target),
                status: Status::Ended(end.outcome),
                detail,
                next: None,
                attempts: self.attempts,
                subscription: end.subscription,
            });
        }
        let work = self.work?;
        let due = work.place.due;
        Some(Told {
            number,
            status: view.open_status(due.0.cast_signed(), work.attempts.into()),
            target: work.target,
            detail,
            next: Some(due).filter(|due| *due > view.now),
            attempts: self.attempts,
            subscription: work.subscription,
        })
    }
}
