//! What has ended is kept for a while, by its age and by the bytes of the file, and then goes, the
//! oldest first, in steps so small that nobody waits for one. What is open is never touched, nor
//! what streams may still ask for.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::file::Trouble;
use super::record::{id_of, number_of};
use super::wall;
use crate::base::time::Wall;
use crate::model::MessageId;
use crate::store::Opening;

/// How long one step takes, its commit left aside.
const STEP: Duration = Duration::from_millis(1);
/// Rows that one step removes, give or take one removal.
const ROWS_MAX: usize = 500;
/// Attempts removed at once.
const ATTEMPTS_MAX: i64 = 250;
/// Before everything that is kept is looked at again, after something was written.
const PAUSE: Duration = Duration::from_secs(1);
/// The same if some of it is wanted for its youth alone, or there is more than there should be and
/// none of it may go.
const LONG_PAUSE: Duration = Duration::from_secs(60);
/// Between two steps while others wait for the thread.
const BREATH: Duration = Duration::from_millis(4);
/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What is to be done after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A further step, whenever there is nothing else to do.
    More,
    /// Nothing before so much time has passed, or, without one, something was written.
    Done(Option<Duration>),
}

/// Where the removal of what is old stands.
#[derive(Debug)]
pub(super) struct Retention {
    /// Messages up to this one have been looked at.
    looked_at: Option<i64>,
    /// Something was removed since the first of them.
    removed: bool,
    /// The newest message of a topic that was removed in this step.
    gone: Option<MessageId>,
    /// Something was left for its youth since then.
    left: bool,
    /// When the next step is due.
    due: Option<Instant>,
    /// Whatever is written, not before this.
    rests: Instant,
    stepped: Instant,
}

/// A message as far as it matters here.
struct Candidate {
    number: i64,
    accepted: Wall,
    published: bool,
    open: bool,
}

impl Retention {
    /// Begins at the oldest, at once.
    pub(super) fn new() -> Retention {
        let now = Instant::now();
        Retention {
            looked_at: None,
            removed: false,
            gone: None,
            left: false,
            due: Some(now),
            rests: now,
            stepped: now,
        }
    }

    /// When there is something to do without any operation.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due
    }

    /// After a transaction, or when the time was up: a step, if one is due and nobody is kept
    /// waiting by it; whether it wrote. What is damaged ends it for good, but nothing else.
    pub(super) fn after(
        &mut self,
        db: &Connection,
        idle: bool,
        opening: &Opening,
    ) -> rusqlite::Result<bool> {
        let now = Instant::now();
        if !idle {
            let due = self.rests.max(now + PAUSE);
            self.due = Some(self.due.map_or(due, |it| it.min(due)));
        }
        if self.due.is_none_or(|due| now < due) || (!idle && now < self.stepped + BREATH) {
            return Ok(false);
        }
        let changes = db.total_changes();
        let step = match self.step(db, wall(), opening) {
            Err(error) => match Trouble::of(&error) {
                Trouble::Busy => Step::Done(Some(PAUSE)),
                Trouble::Damaged => {
                    log::error!("store_retention_ended why={:?}", error.to_string());
                    self.rests = now + FOR_EVER;
                    Step::Done(None)
                }
                _ => return Err(error),
            },
            Ok(step) => step,
        };
        self.stepped = Instant::now();
        self.due = match step {
            Step::More => Some(self.stepped),
            Step::Done(pause) => pause.map(|pause| self.rests.max(self.stepped + pause)),
        };
        Ok(db.total_changes() > changes)
    }

    /// Removes a little of what need not be kept any longer, in a transaction of its own. On an
    /// error everything is as before.
    pub(super) fn step(
        &mut self,
        db: &Connection,
        now: Wall,
        opening: &Opening,
    ) -> rusqlite::Result<Step> {
        let until = Instant::now() + STEP;
        let before = self.looked_at;
        let change = db.unchecked_transaction()?;
        let done = self.remove(&change, now, opening, until);
        let gone = self.gone.take();
        let done = done.and_then(|done| {
            gone.map_or(Ok(()), |id| note(&change, "forgotten", id))?;
            change.commit().map(|()| done)
        });
        if done.is_err() {
            self.looked_at = before;
        }
        let Some(mut pause) = done? else {
            return Ok(Step::More);
        };
        if self.left {
            pause = Some(pause.map_or(LONG_PAUSE, |pause| pause.min(LONG_PAUSE)));
        }
        if !self.removed && used(db)? > opening.keep_bytes {
            self.rests = Instant::now() + LONG_PAUSE;
        }
        (self.looked_at, self.removed, self.left) = (None, false, false);
        Ok(Step::Done(pause))
    }

    /// Nothing if more may go; else when that may be, if only time can tell.
    fn remove(
        &mut self,
        db: &Connection,
        now: Wall,
        opening: &Opening,
        until: Instant,
    ) -> rusqlite::Result<Option<Option<Duration>>> {
        let mut rows = 0;
        while rows < ROWS_MAX && Instant::now() < until {
            let Some(found) = next(db, self.looked_at.unwrap_or(-1))? else {
                return Ok(Some(None));
            };
            let age = now.since(found.accepted);
            // The younger ones come behind it.
            if age < opening.keep_age && used(db)? <= opening.keep_bytes {
                return Ok(Some(Some((opening.keep_age - age).max(PAUSE))));
            }
            let is_wanted = found.published && age < opening.backlog_age;
            self.left |= is_wanted;
            if !found.open && !is_wanted {
                self.removed = true;
                let published = found.published.then(|| id_of(found.number, -1));
                self.gone = self.gone.max(published);
                let (removed, whole) = forget(db, found.number)?;
                rows += removed;
                if !whole {
                    continue;
                }
            }
            self.looked_at = Some(found.number);
        }
        Ok(None)
    }
}

