//! Each way to be hostile, all at once, beside a target that is well.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use serde_json::Value;

use super::{ended, schedule};
use crate::hostile::Hostile;
use crate::server::Server;
use crate::target::Target;
use crate::ways::{Row, Wanted, rows};

/// Retries at once. The second attempt has all the time it needs only if the row is not timed, and
/// on a machine that has other things to do a further one may be needed.
const SOON: &str = "&_retry_schedule=10ms&_retries=20&a=1";

#[test]
fn whatever_a_target_does_it_has_its_word_and_costs_nobody_else() {
    let server = Server::start();
    let (at, rows) = (server.addr(), rows());
    let failed: Vec<&str> = thread::scope(|scope| {
        let play = |row| {
            let run = move || catch_unwind(AssertUnwindSafe(|| one(at, row))).is_err();
            (row, scope.spawn(run))
        };
        let running: Vec<_> = rows.iter().map(play).collect();
        let ran = running.into_iter();
        let failed = ran.filter_map(|(row, run)| run.join().unwrap_or(true).then_some(row));
        failed.map(|row| row.name.as_str()).collect()
    });
    assert_eq!(failed, [""; 0], "the rows that failed; why is said above");
}

/// A row's story: the attempt that meets it, whoever is called meanwhile, and what comes then.
fn one(at: SocketAddr, row: &Row) {
    // Nobody there ever speaks TLS as it is spoken.
    let (times, more) = match row.secure {
        true => (usize::MAX, "&_retry_schedule=10ms&_retries=1&a=1"),
        false => (1, SOON),
    };
    let hostile = Hostile::new(row, times);
    let more = format!("{more}{}", row.options);
    let id = schedule(at, &hostile.url(), &more);
    assert_eq!(hostile.called(), 0);
    let well = Target::willing();
    schedule(at, &well.url("/"), "&a=1");
    assert_eq!(well.arrival().attempt(), 1, "{}", row.name);
    match row.wanted {
        Wanted::Fails(..) if row.secure => failed(row, &ended(at, &id)),
        Wanted::Fails(..) | Wanted::Refuses(_) => retried(row, &ended(at, &id)),
        Wanted::Delivers(status) => {
            let delivery = ended(at, &id);
            let attempts = attempts(&delivery);
            let found = (&delivery["status"], &attempts[0]["status"], attempts.len());
            let wanted = (&"delivered".into(), &status.into(), 1);
            assert_eq!(found, wanted, "{}: {delivery}", row.name);
            // It is Hookah that leaves, unless the target has.
            assert_eq!(hostile.ended(), 0, "{}", row.name);
            again(at, row, &hostile);
        }
    }
    assert_eq!(hostile.complaints(), [""; 0], "{}", row.name);
}

/// The next webhook goes out on a connection of its own, and gets its own answer.
fn again(at: SocketAddr, row: &Row, hostile: &Hostile) {
    let delivery = ended(at, &schedule(at, &hostile.url(), SOON));
    let attempts = attempts(&delivery);
    let found = (&attempts[0]["status"], attempts.len());
    assert_eq!(found, (&200.into(), 1), "{}: {delivery}", row.name);
    assert_eq!(hostile.called(), 1, "{}", row.name);
}

fn retried(row: &Row, delivery: &Value) {
    check(row, delivery);
    assert_eq!(delivery["status"], "delivered", "{}: {delivery}", row.name);
    let attempts = attempts(delivery);
    assert!(attempts.len() > 1, "{}: {delivery}", row.name);
    assert_eq!(attempts[attempts.len() - 1]["status"], 200, "{}", row.name);
}

/// It was tried again, in vain.
fn failed(row: &Row, delivery: &Value) {
    check(row, delivery);
    assert_eq!(delivery["status"], "failed", "{}: {delivery}", row.name);
    assert_eq!(attempts(delivery).len(), 2, "{}: {delivery}", row.name);
}

/// The first attempt.
fn check(row: &Row, delivery: &Value) {
    let first = &attempts(delivery)[0];
    let is_one_of = |value: &Value, words: &str| {
        let value = value.as_str().unwrap_or("none");
        words.split('|').any(|word| word == value)
    };
    let is_wanted = match row.wanted {
        Wanted::Fails(error, detail) => {
            is_one_of(&first["error"], error)
                && is_one_of(&first["detail"], detail)
                && first["status"].is_null()
        }
        Wanted::Refuses(status) => first["error"] == "status" && first["status"] == status,
        Wanted::Delivers(_) => false,
    };
    assert!(is_wanted, "{} is {:?}: {first}", row.name, row.wanted);
    if let Wanted::Refuses(300..=303 | 305..=308) = row.wanted {
        assert_eq!(first["response"]["headers"]["location"], "/elsewhere");
    }
}

fn attempts(delivery: &Value) -> &Vec<Value> {
    delivery["attempts"].as_array().expect("a list")
}
