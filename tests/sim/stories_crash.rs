//! Stories of what lasts: the process ends at a bad moment, or its disk does, or the clock is
//! wrong. The oracle judges them like any seed.

use hookah::base::time::Wall;
use hookah::model::Outcome;
use hookah::port::StoreDone;

use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::order::{Order, Spelling};
use crate::readers::Reader;
use crate::requests;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::store::Temper;
use crate::stories::{end, is_about, place, times};
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

const YEAR: u64 = 8_766 * HOUR;

/// The attempts that came to a target.
fn attempts(sim: &Sim, target: usize) -> Vec<u32> {
    let got = sim.targets[target].got.iter();
    got.map(|got| got.attempt).collect()
}

/// A client asks for a page after `delay`, and wants that.
fn asks(sim: &mut Sim, delay: u64, path: &str, status: u16) {
    let steps = vec![requests::ask("GET", path), Step::Answers(1), Step::Close];
    let client = Client::new(steps, vec![Want::Page(status, false)]);
    sim.client(delay, client);
}

fn status(sim: &Sim, client: usize) -> u16 {
    sim.clients[client].got.first().map_or(0, |it| it.status)
}

#[test]
fn what_a_202_was_sent_for_survives_a_crash_right_after_it() {
    for delay in [0, SECOND, 30 * SECOND] {
        let mut sim = setup::lasting();
        let target = sim.target(Behaviour::Slow(SECOND));
        let order = place(&mut sim, 0, target, |order| order.delay = delay);
        sim.run_until(|sim| status(sim, 0) == 202);
        sim.kill(5 * SECOND);
        sim.run();
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
        let at = times(&sim, order);
        let due = delay.max(5 * SECOND);
        assert!(is_about(at[at.len() - 1], due), "due after {due}: {at:?}");
        assert_eq!(*attempts(&sim, target).last().expect("one"), 1, "cut off");
    }
}

#[test]
fn a_retry_that_is_far_away_comes_on_time_after_a_crash() {
    let mut sim = setup::lasting();
    let target = sim.target(Behaviour::Fails(2, 500));
    let order = place(&mut sim, 0, target, |_| ());
    sim.run_for(100 * SECOND);
    assert_eq!(attempts(&sim, target), [1, 2], "the third is parked");
    sim.kill(MINUTE);
    sim.run();
    assert_eq!(attempts(&sim, target), [1, 2, 3]);
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    let at = times(&sim, order);
    let wait = at[2] - at[1];
    assert!((240 * SECOND..361 * SECOND).contains(&wait), "{wait}");
}

#[test]
fn a_crash_while_the_work_is_read_back_loses_and_repeats_nothing() {
    let mut sim = setup::lasting();
    sim.oracle.may_refuse = true;
    let mut orders = Vec::new();
    for _ in 0..30 {
        let target = sim.target(Behaviour::Healthy);
        assert_eq!(target, orders.len(), "one order for each");
        orders.push(place(&mut sim, 0, target, |order| {
            order.delay = 30 * SECOND
        }));
    }
    sim.run_for(SECOND);
    sim.store.temper.delay = (100 * MS, 100 * MS);
    sim.oracle.store_within = 100 * MS;
    for _ in 0..5 {
        sim.kill(10 * MS);
        sim.run_for(SECOND / 8);
        assert!(!sim.is_down && sim.store.is_restoring(&sim.world));
    }
    sim.run();
    for (target, order) in orders.into_iter().enumerate() {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
        assert_eq!(attempts(&sim, target), [1], "once, although it crashed");
        assert!(times(&sim, order)[0] >= 30 * SECOND - MS);
    }
}

