//! What readers find after a restart, and what they are told of it.

use super::super::format::Resume;
use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::Now;
use crate::base::wheel::Wheel;
use crate::model::record::Table;
use crate::port::{Action, Handed, StoreOp, Turn};

const HOUR: u64 = 3_600_000_000;
/// When the server begins: two hours after the epoch of these tests.
const START: Now = Now {
    mono: Mono(5_000_000),
    wall: Wall(2 * HOUR),
};

/// Topics of a new process.
fn begun() -> Topics {
    Topics::new(Settings::default(), START.wall, 1)
}

fn turn() -> Turn {
    Turn {
        now: START,
        wheel: Wheel::with_bound(8, START.mono),
        rng: Rng::new([3; 32]),
        stats: Stats::default(),
        memory: Ledger::new(1 << 20),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
        handed: Handed::default(),
    }
}

/// A message of so many seconds before the start.
fn earlier(seconds: u64, names: &[&str], body: &str) -> Arc<Message> {
    message((START.wall.0 / 1_000) - seconds * 1_000, names, body)
}

fn restore(topics: &mut Topics, messages: &[Arc<Message>]) {
    for message in messages {
        topics.restore(message, START);
        topics.check();
    }
}

fn since(topics: &mut Topics, names: &str, message: &Message) -> (Option<Resume>, Vec<String>) {
    let joined = join(topics, &format!("{names}&since={}", message.id));
    (joined.resume, seen(topics, joined.seat))
}

#[test]
fn a_cursor_goes_on_where_it_was() {
    let kept = [
        earlier(50, &["t"], "a=1"),
        earlier(40, &["u"], "a=2"),
        earlier(30, &["t", "u"], "a=3"),
    ];
    let mut topics = begun();
    topics.missing(MessageId(1));
    restore(&mut topics, &kept);
    assert_eq!(topics.last(), kept[2].id);
    assert!(topics.next_woken().is_none() && topics.touched(0).is_none());
    let rows = [
        ("topic=t", &kept[0], vec!["a=3"]),
        ("topic=u", &kept[0], vec!["a=2", "a=3"]),
        ("topic=t&topic=u", &kept[0], vec!["a=2", "a=3"]),
        ("prefix=", &kept[1], vec!["a=3"]),
        ("topic=v", &kept[0], vec![]),
        ("topic=t", &kept[2], vec![]),
    ];
    for (names, cursor, want) in rows {
        let (resume, found) = since(&mut topics, names, cursor);
        // Hookah's own topics may have said something meanwhile.
        let is_all = names == "prefix=";
        let expected = if is_all {
            Resume::Reset
        } else {
            Resume::Continue
        };
        assert_eq!(
            (resume, &*found.join(" ")),
            (Some(expected), &*want.join(" ")),
            "{names}"
        );
    }
    let joined = join(&mut topics, "topic=t&count=1");
    assert_eq!(seen(&topics, joined.seat), ["a=3"]);
    // What comes now follows.
    topics.publish(&message(START.wall.millis() + 1, &["t"], "a=4"), START.mono);
    assert_eq!(since(&mut topics, "topic=t", &kept[0]).1, ["a=3", "a=4"]);
}

#[test]
fn a_cursor_before_what_is_known_is_told_so() {
    let (old, kept) = (earlier(50, &["t"], "a=1"), earlier(40, &["t"], "a=2"));
    // What the store cannot give back, and whatever is older where it says nothing of that.
    for said in [Some(MessageId(old.id.0 + 1)), None] {
        let mut topics = begun();
        if let Some(id) = said {
            topics.missing(id);
        }
        restore(&mut topics, std::slice::from_ref(&kept));
        for names in ["topic=t", "topic=other", "topic=t&topic=other"] {
            let (resume, _) = since(&mut topics, names, &old);
            assert_eq!(resume, Some(Resume::Reset), "{names}");
        }
        let (resume, found) = since(&mut topics, "topic=t", &kept);
        assert_eq!((resume, found.len()), (Some(Resume::Continue), 0));
    }
    let mut nothing = begun();
    assert_eq!(since(&mut nothing, "topic=t", &kept).0, Some(Resume::Reset));
}

