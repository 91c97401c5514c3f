//! What a seed makes of the hub: who subscribes to what, when, how well behaved.
//! It only sets up; the book judges.

use super::asks::{Speaks, Wish};
use super::origin::{Serves, Validator};
use super::subscriber::Manner;
use crate::behaviour::Door;
use crate::net::Shape;
use crate::readers::Reader;
use crate::script::Step;
use crate::sim::Sim;
use crate::world::{Event, MINUTE, MS, SECOND};

/// Everybody is well from then on.
const WELL: u64 = 5 * MINUTE;

/// Hosts, topics, subscribers, requests and pings.
pub fn random(sim: &mut Sim) {
    sim.hub.lossy = sim.oracle.may_refuse || sim.oracle.crowded;
    for _ in 0..sim.world.rng.between(1, 4) {
        host(sim);
    }
    for _ in 0..sim.world.rng.between(1, 3) {
        topic(sim);
    }
    for _ in 0..sim.world.rng.between(1, 8) {
        subscriber(sim);
    }
    for _ in 0..sim.world.rng.between(1, 10) {
        let topic = any(sim, |hub| hub.topics.len());
        let delay = sim.world.rng.between(0, WELL);
        match sim.world.rng.between(0, 5) {
            by if by < 2 || sim.hub.topics[topic].host.is_none() => sim.push(delay, topic, by == 0),
            _ => ping(sim, topic, delay),
        }
    }
    // The last word of each topic must not be lost.
    for topic in 0..sim.hub.topics.len() {
        if sim.hub.topics[topic].host.is_some() {
            sim.ping(8 * MINUTE, &[topic], 1);
        }
    }
}

fn any(sim: &mut Sim, count: impl Fn(&super::Hub) -> usize) -> usize {
    let most = count(&sim.hub) as u64 - 1;
    sim.world.rng.between(0, most) as usize
}

fn host(sim: &mut Sim) {
    let public = sim.world.rng.chance(40);
    let number = sim.hub.host(public);
    let start = sim.world.at();
    if sim.world.rng.chance(35) {
        let from = start + sim.world.rng.between(0, 2 * MINUTE);
        let until = start + sim.world.rng.between(2 * MINUTE, WELL);
        let door = sim
            .world
            .rng
            .pick(&[Door::Shut, Door::NoRoute, Door::Hangs]);
        sim.hub.hosts[number].away = vec![(from, until, door)];
    }
}

fn topic(sim: &mut Sim) {
    if sim.world.rng.chance(20) {
        sim.hub.name();
        return;
    }
    let host = any(sim, |hub| hub.hosts.len());
    let number = sim.hub.topic(host);
    sim.hub.topics[number].feed = sim.world.rng.chance(40);
    sim.change(number, 10);
    let start = sim.world.at();
    let rng = &mut sim.world.rng;
    let topic = &mut sim.hub.topics[number];
    topic.validator = rng.pick(&[Validator::None, Validator::Tag, Validator::Modified]);
    topic.content_type = rng.pick(&[
        Some("application/atom+xml; charset=UTF-8"),
        Some("Text/Plain;charset=\"utf-8\""),
        None,
    ]);
    if rng.chance(30) {
        topic.canonical = Some(format!("https://blog.test/{number}?a=b"));
    }
    let mut until = start;
    for _ in 0..rng.pick(&[0, 0, 1, 2, 3]) {
        until += rng.between(SECOND, 90 * SECOND);
        topic.serves.push((until, Serves::random(rng)));
    }
    for _ in 0..sim.world.rng.between(0, 5) {
        let at = start + sim.world.rng.between(0, WELL);
        sim.world.schedule(at, Event::Change(number));
    }
    if sim.world.rng.chance(30) {
        let key = sim.hub.topics[number].key.clone();
        let stay = sim.world.rng.between(MINUTE, 9 * MINUTE);
        let steps = vec![Step::Wait(stay), Step::Close];
        let mut reader = Reader::new(&key, false, 0, steps);
        reader.shape = Some(Shape::calm());
        sim.reader(0, reader);
    }
}

/// A ping, or many; perhaps right after a change.
fn ping(sim: &mut Sim, topic: usize, delay: u64) {
    let times = sim.world.rng.pick(&[1, 1, 1, 2, 20]);
    if sim.world.rng.chance(60) {
        let at = sim.world.at() + delay;
        let since = at.saturating_sub(sim.world.rng.between(0, 1_500 * MS));
        sim.world
            .schedule(since.max(sim.world.at()), Event::Change(topic));
    }
    sim.ping(delay, &[topic], times);
    if sim.world.rng.chance(30) {
        // While that is being fetched.
        let later = delay + sim.world.rng.between(0, 200 * MS);
        sim.world.after(later, Event::Change(topic));
        sim.ping(later + 1, &[topic], 1);
    }
}

fn subscriber(sim: &mut Sim) {
    let host = any(sim, |hub| hub.hosts.len());
    let topic = any(sim, |hub| hub.topics.len());
    let number = sim.hub.subscriber(host, topic);
    let start = sim.world.at();
    let rng = &mut sim.world.rng;
    let subscriber = &mut sim.hub.subscribers[number];
    let more = rng.pick(&["", "", "?a=b", "?hub.mode=x&a=%2f+b", "/%41;x=(1)?"]);
    subscriber.path += more;
    if sim.hub.topics[topic].host.is_some() && rng.chance(20) {
        subscriber.spelling = subscriber.spelling.replace("http://", "HTTP://");
    }
    for phases in [&mut subscriber.verifies, &mut subscriber.takes] {
        let mut until = start;
        for _ in 0..rng.pick(&[0, 0, 1, 2, 3]) {
            until += rng.between(SECOND, 90 * SECOND);
            phases.push((until, Manner::Right));
        }
    }
    for phase in &mut subscriber.verifies {
        phase.1 = Manner::of_verification(rng);
    }
    for phase in &mut subscriber.takes {
        phase.1 = Manner::of_delivery(rng);
    }
    subscriber.restless = rng.chance(50);
    subscriber.willing_until = start + rng.pick(&[0, 600, 600, 600, 600, 600]) * 60 * MINUTE;
    let mut delay = sim.world.rng.between(0, 20 * SECOND);
    for time in 0..sim.world.rng.pick(&[1, 1, 2, 2, 4]) {
        let mut wish = wish(sim);
        wish.end &= time > 0;
        sim.ask(delay, number, wish);
        delay += sim
            .world
            .rng
            .pick(&[0, MS, SECOND, 30 * SECOND, 2 * MINUTE]);
    }
}

fn wish(sim: &mut Sim) -> Wish {
    let rng = &mut sim.world.rng;
    Wish {
        end: rng.chance(25),
        lease: rng.pick(&[None, None, Some(2), Some(30), Some(200), Some(100_000_000)]),
        signed: rng.pick(&[None, Some(""), Some(""), Some("sha384"), Some("sha512")]),
        speaks: rng.pick(&[Speaks::WebSub, Speaks::WebSub, Speaks::Async, Speaks::Sync]),
        token: rng.chance(30),
        local: rng.chance(80),
        leaves: rng.chance(5),
    }
}
