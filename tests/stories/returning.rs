//! A server that was killed, or stopped, and comes back with the same file: what goes on, and what
//! never happens twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::Answer;
use crate::folder::{Folder, kill};
use crate::server::Server;
use crate::target::{Act, ERROR, OK, Target};
use crate::{FORM, ask, form, post, schedule, settled, until};

/// Waits until the end of every delivery is in the file.
fn recorded(folder: &Folder) {
    until("all ends are in the file", || folder.waiting() == 0);
}

fn keyed(server: &Server, target: &Target, key: &str, body: &str) -> Answer {
    let fields = format!("{FORM}Idempotency-Key: {key}\r\n");
    let form = format!("_url={}&{body}", target.url("/"));
    ask(server, post("/dispatch", &fields, form))
}

fn id(answer: &Answer) -> &str {
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.fields.get("Hookah-Id").expect("an id")
}

#[test]
fn a_key_holds_over_kill_9() {
    let (folder, target) = (Folder::new(), Target::willing());
    let server = folder.server(&[]);
    let first = keyed(&server, &target, "order-1", "a=1");
    assert_eq!(target.arrival().field("webhook-id"), id(&first));
    recorded(&folder);
    kill(server);
    let server = folder.server(&[]);
    let again = keyed(&server, &target, "order-1", "a=1");
    assert_eq!(id(&again), id(&first));
    assert_eq!(again.fields.get("Hookah-Duplicate"), Some("true"));
    assert_eq!(keyed(&server, &target, "order-1", "a=2").status, 422);
    let other = keyed(&server, &target, "order-2", "a=2");
    assert_ne!(id(&other), id(&first));
    assert_eq!(target.arrival().field("webhook-id"), id(&other));
    settled(&server);
    target.has_no_more();
}

/// The news of an end lasts together with the end: it goes out until it is taken, and what it tells
/// of is not done again.
#[test]
fn callbacks_and_errbacks_go_on_after_kill_9() {
    let folder = Folder::new();
    let (taken, gone) = (
        Target::willing(),
        Target::new(|_| b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"[..].into()),
    );
    let open = Arc::new(AtomicBool::new(false));
    let script = || {
        let open = Arc::clone(&open);
        Target::new(move |_| match open.load(Ordering::SeqCst) {
            true => OK.into(),
            false => Act::Hang,
        })
    };
    let (told, failed) = (script(), script());
    let server = folder.server(&[]);
    let back = format!("&_callback={}&a=1", told.url("/"));
    schedule(&server, &taken.url("/"), &back);
    let back = format!("&_errback={}&a=1", failed.url("/"));
    schedule(&server, &gone.url("/"), &back);
    taken.arrival();
    gone.arrival();
    let before = [told.arrival(), failed.arrival()];
    kill(server);
    open.store(true, Ordering::SeqCst);
    let server = folder.server(&[]);
    for (before, after) in before.iter().zip([told.arrival(), failed.arrival()]) {
        assert_eq!(after.field("webhook-id"), before.field("webhook-id"));
        assert_eq!(after.text(), before.text());
    }
    settled(&server);
    for target in [&taken, &gone, &told, &failed] {
        target.has_no_more();
    }
}

#[test]
fn a_queue_goes_on_in_its_order_after_kill_9() {
    let folder = Folder::new();
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    let target = Target::new(move |got| match got.text() {
        // The second message holds the queue up until the server has come back.
        "n=1" if !is_open.load(Ordering::SeqCst) => Act::Hang,
        _ => OK.into(),
    });
    let server = folder.server(&[]);
    let post = |server: &Server, number: u32| {
        let more = format!("&_queue=q&n={number}");
        schedule(server, &target.url("/"), &more)
    };
    let mut ids: Vec<String> = (0..4).map(|number| post(&server, number)).collect();
    assert_eq!(target.arrival().text(), "n=0");
    assert_eq!(target.arrival().text(), "n=1");
    until("the first end is in the file", || folder.waiting() == 3);
    kill(server);
    open.store(true, Ordering::SeqCst);
    let server = folder.server(&[]);
    ids.extend((4..6).map(|number| post(&server, number)));
    for (number, id) in ids.iter().enumerate().skip(1) {
        let got = target.arrival();
        assert_eq!(got.text(), format!("n={number}"));
        assert_eq!(got.field("webhook-id"), id);
    }
    settled(&server);
    target.has_no_more();
}

fn shown(server: &Server, path: &str) -> String {
    let answer = ask(server, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn what_has_happened_is_there_to_see_after_kill_9() {
    let folder = Folder::new();
    let target = Target::new(|got| match (got.text(), got.attempt()) {
        ("a=well", 1) => ERROR.into(),
        ("a=well", _) => OK.into(),
        _ => b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"[..].into(),
    });
    let server = folder.server(&[]);
    let all = ["&_retry_schedule=10ms&a=well", "&a=ill"];
    let ids = all.map(|more| schedule(&server, &target.url("/"), more));
    recorded(&folder);
    let paths = ids.map(|id| format!("/messages/{id}"));
    let before = paths.each_ref().map(|path| shown(&server, path));
    assert!(before[0].contains(r#""delivered""#), "{}", before[0]);
    assert!(before[1].contains(r#""failed""#), "{}", before[1]);
    let list = shown(&server, "/messages");
    kill(server);
    let server = folder.server(&[]);
    assert_eq!(paths.each_ref().map(|path| shown(&server, path)), before);
    assert_eq!(shown(&server, "/messages"), list);
}

#[test]
fn a_clean_stop_in_the_middle_repeats_nothing() {
    let (folder, target) = (Folder::new(), Target::willing());
    let mut known = Vec::new();
    let mut came = BTreeMap::new();
    for round in 0..3 {
        let server = folder.server(&[]);
        for number in 0..40 {
            let answer = ask(
                &server,
                form(&format!("_url={}&n={round}.{number}", target.url("/"))),
            );
            known.push(id(&answer).to_owned());
        }
        server.signal("TERM");
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(0), "{said}");
    }
    let server = folder.server(&[]);
    settled(&server);
    for _ in 0..known.len() {
        let got = target.arrival().field("webhook-id").to_owned();
        *came.entry(got).or_insert(0) += 1;
    }
    target.has_no_more();
    for id in &known {
        assert_eq!(came.get(id), Some(&1), "{id}");
    }
}
