//! Stories of the hub: one thing happens to a subscriber or a topic in a calm world, and what must
//! come of it is said exactly. The book judges them like any seed.

use std::time::Duration;

use hookah::hub::Settings;

use super::asks::{PLAIN, Speaks, Wish};
use super::origin::{Serves, Validator};
use super::subscriber::Manner;
use crate::behaviour::Door;
use crate::rng::Rng;
use crate::setup;
use crate::sim::Sim;
use crate::store::Temper;
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

/// A topic and a subscriber of it, each on a host of its own, and short leases allowed.
pub(super) fn pair() -> Sim {
    pair_with(|_| ())
}

/// The same, with other settings of the hub.
pub(super) fn pair_with(change: impl FnOnce(&mut Settings)) -> Sim {
    let mut settings = setup::settings();
    settings.hub.public_url = Some(super::PUBLIC_URL.into());
    settings.hub.leases.min = Duration::from_secs(1);
    settings.hub.content_bytes_max = 100_000;
    settings.hub.diff = super::Hub::diff_rules();
    change(&mut settings.hub);
    let mut sim = setup::calm_with(settings);
    let (origin, host) = (sim.hub.host(false), sim.hub.host(false));
    let topic = sim.hub.topic(origin);
    sim.hub.subscriber(host, topic);
    sim.change(topic, 10);
    sim
}

/// A feed goes out whole to whoever has none of it, and then what is new of it; whole again to
/// whoever did not take what was new.
#[test]
fn of_a_feed_comes_what_is_new_to_whoever_has_the_rest() {
    let mut sim = pair();
    sim.hub.topics[0].feed = true;
    sim.change(0, 0);
    let start = sim.world.at();
    sim.hub.subscribers[0].takes = vec![
        (start + 25 * SECOND, Manner::Right),
        (start + 65 * SECOND, Manner::Status(500)),
    ];
    sim.ask(0, 0, PLAIN);
    for _ in 0..5 {
        sim.ping(SECOND, &[0], 1);
        sim.run_for(10 * SECOND);
        sim.change(0, 0);
    }
    sim.run_for(3 * MINUTE);
    sim.ping(0, &[0], 1);
    sim.run();
    let mut had = Vec::new();
    for got in sim.hub.subscribers[0].got.iter().filter(|got| got.taken) {
        had.push(sim.hub.topics[0].version(&got.body).expect("a version"));
    }
    assert_eq!(
        had,
        [
            (1, None),
            (2, Some(1)),
            (3, Some(2)),
            (5, None),
            (6, Some(5))
        ]
    );
}

/// The versions that a subscriber has taken.
pub(super) fn taken(sim: &Sim, subscriber: usize) -> Vec<usize> {
    let subscriber = &sim.hub.subscribers[subscriber];
    let versions = &sim.hub.topics[subscriber.topic].versions;
    let taken = subscriber.got.iter().filter(|got| got.taken);
    let version = |body: &Vec<u8>| versions.iter().position(|(_, known)| known == body);
    taken.map(|got| version(&got.body).unwrap_or(99)).collect()
}

#[test]
fn a_change_comes_to_whoever_has_confirmed_and_once() {
    let mut sim = pair();
    sim.ask(0, 0, PLAIN);
    sim.ping(SECOND, &[0], 3);
    sim.run_for(2 * SECOND);
    sim.change(0, 10);
    sim.ping(0, &[0], 1);
    sim.run();
    assert_eq!(taken(&sim, 0), [0, 1]);
    assert_eq!(sim.hub.subscribers[0].asked.len(), 1);
}

#[test]
fn a_change_within_the_second_of_a_last_modified_is_no_less_one() {
    let mut sim = pair();
    sim.hub.topics[0].validator = Validator::Modified;
    sim.ask(0, 0, PLAIN);
    sim.run_for(800 * MS);
    sim.change(0, 10);
    sim.ping(0, &[0], 1);
    sim.run_for(20 * MS);
    sim.change(0, 10);
    sim.ping(0, &[0], 1);
    sim.run();
    assert_eq!(taken(&sim, 0), [1, 2]);
}

