//! One listening socket: where it listens, and the connections it gives.
//! It never decides how many are taken in, or whether they are welcome.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Type};

use super::inherit::Given;
use super::path::SocketFile;
use super::socket::Socket;
use super::sys;
use crate::admin::about::Doors;
use crate::model::{Door, Visitor};

/// Connections the kernel completes ahead of us, per listener.
const BACKLOG: i32 = 1024;
/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address; port 0 lets the system choose. An IPv6 one takes no IPv4 connections.
    Tcp(SocketAddr, Scheme),
    /// The path of a Unix socket, which has no TLS.
    Unix(PathBuf),
}

/// What holds for all gates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whether there is a certificate to show.
    pub(super) has_certificate: bool,
    /// Bytes that the kernel may hold of what a client has yet to take; it counts its own cost in
    /// and doubles this for that. Left to itself it holds 3 to 4 MB for a reader on loopback that
    /// is stuck.
    pub(super) send_buffer: usize,
    /// The same for what comes; none where the kernel is left to decide.
    pub(super) receive_buffer: Option<usize>,
    /// How long a peer may acknowledge nothing of what was sent before it is taken to be gone (RFC
    /// 5482): left to itself the kernel tries for a quarter of an hour. Linux ends one as well
    /// that answers, but has had no room for anything all that time.
    pub(super) silence: Duration,
}

/// Whether a TCP address speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// It does if there is a certificate.
    Either,
    /// Never.
    Http,
    /// Always.
    Https,
}

impl Listen {
    /// Whether it speaks TLS, with or without a certificate to show.
    #[must_use]
    pub fn is_secure(&self, has_certificate: bool) -> bool {
        match self {
            Listen::Tcp(_, Scheme::Either) => has_certificate,
            Listen::Tcp(_, Scheme::Https) => true,
            Listen::Tcp(_, Scheme::Http) | Listen::Unix(_) => false,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(addr, _) => write!(out, "{addr}"),
            Listen::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// A socket that takes connections in.
#[derive(Debug)]
pub(super) enum Gate {
    /// Over TCP; whether with TLS.
    Tcp {
        socket: TcpListener,
        door: Door,
        secure: bool,
    },
    /// Through a Unix socket. Dropped in this order: a clean end leaves no file behind, unless it
    /// is another's.
    Unix {
        socket: UnixListener,
        path: PathBuf,
        _file: Option<SocketFile>,
    },
}

impl Gate {
    /// Listens there; over TCP it speaks TLS if it should with, or without, a certificate.
    ///
    /// # Errors
    /// What the system says; of a Unix socket's path, `AlreadyExists` if something else is there.
    pub(super) fn open(at: &Listen, terms: Terms) -> io::Result<Gate> {
        match at {
            Listen::Tcp(addr, _) => Ok(Gate::Tcp {
                socket: listener(*addr, terms)?,
                door: door(*addr),
                secure: at.is_secure(terms.has_certificate),
            }),
            Listen::Unix(path) => {
                let (socket, file) = SocketFile::open(path, BACKLOG)?;
                Ok(Gate::Unix {
                    socket,
                    path: path.clone(),
                    _file: Some(file),
                })
            }
        }
    }

    /// Goes on listening where another has begun to; how many may wait there is the other's choice.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn inherit(given: Given, terms: Terms) -> io::Result<Gate> {
        let Given { at, socket } = given;
        match at {
            Listen::Tcp(addr, _) => {
                let socket = socket2::Socket::from(socket);
                furnish(&socket, terms)?;
                Ok(Gate::Tcp {
                    socket: TcpListener::from_std(socket.into()),
                    door: door(addr),
                    secure: at.is_secure(terms.has_certificate),
                })
            }
            Listen::Unix(path) => Ok(Gate::Unix {
                socket: UnixListener::from_std(socket.into()),
                path,
                _file: None,
            }),
        }
    }

    /// Has the poll tell of connections that wait.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Gate::Tcp { socket, .. } => socket.register(registry, token, Interest::READABLE),
            Gate::Unix { socket, .. } => socket.register(registry, token, Interest::READABLE),
        }
    }

