//! What a seed makes of topics: who publishes what, who reads it and how.
//! It only sets up; `feeds` judges.

use crate::clients::{Client, Want};
use crate::net::{Cut, Shape};
use crate::order::Spelling;
use crate::pollers;
use crate::readers::{Reader, escape};
use crate::script::Step;
use crate::sim::Sim;
use crate::world::{Event, MINUTE, MS, SECOND};

/// Topics' names: opaque, and some are nearly others.
pub const TOPICS: [&str; 6] = [
    "news",
    "New s",
    "news,sport",
    "https://example.com/feed?a=b&c=d#e",
    "caf\u{e9} %41+",
    "/",
];

/// Readers and publishers of a few topics.
pub fn random(sim: &mut Sim) {
    let topics = &TOPICS[..sim.world.rng.between(1, TOPICS.len() as u64) as usize];
    for _ in 0..sim.world.rng.between(1, 12) {
        let topic = sim.world.rng.pick(topics);
        let reader = reader(sim, topic);
        let delay = sim.world.rng.between(0, 20 * SECOND);
        sim.reader(delay, reader);
    }
    for _ in 0..sim.world.rng.between(1, 5) {
        publisher(sim, topics);
    }
    pollers::random(sim, topics);
}

/// A reader of any kind; each leaves in the end, or is ended.
fn reader(sim: &mut Sim, topic: &str) -> Reader {
    let rng = &mut sim.world.rng;
    let old = rng.chance(20);
    let before = if old { 0 } else { rng.pick(&[0, 0, 0, 1, 3]) };
    let stay = rng.between(0, 3 * MINUTE);
    let leave = rng.pick(&[Step::Close, Step::Reset, Step::Fin]);
    let mut shape = None;
    let slow = |window| Shape {
        delay: (20 * MS, 60 * MS),
        cut: Cut::Whole,
        window,
        short_percent: 0,
    };
    let then = match rng.between(0, 9) {
        0..=3 => vec![Step::Wait(stay), leave],
        4 => {
            shape = Some(slow(rng.pick(&[61, 500, 4_096])));
            vec![Step::Wait(stay), leave]
        }
        5 => {
            // It reads in spells.
            let nap = rng.between(SECOND, 25 * SECOND);
            let spell = [
                Step::Deaf,
                Step::Wait(nap),
                Step::Listen,
                Step::Wait(SECOND),
            ];
            let mut steps = Vec::new();
            for _ in 0..rng.between(1, 6) {
                steps.extend_from_slice(&spell);
            }
            steps.push(leave);
            steps
        }
        6 | 7 => {
            shape = Some(slow(rng.pick(&[61, 500, 2_000])));
            vec![Step::Deaf]
        }
        8 => {
            let bytes = rng.pick(&[1, 1_000, 65_536, 65_537, 200_000]);
            let junk = Step::Send(vec![b'x'; bytes]);
            vec![Step::Wait(SECOND), junk, Step::Wait(stay), leave]
        }
        _ => vec![leave],
    };
    let mut reader = match sim.world.rng.between(0, 9) {
        0 => Reader::of(&[topic, "news"], &[], "", (old, before), then),
        1 => Reader::of(&[topic], &["new"], "", (old, before), then),
        2 => Reader::of(&[], &[""], "", (old, before), then),
        _ => Reader::new(topic, old, before, then),
    };
    reader.shape = shape;
    reader
}

/// A client that publishes, perhaps without waiting for its answers.
fn publisher(sim: &mut Sim, topics: &[&str]) {
    let delay = sim.world.rng.between(0, 20 * SECOND);
    let pipelined = sim.world.rng.chance(40);
    let filler = sim.world.rng.pick(&[0, 10, 10, 300, 3_000, 70_000]);
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..sim.world.rng.between(1, 20) {
        let count = sim.world.rng.pick(&[1, 1, 1, 2, 4]);
        let pick = |_| sim.world.rng.pick(topics).to_owned();
        let topics: Vec<String> = (0..count).map(pick).collect();
        let (step, number) = publish(sim, &topics, filler);
        steps.push(step);
        wants.push(Want::Published(number));
        if !pipelined {
            let span = sim.world.rng.pick(&[0, 10 * MS, SECOND, 9 * SECOND]);
            steps.extend([Step::Answers(wants.len()), Step::Wait(span)]);
        }
    }
    steps.extend([Step::Answers(wants.len()), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

/// The request that publishes to these topics, and its number.
pub fn publish(sim: &mut Sim, topics: &[String], filler: usize) -> (Step, usize) {
    let number = sim.oracle.feeds.publications.len();
    let payload = format!("n={number}&x={}", "x".repeat(filler));
    sim.oracle
        .feeds
        .publish(topics, payload.clone().into(), false);
    let names = topics
        .iter()
        .map(|topic| format!("_topic={}&", escape(topic)));
    let body = names.collect::<String>() + &payload;
    let head = "POST /dispatch HTTP/1.1\r\nHost: a\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    (Step::Send(request.into_bytes()), number)
}

/// Lets some orders go to topics too.
pub fn share(sim: &mut Sim, order: usize) {
    let order = &mut sim.orders[order];
    // A URL in the path names the only target.
    let spelled = matches!(order.spelling, Spelling::Form | Spelling::Query);
    let told = spelled && sim.world.rng.chance(20);
    if let Some(payload) = order.payload().filter(|_| told) {
        let topics = [sim.world.rng.pick(&TOPICS), sim.world.rng.pick(&TOPICS)];
        order.topics = topics.map(str::to_owned).to_vec();
        sim.oracle.feeds.publish(&order.topics, payload, true);
    }
}

impl Sim {
    /// A reader that connects after `delay`; its number.
    pub fn reader(&mut self, delay: u64, reader: Reader) -> usize {
        self.readers.push(reader);
        let number = self.readers.len() - 1;
        self.world.after(delay, Event::Join(number));
        number
    }
}
