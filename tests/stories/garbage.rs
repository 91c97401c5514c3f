//! What is no request, or breaks the rules of framing, as a whole server answers it: once, and then
//! it hangs up. Every row of the rules, at every split, is in `tests/wire.rs`.

use crate::client::Client;
use crate::server::Server;
use crate::{ask, form};

/// Bytes, and the status that answers them.
const HEADS: &[(&str, u16)] = &[
    ("hello\r\n\r\n", 400),
    ("\r\n\r\n\r\n\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01", 400),
    ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", 400),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("GET / HTTP/9.9\r\nHost: h\r\n\r\n", 505),
    ("GET / http/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
    ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: h\n\n", 400),
    ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    ("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 501),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400),
];

/// Version and framing of a POST, and the status that answers it.
const BODIES: &[(&str, &str, u16)] = &[
    ("HTTP/1.1", "Content-Length: +1\r\n\r\n", 400),
    ("HTTP/1.1", "Content-Length: 1,1\r\n\r\n", 400),
    (
        "HTTP/1.1",
        "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        400,
    ),
    (
        "HTTP/1.1",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    (
        "HTTP/1.1",
        "Content-Length: 99999999999999999999\r\n\r\n",
        400,
    ),
    (
        "HTTP/1.1",
        "Content-Length: 9223372036854775807\r\n\r\n",
        413,
    ),
    ("HTTP/1.1", "Transfer-Encoding: gzip\r\n\r\n", 400),
    ("HTTP/1.1", "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (
        "HTTP/1.1",
        "Transfer-Encoding: chunked, chunked\r\n\r\n",
        400,
    ),
    ("HTTP/1.0", "Transfer-Encoding: chunked\r\n\r\n", 400),
    ("HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n\r\n", 400),
    ("HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n1\nx", 400),
    ("HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n1\r\nxx", 400),
    ("HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n0x1\r\n", 400),
    (
        "HTTP/1.1",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        400,
    ),
    (
        "HTTP/1.1",
        "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
        413,
    ),
];

/// Begins as these bytes do, then never ends.
const ENDLESS: &[(&str, &str, u16)] = &[
    ("GET /", "x", 414),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: ", "b", 431),
    ("GET / HTTP/1.1\r\nHost: h\r\n", "A: b\r\n", 431),
    ("", "G", 501),
];

/// Whatever looks good behind it is not looked at.
const GOOD: &str = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_bad_head_is_answered_once_and_hung_up_on() {
    let server = Server::start();
    for (bytes, status) in HEADS {
        refused(&server, &format!("{bytes}{GOOD}"), *status);
    }
}

#[test]
fn a_bad_body_is_answered_once_and_hung_up_on() {
    let server = Server::start();
    for (version, framing, status) in BODIES {
        let host = "Host: h\r\nContent-Type: a/b\r\n";
        let head = format!("POST /dispatch?_topic=t {version}\r\n{host}{framing}");
        refused(&server, &format!("{head}{GOOD}"), *status);
    }
}

#[test]
fn what_has_no_end_is_cut_off() {
    let server = Server::start();
    for (start, again, status) in ENDLESS {
        refused(
            &server,
            &format!("{start}{}", again.repeat(50_000 / again.len())),
            *status,
        );
    }
}

/// One answer and the end; and the next client has nothing to do with it.
fn refused(server: &Server, bytes: &str, status: u16) {
    let shown: String = bytes.chars().take(120).collect();
    let mut client = Client::connect(server.addr());
    client.try_send(bytes);
    let answer = client.answer();
    assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
    assert!(answer.closes(), "{shown:?}: {answer:?}");
    client.ends();
    assert_eq!(
        ask(server, form("_topic=t&a=1")).status,
        202,
        "after {shown:?}"
    );
}
