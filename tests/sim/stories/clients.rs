//! Stories of clients that flood, stall, crowd or leave half way. Nobody else may notice.

use hookah::model::Outcome;

use super::{end, is_about, place};
use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::requests::{self, Framing};
use crate::script::Step;
use crate::setup;
use crate::world::{MINUTE, MS, SECOND};

#[test]
fn a_client_that_floods_and_does_not_read_hurts_only_itself() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    sim.client(0, requests::flooder(20_000, 25 * SECOND));
    let began = sim.world.at();
    let order = place(&mut sim, 5 * SECOND, target, |_| ());
    sim.run();
    assert!(is_about(sim.clients[1].got_at[0] - began, 5 * SECOND));
    assert!(end(&sim, order).1 < 10 * MS);
    assert_eq!(sim.clients[0].got.len(), 20_000);
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    let mut sim = setup::calm();
    let mut client = requests::flooder(20_000, 10 * MINUTE);
    client.lossy = true;
    sim.client(0, client);
    let began = sim.world.at();
    sim.run_for(MINUTE);
    assert_eq!(sim.net.living().count(), 0, "still there");
    sim.run();
    assert!(sim.world.at() - began <= 11 * MINUTE);
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    let order = sim.order(target).clone();
    let steps = [
        requests::place(&order, Framing::Length, false),
        vec![Step::Fin],
    ]
    .concat();
    sim.client(0, Client::new(steps, vec![Want::Accepted(order.number)]));
    sim.run();
    assert_eq!(sim.clients[0].got.len(), 1);
    assert_eq!(end(&sim, order.number).0, Outcome::Delivered);
}

#[test]
fn slow_clients_are_timed_out_with_an_answer() {
    for (in_body, after) in [(false, 10 * SECOND), (true, 10 * SECOND)] {
        let mut sim = setup::calm();
        sim.client(0, requests::slowloris(in_body));
        let began = sim.world.at();
        sim.run();
        assert!(
            is_about(sim.clients[0].got_at[0] - began, after),
            "in body: {in_body}"
        );
    }
}

#[test]
fn a_body_has_time_as_it_comes() {
    // Ten seconds for nothing, and one more for each 256 bytes; a minute in all.
    for (rate, after) in [(64, 13), (128, 20), (300, 60)] {
        let mut sim = setup::calm();
        sim.client(0, requests::trickler(rate));
        let began = sim.world.at();
        sim.run();
        let took = sim.clients[0].got_at[0] - began;
        assert!(took.abs_diff(after * SECOND) <= SECOND, "{rate}: {took}");
    }
}

#[test]
fn a_full_house_turns_clients_away_and_calls_still_go_out() {
    let mut settings = setup::settings();
    settings.lines_max = 16;
    let mut sim = setup::calm_with(settings);
    let target = sim.target(Behaviour::Healthy);
    let order = place(&mut sim, 0, target, |order| order.delay = 5 * SECOND);
    for _ in 0..30 {
        sim.client(
            SECOND,
            Client::new(vec![Step::Wait(20 * SECOND), Step::Close], vec![]),
        );
    }
    sim.run();
    let turned_away = sim
        .clients
        .iter()
        .filter(|client| !client.got.is_empty())
        .count()
        - 1;
    assert_eq!(
        turned_away,
        30 - 12,
        "a quarter of the places is kept for calls"
    );
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
}

#[test]
fn calls_wait_quietly_while_clients_hold_the_last_lines() {
    let mut settings = setup::settings();
    settings.lines_max = 16;
    let mut sim = setup::calm_with(settings);
    sim.oracle.crowded = true;
    let target = sim.target(Behaviour::Slow(SECOND));
    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(place(&mut sim, 0, target, |order| order.delay = 5 * SECOND));
    }
    for _ in 0..12 {
        let stay = vec![Step::Wait(20 * SECOND), Step::Close];
        sim.client(SECOND, Client::new(stay, vec![]));
    }
    sim.run();
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}
