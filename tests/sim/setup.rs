//! What a seed makes of the world: settings, targets, clients, faults. The one place that knows how
//! the engine's settings look.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hookah::conn::Limits;
use hookah::courier::guard;
use hookah::{courier, dispatch, engine, topics};

use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::crowd;
use crate::doors::Handshake;
use crate::guests;
use crate::hub;
use crate::names::Kind;
use crate::net::Shape;
use crate::order::{Order, Spelling};
use crate::pages::{self, Page};
use crate::repeats;
use crate::requests::{self, Framing};
use crate::rng::Rng;
use crate::script::Step;
use crate::sim::Sim;
use crate::store::{Backlog, Temper};
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

/// Where the engine is told that it listens.
pub const OWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4_665);

/// The defaults.
pub fn settings() -> engine::Settings {
    engine::Settings {
        roll: None,
        doors: Default::default(),
        limits: Limits::default(),
        browsers: pages::settings(false),
        courier: courier::Settings::default(),
        dispatch: dispatch::Settings::default(),
        topics: topics::Settings::default(),
        hub: Default::default(),
        volatile: true,
        lines_max: 4_096,
        lines_per_address_max: None,
        memory_bytes_max: 256 << 20,
        drain_timeout: Duration::from_secs(8),
    }
}

/// What topics may be told of at a start.
pub fn backlog_of(settings: &engine::Settings) -> Backlog {
    Backlog {
        age: settings.topics.backlog_age,
        bytes: 64 << 20,
    }
}

/// A calm world with default settings and a store that lasts, for stories.
pub fn lasting() -> Sim {
    let mut settings = settings();
    settings.volatile = false;
    let mut sim = calm_with(settings);
    sim.lasts = true;
    sim
}

/// A calm world with default settings, for stories.
pub fn calm() -> Sim {
    calm_with(settings())
}

/// A calm world with other settings.
pub fn calm_with(settings: engine::Settings) -> Sim {
    let mut sim = Sim::new(1, settings);
    sim.net.shape = Some(Shape::calm());
    sim.oracle.calm = true;
    sim
}

/// A calm world in which only the open internet may be called, and what those rules allow.
pub fn public(allow: &[&str]) -> Sim {
    let mut settings = settings();
    settings.courier.policy.preset = guard::Preset::Public;
    let rule = |text: &&str| guard::Rule::parse(text).expect("a rule");
    settings.courier.policy.allow = allow.iter().map(rule).collect();
    calm_with(settings)
}

/// The world of a seed.
pub fn random(seed: u64) -> Sim {
    let mut chance = Rng::new(seed.wrapping_mul(31));
    let mut settings = settings();
    settings.courier.parallelism = chance.pick(&[1, 2, 8, 64]);
    if chance.chance(10) {
        settings.memory_bytes_max = chance.between(100_000, 600_000);
    }
    settings.browsers = pages::settings(chance.chance(25));
    let crowded = chance.chance(10);
    if crowded {
        settings.lines_max = chance.between(4, 12) as usize;
    }
    backlog(&mut chance, &mut settings.topics);
    let small = settings.memory_bytes_max < 1 << 20;
    settings.volatile = chance.chance(40);
    let lasts = !settings.volatile && chance.chance(75);
    settings.hub = hub::random::settings(&mut chance);
    settings.roll = guests::roll(seed).filter(|_| !lasts && !crowded);
    let may_deny = settings.hub.strict_self || settings.hub.strict_hub_link;
    let mut sim = Sim::new(seed, settings);
    sim.oracle.crowded = crowded;
    sim.oracle.cramped = small && !sim.settings.volatile;
    sim.hub.book.may_deny = may_deny;
    sim.sloppy = sim.world.rng.chance(50);
    if sim.world.rng.chance(25) {
        sim.net.shape = Some(Shape::calm());
        sim.oracle.calm = true;
    }
    let fails = store(&mut sim);
    sim.oracle.may_refuse = fails || small || lasts;
    sim.lasts = lasts;
    targets(&mut sim);
    if lasts {
        crashes(&mut sim);
        stops(&mut sim);
    } else {
        readers(&mut sim);
    }
    jumps(&mut sim);
    for _ in 0..sim.world.rng.between(3, 25) {
        client(&mut sim);
    }
    stop(&mut sim);
    sim
}

