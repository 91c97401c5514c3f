//! Stories: one thing goes wrong in a calm world, and what must come of it is said exactly.
//! The oracle judges them like any seed.

mod clients;

use hookah::model::Outcome;

use crate::behaviour::{Behaviour, Lie};
use crate::clients::{Client, Want};
use crate::net::Shape;
use crate::order::Order;
use crate::requests;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::store::Temper;
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

/// A client places an order after `delay`; its number.
pub fn place(sim: &mut Sim, delay: u64, target: usize, options: impl FnOnce(&mut Order)) -> usize {
    let order = sim.order(target);
    options(order);
    let order = order.clone();
    sim.client(delay, requests::customer(&order));
    order.number
}

/// When each attempt of an order went out, from its acceptance.
pub fn times(sim: &Sim, order: usize) -> Vec<u64> {
    let (accepted, _) = sim.oracle.fates[order].accepted.expect("accepted");
    sim.oracle
        .attempts(order)
        .iter()
        .map(|sent| sent.at - accepted)
        .collect()
}

/// How an order ended, and how long after its acceptance.
pub fn end(sim: &Sim, order: usize) -> (Outcome, u64) {
    let fate = &sim.oracle.fates[order];
    let (accepted, _) = fate.accepted.expect("accepted");
    let (at, outcome) = sim.oracle.end_of(fate.id.expect("known")).expect("ended");
    (outcome, at - accepted)
}

/// Whether `value` is what is expected, give or take the loop's own time.
pub fn is_about(value: u64, expected: u64) -> bool {
    value + 5 * MS >= expected && value <= expected + 100 * MS
}

#[test]
fn a_target_that_was_down_for_ten_minutes_gets_its_webhook_when_it_returns() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Dead);
    sim.targets[target].phases = vec![(sim.world.at() + 10 * MINUTE, Behaviour::Dead)];
    let order = place(&mut sim, 0, target, |_| ());
    sim.run();
    let got: Vec<u32> = sim.targets[target]
        .got
        .iter()
        .map(|got| got.attempt)
        .collect();
    assert_eq!(
        got,
        [4],
        "after 5 s and 5 min it was down, 30 min later it was not"
    );
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
}

#[test]
fn a_dripping_answer_meets_the_total_deadline() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Dripping(SECOND));
    let order = place(&mut sim, 0, target, |order| order.retries = Some(0));
    let quick = place(&mut sim, 0, target, |order| {
        (order.retries, order.timeout) = (Some(0), Some(2 * SECOND));
    });
    sim.run();
    let (outcome, after) = end(&sim, order);
    assert!(
        outcome == Outcome::Failed && is_about(after, 15 * SECOND),
        "{outcome:?} {after}"
    );
    let (outcome, after) = end(&sim, quick);
    assert!(
        outcome == Outcome::Failed && is_about(after, 2 * SECOND),
        "{outcome:?} {after}"
    );
}

#[test]
fn a_body_that_drips_does_not_undo_the_head() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Slow(8 * SECOND));
    let order = place(&mut sim, 0, target, |order| {
        order.timeout = Some(10 * SECOND)
    });
    sim.run();
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    assert_eq!(sim.oracle.attempts(order).len(), 1);
}

#[test]
fn a_flooding_target_is_cut_off() {
    for (behaviour, outcome) in [
        (Behaviour::EndlessHead, Outcome::Failed),
        (Behaviour::EndlessBody, Outcome::Delivered),
        (Behaviour::Interim(9), Outcome::Failed),
        (Behaviour::Interim(8), Outcome::Delivered),
        (Behaviour::Banner, Outcome::Failed),
    ] {
        let mut sim = setup::calm();
        let target = sim.target(behaviour);
        let order = place(&mut sim, 0, target, |order| order.retries = Some(0));
        sim.run();
        let (end, after) = end(&sim, order);
        assert_eq!(end, outcome, "{behaviour:?}");
        assert!(after < SECOND, "{behaviour:?} ended only after {after} us");
    }
}

#[test]
fn a_lying_targets_line_is_never_used_again() {
    for lie in Lie::ALL {
        let mut sim = setup::calm();
        let target = sim.target(Behaviour::Liar(lie));
        let orders = [0, 2 * SECOND].map(|delay| place(&mut sim, delay, target, |_| ()));
        sim.run();
        for order in orders {
            assert_eq!(
                end(&sim, order).0,
                Outcome::Delivered,
                "{lie:?}: the head was valid"
            );
        }
        assert_eq!(sim.oracle.connects[&target], 2, "{lie:?}");
    }
}

