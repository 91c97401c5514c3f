//! Kept-alive lines to targets: used again, given up, found dead.
//! Lines of clients are in `clients`.

use crate::server::Server;
use crate::target::{Act, ERROR, OK, Target};
use crate::{metric, metric_until, schedule, settled};

/// Answers that end with their head or say where their body ends.
const KEPT: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
     HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
];

/// Answers after which nothing more may come on their line.
const LAST: &[&str] = &[
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
];

/// Two webhooks, the second after the first is delivered and its line at rest or ended; the
/// connections that they came on.
fn two(server: &Server, target: &Target) -> (usize, usize) {
    let mut lines = [0, 0];
    for line in &mut lines {
        schedule(server, &target.url("/"), "&a=1");
        let webhook = target.arrival();
        assert_eq!(webhook.attempt(), 1);
        *line = webhook.line;
        settled(server);
    }
    lines.into()
}

#[test]
fn ten_webhooks_in_a_row_use_one_connection() {
    let (server, target) = (Server::start(), Target::willing());
    for turn in 0..10 {
        schedule(&server, &target.url("/"), "&a=1");
        let webhook = target.arrival();
        assert_eq!((webhook.line, webhook.turn), (0, turn));
        settled(&server);
    }
    assert_eq!(target.lines(), 1);
}

#[test]
fn an_answer_that_ends_keeps_its_line() {
    let server = Server::start();
    for answer in KEPT {
        let target = Target::new(|_| answer.as_bytes().into());
        assert_eq!(two(&server, &target), (0, 0), "{answer:?}");
    }
}

#[test]
fn an_answer_that_closes_does_not() {
    let server = Server::start();
    for answer in LAST {
        let target = Target::new(|_| answer.as_bytes().into());
        assert_eq!(two(&server, &target), (0, 1), "{answer:?}");
        // It is Hookah that closes.
        let ended = target.line_ended() + target.line_ended();
        assert_eq!(ended, 1, "{answer:?}");
    }
}

/// Ways in which a target ends a line after saying something.
const ENDS: [fn(Vec<u8>) -> Act; 2] = [Act::Close, Act::Reset];

#[test]
fn a_line_that_was_closed_meanwhile_is_not_used() {
    for end in ENDS {
        let server = Server::start();
        let target = Target::new(move |_| end(OK.to_vec()));
        for line in 0..3 {
            schedule(&server, &target.url("/"), "&a=1");
            let webhook = target.arrival();
            assert_eq!((webhook.line, webhook.attempt()), (line, 1));
            metric_until(&server, "hookah_lines_outbound", |count| count == 0);
        }
        assert_eq!(metric(&server, "hookah_resends_total"), 0);
    }
}

#[test]
fn a_line_that_dies_under_a_webhook_costs_one_uncounted_resend() {
    for end in ENDS {
        let server = Server::start();
        let target = Target::new(move |webhook| match (webhook.line, webhook.turn) {
            (0, 1) => end(Vec::new()),
            _ => OK.into(),
        });
        schedule(&server, &target.url("/"), "&n=1");
        assert_eq!(target.arrival().text(), "n=1");
        settled(&server);
        let second = schedule(&server, &target.url("/"), "&n=2");
        let (dead, again) = (target.arrival(), target.arrival());
        assert_eq!((dead.line, dead.turn, dead.text()), (0, 1, "n=2"));
        assert_eq!((again.line, again.turn, again.text()), (1, 0, "n=2"));
        assert_eq!((dead.attempt(), again.attempt()), (1, 1));
        assert_eq!(again.field("webhook-id"), second);
        settled(&server);
        assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 2);
        assert_eq!(metric(&server, "hookah_resends_total"), 1);
        assert_eq!(metric(&server, "hookah_attempts_failed_total"), 0);
        target.has_no_more();
    }
}

#[test]
fn a_fresh_line_that_dies_is_a_failed_attempt() {
    for end in ENDS {
        let server = Server::start();
        let target = Target::new(move |webhook| match webhook.line {
            0 => end(Vec::new()),
            _ => OK.into(),
        });
        schedule(&server, &target.url("/"), "&a=1&_retry_schedule=10ms");
        assert_eq!(
            (target.arrival().attempt(), target.arrival().attempt()),
            (1, 2)
        );
        settled(&server);
        assert_eq!(metric(&server, "hookah_resends_total"), 0);
        assert_eq!(metric(&server, "hookah_attempts_failed_total"), 1);
    }
}

#[test]
fn a_line_that_dies_again_is_a_failed_attempt() {
    let server = Server::start();
    let target = Target::new(|webhook| match (webhook.line, webhook.turn) {
        (0, 1) | (1, _) => Act::Close(Vec::new()),
        _ => OK.into(),
    });
    schedule(&server, &target.url("/"), "&a=1");
    target.arrival();
    settled(&server);
    schedule(&server, &target.url("/"), "&a=1&_retry_schedule=10ms");
    let attempts: Vec<u32> = (0..3).map(|_| target.arrival().attempt()).collect();
    assert_eq!(attempts, [1, 1, 2]);
    settled(&server);
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 2);
    assert_eq!(metric(&server, "hookah_resends_total"), 1);
    assert_eq!(metric(&server, "hookah_attempts_failed_total"), 1);
}

#[test]
fn a_line_that_dies_in_the_midst_of_an_answer_is_a_failed_attempt() {
    let server = Server::start();
    let target = Target::new(|webhook| match (webhook.line, webhook.turn) {
        (0, 0) => ERROR.into(),
        (0, _) => Act::Close(b"HTTP/1.1 20".to_vec()),
        _ => OK.into(),
    });
    schedule(&server, &target.url("/"), "&a=1&_retry_schedule=10ms");
    let attempts: Vec<u32> = (0..3).map(|_| target.arrival().attempt()).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(metric(&server, "hookah_resends_total"), 0);
}
