//! Subscribers: how they answer a verification and take a delivery.
//! They know nothing but what they are sent.

use super::parameters;
use crate::http::Message;
use crate::rng::Rng;
use crate::script::Step;
use crate::world::{MS, SECOND, World};

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Right,
    /// That status, without the challenge.
    Status(u16),
    /// That status, with a Retry-After in seconds.
    Later(u16, u64),
    /// Another challenge.
    Wrong,
    /// The challenge and a line end.
    Longer,
    /// 200 without a body.
    Empty,
    /// Elsewhere.
    Redirect,
    /// Right, after so long.
    Late(u64),
    /// Right, a byte each so often.
    Drip(u64),
    /// A reset after the request.
    Reset,
    /// Nothing.
    Silent,
}

/// What a subscriber got.
#[derive(Clone, Debug)]
pub struct Got {
    /// The body.
    pub body: Vec<u8>,
    /// Whether it was taken.
    pub taken: bool,
}

/// One subscriber of one topic.
#[derive(Debug)]
pub struct Subscriber {
    /// Its host.
    pub host: usize,
    /// Its topic.
    pub topic: usize,
    /// The topic as it spells it.
    pub spelling: String,
    /// The start of its callback.
    pub base: String,
    /// The rest of it.
    pub path: String,
    /// How it answers verifications, each until its time; then right.
    pub verifies: Vec<(u64, Manner)>,
    /// How it takes deliveries, each until its time; then right.
    pub takes: Vec<(u64, Manner)>,
    /// It closes its lines without a word, so that a request may meet that.
    pub restless: bool,
    /// It wants nothing any more from then on.
    pub willing_until: u64,
    /// All it got, in order.
    pub got: Vec<Got>,
    /// Verifications it got.
    pub asked: Vec<Message>,
    /// Denials it got.
    pub denied: Vec<Message>,
}

impl Subscriber {
    /// One that does everything right.
    pub fn new(
        host: usize,
        topic: usize,
        spelling: String,
        base: String,
        path: String,
    ) -> Subscriber {
        Subscriber {
            host,
            topic,
            spelling,
            base,
            path,
            verifies: Vec::new(),
            takes: Vec::new(),
            restless: false,
            willing_until: u64::MAX,
            got: Vec::new(),
            asked: Vec::new(),
            denied: Vec::new(),
        }
    }

    /// Where it is to be called.
    pub fn callback(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    /// It answers a request.
    pub fn answer(&mut self, world: &mut World, request: &Message) -> Vec<Step> {
        let (at, restless) = (world.at(), self.restless);
        if request.word(0) == "POST" {
            let manner = manner_at(&self.takes, at);
            let body = request.body.clone();
            let taken = matches!(manner, Manner::Right | Manner::Late(_) | Manner::Drip(_))
                || matches!(manner, Manner::Status(200..=299));
            self.got.push(Got { body, taken });
            return steps(&mut world.rng, restless, manner, "");
        }
        let query = request
            .word(1)
            .split_once("hub.mode=")
            .map_or("", |(_, it)| it);
        let found = parameters(query);
        let challenge = found.iter().find(|(name, _)| name == "hub.challenge");
        let Some((_, challenge)) = challenge else {
            self.denied.push(request.clone());
            return steps(&mut world.rng, restless, Manner::Status(404), "");
        };
        self.asked.push(request.clone());
        let manner = match at < self.willing_until {
            false => Manner::Status(404),
            true => manner_at(&self.verifies, at),
        };
        steps(&mut world.rng, restless, manner, challenge)
    }
}

/// The manner at a time.
pub fn manner_at(phases: &[(u64, Manner)], at: u64) -> Manner {
    let phase = phases.iter().find(|(until, _)| at < *until);
    phase.map_or(Manner::Right, |(_, manner)| *manner)
}

/// The steps of an answer.
pub fn steps(rng: &mut Rng, restless: bool, manner: Manner, body: &str) -> Vec<Step> {
    let plain = |status: u16, fields: &str, body: &str| {
        let length = body.len();
        let text = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        Step::Send(text.into_bytes())
    };
    let right = match rng.between(0, 4) {
        0 => format!(
            "HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            match body.len() {
                0 => String::new(),
                length => format!("{length:x}\r\n{body}\r\n"),
            }
        ),
        1 => format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{body}"),
        _ => format!(
            "HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    let closes = right.contains("Connection: close");
    let end = match rng.between(0, 9) {
        _ if closes => vec![Step::Fin],
        0 if restless => vec![Step::Wait(rng.between(0, 3 * SECOND)), Step::Fin],
        1 if restless => vec![Step::Wait(rng.between(0, 3 * SECOND)), Step::Reset],
        _ => Vec::new(),
    };
    let right = Step::Send(right.into_bytes());
    match manner {
        Manner::Right => [right].into_iter().chain(end).collect(),
        Manner::Status(204) => vec![Step::Send(b"HTTP/1.1 204 X\r\n\r\n".to_vec())],
        Manner::Status(status) => vec![plain(status, "", "no")],
        Manner::Later(status, seconds) => {
            vec![plain(status, &format!("Retry-After: {seconds}\r\n"), "")]
        }
        Manner::Wrong => vec![plain(200, "", &"x".repeat(body.len()))],
        Manner::Longer => vec![plain(200, "", &format!("{body}\n"))],
        Manner::Empty => vec![plain(200, "", "")],
        Manner::Redirect => vec![plain(302, "Location: /s/elsewhere\r\n", body)],
        Manner::Late(span) => [Step::Wait(span), right].into_iter().chain(end).collect(),
        Manner::Drip(span) => {
            let Step::Send(bytes) = plain(200, "", body) else {
                return Vec::new();
            };
            let drop = |byte: &u8| [Step::Send(vec![*byte]), Step::Wait(span)];
            bytes.iter().flat_map(drop).collect()
        }
        Manner::Reset => vec![Step::Reset],
        Manner::Silent => Vec::new(),
    }
}

impl Manner {
    /// Any way to answer a verification.
    pub fn of_verification(rng: &mut Rng) -> Manner {
        let late = rng.between(0, 12 * SECOND);
        let drip = rng.pick(&[MS, 100 * MS, SECOND]);
        rng.pick(&[
            Manner::Right,
            Manner::Right,
            Manner::Status(404),
            Manner::Status(410),
            Manner::Status(204),
            Manner::Status(503),
            Manner::Later(429, 20),
            Manner::Later(503, 9_999),
            Manner::Wrong,
            Manner::Longer,
            Manner::Empty,
            Manner::Redirect,
            Manner::Late(late),
            Manner::Drip(drip),
            Manner::Reset,
            Manner::Silent,
        ])
    }

    /// Any way to take a delivery.
    pub fn of_delivery(rng: &mut Rng) -> Manner {
        let late = rng.between(0, 40 * SECOND);
        rng.pick(&[
            Manner::Right,
            Manner::Right,
            Manner::Status(404),
            Manner::Status(500),
            Manner::Status(500),
            Manner::Status(503),
            Manner::Status(204),
            Manner::Status(299),
            Manner::Status(303),
            Manner::Status(410),
            Manner::Later(429, 40),
            Manner::Later(503, 100),
            Manner::Redirect,
            Manner::Late(late),
            Manner::Drip(MS),
            Manner::Reset,
            Manner::Silent,
        ])
    }
}
