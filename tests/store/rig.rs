//! A store under test: opened as the shell does it, handed operations, waited for, crashed and
//! opened again. It knows no backend by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hookah::base::time::Wall;
use hookah::http::target;
use hookah::model::MessageId;
use hookah::model::record::{Found, Parked, Question, Restored, Search, Story, Taken};
use hookah::port::{Seq, StoreDone, StoreOp};
use hookah::store::{self, Opening, Store};

use crate::Backend;

/// How long a completion is waited for. A bound on failure, never on success.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the store's waker rings.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    told: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().expect("no test panics with it") = true;
        self.told.notify_all();
    }

    /// Waits until it was rung since the last time.
    fn wait(&self, until: Instant) -> bool {
        let mut rung = self.rung.lock().expect("no test panics with it");
        while !*rung {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            rung = self.told.wait_timeout(rung, left).expect("as above").0;
        }
        *rung = false;
        true
    }
}

/// What a store is told at its opening, apart from how to wake.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub backlog_age: Duration,
    pub backlog_bytes: u64,
    pub keep_age: Duration,
    pub keep_bytes: u64,
    pub memory_bytes: u64,
}

impl Default for Bounds {
    /// So wide that no case meets them by chance.
    fn default() -> Bounds {
        Bounds {
            backlog_age: Duration::from_secs(3600),
            backlog_bytes: 64 << 20,
            keep_age: Duration::from_secs(100 * 365 * 86_400),
            keep_bytes: 1 << 40,
            memory_bytes: 256 << 20,
        }
    }
}

/// A store and all that it has said.
pub struct Rig {
    pub backend: Backend,
    pub bounds: Bounds,
    pub restored: Vec<Restored>,
    /// Answers that nobody has asked for yet.
    pub told: Vec<StoreDone>,
    pub durable: Option<Seq>,
    folder: PathBuf,
    /// How often it was opened; each has a folder of its own.
    life: u32,
    bell: Arc<Bell>,
    store: Option<Box<dyn Store>>,
    seq: Seq,
    ticket: u64,
}

impl Rig {
    /// An empty store of that backend.
    pub fn new(backend: Backend) -> Rig {
        Rig::with(backend, Bounds::default())
    }

    /// An empty store of that backend with bounds of its own.
    pub fn with(backend: Backend, bounds: Bounds) -> Rig {
        let mut rig = Rig::closed(backend, bounds);
        rig.open();
        rig
    }

    fn closed(backend: Backend, bounds: Bounds) -> Rig {
        static RIGS: AtomicU64 = AtomicU64::new(0);
        let number = RIGS.fetch_add(1, Ordering::Relaxed);
        let name = format!("store-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let rig = Rig {
            backend,
            bounds,
            restored: vec![],
            told: vec![],
            durable: None,
            folder,
            life: 0,
            bell: Arc::default(),
            store: None,
            seq: 0,
            ticket: 0,
        };
        fs::create_dir_all(rig.place()).expect("a folder for the store");
        rig
    }

    /// The folder of the store as it is open now.
    pub fn place(&self) -> PathBuf {
        self.folder.join(self.life.to_string())
    }

    /// The store's file, if it has one.
    pub fn file(&self) -> PathBuf {
        self.place().join("hookah.db")
    }

    fn name(&self) -> String {
        match self.backend.file {
            true => format!("{}:{}", self.backend.scheme, self.file().display()),
            false => self.backend.scheme.to_owned(),
        }
    }

    fn open(&mut self) {
        if let Err(why) = self.try_open() {
            panic!("{}: {why}", self.name());
        }
    }

    /// Opens it, and waits until all is restored.
    fn try_open(&mut self) -> Result<(), String> {
        self.bell = Arc::default();
        let bell = Arc::clone(&self.bell);
        let opening = Opening {
            wake: Arc::new(move || bell.ring()),
            free: |_| None,
            target: target::kept,
            backlog_age: self.bounds.backlog_age,
            backlog_bytes: self.bounds.backlog_bytes,
            keep_age: self.bounds.keep_age,
            keep_bytes: self.bounds.keep_bytes,
            min_free: 0,
            memory_bytes: self.bounds.memory_bytes,
            waits: false,
        };
        let opened = store::open(&self.name(), opening).map_err(|refusal| refusal.why)?;
        assert_eq!(opened.volatile, !self.backend.lasts);
        self.store = Some(opened.store);
        self.restored.clear();
        self.told.clear();
        self.durable = None;
        self.seq = 0;
        if !self.backend.lasts {
            return Ok(());
        }
        self.wait("the end of its restoring", |rig| {
            if let Some(refusal) = rig.store().refusal() {
                return Some(Err(refusal.why));
            }
            let place = rig
                .told
                .iter()
                .position(|it| matches!(it, StoreDone::Ready));
            place.map(|place| {
                rig.told.remove(place);
                Ok(())
            })
        })
    }

    /// A store over a file that is there already; else why it is refused.
    pub fn over(backend: Backend, bounds: Bounds, bytes: &[u8]) -> Result<Rig, String> {
        let mut rig = Rig::closed(backend, bounds);
        fs::write(rig.file(), bytes).expect("room for a file");
        match rig.try_open() {
            Ok(()) => Ok(rig),
            Err(why) => {
                rig.shut();
                Err(why)
            }
        }
    }

    fn store(&mut self) -> &mut Box<dyn Store> {
        self.store.as_mut().expect("it is open")
    }

    /// Hands it over.
    pub fn hand(&mut self, op: StoreOp) -> Seq {
        self.seq += 1;
        let seq = self.seq;
        self.store().submit(seq, op);
        seq
    }

