//! Verification of intent: what goes over the wire, what its answers change, and denials.

use super::*;
use crate::hub::name::Callback as Called;

#[test]
fn rows_25_to_28_the_get_says_what_it_must() {
    let mut story = Story::new();
    story.subscribe("&hub.lease_seconds=1000").unwrap();
    let out = story.called();
    let line = out.line();
    assert!(
        line.starts_with("GET /in?a=1&hub.mode=subscribe&hub.topic="),
        "{line}"
    );
    assert!(line.ends_with(" HTTP/1.1"), "{line}");
    let topic = "http%3A%2F%2Fpublisher.test%2Ffeed";
    assert_eq!(out.param("hub.topic"), Some(topic));
    assert_eq!(out.param("hub.lease_seconds"), Some("1000"));
    assert_eq!(out.param("hub.challenge").map(str::len), Some(43));
    assert_eq!(out.param("hub.verify_token"), None, "nobody gave one");
    for field in [
        "\r\nHost: subscriber.test\r\n",
        "\r\nAccept: */*\r\n",
        "\r\nUser-Agent: Hookah/",
    ] {
        assert!(out.text.contains(field), "{}", out.text);
    }
    assert!(out.text.ends_with("\r\n\r\n"));
}

#[test]
fn point_7_credentials_of_a_callback_go_out_as_basic() {
    let mut story = Story::new();
    story
        .post("hub.mode=subscribe&hub.topic=orders&hub.callback=http://u:p@s.test/")
        .unwrap();
    let out = story.called();
    assert!(
        out.text.contains("\r\nAuthorization: Basic dTpw\r\n"),
        "{}",
        out.text
    );
}

#[test]
fn row_33_a_failed_verification_leaves_the_old_secret() {
    let mut story = Story::subscribed("&hub.secret=old&hub.lease_seconds=1000");
    let before = story.callbacks().remove(0);
    story.pass(10);
    story
        .subscribe("&hub.secret=new&hub.lease_seconds=2000")
        .unwrap();
    assert_eq!(story.state(), "changing");
    let during = story.callbacks().remove(0);
    assert_eq!(&*during.seal.unwrap().secret, b"old");
    let out = story.called();
    story.answer(&out, 404, "");
    let after = story.callbacks().remove(0);
    assert_eq!(story.state(), "active");
    assert_eq!(&*after.seal.unwrap().secret, b"old");
    assert_eq!(after.until, before.until);
    assert_eq!(story.count(Counter::VerificationsFailed), 1);
}

#[test]
fn rows_35_and_36_a_renewal_replaces_secret_and_lease() {
    let mut story = Story::subscribed("&hub.secret=old");
    story.subscribe("&hub.lease_seconds=1000").unwrap();
    story.confirm();
    let callbacks = story.callbacks();
    assert_eq!(callbacks.len(), 1, "one delivery, not two");
    assert!(callbacks[0].seal.is_none());
    let lease = Duration::from_secs(1_000);
    assert_eq!(callbacks[0].until, story.turn.now.mono + lease);
}

#[test]
fn row_34_an_end_that_is_refused_ends_nothing() {
    let mut story = Story::subscribed("");
    story.unsubscribe("").unwrap();
    let out = story.called();
    story.answer(&out, 404, "");
    assert_eq!((story.state(), story.callbacks().len()), ("active", 1));
    story.unsubscribe("").unwrap();
    story.confirm();
    assert!(story.hub.is_empty());
}

#[test]
fn point_10_what_is_no_answer_is_asked_again_with_a_new_challenge() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let mut challenges = Vec::new();
    for wait in [5, 30, 300] {
        let out = story.called();
        challenges.push(out.param("hub.challenge").unwrap().to_owned());
        match wait {
            5 => story.faults(&out, Fault::Connect),
            30 => story.answer(&out, 503, ""),
            _ => story.faults(&out, Fault::Timeout),
        }
        story.pass(wait - 1);
        assert!(story.call().is_none(), "{wait}");
        story.pass(1);
    }
    let out = story.called();
    challenges.push(out.param("hub.challenge").unwrap().to_owned());
    challenges.sort_unstable();
    challenges.dedup();
    assert_eq!(challenges.len(), 4);
    story.answer(&out, 500, "");
    assert_eq!(story.state(), "gone");
    assert!(story.hub.is_empty());
}

#[test]
fn point_10_a_subscriber_may_put_us_off_but_not_for_ever() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let out = story.called();
    story.ends(&out, &answered(429, Some(100_000)), None);
    story.pass(299);
    assert!(story.call().is_none());
    story.pass(1);
    story.confirm();
    assert_eq!(story.state(), "active");
}

#[test]
fn row_23_a_failed_verification_is_no_denial() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let out = story.called();
    story.answer(&out, 200, "wrong");
    assert!(story.call().is_none());
    assert_eq!(story.count(Counter::Denials), 0);
}

#[test]
fn one_verification_at_a_time_to_a_callbacks_host() {
    let mut story = Story::new();
    for number in 0..3 {
        story
            .post(&format!(
                "hub.mode=subscribe&hub.topic=orders&hub.callback=http://s.test/{number}"
            ))
            .unwrap();
    }
    for number in 0..3 {
        let out = story.called();
        assert!(
            out.line().starts_with(&format!("GET /{number}?")),
            "{}",
            out.line()
        );
        assert!(story.call().is_none(), "two at once");
        story.answer(&out, 404, "");
    }
    assert!(story.hub.is_empty());
}

