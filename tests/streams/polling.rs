//! Answers instead of streams: what there is, or what comes in time, on a line that stays.

use crate::client::{Answer, Client};
use crate::decode::{Counted, Decoder, Item, Lines, Said, said};
use crate::reader::{get, lines};
use crate::server::Server;
use crate::{FORM, ask, await_metric, metric, publish, publish_numbers, server_with};

/// The lines of an answer's body.
fn texts(answer: &Answer) -> Vec<String> {
    let items = Lines::default().feed(answer.body.as_bytes());
    let text = |item| match item {
        Item::Text(text) => String::from_utf8(text).expect("text"),
        Item::KeepAlive => panic!("a keep-alive in an answer"),
    };
    items.expect("lines").into_iter().map(text).collect()
}

/// What is asked for on a line that stays.
fn poll(client: &mut Client, query: &str, fields: &str) -> Answer {
    let answer = client.send(get(query, fields)).answer();
    assert!(!answer.closes(), "{answer:?}");
    answer
}

#[test]
fn a_poll_gives_what_there_is_and_the_line_goes_on() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    let empty = poll(&mut client, "topic=t&poll=1", "");
    assert_eq!((empty.status, &*empty.body), (204, ""));
    let ids = publish_numbers(&server, "t", 4);
    let rows: [(&str, &[usize]); 4] = [
        ("", &[0, 1, 2, 3]),
        ("&count=2", &[2, 3]),
        ("&since=latest", &[]),
        ("&since=1h", &[0, 1, 2, 3]),
    ];
    for (query, numbers) in rows {
        let answer = poll(&mut client, &format!("topic=t&poll=1{query}"), "");
        let status = if numbers.is_empty() { 204 } else { 200 };
        assert_eq!(answer.status, status, "{query}");
        let want: Vec<String> = numbers.iter().map(|n| format!("a={n}")).collect();
        assert_eq!(texts(&answer), want, "{query}");
        if status == 200 {
            let tag = format!("\"{}\"", ids[3]);
            assert_eq!(answer.fields.get("ETag"), Some(&*tag));
            assert_eq!(answer.fields.get("Content-Type"), Some(FORM));
        }
    }
}

