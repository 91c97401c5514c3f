//! What goes well: webhooks arrive over TLS, lines are kept, sessions resumed.

use std::io::Write;

use crate::authority::{Authority, Flaw, VERSIONS};
use crate::ground::{ends, look, order, post, trusting, trusting_with};
use crate::target::{Call, OK, Target, Trickle};

#[test]
fn a_webhook_arrives_over_either_version() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    for version in VERSIONS {
        let target = Target::open();
        let config = authority.config(Flaw::None, Some(version));
        order(&server, &target.url(), "");
        let mut call = target.secured(&config);
        let (head, body) = call.request();
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        let host = format!("\r\nHost: localhost:{}\r\n", target.port);
        assert!(head.contains(&host), "{head}");
        assert_eq!(body, b"hello=world");
        let session = &call.stream.conn;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.server_name(), Some("localhost"));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        call.say(OK);
        ends(&mut server, "status=200", "over TLS");
    }
}

#[test]
fn an_address_is_checked_as_an_address_and_never_sent_as_a_name() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &format!("https://127.0.0.1:{}/", target.port), "");
    let mut call = target.secured(&config);
    assert_eq!(call.stream.conn.server_name(), None);
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "by address");
}

#[test]
fn a_line_is_kept_for_the_next_webhook() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &target.url(), "");
    let mut call = target.secured(&config);
    for _ in 0..3 {
        call.request();
        call.say(OK);
        ends(&mut server, "status=200", "kept");
        order(&server, &target.url(), "");
    }
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "kept");
    server.signal("TERM");
    call.ends_well();
}

#[test]
fn http_and_https_to_one_port_share_no_line() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &target.url(), "");
    let mut call = target.secured(&config);
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "over TLS");
    let plain = format!("http://localhost:{}/hook", target.port);
    order(&server, &plain, "&_retries=0");
    let why = Call::shake(target.accept(), &config).err().unwrap();
    assert!(why.to_string().contains("InvalidContentType"), "{why}");
    ends(&mut server, "error=protocol", "HTTP to a TLS port");
    order(&server, &target.url(), "");
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "the line was kept");
}

#[test]
fn a_session_is_resumed_on_the_next_connection() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    for version in VERSIONS {
        let target = Target::open();
        let config = authority.config(Flaw::None, Some(version));
        for round in 0..4 {
            order(&server, &target.url(), "");
            let mut call = target.secured(&config);
            assert_eq!(call.is_resumed(), round > 0, "{version:?}, round {round}");
            call.request();
            call.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            call.close();
            ends(&mut server, "status=200", "resumed");
        }
    }
}

#[test]
fn a_large_body_arrives_whole_through_a_narrow_socket() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::narrow();
    let config = authority.config(Flaw::None, None);
    let body: Vec<u8> = (0..1_000_000u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let fields = format!(
        "Hookah-Url: {}\r\nContent-Type: application/octet-stream\r\n",
        target.url()
    );
    post(&server, &fields, &body);
    let mut call = target.secured(&config);
    let (_, got) = call.request();
    assert!(
        got == body,
        "{} bytes came, and not the ones sent",
        got.len()
    );
    call.say(OK);
    ends(&mut server, "status=200", "large");
}

#[test]
fn byte_by_byte_it_is_the_same() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    for version in VERSIONS {
        let target = Target::open();
        let config = authority.config(Flaw::None, Some(version));
        order(&server, &target.url(), "");
        let socket = target.accept();
        socket.set_nodelay(true).unwrap();
        let mut call = Call::shake(Trickle(socket), &config).unwrap();
        let (_, body) = call.request();
        assert_eq!(body, b"hello=world");
        call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        ends(&mut server, "status=200", "byte by byte");
        order(&server, &target.url(), "");
        call.request();
        call.say(OK);
        ends(&mut server, "status=200", "the line was kept");
    }
}

#[test]
fn an_answer_of_many_records_in_one_segment_is_read_at_once() {
    let authority = Authority::new();
    // So that the next webhook waits for the line.
    let mut server = trusting_with(&authority, &["--parallelism", "1"]);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &target.url(), "");
    let mut call = target.secured(&config);
    call.request();
    let length = 60_000;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    for piece in answer.as_bytes().chunks(7) {
        call.stream.conn.writer().write_all(piece).unwrap();
    }
    for piece in vec![b'x'; length].chunks(900) {
        call.stream.conn.writer().write_all(piece).unwrap();
    }
    call.stream.flush().unwrap();
    ends(&mut server, "status=200", "many records");
    // The body was read to its end, so the line is good for the next one.
    order(&server, &target.url(), "");
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "the line was kept");
}

#[test]
fn an_end_that_is_not_announced_takes_nothing_from_an_answer() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    for answer in [OK, "HTTP/1.1 200 OK\r\n\r\nuntil the end"] {
        order(&server, &target.url(), "");
        let mut call = target.secured(&config);
        call.request();
        call.say(answer);
        drop(call);
        ends(&mut server, "status=200", answer);
    }
}

#[test]
fn a_body_whose_end_is_not_announced_may_be_cut() {
    let authority = Authority::new();
    // So that the second webhook waits until the first one's line is gone.
    let mut server = trusting_with(&authority, &["--parallelism", "1"]);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    for (announced, truncated) in [(true, "false"), (false, "true")] {
        let id = order(&server, &target.url(), "&_capture=64k");
        let mut call = target.secured(&config);
        call.request();
        call.say("HTTP/1.1 200 OK\r\n\r\nuntil the end");
        match announced {
            true => call.close(),
            false => drop(call),
        }
        ends(&mut server, "status=200", "first");
        order(&server, &target.url(), "");
        let mut call = target.secured(&config);
        call.request();
        call.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        ends(&mut server, "status=200", "second");
        let shown = look(&server, &id);
        let expected = format!(r#""truncated":{truncated}"#);
        assert!(shown.contains("until the end"), "{shown}");
        assert!(shown.contains(&expected), "{shown}");
    }
}

#[test]
fn a_kept_line_that_ended_is_replaced_and_nothing_is_counted() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &target.url(), "");
    let mut call = target.secured(&config);
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "first");
    order(&server, &target.url(), "&_retries=0");
    call.request();
    call.close();
    let mut call = target.secured(&config);
    let (head, _) = call.request();
    assert!(head.contains("\r\nHookah-Attempt: 1\r\n"), "{head}");
    call.say(OK);
    ends(&mut server, "status=200", "resent");
}
