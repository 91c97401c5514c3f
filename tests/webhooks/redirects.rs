//! Stories of targets that send us elsewhere.

use super::{delivery, schedule, sent_to};
use crate::server::Server;
use crate::target::{OK, Target};

#[test]
fn an_unfollowed_redirect_is_a_failure_with_its_location() {
    let server = Server::start();
    for status in [301, 302, 307, 308] {
        let target = Target::new(move |_| crate::target::Act::Say(sent_to(status, "/there")));
        let id = schedule(&server, "", &format!("_url={}&_retries=0", target.url("/")));
        let attempt = delivery(&server, &id, "failed")["attempts"][0].take();
        assert_eq!(attempt["status"], status);
        assert_eq!(attempt["error"], "status");
        assert_eq!(attempt["response"]["headers"]["location"], "/there");
        target.arrival();
        target.has_no_more();
    }
}

/// Trap 3: other senders turn the POST into a GET without a body and book its 200.
#[test]
fn a_followed_redirect_keeps_method_and_body_and_is_one_attempt() {
    let server = Server::start();
    for status in [301, 302, 307, 308] {
        let target = Target::new(move |got| match got.path.as_str() {
            "/a/b" => crate::target::Act::Say(sent_to(status, "../c?d")),
            _ => OK.into(),
        });
        let url = target.url("/a/b").replace("http://", "http://u:p@");
        let form = format!("_url={url}&_redirects=1&_method=PUT&x=1");
        let id = schedule(&server, "", &form);
        let (first, second) = (target.arrival(), target.arrival());
        assert_eq!(
            (&*second.method, &*second.path, second.text()),
            ("PUT", "/c?d", "x=1")
        );
        assert_eq!((first.attempt(), second.attempt()), (1, 1));
        assert_eq!(second.field("Authorization"), first.field("Authorization"));
        assert_eq!(second.field("webhook-id"), id);
        let delivered = delivery(&server, &id, "delivered");
        assert_eq!(delivered["attempts"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn credentials_and_signatures_stay_with_their_origin() {
    let server = Server::start();
    let there = Target::willing();
    let url = there.url("/");
    let here = Target::new(move |_| crate::target::Act::Say(sent_to(308, &url)));
    let from = here.url("/").replace("http://", "http://user:pw@");
    let fields = "Hookah-Forward-Cookie: a=b\r\nHookah-Forward-X-Kept: 1\r\n\
                  Hookah-Forward-X-Api-Key: k\r\nHookah-Forward-X-Auth-Token: t\r\n\
                  Hookah-Secret: whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\r\n";
    schedule(&server, fields, &format!("_url={from}&_redirects=2&x=1"));
    let (first, second) = (here.arrival(), there.arrival());
    for name in [
        "Authorization",
        "Cookie",
        "X-Api-Key",
        "X-Auth-Token",
        "webhook-signature",
    ] {
        assert!(first.fields.get(name).is_some(), "{name}");
        assert_eq!(second.fields.get(name), None, "{name}");
    }
    assert_eq!((second.field("X-Kept"), second.text()), ("1", "x=1"));
}

#[test]
fn a_loop_of_redirects_ends() {
    let server = Server::start();
    let target = Target::new(|_| crate::target::Act::Say(sent_to(307, "/again")));
    let form = format!("_url={}&_redirects=3&_retries=0", target.url("/"));
    let id = schedule(&server, "", &form);
    let failed = delivery(&server, &id, "failed");
    assert_eq!(failed["attempts"][0]["status"], 307);
    for _ in 0..4 {
        target.arrival();
    }
    target.has_no_more();
}

#[test]
fn a_303_is_delivered_whatever_success_says_and_a_410_is_the_end() {
    let server = Server::start();
    let target = Target::new(|_| crate::target::Act::Say(sent_to(303, "/look")));
    let form = format!("_url={}&_redirects=3&_success=200", target.url("/"));
    delivery(&server, &schedule(&server, "", &form), "delivered");
    let gone = Target::new(|_| b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"[..].into());
    let form = format!("_url={}&_retries=9", gone.url("/"));
    let failed = delivery(&server, &schedule(&server, "", &form), "failed");
    assert_eq!(failed["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_location_that_cannot_be_followed_is_said() {
    let server = Server::start();
    for location in ["gopher://x/", "http://["] {
        let to = sent_to(302, location);
        let target = Target::new(move |_| crate::target::Act::Say(to.clone()));
        let form = format!("_url={}&_redirects=3&_retries=0", target.url("/"));
        let failed = delivery(&server, &schedule(&server, "", &form), "failed");
        assert_eq!(failed["attempts"][0]["error"], "policy");
        assert_eq!(failed["attempts"][0]["detail"], "bad_location");
        assert_eq!(failed["attempts"][0]["status"], 302);
    }
}
