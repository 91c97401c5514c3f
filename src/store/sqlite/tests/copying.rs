//! The write-ahead log while the store is at work: how long it gets, and that it is taken over.

use std::os::unix::fs::FileExt;

use super::*;

fn log_bytes(path: &Path) -> u64 {
    let log = std::fs::metadata(lock::beside(path, "-wal"));
    log.map_or(0, |log| log.len())
}

#[test]
fn the_log_has_a_bound_however_much_is_written() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    // With next to nothing to be kept free the log is long at half a mebibyte, too long at a whole.
    for number in 1..400 {
        rig.lasts([StoreOp::Accept {
            message: Arc::new(message(number, &[7; 20_000])),
            promised: false,
        }]);
    }
    let longest = log_bytes(&path);
    assert!((1 << 19..3 << 20).contains(&longest), "{longest} bytes");
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes > 6 << 20, "{bytes} bytes are in the file itself");
}

#[test]
fn once_all_is_quiet_everything_is_in_the_file() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    rig.lasts([StoreOp::Accept {
        message: Arc::new(message(1, &[7; 200_000])),
        promised: false,
    }]);
    let end = std::time::Instant::now() + PATIENCE;
    while std::fs::metadata(&path).unwrap().len() < 200_000 {
        assert!(std::time::Instant::now() < end, "it stays in the log");
        thread::yield_now();
    }
}

/// A store that is ready, opened as `opening` says after `change`.
fn with(path: &Path, free: fn(&Path) -> Option<u64>, change: impl FnOnce(&mut Opening)) -> Rig {
    let (mut opening, bell) = opening(free);
    change(&mut opening);
    let mut rig = Rig {
        store: open(path, opening).unwrap(),
        bell,
        seq: 0,
        restored: vec![],
    };
    while !matches!(rig.next(), StoreDone::Ready) {}
    rig
}

#[test]
fn a_few_large_messages_do_not_make_the_log_longer() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    // Long at two mebibytes, too long at four.
    let mut rig = with(&path, |_| Some(u64::MAX), |it| it.min_free = 8 << 20);
    for number in 1..13 {
        rig.lasts([StoreOp::Accept {
            message: Arc::new(message(number, &[7; 2_000_000])),
            promised: false,
        }]);
    }
    let longest = log_bytes(&path);
    assert!((2 << 20..10 << 20).contains(&longest), "{longest} bytes");
}

#[test]
fn what_goes_for_its_age_on_an_idle_server_does_not_make_the_log_longer() {
    const MESSAGES: u64 = 6_000;
    let folder = Folder::new();
    let path = folder.file("a.db");
    let mut rig = Rig::open(&path);
    rig.lasts((1..=MESSAGES).map(|number| StoreOp::Accept {
        message: Arc::new(message(number, &[7; 3_000])),
        promised: false,
    }));
    drop(rig);
    let bytes = std::fs::metadata(&path).unwrap().len();
    let rig = with(
        &path,
        |_| Some(u64::MAX),
        |it| it.keep_age = Duration::from_secs(1),
    );
    // The pages that nothing is in, as the head of the file has it once all is copied.
    let file = File::open(&path).unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    let mut longest = 0;
    loop {
        longest = longest.max(log_bytes(&path));
        let mut free = [0; 4];
        file.read_exact_at(&mut free, 36).unwrap();
        if u64::from(u32::from_be_bytes(free)) * 4_096 > bytes / 10 * 9 {
            break;
        }
        assert!(std::time::Instant::now() < end, "it is not removed");
        thread::yield_now();
    }
    drop(rig);
    assert!(
        (1..3 << 20).contains(&longest),
        "{longest} of {bytes} bytes"
    );
}

#[test]
fn a_log_that_takes_the_last_of_the_space_gives_it_back() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    drop(Rig::open(&path));
    let free = |folder: &Path| {
        Some(if log_bytes(&folder.join("a.db")) > 0 {
            10
        } else {
            2_000
        })
    };
    let mut rig = with(&path, free, |_| {});
    rig.hand(StoreOp::Accept {
        message: Arc::new(message(1, &[7; 2_000])),
        promised: true,
    });
    rig.store.flush();
    while !matches!(rig.next(), StoreDone::Usable { trouble: Some(_) }) {}
    while !matches!(rig.next(), StoreDone::Usable { trouble: None }) {}
    assert_eq!(log_bytes(&path), 0);
}
