//! What `send` sends, what it prints, and what it ends with.

use std::fs;

use crate::rig::{Folder, Running, at, client, piped, ran, target};
use crate::server::{Ran, Server};

/// The ids that were printed; the command was taken.
fn ids(ran: &Ran) -> Vec<String> {
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{}", ran.stdout);
    let ids: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
    assert!(
        ids.iter()
            .all(|id| id.starts_with("msg_") && id.len() == 30)
    );
    ids
}

#[test]
fn bodies_of_every_kind_reach_the_target() {
    let server = Server::start();
    let (url, got) = target(200);
    let folder = Folder::new("bodies");
    let json = folder.file("b.json", "{\"a\":\n[1]}");
    let bytes = folder.file("b.bin", b"\xff\x00\n");
    let (json, bytes) = (format!("@{json}"), format!("@{bytes}"));
    let rows: [(&[&str], &[u8], &str, &str); 8] = [
        (
            &["-d", "a=1", "-d", "b=x y"],
            b"",
            "application/x-www-form-urlencoded",
            "a=1&b=x y",
        ),
        (
            &["--json", "{\"a\": 1}"],
            b"",
            "application/json",
            "{\"a\": 1}",
        ),
        (&["--json", &json], b"", "application/json", "{\"a\":\n[1]}"),
        (&["-d", &json], b"", "application/json", "{\"a\":\n[1]}"),
        (
            &["-d", &bytes],
            b"",
            "application/octet-stream",
            "\u{fffd}\0\n",
        ),
        (
            &["-d@-"],
            b"from stdin\n",
            "text/plain; charset=utf-8",
            "from stdin\n",
        ),
        (&[], b"piped", "text/plain; charset=utf-8", "piped"),
        (&["-H", "content-type:  a/b"], b"<a/>", "a/b", "<a/>"),
    ];
    for (flags, input, kind, body) in rows {
        let args = [&["send", &url], flags].concat();
        ids(&piped(&mut client(&at(server.addr()), &args), input));
        let got = got.recv().unwrap();
        assert!(got.starts_with("POST / HTTP/1.1\r\n"), "{got}");
        assert!(
            got.contains(&format!("\r\nContent-Type: {kind}\r\n")),
            "{flags:?} {got}"
        );
        assert!(got.ends_with(&format!("\r\n\r\n{body}")), "{flags:?} {got}");
    }
    ids(&ran(&at(server.addr()), &["send", &url]));
    let empty = got.recv().unwrap();
    assert!(
        empty.starts_with("POST / ") && empty.ends_with("\r\n\r\n"),
        "{empty}"
    );
}

#[test]
fn options_and_headers_go_along() {
    let server = Server::start();
    let (url, got) = target(200);
    let args = [
        "send",
        &url,
        "-dx=1",
        "-o",
        "method=PUT",
        "-H",
        "X-Tenant: 7",
        "-o",
        "label=l",
    ];
    let [id] = &ids(&ran(&at(server.addr()), &args))[..] else {
        panic!("one id")
    };
    let got = got.recv().unwrap();
    assert!(
        got.starts_with("PUT / ") && got.contains("\r\nX-Tenant: 7\r\n"),
        "{got}"
    );
    assert!(got.contains(&format!("\r\nwebhook-id: {id}\r\n")), "{got}");
}

#[test]
fn waiting_says_how_it_ended() {
    let server = Server::start();
    let (good, _got) = target(204);
    let (bad, _got) = target(410);
    let args = ["send", &good, "-dx=1", "--wait"];
    let delivered = ran(&at(server.addr()), &args);
    assert_eq!(delivered.code, Some(0), "{}", delivered.stderr);
    assert!(
        delivered
            .stdout
            .ends_with(&format!("\ndelivered 204 {good}\n"))
    );
    let failed = ran(&at(server.addr()), &["send", &bad, "-dx=1", "--wait=1m"]);
    assert_eq!((failed.code, &*failed.stderr), (Some(1), ""));
    assert!(failed.stdout.ends_with(&format!("\nfailed 410 {bad}\n")));
    // A delay is longer than no time at all.
    let late = ["send", &good, "-dx=1", "-o", "delay=1h", "--wait=0"];
    let late = ran(&at(server.addr()), &late);
    assert_eq!(late.code, Some(75));
    assert!(
        late.stderr.ends_with(" has not ended yet\n"),
        "{}",
        late.stderr
    );
}

