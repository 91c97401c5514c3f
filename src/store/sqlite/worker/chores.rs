//! What the store's thread does between transactions: it sees to it that the write-ahead log goes
//! into the database, and looks at the free space. None of it is done while nothing happens.
//!
//! ```text
//!  the log is long, or all is quiet ─► copier: copy, copy what came meanwhile ─► little is left
//!  and it is too long, whoever copies ─────────────► the store's thread copies all ◄─┘
//! ```
//! Once all of it is in the database the log begins anew, so the last of it has to be copied while
//! nobody writes to it.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::copier::{Copier, Log, SMALL_PAGES};
use crate::store::Opening;
use crate::store::sqlite::file::{self, Failed};
use crate::store::sqlite::lock::beside;

/// Without operations for so long the log is taken over.
const QUIET: Duration = Duration::from_millis(500);
/// And when it has grown to so many bytes.
const WAL_BYTES: u64 = 16 << 20;
/// From so many on commits wait for it.
const WAL_BYTES_MAX: u64 = 64 << 20;
/// Its size is asked for after so many transactions, or when much was written.
const WAL_LOOK: u32 = 16;
/// How often the free space is looked at while something is written, or there is too little.
const LOOK: Duration = Duration::from_secs(1);

/// What is due, and when.
pub(super) struct Chores {
    folder: PathBuf,
    /// The write-ahead log's file.
    log: PathBuf,
    free: fn(&Path) -> Option<u64>,
    min_free: u64,
    low: bool,
    looked: Option<Instant>,
    /// Bytes of messages that were taken in since then.
    grown: u64,
    /// Bytes in the file that nothing is in: what is written next needs no more of the disk.
    spare: u64,
    /// Transactions since the size of the log was asked for.
    commits: u32,
    /// Something is in the log that is not in the database.
    dirty: bool,
    /// When the last transaction was.
    worked: Instant,
    page_bytes: u64,
    /// The log is not taken over again before it has grown to so many pages.
    wal_pages_next: u64,
    copier: Copier,
    /// Pages of the log that it had copied before its last order.
    copied: u64,
}

impl Chores {
    pub(super) fn new(path: &Path, opening: &Opening, copier: Copier) -> Chores {
        let mut chores = Chores {
            folder: path.parent().unwrap_or(path).to_owned(),
            log: beside(path, "-wal"),
            free: opening.free,
            min_free: opening.min_free,
            low: false,
            looked: None,
            grown: 0,
            spare: 0,
            commits: 0,
            dirty: true,
            worked: Instant::now(),
            page_bytes: 4_096,
            wal_pages_next: 0,
            copier,
            copied: 0,
        };
        chores.look(Instant::now());
        chores
    }

