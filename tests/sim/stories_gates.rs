//! Stories of queues and flows. The oracle judges them like any seed.

use hookah::model::Outcome;

use crate::behaviour::Behaviour;
use crate::gates::Flow;
use crate::setup;
use crate::sim::Sim;
use crate::stories::{end, is_about, place, times};
use crate::world::{MINUTE, MS, SECOND};

/// Orders for one queue, one after the other, each a millisecond after the one before.
fn queue(sim: &mut Sim, targets: &[usize], count: u64) -> Vec<usize> {
    let each = (0..count).map(|number| {
        let target = targets[number as usize % targets.len()];
        place(sim, number * MS, target, |order| {
            order.queue = Some("orders");
            (order.retries, order.schedule) = (Some(3), Some(vec![5 * SECOND]));
        })
    });
    each.collect()
}

#[test]
fn a_queue_over_several_targets_keeps_its_order_while_one_of_them_fails() {
    let mut sim = setup::calm();
    let targets = [
        sim.target(Behaviour::Healthy),
        sim.target(Behaviour::Fails(2, 500)),
        sim.target(Behaviour::Slow(2 * SECOND)),
    ];
    let orders = queue(&mut sim, &targets, 30);
    let free = place(&mut sim, SECOND, targets[0], |_| ());
    sim.run();
    let mut before = 0;
    for order in orders {
        let first = sim.oracle.attempts(order)[0].at;
        assert!(first >= before, "out of order");
        before = first;
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert!(
        is_about(times(&sim, free)[0], 0),
        "a queue holds nobody else"
    );
}

#[test]
fn a_dead_head_is_failed_after_its_retries_and_the_next_goes() {
    let mut sim = setup::calm();
    let targets = [sim.target(Behaviour::Dead), sim.target(Behaviour::Healthy)];
    let orders = queue(&mut sim, &targets, 2);
    let other = place(&mut sim, 0, targets[1], |order| {
        order.queue = Some("\u{e9}")
    });
    sim.run();
    let (outcome, failed) = end(&sim, orders[0]);
    assert_eq!(outcome, Outcome::Failed);
    assert!(times(&sim, orders[1])[0] + 100 * MS >= failed);
    assert!(
        is_about(times(&sim, other)[0], 0),
        "another queue is another matter"
    );
}

#[test]
fn a_rate_spreads_what_came_at_once_and_what_waits_expires_on_time() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    let orders: Vec<usize> = (0..25)
        .map(|number| {
            place(&mut sim, number * MS, target, |order| {
                order.flow = Some(Flow::paced("quick", 5, 10 * SECOND));
                order.expires = Some(35 * SECOND);
            })
        })
        .collect();
    sim.run();
    for (place, order) in orders.into_iter().enumerate() {
        let (outcome, after) = end(&sim, order);
        let round = place as u64 / 5;
        if round == 4 {
            assert!(
                outcome == Outcome::Expired && is_about(after, 35 * SECOND),
                "{after}"
            );
            assert!(sim.oracle.attempts(order).is_empty());
            continue;
        }
        assert_eq!(outcome, Outcome::Delivered);
        let at = times(&sim, order)[0];
        assert!(at + 100 * MS >= round * 10 * SECOND, "{place} at {at}");
        assert!(at <= round * 10 * SECOND + 100 * MS, "{place} at {at}");
    }
}

#[test]
fn retries_take_their_turn_in_their_flow_and_keep_their_number() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Fails(1, 500));
    let orders: Vec<usize> = (0..6)
        .map(|number| {
            place(&mut sim, number * MS, target, |order| {
                order.flow = Some(Flow::paced("slow", 1, 20 * SECOND));
                (order.retries, order.schedule) = (Some(1), Some(vec![SECOND]));
            })
        })
        .collect();
    sim.run();
    let sent = sim.oracle.sent.len() as u64;
    assert_eq!(sent, 12, "two attempts each");
    let last = sim.oracle.sent.iter().map(|sent| sent.at).max();
    let first = sim.oracle.sent.iter().map(|sent| sent.at).min();
    let took = last.zip(first).map(|(last, first)| last - first);
    assert!(is_about(took.unwrap_or(0), 11 * 20 * SECOND), "{took:?}");
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}

#[test]
fn a_key_with_one_place_goes_from_target_to_target() {
    let mut sim = setup::calm();
    let targets = [
        sim.target(Behaviour::Slow(3 * SECOND)),
        sim.target(Behaviour::Healthy),
    ];
    let flow = Flow {
        key: Some("narrow & few"),
        rate: None,
        parallelism: Some(1),
    };
    let orders: Vec<usize> = (0..10)
        .map(|number| {
            let target = targets[number as usize % 2];
            place(&mut sim, number * MS, target, |order| {
                order.flow = Some(flow)
            })
        })
        .collect();
    let free = place(&mut sim, 5 * MS, targets[0], |_| ());
    sim.run();
    assert!(is_about(times(&sim, free)[0], 0));
    let last = times(&sim, orders[9])[0];
    assert!((12 * SECOND..MINUTE).contains(&last), "{last}");
}

#[test]
fn a_queue_goes_on_in_its_order_after_crashes() {
    let mut sim = setup::lasting();
    let targets = [
        sim.target(Behaviour::Slow(2 * SECOND)),
        sim.target(Behaviour::Fails(1, 500)),
    ];
    // More than a queue has in memory.
    let orders = queue(&mut sim, &targets, 50);
    for stop in [7, 11, 40] {
        sim.run_for(stop * SECOND);
        sim.kill(3 * SECOND);
    }
    sim.run();
    assert_eq!(sim.oracle.crashes, 3);
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}

#[test]
fn a_rate_is_not_begun_anew_by_a_crash() {
    let mut sim = setup::lasting();
    let target = sim.target(Behaviour::Healthy);
    let flow = Flow::paced("quick", 4, 40 * SECOND);
    let orders: Vec<usize> = (0..12)
        .map(|number| {
            place(&mut sim, number * MS, target, |order| {
                order.flow = Some(flow)
            })
        })
        .collect();
    sim.run_for(SECOND);
    let began = sim.world.at();
    let before = sim.oracle.sent.len();
    sim.kill(SECOND);
    sim.run();
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    let after = sim.oracle.sent[before..].iter().map(|sent| sent.at - began);
    let early = after.filter(|at| *at < 40 * SECOND).count();
    assert_eq!((before, early), (4, 4 - 1), "evenly, one each ten seconds");
}
