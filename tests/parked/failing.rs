//! The store fails: what waits for it is refused, everything else goes on.

use std::time::Duration;

use hookah::base::stats::Counter;
use hookah::port::StoreDone;

use crate::rig::{Rig, Target, durable};

#[test]
fn a_message_that_is_lost_is_refused_and_nothing_of_it_is_delivered() {
    for fields in ["", "Hookah-Delay: 1h\r\n"] {
        let mut rig = Rig::new(durable());
        let before = rig.stat(Counter::BytesHeld);
        rig.flushes = false;
        let answer = rig.post(9, fields);
        assert_eq!(answer, "", "it is not durable yet");
        rig.fail();
        rig.turn();
        rig.flushes = true;
        rig.pass(Duration::from_secs(4_000));
        assert_eq!(rig.got(9), 0);
        assert_eq!((rig.engine.deliveries(), rig.stored()), (0, 0));
        assert_eq!(rig.stat(Counter::BytesHeld), before);
    }
}

#[test]
fn a_store_in_trouble_stops_intake_and_nothing_else() {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Answers(500));
    rig.accepted(9, "Hookah-Retry-Schedule: 10s\r\n");
    rig.accepted(8, "Hookah-Delay: 2m\r\n");
    let trouble = Some("disk_full");
    rig.tell(StoreDone::Usable { trouble });
    for answer in [rig.post(9, ""), rig.get("/health"), rig.get("/ready")] {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
        assert!(answer.contains("disk_full"), "{answer}");
    }
    rig.target(9, Target::Answers(200));
    rig.pass(Duration::from_secs(130));
    assert_eq!((rig.got(9), rig.got(8)), (2, 1), "deliveries go on");
    rig.tell(StoreDone::Usable { trouble: None });
    assert!(rig.get("/health").starts_with("HTTP/1.1 200 "));
    assert!(rig.get("/ready").starts_with("HTTP/1.1 200 "));
    rig.accepted(9, "");
    assert_eq!(rig.got(9), 3);
}
