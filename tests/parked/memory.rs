//! What is too much for memory goes to the store alone, at acceptance, and nothing of it is lost.

use std::time::Duration;

use hookah::base::stats::Counter;

use crate::rig::{Rig, Target, durable};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn behind_a_slow_origin_memory_holds_so_many_and_the_store_the_rest() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Hangs);
    for _ in 0..5_000 {
        rig.accepted(9, "Hookah-Timeout: 1h\r\n");
    }
    assert_eq!(rig.stored(), 5_000 - 4_096 - 1);
    assert_eq!(rig.engine.deliveries(), 4_096 + 1, "and one that was taken");
    rig.accepted(8, "");
    assert_eq!(rig.got(8), 1, "another origin is not concerned");
    rig.target(9, Target::Answers(200));
    rig.pass(Duration::from_secs(4_000));
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 5_001);
}

#[test]
fn over_half_of_memory_bodies_live_in_the_store_alone() {
    let mut settings = durable();
    settings.memory_bytes_max = 8 << 20;
    let mut rig = Rig::new(settings);
    rig.target(9, Target::Hangs);
    let body = "x".repeat(64 << 10);
    for number in 0..400 {
        let url = format!("/dispatch/http://127.0.0.1:9/{number}");
        let answer = rig.send(&url, "Hookah-Timeout: 1h\r\n", &body);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{number}: {answer}");
        let held = rig.stat(Counter::BytesHeld);
        assert!(held <= 8 << 20, "{held} bytes held after {number}");
    }
    assert!(rig.stored() > 200, "{} in the store", rig.stored());
    rig.target(9, Target::Answers(200));
    rig.pass(Duration::from_secs(5_000));
    assert_eq!(rig.stat(Counter::DeliveriesDelivered), 400);
    for number in 0..400 {
        let line = format!("POST /{number} HTTP/1.1");
        assert!(
            rig.requests.iter().any(|it| it.text.starts_with(&line)),
            "{number}"
        );
    }
    rig.pass(SECOND);
    assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
}
