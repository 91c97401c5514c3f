//! Stories of streams: one thing happens to readers in a calm world, and what must come of it is
//! said exactly. The watches judge every byte as in any seed.

use crate::clients::{Client, Want};
use crate::crowd;
use crate::net::{Cut, Shape};
use crate::readers::Reader;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::watch::Watch;
use crate::world::{Event, MINUTE, MS, SECOND};

/// A client that publishes so often to a topic after `delay`, one right behind the other.
fn publish(sim: &mut Sim, delay: u64, topic: &str, count: usize, filler: usize) {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (step, number) = crowd::publish(sim, &[topic.to_owned()], filler);
        steps.push(step);
        wants.push(Want::Published(number));
    }
    steps.extend([Step::Answers(count), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

/// A reader that stays so long and then closes.
fn guest(topic: &str, stay: u64) -> Reader {
    Reader::new(topic, false, 0, vec![Step::Wait(stay), Step::Close])
}

/// A reader that asks and then reads nothing any more, through a window of so many bytes.
fn stuck(topic: &str, window: usize) -> Reader {
    let mut reader = Reader::new(topic, false, 0, vec![Step::Deaf]);
    reader.shape = Some(narrow(window));
    reader
}

fn narrow(window: usize) -> Shape {
    Shape {
        delay: (20 * MS, 20 * MS),
        cut: Cut::Whole,
        window,
        short_percent: 0,
    }
}

fn watch(sim: &Sim, reader: usize) -> &Watch {
    let link = sim.readers[reader].link.expect("it was taken in");
    sim.oracle.feeds.watch(link)
}

#[test]
fn a_reader_that_finishes_sending_before_its_stream_begins_gets_none() {
    for wait in [0, 10 * MS, 70 * MS] {
        let mut sim = setup::calm();
        let steps = vec![Step::Wait(wait), Step::Fin];
        let mut reader = Reader::new("news", false, 3, steps);
        reader.shape = Some(narrow(61));
        let reader = sim.reader(0, reader);
        let start = sim.world.at();
        sim.run();
        let closed = watch(&sim, reader).closed.expect("closed");
        assert!(
            closed < start + 5 * SECOND,
            "{wait}: after {}",
            closed - start
        );
    }
}

#[test]
fn head_and_first_bytes_come_at_once_and_then_every_message() {
    let mut sim = setup::calm();
    let readers = [false, false, true].map(|old| {
        let steps = vec![Step::Wait(5 * SECOND), Step::Close];
        sim.reader(0, Reader::new("news", old, 0, steps))
    });
    let other = sim.reader(0, guest("New s", 5 * SECOND));
    sim.run_for(2 * MS);
    for reader in readers {
        let text = String::from_utf8_lossy(&sim.readers[reader].got).into_owned();
        let first = if reader == 2 { "\r\n" } else { "2\r\n\r\n\r\n" };
        assert!(text.ends_with(&format!("\r\n\r\n{first}")), "{text:?}");
    }
    publish(&mut sim, SECOND, "news", 3, 10);
    sim.run();
    for reader in readers {
        let lines = sim.readers[reader].lines();
        let expected = [0, 1, 2].map(|n| format!("n={n}&x=xxxxxxxxxx"));
        assert_eq!(lines, expected);
        assert!(watch(&sim, reader).latest < MS);
    }
    assert!(sim.readers[other].lines().is_empty());
}

#[test]
fn an_idle_reader_is_reminded_every_thirty_seconds() {
    let mut sim = setup::calm();
    let reader = sim.reader(0, guest("news", 100 * SECOND));
    publish(&mut sim, 45 * SECOND, "news", 1, 10);
    sim.run();
    // At 30 s, the message at 45 s, then at 75 s.
    assert_eq!(watch(&sim, reader).reminders, 2);
    assert_eq!(watch(&sim, reader).lines, 4);
}

#[test]
fn a_reader_that_takes_nothing_is_given_up_and_delays_nobody() {
    let mut sim = setup::calm();
    let start = sim.world.at();
    let stuck = sim.reader(0, stuck("news", 500));
    let other = sim.reader(0, guest("news", 2 * MINUTE));
    for second in 1..60 {
        publish(&mut sim, second * SECOND, "news", 1, 1_000);
    }
    sim.run();
    let closed = watch(&sim, stuck).closed.expect("closed") - start;
    assert!((30 * SECOND..32 * SECOND).contains(&closed), "{closed}");
    assert_eq!(sim.readers[other].lines().len(), 59);
    assert!(watch(&sim, other).latest < MS, "held up");
}

#[test]
fn a_reader_too_many_bytes_behind_is_ended_and_others_go_on() {
    let mut sim = setup::calm();
    let stuck = sim.reader(0, stuck("news", 200_000));
    // It begins to read again in time for its end.
    let steps = vec![Step::Deaf, Step::Wait(12 * SECOND), Step::Listen];
    let mut late = Reader::new("news", false, 0, steps);
    late.shape = Some(narrow(200_000));
    let late = sim.reader(0, late);
    let other = sim.reader(0, guest("news", MINUTE));
    for number in 0..10 {
        publish(&mut sim, 10 * SECOND + number * 20 * MS, "news", 1, 900_000);
    }
    sim.run();
    for reader in [stuck, late] {
        let since = watch(&sim, reader).slow_since.expect("slow");
        let closed = watch(&sim, reader).closed.expect("closed");
        assert!(closed <= since + 5 * SECOND + 10 * MS);
        assert_eq!(watch(&sim, reader).terminated, reader == late);
        // The first bytes, and the message that was begun.
        assert!(watch(&sim, reader).lines <= 2);
    }
    assert_eq!(sim.readers[other].lines().len(), 10);
    assert!(sim.readers[late].got.ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn a_reader_too_many_messages_behind_is_ended() {
    let mut sim = setup::calm();
    let stuck = sim.reader(0, stuck("news", 600));
    let other = sim.reader(0, guest("news", 3 * MINUTE));
    publish(&mut sim, SECOND, "news", 10_000, 0);
    sim.run_for(20 * SECOND);
    assert_eq!(watch(&sim, stuck).closed, None, "within the bound");
    publish(&mut sim, 0, "news", 100, 0);
    sim.run_for(7 * SECOND);
    assert!(watch(&sim, stuck).slow_since.is_some());
    assert!(watch(&sim, stuck).closed.is_some());
    sim.run();
    assert_eq!(sim.readers[other].lines().len(), 10_100);
}

#[test]
fn a_burst_within_the_bounds_ends_nobody_whatever_the_formats() {
    let mut sim = setup::calm();
    let readers = [false, true].map(|old| {
        let nap = [Step::Deaf, Step::Wait(20 * SECOND), Step::Listen];
        let mut steps = nap.to_vec();
        steps.extend([Step::Wait(20 * SECOND), Step::Close]);
        sim.reader(0, Reader::new("news", old, 0, steps))
    });
    publish(&mut sim, SECOND, "news", 4, 950_000);
    sim.run();
    for reader in readers {
        assert_eq!(sim.readers[reader].lines().len(), 4);
    }
}

#[test]
fn a_farewell_has_an_end_also_for_a_reader_that_drips() {
    let mut sim = setup::calm();
    let mut steps = Vec::new();
    for _ in 0..60 {
        let drip = [
            Step::Deaf,
            Step::Wait(2 * SECOND),
            Step::Listen,
            Step::Wait(MS),
        ];
        steps.extend(drip);
    }
    let mut reader = Reader::new("news", false, 0, steps);
    reader.shape = Some(narrow(2_000));
    let reader = sim.reader(0, reader);
    publish(&mut sim, SECOND, "news", 10, 900_000);
    sim.run();
    let since = watch(&sim, reader).slow_since.expect("slow");
    let closed = watch(&sim, reader).closed.expect("closed");
    assert!(closed <= since + 5 * SECOND + 10 * MS, "{}", closed - since);
}

#[test]
fn what_a_reader_says_is_ignored_up_to_a_bound() {
    for (bytes, stays) in [(1, true), (65_536, true), (65_537, false), (300_000, false)] {
        let mut sim = setup::calm();
        let junk = Step::Send(vec![b'x'; bytes]);
        let steps = vec![
            Step::Wait(SECOND),
            junk,
            Step::Wait(9 * SECOND),
            Step::Close,
        ];
        let reader = sim.reader(0, Reader::new("news", false, 0, steps));
        let start = sim.world.at();
        sim.run();
        let closed = watch(&sim, reader).closed.expect("closed") - start;
        assert_eq!(closed >= 10 * SECOND, stays, "{bytes} bytes: {closed}");
    }
}

#[test]
fn a_drain_ends_streams_with_their_last_chunk() {
    let mut sim = setup::calm();
    let readers =
        [false, false, true].map(|old| sim.reader(0, Reader::new("news", old, 0, vec![])));
    let stuck = sim.reader(0, stuck("news", 300));
    publish(&mut sim, SECOND, "news", 3, 500);
    sim.world.after(2 * SECOND, Event::Drain);
    let start = sim.world.at();
    sim.run();
    assert!(
        sim.world.at() < start + 10 * SECOND,
        "the stuck one is parted within the drain's time"
    );
    for reader in readers {
        let reader = (&sim.readers[reader], watch(&sim, reader));
        assert_eq!(reader.0.lines().len(), 3);
        // One after the other, in the first third of the drain's time.
        let closed = reader.1.closed.expect("closed") - start;
        assert!((2 * SECOND..5 * SECOND).contains(&closed), "{closed}");
        assert_eq!(reader.1.terminated, !reader.0.asks.old);
    }
    assert!(!watch(&sim, stuck).terminated);
}
