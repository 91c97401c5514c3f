//! What a stream costs inside the engine, without a socket: allocations a subscriber (none, or it
//! exits 1), bytes of an idle stream (less than a KiB, or it exits 1), and, where valgrind is,
//! instructions a subscriber and publish.
//! `cargo bench --bench fanout` measures; under `cargo test` it runs a few rounds and only counts.

#[path = "support/alloc.rs"]
mod alloc;

use std::net::IpAddr;
use std::process::{Command, ExitCode};
use std::time::Instant;

use hookah::base::frame::Gather;
use hookah::base::slab::Key;
use hookah::base::time::{Mono, Now, Wall};
use hookah::engine::{Engine, Settings};
use hookah::port::{Action, StoreDone};

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Streams on the topic, from none: what the publish itself costs.
const SIZES: [usize; 3] = [0, 100, 1_000];
/// Rounds before counting, so that every buffer has its size.
const WARM: u64 = 100;
/// An idle stream owns less than this in all (streams.md section 8).
const IDLE_BYTES_MAX: u64 = 1_024;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--rounds") {
        let number = |place: usize| args.get(place).and_then(|text| text.parse::<u64>().ok());
        if let (Some(streams), Some(rounds)) = (number(at + 1), number(at + 2)) {
            let mut bench = Bench::with(streams as usize);
            (0..rounds).for_each(|_| bench.round());
        }
        return ExitCode::SUCCESS;
    }
    let measured = args.iter().any(|arg| arg == "--bench");
    let idle = idle_bytes();
    let mut clean = idle < IDLE_BYTES_MAX;
    println!("an idle stream: {idle} bytes, of {IDLE_BYTES_MAX}");
    println!("a publish, and what each stream adds to it:");
    println!(
        "{:>8} {:>10} {:>12} {:>13}",
        "streams", "ns", "allocations", "instructions"
    );
    let mut base = None;
    for streams in SIZES {
        let cost = measure(streams, measured);
        let Some(base) = &base else {
            cost.show(streams);
            base = Some(cost);
            continue;
        };
        let added = cost.less(base, streams);
        added.show(streams);
        // The frame is the publish's own, and its topic's ring may grow once more.
        clean &= cost.allocations <= base.allocations + 2.0;
    }
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What a round costs.
struct Cost {
    ns: f64,
    allocations: f64,
    instructions: Option<f64>,
}

impl Cost {
    /// What is more than `base`, for each stream.
    fn less(&self, base: &Cost, streams: usize) -> Cost {
        let each = |cost: f64, base: f64| (cost - base) / streams as f64;
        let both = self.instructions.zip(base.instructions);
        Cost {
            ns: each(self.ns, base.ns),
            allocations: each(self.allocations, base.allocations),
            instructions: both.map(|(cost, base)| each(cost, base)),
        }
    }

    fn show(&self, streams: usize) {
        let instructions = self
            .instructions
            .map_or("-".into(), |count| format!("{count:.0}"));
        let (ns, allocations) = (self.ns, self.allocations);
        println!("{streams:>8} {ns:>10.0} {allocations:>12.3} {instructions:>13}");
    }
}

fn measure(streams: usize, measured: bool) -> Cost {
    let rounds = if measured { 2_000 } else { 20 };
    let mut bench = Bench::with(streams);
    (0..WARM).for_each(|_| bench.round());
    let start = Instant::now();
    let (allocations, ()) = alloc::allocations_of(|| (0..rounds).for_each(|_| bench.round()));
    Cost {
        ns: start.elapsed().as_nanos() as f64 / rounds as f64,
        allocations: allocations as f64 / rounds as f64,
        instructions: measured.then(|| instructions(streams)).flatten(),
    }
}

/// Instructions of one round: the difference of two runs under callgrind, which counts the same
/// for the same binary whatever else the machine does.
fn instructions(streams: usize) -> Option<f64> {
    let count = |rounds: u64| {
        let me = std::env::current_exe().ok()?;
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(me)
            .args(["--rounds", &streams.to_string(), &rounds.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    Some((count(300)? - count(100)?) / 200.0)
}

/// Bytes that an idle stream holds, and what the engine has reserved for each line it may take.
fn idle_bytes() -> u64 {
    const STREAMS: usize = 3_000;
    let live_with = |lines_max: usize, streams: usize| {
        let before = alloc::live_bytes();
        let _bench = Bench::bounded(lines_max, streams);
        alloc::live_bytes() - before
    };
    let lines_max = 2 * STREAMS;
    let empty = live_with(lines_max, 0);
    let reserved = empty - live_with(lines_max / 2, 0);
    (live_with(lines_max, STREAMS) - empty + reserved) / STREAMS as u64
}

/// An engine with a store in memory, its time going on by 100 µs a turn, and a publisher.
struct Bench {
    engine: Engine,
    now: Now,
    publisher: Key,
    request: Vec<u8>,
    streams: usize,
}

impl Bench {
    /// With so many streams on the one topic, which have got their heads.
    fn with(streams: usize) -> Bench {
        Bench::bounded(Settings::default().lines_max, streams)
    }

    /// The same with a bound on lines of all kinds.
    fn bounded(lines_max: usize, streams: usize) -> Bench {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_763_880_000_000_000),
        };
        let settings = Settings {
            lines_max,
            ..Settings::default()
        };
        let mut engine = Engine::new(settings, [3; 32], now);
        let body = "_topic=t&a=1&b=2&hello=world";
        let head = "POST /dispatch HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
        let publisher = open(&mut engine, now);
        let mut bench = Bench {
            engine,
            now,
            publisher,
            request: format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes(),
            streams,
        };
        for _ in 0..streams {
            let reader = open(&mut bench.engine, now);
            let request = b"GET /stream?topic=t HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
            bench.engine.received(now, reader, request);
            bench.turn();
        }
        bench
    }

    /// One message, from its request to the last stream.
    fn round(&mut self) {
        let (now, publisher) = (self.now, self.publisher);
        self.engine.received(now, publisher, &self.request);
        self.act();
        let mut lines = self.turn();
        while self
            .engine
            .next_wake()
            .is_some_and(|wake| wake <= self.now.mono)
        {
            lines += self.turn();
        }
        assert_eq!(lines, 1 + self.streams, "the answer, and every stream once");
    }

    /// The rest of a turn after its reads, as the shell does it; how many lines were written.
    fn turn(&mut self) -> usize {
        self.now.mono.0 += 100;
        self.now.wall.0 += 100;
        self.engine.tick(self.now);
        self.act();
        let mut lines = 0;
        while let Some(key) = self.engine.next_dirty() {
            loop {
                let mut gather = Gather::new();
                self.engine.outgoing(key, &mut gather);
                let count = gather.bytes();
                if count == 0 {
                    break;
                }
                lines += 1;
                if !self.engine.wrote(self.now, key, count) {
                    break;
                }
            }
        }
        self.act();
        lines
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            if let Action::Store(seq, _) = action {
                self.engine.stored(self.now, StoreDone::Durable(seq));
            }
        }
    }
}

fn open(engine: &mut Engine, now: Now) -> Key {
    engine
        .opened(now, LOCAL)
        .unwrap_or_else(|_| unreachable!("there is room"))
}
