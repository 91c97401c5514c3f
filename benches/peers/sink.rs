//! The sink: a target that keeps its lines open, answers each webhook with 200 and counts it.
//! It never counts a request that is not the whole webhook.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use crate::sys::Epoll;
use crate::wire::{SINK_ANSWER, webhook_complete};

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
    epoll: Epoll,
    listener: TcpListener,
    /// Indexed by token; a line that ended leaves its place free.
    lines: Vec<Option<Line>>,
}

struct Line {
    stream: TcpStream,
    /// What came of a request that is not whole yet.
    buf: Vec<u8>,
}

impl Sink {
    /// Opens the sink on a free port.
    pub fn open() -> io::Result<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let epoll = Epoll::new()?;
        epoll.add_level(&listener, LISTENER)?;
        Ok(Sink {
            port,
            delivered: 0,
            webhook_bytes: 0,
            epoll,
            listener,
            lines: Vec::new(),
        })
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
        let line = Some(Line {
            stream,
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
        match receive(line) {
            Ok(None) => Ok(()),
            Ok(Some(len)) => {
                self.delivered += 1;
                self.webhook_bytes = len;
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

/// Reads once; when that made a webhook whole, answers it and returns its size. An error ends
/// the line.
fn receive(line: &mut Line) -> io::Result<Option<usize>> {
    let mut buf = [0; 4096];
    let read = match line.stream.read(&mut buf) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    line.buf.extend_from_slice(&buf[..read]);
    let whole = webhook_complete(&line.buf)?;
    if whole.is_some() {
        line.buf.clear();
        line.stream.write_all(SINK_ANSWER)?;
    }
    Ok(whole)
}
