//! Queues and flows with the real binary: order, rates and parallelism as a target sees them.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::target::{ERROR, OK, Target};
use crate::{ask, metric_until, schedule};

#[test]
fn a_queue_keeps_its_order_over_failures_and_targets() {
    let server = Server::start();
    let mut failures = 3;
    let target = Target::new(move |arrival| {
        if arrival.path == "/1" && failures > 0 {
            failures -= 1;
            return ERROR.into();
        }
        OK.into()
    });
    let other = Target::willing();
    for number in 1..=5 {
        let place = if number == 3 { &other } else { &target };
        let options = "&_queue=orders&_retry_schedule=20ms&a=1";
        schedule(&server, &place.url(&format!("/{number}")), options);
    }
    let paths: Vec<String> = (0..7).map(|_| target.arrival().path).collect();
    assert_eq!(paths, ["/1", "/1", "/1", "/1", "/2", "/4", "/5"]);
    assert_eq!(other.arrival().path, "/3");
    metric_until(&server, "hookah_queues", |count| count == 0);
}

#[test]
fn a_rate_is_never_passed_and_holds_nobody_else() {
    let server = Server::start();
    let target = Target::willing();
    let began = Instant::now();
    for number in 0..7 {
        let url = target.url(&format!("/paced/{number}"));
        schedule(&server, &url, "&_rate=3/400ms&a=1");
    }
    schedule(&server, &target.url("/free"), "&a=1");
    let mut free = 0;
    for place in 0..8 {
        let arrival = target.arrival();
        let Some(number) = arrival.path.strip_prefix("/paced/") else {
            free = place;
            continue;
        };
        // Nothing went out before it began, and what arrives was sent before.
        let number: u32 = number.parse().expect("a number");
        let least = Duration::from_millis(400) * (number / 3);
        assert!(
            arrival.at.duration_since(began) >= least,
            "{number} is too early"
        );
        assert_eq!(arrival.attempt(), 1, "to wait is no attempt");
    }
    assert!(free <= 3, "held up by a flow that is not its own");
}

#[test]
fn parallelism_is_that_of_the_key_whatever_the_target() {
    let server = Server::start();
    let (answer, answers) = mpsc::channel::<()>();
    let slow = Target::new(move |_| match answers.recv() {
        Ok(()) | Err(_) => OK.into(),
    });
    let quick = Target::willing();
    schedule(&server, &slow.url("/1"), "&_flow_key=k&_parallelism=1&a=1");
    schedule(&server, &quick.url("/2"), "&_flow_key=k&_parallelism=1&a=1");
    slow.arrival();
    metric_until(&server, "hookah_flows_waiting", |count| count == 1);
    let flows = ask(&server, "GET /flows HTTP/1.1\r\nHost: h\r\n\r\n").body;
    let row = r#"{"key":"k","rate":null,"parallelism":1,"waiting":1,"in_flight":1,"next_at":null}"#;
    assert!(flows.contains(row), "{flows}");
    quick.has_no_more();
    answer.send(()).expect("the target waits");
    assert_eq!(quick.arrival().path, "/2");
    metric_until(&server, "hookah_flows", |count| count == 0);
}

#[test]
fn a_queue_is_shown_with_its_first() {
    let server = Server::start();
    let target = Target::willing();
    for options in ["&_delay=1h", "", "&_retries=0"] {
        let options = format!("&_queue=later%20on{options}&a=1");
        schedule(&server, &target.url("/"), &options);
    }
    let queues = ask(&server, "GET /queues HTTP/1.1\r\nHost: h\r\n\r\n").body;
    let start = r#"{"queues":[{"name":"later on","waiting":2,"head":"msg_"#;
    assert!(queues.starts_with(start), "{queues}");
    assert!(
        queues.contains(r#""status":"scheduled","next_at":"20"#),
        "{queues}"
    );
    let bad = ask(&server, "GET /queues?limit=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(bad.status, 400);
    target.has_no_more();
}
