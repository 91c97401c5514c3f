//! Work that is in the store alone: taken in its order and within its bounds, parked again,
//! canceled.

use std::sync::Arc;

use hookah::base::time::Wall;
use hookah::model::Outcome;
use hookah::model::record::{Parked, Place, Status};
use hookah::port::StoreOp;

use crate::make::{PAST, accept, at, message, nth, work};
use crate::rig::Rig;
use crate::{each, text};

const LANE: u64 = u64::MAX - 5;

/// A message of `bytes` with one delivery parked in the lane.
fn park(rig: &mut Rig, n: u64, due: u64, bytes: usize) {
    let place = at(LANE, Wall(due), true);
    rig.hand(accept(&Arc::new(message(nth(n), &vec![b'x'; bytes]))));
    rig.hand(StoreOp::Work(work(nth(n), 1, place)));
}

fn numbers(rows: &[hookah::model::record::Taken]) -> Vec<u64> {
    let number = |n: u64| (n / 65_536 - PAST.millis()) / 1000;
    rows.iter()
        .map(|row| number(row.work.id.number()))
        .collect()
}

#[test]
fn rows_come_in_rank_then_in_the_order_of_acceptance() {
    each(|rig| {
        for (n, due) in [(1, 50), (2, 30), (3, 50), (4, 10), (5, 30)] {
            park(rig, n, due, 10);
        }
        rig.settle();
        let (rows, left) = rig.take(LANE, u64::MAX, 4, u64::MAX);
        assert_eq!(numbers(&rows), [4, 2, 5, 1]);
        let expected = Parked {
            lane: LANE,
            due: Wall(50),
            count: 1,
        };
        assert_eq!(left, Some(expected));
        assert!(rows.iter().all(|row| !row.work.place.parked));
        let (rows, left) = rig.take(LANE, u64::MAX, 4, u64::MAX);
        assert_eq!(numbers(&rows), [3]);
        assert_eq!(left, None);
    });
}

#[test]
fn no_row_comes_before_its_time_or_beyond_the_limits() {
    each(|rig| {
        for n in 1..=6 {
            park(rig, n, 10 * n, 100);
        }
        park(rig, 7, 70, 5000);
        rig.settle();
        assert_eq!(numbers(&rig.take(LANE, 9, 10, u64::MAX).0), [0; 0]);
        assert_eq!(numbers(&rig.take(LANE, 10, 10, u64::MAX).0), [1]);
        assert_eq!(numbers(&rig.take(LANE, 49, 2, u64::MAX).0), [2, 3]);
        assert_eq!(numbers(&rig.take(LANE, u64::MAX, 10, 200).0), [4, 5]);
        assert_eq!(numbers(&rig.take(LANE, u64::MAX, 10, 5099).0), [6]);
        // The first comes however large it is.
        assert_eq!(numbers(&rig.take(LANE, u64::MAX, 10, 0).0), [7]);
        assert_eq!(rig.take(LANE, u64::MAX, 10, 0).1, None);
    });
}

#[test]
fn ranks_and_lanes_use_their_bits() {
    each(|rig| {
        let ranks = [0, 1, 1 << 48, (1 << 62) - 1, (1 << 63) - 1];
        for (n, rank) in (1..).zip(ranks) {
            let place = Place {
                rank,
                ..at(LANE, PAST, true)
            };
            rig.hand(accept(&Arc::new(message(nth(n), b""))));
            rig.hand(StoreOp::Work(work(nth(n), 1, place)));
        }
        rig.settle();
        let (rows, _) = rig.take(LANE, (1 << 63) - 2, 10, 0);
        let taken: Vec<u64> = rows.iter().map(|row| row.work.place.rank).collect();
        assert_eq!(taken, ranks[..4]);
        let (rows, left) = rig.take(LANE, u64::MAX, 10, 0);
        assert_eq!(rows[0].work.place.rank, ranks[4]);
        assert_eq!((rows.len(), left), (1, None));
    });
}

