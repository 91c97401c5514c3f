//! What `tail` prints, and when it ends.

use std::process::Command;

use crate::authority::{Authority, Flaw};
use crate::rig::{Folder, Running, at, client, piped, ran, shown};
use crate::server::Server;

/// Publishes that text.
fn publish(server: &str, topic: &str, text: &[u8]) {
    let ran = piped(&mut client(server, &["send", topic]), text);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn messages_come_out_as_they_were_published() {
    let server = Server::start();
    let server = at(server.addr());
    let bodies: [&[u8]; 4] = [b"a line", b"two\r\nlines\n", b"{\"a\":\n1}", b"\xff\xfe"];
    for body in bodies {
        publish(&server, "t", body);
    }
    assert_eq!(
        ran(&server, &["send", "other", "-dlang=en", "-d", "a=%20"]).code,
        Some(0)
    );
    let mut tail = client(
        &server,
        &["tail", "t", "--prefix", "oth", "--since=all", "--limit=5"],
    );
    let output = tail.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let mut expected = bodies.join(&b'\n');
    expected.extend_from_slice(b"\nlang=en&a=%20\n");
    assert_eq!(output.stdout, expected);
    let args = [
        "tail",
        "t",
        "other",
        "--where",
        "lang=en",
        "--since=all",
        "--limit=1",
    ];
    let json = ran(&server, &[&args[..], &["--format", "json"]].concat());
    assert!(
        json.stdout
            .contains("\"data\":{\"lang\":\"en\",\"a\":\" \"}}\n"),
        "{}",
        json.stdout
    );
    assert!(json.stdout.starts_with("{\"id\":\"msg_"));
    let count = ran(&server, &["tail", "t", "--count=-2"]);
    assert_eq!(
        (count.code, count.stdout.as_str()),
        (Some(0), "{\"a\":\n1}\n\u{fffd}\u{fffd}\n")
    );
}

#[test]
fn it_ends_when_nobody_reads_it_even_if_nothing_comes() {
    let server = Server::start();
    let server = at(server.addr());
    publish(&server, "t", b"one");
    let script = "{ \"$0\" tail t --since all; echo $? >&2; } | head -1";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_hookah")]);
    command.env("HOOKAH_SERVER", &server);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n");
}

#[test]
fn deliveries_can_be_watched() {
    let server = Server::start();
    let server = at(server.addr());
    let args = ["tail", "$hookah/deliveries", "--limit=1"];
    let tail = Running::start(client(&server, &args));
    // Nothing of that topic is kept, so something has to end while it is read.
    let (line, ids) = loop {
        let args = [
            "send",
            "http://127.0.0.1:9/",
            "-dx=1",
            "-oretries=0",
            "--wait",
        ];
        let sent = ran(&server, &args);
        assert_eq!(sent.code, Some(1), "{}", sent.stderr);
        if let Ok(line) = tail.lines.try_recv() {
            break (line, sent.stdout);
        }
    };
    assert!(
        line.contains("msg_") && line.contains("failed"),
        "{line} {ids}"
    );
    assert_eq!(tail.end().0, Some(0));
}

#[test]
fn what_the_server_refuses_is_said() {
    let server = Server::start();
    let server = at(server.addr());
    let rows = [("--count=1000000", 65, "416 "), ("--since=x", 65, "400 ")];
    for (flag, code, said) in rows {
        let ran = ran(&server, &["tail", "t", flag]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with(&format!("hookah: {said}")),
            "{}",
            ran.stderr
        );
    }
    let ran = ran("http://127.0.0.1:0", &["tail", "t", "--retry-for=0"]);
    assert_eq!(ran.code, Some(69), "{}", ran.stderr);
}

#[test]
fn over_https_with_an_authority_of_ours() {
    let authority = Authority::new();
    let (cert, key) = authority.files(Flaw::None);
    let server = Server::with([
        "--listen=127.0.0.1:0".to_owned(),
        format!("--tls-cert={}", shown(&cert)),
        format!("--tls-key={}", shown(&key)),
    ]);
    let url = format!("https://localhost:{}", server.addr().port());
    let ca = shown(&authority.file);
    let args = ["send", "t", "-dx=1", "--ca-file", &ca];
    let sent = ran(&url, &args);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let tail = ran(
        &url,
        &["tail", "t", "--since=all", "--limit=1", "--ca-file", &ca],
    );
    assert_eq!(
        (tail.code, tail.stdout.as_str()),
        (Some(0), "x=1\n"),
        "{}",
        tail.stderr
    );
    let stranger = ran(&url, &["send", "t", "-dx=1"]);
    assert_eq!(stranger.code, Some(76));
    assert!(
        stranger.stderr.contains("tls_cert_unknown_ca"),
        "{}",
        stranger.stderr
    );
}

#[test]
fn over_a_unix_socket() {
    let folder = Folder::new("unix");
    let place = format!("unix:{}", shown(&folder.path("h.sock")));
    let _server = Server::with([format!("--listen={place}")]);
    let sent = ran(&place, &["send", "t", "-dx=1"]);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let tail = ran(&place, &["tail", "t", "--count=1", "--limit=1"]);
    assert_eq!(
        (tail.code, tail.stdout.as_str()),
        (Some(0), "x=1\n"),
        "{}",
        tail.stderr
    );
}

#[test]
fn a_token_that_is_taken_away_ends_it() {
    let folder = Folder::new("revoked");
    let made = crate::server::run(["token", "new", "r", "subscribe:t", "publish:t"]);
    let secret = made.stderr.lines().next().unwrap().to_owned();
    let tokens = folder.file("tokens", &made.stdout);
    let server = Server::with(["--port", "0", "--tokens", &tokens]);
    let place = at(server.addr());
    let mut sent = client(&place, &["send", "t", "-dx=1"]);
    assert_eq!(piped(sent.env("HOOKAH_TOKEN", &secret), b"").code, Some(0));
    let mut command = client(&place, &["tail", "t", "--since=all"]);
    command.env("HOOKAH_TOKEN", &secret);
    let tail = Running::start(command);
    assert_eq!(tail.line(), "x=1");
    let other = crate::server::run(["token", "new", "other", "subscribe:t"]);
    folder.file("tokens", &other.stdout);
    server.signal("HUP");
    let (code, _, said) = tail.end();
    assert_eq!(code, Some(77), "{said}");
}
