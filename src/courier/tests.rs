//! Lanes from the outside: who starts, who waits, what is remembered, and the bounds on it.

use std::time::Duration;

use super::breaker::{Evidence, ROW_MAX, State};
use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::{Now, Wall};
use crate::base::wheel::Wheel;
use crate::model::{Room, Scheme};
use crate::port::Timer;

/// A courier with its turn, and owners to hand out.
struct World {
    courier: Courier,
    turn: Turn,
    owners: Slab<()>,
}

impl World {
    fn new(parallelism: u32, lines_max: usize, timers: usize) -> World {
        let settings = Settings {
            parallelism,
            ..Settings::default()
        };
        let now = Now {
            mono: Mono(1_000_000),
            wall: Wall(0),
        };
        World {
            courier: Courier::new(settings, lines_max, 7),
            turn: Turn {
                now,
                wheel: Wheel::with_bound(timers, now.mono),
                rng: Rng::new([7; 32]),
                stats: Stats::new(),
                memory: Ledger::new(1 << 20),
                actions: VecDeque::new(),
                dirty: VecDeque::new(),
                dirty_streams: VecDeque::new(),
                handed: crate::port::Handed::default(),
            },
            owners: Slab::with_bound(10_000),
        }
    }

    fn owner(&mut self) -> Owner {
        let (room, key) = (Room::Dispatch, self.owners.insert(()).unwrap());
        Owner { room, key }
    }

    fn enqueue(&mut self, port: u16) -> Key {
        let call = Call {
            owner: self.owner(),
            fresh: false,
            expires: self.turn.now.mono + Duration::from_secs(3_600),
        };
        let (turn, origin) = (&mut self.turn, origin(port));
        self.courier.enqueue(turn, &origin, call).unwrap()
    }

    /// Starts all that may start, each on a line of its own; their owners.
    fn pump(&mut self, lane: Key) -> Vec<Owner> {
        let mut started = Vec::new();
        while let Some(start) = self.courier.next(lane) {
            let (Start::On(_, call) | Start::Fresh(call)) = start;
            self.courier.started(lane, call.owner, true);
            started.push(call.owner);
        }
        self.courier.tidy(&mut self.turn, lane);
        self.courier.check();
        started
    }

    /// A call ends, and its line with it.
    fn end(&mut self, lane: Key, owner: Owner, evidence: Evidence) {
        self.courier.ended(&mut self.turn, lane, owner, evidence);
        self.courier.closed(lane, owner.key, true);
        self.courier.check();
    }

    /// A lane's breaker opens by as many calls as it takes.
    fn break_lane(&mut self, port: u16) -> Key {
        for _ in 0..ROW_MAX {
            let lane = self.enqueue(port);
            let owner = self.pump(lane)[0];
            self.end(lane, owner, Evidence::Ill);
        }
        let lane = *self.courier.by_origin.get(&origin(port)).unwrap();
        self.courier.tidy(&mut self.turn, lane);
        lane
    }

    /// Time goes on to the next timer; its lane, and who expired.
    fn wake(&mut self) -> Option<(Key, Vec<Owner>)> {
        // A wake may only move entries down a level of the wheel.
        let timer = loop {
            self.turn.now.mono = self.turn.wheel.next_wake()?;
            if let Some(timer) = self.turn.wheel.pop(self.turn.now.mono) {
                break timer;
            }
        };
        let Timer::Lane(lane) = timer else {
            panic!("another's timer")
        };
        let mut expired = Vec::new();
        self.courier.fired(&mut self.turn, lane, &mut expired);
        Some((lane, expired))
    }

    fn state(&self, lane: Key) -> State {
        self.courier.view(lane).unwrap().breaker
    }
}

fn origin(port: u16) -> Origin {
    Origin {
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        port,
    }
}

#[test]
fn a_lane_is_as_wide_as_its_parallelism_and_a_tenth_of_all_lines() {
    for (parallelism, lines_max, expected) in [
        (64, 2_048, 64),
        (64, 300, 30),
        (64, 301, 31),
        (1, 2_048, 1),
        (64, 1, 1),
    ] {
        let mut world = World::new(parallelism, lines_max, 16);
        let lane = (0..100).map(|_| world.enqueue(80)).last().unwrap();
        assert_eq!(
            world.pump(lane).len(),
            expected,
            "{parallelism} {lines_max}"
        );
    }
}

#[test]
fn an_open_lane_starts_nothing_then_a_probe_then_everything() {
    let mut world = World::new(64, 2_048, 16);
    let lane = world.break_lane(80);
    for _ in 0..3 {
        assert_eq!(world.enqueue(80), lane, "the lane was forgotten");
    }
    assert!(world.pump(lane).is_empty());
    assert!(!world.courier.may_start(), "a drain would wait for it");
    assert_eq!(world.wake(), Some((lane, vec![])));
    let probe = world.pump(lane);
    assert_eq!(probe.len(), 1);
    world.end(lane, probe[0], Evidence::Well);
    assert_eq!(world.pump(lane).len(), 2);
    assert_eq!(
        world
            .turn
            .stats
            .get(crate::base::stats::Counter::BreakersOpened),
        1
    );
}

