//! Stories of requests to the hub: who is asked what, what whoever waits is told, which request
//! counts. The book judges them like any seed.

use super::asks::{PLAIN, Speaks, Wish};
use super::stories::{pair, pair_with, taken};
use super::subscriber::Manner;
use crate::behaviour::Door;
use crate::world::{MINUTE, SECOND};

#[test]
fn whoever_waits_in_vain_hears_the_same_whatever_it_was() {
    let manners = [
        Manner::Status(404),
        Manner::Status(503),
        Manner::Wrong,
        Manner::Redirect,
        Manner::Reset,
        Manner::Silent,
        Manner::Drip(SECOND),
    ];
    let mut sim = pair();
    let start = sim.world.at();
    for (number, manner) in manners.into_iter().enumerate() {
        let host = sim.hub.host(false);
        let subscriber = sim.hub.subscriber(host, 0);
        sim.hub.subscribers[subscriber].verifies = vec![(start + MINUTE, manner)];
        let (speaks, delay) = (Speaks::Sync, number as u64);
        sim.ask(delay, subscriber, Wish { speaks, ..PLAIN });
    }
    let host = sim.hub.host(false);
    sim.hub.hosts[host].away = vec![(0, u64::MAX, Door::Shut)];
    let subscriber = sim.hub.subscriber(host, 0);
    sim.ask(
        0,
        subscriber,
        Wish {
            speaks: Speaks::Sync,
            ..PLAIN
        },
    );
    sim.run();
    for ask in &sim.hub.asks {
        let (at, status) = ask.answered.expect("an answer");
        assert!(status == 409 && at < start + 11 * SECOND, "{ask:?}");
    }
}

#[test]
fn a_host_is_asked_one_thing_at_a_time() {
    let mut sim = pair();
    let start = sim.world.at();
    for _ in 0..4 {
        let subscriber = sim.hub.subscriber(1, 0);
        let slow = Manner::Late(2 * SECOND);
        sim.hub.subscribers[subscriber].verifies = vec![(start + MINUTE, slow)];
        sim.ask(0, subscriber, PLAIN);
    }
    sim.run_for(7 * SECOND);
    assert_eq!(sim.hub.book.facts.len(), 3);
    sim.ping(5 * SECOND, &[0], 1);
    sim.run();
    assert!((1..5).all(|subscriber| taken(&sim, subscriber) == [0]));
}

#[test]
fn the_newest_request_is_the_one_that_counts() {
    let mut sim = pair();
    let start = sim.world.at();
    let slow = Manner::Late(2 * SECOND);
    sim.hub.subscribers[0].verifies = vec![(start + MINUTE, slow)];
    sim.ask(0, 0, PLAIN);
    sim.ask(SECOND, 0, Wish { end: true, ..PLAIN });
    sim.push(10 * SECOND, 0, true);
    sim.run();
    assert_eq!(sim.hub.subscribers[0].got.len(), 0);
    assert_eq!(sim.hub.subscribers[0].asked.len(), 2);
}

#[test]
fn subscribing_twice_is_subscribing_once() {
    let mut sim = pair();
    sim.ask(0, 0, PLAIN);
    sim.ask(
        SECOND,
        0,
        Wish {
            signed: Some("sha512"),
            ..PLAIN
        },
    );
    sim.ask(
        2 * SECOND,
        0,
        Wish {
            signed: None,
            ..PLAIN
        },
    );
    sim.ping(3 * SECOND, &[0], 2);
    sim.run();
    assert_eq!(taken(&sim, 0), [0]);
}

#[test]
fn a_topic_that_is_not_its_own_is_denied_and_once() {
    let mut sim = pair_with(|settings| settings.strict_self = true);
    sim.hub.book.may_deny = true;
    sim.hub.topics[0].canonical = Some("http://else.test/".to_owned());
    sim.ask(0, 0, PLAIN);
    sim.ping(SECOND, &[0], 1);
    sim.push(5 * SECOND, 0, true);
    sim.run();
    let subscriber = &sim.hub.subscribers[0];
    assert_eq!((subscriber.got.len(), subscriber.denied.len()), (0, 1));
}

#[test]
fn a_stranger_may_not_name_this_machines_neighbours() {
    let mut sim = pair();
    let local = false;
    let public = sim.hub.host(true);
    let topic = sim.hub.topic(public);
    let subscriber = sim.hub.subscriber(public, topic);
    let rows = [(0, 403), (subscriber, 202)];
    sim.change(topic, 10);
    for (whose, _) in rows {
        sim.ask(0, whose, Wish { local, ..PLAIN });
    }
    sim.ping(SECOND, &[topic], 1);
    sim.run();
    for (ask, (_, status)) in rows.into_iter().enumerate() {
        assert_eq!(sim.hub.asks[ask].answered.map(|it| it.1), Some(status));
    }
    assert_eq!(taken(&sim, subscriber), [0]);
}

#[test]
fn a_failed_change_of_mind_leaves_all_as_it_was() {
    for manner in [
        Manner::Status(404),
        Manner::Wrong,
        Manner::Empty,
        Manner::Longer,
    ] {
        for end in [false, true] {
            let mut sim = pair();
            let start = sim.world.at();
            sim.ask(0, 0, PLAIN);
            sim.hub.subscribers[0].verifies = vec![
                (start + SECOND, Manner::Right),
                (start + 3 * SECOND, manner),
            ];
            sim.ask(2 * SECOND, 0, Wish { end, ..PLAIN });
            sim.ping(4 * SECOND, &[0], 1);
            sim.run();
            assert_eq!(taken(&sim, 0), [0], "{manner:?}");
            assert!(sim.hub.subscribers[0].denied.is_empty());
        }
    }
}
