//! Clients that poll in a loop, each time behind what they have: every message must come once, in
//! order, and an empty answer must mean that there was none.

use crate::asks::escape;
use crate::clients::{Client, Want};
use crate::feeds::Feeds;
use crate::http::Message;
use crate::script::Step;
use crate::sim::Sim;
use crate::world::SECOND;

/// What a client that polls wants next, and what it has had.
#[derive(Clone, Debug)]
pub struct Poller {
    topic: String,
    /// Seconds that it waits; none to ask for what is there.
    wait: u64,
    /// The last id it knows; empty before it knows any.
    cursor: String,
    /// The tag of the last answer, if the next request has a condition.
    tag: Option<String>,
    /// Requests that are still to be made.
    left: usize,
    /// Bodies of messages that came.
    pub bytes: Vec<u8>,
}

impl Poller {
    /// One that makes so many requests.
    pub fn new(topic: &str, wait: u64, requests: usize) -> Poller {
        Poller {
            topic: topic.to_owned(),
            wait,
            cursor: String::new(),
            tag: None,
            left: requests,
            bytes: Vec::new(),
        }
    }

    /// The next request; none once all are made.
    fn next(&mut self) -> Option<Step> {
        self.left = self.left.checked_sub(1)?;
        let mode = match self.wait {
            0 => "poll=1".to_owned(),
            wait => format!("wait={wait}"),
        };
        let since = match (&self.tag, &*self.cursor) {
            (Some(_), _) => String::new(),
            (None, "") => "&since=all".to_owned(),
            (None, id) => format!("&since={id}"),
        };
        let field = self.tag.as_ref();
        let field = field.map_or(String::new(), |tag| format!("If-None-Match: {tag}\r\n"));
        let topic = escape(&self.topic);
        let head = format!("GET /stream?topic={topic}&{mode}{since} HTTP/1.1\r\nHost: a\r\n");
        Some(Step::Send(format!("{head}{field}\r\n").into_bytes()))
    }

    /// Judges an answer; gives what it does then.
    pub fn answered(&mut self, answer: &Message, feeds: &Feeds) -> Option<Step> {
        let last = answer.field("hookah-last-id").unwrap_or("").to_owned();
        let tag = answer.field("etag").map(str::to_owned);
        let (first, reset) = (&self.cursor, answer.field("hookah-resume") == Some("reset"));
        let to = match answer.status {
            200 => tag.as_ref().expect("a tag").trim_matches('"').to_owned(),
            204 => last.clone(),
            304 => {
                assert!(self.tag.is_some() && tag == self.tag, "{answer:?}");
                last.clone()
            }
            _ => panic!("a poll got {answer:?}"),
        };
        assert_eq!(answer.status == 200, !answer.body.is_empty());
        assert!(to >= *first, "back from {first} to {to}");
        let want = published(feeds, &self.topic, first, &to);
        // Who asks for all from the beginning gets what is still kept.
        let complete = match reset || first.is_empty() {
            true => want.ends_with(&answer.body),
            false => want == answer.body,
        };
        assert!(complete, "behind {first} up to {to}: {answer:?}");
        self.bytes.extend_from_slice(&answer.body);
        // A 304 leaves it with its tag, behind which nothing has come.
        self.cursor = if answer.status == 304 {
            self.cursor.clone()
        } else {
            to
        };
        self.tag = tag;
        self.next()
    }
}

/// What was published to a topic behind one id, up to another.
fn published(feeds: &Feeds, topic: &str, first: &str, last: &str) -> Vec<u8> {
    let known = feeds.publications.iter();
    let known = known.filter(|it| it.topics.iter().any(|name| name == topic));
    let with_id = known.filter_map(|it| Some((it.id?.to_string(), &it.body)));
    let mut found: Vec<_> = with_id
        .filter(|(id, _)| &**id > first && &**id <= last)
        .collect();
    found.sort();
    let lines = found
        .into_iter()
        .map(|(_, body)| [body, &b"\r\n"[..]].concat());
    lines.collect::<Vec<_>>().concat()
}

/// A client that polls from `delay` on; its number.
pub fn poll(sim: &mut Sim, delay: u64, mut poller: Poller) -> usize {
    let first = poller.next().expect("a request");
    let mut client = Client::new(vec![first], vec![Want::Polled]);
    client.poller = Some(poller);
    sim.client(delay, client)
}

/// A few that poll these topics.
pub fn random(sim: &mut Sim, topics: &[&str]) {
    for _ in 0..sim.world.rng.pick(&[0, 1, 1, 3]) {
        let delay = sim.world.rng.between(0, 20 * SECOND);
        let wait = sim.world.rng.pick(&[0, 1, 7, 30, 60]);
        let requests = sim.world.rng.between(1, 12) as usize;
        let topic = sim.world.rng.pick(topics);
        poll(sim, delay, Poller::new(topic, wait, requests));
    }
}
