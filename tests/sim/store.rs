//! The fake store: takes operations, makes them durable together after a while, or fails.
//! It keeps nothing; the oracle takes down what was kept.

use std::collections::VecDeque;

use hookah::port::{Seq, StoreDone};

use crate::world::{Event, World};

/// How the store behaves.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Shortest and longest flush, in microseconds; zero is within the turn.
    pub delay: (u64, u64),
    /// How often a flush fails, in per cent.
    pub fail_percent: u64,
}

/// Batches under way.
#[derive(Debug)]
pub struct Store {
    /// How it behaves from now on.
    pub temper: Temper,
    last: Seq,
    pending: Option<Seq>,
    batches: VecDeque<(u64, StoreDone)>,
}

impl Store {
    /// An empty store.
    pub fn new(temper: Temper) -> Store {
        Store {
            temper,
            last: 0,
            pending: None,
            batches: VecDeque::new(),
        }
    }

    /// Takes an operation; their numbers grow by one.
    pub fn submit(&mut self, seq: Seq) {
        assert!(
            self.last == 0 || seq == self.last + 1,
            "operation {seq} after {}",
            self.last
        );
        self.last = seq;
        self.pending = Some(seq);
    }

    /// Ends the batch: all that was taken since the last flush becomes durable together.
    pub fn flush(&mut self, world: &mut World) {
        let Some(seq) = self.pending.take() else {
            return;
        };
        let span = world.rng.between(self.temper.delay.0, self.temper.delay.1);
        let earliest = self.batches.back().map_or(0, |(at, _)| *at);
        let at = (world.at() + span).max(earliest);
        let failed = world.rng.chance(self.temper.fail_percent);
        let done = if failed {
            StoreDone::Failed(seq)
        } else {
            StoreDone::Durable(seq)
        };
        self.batches.push_back((at, done));
        world.schedule(at, Event::Stored);
    }

    /// What has come of a batch by now.
    pub fn done(&mut self, world: &World) -> Option<StoreDone> {
        let (at, _) = self.batches.front()?;
        if *at > world.at() {
            return None;
        }
        self.batches.pop_front().map(|(_, done)| done)
    }
}
