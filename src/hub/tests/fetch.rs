//! Topics that are pinged and fetched, and what of that is published.

use super::*;

pub(super) fn fetched(story: &mut Story, fields: &str, body: &str) -> Option<Content> {
    let out = story.called();
    assert_eq!(out.line(), "GET /feed HTTP/1.1");
    story.answer_with(&out, 200, fields, body.as_bytes());
    story.hub.next_content()
}

pub(super) fn stored(story: &mut Story, content: &Content, kept: bool) {
    story.hub.stored(&mut story.turn, content.topic, kept);
    story.check();
}

/// One distribution of `body`, with these fields.
fn distributed(story: &mut Story, fields: &str, body: &str) -> Content {
    story.ping();
    let content = fetched(story, fields, body).expect("content");
    stored(story, &content, true);
    content
}

#[test]
fn rows_43_to_45_the_fetch_says_who_asks_and_for_how_many() {
    let mut story = Story::subscribed("");
    story.ping();
    let out = story.called();
    let version = env!("CARGO_PKG_VERSION");
    for field in [
        format!("\r\nUser-Agent: Hookah/{version} (1 subscriber)\r\n"),
        "\r\nX-Hub-Subscribers: 1\r\n".to_owned(),
        "\r\nAccept-Encoding: identity\r\n".to_owned(),
        "\r\nAccept: */*\r\n".to_owned(),
        "\r\nHost: publisher.test\r\n".to_owned(),
    ] {
        assert!(out.text.contains(&field), "{field} {}", out.text);
    }
    assert!(!out.text.contains("If-"), "{}", out.text);
}

#[test]
fn point_18_content_goes_out_as_it_came() {
    let mut story = Story::subscribed("");
    let fields = "Content-Type: text/html; charset=UTF-8\r\nSet-Cookie: a\r\n";
    let content = distributed(&mut story, fields, "<p>");
    assert_eq!(&*content.content_type, "text/html; charset=UTF-8");
    assert_eq!((&content.body[..], content.encoding), (&b"<p>"[..], None));
    assert_eq!(&*content.name, TOPIC);
    let fields = "Content-Encoding: gzip\r\n";
    let content = distributed(&mut story, fields, "zip");
    assert_eq!(&*content.content_type, "application/octet-stream");
    assert_eq!(content.encoding.as_deref(), Some("gzip"), "point 17");
}

#[test]
fn row_44_and_point_25_what_is_unchanged_is_not_distributed() {
    let mut story = Story::subscribed("");
    let fields = "ETag: \"1\"\r\nLast-Modified: Sun, 23 Nov 2025 07:00:00 GMT\r\n\
        Date: Sun, 23 Nov 2025 07:00:01 GMT\r\n";
    distributed(&mut story, fields, "one");
    story.ping();
    let out = story.called();
    assert!(
        out.text.contains("\r\nIf-None-Match: \"1\"\r\n"),
        "{}",
        out.text
    );
    let since = "\r\nIf-Modified-Since: Sun, 23 Nov 2025 07:00:00 GMT\r\n";
    assert!(out.text.contains(since), "{}", out.text);
    story.answer(&out, 304, "");
    assert_eq!(story.hub.next_content(), None);
    story.ping();
    assert_eq!(fetched(&mut story, fields, "one"), None, "the same bytes");
    story.ping();
    let other = fetched(&mut story, "Content-Type: text/plain\r\n", "one");
    assert!(other.is_some(), "another type is a change");
}

