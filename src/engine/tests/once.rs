//! Idempotency keys and batches through the whole engine: who waits for the store, and what one
//! that fails does to them.

use super::*;
use crate::model::record::{Restored, Table};
use crate::port::StoreOp;

fn post(key: &str, body: &str) -> String {
    format!(
        "POST /dispatch/http://127.0.0.1:9001/ HTTP/1.1\r\nHost: h\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn batch(body: &str) -> String {
    let length = body.len();
    format!("POST /dispatch/batch HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = answer.split_once(&format!("\r\n{name}: "))?;
    rest.split("\r\n").next()
}

impl World {
    /// The store says this; the answers that go out then, in order.
    fn settle(&mut self, done: StoreDone) -> Vec<String> {
        self.written.clear();
        self.engine.stored(self.now, done);
        self.turn();
        let texts = self.written.iter();
        let texts = texts.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        texts.collect()
    }

    fn handed_last(&self) -> Seq {
        self.handed.last().expect("something").0
    }

    fn messages(&self) -> usize {
        let accepts = |(_, op): &&(Seq, StoreOp)| matches!(op, StoreOp::Accept { .. });
        self.handed.iter().filter(accepts).count()
    }
}

#[test]
fn the_same_request_is_taken_once() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    let first = world.say(client, &post("k", "a"));
    assert_eq!(field(&first, "Hookah-Duplicate"), None);
    let again = world.say(client, &post("k", "a"));
    assert!(again.starts_with("HTTP/1.1 202 "), "{again}");
    assert_eq!(field(&again, "Hookah-Duplicate"), Some("true"));
    let id = field(&first, "Hookah-Id").unwrap();
    assert_eq!(field(&again, "Hookah-Id"), Some(id));
    let other = world.say(client, &post("k", "b"));
    assert!(other.starts_with("HTTP/1.1 422 "), "{other}");
    assert!(other.contains(id), "{other}");
    let free = world.say(client, &post("l", "b"));
    assert_eq!(field(&free, "Hookah-Duplicate"), None, "{free}");
    assert_eq!(world.messages(), 2);
}

#[test]
fn the_key_is_handed_over_with_its_message_and_lasts_a_day() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    world.say(client, &post("k", "a"));
    let kinds = world.handed.iter().map(|(_, op)| match op {
        StoreOp::Accept { .. } => "accept",
        StoreOp::Work(_) => "work",
        StoreOp::Keep { value: Some(_), .. } => "keep",
        StoreOp::Keep { value: None, .. } => "forget",
        _ => "else",
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["accept", "work", "keep"]);
    world.engine.ended(world.now, client, Ended::Reset);
    world.now.wall = world.now.wall + Duration::from_secs(86_400);
    world.pass(Duration::from_secs(86_400));
    assert!(world.engine.dispatch.once.is_empty());
    assert_eq!(world.engine.dispatch.once.check(), 0);
    assert!(matches!(
        world
            .handed
            .iter()
            .rev()
            .find(|(_, op)| matches!(op, StoreOp::Keep { .. })),
        Some((_, StoreOp::Keep { value: None, .. }))
    ));
}

#[test]
fn a_second_request_waits_for_the_first_ones_commit() {
    let mut world = World::new(Settings::default());
    world.stores = false;
    let (one, two, three) = (world.open(), world.open(), world.open());
    assert_eq!(world.say(one, &post("k", "a")), "");
    let first = world.handed_last();
    assert_eq!(world.say(three, &post("other", "a")), "");
    assert_eq!(world.say(two, &post("k", "a")), "");
    assert_eq!(world.handed_last(), first + 3, "it was taken twice");
    let answers = world.settle(StoreDone::Durable(first));
    assert_eq!(answers.len(), 2, "{answers:?}");
    let ids: Vec<_> = answers.iter().map(|it| field(it, "Hookah-Id")).collect();
    assert_eq!(ids[0], ids[1]);
    let again: Vec<_> = answers
        .iter()
        .map(|it| field(it, "Hookah-Duplicate"))
        .collect();
    assert_eq!(again, [None, Some("true")]);
    let answers = world.settle(StoreDone::Durable(first + 3));
    assert_eq!(answers.len(), 1);
}

#[test]
fn both_are_refused_if_the_first_is_lost_and_the_key_is_free() {
    let mut world = World::new(Settings::default());
    world.stores = false;
    let (one, two) = (world.open(), world.open());
    world.say(one, &post("k", "a"));
    world.say(two, &post("k", "a"));
    let answers = world.settle(StoreDone::Failed(world.handed_last()));
    assert_eq!(answers.len(), 2, "{answers:?}");
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    assert!(world.engine.dispatch.once.is_empty());
    world.stores = true;
    let again = world.say(one, &post("k", "a"));
    assert!(again.starts_with("HTTP/1.1 202 "), "{again}");
    assert_eq!(field(&again, "Hookah-Duplicate"), None, "{again}");
}

#[test]
fn a_key_of_the_time_before_is_known() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    let first = world.say(client, &post("k", "a"));
    let kept = world.handed.drain(..).find_map(|(_, op)| match op {
        StoreOp::Keep { table, key, value } => Some((table, key, value?)),
        _ => None,
    });
    let (table, key, value) = kept.expect("a key");
    assert_eq!(table, Table::Keys);
    let mut world = World::new(Settings::default());
    let rows = vec![Restored::Kept { table, key, value }];
    world.engine.stored(world.now, StoreDone::Restored(rows));
    world.turn();
    let client = world.open();
    let again = world.say(client, &post("k", "a"));
    assert_eq!(field(&again, "Hookah-Id"), field(&first, "Hookah-Id"));
    assert_eq!(field(&again, "Hookah-Duplicate"), Some("true"));
    assert!(
        world
            .say(client, &post("k", "b"))
            .starts_with("HTTP/1.1 422 ")
    );
}

