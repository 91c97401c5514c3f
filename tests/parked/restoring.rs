//! A new process goes on where the one before it was killed.

use std::time::Duration;

use hookah::base::stats::Counter;
use hookah::dispatch::sign::Secret;
use hookah::port::StoreDone;

use crate::rig::{Rig, Target, durable};

const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

#[test]
fn nothing_is_taken_in_before_the_store_has_said_everything() {
    let mut rig = Rig::starting(durable());
    for answer in [
        rig.post(9, ""),
        rig.send("/dispatch?_topic=t", "", ""),
        rig.send(
            "/hub",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "hub.mode=publish&hub.url=http://127.0.0.1:9/",
        ),
    ] {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
    }
    assert!(rig.get("/ready").starts_with("HTTP/1.1 503 "));
    assert!(rig.get("/health").starts_with("HTTP/1.1 200 "));
    rig.ready();
    assert!(rig.get("/ready").ends_with("\r\n\r\nready\n"));
    assert!(rig.get("/health").starts_with("HTTP/1.1 200 "));
    rig.accepted(9, "");
    assert_eq!(rig.got(9), 1);
}

#[test]
fn what_was_accepted_is_delivered_after_a_crash_with_its_options() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Hangs);
    let fields = format!("Hookah-Secret: {KEY}\r\nHookah-Method: PUT\r\nHookah-Retries: 1\r\n");
    let answer = rig.send("/dispatch/http://u:p@127.0.0.1:9/a?b", &fields, "body");
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(rig.got(9), 1);
    rig.restart();
    rig.target(9, Target::Answers(500));
    rig.pass(SECOND);
    assert_eq!(rig.got(9), 2);
    let [first, again] = [&rig.requests[0].text, &rig.requests[1].text];
    let without_time = |text: &str| {
        let kept = |line: &&str| !line.starts_with("webhook-timestamp: ");
        let signed = |line: &str| line.split(": v1,").next().unwrap().to_owned();
        text.lines().filter(kept).map(signed).collect::<Vec<_>>()
    };
    assert!(again.contains("\r\nwebhook-signature: v1,"), "{again}");
    assert!(again.starts_with("PUT /a?b "), "{again}");
    assert_eq!(without_time(first), without_time(again));
    // The attempt that the crash cut off does not count, so that one retry is left.
    rig.pass(Duration::from_secs(400));
    assert_eq!(rig.got(9), 3);
    assert_eq!(rig.stat(Counter::DeliveriesFailed), 1);
}

#[test]
fn what_cannot_be_signed_any_more_ends_as_failed_and_is_never_sent() {
    let mut settings = durable();
    settings
        .dispatch
        .keys
        .add("shop", Secret::new(KEY))
        .unwrap();
    let mut rig = Rig::new(settings);
    rig.accepted(9, "Hookah-Sign: shop\r\nHookah-Delay: 10m\r\n");
    rig.accepted(9, "Hookah-Delay: 10m\r\n");
    rig.crash(durable(), rig.now.wall);
    rig.ready();
    rig.handed.clear();
    rig.pass(Duration::from_secs(700));
    assert_eq!(rig.got(9), 1, "only the other one");
    assert!(!rig.requests[0].text.contains("webhook-signature"));
    assert_eq!(rig.stat(Counter::DeliveriesFailed), 1);
    let ends = |op: &&String| op.starts_with("End") && op.contains("signing_key_gone");
    assert_eq!(rig.handed.iter().filter(ends).count(), 1);
    assert!(rig.lanes().is_empty());
}

#[test]
fn ids_go_on_after_a_restart_even_on_a_clock_that_went_back() {
    let mut rig = Rig::new(durable());
    let id = |answer: &str| {
        let (_, rest) = answer.split_once("Hookah-Id: ").expect("an id");
        rest[..30].to_owned()
    };
    let first = id(&rig.post(9, ""));
    let mut wall = rig.now.wall;
    wall.0 -= 86_400_000_000;
    rig.crash(durable(), wall);
    rig.ready();
    assert!(id(&rig.post(9, "")) > first);
}

