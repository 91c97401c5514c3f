//! Tests of a log: what is written is read again, and the oldest attempts of a delivery go.

use super::*;

fn attempt(number: u32, attempt: u32, body: &[u8]) -> Attempt<'_> {
    Attempt {
        number,
        attempt,
        at: Wall(7),
        took: 9,
        status: 500,
        error: "status",
        detail: "",
        answer: Some(Answer {
            head: b"HTTP/1.1 500\r\n\r\n",
            body,
            truncated: false,
            unfinished: false,
            location: None,
        }),
    }
}

#[test]
fn records_are_read_as_they_were_written() {
    let mut log = Log::new(b"old".to_vec());
    log.attempt(&attempt(1, 1, b"oops"));
    let mut unfinished = attempt(2, 1, b"begun");
    unfinished.answer.as_mut().unwrap().unfinished = true;
    log.attempt(&unfinished);
    let rest = Rest {
        number: 2,
        attempt: 1,
        body: b"begun and ended",
        truncated: true,
    };
    let before = log.len();
    log.rest(&rest);
    assert_eq!((log.len() - before) as u64, rest.bytes());
    log.end(1, Outcome::Canceled, "http://a/", "superseded");
    let records: Vec<_> = log.records().collect();
    assert_eq!(records.len(), 4);
    let want = Record::Attempt {
        number: 1,
        attempt: 1,
        at: Wall(7),
        took: 9,
        status: 500,
        error: b"status",
        detail: b"",
        truncated: false,
        head: b"HTTP/1.1 500\r\n\r\n",
        body: b"oops",
    };
    assert_eq!(records[0], want);
    assert!(matches!(
        records[1],
        Record::Attempt {
            truncated: true,
            body: b"",
            ..
        }
    ));
    assert!(matches!(
        records[2],
        Record::Rest {
            body: b"begun and ended",
            ..
        }
    ));
    let end = Record::End {
        number: 1,
        outcome: b"canceled",
        url: b"http://a/",
        detail: b"superseded",
    };
    assert_eq!(records[3], end);
}

#[test]
fn the_oldest_attempts_of_one_delivery_go() {
    let mut log = Log::default();
    for number in 1..=40 {
        log.attempt(&attempt(1, number, b"x"));
        if number == 1 {
            log.attempt(&attempt(2, 1, b"stays"));
        }
    }
    let kept = |of: u32| -> Vec<u32> {
        let records = log.records().filter_map(|record| match record {
            Record::Attempt {
                number, attempt, ..
            } if number == of => Some(attempt),
            _ => None,
        });
        records.collect()
    };
    assert_eq!(kept(1), (25..=40).collect::<Vec<_>>());
    assert_eq!(kept(2), [1]);
}

#[test]
fn a_broken_log_is_read_as_far_as_it_goes() {
    let mut log = Log::default();
    log.attempt(&attempt(1, 1, b"oops"));
    log.end(1, Outcome::Delivered, "u", "");
    let whole = log.into_bytes();
    for len in 0..whole.len() {
        let log = Log {
            bytes: whole[..len].to_vec(),
        };
        assert!(log.records().count() <= 1, "{len}");
    }
}
