//! What a reader may ask for, one parameter after the other, where no other file has it.

use crate::decode::{Content, Lines};
use crate::reader::{Asked, Stream, asked, events, get, lines};
use crate::server::Server;
use crate::{FORM, ask, publish, publish_as};

/// Exact after decoding, any bytes, case matters, commas are part of it; nobody has to know it.
#[test]
fn a_topic_is_its_bytes() {
    let server = Server::start();
    let names = [
        "news",
        "News",
        "a%2Cb",
        "a",
        "http%3A%2F%2Fexample.com%2Ffeed%3Fa%3D1%26b",
        "%E2%9C%93+x",
        "%FF%00",
    ];
    let read = |name: &&str| lines(&server, &format!("topic={name}&format=json"));
    let mut readers: Vec<Stream<Lines>> = names.iter().map(read).collect();
    for (number, name) in names.iter().enumerate() {
        publish(&server, &format!("_topic={name}&n={number}"));
    }
    publish(&server, "_topic=nobody&n=9");
    for (number, reader) in readers.iter_mut().enumerate() {
        let line = reader.line();
        assert_eq!(
            line.content,
            Content::Data(format!("{{\"n\":\"{number}\"}}"))
        );
    }
    for (name, reader) in names.iter().zip(&mut readers) {
        publish(&server, &format!("_topic={name}&end=1"));
        let line = reader.line();
        assert_eq!(line.content, Content::Data("{\"end\":\"1\"}".into()));
        let topic: Vec<u8> = percent(name);
        assert_eq!(line.topic, topic, "{name}");
    }
}

/// A form's text as bytes.
fn percent(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = String::from_utf8(digits).expect("digits");
                u8::from_str_radix(&digits, 16).expect("digits")
            }
            _ => byte,
        });
    }
    out
}

#[test]
fn a_form_is_merged_with_the_query() {
    let server = Server::start();
    let post = |query: &str, form: &str| {
        let length = form.len();
        let request = format!(
            "POST /stream{query} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n\
             Content-Length: {length}\r\n\r\n{form}"
        );
        Asked::with(&server, &request)
    };
    let mut both = post("?topic=a&format=json", "topic=b&format=sse").lines();
    let mut alone = post("", "topic=b&format=raw").lines();
    let many: String = (0..64).map(|number| format!("&topic=t{number}")).collect();
    let mut long = post("", &many[1..]).lines();
    publish(&server, "_topic=a&n=1");
    publish(&server, "_topic=b&n=2");
    publish(&server, "_topic=t63&n=3");
    let names = [both.line().topic, both.line().topic];
    assert_eq!(names, [b"a", b"b"]);
    assert_eq!(alone.text(), "n=2");
    assert_eq!(long.text(), "n=3");
}

#[test]
fn the_format_is_asked_for_or_negotiated() {
    let server = Server::start();
    let json = "application/x-ndjson";
    let sse = "text/event-stream";
    let rows = [
        ("", "", FORM),
        ("&format=raw", "Accept: text/event-stream\r\n", FORM),
        ("&format=json", "", json),
        ("&format=sse", "Accept: application/json\r\n", sse),
        ("", "Accept: text/event-stream\r\n", sse),
        ("", "Accept: application/x-ndjson\r\n", json),
        ("", "Accept: application/json\r\n", json),
        ("", "Accept: */*\r\n", FORM),
        (
            "",
            "Accept: text/event-stream;q=0.5, application/json\r\n",
            json,
        ),
    ];
    for (query, fields, media_type) in rows {
        let request = get(&format!("topic=t{query}"), fields);
        let asked = Asked::with(&server, &request);
        let found = match media_type == sse {
            true => asked.events().0.field("Content-Type").map(str::to_owned),
            false => asked.lines().field("Content-Type").map(str::to_owned),
        };
        assert_eq!(found.as_deref(), Some(media_type), "{query} {fields}");
    }
}

#[test]
fn a_browser_comes_back_when_it_is_told() {
    let server = Server::start();
    assert_eq!(events(&server, "topic=t&format=sse&retry=100").1, 100);
    assert_eq!(
        events(&server, "topic=t&format=sse&retry=3600000").1,
        3_600_000
    );
    // What nobody asked for is spread, so that not all come back at once.
    let drawn = [(); 8].map(|()| events(&server, "topic=t&format=sse").1);
    assert!(
        drawn.iter().all(|ms| (3_000..=5_000).contains(ms)),
        "{drawn:?}"
    );
    assert!(drawn.iter().any(|ms| *ms != drawn[0]), "{drawn:?}");
}

#[test]
fn what_is_unknown_is_ignored() {
    let server = Server::start();
    let mut reader = lines(&server, "topic=t&colour=red&_=1763880000&&Topic=x&where=y");
    publish(&server, "_topic=t&n=1");
    assert_eq!(reader.text(), "n=1");
}

/// Every value that is a good one, at its bounds too.
#[test]
fn good_values_are_taken() {
    let server = Server::start();
    let long = "x".repeat(1_024);
    let longest = format!("topic={long}&prefix={long}&where.{long}={long}");
    let rows = [
        &longest,
        "prefix=",
        "topic=t&delimited=length&format=json",
        "topic=t&data=raw&format=raw",
        "topic=t&count=1",
        "topic=t&count=100",
        "topic=t&since=latest",
        "topic=t&last_event_id=",
        "topic=t&poll=false",
        "topic=t&keepalive=5",
        "topic=t&keepalive=300",
        "topic=t&heartbeat=comment",
        "topic=t&heartbeat=event",
        "topic=t&stall_warnings=true",
        "topic=t&stall_warnings=0",
        "topic=t&slow=drop",
        "topic=t&slow=disconnect",
        "topic=t&token=x",
    ];
    for query in rows {
        drop(asked(&server, query).lines());
    }
}

/// A 202 in JSON says how many streams get the message.
#[test]
fn a_publisher_is_told_how_many_read() {
    let server = Server::start();
    let _readers = [(); 3].map(|()| lines(&server, "topic=t"));
    let _view = lines(&server, "prefix=t");
    let body = "{\"n\":1}";
    let request = format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\nHookah-Topic: t\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&server, request);
    let said: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((&said["topic"], &said["streams"]), (&"t".into(), &4.into()));
    publish_as(&server, "Hookah-Topic: t\r\n", "text/plain", b"x");
}
