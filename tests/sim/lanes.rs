//! Stories of lanes: breakers, pauses, forbidden addresses, and what a neighbour costs.
//! The oracle judges them like any seed.

use hookah::model::Outcome;

use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::requests;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::stories::{end, is_about, place, times};
use crate::world::{HOUR, MINUTE, MS, SECOND};

/// Dead for so long, then healthy.
fn dead_for(sim: &mut Sim, span: u64) -> usize {
    let target = sim.target(Behaviour::Dead);
    sim.targets[target].phases = vec![(sim.world.at() + span, Behaviour::Dead)];
    target
}

/// A POST to a target's lane after `delay`.
fn steer(sim: &mut Sim, delay: u64, target: usize, verb: &str, status: u16) {
    let base = sim.targets[target].base();
    let origin = base.replace(':', "%3A").replace('/', "%2F");
    let path = format!("/lanes/{origin}/{verb}");
    let steps = vec![requests::ask("POST", &path), Step::Answers(1), Step::Close];
    sim.client(delay, Client::new(steps, vec![Want::Page(status, false)]));
}

#[test]
fn a_target_dead_for_an_hour_gets_everything_when_it_returns() {
    let mut sim = setup::calm();
    let target = dead_for(&mut sim, HOUR);
    // Without a breaker the budget of four attempts would be spent after a quarter of a minute.
    let orders: Vec<usize> = (0..300)
        .map(|count| {
            place(&mut sim, count * MS, target, |order| {
                (order.retries, order.schedule) = (Some(3), Some(vec![5 * SECOND]));
            })
        })
        .collect();
    sim.run_for(59 * MINUTE);
    let connects = sim.oracle.connects[&target];
    assert!(
        (60..=64 + 75).contains(&connects),
        "{connects} while it was dead"
    );
    sim.run();
    for order in orders {
        let (outcome, after) = end(&sim, order);
        assert_eq!(outcome, Outcome::Delivered);
        assert!(
            after < HOUR + 80 * SECOND,
            "{after} us: later than the longest cool-down"
        );
    }
}

#[test]
fn an_open_breaker_is_a_minimum_between_attempts_and_closes_at_the_first_success() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Dead);
    sim.targets[target].phases = vec![(sim.world.at() + 10 * SECOND, Behaviour::Dead)];
    let orders: Vec<usize> = (0..20)
        .map(|_| {
            place(&mut sim, 0, target, |order| {
                (order.retries, order.schedule) = (Some(5), Some(vec![100 * MS]));
            })
        })
        .collect();
    sim.run();
    let connects = sim.oracle.connects[&target];
    assert!(connects < 20 + 10 + 20, "{connects}");
    let late = orders.iter().map(|order| end(&sim, *order).1).max();
    assert!(late < Some(20 * SECOND), "{late:?}");
}

#[test]
fn a_refusal_is_no_illness() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Fails(2, 404));
    let orders: Vec<usize> = (0..50)
        .map(|_| {
            place(&mut sim, 0, target, |order| {
                order.schedule = Some(vec![SECOND])
            })
        })
        .collect();
    sim.run();
    for order in orders {
        assert!(end(&sim, order).1 < 4 * SECOND, "held up by a breaker");
    }
}

#[test]
fn what_waits_behind_an_open_breaker_expires_on_time() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Dead);
    let orders: Vec<usize> = (0..200)
        .map(|count| {
            place(&mut sim, count * MS, target, |order| {
                (order.retries, order.expires) = (Some(1_000), Some(10 * MINUTE));
            })
        })
        .collect();
    sim.run();
    for order in orders {
        let (outcome, after) = end(&sim, order);
        assert!(
            outcome == Outcome::Expired && is_about(after, 10 * MINUTE),
            "{outcome:?} after {after}"
        );
    }
}

#[test]
fn a_paused_lane_starts_nothing_until_it_is_resumed() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    let other = sim.target(Behaviour::Healthy);
    sim.oracle.paused.insert(target);
    // The pause comes before the lane exists, and outlives its emptiness.
    steer(&mut sim, 0, target, "pause", 200);
    let held = place(&mut sim, 5 * MINUTE, target, |_| ());
    let free = place(&mut sim, 5 * MINUTE, other, |_| ());
    let expiring = place(&mut sim, 5 * MINUTE, target, |order| {
        order.expires = Some(MINUTE);
    });
    steer(&mut sim, 20 * MINUTE, target, "resume", 200);
    steer(&mut sim, 30 * MINUTE, target, "resume", 404);
    sim.run();
    assert!(is_about(times(&sim, held)[0], 15 * MINUTE));
    assert!(is_about(times(&sim, free)[0], 0));
    let (outcome, after) = end(&sim, expiring);
    assert!(
        outcome == Outcome::Expired && is_about(after, MINUTE),
        "{outcome:?} {after}"
    );
}

