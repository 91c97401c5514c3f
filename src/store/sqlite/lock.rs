//! One process at a time: a lock on the file beside the database, which holds the owner's pid.
//! The system releases it when its owner ends, however that comes about.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::base::exit::Exit;
use crate::store::Refusal;

/// The lock, held as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a child that is being started still has the descriptor too.
        let _ = self.file.unlock();
    }
}

/// Takes the lock of the database at `path`.
pub(super) fn take(path: &Path) -> Result<Lock, Refusal> {
    let place = beside(path, ".lock");
    let refuse = |exit, why: String| Refusal { exit, why };
    let created = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&place);
    let mut file = created.map_err(|why| {
        let text = format!(
            "cannot create {}: {why}; choose another place with --store sqlite:PATH",
            place.display()
        );
        refuse(Exit::CannotCreate, text)
    })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let advice = "stop that one, or choose another place with --store sqlite:PATH";
            return Err(in_use(path, &mut file, advice));
        }
        Err(TryLockError::Error(why)) => {
            let text = format!("cannot lock {}: {why}", place.display());
            return Err(refuse(Exit::Io, text));
        }
    }
    // A disk that is full must not stop a start: the pid is for people, the lock is what counts.
    if let Err(why) = note(&mut file) {
        log::warn!("store_lock_unwritten path={} why={why}", place.display());
    }
    Ok(Lock { file })
}

/// Takes the lock for a look at the database, if there ever was one; nothing is made or written.
pub(super) fn look(path: &Path) -> Result<Option<Lock>, Refusal> {
    let Ok(mut file) = File::open(beside(path, ".lock")) else {
        return Ok(None);
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(in_use(
            path,
            &mut file,
            "it can be checked once that one has ended",
        )),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Lock { file })),
    }
}

fn in_use(path: &Path, file: &mut File, advice: &str) -> Refusal {
    let holder = holder(file).unwrap_or_default();
    let path = path.display();
    Refusal {
        exit: Exit::InUse,
        why: format!("{path} is in use by another process{holder}; {advice}"),
    }
}

/// The path with that ending appended.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

fn note(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Who holds the lock, in words.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    Some(format!(", pid {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::tests::testing::Folder;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let folder = Folder::new();
        let path = folder.file("a.db");
        let first = take(&path).unwrap();
        let refusal = take(&path).unwrap_err();
        assert_eq!(refusal.exit, Exit::InUse);
        let own = format!("pid {};", std::process::id());
        assert!(refusal.why.contains(&own), "{}", refusal.why);
        assert!(refusal.why.contains("a.db"), "{}", refusal.why);
        drop(first);
        assert!(take(&path).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = Folder::new();
        let refusal = take(&folder.file("none/a.db")).unwrap_err();
        assert_eq!(refusal.exit, Exit::CannotCreate);
        assert!(refusal.why.contains("none/a.db.lock"), "{}", refusal.why);
    }
}
