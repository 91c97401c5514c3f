//! What clients ask, and what they are told before anybody is called.

use super::super::settings::TopicRule;
use super::*;

#[test]
fn rows_4_and_32_a_request_is_taken_and_the_subscriber_asked_at_once() {
    let mut story = Story::new();
    assert_eq!(story.subscribe(""), Ok(Verdict::Pending(None)));
    assert_eq!((story.state(), story.callbacks().len()), ("pending", 0));
    assert!(story.called().line().contains("hub.mode=subscribe"));
}

#[test]
fn points_2_and_8_a_lease_that_is_clamped_is_said() {
    let mut story = Story::new();
    let warning = Some("lease reduced to 2592000".to_owned());
    let verdict = story.subscribe("&hub.lease_seconds=99999999");
    assert_eq!(verdict, Ok(Verdict::Pending(warning)));
    assert_eq!(story.called().param("hub.lease_seconds"), Some("2592000"));
}

#[test]
fn point_1_who_wants_to_be_verified_first_waits_for_the_verdict() {
    let sync = "&hub.verify=sync&hub.verify_token=t%26k";
    for (confirms, left) in [(true, "active"), (false, "gone")] {
        let mut story = Story::new();
        let Ok(Verdict::Verifying(ticket)) = story.subscribe(sync) else {
            panic!("nobody waits");
        };
        assert_eq!(story.hub.next_verdict(), None);
        if confirms {
            let out = story.confirm();
            assert_eq!(out.param("hub.verify_token"), Some("t%26k"));
        } else {
            let out = story.called();
            story.answer(&out, 404, "no");
        }
        assert_eq!(story.hub.next_verdict(), Some((ticket, confirms)));
        assert_eq!(story.state(), left);
    }
}

#[test]
fn row_31_who_waits_is_not_kept_waiting_by_retries() {
    let mut story = Story::new();
    story.subscribe("&hub.verify=sync").unwrap();
    let out = story.called();
    story.faults(&out, Fault::Connect);
    assert_eq!(story.hub.next_verdict(), Some((0, false)));
    story.pass(1_000);
    assert!(story.call().is_none() && story.hub.is_empty());
}

#[test]
fn point_1_nobody_waits_longer_than_ten_seconds() {
    let mut story = Story::new();
    story.subscribe("&hub.verify=sync").unwrap();
    let out = story.called();
    story.pass(9);
    assert_eq!(story.hub.next_verdict(), None);
    story.pass(1);
    assert_eq!(story.hub.next_verdict(), Some((0, false)));
    let challenge = out.param("hub.challenge").unwrap().to_owned();
    story.answer(&out, 200, &challenge);
    assert_eq!(story.state(), "gone", "it was told that it failed");
    assert!(story.hub.is_empty());
}

#[test]
fn point_13_the_end_of_nothing_is_asked_for_as_usual() {
    let mut story = Story::new();
    assert_eq!(story.unsubscribe(""), Ok(Verdict::Pending(None)));
    let out = story.confirm();
    assert_eq!(out.param("hub.mode"), Some("unsubscribe"));
    assert_eq!(out.param("hub.lease_seconds"), None);
    assert!(story.hub.is_empty());
    let Ok(Verdict::Verifying(ticket)) = story.unsubscribe("&hub.verify=sync") else {
        panic!("nobody waits");
    };
    story.confirm();
    assert_eq!(story.hub.next_verdict(), Some((ticket, true)));
}

#[test]
fn point_12_the_last_request_wins() {
    let mut story = Story::new();
    story.subscribe("&hub.verify=sync").unwrap();
    let first = story.called();
    story.unsubscribe("").unwrap();
    assert_eq!(
        story.hub.next_verdict(),
        Some((0, false)),
        "nobody waits for nothing"
    );
    let challenge = first.param("hub.challenge").unwrap().to_owned();
    story.answer(&first, 200, &challenge);
    assert_eq!(story.state(), "pending", "the older request means nothing");
    assert_eq!(story.confirm().param("hub.mode"), Some("unsubscribe"));
    assert!(story.hub.is_empty());
}

#[test]
fn an_address_asks_ten_times_a_minute_and_loopback_as_often_as_it_likes() {
    let mut story = Story::new();
    for number in 0..10 {
        assert!(story.subscribe("").is_ok(), "{number}");
    }
    let refused = story.subscribe("").unwrap_err();
    assert_eq!(refused.problem.reason, Reason::TooManyRequests);
    assert_eq!(refused.retry_after, Some(6));
    story.local = true;
    assert!(story.subscribe("").is_ok());
    story.local = false;
    story.pass(6);
    assert!(story.unsubscribe("").is_ok());
}

