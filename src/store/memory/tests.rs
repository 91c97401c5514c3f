//! The book by itself, then the store that is nothing else.

use std::borrow::Cow;
use std::sync::Arc;

use super::*;
use crate::base::frame::Frame;
use crate::base::rng::Rng;
use crate::model::record::{
    Answered, Attempt, End, Found, Parked, Place, Question, Restored, Search, Status, Story, Table,
    Taken, Work,
};
use crate::model::{
    Extra, Message, MessageId, Method, Origin, Outcome, Scheme, Target, TopicNames,
};

mod questions;

fn id(number: u64) -> MessageId {
    MessageId((u128::from(number) << 64) | 7)
}

fn message(number: u64, body: usize, topics: &[&str], label: &str) -> Arc<Message> {
    let extra = Extra {
        label: Some(label.into()),
        ..Extra::default()
    };
    Arc::new(Message {
        id: id(number),
        accepted: Wall(number * 1_000),
        content_type: Cow::Borrowed("text/plain"),
        body: Frame::copy_of(&vec![b'x'; body]),
        topics: TopicNames::of(topics.iter().map(|name| name.as_bytes())),
        method: Method::Post,
        hops: 0,
        extra: Some(Box::new(extra)),
    })
}

fn accept(book: &mut Book, message: &Arc<Message>) {
    let op = StoreOp::Accept {
        message: Arc::clone(message),
        promised: false,
    };
    assert!(book.apply(Wall(0), op).is_none());
    book.check();
}

fn work(message: u64, number: u32, lane: u64, due: u64, parked: bool) -> Work {
    let origin = Origin {
        scheme: Scheme::Http,
        host: "h".into(),
        port: 80,
    };
    let target = Target {
        origin,
        addrs: Box::default(),
        name: None,
        server_name: None,
        authority: "h".into(),
        path: "/".into(),
        authorization: None,
        url: format!("http://h/{lane}").into(),
        lane,
    };
    Work {
        id: id(message),
        number,
        target: Arc::new(target),
        place: Place {
            lane,
            rank: due,
            due: Wall(due),
            parked,
        },
        expires: Wall(1 << 40),
        attempts: 0,
        subscription: 0,
    }
}

fn put(book: &mut Book, works: &[Work]) {
    for work in works {
        assert!(book.apply(Wall(0), StoreOp::Work(work.clone())).is_none());
        book.check();
    }
}

fn attempt(number: u32, answer: usize) -> Attempt {
    Attempt {
        attempt: number,
        at: Wall(5),
        took: 6,
        status: 500,
        error: Cow::Borrowed("status"),
        detail: Cow::Borrowed(""),
        answer: Some(Box::new(Answered {
            head: vec![b'h'; answer].into(),
            ..Answered::default()
        })),
    }
}

fn later(book: &mut Book, work: &Work, due: u64, parked: bool, tried: Option<Attempt>) {
    let op = StoreOp::Later {
        id: work.id,
        number: work.number,
        place: Place {
            rank: due,
            due: Wall(due),
            parked,
            ..work.place
        },
        attempts: tried.as_ref().map_or(work.attempts, |it| it.attempt),
        attempt: tried,
    };
    assert!(book.apply(Wall(0), op).is_none());
    book.check();
}

fn end(book: &mut Book, work: &Work, outcome: Outcome, last: Option<Attempt>) {
    let op = StoreOp::End {
        id: work.id,
        number: work.number,
        end: End {
            outcome,
            detail: "gone",
            at: Wall(9),
            target: Arc::clone(&work.target),
        },
        attempt: last,
    };
    assert!(book.apply(Wall(0), op).is_none());
    book.check();
}

