//! The conformance suite of queues: what every backend has to keep. A backend is one row of
//! `for_each`; what is parked comes back through the store, which the suite plays itself.

use std::collections::VecDeque;

use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::slab::Slab;
use crate::base::stats::Stats;
use crate::base::wheel::Wheel;
use crate::model::record::Parked;
use crate::port::{Action, Handed, StoreOp};

const MEMORY: u64 = 64 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// What the suite has to do for a backend besides the trait: its timers, and its way through the
/// store.
trait Backend: Queue {
    fn fire(&mut self, turn: &mut Turn, timer: Timer) -> Option<Key>;
    fn ask(&mut self, turn: &mut Turn);
    fn durable(&mut self, turn: &mut Turn, lane: u64, due: Mono);
    fn check(&self) -> u64;
}

impl Backend for Memory {
    fn fire(&mut self, turn: &mut Turn, timer: Timer) -> Option<Key> {
        match timer {
            Timer::Delivery(key) => {
                self.fired();
                return Some(key);
            }
            Timer::Far => while self.look_far(turn).is_some() {},
            Timer::Parked => self.lanes.fired(),
            _ => {}
        }
        None
    }

    fn ask(&mut self, turn: &mut Turn) {
        self.lanes.ask(turn);
    }

    fn durable(&mut self, turn: &mut Turn, lane: u64, due: Mono) {
        let mut parking = lanes::Parking::at(due, wall_at(turn.now, due));
        parking.add(turn, lane);
        self.lanes.durable(turn, &parking);
        turn.memory.give(parking.charged());
    }

    fn check(&self) -> u64 {
        Memory::check(self)
    }
}

struct Bench {
    queue: Box<dyn Backend>,
    turn: Turn,
    keys: Slab<()>,
}

/// Each backend, with a store that keeps what it is given and with one that does not.
fn for_each(test: impl Fn(Bench, bool)) {
    for keeps in [false, true] {
        let queue = Memory::new(lanes::Lanes::new(keeps, 1_000, 3));
        test(Bench::new(Box::new(queue)), keeps);
    }
}

fn turn() -> Turn {
    let now = Now {
        mono: Mono(1_000_000),
        wall: Wall(1_763_880_000_000_000),
    };
    Turn {
        now,
        wheel: Wheel::with_bound(1_000, now.mono),
        rng: Rng::new([7; 32]),
        stats: Stats::default(),
        memory: Ledger::new(MEMORY),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
        handed: Handed::default(),
    }
}

const SEAT: Seat = Seat {
    lane: 5,
    order: Order::Time,
    taken: false,
};

impl Bench {
    fn new(queue: Box<dyn Backend>) -> Bench {
        Bench {
            queue,
            turn: turn(),
            keys: Slab::with_bound(1_000),
        }
    }

    /// A delivery that is held.
    fn held(&mut self) -> Key {
        let entry = self
            .queue
            .submit(&mut self.turn, 5, Order::Time, Duration::ZERO);
        assert_eq!(entry, Entry::Held);
        self.keys.insert(()).unwrap()
    }

    fn later(&mut self, key: Key, wait: Duration, may_park: bool) -> Spot {
        let due = self.turn.now.mono + wait;
        self.queue.later(&mut self.turn, (key, SEAT), due, may_park)
    }

    /// Time goes on; what has come due, and when.
    fn pass(&mut self, time: Duration) -> Vec<(Key, Mono)> {
        let end = self.turn.now.mono + time;
        let mut due = Vec::new();
        self.queue.ask(&mut self.turn);
        while let Some(wake) = self.turn.wheel.next_wake().filter(|wake| *wake <= end) {
            self.turn.now.mono = self.turn.now.mono.max(wake);
            while let Some(timer) = self.turn.wheel.pop(self.turn.now.mono) {
                if let Some(key) = self.queue.fire(&mut self.turn, timer) {
                    self.queue.ready(key);
                }
            }
            self.queue.ask(&mut self.turn);
            due.extend(std::iter::from_fn(|| self.queue.take()).map(|key| (key, wake)));
            self.queue.check();
        }
        self.turn.now.mono = end;
        due
    }