#[test]
fn refusals_are_one_line_and_a_code() {
    let server = Server::with(["--port", "0", "--targets", "public"]);
    let rows: [(&[&str], i32, &str); 5] = [
        (&["send", "t", "-o", "retries=x"], 65, "400 Bad option: "),
        (
            &["send", "http://127.0.0.1:9/"],
            77,
            "403 Target is not allowed: ",
        ),
        (&["send", "ftp://a/"], 65, "400 Bad target URL: "),
        (
            &["send", "t", "--server", "http://127.0.0.1:0"],
            69,
            "http://127.0.0.1:0: ",
        ),
        (
            &["send", "t", "--server", "unix:no.sock"],
            69,
            "unix:no.sock: ",
        ),
    ];
    for (args, code, said) in &rows {
        let args = [args, &["--retry-for", "0"][..]].concat();
        let ran = ran(&at(server.addr()), &args);
        assert_eq!(
            (ran.code, &*ran.stdout),
            (Some(*code), ""),
            "{args:?} {}",
            ran.stderr
        );
        assert!(
            ran.stderr.starts_with(&format!("hookah: {said}")),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn tokens_come_from_a_file_or_the_environment() {
    let folder = Folder::new("tokens");
    let made = crate::server::run(["token", "new", "ci", "publish:t"]);
    let secret = made.stderr.lines().next().unwrap();
    let tokens = folder.file("tokens", &made.stdout);
    let good = folder.file("good", format!("{secret}\n"));
    let server = Server::with(["--port", "0", "--tokens", &tokens]);
    let args = ["send", "t", "-dx=1"];
    let with = |token: &str| {
        piped(
            client(&at(server.addr()), &args).env("HOOKAH_TOKEN", token),
            b"",
        )
    };
    ids(&with(secret));
    let file = [&args[..], &["--token-file", &good]].concat();
    ids(&ran(&at(server.addr()), &file));
    for (token, status) in [("", "401"), ("wrong", "401")] {
        let ran = with(token);
        assert_eq!((ran.code, &*ran.stdout), (Some(77), ""));
        assert!(
            ran.stderr.starts_with(&format!("hookah: {status} ")),
            "{}",
            ran.stderr
        );
    }
    // It may send, and not read.
    let tail = piped(
        client(&at(server.addr()), &["tail", "t"]).env("HOOKAH_TOKEN", secret),
        b"",
    );
    assert_eq!(tail.code, Some(77), "{}", tail.stderr);
    let split = with("two\nlines");
    assert_eq!(split.code, Some(64));
    assert!(!split.stderr.contains("two"), "{}", split.stderr);
}

#[test]
fn each_line_is_a_message_and_their_order_is_kept() {
    let server = Server::start();
    let server = at(server.addr());
    let number = 2_500;
    let lines: String = (0..number).map(|it| format!("line {it}\n")).collect();
    let sent = ids(&piped(
        &mut client(&server, &["send", "t", "--lines"]),
        lines.as_bytes(),
    ));
    assert_eq!(sent.len(), number);
    assert!(sent.is_sorted());
    let odd = b"{\"a\":1}\n\n\xff\xfe\nlast";
    let args = [
        "send",
        "t",
        "--lines",
        "-H",
        "Content-Type: application/json",
    ];
    assert_eq!(ids(&piped(&mut client(&server, &args), odd)).len(), 4);
    let tail = ran(&server, &["tail", "t", "--count", "5", "--limit", "5"]);
    assert_eq!(
        tail.stdout,
        "line 2499\n{\"a\":1}\n\n\u{fffd}\u{fffd}\nlast\n"
    );
}

#[test]
fn a_line_goes_out_before_the_next_is_there() {
    let server = Server::start();
    let mut command = client(&at(server.addr()), &["send", "t", "--lines"]);
    command.stdin(std::process::Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin();
    for text in ["one\n", "two\n"] {
        std::io::Write::write_all(&mut stdin, text.as_bytes()).unwrap();
        assert!(running.line().starts_with("msg_"));
    }
    drop(stdin);
    assert_eq!(running.end(), (Some(0), vec![], String::new()));
}

#[test]
fn lines_that_are_refused_are_named_and_the_others_are_sent() {
    let server = Server::with(["--port", "0", "--max-body", "64KiB"]);
    let server = at(server.addr());
    // As a whole it is too large, and one line is too large by itself.
    let large = "x".repeat(70_000);
    let lines: String = (0..2_000).map(|it| format!("line {it}\n")).collect();
    let sent = piped(
        &mut client(&server, &["send", "t", "--lines"]),
        lines.as_bytes(),
    );
    assert_eq!(ids(&sent).len(), 2_000);
    let input = format!("first\n{large}\nlast\n");
    let refused = piped(
        &mut client(&server, &["send", "t", "--lines"]),
        input.as_bytes(),
    );
    assert_eq!(refused.code, Some(65));
    assert_eq!(refused.stdout.lines().count(), 2, "{}", refused.stderr);
    assert!(
        refused.stderr.starts_with("hookah: line 2: 413 "),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_answers_is_no_hookah() {
    let (url, _got) = target(200);
    let ran = ran(&url, &["send", "t", "-dx=1"]);
    assert_eq!(ran.code, Some(76), "{}", ran.stderr);
    assert!(ran.stderr.contains("is it a Hookah?"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_not_there() {
    let ran = ran("http://127.0.0.1:9", &["send", "t", "-d", "@no-such-file"]);
    assert_eq!(ran.code, Some(74));
    assert!(fs::metadata("no-such-file").is_err());
}

/// The lines of README's guide, with this server and this target in their places.
#[test]
fn the_lines_of_the_readme_work() {
    let server = Server::start();
    let (url, got) = target(200);
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("<!-- shell -->\n```sh\n").unwrap();
    let (lines, _) = rest.split_once("```").unwrap();
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_hookah"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut printed = Vec::new();
    for line in lines.lines() {
        let mut command = std::process::Command::new("sh");
        let line = line.replace("http://localhost:9000/", &url);
        command.args(["-c", &line]).env("PATH", &path);
        command.env("HOOKAH_SERVER", at(server.addr()));
        let ran = piped(&mut command, b"");
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{line}");
        printed.push(ran.stdout);
    }
    assert!(got.recv().unwrap().ends_with("order=7&paid=yes"));
    assert!(got.recv().unwrap().ends_with("{\"order\":7}"));
    assert!(
        printed[1].ends_with(&format!("\ndelivered 200 {url}orders\n")),
        "{}",
        printed[1]
    );
    assert_eq!(printed[3].lines().count(), 3);
    assert_eq!(printed[4], "the build is green\n\n1\n2\n3\n");
    assert!(printed[5].starts_with("{\"id\":\"msg_"), "{}", printed[5]);
}
