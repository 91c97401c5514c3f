//! Callbacks and errbacks through the whole engine: who is told, when, of what, and what a store
//! that fails does to it.

use super::*;
use crate::model::record::End;
use crate::model::{Message, MessageId, Outcome};
use crate::port::StoreOp;

const TARGET: u16 = 9_001;
const CALLBACK: u16 = 9_002;
const ERRBACK: u16 = 9_003;

/// A POST that asks for both, with these options besides.
fn post(options: &str) -> String {
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    let body = format!(
        "_url={}/a&_callback={}/told&_errback={}/failed&a=1{options}",
        at(TARGET),
        at(CALLBACK),
        at(ERRBACK)
    );
    format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl World {
    /// The id of the message that a client has just been promised.
    fn take(&mut self, options: &str) -> MessageId {
        let client = self.open();
        let answer = self.say(client, &post(options));
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        let (_, id) = answer.split_once("Hookah-Id: ").expect("an id");
        MessageId::parse(&id[..30]).expect("an id")
    }

    /// The latest line, which leads to that port, is connected; what goes out on it.
    fn call(&mut self, port: u16) -> (Key, String) {
        assert_eq!(self.connects.last(), Some(&port), "of {:?}", self.connects);
        let line = *self.dialled.last().expect("a line");
        self.written.clear();
        self.engine.connected(self.now, line);
        self.turn();
        let bytes = self.written.iter().flat_map(|(_, bytes)| bytes.clone());
        (line, String::from_utf8(bytes.collect()).unwrap())
    }

    fn ends(&self) -> Vec<(usize, &End)> {
        let ends = self.handed.iter().enumerate();
        let ends = ends.filter_map(|(at, (_, op))| match op {
            StoreOp::End { end, .. } => Some((at, end)),
            _ => None,
        });
        ends.collect()
    }

    fn promised(&self) -> Vec<(usize, &Message)> {
        let ops = self.handed.iter().enumerate();
        let messages = ops.filter_map(|(at, (_, op))| match op {
            StoreOp::Accept {
                message,
                promised: true,
            } => Some((at, &**message)),
            _ => None,
        });
        messages.collect()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n";

#[test]
fn whoever_asked_is_told_once_with_the_answer() {
    let mut world = World::new(Settings::default());
    let id = world.take("&_label=l&_method=PUT");
    let (line, _) = world.call(TARGET);
    world.say(line, &format!("{OK}ok"));
    let (told, request) = world.call(CALLBACK);
    assert_eq!(world.connects, [TARGET, CALLBACK], "the errback was called");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /told HTTP/1.1\r\n"), "{head}");
    for field in [
        "Content-Type: application/json",
        "Hookah-Attempt: 1",
        "Hookah-Hops: 2",
    ] {
        assert!(head.contains(&format!("\r\n{field}")), "{field}: {head}");
    }
    assert!(!head.contains("webhook-signature"), "{head}");
    let want = [
        &format!(r#"{{"id":"{id}","url":"http://127.0.0.1:9001/a","method":"PUT","#),
        r#""outcome":"delivered","error":null,"attempts":1,"status":200,"#,
        r#""headers":{"x-a":"1","content-length":"2"},"body":"ok","#,
        r#""truncated":false,"label":"l"}"#,
    ];
    assert_eq!(body, want.concat());
    world.say(told, &format!("{OK}ok"));
    world.pass(Duration::from_secs(90));
    assert_eq!(world.connects.len(), 2, "a callback of a callback");
    assert_eq!(world.promised().len(), 1);
    assert!(world.engine.is_idle(), "something is left");
}

#[test]
fn the_end_and_what_tells_of_it_are_handed_over_in_one_piece() {
    let mut world = World::new(Settings::default());
    world.take("&_secret=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX&_retries=0");
    let (line, _) = world.call(TARGET);
    world.handed.clear();
    world.engine.received(
        world.now,
        line,
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    );
    world.act();
    let (end, told) = (world.ends()[0].0, world.promised());
    assert_eq!(told.len(), 2, "callback and errback");
    assert_eq!(
        (told[0].0, told[1].0),
        (end + 1, end + 3),
        "{:?}",
        world.handed
    );
    assert!(told[0].1.id < told[1].1.id);
    assert_eq!(told[0].1.hops, 1);
    assert!(matches!(world.handed[end + 2].1, StoreOp::Work(_)));
    world.turn();
    let bodies: Vec<_> = world
        .promised()
        .iter()
        .map(|(_, it)| it.body.to_vec())
        .collect();
    assert_eq!(bodies[0], bodies[1]);
    let body = String::from_utf8(bodies[0].clone()).unwrap();
    assert!(body.contains(r#""outcome":"failed","error":"status","attempts":1,"status":500"#));
    let calls = world.connects[1..].to_vec();
    assert!(
        calls.contains(&CALLBACK) && calls.contains(&ERRBACK),
        "{calls:?}"
    );
    assert_eq!(calls.len(), 2);
    let (_, request) = world.call_last();
    assert!(request.contains("\r\nwebhook-signature: v1,"), "{request}");
}

impl World {
    fn call_last(&mut self) -> (Key, String) {
        self.connects
            .push(self.connects.last().copied().unwrap_or(ERRBACK));
        let port = *self.connects.last().unwrap();
        self.call(port)
    }
}

#[test]
fn an_end_waits_for_the_body_but_not_for_ever() {
    let mut world = World::new(Settings::default());
    world.take("");
    let (line, _) = world.call(TARGET);
    world.say(line, &format!("{OK}o"));
    assert!(world.ends().is_empty(), "it ended before its body was here");
    world.say(line, "k");
    assert_eq!(world.ends()[0].1.outcome, Outcome::Delivered);
    let (_, request) = world.call(CALLBACK);
    assert!(
        request.contains(r#""body":"ok","truncated":false"#),
        "{request}"
    );

    let mut world = World::new(Settings::default());
    world.take("");
    let (line, _) = world.call(TARGET);
    world.say(line, &format!("{OK}o"));
    world.pass(Duration::from_secs(3));
    let (_, request) = world.call(CALLBACK);
    assert!(
        request.contains(r#""body":"o","truncated":true"#),
        "{request}"
    );

    let mut world = World::new(Settings::default());
    world.take("");
    let (line, _) = world.call(TARGET);
    world.say(line, &format!("{OK}o"));
    world.engine.ended(world.now, line, Ended::Reset);
    world.turn();
    let (_, request) = world.call(CALLBACK);
    assert!(request.contains(r#""status":200"#), "{request}");
    assert!(
        request.contains(r#""body":"o","truncated":true"#),
        "{request}"
    );
}

#[test]
fn a_head_decides_at_once_where_nobody_is_told() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    let head = "POST /dispatch/http://127.0.0.1:9001/ HTTP/1.1\r\nHost: h\r\n\
                Hookah-Errback: http://127.0.0.1:9003/\r\nContent-Length: 0\r\n\r\n";
    assert!(world.say(client, head).starts_with("HTTP/1.1 202 "));
    let (line, _) = world.call(TARGET);
    world.say(line, &format!("{OK}o"));
    assert_eq!(world.ends()[0].1.outcome, Outcome::Delivered);
    assert_eq!(world.connects, [TARGET], "an errback of what was delivered");
}

#[test]
fn what_expires_is_told_without_an_answer() {
    let mut world = World::new(Settings::default());
    world.take("&_expires=10s&_retry_schedule=1h");
    let (line, _) = world.call(TARGET);
    world.say(line, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno");
    world.pass(Duration::from_secs(11));
    assert_eq!(world.promised().len(), 2);
    let body = String::from_utf8(world.promised()[0].1.body.to_vec()).unwrap();
    let want = r#""outcome":"expired","error":null,"attempts":1,"status":null,"headers":{}"#;
    assert!(body.contains(want), "{body}");
}

#[test]
fn what_never_was_answered_names_the_error() {
    let mut world = World::new(Settings::default());
    world.take("&_retries=0");
    let line = world.dialled[0];
    world.engine.ended(world.now, line, Ended::Refused);
    world.turn();
    let body = String::from_utf8(world.promised()[0].1.body.to_vec()).unwrap();
    let want = r#""outcome":"failed","error":"connect","attempts":1,"status":null"#;
    assert!(body.contains(want), "{body}");
}

#[test]
fn a_store_that_fails_loses_no_callback() {
    let mut world = World::new(Settings::default());
    world.take("");
    let (line, _) = world.call(TARGET);
    world.stores = false;
    world.say(line, &format!("{OK}ok"));
    let last = world.handed.last().unwrap().0;
    let id = world.promised()[0].1.id;
    // Beside it a client's message, which is lost.
    let client = world.open();
    world.say(client, &post(""));
    let lost = world.handed.last().unwrap().0;
    world.written.clear();
    world.engine.stored(world.now, StoreDone::Failed(lost));
    world.turn();
    assert!(world.written[0].1.starts_with(b"HTTP/1.1 503 "));
    assert_eq!(world.connects, [TARGET], "it goes before it is durable");
    assert!(last < lost);
    world.engine.stored(world.now, StoreDone::Durable(lost));
    world.turn();
    let (_, request) = world.call(CALLBACK);
    assert!(request.contains(&format!("webhook-id: {id}")), "{request}");
}

#[test]
fn memory_that_is_full_loses_no_callback() {
    let mut world = World::new(Settings {
        memory_bytes_max: 8_000,
        ..Settings::default()
    });
    world.take("");
    let (line, _) = world.call(TARGET);
    let held = world.engine.turn.memory.held();
    assert!(world.engine.turn.memory.take(8_000 - held), "the rest");
    world
        .engine
        .received(world.now, line, format!("{OK}ok").as_bytes());
    world.engine.turn.memory.give(8_000 - held);
    world.turn();
    world.call(CALLBACK);
}

#[test]
fn who_is_told_is_vetted_like_a_target() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    for (options, want) in [
        (
            "_callback=http://169.254.169.254/",
            "403 Target is not allowed: callback: ",
        ),
        (
            "_errback=ftp://127.0.0.1/",
            "400 Bad target URL: errback: scheme ",
        ),
        (
            "_errback=http://127.0.0.1:1/&_targets=public",
            "403 Target is not allowed: ",
        ),
    ] {
        let path = format!("/dispatch?_topic=t&{options}");
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        let answer = world.say(client, &head);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.starts_with(want), "{options}: {body}");
    }
    assert!(world.handed.is_empty());
}
