//! Stories of what readers get that came before them, of selections that are more than one topic,
//! and of those who would rather lose messages than their stream.

use crate::clients::{Client, Want};
use crate::crowd;
use crate::net::{Cut, Shape};
use crate::readers::Reader;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::watch::Watch;
use crate::world::{HOUR, MINUTE, MS, SECOND};

/// A client that publishes to these topics after `delay`, each message with a filler.
fn publish(sim: &mut Sim, delay: u64, topics: &[&[&str]], filler: usize) {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for names in topics {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let (step, number) = crowd::publish(sim, &names, filler);
        steps.push(step);
        wants.push(Want::Published(number));
    }
    steps.extend([Step::Answers(topics.len()), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

fn guest(topics: &[&str], prefixes: &[&str], more: &str, stay: u64) -> Reader {
    let steps = vec![Step::Wait(stay), Step::Close];
    Reader::of(topics, prefixes, more, (false, 0), steps)
}

fn watch(sim: &Sim, reader: usize) -> &Watch {
    let link = sim.readers[reader].link.expect("it was taken in");
    sim.oracle.feeds.watch(link)
}

/// The numbers of the messages that a reader got.
fn numbers(sim: &Sim, reader: usize) -> Vec<usize> {
    let lines = sim.readers[reader].lines();
    let number = |line: &String| line.strip_prefix("n=")?.split('&').next()?.parse().ok();
    lines.iter().filter_map(number).collect()
}

#[test]
fn a_late_reader_gets_what_is_kept_and_then_what_comes() {
    let mut sim = setup::calm();
    publish(&mut sim, 0, &[&["a"], &["b"], &["a", "b"], &["c"]], 5);
    let rows = [
        (vec!["a"], vec![], "since=all", vec![0, 2, 4, 6]),
        (vec!["b", "a"], vec![], "since=all", vec![0, 1, 2, 4, 5, 6]),
        (vec![], vec![""], "since=all", vec![0, 1, 2, 3, 4, 5, 6, 7]),
        (vec!["a"], vec![], "count=5", vec![0, 2, 4, 6]),
        (vec!["a"], vec![], "count=-5", vec![0, 2]),
        (vec!["x", "y"], vec![], "count=-5", vec![]),
    ];
    let mut readers = Vec::new();
    for (topics, prefixes, more, _) in &rows {
        readers.push(sim.reader(SECOND, guest(topics, prefixes, more, 10 * SECOND)));
    }
    publish(
        &mut sim,
        2 * SECOND,
        &[&["a"], &["b"], &["b", "a"], &["c"]],
        5,
    );
    sim.run();
    for ((.., more, expected), reader) in rows.iter().zip(readers) {
        assert_eq!(numbers(&sim, reader), *expected, "{more}");
        assert_eq!(watch(&sim, reader).terminated, more.contains('-'), "{more}");
    }
}

#[test]
fn what_is_kept_is_forgotten_after_an_hour() {
    let mut sim = setup::calm();
    publish(&mut sim, 0, &[&["a"]], 5);
    sim.run_for(HOUR - MINUTE);
    let early = sim.reader(0, guest(&["a"], &[], "count=-9", SECOND));
    sim.run_for(2 * MINUTE);
    let late = sim.reader(0, guest(&["a"], &[], "count=-9", SECOND));
    sim.run();
    assert_eq!(numbers(&sim, early), [0]);
    assert!(sim.readers[late].lines().is_empty());
}

#[test]
fn a_reader_that_would_rather_lose_messages_keeps_its_stream() {
    let mut sim = setup::calm();
    let steps = vec![
        Step::Deaf,
        Step::Wait(20 * SECOND),
        Step::Listen,
        Step::Wait(MINUTE),
        Step::Close,
    ];
    let mut slow = Reader::of(&["news"], &[], "slow=drop", (false, 0), steps);
    slow.shape = Some(Shape {
        delay: (20 * MS, 20 * MS),
        cut: Cut::Whole,
        window: 200_000,
        short_percent: 0,
    });
    let slow = sim.reader(0, slow);
    let other = sim.reader(0, guest(&["news"], &[], "", MINUTE));
    for number in 0..10 {
        publish(&mut sim, SECOND + number * 20 * MS, &[&["news"]], 900_000);
    }
    sim.run();
    assert_eq!(numbers(&sim, other), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let got = numbers(&sim, slow);
    assert_eq!(got.first(), Some(&0), "it had been begun");
    assert!(got.ends_with(&[8, 9]) && got.len() < 7, "{got:?}");
}

#[test]
fn there_are_as_many_streams_as_there_may_be_and_no_more() {
    let mut settings = setup::settings();
    settings.topics.streams_max = Some(2);
    let mut sim = setup::calm_with(settings);
    let readers = [0, 1, 2, 3].map(|number| {
        let mut reader = guest(&["news"], &[], "", 2_500 * MS);
        reader.asks.may_be_refused = true;
        sim.reader(number * SECOND, reader)
    });
    sim.run();
    let refused = readers.map(|reader| watch(&sim, reader).refused);
    assert_eq!(refused, [false, false, true, false]);
    let text = String::from_utf8_lossy(&sim.readers[readers[2]].got).into_owned();
    assert!(text.contains("\r\nRetry-After: "), "{text}");
}

#[test]
fn an_old_stream_is_ended_so_that_its_reader_comes_anew() {
    let mut settings = setup::settings();
    settings.topics.age_max = Some(std::time::Duration::from_secs(80));
    let mut sim = setup::calm_with(settings);
    let readers = [(); 4].map(|()| {
        let mut reader = guest(&["news"], &[], "", 5 * MINUTE);
        reader.asks.sheds = true;
        sim.reader(0, reader)
    });
    let start = sim.world.at();
    sim.run();
    for reader in readers {
        let closed = watch(&sim, reader).closed.expect("closed") - start;
        assert!((70 * SECOND..81 * SECOND).contains(&closed), "{closed}");
        assert!(watch(&sim, reader).terminated);
    }
}