    /// Has the poll tell of nothing any more. Closing is not enough where another process has the
    /// same socket: the poll's interest is in that, and not in our number for it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Gate::Tcp { socket, .. } => socket.deregister(registry),
            Gate::Unix { socket, .. } => socket.deregister(registry),
        }
    }

    /// Has the connections that come from now on be silent for so long, as in [`Terms`]. Those that
    /// were taken in keep what they have.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn allow_silence(&self, silence: Duration) -> io::Result<()> {
        match self {
            Gate::Tcp { socket, .. } => SockRef::from(socket).set_tcp_user_timeout(Some(silence)),
            Gate::Unix { .. } => Ok(()),
        }
    }

    /// Where it listens, with the port that the system chose.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Gate::Tcp { socket, secure, .. } => {
                let addr = socket.local_addr().ok()?;
                Some(match secure {
                    true => Place::Https(addr),
                    false => Place::Http(addr),
                })
            }
            Gate::Unix { path, _file, .. } => {
                let hidden = path.to_str().and_then(|path| path.strip_prefix('@'));
                let hidden = hidden.filter(|_| _file.is_none());
                Some(match hidden {
                    Some(name) => Place::Hidden(name.to_owned()),
                    None => Place::Unix(path.clone()),
                })
            }
        }
    }

    /// The next connection that waits.
    ///
    /// # Errors
    /// Nobody waits, or what the system says.
    pub(super) fn accept(&self) -> io::Result<(Socket, Visitor)> {
        match self {
            Gate::Tcp {
                socket,
                door,
                secure,
            } => {
                let (stream, from) = socket.accept()?;
                let visitor = Visitor {
                    peer: from.ip().to_canonical(),
                    door: *door,
                    secure: *secure,
                };
                Ok((Socket::Tcp(stream), visitor))
            }
            Gate::Unix { socket, .. } => {
                let (stream, _) = socket.accept()?;
                let owner = sys::is_owner(&stream);
                let visitor = Visitor {
                    peer: Ipv4Addr::LOCALHOST.into(),
                    door: Door::Unix { owner },
                    secure: false,
                };
                Ok((Socket::Unix(stream), visitor))
            }
        }
    }
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Http(SocketAddr),
    Https(SocketAddr),
    Unix(PathBuf),
    /// A Unix socket without a file (unix(7): abstract), by its name.
    Hidden(String),
}

impl Place {
    /// The TCP address.
    pub(super) fn addr(&self) -> Option<SocketAddr> {
        match self {
            Place::Http(addr) | Place::Https(addr) => Some(*addr),
            Place::Unix(_) | Place::Hidden(_) => None,
        }
    }
}

/// The same for people who ask the server itself.
pub(super) fn doors(places: &[Place]) -> Doors {
    let socket = places.iter().find_map(|place| match place {
        Place::Unix(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            Some(path.to_string_lossy().into())
        }
        Place::Hidden(name) => Some(format!("@{name}").into()),
        Place::Http(_) | Place::Https(_) => None,
    });
    let secure = |place: &Place| matches!(place, Place::Https(_));
    let tcp = places.iter();
    Doors {
        tcp: tcp
            .filter_map(|it| Some((it.addr()?, secure(it))))
            .collect(),
        socket,
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Http(addr) => write!(out, "http://{addr}"),
            Place::Https(addr) => write!(out, "https://{addr}"),
            Place::Unix(path) => write!(out, "unix:{}", path.display()),
            Place::Hidden(name) => write!(out, "unix:@{name}"),
        }
    }
}

/// Sends a refusal, which is possible without TLS only, and closes. What has come in is read away
/// first, because closing over unread bytes makes the kernel reset the connection, and a reset can
/// overtake the answer.
pub(super) fn turn_away(mut socket: Socket, secure: bool, answer: &[u8]) {
    if secure {
        return;
    }
    let _ = socket.write(answer);
    socket.finish();
    let mut away = [0; 4096];
    let _ = socket.read(&mut away);
}

/// Who can reach a TCP address.
fn door(addr: SocketAddr) -> Door {
    match addr.ip().to_canonical().is_loopback() {
        true => Door::Loopback,
        false => Door::Open,
    }
}

fn listener(addr: SocketAddr, terms: Terms) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a former process that linger in TIME_WAIT must not keep us from the port.
    socket.set_reuse_address(true)?;
    furnish(&socket, terms)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Accepted sockets inherit these: system calls per listener instead of per connection.
fn furnish(socket: &socket2::Socket, terms: Terms) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(terms.send_buffer)?;
    socket.set_tcp_user_timeout(Some(terms.silence))?;
    if let Some(receive) = terms.receive_buffer {
        socket.set_recv_buffer_size(receive)?;
    }
    socket.set_nonblocking(true)
}
