//! Rows there and back, and bits that flip on the way.

use rusqlite::Connection;

use super::*;
use crate::model::Outcome;
use crate::store::sqlite::schema;
use crate::store::sqlite::tests::testing::{self, THEN, end, rich, target};

fn db() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::bring_up(&mut db).unwrap();
    db
}

fn keep_message(db: &Connection, message: &Message) {
    let mut insert = db.prepare(INSERT_MESSAGE).unwrap();
    bind_message(&mut insert, message).unwrap();
    insert.raw_execute().unwrap();
}

fn only_message(db: &Connection) -> Result<Message, Damaged> {
    let text = format!("SELECT {MESSAGE} FROM messages");
    db.query_row(&text, [], |row| Ok(message(row, 0))).unwrap()
}

#[test]
fn a_message_comes_back_as_it_was() {
    for given in [rich(9), testing::message(u64::MAX, b"")] {
        let db = db();
        keep_message(&db, &given);
        keep_message(&db, &given);
        let found = only_message(&db).unwrap();
        assert_eq!(format!("{found:?}"), format!("{given:?}"));
    }
}

#[test]
fn a_message_that_was_changed_is_damaged_whatever_it_was() {
    let changes = [
        "number = 10",
        "tail = tail + 1",
        "accepted = accepted + 1",
        "method = 'POST'",
        "method = 'PUSH'",
        "hops = 2",
        "hops = 300",
        "content_type = NULL",
        "content_type = 5",
        "label = event, event = label",
        "options = options || '0'",
        "resend_of = x'00'",
        "resend_of = NULL",
        "topics = x'0001'",
        "topics = NULL",
        "fields = NULL",
        "size = size + 1",
        "crc = crc + 1",
        "body = x'00626f6478'",
        "body = NULL",
    ];
    for change in changes {
        let db = db();
        keep_message(&db, &rich(9));
        let changed = db.execute(&format!("UPDATE OR IGNORE messages SET {change}"), []);
        if change != "body = NULL" {
            assert_eq!(changed, Ok(1), "{change}");
            assert_eq!(only_message(&db).unwrap_err(), Damaged, "{change}");
        }
    }
}

#[test]
fn work_comes_back_as_it_was_and_a_change_is_damage() {
    let read = |db: &Connection| {
        let text = format!("SELECT {WORK} FROM work");
        db.query_row(&text, [], |row| Ok(work(row, 0, target)))
            .unwrap()
    };
    let mut given = testing::work(9, 2, u64::MAX - 1, 5);
    given.id = id_of(9, 0);
    given.place.parked = true;
    given.subscription = 77;
    let fresh = || {
        let db = db();
        let mut insert = db.prepare(INSERT_WORK).unwrap();
        for _ in 0..2 {
            bind_work(&mut insert, &given).unwrap();
            insert.raw_execute().unwrap();
        }
        drop(insert);
        db
    };
    assert_eq!(
        format!("{:?}", read(&fresh()).unwrap()),
        format!("{given:?}")
    );
    for change in [
        "number = 8",
        "delivery = 3",
        "lane = 1",
        "rank = 1",
        "due = due + 1",
        "attempts = 1",
        "expires = expires - 1",
        "subscription = 0",
        "url = 'http://h/'",
        "url = 'none'",
        "authorization = NULL",
        "crc = crc + 1",
        "crc = crc + 4294967296",
    ] {
        let db = fresh();
        db.execute(&format!("UPDATE work SET {change}"), [])
            .unwrap();
        assert_eq!(read(&db).unwrap_err(), Damaged, "{change}");
    }
}

#[test]
fn attempts_and_ends_come_back_as_they_were() {
    let ended = Ended::of(&end(Outcome::Expired), 5);
    let mut bare = testing::attempt(1, 503);
    bare.answer = None;
    let mut late = testing::attempt(2, 200);
    late.answer.as_mut().unwrap().truncated = true;
    for (given, ended) in [
        (Some(testing::attempt(1, 200)), None),
        (Some(bare), None),
        (Some(late), Some(&ended)),
        (None, Some(&ended)),
    ] {
        let db = db();
        let mut insert = db.prepare(INSERT_ATTEMPT).unwrap();
        for _ in 0..2 {
            bind_attempt(&mut insert, (9, 3), given.as_ref(), ended).unwrap();
            insert.raw_execute().unwrap();
        }
        let text = format!("SELECT {ATTEMPT} FROM attempts");
        let read = || db.query_row(&text, [], |row| Ok(attempt(row, 0))).unwrap();
        let found = read().unwrap();
        assert_eq!((found.message, found.delivery), (9, 3));
        assert_eq!((&found.attempt, found.end.as_ref()), (&given, ended));
        for change in [
            "status = 201",
            "why = 'x'",
            "truncated = 1 - truncated",
            "body = x'00'",
        ] {
            let is_seen = given.is_some() || change.starts_with("why");
            if !is_seen || (ended.is_none() && change.starts_with("why")) {
                continue;
            }
            db.execute_batch(&format!("BEGIN; UPDATE attempts SET {change}"))
                .unwrap();
            assert_eq!(read().unwrap_err(), Damaged, "{change}");
            db.execute_batch("ROLLBACK").unwrap();
        }
    }
    assert_eq!(THEN, ended.at);
}
