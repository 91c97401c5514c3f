//! The store in one SQLite file, which a thread of its own writes: what gathers while one
//! transaction is on its way to the disk is the next.
//! The loop's side of it never waits, except at the end of the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use super::{Opening, Refusal, Store};
use crate::base::exit::Exit;
use crate::base::time::{Wall, micros};
use crate::port::{Seq, StoreDone, StoreOp};
pub(super) use check::check;
use exchange::{Exchange, Handed};
use file::{Failed, Trouble};
use lock::{Asked, Lock, Theirs};
use reader::Reader;
use schema::Kind;
use worker::{Copier, Sync, Worker};

mod check;
mod exchange;
mod file;
mod kept;
mod lock;
mod reader;
mod record;
mod restore;
mod retention;
mod schema;
mod worker;
mod writer;

/// How often somebody else's lock is met with patience before a start gives up.
const LOCKED_MAX: u32 = 10;

/// The loop's side.
#[derive(Debug)]
pub struct Sqlite {
    exchange: Arc<Exchange>,
    /// Submitted since the last flush,
    submitted: Vec<Handed>,
    /// and whether somebody waits for any of it.
    urgent: bool,
    done: VecDeque<StoreDone>,
    worker: Option<JoinHandle<()>>,
    /// The process that had the file at the start, if it is waited for.
    holder: Option<String>,
}