#[test]
fn what_is_in_flight_at_a_pause_is_finished() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Slow(2 * SECOND));
    sim.oracle.paused.insert(target);
    let order = place(&mut sim, 0, target, |_| ());
    steer(&mut sim, SECOND, target, "pause", 200);
    let later = place(&mut sim, 2 * SECOND, target, |_| ());
    steer(&mut sim, MINUTE, target, "resume", 200);
    sim.run();
    assert!(end(&sim, order).1 < 3 * SECOND);
    assert!(is_about(times(&sim, later)[0], 58 * SECOND));
}

#[test]
fn an_address_that_became_forbidden_after_intake_is_not_connected() {
    let mut sim = setup::calm();
    let target = sim.target_at("localhost", [127, 0, 0, 1].into(), Behaviour::NoContent);
    let first = place(&mut sim, 0, target, |_| ());
    let second = place(&mut sim, 0, target, |order| order.delay = 10 * SECOND);
    sim.run_for(SECOND);
    assert_eq!(end(&sim, first).0, Outcome::Delivered);
    // Both addresses of the name; the line to the first one is kept alive.
    let addr = sim.targets[target].addr;
    let v6 = std::net::SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), addr.port());
    sim.engine.listening(&[setup::OWN, addr, v6]);
    sim.run_for(20 * SECOND);
    assert_eq!(
        sim.oracle.connects[&target], 1,
        "not even on the kept-alive line"
    );
    assert_eq!(sim.targets[target].got.len(), 1);
    let (outcome, after) = end(&sim, second);
    assert!(
        outcome == Outcome::Failed && is_about(after, 10 * SECOND),
        "{outcome:?} {after}"
    );
}

#[test]
fn a_dead_neighbour_with_a_long_queue_costs_a_healthy_lane_nothing() {
    let latency = |neighbours: &[Behaviour]| {
        let mut sim = setup::calm();
        let good = sim.target(Behaviour::Healthy);
        for behaviour in neighbours {
            let bad = sim.target(*behaviour);
            for count in 0..1_000 {
                place(&mut sim, count * MS, bad, |order| order.retries = Some(2));
            }
        }
        let orders: Vec<usize> = (0..300)
            .map(|count| place(&mut sim, count * 20 * MS, good, |_| ()))
            .collect();
        sim.run_for(MINUTE);
        let mut times: Vec<u64> = orders.iter().map(|order| end(&sim, *order).1).collect();
        times.sort_unstable();
        times[times.len() * 99 / 100]
    };
    let alone = latency(&[]);
    let beside = latency(&[Behaviour::Dead, Behaviour::Blackhole, Behaviour::Silent]);
    assert!(beside <= alone + MS, "p99 {beside} us, alone {alone} us");
}

#[test]
fn one_origin_has_a_tenth_of_the_places_at_most() {
    let mut settings = setup::settings();
    settings.lines_max = 200;
    let mut sim = setup::calm_with(settings);
    let target = sim.target(Behaviour::Blackhole);
    for count in 0..100 {
        place(&mut sim, count * MS, target, |order| {
            order.retries = Some(0)
        });
    }
    sim.run_for(3 * SECOND);
    assert_eq!(sim.oracle.connects[&target], 10, "of 100 outbound lines");
    sim.run();
}

#[test]
fn a_drain_waits_for_no_lane_that_is_held() {
    let mut sim = setup::calm();
    let (paused, dead) = (sim.target(Behaviour::Healthy), sim.target(Behaviour::Dead));
    sim.oracle.paused.insert(paused);
    steer(&mut sim, 0, paused, "pause", 200);
    place(&mut sim, SECOND, paused, |_| ());
    for count in 0..100 {
        place(&mut sim, 5 * SECOND + count * MS, dead, |_| ());
    }
    sim.world.after(5_500 * MS, crate::world::Event::Drain);
    let began = sim.world.at();
    sim.run();
    let took = sim.world.at() - began;
    assert!(took < 6 * SECOND, "the drain took {took} us");
}

#[test]
fn a_drain_waits_for_no_line_that_a_held_lane_has_kept() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Slow(2 * SECOND));
    sim.oracle.paused.insert(target);
    let in_flight = place(&mut sim, 0, target, |_| ());
    steer(&mut sim, 500 * MS, target, "pause", 200);
    place(&mut sim, SECOND, target, |_| ());
    sim.world.after(1_500 * MS, crate::world::Event::Drain);
    let began = sim.world.at();
    sim.run();
    let took = sim.world.at() - began;
    assert_eq!(end(&sim, in_flight).0, Outcome::Delivered);
    assert!(took < 6 * SECOND, "the drain took {took} us");
}