#[test]
fn subscriptions_have_a_bound_and_renewals_pass() {
    let mut story = Story::with(Settings {
        subscriptions_max: 1,
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    let other = "hub.mode=subscribe&hub.topic=orders&hub.callback=http://s.test/";
    let refused = story.post(other).unwrap_err();
    assert_eq!(refused.problem.reason, Reason::SubscriptionsFull);
    assert_eq!(refused.retry_after, Some(1));
    assert!(story.subscribe("").is_ok());
}

#[test]
fn a_full_account_refuses_and_holds_nothing() {
    let mut story = Story::new();
    story.turn.memory = Ledger::new(1_000);
    let refused = story.subscribe("").unwrap_err();
    assert_eq!(refused.problem.reason, Reason::MemoryFull);
    assert!(story.hub.is_empty());
}

#[test]
fn point_22_topics_that_are_not_on_the_list_are_refused() {
    let mut story = Story::with(Settings {
        topics: vec![TopicRule::parse("other.test").unwrap()],
        ..Settings::default()
    });
    let refused = story.subscribe("").unwrap_err();
    assert_eq!(refused.problem.reason, Reason::TopicForbidden);
    assert!(
        story.unsubscribe("").is_ok(),
        "what was allowed once can be ended"
    );
}

#[test]
fn point_32_addresses_that_only_the_local_may_name() {
    let form = "hub.mode=subscribe&hub.topic=orders&hub.callback=http://10.0.0.1/";
    let mut story = Story::new();
    let refused = story.post(form).unwrap_err();
    assert_eq!(refused.problem.reason, Reason::TargetForbidden);
    story.local = true;
    story.post(form).unwrap();
    let out = story.called();
    assert!(!story.hub.is_strict(out.key));
    let mut strict = Story::new();
    strict.subscribe("").unwrap();
    let out = strict.called();
    assert!(strict.hub.is_strict(out.key));
}

/// Whether somebody subscribes must not be told by who is refused (security.md section 1).
#[test]
fn a_ping_of_a_forbidden_address_is_refused_whoever_subscribes() {
    let mut story = Story::new();
    let ping = "hub.mode=publish&hub.url=http://10.0.0.1/feed";
    let alone = story.post(ping);
    story.local = true;
    let form = "hub.mode=subscribe&hub.topic=http://10.0.0.1/feed&hub.callback=http://s.test/";
    story.post(form).unwrap();
    story.confirm();
    story.local = false;
    let subscribed = story.post(ping);
    assert!(subscribed.is_err());
    assert_eq!(alone, subscribed);
}

#[test]
fn point_5_another_spelling_of_the_topic_is_the_same_subscription() {
    let mut story = Story::subscribed("");
    let callback = CALLBACK.replace('?', "%3f").replace('=', "%3d");
    let other = "HTTP://Publisher.test:80/%2566eed";
    story
        .post(&format!(
            "hub.mode=subscribe&hub.topic={other}&hub.callback={callback}"
        ))
        .unwrap();
    assert_eq!((story.hub.len(), story.state()), (1, "changing"));
    let out = story.confirm();
    let given = "HTTP%3A%2F%2FPublisher.test%3A80%2F%2566eed";
    assert_eq!(out.param("hub.topic"), Some(given), "as it was given");
}

#[test]
fn the_window_hides_credentials() {
    let mut story = Story::new();
    let form = "hub.mode=subscribe&hub.topic=http://u:pw@t.test/&hub.callback=http://x:pw@s.test/\
                &hub.secret=pw&hub.verify_token=pw";
    story.post(form).unwrap();
    let shown = format!("{:?}", story.row());
    assert!(
        shown.contains("t.test") && shown.contains("s.test"),
        "{shown}"
    );
    assert!(!shown.contains("pw"), "{shown}");
    let all = format!("{:?}", story.hub);
    assert!(!all.contains("pw@"), "{all}");
}

#[test]
fn the_window_is_filtered_and_paged() {
    let mut story = Story::new();
    for (topic, callback) in [
        ("a", "http://s.test/1"),
        ("b", "http://s.test/2"),
        ("a", "http://s.test/3"),
    ] {
        story
            .post(&format!(
                "hub.mode=subscribe&hub.topic={topic}&hub.callback={callback}"
            ))
            .unwrap();
    }
    let urls = |filter, from| -> Vec<&str> {
        let rows = story.hub.rows(story.turn.now, filter, from);
        rows.map(|row| row.callback).collect()
    };
    let all = Filter::default();
    assert_eq!(
        urls(all, 0),
        ["http://s.test/1", "http://s.test/2", "http://s.test/3"]
    );
    assert_eq!(urls(all, 2), ["http://s.test/3"]);
    let topic = Filter {
        topic: Some("a"),
        ..all
    };
    assert_eq!(urls(topic, 0), ["http://s.test/1", "http://s.test/3"]);
    let callback = Filter {
        callback: Some("http://s.test/2"),
        ..all
    };
    assert_eq!(urls(callback, 0), ["http://s.test/2"]);
}
