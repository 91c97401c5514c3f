//! What is refused, and in which words: the parameter, its value, and what is allowed.

use std::collections::BTreeSet;

use hookah::topics::subscribe::{TABLE, Take};

use crate::client::{Answer, Client};
use crate::reader::{asked, get, lines};
use crate::server::Server;
use crate::{FORM, ask, await_metric, metric, publish, server_with};

/// Each parameter's bad values: the query, the value as the refusal shows it, the status.
const BAD: &[(&str, &str, &str, u16)] = &[
    ("topic", "topic=", "\"\"", 400),
    ("prefix", "prefix=LONG", "\"xxx", 400),
    ("format", "topic=t&format=xml", "\"xml\"", 400),
    ("format", "topic=t&format=", "\"\"", 400),
    ("format", "topic=t&format=JSON", "\"JSON\"", 400),
    ("delimited", "topic=t&delimited=newline", "\"newline\"", 400),
    (
        "delimited",
        "topic=t&delimited=length&format=sse",
        "\"length\"",
        400,
    ),
    ("data", "topic=t&format=sse&data=json", "\"json\"", 400),
    (
        "data",
        "topic=t&format=json&delimited=length&data=raw",
        "\"raw\"",
        400,
    ),
    ("count", "topic=t&count=0", "\"0\"", 400),
    ("count", "topic=t&count=-0", "\"-0\"", 400),
    ("count", "topic=t&count=x%0A", "\"x\\n\"", 400),
    ("count", "topic=t&count=1&since=all", "\"1\"", 400),
    ("count", "topic=t&count=101", "\"101\"", 416),
    ("count", "topic=t&count=-101", "\"-101\"", 416),
    ("since", "topic=t&since=yesterday", "\"yesterday\"", 400),
    ("since", "topic=t&since=msg_1", "\"msg_1\"", 400),
    ("since", "topic=t&since=99999999999", "\"99999999999\"", 400),
    ("since", "topic=t&since=-5", "\"-5\"", 400),
    ("last_event_id", "topic=t&last_event_id=17", "\"17\"", 400),
    ("poll", "topic=t&poll=maybe", "\"maybe\"", 400),
    ("wait", "topic=t&wait=0", "\"0\"", 400),
    ("wait", "topic=t&wait=61", "\"61\"", 400),
    ("keepalive", "topic=t&keepalive=4", "\"4\"", 400),
    ("keepalive", "topic=t&keepalive=301", "\"301\"", 400),
    ("keepalive", "topic=t&keepalive=x", "\"x\"", 400),
    ("heartbeat", "topic=t&heartbeat=ping", "\"ping\"", 400),
    (
        "stall_warnings",
        "topic=t&stall_warnings=yes",
        "\"yes\"",
        400,
    ),
    ("slow", "topic=t&slow=wait", "\"wait\"", 400),
    ("where.", "topic=t&where.=1", "\"1\"", 400),
    ("where.a", "topic=t&where.a=LONG", "\"xxx", 400),
    ("retry", "topic=t&retry=99", "\"99\"", 400),
    ("retry", "topic=t&retry=3600001", "\"3600001\"", 400),
    ("retry", "topic=t&retry=1s", "\"1s\"", 400),
    (
        "slow",
        "topic=t&slow=drop&slow=drop",
        "\"drop\" is given twice",
        400,
    ),
    (
        "format",
        "topic=t&format=%FF",
        "\"\u{fffd}\" is not UTF-8",
        400,
    ),
];

/// What is asked for with that query.
fn refused(server: &Server, query: &str) -> Answer {
    let query = query.replace("LONG", &"x".repeat(1_025));
    ask(server, get(&query, ""))
}

#[test]
fn bad_values_name_themselves_and_what_is_allowed() {
    let server = Server::start();
    for (name, query, value, status) in BAD {
        let answer = refused(&server, query);
        assert_eq!(answer.status, *status, "{query}: {answer:?}");
        let body = &answer.body;
        let starts = format!("{name}: {value}");
        assert!(body.contains(&starts), "{query}: no {starts} in {body}");
        assert!(body.contains("; allowed: "), "{query}: {body}");
        assert_eq!(body.trim_end().lines().count(), 1, "{query}: {body}");
        // The row's own words, unless the trouble is two that do not go together.
        let row = TABLE.iter().find(|row| name.starts_with(row.name));
        let allowed = row.expect("a row").allowed;
        let pair = query.contains("since=all") || *status == 416;
        assert!(pair || body.contains(allowed), "{query}: {body}");
    }
    assert_eq!(metric(&server, "hookah_streams"), 0);
}

/// A parameter that is added needs its bad values here.
#[test]
fn every_parameter_has_bad_values() {
    for row in TABLE.iter().filter(|row| !matches!(row.take, Take::Hidden)) {
        let known = BAD.iter().any(|(name, ..)| name.starts_with(row.name));
        assert!(known, "{} is never refused", row.name);
    }
}

