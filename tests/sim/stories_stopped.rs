//! Stories of a process that stands still for a while: nobody who is well may be taken to be ill
//! for it, and what was due meanwhile does not all go at once.

use hookah::base::stats::Counter;
use hookah::model::Outcome;

use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::names::Kind;
use crate::order::Order;
use crate::requests::{self, Framing};
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::stories::{end, is_about, place, times};
use crate::world::{Event, MS, SECOND};

fn stood_still(sim: &Sim) -> u64 {
    sim.engine.stats().get(Counter::StoodStill)
}

fn failed(sim: &Sim) -> u64 {
    sim.engine.stats().get(Counter::AttemptsFailed)
}

/// Answers are on their way when the process is stopped, for longer than any of them may take.
#[test]
fn what_is_in_flight_loses_no_time() {
    for (stops, span) in [
        (10 * MS, 5 * SECOND),
        (500 * MS, 20 * SECOND),
        (900 * MS, 3 * SECOND),
    ] {
        let mut sim = setup::calm();
        let target = sim.target(Behaviour::Slow(700 * MS));
        let named = sim.target_named(Kind::Chain(6), None, Behaviour::Slow(700 * MS));
        let hasty = |order: &mut Order| order.timeout = Some(2 * SECOND);
        let orders: Vec<usize> = (0..20)
            .map(|number| place(&mut sim, 0, [target, named][number % 2], hasty))
            .collect();
        sim.world.after(stops, Event::Stop(span));
        sim.run();
        assert_eq!((stood_still(&sim), failed(&sim)), (1, 0), "{stops} {span}");
        for order in orders {
            assert_eq!(end(&sim, order).0, Outcome::Delivered, "{stops} {span}");
        }
    }
}

/// What the target owes it still owes: the time that is left runs on.
#[test]
fn who_does_not_answer_is_given_up_all_the_same() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Silent);
    let order = place(&mut sim, 0, target, |order| order.retries = Some(0));
    sim.world.after(5 * SECOND, Event::Stop(60 * SECOND));
    sim.run();
    let (outcome, at) = end(&sim, order);
    assert_eq!(outcome, Outcome::Failed);
    // A second more or less is not known: nobody looked between two wakes.
    let expected = (75 * SECOND)..=(76 * SECOND + 100 * MS);
    assert!(expected.contains(&at), "after {at} us");
}

#[test]
fn retries_that_were_due_meanwhile_are_spread() {
    let mut sim = setup::calm();
    let mut orders = Vec::new();
    for _ in 0..50 {
        let target = sim.target(Behaviour::Fails(1, 500));
        orders.push(place(&mut sim, 0, target, |_| ()));
    }
    // The first retries are 4 to 6 seconds after the first attempts.
    sim.world.after(2 * SECOND, Event::Stop(10 * SECOND));
    sim.run();
    let mut seconds = Vec::new();
    for order in orders {
        let times = times(&sim, order);
        assert!(is_about(times[0], 0) && times.len() == 2, "{times:?}");
        let expected = (12 * SECOND)..=(14 * SECOND + SECOND / 2);
        assert!(expected.contains(&times[1]), "{times:?}");
        seconds.push(times[1] / (SECOND / 4));
    }
    seconds.sort_unstable();
    seconds.dedup();
    assert!(seconds.len() > 5, "all at once: {seconds:?}");
}

/// A client whose body did not fit on the way, so that it goes on when the server has.
#[test]
fn a_client_that_had_to_wait_is_not_taken_to_be_slow() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    let order = sim.order(target);
    order.filler = 10_000;
    let order = order.clone();
    let mut steps = requests::place(&order, Framing::Length, false);
    let Some(Step::Send(bytes)) = steps.pop() else {
        panic!("a request in one piece")
    };
    let (first, rest) = bytes.split_at(5_000);
    let (first, rest) = (Step::Send(first.into()), Step::Send(rest.into()));
    steps = vec![
        first,
        Step::Wait(92 * SECOND),
        rest,
        Step::Answers(1),
        Step::Close,
    ];
    sim.client(0, Client::new(steps, vec![Want::Accepted(order.number)]));
    sim.world.after(SECOND, Event::Stop(90 * SECOND));
    sim.run();
    assert_eq!(end(&sim, order.number).0, Outcome::Delivered);
}

/// A wait without anything in flight is no standing still.
#[test]
fn who_only_sleeps_is_not_late() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Fails(2, 500));
    let order = place(&mut sim, 0, target, |order| order.delay = 50 * SECOND);
    sim.run();
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    assert_eq!(stood_still(&sim), 0);
}
