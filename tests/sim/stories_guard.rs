//! Stories of addresses that may not be called: names that lead there, at once or at the second
//! look, redirects, kept-alive lines. The oracle looks at every connection and every request.

use std::net::{IpAddr, SocketAddr};

use hookah::model::Outcome;

use crate::behaviour::{Behaviour, To};
use crate::clients::{Client, Want};
use crate::names::Kind;
use crate::order::Order;
use crate::requests::{self, Framing};
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::stories::{end, place};
use crate::world::{HOUR, MINUTE, SECOND};

const INTERNET: &str = "93.184.216.34";
const INTERNET_SIX: &str = "2606:2800::34";

/// Addresses that `public` closes, and the words of why.
const CLOSED: [(&str, &str); 20] = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    ("::7f00:1", "ipv4_in_ipv6"),
    ("::ffff:0:7f00:1", "ipv4_in_ipv6"),
    ("10.0.0.1", "private"),
    ("64:ff9b::a00:1", "private"),
    ("100.64.0.1", "shared"),
    ("fd00::7", "unique_local"),
    ("0.0.0.0", "this_network"),
    ("::", "unspecified"),
    ("169.254.169.254", "metadata"),
    ("::ffff:169.254.169.254", "metadata"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("168.63.129.16", "metadata"),
    ("2002:7f00:1::", "6to4"),
    ("fe80::1", "link_local"),
];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A target that goes by a name, which says these addresses, answer by answer, and keeps none.
/// It listens at the first of them.
fn named(sim: &mut Sim, says: &[&[&str]], behaviour: Behaviour) -> usize {
    let at = ip(says[0][0]);
    let target = sim.target_named(Kind::Plain, Some(at), behaviour);
    let host = sim.targets[target].host.clone();
    sim.names.zone.get_mut(&host).expect("known").ttl = 0;
    let says = says
        .iter()
        .map(|said| said.iter().map(|it| ip(it)).collect());
    sim.names.says.insert(host, says.collect());
    target
}

/// An order whose way ends at an address that it may not be sent to.
fn doomed(sim: &mut Sim, delay: u64, target: usize, options: impl FnOnce(&mut Order)) -> usize {
    place(sim, delay, target, |order| {
        order.forbidden = true;
        options(order);
    })
}

fn connects(sim: &Sim, target: usize) -> u32 {
    sim.oracle.connects.get(&target).copied().unwrap_or(0)
}

/// What `/messages` shows of an order.
fn shown(sim: &mut Sim, order: usize) -> String {
    let id = sim.oracle.fates[order].id.expect("known");
    let ask = requests::ask("GET", &format!("/messages/{id}"));
    let steps = vec![ask, Step::Answers(1), Step::Close];
    let client = sim.client(0, Client::new(steps, vec![Want::Page(200, false)]));
    sim.run();
    String::from_utf8_lossy(&sim.clients[client].got[0].body).into_owned()
}

/// It ended as forbidden for that reason, and was not tried again.
fn assert_forbidden(sim: &mut Sim, order: usize, why: &str) {
    assert_eq!(end(sim, order).0, Outcome::Failed, "{why}");
    let shown = shown(sim, order);
    let last = shown.rsplit("\"error\":").next().unwrap_or_default();
    let right = last.starts_with("\"policy\"");
    assert!(right, "{why}: {shown}");
    let detail = format!("\"blocked_target_{why}\"");
    assert!(last.contains(&detail), "{why}: {shown}");
}

/// A client whose order is refused with 403; the answer's body.
pub fn refused(sim: &mut Sim, target: usize, options: impl FnOnce(&mut Order)) -> String {
    let order = sim.order(target);
    options(order);
    let order = order.clone();
    let mut steps = requests::place(&order, Framing::Length, false);
    steps.extend([Step::Answers(1), Step::Close]);
    let want = Want::NotTaken(order.number, &[403]);
    let client = sim.client(0, Client::new(steps, vec![want]));
    sim.run();
    String::from_utf8_lossy(&sim.clients[client].got[0].body).into_owned()
}

