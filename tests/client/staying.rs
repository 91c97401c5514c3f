//! Clients whose server goes away and comes back: nothing is lost, and nothing comes twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::rig::{Folder, Running, client, ran, shown};
use crate::server::{Server, hookah};

/// A server on a Unix socket, which another can take over, that keeps what it is given.
fn serving(folder: &Folder) -> Server {
    let mut command = hookah();
    let socket = shown(&folder.path("h.sock"));
    let store = shown(&folder.path("h.db"));
    command.arg(format!("--listen=unix:{socket}"));
    command.arg(format!("--store=sqlite:{store}"));
    Server::spawn(command)
}

fn place(folder: &Folder) -> String {
    format!("unix:{}", shown(&folder.path("h.sock")))
}

#[test]
fn tail_goes_on_where_it_was_after_a_kill() {
    let folder = Folder::new("tail");
    let server = serving(&folder);
    let place = place(&folder);
    let tail = Running::start(client(&place, &["tail", "t", "--since=all", "--limit=6"]));
    let send = |text: &str| {
        let sent = ran(&place, &["send", "t", "-d", text]);
        assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    };
    for round in 0..3 {
        send(&format!("a={round}"));
        assert_eq!(tail.line(), format!("a={round}"));
        if round == 0 {
            server.signal("KILL");
            break;
        }
    }
    server.wait();
    let server = serving(&folder);
    send("a=1");
    assert_eq!(tail.line(), "a=1");
    server.signal("KILL");
    server.wait();
    let server = serving(&folder);
    for round in 2..6 {
        send(&format!("a={round}"));
    }
    let (code, rest, said) = tail.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(rest, ["a=2", "a=3", "a=4", "a=5"]);
    assert!(!said.contains("missing"), "{said}");
    drop(server);
}

#[test]
fn tail_says_what_is_missing() {
    let folder = Folder::new("gap");
    let socket = shown(&folder.path("h.sock"));
    let volatile = || Server::with([format!("--listen=unix:{socket}")]);
    let server = volatile();
    let place = place(&folder);
    let tail = Running::start(client(&place, &["tail", "t", "--since=all", "--limit=2"]));
    assert_eq!(ran(&place, &["send", "t", "-da=1"]).code, Some(0));
    assert_eq!(tail.line(), "a=1");
    server.signal("KILL");
    server.wait();
    let _server = volatile();
    assert_eq!(ran(&place, &["send", "t", "-da=2"]).code, Some(0));
    let (code, rest, said) = tail.end();
    assert_eq!((code, rest), (Some(0), vec!["a=2".to_owned()]), "{said}");
    assert!(said.contains("messages are missing here"), "{said}");
}

#[test]
fn lines_survive_a_kill_without_a_gap_or_a_double() {
    let folder = Folder::new("lines");
    let server = serving(&folder);
    let place = place(&folder);
    let mut command = client(&place, &["send", "t", "--lines", "--retry-for=10m"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin();
    let mut ids = Vec::new();
    let mut say = |from: usize, to: usize| {
        let lines: String = (from..to).map(|it| format!("{it}\n")).collect();
        stdin.write_all(lines.as_bytes()).unwrap();
    };
    say(0, 50);
    ids.extend((0..50).map(|_| running.line()));
    // It dies while some are perhaps on their way, and comes back when it likes.
    say(50, 90);
    server.signal("KILL");
    server.wait();
    let server = serving(&folder);
    say(90, 100);
    drop(stdin);
    let (code, rest, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    ids.extend(rest);
    assert_eq!(ids.len(), 100);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
    let tail = ran(&place, &["tail", "t", "--count=-100"]);
    let expected: String = (0..100).map(|it| format!("{it}\n")).collect();
    assert_eq!(tail.stdout, expected);
    drop(server);
}

/// One that takes a request, and breaks the line before the answer; then the real one.
#[test]
fn a_request_whose_answer_was_lost_is_sent_once() {
    let folder = Folder::new("lost");
    let socket = folder.path("h.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let sent = Running::start(client(&place(&folder), &["send", "t", "-da=1"]));
    let key = |listener: &UnixListener| {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut head = lines.take_while(|line| !line.is_empty());
        head.find(|line| line.starts_with("Idempotency-Key: "))
            .unwrap()
    };
    let first = key(&listener);
    let second = key(&listener);
    assert_eq!(first, second);
    drop(listener);
    std::fs::remove_file(&socket).unwrap();
    let _server = serving(&folder);
    let (code, ids, said) = sent.end();
    assert_eq!((code, ids.len()), (Some(0), 1), "{said}");
    let tail = ran(&place(&folder), &["tail", "t", "--count=-5"]);
    assert_eq!(tail.stdout, "a=1\n");
}

/// A server that begins or ends says 503; the client comes again, and after its time says 75.
#[test]
fn a_server_that_is_not_ready_is_asked_again() {
    let folder = Folder::new("busy");
    let listener = UnixListener::bind(folder.path("h.sock")).unwrap();
    let answer = |status: &str| {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 2 {}
        let text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 4\r\n");
        let more = "Hookah-Id: msg_1\r\nRetry-After: 0\r\n\r\n503 ";
        stream
            .get_mut()
            .write_all((text + more).as_bytes())
            .unwrap();
    };
    let sent = Running::start(client(&place(&folder), &["send", "t"]));
    answer("503 Service Unavailable");
    answer("202 Accepted");
    assert_eq!(sent.end().0, Some(0));
    let sent = Running::start(client(&place(&folder), &["send", "t", "--retry-for=0"]));
    answer("503 Service Unavailable");
    assert_eq!(sent.end().0, Some(75));
}
