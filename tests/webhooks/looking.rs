//! Stories of GET /messages/{id}: what became of a message, for whoever has its id.

use super::{FORM, delivery, look, post, schedule};
use crate::client::Client;
use crate::server::Server;
use crate::target::{Absent, Act, ERROR, OK, Target};

#[test]
fn attempts_are_listed_with_their_answers() {
    let server = Server::start();
    let mut count = 0;
    let target = Target::new(move |_| {
        count += 1;
        if count < 3 { ERROR.into() } else { OK.into() }
    });
    let url = target.url("/x?y").replace("http://", "http://user:hush@");
    let form = format!(
        "_url={url}&_retry_schedule=1ms&_label=mine&_secret=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    );
    let id = schedule(&server, "", &form);
    let delivered = delivery(&server, &id, "delivered");
    assert_eq!(delivered["url"], target.url("/x?y"), "userinfo is hidden");
    let attempts = delivered["attempts"].as_array().unwrap();
    let statuses: Vec<_> = attempts.iter().map(|it| it["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(200)]);
    assert_eq!(attempts[0]["error"], "status");
    assert_eq!(attempts[0]["response"]["body"], "oh");
    assert_eq!(attempts[0]["response"]["headers"]["content-length"], "2");
    assert_eq!(attempts[0]["response"]["truncated"], false);
    assert!(attempts[0]["at"].as_str().unwrap().ends_with('Z'));
    let whole = look(&server, &id);
    assert_eq!(
        (&whole["id"], &whole["label"]),
        (&id.into(), &"mine".into())
    );
    assert_eq!(whole["method"], "GET");
    let text = whole.to_string();
    assert!(!text.contains("hush") && !text.contains("whsec"), "{text}");
}

#[test]
fn what_waits_says_when_it_goes_on() {
    let (server, target) = (Server::start(), Absent::new());
    let id = schedule(&server, "", &format!("_url={}", target.url("/")));
    let retrying = delivery(&server, &id, "retrying");
    assert_eq!(retrying["attempts"][0]["error"], "connect");
    assert_eq!(retrying["attempts"][0]["detail"], "refused");
    assert_eq!(retrying["attempts"][0]["status"], serde_json::Value::Null);
    assert!(retrying["next_attempt_at"].as_str().unwrap().ends_with('Z'));
    let form = format!("_url={}&_delay=1h&a=1", target.url("/"));
    let scheduled = delivery(&server, &schedule(&server, "", &form), "scheduled");
    assert_eq!(scheduled["attempts"].as_array().unwrap().len(), 0);
}

/// Trap 2: other senders read bodies without a bound.
#[test]
fn option_capture_bounds_what_is_kept() {
    let server = Server::start();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc\xffef";
    let target = Target::new(|_| answer[..].into());
    for (capture, member, kept, truncated) in [
        ("0", "body", "", true),
        ("3", "body", "abc", true),
        ("64k", "body_base64", "YWJj/2Vm", false),
    ] {
        let form = format!("_url={}&_capture={capture}", target.url("/"));
        let id = schedule(&server, "", &form);
        let response = delivery(&server, &id, "delivered")["attempts"][0]["response"].take();
        assert_eq!(response[member], kept, "{capture}");
        assert_eq!(response["truncated"], truncated, "{capture}");
    }
    let flood = Target::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Act::Flood(head.to_vec(), b"4\r\nmore\r\n".to_vec())
    });
    let id = schedule(
        &server,
        "",
        &format!("_url={}&_capture=100", flood.url("/")),
    );
    delivery(&server, &id, "delivered");
    flood.line_ended();
    let response = delivery(&server, &id, "delivered")["attempts"][0]["response"].take();
    assert_eq!(response["truncated"], true);
    assert_eq!(response["body"].as_str().map(str::len), Some(100));
}

#[test]
fn each_target_has_its_delivery() {
    let (server, target, absent) = (Server::start(), Target::willing(), Absent::new());
    let form = format!(
        "_url={}&_url={}&_topic=t&_retries=0&a=1",
        target.url("/1"),
        absent.url("/2")
    );
    let id = schedule(&server, "", &form);
    delivery(&server, &id, "delivered");
    target.arrival();
    let mut message = look(&server, &id);
    while message["deliveries"][1]["status"] != "failed" {
        message = look(&server, &id);
    }
    assert_eq!(message["topics"][0], "t");
    assert_eq!(message["deliveries"][1]["n"], 2);
}

#[test]
fn what_is_not_known_is_a_404_and_a_publication_is_known() {
    let server = Server::start();
    for path in [
        "/messages/",
        "/messages/x",
        "/messages/msg_01HOOKAH0000000000000001",
        "/messages/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = Client::connect(server.addr()).send(request).answer();
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.body.starts_with("404 No such message: "),
            "{}",
            answer.body
        );
    }
    let answer = post(&server, FORM, "_topic=t&a=1");
    let id = answer.fields.get("Hookah-Id").expect("an id");
    let message = look(&server, id);
    assert_eq!(message["deliveries"].as_array().unwrap().len(), 0);
    assert_eq!(message["topics"][0], "t");
}
