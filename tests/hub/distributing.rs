//! Stories of deliveries to subscribers: in order, once, as they were signed; again if need be, and
//! to nobody who is gone.

use super::*;
use crate::peers::{Publisher, says, sent_to, subscriber, subscriber_who};
use crate::target::{Act, ERROR, OK};

/// Nothing but a 410 ends a subscription, and every answer that is no 2xx is a failure.
#[test]
fn a_failure_is_tried_again_and_the_same_message_says_so() {
    let server = start(&["--hub-retry-schedule", "1ms,1ms,1ms,1ms"]);
    let mut answers = vec![
        ERROR.to_vec(),
        sent_to(303, "/elsewhere"),
        sent_to(301, "/elsewhere"),
        says(404, "", ""),
    ]
    .into_iter();
    let reader = subscriber_who(move |_| answers.next().map_or(OK.into(), Act::Say));
    subscribed(&server, "orders", &reader, "&hub.secret=s");
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    let first = reader.arrival();
    for attempt in 2..=5 {
        let again = reader.arrival();
        assert_eq!(again.field("X-Hub-Attempt"), attempt.to_string());
        for name in ["X-Hub-Delivery", "X-Hub-Signature", "Link"] {
            assert_eq!(again.field(name), first.field(name));
        }
        assert_eq!((&again.path, &again.body), (&first.path, &first.body));
    }
    assert_eq!(quiet(&server, "orders")["last_status"], 200);
    reader.has_no_more();
}

#[test]
fn a_subscriber_that_says_410_is_gone_for_good() {
    let server = start(&["--hub-retry-schedule", "1ms"]);
    let reader = subscriber_who(|_| Act::Say(says(410, "", "")));
    subscribed(&server, "orders", &reader, "");
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    reader.arrival();
    until("it is gone", || rows(&server, "orders").is_empty());
    post(&server, "/dispatch", FORM, "_topic=orders&a=2");
    assert_eq!(metric(&server, "hookah_denials_total"), 0, "it knows");
    reader.has_no_more();
}

/// The newest content takes the place of what could not be delivered, and goes at once.
#[test]
fn newer_content_replaces_what_is_failing() {
    let server = start(&["--hub-retry-schedule", "1h"]);
    let reader = subscriber_who(|got| match got.text() {
        "one" => ERROR.into(),
        _ => OK.into(),
    });
    let publisher = Publisher::new("one");
    let topic = publisher.topic();
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    let first = reader.arrival();
    until("it has failed", || row(&server, &topic)["failures"] == 1);
    publisher.now("two");
    ping(&server, &topic);
    let second = reader.arrival();
    assert_eq!(second.text(), "two");
    assert_eq!(second.field("X-Hub-Attempt"), "1");
    assert_eq!(quiet(&server, &topic)["failures"], 0);
    let id = first.field("X-Hub-Delivery");
    let shown = get(&server, &format!("/messages/{id}")).body;
    assert!(shown.contains("\"canceled\""), "{shown}");
    reader.has_no_more();
}

/// Messages are not content: none replaces another, and each waits for the one before it.
#[test]
fn messages_keep_their_order_through_failures() {
    let server = start(&["--hub-retry-schedule", "1ms"]);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut count = 0;
    let reader = subscriber_who(move |_| {
        count += 1;
        let _ = wait.recv();
        if count < 3 { ERROR.into() } else { OK.into() }
    });
    subscribed(&server, "orders", &reader, "");
    for n in 1..=3 {
        post(&server, "/dispatch", FORM, &format!("_topic=orders&n={n}"));
    }
    for want in ["n=1", "n=1", "n=1", "n=2", "n=3"] {
        assert_eq!(reader.arrival().text(), want);
        reader.has_no_more();
        go.send(()).expect("it waits");
    }
    quiet(&server, "orders");
}

