//! One connected socket of whatever kind, and what the kernel says about it in the engine's words.
//! It moves bytes and knows no line.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::port::Ended;

/// A connection.
#[derive(Debug)]
pub(super) enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Through a Unix socket.
    Unix(UnixStream),
}

/// The same of either kind.
macro_rules! either {
    ($socket:expr, $stream:ident => $what:expr) => {
        match $socket {
            Socket::Tcp($stream) => $what,
            Socket::Unix($stream) => $what,
        }
    };
}

impl Socket {
    /// Begins to connect over TCP. The end of TCP's handshake shows as an edge.
    ///
    /// # Errors
    /// The connection failed at once.
    pub(super) fn connect(addr: SocketAddr) -> io::Result<Socket> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Socket::Tcp(stream))
    }

    /// Ends our sending direction. What fails here fails because the connection is gone, which a
    /// read will tell.
    pub(super) fn finish(&self) {
        let _ = either!(self, stream => stream.shutdown(Shutdown::Write));
    }

    /// How TCP's handshake stands after an edge: done, failed, or, after a spurious one, under way.
    pub(super) fn handshake(&self) -> Handshake {
        if let Some(why) = self.take_failure() {
            return Handshake::Failed(why);
        }
        let Socket::Tcp(stream) = self else {
            return Handshake::Done;
        };
        match stream.peer_addr() {
            Ok(_) => Handshake::Done,
            Err(why) if is_under_way(&why) => Handshake::UnderWay,
            Err(why) => Handshake::Failed(ended(&why)),
        }
    }

    /// The socket's pending error as a reason, if it has one.
    pub(super) fn take_failure(&self) -> Option<Ended> {
        match either!(self, stream => stream.take_error()) {
            Ok(None) => None,
            Ok(Some(why)) | Err(why) => Some(ended(&why)),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(buf))
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Socket {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, stream => stream.register(to, token, interest))
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, stream => stream.reregister(to, token, interest))
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        either!(self, stream => stream.deregister(from))
    }
}

/// The state of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    Done,
    UnderWay,
    Failed(Ended),
}

fn is_under_way(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::NotConnected || why.raw_os_error() == Some(libc::EINPROGRESS)
}

/// The system's word for why a connection ended, as the engine understands it.
pub(super) fn ended(why: &io::Error) -> Ended {
    match why.raw_os_error() {
        Some(libc::ECONNREFUSED) => Ended::Refused,
        // The last three are what routes of the types prohibit and blackhole, and firewalls, give.
        Some(
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EACCES
            | libc::EPERM
            | libc::EINVAL,
        ) => Ended::Unreachable,
        Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ENOTCONN) => Ended::Reset,
        Some(libc::ETIMEDOUT) => Ended::TimedOut,
        // On connect, EADDRNOTAVAIL and EAGAIN say that no local port is left.
        Some(
            libc::EMFILE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM
            | libc::ENOSPC
            | libc::EADDRNOTAVAIL
            | libc::EAGAIN,
        ) => Ended::Exhausted,
        _ => Ended::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart() {
        let rows = [
            (libc::ECONNREFUSED, Ended::Refused),
            (libc::EHOSTUNREACH, Ended::Unreachable),
            (libc::EACCES, Ended::Unreachable),
            (libc::EPIPE, Ended::Reset),
            (libc::ETIMEDOUT, Ended::TimedOut),
            (libc::EMFILE, Ended::Exhausted),
            (libc::EADDRNOTAVAIL, Ended::Exhausted),
            (libc::EBADF, Ended::Broken),
        ];
        for (code, reason) in rows {
            assert_eq!(
                ended(&io::Error::from_raw_os_error(code)),
                reason,
                "errno {code}"
            );
        }
        assert_eq!(ended(&io::Error::other("no number")), Ended::Broken);
    }
}
