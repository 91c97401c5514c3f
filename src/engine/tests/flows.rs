//! Queues and flows through the whole engine: what goes out, when, and what does not.

use super::*;
use crate::base::stats::Counter;

const SECOND: Duration = Duration::from_secs(1);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const ILL: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

/// A world whose targets are connected to at once, and answer when they are told to.
struct Street {
    world: World,
    client: Key,
    /// Requests that went out: when, in milliseconds, on which line, and their path.
    seen: Vec<(u64, Key, String)>,
    /// Those of them that were answered.
    answered: usize,
    dialled: usize,
}

impl Street {
    fn new() -> Street {
        let mut world = World::new(Settings::default());
        let client = world.open();
        Street {
            world,
            client,
            seen: Vec::new(),
            answered: 0,
            dialled: 0,
        }
    }

    /// A message for a path at a port.
    fn post(&mut self, port: u16, path: &str, options: &str) {
        let body = format!("_url=http://127.0.0.1:{port}/{path}&_retry_schedule=10s&a=1{options}");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let len = body.len();
        let head = format!("POST /dispatch HTTP/1.1\r\nHost: h\r\n{kind}\r\nContent-Length: {len}");
        self.world.written.clear();
        let client = self.client;
        let answer = self.world.say(client, &format!("{head}\r\n\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        self.connect();
    }

    /// New lines are connected, and what goes out is seen.
    fn connect(&mut self) {
        loop {
            let client = self.client;
            for (line, bytes) in self.world.written.drain(..) {
                let text = String::from_utf8_lossy(&bytes);
                let path = text.split(' ').nth(1).filter(|_| line != client);
                if let Some(path) = path.filter(|path| path.starts_with('/')) {
                    let at = self.world.now.mono.0 / 1_000;
                    self.seen.push((at, line, path[1..].to_owned()));
                }
            }
            let Some(line) = self.world.dialled.get(self.dialled).copied() else {
                return;
            };
            self.dialled += 1;
            self.world.engine.connected(self.world.now, line);
            self.world.turn();
        }
    }

    /// What went out since this was last asked, with the second it went.
    fn news(&mut self, from: usize) -> Vec<(u64, &str)> {
        let new = self.seen[from..].iter();
        new.map(|(at, _, path)| ((at - 1_000) / 1_000, &**path))
            .collect()
    }

    /// The first request that was not answered is.
    fn answer(&mut self, text: &str) {
        let (_, line, _) = self.seen[self.answered];
        self.answered += 1;
        self.world.say(line, text);
        self.connect();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.world.now.mono + time;
        self.world.written.clear();
        loop {
            let wake = self.world.engine.next_wake().filter(|wake| *wake <= end);
            let step = wake.map_or(end, |wake| wake.max(self.world.now.mono));
            self.world.pass(step.since(self.world.now.mono));
            self.connect();
            if wake.is_none() {
                return;
            }
        }
    }

    fn count(&self, counter: Counter) -> u64 {
        self.world.engine.stats().get(counter)
    }

    /// Everything comes to rest, and nothing is left.
    fn rest(mut self) {
        self.world
            .engine
            .ended(self.world.now, self.client, Ended::Reset);
        self.pass(SECOND * 3_600);
        assert!(self.world.engine.is_idle(), "something is left");
    }
}

#[test]
fn a_queue_goes_one_by_one_in_the_order_of_acceptance_and_a_retry_holds_it() {
    let mut street = Street::new();
    street.post(9_001, "a", "&_queue=q");
    street.post(9_002, "b", "&_queue=q&_url=http://127.0.0.1:9003/c");
    street.post(9_001, "d", "&_queue=q");
    street.post(9_001, "other", "&_queue=r");
    street.post(9_001, "none", "");
    assert_eq!(street.news(0), [(0, "a"), (0, "other"), (0, "none")]);
    street.answer(ILL);
    street.answer(OK);
    street.answer(OK);
    street.pass(SECOND * 7);
    assert_eq!(street.news(3), [], "a retry holds the queue");
    street.pass(SECOND * 6);
    assert_eq!(street.seen[3].2, "a");
    street.answer(OK);
    assert_eq!(
        street.seen[4].2, "b",
        "another target of one message is the next"
    );
    street.answer("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        street.seen[5].2, "c",
        "what has failed for good lets the next go"
    );
    street.answer(OK);
    assert_eq!(street.seen[6].2, "d");
    street.answer(OK);
    assert_eq!(street.seen.len(), 7);
    street.rest();
}

#[test]
fn a_delayed_message_holds_its_queue_and_who_waits_behind_it_expires_on_time() {
    let mut street = Street::new();
    street.post(9_001, "late", "&_queue=q&_delay=20s");
    street.post(9_001, "short", "&_queue=q&_expires=5s");
    street.post(9_001, "later", "&_queue=q&_delay=30s");
    street.pass(SECOND * 4);
    assert_eq!(street.count(Counter::DeliveriesExpired), 0);
    street.pass(SECOND * 2);
    assert_eq!(street.count(Counter::DeliveriesExpired), 1);
    street.pass(SECOND * 15);
    assert_eq!(street.news(0), [(20, "late")]);
    street.answer(OK);
    street.pass(SECOND * 10);
    assert_eq!(
        street.news(1),
        [(30, "later")],
        "its own delay counts as well"
    );
    street.answer(OK);
    street.rest();
}

#[test]
fn a_head_that_expires_lets_the_next_go() {
    let mut street = Street::new();
    street.post(9_001, "a", "&_queue=q&_expires=5s");
    street.post(9_001, "b", "&_queue=q");
    street.answer(ILL);
    street.pass(SECOND * 6);
    assert_eq!(street.news(1), [(5, "b")]);
    street.answer(OK);
    street.rest();
}

#[test]
fn a_rate_lets_a_burst_go_and_then_as_many_in_each_span() {
    let mut street = Street::new();
    for path in ["a", "b", "c", "d", "e"] {
        street.post(9_001, path, "&_rate=2/10s");
    }
    street.post(9_001, "free", "");
    street.post(9_002, "elsewhere", "&_rate=2/10s");
    let first = [(0, "a"), (0, "b"), (0, "free"), (0, "elsewhere")];
    assert_eq!(street.news(0), first, "a flow holds nobody else");
    for _ in 0..4 {
        street.answer(OK);
    }
    street.pass(SECOND * 30);
    assert_eq!(street.news(4), [(10, "c"), (10, "d"), (20, "e")]);
    assert_eq!(street.count(Counter::FlowsWaiting), 0);
    for _ in 0..3 {
        street.answer(OK);
    }
    street.rest();
}

#[test]
fn a_key_is_shared_by_origins_and_its_latest_values_hold() {
    let mut street = Street::new();
    street.post(9_001, "a", "&_flow_key=k&_parallelism=1");
    street.post(9_002, "b", "&_flow_key=k");
    street.post(9_003, "c", "&_flow_key=k");
    assert_eq!(street.news(0), [(0, "a")]);
    street.answer(OK);
    assert_eq!(street.news(1), [(0, "b")]);
    street.post(9_004, "d", "&_flow_key=k&_parallelism=3");
    assert_eq!(street.news(2), [(0, "c"), (0, "d")]);
    for _ in 0..3 {
        street.answer(OK);
    }
    street.rest();
}

#[test]
fn what_a_flow_holds_uses_up_no_attempt_and_expires_on_time() {
    let mut street = Street::new();
    street.post(9_001, "a", "&_rate=1/1m");
    street.post(9_001, "b", "&_rate=1/1m&_expires=30s");
    street.post(9_001, "c", "&_rate=1/1m&_retries=0");
    street.answer(OK);
    street.pass(SECOND * 29);
    assert_eq!(street.count(Counter::FlowsWaiting), 2);
    assert_eq!(street.count(Counter::DeliveriesExpired), 0);
    street.pass(SECOND * 2);
    assert_eq!(street.count(Counter::DeliveriesExpired), 1);
    assert_eq!(street.count(Counter::Attempts), 1);
    street.pass(SECOND * 30);
    assert_eq!(street.news(1), [(60, "c")]);
    street.answer(OK);
    assert_eq!(street.count(Counter::DeliveriesDelivered), 2);
    street.rest();
}

#[test]
fn a_rate_counts_requests_however_long_a_lane_holds_them() {
    let mut street = Street::new();
    let steer = |verb| {
        let path = format!("/lanes/http%3A%2F%2F127.0.0.1%3A9001/{verb}");
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    };
    let client = street.client;
    street.world.say(client, &steer("pause"));
    for path in ["a", "b", "c", "d", "e"] {
        street.post(9_001, path, "&_rate=2/10s");
    }
    street.pass(SECOND * 50);
    assert_eq!(street.news(0), []);
    street.world.say(client, &steer("resume"));
    street.connect();
    assert_eq!(street.news(0), [(50, "a"), (50, "b")]);
    street.pass(SECOND * 9);
    assert_eq!(street.seen.len(), 2);
    street.pass(SECOND * 2);
    assert_eq!(street.news(2), [(60, "c"), (60, "d")]);
    street.answer(OK);
    street.pass(SECOND * 10);
    assert_eq!(street.seen.len(), 5);
    for _ in 0..4 {
        street.answer(OK);
    }
    street.rest();
}

#[test]
fn the_head_of_a_queue_waits_for_its_flow() {
    let mut street = Street::new();
    for path in ["a", "b", "c"] {
        street.post(9_001, path, "&_queue=q&_rate=1/10s");
    }
    street.post(9_001, "past", "&_queue=p&_flow_key=x&_rate=1/10s");
    assert_eq!(street.news(0), [(0, "a"), (0, "past")]);
    street.answer(OK);
    street.answer(OK);
    street.pass(SECOND * 22);
    assert_eq!(street.news(2), [(10, "b")]);
    street.answer(OK);
    assert_eq!(street.seen[3].2, "c", "its span was over long ago");
    street.answer(OK);
    street.rest();
}

#[test]
fn what_the_store_loses_leaves_its_queue() {
    let mut street = Street::new();
    street.world.stores = false;
    let world = &mut street.world;
    for path in ["a", "b"] {
        let body = format!("_url=http://127.0.0.1:9001/{path}&_queue=q&_rate=1/1m");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let head = format!("Host: h\r\n{kind}\r\nContent-Length: {}", body.len());
        world.say(
            street.client,
            &format!("POST /dispatch HTTP/1.1\r\n{head}\r\n\r\n{body}"),
        );
    }
    let all = world.engine.turn.handed.last();
    world.engine.stored(world.now, StoreDone::Failed(all));
    world.turn();
    assert_eq!(world.engine.dispatch.deliveries.queues().len(), 0);
    street.rest();
}

#[test]
fn a_queue_of_many_that_expire_together_ends_without_calling_anybody() {
    let mut street = Street::new();
    street.post(9_001, "head", "&_queue=q&_delay=60s");
    for _ in 0..3_000 {
        street.post(9_001, "x", "&_queue=q&_expires=50s");
    }
    street.post(9_001, "tail", "&_queue=q");
    street.pass(SECOND * 61);
    assert_eq!(street.count(Counter::DeliveriesExpired), 3_000);
    street.answer(OK);
    assert_eq!(street.news(0), [(60, "head"), (61, "tail")]);
    street.answer(OK);
    street.rest();
}