#[test]
fn an_answer_is_in_the_format_that_was_asked_for() {
    let server = Server::start();
    let ids = publish_numbers(&server, "t", 2);
    let mut client = Client::connect(server.addr());
    let json = poll(&mut client, "topic=t&poll=1&format=json", "");
    let json: Vec<String> = texts(&json)
        .iter()
        .map(|line| match said(line.as_bytes()) {
            Ok(Said::Message(line)) => line.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(json, ids);
    let counted = poll(&mut client, "topic=t&poll=1&delimited=length", "");
    let items = Counted::default().feed(counted.body.as_bytes());
    assert_eq!(items.expect("counted").len(), 2);
    let sse = poll(
        &mut client,
        "topic=t&poll=1",
        "Accept: text/event-stream\r\n",
    );
    assert_eq!(sse.body.matches("\ndata: {").count(), 2, "{}", sse.body);
}

/// The next poll says what it has; nothing is given twice, nothing is left out.
#[test]
fn a_poll_goes_on_behind_its_tag() {
    let server = Server::start();
    let ids = publish_numbers(&server, "t", 2);
    let mut client = Client::connect(server.addr());
    let tag = |id: &str| format!("If-None-Match: \"{id}\"\r\n");
    let none = poll(&mut client, "topic=t&poll=1", &tag(&ids[1]));
    assert_eq!((none.status, &*none.body), (304, ""));
    let next = poll(&mut client, "topic=t&poll=1", &tag(&ids[0]));
    assert_eq!((next.status, texts(&next)), (200, vec!["a=1".into()]));
    let since = format!("topic=t&poll=1&since={}", ids[1]);
    assert_eq!(poll(&mut client, &since, "").status, 204, "no condition");
}

#[test]
fn who_waits_is_answered_by_the_next_message() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    client.send(get("topic=t&wait=60", ""));
    await_metric(&server, "hookah_topics", 1);
    let id = publish(&server, "_topic=t&a=1");
    let answer = client.answer();
    assert_eq!((answer.status, texts(&answer)), (200, vec!["a=1".into()]));
    // What came between two polls is there at once.
    let last = publish(&server, "_topic=t&a=2");
    let fields = format!("If-None-Match: \"{id}\"\r\n");
    let answer = poll(&mut client, "topic=t&wait=60", &fields);
    assert_eq!(texts(&answer), ["a=2"]);
    assert_eq!(answer.fields.get("ETag"), Some(&*format!("\"{last}\"")));
}

#[test]
fn who_waits_in_vain_is_told_when_the_time_is_over() {
    let server = Server::start();
    let id = publish(&server, "_topic=t&a=1");
    let mut clients = [(); 2].map(|()| Client::connect(server.addr()));
    clients[0].send(get("topic=t&wait=1", ""));
    let fields = format!("If-None-Match: \"{id}\"\r\n");
    clients[1].send(get("topic=t&wait=1", &fields));
    let [without, with] = clients.map(|mut client| client.answer());
    assert_eq!((without.status, with.status), (204, 304));
}

/// The head of the stream that a GET would open, and no stream.
#[test]
fn a_head_is_that_of_the_stream() {
    let server = Server::start();
    let id = publish(&server, "_topic=t&a=1");
    let mut client = Client::connect(server.addr());
    let request = get("topic=t&format=json&since=all", "").replace("GET", "HEAD");
    for _ in 0..2 {
        client.send(&request);
        let head = client.wire.head().expect("a head");
        assert_eq!(head.start, "HTTP/1.1 200 OK");
        let rows = [
            ("Content-Type", Some("application/x-ndjson")),
            ("Transfer-Encoding", Some("chunked")),
            ("Hookah-Last-Id", Some(&*id)),
            ("Hookah-Resume", Some("new")),
            ("Connection", None),
        ];
        for (name, value) in rows {
            assert_eq!(head.fields.get(name), value, "{name}");
        }
    }
    assert_eq!(metric(&server, "hookah_streams"), 0);
}

/// Scripts of pages elsewhere may read what their origin is listed for, a refusal too.
#[test]
fn only_listed_origins_may_read() {
    let ours = "https://app.example";
    let server = server_with(&["--cors-origin", ours]);
    let fields = format!("Origin: {ours}\r\n");
    let refused = ask(&server, get("topic=", &fields));
    assert_eq!(refused.status, 400);
    let asked = crate::reader::Asked::with(&server, &get("topic=t", &fields));
    let stream = asked.lines();
    for fields in [&refused.fields, &stream.head.fields] {
        let found = fields.get("Access-Control-Allow-Origin");
        assert_eq!(found, Some(ours));
        let exposes = fields.get("Access-Control-Expose-Headers");
        assert!(exposes.is_some());
    }
    // Others do not even get a place.
    let theirs = "Origin: https://other.example\r\n";
    for query in ["topic=", "topic=t", "topic=t&poll=1"] {
        let refused = ask(&server, get(query, theirs));
        assert_eq!(refused.status, 403, "{query}: {refused:?}");
        assert_eq!(refused.fields.get("Access-Control-Allow-Origin"), None);
    }
    for (fields, allowed) in [(&*fields, Some(ours)), (theirs, None)] {
        let options = get("topic=t", fields).replace("GET", "OPTIONS");
        let mut client = Client::connect(server.addr());
        let head = client.send(options).wire.head().expect("a head");
        assert_eq!(head.start, "HTTP/1.1 204 No Content");
        assert_eq!(head.fields.get("Allow"), Some("GET, HEAD, POST, OPTIONS"));
        assert_eq!(head.fields.get("Access-Control-Allow-Origin"), allowed);
    }
    drop(lines(&server, "topic=t"));
}
