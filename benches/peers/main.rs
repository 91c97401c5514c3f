//! Hookah beside its peers, in one run on one machine: intake beside nginx, the way from
//! accepted to delivered beside the least that a relay can do.
//! It never asserts: wall time is for people, and the table says what was reached.
//!
//! `cargo bench --bench peers [-- --runs 5 --connections 64 --count 200000 --seconds 4]`
//!
//! # What is measured
//! The server, with all its threads, is pinned to the last processor this process may use;
//! everything else (load, sink, wrk, this harness) to all the others. Runs are interleaved
//! and change their order, each on a freshly started server that was warmed up; the table has
//! the medians, and the ratio is the median, least and greatest of each run's own pair.
//!
//! * **intake**: wrk posts a form (`_topic=t&a=1&b=2…`, nobody listens to the topic) to
//!   `/dispatch`; beside nginx, one worker, `return 200`, no access log. A request per CPU
//!   second is what wrk counted divided by the server's `utime` + `stime`.
//! * **relay**: a load posts `_url=http://127.0.0.1:…&a=1…`, one request in flight on each of
//!   its kept-alive lines; a sink answers each webhook with 200 over lines that stay open.
//!   The run ends when all webhooks have arrived. Beside `floor.rs`: a bare epoll relay that
//!   parses nothing, with the same number and size of messages on both sides.
//! * **lasting**: intake and relay with the store in one file on this bench's disk, beside intake
//!   in memory and beside the floor; and how long a 202 takes on one line, and on 64 of them that
//!   post half of what they could, beside the disk's own time to sync 4 KiB.
//! * **tls**: the relay over https beside the relay over http, both by Hookah: on lines that
//!   stay open, and to a sink that closes after each answer, so that each webhook costs a
//!   connection, resumed where the session is known. A tenth of the count.
//! * **streams**: 1,000 and 10,000 readers of one topic on one thread, which publishes too, 1 and
//!   16 messages at a time between published and received by all. Beside `streams/floor.rs`, one
//!   write per message and stream; and beside nchan, chunked and as server-sent events. Every
//!   reader's messages and bytes are counted, some are read to the byte. Latency is from the
//!   post to the sampled readers; memory is what the server grew by while it was joined.
//! * **storm**: webhooks at a steady rate, each timed from when it was due to when the sink has
//!   it, while many streams get 15 messages a second; beside the same without streams.
//! * **start**: from the spawn to the line that says where it listens, and the memory that is
//!   resident then, with no connection yet; beside the floor, which shows what the machine
//!   asks of the smallest program of this kind.
//!
//! The two rows of bytes show whether the floor's messages are still as large as Hookah's.
//!
//! "busy" is the share of its processor that the server used: where it is below 1 the
//! other side was the bottleneck, a rate per second says little, and CPU per request counts.
//!
//! # What it needs
//! Linux. nginx and wrk (Debian: `nginx-light`, `wrk`) for intake, nchan (`libnginx-mod-nchan`)
//! for streams; without them that part is left out. Everything is on 127.0.0.1 with ports that
//! the kernel chooses, files are in a directory of its own under the temporary one, and all
//! children end with this process.
#![deny(unsafe_code)]

mod floor;
mod lasting;
mod load;
mod server;
mod sink;
mod streams;
mod sys;
mod table;
mod tls;
mod web;
mod wire;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use lexopt::{Arg, ValueExt};

use server::Recipe;
use sink::Sink;
use table::{Figure, Target};
use web::Wrk;

const HELP: &str = "\
Usage: cargo bench --bench peers [-- OPTIONS]
  --runs N         interleaved runs (5)
  --connections N  kept-alive lines of the load and of wrk (64)
  --count N        webhooks in a run (200000)
  --seconds N      how long wrk posts in a run, and how long a storm lasts (4)
  --starts N       starts that are timed (20)
  --streams N      readers (1000 and then 10000)
  --messages N     messages in a run of streams (for 200000 deliveries)
  --hookah PATH    another build of the server
  --only PART      start, intake, relay, lasting, tls, streams or storm";

/// How long a server that has just started is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(50);