#[test]
fn a_call_that_has_no_turn_in_its_lane_is_asked_again() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let (key, expires, _) = story.hub.next_due().unwrap();
    assert_eq!(expires, story.turn.now.mono + Duration::from_secs(60));
    story.hub.expire(&mut story.turn, key);
    story.check();
    story.pass(5);
    story.confirm();
    assert_eq!(story.state(), "active");
}

fn approving() -> Story {
    let approve = Called::parse("", b"http://boss.test/may").unwrap().target;
    Story::with(Settings {
        approve: Some(approve),
        ..Settings::default()
    })
}

#[test]
fn point_22_the_publisher_is_asked_first() {
    let mut story = approving();
    story.subscribe("").unwrap();
    let out = story.called();
    assert_eq!(out.line(), "POST /may HTTP/1.1");
    assert_eq!(out.param("hub.mode"), Some("subscribe"));
    assert_eq!(
        out.param("hub.topic"),
        Some("http%3A%2F%2Fpublisher.test%2Ffeed")
    );
    assert!(story.call().is_none());
    story.answer(&out, 204, "");
    story.confirm();
    assert_eq!(story.state(), "active");
    story.unsubscribe("").unwrap();
    let out = story.called();
    assert_eq!(
        out.param("hub.mode"),
        Some("unsubscribe"),
        "row 19: not asked"
    );
    assert!(out.line().starts_with("GET "));
}

#[test]
fn rows_21_and_22_a_publishers_no_is_told_with_its_reason() {
    let mut story = approving();
    story.subscribe("").unwrap();
    let out = story.called();
    story.answer(&out, 403, "not for you\r\n");
    assert_eq!(story.state(), "gone");
    let out = story.called();
    let line = out.line();
    assert!(
        line.starts_with("GET /in?a=1&hub.mode=denied&hub.topic="),
        "{line}"
    );
    assert_eq!(out.param("hub.reason"), Some("not%20for%20you"));
    assert_eq!(out.param("hub.challenge"), None);
    story.answer(&out, 404, "whatever");
    assert!(story.hub.is_empty());
    assert!(story.subscribe("").is_ok(), "it may ask again");
}

#[test]
fn point_23_a_denial_is_tried_three_times() {
    let mut story = approving();
    story.subscribe("").unwrap();
    let out = story.called();
    story.answer(&out, 401, "");
    for wait in [5, 30, 300] {
        let out = story.called();
        assert_eq!(out.param("hub.reason"), None);
        story.faults(&out, Fault::Connect);
        story.pass(wait);
    }
    assert!(story.call().is_none() && story.hub.is_empty());
}

#[test]
fn point_23_the_operator_removes_a_topic_or_one_callback() {
    let mut story = Story::subscribed("");
    let other = |topic: &str| format!("hub.mode=subscribe&hub.topic={topic}&hub.callback=");
    for (topic, callback) in [
        (TOPIC, "http://u:p@two.test/"),
        (TOPIC, "http://three.test/"),
        ("orders", "http://two.test/"),
    ] {
        story.post(&(other(topic) + callback)).unwrap();
    }
    story.confirm();
    let turn = &mut story.turn;
    assert_eq!(story.hub.dismiss(turn, "http://none.test/", None), 0);
    assert_eq!(story.hub.dismiss(turn, TOPIC, Some("http://x.test/")), 0);
    // As the window shows it, without credentials; the topic in any spelling.
    let two = Some("http://two.test/");
    let spelled = "HTTP://publisher.test:80/%66eed";
    assert_eq!(story.hub.dismiss(turn, spelled, two), 1);
    story.check();
    assert_eq!(story.hub.len(), 3);
    assert_eq!(story.hub.dismiss(&mut story.turn, TOPIC, None), 2);
    story.check();
    assert_eq!(story.hub.len(), 1, "the other topic's");
    let mut told = Vec::new();
    while let Some(out) = story.call() {
        if out.param("hub.mode") == Some("denied") {
            let reason = out.param("hub.reason").unwrap();
            assert_eq!(reason, "removed%20by%20the%20operator");
            told.push(out.text.split_once("Host: ").unwrap().1[..5].to_owned());
        }
        story.answer(&out, 200, "");
    }
    told.sort();
    assert_eq!(told, ["subsc", "three", "two.t"]);
    story.subscribe("").unwrap();
    story.confirm();
    assert_eq!(story.callbacks().len(), 1, "it may be subscribed to again");
}

#[test]
fn point_22_a_publisher_that_cannot_be_asked_says_neither_yes_nor_no() {
    let mut story = approving();
    story.subscribe("").unwrap();
    for wait in [5, 30, 300] {
        let out = story.called();
        assert!(out.line().starts_with("POST /may"));
        story.answer(&out, 500, "");
        story.pass(wait);
    }
    let out = story.called();
    story.answer(&out, 500, "");
    assert!(story.call().is_none() && story.hub.is_empty());
    assert_eq!(story.count(Counter::Denials), 0);
}
