//! What must come of facts that are hard to bring about from outside: the engine alone, by hand.
use std::net::IpAddr;
use std::time::Duration;

use super::{Engine, STREAM_WRITES_MAX, Settings};
use crate::base::frame::Gather;
use crate::base::slab::Key;
use crate::base::time::{Mono, Now, Wall};
use crate::model::{Door, Visitor};
use crate::port::{Action, Ended, Seq, StoreDone, StoreOp};

mod about;
mod bounds;
pub(super) mod calls;
mod door;
mod flows;
mod hub;
mod notices;
mod once;
mod pages;
mod polls;
mod receipts;
mod topics;

/// Somebody on this machine, through a door for nobody else.
const NEAR: Visitor = Visitor {
    peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    door: Door::Loopback,
    secure: false,
};

/// An engine, the time, and what it wanted done.
struct World {
    /// Who opens lines.
    visitor: Visitor,
    engine: Engine,
    now: Now,
    /// Whether sockets take bytes.
    writable: bool,
    /// Whether the store answers.
    stores: bool,
    /// The ports that were called, in order.
    connects: Vec<u16>,
    /// Their lines.
    dialled: Vec<Key>,
    closed: Vec<Key>,
    /// Questions to name servers, in order.
    asked: Vec<(Key, Box<[u8]>)>,
    written: Vec<(Key, Vec<u8>)>,
    /// What the store was handed, in order.
    handed: Vec<(Seq, StoreOp)>,
}

impl World {
    /// Without backlogs, which would keep it from being idle for an hour.
    fn new(mut settings: Settings) -> World {
        // What topics keep for an hour would be left of every test.
        settings.topics.backlog_messages = 0;
        World::keeping(settings)
    }

    fn keeping(mut settings: Settings) -> World {
        assert!(settings.browsers.add_name("h"));
        let now = Now {
            mono: Mono(1_000_000),
            wall: Wall(1_763_880_000_000_000),
        };
        World {
            engine: Engine::new(settings, [1; 32], now),
            now,
            writable: true,
            visitor: NEAR,
            stores: true,
            connects: Vec::new(),
            dialled: Vec::new(),
            closed: Vec::new(),
            asked: Vec::new(),
            written: Vec::new(),
            handed: Vec::new(),
        }
    }

    fn open(&mut self) -> Key {
        self.engine.opened(self.now, self.visitor).expect("let in")
    }

    /// Bytes come from the peer, and the turn goes on to its end. What was written on the line.
    fn say(&mut self, key: Key, text: &str) -> String {
        self.written.clear();
        self.engine.received(self.now, key, text.as_bytes());
        self.turn();
        let of_line = self.written.iter().filter(|(line, _)| *line == key);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(wake) = self.engine.next_wake().filter(|wake| *wake <= end) {
            self.now.mono = self.now.mono.max(wake);
            self.turn();
        }
        self.now.mono = end;
        self.turn();
    }

    fn turn(&mut self) {
        self.act();
        self.engine.tick(self.now);
        self.act();
        self.write();
        self.act();
        self.engine.check();
    }

    /// The turn's end: what is to be written is, and what follows from it is done.
    fn write(&mut self) {
        while self.writable
            && let Some(key) = self.engine.next_dirty()
        {
            while self.write_some(key) {}
        }
    }

