//! Stories of leases: they end, they are renewed, and nobody's goes on for ever.

use super::*;
use crate::peers::{param, says, subscriber, willing};
use crate::target::{Act, Target};

#[test]
fn a_lease_ends_and_with_it_all_deliveries() {
    let server = start(&["--hub-lease-min", "1s"]);
    let (reader, steady) = (subscriber(), subscriber());
    subscribed(&server, "orders", &steady, "");
    let answer = subscribe(
        &server,
        "orders",
        &reader.url("/in"),
        "&hub.lease_seconds=2",
    );
    assert_eq!((answer.status, &*answer.body), (202, ""));
    let asked = reader.arrival();
    assert_eq!(param(&asked, "hub.lease_seconds").as_deref(), Some("2"));
    active(&server, "orders");
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    reader.arrival();
    steady.arrival();
    until("its lease is over", || rows(&server, "orders").len() == 1);
    post(&server, "/dispatch", FORM, "_topic=orders&a=2");
    assert_eq!(steady.arrival().text(), "a=2");
    // It hears nothing of that, neither of the message nor of the end.
    reader.has_no_more();
    assert_eq!(metric(&server, "hookah_leases_ended_total"), 1);
    assert_eq!(metric(&server, "hookah_denials_total"), 0);
}

#[test]
fn a_lease_is_clamped_and_the_answer_says_so() {
    let flags = ["--hub-lease-min", "1m", "--hub-lease-max", "1h"];
    let (server, reader) = (start(&flags), subscriber());
    for (asked, granted, said) in [
        ("1", "60", "lease raised to 60\n"),
        ("99999999999999999999999", "3600", "lease reduced to 3600\n"),
        ("600", "600", ""),
        ("", "3600", ""),
    ] {
        let more = format!("&hub.lease_seconds={asked}");
        let answer = subscribe(&server, "orders", &reader.url("/in"), &more);
        assert_eq!((answer.status, &*answer.body), (202, said));
        let got = reader.arrival();
        assert_eq!(param(&got, "hub.lease_seconds").as_deref(), Some(granted));
        active(&server, "orders");
    }
}

/// What "permanent" meant in 0.3: it is asked again before the end, token and all.
#[test]
fn a_subscriber_of_0_3_without_a_lease_is_asked_again_until_it_has_enough() {
    let flags = ["--hub-lease-default", "2s", "--hub-lease-min", "1s"];
    let server = start(&flags);
    let mut asked = 0;
    let reader = Target::new(move |got| {
        asked += 1;
        match asked {
            1 | 2 => willing(got),
            _ => Act::Say(says(404, "", "")),
        }
    });
    let more = "&hub.verify=sync&hub.verify_token=t&hub.lease_seconds=";
    let answer = subscribe(&server, "orders", &reader.url("/"), more);
    assert_eq!(answer.status, 204, "{answer:?}");
    let (first, second) = (reader.arrival(), reader.arrival());
    for name in [
        "hub.mode",
        "hub.topic",
        "hub.verify_token",
        "hub.lease_seconds",
    ] {
        assert_eq!(param(&first, name), param(&second, name), "{name}");
    }
    let challenge = |got| param(got, "hub.challenge");
    assert_ne!(challenge(&first), challenge(&second));
    reader.arrival();
    until("its lease is over", || rows(&server, "orders").is_empty());
    reader.has_no_more();
}

/// Who subscribes twice gets everything once, under the terms that were confirmed last.
#[test]
fn a_renewal_takes_the_place_of_what_was() {
    let (server, reader) = (start(&[]), subscriber());
    subscribed(&server, "orders", &reader, "&hub.secret=first");
    let callback = reader.url("/in");
    for (more, secret) in [("&hub.secret=second", Some("second")), ("", None)] {
        let more = format!("&hub.verify=sync&hub.signature_method=sha256{more}");
        assert_eq!(subscribe(&server, "orders", &callback, &more).status, 204);
        assert_eq!(reader.arrival().method, "GET");
        post(&server, "/dispatch", FORM, "_topic=orders&a=1");
        let got = reader.arrival();
        let sealed = secret.map(|secret| peers::signature("sha256", secret, &got.body));
        assert_eq!(got.fields.get("X-Hub-Signature"), sealed.as_deref());
        quiet(&server, "orders");
        reader.has_no_more();
    }
}

/// The last request counts: an end asked for right behind a beginning is an end.
#[test]
fn a_subscription_and_its_end_in_one_breath() {
    let (server, reader) = (start(&[]), subscriber());
    let callback = reader.url("/in");
    subscribe(&server, "orders", &callback, "");
    assert_eq!(unsubscribe(&server, "orders", &callback, "").status, 202);
    until("it is over", || rows(&server, "orders").is_empty());
    let asked: Vec<_> = std::iter::from_fn(|| {
        let asked = reader.arrival();
        let mode = param(&asked, "hub.mode")?;
        (mode == "subscribe").then_some(mode)
    })
    .collect();
    assert!(asked.len() <= 1, "{asked:?}");
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    reader.has_no_more();
}
