//! Notices through the whole engine, with callbacks made by hand: lanes, lines, the guard.

use std::sync::Arc;

use super::*;
use crate::base::frame::Frame;
use crate::base::slab::Slab;
use crate::courier;
use crate::dispatch::Content;
use crate::dispatch::deliveries::{Fate, Report};
use crate::engine::stored::{Awaiting, Origin};
use crate::http::target;
use crate::model::{Callback, Ending, Fault, Outcome};

const MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// A subscriber of a topic, at this port.
    fn callback(&self, port: u16) -> Callback {
        let url = format!("http://127.0.0.1:{port}/");
        Callback {
            number: 1,
            subscription: Slab::with_bound(1).insert(()).unwrap(),
            target: Arc::new(target::parse(&url).unwrap()),
            link: "<http://t/>; rel=\"self\"".into(),
            seal: None,
            until: self.now.mono + 60 * MINUTE,
            strict: false,
            full: false,
        }
    }

    /// Content for these is taken in, stored and offered.
    fn publish(&mut self, callbacks: &[Callback]) -> Vec<Key> {
        let gone = self.open();
        self.engine.ended(self.now, gone, Ended::Reset);
        let engine = &mut self.engine;
        engine.by_hand = true;
        let content = Content {
            topic: b"t",
            content_type: "text/plain",
            content_encoding: None,
            body: Frame::copy_of(b"content"),
            hops: 0,
        };
        let accepted = engine
            .dispatch
            .publish(&mut engine.turn, content, callbacks);
        let accepted = accepted.unwrap();
        let origin = Origin::Client(gone);
        engine.awaiting.push_back(Awaiting::of(accepted, origin));
        self.turn();
        let deliveries = &mut self.engine.dispatch.deliveries;
        std::iter::from_fn(|| deliveries.next_offer().map(|it| it.delivery)).collect()
    }

    fn release(&mut self, key: Key) {
        let engine = &mut self.engine;
        engine.dispatch.deliveries.release(&mut engine.turn, key);
        self.turn();
    }

    fn cancel(&mut self, key: Key) {
        let engine = &mut self.engine;
        let deliveries = &mut engine.dispatch.deliveries;
        deliveries.cancel(&mut engine.turn, key, "superseded");
        self.turn();
    }

    /// The latest line is connected; what goes out on it.
    fn connect(&mut self) -> (Key, String) {
        let line = *self.dialled.last().expect("a line");
        self.written.clear();
        self.engine.connected(self.now, line);
        self.turn();
        let bytes = self.written.iter().flat_map(|(_, bytes)| bytes.clone());
        (line, String::from_utf8(bytes.collect()).unwrap())
    }

    fn report(&mut self) -> Option<Report> {
        self.engine.dispatch.deliveries.next_report()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_notice_goes_out_and_its_end_is_reported() {
    let mut world = World::new(Settings::default());
    let offers = world.publish(&[world.callback(9_001), world.callback(9_002)]);
    assert_eq!((offers.len(), world.connects.len()), (2, 0));
    world.release(offers[1]);
    assert_eq!(world.connects, [9_002], "not the one that was released");
    let (line, request) = world.connect();
    assert!(request.ends_with("\r\n\r\ncontent"), "{request}");
    world.say(line, OK);
    let report = world.report().unwrap();
    assert_eq!(report.delivery, offers[1]);
    assert_eq!(report.next, Fate::Ended(Outcome::Delivered));
    world.cancel(offers[0]);
    assert_eq!(world.report().map(|it| it.delivery), Some(offers[0]));
    world.pass(61 * MINUTE);
    assert!(world.engine.is_idle(), "something is left");
}

#[test]
fn what_is_called_off_in_its_lane_is_not_sent() {
    let settings = Settings {
        courier: courier::Settings {
            parallelism: 1,
            ..courier::Settings::default()
        },
        ..Settings::default()
    };
    let mut world = World::new(settings);
    let offers = world.publish(&[
        world.callback(9_001),
        world.callback(9_001),
        world.callback(9_001),
    ]);
    offers.iter().for_each(|key| world.release(*key));
    world.cancel(offers[1]);
    let (line, _) = world.connect();
    world.cancel(offers[0]);
    let next = world.say(line, OK);
    assert_eq!(next.matches("POST / ").count(), 1, "{next}");
    world.say(line, OK);
    let ended = |key, outcome| (key, Fate::Ended(outcome));
    let reports: Vec<_> = std::iter::from_fn(|| world.report())
        .map(|it| (it.delivery, it.next))
        .collect();
    assert_eq!(
        reports,
        [
            ended(offers[1], Outcome::Canceled),
            ended(offers[0], Outcome::Delivered),
            ended(offers[2], Outcome::Delivered),
        ]
    );
    assert_eq!(world.connects.len(), 1);
    world.pass(61 * MINUTE);
    assert!(world.engine.is_idle(), "something is left");
}

#[test]
fn a_forbidden_address_is_a_failure_like_others() {
    let mut world = World::new(Settings::default());
    let callback = Callback {
        strict: true,
        ..world.callback(9_001)
    };
    let offers = world.publish(&[callback]);
    world.release(offers[0]);
    for _ in 0..3 {
        let report = world.report().unwrap();
        let forbidden = Fault::Policy;
        assert!(
            matches!(report.ending, Some(Ending::Fault { fault, .. }) if fault == forbidden),
            "{report:?}"
        );
        assert!(matches!(report.next, Fate::Retrying(_)), "{report:?}");
        world.pass(6 * MINUTE);
    }
    assert!(world.connects.is_empty());
    world.pass(3 * 60 * MINUTE);
    let last = std::iter::from_fn(|| world.report()).last().unwrap();
    assert_eq!(last.next, Fate::Ended(Outcome::Expired));
    assert!(world.engine.is_idle(), "something is left");
}

#[test]
fn an_answer_in_json_counts_who_reads() {
    let mut world = World::new(Settings::default());
    for topic in ["a", "b", "b", "c"] {
        let reader = world.open();
        let request = format!("GET /stream?topic={topic} HTTP/1.1\r\nHost: h\r\n\r\n");
        world.say(reader, &request);
    }
    for (topics, members) in [
        (
            "_topic=a&_topic=b",
            r#","topic":["a","b"],"streams":3,"callbacks":0}"#,
        ),
        ("_topic=d", r#","topic":"d","streams":0,"callbacks":0}"#),
        ("_url=http://127.0.0.1:1/", "}"),
    ] {
        let client = world.open();
        let request = format!(
            "POST /dispatch?{topics} HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let answer = world.say(client, &request);
        let want = format!("\"status\":\"scheduled\"{members}");
        assert!(answer.ends_with(&want), "{topics}: {answer}");
    }
}
