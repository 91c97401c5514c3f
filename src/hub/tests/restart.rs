//! What a new hub knows that has nothing but what the old one handed to the store.

use std::collections::BTreeMap;

use super::fetch::{fetched, stored};
use super::settings::{Refresh, TopicRule};
use super::*;
use crate::base::slab::Slab;
use crate::base::time::micros;
use crate::model::SealMethod;
use crate::model::record::Table;
use crate::port::{Action, StoreOp};

type Facts = BTreeMap<(Table, Box<[u8]>), Box<[u8]>>;

impl Story {
    /// What the store has after all that was handed to it.
    fn facts(&mut self) -> Facts {
        let mut facts = Facts::new();
        for action in &self.turn.actions {
            if let Action::Store(_, StoreOp::Keep { table, key, value }) = action {
                match value {
                    Some(value) => facts.insert((*table, key.clone()), value.clone()),
                    None => facts.remove(&(*table, key.clone())),
                };
            }
        }
        facts
    }

    /// The process dies, and another begins so many seconds later.
    fn restarted(mut self, seconds: u64) -> Story {
        let facts = self.facts();
        let mut next = Story::with(self.hub.settings.clone());
        // Another clock of this sort has nothing to do with the one before.
        next.turn.now.mono = Mono(17_000);
        next.turn.wheel = Wheel::with_bound(64, Mono(17_000));
        next.turn.rng = self.turn.rng;
        next.turn.now.wall = self.turn.now.wall + Duration::from_secs(seconds);
        next.learn(&facts);
        next
    }

    fn learn(&mut self, facts: &Facts) {
        for ((table, key), value) in facts {
            self.hub.restore(&mut self.turn, *table, key, value);
            let value = value.clone();
            let (table, key) = (*table, key.clone());
            // The store still has it.
            let op = StoreOp::Keep {
                table,
                key,
                value: Some(value),
            };
            self.turn.actions.push_front(Action::Store(0, op));
        }
        self.check();
    }

    /// What was handed over since it began, besides what it was told.
    fn news(&self) -> usize {
        let is_new = |it: &&Action| matches!(it, Action::Store(1.., StoreOp::Keep { .. }));
        self.turn.actions.iter().filter(is_new).count()
    }
}

fn number(story: &Story) -> u64 {
    story.callbacks()[0].number
}

#[test]
fn point_35_a_verified_subscription_holds_as_it_was() {
    let more = "&hub.secret=s%00%ff%26&hub.lease_seconds=1000&hub.signature_method=sha512";
    let story = Story::subscribed(more);
    let was = story.callbacks()[0].clone();
    let mut story = story.restarted(600);
    assert_eq!(story.news(), 0, "nothing has changed");
    let is = story.callbacks()[0].clone();
    assert_eq!((is.number, &is.link), (was.number, &was.link));
    assert_eq!(is.target.path, was.target.path);
    let seal = is.seal.as_ref().unwrap();
    assert_eq!(
        (seal.method, &*seal.secret),
        (SealMethod::Sha512, &b"s\0\xff&"[..])
    );
    let found = story
        .hub
        .by_number(story.turn.now.mono, was.number)
        .unwrap();
    assert_eq!(found.subscription, is.subscription);
    assert!(
        story
            .hub
            .by_number(story.turn.now.mono, was.number + 1)
            .is_none()
    );
    assert!(story.call().is_none(), "there is nothing to ask");
    story.pass(399);
    assert_eq!(story.callbacks().len(), 1);
    story.pass(1);
    assert_eq!((story.state(), story.callbacks().len()), ("gone", 0));
    assert!(
        story.facts().keys().all(|(_, key)| key.len() != 8),
        "it is forgotten"
    );
}

#[test]
fn point_35_a_lease_that_ran_out_meanwhile_is_over_at_once() {
    let mut story = Story::subscribed("&hub.lease_seconds=1000").restarted(1_000);
    assert!(story.callbacks().is_empty());
    story.pass(1);
    assert!(story.hub.is_empty());
    assert_eq!(story.count(Counter::LeasesEnded), 1);
}

/// A clock that went back is no reason for a longer lease.
#[test]
fn point_37_nobody_gets_more_than_the_whole_lease() {
    let mut old = Story::subscribed("&hub.lease_seconds=1000");
    let facts = old.facts();
    let mut story = Story::new();
    story.turn.now.wall = Wall(1_000_000);
    story.learn(&facts);
    story.pass(999);
    assert_eq!(story.callbacks().len(), 1);
    story.pass(1);
    assert!(story.callbacks().is_empty());
}

