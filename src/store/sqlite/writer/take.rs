//! Parked deliveries on their way back to memory, and what is damaged among them.
//! It decides nothing about when; the engine asks.

use std::sync::Arc;

use rusqlite::params;

use super::{Memo, Writer};
use crate::model::Message;
use crate::model::record::{Taken, Work};
use crate::port::StoreDone;
use crate::store::sqlite::record::{self, DAMAGED, Damaged, id_of};
use crate::store::sqlite::wall;

/// A row of the work, or what is left of one.
struct Row {
    key: (i64, u32),
    work: Result<Work, Damaged>,
}

impl Writer<'_> {
    /// Deliveries of a lane are parked no longer, in the order of their ranks.
    pub(super) fn take(
        &mut self,
        memo: &mut Memo,
        lane: u64,
        until: u64,
        rows: u32,
        bytes: u64,
    ) -> rusqlite::Result<StoreDone> {
        let mut taken: Vec<Taken> = Vec::new();
        let mut left = bytes;
        for row in self.parked_rows(lane, until, rows)? {
            let Ok(mut work) = row.work else {
                self.damaged(lane, row.key)?;
                continue;
            };
            let known = taken.iter().rev().map(|it| &it.message);
            let known = known.clone().find(|it| it.id.number() == work.id.number());
            let message = match known {
                Some(message) => Arc::clone(message),
                None => {
                    let Some(message) = self.read_message(row.key.0)? else {
                        self.damaged(lane, row.key)?;
                        continue;
                    };
                    let rest = left.checked_sub(message.body.len() as u64);
                    if rest.is_none() && !taken.is_empty() {
                        break;
                    }
                    left = rest.unwrap_or(0);
                    Arc::new(message)
                }
            };
            work.id = message.id;
            work.place.parked = false;
            self.cached("UPDATE work SET parked = 0 WHERE number = ? AND delivery = ?")?
                .execute(row.key)?;
            self.counted(lane, -1);
            memo.taken.push(row.key);
            taken.push(Taken { message, work });
        }
        Ok(StoreDone::Taken {
            lane,
            rows: taken,
            left: self.left(lane)?,
        })
    }

    fn parked_rows(&self, lane: u64, until: u64, rows: u32) -> rusqlite::Result<Vec<Row>> {
        let text = "SELECT number, delivery, lane, rank, due, parked, attempts, expires, \
                    subscription, url, authorization, crc FROM work INDEXED BY parked \
                    WHERE lane = ? AND parked = 1 AND rank <= ? \
                    ORDER BY rank, number, delivery LIMIT ?";
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let mut found = self.cached(text)?;
        let mut found = found.query(params![lane.cast_signed(), until, rows])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(Row {
                key: (row.get(0)?, row.get(1)?),
                work: record::work(row, 0, self.targets),
            });
        }
        Ok(rows)
    }

    /// The message of that number; none if it is not there or damaged.
    fn read_message(&mut self, number: i64) -> rusqlite::Result<Option<Message>> {
        let text = "SELECT number, tail, accepted, method, hops, content_type, label, event, \
                    options, resend_of, topics, fields, size, crc, body FROM messages \
                    WHERE number = ?";
        let mut found = self.cached(text)?;
        let mut rows = found.query([number])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        if let Ok(message) = record::message(row, 0) {
            return Ok(Some(message));
        }
        let tail = row.get(1).unwrap_or(0);
        note_damaged(self.db, "message", &id_of(number, tail).to_string())?;
        Ok(None)
    }

    /// A delivery cannot be gone on with: it is put aside, and everybody can know.
    fn damaged(&mut self, lane: u64, key: (i64, u32)) -> rusqlite::Result<()> {
        note_damaged(self.db, "work", &format!("{}/{}", key.0, key.1))?;
        self.cached("UPDATE work SET parked = ? WHERE number = ? AND delivery = ?")?
            .execute((DAMAGED, key.0, key.1))?;
        self.counted(lane, -1);
        Ok(())
    }
}

/// Puts a row on the list of the damaged, and into the log.
pub(in crate::store::sqlite) fn note_damaged(
    db: &rusqlite::Connection,
    what: &str,
    key: &str,
) -> rusqlite::Result<()> {
    log::error!("store_damaged what={what} key={key:?}");
    let text = "INSERT OR IGNORE INTO damaged (what, key, found) VALUES (?, ?, ?)";
    let found = wall().0.cast_signed();
    db.prepare_cached(text)?
        .execute(params![what, key, found])
        .map(|_| ())
}
