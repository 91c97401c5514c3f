//! Every row of streams.md section 1, and what is refused.

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::model::MessageId;
use crate::topics::filter::Filter;
use crate::topics::format::{Format, Framing, Style};
use crate::topics::keep::{Rule, Rules};
use crate::topics::wish::{Cursor, LOST, Mode};

const NOW: Wall = Wall(1_763_880_100_000_000);
const ID: &str = "msg_01KAR1DT3N0000000000000001";

static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::default);

/// Just a query.
fn asked(query: &str) -> Asked<'_> {
    Asked {
        query,
        form_body: None,
        http11: true,
        accept: None,
        last_event_id: None,
        if_none_match: None,
        settings: &SETTINGS,
        now: NOW,
    }
}

fn wish(query: &str) -> Wish {
    read(&asked(query)).unwrap_or_else(|problem| panic!("{query}: {problem:?}"))
}

fn id() -> MessageId {
    MessageId::parse(ID).unwrap()
}

fn refusal(query: &str) -> (Reason, String) {
    match read(&asked(query)) {
        Ok(wish) => panic!("{query}: {wish:?}"),
        Err(problem) => (problem.reason, problem.detail.into_owned()),
    }
}

#[test]
fn a_topic_alone_is_read_live_as_raw_lines() {
    let wish = wish("x=1&topic=a%20b,c%FF&unknown=%");
    assert_eq!(wish.selection.plain(), Some(&b"a b,c\xff"[..]));
    let style = Style {
        format: Format::Raw,
        framing: Framing::Chunked,
        heartbeat: false,
    };
    assert_eq!(wish.style, style);
    assert_eq!((wish.cursor, wish.mode), (Cursor::Now, Mode::Live));
    assert_eq!((wish.keep_alive, wish.retry_ms), (None, None));
    assert!(!wish.stall_warnings && !wish.drops && !wish.conditional);
    let old = read(&Asked {
        http11: false,
        ..asked("topic=t")
    });
    assert_eq!(old.unwrap().style.framing, Framing::Plain);
}

#[test]
fn names_are_merged_in_their_order_and_each_stands_once() {
    let form = b"topic=c&topic=a&prefix=p&where.x=1&count=7&token=1";
    let query = "topic=b&topic=a&topic=b&prefix=&topic=$x&where.x=2&count=5";
    let wish = read(&Asked {
        form_body: Some(form),
        ..asked(query)
    })
    .unwrap();
    let names: Vec<&[u8]> = wish.selection.topics.iter().map(|name| &**name).collect();
    assert_eq!(names, [&b"b"[..], b"a", b"$x", b"c"]);
    let names: Vec<&[u8]> = wish.selection.prefixes.iter().map(|name| &**name).collect();
    assert_eq!(names, [&b""[..], b"p"]);
    assert_eq!(wish.cursor, Cursor::Last(5), "the query's count wins");
    let filter = wish.selection.filter.unwrap();
    assert_eq!(format!("{filter:?}"), "where.x=1&where.x=2");
}

#[test]
fn a_prefix_will_do_and_is_not_plain() {
    assert_eq!(wish("prefix=").selection.plain(), None);
    assert_eq!(wish("topic=t&where.a=1").selection.plain(), None);
}

#[test]
fn bounds_count_different_names() {
    let topics = |count| -> String { (0..count).map(|it| format!("topic={it}&")).collect() };
    assert_eq!(wish(&topics(64).repeat(2)).selection.topics.len(), 64);
    let (reason, detail) = refusal(&topics(65));
    assert_eq!(reason, Reason::TooManyTopics);
    assert!(
        detail.starts_with("topic: \"64\" is one too many; allowed: "),
        "{detail}"
    );
    let prefixes: String = (0..9).map(|it| format!("prefix={it}&")).collect();
    assert_eq!(refusal(&prefixes).0, Reason::TooManyTopics);
    let wants: String = (0..9).map(|it| format!("where.a={it}&")).collect();
    let (reason, detail) = refusal(&format!("topic=a&{wants}"));
    assert_eq!(reason, Reason::BadParameter);
    assert!(
        detail.starts_with("where.a: \"8\" is one too many; allowed: "),
        "{detail}"
    );
    assert_eq!(
        wish(&format!("topic={}", "x".repeat(1_024)))
            .selection
            .topics
            .len(),
        1
    );
}