/// When the operator stops it, if that happens.
fn stop(sim: &mut Sim) {
    if sim.world.rng.chance(10) {
        let at = sim.world.rng.between(0, 30 * SECOND);
        sim.world.after(at, Event::Drain);
    }
}

/// Readers of topics, and either guests with tokens or those who ask the hub: whoever comes as the
/// server's own user is no stranger, and the hub's rules are for those.
fn readers(sim: &mut Sim) {
    if sim.world.rng.chance(50) {
        crowd::random(sim);
    }
    let asks_hub = sim.world.rng.chance(60);
    if sim.settings.roll.is_some() {
        guests::random(sim);
    } else if asks_hub {
        hub::random::random(sim);
    }
}

/// How slow the store is, whether it fails, and for how long then; whether it does.
fn store(sim: &mut Sim) -> bool {
    let slow = sim.world.rng.pick(&[0, 0, 3 * MS, 150 * MS]);
    let fail_percent = sim.world.rng.pick(&[0, 0, 0, 5]);
    sim.store.temper = Temper {
        delay: (0, slow),
        fail_percent,
    };
    if !sim.settings.volatile {
        let repair = sim.world.rng.pick(&[0, SECOND, 20 * SECOND]);
        sim.store.repair = (repair / 10, repair);
        sim.oracle.store_within = slow + repair;
    }
    fail_percent > 0
}

/// When the wall clock is set, if it is.
fn jumps(sim: &mut Sim) {
    for _ in 0..sim.world.rng.pick(&[0, 0, 0, 1, 3]) {
        // A key is good for a day, as the clock counts it.
        let far = if sim.oracle.keyed { HOUR } else { 8_766 * HOUR };
        let by = sim
            .world
            .rng
            .pick(&[HOUR as i64, -(HOUR as i64), far as i64, -1_500]);
        let at = sim.world.rng.between(0, 5 * MINUTE);
        sim.world.after(at, Event::Jump(by));
        sim.world.jumped = true;
        sim.oracle.jumps = !sim.settings.volatile;
    }
}

/// When the process is stopped, and for how long.
fn stops(sim: &mut Sim) {
    for _ in 0..sim.world.rng.pick(&[0, 0, 0, 1, 2]) {
        let latest = sim.world.rng.pick(&[20 * SECOND, 3 * MINUTE]);
        let at = sim.world.rng.between(0, latest);
        let span = sim.world.rng.pick(&[100 * MS, 5 * SECOND, MINUTE]);
        let span = sim.world.rng.between(span / 2, span);
        sim.world.after(at, Event::Stop(span));
    }
}

/// When the process is killed. Often it is not, so that what is far ahead has its time too.
fn crashes(sim: &mut Sim) {
    sim.oracle.leaps = sim.world.rng.chance(15);
    for _ in 0..sim.world.rng.pick(&[0, 1, 1, 2, 4]) {
        let latest = sim.world.rng.pick(&[20 * SECOND, 3 * MINUTE, HOUR]);
        let at = sim.world.rng.between(0, latest);
        sim.world.after(at, Event::Crash);
    }
    sim.more_crashes = sim.world.rng.pick(&[0, 1, 5]);
}

/// What topics keep; now and then next to nothing.
fn backlog(chance: &mut Rng, settings: &mut topics::Settings) {
    settings.backlog_messages = chance.pick(&[100, 100, 3, 10]);
    settings.backlog_bytes = chance.pick(&[1 << 20, 1 << 20, 100_000, 1_000]);
    settings.backlog_age = Duration::from_secs(chance.pick(&[3_600, 3_600, 20, 60]));
    settings.keep_alive = Duration::from_secs(chance.pick(&[30, 30, 7, 100]));
    if chance.chance(10) {
        settings.bytes_max = chance.between(200_000, 2_000_000) as usize;
    }
}

/// A unique local address.
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7);

