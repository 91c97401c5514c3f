//! What posts bring to subscribers, and what these get to see of it.

use super::*;
use crate::dispatch::intake::Submission;
use crate::model::{Seal, SealMethod, TopicNames};

/// A POST to /dispatch with a target and a topic, to which these have subscribed.
fn posted(stage: &mut Stage, query: &str, callbacks: &[Callback]) -> Accepted {
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: Some(query),
        content_type: None,
        body: b"",
        headers: &[],
    };
    stage.seq += 1;
    let subscribed = |topics: &TopicNames, out: &mut Vec<Callback>| {
        assert!(topics.iter().eq([&b"t"[..]]));
        out.extend_from_slice(callbacks);
        Ok(())
    };
    let accepted = stage
        .dispatch
        .accept(&mut stage.turn, &submission, |_, _| Ok(()), subscribed);
    let accepted = accepted.unwrap();
    stage.settle(&accepted);
    accepted
}

#[test]
fn callbacks_are_numbered_behind_the_targets() {
    let mut stage = Stage::new();
    let callbacks = [
        stage.callback("http://user:pw@127.0.0.1:9001/"),
        stage.callback("http://127.0.0.1:9002/"),
    ];
    let query = "_url=http://127.0.0.1:9000/&_topic=t&a=b";
    let accepted = posted(&mut stage, query, &callbacks);
    assert_eq!(accepted.callbacks, 2);
    let open = accepted.open.unwrap();
    stage.dispatch.deliveries.durable(&mut stage.turn, open);
    let offers = stage.offers();
    assert_eq!(offers.len(), 2);
    let webhook = stage.dispatch.deliveries.next_due().map(|(key, ..)| key);
    let webhook = webhook.expect("a target's own delivery waits for nobody");
    stage.cancel(webhook);
    assert!(
        stage
            .dispatch
            .deliveries
            .begin(&mut stage.turn, webhook)
            .is_some()
    );
    stage.answer(webhook, 200);
    stage.cancel(offers[0]);
    let ended = |number, outcome, url: &str, detail: &str| {
        let shown = format!("http://127.0.0.1:{url} {detail}");
        (number, Status::Ended(outcome), shown)
    };
    let mut rows = [
        ended(1, Outcome::Delivered, "9000/", ""),
        ended(2, Outcome::Canceled, "9001/", "superseded"),
        (3, Status::Queued, String::new()),
    ];
    assert_eq!(stage.shown(&accepted), rows);
    stage.cancel(offers[1]);
    rows[2] = ended(3, Outcome::Canceled, "9002/", "superseded");
    assert_eq!(stage.shown(&accepted), rows);
    assert!(stage.is_over());
}

#[test]
fn a_delay_comes_before_the_offer() {
    let mut stage = Stage::new();
    let callbacks = [stage.callback("http://127.0.0.1:9001/")];
    let accepted = posted(&mut stage, "_topic=t&_delay=30h", &callbacks);
    let open = accepted.open.unwrap();
    stage.dispatch.deliveries.durable(&mut stage.turn, open);
    stage.pass(29 * HOUR);
    assert!(stage.offers().is_empty(), "too early");
    assert_eq!(stage.shown(&accepted)[0].1, Status::Scheduled);
    stage.pass(2 * HOUR);
    let offers = stage.offers();
    assert_eq!(offers.len(), 1);
    stage.begin(offers[0]);
    stage.answer(offers[0], 200);
    assert!(stage.is_over());
}

fn request(stage: &Stage, key: Key) -> String {
    let mut head = Vec::new();
    let body = stage
        .dispatch
        .deliveries
        .compose(&stage.turn, key, &mut head);
    assert!(!stage.dispatch.deliveries.is_head(key));
    let mut text = String::from_utf8(head).unwrap();
    text.push_str(std::str::from_utf8(&body.unwrap()).unwrap());
    text
}

