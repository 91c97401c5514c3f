//! Takes the write-ahead log over into the database, on a thread and a connection of its own, while
//! the store's thread goes on writing to the log: it may take longer than anybody should wait for
//! a commit. It decides nothing and says nothing to the loop.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::store::sqlite::exchange::Exchange;
use crate::store::sqlite::file::{self, Failed, Trouble};

/// So few pages are left to the store's thread: what it takes over holds up commits.
pub(super) const SMALL_PAGES: u64 = 256;
/// Passes of one order, each over what came during the one before.
const PASSES_MAX: u32 = 4;

/// What the copier is told to do.
enum Order {
    /// To take over what is in the log, and to say what came of it.
    Copy,
    /// To close its connection, and to say so: the next one may lead to another file.
    Close,
}

/// Sees to it that what was written to a file is on the disk.
pub(in crate::store::sqlite) type Sync = fn(&File) -> io::Result<()>;

/// The store's thread's side. Dropped, it waits for what is under way.
pub(in crate::store::sqlite) struct Copier {
    orders: Option<Sender<Order>>,
    copied: Receiver<Result<(), Failed>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Copier {
    /// Starts a thread for the file at `path`, which wakes the store's thread by `exchange`. What
    /// it copies lasts by `sync`.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(in crate::store::sqlite) fn start(
        path: &Path,
        exchange: Arc<Exchange>,
        sync: Sync,
    ) -> io::Result<Copier> {
        let (orders, ordered) = channel();
        let (tell, copied) = channel();
        let mut hand = Hand {
            path: path.to_owned(),
            db: None,
            files: Vec::new(),
            sync,
        };
        let thread = thread::Builder::new()
            .name("copier".to_owned())
            .spawn(move || {
                while let Ok(order) = ordered.recv() {
                    let told = match order {
                        Order::Copy => tell.send(hand.copy()).inspect(|()| exchange.nudge()),
                        // Whoever closes it waits for that.
                        Order::Close => {
                            hand.db = None;
                            tell.send(Ok(()))
                        }
                    };
                    if told.is_err() {
                        return;
                    }
                }
            })?;
        Ok(Copier {
            orders: Some(orders),
            copied,
            thread: Some(thread),
            busy: false,
        })
    }

    /// Has the log taken over, beside whatever else is done; false if there is nobody to do it.
    pub(super) fn order(&mut self) -> bool {
        if !self.busy {
            self.busy = self.tell(Order::Copy);
        }
        self.busy
    }

    /// What came of the order, once.
    pub(super) fn done(&mut self) -> Option<Result<(), Failed>> {
        if !self.busy {
            return None;
        }
        let done = match self.copied.try_recv() {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return None,
            // It has panicked and said so; what it would have done the store's thread does.
            Err(TryRecvError::Disconnected) => Ok(()),
        };
        self.busy = false;
        Some(done)
    }

    /// Waits until it is at rest; what came of the order, if there was one.
    pub(super) fn wait(&mut self) -> Result<(), Failed> {
        if !self.busy {
            return Ok(());
        }
        self.busy = false;
        self.copied.recv().unwrap_or(Ok(()))
    }

    /// Waits until it is at rest and has closed its connection; what came of the order, if there
    /// was one.
    pub(super) fn close(&mut self) -> Result<(), Failed> {
        let done = self.wait();
        self.busy = self.tell(Order::Close);
        done.and(self.wait())
    }