fn take(
    book: &mut Book,
    lane: u64,
    until: u64,
    rows: u32,
    bytes: u64,
) -> (Vec<Taken>, Option<Parked>) {
    let op = StoreOp::Take {
        lane,
        until,
        rows,
        bytes,
    };
    let Some(StoreDone::Taken {
        lane: of,
        rows,
        left,
    }) = book.apply(Wall(0), op)
    else {
        unreachable!("a take that is not answered")
    };
    assert_eq!(of, lane);
    book.check();
    (rows, left)
}

fn story(book: &mut Book, now: u64, message: u64) -> Option<Box<Story>> {
    let question = Box::new(Question::Message(id(message)));
    let op = StoreOp::Ask {
        ticket: 3,
        question,
    };
    match book.apply(Wall(now), op) {
        Some(StoreDone::Found {
            ticket: 3,
            found: Found::Message(story),
        }) => story,
        other => unreachable!("{other:?}"),
    }
}

fn numbers(rows: &[Taken]) -> Vec<(u64, u32)> {
    let number = |it: &Taken| (it.message.id.number(), it.work.number);
    rows.iter().map(number).collect()
}

#[test]
fn parked_work_is_taken_in_the_order_of_its_ranks() {
    let mut book = Book::new(u64::MAX);
    for number in 1..=3 {
        accept(&mut book, &message(number, 100, &[], ""));
    }
    put(
        &mut book,
        &[
            work(1, 1, 8, 30, true),
            work(1, 2, 8, 30, true),
            work(1, 3, 9, 1, true),
        ],
    );
    put(
        &mut book,
        &[work(2, 1, 8, 10, true), work(3, 1, 8, 20, false)],
    );
    let (rows, left) = take(&mut book, 8, 29, 9, 1 << 20);
    assert_eq!(
        numbers(&rows),
        [(2, 1)],
        "neither what is later nor what is not parked"
    );
    assert!(!rows[0].work.place.parked);
    assert_eq!(
        left,
        Some(Parked {
            lane: 8,
            due: Wall(30),
            count: 2
        })
    );
    let (rows, left) = take(&mut book, 8, u64::MAX, 1, 0);
    assert_eq!(
        (numbers(&rows), left.map(|it| it.count)),
        (vec![(1, 1)], Some(1))
    );
    let (rows, left) = take(&mut book, 8, u64::MAX, 9, 0);
    assert_eq!(
        (numbers(&rows), left),
        (vec![(1, 2)], None),
        "the first always fits"
    );
    assert_eq!(take(&mut book, 8, u64::MAX, 9, 0).0.len(), 0, "never twice");
}

#[test]
fn a_take_holds_to_its_bytes_from_the_second_message_on() {
    let mut book = Book::new(u64::MAX);
    for number in 1..=4 {
        accept(&mut book, &message(number, 100, &[], ""));
        put(
            &mut book,
            &[
                work(number, 1, 8, number, true),
                work(number, 2, 8, number, true),
            ],
        );
    }
    let (rows, _) = take(&mut book, 8, u64::MAX, 9, 250);
    assert_eq!(numbers(&rows), [(1, 1), (1, 2), (2, 1), (2, 2)]);
    assert!(
        Arc::ptr_eq(&rows[0].message, &rows[1].message),
        "they share it"
    );
}

