//! Stories of the options of a webhook, with the real binary over real sockets: what a target gets,
//! where it may send us, and what can be seen of it afterwards. They know nothing of its inside.

#[path = "../support/client.rs"]
mod client;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;

mod fields;
mod looking;
mod redirects;
mod signing;

use client::{Answer, Client};
use serde_json::Value;
use server::Server;

/// The Content-Type of a form, as a header line.
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
/// An answer without a body that says where else to go.
fn sent_to(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into()
}

/// Posts to /dispatch on a connection of its own; `fields` are header lines.
fn post(server: &Server, fields: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    Client::connect(server.addr()).send(request).answer()
}

/// Has a webhook scheduled by a form; its id.
fn schedule(server: &Server, fields: &str, form: &str) -> String {
    let answer = post(server, &format!("{FORM}{fields}"), form);
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.fields.get("Hookah-Id").expect("an id").to_owned()
}

/// What /messages/{id} says now.
fn look(server: &Server, id: &str) -> Value {
    let request = format!("GET /messages/{id} HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = Client::connect(server.addr()).send(request).answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.fields.get("Content-Type"), Some("application/json"));
    serde_json::from_str(&answer.body).expect("JSON")
}

/// The first delivery, once its status is this one; no event tells of it.
fn delivery(server: &Server, id: &str, status: &str) -> Value {
    let deadline = std::time::Instant::now() + message::PATIENCE;
    loop {
        let delivery = look(server, id)["deliveries"][0].take();
        if delivery["status"] == status {
            return delivery;
        }
        assert!(std::time::Instant::now() < deadline, "{status}: {delivery}");
        std::thread::yield_now();
    }
}
