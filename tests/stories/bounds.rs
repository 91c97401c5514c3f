//! The bounds on memory and connections: over them nothing is taken in, and nothing that was taken
//! in is dropped.

use std::collections::BTreeSet;

use crate::client::Client;
use crate::server::Server;
use crate::target::{Absent, Act, CLOSING, Target};
use crate::{ask, form, metric, metric_over, metric_until, post, schedule, settled, until};

/// A body of which a MiB holds a few dozen.
const BODY_BYTES: usize = 16 << 10;

#[test]
fn when_memory_is_full_nothing_more_is_taken_and_everything_taken_arrives() {
    let server = Server::with(["--port", "0", "--max-memory", "1MiB"]);
    let absent = Absent::new();
    let fields = format!(
        "Hookah-Url: {}\r\nHookah-Retry-Schedule: 20ms\r\nHookah-Retries: 1000\r\n\
         Content-Type: a/b\r\n",
        absent.url("/")
    );
    let request = post("/dispatch", &fields, [b'x'; BODY_BYTES]);
    let mut ids = BTreeSet::new();
    let refusal = loop {
        let answer = ask(&server, &request);
        if answer.status != 202 {
            break answer;
        }
        ids.insert(answer.fields.get("Hookah-Id").expect("an id").to_owned());
    };
    assert_eq!(refusal.status, 503, "{refusal:?}");
    let wait: u32 = refusal
        .fields
        .get("Retry-After")
        .expect("a wait")
        .parse()
        .expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(ids.len() <= (1 << 20) / BODY_BYTES, "{} of them", ids.len());
    // Topics have a quarter and the store an eighth; of the rest a request that came in pieces
    // leaves a quarter. Nothing is refused before: but for what the refused one would have taken.
    let room = (1 << 20) * 5 / 8 * 3 / 4 - 2 * BODY_BYTES as u64;
    let held = metric(&server, "hookah_bytes_held");
    assert!(held >= room, "refused with {held} held of {room}");
    assert!(metric(&server, "hookah_bytes_held") <= 1 << 20);
    // Whatever needs no memory is answered as ever.
    assert_eq!(ask(&server, "GET /health HTTP/1.0\r\n\r\n").status, 200);

    let target = absent.listen(|_| CLOSING.into());
    let mut arrived = BTreeSet::new();
    for _ in 0..ids.len() {
        let webhook = target.arrival();
        assert_eq!(webhook.body.len(), BODY_BYTES);
        arrived.insert(webhook.field("webhook-id").to_owned());
    }
    assert_eq!(arrived, ids);
    settled(&server);
    target.has_no_more();
    metric_until(&server, "hookah_lines_outbound", |count| count == 0);
    assert_eq!(metric(&server, "hookah_bytes_held"), 0);
    assert_eq!(ask(&server, &request).status, 202);
    target.arrival();
}

#[test]
fn bodies_under_way_are_on_the_account_too() {
    let server = Server::with(["--port", "0", "--max-memory", "1MiB"]);
    let target = Target::willing();
    let half = |_| {
        let mut client = Client::connect(server.addr());
        let head = "POST /dispatch?_topic=t HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n";
        client.send(format!("{head}Content-Length: 1000000\r\n\r\n"));
        client.try_send([b'x'; 500_000]);
        client
    };
    // The third half does not fit.
    let mut clients: Vec<_> = (0..3).map(half).collect();
    metric_until(&server, "hookah_requests_refused_total", |count| count >= 1);
    assert!(metric(&server, "hookah_bytes_held") <= 1 << 20);
    clients.clear();
    metric_until(&server, "hookah_bytes_held", |bytes| bytes == 0);
    schedule(&server, &target.url("/"), "&a=1");
    target.arrival();
}

#[test]
fn over_the_bound_on_connections_one_is_told_and_the_next_finds_room() {
    let server = Server::with(["--port", "0", "--max-conns", "4"]);
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    // A quarter is for lines to targets.
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        assert_eq!(client.send(health).answer().status, 200);
    }
    let mut late = Client::connect(server.addr());
    late.try_send(health);
    let answer = late.answer();
    assert_eq!((answer.status, answer.closes()), (503, true));
    assert!(answer.fields.get("Retry-After").is_some());
    late.ends();
    // The others are served as ever, and webhooks go out.
    let target = Target::willing();
    let webhook = form(&format!("_url={}&a=1", target.url("/")));
    assert_eq!(clients[0].send(webhook).answer().status, 202);
    target.arrival();
    // The server learns of the end in its own time.
    clients.pop();
    until("room", || {
        ask(&server, "GET /health HTTP/1.0\r\n\r\n").status == 200
    });
}

#[test]
fn lines_at_rest_make_room_for_other_targets() {
    let server = Server::with(["--port", "0", "--max-conns", "4"]);
    let targets = [(); 5].map(|()| Target::willing());
    // One connection of ours, so that the room for them plays no part.
    let mut client = Client::connect(server.addr());
    for turn in 0..2 {
        for target in &targets {
            let webhook = form(&format!("_url={}&a=1", target.url("/")));
            assert_eq!(client.send(webhook).answer().status, 202);
            assert_eq!(target.arrival().line, turn);
            let name = "hookah_deliveries_waiting";
            until(name, || metric_over(&mut client, name) == 0);
        }
    }
}

#[test]
fn a_dead_target_never_takes_all_the_lines() {
    let server = Server::with(["--port", "0", "--max-conns", "40"]);
    let (dead, good) = (Target::new(|_| Act::Hang), Target::willing());
    for _ in 0..30 {
        schedule(&server, &dead.url("/"), "&_timeout=1h");
    }
    dead.arrival();
    for _ in 0..10 {
        schedule(&server, &good.url("/"), "&a=1");
        good.arrival();
    }
}