#[test]
fn point_25_who_wants_every_ping_passed_on_gets_it() {
    let mut story = Story::with(Settings {
        distribute_unchanged: true,
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    distributed(&mut story, "ETag: \"1\"\r\n", "one");
    story.ping();
    let out = story.called();
    assert!(!out.text.contains("If-None-Match"), "{}", out.text);
    story.answer_with(&out, 200, "ETag: \"1\"\r\n", b"one");
    assert!(story.hub.next_content().is_some());
}

#[test]
fn point_25_what_the_store_lost_is_fetched_again() {
    let mut story = Story::subscribed("");
    story.ping();
    let content = fetched(&mut story, "ETag: \"1\"\r\n", "one").unwrap();
    stored(&mut story, &content, false);
    story.pass(5);
    let out = story.called();
    assert!(!out.text.contains("If-None-Match"), "{}", out.text);
    story.answer_with(&out, 200, "ETag: \"1\"\r\n", b"one");
    assert_eq!(story.hub.next_content().as_ref(), Some(&content));
}

#[test]
fn row_47_a_ping_during_a_fetch_leads_to_another_fetch() {
    let mut story = Story::subscribed("");
    story.ping();
    let out = story.called();
    story.ping();
    story.ping();
    assert!(story.call().is_none(), "one at a time");
    story.answer(&out, 200, "one");
    let content = story.hub.next_content().unwrap();
    assert!(story.call().is_none(), "not before it is durable");
    stored(&mut story, &content, true);
    assert!(fetched(&mut story, "", "two").is_some());
    assert!(story.call().is_none(), "two pings were one");
}

#[test]
fn row_48_and_point_26_a_failed_fetch_distributes_nothing_and_is_tried_again() {
    let mut story = Story::subscribed("");
    story.ping();
    for wait in [5, 30, 120, 600] {
        let out = story.called();
        story.answer(&out, 503, "oops");
        assert_eq!(story.hub.next_content(), None);
        story.pass(wait - 1);
        assert!(story.call().is_none(), "{wait}");
        story.pass(1);
    }
    let out = story.called();
    story.faults(&out, Fault::Timeout);
    story.pass(10_000);
    assert!(story.call().is_none(), "it waits for the next ping");
    story.ping();
    assert!(fetched(&mut story, "", "one").is_some());
}

#[test]
fn point_26_what_is_final_is_not_tried_again_and_drops_no_subscription() {
    for status in [204, 206, 400, 404, 410] {
        let mut story = Story::subscribed("");
        story.ping();
        let out = story.called();
        story.answer(&out, status, "x");
        assert_eq!(story.hub.next_content(), None, "{status}");
        story.pass(10_000);
        assert!(story.call().is_none(), "{status}");
        assert_eq!(story.state(), "active", "{status}");
    }
}

#[test]
fn what_is_the_same_under_another_tag_is_asked_for_under_that_one() {
    let mut story = Story::subscribed("");
    distributed(&mut story, "ETag: \"1\"\r\n", "one");
    story.ping();
    assert_eq!(fetched(&mut story, "ETag: \"2\"\r\n", "one"), None);
    story.ping();
    let out = story.called();
    let condition = "\r\nIf-None-Match: \"2\"\r\n";
    assert!(out.text.contains(condition), "{}", out.text);
}

#[test]
fn point_26_a_publisher_is_left_alone_as_long_as_it_asks() {
    let mut story = Story::subscribed("");
    story.ping();
    let out = story.called();
    story.ends(&out, &answered(429, Some(60)), None);
    story.pass(10);
    story.ping();
    story.pass(49);
    assert!(story.call().is_none());
    story.pass(1);
    assert!(story.call().is_some());
}

#[test]
fn point_26_redirects_are_followed_five_times() {
    let mut story = Story::subscribed("");
    story.ping();
    let mut out = story.called();
    for (hop, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let fields = format!("Location: http://other.test/{hop}\r\n");
        story.answer_with(&out, status, &fields, b"");
        out = story.called();
        assert_eq!(out.line(), format!("GET /{hop} HTTP/1.1"));
        assert!(
            out.text.contains("\r\nHost: other.test\r\n"),
            "{}",
            out.text
        );
        assert!(story.hub.is_strict(out.key), "the same check at each hop");
    }
    story.answer_with(&out, 302, "Location: /6\r\n", b"");
    assert!(story.call().is_none());
    assert_eq!(story.hub.next_content(), None);
}

#[test]
fn a_redirect_never_leads_from_https_to_http() {
    let mut story = Story::new();
    story
        .post("hub.mode=subscribe&hub.topic=https://p.test/&hub.callback=http://s.test/")
        .unwrap();
    story.confirm();
    story
        .post("hub.mode=publish&hub.url=https://p.test/")
        .unwrap();
    let out = story.called();
    story.answer_with(&out, 302, "Location: http://p.test/x\r\n", b"");
    assert!(story.call().is_none());
}

#[test]
fn a_verification_is_never_sent_on() {
    let mut story = Story::new();
    story.subscribe("").unwrap();
    let out = story.called();
    story.answer_with(&out, 302, "Location: http://other.test/\r\n", b"");
    assert!(story.call().is_none());
    assert_eq!(story.state(), "gone");
}

#[test]
fn point_26_what_is_too_large_is_not_distributed() {
    let mut story = Story::with(Settings {
        content_bytes_max: 3,
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    story.ping();
    assert_eq!(fetched(&mut story, "", "four"), None);
    story.ping();
    assert!(fetched(&mut story, "", "six").is_some());
}

#[test]
fn point_24_a_topic_that_nobody_reads_is_not_fetched() {
    let mut story = Story::new();
    story.ping();
    assert!(story.call().is_none() && story.hub.is_empty());
    story
        .post("hub.mode=publish&hub.url=http://read.test/")
        .unwrap();
    let out = story.called();
    assert!(out.text.contains("(0 subscribers)"), "{}", out.text);
    story.answer(&out, 200, "for streams");
    let content = story.hub.next_content().unwrap();
    stored(&mut story, &content, true);
    assert!(story.hub.is_empty());
    story
        .post("hub.mode=publish&hub.url=http://read.test/")
        .unwrap();
    let out = story.called();
    story.answer(&out, 200, "for streams");
    assert_eq!(story.hub.next_content(), None, "point 25");
    assert!(story.hub.is_empty());
}

#[test]
fn point_24_pings_within_the_interval_are_one_later_fetch() {
    let mut story = Story::with(Settings {
        fetch_interval_min: Duration::from_secs(60),
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    distributed(&mut story, "", "one");
    story.pass(10);
    story.ping();
    story.ping();
    story.pass(49);
    assert!(story.call().is_none());
    story.pass(1);
    assert!(fetched(&mut story, "", "two").is_some());
    assert!(story.call().is_none());
}

#[test]
fn a_subscriber_that_leaves_during_a_fetch_harms_nothing() {
    let mut story = Story::subscribed("&hub.lease_seconds=300");
    story.pass(299);
    story.ping();
    let out = story.called();
    story.pass(1);
    assert_eq!(story.state(), "gone");
    story.answer(&out, 404, "");
    assert!(story.hub.is_empty());
}

#[test]
fn rows_53_and_54_the_link_names_what_the_topic_says_of_itself() {
    let mut story = Story::with(Settings {
        public_url: Some("https://events.test".into()),
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    let fields = "Link: <https://other.test/hub>; rel=hub, <https://events.test/hub/>; rel=hub\r\n\
                  Link: </canonical>; rel=self\r\n";
    distributed(&mut story, fields, "one");
    let link = story.callbacks()[0].link.to_string();
    let hub = "<https://events.test/hub/>; rel=\"hub\"";
    let own = "<http://publisher.test/canonical>; rel=\"self\"";
    assert_eq!(link, format!("{hub}, {own}"));
    distributed(&mut story, "", "two");
    let link = story.callbacks()[0].link.to_string();
    assert!(link.contains(&format!("<{TOPIC}>; rel=\"self\"")), "{link}");
}

#[test]
fn point_19_what_a_redirect_led_to_is_what_relative_links_are_seen_from() {
    let mut story = Story::subscribed("");
    story.ping();
    let out = story.called();
    story.answer_with(&out, 302, "Location: http://other.test/a/b\r\n", b"");
    let out = story.called();
    story.answer_with(&out, 200, "Link: <c>; rel=\"self\"\r\n", b"x");
    let link = story.callbacks()[0].link.to_string();
    assert!(
        link.contains("<http://other.test/a/c>; rel=\"self\""),
        "{link}"
    );
}

#[test]
fn points_20_and_21_what_is_not_for_this_hub_is_denied_if_that_is_asked_for() {
    let own = format!("Link: <{TOPIC}>; rel=self\r\n");
    let rows = [
        (true, false, "", "topic%20is%20not%20its%20own%20rel%3Dself"),
        (false, true, &*own, "topic%20does%20not%20list%20this%20hub"),
    ];
    for (strict_self, strict_hub_link, fields, reason) in rows {
        let mut story = Story::with(Settings {
            strict_self,
            strict_hub_link,
            ..Settings::default()
        });
        story.subscribe("").unwrap();
        story.confirm();
        story.ping();
        assert_eq!(fetched(&mut story, fields, "one"), None);
        assert_eq!(story.state(), "gone");
        let out = story.called();
        assert_eq!(out.param("hub.reason"), Some(reason));
        story.answer(&out, 200, "");
        assert!(story.hub.is_empty());
    }
    let mut story = Story::with(Settings {
        strict_self: true,
        strict_hub_link: true,
        ..Settings::default()
    });
    story.subscribe("").unwrap();
    story.confirm();
    let fields = format!("{own}Link: <http://hub.test/hub>; rel=hub\r\n");
    distributed(&mut story, &fields, "one");
    assert_eq!(story.state(), "active");
}
