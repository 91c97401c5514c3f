//! Searches against the model, after operations at random: every filter, every page.
//! The order is that of ids, the newest first.

use std::sync::Arc;

use hookah::base::rng::Rng;
use hookah::base::time::Wall;
use hookah::model::record::{Attempt, Search, Status};
use hookah::model::{MessageId, Outcome};
use hookah::port::StoreOp;

use crate::make::{
    self, FUTURE, PAST, accept, accepted, answered, at, attempt, message, nth, rich, work,
};
use crate::model::Model;
use crate::rig::Rig;
use crate::{BACKENDS, each, text};

const TOPICS: [&[u8]; 4] = [b"one", b"on", b"e", b"\x00\x03one"];
const LABELS: [&str; 3] = ["red", "green", "gree"];
const LANES: [u64; 3] = [1, 2, u64::MAX];
const OUTCOMES: [Outcome; 4] = [
    Outcome::Delivered,
    Outcome::Failed,
    Outcome::Expired,
    Outcome::Canceled,
];

/// A store, the model, and what drives them both.
struct Pair<'r> {
    rig: &'r mut Rig,
    model: Model,
    rng: Rng,
    accepted: u64,
    said: usize,
}

fn one_of<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.below(all.len() as u64) as usize].clone()
}

impl Pair<'_> {
    fn hand(&mut self, op: StoreOp) {
        self.model.apply(&op);
        self.rig.hand(op);
        self.said += 1;
    }

    fn accept(&mut self) {
        self.accepted += 1;
        let id = nth(self.accepted);
        let rng = &mut self.rng;
        let message = match rng.below(2) {
            0 => message(id, b"plain"),
            _ => {
                let topics = [one_of(rng, &TOPICS), one_of(rng, &TOPICS)];
                rich(id, &topics[..rng.below(3) as usize], one_of(rng, &LABELS))
            }
        };
        let count = rng.below(4) as u32;
        let mut ops = vec![accept(&Arc::new(message))];
        for number in 1..=count {
            let due = one_of(rng, &[PAST, FUTURE]);
            let place = at(one_of(rng, &LANES), due, rng.below(2) == 0);
            ops.push(StoreOp::Work(work(id, number, place)));
        }
        for op in ops {
            self.hand(op);
        }
    }

    fn attempt(&mut self, number: u32) -> Attempt {
        match self.rng.below(3) {
            0 => attempt(number),
            1 => answered(number, 500, b"sorry"),
            _ => answered(number, 200, b""),
        }
    }

    /// Goes on with one of the deliveries that the engine would have.
    fn go_on(&mut self) {
        let open = self.model.open(false);
        if open.is_empty() {
            return;
        }
        let work = one_of(&mut self.rng, &open);
        let number = work.attempts + 1;
        let attempt = (self.rng.below(4) > 0).then(|| self.attempt(number));
        if self.rng.below(2) == 0 {
            let outcome = one_of(&mut self.rng, &OUTCOMES);
            return self.hand(make::end(&work, outcome, attempt));
        }
        let due = one_of(&mut self.rng, &[PAST, FUTURE]);
        let place = at(one_of(&mut self.rng, &LANES), due, self.rng.below(2) == 0);
        self.hand(StoreOp::Later {
            id: work.id,
            number: work.number,
            place,
            attempts: work.attempts + u32::from(attempt.is_some()),
            attempt,
        });
    }

    fn rest(&mut self) {
        let answered = self.model.answered();
        if let Some((id, number, attempt)) =
            answered.first().map(|_| one_of(&mut self.rng, &answered))
        {
            let truncated = self.rng.below(2) == 0;
            self.hand(StoreOp::Rest {
                id,
                number,
                attempt,
                body: b"the whole answer".as_slice().into(),
                truncated,
            });
        }
    }

    fn take(&mut self) {
        let lane = one_of(&mut self.rng, &LANES);
        let until = one_of(&mut self.rng, &[PAST.0, FUTURE.0, 5, u64::MAX]);
        let (rows, bytes) = (self.rng.below(4) as u32 + 1, self.rng.below(20));
        let known = self.model.take(lane, until, rows, bytes);
        let (found, left) = self.rig.take(lane, until, rows, bytes);
        assert_eq!(text::taken(&found), text::taken(&known));
        assert_eq!(left, self.model.parked(lane));
    }

    fn cancel(&mut self) {
        let Some(id) = self.any_id() else { return };
        let (count, lanes) = self.model.cancel(id);
        let (found, mut told) = self.rig.cancel(id, PAST);
        told.sort_by_key(|it| it.lane);
        assert_eq!(found, count);
        assert_eq!(
            told.iter().map(|it| it.lane).collect::<Vec<_>>(),
            Vec::from_iter(lanes)
        );
        for left in told {
            let known = self.model.parked(left.lane);
            assert_eq!((left.count > 0).then_some(left), known);
        }
    }

    fn any_id(&mut self) -> Option<MessageId> {
        let ids = self.model.ids();
        (!ids.is_empty()).then(|| one_of(&mut self.rng, &ids))
    }

    fn story(&mut self) {
        let Some(id) = self.any_id() else { return };
        let known = self.model.story(id).map(|it| text::story(&it));
        let found = self.rig.story(id).map(|it| text::story(&it));
        assert_eq!(found, known);
    }

    fn some<T>(&mut self, it: impl FnOnce(&mut Pair) -> T) -> Option<T> {
        (self.rng.below(4) == 0).then(|| it(self))
    }

    fn time(&mut self) -> Wall {
        let id = self.any_id().unwrap_or_default();
        Wall((accepted(id).0 + self.rng.below(3)).saturating_sub(1))
    }

    /// A search at random, with all its pages.
    fn search(&mut self) {
        let search = Search {
            status: self.some(|it| one_of(&mut it.rng, &Status::ALL)),
            topic: self.some(|it| one_of(&mut it.rng, &TOPICS).into()),
            url: self.some(|it| format!("http://127.0.0.1:9/{}", it.rng.below(4)).into()),
            label: self.some(|it| one_of(&mut it.rng, &LABELS).into()),
            since: self.some(|it| it.time()),
            until: self.some(|it| it.time()),
            before: self.some(|it| it.any_id()).flatten(),
            limit: self.rng.below(7) as usize + 1,
        };
        let known = text::stories(&self.model.search(&search));
        let found = text::stories(&self.rig.search(&search));
        assert_eq!(found, known, "{search:?}");
    }

    fn step(&mut self) {
        match self.rng.below(32) {
            0..=7 => self.accept(),
            8..=18 => self.go_on(),
            19..=20 => self.rest(),
            21..=23 => self.take(),
            24 => self.cancel(),
            25..=26 => self.story(),
            27..=30 => self.search(),
            _ if self.rng.below(8) > 0 => self.rig.settle(),
            _ => self.restart(),
        }
    }

    fn restart(&mut self) {
        self.rig.settle();
        match self.rng.below(2) {
            0 => self.rig.crash(),
            _ => self.rig.restart(),
        }
        match self.rig.backend.lasts {
            true => self.model.restart(),
            false => self.model.forget(),
        }
    }
}

