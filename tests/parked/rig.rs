//! An engine with a store that keeps what was flushed, and targets by port, all without a socket.
//! A crash takes the engine and what was not flushed; the store stays.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use hookah::base::frame::Gather;
use hookah::base::slab::Key;
use hookah::base::stats::Counter;
use hookah::base::time::{Mono, Now, Wall};
use hookah::engine::{Engine, Settings};
use hookah::model::record::Restored;
use hookah::model::{Door, Visitor};
use hookah::port::{Action, Ended, Seq, StoreDone, StoreOp};
use hookah::store::memory::Book;

const LOCAL: Visitor = Visitor {
    peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    door: Door::Loopback,
    secure: false,
};
/// Bytes that the store remembers of what has ended.
const BOOK_BYTES: u64 = 64 << 20;

/// What a target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It answers with this status.
    Answers(u16),
    /// It refuses connections.
    Refuses,
    /// It takes requests and says nothing.
    Hangs,
}

/// A request that a target got.
#[derive(Clone, Debug)]
pub struct Request {
    pub port: u16,
    pub at: Mono,
    pub text: String,
}

/// The engine, the store, the time.
pub struct Rig {
    pub engine: Engine,
    pub book: Book,
    pub now: Now,
    settings: Settings,
    /// What was handed over and not flushed.
    pending: VecDeque<(Seq, StoreOp)>,
    /// Whether the store flushes at the end of a turn.
    pub flushes: bool,
    /// Operations in the order in which they were handed over.
    pub handed: Vec<String>,
    targets: BTreeMap<u16, Target>,
    /// Where outbound lines lead.
    lines: BTreeMap<Key, u16>,
    asked: Vec<Key>,
    refused: Vec<Key>,
    pub requests: Vec<Request>,
    answers: Vec<(Key, Vec<u8>)>,
    epoch: u8,
}

/// Settings for a store that keeps what it is given.
pub fn durable() -> Settings {
    let mut settings = Settings {
        volatile: false,
        ..Settings::default()
    };
    settings.dispatch.jitter_percent = 0;
    assert!(settings.browsers.add_name("h"));
    settings.topics.backlog_messages = 0;
    settings
}

impl Rig {
    /// A server that has never run before, and is ready.
    pub fn new(settings: Settings) -> Rig {
        let mut rig = Rig::starting(settings);
        rig.ready();
        rig
    }

    /// The same before its store has said anything.
    pub fn starting(settings: Settings) -> Rig {
        let now = Now {
            mono: Mono(5_000_000),
            wall: Wall(1_767_323_045_000_000),
        };
        Rig {
            engine: Engine::new(settings.clone(), [7; 32], now),
            book: Book::new(BOOK_BYTES),
            now,
            settings,
            pending: VecDeque::new(),
            flushes: true,
            handed: Vec::new(),
            targets: BTreeMap::new(),
            lines: BTreeMap::new(),
            asked: Vec::new(),
            refused: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            epoch: 7,
        }
    }

    /// The store says what there was, and that this was all.
    pub fn ready(&mut self) {
        let facts = self.book.restore(Wall(0), 1 << 20);
        self.tell(StoreDone::Restored(facts));
        self.tell(StoreDone::Ready);
        self.turn();
    }

    /// The process is killed, and another one starts after so long, on a clock that says `wall`.
    pub fn crash(&mut self, settings: Settings, wall: Wall) {
        self.now.mono.0 += 3_000_000;
        self.now.wall = wall;
        self.epoch += 1;
        self.settings = settings.clone();
        self.engine = Engine::new(settings, [self.epoch; 32], self.now);
        self.pending.clear();
        self.lines.clear();
        self.asked.clear();
        self.refused.clear();
    }

    /// A crash, and a start at once.
    pub fn restart(&mut self) {
        self.crash(self.settings.clone(), self.now.wall);
        self.ready();
    }

    pub fn target(&mut self, port: u16, target: Target) {
        self.targets.insert(port, target);
    }

    /// A fact from the store.
    pub fn tell(&mut self, done: StoreDone) {
        self.engine.stored(self.now, done);
        self.act();
    }

    /// What the server says to that.
    pub fn say(&mut self, text: &str) -> String {
        let key = self.engine.opened(self.now, LOCAL).expect("let in");
        self.answers.clear();
        self.engine.received(self.now, key, text.as_bytes());
        self.turn();
        self.turn();
        let of_line = self.answers.iter().filter(|(line, _)| *line == key);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        self.engine.ended(self.now, key, Ended::Reset);
        self.turn();
        String::from_utf8(bytes).unwrap()
    }

