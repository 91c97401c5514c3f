//! What comes out of the store is what was taken in: the plan from the options' text equals that of
//! the intake.

use std::sync::Arc;

use super::*;
use crate::base::frame::Frame;
use crate::base::rng::Rng;
use crate::base::time::Wall;
use crate::dispatch::intake::{Scratch, Submission, read};
use crate::dispatch::options::{self, Take};
use crate::dispatch::sign::Secret;
use crate::dispatch::target;
use crate::model::record::Place;
use crate::model::{Extra, MessageId, TopicNames};

const NOW: Now = Now {
    mono: Mono(5_000_000),
    wall: Wall(1_767_323_045_000_000),
};
const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OTHER: &str = "whsec_ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm";

/// Values that each option that is kept may have. An option without a row here fails the test.
const VALUES: &[(&str, &[&str])] = &[
    ("retries", &["0", "3", "1000"]),
    (
        "retry-schedule",
        &["1s, 2m,3h", "exponential(5s, 1.5, 1h)", "250ms"],
    ),
    ("timeout", &["250ms", "10", "1h"]),
    ("redirects", &["0", "10"]),
    ("success", &["200-299,304", " 404 "]),
    (
        "secret",
        &[
            KEY,
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX whsec_ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm",
        ],
    ),
    ("sign", &["shop", "SHOP"]),
    ("sign-scheme", &["standard", "github"]),
    ("capture", &["0", "64k", "1MiB"]),
    ("queue", &["a", "Bestellungen für & 1"]),
    ("flow-key", &["a", "x=y&z"]),
    ("rate", &["10/1m", "1/250ms"]),
    ("parallelism", &["1", "10000"]),
    ("targets", &["public"]),
    (
        "callback",
        &["http://127.0.0.1:2/told?a=b&c", "http://u:p@127.0.0.1/"],
    ),
    ("errback", &["https://127.0.0.1:2/failed#x"]),
];

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.keys.add("shop", Secret::new(OTHER)).unwrap();
    settings
}

fn work(id: MessageId, expires: Wall, due: Wall) -> Work {
    Work {
        id,
        number: 1,
        target: Arc::new(target::parse("http://127.0.0.1:1/").unwrap()),
        place: Place {
            lane: 0,
            rank: due.0,
            due,
            parked: false,
        },
        expires,
        attempts: 0,
        subscription: 0,
    }
}

/// The message of such a POST, and its plan; `None` if it is refused.
fn taken(headers: &[(&str, &str)], settings: &Settings) -> Option<(Message, Plan)> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| httparse::Header {
            name,
            value: value.as_bytes(),
        })
        .collect();
    let submission = Submission {
        caller: Default::default(),
        tail: Some("http://127.0.0.1:1/"),
        query: None,
        content_type: None,
        body: b"",
        headers: &headers,
    };
    let mut scratch = Scratch::default();
    let intake = read(&submission, settings, NOW.wall, &mut scratch).ok()?;
    let plan = Plan::asked(NOW, &intake);
    let message = Message {
        id: MessageId(7),
        accepted: NOW.wall,
        content_type: "".into(),
        body: Frame::copy_of(b"body"),
        topics: TopicNames::default(),
        method: intake.method,
        hops: intake.hops,
        extra: crate::dispatch::extra(&mut intake.clone()),
    };
    Some((message, plan))
}

/// The plan for comparing: keys compare by what they sign.
fn shown(plan: &Plan) -> String {
    let mut signature = Vec::new();
    if let Some(signer) = &plan.terms.signer {
        signer.write(&mut signature, b"id", 1, b"body");
    }
    format!("{plan:?} {}", String::from_utf8_lossy(&signature))
}

#[test]
fn the_plan_from_the_store_is_that_of_the_intake() {
    let settings = settings();
    let mut rng = Rng::new([3; 32]);
    let (mut compared, mut signed) = (0, 0);
    for _ in 0..4_000 {
        let mut given = Vec::new();
        for (name, values) in VALUES {
            if rng.below(3) == 0 {
                let value = values[rng.below(values.len() as u64) as usize];
                given.push((format!("Hookah-{name}"), value));
            }
        }
        if rng.below(2) == 0 {
            given.push(("Hookah-Delay".to_owned(), "10m"));
        }
        if rng.below(2) == 0 {
            given.push(("Hookah-Method".to_owned(), "PUT"));
        }
        let headers: Vec<_> = given
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        let Some((message, plan)) = taken(&headers, &settings) else {
            continue;
        };
        let expires = NOW.wall + plan.expires.since(NOW.mono);
        let work = work(message.id, expires, NOW.wall + plan.delay);
        let again = Plan::of(&message, &work, &settings, NOW).unwrap();
        assert_eq!(shown(&again), shown(&plan), "{headers:?}");
        signed += usize::from(plan.terms.signer.is_some());
        compared += 1;
    }
    assert!(compared > 1_000 && signed > 300, "{compared} {signed}");
}

#[test]
fn every_option_that_is_kept_is_compared() {
    for row in options::TABLE.iter().filter(|row| row.is_kept()) {
        assert!(
            VALUES.iter().any(|(name, _)| *name == row.name),
            "{} is kept, but no test compares it",
            row.name
        );
        assert!(matches!(row.take, Take::Value(_) | Take::Hidden(_)));
    }
}

#[test]
fn a_message_without_options_keeps_nothing() {
    let (message, _) = taken(&[("Hookah-Delay", "1m")], &settings()).unwrap();
    assert_eq!(message.extra, None);
    let (message, _) = taken(&[("Hookah-Retries", "3")], &settings()).unwrap();
    assert_eq!(&*message.extra.unwrap().options, "retries=3");
}

#[test]
fn what_cannot_be_rebuilt_is_never_sent_without() {
    let (message, _) = taken(&[("Hookah-Sign", "shop")], &settings()).unwrap();
    let work = work(message.id, NOW.wall, NOW.wall);
    let rebuilt = |message: &Message| Plan::of(message, &work, &Settings::default(), NOW);
    assert_eq!(rebuilt(&message).err(), Some("signing_key_gone"));
    for text in ["nonsense=1", "retries=x", "url=http://a/", "secret=short"] {
        let extra = Extra {
            options: text.into(),
            ..Extra::default()
        };
        let message = Message {
            extra: Some(Box::new(extra)),
            ..taken(&[], &settings()).unwrap().0
        };
        assert!(rebuilt(&message).is_err(), "{text}");
    }
}

#[test]
fn a_secret_that_is_kept_is_shown_to_nobody() {
    let (message, _) = taken(&[("Hookah-Secret", KEY)], &settings()).unwrap();
    assert!(message.extra.as_ref().unwrap().options.contains("whsec_"));
    assert!(!format!("{message:?}").contains("whsec_"));
}
