//! Questions to the book.

use super::*;

fn search(book: &mut Book, now: u64, search: Search) -> (Vec<u64>, Option<u64>) {
    let question = Box::new(Question::Search(search));
    let op = StoreOp::Ask {
        ticket: 4,
        question,
    };
    match book.apply(Wall(now), op) {
        Some(StoreDone::Found {
            found: Found::Search { stories, next },
            ..
        }) => (
            stories.iter().map(|it| it.message.id.number()).collect(),
            next.map(MessageId::number),
        ),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_message_is_told_with_everything_that_happened() {
    let mut book = Book::new(u64::MAX);
    accept(&mut book, &message(1, 10, &[], ""));
    let (one, two) = (work(1, 1, 8, 30, false), work(1, 2, 8, 30, false));
    put(&mut book, &[one.clone(), two.clone()]);
    let stand = |book: &mut Book, now| story(book, now, 1).unwrap().deliveries[0].status;
    assert_eq!(stand(&mut book, 29), Status::Scheduled);
    assert_eq!(stand(&mut book, 30), Status::Queued);
    later(&mut book, &one, 90, false, Some(attempt(1, 5)));
    // An operation that is repeated changes nothing.
    later(&mut book, &one, 90, false, Some(attempt(1, 5)));
    assert_eq!(stand(&mut book, 29), Status::Retrying);
    let rest = StoreOp::Rest {
        id: id(1),
        number: 1,
        attempt: 1,
        body: b"late".as_slice().into(),
        truncated: true,
    };
    assert!(book.apply(Wall(0), rest).is_none());
    book.check();
    end(&mut book, &one, Outcome::Failed, Some(attempt(2, 0)));
    end(&mut book, &one, Outcome::Delivered, None);
    let told = story(&mut book, 29, 1).unwrap();
    let first = &told.deliveries[0];
    assert_eq!(first.status, Status::Ended(Outcome::Failed), "it ends once");
    assert_eq!(
        (first.attempts.len(), &*first.detail, first.next),
        (2, "gone", None)
    );
    let answer = first.attempts[0].answer.as_ref().unwrap();
    assert_eq!((&*answer.body, answer.truncated), (&b"late"[..], true));
    assert_eq!(told.deliveries[1].next, Some(Wall(30)));
    assert_eq!((told.body_bytes, told.more), (10, false));
    let other = MessageId(id(1).0 + 1);
    assert!(book.message(other).is_none(), "the whole id counts");
}

/// A search that asks for that.
fn asks(change: impl FnOnce(&mut Search)) -> Search {
    let mut search = Search {
        limit: 100,
        ..Search::default()
    };
    change(&mut search);
    search
}

fn six_messages() -> Book {
    let mut book = Book::new(u64::MAX);
    for number in 1..=6 {
        let topics: &[&str] = if number % 2 == 0 {
            &["even", "all"]
        } else {
            &["all"]
        };
        let label = if number > 4 { "late" } else { "" };
        accept(&mut book, &message(number, 10, topics, label));
    }
    put(
        &mut book,
        &[
            work(2, 1, 8, 9, false),
            work(3, 1, 8, 9, false),
            work(3, 2, 9, 9, false),
        ],
    );
    end(
        &mut book,
        &work(3, 1, 8, 9, false),
        Outcome::Failed,
        Some(attempt(1, 3)),
    );
    book
}

#[test]
fn searches_find_what_they_ask_for_newest_first() {
    let mut book = six_messages();
    let span = asks(|it| (it.since, it.until) = (Some(Wall(3_000)), Some(Wall(5_000))));
    let rows: [(Search, &[u64]); 9] = [
        (asks(|_| ()), &[6, 5, 4, 3, 2, 1]),
        (
            asks(|it| it.topic = Some(b"even".as_slice().into())),
            &[6, 4, 2],
        ),
        (asks(|it| it.label = Some("late".into())), &[6, 5]),
        (asks(|it| it.url = Some("http://h/8".into())), &[3, 2]),
        (
            asks(|it| it.status = Some(Status::Ended(Outcome::Failed))),
            &[3],
        ),
        (asks(|it| it.status = Some(Status::Queued)), &[3, 2]),
        (asks(|it| it.status = Some(Status::Active)), &[]),
        (span, &[4, 3]),
        (asks(|it| it.before = Some(id(3))), &[2, 1]),
    ];
    for (asked, found) in rows {
        let told = search(&mut book, 9, asked.clone());
        assert_eq!(told, (found.to_vec(), None), "{asked:?}");
    }
    let (found, next) = search(&mut book, 9, asks(|it| it.limit = 2));
    assert_eq!((found, next), (vec![6, 5], Some(5)));
    let rest = asks(|it| (it.limit, it.before) = (4, Some(id(5))));
    assert_eq!(search(&mut book, 9, rest), (vec![4, 3, 2, 1], None));
}

#[test]
fn a_search_tells_neither_bodies_nor_answers() {
    let failed = asks(|it| it.status = Some(Status::Ended(Outcome::Failed)));
    let question = Box::new(Question::Search(failed));
    let told = six_messages().apply(
        Wall(9),
        StoreOp::Ask {
            ticket: 0,
            question,
        },
    );
    let Some(StoreDone::Found {
        found: Found::Search { stories, .. },
        ..
    }) = told
    else {
        unreachable!()
    };
    assert!(stories[0].message.body.is_empty() && stories[0].body_bytes == 10);
    let attempts = &stories[0].deliveries[0].attempts;
    assert!(attempts.len() == 1 && attempts[0].answer.is_none());
}

#[test]
fn a_search_ends_and_says_where_to_go_on() {
    let mut book = Book::new(u64::MAX);
    for number in 1..=25_000 {
        let label = if number == 3 { "sought" } else { "" };
        book.apply(
            Wall(0),
            StoreOp::Accept {
                message: message(number, 0, &[], label),
                promised: false,
            },
        );
    }
    let mut asked = asks(|it| it.label = Some("sought".into()));
    let mut questions = 0;
    let found = loop {
        questions += 1;
        let (found, next) = search(&mut book, 0, asked.clone());
        let Some(next) = next else { break found };
        assert!(found.is_empty());
        asked.before = Some(id(next));
    };
    assert_eq!((found, questions), (vec![3], 3));
}
