//! The two files that say where names are: read at the start and again when they have changed.
//! It does not understand them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

/// Bytes of a file that count; lists of a hundred thousand blocked names are longer than that and
/// better served by a name server.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file as it was when it was last looked at.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// `None` before the first look.
    seen: Option<Seen>,
}

/// What tells one version of a file from the next.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Missing,
    Version(Option<SystemTime>, u64),
}

/// Both files.
#[derive(Debug)]
pub(super) struct NameFiles {
    hosts: Watched,
    resolv: Watched,
}

impl NameFiles {
    /// The system's.
    pub(super) fn of_system() -> NameFiles {
        NameFiles::at("/etc/hosts".into(), "/etc/resolv.conf".into())
    }

    fn at(hosts: PathBuf, resolv: PathBuf) -> NameFiles {
        let watched = |path| Watched { path, seen: None };
        NameFiles {
            hosts: watched(hosts),
            resolv: watched(resolv),
        }
    }

    /// The texts of the hosts file and of resolv.conf, of each only if it has changed since the
    /// last look; empty for one that is not there.
    pub(super) fn changed(&mut self) -> (Option<String>, Option<String>) {
        (self.hosts.changed(), self.resolv.changed())
    }
}

impl Watched {
    fn changed(&mut self) -> Option<String> {
        let seen = match fs::metadata(&self.path) {
            Ok(about) => Seen::Version(about.modified().ok(), about.len()),
            Err(_) => Seen::Missing,
        };
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        let text = self.read();
        let (path, bytes) = (&self.path, text.len());
        log::debug!("names_read path={path:?} bytes={bytes}");
        Some(text)
    }

    fn read(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let file = File::open(&self.path)?;
            file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(why) => {
                log::warn!(
                    "names_unreadable path={:?} why={:?}",
                    self.path,
                    why.to_string()
                );
                String::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_when_it_appears_changes_and_goes() {
        let folder = std::env::temp_dir().join(format!("hookah-names-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (hosts, resolv) = (folder.join("hosts"), folder.join("resolv.conf"));
        fs::write(&hosts, "127.0.0.1 one").unwrap();
        let mut files = NameFiles::at(hosts.clone(), resolv.clone());
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(files.changed(), (text("127.0.0.1 one"), text("")));
        assert_eq!(files.changed(), (None, None));
        fs::write(&hosts, b"127.0.0.1 other \xff").unwrap();
        assert_eq!(files.changed(), (text("127.0.0.1 other \u{fffd}"), None));
        fs::write(&resolv, "nameserver 127.0.0.1").unwrap();
        assert_eq!(files.changed(), (None, text("nameserver 127.0.0.1")));
        fs::remove_file(&hosts).unwrap();
        assert_eq!(files.changed(), (text(""), None));
        assert_eq!(files.changed(), (None, None));
        fs::write(&hosts, vec![b' '; FILE_BYTES_MAX as usize + 7]).unwrap();
        let (hosts, _) = files.changed();
        assert_eq!(hosts.map(|text| text.len() as u64), Some(FILE_BYTES_MAX));
        fs::remove_dir_all(&folder).unwrap();
    }
}
