//! What each operation does to the tables, inside a transaction that the worker begins and ends.
//! Every operation may be applied twice: what it brings about is the same.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Statement, params};

use super::reader::Targets;
use super::record::{self, Ended, HELD, PARKED, number_of};
use crate::base::index::Index;
use crate::base::time::Wall;
use crate::model::record::{Attempt, End, Parked, Place, Table, Work};
use crate::model::{Message, MessageId, Outcome};
use crate::port::{StoreDone, StoreOp};

/// Of a parked delivery: its number, its lane, its subscription, its URL.
type NextParked = (u32, i64, i64, Box<str>);

mod take;

pub(super) use take::note_damaged;

/// Statements that stay prepared besides those that the writer holds.
const STATEMENTS_MAX: usize = 48;

const LATER: &str = "UPDATE work SET lane = ?, rank = ?, due = ?, parked = ?, attempts = ?, \
     crc = (crc & 4294967295) | ? WHERE number = ? AND delivery = ? AND parked = 0";
const END: &str = "DELETE FROM work WHERE number = ? AND delivery = ? \
     RETURNING subscription, parked, lane";

/// What an operation has done already in a transaction whose end nobody knows.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Deliveries that it took: they are parked again before it is repeated.
    pub(super) taken: Vec<(i64, u32)>,
    /// How many deliveries it canceled,
    canceled: u32,
    /// and in which lanes they were.
    lanes: Vec<u64>,
}

impl Memo {
    /// Whether nothing needs to be remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.canceled == 0
    }
}

/// The statements of one connection.
pub(super) struct Writer<'c> {
    db: &'c Connection,
    targets: Targets,
    begin: Statement<'c>,
    commit: Statement<'c>,
    message: Statement<'c>,
    work: Statement<'c>,
    later: Statement<'c>,
    end: Statement<'c>,
    attempt: Statement<'c>,
    /// By how many milliseconds the ids of messages were ahead of the clock at most.
    ahead: u64,
    /// How many deliveries are parked in each lane; nothing while operations are repeated, when
    /// the table itself is asked.
    parked: Option<Index<u64, u64>>,
}

impl<'c> Writer<'c> {
    /// Prepares what is needed; lanes are not counted yet.
    pub(super) fn new(db: &'c Connection, targets: Targets) -> rusqlite::Result<Writer<'c>> {
        db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(Writer {
            db,
            targets,
            begin: db.prepare("BEGIN IMMEDIATE")?,
            commit: db.prepare("COMMIT")?,
            message: db.prepare(record::INSERT_MESSAGE)?,
            work: db.prepare(record::INSERT_WORK)?,
            later: db.prepare(LATER)?,
            end: db.prepare(END)?,
            attempt: db.prepare(record::INSERT_ATTEMPT)?,
            ahead: db
                .query_row("SELECT value FROM meta WHERE key = 'ahead'", [], |row| {
                    row.get::<_, i64>(0)
                })
                .optional()?
                .map_or(0, i64::cast_unsigned),
            parked: None,
        })
    }

    /// The connection.
    pub(super) fn db(&self) -> &'c Connection {
        self.db
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.raw_execute().map(|_| ())
    }