    fn asked(&mut self) -> Vec<u64> {
        let actions = self.turn.actions.drain(..);
        actions
            .filter_map(|action| match action {
                Action::Store(_, StoreOp::Take { lane, .. }) => Some(lane),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn what_is_due_comes_at_once_and_in_the_order_in_which_it_came() {
    for_each(|mut bench, _| {
        let keys: Vec<Key> = (0..3).map(|_| bench.held()).collect();
        for key in &keys {
            assert_eq!(bench.later(*key, Duration::ZERO, true), Spot::Due);
            bench.queue.ready(*key);
        }
        let taken: Vec<Key> = std::iter::from_fn(|| bench.queue.take()).collect();
        assert_eq!(taken, keys);
        for _ in keys {
            bench.queue.done(&mut bench.turn, SEAT, true);
        }
        assert_eq!(bench.turn.memory.held(), 0, "nothing is left of it");
    });
}

#[test]
fn what_waits_comes_once_at_its_time_and_not_before() {
    for_each(|mut bench, _| {
        let waits = [30, 10, 59, 10, 3_600, 86_400].map(Duration::from_secs);
        let start = bench.turn.now.mono;
        let keys: Vec<Key> = waits
            .iter()
            .map(|wait| {
                let key = bench.held();
                let spot = bench.later(key, *wait, false);
                assert!(matches!(spot, Spot::Here(_)), "{spot:?}");
                key
            })
            .collect();
        let due = bench.pass(2 * Duration::from_secs(86_400));
        assert_eq!(due.len(), keys.len());
        for (key, at) in due {
            let place = keys.iter().position(|it| *it == key).unwrap();
            let wanted = start + waits[place];
            assert!(
                at >= wanted && at <= wanted + SECOND,
                "{at:?} for {wanted:?}"
            );
        }
        assert_eq!(bench.pass(Duration::from_secs(86_400)), []);
    });
}

#[test]
fn what_is_withdrawn_never_comes_and_leaves_nothing() {
    for_each(|mut bench, _| {
        for wait in [SECOND, Duration::from_secs(3_600)] {
            let key = bench.held();
            let Spot::Here(node) = bench.later(key, wait, false) else {
                unreachable!("it waits here");
            };
            let due = bench.turn.now.mono + wait;
            bench.queue.withdraw(&mut bench.turn, key, due, node);
            bench.queue.done(&mut bench.turn, SEAT, false);
        }
        assert!(bench.turn.wheel.is_empty());
        assert_eq!(bench.pass(Duration::from_secs(7_200)), []);
        assert_eq!(bench.turn.memory.held(), 0);
    });
}

#[test]
fn what_is_far_goes_to_a_store_that_keeps_and_is_asked_for_in_time() {
    for_each(|mut bench, keeps| {
        let hour = Duration::from_secs(3_600);
        let entry = bench.queue.submit(&mut bench.turn, 5, Order::Time, hour);
        if !keeps {
            return assert_eq!(entry, Entry::Held);
        }
        assert_eq!(entry, Entry::Parked);
        let due = bench.turn.now.mono + hour;
        bench.queue.durable(&mut bench.turn, 5, due);
        let key = bench.held();
        assert_eq!(bench.later(key, hour, true), Spot::Parked);
        assert_eq!(bench.turn.memory.held(), lanes::LANE_BYTES, "of one lane");
        bench.pass(hour - 2 * SECOND);
        assert_eq!(bench.asked(), [0_u64; 0], "too early");
        bench.pass(2 * SECOND);
        assert_eq!(bench.asked(), [5], "once, until it is answered");
    });
}

#[test]
fn in_a_lane_with_an_order_what_comes_later_stands_behind_what_is_parked() {
    for order in [Order::Accepted, Order::Noticed] {
        let mut queue = Memory::new(lanes::Lanes::new(true, 1_000, 3));
        let mut turn = turn();
        let parked = Parked {
            lane: 5,
            due: turn.now.wall + SECOND,
            count: 2,
        };
        queue.lanes.restore(&mut turn, &parked);
        let mut submit = |lane| queue.submit(&mut turn, lane, order, Duration::ZERO);
        assert_eq!(submit(5), Entry::Parked);
        assert_eq!(submit(6), Entry::Held);
    }
}