#[test]
fn the_open_internet_is_called_under_public() {
    for at in [INTERNET, INTERNET_SIX, "64:ff9b::5db8:d822"] {
        let mut sim = setup::public(&[]);
        let target = named(&mut sim, &[&[at]], Behaviour::Healthy);
        let order = place(&mut sim, 0, target, |_| ());
        sim.run();
        assert_eq!(end(&sim, order).0, Outcome::Delivered, "{at}");
    }
}

#[test]
fn of_a_name_with_public_and_closed_addresses_only_the_public_one_is_called() {
    for (closed, _) in CLOSED {
        for says in [[closed, INTERNET], [INTERNET, closed]] {
            for (behaviour, outcome) in [
                (Behaviour::Healthy, Outcome::Delivered),
                // The next address is no way out.
                (Behaviour::Dead, Outcome::Failed),
            ] {
                let mut sim = setup::public(&[]);
                let target = named(&mut sim, &[&says], behaviour);
                sim.targets[target].addr.set_ip(ip(INTERNET));
                let order = place(&mut sim, 0, target, |order| {
                    (order.retries, order.schedule) = (Some(1), Some(vec![SECOND]));
                });
                sim.run();
                assert_eq!(end(&sim, order).0, outcome, "{says:?}");
                let attempts = if outcome == Outcome::Failed { 2 } else { 1 };
                assert_eq!(connects(&sim, target), attempts, "{says:?}");
            }
        }
    }
}

#[test]
fn a_name_of_a_closed_address_is_never_called_under_public() {
    for (closed, why) in CLOSED {
        let mut sim = setup::public(&[]);
        let target = named(&mut sim, &[&[closed]], Behaviour::Healthy);
        let order = doomed(&mut sim, 0, target, |_| ());
        sim.run();
        assert_eq!(connects(&sim, target), 0, "{closed}");
        assert!(end(&sim, order).1 < SECOND, "{closed}: tried again");
        assert_forbidden(&mut sim, order, why);
    }
}

#[test]
fn a_name_that_is_an_alias_of_localhost_is_never_called_under_public() {
    for says in [&["127.0.0.1", "::1"][..], &["::1"], &[]] {
        let mut sim = setup::public(&[]);
        let target = named(&mut sim, &[&["127.0.0.1"]], Behaviour::Healthy);
        let host = sim.targets[target].host.clone();
        sim.names.zone.get_mut(&host).expect("known").kind = Kind::Localhost;
        let said = says.iter().map(|it| ip(it)).collect();
        sim.names.says.insert(host, vec![said]);
        let order = doomed(&mut sim, 0, target, |order| order.retries = Some(0));
        sim.run();
        assert_eq!(connects(&sim, target), 0, "{says:?}");
        match says {
            [] => assert_eq!(end(&sim, order).0, Outcome::Failed),
            _ => assert_forbidden(&mut sim, order, "loopback"),
        }
    }
}

#[test]
fn metadata_is_closed_to_names_although_local_is_allowed() {
    for (closed, why) in CLOSED.iter().filter(|(_, why)| *why == "metadata") {
        let mut sim = setup::calm();
        let target = named(&mut sim, &[&[closed]], Behaviour::Healthy);
        let order = doomed(&mut sim, 0, target, |_| ());
        sim.run();
        assert_eq!(connects(&sim, target), 0, "{closed}");
        assert_forbidden(&mut sim, order, why);
    }
}

#[test]
fn a_name_rebound_between_two_attempts_is_not_followed() {
    for (closed, why) in CLOSED {
        for (behaviour, wait) in [
            (Behaviour::HalfCloses, SECOND),
            // The line is kept alive, and closed before the second attempt.
            (Behaviour::Fails(9, 503), MINUTE),
        ] {
            let mut sim = setup::public(&[]);
            let target = named(&mut sim, &[&[INTERNET], &[closed]], behaviour);
            let order = doomed(&mut sim, 0, target, |order| {
                order.schedule = Some(vec![wait]);
            });
            sim.run();
            assert_eq!(connects(&sim, target), 1, "{closed}");
            assert_eq!(sim.targets[target].got.len(), 1, "{closed}");
            assert!(end(&sim, order).1 < 2 * wait, "{closed}: tried again");
            assert_forbidden(&mut sim, order, why);
        }
    }
}