#[test]
fn an_answer_that_comes_before_its_request_answers_nothing() {
    let mut settings = setup::settings();
    settings.courier.parallelism = 1;
    let mut sim = setup::calm_with(settings);
    // Both segments come in one turn, so that the next call has the line and has not written yet.
    sim.net.shape = Some(Shape {
        delay: (100, 100),
        ..Shape::calm()
    });
    let target = sim.target(Behaviour::Liar(Lie::Behind));
    let orders = [0, 0, 0].map(|delay| place(&mut sim, delay, target, |_| ()));
    sim.run();
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
        assert_eq!(sim.oracle.attempts(order).len(), 1);
    }
    assert_eq!(sim.oracle.connects[&target], 3);
}

#[test]
fn kept_alive_lines_are_used_again() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::NoContent);
    for at in 0..20 {
        place(&mut sim, at * SECOND, target, |_| ());
    }
    sim.run();
    assert_eq!(sim.oracle.connects[&target], 1);
}

#[test]
fn targets_that_never_answer_cost_the_others_nothing() {
    let mut sim = setup::calm();
    let bad = [
        Behaviour::Silent,
        Behaviour::Blackhole,
        Behaviour::Dripping(SECOND),
    ];
    let bad = bad.map(|behaviour| sim.target(behaviour));
    let good = sim.target(Behaviour::Healthy);
    for count in 0..100 {
        for target in bad {
            place(&mut sim, count * MS, target, |order| {
                order.retries = Some(1)
            });
        }
    }
    let orders: Vec<usize> = (0..100)
        .map(|count| place(&mut sim, count * 100 * MS, good, |_| ()))
        .collect();
    sim.run();
    for order in orders {
        let (outcome, after) = end(&sim, order);
        assert!(
            outcome == Outcome::Delivered && after < 10 * MS,
            "{outcome:?} after {after} us"
        );
    }
}

#[test]
fn a_stale_line_costs_a_resend_that_is_not_counted() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Stale);
    let orders = [0, 1, 2].map(|at| place(&mut sim, at * SECOND, target, |_| ()));
    sim.run();
    let attempts: Vec<u32> = sim.targets[target]
        .got
        .iter()
        .map(|got| got.attempt)
        .collect();
    assert_eq!(
        attempts, [1; 5],
        "the second and third order were sent twice"
    );
    assert!(
        orders
            .iter()
            .all(|order| end(&sim, *order).0 == Outcome::Delivered)
    );
}

#[test]
fn a_store_that_fails_is_a_503_and_no_delivery() {
    let mut sim = setup::calm();
    sim.store.temper = Temper {
        delay: (50 * MS, 50 * MS),
        fail_percent: 100,
    };
    sim.oracle.may_refuse = true;
    let target = sim.target(Behaviour::Healthy);
    let order = place(&mut sim, 0, target, |_| ());
    sim.run();
    assert_eq!(sim.clients[0].got[0].status, 503);
    assert!(sim.oracle.fates[order].refused);
    assert!(sim.targets[target].got.is_empty());
}

#[test]
fn the_202_waits_for_a_slow_store() {
    let mut sim = setup::calm();
    sim.store.temper = Temper {
        delay: (20 * SECOND, 20 * SECOND),
        fail_percent: 0,
    };
    let target = sim.target(Behaviour::Healthy);
    let began = sim.world.at();
    let order = place(&mut sim, 0, target, |_| ());
    let health = [
        requests::ask("GET", "/health"),
        Step::Answers(1),
        Step::Close,
    ];
    sim.client(
        SECOND,
        Client::new(health.to_vec(), vec![Want::Page(200, false)]),
    );
    sim.run();
    assert!(is_about(sim.clients[0].got_at[0] - began, 20 * SECOND));
    assert!(
        is_about(sim.clients[1].got_at[0] - began, SECOND),
        "the loop waited for the store"
    );
    assert!(is_about(times(&sim, order)[0], 20 * SECOND));
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_says_close() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Slow(2 * SECOND));
    let order = place(&mut sim, 0, target, |_| ());
    let began = b"GET /health HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    let steps = vec![
        Step::Send(began),
        Step::Wait(SECOND),
        Step::Send(b"\r\n".to_vec()),
        Step::Answers(1),
    ];
    let client = sim.client(0, Client::new(steps, vec![Want::Page(200, false)]));
    sim.world.after(500 * MS, Event::Drain);
    let began = sim.world.at();
    sim.run();
    assert!(sim.clients[client].got[0].connection("close"));
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    let took = sim.world.at() - began;
    assert!(took < 6 * SECOND, "the drain took {took} us");
}

