//! What has ended is kept for a while, by age and by bytes; what is open, as long as it is.
//! Nothing here depends on how fast it goes.

use std::sync::Arc;
use std::time::Duration;

use hookah::base::time::Wall;
use hookah::model::record::Search;
use hookah::model::{MessageId, Outcome};
use hookah::port::StoreOp;

use crate::BACKENDS;
use crate::make::{self, FUTURE, PAST, accept, answered, at, message, nth, work};
use crate::rig::{Bounds, Rig};

/// All ids that a search finds, the newest first.
fn ids(rig: &mut Rig) -> Vec<MessageId> {
    let found = rig.search(&Search {
        limit: 100,
        ..Search::default()
    });
    found.iter().map(|story| story.message.id).collect()
}

/// A message with one delivery, which ends at once if it is told to.
fn dispatch(rig: &mut Rig, n: u64, ends: bool, bytes: usize) {
    let one = work(nth(n), 1, at(7, FUTURE, true));
    rig.hand(accept(&Arc::new(message(nth(n), &vec![b'x'; bytes]))));
    rig.hand(StoreOp::Work(one.clone()));
    if ends {
        let attempt = answered(1, 200, b"so");
        rig.hand(make::end(&one, Outcome::Delivered, Some(attempt)));
    }
}

#[test]
fn what_ended_goes_with_its_age_and_what_is_open_stays() {
    let bounds = Bounds {
        keep_age: Duration::from_secs(60),
        ..Bounds::default()
    };
    for backend in BACKENDS.into_iter().filter(|it| it.lasts) {
        let mut rig = Rig::with(backend, bounds);
        for n in 1..=1_500 {
            dispatch(&mut rig, n, n % 100 != 0, 100);
        }
        rig.settle();
        let open: Vec<MessageId> = (1..=15).rev().map(|n| nth(100 * n)).collect();
        while ids(&mut rig) != open {}
        assert!(rig.story(nth(1)).is_none());
        // It goes as soon as it has ended.
        let one = work(nth(100), 1, at(7, FUTURE, true));
        rig.lasts([make::end(&one, Outcome::Failed, None)]);
        while ids(&mut rig) != open[..14] {}
        assert_eq!(rig.take(7, u64::MAX, 100, u64::MAX).0.len(), 14);
    }
}

#[test]
fn what_is_young_enough_stays() {
    for backend in BACKENDS {
        let mut rig = Rig::with(backend, Bounds::default());
        for n in 1..=700 {
            dispatch(&mut rig, n, true, 100);
        }
        rig.settle();
        rig.restart();
        if backend.lasts {
            assert_eq!(ids(&mut rig).len(), 700);
        }
    }
}

#[test]
fn the_oldest_make_way_when_there_is_too_much() {
    let bounds = Bounds {
        keep_bytes: 2 << 20,
        memory_bytes: 2 << 20,
        ..Bounds::default()
    };
    for backend in BACKENDS {
        let mut rig = Rig::with(backend, bounds);
        // Far more than there is room for, and some of it open.
        for n in 1..=600 {
            dispatch(&mut rig, n, n % 200 != 0, 10_000);
            if n % 50 == 0 {
                rig.settle();
            }
        }
        let sum = |rig: &mut Rig| {
            let found = rig.search(&Search {
                limit: 100,
                ..Search::default()
            });
            found.iter().map(|story| story.body_bytes).sum::<u64>()
        };
        while sum(&mut rig) > 2 << 20 {}
        let left = ids(&mut rig);
        for n in [200, 400, 600] {
            assert!(left.contains(&nth(n)), "what is open stays");
        }
        let ended: Vec<MessageId> = left
            .into_iter()
            .filter(|it| !(1..=3).any(|n| nth(200 * n) == *it))
            .collect();
        assert!(!ended.is_empty(), "what fits stays");
        let newest: Vec<MessageId> = (1..600)
            .rev()
            .filter(|n| n % 200 != 0)
            .map(nth)
            .take(ended.len())
            .collect();
        assert_eq!(ended, newest, "the oldest go first");
    }
}

#[test]
fn the_backlog_is_no_history() {
    // What streams may still ask for stays, whatever its age as history.
    let bounds = Bounds {
        backlog_age: Duration::from_secs(200 * 365 * 86_400),
        keep_age: Duration::from_secs(60),
        ..Bounds::default()
    };
    for backend in BACKENDS.into_iter().filter(|it| it.lasts) {
        let mut rig = Rig::with(backend, bounds);
        let published = make::rich(nth(1), &[b"topic"], "label");
        rig.hand(accept(&Arc::new(published)));
        dispatch(&mut rig, 2, true, 10);
        rig.settle();
        while ids(&mut rig) != [nth(1)] {}
        assert!(rig.story(nth(2)).is_none());
        assert_eq!(make::accepted(nth(1)), Wall(PAST.0 + 1_000_000));
    }
}
