//! Callbacks and errbacks, requests that are sent twice, and many messages in one request.

use crate::client::Client;
use crate::server::Server;
use crate::target::{ERROR, OK, Target};
use crate::{FORM, ask, metric, post, schedule, settled};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

#[test]
fn whoever_asked_is_told_once_of_all_attempts() {
    let server = Server::start();
    let answer = b"HTTP/1.1 201 Made\r\nX-Order: 7\r\nContent-Length: 4\r\n\r\nmade";
    let target = Target::new(|webhook| match webhook.attempt() {
        1 | 2 => ERROR.into(),
        _ => answer[..].into(),
    });
    let (told, failed) = (Target::willing(), Target::willing());
    let more = format!(
        "&_retry_schedule=10ms&_callback={}&_errback={}&_secret={SECRET}&_label=shop&a=1",
        told.url("/told?x=1"),
        failed.url("/")
    );
    let id = schedule(&server, &target.url("/hook"), &more);
    let arrival = told.arrival();
    assert_eq!((&*arrival.method, &*arrival.path), ("POST", "/told?x=1"));
    assert_eq!(arrival.field("Content-Type"), "application/json");
    assert_ne!(arrival.field("webhook-id"), id);
    assert!(arrival.field("webhook-signature").starts_with("v1,"));
    let url = target.url("/hook");
    let want = [
        &format!(r#"{{"id":"{id}","url":"{url}","method":"POST","outcome":"delivered","#),
        r#""error":null,"attempts":3,"status":201,"#,
        r#""headers":{"x-order":"7","content-length":"4"},"body":"made","#,
        r#""truncated":false,"label":"shop"}"#,
    ];
    assert_eq!(arrival.text(), want.concat());
    settled(&server);
    told.has_no_more();
    failed.has_no_more();
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 2);
}

