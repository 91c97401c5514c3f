//! Messages are found by what they are and how they ended, the newest first, a page at a time.

use serde_json::Value;

use super::{ask, asked, ended, held, json, schedule};
use crate::server::Server;
use crate::target::{Absent, OK, Target};

fn found(server: &Server, query: &str) -> (Vec<String>, Value) {
    let mut page = json(&ask(server, "GET", &format!("/messages?{query}")), 200);
    let messages = page["messages"].as_array().expect("messages");
    let ids = messages
        .iter()
        .map(|it| it["id"].as_str().expect("an id").to_owned());
    (ids.collect(), page["next_cursor"].take())
}

#[test]
fn messages_are_found_by_each_filter() {
    let (server, target, absent) = (Server::start(), Target::willing(), Absent::new());
    let form = |url: String, more: &str| format!("_url={url}&_retries=0&a=1{more}");
    let good = schedule(&server, &form(target.url("/x?y"), "&_label=mine"));
    let bad = schedule(&server, &form(absent.url("/"), "&_topic=t"));
    let later = schedule(&server, &form(target.url("/"), "&_delay=1h"));
    ended(&server, &good);
    ended(&server, &bad);
    let all = [&later, &bad, &good];
    let url = target.url("/x%3Fy");
    for (query, places) in [
        ("", &[0, 1, 2][..]),
        ("status=delivered", &[2]),
        ("status=failed", &[1]),
        ("status=scheduled", &[0]),
        ("status=active", &[]),
        ("topic=t", &[1]),
        ("label=mine", &[2]),
        ("label=other", &[]),
        (&format!("url={url}"), &[2]),
        ("since=2020-01-01T00:00:00Z", &[0, 1, 2]),
        ("until=2020-01-01T00:00:00Z", &[]),
        (&format!("cursor={bad}"), &[2]),
    ] {
        let ids: Vec<String> = places.iter().map(|place| all[*place].clone()).collect();
        assert_eq!(found(&server, query), (ids, Value::Null), "{query}");
    }
    let failed = json(&ask(&server, "GET", "/messages?status=failed"), 200);
    let delivery = &failed["messages"][0]["deliveries"][0];
    assert_eq!(delivery["attempts"][0]["error"], "connect");
    let head = asked(&server, "HEAD", "/messages", "", "").answer_to_head();
    assert_eq!(head.status, 200);
}

#[test]
fn a_page_says_where_the_next_begins() {
    let server = Server::start();
    let ids: Vec<String> = (0..5).map(|_| schedule(&server, "_topic=t&a=1")).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (page, next) = found(&server, &format!("limit=2{cursor}"));
        assert!(page.len() <= 2);
        seen.extend(page);
        match next.as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, ids);
}

#[test]
fn what_is_being_attempted_is_found() {
    let server = Server::start();
    let (target, tell) = held();
    let form = format!("_url={}&a=1", target.url("/"));
    let id = schedule(&server, &form);
    target.arrival();
    assert_eq!(
        found(&server, "status=active"),
        (vec![id.clone()], Value::Null)
    );
    assert_eq!(found(&server, "status=active&label=x").0.len(), 0);
    assert_eq!(found(&server, "status=queued").0.len(), 0);
    tell.send(OK).unwrap();
    ended(&server, &id);
    assert_eq!(found(&server, "status=active").0.len(), 0);
}

#[test]
fn a_bad_parameter_is_named_with_its_value_and_what_is_allowed() {
    let server = Server::start();
    for query in [
        "status=done",
        "limit=0",
        "since=x",
        "cursor=1",
        "statuss=failed",
    ] {
        let answer = ask(&server, "GET", &format!("/messages?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        let value = query.split_once('=').unwrap();
        let shown = answer.body.contains(value.0) && answer.body.contains("; allowed: ");
        assert!(shown, "{query}: {}", answer.body);
    }
    assert_eq!(ask(&server, "DELETE", "/messages").status, 405);
}
