//! The load: posts dispatches over kept-alive lines until all their webhooks were delivered.
//! It never has more than one request in flight on a line, and never more than a window of
//! webhooks between accepted and delivered, so that no server's queue grows with the run.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::sink::Sink;
use crate::sys::Epoll;
use crate::wire::{accepted_complete, dispatch};

/// Webhooks that may be posted and not delivered yet. Deep enough that the server always has
/// work, small enough that it all fits into its caches and bounds.
const WINDOW: u64 = 4096;
/// How long nothing may be accepted or delivered before the run is given up.
const STALL: Duration = Duration::from_secs(10);

struct Line {
    stream: TcpStream,
    /// What came of an answer that is not whole yet.
    buf: Vec<u8>,
}

struct Load<'a> {
    epoll: Epoll,
    lines: Vec<Line>,
    /// Lines with nothing in flight.
    resting: Vec<usize>,
    request: Vec<u8>,
    sink: &'a Sink,
    delivered_before: u64,
    posted: u64,
    accepted: u64,
}

/// Posts `count` dispatches to the server on `port` over `connections` lines and waits until
/// `sink` has all their webhooks. Returns the seconds from the first post to the last delivery.
/// Fails when an answer is not 202, when a webhook came twice, and when nothing moves any more.
pub fn run(port: u16, sink: &Sink, connections: usize, count: u64) -> io::Result<f64> {
    let mut load = Load {
        epoll: Epoll::new()?,
        lines: Vec::new(),
        resting: (0..connections).collect(),
        request: dispatch(port, sink.port),
        sink,
        delivered_before: sink.delivered(),
        posted: 0,
        accepted: 0,
    };
    for token in 0..connections {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        load.epoll.add(&stream, token)?;
        load.lines.push(Line {
            stream,
            buf: Vec::with_capacity(4096),
        });
    }
    let started = Instant::now();
    let mut moved = (started, 0);
    while load.accepted < count || load.delivered() < count {
        load.post(count)?;
        // The sink's thread cannot wake this one, so a full window is looked at every 1 ms.
        for nth in 0..load.epoll.wait(1)? {
            load.answer(load.epoll.token(nth))?;
        }
        let progress = load.accepted + load.delivered();
        if progress != moved.1 {
            moved = (Instant::now(), progress);
        } else if moved.0.elapsed() > STALL {
            let (accepted, delivered) = (load.accepted, load.delivered());
            let text = format!("stalled: {accepted} accepted, {delivered} delivered of {count}");
            return Err(io::Error::other(text));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    match load.delivered() - count {
        0 => Ok(seconds),
        twice => Err(io::Error::other(format!("{twice} webhooks came twice"))),
    }
}

impl Load<'_> {
    fn delivered(&self) -> u64 {
        self.sink.delivered() - self.delivered_before
    }

    fn post(&mut self, count: u64) -> io::Result<()> {
        let until = count.min(self.delivered() + WINDOW);
        while self.posted < until {
            let Some(token) = self.resting.pop() else {
                break;
            };
            self.lines[token].stream.write_all(&self.request)?;
            self.posted += 1;
        }
        Ok(())
    }

    fn answer(&mut self, token: usize) -> io::Result<()> {
        let line = &mut self.lines[token];
        let mut buf = [0; 4096];
        match line.stream.read(&mut buf) {
            Ok(0) => return Err(io::Error::other("the server closed a kept-alive line")),
            Ok(read) => line.buf.extend_from_slice(&buf[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        if accepted_complete(&line.buf)?.is_some() {
            line.buf.clear();
            self.accepted += 1;
            self.resting.push(token);
        }
        Ok(())
    }
}
