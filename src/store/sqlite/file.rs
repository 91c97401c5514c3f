//! The database's file: creating, opening, what an error about it means, and the care that a sync
//! that failed asks for. It knows no table.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::lock::beside;

/// How long somebody else's lock on the file is waited out before we look about us again.
const BUSY: Duration = Duration::from_secs(1);
/// KiB of pages that the writer keeps in memory.
const CACHE_KIB: i64 = 8 * 1_024;
/// Bytes of a write-ahead log that stay on the disk once it has begun anew.
const WAL_BYTES_KEPT: i64 = 64 << 20;
/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 20;
/// Bytes that are written to learn what the system has against it.
const PROBE_BYTES: usize = 64 << 10;

/// What an error means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Somebody else has a lock; it is waited out.
    Busy,
    /// There is no room.
    Full,
    /// Writing is forbidden.
    ReadOnly,
    /// What is in the file cannot be trusted.
    Damaged,
    /// Anything else.
    Failed,
}

impl Trouble {
    pub(super) fn of(error: &rusqlite::Error) -> Trouble {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::ReadOnly) => Trouble::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged,
            _ => Trouble::Failed,
        }
    }

    fn of_system(error: &io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Trouble::ReadOnly
            }
            _ => Trouble::Failed,
        }
    }

    /// The word of the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Trouble::Full => "disk_full",
            Trouble::ReadOnly => "read_only",
            Trouble::Busy | Trouble::Damaged | Trouble::Failed => "io_error",
        }
    }
}

/// An error, and what it means.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    pub(super) why: String,
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed {
            trouble: Trouble::of(&error),
            why: error.to_string(),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed {
            trouble: Trouble::of_system(&error),
            why: error.to_string(),
        }
    }
}

/// The same in the system's own words: SQLite calls all of them a disk I/O error, a quota too. A
/// few bytes written beside the file are refused for the same reason, as long as it lasts.
pub(super) fn plainly(path: &Path, failed: Failed) -> Failed {
    if failed.trouble != Trouble::Failed {
        return failed;
    }
    let Err(error) = scribble(&beside(path, "-probe")) else {
        return failed;
    };
    Failed {
        trouble: Trouble::of_system(&error),
        why: format!("{}: {error}", failed.why),
    }
}

fn scribble(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(&[0; PROBE_BYTES]);
    drop(file);
    fs::remove_file(path)?;
    written
}

/// Makes the file, for its owner alone, if there is none; whether there was none.
pub(super) fn create(path: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Ok(file) => file.sync_all()?,
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(why) => return Err(why),
    }
    // Without this a power cut may take the name away, and all that is under it.
    sync_folder(path)?;
    Ok(true)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Which file it is, whatever its name.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|meta| identity_of(&meta))
}

/// The same of a file that is open.
pub(super) fn identity_of(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Opens the file, which exists, as the writer has it. Nothing is changed but its mode.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // What a failed sync has left in doubt must not get into the database by closing it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        log::error!("store_without_wal mode={mode:?}");
        return Err(rusqlite::Error::InvalidPath(path.to_owned()));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    Ok(db)
}

/// What comes of `doing` if nobody else's lock is waited out.
pub(super) fn impatient<T>(
    db: &Connection,
    doing: impl FnOnce(&Connection) -> Result<T, Failed>,
) -> Result<T, Failed> {
    db.busy_timeout(Duration::ZERO)?;
    let done = doing(db);
    db.busy_timeout(BUSY)?;
    done
}

/// Writes the write-ahead log over itself and syncs it. After a sync that failed, in this process
/// or one before it, the system may show bytes that are not on the disk and think they are; what is
/// written after them would be lost with them. Bytes that are the same cannot do harm.
pub(super) fn refresh(db: &Connection, path: &Path) -> Result<(), Failed> {
    // Nobody else may write to it meanwhile.
    db.execute_batch("BEGIN IMMEDIATE")?;
    let refreshed = write_over(&beside(path, "-wal"));
    db.execute_batch("ROLLBACK")?;
    Ok(refreshed?)
}

fn write_over(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut bytes = vec![0; COPY_BYTES];
    let mut from = 0;
    loop {
        file.seek(SeekFrom::Start(from))?;
        let count = file.read(&mut bytes)?;
        if count == 0 {
            break;
        }
        file.seek(SeekFrom::Start(from))?;
        file.write_all(&bytes[..count])?;
        from += count as u64;
    }
    file.sync_all()?;
    sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::tests::testing::Folder;

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let folder = Folder::new();
        let path = folder.file("a.db");
        assert!(create(&path).unwrap());
        assert!(!create(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let db = open(&path).unwrap();
        db.execute_batch("CREATE TABLE t (x)").unwrap();
        let wal = fs::metadata(beside(&path, "-wal")).unwrap();
        assert_eq!(wal.mode() & 0o777, 0o600);
    }

    #[test]
    fn an_error_is_called_by_its_name() {
        // ENOSPC, EDQUOT, EROFS, EIO of Linux.
        let rows = [
            (28, "disk_full"),
            (122, "disk_full"),
            (30, "read_only"),
            (5, "io_error"),
        ];
        for (number, word) in rows {
            let failed = Failed::from(io::Error::from_raw_os_error(number));
            assert_eq!(failed.trouble.as_str(), word, "{}", failed.why);
        }
        let bare = |trouble| Failed {
            trouble,
            why: "disk I/O error".into(),
        };
        let folder = Folder::new();
        let well = plainly(&folder.file("a.db"), bare(Trouble::Failed));
        assert_eq!(well.why, "disk I/O error");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let gone = folder.file("none/a.db");
        let known = plainly(&gone, bare(Trouble::Full));
        assert_eq!(known.why, "disk I/O error");
        let told = plainly(&gone, bare(Trouble::Failed));
        assert!(told.why.starts_with("disk I/O error: No such file"));
    }

    #[test]
    fn a_log_written_over_itself_is_the_same() {
        let folder = Folder::new();
        let path = folder.file("a.db");
        create(&path).unwrap();
        let db = open(&path).unwrap();
        db.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(3000000))")
            .unwrap();
        let wal = beside(&path, "-wal");
        let before = fs::read(&wal).unwrap();
        assert!(before.len() > 2 * COPY_BYTES);
        refresh(&db, &path).unwrap();
        assert!(before == fs::read(&wal).unwrap());
        let count: i64 = db
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn a_lock_is_no_error_of_the_disk() {
        let folder = Folder::new();
        let path = folder.file("a.db");
        create(&path).unwrap();
        let (first, second) = (open(&path).unwrap(), open(&path).unwrap());
        second.busy_timeout(Duration::ZERO).unwrap();
        first.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = second.execute_batch("BEGIN IMMEDIATE").unwrap_err();
        assert_eq!(Trouble::of(&error), Trouble::Busy);
        first
            .execute_batch("PRAGMA query_only = 1; ROLLBACK")
            .unwrap();
        let error = first.execute_batch("CREATE TABLE t (x)").unwrap_err();
        assert_eq!(Failed::from(error).trouble.as_str(), "read_only");
    }
}