fn targets(sim: &mut Sim) {
    // Where lines are scarce there may be none for a question that a datagram cannot answer.
    if !sim.oracle.crowded {
        sim.names.randomize(&mut sim.world.rng);
    }
    for _ in 0..sim.world.rng.between(1, 6) {
        let behaviour = match sim.world.rng.chance(30) {
            true => Behaviour::Healthy,
            false => Behaviour::random(&mut sim.world.rng),
        };
        let number = match sim.world.rng.between(0, 9) {
            0 => sim.target_at("localhost", Ipv4Addr::LOCALHOST.into(), behaviour),
            1 => sim.target_at("localhost", Ipv6Addr::LOCALHOST.into(), behaviour),
            3..=5 => named(sim, behaviour),
            2 => sim.target_at("[fd00::7]", V6.into(), behaviour),
            _ => sim.target(behaviour),
        };
        sim.targets[number].secure |= sim.world.rng.chance(30);
        if sim.world.rng.chance(25) {
            let heals = sim.world.at() + sim.world.rng.between(SECOND, 3 * MINUTE);
            sim.targets[number].phases = vec![(heals, behaviour)];
            if sim.world.rng.chance(50) {
                let again = heals + sim.world.rng.between(SECOND, MINUTE);
                let other = Behaviour::random(&mut sim.world.rng);
                sim.targets[number]
                    .phases
                    .extend([(again, Behaviour::Healthy), (again + MINUTE, other)]);
            }
        }
    }
}

/// A target that goes by a name; one in four cannot be found.
fn named(sim: &mut Sim, behaviour: Behaviour) -> usize {
    let rng = &mut sim.world.rng;
    let length = rng.between(1, 10) as usize;
    let (chain, lost) = (Kind::Chain(length), rng.chance(25));
    let found = [Kind::Plain, Kind::Decoys, chain, Kind::Bulk];
    let kind = match lost {
        true => rng.pick(&[
            Kind::Loop,
            Kind::Missing,
            Kind::Empty,
            Kind::Late,
            Kind::Garbage,
        ]),
        false => rng.pick(&found),
    };
    let six = rng.chance(30).then_some(V6.into());
    sim.target_named(kind, six.filter(|_| kind != Kind::Bulk), behaviour)
}

fn client(sim: &mut Sim) {
    let latest = sim.world.rng.pick(&[20 * SECOND, 3 * MINUTE]);
    let latest = if sim.lasts { latest } else { 20 * SECOND };
    let delay = sim.world.rng.between(0, latest);
    let kind = sim.world.rng.between(0, 99);
    let mut client = match kind {
        0..=5 => batch(sim),
        // A key is kept for a day of the clock that may be set a year ahead.
        6..=11 if !sim.oracle.may_refuse && !sim.world.jumped => again(sim),
        6..=57 => shopper(sim),
        // The pages' guard is for doors that a browser can come by, and those take a token here.
        58..=64 if sim.settings.roll.is_none() => page(sim),
        58..=64 => shopper(sim),
        65..=72 => {
            let order = order(sim);
            sim.oracle.refused(order.number);
            requests::quitter(&mut sim.world.rng, &order)
        }
        73..=84 => malformed(sim),
        85..=89 => {
            let deaf = sim.world.rng.between(0, 20 * SECOND);
            let requests = sim.world.rng.between(1, 1_500) as usize;
            requests::flooder(requests, deaf)
        }
        90..=92 => requests::slowloris(sim.world.rng.chance(50)),
        93 => {
            let rate = sim.world.rng.between(1, 2_000);
            requests::trickler(rate as usize)
        }
        _ => visitor(sim),
    };
    client.ip = sim
        .world
        .rng
        .pick(&[IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 168, 7, 7])]);
    // A page that came without TLS is another origin to a door with it.
    let is_page = (58..=64).contains(&kind);
    if !is_page && sim.world.rng.chance(15) {
        client.handshake = Some(Handshake::good(&mut sim.world.rng));
    }
    sim.client(delay, client);
    if sim.world.rng.chance(5) {
        let mut mute = Client::new(vec![], vec![]);
        mute.lossy = true;
        mute.handshake = Some(Handshake::bad(&mut sim.world.rng));
        sim.client(delay, mute);
    }
}

/// A random order to a random target.
fn order(sim: &mut Sim) -> Order {
    let spelling = sim.world.rng.pick(&Spelling::ALL);
    spelled(sim, spelling)
}

/// A random order in that spelling.
fn spelled(sim: &mut Sim, spelling: Spelling) -> Order {
    let target = sim.world.rng.between(0, sim.targets.len() as u64 - 1) as usize;
    let number = sim.order(target).number;
    sim.orders[number].randomize(&mut sim.world.rng);
    sim.orders[number].spelling = spelling;
    crowd::share(sim, number);
    // Whether an end was lost with a crash, only the store knows.
    if !sim.lasts && sim.world.rng.chance(25) {
        let asked = sim.world.rng.between(1, 3);
        let order = &mut sim.orders[number];
        (order.callback, order.errback) = (asked & 1 != 0, asked & 2 != 0);
        *sim.oracle.load.entry(target).or_default() += 2;
    }
    sim.orders[number].clone()
}

