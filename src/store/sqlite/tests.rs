//! The store through its trait: what lasts, what is told, and files that are not as they should be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::*;
use crate::model::Outcome;
use crate::model::record::{Parked, Restored, Table};
use testing::{Folder, THEN, attempt, end, id, message, target, work};

mod copying;
mod losing;
pub(in crate::store::sqlite) mod testing;

/// How long a completion is waited for. A bound on failure, never on success.
const PATIENCE: Duration = Duration::from_secs(60);

struct Rig {
    store: Sqlite,
    bell: Receiver<()>,
    seq: Seq,
    restored: Vec<Restored>,
}

fn opening(free: fn(&Path) -> Option<u64>) -> (Opening, Receiver<()>) {
    let (ring, bell) = channel();
    let opening = Opening {
        wake: Arc::new(move || {
            let _ = ring.send(());
        }),
        free,
        target,
        backlog_age: Duration::from_secs(1 << 30),
        backlog_bytes: 1 << 20,
        keep_age: Duration::from_secs(1 << 30),
        keep_bytes: 1 << 30,
        min_free: 1_000,
        memory_bytes: 0,
        waits: false,
    };
    (opening, bell)
}

fn try_open(path: &Path) -> Result<Rig, Refusal> {
    let (opening, bell) = opening(|_| Some(u64::MAX));
    let mut rig = Rig {
        store: open(path, opening)?,
        bell,
        seq: 0,
        restored: vec![],
    };
    loop {
        match rig.next() {
            StoreDone::Restored(some) => rig.restored.extend(some),
            StoreDone::Ready => return Ok(rig),
            other => panic!("{other:?}"),
        }
    }
}

impl Rig {
    fn open(path: &Path) -> Rig {
        try_open(path).unwrap()
    }

    /// The next that is told.
    fn next(&mut self) -> StoreDone {
        loop {
            if let Some(done) = self.store.completion() {
                return done;
            }
            if let Some(refusal) = self.store.refusal() {
                panic!("{refusal:?}");
            }
            assert_eq!(self.bell.recv_timeout(PATIENCE), Ok(()), "nothing is told");
        }
    }

    fn hand(&mut self, op: StoreOp) -> Seq {
        self.seq += 1;
        self.store.submit(self.seq, op);
        self.seq
    }

    /// Hands these over and waits until they last; what else was told.
    fn lasts(&mut self, ops: impl IntoIterator<Item = StoreOp>) -> Vec<StoreDone> {
        for op in ops {
            self.hand(op);
        }
        self.store.flush();
        self.durable()
    }

    fn durable(&mut self) -> Vec<StoreDone> {
        let mut told = vec![];
        loop {
            match self.next() {
                StoreDone::Durable(seq) if seq == self.seq => return told,
                StoreDone::Durable(_) => {}
                other => told.push(other),
            }
        }
    }

    fn lanes(&self) -> Vec<Parked> {
        let lanes = self.restored.iter().filter_map(|it| match it {
            Restored::Lane(lane) => Some(*lane),
            _ => None,
        });
        lanes.collect()
    }

    /// Takes all that is parked in a lane: messages' numbers and deliveries.
    fn take(&mut self, lane: u64) -> Vec<(u64, u32)> {
        self.hand(take(lane));
        self.store.flush();
        loop {
            if let StoreDone::Taken { rows, .. } = self.next() {
                return keys(&rows);
            }
        }
    }
}

fn keys(rows: &[crate::model::record::Taken]) -> Vec<(u64, u32)> {
    rows.iter()
        .map(|it| (it.work.id.number(), it.work.number))
        .collect()
}

fn accept(number: u64, promised: bool) -> StoreOp {
    StoreOp::Accept {
        message: message(number, b"body").into(),
        promised,
    }
}

fn take(lane: u64) -> StoreOp {
    StoreOp::Take {
        lane,
        until: u64::MAX,
        rows: 1_000,
        bytes: u64::MAX,
    }
}

