//! The floor: a relay that parses nothing, the least that one thread can do for this traffic.
//! It never looks at a byte it forwards, and makes no system call that could be left out.
//!
//! A webhook costs it four calls and its share of `epoll_wait`: read what was posted, write a
//! ready 202, write a ready head with the fields that were posted, read the sink's answer.
//! Arrivals are reported edge by edge, which saves the kernel a second look at each line.
//!
//! It can leave out the parsing because the load keeps to three promises: one request in
//! flight a line, each sent by one write, each ending with exactly `FIELDS`. Towards the sink
//! HTTP/1.1 without pipelining holds: one request in flight a line, at most `LINES_MAX` lines
//! (Hookah's default for one origin), and while all are busy the fields wait in a queue.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::sys::Epoll;
use crate::wire::{FIELDS, FLOOR_ANSWER, floor_head};

/// Kept-alive lines to the sink.
const LINES_MAX: usize = 64;
const LISTENER: usize = usize::MAX;
const BODY: usize = FIELDS.len();

struct Floor {
    epoll: Epoll,
    sink: u16,
    /// Indexed by token; a line that ended leaves `Closed`, for the floor lives for one run.
    lines: Vec<Line>,
    outbound: usize,
    /// Tokens of outbound lines with nothing in flight, the warmest last.
    idle: Vec<usize>,
    /// Fields that wait for an outbound line, end to end: each is `BODY` bytes long.
    waiting: VecDeque<u8>,
    /// The webhook's head, and room for the fields behind it.
    webhook: Vec<u8>,
    head: usize,
}

enum Line {
    Inbound(TcpStream),
    Outbound(TcpStream),
    Closed,
}

/// Relays to the sink on 127.0.0.1:`sink` until the process is ended.
pub fn run(sink: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let mut webhook = floor_head(sink);
    let head = webhook.len();
    webhook.extend_from_slice(FIELDS.as_bytes());
    let mut floor = Floor {
        epoll: Epoll::new()?,
        sink,
        lines: Vec::new(),
        outbound: 0,
        idle: Vec::new(),
        waiting: VecDeque::new(),
        webhook,
        head,
    };
    floor.epoll.add_level(&listener, LISTENER)?;
    eprintln!("floor listening on http://{}", listener.local_addr()?);
    loop {
        for nth in 0..floor.epoll.wait(-1)? {
            match floor.epoll.token(nth) {
                LISTENER => floor.accept(&listener)?,
                token => floor.ready(token)?,
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        match listener.accept() {
            Ok((stream, _)) => self.watch(stream, Line::Inbound).map(|_| ()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn watch(&mut self, stream: TcpStream, kind: fn(TcpStream) -> Line) -> io::Result<usize> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = self.lines.len();
        self.epoll.add_edge(&stream, token)?;
        self.lines.push(kind(stream));
        Ok(token)
    }

    fn ready(&mut self, token: usize) -> io::Result<()> {
        let mut buf = [0; 4096];
        match &mut self.lines[token] {
            Line::Inbound(stream) => match stream.read(&mut buf) {
                Ok(read) if read >= BODY => {
                    whole(stream.write(FLOOR_ANSWER)?, FLOOR_ANSWER.len())?;
                    self.forward(&buf[read - BODY..read])
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                // The load has gone.
                _ => {
                    self.lines[token] = Line::Closed;
                    Ok(())
                }
            },
            Line::Outbound(stream) => match stream.read(&mut buf) {
                Ok(0) => Err(io::Error::other("the sink has gone")),
                Ok(_) => self.answered(token),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                Err(error) => Err(error),
            },
            Line::Closed => Ok(()),
        }
    }

    fn forward(&mut self, fields: &[u8]) -> io::Result<()> {
        if let Some(token) = self.idle.pop() {
            self.webhook[self.head..].copy_from_slice(fields);
            self.send(token)
        } else if self.outbound < LINES_MAX {
            self.outbound += 1;
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.sink))?;
            let token = self.watch(stream, Line::Outbound)?;
            self.webhook[self.head..].copy_from_slice(fields);
            self.send(token)
        } else {
            self.waiting.extend(fields);
            Ok(())
        }
    }

    fn answered(&mut self, token: usize) -> io::Result<()> {
        if self.waiting.is_empty() {
            self.idle.push(token);
            return Ok(());
        }
        for (to, from) in self.webhook[self.head..]
            .iter_mut()
            .zip(self.waiting.drain(..BODY))
        {
            *to = from;
        }
        self.send(token)
    }

    fn send(&mut self, token: usize) -> io::Result<()> {
        match &mut self.lines[token] {
            Line::Outbound(stream) => whole(stream.write(&self.webhook)?, self.webhook.len()),
            _ => Err(io::Error::other("an idle line is always an outbound one")),
        }
    }
}

/// With one small message in flight the socket's buffer is empty, so a short write means that
/// the load or the sink broke its promise.
fn whole(wrote: usize, len: usize) -> io::Result<()> {
    if wrote == len {
        Ok(())
    } else {
        Err(io::Error::other("a short write"))
    }
}