/// Bytes of the file that hold something.
pub(super) fn used(db: &Connection) -> rusqlite::Result<u64> {
    let value = |pragma: &str| {
        let mut asked = db.prepare_cached(pragma)?;
        asked.query_row([], |row| row.get::<_, i64>(0))
    };
    let pages = value("PRAGMA page_count")? - value("PRAGMA freelist_count")?;
    Ok((pages * value("PRAGMA page_size")?).cast_unsigned())
}

/// The message after that number.
fn next(db: &Connection, number: i64) -> rusqlite::Result<Option<Candidate>> {
    let mut next = db.prepare_cached(
        "SELECT number, accepted, topics IS NOT NULL,
             EXISTS (SELECT 1 FROM work WHERE work.number = messages.number)
         FROM messages WHERE number > ? ORDER BY number LIMIT 1",
    )?;
    let candidate = |row: &rusqlite::Row<'_>| {
        Ok(Candidate {
            number: row.get(0)?,
            accepted: Wall(row.get::<_, i64>(1)?.cast_unsigned()),
            published: row.get(2)?,
            open: row.get(3)?,
        })
    };
    next.query_row([number], candidate).optional()
}

/// Removes a message, or of one with many attempts a part of these: so many rows, and whether it
/// is gone.
fn forget(db: &Connection, number: i64) -> rusqlite::Result<(usize, bool)> {
    let mut beyond = db.prepare_cached(
        "SELECT delivery FROM attempts WHERE number = ?
         ORDER BY delivery, attempt LIMIT 1 OFFSET ?",
    )?;
    let beyond: Option<i64> = beyond
        .query_row([number, ATTEMPTS_MAX], |row| row.get(0))
        .optional()?;
    if let Some(delivery) = beyond {
        let mut some =
            db.prepare_cached("DELETE FROM attempts WHERE number = ? AND delivery <= ?")?;
        return Ok((some.execute([number, delivery])?, false));
    }
    let mut attempts = db.prepare_cached("DELETE FROM attempts WHERE number = ?")?;
    let rows = attempts.execute([number])?;
    let mut message = db.prepare_cached("DELETE FROM messages WHERE number = ? RETURNING tail")?;
    let tail = message.query_row([number], |row| row.get(0))?;
    keep_last(db, id_of(number, tail))?;
    Ok((rows + 1, true))
}

/// Where no message is left that has a later id, the id itself is kept: none may come twice.
fn keep_last(db: &Connection, id: MessageId) -> rusqlite::Result<()> {
    let mut later = db.prepare_cached("SELECT 1 FROM messages WHERE number > ? LIMIT 1")?;
    if later.exists([number_of(id)])? {
        return Ok(());
    }
    note(db, "last", id)
}

/// An id is kept beside the messages, unless a later one is.
fn note(db: &Connection, key: &str, id: MessageId) -> rusqlite::Result<()> {
    let mut keep = db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?, ?)
         ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
    )?;
    let id = id.0.to_be_bytes();
    keep.execute(rusqlite::params![key, &id[..]]).map(|_| ())
}
