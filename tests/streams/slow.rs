//! Readers that do not read, or not fast enough: they hurt nobody else, and are told.

use crate::decode::{Counted, Item, Said};
use crate::reader::{Stream, asked, counted, events, lines};
use crate::server::Server;
use crate::{await_metric, metric, publish, server_with};

/// No backlog, so that what is held is held for readers alone.
const LIVE: [&str; 2] = ["--backlog-messages", "0"];

/// Publishes a message of that many bytes.
fn fill(server: &Server, number: usize, bytes: usize) -> String {
    let start = format!("n={number}&x=");
    let filler = "x".repeat(bytes - start.len());
    publish(server, &format!("_topic=t&{start}{filler}"));
    start + &filler
}

#[test]
fn a_reader_that_never_reads_is_ended_and_the_others_get_everything() {
    let mut server = server_with(&LIVE);
    let stuck = asked(&server, "topic=t&format=json");
    let mut readers = [(); 2].map(|()| lines(&server, "topic=t"));
    await_metric(&server, "hookah_streams", 3);
    let mut sent = 0;
    while metric(&server, "hookah_streams_slow_total") == 0 {
        // 4 MiB for the reader, and what the kernel took of it.
        assert!(sent < 24, "6 MB, and nobody is slow");
        let form = fill(&server, sent, 250_000);
        for reader in &mut readers {
            assert_eq!(reader.text(), form);
        }
        sent += 1;
    }
    assert!(sent > 16, "ended after {sent} times 250 kB");
    publish(&server, "_topic=t&end=1");
    for reader in &mut readers {
        assert_eq!(reader.text(), "end=1");
    }
    drop(readers);
    // The frame under way is finished; then it is told.
    let mut stuck = stuck.lines();
    let mut got = 0;
    let why = loop {
        match stuck.said() {
            Said::Message(_) => got += 1,
            Said::Notice(kind, why) => break (kind, why),
        }
    };
    assert!((1..sent).contains(&got), "{got} of {sent}");
    let want = r#"{"code":4,"stream_name":"t","reason":"stall"}"#;
    assert_eq!((&*why.0, &*why.1), ("disconnect", want));
    stuck.ends();
    let line = server.line_with("stream_stalled ");
    assert!(line.ends_with("topics=\"t\" why=behind"), "{line}");
    await_metric(&server, "hookah_streams", 0);
    assert_eq!(metric(&server, "hookah_topics_bytes"), 0);
}

#[test]
fn a_burst_within_the_bounds_ends_nobody() {
    let server = server_with(&LIVE);
    let late = asked(&server, "topic=t");
    let small = asked(&server, "topic=t&delimited=length");
    await_metric(&server, "hookah_streams", 2);
    let forms: Vec<String> = (0..80).map(|n| fill(&server, n, 50_000)).collect();
    let (mut late, mut small) = (late.lines(), small.counted());
    for form in &forms {
        assert_eq!(late.text(), *form);
        assert_eq!(small.text(), *form);
    }
    assert_eq!(metric(&server, "hookah_streams_slow_total"), 0);
    assert_eq!(metric(&server, "hookah_streams"), 2);
}

#[test]
fn one_message_is_admitted_whatever_its_size() {
    let server = server_with(&["--max-body", "8MiB"]);
    let mut readers = [(); 2].map(|()| counted(&server, "topic=t&delimited=length"));
    let form = fill(&server, 0, 7_000_000);
    for reader in &mut readers {
        assert!(reader.text() == form);
    }
    assert_eq!(metric(&server, "hookah_streams_slow_total"), 0);
}

#[test]
fn who_takes_nothing_for_too_long_is_gone() {
    let mut server = server_with(&["--stall-timeout", "300ms"]);
    let stuck = asked(&server, "topic=t");
    let mut reader = lines(&server, "topic=t");
    await_metric(&server, "hookah_streams", 2);
    // More than the kernel takes for it, far less than it may be behind.
    let form = fill(&server, 0, 900_000);
    assert_eq!(reader.text(), form);
    await_metric(&server, "hookah_timeouts_stall_total", 1);
    await_metric(&server, "hookah_streams", 1);
    publish(&server, "_topic=t&end=1");
    assert_eq!(reader.text(), "end=1");
    let line = server.line_with("stream_stalled ");
    assert!(line.ends_with("topics=\"t\" why=takes_nothing"), "{line}");
    drop(stuck);
}

