//! Topics that keep what the rule for their name says, and settings that change under them.

use super::super::keep::{Rule, Rules};
use super::*;

fn rule(name: &str, messages: Option<usize>, seconds: Option<u64>, bytes: Option<usize>) -> Rule {
    Rule {
        name: name.as_bytes().into(),
        messages,
        age: seconds.map(Duration::from_secs),
        bytes,
    }
}

fn ruled(rules: impl IntoIterator<Item = Rule>) -> Settings {
    Settings {
        rules: Rules::new(rules),
        ..SETTINGS()
    }
}

fn kept(topics: &mut Topics, name: &str) -> Vec<String> {
    let joined = join(topics, &format!("topic={name}&since=all"));
    let seen = seen(topics, joined.seat);
    topics.leave(joined.seat);
    topics.check();
    seen
}

#[test]
fn each_topic_keeps_what_its_rule_says() {
    let mut topics = topics(ruled([
        rule("news*", Some(2), None, None),
        rule("news/none", Some(0), None, None),
        rule("small", None, None, Some(100)),
    ]));
    for number in 1..=4 {
        let names = ["news/a", "news/none", "other", "small"];
        publish(&mut topics, number, &names, &format!("m{number}"));
    }
    publish(&mut topics, 5, &["small"], &"x".repeat(101));
    assert_eq!(kept(&mut topics, "news/a"), ["m3", "m4"]);
    assert_eq!(kept(&mut topics, "news/none"), [""; 0]);
    assert_eq!(kept(&mut topics, "other"), ["m1", "m2", "m3", "m4"]);
    assert_eq!(kept(&mut topics, "small"), [""; 0], "it had no room");
}

#[test]
fn a_short_age_is_not_kept_waiting_by_a_long_one() {
    let mut topics = topics(ruled([rule("s", None, Some(5), None)]));
    publish(&mut topics, 1, &["long"], "one");
    let hour = Mono(1) + SETTINGS().backlog_age;
    assert_eq!(topics.next_sweep(), Some(hour));
    publish(&mut topics, 2, &["s"], "two");
    let soon = Mono(2) + Duration::from_secs(5);
    assert_eq!(
        topics.next_sweep(),
        Some(soon),
        "it must be armed for earlier"
    );
    assert_eq!(topics.next_sweep(), None);
    assert_eq!(topics.sweep(soon), Some(hour));
    assert_eq!(kept(&mut topics, "s"), [""; 0]);
    assert_eq!(kept(&mut topics, "long"), ["one"]);
}

#[test]
fn other_settings_hold_for_what_is_kept_already() {
    let mut topics = topics(SETTINGS());
    for number in 1..=6 {
        publish(&mut topics, number, &["a", "b"], &format!("m{number}"));
    }
    assert_eq!(topics.next_sweep(), Some(Mono(1) + SETTINGS().backlog_age));
    topics.retune(&ruled([
        rule("a", Some(2), None, None),
        rule("b", None, Some(10), None),
    ]));
    topics.check();
    assert_eq!(kept(&mut topics, "a"), ["m5", "m6"]);
    let soon = Mono(1) + Duration::from_secs(10);
    assert_eq!(topics.next_sweep(), Some(soon), "b's are old sooner now");
    topics.sweep(Mono(3) + Duration::from_secs(10));
    topics.check();
    assert_eq!(kept(&mut topics, "b"), ["m4", "m5", "m6"]);
    topics.retune(&SETTINGS());
    topics.check();
    for number in 7..=9 {
        publish(&mut topics, number, &["a", "b"], &format!("m{number}"));
    }
    assert_eq!(kept(&mut topics, "a"), ["m5", "m6", "m7", "m8", "m9"]);
    // What came back from ten seconds to an hour stays that hour.
    topics.sweep(Mono(9) + Duration::from_secs(3_000));
    assert_eq!(kept(&mut topics, "b").len(), 6);
}

#[test]
fn a_wider_backlog_finds_room_in_rings_that_are_there() {
    let mut topics = topics(SETTINGS());
    publish(&mut topics, 1, &["t"], "x");
    topics.retune(&ruled([rule("t", Some(60_000), None, None)]));
    for number in 2..=30_000 {
        topics.publish(&message(number, &["t"], "x"), Mono(number));
    }
    topics.check();
    let room = SETTINGS().backlog_bytes / message(1, &["t"], "x").bytes();
    assert_eq!(kept(&mut topics, "t").len(), room.min(30_000));
}
