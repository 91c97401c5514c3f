//! A message is sent again as a new one, alone or with all that a search finds.

use super::{ask, asked, ended, json, schedule, statuses};
use crate::server::Server;
use crate::target::{OK, Target};

/// What ends a delivery as failed at once.
const GONE: &[u8] = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_message_goes_out_again_under_a_new_id() {
    let (server, target) = (Server::start(), Target::willing());
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let form = format!(
        "_url={}&_label=mine&_secret={secret}&_header=X-Own%3A%20v&a=1",
        target.url("/x").replace("http://", "http://user:hush@")
    );
    let id = schedule(&server, &form);
    let first = target.arrival();
    ended(&server, &id);
    let answer = ask(&server, "POST", &format!("/messages/{id}/resend"));
    let told = json(&answer, 202);
    assert_eq!(told["resend_of"], *id);
    let new = told["id"].as_str().unwrap();
    assert_ne!(new, id);
    assert_eq!(answer.fields.get("Hookah-Id"), Some(new));
    let second = target.arrival();
    assert_eq!(
        (first.text(), &*first.method),
        (second.text(), &*second.method)
    );
    assert_eq!(second.field("webhook-id"), new);
    for name in ["X-Own", "Authorization", "Content-Type"] {
        assert_eq!(first.field(name), second.field(name), "{name}");
    }
    assert!(second.field("webhook-signature").starts_with("v1,"));
    let message = ended(&server, new);
    assert_eq!(
        (&message["resend_of"], &message["label"]),
        (&serde_json::Value::from(id), &"mine".into())
    );
    assert_eq!(statuses(&message), ["delivered"]);
    let text = message.to_string();
    assert!(!text.contains("hush") && !text.contains("whsec"), "{text}");
}

#[test]
fn what_is_not_known_cannot_be_resent() {
    let server = Server::start();
    for id in ["msg_01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", ""] {
        let answer = ask(&server, "POST", &format!("/messages/{id}/resend"));
        assert_eq!(answer.status, 404, "{id}: {}", answer.body);
    }
    assert_eq!(ask(&server, "GET", "/messages/resend").status, 405);
}

#[test]
fn all_that_failed_goes_out_again() {
    let server = Server::start();
    let mut count = 0;
    let target = Target::new(move |_| {
        count += 1;
        match count {
            1..=150 => GONE.into(),
            _ => OK.into(),
        }
    });
    let form = format!("_url={}&_label=l&a=1", target.url("/"));
    let ids: Vec<String> = (0..150).map(|_| schedule(&server, &form)).collect();
    ids.iter().for_each(|id| drop(ended(&server, id)));
    (0..150).for_each(|_| drop(target.arrival()));
    let good = schedule(&server, "_topic=t&_label=l&a=1");
    let path = "/messages/resend?status=failed&label=l";
    let told = json(&ask(&server, "POST", path), 202);
    assert_eq!(told["resent"], 150);
    assert_eq!(told["next_cursor"], serde_json::Value::Null);
    let new: Vec<&str> = told["ids"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it.as_str())
        .collect();
    assert_eq!(new.len(), 150);
    (0..150).for_each(|_| drop(target.arrival()));
    let mut of: Vec<String> = new
        .iter()
        .map(|id| ended(&server, id)["resend_of"].as_str().unwrap().to_owned())
        .collect();
    of.sort();
    assert_eq!(of, ids);
    assert!(!of.contains(&good));
    target.has_no_more();
}

#[test]
fn a_resend_of_many_is_bounded_and_says_where_to_go_on() {
    let server = Server::start();
    (0..5).for_each(|_| drop(schedule(&server, "_topic=t&a=1")));
    let told = json(
        &ask(&server, "POST", "/messages/resend?topic=t&limit=3"),
        202,
    );
    assert_eq!(told["resent"], 3);
    let next = told["next_cursor"].as_str().expect("there is more");
    let path = format!("/messages/resend?topic=t&cursor={next}");
    let told = json(&ask(&server, "POST", &path), 202);
    assert_eq!(told["resent"], 2);
}

#[test]
fn a_resend_of_everything_is_refused() {
    let server = Server::start();
    for path in [
        "/messages/resend",
        "/messages/resend?limit=5",
        "/messages/resend?status=x",
    ] {
        let answer = ask(&server, "POST", path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains("; allowed: "), "{}", answer.body);
    }
    let path = "/messages/resend?status=failed";
    let form = asked(&server, "POST", path, "", "label=x").answer();
    assert_eq!(form.status, 400, "{}", form.body);
}
