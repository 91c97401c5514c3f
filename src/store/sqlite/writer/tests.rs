//! Operations that are applied twice, and what they leave behind.

use super::*;
use crate::store::sqlite::schema;
use crate::store::sqlite::tests::testing::{THEN, attempt, end, id, message, rich, target, work};

fn db() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::bring_up(&mut db).unwrap();
    db
}

/// All rows of all tables, as text.
fn dump(db: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    for table in [
        "messages",
        "work",
        "attempts",
        "subscriptions",
        "topics",
        "keys",
        "damaged",
    ] {
        let mut all = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            lines.push(format!("{table} {}", values.collect::<Vec<_>>().join(" ")));
        }
    }
    lines
}

fn accept(number: u64) -> StoreOp {
    StoreOp::Accept {
        message: message(number, b"body").into(),
        promised: true,
    }
}

fn parked(number: u64, delivery: u32, lane: u64, due: u64) -> StoreOp {
    let mut work = work(number, delivery, lane, due);
    work.place.parked = true;
    StoreOp::Work(work)
}

fn take(lane: u64, rows: u32) -> StoreOp {
    StoreOp::Take {
        lane,
        until: u64::MAX,
        rows,
        bytes: u64::MAX,
    }
}

fn ended(number: u64, delivery: u32) -> StoreOp {
    StoreOp::End {
        id: id(number),
        number: delivery,
        end: end(Outcome::Delivered),
        attempt: Some(attempt(2, 200)),
    }
}

/// What is there before, and a batch that does everything.
fn batches() -> [Vec<StoreOp>; 2] {
    let mut place = work(1, 1, 5, 9).place;
    place.parked = true;
    let keep = |key: &[u8], value: Option<&[u8]>| StoreOp::Keep {
        table: Table::Keys,
        key: key.into(),
        value: value.map(Into::into),
    };
    let before = vec![
        accept(1),
        StoreOp::Work(work(1, 1, 4, 0)),
        StoreOp::Work(work(1, 2, 4, 0)),
        accept(2),
        parked(2, 1, 7, 1),
        parked(2, 2, 7, 2),
        parked(2, 3, 8, 0),
        keep(b"old", Some(b"1")),
    ];
    let batch = vec![
        StoreOp::Accept {
            message: rich(3).into(),
            promised: false,
        },
        StoreOp::Work(work(3, 1, 7, 0)),
        parked(3, 2, 8, 3),
        StoreOp::Later {
            id: id(1),
            number: 1,
            place,
            attempts: 1,
            attempt: Some(attempt(1, 503)),
        },
        take(7, 9),
        ended(1, 2),
        StoreOp::Rest {
            id: id(1),
            number: 2,
            attempt: 2,
            body: b"late".as_slice().into(),
            truncated: true,
        },
        StoreOp::Cancel {
            ticket: 4,
            id: id(2),
            at: THEN,
        },
        take(8, 9),
        keep(b"old", None),
        keep(b"new", Some(b"2")),
    ];
    [before, batch]
}

fn apply(writer: &mut Writer<'_>, ops: &[StoreOp], memos: &mut [Memo]) -> Vec<String> {
    let mut told = Vec::new();
    for (op, memo) in ops.iter().zip(memos) {
        let done = writer.apply(op, memo).unwrap();
        told.extend(done.map(|done| format!("{done:?}")));
    }
    told
}

fn fresh(count: usize) -> Vec<Memo> {
    (0..count).map(|_| Memo::default()).collect()
}

#[test]
fn what_is_repeated_brings_about_the_same_and_is_told_the_same() {
    let [before, batch] = batches();
    let once = db();
    let mut writer = Writer::new(&once, target).unwrap();
    writer.count().unwrap();
    apply(&mut writer, &before, &mut fresh(before.len()));
    let mut memos = fresh(batch.len());
    let told = apply(&mut writer, &batch, &mut memos);
    let rows = dump(&once);

    // As after a commit that reached the file although it failed.
    let mut again = Writer::new(&once, target).unwrap();
    for memo in &mut memos {
        again.put_back(memo).unwrap();
        memo.taken.clear();
    }
    assert_eq!(apply(&mut again, &batch, &mut memos), told);
    assert_eq!(dump(&once), rows);

    // And after one that did not.
    let lost = db();
    let mut writer = Writer::new(&lost, target).unwrap();
    apply(&mut writer, &before, &mut fresh(before.len()));
    for memo in &mut memos {
        writer.put_back(memo).unwrap();
        memo.taken.clear();
    }
    assert_eq!(apply(&mut writer, &batch, &mut memos), told);
    assert_eq!(dump(&lost), rows);
}

#[test]
fn the_counts_of_lanes_are_those_of_the_table() {
    let [before, batch] = batches();
    let db = db();
    let mut writer = Writer::new(&db, target).unwrap();
    writer.count().unwrap();
    for ops in [&before, &batch] {
        apply(&mut writer, ops, &mut fresh(ops.len()));
        let counts = writer.parked.take();
        for lane in 0..10 {
            let exact = writer.left(lane).unwrap().map(|left| left.count);
            let kept = counts.as_ref().unwrap().get(&lane).copied();
            assert_eq!(kept, exact, "lane {lane}");
        }
        writer.parked = counts;
    }
}

#[test]
fn what_was_refused_leaves_nothing() {
    let db = db();
    let mut writer = Writer::new(&db, target).unwrap();
    let before = dump(&db);
    let ops = [accept(1), parked(1, 1, 7, 0), ended(1, 1)];
    apply(&mut writer, &ops, &mut fresh(3));
    assert_ne!(dump(&db), before);
    writer.forget(1).unwrap();
    assert_eq!(dump(&db), before);
}

#[test]
fn an_end_of_what_is_gone_changes_nothing_but_the_record() {
    let db = db();
    let mut writer = Writer::new(&db, target).unwrap();
    apply(&mut writer, &[ended(9, 1)], &mut fresh(1));
    assert!(dump(&db).is_empty(), "nobody knows the message");
    apply(&mut writer, &[accept(9), ended(9, 1)], &mut fresh(2));
    let rows = dump(&db);
    assert_eq!(rows.len(), 2);
    assert!(!rows[1].contains("delivered"), "{}", rows[1]);
}

#[test]
fn damage_is_put_aside_and_the_rest_is_taken() {
    let db = db();
    let mut writer = Writer::new(&db, target).unwrap();
    writer.count().unwrap();
    let ops = [
        accept(1),
        parked(1, 1, 7, 1),
        parked(1, 2, 7, 2),
        accept(2),
        parked(2, 1, 7, 3),
        accept(3),
        parked(3, 1, 7, 4),
    ];
    apply(&mut writer, &ops, &mut fresh(ops.len()));
    db.execute(
        "UPDATE work SET url = 'http://evil/' WHERE delivery = 2",
        [],
    )
    .unwrap();
    db.execute("UPDATE messages SET body = x'00' WHERE number = 2", [])
        .unwrap();
    let mut memo = Memo::default();
    let taken = writer.apply(&take(7, 9), &mut memo).unwrap();
    let Some(StoreDone::Taken {
        rows, left: None, ..
    }) = taken
    else {
        panic!("{taken:?}");
    };
    let taken: Vec<_> = rows.iter().map(|it| (it.work.id, it.work.number)).collect();
    assert_eq!(taken, [(id(1), 1), (id(3), 1)]);
    let damaged = dump(&db)
        .into_iter()
        .filter(|line| line.starts_with("damaged"));
    assert_eq!(
        damaged.count(),
        3,
        "a delivery, a message and the delivery that needs it"
    );
}
