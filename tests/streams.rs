//! Stories of live streams: the real binary, real sockets, a strict reader of chunks. What chance
//! does to streams is the simulator's business.

// The same strict reader as in the simulator.
#[allow(dead_code)]
#[path = "sim/chunks.rs"]
mod chunks;
#[path = "support/server.rs"]
mod server;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use chunks::{Chunks, Part};
use server::{Server, read_all};

/// A reader of a topic.
struct Reader {
    stream: TcpStream,
    chunks: Chunks,
    parts: VecDeque<Part>,
}

impl Reader {
    /// Sends a request on a line of its own; `before` answers come before the stream.
    fn new(server: &Server, request: &str, before: usize) -> Reader {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Reader {
            stream,
            chunks: Chunks::new(request.contains("HTTP/1.0"), before),
            parts: VecDeque::new(),
        }
    }

    /// Reads a topic, and has got head and first bytes.
    fn of(server: &Server, topic: &str) -> Reader {
        let mut reader = Reader::new(server, &stream_request(topic, "1.1"), 0);
        reader.begins();
        reader
    }

    /// Head and first bytes come.
    fn begins(&mut self) -> String {
        let Some(Part::Head(head)) = self.next() else {
            panic!("no head")
        };
        assert_eq!(self.next(), Some(Part::Line(Vec::new())));
        head
    }

    /// What comes next; `None` at the end of the connection.
    fn next(&mut self) -> Option<Part> {
        let mut bytes = [0; 65_536];
        while self.parts.is_empty() {
            let count = self.stream.read(&mut bytes).expect("no reset");
            if count == 0 {
                return None;
            }
            for byte in &bytes[..count] {
                self.parts.extend(self.chunks.push(*byte).expect("framed"));
            }
        }
        self.parts.pop_front()
    }

    /// The next message.
    fn line(&mut self) -> String {
        match self.next() {
            Some(Part::Line(line)) => String::from_utf8(line).unwrap(),
            other => panic!("{other:?} instead of a message"),
        }
    }
}

fn stream_request(topic: &str, version: &str) -> String {
    format!("GET /stream?topic={topic} HTTP/{version}\r\nHost: a\r\n\r\n")
}

/// The answer to one request on a line of its own.
fn ask(server: &Server, request: &str) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    read_all(&mut client)
}

/// Posts a form, which must be taken.
fn post(server: &Server, form: &str) {
    let head = "POST /dispatch HTTP/1.1\r\nHost: a\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
    let answer = ask(server, &format!("{head}{}\r\n\r\n{form}", form.len()));
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

/// A counter or gauge.
fn metric(server: &Server, name: &str) -> u64 {
    let text = ask(server, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.trim().parse().unwrap()
}

/// Asks until a counter or gauge has that value.
fn await_metric(server: &Server, name: &str, value: u64) {
    let found = (0..20_000).any(|_| metric(server, name) == value);
    assert!(found, "{name} is {}, not {value}", metric(server, name));
}

#[test]
fn a_message_reaches_every_reader_of_its_topic_and_no_other() {
    let server = Server::start();
    let mut readers = [(); 3].map(|()| Reader::of(&server, "news"));
    let mut other = Reader::of(&server, "weather");
    post(&server, "_topic=news&a=1&b=%E2%9C%93");
    post(&server, "_topic=weather&_topic=news&_topic=news&c=2");
    for reader in &mut readers {
        assert_eq!(reader.line(), "a=1&b=%E2%9C%93");
        assert_eq!(reader.line(), "c=2");
    }
    assert_eq!(other.line(), "c=2");
    let mut late = Reader::new(&server, &stream_request("news", "1.1"), 0);
    assert!(late.begins().contains("\r\nHookah-Last-Id: msg_"));
}

#[test]
fn a_message_goes_to_a_topic_and_a_url() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut reader = Reader::of(&server, "news");
    let url = format!("http%3A%2F%2F127.0.0.1%3A{port}%2Fhook");
    post(&server, &format!("_topic=news&_url={url}&a=1"));
    assert_eq!(reader.line(), "a=1");
    let (mut call, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\na=1") {
        let mut bytes = [0; 4_096];
        let count = call.read(&mut bytes).unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&bytes[..count]);
    }
    assert!(request.starts_with(b"POST /hook HTTP/1.1\r\n"));
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    call.write_all(answer).unwrap();
    await_metric(&server, "hookah_deliveries_delivered_total", 1);
}

#[test]
fn a_reader_of_http_1_0_gets_plain_lines() {
    let server = Server::with(["--listen", "127.0.0.1:0", "--drain-timeout", "1s"]);
    let mut reader = Reader::new(&server, &stream_request("news", "1.0"), 0);
    reader.begins();
    post(&server, "_topic=news&a=1");
    assert_eq!(reader.line(), "a=1");
    server.signal("TERM");
    assert_eq!(reader.next(), None);
    assert!(server.wait().0.success());
}

#[test]
fn a_stream_may_follow_other_requests_on_its_line() {
    let server = Server::start();
    let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    let form = "_topic=news&before=1";
    let post_before = format!(
        "POST /dispatch HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    let stream = stream_request("news", "1.1");
    let mut reader = Reader::new(&server, &format!("{health}{post_before}{stream}"), 2);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let Some(Part::Answer(head)) = reader.next() else {
            panic!("no answer")
        };
        answers.push(head);
    }
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 202 "), "{answers:?}");
    reader.begins();
    post(&server, "_topic=news&after=1");
    assert_eq!(reader.line(), "after=1");
}