#[test]
fn what_comes_back_is_no_younger_than_it_was() {
    let kept = [
        earlier(3_601, &["t"], "a=1"),
        earlier(3_000, &["t"], "a=2"),
        earlier(1, &["t"], "a=3"),
    ];
    let mut topics = begun();
    topics.missing(MessageId(1));
    restore(&mut topics, &kept);
    let all = |topics: &mut Topics| {
        let joined = join(topics, "topic=t&since=all");
        seen(topics, joined.seat).join(" ")
    };
    assert_eq!(all(&mut topics), "a=2 a=3");
    assert_eq!(
        since(&mut topics, "topic=t", &kept[0]).0,
        Some(Resume::Continue)
    );
    let sweep = topics.next_sweep().unwrap();
    assert_eq!(sweep, START.mono + std::time::Duration::from_secs(600));
    let next = topics.sweep(sweep);
    assert_eq!(
        next,
        Some(START.mono + std::time::Duration::from_secs(3_599))
    );
    assert_eq!(
        since(&mut topics, "topic=t", &kept[0]).0,
        Some(Resume::Reset)
    );
}

#[test]
fn bounds_hold_for_what_comes_back() {
    let kept: Vec<_> = (0..150)
        .map(|n| earlier(200 - n, &["t"], &format!("a={n}")))
        .collect();
    let mut topics = begun();
    topics.missing(MessageId(1));
    restore(&mut topics, &kept);
    let joined = join(&mut topics, "topic=t&since=all");
    let found = seen(&topics, joined.seat);
    assert_eq!((found.len(), &*found[0]), (100, "a=50"));
    assert_eq!(
        since(&mut topics, "topic=t", &kept[48]).0,
        Some(Resume::Reset)
    );
    assert_eq!(
        since(&mut topics, "topic=t", &kept[49]).0,
        Some(Resume::Continue)
    );
    let mut small = Topics::new(
        Settings {
            bytes_max: 20_000,
            ..Settings::default()
        },
        START.wall,
        1,
    );
    for n in 0..150 {
        let message = earlier(200 - n, &[&format!("t{n}")], "a=1");
        small.restore(&message, START);
        small.check();
        assert!(small.bytes() <= 20_000);
    }
    assert!(small.len() > 10);
}

#[test]
fn what_was_deleted_stays_deleted() {
    let kept = [earlier(50, &["t", "u"], "a=1"), earlier(40, &["t"], "a=2")];
    let (mut topics, mut turn) = (begun(), turn());
    for message in &kept {
        topics.publish(message, START.mono);
    }
    assert_eq!(topics.drop_backlog(&mut turn, b"t"), 2);
    topics.check();
    let Some(Action::Store(_, StoreOp::Keep { table, key, value })) = turn.actions.pop_front()
    else {
        panic!("nothing was handed over");
    };
    assert_eq!(table, Table::Topics);
    let value = value.unwrap();
    let mut topics = begun();
    topics.missing(MessageId(1));
    assert!(topics.recall(START, &key, &value));
    restore(&mut topics, &kept);
    assert!(topics.row(b"t").is_none());
    assert_eq!(
        since(&mut topics, "topic=t", &kept[0]).0,
        Some(Resume::Reset)
    );
    let (resume, found) = since(&mut topics, "topic=u", &kept[0]);
    assert_eq!((resume, found.len()), (Some(Resume::Continue), 0));
    let all = join(&mut topics, "topic=u&since=all");
    assert_eq!(seen(&topics, all.seat), ["a=1"]);
    assert_eq!(
        since(&mut topics, "prefix=t", &kept[0]).0,
        Some(Resume::Reset)
    );
    // An hour later nothing of it could come back.
    turn.now.mono = START.mono + std::time::Duration::from_secs(3_600);
    topics.purge(&mut turn);
    topics.check();
    let last = turn.actions.pop_back();
    let Some(Action::Store(
        _,
        StoreOp::Keep {
            key: gone, value, ..
        },
    )) = last
    else {
        panic!("the fact is there for ever");
    };
    assert_eq!((gone, value), (key, None));
}