#[test]
fn what_was_under_way_is_parked_after_a_restart() {
    let mut book = Book::new(u64::MAX);
    accept(&mut book, &message(4, 10, &["a"], ""));
    accept(&mut book, &message(5, 10, &["a"], ""));
    accept(&mut book, &message(6, 10, &[], ""));
    let (one, two) = (work(5, 1, 8, 30, false), work(5, 2, 8, 40, true));
    put(&mut book, &[one.clone(), two, work(6, 1, 9, 7, false)]);
    later(&mut book, &one, 35, false, Some(attempt(1, 5)));
    end(
        &mut book,
        &work(6, 1, 9, 7, false),
        Outcome::Delivered,
        None,
    );
    let key: Box<[u8]> = b"k".as_slice().into();
    for value in [Some(&b"1"[..]), Some(b"2")] {
        let (table, value) = (Table::Topics, value.map(Box::from));
        let op = StoreOp::Keep {
            table,
            key: key.clone(),
            value,
        };
        assert!(book.apply(Wall(0), op).is_none());
    }
    for _ in 0..2 {
        let told = book.restore(Wall(5_000), 1 << 20);
        book.check();
        let [
            Restored::Last(last),
            Restored::Missing(missing),
            Restored::Kept { table, value, .. },
            Restored::Published(post),
            Restored::Lane(lane),
        ] = &told[..]
        else {
            unreachable!("{told:?}")
        };
        assert_eq!((*last, *table, &**value), (id(6), Table::Topics, &b"2"[..]));
        assert_eq!(*missing, id(4));
        assert_eq!(post.id, id(5), "the other one is too old");
        assert_eq!(*missing, id(4), "that one");
        assert_eq!(
            *lane,
            Parked {
                lane: 8,
                due: Wall(35),
                count: 2
            }
        );
    }
    let (rows, _) = take(&mut book, 8, u64::MAX, 9, 1 << 20);
    assert_eq!(rows[0].work.attempts, 1);
    let told = book.restore(Wall(0), message(5, 10, &["a"], "").bytes() as u64 * 3 / 2);
    let posts = told
        .iter()
        .filter(|it| matches!(it, Restored::Published(_)));
    assert_eq!(posts.count(), 1, "the newest that fit");
}

#[test]
fn parked_deliveries_of_a_message_are_canceled_and_no_others() {
    let mut book = Book::new(u64::MAX);
    accept(&mut book, &message(1, 10, &[], ""));
    accept(&mut book, &message(2, 10, &[], ""));
    put(
        &mut book,
        &[
            work(1, 1, 8, 3, true),
            work(1, 2, 9, 4, true),
            work(1, 3, 9, 4, false),
        ],
    );
    put(&mut book, &[work(2, 1, 9, 6, true)]);
    let op = StoreOp::Cancel {
        ticket: 1,
        id: id(1),
        at: Wall(2),
    };
    let Some(StoreDone::Canceled { count, lanes, .. }) = book.apply(Wall(0), op) else {
        unreachable!()
    };
    book.check();
    let left: Vec<(u64, u64)> = lanes.iter().map(|it| (it.lane, it.count)).collect();
    assert_eq!((count, left), (2, vec![(8, 0), (9, 1)]));
    let story = story(&mut book, 9, 1).unwrap();
    let stand: Vec<Status> = story.deliveries.iter().map(|it| it.status).collect();
    let canceled = Status::Ended(Outcome::Canceled);
    assert_eq!(stand, [canceled, canceled, Status::Queued]);
}

#[test]
fn what_has_ended_makes_way_answers_first_and_what_is_open_never() {
    let mut book = Book::new(40_000);
    accept(&mut book, &message(1, 10_000, &[], ""));
    let open = work(1, 1, 8, 3, true);
    put(&mut book, std::slice::from_ref(&open));
    for number in 2..=200 {
        accept(&mut book, &message(number, 100, &[], ""));
        let work = work(number, 1, 8, 3, false);
        put(&mut book, std::slice::from_ref(&work));
        end(
            &mut book,
            &work,
            Outcome::Delivered,
            Some(attempt(1, 2_000)),
        );
        assert!(book.bytes() <= 40_000, "{} bytes", book.bytes());
    }
    assert!(book.message(id(1)).is_some() && book.message(id(200)).is_some());
    assert!(book.message(id(2)).is_none(), "the oldest is gone");
    let known: Vec<u64> = (2..=200)
        .filter(|it| book.message(id(*it)).is_some())
        .collect();
    assert!(known.len() > 10 && known.windows(2).all(|it| it[0] + 1 == it[1]));
    let mut answered = known.iter().map(|number| {
        let story = story(&mut book, 9, *number).unwrap();
        story.deliveries[0].attempts[0].answer.is_some()
    });
    assert!(!answered.next().unwrap() && answered.next_back().unwrap());
    // Attempts of what is open do not grow for ever either.
    for count in 1..=1_000 {
        later(&mut book, &open, 3, true, Some(attempt(count, 500)));
        assert!(book.bytes() <= 40_000, "{} bytes", book.bytes());
    }
    assert_eq!(take(&mut book, 8, 9, 9, 9).0[0].work.attempts, 1_000);
}