/// No answer at all is a failure like any other, and ends nothing.
#[test]
fn a_subscriber_that_breaks_off_is_shown_so_and_stays() {
    let server = start(&["--hub-retry-schedule", "1h"]);
    let reader = subscriber_who(|_| Act::Reset(Vec::new()));
    subscribed(&server, "orders", &reader, "");
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    reader.arrival();
    until("it has failed", || row(&server, "orders")["failures"] == 1);
    let ill = row(&server, "orders");
    assert_eq!(
        (&ill["state"], &ill["waiting"]),
        (&"active".into(), &1.into())
    );
    assert_eq!(ill["last_status"], Value::Null, "{ill}");
    assert!(ill["last_error"].is_string(), "{ill}");
}

/// One key signs by every method that a subscriber may ask for.
#[test]
fn a_subscriber_chooses_how_it_is_signed_to() {
    let (server, reader) = (start(&[]), subscriber());
    for (more, method) in [
        ("", "sha256"),
        ("&hub.verify=sync", "sha1"),
        ("&hub.signature_method=sha1", "sha1"),
        ("&hub.signature_method=sha384", "sha384"),
        ("&hub.verify=sync&hub.signature_method=sha512", "sha512"),
        ("&hub.hash_algorithms=md5,sha512,sha1", "sha512"),
    ] {
        let more = format!("&hub.secret=%00%E4+x{more}");
        let answer = subscribe(&server, "orders", &reader.url("/in"), &more);
        assert!(answer.status < 300, "{answer:?}");
        reader.arrival();
        active(&server, "orders");
        post(&server, "/dispatch", FORM, "_topic=orders&a=1");
        let got = reader.arrival();
        let sign = got.field("X-Hub-Signature");
        assert!(sign.starts_with(&format!("{method}=")), "{more}: {sign}");
        quiet(&server, "orders");
    }
}

/// Version 0.3 forbids it, because it puts several topics in one delivery; we never do.
#[test]
fn one_callback_may_have_a_secret_for_each_topic() {
    let (server, reader) = (start(&[]), subscriber());
    for topic in ["orders", "news"] {
        let more = format!("&hub.secret={topic}");
        subscribed(&server, topic, &reader, &more);
    }
    for topic in ["orders", "news"] {
        post(&server, "/dispatch", FORM, &format!("_topic={topic}&a=1"));
        let sealed = peers::signature("sha256", topic, b"a=1");
        assert_eq!(reader.arrival().field("X-Hub-Signature"), sealed);
    }
}

/// A feed of Atom with those entries, the newest first.
fn feed(entries: &[&str]) -> String {
    let entry = |id: &&str| format!("<entry><id>{id}</id></entry>");
    let entries: String = entries.iter().map(entry).collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>t</title>{entries}</feed>\n")
}

/// Where the operator wants it, who has the rest gets what is new; who is new gets all.
#[test]
fn of_a_feed_goes_out_what_is_new() {
    let (first, second) = (subscriber(), subscriber());
    let publisher = Publisher::new(&feed(&["a"]));
    let topic = publisher.topic();
    let prefix = publisher.target.url("/");
    let server = start(&["--hub-diff", &prefix]);
    subscribed(&server, &topic, &first, "&hub.secret=s");
    ping(&server, &topic);
    assert_eq!(first.arrival().text(), feed(&["a"]));
    quiet(&server, &topic);
    publisher.now(&feed(&["b", "a"]));
    ping(&server, &topic);
    let got = first.arrival();
    assert_eq!(got.text(), feed(&["b"]));
    let sealed = peers::signature("sha256", "s", feed(&["b"]).as_bytes());
    assert_eq!(got.field("X-Hub-Signature"), sealed);
    assert_eq!(got.field("Content-Type"), peers::ATOM);
    subscribed(&server, &topic, &second, "");
    publisher.now(&feed(&["c", "b", "a"]));
    ping(&server, &topic);
    for reader in [&first, &second] {
        assert_eq!(reader.arrival().text(), feed(&["c", "b", "a"]));
    }
    until("both have it", || {
        rows(&server, &topic).iter().all(|row| row["waiting"] == 0)
    });
    publisher.now(&feed(&["d", "c", "b", "a"]));
    ping(&server, &topic);
    for reader in [&first, &second] {
        assert_eq!(reader.arrival().text(), feed(&["d"]));
    }
}
