//! The readers themselves, on bytes that no encoder made.

use crate::decode::{Counted, Decoder, Event, Events, Heard, Item, Lines, Said, raw, said};

fn text(text: &str) -> Item {
    Item::Text(text.as_bytes().to_vec())
}

#[test]
fn raw_is_read_by_who_knows_it() {
    let bodies: [&[u8]; 3] = [b"a=1", b"x\r\ny", b""];
    let rows = [
        ("", Some(0)),
        ("\r\n\r\na=1\r\n", Some(1)),
        ("a=1\r\n\r\nx\r\ny\r", Some(1)),
        ("a=1\r\n\r", Some(1)),
        ("a=1\r\nx\r\ny\r\n\r\n\r\n", Some(3)),
        ("a=1\r\nx\r\ny\r\n\r\na=1\r\n", None),
        ("a=1x\r\n", None),
        ("x\r\ny\r\n", None),
    ];
    for (got, count) in rows {
        assert_eq!(raw(got.as_bytes(), &bodies).ok(), count, "{got:?}");
    }
}

#[test]
fn lines_end_with_both() {
    let read = |text: &str| Lines::default().feed(text.as_bytes());
    let items = vec![Item::KeepAlive, text("{}"), text("x y")];
    assert_eq!(read("\r\n{}\r\nx y\r\nz"), Ok(items));
    for bad in ["a\n", "a\rb", "\n", "a\r\r\n"] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn lengths_count_what_follows_them() {
    let read = |text: &str| Counted::default().feed(text.as_bytes());
    let items = vec![text("a=1"), Item::KeepAlive, text("\r\n"), text("")];
    assert_eq!(
        read("5\r\na=1\r\n\r\n4\r\n\r\n\r\n2\r\n\r\n9\r\nx"),
        Ok(items)
    );
    for bad in ["x\r\n", "5\n", "05\r\n", "1\r\n", "3\r\nabc", "-5\r\n"] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn lines_of_json_have_their_members_and_no_others() {
    let head = r#"{"id":"msg_1","time":1.002,"topic":"t","type":"#;
    let rows = [
        (r#""a/b","data":{"a":[1]}}"#, true),
        (r#""","text":"x"}"#, true),
        (r#""","base64":"/w=="}"#, true),
        (r#""","base64":"/w"}"#, false),
        (r#""","text":"x","data":1}"#, false),
        (r#""","text":1}"#, false),
        (r#""a/b"}"#, false),
        (r#""a/b","data":}"#, false),
    ];
    for (tail, good) in rows {
        let line = format!("{head}{tail}");
        assert_eq!(said(line.as_bytes()).is_ok(), good, "{line}");
    }
    let notice = said(br#"{"limit":{"track":1}}"#);
    let limit = Said::Notice("limit".into(), r#"{"track":1}"#.into());
    assert_eq!(notice, Ok(limit));
    let lossy = "{\"id\":\"m\",\"time\":1.000,\"topic\":\"\u{fffd}\",\"topic_base64\":\"6Q==\",\
                 \"type\":\"\",\"text\":\"\"}";
    assert!(matches!(said(lossy.as_bytes()), Ok(Said::Message(it)) if it.topic == b"\xe9"));
}

/// The examples of the HTML standard, section 9.2.6, and its finer points.
#[test]
fn events_are_interpreted_as_the_html_standard_does() {
    let event = |id: &str, has_id: bool, name: &str, data: &str| {
        Heard::Event(Event {
            id: id.into(),
            has_id,
            name: name.into(),
            data: data.into(),
        })
    };
    let comment = |text: &str| Heard::Comment(text.into());
    let plain = |data: &str| event("", false, "message", data);
    let rows: &[(&str, Vec<Heard>)] = &[
        (
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            vec![plain("YHOO\n+2\n10")],
        ),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n",
            vec![
                comment(" test stream"),
                event("1", true, "message", "first event"),
                event("", true, "message", "second event"),
            ],
        ),
        ("data\n\ndata\ndata\n\ndata:", vec![plain(""), plain("\n")]),
        (
            "data:test\n\ndata: test\n\n",
            vec![plain("test"), plain("test")],
        ),
        ("event: x\n\ndata: y\n\n", vec![plain("y")]),
        (
            "id: 7\nevent: add\ndata: 1\r\n\r\ndata: 2\r\r",
            vec![
                event("7", true, "add", "1"),
                event("7", false, "message", "2"),
            ],
        ),
        ("id: a\0b\ndata: 1\n\n", vec![plain("1")]),
        ("\u{feff}data: 1\n\n\u{feff}data: 2\n\n", vec![plain("1")]),
        (
            "retry: 3417\n:\n\nretry: 1x\nretry:\nunknown: 1\n",
            vec![Heard::Retry(3417), comment("")],
        ),
    ];
    for (stream, heard) in rows {
        let read = Events::default().feed(stream.as_bytes());
        assert_eq!(read.as_ref(), Ok(heard), "{stream:?}");
    }
}
