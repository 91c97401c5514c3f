//! Coming late, and coming again: what is kept, from where on, and what is said where it is not
//! all.

use crate::decode::Lines;
use crate::message::Fields;
use crate::reader::{Asked, Stream, asked, events, get, lines};
use crate::server::Server;
use crate::{publish, publish_at, publish_numbers, server_with};

/// The next lines are these numbers' messages, and then comes what is published now.
fn holds(server: &Server, reader: &mut Stream<Lines>, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        assert_eq!(reader.text(), format!("a={number}"));
    }
    let id = publish(server, "_topic=t&_topic=late&end=1");
    assert_eq!(reader.text(), "end=1", "{id}");
}

fn resume(fields: &Fields) -> Option<&str> {
    fields.get("Hookah-Resume")
}

#[test]
fn the_last_so_many() {
    for (kept, count, from) in [(5, 2, 3), (5, 5, 0), (5, 100, 0), (0, 3, 0)] {
        let server = Server::start();
        publish_numbers(&server, "t", kept);
        let mut reader = lines(&server, &format!("topic=t&count={count}"));
        assert_eq!(resume(&reader.head.fields), Some("new"));
        holds(&server, &mut reader, from..kept);
    }
}

#[test]
fn the_last_so_many_and_no_more() {
    let server = Server::start();
    publish_numbers(&server, "t", 5);
    for (count, from) in [(1, 4), (5, 0), (100, 0)] {
        let mut reader = lines(&server, &format!("topic=t&format=json&count=-{count}"));
        for _ in from..5 {
            reader.line();
        }
        let why = reader.notice("disconnect");
        assert_eq!(
            (&why["code"], &why["stream_name"]),
            (&9.into(), &"t".into())
        );
        reader.ends();
    }
    // Nothing is kept: it ends at once.
    let mut reader = lines(&server, "topic=nothing&count=-3");
    reader.ends();
}

#[test]
fn since_a_message() {
    let server = Server::start();
    let ids = publish_numbers(&server, "t", 5);
    for (number, id) in ids.iter().enumerate() {
        let mut reader = lines(&server, &format!("topic=t&since={id}"));
        assert_eq!(resume(&reader.head.fields), Some("continue"));
        assert!(reader.field("Hookah-Last-Id").is_some());
        let later = number + 1..5;
        for number in later {
            assert_eq!(reader.text(), format!("a={number}"));
        }
    }
}

#[test]
fn since_a_time() {
    let server = Server::start();
    let millis = |server: &Server| {
        let mut last = lines(server, "topic=t&format=json&count=-1");
        last.line().millis
    };
    publish(&server, "_topic=t&early=1");
    let early = millis(&server);
    while {
        publish(&server, "_topic=t&late=1");
        millis(&server) == early
    } {}
    let mut all = lines(&server, "topic=t&format=json&count=-100");
    let mut times = Vec::new();
    while let Some(crate::decode::Item::Text(line)) = all.next() {
        if let Ok(crate::decode::Said::Message(line)) = crate::decode::said(&line) {
            times.push(line.millis);
        }
    }
    let late = *times.last().expect("some");
    let since = format!("{}.{:03}", late / 1_000, late % 1_000);
    let count = times.iter().filter(|millis| **millis >= late).count();
    let mut reader = lines(&server, &format!("topic=t&since={since}"));
    for _ in 0..count {
        assert_eq!(reader.text(), "late=1");
    }
    publish(&server, "_topic=t&end=1");
    assert_eq!(reader.text(), "end=1");
    // The server is younger than that: whether there was more before, nobody knows.
    for age in ["30s", "10m", "2h", &format!("{}", late / 1_000 - 60)] {
        let mut reader = lines(&server, &format!("topic=t&since={age}"));
        assert_eq!(resume(&reader.head.fields), Some("reset"), "{age}");
        assert_eq!(reader.text(), "early=1", "{age}");
    }
}

#[test]
fn all_or_nothing() {
    let server = Server::start();
    publish_numbers(&server, "t", 3);
    let mut all = lines(&server, "topic=t&since=all");
    assert_eq!(resume(&all.head.fields), Some("new"));
    let mut latest = lines(&server, "topic=t&since=latest");
    assert_eq!(resume(&latest.head.fields), None);
    holds(&server, &mut all, 0..3);
    assert_eq!(latest.text(), "end=1");
}

/// A browser comes back on the same URL, whatever stands in it.
#[test]
fn what_a_browser_adds_wins() {
    let server = Server::start();
    let ids = publish_numbers(&server, "t", 4);
    let field = |id: &str| format!("Last-Event-ID: {id}\r\n");
    let rows = [
        (String::new(), field(&ids[1]), 2),
        ("&count=4".into(), field(&ids[1]), 2),
        ("&since=all".into(), field(&ids[2]), 3),
        (format!("&last_event_id={}", ids[0]), field(&ids[2]), 3),
        (
            format!("&last_event_id={}&count=1", ids[0]),
            String::new(),
            1,
        ),
        (
            format!("&last_event_id={}&since=latest", ids[1]),
            String::new(),
            2,
        ),
        ("&last_event_id=&since=all".into(), String::new(), 0),
        ("&count=1".into(), "Last-Event-ID:\r\n".into(), 3),
    ];
    for (query, fields, from) in rows {
        let request = get(&format!("topic=t&format=sse{query}"), &fields);
        let (mut reader, _) = Asked::with(&server, &request).events();
        for id in &ids[from..] {
            assert_eq!(reader.line().id, *id, "{query} {fields}");
        }
    }
    // An id that is none of ours must not end a browser for good.
    let request = get("topic=t&format=sse", &field("17"));
    let (mut reader, _) = Asked::with(&server, &request).events();
    assert_eq!(resume(&reader.head.fields), Some("reset"));
    assert_eq!(reader.line().id, ids[0]);
}

