//! What a target gets, and what the publisher is told, for every way of posting.
//! Failing targets are other stories.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::server::Server;
use crate::target::Target;
use crate::{FORM, ask, form, post, schedule};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes that no text has.
fn binary() -> Vec<u8> {
    (0..=255).chain(*b"\r\n--\r\n\0").collect()
}

#[test]
fn a_posted_form_arrives_as_a_post_of_its_other_fields() {
    let (server, target) = (Server::start(), Target::willing());
    let body = format!(
        "_url={}&a=1&_foo=b+c%21&a=2&empty=",
        target.url("/hook?x=y")
    );
    let answer = ask(&server, form(&body));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (202, "202 Scheduled")
    );
    let field = |name| answer.fields.get(name).expect("a field");
    let id = field("Hookah-Id");
    assert!(id.starts_with("msg_") && id.len() == 30, "{id}");
    assert_eq!(field("Location"), format!("/messages/{id}"));
    assert_eq!(field("Hookah-Durability"), "memory");
    assert_eq!(field("Content-Type"), "text/plain; charset=utf-8");
    assert!(!answer.closes());

    let webhook = target.arrival();
    assert_eq!(
        (webhook.method.as_str(), webhook.path.as_str()),
        ("POST", "/hook?x=y")
    );
    assert_eq!(webhook.text(), "a=1&_foo=b+c%21&a=2&empty=");
    assert_eq!(webhook.field("Host"), target.addr().to_string());
    assert_eq!(webhook.field("User-Agent"), format!("Hookah/{VERSION}"));
    assert_eq!(
        webhook.field("Content-Type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(webhook.field("Hookah-Attempt"), "1");
    assert_eq!(webhook.field("webhook-id"), id);
    for absent in ["Accept-Encoding", "Authorization", "Connection", "Cookie"] {
        assert_eq!(webhook.fields.get(absent), None);
    }
    let sent: u64 = webhook.field("webhook-timestamp").parse().expect("seconds");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    assert!(sent.abs_diff(now.as_secs()) < 60, "{sent}");
    target.has_no_more();
}

#[test]
fn a_multipart_form_arrives_byte_for_byte_without_its_control_parts() {
    let (server, target) = (Server::start(), Target::willing());
    let part = |head: &str, content: &[u8]| {
        let head = format!("--B x\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let control = part("name=\"_url\"", target.url("/").as_bytes());
    let file = "name=\"f\"; filename=\"\u{fc}.bin\"\r\nContent-Type: image/x\r\nX-Odd:  kept ";
    let (file, plain) = (part(file, &binary()), part("name=a", b"1"));
    let (before, end) = (b"preamble\r\n".to_vec(), b"--B x--\r\nepilogue".to_vec());
    let sent = [&before, &file, &control, &plain, &end].map(Vec::as_slice);
    let kept = [&before, &file, &plain, &end].map(Vec::as_slice);
    let content_type = "multipart/form-data; boundary=\"B x\"";
    let fields = format!("Content-Type: {content_type}\r\n");
    let answer = ask(&server, post("/dispatch", &fields, sent.concat()));
    assert_eq!(answer.status, 202, "{answer:?}");
    let webhook = target.arrival();
    assert_eq!(webhook.body, kept.concat());
    assert_eq!(webhook.field("Content-Type"), content_type);
}

#[test]
fn options_and_fields_may_stand_in_the_query() {
    let (server, target) = (Server::start(), Target::willing());
    let url = target.url("/q").replace(':', "%3A").replace('/', "%2F");
    let path = format!("/dispatch?_url={url}&a=1&_method=PUT");
    assert_eq!(ask(&server, post(&path, FORM, "b=2")).status, 202);
    let webhook = target.arrival();
    assert_eq!(
        (webhook.method.as_str(), webhook.text()),
        ("PUT", "a=1&b=2")
    );
    assert_eq!(webhook.path, "/q");
}

#[test]
fn another_body_goes_on_untouched_with_its_type() {
    let (server, target) = (Server::start(), Target::willing());
    let header = format!(
        "Hookah-Url: {}\r\nContent-Type: x/y; z=1\r\n",
        target.url("/h")
    );
    assert_eq!(
        ask(&server, post("/dispatch", &header, binary())).status,
        202
    );
    let webhook = target.arrival();
    assert_eq!((webhook.body, webhook.path.as_str()), (binary(), "/h"));
    assert_eq!(webhook.fields.get("Content-Type"), Some("x/y; z=1"));
}

#[test]
fn the_target_may_stand_in_the_path_plain_or_in_base64() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let (server, target) = (Server::start(), Target::willing());
    // Each encoding has a character that the other one has not.
    let url = target.url("/p?a=\u{7e}\u{7e}\u{7e}?>>");
    let json = b"{\"a\": 1,\n \"_url\": \"http://elsewhere\"}";
    let fields = "Content-Type: application/json\r\n";
    let paths = [STANDARD.encode(&url), URL_SAFE_NO_PAD.encode(&url)];
    for encoded in paths {
        let path = format!("/dispatch/{encoded}");
        let answer = ask(&server, post(&path, fields, json));
        assert_eq!(answer.status, 202, "{answer:?}");
        let webhook = target.arrival();
        assert_eq!(
            (&webhook.body[..], webhook.path.as_str()),
            (&json[..], "/p?a=~~~?%3E%3E")
        );
        assert_eq!(webhook.field("Content-Type"), "application/json");
    }
    let path = format!("/dispatch/{}", target.url("/plain?_method=PUT&a"));
    assert_eq!(ask(&server, post(&path, fields, json)).status, 202);
    let webhook = target.arrival();
    assert_eq!(
        (webhook.method.as_str(), webhook.path.as_str()),
        ("POST", "/plain?_method=PUT&a")
    );
}

#[test]
fn an_empty_form_is_a_get_unless_a_method_is_asked_for() {
    let (server, target) = (Server::start(), Target::willing());
    schedule(&server, &target.url("/"), "");
    let webhook = target.arrival();
    assert_eq!((webhook.method.as_str(), webhook.text()), ("GET", ""));
    assert_eq!(webhook.fields.get("Content-Length"), None);
    assert_eq!(webhook.fields.get("Content-Type"), None);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        for (more, body) in [("", ""), ("&a=b", "a=b")] {
            schedule(
                &server,
                &target.url("/"),
                &format!("&_method={method}{more}"),
            );
            let webhook = target.arrival();
            assert_eq!((webhook.method.as_str(), webhook.text()), (method, body));
        }
    }
}

