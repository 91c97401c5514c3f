//! Tests of flows: rows for each rule, and a random walk beside a model that remembers everything.

use std::time::Duration;

use super::*;
use crate::base::rng::Rng;
use crate::base::time::micros;

const SECOND: u64 = 1_000_000;

fn key(number: u32) -> Key {
    Key::from_bits(u64::from(number) << 32).unwrap()
}

fn rank(due: u64, message: u64) -> Rank {
    Rank {
        due: Mono(due),
        message,
        number: 1,
    }
}

fn says(message: u64, rate: Option<(u32, u64)>, parallelism: Option<u32>) -> Values {
    Values {
        message,
        rate: rate.map(|(count, seconds)| Rate {
            count,
            span: Duration::from_secs(seconds),
        }),
        parallelism,
        restored: false,
    }
}

/// Flows with their account, and members that have asked.
struct Bench {
    flows: Flows,
    memory: Ledger,
    now: Mono,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            flows: Flows::new(1, Mono(0)),
            memory: Ledger::new(1 << 30),
            now: Mono(0),
        }
    }

    fn join(&mut self, name: &str, values: Values) -> Key {
        let name = name.as_bytes();
        let joined = self.flows.join(&mut self.memory, self.now, name, values);
        joined.unwrap()
    }

    fn ask(&mut self, flow: Key, message: u64) {
        let rank = rank(self.now.0, message);
        let delivery = key(u32::try_from(message).unwrap());
        self.flows
            .ask(&mut self.memory, self.now, flow, rank, delivery);
    }

    /// Everybody who may go now, in that order.
    fn go(&mut self) -> Vec<u32> {
        self.flows.fired(&mut self.memory, self.now, 100);
        let next = || self.flows.next(&mut self.memory, self.now);
        let gone = std::iter::from_fn(next);
        let gone = gone.map(|key| (key.to_bits() >> 32) as u32).collect();
        self.flows.check();
        gone
    }

    fn began(&mut self, flow: Key) {
        self.flows.began(&mut self.memory, self.now, flow);
    }

    fn ended(&mut self, flow: Key) {
        self.flows
            .ended(&mut self.memory, self.now, flow, Stage::Active);
    }

    fn leave(&mut self, flow: Key, stood: Stage) {
        self.flows.leave(&mut self.memory, self.now, flow, stood);
    }
}

#[test]
fn a_burst_goes_at_once_and_the_rest_when_it_lies_a_span_back() {
    let mut bench = Bench::new();
    let flow = bench.join("a", says(1, Some((2, 10)), None));
    for message in 2..=5 {
        bench.join("a", says(message, None, None));
    }
    for message in 1..=5 {
        bench.ask(flow, message);
    }
    assert_eq!(bench.go(), [1, 2]);
    bench.began(flow);
    bench.now = Mono(3 * SECOND);
    // The second waits in its lane all the while; its span begins when it does.
    bench.began(flow);
    assert!(bench.go().is_empty(), "both count");
    assert_eq!(bench.flows.next_wake(), Some(Mono(10 * SECOND)));
    bench.now = Mono(10 * SECOND - 1);
    assert!(bench.go().is_empty());
    bench.now = Mono(10 * SECOND);
    assert_eq!(bench.go(), [3]);
    assert_eq!(bench.flows.next_wake(), Some(Mono(13 * SECOND)));
    bench.now = Mono(60 * SECOND);
    assert_eq!(bench.go(), [4], "what was let go and has not begun counts");
    assert_eq!(bench.flows.next_wake(), None, "no time helps");
    bench.leave(flow, Stage::Ready);
    assert_eq!(bench.go(), [5], "what never began does not");
}

#[test]
fn so_many_are_under_way_and_the_first_due_goes_first() {
    let mut bench = Bench::new();
    let flow = bench.join("a", says(1, None, Some(2)));
    for message in 2..=5 {
        bench.join("a", says(message, None, None));
    }
    for message in [4, 2, 5] {
        bench.ask(flow, message);
    }
    bench.now = Mono(1);
    bench.ask(flow, 1);
    assert_eq!(bench.go(), [2, 4]);
    bench.began(flow);
    bench.flows.again(flow);
    bench.began(flow);
    bench.ended(flow);
    assert_eq!(bench.go(), [5], "due before the older message");
    bench.leave(flow, Stage::Ready);
    assert_eq!(bench.go(), [1]);
}

