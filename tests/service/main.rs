//! Stories of a server that is left running: a service manager starts it, hears from it, hands it
//! sockets and replaces it; its log is read by programs. They wait for events, never for a time.

#[path = "../support/client.rs"]
mod client;
// The formats' own tests need all of it.
#[allow(dead_code)]
#[path = "../support/decode.rs"]
mod decode;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/message.rs"]
mod message;
#[allow(dead_code)]
#[path = "../streams/reader.rs"]
mod reader;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/target.rs"]
mod target;

mod handing;
mod logging;
mod managing;
mod replacing;
mod waiting;

use client::{Answer, Client};
use server::Server;

/// A request on a connection of its own.
fn ask(server: &Server, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(server.addr()).send(request).answer()
}

/// A GET of that path.
fn get(server: &Server, path: &str) -> Answer {
    ask(server, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
}

/// A POST of a form to /dispatch.
fn form(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
