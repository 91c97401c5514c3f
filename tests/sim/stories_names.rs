//! Stories of names: what a name server says or does not say, and what becomes of the webhook.
//! The oracle judges them like any seed.

use std::net::{IpAddr, Ipv6Addr};

use hookah::model::Outcome;

use crate::behaviour::Behaviour;
use crate::names::{Kind, Manner};
use crate::order::Order;
use crate::requests;
use crate::setup;
use crate::sim::Sim;
use crate::world::{MS, SECOND};

/// A client places an order after `delay`; its number.
fn place(sim: &mut Sim, delay: u64, target: usize, options: impl FnOnce(&mut Order)) -> usize {
    let order = sim.order(target);
    options(order);
    let order = order.clone();
    sim.client(delay, requests::customer(&order));
    order.number
}

/// How an order ended, and how long after its acceptance.
fn end(sim: &Sim, order: usize) -> (Outcome, u64) {
    let fate = &sim.oracle.fates[order];
    let (accepted, _) = fate.accepted.expect("accepted");
    let (at, outcome) = sim.oracle.end_of(fate.id.expect("known")).expect("ended");
    (outcome, at - accepted)
}

fn asked(sim: &Sim, target: usize) -> u32 {
    sim.names.zone[&sim.targets[target].host].asked
}

fn connects(sim: &Sim, target: usize) -> u32 {
    sim.oracle.connects.get(&target).copied().unwrap_or(0)
}

const SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9));

#[test]
fn every_name_that_has_an_address_is_found_however_odd_the_servers() {
    use Manner::{Absent, Cut, CutAndShut, Right, Servfail, Silent};
    let kinds = [
        Kind::Plain,
        Kind::Decoys,
        Kind::Chain(1),
        Kind::Chain(8),
        Kind::Bulk,
    ];
    let servers: [(&[Manner], u64); 8] = [
        (&[Right], SECOND),
        (&[Servfail, Right], SECOND),
        (&[Absent, Right], SECOND),
        (&[Cut], SECOND),
        (&[CutAndShut, Right], SECOND),
        (&[CutAndShut, Cut], SECOND),
        (&[Silent, Right], 2 * SECOND),
        (&[Silent, Silent, Cut], 3 * SECOND),
    ];
    for kind in kinds {
        for (servers, within) in servers {
            for ip in [None, Some(SIX)] {
                let mut sim = setup::calm();
                sim.names.servers = servers.to_vec();
                let target = sim.target_named(kind, ip, Behaviour::Healthy);
                let order = place(&mut sim, 0, target, |order| order.retries = Some(0));
                sim.run();
                let (outcome, after) = end(&sim, order);
                let what = format!("{kind:?} {servers:?} {ip:?}: {after} us");
                assert_eq!(outcome, Outcome::Delivered, "{what}");
                assert!(after < within, "{what}");
            }
        }
    }
}

#[test]
fn a_name_without_an_address_fails_after_its_budget_and_nobody_is_called() {
    let rows = [
        (Kind::Missing, 0),
        (Kind::Empty, 0),
        (Kind::Loop, 0),
        (Kind::Chain(9), 0),
        (Kind::Garbage, 5),
        (Kind::Late, 5),
    ];
    for (kind, seconds) in rows {
        let mut sim = setup::calm();
        let target = sim.target_named(kind, None, Behaviour::Healthy);
        let order = place(&mut sim, 0, target, |order| {
            order.retries = Some(2);
            order.schedule = Some(vec![10 * SECOND]);
        });
        sim.run();
        let (outcome, after) = end(&sim, order);
        assert_eq!(outcome, Outcome::Failed, "{kind:?}");
        let (least, most) = (16 + 3 * seconds, 24 + 3 * seconds);
        assert!(
            (least * SECOND..most * SECOND + 500 * MS).contains(&after),
            "{kind:?} ended after {after} us"
        );
        assert_eq!(connects(&sim, target), 0, "{kind:?}");
        assert!(
            asked(&sim, target) >= 6,
            "{kind:?}: asked anew for each attempt"
        );
    }
}

#[test]
fn silent_servers_are_given_up_after_five_seconds() {
    for servers in [vec![Manner::Silent], vec![Manner::Silent; 3]] {
        let mut sim = setup::calm();
        sim.names.servers = servers.clone();
        let target = sim.target_named(Kind::Plain, None, Behaviour::Healthy);
        sim.targets[target].kind = Some(Kind::Late);
        let order = place(&mut sim, 0, target, |order| order.retries = Some(0));
        sim.run();
        let (outcome, after) = end(&sim, order);
        assert_eq!(outcome, Outcome::Failed);
        assert!((4_990 * MS..5_100 * MS).contains(&after), "{after} us");
        assert_eq!(asked(&sim, target), 4 * servers.len() as u32);
    }
}

