//! Lanes by hand: windows, bounds, and what the store says of them.

use std::collections::VecDeque;

use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::Now;
use crate::base::wheel::Wheel;
use crate::port::{Action, Handed};

const NOW: Now = Now {
    mono: Mono(7_000_000),
    wall: Wall(1_763_880_000_000_000),
};
const SEAT: Seat = Seat {
    lane: 5,
    order: Order::Time,
    taken: true,
};

fn turn(memory: u64) -> Turn {
    Turn {
        now: NOW,
        wheel: Wheel::with_bound(1_000, NOW.mono),
        rng: Rng::new([7; 32]),
        stats: Stats::default(),
        memory: Ledger::new(memory),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
        handed: Handed::default(),
    }
}

fn parked(lane: u64, due: Wall, count: u64) -> Parked {
    Parked { lane, due, count }
}

/// Lanes whose store has said this, and is ready.
fn lanes(turn: &mut Turn, rate: u32, facts: &[Parked]) -> Lanes {
    let mut lanes = Lanes::new(true, rate, 1);
    for fact in facts {
        lanes.restore(turn, fact);
    }
    lanes.begin(turn.now.mono);
    lanes
}

/// What is asked for now: lanes and rows.
fn asked(lanes: &mut Lanes, turn: &mut Turn) -> Vec<(u64, u32)> {
    lanes.ask(turn);
    lanes.check();
    let actions = turn.actions.drain(..);
    actions
        .filter_map(|action| match action {
            Action::Store(_, StoreOp::Take { lane, rows, .. }) => Some((lane, rows)),
            _ => None,
        })
        .collect()
}

/// A `Take` of the lane has brought so many; so many are left, due at once.
fn brought(lanes: &mut Lanes, turn: &mut Turn, rows: u32, left: u64) {
    let due = turn.now.wall;
    let known = lanes.brought(turn, 5, &[]).expect("it was asked for");
    for _ in 0..rows {
        lanes.enter(5);
    }
    lanes.seen_to(turn, 5, &known, Some(&parked(5, due, left)));
    lanes.check();
}

fn pass(turn: &mut Turn, time: Duration) {
    turn.now.mono = turn.now.mono + time;
    turn.now.wall = turn.now.wall + time;
}

#[test]
fn a_lane_gets_twice_as_many_with_each_that_is_taken_and_a_quarter_fewer_with_each_failure() {
    let mut turn = turn(64 << 20);
    let mut lanes = lanes(&mut turn, 1_000_000, &[parked(5, NOW.wall, 10_000)]);
    pass(&mut turn, Duration::from_secs(1));
    let mut left = 10_000;
    for rows in [1, 2, 4, 8, 16, 32, 64, 128, 128] {
        // The first is asked for one by one, for its order is not known.
        let wanted = asked(&mut lanes, &mut turn);
        assert_eq!(wanted, [(5, rows)]);
        assert_eq!(asked(&mut lanes, &mut turn), [], "one at a time");
        left -= u64::from(rows);
        brought(&mut lanes, &mut turn, rows, left);
        // One has delivered, and the others go without a word.
        lanes.left(&mut turn, SEAT, true);
        for _ in 1..rows {
            lanes.leave(&mut turn, SEAT);
        }
    }
    assert_eq!(asked(&mut lanes, &mut turn), [(5, 128)]);
    brought(&mut lanes, &mut turn, 128, left - 128);
    // Of 96 that may be there, half have to be gone.
    lanes.left(&mut turn, SEAT, false);
    for number in 1..80 {
        assert_eq!(asked(&mut lanes, &mut turn), [], "{number} of 128 are gone");
        lanes.leave(&mut turn, SEAT);
    }
    assert_eq!(asked(&mut lanes, &mut turn), [(5, 48)]);
    brought(&mut lanes, &mut turn, 48, left - 176);
    // A target that is dead gets one at a time.
    for _ in 0..95 {
        lanes.left(&mut turn, SEAT, false);
    }
    assert_eq!(asked(&mut lanes, &mut turn), []);
    lanes.left(&mut turn, SEAT, false);
    assert_eq!(asked(&mut lanes, &mut turn), [(5, 1)]);
}

