//! Stories of those who subscribe: a reader of today, one of 2010, and those who get it wrong.

use super::*;
use crate::peers::{Publisher, param, sent_to, signature, subscriber};
use crate::target::Target;

/// A WebSub subscriber takes nothing but 202 for an answer, and is asked at once.
#[test]
fn a_websub_subscriber_that_insists_on_202() {
    let (server, reader) = (start(&[]), subscriber());
    let publisher = Publisher::new("<feed/>");
    let (topic, callback) = (publisher.topic(), reader.url("/in?x=1"));
    let more = "&hub.secret=hush&hub.lease_seconds=864000&foo=bar";
    let answer = subscribe(&server, &topic, &callback, more);
    assert_eq!((answer.status, &*answer.body), (202, ""), "{answer:?}");
    let asked = reader.arrival();
    assert_eq!((&*asked.method, asked.text()), ("GET", ""));
    assert!(asked.path.starts_with("/in?x=1&hub.mode="), "{asked:?}");
    let said = |name: &str| param(&asked, name).unwrap_or_default();
    assert_eq!(said("hub.mode"), "subscribe");
    assert_eq!(said("hub.topic"), topic);
    assert_eq!(said("hub.lease_seconds"), "864000");
    assert_eq!(param(&asked, "hub.verify_token"), None);
    assert!(said("hub.challenge").len() >= 43);
    active(&server, &topic);

    assert_eq!(ping(&server, &topic).status, 204);
    let got = reader.arrival();
    assert_eq!((&*got.method, &*got.path), ("POST", "/in?x=1"));
    assert_eq!(got.text(), "<feed/>");
    assert_eq!(got.field("Content-Type"), peers::ATOM);
    let sealed = signature("sha256", "hush", &got.body);
    assert_eq!(got.field("X-Hub-Signature"), sealed);
    let here = server.addr();
    let hub = format!("<http://{here}/hub>; rel=\"hub\"");
    assert_eq!(got.field("Link"), format!("{hub}, <{topic}>; rel=\"self\""));
}