impl Sqlite {
    /// Who is waited for, in words.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}

/// Opens the file at `path`, or makes it, and starts its thread. What was before comes as
/// completions, and `Ready` after it. If another process has it and it is to be waited for, all of
/// that follows once it is released.
///
/// # Errors
/// It cannot be created or used, another process has it, or it is not ours.
pub fn open(path: &Path, opening: Opening) -> Result<Sqlite, Refusal> {
    open_with(path, opening, File::sync_data)
}

/// The same, where what is copied from the log into the file lasts by `sync`.
fn open_with(path: &Path, opening: Opening, sync: Sync) -> Result<Sqlite, Refusal> {
    // Relative names must mean the same in every thread and at all times.
    let path = std::path::absolute(path).map_err(|why| uncreated(path, &why))?;
    let waits = opening.waits;
    let exchange = Arc::new(Exchange::new(Arc::clone(&opening.wake)));
    let start = Start {
        path,
        opening,
        exchange: Arc::clone(&exchange),
        sync,
    };
    let (worker, holder) = match lock::ask(&start.path)? {
        Asked::Ours(lock) => {
            let (worker, db) = start.begin()?;
            let run = move || {
                // Whatever belongs to the file is closed before another may have it.
                let _lock = lock;
                worker.run(db);
            };
            (spawn(run)?, None)
        }
        Asked::Theirs(mut theirs) if waits => {
            let holder = theirs.holder();
            let run = move || start.once_free(theirs, Start::begin);
            (spawn(run)?, Some(holder))
        }
        Asked::Theirs(theirs) => return Err(theirs.refusal()),
    };
    Ok(Sqlite {
        exchange,
        submitted: Vec::new(),
        urgent: false,
        done: VecDeque::new(),
        worker: Some(worker),
        holder,
    })
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Refusal> {
    let started = thread::Builder::new().name("store".to_owned()).spawn(run);
    started.map_err(|why| unstarted(&why))
}

fn unstarted(why: &io::Error) -> Refusal {
    Refusal {
        exit: Exit::Software,
        why: format!("no thread for the store: {why}"),
    }
}

/// What writes, and its first connection.
type Begun = (Worker, Connection);

/// What a start needs once the lock is ours.
struct Start {
    path: PathBuf,
    opening: Opening,
    exchange: Arc<Exchange>,
    sync: Sync,
}

impl Start {
    fn begin(self) -> Result<Begun, Refusal> {
        let Start {
            path,
            opening,
            exchange,
            sync,
        } = self;
        let is_new = file::create(&path).map_err(|why| uncreated(&path, &why))?;
        let db = prepare(&path)?;
        if is_new {
            log::info!("store_created path={path:?}");
        }
        let told = Arc::clone(&exchange);
        let out = Arc::new(move |done| told.tell([done]));
        let reader = Reader::start(&path, opening.target, out).map_err(|why| unstarted(&why))?;
        let copier = Copier::start(&path, Arc::clone(&exchange), sync);
        let copier = copier.map_err(|why| unstarted(&why))?;
        Ok((Worker::new(path, opening, exchange, reader, copier), db))
    }

    /// The same once another process has released the lock; nothing if the loop closes before.
    fn once_free(self, theirs: Theirs, begin: fn(Start) -> Result<Begun, Refusal>) {
        let exchange = Arc::clone(&self.exchange);
        log::info!("store_awaited path={:?}", self.path);
        let since = Instant::now();
        let Some(taken) = wait_for(theirs, &exchange) else {
            return;
        };
        let begun = taken.and_then(|lock| {
            let ms = since.elapsed().as_millis();
            log::info!("store_taken_over path={:?} waited_ms={ms}", self.path);
            // Whatever goes wrong must be heard: the loop would wait for this word without end.
            Ok((lock, worker::caught(|| begin(self))?))
        });
        match begun {
            Ok((_lock, (worker, db))) => worker.run(db),
            Err(refusal) => exchange.refuse(refusal),
        }
    }
}

/// Waits for the lock; `None` if the loop closes before that. The wait itself cannot be called off,
/// so a thread has it that nobody waits for: it costs nothing and ends with the process.
fn wait_for(theirs: Theirs, exchange: &Arc<Exchange>) -> Option<Result<Lock, Refusal>> {
    let (tell, told) = channel();
    let bell = Arc::clone(exchange);
    let wait = move || {
        let _ = tell.send(theirs.wait());
        bell.nudge();
    };
    let started = thread::Builder::new().name("lock".to_owned()).spawn(wait);
    if let Err(why) = started {
        return Some(Err(unstarted(&why)));
    }
    while exchange.news() {
        if let Ok(taken) = told.try_recv() {
            return Some(taken);
        }
    }
    None
}

fn uncreated(path: &Path, why: &io::Error) -> Refusal {
    Refusal {
        exit: Exit::CannotCreate,
        why: format!(
            "cannot create {}: {why}; choose another place with --store sqlite:PATH",
            path.display()
        ),
    }
}

/// The connection to a file whose tables are ours and of our version.
fn prepare(path: &Path) -> Result<Connection, Refusal> {
    let mut patience = LOCKED_MAX;
    loop {
        match try_prepare(path) {
            Ok(db) => return db,
            Err(failed) if failed.trouble == Trouble::Busy && patience > 0 => {
                patience -= 1;
                log::warn!("store_waits path={path:?} why={:?}", failed.why);
            }
            Err(failed) => return Err(refusal(path, &failed)),
        }
    }
}

fn try_prepare(path: &Path) -> Result<Result<Connection, Refusal>, Failed> {
    let mut db = file::open(path)?;
    if db.is_readonly("main")? {
        let why = io::Error::from(io::ErrorKind::PermissionDenied);
        return Err(Failed::from(why));
    }
    let refuse = |why: String| {
        Ok(Err(Refusal {
            exit: Exit::Config,
            why,
        }))
    };
    match schema::kind(&db)? {
        Kind::Empty | Kind::Ours => {}
        Kind::Newer(version) => {
            return refuse(format!(
                "{} was written by a later hookah (its version is {version}, this one knows up \
                 to {}); run that one, or choose another place with --store sqlite:PATH; if there \
                 never was one, {} says what is left of it",
                path.display(),
                schema::version(),
                checking(path)
            ));
        }
        Kind::Foreign => {
            return refuse(format!(
                "{} is another program's database; choose another place with --store sqlite:PATH; \
                 if it is ours, {} says what is left of it",
                path.display(),
                checking(path)
            ));
        }
    }
    schema::bring_up(&mut db)?;
    Ok(Ok(db))
}

/// What to type to learn more.
fn checking(path: &Path) -> String {
    format!("hookah check --store sqlite:{}", path.display())
}

/// In the words of whoever starts the server.
fn refusal(path: &Path, failed: &Failed) -> Refusal {
    let place = path.display();
    let why = &failed.why;
    let (exit, why) = match failed.trouble {
        Trouble::Busy => (
            Exit::InUse,
            format!("{place} is locked by another program, such as a sqlite3 shell; end that one"),
        ),
        Trouble::Full => (
            Exit::Io,
            format!("{place} cannot be written: the disk is full"),
        ),
        Trouble::ReadOnly => (
            Exit::Io,
            format!("{place} cannot be written ({why}); make it and its folder writable"),
        ),
        Trouble::Damaged => (
            Exit::Io,
            format!(
                "{place} is damaged, or no database ({why}); run {} to see what is left of it",
                checking(path)
            ),
        ),
        Trouble::Failed => (
            Exit::Io,
            format!(
                "{place} cannot be used: {why}; {} says whether it is damaged",
                checking(path)
            ),
        ),
    };
    Refusal { exit, why }
}

impl Store for Sqlite {
    fn submit(&mut self, seq: Seq, op: StoreOp) {
        self.urgent |= op.is_urgent();
        self.submitted.push((seq, op));
    }

    fn flush(&mut self) {
        self.exchange.hand(&mut self.submitted, self.urgent);
        self.urgent = false;
    }

    fn completion(&mut self) -> Option<StoreDone> {
        if self.done.is_empty() {
            self.exchange.collect(&mut self.done);
        }
        self.done.pop_front()
    }

    fn close(&mut self) {
        self.flush();
        self.exchange.close();
        if let Some(worker) = self.worker.take()
            && worker.join().is_err()
        {
            log::error!("store_thread_failed");
        }
    }

    fn refusal(&mut self) -> Option<Refusal> {
        self.exchange.refusal()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the clock on the wall says.
fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Wall(since.map_or(0, micros))
}

#[cfg(test)]
mod tests;