#[test]
fn who_falls_behind_is_told_if_it_likes() {
    let server = server_with(&LIVE);
    let query = "topic=t&stall_warnings=true";
    let json = asked(&server, &format!("{query}&format=json"));
    let sse = asked(&server, &format!("{query}&format=sse"));
    let raw = asked(&server, query);
    let without = asked(&server, "topic=t&format=json");
    await_metric(&server, "hookah_streams", 4);
    for number in 0..15 {
        fill(&server, number, 250_000);
    }
    let check = |warning: &serde_json::Value| {
        assert_eq!(warning["code"], "FALLING_BEHIND");
        let percent = warning["percent_full"].as_u64().expect("a number");
        assert!((60..=100).contains(&percent), "{percent}");
    };
    let mut json = json.lines();
    let (mut warnings, mut messages) = (0, 0);
    while messages < 15 {
        match json.said() {
            Said::Message(_) => messages += 1,
            Said::Notice(kind, object) => {
                assert_eq!(kind, "warning");
                check(&serde_json::from_str(&object).expect("JSON"));
                warnings += 1;
            }
        }
    }
    assert_eq!(warnings, 1, "not again within five minutes");
    let (mut sse, _) = sse.events();
    sse.line();
    check(&sse.notice("warning"));
    let (mut raw, mut without) = (raw.lines(), without.lines());
    for _ in 0..15 {
        assert!(raw.text().starts_with("n="), "raw has no notices");
        without.line();
    }
}

#[test]
fn who_would_rather_lose_messages_keeps_its_stream() {
    let server = server_with(&LIVE);
    let json = asked(&server, "topic=t&slow=drop&format=json");
    let raw = asked(&server, "topic=t&slow=drop&delimited=length");
    await_metric(&server, "hookah_streams", 2);
    let forms: Vec<String> = (0..40).map(|n| fill(&server, n, 250_000)).collect();
    assert_eq!(metric(&server, "hookah_streams"), 2);
    assert_eq!(metric(&server, "hookah_streams_slow_total"), 0);
    publish(&server, "_topic=t&end=1");
    let (mut json, mut got, mut lost) = (json.lines(), 0, 0);
    loop {
        match json.said() {
            Said::Message(line) if line.media_type == crate::FORM => got += 1,
            Said::Message(line) => panic!("{line:?}"),
            Said::Notice(kind, object) => {
                assert_eq!(kind, "limit");
                let object: serde_json::Value = serde_json::from_str(&object).expect("JSON");
                let track = object["track"].as_u64().expect("a number");
                assert!(track > lost, "the number lost grows: {track}, {lost}");
                lost = track;
            }
        }
        if got + lost == 41 {
            break;
        }
    }
    assert!(lost > 20, "{lost} lost");
    let raw = raw.counted();
    let mut left = forms.into_iter();
    let count = in_order(raw, &mut left);
    assert!((10..40).contains(&count), "{count} of 40 came");
    assert!(metric(&server, "hookah_streams_missed_total") >= 2 * lost - 2);
}

/// Reads up to the message that says that it is the last; how many of `forms` came, in order.
fn in_order(mut reader: Stream<Counted>, forms: &mut impl Iterator<Item = String>) -> usize {
    let mut count = 0;
    while let Some(Item::Text(text)) = reader.next() {
        if text == b"end=1" {
            return count;
        }
        let known = forms.any(|form| form.as_bytes() == text);
        assert!(known, "out of order, or twice");
        count += 1;
    }
    panic!("it ended")
}

/// The stream that is ended for its slowness comes back with what it got last, as browsers do.
#[test]
fn who_was_ended_comes_back_where_it_was() {
    let server = server_with(&["--backlog-messages", "100", "--backlog-bytes", "16MiB"]);
    let topic = "topic=t&format=sse";
    let (mut first, _) = events(&server, topic);
    let ids: Vec<String> = (0..3)
        .map(|number| publish(&server, &format!("_topic=t&n={number}")))
        .collect();
    assert_eq!(first.line().id, ids[0]);
    drop(first);
    let again = format!("{topic}&last_event_id={}", ids[0]);
    let (mut again, _) = events(&server, &again);
    assert_eq!([again.line().id, again.line().id], ids[1..]);
}
