//! Operations in their order, and the same ones once more.
//! What a crash does to them is told in `crashing.rs`.

use std::sync::Arc;

use hookah::model::Outcome;
use hookah::model::record::{Status, Table};
use hookah::port::StoreOp;

use crate::make::{self, FUTURE, PAST, accept, answered, at, attempt, message, nth, work};
use crate::{each, text};

#[test]
fn durable_goes_forward_to_the_last() {
    each(|rig| {
        for n in 1..=50 {
            let message = Arc::new(message(nth(n), b"body"));
            rig.hand(accept(&message));
            rig.hand(StoreOp::Work(work(nth(n), 1, at(7, PAST, false))));
            if n % 7 == 0 {
                rig.flush();
            }
        }
        rig.settle();
        assert_eq!(rig.durable, Some(100));
        assert!(rig.told.is_empty(), "{:?}", rig.told);
    });
}

#[test]
fn a_flush_of_nothing_is_none() {
    each(|rig| {
        rig.flush();
        rig.lasts([accept(&Arc::new(message(nth(1), b"")))]);
        rig.flush();
        rig.flush();
        assert_eq!(rig.durable, Some(1));
        rig.lasts([accept(&Arc::new(message(nth(2), b"")))]);
        assert_eq!(rig.durable, Some(2));
    });
}

#[test]
fn what_is_said_twice_is_known_once() {
    each(|rig| {
        let message = Arc::new(message(nth(1), b"body"));
        let one = work(nth(1), 1, at(7, PAST, false));
        let later = || StoreOp::Later {
            id: nth(1),
            number: 1,
            place: at(7, FUTURE, false),
            attempts: 1,
            attempt: Some(attempt(1)),
        };
        let end = || make::end(&one, Outcome::Delivered, Some(answered(2, 200, b"so")));
        rig.lasts([
            accept(&message),
            StoreOp::Work(one.clone()),
            later(),
            later(),
        ]);
        let story = rig.story(nth(1)).expect("it is kept");
        assert_eq!(story.deliveries.len(), 1, "{}", text::story(&story));
        assert_eq!(story.deliveries[0].status, Status::Retrying);
        assert_eq!(story.deliveries[0].attempts, [attempt(1)]);
        rig.lasts([end(), end()]);
        rig.lasts([end()]);
        let story = rig.story(nth(1)).expect("it is kept");
        assert_eq!(story.deliveries.len(), 1, "{}", text::story(&story));
        assert_eq!(
            story.deliveries[0].attempts,
            [attempt(1), answered(2, 200, b"so")]
        );
    });
}

#[test]
fn what_is_not_there_is_no_error() {
    each(|rig| {
        let absent = work(nth(9), 1, at(7, PAST, false));
        rig.lasts([
            make::end(&absent, Outcome::Canceled, None),
            StoreOp::Rest {
                id: nth(9),
                number: 1,
                attempt: 1,
                body: b"late".as_slice().into(),
                truncated: true,
            },
            StoreOp::Keep {
                table: Table::Keys,
                key: b"absent".as_slice().into(),
                value: None,
            },
        ]);
        assert!(rig.story(nth(9)).is_none());
        let (rows, left) = rig.take(7, u64::MAX, 10, 1 << 20);
        assert!(rows.is_empty() && left.is_none(), "{left:?}");
        assert_eq!(rig.cancel(nth(9), PAST).0, 0);
    });
}

#[test]
fn a_question_sees_all_before_it_and_nothing_after() {
    each(|rig| {
        use hookah::model::record::{Found, Question};
        let accepted = |n| accept(&Arc::new(message(nth(n), b"body")));
        let ask = |ticket, n| StoreOp::Ask {
            ticket,
            question: Box::new(Question::Message(nth(n))),
        };
        rig.hand(ask(100, 1));
        rig.hand(accepted(1));
        rig.hand(ask(101, 1));
        rig.flush();
        assert!(matches!(rig.answer(101), Found::Message(Some(_))));
        // The first of the two may be answered as of the whole flush; it is answered either way.
        assert!(matches!(rig.answer(100), Found::Message(_)));
        rig.settle();
        assert!(rig.story(nth(2)).is_none());
    });
}