#[test]
fn filters_are_decoded() {
    let filter = wish("topic=t&where.a%20b=c%3Dd&where.a%20b=c%3Dd")
        .selection
        .filter;
    let want = Want {
        name: Box::from(&b"a b"[..]),
        value: Box::from(&b"c=d"[..]),
    };
    assert_eq!(filter, Filter::of(vec![want]));
}

#[test]
fn formats_are_chosen_by_name_then_by_accept() {
    let rows = [
        ("", None, Format::Raw),
        ("", Some(""), Format::Raw),
        ("", Some("text/event-stream"), Format::Sse),
        ("", Some("application/json"), Format::Json),
        ("", Some("Application/X-NDJSON"), Format::Json),
        ("", Some("application/x-www-form-urlencoded"), Format::Raw),
        ("", Some("*/*"), Format::Raw),
        ("", Some("application/*"), Format::Raw),
        ("", Some("text/*"), Format::Sse),
        ("", Some("application/json, text/plain, */*"), Format::Json),
        ("", Some("application/json, text/event-stream"), Format::Sse),
        (
            "",
            Some("application/json, text/event-stream;q=0.9"),
            Format::Json,
        ),
        ("", Some("text/event-stream;q=0.5, */*;q=0.6"), Format::Raw),
        ("", Some("text/html, */*;q=0.8"), Format::Raw),
        (
            "",
            Some("application/x-www-form-urlencoded;q=0, */*;q=0.1"),
            Format::Json,
        ),
        ("&format=raw", Some("text/event-stream"), Format::Raw),
        ("&format=json", Some("text/html"), Format::Json),
        ("&format=sse", None, Format::Sse),
        ("&delimited=length", None, Format::RawLength),
        (
            "&delimited=length",
            Some("application/json"),
            Format::JsonLength,
        ),
        ("&data=raw", Some("text/event-stream"), Format::SseRaw),
        ("&data=raw", Some("application/json"), Format::JsonRaw),
        ("&data=raw", None, Format::Raw),
        ("&data=raw&delimited=length", None, Format::RawLength),
    ];
    for (query, accept, want) in rows {
        let query = format!("topic=t{query}");
        let got = read(&Asked {
            accept: accept.map(str::as_bytes),
            ..asked(&query)
        });
        assert_eq!(got.unwrap().style.format, want, "{query} {accept:?}");
    }
    for accept in ["text/html", "*/*;q=0", "text/event-stream;q=0, image/*"] {
        let got = read(&Asked {
            accept: Some(accept.as_bytes()),
            ..asked("topic=t")
        });
        assert_eq!(got.unwrap_err().reason, Reason::NotAcceptable, "{accept}");
    }
}

#[test]
fn cursors_are_read() {
    let at = |micros| Cursor::Since(Wall(micros));
    let rows = [
        ("count=1", Cursor::Last(1), Mode::Live),
        ("count=100", Cursor::Last(100), Mode::Live),
        ("count=-3", Cursor::Last(3), Mode::Kept),
        ("since=all", Cursor::All, Mode::Live),
        ("since=latest", Cursor::Now, Mode::Live),
        (&format!("since={ID}"), Cursor::After(id()), Mode::Live),
        ("since=1763880000", at(1_763_880_000_000_000), Mode::Live),
        ("since=1763880000.5", at(1_763_880_000_500_000), Mode::Live),
        (
            "since=1763880000.1234567",
            at(1_763_880_000_123_456),
            Mode::Live,
        ),
        ("since=0", at(0), Mode::Live),
        ("since=30s", at(NOW.0 - 30_000_000), Mode::Live),
        ("since=10m", at(NOW.0 - 600_000_000), Mode::Live),
        ("since=2h", at(NOW.0 - 7_200_000_000), Mode::Live),
        ("since=99999d", at(0), Mode::Live),
        (
            &format!("last_event_id={ID}"),
            Cursor::After(id()),
            Mode::Live,
        ),
        (
            &format!("last_event_id={ID}&since=all"),
            Cursor::After(id()),
            Mode::Live,
        ),
        (
            &format!("last_event_id={ID}&count=-3"),
            Cursor::After(id()),
            Mode::Kept,
        ),
        ("last_event_id=&count=3", Cursor::Last(3), Mode::Live),
        ("poll=1", Cursor::All, Mode::Poll),
        ("poll=true&count=2", Cursor::Last(2), Mode::Poll),
        ("poll=1&count=-2", Cursor::Last(2), Mode::Poll),
        ("poll=1&since=latest", Cursor::Now, Mode::Poll),
        ("poll=0", Cursor::Now, Mode::Live),
        ("wait=60", Cursor::Now, Mode::Wait(Duration::from_secs(60))),
        (
            "wait=1s&poll=1",
            Cursor::All,
            Mode::Wait(Duration::from_secs(1)),
        ),
    ];
    for (query, cursor, mode) in rows {
        let got = wish(&format!("topic=t&{query}"));
        assert_eq!((got.cursor, got.mode), (cursor, mode), "{query}");
    }
    assert_eq!(wish("topic=t&poll=1").style.framing, Framing::Plain);
}

