//! The load: posts dispatches over kept-alive lines until all their webhooks were delivered.
//! It never has more than one request in flight on a line, and never more than a window of
//! webhooks between accepted and delivered, so that no server's queue grows with the run.
//!
//! Load and sink take turns on one thread: two threads on one processor would spend more on
//! switching than on the traffic, and the server would wait for them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::sink::Sink;
use crate::sys::Epoll;
use crate::wire::{accepted_complete, dispatch};

/// Webhooks that may be posted and not delivered yet. Deep enough that the server always has
/// work, small enough that it all fits into its caches and bounds.
const WINDOW: u64 = 4096;
/// How long nothing may come before the run is given up.
const STALL_MS: i32 = 10_000;
/// How long a run may take even if something always moves.
const RUN_MAX: Duration = Duration::from_secs(120);
const SINK: usize = usize::MAX;

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
    sink: &'a mut Sink,
    delivered_before: u64,
    posted: u64,
    accepted: u64,
    answer_bytes: usize,
}

/// One run, from the first post to the last delivery.
pub struct Relayed {
    pub seconds: f64,
    /// The size of the last 202, head and body.
    pub answer_bytes: usize,
}

/// Posts `count` dispatches to the server on `port` over `connections` lines and waits until
/// `sink` has all their webhooks.
/// Fails when an answer is not 202, when a webhook came twice, and when it takes too long.
pub fn run(port: u16, sink: &mut Sink, connections: usize, count: u64) -> io::Result<Relayed> {
    let mut load = Load {
        epoll: Epoll::new()?,
        lines: Vec::new(),
        resting: (0..connections).collect(),
        request: dispatch(port, &sink.url()),
        delivered_before: sink.delivered,
        sink,
        posted: 0,
        accepted: 0,
        answer_bytes: 0,
    };
    load.epoll.add_level(load.sink, SINK)?;
    for token in 0..connections {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        load.epoll.add_edge(&stream, token)?;
        load.lines.push(Line {
            stream,
            buf: Vec::with_capacity(4096),
        });
    }
    let started = Instant::now();
    while load.accepted < count || load.delivered() < count {
        load.post(count)?;
        if !load.turn()? || started.elapsed() > RUN_MAX {
            let (accepted, delivered) = (load.accepted, load.delivered());
            let text = format!("given up: {accepted} accepted, {delivered} delivered of {count}");
            return Err(io::Error::other(text));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    match load.delivered() - count {
        0 => Ok(Relayed {
            seconds,
            answer_bytes: load.answer_bytes,
        }),
        twice => Err(io::Error::other(format!("{twice} webhooks came twice"))),
    }
}

impl Load<'_> {
    fn delivered(&self) -> u64 {
        self.sink.delivered - self.delivered_before
    }

    /// Waits for answers and webhooks; false when none came for as long as `STALL_MS`.
    fn turn(&mut self) -> io::Result<bool> {
        let ready = self.epoll.wait(STALL_MS)?;
        for nth in 0..ready {
            match self.epoll.token(nth) {
                SINK => {
                    self.sink.turn()?;
                }
                token => self.answer(token)?,
            }
        }
        Ok(ready > 0)
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
        if let Some(len) = accepted_complete(&line.buf, &[202])? {
            self.answer_bytes = len;
            line.buf.clear();
            self.accepted += 1;
            self.resting.push(token);
        }
        Ok(())
    }
}