    /// A message of that size was taken in.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.grown = self.grown.saturating_add(bytes);
    }

    /// Whether there is too little space to take anything in.
    pub(super) fn is_low(&self) -> bool {
        self.low
    }

    /// When there is something to do without any operation.
    pub(super) fn next(&self) -> Option<Instant> {
        let quiet = self.dirty.then(|| self.worked + QUIET);
        let look = self.looked.filter(|_| self.low).map(|looked| looked + LOOK);
        quiet.into_iter().chain(look).min()
    }

    /// Looks at the free space.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        self.grown = 0;
        let Some(free) = (self.free)(&self.folder) else {
            return;
        };
        // The log needs some of the disk itself.
        let spare = if free >= self.min_free / 4 {
            self.spare
        } else {
            0
        };
        let free = free.saturating_add(spare);
        // Not to and fro at the edge.
        let enough = if self.low {
            self.min_free.saturating_add(self.min_free / 8)
        } else {
            self.min_free
        };
        let low = free < enough;
        if low != self.low {
            log::warn!("store_space free={free} min={} low={low}", self.min_free);
        }
        self.low = low;
    }

    /// After a transaction, or when the time was up.
    pub(super) fn after(
        &mut self,
        db: &Connection,
        now: Instant,
        idle: bool,
    ) -> Result<(), Failed> {
        // Each byte is written to the log and to the database: long before the space is used up.
        let much = self.grown > self.min_free / 8;
        if much || self.looked.is_none_or(|looked| now >= looked + LOOK) {
            let pages: i64 = db.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
            self.spare = pages.cast_unsigned() * self.page_bytes;
            self.look(now);
            if self.low && idle {
                self.make_room(db, now)?;
            }
        }
        if let Some(done) = self.copier.done() {
            done?;
            self.finish(db)?;
        }
        if idle {
            if self.dirty && now >= self.worked + QUIET {
                self.dirty = false;
                self.begin(db)?;
            }
            return Ok(());
        }
        self.written(db, now, much)
    }

    /// Something was written to the log, perhaps much at once.
    pub(super) fn written(
        &mut self,
        db: &Connection,
        now: Instant,
        much: bool,
    ) -> Result<(), Failed> {
        self.worked = now;
        self.dirty = true;
        self.commits += 1;
        if much || self.commits >= WAL_LOOK {
            self.commits = 0;
            self.look_at_log(db)?;
        }
        Ok(())
    }

    /// The log's bytes are given back: nothing may come that would make it begin anew.
    fn make_room(&mut self, db: &Connection, now: Instant) -> Result<(), Failed> {
        if !fs::metadata(&self.log).is_ok_and(|log| log.len() > 0) {
            return Ok(());
        }
        self.copier.wait()?;
        // Whoever reads holds it up, until another time.
        if file::impatient(db, Log::emptied)?.pages == 0 {
            self.wal_pages_next = 0;
            self.look(now);
        }
        Ok(())
    }

    /// The log is taken over if it is long, and nothing else is done meanwhile if it is too long.
    fn look_at_log(&mut self, db: &Connection) -> Result<(), Failed> {
        let log = Log::seen(db)?;
        if log.pages < self.wal_pages_next {
            return Ok(());
        }
        // What is in it has to fit into the database while the disk is as full as it may be.
        let most = WAL_BYTES_MAX.min((self.min_free / 2).max(1 << 20));
        let bytes = log.pages * self.page_bytes;
        if bytes >= most {
            self.copier.wait()?;
            self.copy(db)
        } else if bytes >= WAL_BYTES.min(most / 2) {
            self.begin(db)
        } else {
            Ok(())
        }
    }

    /// It begins to go into the database.
    fn begin(&mut self, db: &Connection) -> Result<(), Failed> {
        self.copied = 0;
        self.take_over(db)
    }

    /// The log goes into the database, beside all else if there is somebody to do it.
    fn take_over(&mut self, db: &Connection) -> Result<(), Failed> {
        if self.copier.order() {
            return Ok(());
        }
        self.copy(db)
    }

    /// The copier is done: with the little that came meanwhile nothing is left.
    fn finish(&mut self, db: &Connection) -> Result<(), Failed> {
        let log = Log::seen(db)?;
        let before = mem::replace(&mut self.copied, log.copied);
        match log.left() {
            0 => self.wal_pages_next = 0,
            1..=SMALL_PAGES => self.copy(db)?,
            // More came than was copied, or somebody who reads held it up.
            _ if log.copied > before => self.take_over(db)?,
            _ => self.put_off(log),
        }
        Ok(())
    }

    /// As much of the log as nobody reads from goes into the database, and commits wait for it.
    fn copy(&mut self, db: &Connection) -> Result<(), Failed> {
        let log = Log::copied(db)?;
        if log.left() > 0 {
            self.put_off(log);
        } else {
            self.wal_pages_next = 0;
        }
        Ok(())
    }

    /// Somebody who reads may hold it back: then not again at once.
    fn put_off(&mut self, log: Log) {
        self.wal_pages_next = log.pages + WAL_BYTES / self.page_bytes;
    }

    /// What is done at a new beginning, or the end, is done alone.
    ///
    /// # Errors
    /// What was under way failed.
    pub(super) fn alone(&mut self) -> Result<(), Failed> {
        self.copier.close()
    }

    /// At the end of the process: nothing is left in the log, if nobody else reads.
    pub(super) fn last(&mut self, db: &Connection) {
        // What was copied without lasting is copied again at the next start; it is still there.
        let emptied = self.alone().and_then(|()| Log::emptied(db));
        if let Err(failed) = emptied {
            log::debug!("store_log_left why={:?}", failed.why);
        }
    }
}