#[test]
fn too_many_are_too_many() {
    let server = Server::start();
    let many = |name: &str, count: usize| -> String {
        let one = |number| format!("{name}{number}&");
        (0..count).map(one).collect()
    };
    let where_many: String = (0..9).map(|n| format!("&where.a={n}")).collect();
    let rows = [
        (many("topic=", 65), 413, "topic: \"64\" is one too many"),
        (many("prefix=", 9), 413, "prefix: \"8\" is one too many"),
        (
            format!("topic=t{where_many}"),
            400,
            "where.a: \"8\" is one too many",
        ),
    ];
    for (query, status, text) in rows {
        let answer = refused(&server, &query);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(text), "{}", answer.body);
        assert!(answer.body.contains("; allowed: "), "{}", answer.body);
    }
    // The same name again is no other one.
    drop(lines(
        &server,
        &format!("{}topic=0&topic=0", many("topic=", 64)),
    ));
}

#[test]
fn what_is_no_such_request_is_refused() {
    let server = Server::start();
    let post = |media_type: &str, body: &str| {
        format!(
            "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let put = "PUT /stream?topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    let accept = get("topic=t", "Accept: text/html, image/png\r\n");
    let rows = [
        (get("", ""), 400, "topic: missing"),
        (get("format=json", ""), 400, "topic: missing"),
        (post(FORM, ""), 400, "topic: missing"),
        (put.to_owned(), 405, "PUT"),
        (accept, 406, "text/event-stream"),
        (post("application/json", "{}"), 415, FORM),
        (get(&format!("topic={}", "x".repeat(40_000)), ""), 414, ""),
    ];
    for (request, status, text) in rows {
        let answer = ask(&server, &request);
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 405 {
            let allow = answer.fields.get("Allow");
            assert_eq!(allow, Some("GET, HEAD, POST, OPTIONS"));
        } else {
            assert!(answer.body.contains(text), "{answer:?}");
        }
    }
    // In JSON for who wants it.
    let answer = ask(
        &server,
        get("topic=", "Accept: application/problem+json\r\n"),
    );
    let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(problem["type"], "urn:hookah:problem:bad_parameter");
}

/// Whoever is in stays in; who is not is told when to come, in words that it understands.
#[test]
fn who_finds_no_place_is_told_when_to_come() {
    let server = server_with(&["--max-streams", "2"]);
    let mut readers = [(); 2].map(|()| lines(&server, "topic=t"));
    // The wait is a chance's; so often that a wrong one is seen.
    let mut waits = BTreeSet::new();
    for query in ["topic=u", "topic=t&format=json"].repeat(50) {
        let answer = ask(&server, get(query, ""));
        assert_eq!(answer.status, 503, "{answer:?}");
        let wait = answer.fields.get("Retry-After").expect("a wait");
        let wait: u64 = wait.parse().expect("seconds");
        assert!((1..=10).contains(&wait), "{wait}");
        waits.insert(wait);
    }
    assert!(waits.len() > 1, "{waits:?}");
    // EventSource gives up for good on a 503.
    for request in [
        get("topic=t&format=sse", ""),
        get("topic=t", "Accept: text/event-stream\r\n"),
    ] {
        let answer = ask(&server, request);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.fields.get("Content-Type"), Some("text/event-stream"));
        let retry = answer.body.strip_prefix("retry: ");
        let retry = retry.and_then(|rest| rest.strip_suffix("\n:\n\n"));
        let retry: u64 = retry.expect("a retry").parse().expect("milliseconds");
        assert!(retry >= 1_000, "{retry}");
    }
    assert_eq!(metric(&server, "hookah_streams_refused_total"), 102);
    publish(&server, "_topic=t&a=1");
    for reader in &mut readers {
        assert_eq!(reader.text(), "a=1");
    }
    drop(readers);
    await_metric(&server, "hookah_streams", 0);
    drop(lines(&server, "topic=t"));
}

#[test]
fn nobody_is_let_in_while_the_server_stops() {
    let mut server = server_with(&["--drain-timeout", "5s"]);
    // Something to wait for: a stream that does not take its end.
    let mut late = Client::connect(server.addr());
    late.send("GET /stream?topic=t HTTP/1.1\r\nHost: h\r\n");
    let reader = lines(&server, "topic=t");
    server.signal("TERM");
    server.line_with("drain");
    late.send("\r\n");
    let answer = late.answer();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.fields.get("Retry-After").is_some());
    drop(reader);
}

#[test]
fn names_that_are_ours_are_not_for_publishing() {
    let server = Server::start();
    let form = "_topic=%24stats&a=1";
    let answer = ask(
        &server,
        format!(
            "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    );
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains('$'), "{}", answer.body);
}

#[test]
fn a_token_is_never_shown() {
    let server = server_with(&["--log", "trace"]);
    let secret = "k3yboard";
    let twice = format!("topic=t&token={secret}&token={secret}");
    for query in [
        twice,
        format!("topic=&token={secret}"),
        format!("token={secret}"),
    ] {
        let answer = refused(&server, &query);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.body.contains(secret), "{}", answer.body);
    }
    drop(asked(&server, &format!("topic=t&token={secret}")).lines());
    server.signal("TERM");
    let (_, stderr) = server.wait();
    assert!(!stderr.contains(secret), "{stderr}");
}
