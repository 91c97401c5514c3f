//! Clients over TLS: requests, bodies, streams, ends, and what is no TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::authority::{Authority, Flaw, VERSIONS, file};
use crate::caller::{Caller, HEALTH, LAST, Trickle, config, flags, plainly, serving};
use crate::server::{read_all, run};

#[test]
fn a_request_is_answered_over_either_version() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    for version in VERSIONS {
        let mut caller = Caller::of(&server, &config(&authority, None, Some(version)));
        let session = &caller.stream.conn;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        // Pipelined; and the end is announced.
        caller.say(format!("{HEALTH}{HEALTH}{LAST}"));
        let answers = caller.hear_all();
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3);
    }
}

#[test]
fn byte_by_byte_it_is_the_same() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    for version in VERSIONS {
        let socket = TcpStream::connect(server.addr()).unwrap();
        socket.set_nodelay(true).unwrap();
        let config = config(&authority, None, Some(version));
        let mut caller = Caller::over(Trickle(socket), &config).unwrap();
        caller.say(HEALTH);
        caller.hear("HTTP/1.1 200 OK\r\n");
        caller.say(LAST);
        assert!(caller.hear_all().contains("HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_session_is_resumed() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    for version in VERSIONS {
        let config = config(&authority, None, Some(version));
        for resumed in [false, true, true] {
            let mut caller = Caller::of(&server, &config);
            caller.say(LAST);
            assert!(caller.hear_all().starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(caller.is_resumed(), resumed, "{:?}", version.version);
        }
    }
}

#[test]
fn a_large_body_is_taken_and_given_back_whole() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    let config = config(&authority, None, None);
    let mut reader = Caller::of(&server, &config);
    reader.say("GET /stream?topic=large&format=raw HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reader.hear("\r\n\r\n");
    let body = "0123456789abcdef".repeat((1 << 20) / 16);
    let mut writer = Caller::of(&server, &config);
    writer.say(format!(
        "POST /dispatch?_topic=large HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    writer.hear("HTTP/1.1 202 ");
    let mut got = String::new();
    while got.matches('f').count() < body.len() / 16 {
        got += &reader.hear("");
        let mut buf = [0; 16 << 10];
        let count = reader.stream.read(&mut buf).unwrap();
        assert!(count > 0);
        got += std::str::from_utf8(&buf[..count]).unwrap();
    }
}

/// What is encrypted is not yet sent: a reader that takes its time gets all of it. Of so many sizes
/// some fill the socket just before their end.
#[test]
fn whoever_reads_late_gets_an_answer_to_its_end() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    let config = config(&authority, None, None);
    let mut writer = Caller::of(&server, &config);
    let sizes = (60_000..600_000).step_by(12_000);
    let mut late = Vec::new();
    for size in sizes {
        writer.say(format!(
            "POST /dispatch?_topic={size} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: text/plain\r\nContent-Length: {size}\r\n\r\n{}",
            "x".repeat(size)
        ));
        writer.hear("202 Scheduled");
        let mut reader = Caller::of(&server, &config);
        let line = format!("GET /stream?topic={size}&poll=1 HTTP/1.0\r\nHost: localhost\r\n\r\n");
        reader.say(line);
        reader.stream.conn.send_close_notify();
        reader.stream.flush().unwrap();
        late.push((size, reader));
    }
    // All are answered as far as their sockets take it once a later line gets its answers.
    for _ in 0..3 {
        writer.say(HEALTH);
        writer.hear("HTTP/1.1 200 ");
    }
    for (size, mut reader) in late {
        let said = reader.hear_all();
        let (head, sent) = said.split_once("\r\n\r\n").expect("a head");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(length, Some(&*sent.len().to_string()), "{size}: {head}");
        assert!(sent.len() >= size, "{size}: {head}");
    }
}

#[test]
fn an_end_that_is_not_announced_takes_nothing_from_a_request() {
    let authority = Authority::new();
    let server = serving(&authority, []);
    let mut caller = Caller::of(&server, &config(&authority, None, None));
    caller.say(HEALTH);
    caller.stream.sock.shutdown(Shutdown::Write).unwrap();
    assert!(caller.hear_all().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn what_is_no_tls_is_turned_away_with_a_word() {
    let authority = Authority::new();
    let mut server = serving(&authority, []);
    let answer = plainly(&server, 0, HEALTH);
    assert!(!answer.contains("HTTP"), "{answer:?}");
    let line = server.line_with("handshake_failed ");
    assert!(line.contains("peer=127.0.0.1 why=tls_not_tls"), "{line}");
    // Who goes away in the middle is told apart.
    drop(TcpStream::connect(server.addr()).unwrap());
    server.line_with("why=tls_closed_in_handshake");
    let mut caller = Caller::of(&server, &config(&authority, None, None));
    caller.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let shown = caller.hear_all();
    for line in [
        "hookah_handshakes_total 1\n",
        "hookah_handshakes_failed_total 2\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn one_port_may_speak_tls_and_another_not() {
    let authority = Authority::new();
    let (certificate, key) = authority.files(Flaw::None);
    let at = [
        "--listen=http://127.0.0.1:0",
        "--listen=https://127.0.0.1:0",
    ];
    let flags = flags(&certificate, &key, at);
    let server = crate::server::Server::with(&flags[2..]);
    assert!(plainly(&server, 0, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!plainly(&server, 1, LAST).contains("HTTP"));
    // A handshake on the plain port is no request.
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(hello).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&mut client).starts_with("HTTP/1.1 400 "));
}

#[test]
fn files_that_are_no_use_end_the_start_with_a_word() {
    let authority = Authority::new();
    let (certificate, key) = authority.files(Flaw::None);
    let (_, other) = authority.files(Flaw::None);
    let (empty, broken) = (
        file(""),
        file("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
    );
    let ca = |path: &std::path::Path| format!("--client-ca={}", path.display());
    let rows = [
        (
            flags("/none".as_ref(), &key, []),
            "--tls-cert /none cannot be read: ",
        ),
        (
            flags(&certificate, "/none".as_ref(), []),
            "--tls-key /none cannot be read: ",
        ),
        (flags(&empty, &key, []), "has no certificate; "),
        (flags(&broken, &key, []), "is not PEM as it should be: "),
        (
            flags(&certificate, &certificate, []),
            "has no private key; ",
        ),
        (
            flags(&certificate, &other, []),
            "is not the key of the certificate in ",
        ),
        (
            flags(&certificate, &key, [&*ca(&empty)]),
            "has no certificate; ",
        ),
    ];
    for (flags, text) in rows {
        let ran = run(&flags);
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
}
