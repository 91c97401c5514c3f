//! Clients of what is no Hookah, or a broken one: they end, and say why.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;

use crate::rig::{Running, at, client, piped, ran};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";

/// A server that does that with each request, given as its text.
fn hostile(act: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = at(listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            while let Some(text) = request(&mut stream) {
                act(&text, stream.get_mut());
            }
        }
    });
    addr
}

fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut text, mut length) = (String::new(), 0);
    while stream.read_line(&mut text).ok()? > 2 {
        let last = text.lines().last().unwrap_or_default();
        if let Some(value) = last.strip_prefix("Content-Length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    (!text.is_empty()).then(|| text + &String::from_utf8_lossy(&body))
}

/// That head, and chunks for as long as somebody reads them.
fn endless(stream: &mut TcpStream, head: &str) {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n{CHUNKED}").as_bytes());
    while stream.write_all(chunk.as_bytes()).is_ok() {}
}

fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(text.as_bytes());
}

#[test]
fn answers_without_an_end_are_not_read_to_their_end() {
    let rows: [(&[&str], &str, i32); 5] = [
        (&["send", "t"], "400 Bad Request", 65),
        (&["send", "t"], "202 Accepted\r\nHookah-Id: msg_1", 0),
        (&["send", "t", "--lines"], "200 OK", 76),
        (&["tail", "t"], "403 Forbidden", 77),
        (
            &["tail", "t"],
            "200 OK\r\nContent-Type: application/x-ndjson",
            76,
        ),
    ];
    for (args, head, code) in rows {
        let server = hostile(move |_, stream| endless(stream, head));
        let ran = piped(&mut client(&server, args), b"a\n");
        assert_eq!(ran.code, Some(code), "{args:?} {head} {}", ran.stderr);
    }
}

#[test]
fn a_page_is_no_stream() {
    let server = hostile(|_, stream| answer(stream, "200 OK\r\nContent-Type: text/html", "<p>"));
    let ran = ran(&server, &["tail", "t"]);
    assert_eq!(ran.code, Some(76), "{}", ran.stderr);
    assert!(ran.stderr.contains("is it a Hookah?"), "{}", ran.stderr);
}

#[test]
fn lines_end_where_the_right_is_lacking() {
    let server = hostile(|_, stream| {
        let no = r#"{"error":{"status":403,"title":"Forbidden"}}"#;
        let body = format!(r#"[{{"id":"msg_1"}},{no},{no}]"#);
        answer(stream, "200 OK", &body);
    });
    let ran = piped(
        &mut client(&server, &["send", "t", "--lines"]),
        b"a\nb\nc\n",
    );
    assert_eq!(
        (ran.code, &*ran.stdout),
        (Some(77), "msg_1\n"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("line 2: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("line 3: "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("lines 1 to 1 were taken"),
        "{}",
        ran.stderr
    );
}

/// The second batch is taken by a server that then breaks the line without a word; stdin is one
/// that does not block.
#[test]
fn lines_say_how_far_they_were() {
    let server = hostile(|text, stream| {
        let first = text.contains("\"key-1\"");
        match first {
            true => answer(stream, "200 OK", r#"[{"id":"msg_1"}]"#),
            false => drop(stream.shutdown(std::net::Shutdown::Both)),
        }
    });
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let args = [
        "send",
        "t",
        "--lines",
        "-oidempotency-key=key",
        "--retry-for=0",
    ];
    let mut command = client(&server, &args);
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let running = Running::start(command);
    ours.write_all(b"a\n").unwrap();
    assert_eq!(running.line(), "msg_1");
    ours.write_all(b"b\nc\n").unwrap();
    let (code, _, said) = running.end();
    assert_eq!(code, Some(69), "{said}");
    let expected = "lines 1 to 1 were taken, 2 to 3 may have been";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_target_between_spaces_is_none() {
    for target in [" sp ", "t ", " http://localhost/"] {
        let ran = ran("http://127.0.0.1:1", &["send", target]);
        assert_eq!(ran.code, Some(64), "{}", ran.stderr);
        assert!(ran.stderr.contains("white space"), "{}", ran.stderr);
    }
}

#[test]
fn errors_name_what_is_wrong_and_no_secrets() {
    let rows: [(&str, &[&str], &str); 4] = [
        (
            "ftp://h",
            &["send", "t"],
            "HOOKAH_SERVER: \"ftp://h\" is neither",
        ),
        (
            "127.0.0.1:8080",
            &["tail", "t"],
            "did you mean http://127.0.0.1:8080?",
        ),
        ("", &["send", "t", "--wait", "5s"], "--wait=5s"),
        (
            "",
            &["send", "t", "--json={}", "--json=secret"],
            "--json: is a second body",
        ),
    ];
    for (server, args, expected) in rows {
        let ran = ran(server, args);
        assert_eq!(ran.code, Some(64), "{args:?} {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?} {}", ran.stderr);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}
