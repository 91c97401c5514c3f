//! What is far waits in the store alone, and comes when it is due.

use std::time::Duration;

use hookah::base::stats::Counter;

use crate::rig::{Rig, Target, durable};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_far_delay_holds_no_memory_and_is_delivered_on_time() {
    let mut rig = Rig::new(durable());
    let began = rig.now.mono;
    let before = rig.stat(Counter::BytesHeld);
    let body = "x".repeat(50_000);
    let answer = rig.send(
        "/dispatch/http://127.0.0.1:9/",
        "Hookah-Delay: 1h\r\n",
        &body,
    );
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 1));
    let held = rig.stat(Counter::BytesHeld) - before;
    assert!(held <= 200, "{held} bytes for a delivery that waits");
    rig.pass(HOUR - 2 * SECOND);
    assert_eq!(rig.got(9), 0, "before its time");
    rig.pass(2 * SECOND);
    assert_eq!(rig.got(9), 1);
    assert!(rig.requests[0].text.ends_with(&body));
    let late = rig.requests[0].at.since(began + HOUR);
    assert!(late < Duration::from_millis(50), "{late:?} late");
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 1);
    assert!(rig.lanes().is_empty(), "nothing is left in the store");
}

#[test]
fn a_far_retry_waits_in_the_store_and_keeps_its_count() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Answers(500));
    rig.accepted(9, "Hookah-Retry-Schedule: 5m\r\n");
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 1));
    rig.pass(Duration::from_secs(297));
    assert_eq!(rig.got(9), 1);
    rig.target(9, Target::Answers(200));
    rig.pass(3 * SECOND);
    assert_eq!(rig.got(9), 2);
    assert!(rig.requests[1].text.contains("Hookah-Attempt: 2\r\n"));
    assert_eq!(rig.stored(), 0);
}

#[test]
fn a_near_retry_stays_in_memory() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Answers(500));
    rig.accepted(9, "Hookah-Retry-Schedule: 30s\r\n");
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (1, 0));
}

#[test]
fn what_expires_while_it_is_parked_ends_as_expired() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Answers(500));
    rig.accepted(9, "Hookah-Retry-Schedule: 10m\r\nHookah-Expires: 5m\r\n");
    rig.pass(Duration::from_secs(299));
    assert_eq!(rig.stat(Counter::DeliveriesExpired), 0);
    rig.pass(3 * SECOND);
    assert_eq!(rig.stat(Counter::DeliveriesExpired), 1);
    assert_eq!(rig.got(9), 1);
    assert!(rig.lanes().is_empty());
    assert!(rig.engine.deliveries() == 0 && rig.stored() == 0);
}

#[test]
fn a_store_that_forgets_parks_nothing() {
    let mut settings = durable();
    settings.volatile = true;
    let mut rig = Rig::new(settings);
    rig.accepted(9, "Hookah-Delay: 1h\r\n");
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (1, 0));
    rig.pass(HOUR);
    assert_eq!(rig.got(9), 1);
    assert!(!rig.handed.iter().any(|op| op.starts_with("Take")));
}

#[test]
fn deliveries_of_one_message_share_it_when_they_come_back() {
    let mut rig = Rig::new(durable());
    let body = "x".repeat(100_000);
    let urls: String = (0..8)
        .map(|number| format!("&_url=http://127.0.0.1:9/{number}"))
        .collect();
    rig.target(9, Target::Hangs);
    let path = format!("/dispatch?_delay=2h{urls}");
    let answer = rig.send(&path, "Content-Type: text/plain\r\n", &body);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 8));
    rig.target(9, Target::Answers(200));
    rig.pass(2 * HOUR);
    assert_eq!(rig.got(9), 8);
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 8);
    // One by one at first, then twice as many with each that is taken.
    let takes: Vec<&String> = rig
        .handed
        .iter()
        .filter(|op| op.starts_with("Take"))
        .collect();
    assert!((3..=6).contains(&takes.len()), "{takes:?}");
}

#[test]
fn a_dead_origin_holds_one_delivery_and_starves_nobody() {
    let mut rig = Rig::new(durable());
    for _ in 0..300 {
        rig.accepted(7, "Hookah-Delay: 10m\r\nHookah-Retry-Schedule: 1m\r\n");
    }
    for _ in 0..300 {
        rig.accepted(8, "Hookah-Delay: 10m\r\n");
    }
    rig.target(7, Target::Refuses);
    let mut most = 0;
    for _ in 0..620 {
        rig.pass(SECOND);
        most = most.max(rig.engine.deliveries());
    }
    assert_eq!(rig.got(8), 300, "the healthy one is done");
    assert!(most <= 132, "{most} in memory");
    let mut most = 0;
    for _ in 0..120 {
        rig.pass(SECOND);
        most = most.max(rig.engine.deliveries());
    }
    assert!(most <= 2, "{most} of a dead origin in memory");
    rig.target(7, Target::Answers(200));
    rig.pass(HOUR);
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 600);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
}
