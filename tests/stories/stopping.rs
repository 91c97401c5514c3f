//! What a signal to stop means for webhooks and requests that are under way.
//! The process's own side, exit codes and the second signal, is in `tests/shell.rs`.

use std::sync::mpsc::channel;

use crate::client::Client;
use crate::folder::Folder;
use crate::server::Server;
use crate::target::{Absent, Act, OK, Target};
use crate::{FORM, metric_until, schedule};

/// Deliveries in flight to one origin at once.
const PARALLEL: usize = 64;

#[test]
fn deliveries_under_way_are_finished_and_those_in_line_behind_them_too() {
    let mut server = Server::with(["--port", "0", "--drain-timeout", "1h"]);
    let (open, gate) = channel();
    let mut held = Some(gate);
    let target = Target::new(move |_| {
        if let Some(gate) = held.take() {
            gate.recv().expect("the story goes on");
        }
        OK.into()
    });
    // The first holds the script, and with it all the others.
    for _ in 0..PARALLEL + 10 {
        schedule(&server, &target.url("/"), "&a=1");
    }
    for _ in 0..PARALLEL {
        target.arrival();
    }
    metric_until(&server, "hookah_calls_waiting", |count| count == 10);
    server.signal("TERM");
    server.line_with("drain_begin");
    open.send(()).expect("the target waits");
    for _ in 0..10 {
        target.arrival();
    }
    let (status, text) = server.wait();
    assert_eq!(status.code(), Some(0), "{text}");
    assert!(text.contains("drain_end"), "{text}");
    target.has_no_more();
}

#[test]
fn with_a_store_that_keeps_them_those_in_line_are_left_to_the_next_process() {
    let folder = Folder::new();
    let mut server = folder.server(&["--drain-timeout", "1h"]);
    let (open, gate) = channel();
    let mut held = Some(gate);
    let target = Target::new(move |_| {
        if let Some(gate) = held.take() {
            gate.recv().expect("the story goes on");
        }
        OK.into()
    });
    for _ in 0..PARALLEL + 10 {
        schedule(&server, &target.url("/"), "&a=1");
    }
    for _ in 0..PARALLEL {
        target.arrival();
    }
    metric_until(&server, "hookah_calls_waiting", |count| count == 10);
    server.signal("TERM");
    server.line_with("drain_begin");
    open.send(()).expect("the target waits");
    assert_eq!(server.wait().0.code(), Some(0));
    target.has_no_more();
    assert_eq!(folder.waiting(), 10, "each attempt under way was finished");
    let _next = folder.server(&[]);
    for _ in 0..10 {
        assert_eq!(target.arrival().attempt(), 1);
    }
}

#[test]
fn a_delivery_that_never_ends_does_not_keep_the_server_beyond_its_time() {
    let mut server = Server::with(["--port", "0", "--drain-timeout", "100ms"]);
    let target = Target::new(|_| Act::Hang);
    schedule(&server, &target.url("/"), "&_timeout=1h");
    target.arrival();
    server.signal("TERM");
    server.line_with("drain_begin");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_retry_that_is_hours_away_does_not_keep_it_either() {
    let server = Server::with(["--port", "0", "--drain-timeout", "1h"]);
    let absent = Absent::new();
    schedule(&server, &absent.url("/"), "&_retry_schedule=5h");
    schedule(&server, &absent.url("/"), "&_delay=5h");
    metric_until(&server, "hookah_attempts_failed_total", |count| count == 1);
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_request_under_way_is_answered_and_its_webhook_delivered() {
    let mut server = Server::with(["--port", "0", "--drain-timeout", "1h"]);
    let target = Target::willing();
    let body = format!("_url={}&a=1", target.url("/"));
    let mut client = Client::connect(server.addr());
    client.send(format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n{FORM}Expect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    ));
    assert_eq!(client.answer().status, 100);
    // One that only keeps its line has nothing to wait for.
    let mut idle = Client::connect(server.addr());
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(idle.send(health).answer().status, 200);
    server.signal("TERM");
    server.line_with("drain_begin");
    idle.ends();
    client.send(body);
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (202, true));
    client.ends();
    assert_eq!(target.arrival().text(), "a=1");
    assert_eq!(server.wait().0.code(), Some(0));
}
