//! Stories of publishers: what a ping leads to, and what is made of the answer.

use super::*;
use crate::peers::{Publisher, encoded, says, sent_to, subscriber};
use crate::target::Target;

/// One change is one delivery, for streams too, and what did not change is none.
#[test]
fn a_change_goes_out_once_and_to_streams_too() {
    let (server, reader) = (start(&[]), subscriber());
    let publisher = Publisher::new("");
    let topic = publisher.topic();
    let tagged = |tag: &str, body: &str| {
        let fields = format!("ETag: {tag}\r\nContent-Type: text/plain\r\n");
        publisher.answers(says(200, &fields, body));
    };
    subscribed(&server, &topic, &reader, "");
    tagged("\"1\"", "one");
    assert_eq!(ping(&server, &topic).status, 204);
    let asked = publisher.target.arrival();
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/feed"));
    assert_eq!(asked.fields.get("If-None-Match"), None);
    assert_eq!(asked.field("X-Hub-Subscribers"), "1");
    assert!(asked.field("User-Agent").contains("1 subscriber"));
    assert_eq!(asked.field("Accept-Encoding"), "identity");
    let first = reader.arrival();
    assert_eq!(first.text(), "one");
    quiet(&server, &topic);

    // Not changed by its own word, then by its bytes; then changed.
    publisher.answers(says(304, "", ""));
    ping(&server, &topic);
    let asked = publisher.target.arrival();
    assert_eq!(asked.field("If-None-Match"), "\"1\"");
    tagged("\"2\"", "one");
    ping(&server, &topic);
    publisher.target.arrival();
    tagged("\"3\"", "two");
    ping(&server, &topic);
    publisher.target.arrival();
    let second = reader.arrival();
    assert_eq!(second.text(), "two");
    let path = format!("/stream?topic={}&count=-9&format=json", encoded(&topic));
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let stream = Client::connect(server.addr()).send(request).wire.rest();
    let kept = String::from_utf8(stream).expect("text");
    for got in [&first, &second] {
        let line = format!("{{\"id\":\"{}\"", got.field("X-Hub-Delivery"));
        assert_eq!(kept.matches(&line).count(), 1, "{kept}");
    }
    assert_eq!(kept.matches("{\"id\"").count(), 2, "{kept}");
}

/// What hub.url and hub.topic name, each several times, is looked at once.
#[test]
fn a_ping_may_name_several_topics() {
    let (server, reader) = (start(&[]), subscriber());
    let (one, two) = (Publisher::new("one"), Publisher::new("two"));
    subscribed(&server, &one.topic(), &reader, "");
    subscribed(&server, &two.topic(), &reader, "");
    let (first, second) = (encoded(&one.topic()), encoded(&two.topic()));
    let unknown = encoded("http://127.0.0.1:9/nobody");
    let form =
        format!("hub.url={first}&hub.topic={second}&hub.url%5B%5D={first}&hub.topic={unknown}&x=y");
    assert_eq!(
        hub(&server, &format!("{form}&hub.mode=publish")).status,
        204
    );
    let mut got = [reader.arrival(), reader.arrival()].map(|got| got.text().to_owned());
    got.sort();
    assert_eq!(got, ["one", "two"]);
    one.target.arrival();
    one.target.has_no_more();
    // The half for publishers needs no mode; and one bad URL spoils them all.
    let spoiled = format!("hub.url={first}&hub.url=ftp://x/");
    let answer = post(&server, "/publish", FORM, &spoiled);
    assert!(
        answer.status == 400 && answer.body.contains("hub.url"),
        "{answer:?}"
    );
    one.now("one more");
    let answer = post(&server, "/publish", FORM, &format!("hub.url={first}"));
    assert_eq!(answer.status, 204);
    assert_eq!(reader.arrival().text(), "one more");
}

/// A ping that comes during a fetch leads to another: what changed in between is not missed.
#[test]
fn a_ping_during_a_fetch_is_not_lost() {
    let (server, reader) = (start(&[]), subscriber());
    let (go, wait) = std::sync::mpsc::channel::<&str>();
    let publisher = Target::new(move |_| says(200, "", wait.recv().unwrap_or_default())[..].into());
    let topic = publisher.url("/feed");
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    publisher.arrival();
    ping(&server, &topic);
    ping(&server, &topic);
    publisher.has_no_more();
    go.send("one").expect("it waits");
    assert_eq!(reader.arrival().text(), "one");
    publisher.arrival();
    go.send("two").expect("it waits");
    assert_eq!(reader.arrival().text(), "two");
    quiet(&server, &topic);
    publisher.has_no_more();
}

#[test]
fn a_failed_fetch_distributes_nothing_and_is_tried_again() {
    let server = start(&["--hub-fetch-schedule", "1ms,1ms"]);
    let reader = subscriber();
    let mut count = 0;
    let publisher = Target::new(move |_| {
        count += 1;
        match count {
            1 => target::Act::Reset(Vec::new()),
            2 => says(503, "", "sorry")[..].into(),
            3 => says(200, "", "at last")[..].into(),
            _ => says(404, "", "gone")[..].into(),
        }
    });
    let topic = publisher.url("/feed");
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    assert_eq!(reader.arrival().text(), "at last");
    quiet(&server, &topic);
    // What is final is not tried again, and ends no subscription.
    ping(&server, &topic);
    until("it has failed", || {
        metric(&server, "hookah_fetches_failed_total") == 3
    });
    assert_eq!(metric(&server, "hookah_fetches_total"), 4);
    assert_eq!(row(&server, &topic)["state"], "active");
    reader.has_no_more();
}

