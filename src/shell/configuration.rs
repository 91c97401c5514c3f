//! The file of the configuration: its bytes, who else can read them, and what comes of them at
//! SIGHUP. What they mean is somebody else's knowledge.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::journal;
use super::silence;
use super::turn::Server;
use crate::engine;

/// Bytes of the file at most.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Permissions that let others than the owner read or write.
const OTHERS: u32 = 0o077;

/// Whoever reads the configuration anew.
pub trait Reread {
    /// What it says now; nothing if there is no file.
    ///
    /// # Errors
    /// What is wrong with it, and where. Nothing has changed then.
    fn reread(&mut self) -> Result<Option<Anew>, String>;
}

/// What a configuration says that was read anew.
pub struct Anew {
    /// For the engine; what needs a restart is as it was.
    pub engine: engine::Settings,
    /// Which log lines are wanted.
    pub log: String,
    /// The file, if there are secrets in it.
    pub secret: Option<PathBuf>,
    /// What is not as it was, in words.
    pub changes: Vec<Change>,
}

/// A value that is not what it was.
pub struct Change {
    /// Of what.
    pub key: String,
    /// What it was; never a secret.
    pub from: String,
    /// What it is.
    pub to: String,
    /// It has not changed for this process.
    pub needs_restart: bool,
}

/// The bytes of that file, and one more than are allowed if there are as many.
///
/// # Errors
/// What the system says.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|why| format!("cannot be read: {why}"))?;
    Ok(bytes)
}

/// The same while others wait: what would keep us waiting, or is empty the second time, is no file
/// to read again.
///
/// # Errors
/// What the system says, or that it is no file.
pub fn reread(path: &Path) -> Result<Vec<u8>, String> {
    let about = fs::metadata(path).map_err(|why| format!("cannot be read: {why}"))?;
    match about.is_file() {
        true => read(path),
        false => Err("is no file, and cannot be read again".to_owned()),
    }
}

/// Says in the log if others can read the file.
pub(super) fn warn_if_open(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |about| about.mode());
    if mode & OTHERS != 0 {
        log::warn!(
            "config_file_open path={path:?} mode={:o} advice=\"chmod 600\"",
            mode & 0o777
        );
    }
}

impl Server {
    /// Goes by what the configuration says now; false if there is nothing to read.
    pub(super) fn reread_configuration(&mut self) -> bool {
        let anew = match self.reread.reread() {
            Ok(Some(anew)) => anew,
            Ok(None) => return false,
            Err(why) => {
                log::error!("reload_failed what=config why={why:?}");
                return false;
            }
        };
        if let Some(path) = &anew.secret {
            warn_if_open(path);
        }
        journal::refilter(&anew.log);
        for Change {
            key,
            from,
            to,
            needs_restart,
        } in &anew.changes
        {
            match needs_restart {
                true => log::warn!("config_needs_restart key={key:?} from={from:?} to={to:?}"),
                false => log::info!("config_changed key={key:?} from={from:?} to={to:?}"),
            }
        }
        self.listeners.allow_silence(silence(&anew.engine));
        let now = self.now;
        self.guard
            .tell(now, None, |engine| engine.retune(now, &anew.engine));
        true
    }
}