#[test]
fn every_target_gets_the_message_once_and_userinfo_becomes_basic_auth() {
    let (server, first, second) = (Server::start(), Target::willing(), Target::willing());
    let secret = first.url("/").replace("//", "//me:pa%3Ass@");
    let id = schedule(
        &server,
        &secret,
        &format!("&_url={}&_topic=t&a=1", second.url("/2")),
    );
    let (one, two) = (first.arrival(), second.arrival());
    assert_eq!((one.text(), two.text()), ("a=1", "a=1"));
    assert_eq!(
        (one.field("webhook-id"), two.field("webhook-id")),
        (&id[..], &id[..])
    );
    assert_eq!(one.field("Authorization"), "Basic bWU6cGE6c3M=");
    assert_eq!(one.field("Host"), first.addr().to_string());
    assert_eq!(two.fields.get("Authorization"), None);
    first.has_no_more();
    second.has_no_more();
}

#[test]
fn a_large_body_arrives_whole_and_ids_only_grow() {
    let (server, target) = (Server::start(), Target::willing());
    let body: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    let header = format!("Hookah-Url: {}\r\nContent-Type: a/b\r\n", target.url("/"));
    let mut client = Client::connect(server.addr());
    let mut last = String::new();
    for _ in 0..3 {
        let answer = client.send(post("/dispatch", &header, &body)).answer();
        assert_eq!(answer.status, 202, "{answer:?}");
        let id = answer.fields.get("Hookah-Id").expect("an id").to_owned();
        assert!(id > last, "{id} after {last}");
        last = id;
        assert!(target.arrival().body == body);
    }
}

#[test]
fn a_topic_without_listeners_is_accepted() {
    let answer = ask(&Server::start(), form("_topic=t&a=1"));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (202, "202 Scheduled")
    );
}

#[test]
fn a_delayed_webhook_waits() {
    let (server, target) = (Server::start(), Target::willing());
    let begun = Instant::now();
    schedule(&server, &target.url("/late"), "&_delay=300ms&a=1");
    schedule(&server, &target.url("/now"), "&a=1");
    assert_eq!(target.arrival().path, "/now");
    let late = target.arrival();
    assert_eq!(late.path, "/late");
    assert!(late.at - begun >= Duration::from_millis(300));
}

#[test]
fn json_is_answered_in_json() {
    let server = Server::start();
    let accept = format!("{FORM}Accept: application/json\r\n");
    let answer = ask(&server, post("/dispatch", &accept, "_topic=t"));
    let id = answer.fields.get("Hookah-Id").expect("an id");
    let reach = r#","topic":"t","streams":0,"callbacks":0}"#;
    assert_eq!(
        answer.body,
        format!("{{\"id\":\"{id}\",\"status\":\"scheduled\"{reach}")
    );
    assert_eq!(answer.fields.get("Content-Type"), Some("application/json"));
    let sent = "Content-Type: application/json\r\nHookah-Topic: t\r\n";
    let answer = ask(&server, post("/dispatch", sent, "[]"));
    assert_eq!((answer.status, &answer.body[..7]), (202, "{\"id\":\""));
}