    /// Hands them over, and waits until they last.
    pub fn lasts(&mut self, ops: impl IntoIterator<Item = StoreOp>) {
        for op in ops {
            self.hand(op);
        }
        self.settle();
    }

    /// Flushes, and waits until everything handed over lasts.
    pub fn settle(&mut self) {
        let seq = self.seq;
        self.store().flush();
        self.wait("a flush to last", |rig| {
            (rig.durable.unwrap_or(0) >= seq).then_some(())
        });
    }

    /// Without a flush.
    pub fn flush(&mut self) {
        self.store().flush();
    }

    /// Takes in what it says until `found` finds what is waited for.
    pub fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&mut Rig) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            while let Some(done) = self.store().completion() {
                self.hear(done);
            }
            if let Some(it) = found(self) {
                return it;
            }
            let rung = self.bell.wait(until);
            assert!(rung, "{}: waited for {what}", self.backend.scheme);
        }
    }

    fn hear(&mut self, done: StoreDone) {
        match done {
            StoreDone::Durable(seq) => {
                assert!(self.durable <= Some(seq), "durable goes forward");
                assert!(seq <= self.seq, "durable what was never handed over");
                self.durable = Some(seq);
            }
            StoreDone::Restored(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() <= 512, "{}", chunk.len());
                self.restored.extend(chunk);
            }
            // One that has nothing to restore may say so whenever it is asked first.
            StoreDone::Ready if !self.backend.lasts && self.durable.is_none() => {}
            StoreDone::Failed(_) => panic!("the store failed"),
            other => self.told.push(other),
        }
    }

    fn ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, question: Question) -> Found {
        let asked = self.ticket();
        self.hand(StoreOp::Ask {
            ticket: asked,
            question: Box::new(question),
        });
        self.flush();
        self.answer(asked)
    }

    /// Waits for the answer to what was asked under that number.
    pub fn answer(&mut self, asked: u64) -> Found {
        let is_it =
            |it: &StoreDone| matches!(it, StoreDone::Found { ticket, .. } if *ticket == asked);
        let done = self.wait("an answer", |rig| {
            let place = rig.told.iter().position(is_it);
            place.map(|place| rig.told.remove(place))
        });
        match done {
            StoreDone::Found { found, .. } => found,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// All there is about one message.
    pub fn story(&mut self, id: MessageId) -> Option<Box<Story>> {
        match self.ask(Question::Message(id)) {
            Found::Message(story) => story,
            other => panic!("no answer about a message: {other:?}"),
        }
    }

    /// All pages of a search, each checked against its limit.
    pub fn search(&mut self, search: &Search) -> Vec<Story> {
        let mut search = search.clone();
        let mut all: Vec<Story> = vec![];
        loop {
            let (stories, next) = match self.ask(Question::Search(search.clone())) {
                Found::Search { stories, next } => (stories, next),
                other => panic!("no answer to a search: {other:?}"),
            };
            assert!(stories.len() <= search.limit, "over the limit");
            all.extend(stories);
            match next {
                Some(next) => {
                    assert!(
                        search.before.is_none_or(|before| next < before),
                        "no way on"
                    );
                    search.before = Some(next);
                }
                None => return all,
            }
        }
    }

    /// Takes parked work of a lane.
    pub fn take(
        &mut self,
        lane: u64,
        until: u64,
        rows: u32,
        bytes: u64,
    ) -> (Vec<Taken>, Option<Parked>) {
        self.hand(StoreOp::Take {
            lane,
            until,
            rows,
            bytes,
        });
        self.settle();
        let is_it = |it: &StoreDone| matches!(it, StoreDone::Taken { lane: it, .. } if *it == lane);
        let done = self.wait("what was taken", |rig| {
            let place = rig.told.iter().position(is_it);
            place.map(|place| rig.told.remove(place))
        });
        match done {
            StoreDone::Taken { rows, left, .. } => (rows, left),
            other => panic!("nothing taken: {other:?}"),
        }
    }

    /// Cancels what is parked of a message.
    pub fn cancel(&mut self, id: MessageId, at: Wall) -> (u32, Vec<Parked>) {
        let asked = self.ticket();
        self.hand(StoreOp::Cancel {
            ticket: asked,
            id,
            at,
        });
        self.settle();
        let is_it =
            |it: &StoreDone| matches!(it, StoreDone::Canceled { ticket, .. } if *ticket == asked);
        let done = self.wait("what was canceled", |rig| {
            let place = rig.told.iter().position(is_it);
            place.map(|place| rig.told.remove(place))
        });
        match done {
            StoreDone::Canceled { count, lanes, .. } => (count, lanes),
            other => panic!("nothing canceled: {other:?}"),
        }
    }

    /// The process dies: what is on the disk at this moment is all that the next one finds.
    pub fn crash(&mut self) {
        let from = self.place();
        self.life += 1;
        let to = self.place();
        fs::create_dir_all(&to).expect("a folder for the copy");
        let entries = fs::read_dir(&from).expect("the folder of the store");
        for entry in entries.map(|entry| entry.expect("an entry")) {
            let name = entry.file_name();
            // What tells that a process has it open dies with the process.
            let is_store = name
                .to_str()
                .is_some_and(|it| it == "hookah.db" || it == "hookah.db-wal");
            if is_store {
                fs::copy(entry.path(), to.join(name)).expect("a copy");
            }
        }
        self.shut();
        self.open();
    }

    /// The process ends in order, and another begins.
    pub fn restart(&mut self) {
        self.shut();
        self.open();
    }

    /// Closes it.
    pub fn shut(&mut self) {
        if let Some(mut store) = self.store.take() {
            store.close();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.shut();
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