#[test]
fn a_fetch_is_sent_on_five_times_at_most() {
    let (server, reader) = (start(&[]), subscriber());
    let publisher = Target::new(|got| match &*got.path {
        "/5" => says(200, "Link: <self>; rel=self\r\n", "found")[..].into(),
        "/feed" => sent_to(301, "/1")[..].into(),
        path => {
            let hop: u32 = path[1..].parse().expect("a number");
            let status = [302, 303, 307, 308][hop as usize % 4];
            sent_to(status, &format!("/{}", hop + 1))[..].into()
        }
    });
    let topic = publisher.url("/feed");
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    let got = reader.arrival();
    assert_eq!(got.text(), "found");
    let own = format!("<{}>; rel=\"self\"", publisher.url("/self"));
    assert!(got.field("Link").ends_with(&own), "{got:?}");
    // One hop more is one too many.
    let (far, reader) = (publisher.url("/8"), subscriber());
    subscribed(&server, &far, &reader, "");
    ping(&server, &far);
    until("it has failed", || {
        metric(&server, "hookah_fetches_failed_total") == 1
    });
    reader.has_no_more();
}

#[test]
fn what_is_too_large_is_not_distributed() {
    let server = start(&["--hub-max-content", "1KiB"]);
    let (reader, publisher) = (subscriber(), Publisher::new(&"x".repeat(1_025)));
    let topic = publisher.topic();
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    until("it has failed", || {
        metric(&server, "hookah_fetches_failed_total") == 1
    });
    publisher.now(&"x".repeat(1_024));
    ping(&server, &topic);
    assert_eq!(reader.arrival().body.len(), 1_024);
}

/// A fat ping brings the content along. It is a message like any other.
#[test]
fn content_may_come_along() {
    let (server, reader) = (start(&[]), subscriber());
    subscribed(&server, "orders", &reader, "");
    let form = "hub.mode=publish&hub.topic=orders&hub.content=a%3D1&hub.content_type=text/x";
    assert_eq!(hub(&server, form).status, 202);
    let got = reader.arrival();
    assert_eq!((got.text(), got.field("Content-Type")), ("a=1", "text/x"));
    let path = "/publish?hub.topic=orders";
    let answer = post(&server, path, "Content-Type: application/json\r\n", "{}");
    assert_eq!(answer.status, 202, "{answer:?}");
    let got = reader.arrival();
    assert_eq!(
        (got.text(), got.field("Content-Type")),
        ("{}", "application/json")
    );
    let own = format!("<http://{}/topics/orders>; rel=\"self\"", server.addr());
    assert!(got.field("Link").ends_with(&own), "{got:?}");
    assert_eq!(got.field("Hookah-Hops"), "1");
    // To go round in circles takes patience.
    let fields = "Content-Type: application/json\r\nHookah-Hops: 5\r\n";
    assert_eq!(post(&server, path, fields, "{}").status, 400);
}

/// What the publisher's page says of itself is what subscribers hear, if the hub it names is ours.
#[test]
fn the_link_says_what_the_topic_says_of_itself() {
    let server = start(&["--public-url", "http://hub.example"]);
    let bodies = [
        "<feed xmlns='http://www.w3.org/2005/Atom'><link rel='hub' href='http://hub.example/hub'/>\
         <link rel='self' href='http://canonical.example/atom'/></feed>",
        "<rss xmlns:a='http://www.w3.org/2005/Atom'><channel><a:link rel='self' \
         href='http://canonical.example/rss'/><a:link rel='hub' href='http://else.example/'/>\
         </channel></rss>",
        "<!doctype html><head><link rel='hub self' href='http://canonical.example/html'></head>",
    ];
    for (n, body) in bodies.iter().enumerate() {
        let (reader, publisher) = (subscriber(), Publisher::new(body));
        let topic = publisher.topic();
        subscribed(&server, &topic, &reader, "");
        ping(&server, &topic);
        let got = reader.arrival();
        let own = ["atom", "rss", "html"][n];
        let want = format!(
            "<http://hub.example/hub>; rel=\"hub\", <http://canonical.example/{own}>; rel=\"self\""
        );
        assert_eq!(got.field("Link"), want);
    }
}

#[test]
fn a_topic_that_is_not_for_this_hub_is_denied_if_the_operator_wants_that() {
    let (server, reader) = (start(&["--hub-strict-self"]), subscriber());
    let publisher = Publisher::new("nothing of itself");
    let topic = publisher.topic();
    subscribed(&server, &topic, &reader, "");
    ping(&server, &topic);
    let told = reader.arrival();
    assert_eq!(peers::param(&told, "hub.mode").as_deref(), Some("denied"));
    assert_eq!(peers::param(&told, "hub.topic"), Some(topic.clone()));
    assert!(peers::param(&told, "hub.reason").is_some());
    assert!(rows(&server, &topic).is_empty());
}
