//! The storm: webhooks at a steady rate while every stream of a crowd gets messages, beside the
//! same without the crowd; and what the crowd costs while nothing comes.
//! It never lets a slow answer make the next webhook later than it is due: what waits, counts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::crowd::{Crowd, STALL_MS};
use super::publish::Publisher;
use super::wire::HOOKAH_RAW;
use super::{is_late, percentile};
use crate::Bench;
use crate::server::{Recipe, Server};
use crate::sink::Sink;
use crate::table::{Figure, Target};
use crate::wire::{accepted_complete, dispatch};

const MESSAGES_PER_SECOND: u64 = 15;
const WEBHOOK_EVERY: Duration = Duration::from_millis(5);
/// Streams read before the webhooks are looked at again.
const READS: usize = 32;
/// Closer than this to what is due next, it is not slept.
const CLOSE: Duration = Duration::from_millis(1);
const LINES: usize = 4;

/// The server's CPU while nothing comes; p50 and p99 of webhooks, without the crowd and with it.
struct Weather {
    idle: f64,
    quiet: [f64; 2],
    storm: [f64; 2],
}

/// All runs.
pub fn figures(bench: &mut Bench<'_>, hookah: &Recipe, size: usize) -> Vec<Figure> {
    let mut idle = Figure::new(format!("{size} idle, CPU ms per second"), "", Target::None);
    let mut p50 = Figure::new("storm, webhook p50 ms", "quiet", Target::None);
    let mut p99 = Figure::new("storm, webhook p99 ms", "quiet", Target::AtMost(20.0));
    let started = Instant::now();
    for run in 0..bench.options.runs {
        if is_late(bench, started, run, "storm") {
            break;
        }
        eprintln!("peers: storm, run {} of {}", run + 1, bench.options.runs);
        match measure(bench, hookah, size) {
            Ok(Weather {
                idle: cpu,
                quiet,
                storm,
            }) => {
                idle.runs.push((Some(cpu), None));
                p50.runs.push((Some(storm[0]), Some(quiet[0])));
                p99.runs.push((Some(storm[1]), Some(quiet[1])));
            }
            Err(error) => bench.note(format!("storm: {error}")),
        }
    }
    vec![idle, p50, p99]
}

fn measure(bench: &mut Bench<'_>, hookah: &Recipe, size: usize) -> io::Result<Weather> {
    let base = Instant::now();
    let seconds = bench.options.seconds;
    bench.sink.clear()?;
    let server = hookah.start(bench.core)?;
    let mut nobody = Crowd::join(server.port, &HOOKAH_RAW, 0, base)?;
    let quiet = blow(
        &server,
        &mut bench.sink,
        &mut nobody,
        seconds.div_ceil(2),
        base,
    )?;
    let mut crowd = Crowd::join(server.port, &HOOKAH_RAW, size, base)?;
    let (cpu, from) = (server.cpu_seconds_exact()?, Instant::now());
    thread::sleep(Duration::from_secs(seconds.div_ceil(2)));
    let idle = (server.cpu_seconds_exact()? - cpu) * 1e3 / from.elapsed().as_secs_f64();
    let storm = blow(&server, &mut bench.sink, &mut crowd, seconds, base)?;
    Ok(Weather { idle, quiet, storm })
}

/// Publishes and posts for that many seconds: the webhooks' p50 and p99, in milliseconds.
fn blow(
    server: &Server,
    sink: &mut Sink,
    crowd: &mut Crowd,
    seconds: u64,
    base: Instant,
) -> io::Result<[f64; 2]> {
    let count = (seconds * MESSAGES_PER_SECOND) as usize;
    let mut publisher = Publisher::open(server.port, &HOOKAH_RAW, LINES, base)?;
    let mut webhooks = Webhooks::open(server.port, sink)?;
    crowd.watch(webhooks.sink)?;
    crowd.watch(&webhooks.line)?;
    crowd.watch(&publisher)?;
    crowd.begin(count);
    let started = Instant::now();
    let mut message_due = started;
    let mut moved = started;
    while started.elapsed() < Duration::from_secs(seconds) || crowd.lacks() {
        let now = Instant::now();
        if now >= message_due && publisher.posted < count && publisher.post()? {
            message_due += Duration::from_secs(1) / MESSAGES_PER_SECOND as u32;
        }
        let next = webhooks.due.min(message_due);
        let timeout = i32::from(next.saturating_duration_since(now) > CLOSE);
        let ready = crowd.wait(timeout)?;
        for nth in 0..ready {
            crowd.take(nth)?;
            if nth % READS == READS - 1 {
                webhooks.turn()?;
            }
        }
        webhooks.turn()?;
        publisher.turn()?;
        if ready > 0 {
            moved = Instant::now();
        } else if moved.elapsed() > Duration::from_millis(STALL_MS as u64) && crowd.lacks() {
            return Err(io::Error::other("messages do not arrive any more"));
        }
    }
    crowd.check(count)?;
    webhooks.latencies.sort_unstable();
    let of = |percent| percentile(&webhooks.latencies, percent) / 1e6;
    Ok([of(50), of(99)])
}

/// One webhook under way at a time, each due at its own time.
struct Webhooks<'a> {
    sink: &'a mut Sink,
    line: TcpStream,
    held: Vec<u8>,
    request: Vec<u8>,
    due: Instant,
    /// Whether the last one was not answered yet, and how many will have been delivered with it.
    unanswered: bool,
    awaited: Option<u64>,
    /// From due to delivered, in nanoseconds.
    latencies: Vec<u64>,
}

impl<'a> Webhooks<'a> {
    fn open(port: u16, sink: &'a mut Sink) -> io::Result<Webhooks<'a>> {
        let line = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        line.set_nonblocking(true)?;
        line.set_nodelay(true)?;
        Ok(Webhooks {
            request: dispatch(port, &sink.url()),
            sink,
            line,
            held: Vec::new(),
            due: Instant::now(),
            unanswered: false,
            awaited: None,
            latencies: Vec::new(),
        })
    }

    /// Reads the answer and the webhook if they are there, and posts the next one if it is due.
    fn turn(&mut self) -> io::Result<()> {
        self.sink.turn()?;
        if self
            .awaited
            .is_some_and(|awaited| self.sink.delivered >= awaited)
        {
            self.latencies.push(self.due.elapsed().as_nanos() as u64);
            self.due += WEBHOOK_EVERY;
            self.awaited = None;
        }
        if self.unanswered {
            let mut buf = [0; 4096];
            match self.line.read(&mut buf) {
                Ok(0) => return Err(io::Error::other("the server closed a kept-alive line")),
                Ok(read) => self.held.extend_from_slice(&buf[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if accepted_complete(&self.held, &[202])?.is_some() {
                self.held.clear();
                self.unanswered = false;
            }
        }
        if !self.unanswered && self.awaited.is_none() && Instant::now() >= self.due {
            self.line.write_all(&self.request)?;
            self.unanswered = true;
            self.awaited = Some(self.sink.delivered + 1);
        }
        Ok(())
    }
}
