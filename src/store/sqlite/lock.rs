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

/// What came of asking for the lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// It is ours.
    Ours(Lock),
    /// Another process has it.
    Theirs(Theirs),
}

/// A lock that another process has.
#[derive(Debug)]
pub(super) struct Theirs {
    path: PathBuf,
    file: File,
}

/// Asks for the lock of the database at `path`.
pub(super) fn ask(path: &Path) -> Result<Asked, Refusal> {
    let place = beside(path, ".lock");
    let created = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&place);
    let file = created.map_err(|why| Refusal {
        exit: Exit::CannotCreate,
        why: format!(
            "cannot create {}: {why}; choose another place with --store sqlite:PATH",
            place.display()
        ),
    })?;
    let path = path.to_owned();
    match file.try_lock() {
        Ok(()) => Ok(Asked::Ours(ours(&path, file))),
        Err(TryLockError::WouldBlock) => Ok(Asked::Theirs(Theirs { path, file })),
        Err(TryLockError::Error(why)) => Err(unlockable(&path, &why)),
    }
}

impl Theirs {
    /// Why nothing can be done while another process has it.
    pub(super) fn refusal(mut self) -> Refusal {
        let advice = "stop that one, wait for its end with --takeover, or choose another place \
                      with --store sqlite:PATH";
        in_use(&self.path, &mut self.file, advice)
    }

    /// Who has it, in words.
    pub(super) fn holder(&mut self) -> String {
        let pid = pid(&mut self.file).map(|pid| format!("process {pid}"));
        pid.unwrap_or_else(|| "another process".to_owned())
    }

    /// Waits until it is ours, for as long as that takes.
    pub(super) fn wait(self) -> Result<Lock, Refusal> {
        loop {
            match self.file.lock() {
                Ok(()) => return Ok(ours(&self.path, self.file)),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(unlockable(&self.path, &why)),
            }
        }
    }
}

/// The lock is ours, and its file says so.
fn ours(path: &Path, mut file: File) -> Lock {
    // A disk that is full must not stop a start: the pid is for people, the lock is what counts.
    if let Err(why) = note(&mut file) {
        let path = beside(path, ".lock");
        log::warn!(
            "store_lock_unwritten path={path:?} why={:?}",
            why.to_string()
        );
    }
    Lock { file }
}

fn unlockable(path: &Path, why: &io::Error) -> Refusal {
    Refusal {
        exit: Exit::Io,
        why: format!("cannot lock {}: {why}", beside(path, ".lock").display()),
    }
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
    let holder = pid(file).map(|pid| format!(", pid {pid}"));
    let holder = holder.unwrap_or_default();
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

/// Who holds the lock.
fn pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::tests::testing::Folder;

    fn take(path: &Path) -> Result<Lock, Refusal> {
        match ask(path)? {
            Asked::Ours(lock) => Ok(lock),
            Asked::Theirs(theirs) => Err(theirs.refusal()),
        }
    }

    #[test]
    fn whoever_waits_has_it_once_the_first_has_gone() {
        let folder = Folder::new();
        let path = folder.file("a.db");
        let first = take(&path).unwrap();
        let Ok(Asked::Theirs(mut theirs)) = ask(&path) else {
            panic!("it was given twice");
        };
        assert_eq!(theirs.holder(), format!("process {}", std::process::id()));
        let waits = std::thread::spawn(move || theirs.wait());
        drop(first);
        let second = waits.join().unwrap().unwrap();
        assert!(take(&path).is_err());
        drop(second);
    }

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
