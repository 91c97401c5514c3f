//! Answers to questions, on a thread and a connection of their own, so that no question delays a
//! commit. It writes nothing, and knows of the writer only what the file shows.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::wall;
use crate::base::time::Wall;
use crate::model::record::{Found, Question};
use crate::port::StoreDone;
pub(super) use crate::store::Targets;

mod search;
mod story;

/// How long one question is worked on; what is found by then is told, and where to go on.
const SLICE: Duration = Duration::from_millis(50);
/// How long somebody else's lock on the file is waited out.
const BUSY: Duration = Duration::from_secs(5);
/// Statements that stay prepared.
const STATEMENTS_MAX: usize = 32;

/// What the thread is told to do.
enum Order {
    /// To answer under that ticket.
    Answer(u64, Box<Question>),
    /// To close its connection, and to drop this when that is done.
    Rest(Sender<()>),
}

/// Takes an answer.
pub(super) type Out = Arc<dyn Fn(StoreDone) + Send + Sync>;

/// The thread that answers. Dropped, it answers what it was asked before and ends.
pub(super) struct Reader {
    orders: Option<Sender<Order>>,
    out: Out,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts a thread for the file at `path`, whose answers go to `out`.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(path: &Path, targets: Targets, out: Out) -> io::Result<Reader> {
        let (orders, ordered) = channel();
        let desk = Desk {
            path: path.to_owned(),
            targets,
            db: None,
        };
        let told = Arc::clone(&out);
        let thread = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || desk.run(&ordered, &told))?;
        Ok(Reader {
            orders: Some(orders),
            out,
            thread: Some(thread),
        })
    }

    /// Asks; the answer is told under the same ticket, after those to earlier questions.
    pub(super) fn ask(&self, ticket: u64, question: Box<Question>) {
        if !self.tell(Order::Answer(ticket, question)) {
            let found = Found::Failed("the thread that reads has ended");
            (self.out)(StoreDone::Found { ticket, found });
        }
    }

    /// Waits until everything asked before is answered and the connection is closed; the next
    /// question opens it again.
    pub(super) fn rest(&self) {
        let (rests, at_rest) = channel();
        if self.tell(Order::Rest(rests)) {
            // It never comes: the other end is dropped, then or with the thread.
            let _ = at_rest.recv();
        }
    }

    fn tell(&self, order: Order) -> bool {
        let sent = self.orders.as_ref().map(|to| to.send(order).is_ok());
        sent == Some(true)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so, and there is nothing else to be done for it.
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Desk {
    path: PathBuf,
    targets: Targets,
    /// Opened when it is first needed, and again after an error.
    db: Option<Connection>,
}

impl Desk {
    fn run(mut self, ordered: &Receiver<Order>, out: &Out) {
        while let Ok(order) = ordered.recv() {
            let (ticket, question) = match order {
                Order::Answer(ticket, question) => (ticket, question),
                Order::Rest(_rests) => {
                    self.db = None;
                    continue;
                }
            };
            let found = self.answer(&question).unwrap_or_else(|error| {
                log::error!("store_read_failed error={:?}", error.to_string());
                self.db = None;
                Found::Failed("the store cannot be read")
            });
            out(StoreDone::Found { ticket, found });
        }
    }

    fn answer(&mut self, question: &Question) -> rusqlite::Result<Found> {
        let db = match self.db.take() {
            Some(db) => db,
            None => open(&self.path)?,
        };
        let db = self.db.insert(db);
        // One state of the file for all that belongs to one answer.
        let snapshot = db.transaction()?;
        let view = View {
            db: &snapshot,
            targets: self.targets,
            now: wall(),
            until: Instant::now() + SLICE,
        };
        match question {
            Question::Message(id) => view.message(*id),
            Question::Search(search) => view.search(search),
        }
    }
}

/// The file as one question sees it.
struct View<'c> {
    db: &'c Connection,
    targets: Targets,
    now: Wall,
    until: Instant,
}

impl View<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // It may be the last to close, after a failure.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}