#[test]
fn what_cannot_be_a_key_is_refused_and_nothing_is_kept() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    for key in [&"k".repeat(256), "", "\t"] {
        let answer = world.say(client, &post(key, "a"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{key:?}: {answer}");
        assert!(answer.contains("Idempotency-Key: "), "{answer}");
    }
    // A message that cannot be taken in leaves no key behind.
    let nowhere = "POST /dispatch/http://169.254.169.254/ HTTP/1.1\r\nHost: h\r\n\
                   Idempotency-Key: k\r\nContent-Length: 0\r\n\r\n";
    assert!(world.say(client, nowhere).starts_with("HTTP/1.1 403 "));
    assert!(world.engine.dispatch.once.is_empty());
    assert_eq!(world.engine.turn.memory.held(), 0);
}

const MIXED: &str = r#"[{"url":"http://127.0.0.1:9001/a","body":{"n":1}},
    {"url":"http://169.254.169.254/"},
    {"topic":"t","body":"text"},
    7,
    {"url":"http://127.0.0.1:9001/b","idempotency_key":"k"},
    {"url":"http://127.0.0.1:9001/b","idempotency_key":"k"}]"#;

#[test]
fn a_batch_is_answered_as_a_whole_once_it_lasts() {
    let mut world = World::new(Settings::default());
    world.stores = false;
    let client = world.open();
    assert_eq!(world.say(client, &batch(MIXED)), "");
    assert_eq!(world.messages(), 3);
    // Not while any of them may be lost.
    let last = world.handed_last();
    assert_eq!(world.settle(StoreDone::Durable(2)), [""; 0]);
    let answers = world.settle(StoreDone::Durable(last));
    let answer = &answers[0];
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(field(answer, "Hookah-Durability"), Some("memory"));
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let outcomes: Vec<&str> = body
        .split("},{")
        .map(|it| it.trim_start_matches(['[', '{']))
        .collect();
    let starts = [
        "\"id\":\"msg_",
        "\"error\":{\"type\":\"urn:hookah:problem:target_forbidden\"",
        "\"id\":\"msg_",
        "\"error\":{\"type\":\"urn:hookah:problem:bad_option\"",
        "\"id\":\"msg_",
        "\"id\":\"msg_",
    ];
    assert_eq!(outcomes.len(), starts.len(), "{body}");
    for (outcome, start) in outcomes.iter().zip(starts) {
        assert!(outcome.starts_with(start), "{outcome}");
    }
    assert!(outcomes[5].ends_with("\"duplicate\":true}]"), "{body}");
    assert_eq!(outcomes[4][..36], outcomes[5][..36]);
    use crate::base::stats::Counter;
    let stats = world.engine.stats();
    assert_eq!(stats.get(Counter::MessagesAccepted), 3);
    assert_eq!(stats.get(Counter::MessagesRepeated), 1);
    assert_eq!(stats.get(Counter::TargetsForbidden), 1);
}

#[test]
fn a_batch_that_is_lost_is_refused_as_a_whole() {
    let mut world = World::new(Settings::default());
    world.stores = false;
    let client = world.open();
    world.say(client, &batch(MIXED));
    let answers = world.settle(StoreDone::Failed(world.handed_last()));
    assert!(answers[0].starts_with("HTTP/1.1 503 "), "{answers:?}");
    assert!(
        answers[0].contains("application/problem+json"),
        "{answers:?}"
    );
    assert!(world.engine.dispatch.once.is_empty());
    world.engine.ended(world.now, client, Ended::Reset);
    world.settle(StoreDone::Durable(world.handed_last()));
    world.pass(Duration::from_secs(1));
    assert!(world.engine.is_idle(), "something is left");
    // A client that goes before its answer leaves nothing of it.
    let client = world.open();
    world.say(client, &batch("[{\"url\":7}, {\"topic\":\"t\"}]"));
    world.engine.ended(world.now, client, Ended::Reset);
    world.turn();
    world.settle(StoreDone::Failed(world.handed_last()));
    assert!(world.engine.is_idle(), "something is left");
}

#[test]
fn a_batch_that_is_no_json_is_refused_and_nothing_is_taken() {
    let mut world = World::new(Settings::default());
    let client = world.open();
    let broken = batch("[{\"topic\":\"t\"},{\"topic\":\"t\"");
    let answer = world.say(client, &broken);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("byte 27: it ends too early"), "{answer}");
    let answer = world.say(client, &batch("[]"));
    assert!(answer.ends_with("\r\n\r\n[]"), "{answer}");
    assert!(world.handed.is_empty());
    let lines = "{\"topic\":\"t\"}\n{\"topic\":\"t\",\"event\":\"e\"}\n";
    let answer = world.say(client, &batch(lines));
    assert_eq!(answer.matches("\"id\":\"msg_").count(), 2, "{answer}");
}