/// FreshRSS (app/Models/Feed.php) sends `hub.verify=sync` to this day, and takes any 2xx.
#[test]
fn a_subscriber_of_0_3_as_freshrss_behaves() {
    let (server, reader) = (start(&[]), subscriber());
    let publisher = Publisher::new("<rss/>");
    let (topic, callback) = (publisher.topic(), reader.url("/api/pshb.php?k=0123abc"));
    let more = "&hub.verify=sync&hub.verify_token=t%2B1&hub.secret=old";
    let answer = subscribe(&server, &topic, &callback, more);
    assert_eq!((answer.status, &*answer.body), (204, ""), "{answer:?}");
    let asked = reader.arrival();
    assert_eq!(param(&asked, "hub.verify_token").as_deref(), Some("t+1"));
    assert_eq!(
        param(&asked, "hub.lease_seconds").as_deref(),
        Some("864000")
    );
    // It is so by the time of the answer.
    assert_eq!(row(&server, &topic)["state"], "active");
    ping(&server, &topic);
    let got = reader.arrival();
    let sealed = signature("sha1", "old", &got.body);
    assert_eq!(got.field("X-Hub-Signature"), sealed);

    let answer = unsubscribe(&server, &topic, &callback, "&hub.verify=sync");
    assert_eq!(answer.status, 204, "{answer:?}");
    let asked = reader.arrival();
    assert_eq!(param(&asked, "hub.mode").as_deref(), Some("unsubscribe"));
    assert_eq!(rows(&server, &topic).len(), 0);
    // What is not there may be ended as well.
    let answer = unsubscribe(&server, &topic, &callback, "&hub.verify=sync");
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[test]
fn any_word_but_sync_alone_is_answered_at_once() {
    let (server, reader) = (start(&[]), subscriber());
    for verify in ["async", "sync,async", "async%2Csync", "foo", ""] {
        let more = format!("&hub.verify={verify}");
        let answer = subscribe(&server, "orders", &reader.url("/"), &more);
        assert_eq!(answer.status, 202, "{verify}: {answer:?}");
        reader.arrival();
    }
    // The words may come apart.
    let more = "&hub.verify=sync&hub.verify=async";
    let answer = subscribe(&server, "orders", &reader.url("/"), more);
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[test]
fn who_wants_to_be_verified_first_and_does_not_confirm_gets_a_409() {
    let server = start(&[]);
    for answer in [
        peers::says(200, "", "wrong"),
        peers::says(404, "", ""),
        peers::says(500, "", ""),
        sent_to(302, "/elsewhere"),
    ] {
        let reader = Target::new(move |_| answer[..].into());
        let said = subscribe(&server, "orders", &reader.url("/"), "&hub.verify=sync");
        assert_eq!(said.status, 409, "{said:?}");
        assert!(said.body.starts_with("409 The callback"), "{said:?}");
        reader.arrival();
        reader.has_no_more();
        assert_eq!(rows(&server, "orders").len(), 0);
    }
}

#[test]
fn what_is_wrong_is_said_in_plain_text_and_nobody_is_called() {
    let (server, reader) = (start(&[]), subscriber());
    let callback = encoded(&reader.url("/"));
    let rows = [
        ("hub.mode=&hub.topic=a&hub.callback={}", "hub.mode"),
        ("hub.mode=Subscribe&hub.topic=a&hub.callback={}", "hub.mode"),
        ("hub.mode=subscribe&hub.callback={}", "hub.topic"),
        ("hub.mode=subscribe&hub.topic=a", "hub.callback"),
        (
            "hub.mode=subscribe&hub.topic=a&hub.callback=b",
            "hub.callback",
        ),
        (
            "hub.mode=subscribe&hub.topic=a&hub.callback={}%23f",
            "hub.callback",
        ),
        (
            "hub.mode=subscribe&hub.topic=ftp://a/&hub.callback={}",
            "hub.topic",
        ),
        (
            "hub.mode=subscribe&hub.topic=a&hub.topic=b&hub.callback={}",
            "hub.topic",
        ),
        (
            "hub.mode=subscribe&hub.topic=a&hub.lease_seconds=0&hub.callback={}",
            "lease_seconds",
        ),
        (
            "hub.mode=subscribe&hub.topic=a&hub.lease_seconds=x&hub.callback={}",
            "lease_seconds",
        ),
        ("hub.mode=publish&hub.url=orders", "/dispatch"),
        (
            "hub.mode=publish&hub.url=http%3A%2F%2Fa.test%2F&hub.url=b",
            "/dispatch",
        ),
        ("hub.mode=publish", "hub.url"),
    ];
    for (form, part) in rows {
        let answer = hub(&server, &form.replace("{}", &callback));
        assert_eq!(answer.status, 400, "{form}: {answer:?}");
        let kind = answer.fields.get("Content-Type").unwrap_or_default();
        assert!(kind.starts_with("text/plain"), "{form}: {answer:?}");
        assert!(answer.body.contains(part), "{form}: {answer:?}");
    }
    let long = "s".repeat(200);
    let answer = subscribe(
        &server,
        "a",
        &reader.url("/"),
        &format!("&hub.secret={long}"),
    );
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(!answer.body.contains(&long), "a secret is not repeated");
    assert_eq!(metric(&server, "hookah_subscriptions"), 0);
    reader.has_no_more();
}

#[test]
fn only_the_form_of_the_specification_and_only_in_the_body() {
    let (server, reader) = (start(&[]), subscriber());
    let form = format!(
        "hub.mode=subscribe&hub.topic=a&hub.callback={}",
        encoded(&reader.url("/"))
    );
    let multipart = "Content-Type: multipart/form-data; boundary=x\r\n";
    assert_eq!(post(&server, "/hub", multipart, "--x--").status, 415);
    let query = format!("/hub?{form}");
    assert_eq!(post(&server, &query, FORM, "").status, 400);
    // Whoever names no type means a form, and half of the hub has a name of its own.
    assert_eq!(post(&server, "/subscribe", "", &form).status, 202);
    reader.arrival();
    let answer = post(&server, "/publish", FORM, &form);
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn whoever_looks_at_the_hub_is_told_what_it_is() {
    let server = start(&[]);
    let answer = get(
        &server,
        "/hub?hub.mode=subscribe&hub.topic=a&hub.callback=b",
    );
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("WebSub"), "{answer:?}");
    assert!(get(&server, "/").body.contains("/hub"));
    assert_eq!(metric(&server, "hookah_subscriptions"), 0);
}

/// One that is not on the operator's list is refused before anybody is called.
#[test]
fn topics_that_the_operator_does_not_want_are_refused() {
    let server = start(&["--hub-topics", "news", "--hub-topics", "*.example.com"]);
    let reader = subscriber();
    let answer = subscribe(&server, "orders", &reader.url("/"), "");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(subscribe(&server, "news", &reader.url("/"), "").status, 202);
    reader.arrival();
}

/// The publisher has a say: what it answers decides, and its reason reaches the subscriber.
#[test]
fn the_publisher_is_asked_and_its_no_is_told() {
    let publisher = Target::new(|got| match got.text().contains("hub.topic=news") {
        true => peers::says(204, "", "")[..].into(),
        false => peers::says(403, "", "members only\n")[..].into(),
    });
    let url = publisher.url("/may");
    let (server, reader) = (start(&["--hub-approve-url", &url]), subscriber());
    subscribe(&server, "news", &reader.url("/"), "");
    assert_eq!(publisher.arrival().method, "POST");
    assert_eq!(
        param(&reader.arrival(), "hub.mode").as_deref(),
        Some("subscribe")
    );
    let answer = subscribe(&server, "orders", &reader.url("/"), "");
    assert_eq!(answer.status, 202, "it must not depend on that");
    publisher.arrival();
    let told = reader.arrival();
    assert_eq!(param(&told, "hub.mode").as_deref(), Some("denied"));
    assert_eq!(param(&told, "hub.topic").as_deref(), Some("orders"));
    assert_eq!(param(&told, "hub.reason").as_deref(), Some("members only"));
    assert_eq!(param(&told, "hub.challenge"), None);
    assert_eq!(rows(&server, "orders").len(), 0);
}

/// The hub cannot be made to call itself.
#[test]
fn a_callback_or_topic_at_the_hub_itself_is_refused() {
    let (server, reader) = (start(&[]), subscriber());
    let own = format!("http://{}/dispatch?_topic=orders", server.addr());
    let answer = subscribe(&server, "orders", &own, "");
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = subscribe(&server, &own, &reader.url("/"), "");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(ping(&server, &own).status, 403);
    // By name it is refused when it is about to be called.
    let named = format!("http://localhost:{}/hub", server.addr().port());
    let answer = subscribe(&server, "orders", &named, "&hub.verify=sync");
    assert!(matches!(answer.status, 403 | 409), "{answer:?}");
    assert_eq!(metric(&server, "hookah_subscriptions"), 0);
}