#[test]
fn point_35_what_was_asked_for_is_asked_again() {
    let mut story = Story::new();
    story
        .subscribe("&hub.verify=async&hub.verify_token=t%20k&hub.secret=x")
        .unwrap();
    let old = story.called();
    let mut story = story.restarted(3_600);
    assert_eq!((story.state(), story.callbacks().len()), ("pending", 0));
    story.pass(1);
    let new = story.confirm();
    assert_eq!(new.param("hub.verify_token"), Some("t%20k"));
    assert_ne!(new.param("hub.challenge"), old.param("hub.challenge"));
    let seal = story.callbacks()[0].seal.clone().unwrap();
    assert_eq!((seal.method, &*seal.secret), (SealMethod::Sha1, &b"x"[..]));
}

#[test]
fn point_35_an_end_that_was_asked_for_is_asked_again_and_all_holds_until_then() {
    let mut story = Story::subscribed("");
    story.unsubscribe("").unwrap();
    let mut story = story.restarted(5);
    assert_eq!((story.state(), story.callbacks().len()), ("changing", 1));
    story.pass(1);
    let asked = story.confirm();
    assert_eq!(asked.param("hub.mode"), Some("unsubscribe"));
    assert_eq!(story.state(), "gone");
    assert!(story.restarted(1).hub.is_empty());
}

#[test]
fn point_35_a_change_that_was_asked_for_changes_nothing_before_it_is_verified() {
    let mut story = Story::subscribed("&hub.secret=old");
    story.subscribe("&hub.secret=new").unwrap();
    let mut story = story.restarted(5);
    let secret = |story: &Story| story.callbacks()[0].seal.clone().unwrap().secret.clone();
    assert_eq!(*secret(&story), *b"old");
    let was = number(&story);
    story.pass(1);
    story.confirm();
    assert_eq!((&*secret(&story), number(&story)), (&b"new"[..], was));
    let story = story.restarted(5);
    assert_eq!((&*secret(&story), story.state()), (&b"new"[..], "active"));
}

#[test]
fn point_35_tries_are_counted_on_and_their_times_kept() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let out = story.called();
    story.faults(&out, Fault::Connect);
    story.pass(5);
    let out = story.called();
    story.faults(&out, Fault::Connect);
    // The third is due after thirty seconds.
    let mut story = story.restarted(10);
    story.pass(19);
    assert!(story.call().is_none());
    story.pass(2);
    let out = story.called();
    story.faults(&out, Fault::Connect);
    let mut story = story.restarted(3_600);
    story.pass(1);
    let out = story.called();
    story.faults(&out, Fault::Connect);
    assert!(story.hub.is_empty(), "the fourth was the last");
    assert!(story.restarted(1).hub.is_empty());
}

#[test]
fn who_waits_for_the_answer_has_been_told_nothing_yet() {
    let mut story = Story::new();
    story.subscribe("&hub.verify=sync").unwrap();
    assert!(story.facts().keys().all(|(_, key)| key.len() != 8));
    story.confirm();
    assert_eq!(story.restarted(1).state(), "active");
}

#[test]
fn point_9_renewals_go_on_after_a_restart() {
    let mut story = Story::with(Settings {
        refresh: Refresh::Always,
        ..Settings::default()
    });
    story.subscribe("&hub.lease_seconds=1000").unwrap();
    story.confirm();
    let mut story = story.restarted(100);
    story.pass(799);
    assert!(story.call().is_none());
    story.pass(1);
    let _lost = story.called();
    // Nobody asked for it, so that it begins anew; half of what is left is for it at most.
    let mut story = story.restarted(50);
    story.pass(1);
    story.confirm();
    assert_eq!(story.state(), "active");
    story.pass(850);
    assert_eq!(story.callbacks().len(), 1);
}

