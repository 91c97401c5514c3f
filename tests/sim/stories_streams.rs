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