    /// Writes as much as one list holds; whether there is more.
    fn write_some(&mut self, key: Key) -> bool {
        let mut gather = Gather::new();
        self.engine.outgoing(key, &mut gather);
        let parts = gather.slices().iter().map(|part| part.to_vec());
        let bytes: Vec<u8> = parts.flatten().collect();
        if bytes.is_empty() {
            return false;
        }
        let more = self.engine.wrote(self.now, key, bytes.len());
        self.written.push((key, bytes));
        more
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Connect { key, addr, .. } => {
                    self.connects.push(addr.port());
                    self.dialled.push(key);
                }
                Action::Close { key } => self.closed.push(key),
                Action::Ask { key, packet, .. } => self.asked.push((key, packet)),
                Action::ReadNames => self.engine.names_conf(self.now, None, None),
                Action::Store(seq, op) => {
                    self.handed.push((seq, op));
                    if self.stores {
                        self.engine.stored(self.now, StoreDone::Durable(seq));
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn an_answer_goes_before_streams_and_many_streams_take_many_turns() {
    let mut world = World::new(Settings::default());
    for _ in 0..2 * STREAM_WRITES_MAX + 1 {
        let reader = world.open();
        world.say(reader, "GET /stream?topic=t HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    let publisher = world.open();
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12";
    let post = format!("POST /dispatch HTTP/1.1\r\nHost: h\r\n{form}\r\n\r\n_topic=t&a=1");
    assert!(world.say(publisher, &post).starts_with("HTTP/1.1 202 "));
    assert_eq!(world.written[0].0, publisher);
    assert_eq!(world.written.len(), 1 + STREAM_WRITES_MAX);
    for left in [STREAM_WRITES_MAX, 1, 0] {
        let wake = world.engine.next_wake();
        let at_once = wake.is_some_and(|wake| wake <= world.now.mono);
        assert_eq!(at_once, left > 0, "{left} left");
        world.written.clear();
        world.turn();
        assert_eq!(world.written.len(), left);
    }
}

#[test]
fn a_body_that_breaks_after_its_refusal_ends_the_line() {
    for rest in ["nonsense\r\n", "10001\r\n"] {
        let mut world = World::new(Settings::default());
        let key = world.open();
        let head = "POST /nowhere HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(world.say(key, head).starts_with("HTTP/1.1 404 "));
        world.say(key, rest);
        world.pass(Duration::from_secs(2));
        assert_eq!(world.closed, [key], "{rest:?}: the line is there for ever");
    }
}

#[test]
fn an_empty_line_begins_no_request() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    world.say(key, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n\r\n");
    world.pass(Duration::from_secs(30));
    let answer = world.say(key, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

#[test]
fn a_refused_request_of_no_bytes_leaves_an_idle_line() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    let head = "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    assert!(world.say(key, head).starts_with("HTTP/1.1 404 "));
    world.engine.drain(world.now);
    world.turn();
    assert!(world.engine.drained());
}

#[test]
fn a_drain_does_not_wait_for_more_requests_on_a_line_that_read_late() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    world.writable = false;
    world.say(key, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    world.engine.drain(world.now);
    world.turn();
    world.writable = true;
    world.turn();
    world.pass(Duration::from_secs(2));
    assert!(world.engine.drained());
    assert_eq!(world.closed, [key]);
}

#[test]
fn a_drain_does_not_wait_for_more_requests_after_a_body_that_was_skipped() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    world.say(
        key,
        "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1234",
    );
    world.engine.drain(world.now);
    world.say(key, "56789");
    world.pass(Duration::from_secs(2));
    assert!(world.engine.drained());
}

#[test]
fn a_place_that_a_write_frees_goes_to_the_call_that_waits_for_it() {
    let mut world = World::new(Settings {
        lines_max: 4,
        ..Settings::default()
    });
    let clients = [world.open(), world.open(), world.open()];
    let post = |port: u16| {
        format!(
            "POST /dispatch/http://127.0.0.1:{port}/ HTTP/1.1\r\n\
                Host: h\r\nContent-Length: 0\r\n\r\n"
        )
    };
    world.say(clients[0], &post(1));
    world.say(clients[0], &post(2));
    assert_eq!(world.connects.len(), 1, "the house is full");
    world.writable = false;
    world.say(clients[1], "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    world.engine.ended(world.now, clients[1], Ended::Finished);
    world.turn();
    world.writable = true;
    world.write();
    world.act();
    assert_eq!(world.closed, [clients[1]]);
    assert_eq!(world.connects.len(), 2, "nobody told the lane");
}

#[test]
fn an_answer_that_the_store_turned_into_a_refusal_is_counted_as_one() {
    use crate::base::stats::Counter;
    let mut world = World::new(Settings::default());
    world.stores = false;
    let key = world.open();
    world.say(
        key,
        "POST /dispatch?_topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    );
    world.engine.stored(world.now, StoreDone::Failed(1));
    world.turn();
    assert!(
        world
            .written
            .iter()
            .any(|(_, bytes)| bytes.starts_with(b"HTTP/1.1 503 "))
    );
    assert_eq!(world.engine.stats().get(Counter::RequestsRefused), 1);
}

#[test]
fn what_a_client_chose_the_size_of_is_on_the_account() {
    let long = "x".repeat(8_000);
    let waits = vec!["1s"; 64].join(",");
    let topics = format!("_topic={}", "t".repeat(1_000));
    let rows = [
        (
            format!("POST /dispatch/http://127.0.0.1:1/{long}"),
            String::new(),
            16_000,
        ),
        (
            format!("POST /dispatch/http://{long}@127.0.0.1:1/"),
            String::new(),
            10_000,
        ),
        (
            "POST /dispatch/http://127.0.0.1:1/".to_owned(),
            format!("Content-Type: a/b;c={long}\r\n"),
            8_000,
        ),
        (
            "POST /dispatch/http://127.0.0.1:1/".to_owned(),
            format!("Hookah-Retry-Schedule: {waits}\r\n"),
            1_024,
        ),
        (
            format!("POST /dispatch?_url=http://127.0.0.1:1/&{topics}"),
            String::new(),
            1_000,
        ),
    ];
    for (line, fields, bytes) in rows {
        let mut world = World::new(Settings::default());
        let key = world.open();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: h\r\nHookah-Delay: 1d\r\n{fields}Content-Length: 0\r\n\r\n"
        );
        let answer = world.say(key, &head);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        let held = world.engine.turn.memory.held();
        assert!(
            held >= 384 + bytes,
            "{held} bytes for {} {}",
            &head[..60],
            bytes
        );
    }
}

#[test]
fn frames_that_readers_took_in_part_count_against_the_bound_on_all() {
    use crate::base::stats::Counter;
    let mut world = World::new(Settings::default());
    let readers: Vec<Key> = (0..70)
        .map(|number| {
            let key = world.open();
            let head = format!("GET /stream?topic={number} HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(world.say(key, &head).starts_with("HTTP/1.1 200 "));
            key
        })
        .collect();
    let publisher = world.open();
    world.writable = false;
    let body = "x".repeat(1 << 20);
    for number in 0..70 {
        let head = format!(
            "POST /dispatch?_topic={number} HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        world.say(publisher, &format!("{head}{body}"));
        while let Some(key) = world.engine.next_dirty() {
            let mut gather = Gather::new();
            world.engine.outgoing(key, &mut gather);
            let bytes = match readers.contains(&key) {
                true => 1,
                false => gather.bytes(),
            };
            world.engine.wrote(world.now, key, bytes);
        }
        world.engine.check();
    }
    let ended = world.engine.stats().get(Counter::StreamsSlow);
    assert!(
        (6..20).contains(&ended),
        "{ended} of 70 readers of 1 MiB each ended"
    );
}

#[test]
fn a_place_that_a_dead_target_gives_up_goes_to_who_waits_longest() {
    let mut world = World::new(Settings {
        lines_max: 20,
        ..Settings::default()
    });
    let client = world.open();
    for port in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].repeat(3) {
        let head = format!(
            "POST /dispatch/http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: h\r\n\
             Hookah-Timeout: 1s\r\nHookah-Retries: 0\r\nContent-Length: 0\r\n\r\n"
        );
        world.say(client, &head);
    }
    let head =
        "POST /dispatch/http://127.0.0.1:99/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    world.say(client, head);
    assert!(!world.connects.contains(&99), "all places are taken");
    world.pass(Duration::from_millis(1_500));
    assert!(world.connects.contains(&99), "{:?}", world.connects);
}

/// A POST to /dispatch with these options, for a target on that port.
fn post(port: u16, options: &str) -> String {
    format!(
        "POST /dispatch/http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: h\r\n{options}\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn bytes_on_a_line_that_is_not_connected_end_its_attempt() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    world.say(client, &post(1, ""));
    world.say(world.dialled[0], "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(world.closed, [world.dialled[0]]);
    world.pass(Duration::from_secs(60));
    assert!(world.connects.len() > 1, "the delivery is stuck");
}

#[test]
fn where_an_attempt_is_sent_on_to_is_on_the_account() {
    use crate::base::stats::Counter;
    let mut world = World::new(Settings::default());
    let client = world.open();
    world.say(client, &post(1, "Hookah-Redirects: 2\r\n"));
    for hop in 0..2 {
        let line = world.dialled[hop];
        world.engine.connected(world.now, line);
        world.turn();
        let before = world.engine.stats().get(Counter::BytesHeld);
        let path = "x".repeat(2_000 * (2 - hop));
        let answer = format!(
            "HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:2/{path}\r\n\
             Connection: close\r\nContent-Length: 0\r\n\r\n"
        );
        world.say(line, &answer);
        assert_eq!(world.connects.len(), hop + 2, "not followed");
        let after = world.engine.stats().get(Counter::BytesHeld);
        match hop {
            0 => assert!(after >= before + 7_500, "{before} to {after}"),
            _ => assert!(after < before, "{before} to {after}: both are held"),
        }
    }
    world
        .engine
        .ended(world.now, world.dialled[2], Ended::Refused);
    world.turn();
    let back = world.engine.stats().get(Counter::BytesHeld);
    assert!(back < 8_000, "{back} bytes after the attempt");
}

#[test]
fn what_has_ended_of_a_message_on_its_way_is_given_back() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    let path = "x".repeat(4_000);
    let urls = format!("_url=http://127.0.0.1:1/{path}&_url=http://127.0.0.1:2/");
    world.say(
        client,
        &format!("POST /dispatch?{urls} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    );
    let line = world.dialled[0];
    world.engine.connected(world.now, line);
    world.turn();
    world.say(line, "HTTP/1.1 204 N\r\n\r\n");
    assert_eq!(world.engine.deliveries(), 1);
    let held = world.engine.turn.memory.held();
    assert!(held < 4_000, "{held}: the URL is the store's now");
}

#[test]
fn what_attempts_were_answered_is_held_until_it_lasts_and_no_longer() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    world.say(
        client,
        &post(1, "Hookah-Retries: 40\r\nHookah-Retry-Schedule: 1s\r\n"),
    );
    let field = "x".repeat(4_000);
    for attempt in 0..32 {
        let line = world.dialled[attempt];
        world.engine.connected(world.now, line);
        world.turn();
        let answer = format!(
            "HTTP/1.1 429 T\r\nX: {field}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        world.say(line, &answer);
        world.pass(Duration::from_secs(2));
    }
    assert_eq!(world.engine.deliveries(), 1);
    let held = world.engine.turn.memory.held();
    assert!(held < 4_000, "{held} bytes after thirty-two attempts");
}
