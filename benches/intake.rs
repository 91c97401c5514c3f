//! What a message costs inside the engine, without a socket: allocations for the law (no more than
//! the stored message, or it exits 1), nanoseconds and, where valgrind is, instructions for people.
//! `cargo bench --bench intake` measures; under `cargo test` it runs a few rounds and only counts.

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
/// Rounds before counting, so that every buffer has its size and as many messages are remembered as
/// ever will be.
const WARM: u64 = 1_200;

/// A path through the engine: its name, what it may allocate a round, and the round.
type Path = (&'static str, u64, fn() -> Box<dyn FnMut()>);

/// The stored message is its own memory, its body's frame, and the names of its topics. What a
/// target answered is three more on its way to the store: head, body, and what holds them.
const PATHS: &[Path] = &[
    ("turn with nothing to do", 0, idle_turn),
    ("GET /health on a kept-alive line", 0, health),
    ("message for a topic nobody reads, to its 202", 3, topic),
    ("webhook, from its request to the target's 200", 5, webhook),
    // Beside those: the secret's text, its keys, and what holds them; the text of its options that
    // the message keeps, and what holds that.
    ("signed webhook, the same way", 11, signed),
    ("message to 100 streams, frame included", 4, fan_out),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--rounds") {
        let number = |place: usize| args.get(place).and_then(|text| text.parse::<u64>().ok());
        if let (Some(path), Some(rounds)) = (number(at + 1), number(at + 2)) {
            let mut round = PATHS[path as usize].2();
            (0..rounds).for_each(|_| round());
        }
        return ExitCode::SUCCESS;
    }
    let measured = args.iter().any(|arg| arg == "--bench");
    let rounds: u64 = if measured { 200_000 } else { 500 };
    let mut clean = true;
    println!(
        "{:<50} {:>8} {:>12} {:>13}",
        "path", "ns", "allocations", "instructions"
    );
    for (place, (name, allowed, make)) in PATHS.iter().enumerate() {
        let mut round = make();
        (0..WARM).for_each(|_| round());
        let start = Instant::now();
        let (allocations, ()) = alloc::allocations_of(|| (0..rounds).for_each(|_| round()));
        let ns = start.elapsed().as_nanos() as u64 / rounds;
        let each = allocations as f64 / rounds as f64;
        // A ring or a list that doubles once more is no allocation per round.
        let over = allocations > allowed * rounds + rounds / 20;
        clean &= !over;
        let verdict = if over {
            format!("  MORE THAN {allowed}")
        } else {
            String::new()
        };
        let (ns, instructions) = match measured {
            true => (ns.to_string(), instructions(place)),
            false => ("-".into(), "-".into()),
        };
        println!("{name:<50} {ns:>8} {each:>12.2} {instructions:>13}{verdict}");
    }
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Instructions of one round: the difference of two runs under callgrind, which counts the same
/// for the same binary whatever else the machine does.
fn instructions(path: usize) -> String {
    let count = |rounds: u64| {
        let me = std::env::current_exe().ok()?;
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(me)
            .args(["--rounds", &path.to_string(), &rounds.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    match (count(1_000), count(3_000)) {
        (Some(few), Some(many)) => (many.saturating_sub(few) / 2_000).to_string(),
        _ => "no valgrind".into(),
    }
}

/// An engine with a store in memory and the time going on by 100 µs a turn.
struct Bench {
    engine: Engine,
    now: Now,
    connects: Vec<Key>,
}

impl Bench {
    fn new() -> Bench {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_763_880_000_000_000),
        };
        let engine = Engine::new(Settings::default(), [3; 32], now);
        Bench {
            engine,
            now,
            connects: Vec::with_capacity(8),
        }
    }

    fn open(&mut self) -> Key {
        self.engine
            .opened(self.now, LOCAL)
            .unwrap_or_else(|_| unreachable!("there is room"))
    }

    /// The rest of a turn after its reads, as the shell does it. Bytes written on every line.
    fn turn(&mut self) -> usize {
        self.now.mono.0 += 100;
        self.now.wall.0 += 100;
        self.engine.tick(self.now);
        self.act();
        let mut bytes = 0;
        while let Some(key) = self.engine.next_dirty() {
            loop {
                let mut gather = Gather::new();
                self.engine.outgoing(key, &mut gather);
                let count = gather.bytes();
                if count == 0 {
                    break;
                }
                bytes += count;
                if !self.engine.wrote(self.now, key, count) {
                    break;
                }
            }
        }
        self.act();
        bytes
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(seq, _) => {
                    self.engine.stored(self.now, StoreDone::Durable(seq));
                }
                Action::Connect { key, .. } => {
                    self.connects.push(key);
                    self.engine.connected(self.now, key);
                }
                _ => {}
            }
        }
    }
}

fn post(body: &str) -> Vec<u8> {
    let head = "POST /dispatch HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

fn idle_turn() -> Box<dyn FnMut()> {
    let mut bench = Bench::new();
    bench.open();
    Box::new(move || {
        bench.turn();
    })
}

fn exchange(request: Vec<u8>, answer_bytes_min: usize) -> Box<dyn FnMut()> {
    let mut bench = Bench::new();
    let client = bench.open();
    Box::new(move || {
        bench.engine.received(bench.now, client, &request);
        bench.act();
        assert!(bench.turn() > answer_bytes_min, "no answer");
    })
}

fn health() -> Box<dyn FnMut()> {
    exchange(
        b"GET /health HTTP/1.1\r\nHost: localhost:8080\r\n\r\n".to_vec(),
        100,
    )
}

fn topic() -> Box<dyn FnMut()> {
    exchange(post("_topic=t&a=1&b=2&hello=world"), 200)
}

fn webhook() -> Box<dyn FnMut()> {
    delivery("_url=http%3A%2F%2F127.0.0.1%3A9000%2Fhook&a=1&b=2&hello=world")
}

fn signed() -> Box<dyn FnMut()> {
    delivery(
        "_url=http%3A%2F%2F127.0.0.1%3A9000%2Fhook&a=1&b=2&hello=world\
         &_secret=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    )
}

fn delivery(form: &str) -> Box<dyn FnMut()> {
    let mut bench = Bench::new();
    let client = bench.open();
    let request = post(form);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    Box::new(move || {
        bench.engine.received(bench.now, client, &request);
        bench.act();
        assert!(bench.turn() > 300, "no answer or no webhook");
        let target = bench.connects[0];
        bench.engine.received(bench.now, target, answer);
        bench.turn();
        assert_eq!(
            (bench.connects.len(), bench.engine.deliveries()),
            (1, 0),
            "not delivered"
        );
    })
}

fn fan_out() -> Box<dyn FnMut()> {
    let mut bench = Bench::new();
    for _ in 0..100 {
        let reader = bench.open();
        let request = b"GET /stream?topic=t HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
        bench.engine.received(bench.now, reader, request);
    }
    bench.turn();
    let client = bench.open();
    let request = post("_topic=t&a=1&b=2&hello=world");
    Box::new(move || {
        bench.engine.received(bench.now, client, &request);
        bench.act();
        assert!(bench.turn() > 100 * 28, "not everybody got it");
    })
}