#[test]
fn point_35_a_restart_is_no_storm() {
    let mut story = Story::new();
    story.local = true;
    for n in 0..30 {
        let form = "hub.mode=subscribe&hub.topic=orders&hub.callback=http://s";
        story.post(&format!("{form}{n}.test/")).unwrap();
    }
    let mut story = story.restarted(1);
    let mut calls = 0;
    for tenth in 1..=4 {
        let tick = story.turn.now.mono + Duration::from_millis(100);
        while let Some(wake) = story.turn.wheel.next_wake().filter(|wake| *wake <= tick) {
            story.at(wake);
            while story.turn.wheel.pop(wake).is_some() {
                story.hub.fired(&mut story.turn);
            }
        }
        story.at(tick);
        while story.call().is_some() {
            calls += 1;
        }
        assert!(calls <= 10 * tenth + 2, "{calls} after {tenth} tenths");
    }
    assert_eq!(calls, 30);
}

#[test]
fn point_35_a_ping_that_nobody_served_is_served() {
    let mut story = Story::subscribed("");
    story.ping();
    let mut story = story.restarted(1);
    story.pass(1);
    assert!(fetched(&mut story, "ETag: \"1\"\r\n", "one").is_some());
    let out = story.restarted(1).call();
    assert!(out.is_none(), "it was handed over with its content");
}

#[test]
fn point_25_what_the_store_has_is_not_published_again() {
    let mut story = Story::subscribed("");
    story.ping();
    let content = fetched(&mut story, "ETag: \"1\"\r\n", "one").unwrap();
    // The store has it; that nobody heard of that makes no difference.
    drop(content);
    let mut story = story.restarted(1);
    story.ping();
    let out = story.called();
    assert!(
        out.text.contains("\r\nIf-None-Match: \"1\"\r\n"),
        "{}",
        out.text
    );
    story.answer_with(&out, 200, "", b"one");
    assert!(story.hub.next_content().is_none());
    story.ping();
    assert!(fetched(&mut story, "", "two").is_some());
}

#[test]
fn point_25_what_the_store_lost_is_fetched_again_after_a_restart_too() {
    let mut story = Story::subscribed("");
    story.ping();
    let content = fetched(&mut story, "ETag: \"1\"\r\n", "one").unwrap();
    stored(&mut story, &content, false);
    let mut story = story.restarted(60);
    story.pass(1);
    let out = story.called();
    assert!(!out.text.contains("If-None-Match"), "{}", out.text);
    story.answer_with(&out, 200, "", b"one");
    assert!(story.hub.next_content().is_some());
}

#[test]
fn row_47_a_ping_while_content_is_stored_outlives_the_restart() {
    let mut story = Story::subscribed("");
    story.ping();
    let _content = fetched(&mut story, "", "one").unwrap();
    story.ping();
    let mut story = story.restarted(1);
    story.pass(1);
    let out = story.called();
    assert!(out.line().starts_with("GET /feed "), "{}", out.text);
}

#[test]
fn what_streams_alone_read_is_remembered() {
    let mut story = Story::new();
    let ping = "hub.mode=publish&hub.url=http://read.test/";
    story.post(ping).unwrap();
    let out = story.called();
    story.answer_with(&out, 200, "ETag: \"1\"\r\n", b"one");
    let content = story.hub.next_content().unwrap();
    stored(&mut story, &content, true);
    assert!(story.hub.is_empty());
    let mut story = story.restarted(1);
    story.post(ping).unwrap();
    let out = story.called();
    assert!(out.text.contains("If-None-Match: \"1\""), "{}", out.text);
    story.answer(&out, 304, "");
    // Who is new is better served by all there is; before and after a restart.
    let form = "hub.mode=subscribe&hub.topic=http://read.test/&hub.callback=http://s.test/";
    story.post(form).unwrap();
    story.confirm();
    let mut story = story.restarted(1);
    story.post(ping).unwrap();
    assert!(!story.called().text.contains("If-None-Match"));
}

#[test]
fn what_a_topic_says_of_itself_stands_in_links_after_a_restart() {
    let mut story = Story::subscribed("");
    story.ping();
    let link = "Link: </canonical>; rel=self\r\n";
    let content = fetched(&mut story, link, "one").unwrap();
    stored(&mut story, &content, true);
    let was = story.callbacks()[0].link.clone();
    assert!(was.contains("<http://publisher.test/canonical>"), "{was}");
    assert_eq!(story.restarted(1).callbacks()[0].link, was);
}

