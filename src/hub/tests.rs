//! Stories of the hub: a builder that walks to the state, and peers that answer as told.

mod chaos;
mod deliver;
mod fetch;
mod lease;
mod restart;
mod subscribe;
mod verify;
mod version;

use std::time::Duration;

use super::request::{self, Asked, Half};
use super::*;
use crate::base::ledger::Ledger;
use crate::base::stats::{Counter, Stats};
use crate::base::time::{Now, Wall};
use crate::base::wheel::Wheel;
use crate::http::problem::{Problem, Reason};
use crate::model::{Answer, Callback, Ending, Fault, Target};
use crate::port::{Caller, Timer};

const TOPIC: &str = "http://publisher.test/feed";
const CALLBACK: &str = "http://subscriber.test/in?a=1";

/// A turn with nothing in it.
pub(super) fn turn() -> Turn {
    let now = Now {
        mono: Mono(1_000_000),
        wall: Wall(1_763_880_000_000_000),
    };
    Turn {
        now,
        wheel: Wheel::with_bound(64, now.mono),
        rng: Rng::new([3; 32]),
        stats: Stats::default(),
        memory: Ledger::new(1 << 20),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
        handed: crate::port::Handed::default(),
    }
}

/// A call that is under way.
#[derive(Debug)]
struct Out {
    key: Key,
    /// The request as it goes over the wire.
    text: String,
}

impl Out {
    /// A parameter of the request line's query, or of the body, still encoded.
    fn param(&self, name: &str) -> Option<&str> {
        let start = self.text.find(&format!("{name}="))? + name.len() + 1;
        let rest = &self.text[start..];
        let end = rest.find(['&', ' ', '\r']).unwrap_or(rest.len());
        Some(&rest[..end])
    }

    fn line(&self) -> &str {
        self.text.split("\r\n").next().unwrap()
    }
}

/// The hub and its world.
struct Story {
    hub: Hub,
    turn: Turn,
    peer: IpAddr,
    local: bool,
}

impl Story {
    fn new() -> Story {
        Story::with(Settings::default())
    }

    fn with(settings: Settings) -> Story {
        let mut turn = turn();
        Story {
            hub: Hub::new(settings, &mut turn.rng),
            turn,
            peer: IpAddr::from([192, 0, 2, 1]),
            local: false,
        }
    }