#[test]
fn what_the_latest_message_says_holds_each_value_by_itself() {
    let mut bench = Bench::new();
    let flow = bench.join("a", says(7, Some((1, 10)), Some(1)));
    bench.join("a", says(9, Some((3, 10)), None));
    bench.join("a", says(8, Some((2, 10)), Some(5)));
    let view = bench.flows.view(flow).unwrap();
    let rate = view.rate.map(|rate| rate.to_string());
    assert_eq!(
        (rate.as_deref(), view.parallelism),
        (Some("3/10s"), Some(5))
    );
    for message in 1..=3 {
        bench.ask(flow, message);
    }
    assert_eq!(bench.go(), [1, 2, 3]);
    let other = bench.join("b", says(1, Some((1, 10)), None));
    bench.ask(other, 4);
    assert_eq!(bench.go(), [4], "another flow is another matter");
}

#[test]
fn a_flow_is_forgotten_with_its_last_member_and_the_end_of_its_span() {
    let mut bench = Bench::new();
    let plain = bench.join("a", says(1, None, Some(3)));
    bench.leave(plain, Stage::Away);
    assert_eq!((bench.flows.len(), bench.memory.held()), (0, 0));
    let flow = bench.join("b", says(2, Some((1, 10)), None));
    bench.ask(flow, 2);
    assert_eq!(bench.go(), [2]);
    bench.began(flow);
    bench.leave(flow, Stage::Active);
    assert_eq!(bench.flows.len(), 1, "its span is not over");
    let again = bench.join("b", says(3, None, None));
    bench.ask(again, 3);
    assert!(bench.go().is_empty());
    let rank = rank(0, 3);
    bench.leave(again, Stage::Waiting(rank));
    bench.now = Mono(10 * SECOND);
    assert_eq!(bench.flows.next_wake(), Some(bench.now));
    assert!(bench.go().is_empty());
    assert_eq!((bench.flows.len(), bench.memory.held()), (0, 0));
    assert_eq!(bench.flows.next_wake(), None);
}

#[test]
fn a_new_flow_has_room_while_there_are_not_too_many() {
    let mut bench = Bench::new();
    for number in 0..FLOWS_MAX {
        bench.join(&number.to_string(), says(1, None, Some(1)));
    }
    assert!(!bench.flows.has_room(b"another") && bench.flows.has_room(b"7"));
}

#[test]
fn after_a_restart_the_span_before_it_counts_as_used() {
    for (count, first, second) in [(10, 1, 1), (1_000, 15, 16)] {
        let mut bench = Bench::new();
        bench.flows.began = Mono(100 * SECOND);
        bench.now = Mono(100 * SECOND);
        let mut values = says(1, Some((count, 10)), None);
        values.restored = true;
        let flow = bench.join("a", values);
        for message in 2..=2_000 {
            bench.join("a", values);
            bench.ask(flow, message);
        }
        let part = 10 * SECOND / u64::from(count.min(64));
        assert!(bench.go().is_empty());
        bench.now = Mono(100 * SECOND + part);
        assert_eq!(bench.go().len(), first, "{count}");
        for _ in 0..first {
            bench.began(flow);
        }
        bench.now = Mono(100 * SECOND + 2 * part);
        assert_eq!(bench.go().len(), second, "{count}");
    }
}

/// What a walk does with one delivery.
#[derive(Clone, Copy, Debug)]
struct Walker {
    key: u32,
    stage: Stage,
}

/// One flow beside a list of all that began.
struct Walk {
    bench: Bench,
    rng: Rng,
    rate: Option<Rate>,
    parallelism: u32,
    flow: Key,
    walkers: Vec<Walker>,
    began: Vec<u64>,
    /// When one began last, or nearly did.
    last: u64,
    next: u32,
}

impl Walk {
    fn new(seed: u8) -> Walk {
        let mut rng = Rng::new([seed; 32]);
        let mut bench = Bench::new();
        let count = [1, 2, 3, 10, 64, 65, 200][rng.below(7) as usize];
        let span = Duration::from_micros([100_000, 1_000_000, 60_000_000][rng.below(3) as usize]);
        let rate = (rng.below(5) > 0).then_some(Rate { count, span });
        let parallelism = [1, 2, 7, 300][rng.below(4) as usize];
        let values = Values {
            message: 1,
            rate,
            parallelism: Some(parallelism),
            restored: false,
        };
        let flow = bench.join("walk", values);
        Walk {
            bench,
            rng,
            rate,
            parallelism,
            flow,
            walkers: Vec::new(),
            began: Vec::new(),
            last: 0,
            next: 0,
        }
    }

    fn count(&self, is: impl Fn(Stage) -> bool) -> usize {
        self.walkers
            .iter()
            .filter(|walker| is(walker.stage))
            .count()
    }

    fn pick(&mut self, is: impl Fn(Stage) -> bool) -> Option<usize> {
        let places: Vec<usize> = (0..self.walkers.len())
            .filter(|place| is(self.walkers[*place].stage))
            .collect();
        let place = self.rng.below(places.len().max(1) as u64) as usize;
        places.get(place).copied()
    }

