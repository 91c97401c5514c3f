//! Topics against what their readers should see.

use std::borrow::Cow;

use super::subscribe::{self, Asked};
use super::wish::Wish;
use super::*;
use crate::base::time::Mono;
use crate::model::{Message, TopicNames};

mod model;
mod restart;

const SETTINGS: fn() -> Settings = Settings::default;

fn topics(settings: Settings) -> Topics {
    Topics::new(settings, Wall(0), 1)
}

fn wish(query: &str) -> Wish {
    let asked = Asked {
        query,
        form_body: None,
        http11: true,
        accept: None,
        last_event_id: None,
        if_none_match: None,
        settings: &Settings::default(),
        now: Wall(0),
    };
    subscribe::read(&asked).unwrap()
}

/// A message under these topics.
fn message(number: u64, names: &[&str], body: &str) -> Arc<Message> {
    Arc::new(Message {
        method: crate::model::Method::Post,
        hops: 0,
        id: MessageId(u128::from(number) << 80),
        accepted: Wall(number * 1_000),
        content_type: Cow::Borrowed("application/x-www-form-urlencoded"),
        body: Frame::copy_of(body.as_bytes()),
        topics: TopicNames::of(names.iter().map(|name| name.as_bytes())),
        extra: None,
    })
}

fn publish(topics: &mut Topics, number: u64, names: &[&str], body: &str) {
    topics.publish(&message(number, names, body), Mono(number));
    topics.check();
}

fn lines(count: usize) -> Vec<Key> {
    let mut slab = Slab::with_bound(count);
    (0..count).map(|n| slab.insert(n).unwrap()).collect()
}

fn line() -> Key {
    lines(1)[0]
}

fn join(topics: &mut Topics, query: &str) -> Joined {
    let joined = topics.join(&wish(query), line()).unwrap();
    topics.check();
    joined
}

/// What a raw reader finds before it: bodies.
fn seen(topics: &Topics, seat: Seat) -> Vec<String> {
    let feed = topics.feed(seat.channel, wish("topic=t").style);
    let frames = (seat.at..).map_while(|at| feed.frame(at));
    let bodies = frames.map(|frame| String::from_utf8_lossy(format::payload(frame)).into_owned());
    bodies.map(|body| body.trim_end().to_owned()).collect()
}

fn pass(topics: &mut Topics, seat: &mut Seat, count: u64) {
    let to = seat.at + count;
    topics.reading(seat.channel).unwrap().passed(seat.at, to);
    seat.at = to;
    topics.check();
}

fn id(number: u64) -> MessageId {
    MessageId(u128::from(number) << 80)
}

#[test]
fn a_reader_sees_what_is_published_from_its_joining_on() {
    let mut topics = topics(SETTINGS());
    publish(&mut topics, 1, &["t"], "before");
    let early = join(&mut topics, "topic=t").seat;
    publish(&mut topics, 2, &["t"], "one");
    let late = join(&mut topics, "topic=t").seat;
    publish(&mut topics, 3, &["other"], "elsewhere");
    publish(&mut topics, 4, &["t"], "two");
    assert_eq!(seen(&topics, early), ["one", "two"]);
    assert_eq!(seen(&topics, late), ["two"]);
}

#[test]
fn nothing_is_left_of_readers_that_left_where_nothing_is_kept() {
    let settings = Settings {
        backlog_messages: 0,
        ..Settings::default()
    };
    let mut topics = topics(settings);
    let keys = lines(3);
    let queries = ["topic=t", "topic=t&topic=u", "prefix=&where.a=1"];
    let mut seats: Vec<Seat> = Vec::new();
    for (query, key) in queries.iter().zip(keys) {
        seats.push(topics.join(&wish(query), key).unwrap().seat);
    }
    for number in 1..10 {
        publish(&mut topics, number, &["t", "u", "v"], "a=1");
    }
    assert_eq!(topics.streams(), 3);
    pass(&mut topics, &mut seats[0], 4);
    for seat in seats {
        topics.leave(seat);
        topics.check();
    }
    assert!(topics.is_empty());
    assert_eq!((topics.bytes(), topics.len(), topics.streams()), (0, 0, 0));
    publish(&mut topics, 11, &["t"], "nobody");
    assert!(topics.is_empty());
}

