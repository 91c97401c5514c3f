//! The store's thread: one transaction after the other, and what happens when one fails.
//!
//! ```text
//!            ┌──────────── serve: commit, tell, chores ◄───────┐
//!  restore ──┘                    │ error                      │ repeated, told
//!                                 ▼                            │
//!              roll back, tell what is lost ── wait ── reopen, verify, repeat
//! ```
//! It never says that something lasts before the sync of its commit has returned.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::exchange::{Call, Exchange, Handed};
use super::file::{self, Failed, Trouble};
use super::kept::Kept;
use super::reader::Reader;
use super::retention::Retention;
use super::schema::{self, Kind};
use super::writer::{Memo, Writer};
use super::{refusal, restore};
use crate::base::exit::Exit;
use crate::model::MessageId;
use crate::model::record::Restored;
use crate::port::{Seq, StoreDone, StoreOp};
use crate::store::{Opening, Refusal};

mod chores;
mod copier;

use chores::Chores;
use copier::Log;
pub(super) use copier::{Copier, Sync};

/// Things that are told at once of the time before.
const RESTORED_MAX: usize = 512;
/// The first wait before the file is tried again after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the last operations wait for somebody else's lock.
const LAST_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a file that is verified as a whole before it is written again.
const VERIFIED_BYTES_MAX: i64 = 256 << 20;

