//! The window onto topics, and what a DELETE does.

use super::*;
use crate::base::stats::Counter;
use crate::base::time::Wall;
use crate::model::MessageId;

fn ask(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A topic with a message, and its id.
fn publish(world: &mut World, line: Key, topic: &str) -> String {
    let path = format!("/dispatch?_topic={topic}&n=1");
    let told = world.say(
        line,
        &ask("POST", &path).replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
    );
    world.now.mono = world.now.mono + Duration::from_millis(2);
    world.now.wall = world.now.wall + Duration::from_millis(2);
    let (_, id) = told.split_once("Hookah-Id: ").expect("taken");
    id[..30].to_owned()
}

#[test]
fn topics_are_listed_a_page_at_a_time() {
    let mut world = World::keeping(Settings::default());
    let (line, reader) = (world.open(), world.open());
    let empty = world.say(line, &ask("GET", "/topics"));
    assert_eq!(body(&empty), "{\"topics\":[],\"next\":null}\n");
    let ids = ["a", "b%2Fc", "d"].map(|topic| publish(&mut world, line, topic));
    world.say(reader, &ask("GET", "/stream?prefix=b&topic=e"));
    let first = world.say(line, &ask("GET", "/topics?limit=2"));
    let row = |name, streams, id: &str| {
        let counts = format!("\"streams\":{streams},\"callbacks\":0,\"messages\":1");
        format!(
            "{{\"topic\":\"{name}\",{counts},\"bytes\":0,\"published\":1,\"last_id\":\"{id}\"}}"
        )
    };
    let bytes = |text: &str| {
        let mut parts = text.split("\"bytes\":");
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let digits = part.find(|it: char| !it.is_ascii_digit()).unwrap();
            assert!(part[..digits].parse::<u64>().unwrap() > 0, "{text}");
            out += &format!("\"bytes\":0{}", &part[digits..]);
        }
        out
    };
    let (a, b) = (row("a", 0, &ids[0]), row("b/c", 1, &ids[1]));
    let want = format!("{{\"topics\":[{a},{b}],\"next\":\"2\"}}\n");
    assert_eq!(bytes(body(&first)), want);
    let second = world.say(line, &ask("GET", "/topics?limit=2&cursor=2"));
    assert!(body(&second).contains("\"topic\":\"d\""), "{second}");
    assert!(
        body(&second).contains("\"topic\":\"e\",\"streams\":1"),
        "{second}"
    );
    assert!(body(&second).ends_with("],\"next\":null}\n"), "{second}");
    let one = world.say(line, &ask("GET", "/topics/b%2Fc"));
    assert_eq!(bytes(body(&one)), b + "\n");
    let unknown = world.say(line, &ask("GET", "/topics/nowhere"));
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
    assert!(
        body(&unknown).starts_with("404 No such topic: topic: \"nowhere\""),
        "{unknown}"
    );
}

#[test]
fn a_topic_that_is_deleted_ends_who_named_it() {
    let mut world = World::keeping(Settings::default());
    let line = world.open();
    publish(&mut world, line, "a");
    let queries = [
        "topic=a",
        "topic=a&topic=b",
        "topic=a&wait=60",
        "prefix=a",
        "topic=b",
    ];
    let readers = queries.map(|query| {
        let reader = world.open();
        world.say(reader, &ask("GET", &format!("/stream?format=json&{query}")));
        reader
    });
    let told = world.say(line, &ask("DELETE", "/topics/a"));
    assert_eq!(body(&told), "{\"topic\":\"a\",\"ended\":3,\"dropped\":1}\n");
    let written = |key: Key| {
        let of_line = world.written.iter().filter(|(line, _)| *line == key);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    for reader in &readers[..2] {
        assert!(
            written(*reader).contains("{\"disconnect\":{\"code\":7,"),
            "{reader:?}"
        );
    }
    assert!(written(readers[2]).starts_with("HTTP/1.1 204 "));
    assert_eq!(written(readers[3]) + &written(readers[4]), "");
    assert_eq!(world.closed, readers[..2]);
    assert_eq!(world.engine.topics.streams(), 2);
    let gone = world.say(line, &ask("DELETE", "/topics/a"));
    assert!(gone.starts_with("HTTP/1.1 404 "), "{gone}");
    publish(&mut world, line, "a");
    let poll = world.say(line, &ask("GET", "/stream?topic=a&since=1000&poll=1"));
    assert!(poll.contains("\r\nHookah-Resume: reset\r\n"), "{poll}");
}

/// A GET of as many topics as one stream may have, with the longest names, by a POST.
fn wide(number: usize, more: &str) -> String {
    let name = |place: usize| format!("topic={number}-{place}-{}", "n".repeat(1_000));
    let form: Vec<String> = (0..64).map(name).collect();
    let form = form.join("&");
    format!(
        "POST /stream?{more} HTTP/1.1\r\nHost: h\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

#[test]
fn readers_of_too_many_topics_are_refused_and_nobody_else_is_ended() {
    let mut settings = Settings::default();
    settings.topics.bytes_max = 1 << 20;
    let mut world = World::keeping(settings);
    let (line, reader) = (world.open(), world.open());
    world.say(reader, &ask("GET", "/stream?topic=a&format=json"));
    let mut told = String::new();
    for number in 0..40 {
        let other = world.open();
        told = world.say(other, &wide(number, ""));
        if told.starts_with("HTTP/1.1 503 ") {
            break;
        }
    }
    assert!(told.contains("\r\nRetry-After: "), "{told}");
    let other = world.open();
    let told = world.say(other, &wide(41, "format=sse"));
    assert!(
        told.starts_with("HTTP/1.1 200 ") && told.contains("\r\n\r\nretry: "),
        "{told}"
    );
    assert!(
        told.contains("\r\nCache-Control: no-store, no-transform\r\n"),
        "{told}"
    );
    for _ in 0..3 {
        publish(&mut world, line, "a");
    }
    assert_eq!(world.engine.turn.stats.get(Counter::StreamsSlow), 0);
    let kept = world.say(line, &ask("GET", "/stream?topic=a&poll=1&format=json"));
    assert_eq!(body(&kept).lines().count(), 3, "{kept}");
}

#[test]
fn what_comes_with_a_streams_request_counts_as_heard() {
    for (first, second, stays) in [
        (0, 65_536, true),
        (40_000, 25_536, true),
        (40_000, 25_537, false),
    ] {
        let mut world = World::keeping(Settings::default());
        let reader = world.open();
        let told = world.say(
            reader,
            &(ask("GET", "/stream?topic=a") + &"x".repeat(first)),
        );
        assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
        world.say(reader, &"y".repeat(second));
        assert_eq!(world.closed.is_empty(), stays, "{first}, {second}");
    }
}

#[test]
fn a_clock_that_is_set_back_before_the_first_message_makes_no_gap() {
    let mut world = World::keeping(Settings::default());
    let (line, reader) = (world.open(), world.open());
    world.now.wall.0 -= 3_600_000_000;
    let first = publish(&mut world, line, "a");
    assert!(publish(&mut world, line, "a") > first);
    // A process before this one may have given any id up to its start.
    let start = MessageId::before(Wall(world.now.wall.0 + 3_600_000_000 - 4_000));
    assert!(first > start.to_string(), "{first}");
    let told = world.say(
        reader,
        &ask("GET", &format!("/stream?topic=a&since={first}")),
    );
    assert!(told.contains("\r\nHookah-Resume: continue\r\n"), "{told}");
}