fn parked(number: u64, delivery: u32, lane: u64, due: u64) -> StoreOp {
    let mut work = work(number, delivery, lane, due);
    work.place.parked = true;
    StoreOp::Work(work)
}

/// What a kill at this moment would leave: the files as they are, under another name.
fn image(folder: &Folder, name: &str) -> std::path::PathBuf {
    let path = folder.file(name);
    std::fs::copy(folder.file("a.db"), &path).unwrap();
    let log = lock::beside(&folder.file("a.db"), "-wal");
    std::fs::copy(log, lock::beside(&path, "-wal")).unwrap();
    path
}

#[test]
fn what_was_said_to_last_is_there_after_a_kill() {
    let folder = Folder::new();
    let mut rig = Rig::open(&folder.file("a.db"));
    assert!(rig.restored.is_empty());
    rig.lasts([
        accept(1, false),
        StoreOp::Work(work(1, 1, 4, 9)),
        parked(1, 2, 4, 5),
        accept(2, false),
        StoreOp::Work(work(2, 1, 6, 1)),
        StoreOp::Keep {
            table: Table::Topics,
            key: b"k".as_slice().into(),
            value: Some(b"v".as_slice().into()),
        },
    ]);
    rig.lasts([StoreOp::End {
        id: id(2),
        number: 1,
        end: end(Outcome::Delivered),
        attempt: Some(attempt(1, 200)),
    }]);
    let mut after = Rig::open(&image(&folder, "b.db"));
    let texts: Vec<String> = after.restored.iter().map(|it| format!("{it:?}")).collect();
    assert!(texts[0].contains(&format!("{:?}", id(2))), "{texts:?}");
    assert!(texts[1].starts_with("Missing("), "{texts:?}");
    assert!(texts[2].starts_with("Kept { table: Topics"), "{texts:?}");
    let lanes = after.lanes();
    assert_eq!(lanes.len(), 1, "{texts:?}");
    assert_eq!((lanes[0].lane, lanes[0].count), (4, 2));
    assert_eq!(lanes[0].due.0, THEN.0 + 5_000_000);
    assert_eq!(
        after.take(4),
        [(1, 2), (1, 1)],
        "in the order of their ranks"
    );
}