#[test]
fn cursors_lead_to_where_they_say() {
    let mut topics = topics(Settings {
        backlog_messages: 3,
        ..Settings::default()
    });
    for number in 1..=5 {
        publish(&mut topics, number, &["t"], &format!("m{number}"));
    }
    let after = |number| format!("topic=t&since={}", id(number));
    let (new, going, reset) = (
        Some(format::Resume::New),
        Some(format::Resume::Continue),
        Some(format::Resume::Reset),
    );
    let rows = [
        ("topic=t".to_owned(), &[][..], None),
        ("topic=t&count=2".to_owned(), &["m4", "m5"], new),
        ("topic=t&count=9".to_owned(), &["m3", "m4", "m5"], new),
        ("topic=t&since=all".to_owned(), &["m3", "m4", "m5"], new),
        (after(5), &[], going),
        (after(4), &["m5"], going),
        (after(2), &["m3", "m4", "m5"], going),
        (after(1), &["m3", "m4", "m5"], reset),
        (after(9), &[], going),
        ("topic=u&since=all".to_owned(), &[], new),
        // The same of a selection that is more than one topic.
        ("topic=t&topic=u&count=2".to_owned(), &["m4", "m5"], new),
        (after(2) + "&topic=u", &["m3", "m4", "m5"], going),
        (after(1) + "&topic=u", &["m3", "m4", "m5"], reset),
        (after(5) + "&prefix=", &[], going),
    ];
    for (query, bodies, resume) in rows {
        let joined = join(&mut topics, &query);
        let got = (seen(&topics, joined.seat), joined.resume);
        let expected: Vec<String> = bodies.iter().map(|body| (*body).to_owned()).collect();
        assert_eq!(got, (expected, resume), "{query}");
        assert_eq!(joined.end - joined.seat.at, bodies.len() as u64, "{query}");
        topics.leave(joined.seat);
        topics.check();
    }
}

#[test]
fn a_topic_that_went_with_its_messages_is_not_taken_for_complete() {
    let mut topics = topics(SETTINGS());
    publish(&mut topics, 1, &["t"], "one");
    publish(&mut topics, 2, &["t"], "two");
    let age = Settings::default().backlog_age;
    assert_eq!(topics.next_sweep(), Some(Mono(1) + age));
    assert_eq!(topics.sweep(Mono(10) + age), None);
    topics.check();
    assert!(topics.is_empty());
    let rows = [(1, format::Resume::Reset), (2, format::Resume::Continue)];
    for (number, resume) in rows {
        let joined = join(&mut topics, &format!("topic=t&since={}", id(number)));
        assert_eq!(joined.resume, Some(resume), "after {number}");
        topics.leave(joined.seat);
    }
}

#[test]
fn views_get_each_message_once_in_the_order_of_publishing() {
    let mut topics = topics(SETTINGS());
    publish(&mut topics, 1, &["b"], "a=1");
    publish(&mut topics, 2, &["a", "b"], "a=2");
    publish(&mut topics, 3, &["c"], "a=3");
    let queries = [
        ("topic=a&topic=b&since=all", "a=1 a=2 a=4 a=5"),
        ("topic=b&topic=a", "a=4 a=5"),
        ("prefix=&since=all", "a=1 a=2 a=3 a=4 a=5 a=6"),
        ("prefix=a&prefix=&topic=c", "a=4 a=5 a=6"),
        ("prefix=&where.a=6&where.a=2&since=all", "a=2 a=6"),
        ("topic=c&where.a=6", "a=6"),
        ("prefix=cd", ""),
    ];
    let mut seats = Vec::new();
    for ((query, _), key) in queries.iter().zip(lines(queries.len())) {
        seats.push(topics.join(&wish(query), key).unwrap().seat);
        topics.check();
    }
    publish(&mut topics, 4, &["a", "b", "ab"], "a=4");
    publish(&mut topics, 5, &["b"], "a=5");
    publish(&mut topics, 6, &["c"], "a=6");
    for ((query, expected), seat) in queries.iter().zip(&seats) {
        assert_eq!(seen(&topics, *seat).join(" "), *expected, "{query}");
    }
}