#[test]
fn a_name_rebound_before_the_resend_on_a_fresh_line_is_not_followed() {
    for (closed, why) in [("127.0.0.1", "loopback"), ("169.254.169.254", "metadata")] {
        let mut sim = setup::public(&[]);
        let target = named(&mut sim, &[&[INTERNET], &[closed]], Behaviour::Stale);
        let first = place(&mut sim, 0, target, |_| ());
        let second = doomed(&mut sim, 10 * SECOND, target, |_| ());
        sim.run();
        assert_eq!(end(&sim, first).0, Outcome::Delivered);
        assert_eq!(connects(&sim, target), 1, "{closed}");
        assert_eq!(sim.oracle.attempts(second).len(), 1, "on the stale line");
        assert_forbidden(&mut sim, second, why);
    }
}

#[test]
fn a_name_rebound_while_its_order_waits_is_judged_when_it_goes_out() {
    let mut sim = setup::public(&[]);
    let target = named(&mut sim, &[&[INTERNET], &["::1"]], Behaviour::Healthy);
    let first = place(&mut sim, 0, target, |_| ());
    let later = doomed(&mut sim, 0, target, |order| order.delay = HOUR);
    sim.run();
    assert_eq!(end(&sim, first).0, Outcome::Delivered);
    assert_eq!(connects(&sim, target), 1);
    assert_forbidden(&mut sim, later, "loopback");
}

