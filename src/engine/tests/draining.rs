//! A server that stops, and the lines of clients that have nothing under way.

use super::*;

#[test]
fn a_refused_request_of_no_bytes_leaves_an_idle_line() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    let head = "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    assert!(world.say(key, head).starts_with("HTTP/1.1 404 "));
    world.pass(Duration::from_secs(2));
    world.engine.drain(world.now);
    world.turn();
    assert!(world.engine.drained());
}

#[test]
fn a_drain_waits_a_second_for_the_last_request_of_who_has_just_been_here() {
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::new(Settings::default());
    let [busy, fresh, quiet] = [world.open(), world.open(), world.open()];
    world.say(quiet, health);
    world.pass(Duration::from_millis(600));
    world.say(busy, health);
    world.pass(Duration::from_millis(500));
    world.engine.drain(world.now);
    world.turn();
    // Two have done nothing for more than a second.
    assert_eq!(
        (&world.closed, world.engine.drained()),
        (&vec![fresh, quiet], false)
    );
    let answer = world.say(busy, health);
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer:?}");
    world.engine.ended(world.now, busy, Ended::Finished);
    world.turn();
    assert!(world.engine.drained());

    let mut world = World::new(Settings::default());
    let silent = world.open();
    world.pass(Duration::from_millis(300));
    world.engine.drain(world.now);
    world.pass(Duration::from_millis(699));
    assert!(!world.engine.drained());
    world.pass(Duration::from_millis(2));
    assert_eq!(
        (&world.closed, world.engine.drained()),
        (&vec![silent], true)
    );
}

#[test]
fn a_drain_does_not_wait_for_more_requests_on_a_line_that_read_late() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    world.writable = false;
    world.say(key, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    world.engine.drain(world.now);
    world.turn();
    world.writable = true;
    world.turn();
    world.pass(Duration::from_secs(2));
    assert!(world.engine.drained());
    assert_eq!(world.closed, [key]);
}

#[test]
fn a_drain_does_not_wait_for_more_requests_after_a_body_that_was_skipped() {
    let mut world = World::new(Settings::default());
    let key = world.open();
    world.say(
        key,
        "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1234",
    );
    world.engine.drain(world.now);
    world.say(key, "56789");
    world.pass(Duration::from_secs(2));
    assert!(world.engine.drained());
}

fn subscribe(callback: &str) -> String {
    let form = format!(
        "hub.mode=subscribe&hub.topic=orders&hub.verify=sync&hub.callback=http://{callback}/"
    );
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let len = form.len();
    format!("POST /hub HTTP/1.1\r\nHost: h\r\n{kind}\r\nContent-Length: {len}\r\n\r\n{form}")
}

/// A server with a store that lasts, which has said what there was.
fn lasting() -> World {
    let mut world = World::new(Settings {
        volatile: false,
        ..Settings::default()
    });
    let own = "127.0.0.1:8080".parse().unwrap();
    world.engine.listening(&[own]);
    world.engine.stored(world.now, StoreDone::Ready);
    world
}

#[test]
fn a_drain_waits_for_no_verification_that_has_not_begun() {
    let mut world = lasting();
    let [asked, gated, late] = [world.open(), world.open(), world.open()];
    assert_eq!(world.say(asked, &subscribe("127.0.0.1:9001/a")), "");
    // One callback's host is asked one thing at a time.
    assert_eq!(world.say(gated, &subscribe("127.0.0.1:9001/b")), "");
    world.written.clear();
    world.engine.drain(world.now);
    world.turn();
    let said = |world: &World, line| {
        let of_line = world.written.iter().filter(|(key, _)| *key == line);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    };
    let refused = |text: &str| {
        assert!(text.starts_with("HTTP/1.1 503 "), "{text:?}");
        assert!(text.contains("\r\nRetry-After: 1\r\n"), "{text:?}");
    };
    refused(&said(&world, gated));
    refused(&world.say(late, &subscribe("127.0.0.1:9002/c")));
    // Whose call is under way is told what comes of it.
    assert!(!world.engine.drained());
    let line = *world.dialled.last().unwrap();
    world.engine.connected(world.now, line);
    world.turn();
    world.written.clear();
    world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let told = said(&world, asked);
    assert!(told.starts_with("HTTP/1.1 409 "), "{told:?}");
    for line in [asked, gated, late] {
        world.engine.ended(world.now, line, Ended::Finished);
    }
    world.turn();
    assert!(world.engine.drained());
    world.engine.check();
}