    fn from(&self) -> Client<'static> {
        Client {
            peer: self.peer,
            local: self.local,
            free: false,
            host: "hub.test",
        }
    }

    /// A POST to /hub with that form.
    fn post(&mut self, form: &str) -> Result<Verdict, Refused> {
        let request = request::Request {
            content_type: None,
            query: None,
            body: form.as_bytes(),
        };
        let leases = self.hub.settings.leases;
        let asked = request::read(&request, Half::Any, &leases).unwrap();
        let (from, turn) = (self.from(), &mut self.turn);
        let vet: Vet<'_> = &|target: &Target, strict| match &*target.origin.host {
            "10.0.0.1" if strict => Err(Problem::from(Reason::TargetForbidden)),
            _ => Ok(()),
        };
        let verdict = match asked {
            Asked::Subscribe(asked) => self.hub.subscribe(turn, asked, from, vet),
            Asked::Unsubscribe(asked) => self.hub.unsubscribe(turn, asked, from, vet),
            Asked::Ping(topics) => {
                let is_read = |topic: &str| topic == "http://read.test/";
                let pinged = self.hub.ping(turn, topics, from, is_read, vet);
                pinged.map(|()| Verdict::Pending(None))
            }
            Asked::Content(_) => unreachable!("no story publishes so"),
        };
        self.check();
        verdict
    }

    fn subscribe(&mut self, more: &str) -> Result<Verdict, Refused> {
        let callback = CALLBACK.replace('?', "%3f").replace('=', "%3d");
        self.post(&format!(
            "hub.mode=subscribe&hub.topic={TOPIC}&hub.callback={callback}{more}"
        ))
    }

    fn unsubscribe(&mut self, more: &str) -> Result<Verdict, Refused> {
        let callback = CALLBACK.replace('?', "%3f").replace('=', "%3d");
        self.post(&format!(
            "hub.mode=unsubscribe&hub.topic={TOPIC}&hub.callback={callback}{more}"
        ))
    }

    fn ping(&mut self) {
        self.post(&format!("hub.mode=publish&hub.url={TOPIC}"))
            .unwrap();
    }

    /// The next call that is due, begun.
    fn call(&mut self) -> Option<Out> {
        loop {
            let (key, ..) = self.hub.next_due()?;
            if self.hub.begin(&mut self.turn, key).is_none() {
                continue;
            }
            let mut head = Vec::new();
            let body = self.hub.compose(&self.turn, key, &mut head)?;
            head.extend_from_slice(&body);
            let text = String::from_utf8(head).unwrap();
            self.check();
            return Some(Out { key, text });
        }
    }

    /// The call that must be due.
    fn called(&mut self) -> Out {
        self.call().expect("a call")
    }

    fn ends(&mut self, out: &Out, ending: &Ending, answer: Option<Answer<'_>>) {
        self.hub.concluded(&mut self.turn, out.key, ending, answer);
        self.check();
    }

    /// The peer answers with that status, head fields and body.
    fn answer_with(&mut self, out: &Out, status: u16, fields: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status} X\r\n{fields}\r\n");
        let mut location = None;
        for line in fields.split("\r\n") {
            if let Some(value) = line.strip_prefix("Location: ") {
                location = Some(value.as_bytes());
            }
        }
        let max = self.hub.calls.iter().find(|(key, _)| *key == out.key);
        let max = max.map_or(0, |(_, call)| call.body_bytes_max);
        let answer = Answer {
            head: head.as_bytes(),
            body: &body[..body.len().min(max)],
            truncated: body.len() > max,
            unfinished: false,
            location,
        };
        let ending = Ending::Answer {
            status,
            retry_after: None,
        };
        self.ends(out, &ending, Some(answer));
    }

    fn answer(&mut self, out: &Out, status: u16, body: &str) {
        self.answer_with(out, status, "", body.as_bytes());
    }

    fn faults(&mut self, out: &Out, fault: Fault) {
        self.ends(out, &Ending::Fault { fault, detail: "" }, None);
    }

    /// The subscriber who is asked says yes.
    fn confirm(&mut self) -> Out {
        let out = self.called();
        let challenge = out.param("hub.challenge").expect("a challenge").to_owned();
        self.answer(&out, 200, &challenge);
        out
    }

    /// Subscribed and verified.
    fn subscribed(more: &str) -> Story {
        let mut story = Story::new();
        story.subscribe(more).unwrap();
        story.confirm();
        assert_eq!(story.callbacks().len(), 1);
        story
    }

    /// Time passes, and timers fire when they should.
    fn pass(&mut self, seconds: u64) {
        let end = self.turn.now.mono + Duration::from_secs(seconds);
        while let Some(wake) = self.turn.wheel.next_wake().filter(|wake| *wake <= end) {
            self.at(wake);
            while let Some(timer) = self.turn.wheel.pop(self.turn.now.mono) {
                assert_eq!(timer, Timer::Hub);
                self.hub.fired(&mut self.turn);
            }
            self.check();
        }
        self.at(end);
    }

    fn at(&mut self, mono: Mono) {
        let passed = mono.since(self.turn.now.mono);
        self.turn.now.wall = self.turn.now.wall + passed;
        self.turn.now.mono = self.turn.now.mono.max(mono);
    }

    fn callbacks(&self) -> Vec<Callback> {
        let mut found = Vec::new();
        let topics = [TOPIC.as_bytes()].into_iter();
        self.hub
            .callbacks(self.turn.now.mono, topics, true, &mut found);
        found
    }

    fn row(&self) -> Option<Row<'_>> {
        self.hub.rows(self.turn.now, Filter::default(), 0).next()
    }

    fn state(&self) -> &'static str {
        self.row().map_or("gone", |row| row.state)
    }

    fn count(&self, counter: Counter) -> u64 {
        self.turn.stats.get(counter)
    }

    fn check(&self) {
        assert_eq!(
            self.hub.check() + self.turn.handed.charged(),
            self.turn.memory.held(),
            "the account is wrong"
        );
        self.turn.wheel.check();
    }
}

fn answered(status: u16, retry_after: Option<u64>) -> Ending {
    Ending::Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
    }
}
