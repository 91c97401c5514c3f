//! Stories of clients that come by a door with TLS.

use crate::clients::{Client, Want};
use crate::doors::Handshake;
use crate::requests;
use crate::script::Step;
use crate::setup::calm;
use crate::world::{MS, SECOND};

/// A client that asks for its health and goes, once its handshake is done.
fn visitor(how: Handshake) -> Client {
    let steps = vec![
        requests::ask("GET", "/health"),
        Step::Answers(1),
        Step::Close,
    ];
    let mut client = Client::new(steps, vec![Want::Page(200, false)]);
    client.handshake = Some(how);
    client
}

#[test]
fn a_slow_handshake_is_waited_for_and_the_answer_comes_after_it() {
    let mut sim = calm();
    let began = sim.world.at();
    let slow = sim.client(0, visitor(Handshake::Succeeds(4_900 * MS)));
    sim.run();
    assert_eq!(sim.clients[slow].got.len(), 1);
    assert!(sim.clients[slow].got_at[0] >= began + 4_900 * MS);
    assert_eq!(sim.doors.timed_out, 0);
}

#[test]
fn late_ones_are_closed_without_a_word_and_failed_ones_at_once() {
    let mut sim = calm();
    let after = [
        Handshake::Never,
        Handshake::Succeeds(6 * SECOND),
        Handshake::Fails(SECOND),
    ];
    for how in after {
        let mut client = visitor(how);
        client.lossy = true;
        sim.client(0, client);
    }
    sim.run();
    assert!(sim.clients.iter().all(|client| client.got.is_empty()));
    assert_eq!(sim.doors.timed_out, 2);
}

#[test]
fn nobody_waits_for_a_handshake_to_stop() {
    let mut sim = calm();
    let mut client = visitor(Handshake::Never);
    client.lossy = true;
    sim.client(0, client);
    sim.world.after(SECOND, crate::world::Event::Drain);
    let began = sim.world.at();
    sim.run();
    assert!(sim.world.at() - began < 2 * SECOND);
}