#[test]
fn point_27_who_had_the_last_version_gets_what_is_new_after_a_restart() {
    let feed = |entries: &[&str]| {
        let entry = |id: &&str| format!("<entry><id>{id}</id></entry>");
        let entries: String = entries.iter().map(entry).collect();
        format!("<feed xmlns='http://www.w3.org/2005/Atom'>{entries}</feed>")
    };
    for (status, want) in [(204, feed(&["b"])), (500, feed(&["b", "a"]))] {
        let mut story = Story::with(Settings {
            diff: vec![TopicRule::parse("publisher.test").unwrap()],
            ..Settings::default()
        });
        story.subscribe("").unwrap();
        story.confirm();
        story.ping();
        let content = fetched(&mut story, "", &feed(&["a"])).unwrap();
        stored(&mut story, &content, true);
        let to = story.callbacks()[0].subscription;
        let key = Slab::with_bound(1).insert(()).unwrap();
        story.hub.offered(key, to, true);
        let (ending, turn) = (answered(status, None), &mut story.turn);
        story.hub.reported(turn, (key, to), Some(&ending), true);
        let mut story = story.restarted(1);
        story.ping();
        let content = fetched(&mut story, "", &feed(&["b", "a"])).unwrap();
        assert_eq!(content.body[..], *want.as_bytes());
    }
}

#[test]
fn the_trouble_with_a_subscriber_is_not_forgotten() {
    let mut story = Story::subscribed("");
    let to = story.callbacks()[0].subscription;
    let key = Slab::with_bound(1).insert(()).unwrap();
    story.hub.offered(key, to, false);
    let (ending, turn) = (answered(503, None), &mut story.turn);
    story.hub.reported(turn, (key, to), Some(&ending), false);
    let at = story.turn.now.wall;
    let story = story.restarted(9);
    let row = story.row().unwrap();
    assert_eq!((row.failures, row.status, row.last), (1, 503, Some(at)));
}

#[test]
fn a_410_and_a_denial_are_for_ever() {
    let mut story = Story::subscribed("");
    let to = story.callbacks()[0].subscription;
    let key = Slab::with_bound(1).insert(()).unwrap();
    story.hub.offered(key, to, false);
    let (ending, turn) = (answered(410, None), &mut story.turn);
    story.hub.reported(turn, (key, to), Some(&ending), true);
    assert!(story.restarted(1).hub.is_empty());
    let mut story = Story::subscribed("");
    story.hub.dismiss(&mut story.turn, TOPIC, None);
    assert!(story.restarted(1).hub.is_empty());
}

#[test]
fn numbers_are_never_given_twice_whatever_the_clock_does() {
    let story = Story::subscribed("");
    let first = number(&story);
    let mut story = story;
    story.unsubscribe("").unwrap();
    story.confirm();
    let facts = story.facts();
    let mut story = Story::new();
    story.turn.now.wall = Wall(5);
    story.learn(&facts);
    story.subscribe("").unwrap();
    story.confirm();
    let second = number(&story);
    assert!(second > first, "{second} after {first}");
    let ahead = micros(Duration::from_secs(2 * 3_600));
    assert!(second - first < ahead);
}

#[test]
fn what_cannot_be_read_is_left_alone_and_harms_nobody() {
    let facts = Story::subscribed("").facts();
    let (own, value) = facts.iter().find(|((_, key), _)| key.len() == 8).unwrap();
    let text = String::from_utf8(value.to_vec()).unwrap();
    let other = |value: &str| (own.clone(), Box::from(value.as_bytes()));
    type Fact = ((Table, Box<[u8]>), Box<[u8]>);
    let rows: [Fact; 8] = [
        other(""),
        other("v=2&callback=x"),
        other(&text.replace("callback=", "call=")),
        other(&text.replace("&topic=", "&top=")),
        other(&text.replace("&host=", "&h=")),
        ((own.0, Box::from(&[0; 8][..])), value.clone()),
        ((own.0, Box::from(&b"x"[..])), value.clone()),
        (
            (Table::Topics, Box::from(&b"hub http://t/"[..])),
            value.clone(),
        ),
    ];
    for (key, value) in rows {
        let mut story = Story::new();
        story.learn(&Facts::from([(key, value.clone())]));
        let shown = String::from_utf8_lossy(&value).into_owned();
        assert!(story.hub.is_empty() && story.news() == 0, "{shown}");
    }
    // The same pair under two numbers is one subscription.
    let mut twice = facts.clone();
    twice.insert(
        (own.0, Box::from(&[0, 0, 0, 0, 0, 0, 0, 9][..])),
        value.clone(),
    );
    let mut story = Story::new();
    story.learn(&twice);
    assert_eq!(story.callbacks().len(), 1);
}
