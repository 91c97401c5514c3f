//! Stories of what a target gets besides the body, and of bodies that name their own target.

use super::{FORM, delivery, post, schedule};
use crate::server::Server;
use crate::target::{ERROR, Target};

#[test]
fn option_header_and_its_spellings() {
    let (server, target) = (Server::start(), Target::willing());
    let fields = "Hookah-Forward-X-Weighty: header\r\nHookah-Forward-X-Two: 1\r\n\
                  Hookah-Forward-X-Two: 2\r\nHookah-Forward-User-Agent: Mine/1\r\n";
    let form = format!(
        "_url={}&_header=X-Field:+a+b&_header=x-weighty:+body&_header=Authorization:Bearer+t",
        target.url("/").replace("http://", "http://u:p@")
    );
    schedule(&server, fields, &form);
    let got = target.arrival();
    assert_eq!(got.field("X-Weighty"), "header");
    assert_eq!(got.field("X-Field"), "a b");
    assert_eq!(got.fields.all("X-Two").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(got.fields.all("User-Agent").collect::<Vec<_>>(), ["Mine/1"]);
    assert_eq!(
        got.fields.all("Authorization").collect::<Vec<_>>(),
        ["Bearer t"]
    );
    for name in [
        "Host",
        "Connection",
        "content-length",
        "webhook-id",
        "Hookah-Hops",
    ] {
        let answer = post(
            &server,
            &format!("{FORM}Hookah-Forward-{name}: x\r\n"),
            &form,
        );
        assert_eq!(answer.status, 400, "{name}");
        assert!(
            answer
                .body
                .contains(&format!("Hookah-Forward-{name}: \"x\"")),
            "{}",
            answer.body
        );
    }
    target.has_no_more();
}

#[test]
fn option_forward_headers_relays_what_is_end_to_end() {
    let (server, target) = (Server::start(), Target::willing());
    let fields = "X-GitHub-Event: push\r\nCookie: a=b\r\nX-Hop: 1\r\nConnection: X-Hop\r\n\
                  Hookah-Forward-Headers: true\r\nHookah-Label: hidden\r\nwebhook-id: theirs\r\n";
    schedule(&server, fields, &format!("_url={}&a=1", target.url("/")));
    let got = target.arrival();
    assert_eq!(
        (got.field("X-GitHub-Event"), got.field("Cookie")),
        ("push", "a=b")
    );
    for absent in [
        "X-Hop",
        "Connection",
        "Hookah-Label",
        "Hookah-Forward-Headers",
    ] {
        assert_eq!(got.fields.get(absent), None, "{absent}");
    }
    assert!(got.field("webhook-id").starts_with("msg_"));
    assert_eq!(got.fields.all("Host").count(), 1);
}

#[test]
fn traceparent_passes_and_hops_are_counted() {
    let (server, target) = (Server::start(), Target::willing());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let form = format!("_url={}&a=1", target.url("/"));
    schedule(&server, "", &form);
    assert_eq!(target.arrival().field("Hookah-Hops"), "1");
    schedule(
        &server,
        &format!("Traceparent: {trace}\r\nHookah-Hops: 4\r\n"),
        &form,
    );
    let got = target.arrival();
    assert_eq!(
        (got.field("traceparent"), got.field("Hookah-Hops")),
        (trace, "5")
    );
    for hops in ["5", "99999999999999999999", "x"] {
        let answer = post(&server, &format!("{FORM}Hookah-Hops: {hops}\r\n"), &form);
        assert_eq!(answer.status, 400, "{hops}");
        assert!(answer.body.contains("Hookah-Hops"), "{}", answer.body);
    }
    target.has_no_more();
}

#[test]
fn json_names_its_own_target_and_keeps_every_other_byte() {
    let (server, target) = (Server::start(), Target::willing());
    let body = format!(
        "{{ \"_url\": \"{}\",\n \"n\": 1.50, \"_header\": [\"X-A: 1\", \"X-B: 2\"] , \
         \"_foo\":[] }}",
        target.url("/").replace('/', "\\/")
    );
    let answer = post(&server, "Content-Type: application/json\r\n", &body);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(
        answer.body.starts_with("{\"id\":\"msg_"),
        "a JSON request gets JSON"
    );
    let got = target.arrival();
    assert_eq!(got.text(), "{ \"n\": 1.50, \"_foo\":[] }");
    assert_eq!(got.field("Content-Type"), "application/json");
    assert_eq!((got.field("X-A"), got.field("X-B")), ("1", "2"));
    let answer = post(
        &server,
        "Content-Type: application/json\r\n",
        "{\"_url\":1,]",
    );
    assert_eq!(answer.status, 400);
}

#[test]
fn option_success_decides_what_counts() {
    let server = Server::start();
    let target = Target::new(|_| ERROR.into());
    let form = format!("_url={}&_success=200,500-503&_retries=0", target.url("/"));
    let id = schedule(&server, "", &form);
    let delivered = delivery(&server, &id, "delivered");
    assert_eq!(delivered["attempts"][0]["status"], 500);
    assert_eq!(delivered["attempts"][0]["error"], serde_json::Value::Null);
    let target = Target::willing();
    let form = format!("_url={}&_success=204&_retries=0", target.url("/"));
    let id = schedule(&server, "", &form);
    let failed = delivery(&server, &id, "failed");
    assert_eq!(failed["attempts"][0]["error"], "status");
}