struct Options {
    runs: usize,
    connections: usize,
    count: u64,
    seconds: u64,
    starts: usize,
    streams: Vec<usize>,
    messages: Option<usize>,
    hookah: PathBuf,
    only: Option<String>,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match args.as_slice() {
        [role, sink] if role == "floor" => match sink.to_str().and_then(|text| text.parse().ok()) {
            Some(sink) => floor::run(sink),
            None => Err(io::Error::other("floor wants the sink's port")),
        },
        [role] if role == "stream-floor" => streams::floor::run(),
        _ => match Options::parse(args) {
            Ok(Some(options)) => measure(&options),
            Ok(None) => {
                println!("{HELP}");
                Ok(())
            }
            Err(error) => Err(io::Error::other(format!("{error}\n{HELP}"))),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// `None` when help was asked for.
    fn parse(args: Vec<OsString>) -> Result<Option<Options>, lexopt::Error> {
        let mut options = Options {
            runs: 5,
            connections: 64,
            count: 200_000,
            seconds: 4,
            starts: 20,
            streams: vec![1000, 10_000],
            messages: None,
            hookah: PathBuf::from(env!("CARGO_BIN_EXE_hookah")),
            only: None,
        };
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("runs") => options.runs = parser.value()?.parse()?,
                Arg::Long("connections") => options.connections = parser.value()?.parse()?,
                Arg::Long("count") => options.count = parser.value()?.parse()?,
                Arg::Long("seconds") => options.seconds = parser.value()?.parse()?,
                Arg::Long("starts") => options.starts = parser.value()?.parse()?,
                Arg::Long("streams") => options.streams = vec![parser.value()?.parse_with(some)?],
                Arg::Long("messages") => options.messages = Some(parser.value()?.parse_with(some)?),
                Arg::Long("hookah") => options.hookah = parser.value()?.into(),
                Arg::Long("only") => options.only = Some(parser.value()?.parse_with(part)?),
                Arg::Long("help") => return Ok(None),
                // What cargo adds by itself.
                Arg::Long("bench") => {}
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }

    /// Whether `part` is to be measured.
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

impl fmt::Display for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options {
            runs,
            starts,
            connections,
            count,
            seconds,
            ..
        } = self;
        writeln!(out, "medians of {runs} runs and of {starts} starts")?;
        write!(
            out,
            "{connections} connections, {count} webhooks, {seconds} s of wrk and of a storm"
        )
    }
}

fn part(text: &str) -> Result<String, &'static str> {
    match text {
        "start" | "intake" | "relay" | "lasting" | "tls" | "streams" | "storm" => {
            Ok(text.to_owned())
        }
        _ => Err("start, intake, relay, lasting, tls, streams or storm"),
    }
}

fn some(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err("a number above 0"),
    }
}

struct Bench<'a> {
    options: &'a Options,
    core: usize,
    sink: Sink,
    wrk: Option<Wrk>,
    /// What could not be measured and why, each said once.
    notes: Vec<String>,
}

fn measure(options: &Options) -> io::Result<()> {
    let cores = sys::cores()?;
    let (core, others) = match cores.split_last() {
        Some((&core, [])) => (core, vec![core]),
        Some((&core, others)) => (core, others.to_vec()),
        None => return Err(io::Error::other("no processor to run on")),
    };
    sys::pin(&others)?;
    // Readers of ours are descriptors too; the servers inherit the limit.
    hookah::shell::raise_descriptors();
    let dir = env::temp_dir().join(format!("hookah-peers-{}", process::id()));
    fs::create_dir(&dir)?;
    let result = measure_in(&dir, options, core, &others);
    fs::remove_dir_all(&dir)?;
    result
}

fn measure_in(dir: &Path, options: &Options, core: usize, others: &[usize]) -> io::Result<()> {
    let wrk = Wrk::find(dir)?;
    let nginx = web::nginx(dir)?;
    let mut bench = Bench {
        options,
        core,
        sink: Sink::open()?,
        wrk,
        notes: Vec::new(),
    };
    if others == [core] {
        bench.note("only one processor: server and load share it".to_owned());
    }
    if options.wants("intake") && (bench.wrk.is_none() || nginx.is_none()) {
        bench.note("intake needs wrk and nginx: apt-get install wrk nginx-light".to_owned());
    }
    let sink = bench.sink.port.to_string();
    let floor = Recipe::told("floor", env::current_exe()?, &["floor", &sink], dir);
    let program = path::absolute(&options.hookah)?;
    let args = ["--port", "0", "--store", "memory"];
    let hookah = Recipe::told("hookah", program.clone(), &args, dir);
    let lasting = lasting::Ground::new(program.clone(), &hookah, &floor, dir);
    let secure = tls::Ground::new(program, &args, dir)?;
    // One that does not start now is not tried again: each try may take its whole time.
    let first = hookah.start(core);
    let hookah = match first {
        Ok(_) => Some(&hookah),
        Err(error) => {
            bench.note(error.to_string());
            None
        }
    };
    let mut figures = bench.figures(hookah, &floor, nginx.as_ref());
    if options.wants("lasting") && hookah.is_some() {
        figures.extend(lasting.figures(&mut bench));
    }
    if let Some(hookah) = hookah.filter(|_| options.wants("streams") || options.wants("storm")) {
        let ground = streams::Ground::new(&mut bench, hookah, dir)?;
        figures.extend(ground.figures(&mut bench));
    }
    if options.wants("tls") && hookah.is_some() {
        figures.extend(secure.figures(&mut bench));
    }
    println!("\nserver on processor {core}, everything else on {others:?}\n{options}\n");
    table::print(&figures);
    for note in &bench.notes {
        println!("note: {note}");
    }
    Ok(())
}

