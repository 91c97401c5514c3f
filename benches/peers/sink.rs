//! The sink: a target that answers each webhook with 200 and counts it, on lines that it keeps open
//! or not, over TLS or not. It never counts a request that is not the whole webhook.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use crate::sys::Epoll;
use crate::wire::{SINK_ANSWER, SINK_LAST_ANSWER, webhook_complete};

const LISTENER: usize = usize::MAX;

/// A sink on 127.0.0.1, which works only while its `turn` is called. Its own descriptor is
/// readable when there is work, so that another loop can watch it.
pub struct Sink {
    /// Where it listens.
    pub port: u16,
    /// Webhooks answered since the start.
    pub delivered: u64,
    /// The size of the last of them, head and body.
    pub webhook_bytes: usize,
    /// Handshakes of TLS, and how many of them were resumptions.
    pub handshakes: (u64, u64),
    temper: Temper,
    epoll: Epoll,
    listener: TcpListener,
    /// Indexed by token; a line that ended leaves its place free.
    lines: Vec<Option<Line>>,
}

/// What a sink is like.
#[derive(Clone, Default)]
pub struct Temper {
    /// It speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// It closes a line after one answer.
    pub closes: bool,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Line {
    wire: Wire,
    /// What came of a request that is not whole yet.
    buf: Vec<u8>,
}

impl Sink {
    /// Opens a sink on a free port that keeps its lines open and speaks no TLS.
    pub fn open() -> io::Result<Sink> {
        Sink::open_with(Temper::default())
    }

    /// Opens another sort of sink on a free port.
    pub fn open_with(temper: Temper) -> io::Result<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let epoll = Epoll::new()?;
        epoll.add_level(&listener, LISTENER)?;
        Ok(Sink {
            port,
            delivered: 0,
            webhook_bytes: 0,
            handshakes: (0, 0),
            temper,
            epoll,
            listener,
            lines: Vec::new(),
        })
    }

    /// Where webhooks are to go.
    pub fn url(&self) -> String {
        let scheme = if self.temper.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}/hook", self.port)
    }

    /// Answers what is ready, does not wait, and returns how many lines that were. Fails when
    /// something came that is not the webhook; a line that just ends is no error.
    pub fn turn(&mut self) -> io::Result<usize> {
        let ready = self.epoll.wait(0)?;
        for nth in 0..ready {
            match self.epoll.token(nth) {
                LISTENER => self.accept()?,
                token => self.ready(token)?,
            }
        }
        Ok(ready)
    }

    /// Takes in what a server that has ended left behind, lest the next run counts it.
    pub fn clear(&mut self) -> io::Result<()> {
        while self.turn()? > 0 {}
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let (stream, _) = match self.listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let free = self
            .lines
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.lines.len());
        self.epoll.add_level(&stream, free)?;
        let wire = match &self.temper.tls {
            None => Wire::Plain(stream),
            Some(config) => {
                let server = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Wire::Tls(Box::new(StreamOwned::new(server, stream)))
            }
        };
        let line = Some(Line {
            wire,
            buf: Vec::with_capacity(4096),
        });
        match self.lines.get_mut(free) {
            Some(place) => *place = line,
            None => self.lines.push(line),
        }
        Ok(())
    }

    fn ready(&mut self, token: usize) -> io::Result<()> {
        let Some(line) = &mut self.lines[token] else {
            return Ok(());
        };
        let closes = self.temper.closes;
        match receive(line, closes) {
            Ok(None) => Ok(()),
            Ok(Some(len)) => {
                self.delivered += 1;
                self.webhook_bytes = len;
                if closes {
                    self.handshakes.0 += 1;
                    self.handshakes.1 += u64::from(line.is_resumed());
                    self.lines[token] = None;
                }
                Ok(())
            }
            Err(error) => {
                self.lines[token] = None;
                // Made by `wire`: what came is wrong, and no figure of this run would be true.
                if error.kind() == ErrorKind::Other {
                    Err(error)
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl AsRawFd for Sink {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

impl Line {
    fn is_resumed(&self) -> bool {
        match &self.wire {
            Wire::Plain(_) => false,
            Wire::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

impl Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buf),
            Wire::Tls(stream) => stream.read(buf),
        }
    }

    /// An answer is small, and fits into the socket.
    fn answer(&mut self, last: bool) -> io::Result<()> {
        let answer = if last { SINK_LAST_ANSWER } else { SINK_ANSWER };
        match self {
            Wire::Plain(stream) => stream.write_all(answer),
            Wire::Tls(stream) => {
                stream.conn.writer().write_all(answer)?;
                if last {
                    stream.conn.send_close_notify();
                }
                stream.flush()
            }
        }
    }
}

/// Reads once; when that made a webhook whole, answers it and returns its size. An error ends
/// the line. A webhook is one record of TLS, so that one read leaves nothing of it behind.
fn receive(line: &mut Line, closes: bool) -> io::Result<Option<usize>> {
    let mut buf = [0; 4096];
    let read = match line.wire.read(&mut buf) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    line.buf.extend_from_slice(&buf[..read]);
    let whole = webhook_complete(&line.buf)?;
    if whole.is_some() {
        line.buf.clear();
        line.wire.answer(closes)?;
    }
    Ok(whole)
}
