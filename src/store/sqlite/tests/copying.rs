//! The write-ahead log while the store is at work: how long it gets, and that it is taken over.

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
