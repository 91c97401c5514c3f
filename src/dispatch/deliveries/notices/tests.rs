//! Notices by hand, without lanes and lines: every state, every way out of it, and that nothing of
//! one is left behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::frame::Frame;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::slab::Slab;
use crate::base::stats::Stats;
use crate::base::time::{Now, Wall};
use crate::base::wheel::Wheel;
use crate::dispatch::{Accepted, Content, Dispatch, Settings, publish_cost};
use crate::http::target;
use crate::model::record::{End, Status};
use crate::model::{Callback, Fault, Message};
use crate::port::{Action, Caller, Seq, StoreOp, Timer};

const HOUR: Duration = Duration::from_secs(3_600);
/// What an account of this size never refuses.
const MEMORY: u64 = 64 << 20;

mod pace;
mod requests;

/// The room, the time, and whoever keeps the order of notices.
struct Stage {
    dispatch: Dispatch,
    turn: Turn,
    seq: Seq,
    subscriptions: Slab<()>,
    /// Endings that the store was told, in order.
    ends: Vec<(u32, Outcome)>,
    told: Vec<(u32, End)>,
}

impl Stage {
    fn new() -> Stage {
        let now = Now {
            mono: Mono(1_000_000),
            wall: Wall(1_763_880_000_000_000),
        };
        Stage {
            dispatch: Dispatch::new(
                Settings::default(),
                1,
                Now {
                    mono: Mono(0),
                    ..now
                },
            ),
            turn: Turn {
                now,
                wheel: Wheel::with_bound(1_000, now.mono),
                rng: Rng::new([7; 32]),
                stats: Stats::default(),
                memory: Ledger::new(MEMORY),
                actions: VecDeque::new(),
                dirty: VecDeque::new(),
                dirty_streams: VecDeque::new(),
                handed: crate::port::Handed::default(),
            },
            seq: 0,
            subscriptions: Slab::with_bound(1_000),
            ends: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A subscriber whose lease lasts for a year.
    fn callback(&mut self, url: &str) -> Callback {
        Callback {
            number: 1,
            subscription: self.subscriptions.insert(()).unwrap(),
            target: Arc::new(target::parse(url).unwrap()),
            link: "<http://hub/>; rel=\"hub\", <http://t/>; rel=\"self\"".into(),
            seal: None,
            until: self.turn.now.mono + 365 * 24 * HOUR,
            strict: false,
            full: false,
        }
    }

    /// What was taken in is off the account of what waits to be published.
    fn settle(&mut self, accepted: &Accepted) {
        let published = accepted.publish.as_deref().map_or(0, Message::bytes);
        self.turn.memory.give(publish_cost(published));
        self.check();
    }

    /// Content for these callbacks is taken in; nothing is durable yet.
    fn publish(&mut self, callbacks: &[Callback]) -> Accepted {
        self.seq += 1;
        let content = Content {
            topic: b"http://t/",
            content_type: "text/plain",
            content_encoding: None,
            body: Frame::copy_of(b"content"),
            hops: 0,
        };
        let accepted = self.dispatch.publish(&mut self.turn, content, callbacks);
        let accepted = accepted.unwrap();
        self.settle(&accepted);
        accepted
    }

    /// The same, durable and offered.
    fn offered(&mut self, callbacks: &[Callback]) -> Vec<Key> {
        let open = self.publish(callbacks).open.unwrap();
        self.dispatch.deliveries.durable(&mut self.turn, open);
        self.offers()
    }

    fn offers(&mut self) -> Vec<Key> {
        let deliveries = &mut self.dispatch.deliveries;
        std::iter::from_fn(|| deliveries.next_offer().map(|it| it.delivery)).collect()
    }

    /// Released, and its first attempt begun.
    fn begin(&mut self, key: Key) {
        self.dispatch.deliveries.release(&mut self.turn, key);
        self.begin_due(key);
    }

    fn begin_due(&mut self, key: Key) {
        let due = self.dispatch.deliveries.next_due().map(|(key, ..)| key);
        assert_eq!(due, Some(key));
        let begun = self.dispatch.deliveries.begin(&mut self.turn, key);
        assert_eq!(begun.unwrap().1, Duration::from_secs(30));
        self.check();
    }

    fn answer(&mut self, key: Key, status: u16) {
        let retry_after = None;
        let ending = Ending::Answer {
            status,
            retry_after,
        };
        self.conclude(key, &ending);
    }

    fn conclude(&mut self, key: Key, ending: &Ending) {
        self.dispatch
            .deliveries
            .concluded(&mut self.turn, key, ending, None);
        self.check();
    }

    fn cancel(&mut self, key: Key) {
        self.dispatch
            .deliveries
            .cancel(&mut self.turn, key, "superseded");
        self.check();
    }

    /// Time passes, and what is due becomes so when it is.
    fn pass(&mut self, time: Duration) {
        let end = self.turn.now.mono + time;
        while let Some(wake) = self.turn.wheel.next_wake().filter(|wake| *wake <= end) {
            self.set(self.turn.now.mono.max(wake));
            while let Some(timer) = self.turn.wheel.pop(self.turn.now.mono) {
                match timer {
                    Timer::Delivery(key) => self.dispatch.deliveries.fired(&mut self.turn, key),
                    Timer::Far => self.dispatch.deliveries.look_far(&mut self.turn),
                    other => unreachable!("{other:?}"),
                }
            }
            self.check();
        }
        self.set(end);
    }

    fn set(&mut self, mono: Mono) {
        self.turn.now.wall = self.turn.now.wall + mono.since(self.turn.now.mono);
        self.turn.now.mono = mono;
    }

    fn fates(&mut self) -> Vec<(Key, Fate)> {
        let deliveries = &mut self.dispatch.deliveries;
        let reports = std::iter::from_fn(|| deliveries.next_report());
        reports.map(|it| (it.delivery, it.next)).collect()
    }

    fn check(&mut self) {
        let held = self.dispatch.deliveries.check();
        assert_eq!(held, self.turn.memory.held(), "the account is wrong");
        while let Some(action) = self.turn.actions.pop_front() {
            if let Action::Store(_, StoreOp::End { number, end, .. }) = action {
                self.ends.push((number, end.outcome));
                self.told.push((number, end));
            }
        }
    }

    /// Nothing is left: no delivery, no timer, no byte.
    fn is_over(&mut self) -> bool {
        self.check();
        let due = self.dispatch.deliveries.next_due().is_none();
        let nothing = self.dispatch.deliveries.is_empty() && self.turn.wheel.is_empty();
        due && nothing && self.turn.memory.held() == 0
    }

    /// What is under way of a message, and what the store was told: number, status, and of what has
    /// ended its URL and the detail.
    fn shown(&self, accepted: &Accepted) -> Vec<(u32, Status, String)> {
        let deliveries = &self.dispatch.deliveries;
        let live = deliveries.live(&self.turn, accepted.id, u32::MAX);
        let live = live
            .into_iter()
            .map(|it| (it.number, it.status, String::new()));
        let ended = self.told.iter().map(|(number, end)| {
            let status = Status::Ended(end.outcome);
            (
                *number,
                status,
                format!("{} {}", end.target.url, end.detail),
            )
        });
        let mut rows: Vec<_> = ended.chain(live).collect();
        rows.sort_by_key(|(number, ..)| *number);
        rows
    }
}

/// One notice, and a stage that has it offered.
fn one() -> (Stage, Key) {
    let mut stage = Stage::new();
    let callback = stage.callback("http://127.0.0.1:9000/");
    let key = stage.offered(&[callback])[0];
    (stage, key)
}

const ENDED: fn(Outcome) -> Fate = Fate::Ended;

#[test]
fn an_offer_comes_once_and_waits_for_its_release() {
    let (mut stage, key) = one();
    stage.pass(HOUR);
    assert!(stage.offers().is_empty(), "an offer came twice");
    assert!(stage.dispatch.deliveries.next_due().is_none(), "unreleased");
    stage.begin(key);
    stage.dispatch.deliveries.release(&mut stage.turn, key);
    assert!(stage.dispatch.deliveries.next_due().is_none(), "twice");
    stage.answer(key, 204);
    assert_eq!(stage.fates(), [(key, ENDED(Outcome::Delivered))]);
    assert_eq!(stage.ends, [(1, Outcome::Delivered)]);
    assert!(stage.is_over());
}

#[test]
fn each_state_can_be_called_off() {
    type Walk = fn(&mut Stage, Key);
    let walks: [(&str, Walk); 5] = [
        ("offered", |_, _| {}),
        ("queued, not in its lane", |stage, key| {
            stage.dispatch.deliveries.release(&mut stage.turn, key);
        }),
        ("queued, in its lane", |stage, key| {
            stage.dispatch.deliveries.release(&mut stage.turn, key);
            assert!(stage.dispatch.deliveries.next_due().is_some());
        }),
        ("waiting in the wheel", |stage, key| {
            stage.begin(key);
            stage.answer(key, 500);
        }),
        ("waiting in the due-index", |stage, key| {
            stage.begin(key);
            stage.answer(key, 500);
            stage.pass(Duration::from_secs(12));
            stage.begin_due(key);
            stage.answer(key, 500);
            stage.pass(Duration::from_secs(70));
            stage.begin_due(key);
            stage.answer(key, 500);
        }),
    ];
    for (state, walk) in walks {
        let (mut stage, key) = one();
        walk(&mut stage, key);
        stage.fates();
        stage.cancel(key);
        assert_eq!(stage.fates(), [(key, ENDED(Outcome::Canceled))], "{state}");
        assert_eq!(stage.ends, [(1, Outcome::Canceled)], "{state}");
        assert!(stage.is_over(), "{state}");
        // Its lane may still ask for it.
        assert!(
            stage
                .dispatch
                .deliveries
                .begin(&mut stage.turn, key)
                .is_none()
        );
        stage.dispatch.deliveries.expire(&mut stage.turn, key);
        stage.cancel(key);
        assert!(stage.fates().is_empty() && stage.is_over(), "{state}");
    }
}

#[test]
fn what_is_called_off_before_it_is_durable_ends_once_it_is() {
    let mut stage = Stage::new();
    let callbacks = [
        stage.callback("http://127.0.0.1:9000/"),
        stage.callback("http://127.0.0.1:9001/"),
    ];
    let open = stage.publish(&callbacks).open.unwrap();
    let keys: Vec<Key> = stage
        .dispatch
        .deliveries
        .deliveries
        .iter()
        .map(|(key, ..)| key)
        .collect();
    stage.cancel(keys[0]);
    assert!(
        stage.fates().is_empty() && stage.ends.is_empty(),
        "too early"
    );
    stage.dispatch.deliveries.durable(&mut stage.turn, open);
    stage.check();
    assert_eq!(stage.ends, [(1, Outcome::Canceled)]);
    assert_eq!(stage.offers(), [keys[1]]);
    stage.cancel(keys[1]);
    assert!(stage.is_over());
}

#[test]
fn an_attempt_under_way_is_not_torn_off() {
    let timeout = Ending::Fault {
        fault: Fault::Timeout,
        detail: "no_answer",
    };
    let answer = |status| Ending::Answer {
        status,
        retry_after: Some(HOUR),
    };
    let rows = [
        (answer(200), Outcome::Delivered),
        (answer(410), Outcome::Failed),
        (answer(503), Outcome::Canceled),
        (timeout, Outcome::Canceled),
    ];
    for (ending, outcome) in rows {
        let (mut stage, key) = one();
        stage.begin(key);
        stage.cancel(key);
        assert!(stage.fates().is_empty(), "{ending}: it ended too early");
        stage.conclude(key, &ending);
        let report = stage.dispatch.deliveries.next_report().unwrap();
        assert_eq!(report.next, ENDED(outcome), "{ending}");
        assert_eq!(report.ending, Some(ending));
        assert!(stage.is_over());
    }
}

#[test]
fn an_attempt_that_did_not_count_does_not_begin_again_once_it_is_called_off() {
    let (mut stage, key) = one();
    stage.begin(key);
    stage.cancel(key);
    stage.dispatch.deliveries.uncount(&mut stage.turn, key);
    assert!(
        stage
            .dispatch
            .deliveries
            .begin(&mut stage.turn, key)
            .is_none()
    );
    assert_eq!(stage.fates(), [(key, ENDED(Outcome::Canceled))]);
    assert!(stage.is_over());
}

#[test]
fn what_the_store_lost_is_never_offered() {
    let mut stage = Stage::new();
    let callback = stage.callback("http://127.0.0.1:9000/");
    let open = stage.publish(&[callback]).open.unwrap();
    stage.dispatch.deliveries.lost(&mut stage.turn, open);
    assert!(stage.offers().is_empty() && stage.fates().is_empty() && stage.ends.is_empty());
    assert!(stage.is_over());
}

#[test]
fn without_memory_nothing_is_taken_in() {
    let mut stage = Stage::new();
    let callback = stage.callback("http://127.0.0.1:9000/");
    stage.turn.memory = Ledger::new(600);
    let content = Content {
        topic: b"t",
        content_type: "",
        content_encoding: None,
        body: Frame::copy_of(&[b'x'; 100]),
        hops: 0,
    };
    let refused = stage
        .dispatch
        .publish(&mut stage.turn, content, &[callback]);
    assert_eq!(
        refused.unwrap_err().reason,
        crate::http::problem::Reason::MemoryFull
    );
    assert!(stage.turn.actions.is_empty() && stage.is_over());
}
