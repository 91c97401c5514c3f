//! Stories of targets that send orders elsewhere: what is followed, and what stays behind. The
//! oracle judges them like any seed.

use hookah::model::Outcome;

use crate::behaviour::{Behaviour, To};
use crate::order::Order;
use crate::requests;
use crate::setup;
use crate::sim::Sim;
use crate::world::SECOND;

fn place(sim: &mut Sim, target: usize, options: impl FnOnce(&mut Order)) -> usize {
    let order = sim.order(target);
    order.private = true;
    options(order);
    let order = order.clone();
    sim.client(0, requests::customer(&order));
    order.number
}

fn end(sim: &Sim, order: usize) -> Outcome {
    let id = sim.oracle.fates[order].id.expect("known");
    sim.oracle.end_of(id).expect("ended").1
}

#[test]
fn a_target_that_sends_us_to_itself_gets_the_order_with_its_credentials() {
    for to in [To::Same, To::Relative] {
        for status in [301, 302, 307, 308] {
            let mut sim = setup::calm();
            let target = sim.target(Behaviour::Sends(status, to));
            let order = place(&mut sim, target, |order| order.redirects = 1);
            sim.run();
            assert_eq!(end(&sim, order), Outcome::Delivered, "{to:?} {status}");
            assert_eq!(sim.targets[target].got.len(), 2);
            assert_eq!(sim.oracle.attempts(order).len(), 1, "one attempt");
        }
    }
}

#[test]
fn no_redirect_carries_credentials_to_another_origin() {
    let mut sim = setup::calm();
    let second = sim.target(Behaviour::Healthy);
    let first = sim.target(Behaviour::Sends(308, To::Other(second)));
    let order = place(&mut sim, first, |order| order.redirects = 2);
    sim.run();
    assert_eq!(end(&sim, order), Outcome::Delivered);
    assert_eq!(sim.targets[second].got.len(), 1);
}

#[test]
fn a_loop_and_a_location_of_no_use_are_failures_that_are_tried_again() {
    for (to, requests) in [(To::Loop, 4), (To::Nowhere, 1)] {
        let mut sim = setup::calm();
        let target = sim.target(Behaviour::Sends(302, to));
        let order = place(&mut sim, target, |order| {
            (order.redirects, order.retries) = (3, Some(1));
            order.schedule = Some(vec![SECOND]);
        });
        sim.run();
        assert_eq!(end(&sim, order), Outcome::Failed, "{to:?}");
        assert_eq!(sim.targets[target].got.len(), 2 * requests, "{to:?}");
    }
}

#[test]
fn hops_share_the_deadline_of_their_attempt() {
    for behaviour in [Behaviour::Silent, Behaviour::Dripping(SECOND)] {
        let mut sim = setup::calm();
        let second = sim.target(behaviour);
        let first = sim.target(Behaviour::Sends(307, To::Other(second)));
        let began = sim.world.at();
        let order = place(&mut sim, first, |order| {
            (order.redirects, order.retries) = (1, Some(0));
            order.timeout = Some(3 * SECOND);
        });
        sim.run();
        assert_eq!(end(&sim, order), Outcome::Failed);
        let id = sim.oracle.fates[order].id.expect("known");
        let (at, _) = sim.oracle.end_of(id).expect("ended");
        assert!(at - began < 4 * SECOND, "{behaviour:?}: {} us", at - began);
    }
}