#[test]
fn a_kept_alive_line_to_a_local_address_is_not_for_a_strict_order() {
    let mut sim = setup::calm();
    let target = named(&mut sim, &[&["10.1.0.9"]], Behaviour::NoContent);
    let loose = place(&mut sim, 0, target, |_| ());
    let strict = doomed(&mut sim, SECOND, target, |order| order.strict = true);
    let after = place(&mut sim, 2 * SECOND, target, |_| ());
    sim.run();
    for order in [loose, after] {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(connects(&sim, target), 1, "the line is kept for the others");
    assert_forbidden(&mut sim, strict, "private");
}

#[test]
fn a_strict_order_gets_a_line_of_its_own_to_the_public_address_of_a_name() {
    let mut sim = setup::calm();
    let says: &[&str] = &["10.1.0.9", INTERNET];
    let target = named(&mut sim, &[says], Behaviour::NoContent);
    let loose = place(&mut sim, 0, target, |_| ());
    sim.run_for(SECOND);
    assert_eq!(end(&sim, loose).0, Outcome::Delivered);
    // Its local address has been called; now it listens at the public one.
    sim.targets[target].addr.set_ip(ip(INTERNET));
    let strict = place(&mut sim, 0, target, |order| order.strict = true);
    sim.run();
    assert_eq!(end(&sim, strict).0, Outcome::Delivered);
    assert_eq!(connects(&sim, target), 2);
}

#[test]
fn a_literal_local_address_and_localhost_are_refused_to_strict_orders_at_once() {
    for host in ["127.0.0.1", "10.0.0.7", "localhost", "a.localhost"] {
        let mut sim = setup::calm();
        let at = if host == "10.0.0.7" {
            host
        } else {
            "127.0.0.1"
        };
        let target = sim.target_at(host, ip(at), Behaviour::Healthy);
        // A line that it could use is there already.
        place(&mut sim, 0, target, |_| ());
        sim.run_for(SECOND);
        let page = refused(&mut sim, target, |order| order.strict = true);
        assert!(page.contains("leave out targets=public"), "{page}");
        assert_eq!(connects(&sim, target), 1, "{host}");
    }
}

#[test]
fn a_redirect_to_a_closed_address_is_not_followed() {
    for (to, why) in [
        ("http://127.0.0.1:8000", "loopback"),
        ("http://127.0.0.1", "loopback"),
        ("http://2130706433", "loopback"),
        ("http://0x7f.1", "loopback"),
        ("http://localhost:8000", "loopback"),
        ("http://[::1]:8000", "loopback"),
        ("http://[::ffff:127.0.0.1]:8000", "loopback"),
        ("http://[64:ff9b::7f00:1]:8000", "loopback"),
        ("http://169.254.169.254", "metadata"),
        ("http://0xa9fea9fe", "metadata"),
        ("http://[fd00:ec2::254]", "metadata"),
        ("http://10.0.0.0:8000", "private"),
        ("http://127.0.0.1:4665", "own"),
        ("http://93.184.216.34:6379", "port"),
    ] {
        for status in [301, 302, 307, 308] {
            let mut sim = setup::public(&[]);
            let sends = Behaviour::Sends(status, To::At(to));
            let first = sim.target_at(INTERNET, ip(INTERNET), sends);
            let order = doomed(&mut sim, 0, first, |order| order.redirects = 5);
            sim.run();
            assert_eq!(sim.targets[first].got.len(), 1, "{to}");
            assert!(end(&sim, order).1 < SECOND, "{to}: tried again");
            assert_forbidden(&mut sim, order, why);
        }
    }
}

#[test]
fn a_redirect_to_a_name_of_a_closed_address_is_not_followed() {
    for (closed, why) in CLOSED {
        let mut sim = setup::public(&[]);
        let sends = Behaviour::Sends(307, To::At("http://hook1.test:8001"));
        let first = sim.target_at(INTERNET, ip(INTERNET), sends);
        let second = named(&mut sim, &[&[closed]], Behaviour::Healthy);
        let order = doomed(&mut sim, 0, first, |order| order.redirects = 5);
        sim.run();
        assert_eq!(connects(&sim, second), 0, "{closed}");
        assert!(end(&sim, order).1 < SECOND, "{closed}: tried again");
        assert_forbidden(&mut sim, order, why);
    }
}

#[test]
fn a_redirect_to_its_own_name_that_was_rebound_is_not_followed() {
    let mut sim = setup::public(&[]);
    let says: &[&[&str]] = &[&[INTERNET], &["127.0.0.1"]];
    // The other origin of one name: another lane, another lookup.
    let sends = Behaviour::Sends(307, To::At("http://hook0.test:8001"));
    let first = named(&mut sim, says, sends);
    let second = sim.target_at("hook0.test", ip("127.0.0.1"), Behaviour::Healthy);
    let order = doomed(&mut sim, 0, first, |order| order.redirects = 1);
    sim.run();
    assert_eq!((connects(&sim, first), connects(&sim, second)), (1, 0));
    assert_forbidden(&mut sim, order, "loopback");
}

#[test]
fn a_redirect_keeps_an_order_strict_where_local_is_allowed() {
    let way = |strict: bool| {
        let mut sim = setup::calm();
        let second = sim.target(Behaviour::Healthy);
        let sends = Behaviour::Sends(308, To::Other(second));
        let first = sim.target_at(INTERNET, ip(INTERNET), sends);
        let order = place(&mut sim, 0, first, |order| {
            (order.redirects, order.strict, order.forbidden) = (1, strict, strict);
        });
        sim.run();
        (sim, order, second)
    };
    let (sim, order, second) = way(false);
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    assert_eq!(connects(&sim, second), 1);
    let (mut sim, order, second) = way(true);
    assert_eq!(connects(&sim, second), 0);
    assert_forbidden(&mut sim, order, "private");
}

#[test]
fn our_own_address_is_refused_although_local_is_allowed() {
    let mut sim = setup::calm();
    let literal = sim.target_at("127.0.0.1", setup::OWN.ip(), Behaviour::Healthy);
    sim.targets[literal].addr = setup::OWN;
    let page = refused(&mut sim, literal, |_| ());
    assert!(page.contains("own listener"), "{page}");

    let mut sim = setup::calm();
    let target = named(&mut sim, &[&["127.0.0.1"]], Behaviour::Healthy);
    sim.targets[target].addr = setup::OWN;
    let order = doomed(&mut sim, 0, target, |_| ());
    sim.run();
    assert_eq!(connects(&sim, target), 0);
    assert_forbidden(&mut sim, order, "own");

    let mut sim = setup::calm();
    let sends = Behaviour::Sends(307, To::At("http://127.0.0.1:4665"));
    let target = sim.target(sends);
    let order = doomed(&mut sim, 0, target, |order| order.redirects = 1);
    sim.run();
    assert_forbidden(&mut sim, order, "own");
}

#[test]
fn a_listener_on_all_addresses_is_our_own_at_every_loopback_address() {
    for at in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
        let mut sim = setup::calm();
        let port = setup::OWN.port();
        let everywhere = SocketAddr::new(ip("0.0.0.0"), port);
        let everywhere_six = SocketAddr::new(ip("::"), port);
        sim.engine.listening(&[everywhere, everywhere_six]);
        let target = named(&mut sim, &[&[at]], Behaviour::Healthy);
        sim.targets[target].addr.set_port(port);
        sim.rules.own = vec![sim.targets[target].addr];
        let order = doomed(&mut sim, 0, target, |_| ());
        sim.run();
        assert_eq!(connects(&sim, target), 0, "{at}");
        assert_forbidden(&mut sim, order, "own");
    }
}