#[test]
fn a_store_that_another_process_has_is_waited_for_and_all_else_is_served() {
    let mut sim = setup::lasting();
    sim.oracle.may_refuse = true;
    let target = sim.target(Behaviour::Healthy);
    let before = place(&mut sim, 0, target, |order| order.delay = 30 * SECOND);
    sim.run_for(SECOND);
    // Its process is replaced by one that begins while the file is still another's.
    sim.store.temper.delay = (MS, MS);
    sim.store.held = 8 * SECOND;
    sim.oracle.store_within = 9 * SECOND;
    while !sim.store.is_restoring(&sim.world) || sim.world.at() < 6 * SECOND {
        sim.kill(SECOND);
        sim.run_for(1_100 * MS);
    }
    let first = sim.clients.len();
    asks(&mut sim, 0, "/health", 200);
    asks(&mut sim, 0, "/ready", 503);
    let during = place(&mut sim, 0, target, |_| ());
    // Those would wait without end, or be wrong: nobody knows yet what is kept.
    let early = sim.clients.len();
    for path in [
        "/messages",
        "/messages/msg_1",
        "/topics",
        "/subscriptions",
        "/stream?topic=t&poll=1",
    ] {
        asks(&mut sim, 0, path, 503);
    }
    asks(&mut sim, 0, "/lanes", 200);
    sim.run_for(SECOND / 10);
    let answers: Vec<u16> = (first..first + 3).map(|it| status(&sim, it)).collect();
    assert_eq!(answers, [200, 503, 503]);
    let answers: Vec<u16> = (early..early + 6).map(|it| status(&sim, it)).collect();
    assert_eq!(answers, [503, 503, 503, 503, 503, 200]);
    sim.run_for(10 * SECOND);
    let after = place(&mut sim, 0, target, |_| ());
    sim.run();
    for order in [before, after] {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(attempts(&sim, target), [1, 1], "{during} was refused");
}

#[test]
fn a_client_that_has_just_been_here_has_its_last_answer_in_a_drain() {
    let mut sim = setup::calm();
    let health = || requests::ask("GET", "/health");
    for wait in [700 * MS, 1_700 * MS] {
        let (first, second) = (Step::Answers(1), Step::Answers(2));
        let steps = vec![health(), first, Step::Wait(wait), health(), second];
        let wants = vec![Want::Page(200, false), Want::Page(200, false)];
        sim.client(0, Client::new(steps, wants));
    }
    sim.world.after(500 * MS, Event::Drain);
    sim.run();
    let answers = |client: usize| sim.clients[client].got.len();
    assert_eq!((answers(0), answers(1)), (2, 1));
    assert!(sim.clients[0].got[1].connection("close"));
}

#[test]
fn only_a_crash_between_the_answer_and_its_record_repeats_a_delivery() {
    for (lands, expected) in [(0, &[1, 1][..]), (100, &[1])] {
        let mut sim = setup::lasting();
        sim.store.temper.delay = (50 * MS, 50 * MS);
        sim.store.land_percent = lands;
        sim.oracle.store_within = 50 * MS;
        let target = sim.target(Behaviour::Healthy);
        let order = place(&mut sim, 0, target, |_| ());
        let is_told = |sim: &Sim| {
            let id = sim.oracle.fates[order].id;
            id.is_some_and(|id| sim.oracle.end_of(id).is_some())
        };
        sim.run_until(is_told);
        sim.run_for(MS);
        sim.kill(SECOND);
        sim.run();
        assert_eq!(attempts(&sim, target), expected, "on the disk: {lands} %");
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}

#[test]
fn a_store_that_fails_refuses_until_it_is_well_and_deliveries_go_on() {
    let mut sim = setup::lasting();
    sim.oracle.may_refuse = true;
    sim.oracle.store_within = 20 * SECOND;
    let target = sim.target(Behaviour::Fails(1, 500));
    let before = place(&mut sim, 0, target, |_| ());
    sim.run_for(SECOND);
    sim.store.temper.fail_percent = 100;
    sim.store.repair = (20 * SECOND, 20 * SECOND);
    let lost = place(&mut sim, 0, target, |_| ());
    sim.run_for(SECOND);
    assert!(sim.oracle.fates[lost].refused && status(&sim, 1) == 503);
    sim.store.temper.fail_percent = 0;
    let refused = place(&mut sim, SECOND, target, |_| ());
    asks(&mut sim, SECOND, "/health", 503);
    sim.run_for(10 * SECOND);
    assert!(sim.oracle.fates[refused].refused && status(&sim, 2) == 503);
    assert_eq!(status(&sim, 3), 503, "and /health says so");
    assert_eq!(attempts(&sim, target), [1, 2], "the retry came in time");
    let after = place(&mut sim, 20 * SECOND, target, |_| ());
    asks(&mut sim, 20 * SECOND, "/health", 200);
    sim.run();
    for order in [before, after] {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(status(&sim, 5), 200);
    let got: Vec<usize> = sim.targets[target].got.iter().map(|it| it.order).collect();
    assert!(!got.contains(&lost) && !got.contains(&refused), "{got:?}");
}

#[test]
fn a_full_disk_stops_the_intake_alone() {
    let mut sim = setup::lasting();
    sim.oracle.may_refuse = true;
    let target = sim.target(Behaviour::Healthy);
    let before = place(&mut sim, 0, target, |order| order.delay = 10 * SECOND);
    sim.run_for(SECOND);
    let trouble = Some("disk_full");
    sim.store.say(&mut sim.world, StoreDone::Usable { trouble });
    let during = place(&mut sim, SECOND, target, |_| ());
    sim.run_for(30 * SECOND);
    assert!(sim.oracle.fates[during].refused && status(&sim, 1) == 503);
    assert_eq!(end(&sim, before).0, Outcome::Delivered, "meanwhile");
    assert_eq!(sim.store.book.open_count(), 0, "and its end is on the disk");
    let well = StoreDone::Usable { trouble: None };
    sim.store.say(&mut sim.world, well);
    let after = place(&mut sim, SECOND, target, |_| ());
    sim.run();
    assert_eq!(end(&sim, after).0, Outcome::Delivered);
}

#[test]
fn a_sync_of_thirty_seconds_holds_up_nothing_but_the_intake() {
    let mut settings = setup::settings();
    (settings.volatile, settings.memory_bytes_max) = (false, 2 << 20);
    let mut sim = setup::calm_with(settings);
    sim.oracle.may_refuse = true;
    sim.oracle.store_within = 30 * SECOND;
    let target = sim.target(Behaviour::Fails(1, 500));
    let leave = vec![Step::Wait(2 * MINUTE), Step::Close];
    let reader = sim.reader(0, Reader::of(&["t"], &[], "keepalive=5", (false, 0), leave));
    let before = place(&mut sim, 0, target, |_| ());
    sim.run_for(SECOND);
    sim.store.temper.delay = (30 * SECOND, 30 * SECOND);
    let (began, heard) = (sim.world.at(), sim.readers[reader].got.len());
    let first = place(&mut sim, 0, target, |_| ());
    for _ in 0..12 {
        // More than there is memory for.
        place(&mut sim, SECOND, target, |order| {
            (order.filler, order.spelling) = (300_000, Spelling::Path);
        });
    }
    sim.run_for(20 * SECOND);
    assert_eq!(attempts(&sim, target), [1, 2], "the retry came in time");
    let refused = (2..14).filter(|it| status(&sim, *it) == 503).count();
    let waiting = (2..14).filter(|it| status(&sim, *it) == 0).count();
    assert!(
        refused > 3 && waiting > 2 && refused + waiting == 12,
        "{refused}, {waiting}"
    );
    assert!(sim.readers[reader].got.len() > heard, "the stream lives");
    sim.run();
    assert!(is_about(sim.clients[1].got_at[0] - began, 30 * SECOND));
    for order in [before, first] {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
}

/// An order that waits for `delay` in the store alone, and a crash during which the clock is set.
fn leaps(by: i64, delay: u64, order: impl FnOnce(&mut Order)) -> (Sim, usize) {
    let mut sim = setup::lasting();
    let target = sim.target(Behaviour::Healthy);
    let number = place(&mut sim, 0, target, |placed| {
        placed.delay = delay;
        order(placed);
    });
    sim.run_for(SECOND);
    sim.kill(SECOND);
    sim.leap(by);
    sim.run();
    (sim, number)
}

#[test]
fn a_clock_set_back_by_a_year_delays_nothing_by_a_year() {
    let (sim, order) = leaps(-(YEAR as i64), 10 * MINUTE, |_| ());
    let (outcome, after) = end(&sim, order);
    assert_eq!(outcome, Outcome::Delivered);
    assert!(after <= 25 * HOUR, "delivered after {} s", after / SECOND);
}

#[test]
fn a_clock_set_forward_by_a_year_loses_nothing_in_silence() {
    let (sim, order) = leaps(YEAR as i64, 10 * MINUTE, |_| ());
    let (outcome, after) = end(&sim, order);
    assert!([Outcome::Delivered, Outcome::Expired].contains(&outcome));
    assert!(after <= 10 * MINUTE, "after {} s", after / SECOND);
}

#[test]
fn fifty_thousand_overdue_messages_begin_at_their_pace() {
    let mut sim = setup::lasting();
    sim.world.rng.bits();
    sim.kill(SECOND);
    for target in 0..100 {
        assert_eq!(sim.target(Behaviour::Healthy), target);
    }
    let due = Wall(sim.world.now.wall.0 - HOUR);
    for number in 0..50_000 {
        let order = sim.order(number % 100);
        order.spelling = Spelling::Path;
        sim.stock(number, due);
    }
    sim.run_until(|sim| !sim.is_down);
    let began = |sim: &Sim| sim.oracle.sent.len();
    sim.run_for(SECOND);
    let first = began(&sim);
    assert!(
        (500..=1_000).contains(&first),
        "{first} in the first second"
    );
    sim.run_for(2 * SECOND);
    let third = began(&sim);
    assert!((2_000..=3_000).contains(&third), "{third} in three seconds");
}

#[test]
fn a_clean_end_repeats_nothing() {
    let mut sim = setup::lasting();
    sim.store.temper = Temper {
        delay: (40 * MS, 40 * MS),
        fail_percent: 0,
    };
    sim.oracle.store_within = 40 * MS;
    let well = sim.target(Behaviour::Healthy);
    let ill = sim.target(Behaviour::Fails(1, 500));
    let orders: Vec<usize> = (0..20)
        .map(|place_at| place(&mut sim, 100 * MS * place_at, place_at as usize % 2, |_| ()))
        .collect();
    sim.world.after(2 * SECOND + 10 * MS, Event::Drain);
    sim.run();
    assert_eq!(sim.oracle.crashes, 1, "it has ended once");
    for order in orders {
        assert_eq!(end(&sim, order).0, Outcome::Delivered);
    }
    assert_eq!(attempts(&sim, well), [1; 10]);
    let mut twice = attempts(&sim, ill);
    twice.sort_unstable();
    assert_eq!(twice, [[1; 10], [2; 10]].concat(), "each its two attempts");
}
