//! Each edge of the breaker's graph, and what lies beside the edges.

use super::*;
use crate::base::slab::Slab;
use crate::model::Room;

const HALF: u64 = u64::MAX / 2;

/// Two calls of two rooms that have the same key there.
fn owners() -> [Owner; 2] {
    let key = Slab::with_bound(1).insert(()).unwrap();
    [Room::Dispatch, Room::Hub].map(|room| Owner { room, key })
}

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000)
}

fn feed(breaker: &mut Breaker, second: u64, word: &str) {
    for letter in word.chars() {
        let evidence = match letter {
            '+' => Evidence::Well,
            '-' => Evidence::Ill,
            _ => Evidence::None,
        };
        breaker.ended(at(second), owners()[0], evidence, HALF);
    }
}

fn opened() -> Breaker {
    let mut breaker = Breaker::new();
    feed(&mut breaker, 100, "----------");
    breaker
}

fn until(breaker: &Breaker) -> Mono {
    match breaker.state() {
        State::Open { until } => until,
        state => panic!("{state:?}"),
    }
}

#[test]
fn ten_failed_in_a_row_open_it() {
    let mut breaker = Breaker::new();
    for second in 0..9 {
        feed(&mut breaker, second * 1_000, "-");
        assert_eq!(breaker.state(), State::Closed, "after {second}");
        assert!(breaker.has_past());
    }
    assert!(breaker.ended(at(9_000), owners()[0], Evidence::Ill, HALF));
    assert_eq!(until(&breaker).since(at(9_000)).as_millis(), 1_000);
    assert!(!breaker.lets_through(false) && !breaker.lets_through(true));
}

#[test]
fn too_many_failed_in_the_window_open_it() {
    let rows = [
        // Seven of ten are borne, eight are not, and nine attempts say nothing yet.
        ("---+---+-+", false),
        ("---+---+--", true),
        ("+--------", false),
        ("+---------", true),
        ("-.-.-.-.-.-.-.-.-.", false),
        ("++++++++++++", false),
    ];
    for (word, opens) in rows {
        let mut breaker = Breaker::new();
        feed(&mut breaker, 100, word);
        assert_eq!(breaker.state() != State::Closed, opens, "{word}");
    }
    let mut breaker = Breaker::new();
    feed(&mut breaker, 100, "---+--+");
    feed(&mut breaker, 131, "-----+-");
    assert_eq!(breaker.state(), State::Closed, "the first half is past");
}

#[test]
fn a_success_ends_a_row() {
    let mut breaker = Breaker::new();
    feed(&mut breaker, 0, "---------");
    feed(&mut breaker, 100, "+-----");
    assert_eq!(breaker.state(), State::Closed);
    feed(&mut breaker, 200, "----");
    assert_eq!(breaker.state(), State::Closed);
    feed(&mut breaker, 300, "-");
    assert_ne!(breaker.state(), State::Closed, "time does not end one");
}

#[test]
fn cooled_down_it_lets_one_probe_through() {
    let mut breaker = opened();
    assert!(!breaker.cooled(Mono(until(&breaker).0 - 1)));
    assert!(breaker.cooled(until(&breaker)));
    assert!(breaker.lets_through(true) && breaker.lets_through(false));
    breaker.started(owners()[0]);
    assert!(!breaker.lets_through(true), "two probes");
    assert!(
        breaker.lets_through(false),
        "a probe that is gone without a word"
    );
    assert!(!breaker.cooled(at(1_000)));
}

#[test]
fn the_probe_succeeded() {
    let mut breaker = opened();
    breaker.cooled(at(200));
    breaker.started(owners()[0]);
    breaker.ended(at(201), owners()[0], Evidence::Well, HALF);
    assert_eq!(breaker.state(), State::Closed);
    assert!(!breaker.has_past());
}

#[test]
fn the_probe_failed() {
    let mut breaker = opened();
    for seconds in [2, 4, 8, 16, 32, 60, 60, 60] {
        let now = until(&breaker);
        breaker.cooled(now);
        breaker.started(owners()[0]);
        assert!(breaker.ended(now, owners()[0], Evidence::Ill, HALF));
        assert_eq!(until(&breaker).since(now).as_secs(), seconds);
    }
}

#[test]
fn what_began_before_it_opened_changes_nothing() {
    let mut breaker = opened();
    let before = breaker.state();
    feed(&mut breaker, 101, "-+.");
    assert_eq!(breaker.state(), before);
    breaker.cooled(at(200));
    let [probe, other] = owners();
    breaker.started(probe);
    for evidence in [Evidence::Ill, Evidence::Well, Evidence::None] {
        breaker.ended(at(201), other, evidence, HALF);
        assert_eq!(breaker.state(), State::HalfOpen { probe: Some(probe) });
    }
}

#[test]
fn a_probe_without_evidence_makes_room_for_another() {
    let mut breaker = opened();
    breaker.cooled(at(200));
    breaker.started(owners()[0]);
    breaker.ended(at(201), owners()[0], Evidence::None, HALF);
    assert_eq!(breaker.state(), State::HalfOpen { probe: None });
    let mut breaker = opened();
    breaker.skip_cool_down();
    assert_eq!(breaker.state(), State::HalfOpen { probe: None });
}

#[test]
fn the_cool_down_has_a_jitter_of_a_fifth() {
    let ten = Duration::from_secs(10);
    assert_eq!(jittered(ten, 0).as_millis(), 8_000);
    assert_eq!(jittered(ten, u64::MAX).as_millis(), 12_000);
}
