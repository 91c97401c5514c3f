//! Stories of the hub, with the real binary over real sockets: subscribers of 2010 and of today,
//! publishers, and whoever looks after both. They know nothing of its inside.
//!
//! Which of these and of the other tests shows which duty of a hub stands in `rows`.

#[path = "../support/client.rs"]
mod client;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/message.rs"]
mod message;
mod peers;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;

mod distributing;
mod leasing;
mod looking;
mod publishing;
mod returning;
mod rows;
mod subscribing;
mod verifying;

use std::time::Instant;

use client::{Answer, Client};
use peers::encoded;
use serde_json::Value;
use server::Server;
use target::Target;

/// The Content-Type of a form, as a header line.
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// A server on a free port of 127.0.0.1, where whoever is on this machine may name any address.
fn start(flags: &[&str]) -> Server {
    Server::with(["--port", "0"].iter().chain(flags))
}

/// A request on a connection of its own.
fn ask(server: &Server, request: &str) -> Answer {
    Client::connect(server.addr()).send(request).answer()
}

/// A GET. The Host is what the hub calls itself in Link fields.
fn get(server: &Server, path: &str) -> Answer {
    let host = server.addr();
    ask(
        server,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    )
}

/// A POST; `fields` are header lines.
fn post(server: &Server, path: &str, fields: &str, body: &str) -> Answer {
    let (host, length) = (server.addr(), body.len());
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{fields}");
    ask(
        server,
        &format!("{head}Content-Length: {length}\r\n\r\n{body}"),
    )
}

/// A form for the hub.
fn hub(server: &Server, form: &str) -> Answer {
    post(server, "/hub", FORM, form)
}

/// A request to subscribe; `more` are further fields, as in `&hub.secret=s`.
fn subscribe(server: &Server, topic: &str, callback: &str, more: &str) -> Answer {
    let (topic, callback) = (encoded(topic), encoded(callback));
    let form = format!("hub.mode=subscribe&hub.topic={topic}&hub.callback={callback}{more}");
    hub(server, &form)
}

/// A request to end that.
fn unsubscribe(server: &Server, topic: &str, callback: &str, more: &str) -> Answer {
    let (topic, callback) = (encoded(topic), encoded(callback));
    let form = format!("hub.mode=unsubscribe&hub.topic={topic}&hub.callback={callback}{more}");
    hub(server, &form)
}

/// A subscriber of a topic, verified.
fn subscribed(server: &Server, topic: &str, reader: &Target, more: &str) {
    let answer = subscribe(server, topic, &reader.url("/in"), more);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(reader.arrival().method, "GET");
    active(server, topic);
}

/// The topic may have something new.
fn ping(server: &Server, topic: &str) -> Answer {
    hub(
        server,
        &format!("hub.mode=publish&hub.url={}", encoded(topic)),
    )
}

/// What /subscriptions shows of a topic.
fn rows(server: &Server, topic: &str) -> Vec<Value> {
    let answer = get(server, &format!("/subscriptions?topic={}", encoded(topic)));
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut shown: Value = serde_json::from_str(&answer.body).expect("JSON");
    match shown["subscriptions"].take() {
        Value::Array(rows) => rows,
        other => panic!("no list: {other}"),
    }
}

/// The topic's only subscription.
fn row(server: &Server, topic: &str) -> Value {
    let mut rows = rows(server, topic);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// Waits until all of the topic's subscriptions are verified; no event tells of it.
fn active(server: &Server, topic: &str) {
    until("all are active", || {
        let rows = rows(server, topic);
        !rows.is_empty() && rows.iter().all(|row| row["state"] == "active")
    });
}

/// Waits until the only subscription has nothing more to come.
fn quiet(server: &Server, topic: &str) -> Value {
    until("nothing waits", || row(server, topic)["waiting"] == 0);
    row(server, topic)
}

/// A number of /metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let answer = get(server, "/metrics");
    let mut lines = answer.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {name} in {}", answer.body));
    value.parse().expect("a number")
}

/// Asks again until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + message::PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to be: {what}");
        std::thread::yield_now();
    }
}