#[test]
fn a_reader_that_never_reads_is_ended_and_the_others_get_everything() {
    let server = Server::with(["--listen", "127.0.0.1:0", "--backlog-messages", "0"]);
    let mut stuck = Reader::new(&server, &stream_request("news", "1.1"), 0);
    let mut readers = [(); 2].map(|()| Reader::of(&server, "news"));
    await_metric(&server, "hookah_streams", 3);
    let filler = "x".repeat(250_000);
    let mut sent = 0;
    while metric(&server, "hookah_streams_slow_total") == 0 {
        assert!(sent < 48, "12 MB, and nobody is slow");
        let form = format!("n={sent}&x={filler}");
        // The others read while it is posted.
        std::thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(|| assert_eq!(reader.line(), form));
            }
            post(&server, &format!("_topic=news&{form}"));
        });
        sent += 1;
    }
    post(&server, "_topic=news&end=1");
    for reader in &mut readers {
        assert_eq!(reader.line(), "end=1");
    }
    drop(readers);
    let mut rest = Vec::new();
    let _ = stuck.stream.read_to_end(&mut rest);
    assert!(rest.len() > 1_000, "what it was given before");
    await_metric(&server, "hookah_streams", 0);
    assert_eq!(metric(&server, "hookah_topics_bytes"), 0);
}

#[test]
fn sigterm_ends_streams_with_their_last_chunk() {
    let server = Server::with(["--listen", "127.0.0.1:0", "--drain-timeout", "1s"]);
    let mut readers = [(); 3].map(|()| Reader::of(&server, "news"));
    post(&server, "_topic=news&a=1");
    server.signal("TERM");
    for reader in &mut readers {
        assert_eq!(reader.line(), "a=1");
        assert_eq!(reader.next(), Some(Part::End));
        assert_eq!(reader.next(), None);
    }
    let (status, stderr) = server.wait();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn wrong_requests_say_what_is_allowed() {
    let server = Server::start();
    let long = format!("topic={}", "x".repeat(1_025));
    let many: String = (0..65).map(|it| format!("topic={it}&")).collect();
    let rows = [
        ("GET", "", 400, "topic: missing"),
        (
            "GET",
            "?topic=",
            400,
            "topic: \"\" is empty; allowed: 1 to 1024",
        ),
        ("GET", &format!("?{long}"), 400, "is too long"),
        ("GET", &format!("?{many}"), 413, "is one too many; allowed"),
        ("GET", "?topic=a&format=xml", 400, "format: \"xml\""),
        ("GET", "?topic=a&count=101", 416, "allowed: 1 to 100"),
        ("POST", "", 400, "topic: missing"),
        ("PUT", "?topic=a", 405, "Allow: GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "", 204, "Allow: GET, HEAD, POST, OPTIONS"),
        ("HEAD", "?topic=a", 200, "application/x-www-form-urlencoded"),
    ];
    for (method, query, status, text) in rows {
        let request = format!("{method} /stream{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = ask(&server, &request);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{method} {query}: {answer}");
        assert!(answer.contains(text), "{method} {query}: {answer}");
    }
    assert_eq!(metric(&server, "hookah_streams"), 0);
}

#[test]
fn readers_that_are_gone_leave_nothing_behind() {
    let server = Server::with(["--listen", "127.0.0.1:0", "--backlog-messages", "0"]);
    let readers = [(); 5].map(|()| Reader::of(&server, "news"));
    assert_eq!(metric(&server, "hookah_streams"), 5);
    assert_eq!(metric(&server, "hookah_topics"), 1);
    // Not a byte of this is read: the ends of the lines are resets.
    post(&server, &format!("_topic=news&x={}", "x".repeat(100_000)));
    drop(readers);
    for name in ["streams", "topics", "topics_bytes", "bytes_held", "timers"] {
        // The line that asks has a timer.
        let left = u64::from(name == "timers");
        await_metric(&server, &format!("hookah_{name}"), left);
    }
}

#[test]
fn who_comes_late_gets_what_is_kept_and_who_comes_again_what_was_missed() {
    let server = Server::start();
    for number in 0..3 {
        post(&server, &format!("_topic=news&a={number}"));
    }
    let request = "GET /stream?topic=news&count=2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut late = Reader::new(&server, request, 0);
    let head = late.begins();
    assert!(head.contains("\r\nHookah-Resume: new"), "{head}");
    assert_eq!([late.line(), late.line()], ["a=1", "a=2"]);
    let id = head.split("Hookah-Last-Id: ").nth(1).unwrap();
    let id = id.split("\r\n").next().unwrap();
    post(&server, "_topic=news&a=3");
    let request =
        format!("GET /stream?topic=news HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {id}\r\n\r\n");
    let mut again = Reader::new(&server, &request, 0);
    let head = again.begins();
    assert!(head.contains("\r\nHookah-Resume: continue"), "{head}");
    assert_eq!(again.line(), "a=3");
    let request = "GET /stream?topic=news&count=-1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut kept = Reader::new(&server, request, 0);
    kept.begins();
    assert_eq!(kept.line(), "a=3");
    assert_eq!(kept.next(), Some(Part::End));
}
