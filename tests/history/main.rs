//! Stories of what is kept of messages, with the real binary over real sockets: looks, waits,
//! searches, resends, cancellations, outcomes as they come. They know nothing of its inside.

#[path = "../support/client.rs"]
mod client;
// The formats' own tests need all of it.
#[allow(dead_code)]
#[path = "../support/decode.rs"]
mod decode;
#[path = "../support/message.rs"]
mod message;
#[allow(dead_code)]
#[path = "../streams/reader.rs"]
mod reader;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;

mod canceling;
mod outcomes;
mod resending;
mod searching;
mod waiting;

use std::sync::mpsc::{Sender, channel};

use client::{Answer, Client};
use message::PATIENCE;
use serde_json::Value;
use server::Server;
use target::{Act, Target};

/// A request on a connection of its own that is still open.
fn asked(server: &Server, method: &str, path: &str, fields: &str, body: &str) -> Client {
    let length = match body {
        "" => String::new(),
        body => format!("Content-Length: {}\r\n", body.len()),
    };
    let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}{length}\r\n{body}");
    let mut client = Client::connect(server.addr());
    client.send(request);
    client
}

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    asked(server, method, path, "", "").answer()
}

/// The JSON of an answer with that status.
fn json(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.fields.get("Content-Type"), Some("application/json"));
    serde_json::from_str(&answer.body).expect("JSON")
}

fn dispatch(server: &Server, fields: &str, form: &str) -> Client {
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    asked(
        server,
        "POST",
        "/dispatch",
        &format!("{form_type}{fields}"),
        form,
    )
}

/// Has a webhook scheduled by a form; its id.
fn schedule(server: &Server, form: &str) -> String {
    let answer = dispatch(server, "", form).answer();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.fields.get("Hookah-Id").expect("an id").to_owned()
}

/// The message, once all its deliveries have ended.
fn ended(server: &Server, id: &str) -> Value {
    json(
        &ask(server, "GET", &format!("/messages/{id}?wait=30s")),
        200,
    )
}

/// The status of each delivery.
fn statuses(message: &Value) -> Vec<&str> {
    let deliveries = message["deliveries"].as_array().expect("deliveries");
    deliveries
        .iter()
        .map(|it| it["status"].as_str().expect("a status"))
        .collect()
}

/// A target that answers each request once it is told what.
fn held() -> (Target, Sender<&'static [u8]>) {
    let (tell, told) = channel::<&'static [u8]>();
    let target = Target::new(move |_| {
        let answer = told.recv_timeout(PATIENCE).expect("an answer to give");
        Act::from(answer)
    });
    (target, tell)
}