#[test]
fn a_probe_whose_line_went_without_a_word_is_followed_by_another() {
    let mut world = World::new(64, 2_048, 16);
    let lane = world.break_lane(80);
    world.enqueue(80);
    world.enqueue(80);
    world.wake();
    let probe = world.pump(lane);
    world.courier.closed(lane, probe[0].key, true);
    assert_eq!(world.pump(lane).len(), 1);
}

#[test]
fn an_empty_lane_is_remembered_for_a_while_if_it_failed() {
    let mut world = World::new(64, 2_048, 16);
    let lane = world.enqueue(80);
    let owner = world.pump(lane)[0];
    world.end(lane, owner, Evidence::Well);
    world.pump(lane);
    assert_eq!(world.courier.lanes(), 0, "a healthy one is not");
    let lane = world.enqueue(80);
    let owner = world.pump(lane)[0];
    world.end(lane, owner, Evidence::Ill);
    world.pump(lane);
    let began = world.turn.now.mono;
    assert_eq!(world.courier.lanes(), 1);
    assert_eq!(world.wake(), Some((lane, vec![])));
    assert!(world.pump(lane).is_empty());
    assert_eq!(world.courier.lanes(), 0);
    assert_eq!(world.turn.now.mono.since(began).as_secs(), 120);
    assert!(world.turn.wheel.is_empty());
}

#[test]
fn without_a_place_in_the_wheel_nothing_is_remembered_and_no_cool_down_kept() {
    let mut world = World::new(64, 2_048, 0);
    let lane = world.enqueue(80);
    let owner = world.pump(lane)[0];
    world.end(lane, owner, Evidence::Ill);
    world.pump(lane);
    assert_eq!(world.courier.lanes(), 0);
    let lane = (0..20).map(|_| world.enqueue(80)).last().unwrap();
    for owner in world.pump(lane) {
        world.end(lane, owner, Evidence::Ill);
    }
    world.enqueue(80);
    world.enqueue(80);
    assert!(matches!(world.state(lane), State::HalfOpen { .. }));
    assert_eq!(world.pump(lane).len(), 1, "still one at a time");
}

#[test]
fn timed_lanes_are_bounded() {
    let mut world = World::new(64, 2_048, LANES_TIMED_MAX + 16);
    for port in 0..LANES_TIMED_MAX as u16 + 100 {
        let lane = world.enqueue(port);
        let owner = world.pump_quietly(lane);
        world
            .courier
            .ended(&mut world.turn, lane, owner, Evidence::Ill);
        world.courier.closed(lane, owner.key, true);
        world.courier.tidy(&mut world.turn, lane);
        world.owners.remove(owner.key);
    }
    world.courier.check();
    assert_eq!(world.courier.lanes(), LANES_TIMED_MAX);
    assert_eq!(world.turn.wheel.len(), LANES_TIMED_MAX);
}

impl World {
    fn pump_quietly(&mut self, lane: Key) -> Owner {
        let Some(Start::Fresh(call)) = self.courier.next(lane) else {
            panic!("nothing starts")
        };
        self.courier.started(lane, call.owner, true);
        call.owner
    }
}

#[test]
fn what_waits_in_a_held_lane_expires_exactly_then() {
    let mut world = World::new(64, 2_048, 16);
    let lane = world.courier.pause(&mut world.turn, &origin(80)).unwrap();
    let began = world.turn.now.mono;
    let mut owners = Vec::new();
    for seconds in [30, 10, 20] {
        let owner = world.owner();
        let expires = began + Duration::from_secs(seconds);
        let call = Call {
            owner,
            fresh: false,
            expires,
        };
        world.courier.enqueue(&mut world.turn, &origin(80), call);
        owners.push(owner);
    }
    for (place, seconds) in [(1, 10), (2, 20), (0, 30)] {
        assert_eq!(world.wake(), Some((lane, vec![owners[place]])));
        assert_eq!(world.turn.now.mono.since(began).as_secs(), seconds);
        assert!(world.pump(lane).is_empty());
    }
    assert_eq!((world.wake(), world.courier.waiting()), (None, 0));
}

#[test]
fn paused_lanes_are_bounded_and_outlive_their_calls() {
    let mut world = World::new(64, 2_048, 16);
    let ports = 0..LANES_PAUSED_MAX as u16;
    for port in ports.clone() {
        assert!(
            world
                .courier
                .pause(&mut world.turn, &origin(port))
                .is_some()
        );
    }
    assert!(
        world
            .courier
            .pause(&mut world.turn, &origin(9_999))
            .is_none()
    );
    assert!(
        world.courier.pause(&mut world.turn, &origin(5)).is_some(),
        "again"
    );
    assert_eq!(world.courier.lanes(), LANES_PAUSED_MAX);
    let lane = world.enqueue(5);
    assert!(world.pump(lane).is_empty());
    for port in ports {
        let lane = world.courier.resume(&origin(port)).unwrap();
        world.pump(lane);
    }
    assert_eq!(world.courier.lanes(), 1, "the one with a call");
    assert_eq!(world.courier.resume(&origin(9_999)), None);
}
