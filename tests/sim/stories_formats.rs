//! Stories of readers of every format: how they are warned, how they come again, how they are
//! ended, and what topics cost that nobody reads.

use hookah::base::stats::Counter;

use crate::asks::Way;
use crate::clients::{Client, Want};
use crate::crowd;
use crate::net::{Cut, Shape};
use crate::publication::Publication;
use crate::readers::Reader;
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::watch::Watch;
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

const FORMATS: [&str; 7] = [
    "format=raw",
    "format=raw&delimited=length",
    "format=json",
    "format=json&delimited=length",
    "format=json&data=raw",
    "format=sse",
    "format=sse&data=raw",
];

fn publish(sim: &mut Sim, delay: u64, count: usize, filler: usize) {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (step, number) = crowd::publish(sim, &["news".to_owned()], filler);
        steps.push(step);
        wants.push(Want::Published(number));
    }
    steps.extend([Step::Answers(count), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

fn reader(more: &str, old: bool, steps: Vec<Step>) -> Reader {
    Reader::of(&["news"], &[], more, (old, 0), steps)
}

fn watch(sim: &Sim, reader: usize) -> &Watch {
    let link = sim.readers[reader].link.expect("it was taken in");
    sim.oracle.feeds.watch(link)
}

#[test]
fn a_drain_tells_every_reader_in_its_format_one_after_the_other() {
    let mut sim = setup::calm();
    let mut readers = Vec::new();
    for format in FORMATS {
        for old in [false, true] {
            readers.push(sim.reader(0, reader(format, old, vec![])));
        }
    }
    publish(&mut sim, SECOND, 3, 500);
    sim.world.after(2 * SECOND, Event::Drain);
    sim.run();
    let mut ends = Vec::new();
    for reader in readers {
        let (reader, watch) = (&sim.readers[reader], watch(&sim, reader));
        assert_eq!(reader.messages().len(), 3, "{:?}", reader.asks);
        let told = reader.asks.format.has_notices().then_some(1);
        assert_eq!(watch.notices.code, told, "{:?}", reader.asks);
        assert_eq!(watch.terminated, !reader.asks.old);
        ends.push(watch.closed.expect("closed"));
    }
    ends.sort_unstable();
    ends.dedup_by_key(|at| *at / (50 * MS));
    assert!(ends.len() > 6, "all at once: {ends:?}");
}

#[test]
fn a_warning_does_not_keep_back_what_it_warns_of() {
    let mut sim = setup::calm();
    sim.store.temper.delay = (SECOND, SECOND);
    sim.net.shape = Some(Shape {
        delay: (MS, MS),
        cut: Cut::Whole,
        window: 8 << 20,
        short_percent: 0,
    });
    let steps = vec![Step::Wait(MINUTE), Step::Close];
    let more = "format=json&stall_warnings=true";
    let reader = sim.reader(0, reader(more, false, steps));
    // All become durable at once, so that a reader is far behind in no time.
    for _ in 0..3 {
        publish(&mut sim, SECOND, 1, 1_000_000);
    }
    sim.run();
    assert_eq!(sim.readers[reader].messages().len(), 3);
    let watch = watch(&sim, reader);
    assert_eq!(watch.notices.warnings.len(), 1);
    assert!(watch.latest < MS, "held up by {} us", watch.latest);
}

#[test]
fn a_reader_that_comes_again_goes_on_where_it_was() {
    for format in &FORMATS[2..] {
        let mut sim = setup::calm();
        let stay = vec![Step::Wait(5 * SECOND), Step::Close];
        let mut first = reader(format, false, stay.clone());
        for way in [Way::Since, Way::Parameter, Way::Field] {
            first.visits.push((5 * SECOND, way, stay.clone()));
        }
        sim.reader(0, first);
        for second in 1..40 {
            publish(&mut sim, second * SECOND + 500 * MS, 1, 10);
        }
        sim.run();
        let got = sim.readers.iter().flat_map(|reader| reader.messages());
        let got: Vec<_> = got.map(|got| got.id.expect("an id")).collect();
        let all = sim.oracle.feeds.publications.iter();
        let all: Vec<_> = all
            .filter_map(|it| it.id.map(|id| id.to_string()))
            .collect();
        assert_eq!((got.len(), &got[..]), (34, &all[..34]), "{format}");
        let resumes: Vec<_> = (0..4).map(|it| watch(&sim, it).resume.as_deref()).collect();
        let on = Some("continue");
        assert_eq!(resumes, [None, on, on, on]);
    }
}

#[test]
fn a_reader_that_was_away_too_long_is_told_how_much_it_missed() {
    let mut settings = setup::settings();
    settings.topics.backlog_messages = 3;
    let mut sim = setup::calm_with(settings);
    let stay = vec![Step::Wait(5 * SECOND), Step::Close];
    let mut first = reader("format=json", false, stay.clone());
    first.visits.push((20 * SECOND, Way::Field, stay));
    sim.reader(0, first);
    // It keeps what it has before it, so that it is known how much another missed.
    let mut stuck = reader("", false, vec![Step::Deaf]);
    stuck.shape = Some(Shape {
        delay: (MS, MS),
        cut: Cut::Whole,
        window: 500,
        short_percent: 0,
    });
    sim.reader(0, stuck);
    for second in 1..20 {
        publish(&mut sim, second * SECOND, 1, 100);
    }
    sim.run();
    assert_eq!(sim.readers[0].messages().len(), 4);
    let again = sim.readers[2].messages();
    assert_eq!(again.len(), 3);
    let watch = watch(&sim, 2);
    assert_eq!(watch.resume.as_deref(), Some("reset"));
    assert_eq!(watch.notices.limits, [12]);
}

#[test]
fn topics_that_nobody_reads_stay_within_the_bound_and_cost_nothing_in_the_end() {
    let mut settings = setup::settings();
    settings.topics.bytes_max = 8 << 20;
    let mut sim = setup::calm_with(settings);
    for client in 0..100 {
        let (mut steps, mut wants) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            let names = |number: u64| format!("{number:x}-{client}");
            let topics: Vec<String> = (0..20).map(|_| names(sim.world.rng.bits())).collect();
            let (step, number) = crowd::publish(&mut sim, &topics, 0);
            steps.push(step);
            wants.push(Want::Published(number));
        }
        steps.extend([Step::Answers(50), Step::Close]);
        sim.client(client * 10 * MS, Client::new(steps, wants));
    }
    // The audit of every turn holds the bound.
    sim.run_for(MINUTE);
    let published = sim.oracle.feeds.publications.iter();
    assert!(published.clone().all(|it: &Publication| it.id.is_some()));
    assert_eq!(published.map(|it| it.topics.len()).sum::<usize>(), 100_000);
    let topics = sim.engine.stats().get(Counter::Topics);
    assert!((1_000..100_000).contains(&topics), "{topics} topics");
    sim.run_for(HOUR + MINUTE);
    sim.engine.check();
    assert_eq!(sim.engine.stats().get(Counter::Topics), 0);
    assert_eq!(sim.engine.stats().get(Counter::TopicsBytes), 0);
    sim.run();
}
