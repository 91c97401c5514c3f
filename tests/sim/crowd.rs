//! What a seed makes of topics: who publishes what, who reads it and how.
//! It only sets up; `feeds` judges.

use crate::asks::{Asks, Way, escape};
use crate::clients::{Client, Want};
use crate::doors::Handshake;
use crate::ear::Format;
use crate::net::{Cut, Shape};
use crate::order::Spelling;
use crate::pollers;
use crate::publication::Publication;
use crate::readers::Reader;
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
        let mut reader = reader(sim, topic);
        // What it asks for takes memory too, while it waits.
        reader.asks.may_be_refused = sim.settings.memory_bytes_max < 1 << 20;
        let delay = sim.world.rng.between(0, 20 * SECOND);
        sim.reader(delay, reader);
    }
    for _ in 0..sim.world.rng.between(1, 5) {
        publisher(sim, topics);
    }
    pollers::random(sim, topics);
    if sim.oracle.calm && sim.world.rng.chance(10) {
        burst(sim, topics);
    }
}

/// A reader of any kind that shows a token.
pub fn guest(sim: &mut Sim, topic: &str, secret: &str) -> Reader {
    let mut reader = reader(sim, topic);
    reader.asks.guest = true;
    reader.visits.clear();
    reader.showing(secret);
    reader
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
    let mut asks = asks(sim, topic, (old, before));
    if sim.world.rng.chance(3) {
        asks = asks.again(Some("nobody's"), Way::Field);
    }
    let mut reader = Reader::asking(asks, then);
    reader.shape = shape;
    if sim.world.rng.chance(10) {
        reader.handshake = Some(Handshake::good(&mut sim.world.rng));
    }
    if reader.asks.format != Format::Raw && sim.world.rng.chance(40) {
        reader.visits = visits(sim);
    }
    reader
}

/// When and how a reader comes again; the last time first.
fn visits(sim: &mut Sim) -> Vec<(u64, Way, Vec<Step>)> {
    let rng = &mut sim.world.rng;
    let mut visits = Vec::new();
    for _ in 0..rng.between(1, 4) {
        let longest = rng.pick(&[0, SECOND, 30 * SECOND, 2 * MINUTE]);
        let pause = rng.between(0, longest);
        let stay = rng.between(0, MINUTE);
        let way = rng.pick(&[Way::Field, Way::Parameter, Way::Since]);
        let leave = rng.pick(&[Step::Close, Step::Reset, Step::Fin]);
        visits.push((pause, way, vec![Step::Wait(stay), leave]));
    }
    visits
}

/// What a reader asks for: any format, any beginning, any selection.
fn asks(sim: &mut Sim, topic: &str, line: (bool, usize)) -> Asks {
    let kept = sim.oracle.feeds.backlog();
    let rng = &mut sim.world.rng;
    let formats = [
        "",
        "format=raw",
        "delimited=length",
        "format=json",
        "format=json&delimited=length",
        "format=json&data=raw",
        "format=sse",
        "format=sse&heartbeat=event",
        "format=sse&data=raw",
    ];
    let mut more = rng.pick(&formats).to_owned();
    let count = rng.between(1, kept.min(30));
    let begins = [
        (15, "&since=all".to_owned()),
        (10, format!("&count={count}")),
        (10, format!("&count=-{count}")),
        (5, "&since=latest".to_owned()),
    ];
    let begin = begins.iter().find(|(percent, _)| rng.chance(*percent));
    more += begin.map_or("", |(_, begin)| begin);
    let keep_alive = rng.pick(&["&keepalive=5", "&keepalive=61", "&keepalive=300"]);
    for (percent, option) in [
        (15, "&slow=drop"),
        (20, "&stall_warnings=true"),
        (15, keep_alive),
        (10, "&retry=100"),
        (10, "&where.kind=a"),
        (5, "&where.kind=a&where.kind=c"),
        (3, "&where.kind=b&where.x="),
    ] {
        if rng.chance(percent) {
            more += option;
        }
    }
    match rng.between(0, 9) {
        0 | 1 => Asks::of(&[topic, "news"], &[], &more, line),
        2 => Asks::of(&[topic], &["new"], &more, line),
        3 => Asks::of(&[], &["new", "news,"], &more, line),
        _ => Asks::of(&[topic], &[], &more, line),
    }
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
        let kind = sim.world.rng.pick(&["a", "b", "c"]);
        let (step, number) = match sim.world.rng.chance(20) {
            true => publish_json(sim, &topics, kind, filler),
            false => publish_kind(sim, &topics, &format!("&kind={kind}"), filler),
        };
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

/// More at once than a reader may be behind, sometimes; sometimes nearly as much.
fn burst(sim: &mut Sim, topics: &[&str]) {
    let delay = sim.world.rng.between(0, 30 * SECOND);
    let topic = [sim.world.rng.pick(topics).to_owned()];
    let filler = sim.world.rng.pick(&[300_000, 900_000]);
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..sim.world.rng.between(2, 8) {
        let (step, number) = publish(sim, &topic, filler);
        steps.push(step);
        wants.push(Want::Published(number));
    }
    steps.extend([Step::Answers(wants.len()), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

/// The request that publishes to these topics, and its number.
pub fn publish(sim: &mut Sim, topics: &[String], filler: usize) -> (Step, usize) {
    publish_kind(sim, topics, "", filler)
}

fn publish_kind(sim: &mut Sim, topics: &[String], kind: &str, filler: usize) -> (Step, usize) {
    let number = sim.oracle.feeds.publications.len();
    let payload = format!("n={number}{kind}&x={}", "x".repeat(filler));
    let publication = Publication::form(topics, payload.clone().into(), false);
    sim.oracle.feeds.publish(publication);
    let body = names(topics) + &payload;
    let media_type = "application/x-www-form-urlencoded";
    (post("", media_type, &body), number)
}

fn publish_json(sim: &mut Sim, topics: &[String], kind: &str, filler: usize) -> (Step, usize) {
    let number = sim.oracle.feeds.publications.len();
    let fields = [
        ("n", number.to_string()),
        ("kind", kind.to_owned()),
        ("x", "\u{e9}\"".to_owned() + &"x".repeat(filler)),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let publication = Publication::json(topics, fields.to_vec());
    let body = String::from_utf8_lossy(&publication.body).into_owned();
    sim.oracle.feeds.publish(publication);
    let query = format!("?{}", names(topics));
    (post(&query, "application/json", &body), number)
}

fn names(topics: &[String]) -> String {
    let name = |topic: &String| format!("_topic={}&", escape(topic));
    topics.iter().map(name).collect()
}

fn post(query: &str, media_type: &str, body: &str) -> Step {
    let head = format!("POST /dispatch{query} HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}");
    let length = body.len();
    Step::Send(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
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
        let publication = Publication::form(&order.topics, payload, true);
        sim.oracle.feeds.publish(publication);
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