#[test]
fn a_failure_is_told_to_both_and_is_tried_until_it_is_taken() {
    let server = Server::with(["--retry-schedule", "10ms"]);
    let target =
        Target::new(|_| b"HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\n\xffno"[..].into());
    let told = Target::new(|webhook| if webhook.attempt() < 3 { ERROR } else { OK }.into());
    let failed = Target::willing();
    let more = format!(
        "&_callback={}&_errback={}&a=1",
        told.url("/"),
        failed.url("/")
    );
    schedule(&server, &target.url("/"), &more);
    let last = failed.arrival();
    let text = last.text();
    assert!(text.contains(r#""outcome":"failed","error":"status","attempts":1,"status":410"#));
    assert!(text.contains(r#""body_base64":"/25v""#), "{text}");
    let tries = [told.arrival(), told.arrival(), told.arrival()];
    let ids: Vec<&str> = tries.iter().map(|it| it.field("webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert_eq!(tries[2].attempt(), 3);
    assert_eq!(tries[2].text(), text);
    settled(&server);
    failed.has_no_more();
    told.has_no_more();
}

#[test]
fn a_body_that_comes_late_is_told_too() {
    let server = Server::start();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n".to_vec();
    let target = Target::new(move |_| crate::target::Act::Drip(head.clone(), b"late, "));
    let told = Target::willing();
    let more = format!("&_callback={}&a=1", told.url("/"));
    schedule(&server, &target.url("/"), &more);
    let arrival = told.arrival();
    let body = format!(r#""body":"{}","truncated":false"#, "late, ".repeat(10));
    assert!(arrival.text().contains(&body), "{}", arrival.text());
}

fn keyed(target: &Target, key: &str, body: &str) -> Vec<u8> {
    let fields = format!("Idempotency-Key: {key}\r\n{FORM}");
    post(
        "/dispatch",
        &fields,
        format!("_url={}&{body}", target.url("/")),
    )
}

#[test]
fn a_request_that_is_sent_twice_is_taken_once() {
    let (server, target) = (Server::start(), Target::willing());
    let first = ask(&server, keyed(&target, "order-7", "a=1"));
    assert_eq!(first.status, 202);
    assert_eq!(first.fields.get("Hookah-Duplicate"), None);
    let id = first.fields.get("Hookah-Id").expect("an id").to_owned();
    for _ in 0..2 {
        let again = ask(&server, keyed(&target, "order-7", "a=1"));
        assert_eq!((again.status, &*again.body), (202, "202 Scheduled"));
        assert_eq!(again.fields.get("Hookah-Duplicate"), Some("true"));
        assert_eq!(again.fields.get("Hookah-Id"), Some(&*id));
        assert_eq!(
            again.fields.get("Location"),
            Some(&*format!("/messages/{id}"))
        );
    }
    let other = ask(&server, keyed(&target, "order-7", "a=2"));
    assert_eq!(other.status, 422);
    assert!(other.body.contains(&id), "{}", other.body);
    let next = ask(&server, keyed(&target, "order-8", "a=2"));
    assert_ne!(next.fields.get("Hookah-Id"), Some(&*id));
    settled(&server);
    let texts = [target.arrival(), target.arrival()].map(|it| it.text().to_owned());
    assert!(texts.contains(&"a=1".to_owned()) && texts.contains(&"a=2".to_owned()));
    target.has_no_more();
    assert_eq!(metric(&server, "hookah_messages_repeated_total"), 2);
}

#[test]
fn many_messages_go_in_one_request() {
    let (server, target) = (Server::start(), Target::willing());
    let url = target.url("/");
    let body = format!(
        r#"[{{"url":"{url}1","body":{{"n": 1}}}},
            {{"url":"{url}2","method":"PUT","body":"two","headers":{{"X-Two":"2"}}}},
            {{"url":"nowhere"}},
            {{"url":"{url}3","body_base64":"AAH/","idempotency-key":"k"}},
            {{"url":"{url}3","body_base64":"AAH/","idempotency-key":"k"}}]"#
    );
    let mut client = Client::connect(server.addr());
    let json = "Content-Type: application/json\r\n";
    let answer = client.send(post("/dispatch/batch", json, body)).answer();
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.fields.get("Content-Type"), Some("application/json"));
    assert_eq!(
        answer.body.matches("\"id\":\"msg_").count(),
        4,
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains("urn:hookah:problem:bad_target"),
        "{}",
        answer.body
    );
    assert!(
        answer.body.ends_with("\"duplicate\":true}]"),
        "{}",
        answer.body
    );
    let mut arrivals = [target.arrival(), target.arrival(), target.arrival()];
    arrivals.sort_by(|one, other| one.path.cmp(&other.path));
    let kinds = [
        "application/json",
        "text/plain; charset=utf-8",
        "application/octet-stream",
    ];
    let bodies: [&[u8]; 3] = [b"{\"n\": 1}", b"two", b"\x00\x01\xff"];
    for ((arrival, kind), body) in arrivals.iter().zip(kinds).zip(bodies) {
        assert_eq!(arrival.field("Content-Type"), kind);
        assert_eq!(arrival.body, body);
    }
    assert_eq!(
        (&*arrivals[1].method, arrivals[1].field("X-Two")),
        ("PUT", "2")
    );
    settled(&server);
    target.has_no_more();
}

#[test]
fn a_batch_may_be_lines_and_one_that_is_broken_is_refused() {
    let (server, target) = (Server::start(), Target::willing());
    let url = target.url("/");
    let mut client = Client::connect(server.addr());
    let lines = format!("{{\"url\":\"{url}4\"}}\n{{\"url\":\"{url}5\"}}\n");
    let answer = client.send(post("/dispatch/batch", "", lines)).answer();
    assert_eq!(
        answer.body.matches("\"id\":\"msg_").count(),
        2,
        "{}",
        answer.body
    );
    let broken = client
        .send(post("/dispatch/batch", "", "{\"url\":1}\n{"))
        .answer();
    assert_eq!(broken.status, 400);
    assert!(broken.body.contains("line 2, byte 1"), "{}", broken.body);
    settled(&server);
    target.arrival();
    target.arrival();
    target.has_no_more();
}
