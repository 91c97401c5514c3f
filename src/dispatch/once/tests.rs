//! Tests of keys: first and again, what is another request, how long a key holds, what is lost.

use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::{Mono, Now};
use crate::base::wheel::Wheel;
use crate::dispatch::Settings;
use crate::dispatch::intake::{self, Scratch, Submission};
use crate::port::{Action, Handed};

const START: Wall = Wall(1_767_323_045_000_000);

fn turn() -> Turn {
    let now = Now {
        mono: Mono(0),
        wall: START,
    };
    Turn {
        now,
        wheel: Wheel::with_bound(8, now.mono),
        rng: Rng::new([1; 32]),
        stats: Stats::default(),
        memory: Ledger::new(64 << 20),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
        handed: Handed::default(),
    }
}

fn first(number: u128) -> First {
    First {
        id: MessageId(number),
        seq: number as Seq,
    }
}

fn named(key: &str) -> Name<'_> {
    Name { scope: "", key }
}

fn keep(once: &mut Once, turn: &mut Turn, key: &str, number: u128) {
    assert!(Once::charge(turn, named(key)));
    once.keep(turn, named(key), [number as u8; 32], first(number));
}

/// What the store was told: each key, and whether it is kept.
fn told(turn: &mut Turn) -> Vec<(String, bool)> {
    let ops = turn.actions.drain(..).filter_map(|action| match action {
        Action::Store(_, StoreOp::Keep { key, value, .. }) => {
            let key = String::from_utf8_lossy(&key[1..]).into_owned();
            Some((key, value.is_some()))
        }
        _ => None,
    });
    ops.collect()
}

fn advance(turn: &mut Turn, by: Duration) {
    turn.now.mono = turn.now.mono + by;
    turn.now.wall = turn.now.wall + by;
}

fn fire(once: &mut Once, turn: &mut Turn) {
    while turn.wheel.pop(turn.now.mono).is_some() {
        once.fired(turn);
    }
}

#[test]
fn the_same_request_is_the_first_and_another_is_refused() {
    let (mut once, mut turn) = (Once::new(1), turn());
    assert_eq!(once.first(START, named("k"), &[1; 32]), Ok(None));
    keep(&mut once, &mut turn, "k", 1);
    assert_eq!(once.first(START, named("k"), &[1; 32]), Ok(Some(first(1))));
    assert_eq!(once.first(START, named("K"), &[1; 32]), Ok(None));
    let why = once.first(START, named("k"), &[2; 32]).unwrap_err();
    assert_eq!(why.reason, Reason::KeyReused);
    assert!(why.detail.contains("\"k\""), "{}", why.detail);
    let id = MessageId(1).to_string();
    assert!(why.detail.contains(&id), "{}", why.detail);
    once.check();
}

#[test]
fn a_key_holds_a_day() {
    let (mut once, mut turn) = (Once::new(1), turn());
    keep(&mut once, &mut turn, "k", 1);
    let nearly = START + (KEPT - Duration::from_secs(1));
    assert!(once.first(nearly, named("k"), &[1; 32]).unwrap().is_some());
    assert_eq!(once.first(START + KEPT, named("k"), &[2; 32]), Ok(None));
    advance(&mut turn, KEPT - Duration::from_secs(1));
    fire(&mut once, &mut turn);
    assert_eq!(once.len(), 1);
    advance(&mut turn, SWEEP_INTERVAL);
    fire(&mut once, &mut turn);
    assert!(once.is_empty());
    assert_eq!(told(&mut turn), [("k".into(), true), ("k".into(), false)]);
    turn.settled(u64::MAX);
    assert_eq!(turn.memory.held(), 0);
}

#[test]
fn a_key_that_is_over_may_be_used_again() {
    let (mut once, mut turn) = (Once::new(1), turn());
    keep(&mut once, &mut turn, "k", 1);
    advance(&mut turn, KEPT);
    keep(&mut once, &mut turn, "k", 2);
    assert_eq!((once.len(), once.check()), (1, cost(b"\0k")));
    let now = turn.now.wall;
    assert_eq!(once.first(now, named("k"), &[2; 32]), Ok(Some(first(2))));
}

