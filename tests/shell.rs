//! Stories of the process itself: starting, refusing to start, stopping, running out of
//! descriptors. What it says over HTTP is other stories' business.

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use server::{Server, hookah, read_all, run, run_command};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A request whose body is announced, and asked for, but not sent.
const BEGUN: &[u8] = b"POST /dispatch?_topic=t HTTP/1.1\r\nHost: hookah\r\nContent-Length: 5\r\n\
    Content-Type: text/plain\r\nExpect: 100-continue\r\n\r\n";

/// A connection with a request in flight.
fn begun(server: &Server) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(BEGUN).unwrap();
    let mut interim = [0; 25];
    client.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client
}

/// The answer on a connection of its own to a request that goes nowhere.
fn probe(server: &Server) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let _ = client.write_all(b"POST /dispatch HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    read_all(&mut client)
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = run(["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(
        help.stdout.contains("--retry-schedule WAITS"),
        "{}",
        help.stdout
    );
    let version = run(["serve", "--version"]);
    assert_eq!(
        (version.code, version.stdout),
        (Some(0), format!("hookah {VERSION}\n"))
    );
}

#[test]
fn a_wrong_flag_or_variable_says_what_is_allowed() {
    let text = "\"abc\" is not a number; allowed: 0 to 1000 (try hookah --help)";
    let flag = run(["--retries", "abc"]);
    assert_eq!(
        (flag.code, flag.stderr),
        (Some(64), format!("hookah: --retries: {text}\n"))
    );
    let variable = run_command(hookah().env("HOOKAH_RETRIES", "abc"));
    let expected = format!("hookah: HOOKAH_RETRIES: {text}\n");
    assert_eq!((variable.code, variable.stderr), (Some(78), expected));
}

#[test]
fn three_lines_at_the_start() {
    let mut server = Server::with(["--listen", "127.0.0.1:0", "--listen", "localhost:0"]);
    let (first, second) = (server.addrs()[0], server.addrs()[1]);
    assert!(first.port() != 0 && second.port() != 0 && first.port() != second.port());
    assert_eq!(
        server.line_with("store: "),
        "store: memory (nothing survives a restart)"
    );
    let example = format!("curl -d _url=http://localhost:9000/ -d hello=world http://{first}/");
    assert_eq!(server.line_with("try: "), format!("try: {example}dispatch"));
    for addr in [first, second] {
        TcpStream::connect(addr).unwrap();
    }
}

#[test]
fn a_taken_port_is_named_with_exit_69() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ran = run(["--listen", "127.0.0.1:0", "--listen", &addr]);
    assert_eq!(ran.code, Some(69), "{}", ran.stderr);
    assert!(
        ran.stderr.starts_with(&format!("hookah: {addr} is taken")),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn a_public_address_without_consent_is_refused_with_exit_78() {
    let ran = run(["--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(
        ran.stderr.starts_with("hookah: 0.0.0.0:0 can be reached"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--insecure-no-auth"), "{}", ran.stderr);
    let server = Server::with(["--listen", "0.0.0.0:0", "--insecure-no-auth"]);
    assert!(server.addr().ip().is_unspecified());
}

#[test]
fn either_signal_drains_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        server.signal(signal);
        let line = server.line_with("drain_begin");
        assert!(line.ends_with(&format!(" signal=SIG{signal}")), "{line}");
        let (status, text) = server.wait();
        assert_eq!(status.code(), Some(0), "{text}");
    }
}

#[test]
fn a_drain_refuses_the_new_and_finishes_the_begun() {
    let mut server = Server::with(["--port", "0", "--drain-timeout", "1h"]);
    let mut client = begun(&server);
    server.signal("TERM");
    server.line_with("drain_begin");
    // The listeners close with the drain's first turn, which need not be over with its log line.
    while TcpStream::connect(server.addr()).is_ok() {}
    client.write_all(b"hello").unwrap();
    let answer = read_all(&mut client);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    drop(client);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut server = Server::with(["--port", "0", "--drain-timeout", "1h"]);
        let client = begun(&server);
        server.signal("TERM");
        server.line_with("drain_begin");
        server.signal(signal);
        assert_eq!(server.wait().0.code(), Some(code));
        drop(client);
    }
}

#[test]
fn a_hangup_is_no_reason_to_stop() {
    let mut server = Server::start();
    server.signal("HUP");
    server.line_with("reload_done signal=SIGHUP what=nothing");
    drop(begun(&server));
}

#[test]
fn without_descriptors_old_connections_live_and_new_ones_are_told() {
    let mut server = Server::with_descriptors(32, &["--max-conns", "1000"]);
    let mut old = begun(&server);
    let connect = |_| TcpStream::connect(server.addr()).unwrap();
    let held: Vec<TcpStream> = (0..40).map(connect).collect();
    server.line_with("accept_exhausted");
    let answer = probe(&server);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nRetry-After: "), "{answer}");

    old.write_all(b"hello").unwrap();
    let mut status = [0; 13];
    old.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 202 ");

    drop(held);
    // Closed connections give their descriptors back in the server's own time.
    while !probe(&server).starts_with("HTTP/1.1 400 ") {}
    server.line_with("accept_recovered");
}

#[test]
fn an_answer_that_came_before_the_connection_broke_counts() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = target.local_addr().unwrap();
    let mut server = Server::with(["--port", "0", "--log", "debug"]);
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let body = vec![b'x'; 1_000_000];
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: hookah\r\nHookah-Url: http://{addr}/\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&body).unwrap();
    let (mut call, _) = target.accept().unwrap();
    let _ = call.read(&mut [0; 64]).unwrap();
    call.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    // Closing over the unread rest resets the connection, which the write of the rest runs into.
    drop(call);
    let line = server.line_with("attempt_ended");
    assert!(line.contains(" status=410 "), "{line}");
}