#[test]
fn a_renewed_lease_and_secret_hold_for_what_waits_too() {
    let mut sim = pair();
    let start = sim.world.at();
    sim.hub.subscribers[0].takes = vec![(start + 50 * SECOND, Manner::Status(500))];
    sim.ask(
        0,
        0,
        Wish {
            lease: Some(30),
            ..PLAIN
        },
    );
    sim.ping(SECOND, &[0], 1);
    sim.ask(
        20 * SECOND,
        0,
        Wish {
            lease: Some(86_400),
            ..PLAIN
        },
    );
    sim.run();
    assert_eq!(taken(&sim, 0), [0]);
}

#[test]
fn nothing_comes_after_the_lease() {
    let mut sim = pair();
    sim.ask(
        0,
        0,
        Wish {
            lease: Some(2),
            ..PLAIN
        },
    );
    sim.ping(SECOND, &[0], 1);
    sim.run_for(3 * SECOND);
    sim.change(0, 10);
    sim.ping(0, &[0], 1);
    sim.run();
    assert_eq!(taken(&sim, 0), [0]);
}

#[test]
fn whoever_vanishes_and_returns_gets_the_newest() {
    let mut sim = pair();
    let start = sim.world.at();
    sim.hub.hosts[1].away = vec![(start + SECOND, start + 7 * MINUTE, Door::Shut)];
    sim.ask(0, 0, PLAIN);
    for change in 1..4 {
        sim.run_for(change * 20 * SECOND);
        sim.change(0, 10);
        sim.ping(0, &[0], 1);
    }
    sim.run();
    assert_eq!(taken(&sim, 0), [3]);
}

#[test]
fn a_subscriber_of_old_hears_its_token_and_is_renewed() {
    let mut sim = pair();
    let speaks = Speaks::Sync;
    sim.ask(
        0,
        0,
        Wish {
            speaks,
            token: true,
            ..PLAIN
        },
    );
    sim.run_for(20 * 24 * HOUR);
    assert_eq!(
        sim.hub.asks[0].answered.map(|(_, status)| status),
        Some(204)
    );
    let asked = sim.hub.subscribers[0].asked.len();
    assert_eq!(asked, 3, "a lease is ten days, and renewed after nine");
    sim.ping(0, &[0], 1);
    sim.hub.subscribers[0].willing_until = sim.world.at();
    sim.run();
    assert_eq!(taken(&sim, 0), [0]);
}

#[test]
fn a_topic_that_cannot_be_had_is_had_later() {
    for serves in [
        Serves::Status(500),
        Serves::Later(503, 20),
        Serves::Cut,
        Serves::Silent,
        Serves::Redirect(303),
        Serves::Late(20 * SECOND),
    ] {
        let mut sim = pair();
        let start = sim.world.at();
        sim.hub.topics[0].serves = vec![(start + 10 * SECOND, serves)];
        sim.ask(0, 0, PLAIN);
        sim.ping(SECOND, &[0], 1);
        sim.run();
        assert_eq!(taken(&sim, 0), [0], "{serves:?}");
    }
}

#[test]
fn what_is_no_content_is_not_passed_on() {
    for serves in [
        Serves::Status(404),
        Serves::Status(204),
        Serves::Loop,
        Serves::Astray,
        Serves::TooLong,
    ] {
        let mut sim = pair();
        let start = sim.world.at();
        sim.hub.topics[0].serves = vec![(start + 10 * SECOND, serves)];
        sim.ask(0, 0, PLAIN);
        sim.ping(SECOND, &[0], 1);
        sim.run();
        assert_eq!(taken(&sim, 0), [0; 0], "{serves:?}");
    }
}

#[test]
fn what_was_pushed_keeps_its_order_behind_what_fails() {
    let mut sim = pair();
    let start = sim.world.at();
    sim.hub.subscribers[0].takes = vec![(start + 30 * SECOND, Manner::Status(503))];
    sim.ask(0, 0, PLAIN);
    for number in 0..6 {
        sim.push(SECOND + number * 100 * MS, 0, number % 2 == 0);
    }
    sim.run();
    let got = sim.hub.subscribers[0].got.iter();
    let taken = got.filter(|got| got.taken);
    let bodies: Vec<_> = taken
        .map(|got| String::from_utf8_lossy(&got.body))
        .collect();
    let expected = (1..7).map(|number| format!("n={number}&x="));
    assert_eq!(bodies.len(), 6);
    assert!(
        bodies
            .iter()
            .zip(expected)
            .all(|(body, it)| body.starts_with(&it)),
        "{bodies:?}"
    );
}

