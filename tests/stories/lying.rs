//! Targets that drip, flood, lie or speak something else: each costs its own webhook at most an
//! attempt, and nobody else anything.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::message::Wire;
use crate::server::Server;
use crate::target::{Act, OK, Target};
use crate::{ask, metric, metric_until, post, schedule, settled};

const DELIVERED: &str = "hookah_deliveries_delivered_total";
const SOON: &str = "&_retry_schedule=10ms&a=1";

/// A target that misbehaves at the first attempt and takes the second.
fn once(mut act: impl FnMut() -> Act + Send + 'static) -> Target {
    Target::new(move |webhook| match webhook.attempt() {
        1 => act(),
        _ => OK.into(),
    })
}

/// The first attempt fails by itself, on a connection that Hookah ends, and the second arrives.
fn fails_once(server: &Server, target: &Target, more: &str) {
    schedule(server, &target.url("/"), &format!("{SOON}{more}"));
    let (first, second) = (target.arrival(), target.arrival());
    assert_eq!((first.attempt(), second.attempt()), (1, 2));
    assert_eq!((first.line, second.line), (0, 1));
    assert_eq!(target.line_ended(), 0);
    settled(server);
}

/// The first attempt delivers, on a connection that Hookah ends and never uses again.
fn delivers_once(server: &Server, target: &Target) {
    let before = metric(server, DELIVERED);
    for line in 0..2 {
        schedule(server, &target.url("/"), SOON);
        let webhook = target.arrival();
        assert_eq!((webhook.line, webhook.attempt()), (line, 1));
        settled(server);
        assert_eq!(metric(server, DELIVERED), before + line as u64 + 1);
        if line == 0 {
            assert_eq!(target.line_ended(), 0);
        }
    }
}

#[test]
fn a_head_that_drips_for_ever_runs_out_of_time() {
    let server = Server::start();
    let target = once(|| Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"drip"));
    fails_once(&server, &target, "&_timeout=100ms");
    let target = once(|| Act::Drip(Vec::new(), b"HTTP/1.1 102 Wait\r\n\r\n"));
    fails_once(&server, &target, "&_timeout=100ms");
}

#[test]
fn a_body_that_drips_for_ever_is_a_delivery_all_the_same() {
    let server = Server::start();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let target = Target::new(|webhook| match webhook.line {
        0 => Act::Drip(head.to_vec(), b"drip"),
        _ => OK.into(),
    });
    delivers_once(&server, &target);
}

#[test]
fn a_flood_of_head_fails() {
    let server = Server::start();
    let floods = [
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\nX: ", "y".repeat(4_096)),
        ("HTTP/1.1 200 ", "O".repeat(4_096)),
        ("", "H".repeat(4_096)),
        ("", "\r\n".repeat(2_048)),
        ("", "HTTP/1.1 102 Wait\r\n\r\n".repeat(200)),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(1_000)),
    ];
    for (first, again) in floods {
        let target = once(move || Act::Flood(first.into(), again.clone().into()));
        fails_once(&server, &target, "&_timeout=1h");
    }
}

#[test]
fn a_flood_of_body_is_cut_off_after_its_delivery() {
    let server = Server::start();
    let floods = [
        ("Content-Length: 99999999999\r\n\r\n", "x"),
        ("Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"),
        ("\r\n", "x"),
    ];
    for (fields, before) in floods {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}");
        let after = if before == "x" { "x" } else { "\r\n" };
        let again = format!("{before}{}{after}", "x".repeat(4_096));
        let target = Target::new(move |webhook| match webhook.line {
            0 => Act::Flood(head.clone().into(), again.clone().into()),
            _ => OK.into(),
        });
        delivers_once(&server, &target);
    }
}

#[test]
fn whoever_lies_about_framing_is_believed_once_and_never_reused() {
    let server = Server::start();
    let lies = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 0, 5\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0\r\nno colon\r\n\r\n",
        "Content-Length : 0\r\n\r\n",
        "Content-Length: 0\r\nX: folded\r\n line\r\n\r\n",
        "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\n\r\n\r\n",
        "Content-Length: 0\r\n\r\n\0",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ];
    for lie in lies {
        let answer = format!("HTTP/1.1 200 OK\r\n{lie}");
        let target = Target::new(move |webhook| match webhook.line {
            0 => answer.as_bytes().into(),
            _ => OK.into(),
        });
        delivers_once(&server, &target);
    }
    let bodies = "HTTP/1.1 204 No Content\r\n\r\nbody that cannot be";
    let target = Target::new(|webhook| match webhook.line {
        0 => bodies.as_bytes().into(),
        _ => OK.into(),
    });
    delivers_once(&server, &target);
}

#[test]
fn another_language_is_a_failed_attempt() {
    let server = Server::start();
    let words: [&[u8]; 11] = [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
    ];
    for word in words {
        let target = once(move || word.into());
        fails_once(&server, &target, "&_timeout=1h");
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_failed_attempt() {
    let server = Server::start();
    let beginnings = [
        "",
        "H",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    ];
    for beginning in beginnings {
        let target = once(|| Act::Close(beginning.into()));
        fails_once(&server, &target, "&_timeout=1h");
    }
    let target =
        Target::new(|_| Act::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".into()));
    delivers_once(&server, &target);
}

#[test]
fn while_some_misbehave_for_ever_others_are_served() {
    let server = Server::start();
    let again = || "HTTP/1.1 102 Wait\r\n\r\n".repeat(100).into();
    let acts: [fn() -> Act; 3] = [
        || Act::Hang,
        || Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"drip"),
        || Act::Drip(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b"drip"),
    ];
    let mut bad: Vec<Target> = acts.map(|act| Target::new(move |_| act())).into();
    bad.push(Target::new(move |_| Act::Flood(Vec::new(), again())));
    for target in &bad {
        for _ in 0..10 {
            schedule(
                &server,
                &target.url("/"),
                "&_timeout=1h&_retry_schedule=10ms&_retries=1000",
            );
        }
        target.arrival();
    }
    let good = Target::willing();
    for _ in 0..20 {
        schedule(&server, &good.url("/"), "&a=1");
        assert_eq!(good.arrival().attempt(), 1);
    }
}

/// A target that answers a webhook after its head, whatever is still to come.
fn hasty(then: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut wire = Wire::new(stream);
        wire.head().expect("a request");
        wire.stream.write_all(OK).expect("it takes the answer");
        then(wire.stream);
    });
    addr
}

#[test]
fn whoever_answers_before_it_has_heard_all_is_believed_and_left() {
    let server = Server::with(["--port", "0", "--max-body", "32MiB"]);
    // More than the sockets on both sides can hold.
    let body = vec![b'x'; 32 << 20];
    // One hangs up at once, which resets the connection; one reads no further until it is left.
    let hang_up: fn(TcpStream) = drop;
    let read_on: fn(TcpStream) = |stream| drop(Wire::new(stream).rest());
    for (then, count) in [(hang_up, 1), (read_on, 2)] {
        let url = format!("http://{}/", hasty(then));
        let fields = format!("Hookah-Url: {url}\r\nHookah-Retries: 0\r\nContent-Type: a/b\r\n");
        assert_eq!(ask(&server, post("/dispatch", &fields, &body)).status, 202);
        settled(&server);
        assert_eq!(metric(&server, DELIVERED), count);
        metric_until(&server, "hookah_lines_outbound", |lines| lines == 0);
    }
}
