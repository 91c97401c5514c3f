//! What a bad neighbour costs a healthy origin, inside the engine and without a socket: a lane of
//! 10,000 waiting deliveries beside one that works. Virtual time is for the law (the healthy lane's
//! p99 may grow by a tenth at most, or it exits 1), nanoseconds are for people.
//! `cargo bench --bench lanes` measures; under `cargo test` it runs a few rounds.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Instant;

use hookah::base::frame::Gather;
use hookah::base::slab::Key;
use hookah::base::stats::Counter;
use hookah::base::time::{Mono, Now, Wall};
use hookah::engine::{Engine, Settings};
use hookah::port::{Action, Ended, StoreDone};

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Ports of the targets.
const HEALTHY: u16 = 9_000;
const BAD: u16 = 9_001;
/// A turn of the loop, in virtual microseconds.
const TURN: u64 = 500;

/// How the neighbour behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbour {
    None,
    /// Refuses connections.
    Dead,
    /// Connections hang.
    Blackhole,
    /// Takes requests and never answers.
    Silent,
}

const ROWS: &[(&str, Neighbour)] = &[
    ("alone", Neighbour::None),
    ("beside a dead origin", Neighbour::Dead),
    ("beside a black hole", Neighbour::Blackhole),
    ("beside one that never answers", Neighbour::Silent),
];

fn main() -> ExitCode {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let (waiting, rounds) = if measured {
        (10_000, 100_000)
    } else {
        (500, 300)
    };
    println!(
        "{:<32} {:>10} {:>10} {:>10} {:>10} {:>9} {:>8}",
        "a healthy origin", "virt. p50", "virt. p99", "ns p50", "ns p99", "connects", "waiting"
    );
    let mut alone = None;
    let mut clean = true;
    for (name, neighbour) in ROWS {
        let mut bench = Bench::new(*neighbour);
        bench.preload(if *neighbour == Neighbour::None {
            0
        } else {
            waiting
        });
        let (mut virt, mut real): (Vec<u64>, Vec<u64>) = (0..rounds).map(|_| bench.round()).unzip();
        let (half, tail) = (percentile(&mut virt, 50), percentile(&mut virt, 99));
        let alone = *alone.get_or_insert(tail);
        let over = tail * 10 > alone * 11;
        clean &= !over;
        let (ns_half, ns_tail) = match measured {
            true => (
                percentile(&mut real, 50).to_string(),
                percentile(&mut real, 99).to_string(),
            ),
            false => ("-".into(), "-".into()),
        };
        println!(
            "{name:<32} {half:>8}us {tail:>8}us {ns_half:>10} {ns_tail:>10} {:>9} {:>8}{}",
            bench.bad_connects,
            bench.engine.stats().get(Counter::CallsWaiting),
            if over { "  MORE THAN A TENTH" } else { "" }
        );
    }
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

struct Bench {
    engine: Engine,
    now: Now,
    neighbour: Neighbour,
    client: Key,
    /// Lines to the healthy origin that have a request.
    asked: Vec<Key>,
    /// Lines to either origin, by what they lead to.
    healthy: Vec<Key>,
    refused: Vec<Key>,
    bad_connects: usize,
}

impl Bench {
    fn new(neighbour: Neighbour) -> Bench {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_763_880_000_000_000),
        };
        let mut engine = Engine::new(Settings::default(), [3; 32], now);
        let client = engine
            .opened(now, LOCAL)
            .unwrap_or_else(|_| unreachable!("there is room"));
        Bench {
            engine,
            now,
            neighbour,
            client,
            asked: Vec::new(),
            healthy: Vec::new(),
            refused: Vec::new(),
            bad_connects: 0,
        }
    }

    /// That many deliveries to the neighbour, all due at once.
    fn preload(&mut self, count: usize) {
        let request = post(BAD);
        for _ in 0..count {
            self.engine.received(self.now, self.client, &request);
            self.act();
        }
        self.turn();
    }

    /// A webhook to the healthy origin, from its POST to the target's 200: how long until its
    /// request went out (virtual microseconds), and what all of it took (real nanoseconds).
    fn round(&mut self) -> (u64, u64) {
        let (start, began) = (Instant::now(), self.now.mono);
        self.engine.received(self.now, self.client, &post(HEALTHY));
        self.act();
        while self.asked.is_empty() {
            self.turn();
        }
        let waited = self.now.mono.since(began).as_micros() as u64;
        for line in std::mem::take(&mut self.asked) {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            self.engine.received(self.now, line, answer);
        }
        self.turn();
        (waited, start.elapsed().as_nanos() as u64)
    }

    /// A turn as the shell does it.
    fn turn(&mut self) {
        self.now.mono.0 += TURN;
        self.now.wall.0 += TURN;
        for line in std::mem::take(&mut self.refused) {
            self.engine.ended(self.now, line, Ended::Refused);
        }
        self.engine.tick(self.now);
        self.act();
        while let Some(key) = self.engine.next_dirty() {
            loop {
                let mut gather = Gather::new();
                self.engine.outgoing(key, &mut gather);
                let count = gather.bytes();
                if count == 0 {
                    break;
                }
                self.engine.wrote(self.now, key, count);
                if self.healthy.contains(&key) {
                    self.asked.push(key);
                }
            }
        }
        self.act();
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(seq, _) => {
                    self.engine.stored(self.now, StoreDone::Durable(seq));
                }
                Action::Connect { key, addr, .. } if addr.port() == HEALTHY => {
                    self.healthy.push(key);
                    self.engine.connected(self.now, key);
                }
                Action::Connect { key, .. } => {
                    self.bad_connects += 1;
                    match self.neighbour {
                        Neighbour::Dead => self.refused.push(key),
                        Neighbour::Silent => self.engine.connected(self.now, key),
                        Neighbour::Blackhole | Neighbour::None => {}
                    }
                }
                Action::Close { key } => self.healthy.retain(|line| *line != key),
                _ => {}
            }
        }
    }
}

fn post(port: u16) -> Vec<u8> {
    let body = format!("_url=http%3A%2F%2F127.0.0.1%3A{port}%2Fhook&a=1&b=2&hello=world");
    let head = "POST /dispatch HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}