#[test]
fn any_operations_in_any_order_leave_the_tables_in_order() {
    for seed in 0..40 {
        let mut rng = Rng::new([seed; 32]);
        let mut book = Book::new(if seed % 2 == 0 { u64::MAX } else { 20_000 });
        for _ in 0..400 {
            let (number, delivery) = (1 + rng.below(12), 1 + rng.below(3) as u32);
            let (lane, due) = (rng.below(3), rng.below(50));
            let work = work(number, delivery, lane, due, rng.below(2) == 0);
            let tried = || (due % 3 > 0).then(|| attempt(due as u32 % 7, due as usize * 10));
            match rng.below(8) {
                0 => accept(&mut book, &message(number, 500, &["t"], "")),
                1 | 2 => put(&mut book, &[work]),
                3 => later(&mut book, &work, due, due % 2 == 0, tried()),
                4 => end(&mut book, &work, Outcome::Failed, tried()),
                5 => drop(take(&mut book, lane, due, delivery, 600)),
                6 => {
                    let op = StoreOp::Cancel {
                        ticket: 0,
                        id: work.id,
                        at: Wall(1),
                    };
                    assert!(book.apply(Wall(0), op).is_some());
                }
                _ => drop(book.restore(Wall(0), 1_000)),
            }
            book.check();
        }
    }
}

#[test]
fn what_memory_tells_comes_after_the_flush_and_in_order() {
    let mut memory = Memory::new(1 << 20, Duration::from_secs(60));
    assert!(matches!(memory.completion(), Some(StoreDone::Ready)));
    assert!(memory.completion().is_none());
    let message = message(1, 10, &[], "");
    memory.submit(
        1,
        StoreOp::Accept {
            message,
            promised: false,
        },
    );
    memory.submit(2, StoreOp::Work(work(1, 1, 8, 3, true)));
    let take = StoreOp::Take {
        lane: 8,
        until: 9,
        rows: 1,
        bytes: 9,
    };
    memory.submit(3, take);
    memory.submit(4, StoreOp::Work(work(1, 2, 8, 3, true)));
    assert!(memory.completion().is_none(), "not before the flush");
    memory.flush();
    assert!(matches!(memory.completion(), Some(StoreDone::Durable(3))));
    let taken = memory.completion();
    let Some(StoreDone::Taken {
        rows, left: None, ..
    }) = taken
    else {
        unreachable!("{taken:?}: the second is not there yet")
    };
    assert_eq!(numbers(&rows), [(1, 1)]);
    assert!(matches!(memory.completion(), Some(StoreDone::Durable(4))));
    memory.flush();
    assert!(memory.completion().is_none(), "once");
}

#[test]
fn what_is_old_is_forgotten() {
    let mut memory = Memory::new(1 << 20, Duration::from_micros(2_000));
    for number in 1..=4 {
        let message = message(number, 10, &["a"], "");
        let op = StoreOp::Accept {
            message,
            promised: false,
        };
        memory.submit(number, op);
    }
    let known = |number| memory.book.message(id(number)).is_some();
    assert!(!known(1) && known(2) && known(4));
    let told = memory.book.restore(Wall(0), 1 << 20);
    let missing = told.iter().find_map(|it| match it {
        Restored::Missing(id) => Some(*id),
        _ => None,
    });
    assert_eq!(missing, Some(id(1)));
}