#[test]
fn a_ping_while_the_store_writes_is_not_lost() {
    let mut sim = pair();
    sim.store.temper.delay = (500 * MS, 500 * MS);
    sim.ask(0, 0, PLAIN);
    sim.ping(SECOND, &[0], 1);
    sim.run_for(SECOND + 100 * MS);
    sim.change(0, 10);
    sim.ping(0, &[0], 1);
    sim.run();
    assert_eq!(taken(&sim, 0), [0, 1]);
}

#[test]
fn what_the_store_has_lost_is_fetched_again() {
    let mut sim = pair();
    let (well, delay) = (sim.store.temper, (0, 0));
    sim.hub.lossy = true;
    sim.ask(0, 0, PLAIN);
    sim.run_for(SECOND / 2);
    sim.store.temper = Temper {
        delay,
        fail_percent: 100,
    };
    sim.ping(SECOND / 2, &[0], 1);
    sim.run_for(SECOND + SECOND / 2);
    assert_eq!(sim.hub.topics[0].asked, 1);
    sim.store.temper = well;
    sim.run();
    assert_eq!(taken(&sim, 0), [0]);
    assert_eq!(sim.hub.topics[0].asked, 2);
}

#[test]
fn a_callback_that_is_gone_gets_nothing_more() {
    let mut sim = pair();
    let start = sim.world.at();
    sim.hub.subscribers[0].takes = vec![(start + 2 * SECOND, Manner::Status(410))];
    sim.ask(0, 0, PLAIN);
    sim.ping(SECOND, &[0], 1);
    sim.push(3 * SECOND, 0, true);
    sim.run();
    assert_eq!(sim.hub.subscribers[0].got.len(), 1);
    assert_eq!(sim.hub.subscribers[0].asked.len(), 1);
}

#[test]
fn a_clock_that_jumps_neither_ends_a_lease_nor_lengthens_it() {
    for hours in [-30, 30] {
        let mut sim = pair();
        sim.ask(
            0,
            0,
            Wish {
                lease: Some(3_600),
                ..PLAIN
            },
        );
        sim.world.after(MINUTE, Event::Jump(hours * HOUR as i64));
        sim.world.jumped = true;
        sim.ping(50 * MINUTE, &[0], 1);
        sim.push(61 * MINUTE, 0, true);
        sim.run();
        assert_eq!(taken(&sim, 0), [0], "{hours}");
    }
}

#[test]
fn a_drain_in_the_middle_ends_in_time() {
    for after in [10 * MS, SECOND, SECOND + 400, 3 * SECOND] {
        let mut sim = pair();
        let start = sim.world.at();
        sim.hub.subscribers[0].verifies = vec![(start + 500 * MS, Manner::Late(100 * MS))];
        sim.hub.subscribers[0].takes = vec![(start + MINUTE, Manner::Silent)];
        sim.hub.lossy = true;
        sim.ask(
            0,
            0,
            Wish {
                speaks: Speaks::Sync,
                ..PLAIN
            },
        );
        sim.ping(SECOND, &[0], 1);
        sim.world.after(after, Event::Drain);
        sim.run();
        assert!(sim.world.at() < start + 14 * SECOND, "{after}");
    }
}

#[test]
fn seeds_reach_what_they_are_for() {
    let (mut confirmed, mut taken, mut failed, mut fetched) = (0, 0, 0, 0);
    for seed in 0..16 {
        let mut sim = pair();
        sim.world.rng = Rng::new(seed);
        super::random::random(&mut sim);
        sim.run();
        let book = &sim.hub.book;
        let facts = book.facts.iter().filter(|fact| fact.confirmed.is_some());
        confirmed += facts.count();
        let is_taken = |status: u16| (200..300).contains(&status);
        let replies = book.sent.iter().filter_map(|sent| sent.reply);
        let (yes, no): (Vec<_>, Vec<_>) = replies.partition(|reply| is_taken(reply.1));
        (taken, failed) = (taken + yes.len(), failed + no.len());
        fetched += book
            .messages
            .values()
            .filter(|told| told.version.is_some())
            .count();
    }
    let counts = [confirmed, taken, failed, fetched];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
