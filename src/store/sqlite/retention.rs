//! What has ended is kept for a while, by its age and by the bytes of the file, and then goes, the
//! oldest first, in steps so small that nobody waits for one. What is open is never touched, nor
//! what streams may still ask for.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use crate::base::time::Wall;
use crate::store::Opening;

/// How long one step takes, its commit left aside.
const STEP: Duration = Duration::from_millis(5);
/// Rows that one step removes, give or take one removal.
const ROWS_MAX: usize = 500;
/// Attempts removed at once.
const ATTEMPTS_MAX: i64 = 250;
/// Between two looks at everything that is kept.
const PAUSE: Duration = Duration::from_secs(1);
/// The same if there is more than there should be, and none of it may go.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// What is to be done after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A further step, whenever there is nothing else to do.
    More,
    /// Nothing before that time.
    Done(Instant),
}

/// Where the removal of what is old stands.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// Messages up to this one have been looked at.
    looked_at: Option<i64>,
    /// Something was removed since the first of them.
    removed: bool,
}

/// A message as far as it matters here.
struct Candidate {
    number: i64,
    accepted: Wall,
    published: bool,
    open: bool,
}

impl Retention {
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
        let done = done.and_then(|done| change.commit().map(|()| done));
        if done.is_err() {
            self.looked_at = before;
        }
        if !done? {
            return Ok(Step::More);
        }
        let is_full = used(db)? > opening.keep_bytes;
        let pause = match is_full && !self.removed {
            true => LONG_PAUSE,
            false => PAUSE,
        };
        *self = Retention::default();
        Ok(Step::Done(Instant::now() + pause))
    }

    /// True if nothing more may go.
    fn remove(
        &mut self,
        db: &Connection,
        now: Wall,
        opening: &Opening,
        until: Instant,
    ) -> rusqlite::Result<bool> {
        let mut rows = 0;
        while rows < ROWS_MAX && Instant::now() < until {
            let Some(found) = next(db, self.looked_at.unwrap_or(-1))? else {
                return Ok(true);
            };
            let age = now.since(found.accepted);
            // The younger ones come behind it.
            if age < opening.keep_age && used(db)? <= opening.keep_bytes {
                return Ok(true);
            }
            let is_wanted = found.published && age < opening.backlog_age;
            if !found.open && !is_wanted {
                self.removed = true;
                let (removed, whole) = forget(db, found.number)?;
                rows += removed;
                if !whole {
                    continue;
                }
            }
            self.looked_at = Some(found.number);
        }
        Ok(false)
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
    let mut message = db.prepare_cached("DELETE FROM messages WHERE number = ?")?;
    let rows = attempts.execute([number])? + message.execute([number])?;
    Ok((rows, true))
}

#[cfg(test)]
mod tests;
