//! Targets that do everything wrong, against the real binary over real sockets: what the history
//! says of each attempt, what is tried again, which connections are used again, and that others are
//! served meanwhile. The ways to be hostile are rows in `support/ways.rs`.

#[path = "../support/client.rs"]
mod client;
#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/names.rs"]
mod names;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;
#[path = "../support/ways.rs"]
mod ways;

mod answers;
mod flooding;
mod naming;
mod wishes;

use std::net::SocketAddr;
use std::time::Instant;

use client::{Answer, Client};
use message::PATIENCE;
use serde_json::Value;

fn ask(at: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(at).send(request).answer()
}

/// Has a webhook scheduled; `more` are further fields, as in `&a=1`. Its id.
fn schedule(at: SocketAddr, url: &str, more: &str) -> String {
    let form = format!("_url={url}{more}");
    let length = form.len();
    let request = format!(
        "POST /dispatch HTTP/1.1\r\nHost: hookah\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    );
    let answer = ask(at, request);
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.fields.get("Hookah-Id").expect("an id").to_owned()
}

/// What is known of a message's only delivery; `query` is as in `?wait=30s`.
fn delivery(at: SocketAddr, id: &str, query: &str) -> Value {
    let request = format!("GET /messages/{id}{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = ask(at, request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut message: Value = serde_json::from_str(&answer.body).expect("JSON");
    message["deliveries"][0].take()
}

/// The delivery of a message, once it has ended.
fn ended(at: SocketAddr, id: &str) -> Value {
    delivery(at, id, "?wait=30s")
}

/// The delivery of a message, once it waits for its next attempt.
fn retrying(at: SocketAddr, id: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let delivery = delivery(at, id, "");
        // The attempt is written down a moment after.
        let is_known = delivery["attempts"][0].is_object();
        if is_known && delivery["status"] == "retrying" {
            return delivery;
        }
        assert!(Instant::now() < end, "it is not tried again: {delivery}");
    }
}
