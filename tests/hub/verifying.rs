//! Stories of subscribers that are asked whether they want it, and of all the ways to answer.

use super::*;
use crate::peers::{param, says, subscriber, willing};
use crate::target::{Act, Target};

/// Some frameworks answer without a length, in pieces, in the old version, or with a word before.
#[test]
fn a_yes_is_a_yes_however_http_puts_it() {
    let server = start(&[]);
    let forms: [fn(&str) -> Act; 5] = [
        |yes| Act::Close(format!("HTTP/1.0 200 OK\r\n\r\n{yes}").into()),
        |yes| Act::Close(format!("HTTP/1.1 201 Made\r\nConnection: close\r\n\r\n{yes}").into()),
        |yes| {
            let (one, two) = yes.split_at(7);
            let chunks = format!("7\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", two.len());
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            Act::Say(format!("{head}{chunks}").into())
        },
        |yes| {
            let mut answer = b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n".to_vec();
            answer.extend(says(200, "", yes));
            Act::Say(answer)
        },
        |yes| Act::Say(says(299, "Content-Type: text/html\r\n", yes)),
    ];
    for form in forms {
        let reader = Target::new(move |got| form(&param(got, "hub.challenge").unwrap()));
        let answer = subscribe(&server, "orders", &reader.url("/"), "&hub.verify=sync");
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

#[test]
fn a_no_is_a_no_however_much_is_said() {
    let server = start(&[]);
    let forms: [fn(&str) -> Act; 5] = [
        |yes| Act::Say(says(200, "", &format!("{yes}\n"))),
        |yes| Act::Say(says(200, "", &yes[1..])),
        |yes| Act::Say(says(404, "", yes)),
        |yes| Act::Say(says(301, "Location: /\r\n", yes)),
        |yes| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let first = format!("{head}{:x}\r\n{yes}\r\n", yes.len());
            Act::Flood(first.into(), b"4\r\nmore\r\n".to_vec())
        },
    ];
    for form in forms {
        let reader = Target::new(move |got| form(&param(got, "hub.challenge").unwrap()));
        let answer = subscribe(&server, "orders", &reader.url("/"), "&hub.verify=sync");
        assert_eq!(answer.status, 409, "{answer:?}");
        reader.arrival();
    }
    assert_eq!(metric(&server, "hookah_subscriptions"), 0);
    assert_eq!(metric(&server, "hookah_denials_total"), 0, "it knows");
}

/// No address is rewritten: what a library would normalise goes out as it came.
#[test]
fn a_callback_is_called_byte_for_byte() {
    let (server, reader) = (start(&[]), subscriber());
    for path in [
        "/in?hub.mode=mine&hub.topic=too",
        "/a/../b/./%7e%2F?q=%41&&x",
        "/?",
        "/in;v=1?a+b=c%20d",
    ] {
        let answer = subscribe(&server, "orders", &reader.url(path), "&hub.verify=sync");
        assert_eq!(answer.status, 204, "{answer:?}");
        let asked = reader.arrival();
        let rest = asked.path.strip_prefix(path).expect(path);
        let joint = if path.ends_with('?') { "" } else { "&" };
        assert!(rest.starts_with(&format!("{joint}hub.mode=")), "{asked:?}");
        // A query that is there already keeps its own of the same name.
        let form = format!("_topic=orders&from={}", path.len());
        post(&server, "/dispatch", FORM, &form);
        let got = reader.arrival();
        assert_eq!((&*got.method, &*got.path), ("POST", path));
        assert_eq!(got.text(), format!("from={}", path.len()));
        quiet(&server, "orders");
        let remove = "DELETE /subscriptions?topic=orders HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(ask(&server, remove).status, 200);
        assert_eq!(
            param(&reader.arrival(), "hub.mode").as_deref(),
            Some("denied")
        );
    }
}

#[test]
fn credentials_of_a_callback_are_sent_and_shown_to_nobody() {
    let (server, reader) = (start(&[]), subscriber());
    let url = reader.url("/in").replace("http://", "http://me:hush@");
    subscribe(&server, "orders", &url, "");
    let asked = reader.arrival();
    assert_eq!(asked.field("Authorization"), "Basic bWU6aHVzaA==");
    assert_eq!(asked.field("Host"), reader.addr().to_string());
    active(&server, "orders");
    assert_eq!(row(&server, "orders")["callback"], reader.url("/in"));
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    let got = reader.arrival();
    assert_eq!(got.field("Authorization"), "Basic bWU6aHVzaA==");
}

/// What is no answer is asked again, with another challenge; an old one is worth nothing.
#[test]
fn a_subscriber_that_is_down_for_a_moment_is_asked_again() {
    let server = start(&["--hub-verify-schedule", "10ms,10ms"]);
    let mut count = 0;
    let reader = Target::new(move |got| {
        count += 1;
        match count {
            1 => Act::Close(says(503, "Connection: close\r\n", "")),
            2 => Act::Reset(Vec::new()),
            _ => willing(got),
        }
    });
    subscribe(&server, "orders", &reader.url("/"), "&hub.verify_token=t");
    let mut challenges: Vec<String> = (0..3)
        .map(|_| {
            let asked = reader.arrival();
            assert_eq!(param(&asked, "hub.verify_token").as_deref(), Some("t"));
            param(&asked, "hub.challenge").expect("a challenge")
        })
        .collect();
    active(&server, "orders");
    challenges.dedup();
    assert_eq!(challenges.len(), 3);
}

#[test]
fn a_subscriber_that_stays_away_is_given_up_without_a_word() {
    let server = start(&["--hub-verify-schedule", "1ms"]);
    let reader = Target::new(|_| Act::Say(says(500, "", "")));
    subscribe(&server, "orders", &reader.url("/"), "");
    for _ in 0..2 {
        let asked = reader.arrival();
        assert_eq!(param(&asked, "hub.mode").as_deref(), Some("subscribe"));
    }
    until("it is given up", || rows(&server, "orders").is_empty());
    reader.has_no_more();
}

/// A renewal, an end or a new secret holds once it is confirmed, and not before.
#[test]
fn what_is_not_confirmed_changes_nothing() {
    let server = start(&[]);
    let mut asked = 0;
    let reader = Target::new(move |got| {
        asked += usize::from(got.method == "GET");
        match (&*got.method, asked) {
            ("GET", 2..) => Act::Say(says(404, "", "")),
            _ => willing(got),
        }
    });
    subscribed(&server, "orders", &reader, "&hub.secret=first");
    let callback = reader.url("/in");
    for unsubscribes in [false, true] {
        let refused = match unsubscribes {
            true => unsubscribe(&server, "orders", &callback, "&hub.verify=sync"),
            false => {
                let more = "&hub.verify=sync&hub.secret=second";
                subscribe(&server, "orders", &callback, more)
            }
        };
        assert_eq!(refused.status, 409, "{refused:?}");
        reader.arrival();
        post(&server, "/dispatch", FORM, "_topic=orders&a=1");
        let got = reader.arrival();
        let sealed = peers::signature("sha256", "first", b"a=1");
        assert_eq!(got.field("X-Hub-Signature"), sealed);
    }
}

/// Whoever asks us to verify cannot make us a flood: one call at a time to a callback's host.
#[test]
fn one_host_is_asked_one_thing_at_a_time() {
    let server = start(&[]);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let reader = Target::new(move |got| {
        let _ = wait.recv();
        willing(got)
    });
    for n in 0..3 {
        subscribe(&server, "orders", &reader.url(&format!("/{n}")), "");
    }
    for n in 0..3 {
        let asked = reader.arrival();
        assert!(asked.path.starts_with(&format!("/{n}?")), "{asked:?}");
        reader.has_no_more();
        go.send(()).expect("it waits");
    }
    active(&server, "orders");
    assert_eq!(rows(&server, "orders").len(), 3);
}