#[test]
fn the_store_knows_what_the_model_knows() {
    for seed in 1..=6 {
        for backend in BACKENDS {
            println!("seed {seed} on {}", backend.scheme);
            let mut rig = Rig::new(backend);
            let mut pair = Pair {
                rig: &mut rig,
                model: Model::default(),
                rng: Rng::new([seed; 32]),
                accepted: 0,
                said: 0,
            };
            for _ in 0..400 {
                pair.step();
            }
            assert!(pair.said > 150, "hardly anything happened");
        }
    }
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    each(|rig| {
        for n in 1..=100 {
            rig.hand(accept(&Arc::new(message(nth(n), b""))));
        }
        rig.settle();
        for limit in [1, 7, 100, 500] {
            let found = rig.search(&Search {
                limit,
                ..Search::default()
            });
            let ids: Vec<MessageId> = found.iter().map(|it| it.message.id).collect();
            assert_eq!(ids, (1..=100).rev().map(nth).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_clock_that_went_back_hides_nothing() {
    each(|rig| {
        // Ids go on where they were, the time of acceptance is an hour earlier.
        let hour = 3_600_000_000;
        for n in 1..=20 {
            let mut message = message(nth(n), b"");
            if n > 10 {
                message.accepted = Wall(message.accepted.0 - hour);
            }
            rig.hand(accept(&Arc::new(message)));
        }
        rig.settle();
        let search = |since, until| Search {
            since,
            until,
            limit: 3,
            ..Search::default()
        };
        let early = rig.search(&search(None, Some(PAST)));
        assert_eq!(early.len(), 10, "accepted before the first");
        let late = rig.search(&search(Some(PAST), None));
        assert_eq!(late.len(), 10, "accepted after it");
    });
}