/// What the thread owns, apart from the connection.
pub(super) struct Worker {
    path: PathBuf,
    opening: Opening,
    exchange: Arc<Exchange>,
    reader: Reader,
    /// The operations of the transaction under way,
    batch: Vec<Handed>,
    /// and what some of them have done in it.
    memos: Vec<(Seq, Memo)>,
    /// What came of them.
    done: Vec<(Seq, StoreDone)>,
    /// After a failure.
    kept: Kept,
    /// The number of the last operation there was.
    last: Seq,
    /// The greatest id there was.
    newest: MessageId,
    /// The file that we write, whatever its name leads to now.
    identity: (u64, u64),
    chores: Chores,
    retention: Retention,
    /// What the loop was told last about taking in.
    told: Option<&'static str>,
    /// Until when the end of the process waits for what is left.
    closing: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        path: PathBuf,
        opening: Opening,
        exchange: Arc<Exchange>,
        reader: Reader,
        copier: Copier,
    ) -> Worker {
        Worker {
            chores: Chores::new(&path, &opening, copier),
            retention: Retention::new(),
            path,
            opening,
            exchange,
            reader,
            batch: Vec::new(),
            memos: Vec::new(),
            done: Vec::new(),
            kept: Kept::default(),
            last: 0,
            newest: MessageId::default(),
            identity: (0, 0),
            told: None,
            closing: None,
        }
    }

    /// Runs until everything is written and the loop has closed, or nothing can be done any more.
    pub(super) fn run(mut self, db: Connection) {
        let exchange = Arc::clone(&self.exchange);
        if let Err(refusal) = caught(|| self.sessions(db)) {
            log::error!("store_ended why={:?}", refusal.why);
            exchange.refuse(refusal);
        }
    }

    /// One connection after the other.
    fn sessions(&mut self, db: Connection) -> Result<(), Refusal> {
        let mut failed = match self.first_session(db) {
            Ok(()) => return Ok(()),
            Err((failed, _)) if failed.trouble == Trouble::Damaged => {
                return Err(refusal(&self.path, &failed));
            }
            Err((failed, false)) => return Err(refusal(&self.path, &failed)),
            Err((failed, true)) => failed,
        };
        let mut wait = RETRY.0;
        loop {
            failed = file::plainly(&self.path, failed);
            self.fail(&failed);
            if failed.trouble == Trouble::Damaged {
                return Err(refusal(&self.path, &failed));
            }
            if !self.wait_out(wait) {
                log::error!("store_unwritten operations={}", self.kept.ops.len());
                return Err(refusal(&self.path, &failed));
            }
            let served;
            (served, failed) = match self.next_session() {
                Ok(()) => return Ok(()),
                Err((failed, served)) => (served, failed),
            };
            wait = if served {
                RETRY.0
            } else {
                (wait * 2).min(RETRY.1)
            };
        }
    }

    /// The first connection; with an error comes whether it got as far as to serve.
    fn first_session(&mut self, db: Connection) -> Result<(), (Failed, bool)> {
        let before = |failed| (failed, false);
        let start = Instant::now();
        let all = self.restore(&db).map_err(before)?;
        let mut writer = self.writer(&db).map_err(before)?;
        for one in &all {
            if let Restored::Last(id) = one {
                self.newest = *id;
            }
        }
        let mut all = all.into_iter().peekable();
        while all.peek().is_some() {
            let some = all.by_ref().take(RESTORED_MAX).collect();
            self.exchange.tell([StoreDone::Restored(some)]);
        }
        self.exchange.tell([StoreDone::Ready]);
        log::info!("store_restored ms={}", start.elapsed().as_millis());
        self.say_usable();
        self.serve(&mut writer).map_err(|failed| (failed, true))
    }

    /// Waits for a foreign lock as long as it takes; nobody is promised anything meanwhile.
    fn restore(&mut self, db: &Connection) -> Result<Vec<Restored>, Failed> {
        loop {
            let restored = file::refresh(db, &self.path)
                .and_then(|()| whole(db))
                .and_then(|()| Ok(restore::everything(db, &self.opening)?));
            match restored {
                Err(failed) if failed.trouble == Trouble::Busy => {
                    log::warn!("store_waits why={:?}", failed.why);
                }
                other => return other,
            }
        }
    }

    fn writer<'c>(&mut self, db: &'c Connection) -> Result<Writer<'c>, Failed> {
        let mut writer = Writer::new(db, self.opening.target)?;
        writer.count()?;
        self.identity = file::identity(&self.path)?;
        Ok(writer)
    }

    /// A connection after a failure: nothing is taken in before what was left is in the file.
    fn next_session(&mut self) -> Result<(), (Failed, bool)> {
        // Whatever was under way, the file is looked at anew, and nobody remembers what it was.
        let _ = self.chores.alone();
        self.reader.rest();
        let db = self.reopen().map_err(|failed| (failed, false))?;
        let mut writer = self.repair(&db).map_err(|failed| (failed, false))?;
        log::info!("store_usable path={:?}", self.path);
        self.serve(&mut writer).map_err(|failed| (failed, true))
    }

    fn reopen(&self) -> Result<Connection, Failed> {
        let db = file::open(&self.path)?;
        Log::demand_uncopied(&db)?;
        file::refresh(&db, &self.path)?;
        let bytes = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes: i64 = db.query_row(bytes, [], |row| row.get(0))?;
        let is_ours = schema::kind(&db)? == Kind::Ours;
        let check = if bytes <= VERIFIED_BYTES_MAX {
            "PRAGMA quick_check(1)"
        } else {
            "PRAGMA quick_check('work')"
        };
        let said: String = db.query_row(check, [], |row| row.get(0))?;
        if is_ours && said == "ok" {
            return Ok(db);
        }
        let why = if is_ours {
            said
        } else {
            "it is not ours any more".into()
        };
        let trouble = Trouble::Damaged;
        Err(Failed { trouble, why })
    }

    /// Removes what was refused and repeats the rest, in one transaction.
    fn repair<'c>(&mut self, db: &'c Connection) -> Result<Writer<'c>, Failed> {
        let mut writer = Writer::new(db, self.opening.target)?;
        self.identity = file::identity(&self.path)?;
        self.done.clear();
        self.begin(&mut writer)?;
        for number in &self.kept.refused {
            writer.forget(*number)?;
        }
        for (_, memo) in &mut self.kept.ops {
            writer.put_back(memo)?;
            memo.taken.clear();
        }
        for ((seq, op), memo) in &mut self.kept.ops {
            let done = writer.apply(op, memo)?;
            self.done.extend(done.map(|done| (*seq, done)));
        }
        writer.commit()?;
        self.check_identity()?;
        writer.count()?;
        self.kept.clear();
        self.tell_done();
        self.chores.look(Instant::now());
        self.say_usable();
        Ok(writer)
    }

    /// Takes in what comes until the loop closes; then all of it is in the file.
    fn serve(&mut self, writer: &mut Writer<'_>) -> Result<(), Failed> {
        loop {
            let call = if self.closing.is_some() {
                Call::Close
            } else {
                let times = self.chores.next().into_iter().chain(self.retention.next());
                self.exchange.next(&mut self.batch, times.min())
            };
            if !self.batch.is_empty() {
                self.commit(writer)?;
            }
            if call == Call::Close {
                if self.newest > MessageId::default() {
                    self.begin(writer)?;
                    writer.keep_last(self.newest)?;
                    writer.commit()?;
                }
                self.chores.last(writer.db());
                return Ok(());
            }
            let now = Instant::now();
            let idle = call == Call::Idle;
            self.chores.after(writer.db(), now, idle)?;
            if self.retention.after(writer.db(), idle, &self.opening)? {
                self.chores.written(writer.db(), now, true)?;
            }
            self.say_usable();
        }
    }

    /// One transaction for all that is there.
    fn commit(&mut self, writer: &mut Writer<'_>) -> Result<(), Failed> {
        if let Some((seq, _)) = self.batch.last() {
            self.last = *seq;
        }
        self.done.clear();
        self.memos.clear();
        self.begin(writer)?;
        for (seq, op) in &self.batch {
            let mut memo = Memo::default();
            if let StoreOp::Accept { message, .. } = op {
                self.newest = self.newest.max(message.id);
                self.chores.grow(message.bytes() as u64);
            }
            let done = writer.apply(op, &mut memo);
            if !memo.is_empty() {
                self.memos.push((*seq, memo));
            }
            self.done.extend(done?.map(|done| (*seq, done)));
        }
        writer.commit()?;
        self.check_identity()?;
        self.tell_done();
        for (_, op) in self.batch.drain(..) {
            answer(&self.reader, op);
        }
        Ok(())
    }

    /// Everything lasts. What came of an operation is told before what follows it is said to last.
    fn tell_done(&mut self) {
        let mut told = None;
        let mut done = Vec::with_capacity(2 * self.done.len() + 1);
        for (seq, of) in self.done.drain(..) {
            if told.replace(seq) != Some(seq) {
                done.push(StoreDone::Durable(seq));
            }
            done.push(of);
        }
        if told != Some(self.last) {
            done.push(StoreDone::Durable(self.last));
        }
        self.exchange.tell(done);
    }

    /// Begins a transaction, and waits out whoever else writes.
    fn begin(&mut self, writer: &mut Writer<'_>) -> Result<(), Failed> {
        loop {
            let failed = match writer.begin() {
                Ok(()) => return Ok(()),
                Err(error) => Failed::from(error),
            };
            let is_over = self
                .closing
                .is_some_and(|closing| Instant::now() >= closing);
            if failed.trouble != Trouble::Busy || is_over {
                return Err(failed);
            }
            log::warn!("store_waits why={:?}", failed.why);
        }
    }

    /// A file that was moved or removed still takes what is written, and nobody will ever find it.
    fn check_identity(&self) -> Result<(), Failed> {
        if file::identity(&self.path)? == self.identity {
            return Ok(());
        }
        Err(Failed {
            trouble: Trouble::Failed,
            why: "another file has taken its place".into(),
        })
    }

    /// What was under way failed: whoever can be refused is, all else is kept.
    fn fail(&mut self, failed: &Failed) {
        log::error!(
            "store_failed path={:?} trouble={} why={:?}",
            self.path,
            failed.trouble.as_str(),
            failed.why
        );
        self.done.clear();
        self.settle(true);
        self.say(Some(failed.trouble.as_str()));
    }

    fn settle(&mut self, reached: bool) {
        if let Some((seq, _)) = self.batch.last() {
            self.last = *seq;
        }
        let mut memos = mem::take(&mut self.memos).into_iter().peekable();
        let reader = &self.reader;
        let batch = self.batch.drain(..).filter_map(|(seq, op)| match op {
            // Whoever looks at what there is need not wait for the disk.
            StoreOp::Ask { .. } => {
                answer(reader, op);
                None
            }
            op => {
                let memo = memos.next_if(|(of, _)| *of == seq).map(|(_, memo)| memo);
                Some(((seq, op), memo.unwrap_or_default()))
            }
        });
        if let Some(lost) = self.kept.take_over(batch, reached) {
            self.exchange.tell([StoreDone::Failed(lost)]);
        }
    }

    /// Waits before the file is tried again, and refuses what comes meanwhile; false if the
    /// process ends and there was a try since.
    fn wait_out(&mut self, wait: Duration) -> bool {
        if self.closing.is_some() {
            return false;
        }
        let until = Instant::now() + wait;
        loop {
            match self.exchange.next(&mut self.batch, Some(until)) {
                // News of the copier change nothing.
                Call::Idle => {}
                Call::Work => self.settle(false),
                Call::Close => {
                    self.settle(false);
                    self.closing = Some(Instant::now() + LAST_PATIENCE);
                    return true;
                }
            }
            if Instant::now() >= until {
                return true;
            }
        }
    }

    /// Tells the loop whether messages are taken in, if that has changed.
    fn say_usable(&mut self) {
        self.say(self.chores.is_low().then_some(Trouble::Full.as_str()));
    }

    fn say(&mut self, trouble: Option<&'static str>) {
        if mem::replace(&mut self.told, trouble) != trouble {
            self.exchange.tell([StoreDone::Usable { trouble }]);
        }
    }
}

/// Nothing is begun on pages that cannot be trusted.
fn whole(db: &Connection) -> Result<(), Failed> {
    match schema::damage(db)? {
        None => Ok(()),
        Some(why) => Err(Failed {
            trouble: Trouble::Damaged,
            why,
        }),
    }
}

/// Hands a question on.
fn answer(reader: &Reader, op: StoreOp) {
    if let StoreOp::Ask { ticket, question } = op {
        reader.ask(ticket, question);
    }
}

/// What `work` gives, or that it panicked: nobody would hear of a thread that is merely gone.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Refusal {
            exit: Exit::Software,
            why: "the store's thread failed; the log says where".into(),
        })
    })
}
