//! What the stories stand on: a server that trusts an authority, and webhooks ordered from it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::authority::Authority;
use crate::server::{Server, read_all};

/// A server that trusts that authority and logs how attempts end.
pub fn trusting(authority: &Authority) -> Server {
    trusting_with(authority, &[])
}

/// The same with more flags.
pub fn trusting_with(authority: &Authority, flags: &[&str]) -> Server {
    let usual = ["--port", "0", "--log", "debug", "--ca-file"].map(OsStr::new);
    let file = [authority.file.as_os_str()];
    let more = flags.iter().map(OsStr::new);
    Server::with(usual.into_iter().chain(file).chain(more))
}

/// Orders a webhook to `url`, with further options such as `&_retries=0`; the message's id.
pub fn order(server: &Server, url: &str, options: &str) -> String {
    let body = format!("_url={url}&hello=world{options}");
    let kind = "application/x-www-form-urlencoded";
    let fields = format!("Content-Type: {kind}\r\n");
    let answer = post(server, &fields, body.as_bytes());
    let (_, id) = answer.split_once("\r\nHookah-Id: ").unwrap();
    id[..30].to_owned()
}

/// What is remembered of a message.
pub fn look(server: &Server, id: &str) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let head = format!("GET /messages/{id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    read_all(&mut client)
}

/// Posts a body with these fields to /dispatch; the answer.
pub fn post(server: &Server, fields: &str, body: &[u8]) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: hookah\r\nConnection: close\r\n{fields}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body).unwrap();
    let answer = read_all(&mut client);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    answer
}

/// How the next attempt ends: the log line behind its URL.
pub fn ending(server: &mut Server) -> String {
    let line = server.line_with("attempt_ended ");
    let (_, end) = line.split_once(" attempt=").unwrap();
    end.to_owned()
}

/// Asserts that the next attempt ends like this.
pub fn ends(server: &mut Server, how: &str, what: &str) {
    let end = ending(server);
    assert!(end.contains(&format!(" {how} ")), "{what}: {end}");
}

/// Reads whatever comes until there is no more.
pub fn drain(stream: &mut impl Read) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}
