//! The log as programs read it: strictly, line by line, in both of its forms.

use super::*;
use crate::target::{ERROR, OK, Target};

/// Fields of a text line, in their order.
type Pairs = Vec<(String, String)>;

/// Much happens: deliveries that succeed, fail and are refused, and names that are meant to break
/// out of a line. What the server has said of it.
fn busy(format: &str) -> String {
    let flags = [
        "--port",
        "0",
        "--log",
        "hookah=trace",
        "--log-format",
        format,
    ];
    let mut server = Server::with(flags);
    let target = Target::new(|arrival| match arrival.path.as_str() {
        "/gone" => b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"[..].into(),
        "/bad" => b"ICY 200\x1b[31m\r\n\r\n"[..].into(),
        _ => OK.into(),
    });
    let hostile = "%22%20level%3Derror%0a2026-01-01T00%3A00%3A00Z%20%1b%5b31m%e2%80%ae%5c";
    for path in ["/", "/gone", "/bad"] {
        let url = format!("{}?a=%22b%20c", target.url(path)).replace('%', "%25");
        let body = format!("_url={url}&_retries=0&_topic={hostile}&n=1");
        assert_eq!(ask(&server, form(&body)).status, 202);
        target.arrival();
    }
    for body in [
        format!("_url=http://{hostile}.invalid/&_retries=0"),
        "_url=http://nowhere.invalid/&_retries=0".to_owned(),
        "_url=http://127.0.0.1:1/&_retries=0".to_owned(),
    ] {
        ask(&server, form(&body));
    }
    server.signal("HUP");
    server.line_with("reload_done");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    said
}

/// A line of text in its parts: time, level, event and pairs.
fn read(line: &str) -> Option<(String, Pairs)> {
    let (time, rest) = line.split_once(' ')?;
    let shape: String = time
        .chars()
        .map(|char| if char.is_ascii_digit() { '0' } else { char })
        .collect();
    if shape != "0000-00-00T00:00:00.000Z" {
        return None;
    }
    let levels = ["ERROR ", "WARN  ", "INFO  ", "DEBUG ", "TRACE "];
    let rest = levels.iter().find_map(|level| rest.strip_prefix(level))?;
    let (event, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut pairs = Pairs::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let value_end = match value.strip_prefix('"') {
            None => value.find(' ').unwrap_or(value.len()),
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|char| {
                    let ends = char == '"' && !escaped;
                    escaped = char == '\\' && !escaped;
                    ends
                });
                end? + 2
            }
        };
        let (value, more) = value.split_at(value_end);
        pairs.push((key.to_owned(), value.to_owned()));
        rest = match more.strip_prefix(' ') {
            Some(more) if !more.is_empty() => more,
            None if more.is_empty() => more,
            _ => return None,
        };
    }
    let is_word = |text: &str| {
        let in_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !text.is_empty() && text.bytes().all(in_word)
    };
    let fits = |pair: &(String, String)| {
        is_word(&pair.0) && !pair.1.is_empty() && !pair.1.chars().any(char::is_control)
    };
    (is_word(event) && pairs.iter().all(fits)).then(|| (event.to_owned(), pairs))
}

#[test]
fn every_line_is_an_event_and_its_pairs() {
    let said = busy("text");
    // The lines for people come in one piece.
    let greeting = [
        "hookah ",
        "store: ",
        "targets: ",
        "bounds: ",
        "page: ",
        "try: ",
    ];
    let (mut events, mut greeted) = (Vec::new(), 0);
    for line in said.lines() {
        match read(line) {
            Some((event, _)) => events.push(event),
            None => {
                let known = greeting.iter().any(|begin| line.starts_with(begin));
                assert!(known, "{line:?}\nof\n{said}");
                greeted += 1;
            }
        }
    }
    assert_eq!(greeted, greeting.len(), "{said}");
    for event in [
        "message_accepted",
        "attempt_ended",
        "delivery_ended",
        "drain_end",
    ] {
        assert!(events.iter().any(|it| it == event), "no {event} in {said}");
    }
    assert!(events.iter().all(|it| it != "log"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{202e}'),
        "{said:?}"
    );
}

#[test]
fn every_line_is_an_object_of_json() {
    let said = busy("json");
    let mut events = Vec::new();
    for line in said.lines() {
        let members =
            decode::members(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}"));
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..3], ["time", "level", "event"], "{line}");
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "a name twice: {line}");
        assert!(
            value["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
        events.push(value["event"].as_str().expect("a name").to_owned());
        if value["event"] == "attempt_ended" {
            assert!(
                value["attempt"].is_u64() && value["url"].is_string(),
                "{line}"
            );
        }
    }
    assert_eq!(
        events.iter().filter(|it| *it == "started").count(),
        6,
        "{said}"
    );
    assert!(events.iter().any(|it| it == "drain_end"), "{said}");
}

#[test]
fn a_delivery_s_life_is_followed_by_its_id() {
    let flags = ["--port", "0", "--log", "info,hookah::dispatch=debug"];
    let mut server = Server::with(flags);
    let target = Target::new(|arrival| match arrival.attempt() {
        1 => ERROR.into(),
        _ => OK.into(),
    });
    let body = format!("_url={}&_retry_schedule=1ms&a=1", target.url("/"));
    let answer = ask(&server, form(&body));
    let id = answer.fields.get("Hookah-Id").expect("an id").to_owned();
    target.arrival();
    target.arrival();
    server.line_with("delivery_ended");
    server.signal("TERM");
    let (_, said) = server.wait();
    let lines = said.lines().filter_map(read);
    let own = lines.filter(|(_, pairs)| pairs.contains(&("id".to_owned(), id.clone())));
    let told: Vec<String> = own
        .map(|(event, pairs)| {
            let value = |key: &str| {
                let found = pairs.iter().find(|(known, _)| known == key);
                found.map(|(key, value)| format!(" {key}={value}"))
            };
            let keys = ["attempt", "status", "next", "outcome", "attempts"];
            let shown: String = keys.iter().filter_map(|key| value(key)).collect();
            format!("{event}{shown}")
        })
        .collect();
    let expected = [
        "message_accepted",
        "attempt_ended attempt=1 status=500 next=retry",
        "attempt_ended attempt=2 status=200 next=delivered",
        "delivery_ended outcome=delivered attempts=2",
    ];
    assert_eq!(told, expected, "{said}");
}
