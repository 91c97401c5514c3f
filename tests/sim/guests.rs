//! Those who show tokens: a file of them that changes while they are at it, publishers and readers
//! with right, wrong, poor and no tokens, and what each must be told. Who may do what is worked out
//! here once more, naively. Everybody else comes as the server's own user.

use hookah::access::Roll;
use hookah::model::{Door, Visitor};

use crate::clients::{Client, Want};
use crate::crowd::{self, TOPICS};
use crate::http::Message;
use crate::oracle::Oracle;
use crate::requests::{self, Framing};
use crate::rng::Rng;
use crate::script::Step;
use crate::sim::Sim;
use crate::world::{Event, MINUTE, SECOND};

/// A token: its name, where it may publish, and what else it may do.
const TOKENS: [(&str, &[&str], &str); 6] = [
    ("everywhere", &["*"], "dispatch read"),
    ("news", &["news*"], "subscribe:*"),
    ("urls", &[], "dispatch"),
    ("one", &["/", "https*"], "subscribe:*"),
    ("looks", &[], "read subscribe:*"),
    ("admin", &["*"], "admin"),
];

/// What somebody shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The token of that number.
    Token(usize),
    /// A secret that is nobody's.
    Wrong,
    Nothing,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub enum Asks {
    /// That publication, to these topics.
    Publish(usize, Vec<String>),
    /// That order.
    Order(usize),
    /// A window.
    Look,
}

/// The file of tokens, as it was from some time on: of each token whether it is there, and which
/// edition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    since: u64,
    tokens: Vec<Option<u64>>,
}

/// All that is known of tokens.
#[derive(Debug, Default)]
pub struct Guests {
    files: Vec<File>,
    /// Readers and the token that each shows.
    pub readers: Vec<(usize, usize)>,
    /// Refusals that were right.
    pub refused: u64,
    /// Streams whose token was taken away.
    pub revoked: u64,
}

fn secret(token: usize) -> String {
    format!("hk_{}_of_the_simulator", TOKENS[token].0)
}

impl File {
    /// The text, with comments and line ends of either kind between.
    fn text(&self, rng: &mut Rng) -> String {
        let mut text = String::from("# who may do what\r\n\n");
        let mut order: Vec<usize> = (0..TOKENS.len()).collect();
        order.rotate_left(rng.between(0, TOKENS.len() as u64 - 1) as usize);
        for token in order {
            let (name, publish, more) = TOKENS[token];
            let Some(edition) = self.tokens[token] else {
                continue;
            };
            let digest = ring::digest::digest(&ring::digest::SHA256, secret(token).as_bytes());
            let hash: String = digest
                .as_ref()
                .iter()
                .map(|it| format!("{it:02x}"))
                .collect();
            let publish: String = publish.iter().map(|it| format!(" publish:{it}")).collect();
            // Another edition has another right, which nobody here makes use of.
            let other = if edition % 2 == 1 { " hub" } else { "" };
            text += &format!("{name} sha256:{hash} {more}{publish}{other}\n");
        }
        text
    }
}

impl Guests {
    /// Whether a token was right at any time of that span, and whether it was not.
    fn stood(&self, token: usize, (from, to): (u64, u64)) -> (bool, bool) {
        let ends = self.files.iter().skip(1).map(|file| file.since);
        let ends = ends.chain([u64::MAX]);
        let within = self.files.iter().zip(ends);
        let within = within.filter(|(file, end)| file.since <= to && *end >= from);
        within.fold((false, false), |(yes, no), (file, _)| {
            let stands = file.tokens[token].is_some();
            (yes | stands, no | !stands)
        })
    }

    /// Whether somebody may be given what it asks for, and with which statuses it may be refused.
    fn right(&self, shows: Shows, asks: &Asks, span: (u64, u64)) -> (bool, &'static [u16]) {
        let token = match shows {
            Shows::Token(token) => token,
            // So many may have guessed from there that it is told to wait.
            Shows::Wrong => return (false, &[401, 429]),
            Shows::Nothing => return (false, &[401]),
        };
        let (name, publish, more) = TOKENS[token];
        let has = |right: &str| name == "admin" || more.split(' ').any(|it| it == right);
        let goes = |topic: &String| {
            publish.iter().any(|glob| match glob.strip_suffix('*') {
                Some(start) => topic.starts_with(start),
                None => topic == glob,
            })
        };
        let may = match asks {
            Asks::Publish(_, topics) => topics.iter().all(goes),
            Asks::Order(_) => has("dispatch"),
            Asks::Look => has("read"),
        };
        match (may, self.stood(token, span)) {
            (true, (yes, false)) => (yes, &[]),
            (true, (yes, true)) => (yes, &[401, 429]),
            (false, (_, false)) => (false, &[403]),
            (false, (_, true)) => (false, &[401, 403, 429]),
        }
    }
}