    /// Ends it: all of it lasts once this has returned.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.commit.raw_execute().map(|_| ())
    }

    /// Counts what is parked, from here on by what is done.
    pub(super) fn count(&mut self) -> rusqlite::Result<()> {
        let mut counts = Index::new(0);
        let text = "SELECT lane, count(*) FROM work INDEXED BY parked WHERE parked = 1 \
                    GROUP BY lane";
        let mut lanes = self.db.prepare(text)?;
        let mut rows = lanes.query([])?;
        while let Some(row) = rows.next()? {
            let (lane, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            counts.insert(lane.cast_unsigned(), count.cast_unsigned());
        }
        self.parked = Some(counts);
        Ok(())
    }

    /// Parks deliveries again that a transaction may have taken.
    pub(super) fn put_back(&mut self, memo: &Memo) -> rusqlite::Result<()> {
        for key in &memo.taken {
            self.cached("UPDATE work SET parked = 1 WHERE number = ? AND delivery = ?")?
                .execute(*key)?;
        }
        Ok(())
    }

    /// Removes a message that was refused, and all that belongs to it.
    pub(super) fn forget(&mut self, number: i64) -> rusqlite::Result<()> {
        for text in [
            "DELETE FROM messages WHERE number = ?",
            "DELETE FROM work WHERE number = ?",
            "DELETE FROM attempts WHERE number = ?",
        ] {
            self.cached(text)?.execute([number])?;
        }
        Ok(())
    }

    /// Keeps the greatest id for a start that finds no message any more.
    pub(super) fn keep_last(&mut self, id: MessageId) -> rusqlite::Result<()> {
        if id == MessageId::default() {
            return Ok(());
        }
        self.cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('last', ?)")?
            .execute([&id.0.to_be_bytes()[..]])
            .map(|_| ())
    }

    /// Does what the operation says; what there is to tell about it besides that it lasts.
    /// Questions are not its business.
    pub(super) fn apply(
        &mut self,
        op: &StoreOp,
        memo: &mut Memo,
    ) -> rusqlite::Result<Option<StoreDone>> {
        match op {
            StoreOp::Accept { message, .. } => self.accept(message)?,
            StoreOp::Work(work) => self.add(work)?,
            StoreOp::Later {
                id,
                number,
                place,
                attempts,
                attempt,
            } => {
                let key = (number_of(*id), *number);
                self.later(key, place, *attempts)?;
                if let Some(attempt) = attempt {
                    self.record(key, Some(attempt), None)?;
                }
            }
            StoreOp::End {
                id,
                number,
                end,
                attempt,
            } => self.end((number_of(*id), *number), end, attempt.as_ref())?,
            StoreOp::Rest {
                id,
                number,
                attempt,
                body,
                truncated,
            } => self.rest((number_of(*id), *number), *attempt, body, *truncated)?,
            StoreOp::Take {
                lane,
                until,
                rows,
                bytes,
            } => return self.take(memo, *lane, *until, *rows, *bytes).map(Some),
            StoreOp::Cancel { ticket, id, at } => {
                return self.cancel(memo, *ticket, *id, *at).map(Some);
            }
            StoreOp::Keep { table, key, value } => self.keep(*table, key, value.as_deref())?,
            StoreOp::Ask { .. } => {}
        }
        Ok(None)
    }

    fn accept(&mut self, message: &Message) -> rusqlite::Result<()> {
        record::bind_message(&mut self.message, message)?;
        self.message.raw_execute()?;
        // Only after the clock went back: whoever looks for times must look that much further.
        let ahead = (message.id.number() >> 16).saturating_sub(message.accepted.millis());
        if ahead > self.ahead {
            self.ahead = ahead;
            self.cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('ahead', ?)")?
                .execute([ahead.cast_signed()])?;
        }
        Ok(())
    }

    fn add(&mut self, work: &Work) -> rusqlite::Result<()> {
        record::bind_work(&mut self.work, work)?;
        if self.work.raw_execute()? == 1 && work.place.parked {
            self.counted(work.place.lane, 1);
        }
        Ok(())
    }

    fn later(&mut self, key: (i64, u32), place: &Place, attempts: u32) -> rusqlite::Result<()> {
        let crc = record::place_crc(place, attempts);
        let parked = if place.parked { PARKED } else { HELD };
        let values = params![
            place.lane.cast_signed(),
            place.rank.cast_signed(),
            place.due.0.cast_signed(),
            parked,
            attempts,
            crc,
            key.0,
            key.1,
        ];
        let mut changed = self.later.execute(values)? == 1;
        if !changed && self.unpark(key)? {
            changed = self.later.execute(values)? == 1;
        }
        if changed && place.parked {
            self.counted(place.lane, 1);
        }
        Ok(())
    }

    /// Whether it was parked; it is no longer.
    fn unpark(&mut self, key: (i64, u32)) -> rusqlite::Result<bool> {
        let text = "UPDATE work SET parked = 0 WHERE number = ? AND delivery = ? AND parked = 1 \
                    RETURNING lane";
        let lane = first::<i64>(self.cached(text)?, key)?;
        if let Some(lane) = lane {
            self.counted(lane.cast_unsigned(), -1);
        }
        Ok(lane.is_some())
    }

    fn end(
        &mut self,
        key: (i64, u32),
        end: &End,
        attempt: Option<&Attempt>,
    ) -> rusqlite::Result<()> {
        self.end.raw_bind_parameter(1, key.0)?;
        self.end.raw_bind_parameter(2, key.1)?;
        let mut rows = self.end.raw_query();
        let gone: Option<(i64, i64, i64)> = match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
            None => None,
        };
        drop(rows);
        match gone {
            Some((subscription, parked, lane)) => {
                if parked == PARKED {
                    self.counted(lane.cast_unsigned(), -1);
                }
                let ended = Ended::of(end, subscription.cast_unsigned());
                self.record(key, attempt, Some(&ended))
            }
            // It has ended already. What was tried all the same is put down if anybody can ask
            // for it.
            None if attempt.is_some() && self.is_known(key.0)? => self.record(key, attempt, None),
            None => Ok(()),
        }
    }

    fn is_known(&self, number: i64) -> rusqlite::Result<bool> {
        self.cached("SELECT 1 FROM messages WHERE number = ?")?
            .exists([number])
    }

    fn record(
        &mut self,
        key: (i64, u32),
        attempt: Option<&Attempt>,
        end: Option<&Ended>,
    ) -> rusqlite::Result<()> {
        record::bind_attempt(&mut self.attempt, key, attempt, end)?;
        self.attempt.raw_execute().map(|_| ())
    }

    /// The row's CRC covers the answer, so the row is made anew. One that is damaged stays so.
    fn rest(
        &mut self,
        key: (i64, u32),
        number: u32,
        body: &[u8],
        truncated: bool,
    ) -> rusqlite::Result<()> {
        let place = (key.0, key.1, number);
        let text = "SELECT number, delivery, attempt, at, took, status, error, detail, outcome, \
                    why, ended_at, url, subscription, truncated, crc, headers, body FROM attempts \
                    WHERE number = ? AND delivery = ? AND attempt = ?";
        let tried = {
            let mut found = self.cached(text)?;
            let mut rows = found.query(place)?;
            match rows.next()? {
                Some(row) => record::attempt(row, 0).ok(),
                None => None,
            }
        };
        let Some(mut tried) = tried else {
            return Ok(());
        };
        let answer = tried.attempt.as_mut().and_then(|it| it.answer.as_mut());
        let Some(answer) = answer else {
            return Ok(());
        };
        (answer.body, answer.truncated) = (body.into(), truncated);
        let text = "DELETE FROM attempts WHERE number = ? AND delivery = ? AND attempt = ?";
        self.cached(text)?.execute(place)?;
        self.record(key, tried.attempt.as_ref(), tried.end.as_ref())
    }

    /// All parked deliveries of a message end. Those of a transaction whose end nobody knows count
    /// once.
    fn cancel(
        &mut self,
        memo: &mut Memo,
        ticket: u64,
        id: MessageId,
        at: Wall,
    ) -> rusqlite::Result<StoreDone> {
        let number = number_of(id);
        let mut count = 0;
        while let Some((delivery, lane, subscription, url)) = self.next_parked(id)? {
            let ended = Ended {
                outcome: Outcome::Canceled,
                why: Box::default(),
                at,
                url,
                subscription: subscription.cast_unsigned(),
            };
            self.cached("DELETE FROM work WHERE number = ? AND delivery = ?")?
                .execute((number, delivery))?;
            self.record((number, delivery), None, Some(&ended))?;
            self.counted(lane.cast_unsigned(), -1);
            memo.lanes.push(lane.cast_unsigned());
            count += 1;
        }
        memo.canceled = memo.canceled.max(count);
        memo.lanes.sort_unstable();
        memo.lanes.dedup();
        let mut lanes = Vec::with_capacity(memo.lanes.len());
        for lane in &memo.lanes {
            lanes.push(self.left(*lane)?.unwrap_or(Parked {
                lane: *lane,
                due: at,
                count: 0,
            }));
        }
        Ok(StoreDone::Canceled {
            ticket,
            count: memo.canceled,
            lanes,
        })
    }

    /// A parked delivery of exactly that message: number, lane, subscription, URL.
    fn next_parked(&self, id: MessageId) -> rusqlite::Result<Option<NextParked>> {
        let text = "SELECT delivery, lane, subscription, url FROM work \
                    JOIN messages USING (number) \
                    WHERE number = ?1 AND tail = ?2 AND parked = 1 LIMIT 1";
        let mut found = self.cached(text)?;
        let mut rows = found.query((number_of(id), (id.0 as u64).cast_signed()))?;
        match rows.next()? {
            Some(row) => Ok(Some((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))),
            None => Ok(None),
        }
    }

    fn keep(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> rusqlite::Result<()> {
        let (put, remove) = match table {
            Table::Subscriptions => (
                "INSERT OR REPLACE INTO subscriptions (key, value, crc) VALUES (?, ?, ?)",
                "DELETE FROM subscriptions WHERE key = ?",
            ),
            Table::Topics => (
                "INSERT OR REPLACE INTO topics (key, value, crc) VALUES (?, ?, ?)",
                "DELETE FROM topics WHERE key = ?",
            ),
            Table::Keys => (
                "INSERT OR REPLACE INTO keys (key, value, crc) VALUES (?, ?, ?)",
                "DELETE FROM keys WHERE key = ?",
            ),
        };
        match value {
            Some(value) => {
                let crc = record::fact_crc(key, value);
                self.cached(put)?.execute(params![key, value, crc])?;
            }
            None => {
                self.cached(remove)?.execute([key])?;
            }
        }
        Ok(())
    }

    /// What is parked in a lane, if anything is.
    fn left(&self, lane: u64) -> rusqlite::Result<Option<Parked>> {
        let text = "SELECT due FROM work INDEXED BY parked WHERE lane = ? AND parked = 1 \
                    ORDER BY rank, number, delivery LIMIT 1";
        let key = [lane.cast_signed()];
        let Some(due) = first::<i64>(self.cached(text)?, key)? else {
            return Ok(None);
        };
        let count = match &self.parked {
            Some(counts) => counts.get(&lane).copied().unwrap_or(0),
            None => {
                let text = "SELECT count(*) FROM work INDEXED BY parked \
                            WHERE lane = ? AND parked = 1";
                let count = first::<i64>(self.cached(text)?, key)?;
                count.unwrap_or(0).cast_unsigned()
            }
        };
        Ok(Some(Parked {
            lane,
            due: Wall(due.cast_unsigned()),
            count,
        }))
    }

    /// There are more or fewer in that lane.
    fn counted(&mut self, lane: u64, change: i64) {
        let Some(counts) = &mut self.parked else {
            return;
        };
        let count = counts.get(&lane).copied().unwrap_or(0);
        match count.saturating_add_signed(change) {
            0 => counts.remove(&lane),
            count => counts.insert(lane, count),
        };
    }

    fn cached(&self, text: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.db.prepare_cached(text)
    }
}

/// The first column of the first row, if there is one.
fn first<T: rusqlite::types::FromSql>(
    mut statement: CachedStatement<'_>,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Option<T>> {
    let mut rows = statement.query(values)?;
    match rows.next()? {
        Some(row) => row.get(0).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