#[test]
fn equal_selections_share_a_view_and_topics_share_frames() {
    let mut topics = topics(SETTINGS());
    let first = join(&mut topics, "topic=a&topic=b&where.x=1").seat;
    let second = join(&mut topics, "topic=b&topic=a&where.x=1").seat;
    let third = join(&mut topics, "topic=b&topic=a&where.x=2").seat;
    let fourth = join(&mut topics, "topic=b&topic=a").seat;
    assert_eq!(first.channel, second.channel);
    assert_ne!(first.channel, third.channel);
    assert_ne!(first.channel, fourth.channel);
    let own = join(&mut topics, "topic=a").seat;
    publish(&mut topics, 1, &["a", "b"], "x=1");
    let frame = |seat: Seat| {
        let feed = topics.feed(seat.channel, wish("topic=t").style);
        feed.frame(seat.at).unwrap()
    };
    assert!(frame(first).same(frame(fourth)));
    assert!(frame(first).same(frame(own)));
    assert_eq!(topics.names(fourth.channel), "b,a");
}

#[test]
fn who_takes_over_a_place_is_told() {
    let mut topics = topics(SETTINGS());
    let keys = lines(3);
    let mut seats = Vec::new();
    for key in &keys {
        seats.push(topics.join(&wish("topic=t"), *key).unwrap().seat);
    }
    assert_eq!(topics.leave(seats[0]), Some(keys[2]));
    assert_eq!(topics.line(seats[1].channel, 0), Some(keys[2]));
    topics.check();
}

#[test]
fn the_bounds_name_the_channel_that_holds_too_much() {
    let mut topics = topics(SETTINGS());
    let big = "x".repeat(BEHIND_BYTES_MAX as usize + 1);
    let seat = join(&mut topics, "topic=t").seat;
    publish(&mut topics, 1, &["t"], &big);
    assert!(!topics.over(seat.channel), "one is always admitted");
    publish(&mut topics, 2, &["t"], "y");
    assert!(topics.over(seat.channel));
    topics.leave(seat);
    let mut seat = join(&mut topics, "topic=t").seat;
    for number in 0..=BEHIND_MESSAGES_MAX {
        assert!(!topics.over(seat.channel));
        topics.publish(&message(3 + number, &["t"], "z"), Mono(1));
    }
    assert!(topics.over(seat.channel));
    assert_eq!(topics.fullness(seat.channel, seat.at), 101);
    let to = topics.relief(seat.channel);
    pass(&mut topics, &mut seat, to);
    assert!(!topics.over(seat.channel));
    assert_eq!(topics.fullness(seat.channel, seat.at), 75);
}

#[test]
fn a_hundred_thousand_names_stay_within_the_bound_and_the_last_are_kept() {
    let settings = Settings {
        bytes_max: 4 << 20,
        ..Settings::default()
    };
    let mut topics = topics(settings);
    for number in 1..100_000_u64 {
        let name = format!("topic-{number}");
        topics.publish(&message(number, &[&name], "x"), Mono(number));
        assert!(topics.bytes() <= 4 << 20);
    }
    assert!(topics.len() > 1_000, "{}", topics.len());
    topics.check();
    let joined = join(&mut topics, "topic=topic-99999&since=all");
    assert_eq!(seen(&topics, joined.seat), ["x"]);
    let joined = join(&mut topics, "topic=topic-1&since=all");
    assert!(seen(&topics, joined.seat).is_empty());
}

#[test]
fn all_together_have_a_bound_and_the_holder_of_the_oldest_gives_way() {
    let mut topics = topics(Settings {
        bytes_max: 1 << 20,
        backlog_messages: 0,
        ..Settings::default()
    });
    let body = "x".repeat(1 << 18);
    let mut seats = Vec::new();
    for (number, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        seats.push(join(&mut topics, &format!("topic={name}")).seat);
        publish(&mut topics, number as u64 + 1, &[name], &body);
        let over = match number {
            0..3 => None,
            _ => Some(seats[number - 3].channel),
        };
        assert_eq!(topics.all_over(), over, "{number}");
        if over.is_some() {
            topics.leave(seats[number - 3]);
        }
        assert_eq!(topics.all_over(), None);
    }
    topics.check();
}

