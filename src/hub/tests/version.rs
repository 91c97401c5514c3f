//! Which subscribers get a whole feed, and when what is new of it will do.

use super::Decision::Release;
use super::fetch::{fetched, stored};
use super::settings::TopicRule;
use super::*;
use crate::base::slab::Slab;

/// A feed of Atom with those entries.
fn feed(entries: &[&str]) -> String {
    let entry = |id: &&str| format!("<entry><id>{id}</id></entry>");
    let entries: String = entries.iter().map(entry).collect();
    format!("<feed xmlns='http://www.w3.org/2005/Atom'>{entries}</feed>")
}

/// A hub that looks into the topic, with one subscriber; and keys of deliveries.
fn story() -> (Story, Vec<Key>) {
    let mut story = Story::with(Settings {
        diff: vec![TopicRule::parse("publisher.test").unwrap()],
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    let mut slab = Slab::with_bound(8);
    (story, (0..8).filter_map(|n| slab.insert(n).ok()).collect())
}

/// The topic is pinged and says `body`; what is published.
fn published(story: &mut Story, body: &str) -> String {
    story.ping();
    let content = fetched(story, "", body).expect("content");
    stored(story, &content, true);
    String::from_utf8(content.body.to_vec()).unwrap()
}

/// Its delivery to that subscriber is offered, goes out, and ends with that status.
fn delivered(story: &mut Story, delivery: Key, to: Key, status: u16) {
    story.hub.offered(delivery, to, true);
    assert_eq!(story.hub.next_decision(), Some(Release(delivery)));
    let ending = answered(status, None);
    let (whose, turn) = ((delivery, to), &mut story.turn);
    story.hub.reported(turn, whose, Some(&ending), true);
    story.check();
}

#[test]
fn point_27_who_had_the_last_version_gets_what_is_new() {
    let (mut story, k) = story();
    let to = story.callbacks()[0].subscription;
    assert_eq!(published(&mut story, &feed(&["a"])), feed(&["a"]));
    delivered(&mut story, k[0], to, 204);
    assert_eq!(published(&mut story, &feed(&["b", "a"])), feed(&["b"]));
    delivered(&mut story, k[1], to, 200);
    let third = feed(&["c", "b", "a"]);
    assert_eq!(published(&mut story, &third), feed(&["c"]));
}

#[test]
fn point_27_who_missed_a_version_gets_the_next_whole() {
    let (mut story, k) = story();
    let to = story.callbacks()[0].subscription;
    published(&mut story, &feed(&["a"]));
    let second = feed(&["b", "a"]);
    assert_eq!(published(&mut story, &second), second, "it still waits");
    delivered(&mut story, k[0], to, 500);
    let third = feed(&["c", "b", "a"]);
    assert_eq!(published(&mut story, &third), third, "it was given up");
}

#[test]
fn point_27_a_subscriber_that_is_new_gets_the_feed_whole() {
    let (mut story, k) = story();
    let first = story.callbacks()[0].subscription;
    published(&mut story, &feed(&["a"]));
    delivered(&mut story, k[0], first, 204);
    let form = format!("hub.mode=subscribe&hub.topic={TOPIC}&hub.callback=http://new.test/");
    story.post(&form).unwrap();
    let asked = story.called();
    let second = feed(&["b", "a"]);
    // Until it is verified it gets nothing and stands in nobody's way.
    assert_eq!(published(&mut story, &second), feed(&["b"]));
    delivered(&mut story, k[1], first, 204);
    let challenge = asked.param("hub.challenge").unwrap().to_owned();
    story.answer(&asked, 200, &challenge);
    let third = feed(&["c", "b", "a"]);
    assert_eq!(published(&mut story, &third), third);
    for (n, callback) in story.callbacks().iter().enumerate() {
        delivered(&mut story, k[2 + n], callback.subscription, 204);
    }
    let fourth = feed(&["d", "c", "b", "a"]);
    assert_eq!(published(&mut story, &fourth), feed(&["d"]));
}

#[test]
fn point_27_what_the_store_lost_is_no_version() {
    let (mut story, k) = story();
    let to = story.callbacks()[0].subscription;
    published(&mut story, &feed(&["a"]));
    delivered(&mut story, k[0], to, 204);
    story.ping();
    let lost = fetched(&mut story, "", &feed(&["b", "a"])).unwrap();
    stored(&mut story, &lost, false);
    story.pass(5);
    let again = fetched(&mut story, "", &feed(&["c", "b", "a"])).unwrap();
    assert_eq!(again.body[..], *feed(&["c", "b"]).as_bytes());
}

#[test]
fn point_27_any_other_topic_goes_out_whole() {
    let mut plain = Story::subscribed("");
    let to = plain.callbacks()[0].subscription;
    let mut slab = Slab::with_bound(1);
    let key = slab.insert(()).unwrap();
    published(&mut plain, &feed(&["a"]));
    delivered(&mut plain, key, to, 204);
    let second = feed(&["b", "a"]);
    assert_eq!(
        published(&mut plain, &second),
        second,
        "nobody asked for it"
    );
    let (mut story, k) = story();
    let to = story.callbacks()[0].subscription;
    published(&mut story, &feed(&["a"]));
    delivered(&mut story, k[0], to, 204);
    story.ping();
    let zipped = fetched(&mut story, "Content-Encoding: gzip\r\n", &second).unwrap();
    assert_eq!(
        zipped.body[..],
        *second.as_bytes(),
        "it cannot be looked into"
    );
    stored(&mut story, &zipped, true);
    delivered(&mut story, k[1], to, 204);
    let third = feed(&["c", "b", "a"]);
    assert_eq!(published(&mut story, &third), third, "nothing is known");
}

#[test]
fn point_27_whoever_wants_what_did_not_change_wants_it_whole() {
    let (mut story, k) = story();
    story.hub.settings.distribute_unchanged = true;
    let to = story.callbacks()[0].subscription;
    for delivery in &k[..3] {
        assert_eq!(published(&mut story, &feed(&["a"])), feed(&["a"]));
        delivered(&mut story, *delivery, to, 204);
    }
    assert_eq!(published(&mut story, &feed(&["b", "a"])), feed(&["b"]));
}
