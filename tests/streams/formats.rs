//! What a message looks like in each format. Every byte of every format has its golden file in
//! `tests/formats`; here it goes the whole way, from a POST to a reader.

use crate::decode::{Content, Item, Said};
use crate::reader::{Asked, counted, events, get, lines};
use crate::server::Server;
use crate::{FORM, publish, publish_as};

const TOPIC: &str = "Hookah-Topic: t\r\n";

#[test]
fn lines_of_what_was_posted() {
    let server = Server::start();
    let mut reader = lines(&server, "topic=t");
    publish(&server, "_topic=t&a=1&b=%E2%9C%93&a=2");
    publish_as(&server, TOPIC, "application/json", b"{\"a\": [1]}");
    assert_eq!(reader.text(), "a=1&b=%E2%9C%93&a=2");
    assert_eq!(reader.text(), "{\"a\": [1]}");
}

#[test]
fn a_length_before_each_message() {
    let server = Server::start();
    let mut raw = counted(&server, "topic=t&delimited=length");
    let mut json = counted(&server, "topic=t&delimited=length&format=json&count=1");
    let body = b"two\r\nlines\n\r\n";
    publish_as(&server, TOPIC, "text/plain", body);
    publish(&server, "_topic=t&a=1");
    assert_eq!(raw.next(), Some(Item::Text(body.to_vec())));
    assert_eq!(raw.text(), "a=1");
    let text = String::from_utf8(body.to_vec()).expect("text");
    assert_eq!(json.line().content, Content::Text(text));
    assert_eq!(json.line().content, Content::Data("{\"a\":\"1\"}".into()));
}

/// What was posted, its type, and what of it stands in a line of JSON.
fn bodies() -> Vec<(&'static str, Vec<u8>, Content)> {
    let data = |json: &str| Content::Data(json.to_owned());
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"n.bin\"\r\n\
        Content-Type: a/b\r\n\r\n\0\r\n--x--\r\n";
    let file = r#"{"a":"1","f":{"filename":"n.bin","type":"a/b","size":1,"base64":"AA=="}}"#;
    vec![
        (
            FORM,
            b"a=1&b=2&b=3".to_vec(),
            data(r#"{"a":"1","b":["2","3"]}"#),
        ),
        (
            "multipart/form-data; boundary=x",
            multipart.into(),
            data(file),
        ),
        (
            "application/json",
            b"{\"x\" : 1.0e1, \"x\":null}".to_vec(),
            data("{\"x\" : 1.0e1, \"x\":null}"),
        ),
        ("text/plain", b"a\nb".to_vec(), Content::Text("a\nb".into())),
        ("a/b", b"\xff\x00".to_vec(), Content::Base64(vec![0xff, 0])),
    ]
}

#[test]
fn lines_of_json() {
    let server = Server::start();
    let mut reader = lines(&server, "topic=t&format=json");
    for (media_type, body, content) in bodies() {
        let id = publish_as(&server, TOPIC, media_type, &body);
        let line = reader.line();
        assert_eq!(line.content, content, "{media_type}");
        assert_eq!((&*line.media_type, &*line.topic), (media_type, &b"t"[..]));
        assert_eq!(line.id, id);
        assert!(line.millis > 1_600_000_000_000, "{}", line.millis);
    }
}

#[test]
fn events_of_json() {
    let server = Server::start();
    let (mut reader, _) = events(&server, "topic=t&format=sse");
    for (media_type, body, content) in bodies() {
        let id = publish_as(&server, TOPIC, media_type, &body);
        let line = reader.line();
        assert_eq!((line.content, line.id), (content, id), "{media_type}");
    }
}

#[test]
fn events_have_the_publishers_name() {
    let server = Server::start();
    let (mut reader, _) = events(&server, "topic=t&format=sse");
    publish(&server, "_topic=t&_event=order&a=1");
    publish(&server, "_topic=t&a=2");
    assert_eq!(reader.event().name, "order");
    assert_eq!(reader.event().name, "message");
}

#[test]
fn events_of_bodies() {
    let server = Server::start();
    let (mut reader, _) = events(&server, "topic=t&format=sse&data=raw");
    let rows = [
        ("a\nb", "a\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("x\n", "x\n"),
        (" y", " y"),
    ];
    for (body, data) in rows {
        let id = publish_as(&server, TOPIC, "text/plain", body.as_bytes());
        let event = reader.event();
        assert_eq!((event.data, event.id), (data.to_owned(), id), "{body:?}");
    }
}

/// What every reader looks at, and what only some heads have.
#[test]
fn heads() {
    let server = Server::start();
    let fresh = lines(&server, "topic=t");
    for name in [
        "Hookah-Last-Id",
        "Hookah-Resume",
        "Access-Control-Allow-Origin",
    ] {
        assert_eq!(fresh.field(name), None, "{name}");
    }
    let id = publish(&server, "_topic=t&a=1");
    let (reader, _) = events(&server, "topic=other&format=sse");
    assert_eq!(reader.field("Hookah-Last-Id"), Some(&*id), "of any topic");
    assert_eq!(reader.field("Hookah-Resume"), None, "no cursor");
}

#[test]
fn an_old_client_gets_lines_to_the_end_of_the_connection() {
    let server = crate::server_with(&["--drain-timeout", "1s"]);
    let request = get("topic=t&format=json", "").replace("HTTP/1.1", "HTTP/1.0");
    let mut reader = Asked::with(&server, &request).lines();
    let id = publish(&server, "_topic=t&a=1");
    assert_eq!(reader.line().id, id);
    server.signal("TERM");
    assert!(matches!(reader.said(), Said::Notice(kind, _) if kind == "disconnect"));
    reader.ends();
    assert!(server.wait().0.success());
}
