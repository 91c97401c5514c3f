//! One message with everything that happened to it, within bounds.
//! Searches are in `searching.rs`.

use std::borrow::Cow;
use std::sync::Arc;

use hookah::model::Outcome;
use hookah::model::record::{Answered, Attempt, Search, Status};
use hookah::port::StoreOp;

use crate::make::{self, FUTURE, PAST, accept, answered, at, attempt, message, nth, rich, work};
use crate::model::Model;
use crate::rig::Rig;
use crate::{each, text};

/// Does all of it in the store and the model, and compares what is known of the first message.
fn same(rig: &mut Rig, ops: Vec<StoreOp>) -> String {
    let mut model = Model::default();
    for op in ops {
        model.apply(&op);
        rig.hand(op);
    }
    rig.settle();
    let known = text::story(&model.story(nth(1)).expect("it was accepted"));
    let found = rig.story(nth(1)).map(|story| text::story(&story));
    assert_eq!(found.as_deref(), Some(&*known), "{}", rig.backend.scheme);
    known
}

#[test]
fn a_message_is_told_as_it_came() {
    each(|rig| {
        let rich = rich(nth(1), &[b"one", b"", b"\x00\xFF"], "a label");
        same(rig, vec![accept(&Arc::new(rich))]);
    });
    each(|rig| {
        same(rig, vec![accept(&Arc::new(message(nth(1), b"")))]);
    });
}

#[test]
fn nobody_knows_a_message_that_never_was() {
    each(|rig| {
        rig.lasts([accept(&Arc::new(message(nth(1), b"")))]);
        // The number of one that there is, with another tail.
        assert!(rig.story(hookah::model::MessageId(nth(1).0 ^ 1)).is_none());
        assert!(rig.story(hookah::model::MessageId(0)).is_none());
        assert!(rig.story(hookah::model::MessageId(u128::MAX)).is_none());
    });
}

#[test]
fn every_status_is_told() {
    each(|rig| {
        let place = |due| at(7, due, false);
        let deliveries = [PAST, FUTURE, FUTURE, PAST, PAST, PAST, PAST];
        let works: Vec<_> = (1..)
            .zip(deliveries)
            .map(|(n, due)| work(nth(1), n, place(due)))
            .collect();
        let mut ops = vec![accept(&Arc::new(message(nth(1), b"body")))];
        ops.extend(works.iter().cloned().map(StoreOp::Work));
        ops.push(StoreOp::Later {
            id: nth(1),
            number: 3,
            place: place(FUTURE),
            attempts: 1,
            attempt: Some(attempt(1)),
        });
        let ended = [
            (3, Outcome::Delivered, Some(answered(1, 204, b""))),
            (4, Outcome::Failed, Some(answered(1, 410, b"gone"))),
            (5, Outcome::Expired, None),
            (6, Outcome::Canceled, None),
        ];
        for (place, outcome, attempt) in ended {
            ops.push(make::end(&works[place], outcome, attempt));
        }
        let told = same(rig, ops);
        let words = [
            "queued",
            "scheduled",
            "retrying",
            "delivered",
            "failed",
            "expired",
            "canceled",
        ];
        for word in words {
            assert!(
                told.contains(&format!(" {word} detail")),
                "{word} in {told}"
            );
        }
        let story = rig.story(nth(1)).expect("it is kept");
        assert_eq!(story.deliveries[1].next, Some(FUTURE));
        assert_eq!(story.deliveries[1].status, Status::Scheduled);
    });
}

#[test]
fn attempts_are_told_in_order_with_their_answers() {
    each(|rig| {
        let one = work(nth(1), 1, at(7, PAST, false));
        let mut ops = vec![
            accept(&Arc::new(message(nth(1), b"body"))),
            StoreOp::Work(one.clone()),
        ];
        for number in 1..=12 {
            let it = match number % 3 {
                0 => attempt(number),
                1 => answered(number, 500, b"\x00\xFF"),
                _ => answered(number, 599, &[b'x'; 65_536]),
            };
            ops.push(StoreOp::Later {
                id: nth(1),
                number: 1,
                place: at(7, FUTURE, false),
                attempts: number,
                attempt: Some(it),
            });
        }
        ops.push(StoreOp::Rest {
            id: nth(1),
            number: 1,
            attempt: 10,
            body: b"all of it".as_slice().into(),
            truncated: true,
        });
        ops.push(make::end(&one, Outcome::Expired, None));
        // An answer may come later than the end.
        ops.push(StoreOp::Rest {
            id: nth(1),
            number: 1,
            attempt: 7,
            body: b"late".as_slice().into(),
            truncated: false,
        });
        same(rig, ops);
    });
}

#[test]
fn odd_words_and_large_numbers_come_back() {
    each(|rig| {
        let mut one = work(nth(1), u32::MAX - 1, at(u64::MAX, FUTURE, false));
        one.subscription = u64::MAX;
        let odd = Attempt {
            took: u64::MAX >> 1,
            status: 999,
            error: Cow::Owned("an odd word".to_owned()),
            detail: Cow::Owned("é\n\"'\u{0}".to_owned()),
            answer: Some(Box::new(Answered {
                head: Box::default(),
                body: Box::default(),
                truncated: true,
            })),
            ..attempt(1_000_000)
        };
        let later = StoreOp::Later {
            id: nth(1),
            number: one.number,
            place: one.place,
            attempts: odd.attempt,
            attempt: Some(odd),
        };
        same(
            rig,
            vec![
                accept(&Arc::new(message(nth(1), b""))),
                StoreOp::Work(one),
                later,
            ],
        );
    });
}

#[test]
fn a_crowd_of_deliveries_is_told_in_part() {
    each(|rig| {
        rig.hand(accept(&Arc::new(message(nth(1), b"body"))));
        for number in 1..=2_500 {
            let one = work(nth(1), number, at(7, PAST, false));
            rig.hand(StoreOp::Work(one.clone()));
            if number % 3 == 0 {
                rig.hand(make::end(
                    &one,
                    Outcome::Delivered,
                    Some(answered(1, 200, b"")),
                ));
            }
        }
        rig.settle();
        let story = rig.story(nth(1)).expect("it is kept");
        assert!(story.more);
        let numbers: Vec<u32> = story.deliveries.iter().map(|it| it.number).collect();
        assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
        let found = rig.search(&Search {
            limit: 1,
            ..Search::default()
        });
        assert!(found[0].more && found[0].deliveries.len() <= 1000);
    });
}

#[test]
fn answers_are_told_up_to_a_bound() {
    each(|rig| {
        let body = vec![b'x'; 1 << 20];
        rig.hand(accept(&Arc::new(message(nth(1), b""))));
        for number in 1..=6 {
            let one = work(nth(1), number, at(7, PAST, false));
            rig.hand(StoreOp::Work(one.clone()));
            rig.hand(make::end(
                &one,
                Outcome::Delivered,
                Some(answered(1, 200, &body)),
            ));
        }
        rig.settle();
        let story = rig.story(nth(1)).expect("it is kept");
        let attempts: Vec<&Attempt> = story.deliveries.iter().map(|it| &it.attempts[0]).collect();
        assert_eq!(attempts.len(), 6, "an attempt is told without its answer");
        let whole = attempts.iter().filter(|it| it.answer.is_some()).count();
        assert!((3..=4).contains(&whole), "{whole} MiB of answers");
    });
}
