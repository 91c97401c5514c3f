//! Who wants to know how it ends waits for that, and no longer than it said.

use super::{asked, dispatch, ended, held, json, schedule, statuses};
use crate::server::Server;
use crate::target::{ERROR, OK, Target};

#[test]
fn a_look_waits_until_all_deliveries_have_ended() {
    let (server, quick) = (Server::start(), Target::willing());
    let (slow, tell) = held();
    let form = format!("_url={}&_url={}&a=1", quick.url("/"), slow.url("/"));
    let id = schedule(&server, &form);
    slow.arrival();
    let path = format!("/messages/{id}?wait=60s");
    let mut waits = asked(&server, "GET", &path, "", "");
    // It has been read when what came after it is answered.
    super::ask(&server, "GET", "/health");
    tell.send(OK).unwrap();
    let message = json(&waits.answer(), 200);
    assert_eq!(statuses(&message), ["delivered", "delivered"]);
    assert_eq!(message["deliveries"][1]["attempts"][0]["status"], 200);
}

#[test]
fn a_wait_that_is_over_is_answered_with_what_there_is() {
    let server = Server::start();
    let (target, tell) = held();
    let id = schedule(&server, &format!("_url={}&a=1", target.url("/")));
    target.arrival();
    let path = format!("/messages/{id}?wait=1s");
    let message = json(&super::ask(&server, "GET", &path), 200);
    assert_eq!(statuses(&message), ["active"]);
    let head = asked(&server, "HEAD", &path, "", "").answer_to_head();
    assert_eq!(head.status, 200);
    tell.send(OK).unwrap();
    assert_eq!(statuses(&ended(&server, &id)), ["delivered"]);
}

#[test]
fn a_retry_is_waited_for_too() {
    let server = Server::start();
    let mut count = 0;
    let target = Target::new(move |_| {
        count += 1;
        if count < 3 { ERROR.into() } else { OK.into() }
    });
    let form = format!("_url={}&_retry_schedule=50ms&a=1", target.url("/"));
    let message = ended(&server, &schedule(&server, &form));
    assert_eq!(
        message["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(statuses(&message), ["delivered"]);
}

#[test]
fn a_bad_wait_is_refused() {
    let server = Server::start();
    for query in ["wait=61s", "wait=x", "wait=0", "until=3"] {
        let path = format!("/messages/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV?{query}");
        let answer = super::ask(&server, "GET", &path);
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains("; allowed: "), "{}", answer.body);
    }
}

#[test]
fn a_dispatch_that_prefers_to_wait_gets_the_result() {
    let (server, target) = (Server::start(), Target::willing());
    let url = target.url("/").replace("http://", "http://user:hush@");
    let form = format!("_url={url}&a=1");
    let answer = dispatch(&server, "Prefer: respond-async, wait=100; x=1\r\n", &form).answer();
    let message = json(&answer, 200);
    assert_eq!(statuses(&message), ["delivered"]);
    assert_eq!(answer.fields.get("Preference-Applied"), Some("wait=60"));
    let id = message["id"].as_str().unwrap();
    assert_eq!(answer.fields.get("Hookah-Id"), Some(id));
    let location = format!("/messages/{id}");
    assert_eq!(answer.fields.get("Location"), Some(&*location));
    assert!(!answer.body.contains("hush"), "{}", answer.body);
}

#[test]
fn a_dispatch_that_takes_longer_than_preferred_gets_its_202() {
    let server = Server::start();
    let (target, tell) = held();
    let form = format!("_url={}&a=1", target.url("/"));
    let answer = dispatch(&server, "Prefer: wait=1\r\n", &form).answer();
    assert_eq!((answer.status, &*answer.body), (202, "202 Scheduled"));
    tell.send(OK).unwrap();
    let id = answer.fields.get("Hookah-Id").unwrap();
    assert_eq!(statuses(&ended(&server, id)), ["delivered"]);
    // Nothing is to be waited for, or nothing that can be read.
    for (prefer, form) in [("wait=5", "_topic=t&a=1"), ("wait=soon", &*form)] {
        let prefer = format!("Prefer: {prefer}\r\n");
        assert_eq!(dispatch(&server, &prefer, form).answer().status, 202);
    }
    tell.send(OK).unwrap();
}
