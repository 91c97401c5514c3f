//! Answers to questions, on a thread and a connection of their own, so that no question delays a
//! commit. It writes nothing, and knows of the writer only what the file shows.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

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

/// Takes an answer.
pub(super) type Out = Arc<dyn Fn(StoreDone) + Send + Sync>;

/// The thread that answers. Dropped, it answers what it was asked before and ends.
pub(super) struct Reader {
    questions: Option<Sender<(u64, Box<Question>)>>,
    out: Out,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts a thread for the file at `path`, whose answers go to `out`.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(path: &Path, targets: Targets, out: Out) -> io::Result<Reader> {
        let (questions, asked) = channel();
        let desk = Desk {
            path: path.to_owned(),
            targets,
            db: None,
        };
        let told = Arc::clone(&out);
        let thread = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || desk.run(&asked, &told))?;
        Ok(Reader {
            questions: Some(questions),
            out,
            thread: Some(thread),
        })
    }

    /// Asks; the answer is told under the same ticket, after those to earlier questions.
    pub(super) fn ask(&self, ticket: u64, question: Box<Question>) {
        let asked = (ticket, question);
        let sent = self.questions.as_ref().map(|to| to.send(asked).is_ok());
        if sent != Some(true) {
            let found = Found::Failed("the thread that reads has ended");
            (self.out)(StoreDone::Found { ticket, found });
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.questions = None;
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
    fn run(mut self, asked: &Receiver<(u64, Box<Question>)>, out: &Out) {
        while let Ok((ticket, question)) = asked.recv() {
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
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}
