//! What it costs that a 202 lasts: intake and relay on the store of one file, beside the same in
//! memory and beside the floor; and how long a 202 takes, beside what the disk's own sync takes.
//! The store's file is in this bench's own directory: it is that disk which is measured.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Bench;
use crate::load;
use crate::server::Recipe;
use crate::streams::percentile;
use crate::sys::Epoll;
use crate::table::{Figure, Target};
use crate::wire::{accepted_complete, topic_post};

/// Lines of wrk: the bench's usual ones, and many.
const LINES: [usize; 2] = [64, 256];
/// Lines that post at a steady rate.
const PACED_LINES: usize = 64;
/// Syncs of the disk that are timed.
const SYNCS: usize = 300;
const STALL: Duration = Duration::from_secs(10);

/// What the figures need.
pub struct Ground<'a> {
    memory: &'a Recipe,
    floor: &'a Recipe,
    lasting: Recipe,
    file: PathBuf,
}

/// Requests per second and CPU microseconds each.
type Rates = [f64; 2];

impl<'a> Ground<'a> {
    pub fn new(program: PathBuf, memory: &'a Recipe, floor: &'a Recipe, dir: &Path) -> Ground<'a> {
        let file = dir.join("lasting.db");
        let store = format!("sqlite:{}", file.display());
        let args = ["--port", "0", "--store", &store];
        Ground {
            memory,
            floor,
            lasting: Recipe::told("lasting", program, &args, dir),
            file,
        }
    }

    /// All runs, each kind by turns with what stands beside it.
    pub fn figures(&self, bench: &mut Bench<'_>) -> Vec<Figure> {
        let mut intake: Vec<[Figure; 2]> = LINES.map(intake_rows).into();
        let mut relay = [
            Figure::new("lasting relay, webhooks per second", "floor", Target::None),
            Figure::new(
                "lasting relay, CPU us per webhook",
                "floor",
                Target::RatioAtMost(2.5),
            ),
        ];
        let mut waits = [
            Figure::new("one line, p50 of a 202, ms", "sync", Target::None),
            Figure::new("one line, p99 of a 202, ms", "sync", Target::None),
            Figure::new("half load, p50 of a 202, ms", "sync", Target::None),
            Figure::new("half load, p99 of a 202, ms", "sync", Target::AtMost(5.0)),
        ];
        for run in 0..bench.options.runs {
            eprintln!("peers: lasting, run {} of {}", run + 1, bench.options.runs);
            let mut full = 0.0;
            for (rows, lines) in intake.iter_mut().zip(LINES) {
                let pair = by_turns(bench, run, |bench, own| self.intake(bench, own, lines));
                full = pair.0.map_or(full, |rates| rates[0]);
                push(rows, pair);
            }
            let pair = by_turns(bench, run, |bench, own| self.relay(bench, own));
            push(&mut relay, pair);
            match self.waits(bench, full / 2.0) {
                Ok((own, disk)) => push(&mut waits, (Some(own), Some(disk))),
                Err(error) => bench.note(format!("lasting: {error}")),
            }
        }
        let intake = intake.into_iter().flatten();
        intake.chain(relay).chain(waits).collect()
    }

    /// A fresh store, or the other server.
    fn recipe<'r>(&'r self, own: bool, beside: &'r Recipe) -> io::Result<&'r Recipe> {
        if !own {
            return Ok(beside);
        }
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let mut name = self.file.clone().into_os_string();
            name.push(suffix);
            match fs::remove_file(name) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(&self.lasting)
    }

    fn intake(&self, bench: &mut Bench<'_>, own: bool, lines: usize) -> io::Result<Rates> {
        let server = self.recipe(own, self.memory)?.start(bench.core)?;
        let wrk = bench.wrk.as_ref();
        let wrk = wrk.ok_or_else(|| io::Error::other("intake needs wrk"))?;
        wrk.post(server.port, lines, 1)?;
        let before = server.cpu_seconds()?;
        let counted = wrk.post(server.port, lines, bench.options.seconds)?;
        let cpu = server.cpu_seconds()? - before;
        let (requests, seconds) = (counted.requests, counted.seconds);
        Ok([requests / seconds, cpu * 1e6 / requests])
    }

    fn relay(&self, bench: &mut Bench<'_>, own: bool) -> io::Result<Rates> {
        let (lines, count) = (bench.options.connections, bench.options.count);
        bench.sink.clear()?;
        let server = self.recipe(own, self.floor)?.start(bench.core)?;
        load::run(server.port, &mut bench.sink, lines, count / 10)?;
        let before = server.cpu_seconds()?;
        let relayed = load::run(server.port, &mut bench.sink, lines, count)?;
        let cpu = server.cpu_seconds()? - before;
        Ok([count as f64 / relayed.seconds, cpu * 1e6 / count as f64])
    }

    /// How long a 202 takes on one line, and on many of which all together post so many a second;
    /// and the disk's own syncs at the same time of day.
    fn waits(&self, bench: &mut Bench<'_>, per_second: f64) -> io::Result<([f64; 4], [f64; 4])> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        let disk = syncs(dir)?;
        let server = self.recipe(true, self.memory)?.start(bench.core)?;
        let seconds = Duration::from_secs(bench.options.seconds);
        let one = Paced::open(server.port, 1)?.run(f64::INFINITY, seconds)?;
        let half = Paced::open(server.port, PACED_LINES)?.run(per_second, seconds)?;
        Ok((
            [one[0], one[1], half[0], half[1]],
            [disk[0], disk[1], disk[0], disk[1]],
        ))
    }
}

