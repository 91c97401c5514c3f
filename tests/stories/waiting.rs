//! Clients that take longer than they may: each is told so, or hung up on if there is nothing to
//! say.

use std::io::Write;

use crate::client::Client;
use crate::server::Server;
use crate::target::Target;
use crate::{FORM, form, metric, metric_until, schedule};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_head_that_is_not_done_in_time_is_answered_with_408() {
    let server = Server::with(["--port", "0", "--head-timeout", "50ms"]);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.send(HEALTH).answer().status, 200);
    let answer = client.send("GET / HTTP/1.1\r\nHost:").answer();
    assert_eq!((answer.status, answer.closes()), (408, true));
    client.ends();
    assert_eq!(metric(&server, "hookah_timeouts_head_total"), 1);
}

#[test]
fn a_body_that_is_not_done_in_time_is_answered_with_408_and_forgotten() {
    let server = Server::with(["--port", "0", "--body-timeout", "50ms"]);
    let target = Target::willing();
    let whole = form(&format!("_url={}&a=1", target.url("/")));
    let mut client = Client::connect(server.addr());
    let answer = client.send(&whole[..whole.len() - 1]).answer();
    assert_eq!((answer.status, answer.closes()), (408, true));
    client.try_send(&whole[whole.len() - 1..]);
    client.ends();
    metric_until(&server, "hookah_bytes_held", |bytes| bytes == 0);
    assert_eq!(metric(&server, "hookah_messages_accepted_total"), 0);
}

#[test]
fn a_line_without_a_request_ends_without_a_word() {
    let server = Server::with(["--port", "0", "--idle-timeout", "50ms"]);
    let mut silent = Client::connect(server.addr());
    let mut served = Client::connect(server.addr());
    assert_eq!(served.send(HEALTH).answer().status, 200);
    silent.ends();
    served.ends();
    assert_eq!(metric(&server, "hookah_timeouts_idle_total"), 2);
}

#[test]
fn whoever_does_not_read_is_hung_up_on() {
    let server = Server::with(["--port", "0", "--stall-timeout", "50ms"]);
    let target = Target::willing();
    let mut client = Client::connect(server.addr());
    let request = HEALTH.repeat(1_000);
    // It ends with a write that fails, at the latest when the server resets the connection.
    while client.wire.stream.write_all(request.as_bytes()).is_ok() {}
    metric_until(&server, "hookah_timeouts_stall_total", |count| count == 1);
    metric_until(&server, "hookah_lines_inbound", |count| count == 1);
    schedule(&server, &target.url("/"), "&a=1");
    target.arrival();
}

#[test]
fn time_spent_waiting_for_us_is_not_held_against_a_client() {
    let flags = [
        "--port",
        "0",
        "--head-timeout",
        "50ms",
        "--idle-timeout",
        "1h",
    ];
    let server = Server::with(flags);
    let mut client = Client::connect(server.addr());
    // A second request's first bytes come with the first: its time runs, the first is answered.
    client.send(format!(
        "{HEALTH}POST /dispatch HTTP/1.1\r\nHost: h\r\n{FORM}"
    ));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 408);
    client.ends();
}
