//! Targets that fail for a while, or for good.
//! Those that break HTTP itself are in `lying`.

use std::time::Duration;

use crate::server::Server;
use crate::target::{Absent, Act, ERROR, OK, Target};
use crate::{metric, metric_until, schedule, settled};

/// Retries at once, as far as there is such a thing.
const SOON: &str = "&_retry_schedule=10ms&a=1";

#[test]
fn a_target_that_fails_twice_gets_it_a_third_time() {
    let server = Server::start();
    let target = Target::new(|webhook| if webhook.attempt() < 3 { ERROR } else { OK }.into());
    let id = schedule(&server, &target.url("/"), SOON);
    for attempt in ["1", "2", "3"] {
        let webhook = target.arrival();
        assert_eq!(webhook.field("Hookah-Attempt"), attempt);
        assert_eq!(
            (webhook.field("webhook-id"), webhook.text()),
            (&id[..], "a=1")
        );
    }
    settled(&server);
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 1);
    target.has_no_more();
    assert_eq!(target.lines(), 1, "a 500 is no reason to hang up");
}

#[test]
fn a_target_that_is_down_gets_it_when_it_returns() {
    let server = Server::start();
    let absent = Absent::new();
    let id = schedule(
        &server,
        &absent.url("/"),
        "&_retry_schedule=10ms&_retries=1000&a=1",
    );
    metric_until(&server, "hookah_attempts_failed_total", |count| count >= 3);
    let target = absent.listen(|_| OK.into());
    let webhook = target.arrival();
    assert!(webhook.attempt() > 3);
    assert_eq!(
        (webhook.field("webhook-id"), webhook.text()),
        (&id[..], "a=1")
    );
    settled(&server);
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 1);
    target.has_no_more();
}

#[test]
fn localhost_is_tried_at_each_of_its_addresses_in_one_attempt() {
    let server = Server::start();
    let target = Target::willing();
    let url = target.url("/").replace("127.0.0.1", "localhost");
    schedule(&server, &url, "&a=1");
    let webhook = target.arrival();
    let authority = format!("localhost:{}", target.addr().port());
    assert_eq!(
        (webhook.attempt(), webhook.field("Host")),
        (1, authority.as_str())
    );
}

#[test]
fn a_wish_to_be_left_alone_is_honoured() {
    let server = Server::start();
    for status in ["503 Busy", "429 Slow Down"] {
        let busy = format!("HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        let target = Target::new(move |webhook| match webhook.attempt() {
            1 => busy.as_bytes().into(),
            _ => OK.into(),
        });
        schedule(&server, &target.url("/"), SOON);
        let (first, second) = (target.arrival(), target.arrival());
        assert!(second.at - first.at >= Duration::from_secs(1), "{status}");
    }
}

#[test]
fn a_wish_that_is_no_wish_is_ignored() {
    let server = Server::start();
    for wish in [
        "soon",
        "-1",
        "1.5",
        "",
        "1 s",
        "Sun, 99 Nov 2094 08:49:37 GMT",
    ] {
        let busy = format!("HTTP/1.1 503 Busy\r\nRetry-After: {wish}\r\nContent-Length: 0\r\n\r\n");
        let target = Target::new(move |_| busy.as_bytes().into());
        schedule(&server, &target.url("/"), SOON);
        assert_eq!(
            (target.arrival().attempt(), target.arrival().attempt()),
            (1, 2)
        );
    }
}

#[test]
fn gone_is_gone() {
    let server = Server::start();
    let target = Target::new(|_| b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"[..].into());
    schedule(&server, &target.url("/"), SOON);
    metric_until(&server, "hookah_deliveries_failed_total", |count| {
        count == 1
    });
    assert_eq!(target.arrival().attempt(), 1);
    target.has_no_more();
    assert_eq!(metric(&server, "hookah_attempts_total"), 1);
}

#[test]
fn the_budget_ends_and_with_it_the_delivery() {
    let mut server = Server::start();
    let target = Target::new(|_| ERROR.into());
    let id = schedule(&server, &target.url("/"), &format!("{SOON}&_retries=2"));
    let line = server.line_with("delivery_ended");
    assert!(
        line.contains(&id) && line.contains("outcome=failed"),
        "{line}"
    );
    for attempt in 1..=3 {
        assert_eq!(target.arrival().attempt(), attempt);
    }
    target.has_no_more();
}

#[test]
fn what_is_too_old_expires() {
    let mut server = Server::start();
    let absent = Absent::new();
    let more = "&_retry_schedule=10ms&_retries=1000&_expires=200ms";
    let id = schedule(&server, &absent.url("/"), more);
    let line = server.line_with("delivery_ended");
    assert!(
        line.contains(&id) && line.contains("outcome=expired"),
        "{line}"
    );
    assert_eq!(metric(&server, "hookah_deliveries_expired_total"), 1);
}

#[test]
fn any_2xx_and_a_303_are_success_and_other_redirects_are_not_followed() {
    let server = Server::start();
    for (status, attempts) in [
        (200, 1),
        (204, 1),
        (299, 1),
        (303, 1),
        (301, 2),
        (302, 2),
        (307, 2),
    ] {
        let length = if status == 204 {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let answer = format!("HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\n{length}\r\n");
        let target = Target::new(move |_| answer.as_bytes().into());
        let before = metric(&server, "hookah_deliveries_waiting");
        assert_eq!(before, 0);
        schedule(
            &server,
            &target.url("/"),
            "&_retry_schedule=10ms&_retries=1",
        );
        for attempt in 1..=attempts {
            let webhook = target.arrival();
            assert_eq!(
                (webhook.attempt(), webhook.path.as_str()),
                (attempt, "/"),
                "{status}"
            );
        }
        settled(&server);
        target.has_no_more();
        assert_eq!(target.lines(), 1, "{status}");
    }
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 4);
    assert_eq!(metric(&server, "hookah_deliveries_failed_total"), 3);
}

#[test]
fn a_target_that_never_answers_is_given_up_in_time_and_costs_nobody_else() {
    let server = Server::start();
    let (dead, good) = (Target::new(|_| Act::Hang), Target::willing());
    for _ in 0..100 {
        schedule(&server, &dead.url("/"), "&_timeout=1h&a=1");
    }
    // One origin gets so many lines and no more.
    for _ in 0..64 {
        dead.arrival();
    }
    metric_until(&server, "hookah_calls_waiting", |count| count == 36);
    assert_eq!(dead.lines(), 64);
    for _ in 0..10 {
        schedule(&server, &good.url("/"), "&a=1");
        good.arrival();
    }
    metric_until(&server, "hookah_deliveries_waiting", |count| count == 100);
    let other = Target::new(|webhook| match webhook.attempt() {
        1 => Act::Hang,
        _ => OK.into(),
    });
    schedule(&server, &other.url("/"), &format!("{SOON}&_timeout=100ms"));
    assert_eq!(
        (other.arrival().attempt(), other.arrival().attempt()),
        (1, 2)
    );
}