fn intake_rows(lines: usize) -> [Figure; 2] {
    let target = match lines {
        256 => Target::RatioAtLeast(0.6),
        _ => Target::None,
    };
    let name = |what: &str| format!("lasting intake, {lines} lines, {what}");
    [
        Figure::new(name("requests per second"), "memory", target),
        Figure::new(name("CPU us per request"), "memory", Target::None),
    ]
}

/// One run of ours and one of what stands beside it, each first in every second run.
fn by_turns<T>(
    bench: &mut Bench<'_>,
    run: usize,
    job: impl Fn(&mut Bench<'_>, bool) -> io::Result<T>,
) -> (Option<T>, Option<T>) {
    let mut values = [None, None];
    for turn in [run % 2, (run + 1) % 2] {
        match job(bench, turn == 0) {
            Ok(value) => values[turn] = Some(value),
            Err(error) => bench.note(format!("lasting: {error}")),
        }
    }
    let [own, beside] = values;
    (own, beside)
}

fn push<const N: usize>(rows: &mut [Figure; N], pair: (Option<[f64; N]>, Option<[f64; N]>)) {
    for (nth, row) in rows.iter_mut().enumerate() {
        let value = |of: Option<[f64; N]>| of.map(|of| of[nth]);
        row.runs.push((value(pair.0), value(pair.1)));
    }
}

/// p50 and p99 in milliseconds of a write of 4 KiB and its sync, as a commit does them.
fn syncs(dir: &Path) -> io::Result<[f64; 2]> {
    let path = dir.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(both(&times))
}

fn both(times: &[Duration]) -> [f64; 2] {
    let nanos = |span: &Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let mut sorted: Vec<u64> = times.iter().map(nanos).collect();
    sorted.sort_unstable();
    [percentile(&sorted, 50) / 1e6, percentile(&sorted, 99) / 1e6]
}

/// Lines that post at a rate of their own, whatever the answers do: a late answer makes the next
/// post of its line late, and that counts as waiting.
struct Paced {
    epoll: Epoll,
    lines: Vec<Line>,
    request: Vec<u8>,
}

struct Line {
    stream: TcpStream,
    answer: Vec<u8>,
    /// When the post under way was due.
    due: Option<Instant>,
}

impl Paced {
    fn open(port: u16, count: usize) -> io::Result<Paced> {
        let mut paced = Paced {
            epoll: Epoll::new()?,
            lines: Vec::new(),
            request: topic_post(port),
        };
        for token in 0..count {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            paced.epoll.add_edge(&stream, token)?;
            paced.lines.push(Line {
                stream,
                answer: Vec::with_capacity(1024),
                due: None,
            });
        }
        Ok(paced)
    }

    /// Posts for so long; p50 and p99 in milliseconds from when a post was due to its 202.
    fn run(&mut self, per_second: f64, span: Duration) -> io::Result<[f64; 2]> {
        let every = Duration::from_secs_f64(1.0 / per_second);
        let started = Instant::now();
        let (mut times, mut next, mut moved) = (Vec::new(), started, started);
        let mut resting: Vec<usize> = (0..self.lines.len()).rev().collect();
        while started.elapsed() < span || resting.len() < self.lines.len() {
            let now = Instant::now();
            while now >= next
                && started.elapsed() < span
                && let Some(token) = resting.pop()
            {
                let line = &mut self.lines[token];
                line.stream.write_all(&self.request)?;
                // Without a pace of its own it is due when it is sent.
                line.due = Some(if every.is_zero() { now } else { next });
                next += every;
            }
            for nth in 0..self.epoll.wait(i32::from(every.is_zero()))? {
                let token = self.epoll.token(nth);
                if let Some(waited) = self.lines[token].read()? {
                    times.push(waited);
                    resting.push(token);
                    moved = Instant::now();
                }
            }
            if moved.elapsed() > STALL {
                return Err(io::Error::other("answers do not come any more"));
            }
        }
        Ok(both(&times))
    }
}

impl Line {
    /// How long the answer took, once it is whole.
    fn read(&mut self) -> io::Result<Option<Duration>> {
        let mut buf = [0; 4096];
        match self.stream.read(&mut buf) {
            Ok(0) => return Err(io::Error::other("the server closed a kept-alive line")),
            Ok(read) => self.answer.extend_from_slice(&buf[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        if accepted_complete(&self.answer, &[202])?.is_none() {
            return Ok(None);
        }
        self.answer.clear();
        Ok(self.due.take().map(|due| due.elapsed()))
    }
}
