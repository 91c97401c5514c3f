//! What subscribers get, in which order, and what ends it.

use super::Decision::{Cancel, Release};
use super::*;
use crate::base::slab::Slab;

/// Keys of deliveries.
fn keys() -> Vec<Key> {
    let mut slab = Slab::with_bound(4);
    (0..4).filter_map(|n| slab.insert(n).ok()).collect()
}

fn decided(story: &mut Story) -> Vec<Decision> {
    std::iter::from_fn(|| story.hub.next_decision()).collect()
}

fn report(story: &mut Story, delivery: Key, to: Key, ending: &Ending, over: bool) {
    story
        .hub
        .reported(&mut story.turn, (delivery, to), Some(ending), over);
    story.check();
}

#[test]
fn point_38_callbacks_are_those_of_the_topic_in_any_spelling() {
    let mut story = Story::subscribed("");
    story
        .post("hub.mode=subscribe&hub.topic=orders&hub.callback=http://s.test/")
        .unwrap();
    story.confirm();
    let named = |topics: &[&[u8]]| {
        let mut found = Vec::new();
        let now = story.turn.now.mono;
        story
            .hub
            .callbacks(now, topics.iter().copied(), false, &mut found);
        found
            .iter()
            .map(|it| it.target.url.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&[b"orders"]), ["http://s.test/"]);
    assert_eq!(named(&[b"HTTP://publisher.test:80/feed"]), [CALLBACK]);
    assert_eq!(named(&[b"orders", TOPIC.as_bytes()]).len(), 2);
    assert!(named(&[b"Orders", b"\xff", b""]).is_empty());
}

#[test]
fn point_30_deliveries_go_one_by_one() {
    let (mut story, k) = (Story::subscribed(""), keys());
    let to = story.callbacks()[0].subscription;
    story.hub.offered(k[0], to, false);
    story.hub.offered(k[1], to, false);
    assert_eq!(decided(&mut story), [Release(k[0])]);
    report(&mut story, k[0], to, &answered(500, None), false);
    assert_eq!(decided(&mut story), []);
    let row = story.row().unwrap();
    assert_eq!((row.status, row.failures, row.waiting), (500, 1, 2));
    report(&mut story, k[0], to, &answered(204, None), true);
    assert_eq!(decided(&mut story), [Release(k[1])]);
    let row = story.row().unwrap();
    assert_eq!((row.status, row.failures, row.waiting), (204, 0, 1));
}

#[test]
fn row_59_a_410_ends_the_subscription_at_once() {
    let (mut story, k) = (Story::subscribed(""), keys());
    let to = story.callbacks()[0].subscription;
    story.hub.offered(k[0], to, true);
    story.hub.offered(k[1], to, true);
    decided(&mut story);
    report(&mut story, k[0], to, &answered(410, None), true);
    let said = decided(&mut story);
    assert_eq!(said.last(), Some(&Cancel(k[1], "unsubscribed")), "{said:?}");
    assert!(story.hub.is_empty());
    story.hub.offered(k[2], to, true);
    assert_eq!(decided(&mut story), [Cancel(k[2], "unsubscribed")]);
}

#[test]
fn row_62_nothing_but_a_410_ends_a_subscription() {
    let (mut story, k) = (Story::subscribed(""), keys());
    let to = story.callbacks()[0].subscription;
    story.hub.offered(k[0], to, true);
    for status in [301, 404, 500] {
        report(&mut story, k[0], to, &answered(status, None), false);
    }
    story.hub.reported(&mut story.turn, (k[0], to), None, true);
    assert_eq!((story.state(), story.callbacks().len()), ("active", 1));
    decided(&mut story);
    story.hub.offered(k[1], to, true);
    assert_eq!(decided(&mut story), [Release(k[1])], "the next update goes");
}

#[test]
fn an_end_that_is_verified_calls_off_what_waits() {
    let (mut story, k) = (Story::subscribed(""), keys());
    let to = story.callbacks()[0].subscription;
    story.hub.offered(k[0], to, true);
    decided(&mut story);
    story.unsubscribe("").unwrap();
    assert_eq!(decided(&mut story), []);
    story.confirm();
    assert_eq!(decided(&mut story), [Cancel(k[0], "unsubscribed")]);
}

#[test]
fn points_33_and_37_links_where_there_is_no_public_url() {
    let mut story = Story::subscribed("");
    let link = &*story.callbacks()[0].link;
    assert!(
        link.contains("<http://hub.test/hub>; rel=\"hub\""),
        "{link}"
    );
    assert!(link.contains(&format!("<{TOPIC}>; rel=\"self\"")), "{link}");
    story
        .post("hub.mode=subscribe&hub.topic=orders&hub.callback=http://s.test/")
        .unwrap();
    story.confirm();
    let mut found = Vec::new();
    let topics = [&b"orders"[..]].into_iter();
    story
        .hub
        .callbacks(story.turn.now.mono, topics, false, &mut found);
    let link = &*found[0].link;
    assert!(
        link.contains("<http://hub.test/topics/orders>; rel=\"self\""),
        "{link}"
    );
}

#[test]
fn point_33_links_under_a_public_url() {
    let mut story = Story::with(Settings {
        public_url: Some("https://events.test".into()),
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    let out = story.confirm();
    assert!(
        out.text.contains(" (+https://events.test)\r\n"),
        "{}",
        out.text
    );
    let link = &*story.callbacks()[0].link;
    assert!(
        link.contains("<https://events.test/hub>; rel=\"hub\""),
        "{link}"
    );
}