#[test]
fn many_webhooks_to_one_name_ask_once_and_share_lines() {
    let mut sim = setup::calm();
    let target = sim.target_named(Kind::Plain, None, Behaviour::Healthy);
    let orders: Vec<usize> = (0..50)
        .map(|_| place(&mut sim, 0, target, |_| ()))
        .collect();
    let later = place(&mut sim, 10 * SECOND, target, |_| ());
    sim.run();
    for order in orders.into_iter().chain([later]) {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(asked(&sim, target), 2, "one A and one AAAA");
}

#[test]
fn a_name_that_appears_between_two_attempts_is_found() {
    let mut sim = setup::calm();
    let target = sim.target_named(Kind::Missing, None, Behaviour::Healthy);
    let order = place(&mut sim, 0, target, |_| ());
    sim.run_for(3 * SECOND);
    let host = sim.targets[target].host.clone();
    sim.names.zone.get_mut(&host).expect("known").kind = Kind::Plain;
    sim.targets[target].kind = Some(Kind::Plain);
    // Its first attempt was not seen by anybody.
    sim.targets[target].phases.insert(0, (0, Behaviour::Dead));
    sim.run();
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    // How many were lost on the way depends on their jitter.
    assert!(sim.oracle.attempts(order)[0].attempt > 1);
}

#[test]
fn a_dead_name_holds_nobody_else_up() {
    let mut sim = setup::calm();
    sim.names.servers = vec![Manner::Silent];
    let dead = sim.target_named(Kind::Late, None, Behaviour::Healthy);
    let healthy = sim.target(Behaviour::Healthy);
    for _ in 0..20 {
        place(&mut sim, 0, dead, |order| order.retries = Some(0));
    }
    let order = place(&mut sim, SECOND, healthy, |_| ());
    sim.run();
    let (outcome, after) = end(&sim, order);
    assert_eq!(outcome, Outcome::Delivered);
    assert!(after < 100 * MS, "{after} us");
}

#[test]
fn one_failed_lookup_ends_no_more_attempts_than_a_lane_has_lines() {
    let mut settings = setup::settings();
    settings.courier.parallelism = 2;
    let mut sim = setup::calm_with(settings);
    sim.names.servers = vec![Manner::Servfail];
    let target = sim.target_named(Kind::Plain, None, Behaviour::Healthy);
    sim.targets[target].kind = Some(Kind::Late);
    for _ in 0..5 {
        place(&mut sim, 0, target, |order| order.retries = Some(0));
    }
    sim.run();
    let lookups = asked(&sim, target) / 4;
    assert!(
        (3..=5).contains(&lookups),
        "{lookups} lookups for five calls"
    );
}

#[test]
fn the_hosts_file_wins_and_is_read_again_when_it_changes() {
    let mut sim = setup::calm();
    let target = sim.target_named(Kind::Missing, None, Behaviour::Healthy);
    let (host, ip) = (
        sim.targets[target].host.clone(),
        sim.targets[target].addr.ip(),
    );
    sim.targets[target].kind = Some(Kind::Plain);
    sim.names.hosts = format!("{ip} {host}\n");
    let first = place(&mut sim, 0, target, |_| ());
    sim.run_for(40 * SECOND);
    assert_eq!(end(&sim, first).0, Outcome::Delivered);
    sim.names.hosts.clear();
    sim.targets[target].kind = Some(Kind::Missing);
    sim.targets[target].got.clear();
    let second = place(&mut sim, 0, target, |order| order.retries = Some(0));
    sim.run_for(SECOND);
    assert_eq!(end(&sim, second).0, Outcome::Failed);
    assert_eq!(asked(&sim, target), 2);
}

#[test]
fn a_target_that_moves_is_found_at_its_new_address() {
    let mut sim = setup::calm();
    let target = sim.target_named(Kind::Plain, None, Behaviour::Healthy);
    let host = sim.targets[target].host.clone();
    sim.names.zone.get_mut(&host).expect("known").ttl = 50;
    let first = place(&mut sim, 0, target, |_| ());
    // Past the line's keep-alive, and past the time to live.
    sim.run_for(51 * SECOND);
    sim.targets[target].addr.set_ip(SIX);
    sim.names.zone.get_mut(&host).expect("known").ip = SIX;
    let second = place(&mut sim, 0, target, |_| ());
    sim.run();
    for order in [first, second] {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(connects(&sim, target), 2);
}

#[test]
fn a_lane_whose_name_cannot_be_resolved_is_probed_by_one_call_at_a_time() {
    let mut sim = setup::calm();
    sim.names.servers = vec![Manner::Servfail];
    let target = sim.target_named(Kind::Plain, None, Behaviour::Healthy);
    sim.targets[target].kind = Some(Kind::Late);
    let orders: Vec<usize> = (0..30)
        .map(|_| place(&mut sim, 0, target, |order| order.retries = Some(0)))
        .collect();
    sim.run();
    let early = orders
        .iter()
        .filter(|order| end(&sim, **order).1 < 5 * SECOND)
        .count();
    // Ten open the breaker; its cool-downs are 1, 2 and 4 seconds, a fifth more or less.
    assert!((10..=13).contains(&early), "{early} within five seconds");
}
