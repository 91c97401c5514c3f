//! What a start reads back: the greatest id, facts, the backlog, and the lanes that have work.
//! Bodies of what waits stay where they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::record::{self, id_of};
use super::wall;
use super::writer::note_damaged;
use crate::base::time::{Wall, micros};
use crate::model::record::{Parked, Restored, Table};
use crate::model::{Message, MessageId};
use crate::store::Opening;

/// Messages that are looked at between two looks at the clock.
const STEP: i64 = 1_000;
/// How long the backlog is looked for, among messages that were published to no topic.
const BACKLOG_TIME: Duration = Duration::from_millis(1_500);
/// Messages of a backlog at most, however small they are.
const BACKLOG_MAX: usize = 1 << 18;
/// From so many rows on, an index is faster made anew than changed.
const MANY: i64 = 20_000;

/// All that there was before; all work is parked from here on.
pub(super) fn everything(db: &Connection, opening: &Opening) -> rusqlite::Result<Vec<Restored>> {
    park_all(db)?;
    let mut all = Vec::new();
    let last = last(db)?;
    all.extend(last.map(Restored::Last));
    let backlog = backlog(db, opening)?;
    all.extend(last.map(|_| Restored::Missing(backlog.missing)));
    for table in Table::ALL {
        facts(db, table, &mut all)?;
    }
    let published = backlog.found.into_iter().rev();
    all.extend(published.map(Restored::Published));
    lanes(db, &mut all)?;
    Ok(all)
}

fn park_all(db: &Connection) -> rusqlite::Result<()> {
    let text = "SELECT count(*) FROM work WHERE parked = 0";
    let held: i64 = db.query_row(text, [], |row| row.get(0))?;
    if held == 0 {
        return Ok(());
    }
    let change = db.unchecked_transaction()?;
    if held > MANY {
        change.execute_batch("DROP INDEX parked")?;
    }
    change.execute("UPDATE work SET parked = 1 WHERE parked = 0", [])?;
    if held > MANY {
        change.execute_batch(super::schema::PARKED)?;
    }
    change.commit()
}

/// The greatest id that the file knows of. What has ended may be gone, so it is kept beside.
fn last(db: &Connection) -> rusqlite::Result<Option<MessageId>> {
    let text = "SELECT number, tail FROM messages ORDER BY number DESC LIMIT 1";
    let newest = db.query_row(text, [], |row| Ok(id_of(row.get(0)?, row.get(1)?)));
    Ok(newest.optional()?.max(noted(db, "last")?))
}

/// An id that is kept beside the messages.
fn noted(db: &Connection, key: &str) -> rusqlite::Result<Option<MessageId>> {
    let text = "SELECT value FROM meta WHERE key = ?";
    let kept = db.query_row(text, [key], |row| {
        let bytes = row.get_ref(0)?.as_blob().ok();
        Ok(bytes.and_then(|bytes| Some(MessageId(u128::from_be_bytes(bytes.try_into().ok()?)))))
    });
    Ok(kept.optional()?.flatten())
}

fn facts(db: &Connection, table: Table, all: &mut Vec<Restored>) -> rusqlite::Result<()> {
    let text = format!(
        "SELECT key, value, crc FROM {} ORDER BY key",
        table.as_str()
    );
    let mut found = db.prepare(&text)?;
    let mut rows = found.query([])?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob().unwrap_or_default();
        let value = row.get_ref(1)?.as_blob().unwrap_or_default();
        if record::fact_crc(key, value) == row.get(2).unwrap_or(-1) {
            all.push(Restored::Kept {
                table,
                key: key.into(),
                value: value.into(),
            });
        } else {
            let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            note_damaged(db, table.as_str(), &key)?;
        }
    }
    Ok(())
}

/// What was published lately.
struct Backlog {
    /// The messages, the newest first.
    found: Vec<Arc<Message>>,
    /// All that may be missing is as old as this or older.
    missing: MessageId,
}

impl Backlog {
    /// The message of that number may be missing.
    fn misses(&mut self, number: i64) {
        self.missing = self.missing.max(id_of(number, -1));
    }
}

/// The newest messages of topics.
fn backlog(db: &Connection, opening: &Opening) -> rusqlite::Result<Backlog> {
    let until = Instant::now() + BACKLOG_TIME;
    let since = Wall(wall().0.saturating_sub(micros(opening.backlog_age)));
    // No number is smaller than the time at which it was given.
    let oldest = (since.millis() << 16).cast_signed();
    let mut left = opening.backlog_bytes;
    let mut before = i64::MAX;
    let mut backlog = Backlog {
        found: Vec::new(),
        missing: noted(db, "forgotten")?.unwrap_or_default(),
    };
    backlog.misses(oldest - 1);
    let text = format!(
        "SELECT {} FROM messages WHERE number >= ? AND number <= ? ORDER BY number DESC LIMIT ?",
        record::MESSAGE
    );
    let mut step = db.prepare(&text)?;
    loop {
        let mut rows = step.query(params![oldest, before, STEP])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            (before, count) = (number - 1, count + 1);
            if row.get_ref(10)?.as_blob_or_null() == Ok(None) {
                continue;
            }
            let Ok(message) = record::message(row, 0) else {
                let id = id_of(number, row.get(1).unwrap_or(0));
                note_damaged(db, "message", &id.to_string())?;
                backlog.misses(number);
                continue;
            };
            if message.accepted < since {
                backlog.misses(number);
                continue;
            }
            let rest = left.checked_sub(message.bytes() as u64);
            let Some(rest) = rest.filter(|_| backlog.found.len() < BACKLOG_MAX) else {
                backlog.misses(number);
                return Ok(backlog);
            };
            left = rest;
            backlog.found.push(Arc::new(message));
        }
        if count < STEP {
            break;
        }
        if Instant::now() >= until {
            log::warn!("store_backlog_cut messages={}", backlog.found.len());
            backlog.misses(before);
            break;
        }
    }
    Ok(backlog)
}

fn lanes(db: &Connection, all: &mut Vec<Restored>) -> rusqlite::Result<()> {
    // Of the row with the smallest rank; among several of the same rank any, and they are due at
    // the same time or stand in the order of their messages.
    let text = "SELECT lane, count(*), due, min(rank) FROM work INDEXED BY parked \
                WHERE parked = 1 GROUP BY lane";
    let mut found = db.prepare(text)?;
    let mut rows = found.query([])?;
    while let Some(row) = rows.next()? {
        let lane: i64 = row.get(0)?;
        let (count, due): (i64, i64) = (row.get(1)?, row.get(2)?);
        all.push(Restored::Lane(Parked {
            lane: lane.cast_unsigned(),
            due: Wall(due.cast_unsigned()),
            count: count.cast_unsigned(),
        }));
    }
    Ok(())
}