    fn step(&mut self) {
        match self.rng.below(10) {
            0..=3 => {
                self.next += 1;
                let (key, stage) = (self.next, Stage::Away);
                self.walkers.push(Walker { key, stage });
                self.bench.join("walk", says(0, None, None));
            }
            4 => self.pass_time(),
            5 | 6 => self.begin(),
            7 | 8 => self.end(),
            _ => self.leave(),
        }
        if let Some(place) = self.pick(|stage| stage == Stage::Away) {
            let walker = &mut self.walkers[place];
            let rank = rank(self.bench.now.0, u64::from(walker.key));
            walker.stage = Stage::Waiting(rank);
            self.bench.ask(self.flow, u64::from(walker.key));
        }
        for gone in self.bench.go() {
            self.expect(gone);
        }
        self.expect_rest();
    }

    fn pass_time(&mut self) {
        let most = self.rate.map_or(SECOND, |rate| micros(rate.span));
        let span = self.rng.below(most / 3);
        let at = self.bench.now + Duration::from_micros(span);
        let wake = self.bench.flows.next_wake();
        self.bench.now = wake.filter(|wake| *wake < at).unwrap_or(at);
    }

    fn begin(&mut self) {
        if let Some(place) = self.pick(|stage| stage == Stage::Ready) {
            self.bench.began(self.flow);
            self.last = self.bench.now.0;
            self.began.push(self.bench.now.0);
            self.walkers[place].stage = Stage::Active;
        }
    }

    fn end(&mut self) {
        if let Some(place) = self.pick(|stage| stage == Stage::Active) {
            self.bench.ended(self.flow);
            self.walkers[place].stage = Stage::Away;
        }
    }

    fn leave(&mut self) {
        if let Some(place) = self.pick(|_| true) {
            let walker = self.walkers.swap_remove(place);
            self.bench.leave(self.flow, walker.stage);
        }
    }

    /// In the last span, with those that are about to.
    fn used(&self) -> u64 {
        let now = self.bench.now.0;
        let span = self.rate.map_or(0, |rate| micros(rate.span));
        let recent = self.began.iter().filter(|at| **at + span > now).count();
        (recent + self.count(|stage| stage == Stage::Ready)) as u64
    }

    /// It was the first of those that wait, and it was allowed.
    fn expect(&mut self, gone: u32) {
        let waits = |walker: &Walker| match walker.stage {
            Stage::Waiting(rank) => Some((rank, walker.key)),
            _ => None,
        };
        let first = self.walkers.iter().filter_map(waits).min();
        assert_eq!(first.map(|(_, key)| key), Some(gone), "out of turn");
        let busy = self.count(|stage| matches!(stage, Stage::Ready | Stage::Active));
        assert!(busy < self.parallelism as usize, "too many under way");
        if let Some(rate) = self.rate {
            assert!(self.used() < u64::from(rate.count), "too many in a span");
        }
        let mut walkers = self.walkers.iter_mut();
        let walker = walkers.find(|walker| walker.key == gone).unwrap();
        walker.stage = Stage::Ready;
    }

    /// Whoever waits still has a reason to, and is woken if that is time.
    fn expect_rest(&self) {
        let waiting = self.count(|stage| matches!(stage, Stage::Waiting(_)));
        let busy = self.count(|stage| matches!(stage, Stage::Ready | Stage::Active));
        if waiting == 0 || busy >= self.parallelism as usize {
            return;
        }
        let Some(rate) = self.rate else {
            panic!("nothing holds it");
        };
        let ready = self.count(|stage| stage == Stage::Ready) as u64;
        let wake = self.bench.flows.next_wake();
        if wake.is_none() {
            assert!(self.used() >= u64::from(rate.count) && ready > 0, "stuck");
        }
        if rate.count <= 64 {
            assert!(self.used() >= u64::from(rate.count), "held for nothing");
        }
        if let Some(wake) = wake {
            let latest = self.last + micros(rate.span) * 65 / 64;
            assert!(
                wake.0 > self.bench.now.0 && wake.0 <= latest,
                "woken at {wake:?}"
            );
        }
    }

    /// No span holds more than the rate allows.
    fn judge(&self) {
        let Some(rate) = self.rate else {
            return;
        };
        for (place, at) in self.began.iter().enumerate() {
            let until = at + micros(rate.span);
            let count = self.began[place..].iter().take_while(|at| **at < until);
            assert!(count.count() <= rate.count as usize, "from {at}");
        }
    }
}

#[test]
fn a_random_walk_never_passes_its_bounds_and_never_stops_for_nothing() {
    for seed in 0..60 {
        let mut walk = Walk::new(seed);
        for _ in 0..600 {
            walk.step();
        }
        walk.judge();
        assert!(walk.began.len() > 5, "{seed}: next to nothing began");
    }
}