/// An answer has come to a guest, who asked in that span; whether it was refused.
pub fn answered(
    oracle: &mut Oracle,
    (shows, asks): (Shows, &Asks),
    answer: &Message,
    span: (u64, u64),
) -> bool {
    let (may, statuses) = oracle.guests.right(shows, asks, span);
    if answer.status < 400 {
        assert!(may, "{shows:?} may not {asks:?}: {answer:?}");
        return false;
    }
    let busy = oracle.may_refuse && answer.status == 503;
    let right = busy || statuses.contains(&answer.status);
    assert!(right, "{shows:?}, {asks:?}, {statuses:?}: {answer:?}");
    let challenge = answer.field("www-authenticate");
    let challenged = challenge.is_some_and(|it| it.starts_with("Bearer realm=\"hookah\""));
    assert_eq!(challenged, matches!(answer.status, 401 | 403), "{answer:?}");
    oracle.guests.refused += u64::from(!busy);
    match asks {
        Asks::Publish(number, _) => oracle.feeds.publications[*number].refused = true,
        Asks::Order(order) => oracle.refused(*order),
        Asks::Look => {}
    }
    true
}

/// The tokens that a seed begins with, if it has any.
pub fn roll(seed: u64) -> Option<Roll> {
    let mut rng = Rng::new(seed.wrapping_mul(97));
    let first = File {
        since: 0,
        tokens: vec![Some(0); TOKENS.len()],
    };
    let text = rng.chance(30).then(|| first.text(&mut rng))?;
    Some(Roll::parse(&text).expect("a right file"))
}

/// Guests of a world that has tokens, and when the file of tokens changes.
pub fn random(sim: &mut Sim) {
    sim.oracle.guests.files.push(File {
        since: 0,
        tokens: vec![Some(0); TOKENS.len()],
    });
    let topics = &TOPICS[..sim.world.rng.between(1, TOPICS.len() as u64) as usize];
    for _ in 0..sim.world.rng.between(2, 8) {
        publisher(sim, topics);
    }
    for _ in 0..sim.world.rng.between(2, 8) {
        let token = sim.world.rng.pick(&[1, 3, 4, 5]);
        let topic = sim.world.rng.pick(topics);
        let reader = crowd::guest(sim, topic, &secret(token));
        let delay = sim.world.rng.between(0, 20 * SECOND);
        let number = sim.reader(delay, reader);
        sim.oracle.guests.readers.push((number, token));
    }
    for _ in 0..sim.world.rng.between(0, 4) {
        let at = sim.world.rng.between(0, MINUTE);
        sim.world.after(at, Event::Reload);
    }
}

/// One that publishes, has webhooks sent and looks, one after the other.
fn publisher(sim: &mut Sim, topics: &[&str]) {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..sim.world.rng.between(1, 6) {
        let shows = match sim.world.rng.between(0, 9) {
            0 => Shows::Wrong,
            1 => Shows::Nothing,
            _ => Shows::Token(sim.world.rng.between(0, TOKENS.len() as u64 - 1) as usize),
        };
        let (mut asked, asks) = match sim.world.rng.between(0, 9) {
            0..=5 => {
                let count = sim.world.rng.between(1, 2);
                let pick = |_| sim.world.rng.pick(topics).to_owned();
                let topics: Vec<String> = (0..count).map(pick).collect();
                let (step, number) = crowd::publish(sim, &topics, 10);
                (vec![step], Asks::Publish(number, topics))
            }
            6 | 7 => {
                let target = sim.world.rng.between(0, sim.targets.len() as u64 - 1) as usize;
                let order = sim.order(target).clone();
                let framing = sim.world.rng.pick(&[Framing::Length, Framing::Chunks(7)]);
                let placed = requests::place(&order, framing, false);
                (placed, Asks::Order(order.number))
            }
            _ => (vec![requests::ask("GET", "/lanes")], Asks::Look),
        };
        show(&mut asked[0], shows, sim.world.rng.chance(50));
        steps.append(&mut asked);
        wants.push(Want::Guest(shows, asks));
        let span = sim.world.rng.pick(&[0, SECOND, 9 * SECOND]);
        steps.extend([Step::Answers(wants.len()), Step::Wait(span)]);
    }
    steps.push(Step::Close);
    let mut client = Client::new(steps, wants);
    client.guest = true;
    client.ip = sim
        .world
        .rng
        .pick(&[[127, 0, 0, 1], [192, 168, 7, 8]])
        .into();
    let delay = sim.world.rng.between(0, 30 * SECOND);
    sim.client(delay, client);
}