#[test]
fn overdue_lanes_go_at_the_pace_and_fresh_ones_at_once() {
    let mut turn = turn(64 << 20);
    let late = Wall(NOW.wall.0 - 1);
    let facts: Vec<Parked> = (0..100).map(|lane| parked(lane, late, 1)).collect();
    let mut lanes = lanes(&mut turn, 10, &facts);
    lanes.restore(
        &mut turn,
        &parked(1_000, NOW.wall + Duration::from_secs(2), 1),
    );
    assert_eq!(asked(&mut lanes, &mut turn), []);
    let mut begun = Vec::new();
    for _ in 0..30 {
        pass(&mut turn, Duration::from_millis(100));
        while turn.wheel.pop(turn.now.mono).is_some() {
            lanes.fired();
        }
        begun.push(asked(&mut lanes, &mut turn));
    }
    let fresh = |it: &(u64, u32)| it.0 == 1_000;
    let place = begun.iter().position(|it| it.iter().any(fresh)).unwrap();
    assert!((9..=11).contains(&place), "at its time: {place}");
    let all: usize = begun.iter().map(Vec::len).sum();
    assert!((29..=31).contains(&all), "{all} in three seconds");
}

#[test]
fn takes_have_a_bound_and_reserve_what_they_may_bring() {
    let mut turn = turn(1 << 20);
    let due = NOW.wall + Duration::from_millis(1);
    let facts: Vec<Parked> = (0..100).map(|lane| parked(lane, due, 9)).collect();
    let mut lanes = lanes(&mut turn, 1_000, &facts);
    let begun = asked(&mut lanes, &mut turn).len();
    assert!((8..=15).contains(&begun), "{begun} rows of 64 KiB in 1 MiB");
    assert!(turn.memory.held() <= 1 << 20);
    let node = turn.wheel.next_wake();
    assert!(node.is_none_or(|at| at > turn.now.mono), "it would spin");
}

#[test]
fn where_memory_is_full_one_take_still_goes() {
    let mut turn = turn(1 << 20);
    let due = NOW.wall + Duration::from_millis(1);
    let mut lanes = lanes(&mut turn, 1_000, &[parked(5, due, 9), parked(6, due, 9)]);
    turn.memory.charge(2 << 20);
    assert_eq!(asked(&mut lanes, &mut turn).len(), 1);
}

#[test]
fn lanes_that_were_canceled_are_forgotten() {
    let mut turn = turn(64 << 20);
    let due = NOW.wall + Duration::from_secs(50);
    let mut lanes = lanes(&mut turn, 1_000, &[parked(5, due, 2), parked(6, due, 1)]);
    lanes.canceled(&mut turn, &[parked(5, due, 1), parked(6, due, 0)], 9);
    assert_eq!((lanes.parked(), lanes.len()), (1, 1));
    assert_eq!(turn.memory.held(), LANE_BYTES);
    lanes.check();
}

#[test]
fn what_the_store_does_not_find_is_put_right() {
    let mut turn = turn(64 << 20);
    let due = NOW.wall + Duration::from_millis(1);
    let mut lanes = lanes(&mut turn, 1_000, &[parked(5, due, 3)]);
    assert_eq!(asked(&mut lanes, &mut turn), [(5, 1)]);
    let known = lanes.brought(&mut turn, 5, &[]).unwrap();
    lanes.seen_to(&mut turn, 5, &known, None);
    assert!(lanes.is_empty() && lanes.parked() == 0);
    assert_eq!(turn.memory.held(), 0);
}

#[test]
fn a_subscriber_that_takes_nothing_keeps_a_bounded_number() {
    let mut turn = turn(64 << 20);
    let mut lanes = lanes(&mut turn, 1_000, &[parked(5, NOW.wall, 1)]);
    let mut submit = || lanes.submit(&mut turn, 5, Order::Noticed, Duration::ZERO);
    for _ in 1..NOTICES_MAX {
        assert_eq!(submit(), Entry::Parked);
    }
    assert_eq!(submit(), Entry::Full);
}
