//! Stories: what people and their servers live through with the real binary, over real sockets.
//! They know nothing of its inside; whatever they wait for is an event, never a time.
//!
//! The traps that other senders fell into, and the stories that show ours keeps out of them:
//!
//! - a timeout that covers only the head: `lying::a_head_that_drips_for_ever_runs_out_of_time`,
//!   `lying::a_body_that_drips_for_ever_is_a_delivery_all_the_same`;
//! - answers read without a bound: `lying::a_flood_of_body_is_cut_off_after_its_delivery`;
//! - a redirected POST becomes a GET, in `tests/webhooks`:
//!   `redirects::a_followed_redirect_keeps_method_and_body_and_is_one_attempt`;
//! - Retry-After and 410 ignored: `retrying::a_wish_to_be_left_alone_is_honoured`,
//!   `retrying::gone_is_gone`;
//! - a slow target takes everything: `bounds::a_dead_target_never_takes_all_the_lines`,
//!   `retrying::a_target_that_never_answers_is_given_up_in_time_and_costs_nobody_else`;
//! - a new connection for every attempt: `keeping::ten_webhooks_in_a_row_use_one_connection`;
//! - a callback for every attempt: `telling::whoever_asked_is_told_once_of_all_attempts`;
//! - a stale line counted: `keeping::a_line_that_dies_under_a_webhook_costs_one_uncounted_resend`.

#[path = "../support/client.rs"]
mod client;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/names.rs"]
mod names;
#[path = "../support/prometheus.rs"]
mod prometheus;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;

mod bounds;
mod browsing;
mod clients;
mod counting;
mod crowds;
mod garbage;
mod keeping;
mod lasting;
mod lying;
mod naming;
mod pacing;
mod pasting;
mod planted;
mod posting;
mod refusing;
mod retrying;
mod returning;
mod stopping;
mod telling;
mod tokens;
mod waiting;

use std::time::Instant;

use client::{Answer, Client};
use server::Server;

/// A request on a connection of its own.
fn ask(server: &Server, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(server.addr()).send(request).answer()
}

/// A POST with a body; `fields` are header lines, each with its end.
fn post(path: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: hookah\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The Content-Type of a form, as a header line.
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// A POST of a form to /dispatch.
fn form(body: &str) -> Vec<u8> {
    post("/dispatch", FORM, body)
}

/// Has a webhook scheduled; `more` are further fields, as in `&a=1`. Its id.
fn schedule(server: &Server, url: &str, more: &str) -> String {
    let answer = ask(server, form(&format!("_url={url}{more}")));
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.fields.get("Hookah-Id").expect("an id");
    id.to_owned()
}

/// A number of /metrics.
fn metric(server: &Server, name: &str) -> u64 {
    metric_over(&mut Client::connect(server.addr()), name)
}

/// The same over a connection that there is already.
fn metric_over(client: &mut Client, name: &str) -> u64 {
    client.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    let mut lines = answer.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {name} in {}", answer.body));
    value.parse().expect("a number")
}

/// Waits until a number of /metrics satisfies `is_it`; no event tells of it.
fn metric_until(server: &Server, name: &str, is_it: impl Fn(u64) -> bool) {
    until(name, || is_it(metric(server, name)));
}

/// Asks again until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + message::PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to be: {what}");
    }
}

/// Waits until every delivery has ended.
fn settled(server: &Server) {
    metric_until(server, "hookah_deliveries_waiting", |count| count == 0);
}