/// Puts what is shown into the head of a request.
fn show(step: &mut Step, shows: Shows, is_basic: bool) {
    let secret = match shows {
        Shows::Token(token) => secret(token),
        Shows::Wrong => "hk_nobodys".to_owned(),
        Shows::Nothing => return,
    };
    let field = match is_basic {
        true => {
            use base64::Engine as _;
            let pair = format!("me:{secret}");
            let text = base64::engine::general_purpose::STANDARD.encode(pair);
            format!("\r\nAuthorization: Basic {text}")
        }
        false => format!("\r\nAuthorization: Bearer {secret}"),
    };
    let Step::Send(bytes) = step else {
        panic!("a request begins otherwise: {step:?}")
    };
    let end = bytes.windows(2).position(|pair| pair == b"\r\n");
    let end = end.expect("a request line");
    bytes.splice(end..end, field.into_bytes());
}

impl Sim {
    /// Through which door somebody comes: with tokens it is the server's own user who needs none.
    pub fn visitor(&self, who: Visitor, is_guest: bool) -> Visitor {
        let door = match self.settings.roll.is_some() {
            true if is_guest => Door::Open,
            true => Door::Unix { owner: true },
            false => who.door,
        };
        Visitor { door, ..who }
    }

    /// The file of tokens says something else, and the server is told.
    pub fn reload(&mut self) {
        let at = self.world.at();
        let rng = &mut self.world.rng;
        let guests = &mut self.oracle.guests;
        let before = guests.files.last().expect("a file").tokens.clone();
        let change = |edition: &Option<u64>| match rng.between(0, 9) {
            0..=2 => None,
            3 => Some(edition.unwrap_or_default() + 1),
            _ => Some(edition.unwrap_or_default()),
        };
        let tokens: Vec<_> = before.iter().map(change).collect();
        let file = File { since: at, tokens };
        let roll = Roll::parse(&file.text(rng)).expect("a right file");
        for (reader, token) in guests.readers.clone() {
            let same = before[token] == file.tokens[token];
            if let Some(link) = self.readers[reader].link.filter(|_| !same) {
                guests.revoked += u64::from(self.oracle.feeds.revoked(link, at));
            }
        }
        guests.files.push(file);
        self.world.note("reload", 0, guests.files.len() as u64);
        self.settings.roll = Some(roll.clone());
        if !self.is_down {
            self.engine.enrol(self.world.told(), &roll);
        }
    }

    /// At rest: whoever was not let in had a token that was not right all the time.
    pub fn judge_guests(&self) {
        for (reader, token) in &self.oracle.guests.readers {
            let reader = &self.readers[*reader];
            if reader.got.starts_with(b"HTTP/1.1 401 ") {
                let (_, gone) = self.oracle.guests.stood(*token, (0, u64::MAX));
                assert!(gone, "a right token was refused: {:?}", reader.asks);
            }
        }
    }
}

#[test]
fn seeds_reach_what_tokens_are_for() {
    let (mut worlds, mut refused, mut revoked) = (0, 0, 0);
    for seed in 0..96 {
        if roll(seed).is_none() {
            continue;
        }
        let mut sim = crate::setup::random(seed);
        sim.run();
        worlds += u64::from(sim.settings.roll.is_some());
        refused += sim.oracle.guests.refused;
        revoked += sim.oracle.guests.revoked;
    }
    let seen = format!("{worlds} worlds, {refused} refused, {revoked} streams revoked");
    assert!(worlds > 5 && refused > 50 && revoked > 3, "{seen}");
}