#[test]
fn what_a_client_sends_when_it_comes_back_wins() {
    let header = |query: &str, id: &[u8]| {
        read(&Asked {
            last_event_id: Some(id),
            ..asked(query)
        })
        .unwrap()
    };
    let later = "msg_01KAR1DT3N0000000000000002";
    for query in [
        "topic=t".to_owned(),
        "topic=t&count=5".to_owned(),
        "topic=t&count=500".to_owned(),
        "topic=t&since=all".to_owned(),
        format!("topic=t&last_event_id={later}"),
    ] {
        assert_eq!(
            header(&query, ID.as_bytes()).cursor,
            Cursor::After(id()),
            "{query}"
        );
        // A browser would never come again after a 400.
        for unknown in [&b"17"[..], b"msg_01KAR1DT3N00000000000000", b"\xff"] {
            assert_eq!(
                header(&query, unknown).cursor,
                Cursor::After(LOST),
                "{query}"
            );
        }
    }
    assert_eq!(header("topic=t&count=5", b" ").cursor, Cursor::Last(5));
    assert_eq!(header("topic=t&count=-500", ID.as_bytes()).mode, Mode::Kept);
}

#[test]
fn polls_go_on_by_entity_tags() {
    let rows = [
        ("wait=5", format!("\"{ID}\""), Some(id())),
        ("poll=1&since=all", format!("W/\"{ID}\""), Some(id())),
        ("poll=1", format!("\"x\", \"{ID}\""), Some(id())),
        ("poll=1", "*".to_owned(), None),
        ("poll=1", ID.to_owned(), None),
        ("count=1", format!("\"{ID}\""), None),
    ];
    for (query, tag, want) in rows {
        let query = format!("topic=t&{query}");
        let got = read(&Asked {
            if_none_match: Some(tag.as_bytes()),
            ..asked(&query)
        })
        .unwrap();
        assert_eq!(got.conditional, want.is_some(), "{query} {tag}");
        if let Some(id) = want {
            assert_eq!(got.cursor, Cursor::After(id), "{query} {tag}");
        }
    }
}

#[test]
fn manners_are_read() {
    let got = wish(
        "topic=t&format=sse&heartbeat=event&stall_warnings=true&slow=drop&keepalive=5&retry=100",
    );
    assert!(got.style.heartbeat && got.stall_warnings && got.drops);
    assert_eq!(got.keep_alive, Some(Duration::from_secs(5)));
    assert_eq!(got.retry_ms, Some(100));
    assert_eq!(
        wish("topic=t&keepalive=5m").keep_alive,
        Some(Duration::from_secs(300))
    );
    assert!(
        !wish("topic=t&heartbeat=event").style.heartbeat,
        "raw has none"
    );
}

/// A query, and what the refusal begins with.
const BAD: &str = r#"
 => topic: missing; allowed: a name, as in /stream?topic=news