#[test]
fn the_oldest_goes_for_one_more() {
    let (mut once, mut turn) = (Once::new(1), turn());
    for number in 0..KEYS_MAX as u128 {
        keep(&mut once, &mut turn, &number.to_string(), number + 1);
    }
    told(&mut turn);
    keep(&mut once, &mut turn, "last", 200_000);
    assert_eq!(once.len(), KEYS_MAX);
    let wall = turn.now.wall;
    assert_eq!(once.first(wall, named("0"), &[1; 32]), Ok(None));
    assert!(once.first(wall, named("1"), &[2; 32]).unwrap().is_some());
    assert_eq!(
        told(&mut turn),
        [("last".into(), true), ("0".into(), false)]
    );
    turn.settled(u64::MAX);
    assert_eq!(once.check(), turn.memory.held());
}

#[test]
fn a_lost_message_leaves_its_key_free() {
    let (mut once, mut turn) = (Once::new(1), turn());
    keep(&mut once, &mut turn, "kept", 1);
    once.kept(1);
    keep(&mut once, &mut turn, "lost", 2);
    keep(&mut once, &mut turn, "later", 3);
    told(&mut turn);
    once.lost(&mut turn, 2);
    for (key, number) in [("kept", 1), ("later", 3)] {
        let found = once.first(START, named(key), &[number as u8; 32]);
        assert_eq!(found, Ok(Some(first(number))), "{key}");
    }
    assert_eq!(once.first(START, named("lost"), &[2; 32]), Ok(None));
    assert_eq!(told(&mut turn), [("lost".into(), false)]);
}

#[test]
fn what_the_store_kept_comes_back() {
    let (mut once, mut turn) = (Once::new(1), turn());
    keep(&mut once, &mut turn, "k", 1);
    let kept = turn.actions.drain(..).find_map(|action| match action {
        Action::Store(_, StoreOp::Keep { key, value, .. }) => Some((key, value?)),
        _ => None,
    });
    let (key, value) = kept.unwrap();
    let (mut again, mut turn) = (Once::new(2), self::turn());
    // The clock went back by a day meanwhile.
    turn.now.wall = Wall(START.0 - 86_400_000_000);
    again.restore(&mut turn, &key, &value);
    let found = again.first(turn.now.wall, named("k"), &[1; 32]);
    let (id, seq) = (MessageId(1), 0);
    assert_eq!(found, Ok(Some(First { id, seq })));
    assert_eq!(again.check(), turn.memory.held());
    assert_eq!(again.first(START, named("k"), &[1; 32]), Ok(None));
    again.restore(&mut turn, b"\0odd", b"short");
    assert_eq!(told(&mut turn), [("odd".into(), false)]);
}

fn digest_of(query: &str, body: &str, traceparent: &str) -> Digest {
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: Some(query),
        content_type: Some("text/plain"),
        body: body.as_bytes(),
        headers: &[httparse::Header {
            name: "traceparent",
            value: traceparent.as_bytes(),
        }],
    };
    let mut scratch = Scratch::default();
    let read = intake::read(&submission, &Settings::default(), START, &mut scratch);
    digest(&read.unwrap())
}

#[test]
fn everything_that_a_request_says_counts_and_nothing_else() {
    let query = "_url=http://127.0.0.1/&_retries=3&_delay=5&_idempotency_key=k";
    let same = digest_of(query, "body", "one");
    for again in [
        query,
        "_delay=5&_url=http://127.0.0.1/&_retries=3&_idempotency_key=k",
        "_url=http://127.0.0.1/&_retries=3&_delay=5",
    ] {
        assert_eq!(digest_of(again, "body", "two"), same, "{again}");
    }
    for other in [
        "_url=http://127.0.0.1/x&_retries=3&_delay=5",
        "_url=http://127.0.0.1/&_retries=3",
        "_url=http://127.0.0.1/&_retries=3&_delay=6",
        "_url=http://127.0.0.1/&_retries=3&_delay=5&_method=PUT",
        "_url=http://127.0.0.1/&_retries=3&_delay=5&_header=X-A:%201",
        "_url=http://127.0.0.1/&_retries=3&_delay=5&_topic=t",
    ] {
        assert_ne!(digest_of(other, "body", "one"), same, "{other}");
    }
    assert_ne!(digest_of(query, "bodY", "one"), same);
    assert_ne!(digest_of(query, "", "one"), same);
}
