//! A connection to the server: TCP, a Unix socket, or TLS over TCP. It blocks, for a time at most.
//! It knows nothing of what goes over it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::call::Trouble;
use super::names;
use super::server::{Place, Server};
use crate::base::rng::Rng;
use crate::shell;

/// Each address of a server is given so long, and then its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection.
pub(super) enum Line {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    /// Connects, and shakes hands where that is to be done.
    pub(super) fn connect(
        server: &Server,
        trusted: Option<&Arc<ClientConfig>>,
        rng: &mut Rng,
    ) -> Result<Line, Trouble> {
        let shown = &server.shown;
        let unreachable = |why: io::Error| Trouble::Unreachable(format!("{shown}: {why}"));
        let (host, port) = match &server.place {
            Place::Unix(path) => {
                return UnixStream::connect(path)
                    .map(Line::Unix)
                    .map_err(unreachable);
            }
            Place::Tcp { host, port, .. } => (host, *port),
        };
        let mut last = io::ErrorKind::NotFound.into();
        for place in names::places(host, port, rng)? {
            match TcpStream::connect_timeout(&place, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    // Requests are whole when they are written.
                    let _ = stream.set_nodelay(true);
                    return match trusted {
                        None => Ok(Line::Tcp(stream)),
                        Some(trusted) => secure(stream, host, trusted, shown),
                    };
                }
                Err(why) => last = why,
            }
        }
        Err(unreachable(last))
    }

    /// A read or a write may take so long from now on.
    pub(super) fn patience(&self, time: Duration) -> io::Result<()> {
        let time = Some(time);
        match self {
            Line::Tcp(stream) => stream
                .set_read_timeout(time)
                .and(stream.set_write_timeout(time)),
            Line::Unix(stream) => stream
                .set_read_timeout(time)
                .and(stream.set_write_timeout(time)),
            Line::Tls(stream) => {
                let stream = &stream.sock;
                stream
                    .set_read_timeout(time)
                    .and(stream.set_write_timeout(time))
            }
        }
    }

    /// Whether the next read finds something that has left the socket already.
    pub(super) fn holds_more(&mut self) -> bool {
        match self {
            Line::Tls(stream) => {
                let state = stream.conn.process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
            Line::Tcp(_) | Line::Unix(_) => false,
        }
    }
}

fn secure(
    mut stream: TcpStream,
    host: &str,
    trusted: &Arc<ClientConfig>,
    shown: &str,
) -> Result<Line, Trouble> {
    let failed = |why: &io::Error| match shell::tls_failure(why) {
        Some(word) => Trouble::Protocol(format!("{shown}: {word}")),
        None => Trouble::Broken(format!("{shown}: no TLS handshake: {why}")),
    };
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| Trouble::Protocol(format!("{shown}: tls_bad_name")))?;
    let begun = ClientConnection::new(Arc::clone(trusted), name);
    let mut session = begun.map_err(|why| failed(&io::Error::other(why)))?;
    let time = Some(CONNECT_TIMEOUT);
    let limited = stream
        .set_read_timeout(time)
        .and(stream.set_write_timeout(time));
    limited.map_err(|why| failed(&why))?;
    while session.is_handshaking() {
        session
            .complete_io(&mut stream)
            .map_err(|why| failed(&why))?;
    }
    Ok(Line::Tls(Box::new(StreamOwned::new(session, stream))))
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Line::Tcp(stream) => stream.read(buf),
            Line::Unix(stream) => stream.read(buf),
            Line::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Line::Tcp(stream) => stream.write(buf),
            Line::Unix(stream) => stream.write(buf),
            Line::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Tcp(stream) => stream.flush(),
            Line::Unix(stream) => stream.flush(),
            Line::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Line::Tcp(stream) => stream.as_fd(),
            Line::Unix(stream) => stream.as_fd(),
            Line::Tls(stream) => stream.sock.as_fd(),
        }
    }
}
