//! Which messages a stream gets, of several topics, and in which order.

use crate::decode::{Content, Lines};
use crate::reader::{Stream, lines};
use crate::server::Server;
use crate::{publish, publish_as};

/// The next message: its topic and its one field.
fn next(reader: &mut Stream<Lines>) -> (String, String) {
    let line = reader.line();
    let Content::Data(data) = line.content else {
        panic!("{:?}", line.content)
    };
    (String::from_utf8(line.topic).expect("text"), data)
}

#[test]
fn several_topics_are_one_stream_in_the_order_of_publishing() {
    let server = Server::start();
    let mut live = lines(&server, "format=json&topic=a&topic=b&topic=c");
    let mut want = Vec::new();
    for number in 0..12 {
        let topic = ["a", "b", "c", "elsewhere"][number * 7 % 4];
        publish(&server, &format!("_topic={topic}&n={number}"));
        if topic != "elsewhere" {
            want.push((topic.to_owned(), format!("{{\"n\":\"{number}\"}}")));
        }
    }
    let mut late = lines(&server, "format=json&topic=c&topic=b&topic=a&since=all");
    for want in want {
        assert_eq!(next(&mut live), want);
        assert_eq!(next(&mut late), want, "replayed");
    }
}

#[test]
fn a_message_that_matches_twice_comes_once_under_its_first_match() {
    let server = Server::start();
    let mut both = lines(&server, "format=json&topic=b&topic=a");
    let mut prefixes = lines(&server, "format=json&prefix=&prefix=b&topic=b");
    publish(&server, "_topic=a&_topic=b&_topic=a&n=1");
    publish(&server, "_topic=b&n=2");
    let mut late = lines(&server, "format=json&topic=b&topic=a&since=all");
    for reader in [&mut both, &mut prefixes, &mut late] {
        assert_eq!(next(reader), ("a".into(), "{\"n\":\"1\"}".into()));
        assert_eq!(next(reader), ("b".into(), "{\"n\":\"2\"}".into()));
    }
}

#[test]
fn a_prefix_reads_every_topic_that_begins_so() {
    let server = Server::start();
    let mut some = lines(&server, "prefix=shop/&prefix=x%2Fy");
    let mut all = lines(&server, "prefix=");
    for (number, topic) in ["shop", "shop/", "shop/1", "Shop/1", "x/", "x/yz"]
        .iter()
        .enumerate()
    {
        publish(&server, &format!("_topic={topic}&n={number}"));
        assert_eq!(all.text(), format!("n={number}"));
    }
    let mut late = lines(&server, "prefix=shop/&prefix=x%2Fy&since=all");
    for number in [1, 2, 5] {
        assert_eq!(some.text(), format!("n={number}"));
        assert_eq!(late.text(), format!("n={number}"));
    }
}

/// The same field again is one or the other; different fields must all fit.
#[test]
fn only_messages_with_these_fields() {
    let server = Server::start();
    let query = "topic=t&where.kind=order&where.kind=re%66und&where.city=K%C3%B6ln";
    let mut reader = lines(&server, query);
    let late = |want: &str| {
        let text = lines(&server, &format!("{query}&count=-1")).text();
        assert_eq!(text, want, "replayed");
    };
    publish(&server, "_topic=t&kind=order&n=0");
    publish(&server, "_topic=t&kind=other&city=K%C3%B6ln&n=1");
    publish(&server, "_topic=t&city=K%c3%b6ln&kind=order&n=2");
    assert_eq!(reader.text(), "city=K%c3%b6ln&kind=order&n=2");
    late("city=K%c3%b6ln&kind=order&n=2");
    let json = r#"{"kind":"r\u0065fund","city":"Köln"}"#;
    let fields = "Hookah-Topic: t\r\n";
    for (body, fits) in [
        (r#"{"deep":{"kind":"order","city":"Köln"}}"#, false),
        (r#"{"kind":["order"],"city":"Köln"}"#, false),
        (json, true),
    ] {
        publish_as(&server, fields, "application/json", body.as_bytes());
        if fits {
            assert_eq!(reader.text(), body);
            late(body);
        }
    }
    publish_as(&server, fields, "text/plain", b"kind=order&city=K%C3%B6ln");
    publish(&server, "_topic=t&kind=refund&city=K%C3%B6ln&end=1");
    assert_eq!(reader.text(), "kind=refund&city=K%C3%B6ln&end=1");
}
