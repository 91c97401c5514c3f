//! Polls: when they are answered and with what, and that a line which polls stays a line.

use super::*;
use crate::base::stats::Counter;
use crate::topics;

const POLL: &str = "GET /stream?topic=a&format=json&poll=1 HTTP/1.1\r\nHost: h\r\n\r\n";

fn get(query: &str, fields: &str) -> String {
    format!("GET /stream?topic=a&{query} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

impl World {
    fn publish_form(&mut self, key: Key, body: &str) {
        let form = "Content-Type: application/x-www-form-urlencoded";
        let body = format!("_topic=a&{body}");
        let length = body.len();
        let head = format!("POST /dispatch HTTP/1.1\r\nHost: h\r\n{form}\r\n");
        let told = self.say(
            key,
            &format!("{head}Content-Length: {length}\r\n\r\n{body}"),
        );
        assert!(told.starts_with("HTTP/1.1 202 "), "{told}");
        // Ids are of one millisecond or a later one.
        self.now.mono = self.now.mono + Duration::from_millis(2);
        self.now.wall = self.now.wall + Duration::from_millis(2);
    }

    /// What was written on a line since the last bytes came from anybody.
    fn written_on(&self, key: Key) -> String {
        let of_line = self.written.iter().filter(|(line, _)| *line == key);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The value of a field of an answer.
pub(super) fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.find_map(|line| line.split_once(": ").filter(|(it, _)| *it == name));
    line.map(|(_, value)| value)
}

pub(super) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("")
}

#[test]
fn a_poll_is_answered_with_what_there_is_and_the_tag_goes_on_behind_it() {
    let mut world = World::keeping(Settings::default());
    let (publisher, reader) = (world.open(), world.open());
    let empty = world.say(reader, POLL);
    assert_eq!(status(&empty), "204", "{empty}");
    for number in 0..3 {
        world.publish_form(publisher, &format!("n={number}"));
    }
    let all = world.say(reader, &get("poll=1", ""));
    assert_eq!(status(&all), "200", "{all}");
    assert!(all.ends_with("\r\n\r\nn=0\r\nn=1\r\nn=2\r\n"), "{all}");
    assert_eq!(field(&all, "Content-Length"), Some("15"));
    assert_eq!(field(&all, "Hookah-Resume"), Some("new"));
    let tag = field(&all, "ETag").unwrap();
    assert_eq!(
        tag.trim_matches('"'),
        field(&all, "Hookah-Last-Id").unwrap()
    );
    let condition = format!("If-None-Match: {tag}\r\n");
    let none = world.say(reader, &get("poll=1", &condition));
    assert_eq!(
        (status(&none), field(&none, "ETag")),
        ("304", Some(tag)),
        "{none}"
    );
    assert!(none.ends_with("\r\n\r\n") && field(&none, "Content-Length").is_none());
    world.publish_form(publisher, "n=3");
    let next = world.say(reader, &get("poll=1", &condition));
    assert!(next.ends_with("\r\n\r\nn=3\r\n"), "{next}");
    assert_eq!(field(&next, "Hookah-Resume"), Some("continue"));
    assert_eq!(world.engine.turn.memory.held(), 0);
}

#[test]
fn a_poll_that_waits_is_answered_with_all_that_one_turn_brings() {
    let mut world = World::keeping(Settings::default());
    let (publisher, reader) = (world.open(), world.open());
    assert_eq!(world.say(reader, &get("wait=60", "")), "");
    assert_eq!(world.engine.topics.streams(), 1);
    world.pass(Duration::from_secs(59));
    let one = |n| {
        format!("POST /dispatch?_topic=a&n={n} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    };
    world.say(publisher, &(one(1) + &one(2)));
    let answer = world.written_on(reader);
    assert!(answer.ends_with("\r\n\r\nn=1\r\nn=2\r\n"), "{answer}");
    assert_eq!(world.engine.topics.streams(), 0);
    assert!(
        world
            .say(reader, &get("wait=60&since=all", ""))
            .ends_with("n=2\r\n")
    );
}

#[test]
fn nothing_in_time_is_204_and_304_after_a_condition() {
    for (fields, want) in [
        ("", "204"),
        (
            "If-None-Match: \"msg_00000000000000000000000001\"\r\n",
            "304",
        ),
    ] {
        let mut world = World::keeping(Settings::default());
        let reader = world.open();
        assert_eq!(world.say(reader, &get("wait=7", fields)), "");
        world.pass(Duration::from_millis(6_900));
        assert_eq!(world.written_on(reader), "");
        world.pass(Duration::from_millis(200));
        let answer = world.written_on(reader);
        assert_eq!(status(&answer), want, "{answer}");
        assert!(
            world
                .say(reader, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
                .ends_with("ok\n")
        );
        world.pass(Duration::from_secs(70));
        assert_eq!(world.closed, [reader], "idle as any other");
    }
}

#[test]
fn what_is_asked_behind_a_poll_is_answered_behind_it() {
    let mut world = World::keeping(Settings::default());
    let (publisher, reader) = (world.open(), world.open());
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let (wait, since) = (get("wait=5", ""), get("wait=5&since=all", ""));
    let got = world.say(reader, &format!("{health}{wait}{health}{since}{wait}"));
    assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{got}");
    world.publish_form(publisher, "n=1");
    let got = world.written_on(reader);
    let statuses: Vec<&str> = got.split("HTTP/1.1 ").skip(1).map(|it| &it[..3]).collect();
    assert_eq!(statuses, ["200", "200", "200"], "{got}");
    assert_eq!(got.matches("n=1\r\n").count(), 2);
    world.written.clear();
    world.pass(Duration::from_secs(6));
    assert_eq!(status(&world.written_on(reader)), "204");
}

#[test]
fn a_client_that_goes_gives_up_its_seat() {
    for (why, last) in [
        (Ended::Finished, ""),
        (Ended::Reset, ""),
        (Ended::Finished, "Connection: close\r\n"),
        (Ended::Reset, "Connection: close\r\n"),
    ] {
        let mut world = World::keeping(Settings::default());
        let readers = [world.open(), world.open(), world.open()];
        for reader in readers {
            world.say(reader, &get("wait=60", last));
            assert!(
                world.engine.wants_read(reader),
                "its end would not be noticed"
            );
        }
        assert_eq!(world.engine.topics.streams(), 3);
        world.written.clear();
        world.engine.ended(world.now, readers[0], why);
        world.turn();
        assert_eq!(world.engine.topics.streams(), 2);
        // A client may have finished sending and still listen.
        let told = world.written_on(readers[0]);
        assert_eq!(told.starts_with("HTTP/1.1 204 "), why == Ended::Finished);
        assert_eq!(world.closed, [readers[0]]);
    }
}

#[test]
fn a_drain_answers_who_waits_and_says_close() {
    let mut world = World::keeping(Settings::default());
    let (waiting, late) = (world.open(), world.open());
    world.say(waiting, &get("wait=60", ""));
    world.say(late, "GET /str");
    world.engine.drain(world.now);
    world.turn();
    let rest = get("wait=60", "").replace("GET /str", "");
    for (line, got) in [
        (waiting, world.written_on(waiting)),
        (late, world.say(late, &rest)),
    ] {
        assert_eq!(status(&got), "204", "{line:?}: {got}");
        assert_eq!(field(&got, "Connection"), Some("close"));
    }
    world.pass(Duration::from_secs(2));
    assert!(world.engine.drained());
}

#[test]
fn polls_that_wait_count_as_streams_and_others_do_not() {
    let mut world = World::keeping(Settings {
        topics: topics::Settings {
            streams_max: Some(2),
            ..topics::Settings::default()
        },
        ..Settings::default()
    });
    let [first, second, third] = [world.open(), world.open(), world.open()];
    let wait = get("wait=60", "");
    // A line has one place, whatever it asks for behind that.
    assert_eq!(world.say(first, &format!("{wait}{wait}")), "");
    assert!(world.say(second, &get("", "")).starts_with("HTTP/1.1 200 "));
    for refused in [&wait, &get("", ""), &get("wait=1&format=sse", "")] {
        let told = world.say(third, refused);
        assert_eq!(status(&told), "503", "{told}");
        assert!(field(&told, "Retry-After").is_some());
    }
    assert_eq!(status(&world.say(third, &get("poll=1", ""))), "204");
    let head = get("", "").replace("GET", "HEAD");
    let told = world.say(third, &format!("{head}{wait}"));
    assert_eq!(
        told.matches("HTTP/1.1 503 ").count(),
        1,
        "a HEAD opens no door: {told}"
    );
    assert_eq!(world.engine.turn.stats.get(Counter::StreamsRefused), 4);
    world.pass(Duration::from_secs(61));
    world.pass(Duration::from_secs(61));
    assert_eq!(world.say(third, &wait), "");
}

#[test]
fn an_answer_is_on_the_account_until_it_is_sent_and_bounded() {
    let mut settings = Settings::default();
    settings.topics.backlog_bytes = 64 << 20;
    settings.limits.stall_timeout = Duration::from_secs(10);
    let mut world = World::keeping(settings);
    let (publisher, reader, other) = (world.open(), world.open(), world.open());
    let filler = "x".repeat(900_000);
    for number in 0..6 {
        world.publish_form(publisher, &format!("n={number}&x={filler}"));
    }
    world.writable = false;
    world.say(reader, POLL);
    let held = world.engine.turn.memory.held();
    assert!((3_600_000..3_700_000).contains(&held), "{held}");
    world.pass(Duration::from_secs(11));
    assert_eq!(world.closed, [reader]);
    assert_eq!(world.engine.turn.memory.held(), 0, "gone with its line");
    world.writable = true;
    let page = world.say(other, &get("poll=1", ""));
    assert_eq!(
        page.matches("x=").count(),
        4,
        "more than a slow reader may have"
    );
    assert_eq!(
        world.engine.turn.memory.held(),
        0,
        "sent, and still on the account"
    );
    let tag = field(&page, "ETag").unwrap();
    assert_eq!(
        tag.trim_matches('"'),
        field(&page, "Hookah-Last-Id").unwrap()
    );
    let rest = world.say(other, &get("poll=1", &format!("If-None-Match: {tag}\r\n")));
    assert_eq!(rest.matches("x=").count(), 2);
}

#[test]
fn no_memory_for_an_answer_is_said() {
    let mut world = World::keeping(Settings {
        memory_bytes_max: 1 << 20,
        ..Settings::default()
    });
    let (publisher, reader) = (world.open(), world.open());
    let filler = "x".repeat(400_000);
    for number in 0..2 {
        world.publish_form(publisher, &format!("n={number}&x={filler}"));
    }
    let (first, second) = (world.open(), world.open());
    for (line, want) in [(first, 1), (second, 2)] {
        let head = "POST /dispatch?_topic=b HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n";
        world.say(line, &(head.to_owned() + &"y".repeat(190_000)));
        let held = world.engine.turn.memory.held();
        assert!((want * 190_000..want * 201_000).contains(&held), "{held}");
    }
    let told = world.say(reader, &get("poll=1", ""));
    assert_eq!(status(&told), "503", "{}", told.len());
    let wait: u64 = field(&told, "Retry-After").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(world.engine.topics.streams(), 0);
}

#[test]
fn a_head_is_the_head_of_the_stream_and_opens_none() {
    let mut world = World::keeping(Settings::default());
    let (line, stream) = (world.open(), world.open());
    for query in [
        "",
        "format=sse&since=all",
        "format=json&count=-3",
        "prefix=b",
    ] {
        let get = get(query, "");
        let told = world.say(line, &get.replace("GET", "HEAD"));
        let opened = world.open();
        let head = world.say(opened, &get);
        let (head, _) = head.split_once("\r\n\r\n").unwrap();
        assert_eq!(told, format!("{head}\r\n\r\n"), "{query}");
    }
    assert_eq!(
        world.engine.topics.streams(),
        3,
        "four GETs, one of which has ended"
    );
    let old = "HEAD /stream?topic=a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let told = world.say(stream, old);
    assert_eq!(field(&told, "Connection"), Some("close"), "{told}");
    assert_eq!(field(&told, "Transfer-Encoding"), None);
    world.pass(Duration::from_secs(2));
    assert!(world.closed.contains(&stream), "it said that it closes");
}

#[test]
fn a_head_of_a_poll_does_not_wait() {
    let mut world = World::keeping(Settings::default());
    let (publisher, line) = (world.open(), world.open());
    let head = get("wait=60&since=all", "").replace("GET", "HEAD");
    assert_eq!(status(&world.say(line, &head)), "204");
    world.publish_form(publisher, "n=1");
    let told = world.say(line, &head);
    assert_eq!(field(&told, "Content-Length"), Some("5"));
    assert!(told.ends_with("\r\n\r\n"), "{told}");
}

#[test]
fn an_old_client_gets_an_answer_with_its_length() {
    let mut world = World::keeping(Settings::default());
    let (publisher, line) = (world.open(), world.open());
    world.say(
        line,
        "GET /stream?topic=a&wait=9 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    world.publish_form(publisher, "n=1");
    let told = world.written_on(line);
    assert_eq!(field(&told, "Connection"), Some("keep-alive"), "{told}");
    assert_eq!(field(&told, "Content-Length"), Some("5"));
    world.say(line, "GET /stream?topic=a&wait=9 HTTP/1.0\r\n\r\n");
    world.publish_form(publisher, "n=2");
    assert_eq!(field(&world.written_on(line), "Connection"), Some("close"));
    assert!(world.written_on(line).ends_with("\r\n\r\nn=2\r\n"));
}