#[test]
fn a_clean_end_leaves_nothing_unwritten_and_no_log() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    for number in 1..200 {
        rig.hand(accept(number, false));
        rig.hand(StoreOp::Work(work(number, 1, number % 7, 0)));
    }
    rig.store.close();
    let told = std::iter::from_fn(|| rig.store.completion()).last();
    assert!(
        matches!(told, Some(StoreDone::Durable(seq)) if seq == rig.seq),
        "{told:?}"
    );
    assert_eq!(rig.store.refusal(), None);
    drop(rig);
    let log = std::fs::metadata(lock::beside(&path, "-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
    let after = Rig::open(&path);
    assert_eq!(
        after.lanes().iter().map(|lane| lane.count).sum::<u64>(),
        199
    );
}

#[test]
fn what_is_told_of_an_operation_stands_at_its_place() {
    let folder = Folder::new();
    let mut rig = Rig::open(&folder.file("a.db"));
    rig.lasts([accept(1, false), parked(1, 1, 4, 0), parked(1, 2, 4, 0)]);
    let taking = rig.hand(take(4));
    rig.hand(accept(2, false));
    rig.store.flush();
    assert!(matches!(rig.next(), StoreDone::Durable(seq) if seq == taking));
    assert!(matches!(
        rig.next(),
        StoreDone::Taken {
            lane: 4,
            left: None,
            ..
        }
    ));
    assert!(matches!(rig.next(), StoreDone::Durable(seq) if seq == taking + 1));
}

#[test]
fn a_failure_refuses_what_it_may_and_repeats_the_rest() {
    let folder = Folder::new();
    let (path, away) = (folder.file("a.db"), folder.file("away.db"));
    let mut rig = Rig::open(&path);
    let parked_before = [parked(1, 1, 4, 1), parked(1, 2, 4, 2)];
    rig.lasts([accept(1, false)].into_iter().chain(parked_before));
    rig.lasts([accept(2, false), StoreOp::Work(work(2, 1, 5, 0))]);

    // The commit reaches a file that nobody will find under its name.
    std::fs::rename(&path, &away).unwrap();
    rig.hand_what_fails();
    let lost = rig.seq;
    assert!(matches!(rig.next(), StoreDone::Failed(seq) if seq == lost));
    let trouble = rig.next();
    assert!(
        matches!(
            trouble,
            StoreDone::Usable {
                trouble: Some("io_error")
            }
        ),
        "{trouble:?}"
    );
    // What comes meanwhile is refused at once.
    let late = rig.hand(accept(5, false));
    rig.store.flush();
    assert!(matches!(rig.next(), StoreDone::Failed(seq) if seq == late));

    std::fs::rename(&away, &path).unwrap();
    let told = rig.durable();
    let [
        StoreDone::Taken {
            rows,
            left: Some(left),
            ..
        },
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((keys(rows), left.count), (vec![(1, 1)], 2));
    assert!(matches!(rig.next(), StoreDone::Usable { trouble: None }));
    assert_eq!(rig.take(4), [(1, 2), (4, 1)]);
    rig.lasts([accept(6, false)]);
    drop(rig);
    assert_eq!(numbers(&path), [1, 2, 4, 6], "3 and 5 were refused");
    let after = Rig::open(&path).lanes().into_iter();
    let lanes: Vec<_> = after.map(|lane| (lane.lane, lane.count)).collect();
    assert_eq!(lanes, [(4, 3)], "all but the one that has ended");
}

impl Rig {
    /// A message that can be refused, one that cannot, an end, and a wish for one delivery.
    fn hand_what_fails(&mut self) {
        self.hand(accept(3, false));
        self.hand(parked(3, 1, 4, 3));
        self.hand(accept(4, true));
        self.hand(parked(4, 1, 4, 4));
        self.hand(StoreOp::End {
            id: id(2),
            number: 1,
            end: end(Outcome::Failed),
            attempt: Some(attempt(1, 500)),
        });
        self.hand(StoreOp::Take {
            lane: 4,
            until: u64::MAX,
            rows: 1,
            bytes: u64::MAX,
        });
        self.store.flush();
    }
}

fn numbers(path: &Path) -> Vec<i64> {
    let db = Connection::open(path).unwrap();
    let mut all = db
        .prepare("SELECT number FROM messages ORDER BY number")
        .unwrap();
    let all = all.query_map([], |row| row.get(0)).unwrap();
    all.map(Result::unwrap).collect()
}

#[test]
fn a_process_that_ends_in_trouble_says_so() {
    let folder = Folder::new();
    let (path, away) = (folder.file("a.db"), folder.file("away.db"));
    let mut rig = Rig::open(&path);
    std::fs::rename(&path, &away).unwrap();
    rig.lasts_not([accept(1, true)]);
    rig.store.close();
    assert_eq!(rig.store.refusal().map(|it| it.exit), Some(Exit::Io));
}

impl Rig {
    fn lasts_not(&mut self, ops: impl IntoIterator<Item = StoreOp>) {
        for op in ops {
            self.hand(op);
        }
        self.store.flush();
        let next = self.next();
        assert!(matches!(next, StoreDone::Usable { trouble: Some(_) }));
    }
}

#[test]
fn somebody_elses_lock_is_waited_out() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    rig.hand(accept(1, false));
    rig.store.flush();
    // Longer than SQLite itself waits: by then the writer has been told that it is busy.
    let quiet = rig.bell.recv_timeout(Duration::from_millis(1_300));
    assert_eq!(quiet, Err(RecvTimeoutError::Timeout));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(rig.durable().is_empty(), "no failure");
}

#[test]
fn too_little_space_stops_intake_and_nothing_else() {
    static FREE: AtomicU64 = AtomicU64::new(10);
    let folder = Folder::new();
    let (opening, bell) = opening(|_| Some(FREE.load(Ordering::SeqCst)));
    let mut rig = Rig {
        store: open(&folder.file("a.db"), opening).unwrap(),
        bell,
        seq: 0,
        restored: vec![],
    };
    assert!(matches!(rig.next(), StoreDone::Ready));
    assert!(matches!(
        rig.next(),
        StoreDone::Usable {
            trouble: Some("disk_full")
        }
    ));
    rig.lasts([accept(1, true)]);
    FREE.store(1_050, Ordering::SeqCst);
    rig.lasts([accept(2, true)]);
    FREE.store(2_000, Ordering::SeqCst);
    assert!(matches!(rig.next(), StoreDone::Usable { trouble: None }));
}

#[test]
fn files_that_are_no_use_are_refused_with_what_to_do() {
    let folder = Folder::new();
    let made = |name: &str, sql: &str| {
        let path = folder.file(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let garbage = folder.file("garbage.db");
    std::fs::write(
        &garbage,
        b"this is no database at all, and never was one".repeat(200),
    )
    .unwrap();
    let newer = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = 999",
        0x486f_6f6b
    );
    let rows = [
        (
            folder.file("none/a.db"),
            Exit::CannotCreate,
            "choose another place",
        ),
        (garbage, Exit::Io, "hookah check"),
        (
            made("other.db", "CREATE TABLE t (x)"),
            Exit::Config,
            "another program's",
        ),
        (made("newer.db", &newer), Exit::Config, "its version is 999"),
        (folder.path().to_owned(), Exit::Io, "cannot be used"),
    ];
    for (path, exit, text) in rows {
        let refusal = try_open(&path).err().unwrap();
        assert_eq!(refusal.exit, exit, "{refusal:?}");
        assert!(refusal.why.contains(text), "{refusal:?}");
        assert!(
            refusal.why.contains(&path.display().to_string()),
            "{refusal:?}"
        );
    }
}

#[test]
fn a_log_that_was_cut_or_has_garbage_behind_it_is_no_obstacle() {
    let folder = Folder::new();
    let mut rig = Rig::open(&folder.file("a.db"));
    for number in 1..40 {
        rig.lasts([
            accept(number, false),
            StoreOp::Work(work(number, 1, 4, number)),
        ]);
    }
    let whole = image(&folder, "whole.db");
    let log = std::fs::read(lock::beside(&whole, "-wal")).unwrap();
    let mut counts = vec![];
    for (place, bytes) in [
        log.clone(),
        [&log[..], &[0x5a; 9_000]].concat(),
        log[..log.len() - 1].to_vec(),
        log[..log.len() / 2].to_vec(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = image(&folder, &format!("{place}.db"));
        std::fs::write(lock::beside(&path, "-wal"), bytes).unwrap();
        let mut after = Rig::open(&path);
        counts.push(after.lanes()[0].count);
        after.lasts([accept(100, false)]);
    }
    assert_eq!(counts[..2], [39, 39]);
    assert_eq!(counts[2], 38, "the last commit was cut");
    assert!((1..38).contains(&counts[3]), "{counts:?}");
}

#[test]
fn facts_that_are_damaged_are_told_to_nobody_but_the_list() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    for key in [b"a", b"b", b"c"] {
        rig.lasts([StoreOp::Keep {
            table: Table::Keys,
            key: key.as_slice().into(),
            value: Some(b"value".as_slice().into()),
        }]);
    }
    drop(rig);
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE keys SET value = x'00' WHERE key = x'62'", [])
        .unwrap();
    drop(db);
    let rig = Rig::open(&path);
    assert_eq!(rig.restored.len(), 2);
    drop(rig);
    let db = Connection::open(&path).unwrap();
    let found: (String, String) = db
        .query_row("SELECT what, key FROM damaged", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(found, ("keys".into(), "62".into()));
}
