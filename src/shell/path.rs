//! The file of a Unix socket: made, replaced if nobody is behind it any more, and taken away again.
//! What is not a socket is never touched, and neither is one that somebody answers at.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mio::net::UnixListener;
use socket2::{Domain, SockAddr, Type};

use super::sys;

/// Who may connect: the server's user and its group (unix(7): connecting takes the right to write).
const MODE: libc::mode_t = 0o660;

/// How long a start waits to have the folder to itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// A socket's file that we have made; it goes when this does, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl SocketFile {
    /// Listens at that path. The listener must be dropped before the file.
    ///
    /// # Errors
    /// `AddrInUse`: somebody answers there. `AlreadyExists`: something else is there. Or what the
    /// system says.
    pub(super) fn open(path: &Path, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
        let _lock = lock(path, PATIENCE)?;
        make_way(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let addr = SockAddr::unix(path)?;
        sys::with_mode(MODE, || socket.bind(&addr))?;
        socket.listen(backlog)?;
        let listener = UnixListener::from_std(socket.into());
        Ok((listener, SocketFile(path.to_owned())))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nobody is behind ours any more; a file that stays is replaced at the next start.
        let _ = lock(&self.0, Duration::ZERO).and_then(|_lock| make_way(&self.0));
    }
}

/// Of two that find the same stale file one would remove the other's fresh one, so they take turns:
/// by a lock on the folder, which leaves nothing behind.
///
/// Anybody who can read the folder can lock it, so nobody waits for that for long.
fn lock(path: &Path, patience: Duration) -> io::Result<File> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::Error(why)) => return Err(why),
        Err(TryLockError::WouldBlock) => {}
    }
    if patience > Duration::ZERO {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(lock.lock().map(|()| lock)));
        if let Ok(locked) = told.recv_timeout(patience) {
            return locked;
        }
    }
    let text = format!("somebody holds a lock on its folder {}", folder.display());
    Err(io::Error::new(io::ErrorKind::WouldBlock, text))
}

/// Removes a socket's file that nobody is behind any more, as after `kill -9`.
fn make_way(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(why),
    };
    if !there.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let caller = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Somebody whose queue is full answers too, only later.
    caller.set_nonblocking(true)?;
    match caller.connect(&SockAddr::unix(path)?) {
        Err(why) if why.raw_os_error() == Some(libc::ECONNREFUSED) => fs::remove_file(path),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) if why.raw_os_error() == Some(libc::EPROTOTYPE) => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Err(why),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    /// A folder of its own, with a path in it.
    fn place(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("hookah-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder.join("s")
    }

    fn kind(result: io::Result<(UnixListener, SocketFile)>) -> io::ErrorKind {
        result.map(|_| ()).unwrap_err().kind()
    }

    #[test]
    fn whoever_locks_the_folder_holds_no_end_up() {
        let path = place("locked");
        let made = SocketFile::open(&path, 4).unwrap();
        let folder = File::open(path.parent().unwrap()).unwrap();
        folder.lock().unwrap();
        drop(made);
        assert!(path.exists(), "the next start replaces it");
        folder.unlock().unwrap();
        drop(SocketFile::open(&path, 4).unwrap());
        assert!(!path.exists());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_stale_file_is_replaced_and_a_live_one_is_not() {
        let path = place("stale");
        let (first, file) = SocketFile::open(&path, 4).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(kind(SocketFile::open(&path, 4)), io::ErrorKind::AddrInUse);
        drop(first);
        let (second, kept) = SocketFile::open(&path, 4).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok(), "another's was removed");
        drop((second, kept));
        assert!(!path.exists());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_live_one_whose_queue_is_full_is_live() {
        let path = place("full");
        let (listener, file) = SocketFile::open(&path, 0).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        assert_eq!(kind(SocketFile::open(&path, 4)), io::ErrorKind::AddrInUse);
        drop((listener, file));
        assert!(!path.exists());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn what_is_no_socket_of_ours_stays() {
        let path = place("other");
        let open = || kind(SocketFile::open(&path, 4));
        fs::write(&path, "precious").unwrap();
        assert_eq!(open(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert_eq!(open(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert_eq!(open(), io::ErrorKind::AlreadyExists);
        assert!(path.exists());
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
