//! How streams end: whoever ends them, the last chunk comes, and why.

use std::io::Write;

use crate::decode::Heard;
use crate::reader::{events, lines};
use crate::server::Server;
use crate::{ask, await_metric, metric, publish, server_with};

#[test]
fn a_stop_ends_streams_with_their_last_chunk() {
    let server = server_with(&["--drain-timeout", "1s"]);
    let mut raw = lines(&server, "topic=t");
    let mut json = lines(&server, "topic=t&topic=u&format=json");
    let (mut sse, _) = events(&server, "topic=t&format=sse");
    publish(&server, "_topic=t&a=1");
    server.signal("TERM");
    assert_eq!(raw.text(), "a=1");
    raw.ends();
    json.line();
    let why = json.notice("disconnect");
    assert_eq!(
        (&why["code"], &why["reason"]),
        (&1.into(), &"shutdown".into())
    );
    assert_eq!(why["stream_name"], "t,u");
    json.ends();
    sse.line();
    // It comes back, but not at once with all the others.
    let Some(Heard::Retry(retry)) = sse.next() else {
        panic!("no retry before the end")
    };
    assert!((1_000..=10_000).contains(&retry), "{retry}");
    assert_eq!(sse.notice("disconnect")["code"], 1);
    sse.ends();
    let (status, stderr) = server.wait();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn an_old_stream_ends_so_that_its_reader_comes_anew() {
    let server = server_with(&["--max-age", "1s"]);
    let mut raw = lines(&server, "topic=t");
    let mut json = lines(&server, "topic=t&format=json");
    let (mut sse, _) = events(&server, "topic=t&format=sse");
    assert_eq!(json.notice("disconnect")["code"], 12);
    json.ends();
    raw.ends();
    assert!(matches!(sse.next(), Some(Heard::Retry(_))));
    assert_eq!(sse.notice("disconnect")["code"], 12);
    sse.ends();
    await_metric(&server, "hookah_streams", 0);
}

#[test]
fn what_a_reader_says_is_ignored_up_to_a_bound() {
    let server = Server::start();
    let mut reader = lines(&server, "topic=t");
    let says = |reader: &mut crate::reader::Stream<_>, bytes: usize| {
        reader.wire.stream.write_all(&vec![b'x'; bytes])
    };
    says(&mut reader, 64 << 10).expect("it is taken");
    publish(&server, "_topic=t&a=1");
    assert_eq!(reader.text(), "a=1");
    await_metric(&server, "hookah_streams", 1);
    says(&mut reader, 1).expect("it is taken");
    await_metric(&server, "hookah_streams", 0);
}

#[test]
fn readers_that_are_gone_leave_nothing_behind() {
    let server = server_with(&["--backlog-messages", "0"]);
    let mut readers: Vec<_> = (0..5).map(|_| lines(&server, "topic=t")).collect();
    readers.push(lines(&server, "topic=t&topic=u&where.a=1&format=json"));
    readers.push(lines(&server, "prefix=t"));
    assert_eq!(metric(&server, "hookah_streams"), 7);
    assert!(metric(&server, "hookah_topics") >= 1);
    // Not a byte of this is read: the ends of the lines are resets.
    publish(&server, &format!("_topic=t&x={}", "x".repeat(100_000)));
    drop(readers);
    for name in ["streams", "topics", "topics_bytes", "bytes_held", "timers"] {
        // The line that asks has a timer.
        let left = u64::from(name == "timers");
        await_metric(&server, &format!("hookah_{name}"), left);
    }
}

/// After the streams have been ended the server does not wait for them any longer.
#[test]
fn a_reader_that_finishes_sending_is_taken_to_be_gone() {
    let server = Server::start();
    let reader = lines(&server, "topic=t");
    reader
        .wire
        .stream
        .shutdown(std::net::Shutdown::Write)
        .expect("it is connected");
    await_metric(&server, "hookah_streams", 0);
    let answer = ask(&server, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answer.status, 200);
}
