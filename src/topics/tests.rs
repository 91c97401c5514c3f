//! Topics against what their readers should see.

use std::borrow::Cow;

use super::format::Format;
use super::*;
use crate::base::time::Wall;
use crate::model::TopicNames;

const CHUNKED: Style = Style {
    format: Format::Raw,
    framing: Framing::Chunked,
    heartbeat: false,
};
const PLAIN: Style = Style {
    framing: Framing::Plain,
    ..CHUNKED
};

fn message(number: u128, body: &[u8]) -> Message {
    Message {
        id: MessageId(number),
        accepted: Wall(0),
        content_type: Cow::Borrowed(""),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra: None,
    }
}

fn keys(count: usize) -> Vec<Key> {
    let mut slab = Slab::with_bound(count);
    (0..count).map(|n| slab.insert(n).unwrap()).collect()
}

fn seen(topics: &Topics, seat: Seat, format: Style) -> Vec<Vec<u8>> {
    (seat.at..)
        .map_while(|at| {
            topics
                .feed(seat.topic, format)
                .frame(at)
                .map(|f| f.to_vec())
        })
        .collect()
}

#[test]
fn a_reader_sees_what_is_published_from_its_joining_on() {
    let mut topics = Topics::new(1);
    let keys = keys(2);
    assert!(
        topics
            .publish(b"t", &message(1, b"nobody"), &mut Encoded::default())
            .is_empty()
    );
    let early = topics.join(b"t", keys[0], CHUNKED).unwrap();
    topics.publish(b"t", &message(2, b"one"), &mut Encoded::default());
    let late = topics.join(b"t", keys[1], PLAIN).unwrap();
    topics.publish(b"other", &message(3, b"elsewhere"), &mut Encoded::default());
    topics.publish(b"t", &message(4, b"two"), &mut Encoded::default());
    topics.check();
    let chunks = vec![b"5\r\none\r\n\r\n".to_vec(), b"5\r\ntwo\r\n\r\n".to_vec()];
    assert_eq!(seen(&topics, early, CHUNKED), chunks);
    assert_eq!(seen(&topics, late, PLAIN), vec![b"two\r\n".to_vec()]);
    assert_eq!(topics.last(), MessageId(4));
}

#[test]
fn a_frame_goes_when_the_last_reader_has_passed_it() {
    let mut topics = Topics::new(1);
    let keys = keys(2);
    let first = topics.join(b"t", keys[0], CHUNKED).unwrap();
    let second = topics.join(b"t", keys[1], CHUNKED).unwrap();
    topics.publish(b"t", &message(1, b"x"), &mut Encoded::default());
    topics.publish(b"t", &message(2, b"y"), &mut Encoded::default());
    topics.passed(first.topic, first.at, first.at + 2);
    assert_eq!(seen(&topics, second, CHUNKED).len(), 2);
    topics.passed(second.topic, second.at, second.at + 1);
    assert_eq!(topics.first(second.topic), second.at + 1);
    topics.check();
    // The second leaves without the last one; the first has moved to its end.
    let first = Seat {
        at: first.at + 2,
        ..first
    };
    let second = Seat {
        at: second.at + 1,
        ..second
    };
    assert_eq!(topics.leave(second), None);
    topics.check();
    assert_eq!(topics.bytes, 0);
    assert_eq!(topics.leave(first), None);
    assert!(topics.is_empty());
    topics.check();
}

#[test]
fn who_takes_over_a_place_is_told() {
    let mut topics = Topics::new(1);
    let keys = keys(3);
    let seats: Vec<_> = keys
        .iter()
        .map(|key| topics.join(b"t", *key, CHUNKED).unwrap())
        .collect();
    assert_eq!(topics.leave(seats[0]), Some(keys[2]));
    assert_eq!(topics.members(seats[1].topic)[0].0, keys[2]);
    topics.check();
}

#[test]
fn the_bounds_name_the_topic_that_holds_too_much() {
    let mut topics = Topics::new(1);
    let keys = keys(1);
    let seat = topics.join(b"t", keys[0], CHUNKED).unwrap();
    let big = vec![b'x'; BEHIND_BYTES_MAX + 1];
    topics.publish(b"t", &message(1, &big), &mut Encoded::default());
    assert_eq!(topics.over(b"t"), None, "one message is always admitted");
    topics.publish(b"t", &message(2, b"y"), &mut Encoded::default());
    assert_eq!(topics.over(b"t"), Some(seat.topic));
    topics.leave(seat);
    assert_eq!(topics.over(b"t"), None);
    let seat = topics.join(b"t", keys[0], CHUNKED).unwrap();
    for number in 0..=BEHIND_MESSAGES_MAX as u128 {
        assert_eq!(topics.over(b"t"), None);
        topics.publish(b"t", &message(number, b"z"), &mut Encoded::default());
    }
    assert_eq!(topics.over(b"t"), Some(seat.topic));
}

#[test]
fn a_hundred_thousand_names_that_nobody_reads_cost_nothing() {
    let mut topics = Topics::new(1);
    for number in 0..100_000_u128 {
        topics.publish(
            format!("topic-{number}").as_bytes(),
            &message(number, b"x"),
            &mut Encoded::default(),
        );
    }
    assert_eq!((topics.len(), topics.bytes), (0, 0));
    topics.check();
}

#[test]
fn a_message_that_names_a_topic_twice_comes_once() {
    let mut topics = Topics::new(1);
    let keys = keys(1);
    let seat = topics.join(b"t", keys[0], PLAIN).unwrap();
    topics.publish(b"t", &message(1, b"x"), &mut Encoded::default());
    topics.publish(b"u", &message(1, b"x"), &mut Encoded::default());
    assert!(
        topics
            .publish(b"t", &message(1, b"x"), &mut Encoded::default())
            .is_empty()
    );
    topics.publish(b"t", &message(2, b"y"), &mut Encoded::default());
    assert_eq!(seen(&topics, seat, PLAIN), [&b"x\r\n"[..], b"y\r\n"]);
    topics.check();
}

#[test]
fn all_topics_together_have_a_bound_though_each_holds_one_message() {
    let mut topics = Topics::new(1);
    let body = vec![b'x'; FRAMES_BYTES_MAX / 4];
    let keys = keys(5);
    let names = [b"a", b"b", b"c", b"d", b"e"];
    let mut seats = Vec::new();
    for (number, name) in names.iter().enumerate() {
        seats.push(topics.join(*name, keys[number], PLAIN).unwrap());
        topics.publish(
            *name,
            &message(number as u128 + 1, &body),
            &mut Encoded::default(),
        );
        let over = match number {
            0..3 => None,
            _ => Some(seats[number - 3].topic),
        };
        assert_eq!(topics.over(*name), over, "message {number}");
        if over.is_some() {
            topics.leave(seats[number - 3]);
        }
        assert_eq!(topics.over(*name), None);
    }
    topics.check();
}

#[test]
fn topics_of_one_message_share_its_frame() {
    let mut topics = Topics::new(1);
    let keys = keys(2);
    let seats = [b"t", b"u"].map(|name| topics.join(name, keys[0], PLAIN).unwrap());
    let (one, mut encoded) = (message(1, b"x"), Encoded::default());
    for name in [b"t", b"u"] {
        topics.publish(name, &one, &mut encoded);
    }
    let frame = |seat: Seat| topics.feed(seat.topic, PLAIN).frame(seat.at).unwrap();
    assert!(frame(seats[0]).same(frame(seats[1])));
    topics.check();
}