#[test]
fn a_topic_keeps_so_much() {
    // A message weighs a little more than its body.
    let rows = [["--backlog-messages", "2"], ["--backlog-bytes", "25000"]];
    for flags in rows {
        let server = server_with(&flags);
        let filler = "x".repeat(10_000);
        let form = |number| format!("a={number}&x={filler}");
        for number in 0..5 {
            publish(&server, &format!("_topic=t&{}", form(number)));
        }
        let mut reader = lines(&server, "topic=t&since=all");
        assert_eq!([reader.text(), reader.text()], [form(3), form(4)]);
    }
}

#[test]
fn who_was_away_too_long_is_told() {
    let server = server_with(&["--backlog-messages", "2"]);
    let ids = publish_numbers(&server, "t", 5);
    for (cursor, how) in [(0, "reset"), (1, "reset"), (2, "continue"), (3, "continue")] {
        let query = format!("topic=t&since={}", ids[cursor]);
        let mut reader = lines(&server, &query);
        assert_eq!(resume(&reader.head.fields), Some(how), "behind {cursor}");
        let first = (cursor + 1).max(3);
        assert_eq!(reader.text(), format!("a={first}"));
    }
}

/// While somebody slow keeps the server from forgetting, it knows how many are missing.
#[test]
fn who_was_away_too_long_is_told_how_much_is_missing_if_that_is_known() {
    let server = server_with(&["--backlog-messages", "2"]);
    let stuck = asked(&server, "topic=t");
    crate::await_metric(&server, "hookah_streams", 1);
    let filler = "x".repeat(500_000);
    let form = |number| format!("_topic=t&n={number}&x={filler}");
    let ids: Vec<String> = (0..6).map(|n| publish(&server, &form(n))).collect();
    let since = &ids[2];
    let mut json = lines(&server, &format!("topic=t&format=json&since={since}"));
    assert_eq!(resume(&json.head.fields), Some("reset"));
    assert_eq!(json.notice("limit")["track"], 1);
    assert_eq!([json.line().id, json.line().id], [&*ids[4], &*ids[5]]);
    let (mut sse, _) = events(&server, &format!("topic=t&format=sse&since={since}"));
    assert_eq!(sse.notice("limit")["track"], 1);
    assert_eq!(sse.line().id, ids[4]);
    drop(stuck);
}

/// The same cursors over several topics, a prefix and a filter.
#[test]
fn cursors_lead_through_selections_too() {
    let server = server_with(&["--backlog-messages", "4"]);
    let form = |n: usize| format!("_topic={}&n={n}&odd={}", ["ta", "tb", "x"][n % 3], n % 2);
    let ids: Vec<String> = (0..12).map(|n| publish(&server, &form(n))).collect();
    // ta: 0 3 6 9, tb: 1 4 7 10, x: 2 5 8 11.
    let rows: [(&str, String, &[usize]); 7] = [
        ("topic=ta&topic=tb", "count=3".into(), &[7, 9, 10]),
        ("prefix=t", "count=-2".into(), &[9, 10]),
        ("prefix=t", format!("since={}", ids[5]), &[6, 7, 9, 10]),
        (
            "topic=x&prefix=ta",
            "since=all".into(),
            &[0, 2, 3, 5, 6, 8, 9, 11],
        ),
        ("prefix=t&where.odd=1", "count=-3".into(), &[3, 7, 9]),
        (
            "topic=x&where.odd=0",
            format!("last_event_id={}", ids[2]),
            &[8],
        ),
        ("topic=ta&where.odd=2", "count=-4".into(), &[]),
    ];
    for (selection, cursor, want) in rows {
        let query = format!("{selection}&{cursor}&format=json");
        let mut reader = lines(&server, &query);
        let got: Vec<String> = want.iter().map(|_| reader.line().id).collect();
        let want: Vec<String> = want.iter().map(|n| ids[*n].clone()).collect();
        assert_eq!(got, want, "{query}");
        if cursor.contains("=-") {
            assert_eq!(reader.notice("disconnect")["code"], 9, "{query}");
            reader.ends();
        }
    }
}

/// Replay and going live are one step: nothing falls between, whoever publishes meanwhile.
#[test]
fn nothing_falls_between_what_is_kept_and_what_comes() {
    let server = Server::start();
    let addr = server.addr();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..60 {
                publish_at(addr, &format!("_topic=t&a={number}"));
            }
        });
        for _ in 0..6 {
            let mut reader = lines(&server, "topic=t&since=all");
            for number in 0..20 {
                assert_eq!(reader.text(), format!("a={number}"));
            }
        }
    });
}