#[test]
fn what_is_taken_is_whole() {
    each(|rig| {
        let urls = [
            "http://127.0.0.1:9/a?b=c",
            "https://user:secret@example.org/",
            "http://[::1]:8080/x%20y",
            "http://localhost/",
            "https://xn--bcher-kva.example:8443/?q",
        ];
        let message = Arc::new(crate::make::rich(nth(1), &[b"topic"], "label"));
        rig.hand(accept(&message));
        let mut expected = vec![];
        for (number, url) in (1..).zip(urls) {
            let mut it = work(
                nth(1),
                number,
                at(LANE, Wall(PAST.0 + u64::from(number)), true),
            );
            it.target = crate::make::target(url);
            it.attempts = number * 3;
            it.subscription = u64::MAX - u64::from(number);
            rig.hand(StoreOp::Work(it.clone()));
            expected.push(hookah::model::record::Taken {
                message: Arc::clone(&message),
                work: it,
            });
        }
        rig.settle();
        let (rows, _) = rig.take(LANE, u64::MAX, 10, u64::MAX);
        assert_eq!(text::taken(&rows), text::taken(&expected));
        let first = &rows[0].message;
        let shared = rows.iter().all(|row| Arc::ptr_eq(&row.message, first));
        assert!(
            shared,
            "deliveries of one message that are taken together share it"
        );
    });
}

#[test]
fn later_parks_again_and_unparked_rows_are_nobodys() {
    each(|rig| {
        park(rig, 1, 10, 1);
        rig.settle();
        assert_eq!(rig.take(LANE, u64::MAX, 9, 9).0.len(), 1);
        let later = |due, parked| StoreOp::Later {
            id: nth(1),
            number: 1,
            place: at(LANE + 1, Wall(due), parked),
            attempts: 2,
            attempt: None,
        };
        rig.lasts([later(20, false)]);
        for lane in [LANE, LANE + 1] {
            let (rows, left) = rig.take(lane, u64::MAX, 9, 9);
            assert_eq!((rows.len(), left), (0, None));
        }
        rig.lasts([later(30, true)]);
        let (rows, left) = rig.take(LANE + 1, u64::MAX, 9, 9);
        assert_eq!((rows.len(), left), (1, None));
        assert_eq!(
            (rows[0].work.attempts, rows[0].work.place.due),
            (2, Wall(30))
        );
    });
}

#[test]
fn cancel_ends_what_is_parked_and_says_what_is_left() {
    each(|rig| {
        park(rig, 1, 10, 1);
        park(rig, 2, 20, 1);
        rig.hand(StoreOp::Work(work(nth(1), 2, at(LANE, Wall(5), true))));
        rig.hand(StoreOp::Work(work(nth(1), 3, at(LANE - 1, Wall(5), true))));
        rig.hand(StoreOp::Work(work(nth(1), 4, at(LANE, Wall(1), false))));
        rig.settle();
        let (count, mut lanes) = rig.cancel(nth(1), PAST);
        assert_eq!(count, 3);
        lanes.sort_by_key(|lane| lane.lane);
        let told: Vec<(u64, u64)> = lanes.iter().map(|it| (it.lane, it.count)).collect();
        assert_eq!(told, [(LANE - 1, 0), (LANE, 1)]);
        assert_eq!(lanes[1].due, Wall(20));
        let story = rig.story(nth(1)).expect("it is kept");
        let statuses: Vec<Status> = story.deliveries.iter().map(|it| it.status).collect();
        let canceled = Status::Ended(Outcome::Canceled);
        assert_eq!(statuses, [canceled, canceled, canceled, Status::Queued]);
        assert!(story.deliveries.iter().all(|it| it.attempts.is_empty()));
        assert_eq!(numbers(&rig.take(LANE, u64::MAX, 10, 10).0), [2]);
        assert_eq!(rig.cancel(nth(1), PAST), (0, vec![]));
    });
}