where.a=1 => topic: missing; allowed: 
topic= => topic: "" is empty; allowed: 1 to 1024 bytes; up to 64 topics
topic=t&format=xml => format: "xml" is not a format; allowed: raw, json, sse
topic=t&format=%FF => format: "�" is not UTF-8; allowed: raw, json, sse
topic=t&format=raw&format=raw => format: "raw" is given twice; allowed: raw, json
topic=t&delimited=1 => delimited: "1" is not allowed; allowed: length, 
topic=t&delimited=length&format=sse => delimited: "length" does not go with sse; allowed: length, 
topic=t&data=json => data: "json" is not allowed; allowed: raw, 
topic=t&data=raw&format=json&delimited=length => data: "raw" does not go with json and
topic=t&count=0 => count: "0" is out of range; allowed: 1 up to
topic=t&count= => count: "" is not a number; allowed: 1 up to
topic=t&count=+1 => count: " 1" is not a number; allowed: 
topic=t&count=--1 => count: "--1" is not a number; allowed: 
topic=t&count=1&since=all => count: "1" stands beside since; allowed: one of them
topic=t&count=-1&since=1 => count: "-1" stands beside since; allowed: one of them
topic=t&since= => since: "" is neither an id nor a time; allowed: the id of
topic=t&since=-1 => since: "-1" is neither
topic=t&since=1. => since: "1." is neither
topic=t&since=1763880000000 => since: "1763880000000" lies ahead; allowed: 
topic=t&since=99999999999999999999999 => since: "99999999999999999999999" lies ahead
topic=t&since=msg_1 => since: "msg_1" is no id of a message; allowed: 
topic=t&last_event_id=17 => last_event_id: "17" is no id of a message; allowed: the id
topic=t&poll=2 => poll: "2" is not a boolean; allowed: true, false, 1, 0
topic=t&wait=0 => wait: "0" is out of range; allowed: 1 to 60 seconds
topic=t&wait=61 => wait: "61" is out of range
topic=t&wait=x => wait: "x" is not a duration
topic=t&keepalive=4 => keepalive: "4" is out of range; allowed: 5 to 300 seconds
topic=t&keepalive=301 => keepalive: "301" is out of range
topic=t&heartbeat=1 => heartbeat: "1" is not allowed; allowed: comment, event
topic=t&stall_warnings=yes => stall_warnings: "yes" is not a boolean; allowed: 
topic=t&slow=no => slow: "no" is not allowed; allowed: disconnect, drop
topic=t&where.=1 => where.: "1" names no field; allowed: where.FIELD=VALUE
topic=t&retry=99 => retry: "99" is out of range; allowed: 100 to 3600000
topic=t&retry=1s => retry: "1s" is not a number
token=hush&token=hush&topic=t => token: it is given twice; allowed: a token
"#;

#[test]
fn bad_values_name_themselves_and_what_is_allowed() {
    for row in BAD.lines().skip(1) {
        let (query, want) = row.split_once(" => ").unwrap();
        let (reason, detail) = refusal(query);
        assert_eq!(reason, Reason::BadParameter, "{query}");
        assert!(detail.starts_with(want), "{query}: {detail}");
    }
}

#[test]
fn a_refusal_is_one_short_line() {
    let long = "x".repeat(1_025);
    let shown = format!("{:?}… is too long; allowed: ", "x".repeat(80));
    for name in ["topic", "prefix", "where.a"] {
        let (_, detail) = refusal(&format!("{name}={long}&topic=t"));
        assert!(detail.starts_with(&format!("{name}: {shown}")), "{detail}");
    }
    let (_, detail) = refusal(&format!("where.a%0Ab{long}=%0D%0A&topic=t"));
    assert!(detail.starts_with("where.a\\nbxxx"), "{detail}");
    assert!(detail.contains("x: \"\\r\\n\" is too long"), "{detail}");
    assert!(detail.len() < 300, "{detail}");
}

#[test]
fn more_than_is_kept_is_refused_with_the_limit() {
    let rows = [
        ("101", "\"101\""),
        ("-101", "\"-101\""),
        ("99999999999", "\"99999999999\""),
    ];
    for (count, shown) in rows {
        let (reason, detail) = refusal(&format!("topic=t&count={count}"));
        assert_eq!(reason, Reason::BeyondBacklog, "{count}");
        let want = format!(
            "count: {shown} is more than is kept; allowed: 1 to 100, or -1 to -100 \
             (--backlog-messages)"
        );
        assert_eq!(detail, want);
    }
}

#[test]
fn as_much_may_be_asked_for_as_any_topic_keeps_by_a_rule() {
    let rule = Rule {
        name: (*b"news*").into(),
        messages: Some(1_000),
        age: None,
        bytes: None,
    };
    let settings = Settings {
        rules: Rules::new([rule]),
        ..Settings::default()
    };
    let ask = |query| {
        read(&Asked {
            settings: &settings,
            ..asked(query)
        })
    };
    assert!(ask("topic=news&count=-1000").is_ok());
    let refused = ask("topic=news&count=-1001").unwrap_err();
    assert_eq!(refused.reason, Reason::BeyondBacklog);
}

#[test]
fn a_value_that_is_outweighed_is_still_refused_if_it_is_bad() {
    let got = read(&Asked {
        form_body: Some(b"count=x"),
        ..asked("topic=t&count=1")
    });
    assert_eq!(got.unwrap_err().reason, Reason::BadParameter);
}