#[test]
fn what_a_subscriber_gets() {
    let mut stage = Stage::new();
    let seal = Seal {
        method: SealMethod::Sha256,
        secret: (*b"key").into(),
    };
    let callback = Callback {
        seal: Some(Arc::new(seal)),
        ..stage.callback("http://user:pw@127.0.0.1:9001/a?b=c")
    };
    let accepted = stage.publish(&[callback]);
    let open = accepted.open.unwrap();
    stage.dispatch.deliveries.durable(&mut stage.turn, open);
    let key = stage.offers()[0];
    stage.begin(key);
    stage.answer(key, 500);
    stage.pass(Duration::from_secs(12));
    stage.begin_due(key);
    let (id, seconds) = (accepted.id, stage.turn.now.wall.seconds());
    let version = env!("CARGO_PKG_VERSION");
    let want = format!(
        "POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: Hookah/{version}\r\n\
         Content-Type: text/plain\r\nContent-Length: 7\r\nAuthorization: Basic dXNlcjpwdw==\r\n\
         Link: <http://hub/>; rel=\"hub\", <http://t/>; rel=\"self\"\r\n\
         X-Hub-Signature: sha256=\
         8cd8aeca06e9d8514f6a96aea10c9e118730892a3e3188eb869d1a29197bba7a\r\n\
         X-Hub-Delivery: {id}\r\nX-Hub-Attempt: 2\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {seconds}\r\nHookah-Attempt: 2\r\nHookah-Hops: 1\r\n\r\ncontent"
    );
    assert_eq!(request(&stage, key), want);
}

#[test]
fn of_the_publishers_fields_a_subscriber_gets_what_its_body_needs() {
    let mut stage = Stage::new();
    let callbacks = [stage.callback("http://127.0.0.1:9001/")];
    let query = "_url=http://127.0.0.1:9000/&_topic=t&_header=X-Own:1&_header=User-Agent:u\
                 &_header=Authorization:a&_header=Content-Encoding:gzip&_header=Link:l\
                 &_secret=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let open = posted(&mut stage, query, &callbacks).open.unwrap();
    stage.dispatch.deliveries.durable(&mut stage.turn, open);
    let own = stage.dispatch.deliveries.next_due().unwrap().0;
    assert!(
        stage
            .dispatch
            .deliveries
            .begin(&mut stage.turn, own)
            .is_some()
    );
    let own = request(&stage, own);
    assert!(
        own.starts_with("GET ") && own.contains("webhook-signature: v1,"),
        "{own}"
    );
    let key = stage.offers()[0];
    stage.begin(key);
    let notice = request(&stage, key);
    for line in [
        "POST / HTTP/1.1",
        "Content-Type: application/octet-stream",
        "Content-Length: 0",
        "Content-Encoding: gzip",
        "Link: <http://hub/>; rel=\"hub\", <http://t/>; rel=\"self\"",
    ] {
        assert!(
            notice.lines().any(|it| it == line),
            "{line} is not in {notice}"
        );
    }
    for name in [
        "X-Own",
        "Authorization",
        "webhook-signature",
        "X-Hub-Signature",
    ] {
        assert!(!notice.contains(name), "{name} is in {notice}");
    }
    assert_eq!(notice.matches("User-Agent").count(), 1, "{notice}");
    assert_eq!(notice.matches("Link").count(), 1, "{notice}");
}

#[test]
fn what_cannot_stand_in_a_head_did_not_come() {
    for (content_type, encoding) in [("a\r\nX: y", "gzip\r\nX: y"), ("a\0", "\x7f"), ("", "")] {
        let mut stage = Stage::new();
        let callback = stage.callback("http://127.0.0.1:9001/");
        let content = Content {
            topic: b"t",
            content_type,
            content_encoding: Some(encoding).filter(|it| !it.is_empty()),
            hops: 0,
            body: Frame::copy_of(b"x"),
        };
        let accepted = stage
            .dispatch
            .publish(&mut stage.turn, content, &[callback]);
        let accepted = accepted.unwrap();
        stage.settle(&accepted);
        let open = accepted.open.unwrap();
        stage.dispatch.deliveries.durable(&mut stage.turn, open);
        let key = stage.offers()[0];
        stage.begin(key);
        let notice = request(&stage, key);
        assert!(notice.contains("\r\nContent-Type: application/octet-stream\r\n"));
        assert!(!notice.contains("X: y") && !notice.contains("Content-Encoding"));
    }
}