#[test]
fn a_long_replay_is_cut_and_says_how_much_is_missing() {
    let mut topics = topics(Settings {
        backlog_bytes: 16 << 20,
        ..Settings::default()
    });
    let body = "x".repeat(1 << 20);
    for number in 1..=10 {
        publish(&mut topics, number, &["a", "b"], &body);
    }
    let joined = join(&mut topics, &format!("topic=a&topic=b&since={}", id(0)));
    assert_eq!(joined.resume, Some(format::Resume::Reset));
    let joined = join(&mut topics, &format!("topic=a&topic=b&since={}", id(1)));
    let given = joined.end - joined.seat.at;
    assert!((6..9).contains(&given), "{given}");
    assert_eq!(joined.missing, Some(9 - given));
    publish(&mut topics, 11, &["a"], "y");
    assert!(!topics.over(joined.seat.channel), "it was given that much");
}

/// A query for as many topics as one stream may have, with the longest names.
fn long_selection(number: usize) -> String {
    let name = |place: usize| format!("topic={number}-{place}-{}", "n".repeat(1_000));
    let names: Vec<String> = (0..64).map(name).collect();
    names.join("&")
}

#[test]
fn selections_of_readers_take_no_room_from_messages_and_have_a_bound_of_their_own() {
    let mut topics = topics(Settings {
        bytes_max: 1 << 20,
        ..Settings::default()
    });
    publish(&mut topics, 1, &["kept"], "x");
    let mut seats = Vec::new();
    while topics.has_room_for(&wish(&long_selection(seats.len())).selection) {
        assert!(topics.bytes() < 2 << 20, "no bound");
        seats.push(join(&mut topics, &long_selection(seats.len())).seat);
    }
    // Half of it and no more: one more of them would not have fitted.
    let (half, each) = (1 << 19, topics.standing / seats.len());
    assert!(topics.standing <= half && topics.standing + each > half);
    // Who reads one topic is never refused for want of this room, nor is anybody ended.
    assert!(topics.has_room_for(&wish("topic=kept").selection));
    let mut reader = join(&mut topics, "topic=kept&since=all").seat;
    assert_eq!(seen(&topics, reader), ["x"]);
    for number in 2..40 {
        publish(&mut topics, number, &["kept"], &"y".repeat(4 << 10));
        assert_eq!(topics.all_over(), None, "nothing is held that may go");
    }
    pass(&mut topics, &mut reader, 39);
    let late = join(&mut topics, "topic=kept&since=all").seat;
    assert_eq!(
        seen(&topics, late).len(),
        39,
        "a backlog gave way to readers"
    );
    topics.leave(late);
    topics.leave(reader);
    for seat in seats {
        topics.leave(seat);
        topics.check();
    }
    assert!(topics.has_room_for(&wish(&long_selection(0)).selection));
}

#[test]
fn what_views_hold_for_themselves_is_on_the_account() {
    let mut topics = topics(SETTINGS());
    join(&mut topics, &long_selection(0));
    let first = topics.bytes();
    join(&mut topics, &(long_selection(0) + "&where.a=b"));
    let short = topics.bytes() - first;
    assert!(short < 16 << 10, "names are held again: {short}");
    let value = "v".repeat(1_000);
    join(&mut topics, &(long_selection(0) + "&where.a=" + &value));
    let long = topics.bytes() - first - short;
    assert!(
        long >= short + 999,
        "a filter is for nothing: {short} {long}"
    );
}

#[test]
fn people_are_shown_no_more_of_a_selection_than_they_can_read() {
    let mut topics = topics(SETTINGS());
    let seat = join(&mut topics, &long_selection(0)).seat;
    let names = topics.names(seat.channel);
    assert!(names.len() <= 2 << 10, "{}", names.len());
    assert!(
        names.starts_with("0-0-n") && names.ends_with(",\u{2026}"),
        "{names}"
    );
    let alone = join(&mut topics, &format!("topic={}", "t".repeat(1_024))).seat;
    assert_eq!(topics.names(alone.channel).len(), 1_024);
}