impl Bench<'_> {
    fn figures(
        &mut self,
        hookah: Option<&Recipe>,
        floor: &Recipe,
        nginx: Option<&Recipe>,
    ) -> Vec<Figure> {
        let mut start = [
            Figure::new("start to listening, ms", "floor", Target::AtMost(30.0)),
            Figure::new(
                "resident at start, KiB",
                "floor",
                Target::AtMost(6.0 * 1024.0),
            ),
        ];
        let mut intake = [
            Figure::new("intake, requests per second", "nginx", Target::None),
            Figure::new(
                "intake, requests per CPU second",
                "nginx",
                Target::RatioAtLeast(0.8),
            ),
            Figure::new("intake, busy", "nginx", Target::None),
        ];
        let mut relay = [
            Figure::new("relay, webhooks per second", "floor", Target::None),
            Figure::new(
                "relay, CPU us per webhook",
                "floor",
                Target::RatioAtMost(1.5),
            ),
            Figure::new("relay, busy", "floor", Target::None),
            Figure::new("relay, bytes of a 202", "floor", Target::None),
            Figure::new("relay, bytes of a webhook", "floor", Target::None),
        ];
        if self.options.wants("start") {
            for run in 0..self.options.starts {
                self.pair(run, &mut start, Self::start, hookah, Some(floor));
            }
        }
        for run in 0..self.options.runs {
            eprintln!("peers: run {} of {}", run + 1, self.options.runs);
            if self.options.wants("intake") && self.wrk.is_some() {
                self.pair(run, &mut intake, Self::intake, hookah, nginx);
            }
            if self.options.wants("relay") {
                self.pair(run, &mut relay, Self::relay, hookah, Some(floor));
            }
        }
        start
            .into_iter()
            .chain(intake)
            .chain(relay)
            .filter(|f| !f.runs.is_empty())
            .collect()
    }

    /// One run of Hookah and of the server beside it, one after the other, each first in
    /// every second run.
    fn pair<const N: usize>(
        &mut self,
        run: usize,
        figures: &mut [Figure; N],
        job: fn(&mut Self, &Recipe) -> io::Result<[f64; N]>,
        hookah: Option<&Recipe>,
        beside: Option<&Recipe>,
    ) {
        let mut values = [None, None];
        for turn in [run % 2, (run + 1) % 2] {
            if let Some(recipe) = [hookah, beside][turn] {
                match job(self, recipe) {
                    Ok(value) => values[turn] = Some(value),
                    Err(error) => self.note(format!("{}: {error}", recipe.name)),
                }
            }
        }
        for (nth, figure) in figures.iter_mut().enumerate() {
            figure
                .runs
                .push((values[0].map(|of| of[nth]), values[1].map(|of| of[nth])));
        }
    }

    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    fn start(&mut self, recipe: &Recipe) -> io::Result<[f64; 2]> {
        let server = recipe.start(self.core)?;
        thread::sleep(SETTLE);
        Ok([server.starting.as_secs_f64() * 1e3, server.resident_kib()?])
    }

    fn intake(&mut self, recipe: &Recipe) -> io::Result<[f64; 3]> {
        let wrk = self
            .wrk
            .as_ref()
            .ok_or_else(|| io::Error::other("wrk is not installed"))?;
        let server = recipe.start(self.core)?;
        wrk.post(server.port, self.options.connections, 1)?;
        let before = server.cpu_seconds()?;
        let counted = wrk.post(server.port, self.options.connections, self.options.seconds)?;
        let cpu = server.cpu_seconds()? - before;
        let (requests, seconds) = (counted.requests, counted.seconds);
        Ok([requests / seconds, requests / cpu, cpu / seconds])
    }

    fn relay(&mut self, recipe: &Recipe) -> io::Result<[f64; 5]> {
        let (connections, count) = (self.options.connections, self.options.count);
        self.sink.clear()?;
        let server = recipe.start(self.core)?;
        load::run(server.port, &mut self.sink, connections, count / 10)?;
        let before = server.cpu_seconds()?;
        let relayed = load::run(server.port, &mut self.sink, connections, count)?;
        let cpu = server.cpu_seconds()? - before;
        let (per_second, each_us) = (count as f64 / relayed.seconds, cpu * 1e6 / count as f64);
        let (answer, webhook) = (relayed.answer_bytes as f64, self.sink.webhook_bytes as f64);
        Ok([per_second, each_us, cpu / relayed.seconds, answer, webhook])
    }
}
