//! The process dies between any two steps: what was told to last is there, and what was never
//! flushed is not. A store that does not last has nothing.

use std::sync::Arc;

use hookah::base::rng::Rng;
use hookah::model::Outcome;
use hookah::model::record::Table;
use hookah::port::StoreOp;

use crate::make::{self, FUTURE, PAST, accept, answered, at, attempt, message, nth, rich, work};
use crate::model::Model;
use crate::rig::Rig;
use crate::{BACKENDS, each, text};

/// What a message can go through, an operation after the other; the first three are its acceptance.
fn script(n: u64) -> Vec<StoreOp> {
    let id = nth(n);
    let (one, two) = (
        work(id, 1, at(7, PAST, false)),
        work(id, 2, at(8, FUTURE, true)),
    );
    vec![
        accept(&Arc::new(rich(id, &[b"t", b"\xFF\x00"], "label"))),
        StoreOp::Work(one.clone()),
        StoreOp::Work(two),
        StoreOp::Later {
            id,
            number: 1,
            place: at(7, FUTURE, true),
            attempts: 1,
            attempt: Some(answered(1, 503, b"busy")),
        },
        StoreOp::Rest {
            id,
            number: 1,
            attempt: 1,
            body: b"busy, and more".as_slice().into(),
            truncated: true,
        },
        make::end(&one, Outcome::Failed, Some(attempt(2))),
        StoreOp::Keep {
            table: Table::Topics,
            key: n.to_be_bytes().into(),
            value: Some(b"value".as_slice().into()),
        },
    ]
}

/// The store knows exactly what the model knows.
fn agree(rig: &mut Rig, model: &mut Model, n: u64) {
    for n in 1..=n {
        let known = model.story(nth(n)).map(|story| text::story(&story));
        let found = rig.story(nth(n)).map(|story| text::story(&story));
        assert_eq!(found, known, "{}", rig.backend.scheme);
    }
}

#[test]
fn what_lasts_is_there_after_a_crash_at_any_step() {
    each(|rig| {
        let mut model = Model::default();
        // A message and its work are one step.
        for n in 3..=7 {
            for op in script(n).into_iter().take(n as usize) {
                model.apply(&op);
                rig.hand(op);
            }
            rig.settle();
            rig.crash();
            match rig.backend.lasts {
                true => model.restart(),
                false => model.forget(),
            }
            agree(rig, &mut model, n);
        }
    });
}

#[test]
fn what_was_not_flushed_is_not_there() {
    each(|rig| {
        let mut model = Model::default();
        for op in script(1) {
            model.apply(&op);
            rig.hand(op);
        }
        rig.settle();
        for op in script(2) {
            rig.hand(op);
        }
        rig.crash();
        match rig.backend.lasts {
            true => model.restart(),
            false => model.forget(),
        }
        assert!(rig.story(nth(2)).is_none());
        agree(rig, &mut model, 2);
    });
}

#[test]
fn a_flush_lasts_as_a_whole_or_not_at_all() {
    let mut rng = Rng::new([3; 32]);
    for backend in BACKENDS.into_iter().filter(|backend| backend.lasts) {
        let mut rig = Rig::new(backend);
        for round in 1..=12 {
            let first = round * 100;
            let mut last = 0;
            // Flushed and not waited for: each of these flushes may be on the disk or not.
            for n in first..first + 20 {
                let (id, twin) = (nth(2 * n), nth(2 * n + 1));
                rig.hand(accept(&Arc::new(message(id, b"one"))));
                rig.hand(StoreOp::Work(work(id, 1, at(7, PAST, false))));
                rig.hand(accept(&Arc::new(message(twin, b"two"))));
                last = rig.hand(StoreOp::Work(work(twin, 1, at(7, PAST, false))));
                rig.flush();
                if rng.below(8) == 0 {
                    let seq = last;
                    rig.wait("a flush", |rig| (rig.durable >= Some(seq)).then_some(()));
                }
            }
            rig.wait("some of it", |_| Some(()));
            let durable = rig.durable.unwrap_or(0);
            let before = last - 80;
            rig.crash();
            let mut was_there = true;
            for (step, n) in (first..first + 20).enumerate() {
                let one = rig.story(nth(2 * n)).map(|it| it.deliveries.len());
                let two = rig.story(nth(2 * n + 1)).map(|it| it.deliveries.len());
                assert_eq!(one, two, "one flush of round {round}");
                assert!(matches!(one, None | Some(1)), "a message without its work");
                let promised = before + 4 * (step as u64 + 1) <= durable;
                assert!(one.is_some() || !promised, "told durable, and lost");
                assert!(was_there || one.is_none(), "a later one without an earlier");
                was_there = one.is_some();
            }
        }
    }
}

#[test]
fn an_end_in_order_loses_nothing_that_was_handed_over() {
    each(|rig| {
        let mut model = Model::default();
        for op in script(1).into_iter().chain(script(2)) {
            model.apply(&op);
            rig.hand(op);
        }
        rig.flush();
        rig.restart();
        match rig.backend.lasts {
            true => model.restart(),
            false => model.forget(),
        }
        agree(rig, &mut model, 2);
    });
}