    fn tell(&self, order: Order) -> bool {
        let sent = self.orders.as_ref().map(|to| to.send(order).is_ok());
        sent == Some(true)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Hand {
    path: PathBuf,
    /// Opened when it is first needed, and again after an error.
    db: Option<Connection>,
    /// The database's own file, the last one under its name; none is closed before all connections
    /// are, because with any of them the system would drop the locks that these hold on it.
    files: Vec<File>,
    sync: Sync,
}

impl Hand {
    /// Somebody else's lock is no error; the file is opened again another time.
    fn copy(&mut self) -> Result<(), Failed> {
        match self.try_copy() {
            Err(failed) if failed.trouble == Trouble::Busy => Ok(()),
            other => other,
        }
    }

    fn try_copy(&mut self) -> Result<(), Failed> {
        let db = match self.db.take() {
            Some(db) => db,
            None => file::open(&self.path)?,
        };
        let sync = self.sync;
        let file = self.file()?;
        let mut before = 0;
        for _ in 0..PASSES_MAX {
            let log = Log::copied(&db)?;
            // SQLite syncs only if nobody wrote to the log meanwhile, and else leaves all of it to
            // whoever copies last.
            sync(file)?;
            let copied = log.copied.saturating_sub(before);
            before = log.copied;
            if copied <= SMALL_PAGES || Log::seen(&db)?.left() <= SMALL_PAGES / 2 {
                break;
            }
        }
        self.db = Some(db);
        Ok(())
    }
}

impl Hand {
    /// The file that goes by the path now.
    fn file(&mut self) -> io::Result<&File> {
        let is = file::identity(&self.path)?;
        let known = self.files.last().map(File::metadata).transpose()?;
        if known.is_none_or(|known| file::identity_of(&known) != is) {
            self.files
                .push(fs::OpenOptions::new().write(true).open(&self.path)?);
        }
        let last = self.files.last();
        last.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// The log's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    /// Pages in it,
    pub(super) pages: u64,
    /// and how many of them are in the database.
    pub(super) copied: u64,
}

impl Log {
    /// As it is.
    pub(super) fn seen(db: &Connection) -> Result<Log, Failed> {
        Log::read(db, "PRAGMA wal_checkpoint(NOOP)")
    }

    /// After as much of it as nobody reads from has gone into the database.
    pub(super) fn copied(db: &Connection) -> Result<Log, Failed> {
        Log::read(db, "PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// After all of it has, and nothing is left, if nobody reads.
    pub(super) fn emptied(db: &Connection) -> Result<Log, Failed> {
        Log::read(db, "PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Demands that nothing of the log is taken to be in the database, right after a failure. What
    /// was copied before it may never have reached the disk, while the index that all connections
    /// share says that it need not be copied again; it begins anew once all of them are closed.
    ///
    /// # Errors
    /// Somebody else has the file open, or locked.
    pub(super) fn demand_uncopied(db: &Connection) -> Result<(), Failed> {
        let text = "PRAGMA wal_checkpoint(NOOP)";
        let (busy, copied): (bool, i64) =
            db.query_row(text, [], |row| Ok((row.get(0)?, row.get(2)?)))?;
        if !busy && copied == 0 {
            return Ok(());
        }
        Err(Failed {
            trouble: Trouble::Failed,
            why: "another program has it open since before the failure; end that program".into(),
        })
    }

    /// Pages that are not in the database.
    pub(super) fn left(self) -> u64 {
        self.pages.saturating_sub(self.copied)
    }

    /// Somebody else at the same work is no error.
    fn read(db: &Connection, text: &str) -> Result<Log, Failed> {
        let mut statement = db.prepare_cached(text)?;
        let read = statement.query_row([], |row| {
            let count = |value: i64| u64::try_from(value).unwrap_or(0);
            Ok(Log {
                pages: count(row.get(1)?),
                copied: count(row.get(2)?),
            })
        });
        match read.map_err(Failed::from) {
            Err(failed) if failed.trouble == Trouble::Busy => Ok(Log {
                pages: 0,
                copied: 0,
            }),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::exchange::Call;
    use crate::store::sqlite::tests::testing::Folder;

    fn rig() -> (Folder, PathBuf, Connection, Arc<Exchange>, Copier) {
        let folder = Folder::new();
        let path = folder.file("a.db");
        file::create(&path).unwrap();
        let db = file::open(&path).unwrap();
        db.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(2000000))")
            .unwrap();
        let exchange = Arc::new(Exchange::new(Arc::new(|| {})));
        let copier = Copier::start(&path, Arc::clone(&exchange), File::sync_data).unwrap();
        (folder, path, db, exchange, copier)
    }

    #[test]
    fn the_log_is_copied_while_somebody_writes() {
        let (_folder, _, db, exchange, mut copier) = rig();
        let before = Log::seen(&db).unwrap();
        assert!(
            before.pages > SMALL_PAGES && before.copied == 0,
            "{before:?}"
        );
        db.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
            .unwrap();
        assert!(copier.order());
        // Whoever sleeps is woken by what came of it.
        assert_eq!(exchange.next(&mut Vec::new(), None), Call::Idle);
        assert!(matches!(copier.done(), Some(Ok(()))));
        assert!(copier.done().is_none(), "said twice");
        db.execute_batch("COMMIT").unwrap();
        let after = Log::seen(&db).unwrap();
        assert_eq!(after.copied, before.pages);
        assert!((1..SMALL_PAGES).contains(&after.left()), "{after:?}");
        // The little that is left is copied by whoever writes, and the log begins anew.
        assert_eq!(Log::copied(&db).unwrap().left(), 0);
        db.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert!(Log::seen(&db).unwrap().pages < after.pages);
    }

    #[test]
    fn whoever_reads_holds_it_up_and_is_no_error() {
        let (_folder, path, db, _, mut copier) = rig();
        let reader = file::open(&path).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM t")
            .unwrap();
        let before = Log::seen(&db).unwrap().pages;
        db.execute_batch("INSERT INTO t VALUES (randomblob(2000000))")
            .unwrap();
        assert!(copier.order());
        copier.wait().unwrap();
        let log = Log::seen(&db).unwrap();
        assert_eq!(log.copied, before);
        assert!(log.left() > SMALL_PAGES, "{log:?}");
    }

    #[test]
    fn what_goes_wrong_is_said_and_the_file_is_opened_again() {
        let (_folder, path, db, _, mut copier) = rig();
        let away = path.with_extension("away");
        fs::rename(&path, &away).unwrap();
        assert!(copier.order());
        assert_eq!(copier.wait().unwrap_err().trouble, Trouble::Failed);
        fs::rename(&away, &path).unwrap();
        assert!(copier.order());
        copier.wait().unwrap();
        assert_eq!(Log::seen(&db).unwrap().left(), 0);
        copier.close().unwrap();
        fs::rename(&path, &away).unwrap();
        assert!(copier.order());
        assert!(copier.close().is_err(), "what was under way has failed");
    }

    #[test]
    fn what_was_copied_is_copied_again_only_once_all_have_closed() {
        let (_folder, path, db, _, mut copier) = rig();
        let pages = Log::seen(&db).unwrap().pages;
        assert!(copier.order());
        copier.wait().unwrap();
        drop(db);
        // The copier's own connection is enough to keep what all of them share.
        let db = file::open(&path).unwrap();
        let failed = Log::demand_uncopied(&db).unwrap_err();
        assert!(failed.why.contains("another program"), "{failed:?}");
        drop(db);
        copier.close().unwrap();
        let db = file::open(&path).unwrap();
        Log::demand_uncopied(&db).unwrap();
        let log = Log::seen(&db).unwrap();
        assert_eq!((log.pages, log.copied), (pages, 0));
    }

    #[test]
    fn no_descriptor_of_the_file_is_closed_while_it_is_open() {
        let (folder, path, _db, _, _copier) = rig();
        let mut hand = Hand {
            path: path.clone(),
            db: None,
            files: Vec::new(),
            sync: File::sync_data,
        };
        for _ in 0..3 {
            hand.copy().unwrap();
            hand.db = None;
        }
        assert_eq!(hand.files.len(), 1);
        fs::rename(&path, folder.file("b.db")).unwrap();
        file::create(&path).unwrap();
        hand.file().unwrap();
        assert_eq!(hand.files.len(), 2);
    }
}