#[test]
fn an_allowed_address_and_port_opens_exactly_itself() {
    for at in ["127.0.0.1", "10.0.0.7", "169.254.169.254", "fd00::7"] {
        let first = SocketAddr::new(ip(at), 8_000);
        let mut sim = setup::public(&[&first.to_string()]);
        sim.rules.opened = vec![(first, None)];
        let target = named(&mut sim, &[&[at]], Behaviour::Healthy);
        let port = named(&mut sim, &[&[at]], Behaviour::Healthy);
        let address = named(&mut sim, &[&["10.0.0.8"]], Behaviour::Healthy);
        sim.targets[address].addr.set_port(8_000);
        let good = place(&mut sim, 0, target, |_| ());
        let orders = [port, address].map(|target| doomed(&mut sim, 0, target, |_| ()));
        sim.run();
        assert_eq!(end(&sim, good).0, Outcome::Delivered, "{at}");
        assert_eq!(end(&sim, orders[0]).0, Outcome::Failed, "{at}");
        assert_forbidden(&mut sim, orders[1], "private");
        assert_eq!(connects(&sim, port) + connects(&sim, address), 0, "{at}");
    }
}

#[test]
fn an_allowed_name_opens_local_addresses_to_itself_and_metadata_to_nobody() {
    let mut sim = setup::public(&["hook0.test:8000"]);
    let target = named(&mut sim, &[&["10.1.0.9"]], Behaviour::Healthy);
    sim.rules.opened = vec![(sim.targets[target].addr, Some("hook0.test"))];
    let other = named(&mut sim, &[&["10.1.0.9"]], Behaviour::Healthy);
    let good = place(&mut sim, 0, target, |_| ());
    let bad = doomed(&mut sim, 0, other, |_| ());
    sim.run();
    assert_eq!(end(&sim, good).0, Outcome::Delivered);
    assert_eq!(connects(&sim, other), 0);
    assert_forbidden(&mut sim, bad, "private");

    let mut sim = setup::public(&["hook0.test"]);
    let target = named(&mut sim, &[&["169.254.169.254"]], Behaviour::Healthy);
    let order = doomed(&mut sim, 0, target, |_| ());
    sim.run();
    assert_eq!(connects(&sim, target), 0);
    assert_forbidden(&mut sim, order, "metadata");
}

#[test]
fn an_allowed_network_opens_what_it_holds() {
    for (at, opens) in [
        ("10.1.0.255", true),
        ("10.1.1.0", false),
        ("10.0.255.255", false),
    ] {
        let mut sim = setup::public(&["10.1.0.0/24"]);
        let target = named(&mut sim, &[&[at]], Behaviour::Healthy);
        if opens {
            sim.rules.opened = vec![(sim.targets[target].addr, None)];
        }
        let order = place(&mut sim, 0, target, |order| order.forbidden = !opens);
        sim.run();
        if opens {
            assert_eq!(end(&sim, order).0, Outcome::Delivered, "{at}");
        } else {
            assert_forbidden(&mut sim, order, "private");
        }
    }
}
