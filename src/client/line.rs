//! A connection to the server: TCP, a Unix socket, or TLS over TCP. It blocks, for a time at most.
//! It knows nothing of what goes over it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use super::call::Trouble;
use super::names;
use super::server::{Place, Server};
use crate::base::rng::Rng;
use crate::shell;

/// Each address of a server is given so long, and then its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// A read or a write.
    pub(super) patience: Duration,
    /// All of them together.
    pub(super) until: Option<Instant>,
}

impl Limit {
    /// How long the next one may block.
    fn left(self) -> io::Result<Duration> {
        let left = match self.until {
            None => self.patience,
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                left.min(self.patience)
            }
        };
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            // What is less than a system's clock knows would be taken for no limit.
            false => Ok(left.max(Duration::from_millis(1))),
        }
    }
}

/// A socket that never blocks for longer than it may, below TLS too.
pub(super) struct Limited {
    socket: Socket,
    limit: Limit,
}

impl Read for Limited {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.limit.left()?))?;
        self.socket.read(buf)
    }
}

impl Write for Limited {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.limit.left()?))?;
        self.socket.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A connection.
pub(super) enum Line {
    Plain(Limited),
    Tls(Box<StreamOwned<ClientConnection, Limited>>),
}

impl Line {
    /// Connects, and shakes hands where that is to be done, by then.
    pub(super) fn connect(
        server: &Server,
        trusted: Option<&Arc<ClientConfig>>,
        rng: &mut Rng,
        until: Instant,
    ) -> Result<Line, Trouble> {
        let shown = &server.shown;
        let unreachable = |why: io::Error| Trouble::Unreachable(format!("{shown}: {why}"));
        let first = Limit {
            patience: CONNECT_TIMEOUT,
            until: Some(until),
        };
        let limited = |socket, limit| Limited { socket, limit };
        let (host, port) = match &server.place {
            Place::Unix(path) => {
                let socket = first.left().and_then(|time| unix(path, time));
                let socket = socket.map_err(unreachable)?;
                return Ok(Line::Plain(limited(socket, first)));
            }
            Place::Tcp { host, port, .. } => (host, *port),
        };
        let mut last = io::ErrorKind::NotFound.into();
        for place in names::places(host, port, rng, until)? {
            let time = first.left().map_err(unreachable)?;
            match TcpStream::connect_timeout(&place, time) {
                Ok(stream) => {
                    // Requests are whole when they are written.
                    let _ = stream.set_nodelay(true);
                    let limit = Limit {
                        until: Some(until.min(Instant::now() + CONNECT_TIMEOUT)),
                        ..first
                    };
                    let stream = limited(stream.into(), limit);
                    return match trusted {
                        None => Ok(Line::Plain(stream)),
                        Some(trusted) => secure(stream, host, trusted, shown),
                    };
                }
                Err(why) => last = why,
            }
        }
        Err(unreachable(last))
    }

    /// From now on it may block so long.
    pub(super) fn limit(&mut self, limit: Limit) {
        match self {
            Line::Plain(stream) => stream.limit = limit,
            Line::Tls(stream) => stream.sock.limit = limit,
        }
    }

    /// Whether the next read finds something that has left the socket already.
    pub(super) fn holds_more(&mut self) -> bool {
        match self {
            Line::Tls(stream) => {
                let state = stream.conn.process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
            Line::Plain(_) => false,
        }
    }
}

/// A Unix socket's other side may have no room for another line, and then connecting blocks.
fn unix(path: &Path, time: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // This bounds connecting, too.
    socket.set_write_timeout(Some(time))?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
            let text = "it takes no more connections";
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
        connected => connected.map(|()| socket),
    }
}

fn secure(
    mut stream: Limited,
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
            Line::Plain(stream) => stream.read(buf),
            Line::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(stream) => stream.write(buf),
            Line::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Plain(stream) => stream.flush(),
            Line::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Line::Plain(stream) => stream.socket.as_fd(),
            Line::Tls(stream) => stream.sock.socket.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn pair(time: Duration) -> (Socket, Line) {
        let (far, near) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        let limit = Limit {
            patience: Duration::from_secs(600),
            until: Some(Instant::now() + time),
        };
        let socket = near;
        (far, Line::Plain(Limited { socket, limit }))
    }

    #[test]
    fn a_drip_of_bytes_is_not_read_for_ever() {
        let (mut far, mut line) = pair(Duration::from_millis(50));
        let drip = thread::spawn(move || while far.write(b".").is_ok() {});
        let why = loop {
            if let Err(why) = line.read(&mut [0]) {
                break why.kind();
            }
        };
        assert!(matches!(
            why,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        ));
        drop(line);
        drip.join().unwrap();
    }

    #[test]
    fn after_its_time_nothing_is_read_or_written() {
        let (mut far, mut line) = pair(Duration::ZERO);
        far.write_all(b"late").unwrap();
        assert_eq!(
            line.read(&mut [0; 4]).unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
        assert_eq!(
            line.write(b".").unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }

    #[test]
    fn a_socket_without_room_is_not_waited_for_for_ever() {
        let name = format!("hookah-line-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let far = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        far.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        far.listen(0).unwrap();
        let mut kept = Vec::new();
        let why = loop {
            match unix(&path, Duration::from_millis(20)) {
                Ok(socket) => kept.push(socket),
                Err(why) => break why,
            }
        };
        std::fs::remove_file(&path).unwrap();
        assert_eq!(why.to_string(), "it takes no more connections");
        assert!(!kept.is_empty());
    }
}
