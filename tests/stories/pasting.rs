//! The text at `/`: its lines are read as a shell reads them, sent as curl sends them, and taken.

use crate::client::{Answer, Client};
use crate::server::{Server, hookah};
use crate::{FORM, ask};

/// The lines to try, as words.
fn lines(server: &Server, host: &str) -> Vec<Vec<String>> {
    let told = ask(
        server,
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"),
    );
    assert_eq!(told.status, 200, "{told:?}");
    let lines = told
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("  curl "));
    lines.map(words).collect()
}

/// What a shell makes of a line: words, some of them in quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(it)) if it == letter => quote = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (_, None) => {
                assert!(!"$&;|<>()*?[]`!~#\\".contains(letter), "{letter} in {line}");
                word.push(letter);
            }
            (_, Some(_)) => word.push(letter),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.push(word);
    words
}

/// What curl does with them; `token` is what its shell has for `$TOKEN`.
fn curl(server: &Server, words: &[String], token: &str) -> Answer {
    let (mut data, mut fields, mut url) = (vec![], String::new(), "");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match &**word {
            "-N" => {}
            "-d" => data.push(words.next().expect("data").as_str()),
            "-H" => fields += &format!("{}\r\n", words.next().expect("a field")),
            word => url = word,
        }
    }
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|it| it.split_once('/'))
        .expect("a URL");
    assert_eq!(host, server.addr().to_string(), "{url}");
    let body = data.join("&");
    let (method, form) = match body.is_empty() {
        true => ("GET", String::new()),
        false => ("POST", format!("{FORM}Content-Length: {}\r\n", body.len())),
    };
    let fields = fields.replace("$TOKEN", token);
    // A stream would go on: what it would begin with is enough here.
    let end = if path.starts_with("stream") {
        "&poll=1"
    } else {
        ""
    };
    let request =
        format!("{method} /{path}{end} HTTP/1.1\r\nHost: {host}\r\n{fields}{form}\r\n{body}");
    Client::connect(server.addr()).send(request).answer()
}

#[test]
fn every_line_works_when_it_is_pasted() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::with(["--listen", listen]);
        let host = server.addr().to_string();
        let answers: Vec<Answer> = lines(&server, &host)
            .iter()
            .map(|words| curl(&server, words, ""))
            .collect();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [202, 202, 200, 202, 200], "{answers:?}");
        assert_eq!(answers[2].body, "title=hello\r\n");
        assert!(
            answers[4].body.starts_with("{\"messages\":[{\"id\":\"msg_"),
            "{answers:?}"
        );
    }
}

#[test]
fn with_tokens_the_lines_ask_for_one_and_work_with_it() {
    let made = hookah()
        .args(["token", "new", "all", "admin"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    let secret = said.lines().next().expect("a secret");
    let path = std::env::temp_dir().join(format!("hookah-pasting-{}", std::process::id()));
    std::fs::write(&path, &made.stdout).expect("a file");
    let server = Server::with(["--port", "0", "--tokens", path.to_str().expect("a path")]);
    std::fs::remove_file(&path).expect("it is read");
    let host = server.addr().to_string();
    let lines = lines(&server, &host);
    assert_eq!(lines.len(), 5);
    for words in lines {
        assert_eq!(curl(&server, &words, "hk_wrong").status, 401, "{words:?}");
        let answer = curl(&server, &words, secret);
        assert!([200, 202].contains(&answer.status), "{words:?}: {answer:?}");
    }
}

#[test]
fn a_browser_gets_the_page_and_asks_whether_it_has_changed() {
    let server = Server::start();
    let host = server.addr();
    let get = |fields: &str| {
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n{fields}\r\n")
    };
    let page = ask(
        &server,
        get("Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"),
    );
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.starts_with("<!doctype html>") && page.body.len() <= 20 << 10);
    let policy = page
        .fields
        .get("Content-Security-Policy")
        .unwrap_or_default();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    let tag = page.fields.get("ETag").expect("a tag");
    let again = ask(&server, get(&format!("If-None-Match: {tag}\r\n")));
    assert_eq!((again.status, &*again.body), (304, ""), "{again:?}");
}
