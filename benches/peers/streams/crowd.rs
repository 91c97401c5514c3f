//! The crowd: the readers of a run, all on one thread. Each counts its messages by their mark and
//! its bytes; a sample of them is read strictly, to the byte, and says how long messages took.
//! It never publishes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use memchr::memchr_iter;
use socket2::SockRef;

use super::wire::{Decoder, Dialect, MARK, stream_head};
use crate::sys::Epoll;

/// Readers that join at once: fewer than any server lets wait to be accepted.
const JOIN_AT_ONCE: usize = 100;
/// How many readers are read strictly.
const SAMPLES: usize = 50;
/// How long nothing may come before a run is given up.
pub const STALL_MS: i32 = 10_000;
/// How long a server is let alone before what came belongs to the heads.
const SETTLE_MS: i32 = 100;
/// Tokens of what else is watched: no reader's.
const OTHER: usize = usize::MAX;

/// All readers of a run.
pub struct Crowd {
    epoll: Epoll,
    readers: Vec<Reader>,
    samples: Vec<Sample>,
    /// Of each message, in the order of a stream, how many readers have it.
    arrivals: Vec<usize>,
    /// Messages that all readers have.
    completed: usize,
    /// Of each sampled message, how long it was under way, in nanoseconds.
    pub latencies: Vec<u64>,
    /// Stamps count from here.
    base: Instant,
    buf: Vec<u8>,
}

struct Reader {
    stream: TcpStream,
    messages: usize,
    bytes: u64,
    sample: Option<usize>,
}

struct Sample {
    decoder: Decoder,
    /// The messages' numbers as they came.
    numbers: Vec<u64>,
}

impl Crowd {
    /// Joins `count` readers and waits until each has its head.
    pub fn join(port: u16, dialect: &Dialect, count: usize, base: Instant) -> io::Result<Crowd> {
        let mut crowd = Crowd {
            epoll: Epoll::new()?,
            readers: Vec::with_capacity(count),
            samples: Vec::new(),
            arrivals: Vec::new(),
            completed: 0,
            latencies: Vec::new(),
            base,
            buf: vec![0; 1 << 16],
        };
        let every = count.div_ceil(SAMPLES);
        while crowd.readers.len() < count {
            let from = crowd.readers.len();
            for _ in from..count.min(from + JOIN_AT_ONCE) {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                // It ends with a reset: ten thousand ports that wait would be missed soon.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                stream.write_all(dialect.ask.as_bytes())?;
                crowd.readers.push(Reader {
                    stream,
                    messages: 0,
                    bytes: 0,
                    sample: None,
                });
            }
            for token in from..crowd.readers.len() {
                let (is_chunked, rest) = crowd.head(token)?;
                let reader = &mut crowd.readers[token];
                reader.stream.set_nonblocking(true)?;
                crowd.epoll.add_edge(&reader.stream, token)?;
                if token % every == 0 {
                    let mut decoder = Decoder::new(dialect, is_chunked);
                    decoder.take(&rest, &mut |_, _| ())?;
                    reader.sample = Some(crowd.samples.len());
                    let numbers = Vec::new();
                    crowd.samples.push(Sample { decoder, numbers });
                }
            }
        }
        // First bytes that did not come with the head.
        while crowd.turn(SETTLE_MS)? > 0 {}
        Ok(crowd)
    }

    /// Waits for a reader's head: whether chunks follow, and what came behind it.
    fn head(&mut self, token: usize) -> io::Result<(bool, Vec<u8>)> {
        let stream = &mut self.readers[token].stream;
        stream.set_read_timeout(Some(Duration::from_millis(STALL_MS as u64)))?;
        let mut held = Vec::new();
        loop {
            match stream.read(&mut self.buf)? {
                0 => return Err(io::Error::other("no head of a stream")),
                read => held.extend_from_slice(&self.buf[..read]),
            }
            if let Some((size, is_chunked)) = stream_head(&held)? {
                return Ok((is_chunked, held.split_off(size)));
            }
        }
    }

    /// Has `source` wake the crowd too.
    pub fn watch(&self, source: &impl AsRawFd) -> io::Result<()> {
        self.epoll.add_level(source, OTHER)
    }

    /// Forgets what came so far; `count` messages will come.
    pub fn begin(&mut self, count: usize) {
        self.arrivals = vec![0; count];
        self.completed = 0;
        self.latencies.clear();
        for reader in &mut self.readers {
            reader.messages = 0;
            reader.bytes = 0;
        }
        for sample in &mut self.samples {
            sample.numbers.clear();
        }
    }

    /// Messages that all readers have.
    pub fn completed(&self) -> usize {
        self.completed
    }

    /// Whether a reader lacks a message that will come.
    pub fn lacks(&self) -> bool {
        self.completed < self.arrivals.len() && !self.readers.is_empty()
    }

    /// Waits, and reads all that is ready: how much that was.
    pub fn turn(&mut self, timeout_ms: i32) -> io::Result<usize> {
        let ready = self.wait(timeout_ms)?;
        for nth in 0..ready {
            self.take(nth)?;
        }
        Ok(ready)
    }

    /// Waits: how much is ready.
    pub fn wait(&mut self, timeout_ms: i32) -> io::Result<usize> {
        self.epoll.wait(timeout_ms)
    }

    /// Reads what the `nth` that is ready has.
    pub fn take(&mut self, nth: usize) -> io::Result<()> {
        let token = self.epoll.token(nth);
        if token == OTHER {
            return Ok(());
        }
        let reader = &mut self.readers[token];
        let read = match reader.stream.read(&mut self.buf) {
            Ok(0) => return Err(io::Error::other("the server ended a stream")),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let bytes = &self.buf[..read];
        reader.bytes += read as u64;
        for _ in memchr_iter(MARK, bytes) {
            let arrived = self.arrivals.get_mut(reader.messages);
            *arrived.ok_or_else(|| io::Error::other("a message too many"))? += 1;
            reader.messages += 1;
        }
        if let Some(sample) = reader.sample {
            let Sample { decoder, numbers } = &mut self.samples[sample];
            let now = self.base.elapsed().as_nanos() as u64;
            decoder.take(bytes, &mut |number, stamp| {
                numbers.push(number);
                self.latencies.push(now.saturating_sub(stamp));
            })?;
        }
        while self.arrivals.get(self.completed) == Some(&self.readers.len()) {
            self.completed += 1;
        }
        // An edge is an arrival: a read that did not fill the room has left nothing behind.
        if read < self.buf.len() {
            Ok(())
        } else {
            self.take(nth)
        }
    }

    /// Fails unless every reader got `count` messages and the same bytes, and every sampled one
    /// each message once, in the same order as the others.
    pub fn check(&self, count: usize) -> io::Result<()> {
        let Some(first) = self.readers.first() else {
            return Ok(());
        };
        let same = |reader: &Reader| reader.messages == count && reader.bytes == first.bytes;
        if !self.readers.iter().all(same) {
            return Err(io::Error::other("readers did not all get the same bytes"));
        }
        let order = &self.samples[0].numbers;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let all = (0..count as u64).eq(sorted);
        if all && self.samples.iter().all(|sample| sample.numbers == *order) {
            Ok(())
        } else {
            Err(io::Error::other("a message is missing, or out of order"))
        }
    }
}
