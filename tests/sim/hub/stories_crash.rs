//! Stories of the hub over the end of its process: whoever was verified stays so, whoever was not
//! is asked again, and what was told to last comes. The book judges them like any seed.

use std::time::Duration;

use super::asks::PLAIN;
use super::subscriber::Manner;
use crate::setup;
use crate::sim::Sim;
use crate::world::{MINUTE, SECOND};

/// A topic and a subscriber of it, each on a host of its own, and a store that lasts.
fn pair() -> Sim {
    let mut settings = setup::settings();
    settings.volatile = false;
    settings.hub.public_url = Some(super::PUBLIC_URL.into());
    settings.hub.leases.min = Duration::from_secs(1);
    settings.hub.content_bytes_max = 100_000;
    settings.hub.diff = super::Hub::diff_rules();
    let mut sim = setup::calm_with(settings);
    sim.lasts = true;
    let (origin, host) = (sim.hub.host(false), sim.hub.host(false));
    let topic = sim.hub.topic(origin);
    sim.hub.subscriber(host, topic);
    sim.change(topic, 10);
    sim
}

fn taken(sim: &Sim) -> usize {
    let got = &sim.hub.subscribers[0].got;
    got.iter().filter(|got| got.taken).count()
}

#[test]
fn a_verified_subscriber_gets_what_is_published_after_a_crash() {
    let mut sim = pair();
    sim.ask(0, 0, PLAIN);
    sim.run_for(10 * SECOND);
    sim.kill(SECOND);
    sim.run_for(2 * MINUTE);
    sim.ping(0, &[0], 1);
    sim.run();
    assert_eq!(taken(&sim), 1);
}

#[test]
fn content_that_nobody_took_before_a_crash_comes_after_it() {
    let mut sim = pair();
    let start = sim.world.at();
    sim.hub.subscribers[0].takes = vec![
        (start + 20 * SECOND, Manner::Status(500)),
        (start + 60 * SECOND, Manner::Right),
    ];
    sim.ask(0, 0, PLAIN);
    sim.ping(25 * SECOND, &[0], 1);
    sim.run_for(40 * SECOND);
    sim.kill(SECOND);
    sim.run();
    assert_eq!(taken(&sim), 1);
}