/// Orders in one batch.
fn batch(sim: &mut Sim) -> Client {
    let count = sim.world.rng.between(1, 6);
    let orders: Vec<Order> = (0..count).map(|_| spelled(sim, Spelling::Path)).collect();
    repeats::batch(&mut sim.world.rng, &orders)
}

/// An order that is sent twice. Where requests may be refused, the second might be the first.
fn again(sim: &mut Sim) -> Client {
    let order = order(sim);
    sim.oracle.keyed = true;
    repeats::again(&mut sim.world.rng, &order)
}

/// A client that places several orders on one line, perhaps pipelined, with some nonsense between.
fn shopper(sim: &mut Sim) -> Client {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    let pipelined = sim.world.rng.chance(40);
    let old = sim.world.rng.chance(8);
    let count = if old { 1 } else { sim.world.rng.between(1, 8) };
    let closes = sim.world.rng.chance(30);
    for place in 1..=count {
        if !old && sim.world.rng.chance(10) {
            let (mut nonsense, want) = requests::refused(&mut sim.world.rng);
            steps.append(&mut nonsense);
            wants.push(want);
            // What follows waits: the answer to nonsense may close the line.
            steps.push(Step::Answers(wants.len()));
        }
        let order = order(sim);
        let chunk = sim.world.rng.between(1, 5_000) as usize;
        let mixed = [
            Framing::Length,
            Framing::Length,
            Framing::Chunks(chunk),
            Framing::Expect,
        ];
        let framing = if old {
            Framing::Old
        } else {
            sim.world.rng.pick(&mixed)
        };
        steps.extend(requests::place(&order, framing, closes && place == count));
        wants.push(Want::Accepted(order.number));
        if !pipelined {
            steps.push(Step::Answers(wants.len()));
            steps.push(Step::Wait(sim.world.rng.between(0, 8 * SECOND)));
        }
    }
    let leave = sim
        .world
        .rng
        .pick(&[Step::Fin, Step::Answers(wants.len()), Step::Wait(SECOND)]);
    let lossy = matches!(leave, Step::Wait(_));
    steps.push(leave);
    steps.push(if lossy {
        Step::Reset
    } else {
        Step::Answers(wants.len())
    });
    if sim.world.rng.chance(70) {
        steps.push(Step::Close);
    }
    let mut client = Client::new(steps, wants);
    (client.lossy, client.old, client.closes) = (lossy, old, closes);
    client
}

/// A browser, whose page has it send an order.
fn page(sim: &mut Sim) -> Client {
    let order = order(sim);
    let all = sim.settings.browsers.origins.are_all();
    let page = Page::random(&mut sim.world.rng);
    let (taken, client) = page.places(&mut sim.world.rng, &order, all);
    if !taken {
        sim.oracle.refused(order.number);
    }
    client
}

/// A client that sends good requests, then one that is not, then more that must not be read.
fn malformed(sim: &mut Sim) -> Client {
    let (bytes, statuses) = requests::malformed(&mut sim.world.rng);
    let order = order(sim);
    let mut steps = vec![requests::ask("GET", "/health"), Step::Send(bytes)];
    steps.extend(requests::place(&order, Framing::Length, false));
    sim.oracle.refused(order.number);
    Client::new(steps, vec![Want::Page(200, false), Want::Refused(statuses)])
}

/// A client that looks at pages.
fn visitor(sim: &mut Sim) -> Client {
    let pages = [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/", 200),
        ("HEAD", "/nowhere", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/dispatch", 405),
        ("POST", "/health", 405),
    ];
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..sim.world.rng.between(1, 12) {
        let (method, path, status) = sim.world.rng.pick(&pages);
        steps.push(requests::ask(method, path));
        wants.push(Want::Page(status, method == "HEAD"));
        if status >= 400 {
            steps.push(Step::Answers(wants.len()));
        }
    }
    steps.extend([Step::Answers(wants.len()), Step::Close]);
    Client::new(steps, wants)
}