    pub fn get(&mut self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    /// A message for a target on that port, with these fields; what is answered.
    pub fn post(&mut self, port: u16, fields: &str) -> String {
        self.send(&format!("/dispatch/http://127.0.0.1:{port}/"), fields, "")
    }

    pub fn send(&mut self, path: &str, fields: &str, body: &str) -> String {
        let len = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{fields}");
        self.say(&format!("{head}Content-Length: {len}\r\n\r\n{body}"))
    }

    /// The same, which must be taken in.
    pub fn accepted(&mut self, port: u16, fields: &str) {
        let answer = self.post(port, fields);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }

    /// Time goes on, with a turn wherever the engine wants one.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        for _ in 0..1_000_000 {
            let wake = self.engine.next_wake().filter(|wake| *wake <= end);
            let Some(wake) = wake else {
                self.go_to(end);
                self.turn();
                if self.engine.next_wake().is_none_or(|wake| wake > end) {
                    return;
                }
                continue;
            };
            // A turn takes a little time.
            self.go_to(wake.max(self.now.mono + Duration::from_micros(200)));
            self.turn();
        }
        panic!("the engine spins");
    }

    fn go_to(&mut self, until: Mono) {
        let span = until.since(self.now.mono);
        self.now.mono = self.now.mono + span;
        self.now.wall = self.now.wall + span;
    }

    /// A turn of the loop, and all that follows from it at once.
    pub fn turn(&mut self) {
        loop {
            for line in std::mem::take(&mut self.refused) {
                self.engine.ended(self.now, line, Ended::Refused);
            }
            self.act();
            self.engine.tick(self.now);
            self.act();
            if self.flushes {
                self.flush();
            }
            self.act();
            self.write();
            self.act();
            self.answer();
            self.act();
            let stored = self.pending.is_empty() || !self.flushes;
            if stored && self.asked.is_empty() && self.refused.is_empty() {
                break;
            }
        }
        self.engine.check();
    }

    /// All that was handed over lasts from now on, and the engine hears of it.
    pub fn flush(&mut self) {
        let mut told = Vec::new();
        let mut last = None;
        while let Some((seq, op)) = self.pending.pop_front() {
            last = Some(seq);
            if let Some(done) = self.book.apply(self.now.wall, op) {
                told.extend([StoreDone::Durable(seq), done]);
                last = None;
            }
        }
        told.extend(last.map(StoreDone::Durable));
        for done in told {
            self.tell(done);
        }
    }

    /// The disk fails: messages that wait are lost, everything else the store still has.
    pub fn fail(&mut self) {
        let mut kept = VecDeque::new();
        let (mut last, mut lost) = (0, false);
        for (seq, op) in std::mem::take(&mut self.pending) {
            last = seq;
            match &op {
                StoreOp::Accept { promised, .. } => lost = !promised,
                StoreOp::Work(_) => {}
                _ => {
                    kept.push_back((seq, op));
                    continue;
                }
            }
            if !lost {
                kept.push_back((seq, op));
            }
        }
        self.pending = kept;
        self.tell(StoreDone::Failed(last));
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Connect { key, addr, .. } => {
                    self.lines.insert(key, addr.port());
                    match self.kind(addr.port()) {
                        Target::Refuses => self.refused.push(key),
                        _ => self.engine.connected(self.now, key),
                    }
                }
                Action::Close { key } => {
                    self.lines.remove(&key);
                    self.refused.retain(|line| *line != key);
                    self.asked.retain(|line| *line != key);
                }
                Action::Store(seq, op) => {
                    self.handed.push(format!("{op:?}"));
                    self.pending.push_back((seq, op));
                }
                _ => {}
            }
        }
    }

    fn kind(&self, port: u16) -> Target {
        let known = self.targets.get(&port).copied();
        known.unwrap_or(Target::Answers(200))
    }

    fn write(&mut self) {
        while let Some(key) = self.engine.next_dirty() {
            loop {
                let mut gather = Gather::new();
                self.engine.outgoing(key, &mut gather);
                let parts = gather.slices().iter().map(|part| part.to_vec());
                let bytes: Vec<u8> = parts.flatten().collect();
                if bytes.is_empty() {
                    break;
                }
                self.engine.wrote(self.now, key, bytes.len());
                match self.lines.get(&key) {
                    Some(port) => {
                        self.asked.push(key);
                        self.requests.push(Request {
                            port: *port,
                            at: self.now.mono,
                            text: String::from_utf8_lossy(&bytes).into_owned(),
                        });
                    }
                    None => self.answers.push((key, bytes)),
                }
            }
        }
    }

    fn answer(&mut self) {
        for key in std::mem::take(&mut self.asked) {
            let Some(port) = self.lines.get(&key) else {
                continue;
            };
            let text = self.requests.iter().rev().find(|it| it.port == *port);
            let challenge = text.and_then(|it| {
                let (_, rest) = it.text.split_once("hub.challenge=")?;
                rest.get(..43).map(str::to_owned)
            });
            if let Target::Answers(status) = self.kind(*port) {
                let body = challenge.unwrap_or_default();
                let len = body.len();
                let answer = format!("HTTP/1.1 {status} S\r\nContent-Length: {len}\r\n\r\n{body}");
                self.engine.received(self.now, key, answer.as_bytes());
            }
        }
    }

    pub fn stat(&self, counter: Counter) -> u64 {
        self.engine.stats().get(counter)
    }

    /// Deliveries in the store alone.
    pub fn stored(&self) -> u64 {
        self.stat(Counter::DeliveriesStored)
    }

    /// What the store would say of its lanes.
    pub fn lanes(&mut self) -> Vec<Restored> {
        let facts = self.book.restore(Wall(0), 0);
        let lanes = facts.into_iter();
        lanes
            .filter(|fact| matches!(fact, Restored::Lane(_)))
            .collect()
    }

    /// Requests that a port got.
    pub fn got(&self, port: u16) -> usize {
        self.requests.iter().filter(|it| it.port == port).count()
    }
}