#[test]
fn overdue_work_begins_at_the_pace_of_recovery() {
    let mut settings = durable();
    settings.dispatch.recovery_rate = 1_000;
    let mut rig = Rig::new(settings.clone());
    for port in 0..50 {
        for _ in 0..60 {
            rig.accepted(1_000 + port, "Hookah-Delay: 10m\r\n");
        }
    }
    let mut wall = rig.now.wall;
    wall.0 += 3_600_000_000;
    rig.crash(settings, wall);
    rig.ready();
    assert!(rig.requests.is_empty());
    // What comes new is not held up by it.
    rig.accepted(9, "");
    assert_eq!(rig.got(9), 1);
    let start = rig.now.mono;
    rig.pass(Duration::from_secs(10));
    for from in 0..10 {
        let second = |at| (start + from * SECOND..start + (from + 1) * SECOND).contains(&at);
        let begun = rig
            .requests
            .iter()
            .filter(|it| it.port != 9 && second(it.at));
        let begun = begun.count();
        assert!(begun <= 1_100, "{begun} in second {from}");
    }
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 3_001);
    let last = rig.requests.iter().map(|it| it.at).max().unwrap();
    assert!(
        last.since(start) < Duration::from_secs(5),
        "{:?}",
        last.since(start)
    );
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
}

#[test]
fn a_crash_at_any_moment_loses_nothing() {
    let mut rig = Rig::new(durable());
    let (mut random, mut promised) = (1_u64, Vec::new());
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    for number in 0..400 {
        let port = 9 + next(4) as u16;
        let kind = [
            Target::Answers(200),
            Target::Answers(500),
            Target::Refuses,
            Target::Hangs,
        ];
        rig.target(port, kind[next(4) as usize]);
        rig.flushes = next(3) > 0;
        let delay = [0, 1, 70, 4_000][next(4) as usize];
        let path = format!("/dispatch/http://127.0.0.1:{port}/{number}");
        let fields = format!("Hookah-Delay: {delay}\r\nHookah-Retry-Schedule: 5s,90s,1h\r\n");
        if rig
            .send(&path, &fields, "body")
            .starts_with("HTTP/1.1 202 ")
        {
            promised.push(number);
        }
        if next(4) == 0 {
            rig.pass(Duration::from_secs(next(600)));
        }
        match next(24) {
            0 => rig.restart(),
            1 => rig.fail(),
            _ => {}
        }
    }
    rig.flushes = true;
    for port in 9..13 {
        rig.target(port, Target::Answers(200));
    }
    rig.pass(Duration::from_secs(3 * 86_400));
    assert!(promised.len() > 150, "{} were promised", promised.len());
    for number in &promised {
        let line = format!("POST /{number} HTTP/1.1");
        assert!(
            rig.requests.iter().any(|it| it.text.starts_with(&line)),
            "{number} is lost"
        );
    }
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
    assert!(rig.lanes().is_empty());
}

/// A server with a subscriber at port 9 of a topic at port 8.
fn subscribed() -> Rig {
    let mut rig = Rig::new(durable());
    rig.engine.listening(&["127.0.0.1:8080".parse().unwrap()]);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = rig.send(
        "/hub",
        form,
        "hub.mode=subscribe&hub.topic=http://127.0.0.1:8/t&hub.callback=http://127.0.0.1:9/c",
    );
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    rig.pass(2 * SECOND);
    rig.requests.clear();
    rig
}

fn publish(rig: &mut Rig, body: &str) {
    let path = "/dispatch?_topic=http://127.0.0.1:8/t";
    let answer = rig.send(path, "Content-Type: text/plain\r\n", body);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[test]
fn a_subscriber_gets_after_a_restart_what_it_missed_in_its_order() {
    let mut rig = subscribed();
    rig.target(9, Target::Hangs);
    for number in 0..40 {
        publish(&mut rig, &format!("number {number};"));
    }
    assert_eq!(rig.got(9), 1, "one at a time");
    rig.restart();
    rig.requests.clear();
    rig.target(9, Target::Answers(200));
    for number in 40..45 {
        publish(&mut rig, &format!("number {number};"));
    }
    rig.pass(Duration::from_secs(60));
    let got = rig.requests.iter().filter(|it| it.port == 9);
    let bodies: Vec<&str> = got
        .filter_map(|it| it.text.split_once("\r\n\r\n"))
        .map(|(_, body)| body)
        .collect();
    let all: Vec<String> = (0..45).map(|number| format!("number {number};")).collect();
    assert_eq!(bodies, all);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
}

#[test]
fn what_waits_for_a_subscription_that_is_gone_ends_as_canceled() {
    let mut rig = subscribed();
    rig.target(9, Target::Hangs);
    publish(&mut rig, "content");
    publish(&mut rig, "more");
    rig.crash(durable(), rig.now.wall);
    let lanes = rig.lanes();
    rig.tell(StoreDone::Restored(lanes));
    rig.tell(StoreDone::Ready);
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.stat(Counter::DeliveriesCanceled), 2);
    assert!(rig.lanes().is_empty());
}
