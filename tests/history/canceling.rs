//! What is not delivered yet can be called off, once; an attempt under way is seen through.

use super::{ask, ended, held, json, schedule, statuses};
use crate::server::Server;
use crate::target::{Absent, ERROR, OK, Target};

fn cancel(server: &Server, id: &str) -> u64 {
    let told = json(&ask(server, "DELETE", &format!("/messages/{id}")), 200);
    told["canceled"].as_u64().expect("a number")
}

#[test]
fn what_waits_is_canceled_once() {
    let (server, target, absent) = (Server::start(), Target::willing(), Absent::new());
    let form = format!("_url={0}&_url={0}2&_delay=1h&a=1", target.url("/"));
    let scheduled = schedule(&server, &form);
    assert_eq!(
        (cancel(&server, &scheduled), cancel(&server, &scheduled)),
        (2, 0)
    );
    let message = ended(&server, &scheduled);
    assert_eq!(statuses(&message), ["canceled", "canceled"]);
    assert_eq!(message["deliveries"][0]["detail"], "on_request");
    let retrying = schedule(&server, &format!("_url={}&a=1", absent.url("/")));
    let path = format!("/messages/{retrying}");
    while json(&ask(&server, "GET", &path), 200)["deliveries"][0]["status"] != "retrying" {}
    assert_eq!(cancel(&server, &retrying), 1);
    assert_eq!(statuses(&ended(&server, &retrying)), ["canceled"]);
    target.has_no_more();
}

#[test]
fn an_attempt_under_way_ends_as_delivered_or_canceled() {
    for (answer, status) in [(OK, "delivered"), (ERROR, "canceled")] {
        let server = Server::start();
        let (target, tell) = held();
        let id = schedule(&server, &format!("_url={}&a=1", target.url("/")));
        target.arrival();
        assert_eq!((cancel(&server, &id), cancel(&server, &id)), (1, 0));
        tell.send(answer).unwrap();
        assert_eq!(statuses(&ended(&server, &id)), [status]);
        target.has_no_more();
    }
}

#[test]
fn who_waits_hears_of_it() {
    let (server, target) = (Server::start(), Target::willing());
    let id = schedule(&server, &format!("_url={}&_delay=1h&a=1", target.url("/")));
    let path = format!("/messages/{id}?wait=60s");
    let mut waits = super::asked(&server, "GET", &path, "", "");
    ask(&server, "GET", "/health");
    assert_eq!(cancel(&server, &id), 1);
    assert_eq!(statuses(&json(&waits.answer(), 200)), ["canceled"]);
}

#[test]
fn what_is_delivered_or_not_known_cannot_be_canceled() {
    let (server, target) = (Server::start(), Target::willing());
    let id = schedule(&server, &format!("_url={}&a=1", target.url("/")));
    ended(&server, &id);
    assert_eq!(cancel(&server, &id), 0);
    let unknown = ask(
        &server,
        "DELETE",
        "/messages/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    );
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert_eq!(ask(&server, "DELETE", "/messages/x").status, 404);
}