#[test]
fn a_drain_ends_when_its_time_is_up() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Silent);
    place(&mut sim, 0, target, |_| ());
    sim.world.after(500 * MS, Event::Drain);
    let began = sim.world.at();
    sim.run();
    assert!(is_about(sim.world.at() - began, 8_500 * MS));
}

#[test]
fn over_the_bound_on_memory_is_a_503_and_nothing_accepted_is_dropped() {
    let mut settings = setup::settings();
    settings.memory_bytes_max = 400_000;
    let mut sim = setup::calm_with(settings);
    sim.oracle.may_refuse = true;
    let target = sim.target(Behaviour::Dead);
    let orders: Vec<usize> = (0..20)
        .map(|at| {
            place(&mut sim, at * MS, target, |order| {
                order.filler = 70_000;
                order.retries = Some(2);
                order.schedule = Some(vec![SECOND]);
            })
        })
        .collect();
    let late = place(&mut sim, MINUTE, target, |order| order.retries = Some(0));
    sim.run();
    let refused = orders
        .iter()
        .filter(|order| sim.oracle.fates[**order].refused)
        .count();
    assert!((10..20).contains(&refused), "{refused} of 20 refused");
    assert!(
        sim.oracle.fates[late].promised.is_some(),
        "there was room again"
    );
}

#[test]
fn gone_ends_a_delivery_at_once() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Gone);
    let order = place(&mut sim, 0, target, |_| ());
    sim.run();
    assert_eq!(
        (end(&sim, order).0, times(&sim, order).len()),
        (Outcome::Failed, 1)
    );
}

#[test]
fn retry_after_is_honoured_clamped_and_ignored_when_it_says_nothing() {
    for (behaviour, low, high) in [
        (Behaviour::Later(1, 20), 20 * SECOND, 25 * SECOND),
        (Behaviour::LaterDate(1, 20), 19 * SECOND, 26 * SECOND),
        (Behaviour::Later(1, 1_000_000_000), 24 * HOUR, 29 * HOUR),
        (Behaviour::LaterGarbage(1), 80 * MS, 130 * MS),
        (Behaviour::Fails(1, 500), 80 * MS, 130 * MS),
    ] {
        let mut sim = setup::calm();
        let target = sim.target(behaviour);
        let order = place(&mut sim, 0, target, |order| {
            order.schedule = Some(vec![100 * MS])
        });
        sim.run();
        let times = times(&sim, order);
        assert!(
            times.len() == 2 && (low..=high).contains(&times[1]),
            "{behaviour:?}: {times:?}"
        );
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}

#[test]
fn clock_jumps_move_no_attempt() {
    for by in [8_766 * HOUR as i64, -8_766 * HOUR as i64] {
        let mut sim = setup::calm();
        let target = sim.target(Behaviour::Fails(2, 500));
        let order = place(&mut sim, 0, target, |order| {
            order.schedule = Some(vec![MINUTE])
        });
        sim.world.after(10 * SECOND, Event::Jump(by));
        sim.run();
        let times = times(&sim, order);
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
        assert!(
            times[1] >= 48 * SECOND && times[1] <= 73 * SECOND,
            "{by}: {times:?}"
        );
        assert!(times[2] - times[1] >= 48 * SECOND && times[2] - times[1] <= 73 * SECOND);
    }
}

#[test]
fn a_narrow_lane_keeps_to_its_width() {
    let mut settings = setup::settings();
    settings.courier.parallelism = 4;
    let mut sim = setup::calm_with(settings);
    let target = sim.target(Behaviour::Slow(20 * MS));
    for at in 0..400 {
        place(&mut sim, at * MS, target, |_| ());
    }
    sim.run();
    assert!(
        sim.oracle.connects[&target] <= 4,
        "{:?}",
        sim.oracle.connects
    );
    assert_eq!(sim.targets[target].got.len(), 400);
}
