//! The publisher: a few kept-alive lines, each with one request in flight, and the run that keeps
//! a number of messages between published and received by all.
//! It never publishes faster than the slowest reader takes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use super::crowd::{Crowd, STALL_MS};
use super::wire::{Dialect, fields, publish};
use crate::sys::Epoll;
use crate::wire::accepted_complete;

/// How long is published: on a slow or a busy machine a run has fewer messages.
const PUBLISH_MAX: Duration = Duration::from_millis(1500);
/// How long a run may take even if something always moves.
const RUN_MAX: Duration = Duration::from_secs(40);
/// What a publisher is answered: nchan says 201 where there is a reader.
const ACCEPTED: &[u16] = &[202, 201];

/// Publishes, while its `turn` is called. Its own descriptor is readable when there is work.
pub struct Publisher<'a> {
    dialect: &'a Dialect,
    epoll: Epoll,
    lines: Vec<(TcpStream, Vec<u8>)>,
    /// Lines with nothing in flight.
    resting: Vec<usize>,
    /// Messages posted in this run.
    pub posted: usize,
    base: Instant,
}

impl<'a> Publisher<'a> {
    pub fn open(
        port: u16,
        dialect: &'a Dialect,
        lines: usize,
        base: Instant,
    ) -> io::Result<Publisher<'a>> {
        let mut publisher = Publisher {
            dialect,
            epoll: Epoll::new()?,
            lines: Vec::new(),
            resting: (0..lines).collect(),
            posted: 0,
            base,
        };
        for token in 0..lines {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            publisher.epoll.add_edge(&stream, token)?;
            publisher.lines.push((stream, Vec::new()));
        }
        Ok(publisher)
    }

    /// Posts the next message; false if all lines have one in flight.
    pub fn post(&mut self) -> io::Result<bool> {
        let Some(token) = self.resting.pop() else {
            return Ok(false);
        };
        let stamp = self.base.elapsed().as_nanos() as u64;
        let request = publish(self.dialect, &fields(self.posted as u64, stamp));
        self.lines[token].0.write_all(&request)?;
        self.posted += 1;
        Ok(true)
    }

    /// Reads the answers that are there. Fails at one that does not accept.
    pub fn turn(&mut self) -> io::Result<()> {
        let mut buf = [0; 4096];
        for nth in 0..self.epoll.wait(0)? {
            let token = self.epoll.token(nth);
            let (stream, held) = &mut self.lines[token];
            match stream.read(&mut buf) {
                Ok(0) => return Err(io::Error::other("the server closed a kept-alive line")),
                Ok(read) => held.extend_from_slice(&buf[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if accepted_complete(held, ACCEPTED)?.is_some() {
                held.clear();
                self.resting.push(token);
            }
        }
        Ok(())
    }

    /// Whether every message was answered.
    pub fn is_at_rest(&self) -> bool {
        self.resting.len() == self.lines.len()
    }
}

impl AsRawFd for Publisher<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

/// What a run came to.
pub struct Published {
    /// Messages that all readers have.
    pub messages: usize,
    pub seconds: f64,
}

/// Publishes up to `count` messages, `in_flight` of them at a time, and waits until all readers
/// have them all.
pub fn run(
    crowd: &mut Crowd,
    publisher: &mut Publisher<'_>,
    in_flight: usize,
    count: usize,
) -> io::Result<Published> {
    crowd.begin(count);
    publisher.posted = 0;
    let mut count = count;
    let started = Instant::now();
    while crowd.completed() < count || !publisher.is_at_rest() {
        if started.elapsed() > PUBLISH_MAX {
            count = publisher.posted;
        }
        let until = count.min(crowd.completed() + in_flight);
        while publisher.posted < until && publisher.post()? {}
        if crowd.completed() == count && publisher.is_at_rest() {
            break;
        }
        if crowd.turn(STALL_MS)? == 0 || started.elapsed() > RUN_MAX {
            let (posted, completed) = (publisher.posted, crowd.completed());
            let text = format!("given up: {posted} posted, {completed} received by all");
            return Err(io::Error::other(text));
        }
        publisher.turn()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    crowd.check(count)?;
    Ok(Published {
        messages: count,
        seconds,
    })
}