/// Tells a new process of what was handed to the store.
fn recall_all(topics: &mut Topics, turn: &Turn) {
    let mut facts = std::collections::BTreeMap::new();
    for action in &turn.actions {
        if let Action::Store(_, StoreOp::Keep { key, value, .. }) = action {
            facts.insert(key, value);
        }
    }
    for (key, value) in facts {
        if let Some(value) = value {
            assert!(topics.recall(START, key, value));
        }
    }
}

#[test]
fn what_was_deleted_stays_so_where_backlogs_are_longer_after_a_start() {
    let age = |seconds| Settings {
        backlog_age: std::time::Duration::from_secs(seconds),
        ..Settings::default()
    };
    let kept = [earlier(50, &["t"], "a=1"), earlier(1, &["u"], "a=2")];
    // The age at the delete, the one it was told before it was over, and whether there was a
    // purge between.
    for (first, then, purges) in [(2, 2, true), (2, 2, false), (2, 40, true), (2, 60, true)] {
        let mut topics = Topics::new(age(first), START.wall, 1);
        let mut turn = turn();
        topics.publish(&kept[0], START.mono);
        topics.drop_backlog(&mut turn, b"t");
        turn.now.mono.0 += 1_000_000;
        topics.retune(&age(then));
        topics.check();
        turn.now.mono = START.mono + std::time::Duration::from_secs(50);
        if purges {
            topics.purge(&mut turn);
            topics.check();
        }
        let held = turn.actions.len();
        assert_eq!(held, if purges && then < 50 { 3 } else { 1 }, "{then}");
        topics.publish(&kept[1], turn.now.mono);
        let mut topics = Topics::new(age(3_600), START.wall, 1);
        topics.missing(MessageId(1));
        recall_all(&mut topics, &turn);
        restore(&mut topics, &kept);
        assert!(topics.row(b"t").is_none(), "{first} {then} {purges}");
        assert_eq!(
            since(&mut topics, "topic=t", &earlier(60, &[], "")).0,
            Some(Resume::Reset)
        );
        let joined = join(&mut topics, "topic=u&since=all");
        assert_eq!(seen(&topics, joined.seat), ["a=2"]);
    }
}

#[test]
fn a_topic_that_is_deleted_again_is_remembered_for_the_second_time() {
    let (mut topics, mut turn) = (begun(), turn());
    for seconds in [50, 40] {
        topics.publish(&earlier(seconds, &["t"], "a=1"), START.mono);
        topics.drop_backlog(&mut turn, b"t");
        turn.now.mono.0 += 1_000_000;
    }
    let handed = turn.actions.len();
    assert_eq!(handed, 2);
    let hour = std::time::Duration::from_secs(3_600);
    turn.now.mono = START.mono + hour;
    topics.purge(&mut turn);
    assert_eq!(turn.actions.len(), handed, "the second still matters");
    turn.now.mono.0 += 1_000_000;
    topics.purge(&mut turn);
    topics.check();
    // Up to where nothing comes back, and that the name is not held any more.
    assert_eq!(turn.actions.len(), handed + 2);
}

#[test]
fn so_many_are_deleted_and_no_more() {
    let (mut topics, mut turn) = (begun(), turn());
    for n in 0..DELETED_MAX {
        assert!(topics.may_delete(&mut turn));
        let name = format!("t{n}");
        topics.publish(&earlier(50, &[&name], "a=1"), START.mono);
        topics.drop_backlog(&mut turn, name.as_bytes());
    }
    topics.check();
    assert!(!topics.may_delete(&mut turn));
    turn.now.mono = START.mono + std::time::Duration::from_secs(3_600);
    assert!(topics.may_delete(&mut turn));
}

#[test]
fn facts_of_others_are_none_of_ours() {
    let mut topics = begun();
    for (key, value) in [
        (
            "hub http://t/",
            "v=1&deleted=msg_00000000000000000000000000",
        ),
        ("stream t", "v=2&deleted=msg_00000000000000000000000000"),
        ("stream t", "v=1&deleted=msg_"),
        ("stream t", ""),
    ] {
        assert!(
            !topics.recall(START, key.as_bytes(), value.as_bytes()),
            "{key} {value}"
        );
    }
    assert!(topics.is_empty());
}
