//! A disk that loses what was copied from the log into the database, and says so once.

use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use super::*;
use crate::model::record::Question;

/// What is on the disk, until it has been lost.
static DISK: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// As a system does that cannot write a page: it forgets it, says so, and thinks that all is well.
fn lose(file: &File) -> io::Result<()> {
    let mut disk = DISK.lock().unwrap();
    match disk.take_if(|disk| (disk.len() as u64) < file.metadata().unwrap().len()) {
        None => file.sync_data(),
        Some(bytes) => {
            file.write_all_at(&bytes, 0)?;
            file.set_len(bytes.len() as u64)?;
            Err(io::Error::from_raw_os_error(5))
        }
    }
}

/// A connection that reads the state of now.
fn reading(path: &Path) -> Connection {
    let db = file::open(path).unwrap();
    db.execute_batch("BEGIN; SELECT count(*) FROM messages")
        .unwrap();
    db
}

fn large(number: u64) -> StoreOp {
    StoreOp::Accept {
        message: Arc::new(message(number, &[7; 200_000])),
        promised: true,
    }
}

#[test]
fn what_was_copied_and_lost_is_copied_again() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    Rig::open(&path).lasts([accept(1, true)]);
    *DISK.lock().unwrap() = Some(std::fs::read(&path).unwrap());
    let (opening, bell) = opening(|_| Some(u64::MAX));
    let mut rig = Rig {
        store: open_with(&path, opening, lose).unwrap(),
        bell,
        seq: 0,
        restored: vec![],
    };
    while !matches!(rig.next(), StoreDone::Ready) {}
    // Somebody who reads from the file alone: nothing can be copied. Behind the next one the log
    // goes on, so that SQLite leaves the sync to us.
    let before = reading(&path);
    rig.lasts([large(2)]);
    let between = reading(&path);
    rig.lasts([large(3)]);
    // The store's own reader has the file open too.
    rig.hand(StoreOp::Ask {
        ticket: 1,
        question: Box::new(Question::Message(id(2))),
    });
    rig.store.flush();
    while !matches!(rig.next(), StoreDone::Found { ticket: 1, .. }) {}
    drop(before);
    rig.hand(large(4));
    rig.store.flush();
    while !matches!(rig.next(), StoreDone::Usable { trouble: Some(_) }) {}
    drop(between);
    while !matches!(rig.next(), StoreDone::Usable { trouble: None }) {}
    rig.lasts([large(5)]);
    drop(rig);
    assert_eq!(numbers(&path), [1, 2, 3, 4, 5]);
    let db = Connection::open(&path).unwrap();
    let check: String = db
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_panic_after_the_lock_was_awaited_ends_the_server_and_not_the_thread_alone() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let Ok(Asked::Ours(first)) = lock::ask(&path) else {
        panic!("it is free");
    };
    let Ok(Asked::Theirs(theirs)) = lock::ask(&path) else {
        panic!("it was given twice");
    };
    drop(first);
    let (opening, _bell) = opening(|_| Some(u64::MAX));
    let exchange = Arc::new(Exchange::new(Arc::clone(&opening.wake)));
    let start = Start {
        path,
        opening,
        exchange: Arc::clone(&exchange),
        sync: File::sync_data,
    };
    let waits = thread::spawn(move || start.once_free(theirs, |_| panic!("on purpose")));
    waits.join().expect("the panic was caught");
    let refusal = exchange.refusal().expect("the loop hears of it");
    assert_eq!(refusal.exit, Exit::Software);
}
