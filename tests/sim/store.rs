//! The fake store: takes operations, makes them last together after a while, or fails; and what
//! lasts is there after a crash, what does not is not. What operations mean, the `Book` knows.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hookah::base::time::Wall;
use hookah::model::MessageId;
use hookah::model::record::Restored;
use hookah::port::{Seq, StoreDone, StoreOp};
use hookah::store::memory::Book;

use crate::world::{Event, World};

/// How the store behaves.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Shortest and longest flush, in microseconds; zero is within the turn.
    pub delay: (u64, u64),
    /// How often a flush fails, in per cent.
    pub fail_percent: u64,
}

/// What is told at the start of what was published.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// Nothing older.
    pub age: Duration,
    /// So many bytes at most.
    pub bytes: u64,
}

/// Operations that become durable together.
#[derive(Debug)]
struct Batch {
    /// When its sync returns.
    at: u64,
    fails: bool,
    ops: Vec<(Seq, StoreOp)>,
}

/// What is to be repeated after a failure.
#[derive(Debug)]
struct Trouble {
    /// When it is over.
    until: u64,
    /// The last operation of the batch that failed.
    up_to: Seq,
    /// What the store still has of it, and what came behind.
    kept: Vec<(Seq, StoreOp)>,
    /// What was lost,
    lost: Vec<(Seq, StoreOp)>,
    /// and whether the disk has it all the same.
    landed: bool,
}

/// The store and its disk.
#[derive(Debug)]
pub struct Store {
    /// How it behaves from now on.
    pub temper: Temper,
    /// Shortest and longest time from a failure until it works again, in microseconds.
    pub repair: (u64, u64),
    /// How long another process may still have it when ours begins, in microseconds.
    pub held: u64,
    /// How often a commit that a crash cuts is on the disk, in per cent.
    pub land_percent: u64,
    /// What it says of its troubles.
    pub word: &'static str,
    /// Commits that failed.
    pub failures: u32,
    /// What is on the disk.
    pub book: Book,
    last: Seq,
    fresh: Vec<(Seq, StoreOp)>,
    batches: VecDeque<Batch>,
    trouble: Option<Trouble>,
    told: VecDeque<(u64, StoreDone)>,
    /// Until then it is busy with what was before.
    ready_at: u64,
}

impl Store {
    /// An empty store.
    pub fn new(temper: Temper) -> Store {
        Store {
            temper,
            repair: (0, 0),
            held: 0,
            land_percent: 50,
            word: "io_error",
            failures: 0,
            book: Book::new(u64::MAX),
            last: 0,
            fresh: Vec::new(),
            batches: VecDeque::new(),
            trouble: None,
            told: VecDeque::new(),
            ready_at: 0,
        }
    }

    /// Takes an operation; their numbers grow by one.
    pub fn submit(&mut self, seq: Seq, op: StoreOp) {
        assert_eq!(seq, self.last + 1, "operation {seq} after {}", self.last);
        self.last = seq;
        self.fresh.push((seq, op));
    }

    /// Whether it still reads what was before.
    pub fn is_restoring(&self, world: &World) -> bool {
        world.at() < self.ready_at
    }

    /// Whether anything waits for a flush.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Ends the batch: all that was taken since the last flush becomes durable together.
    pub fn flush(&mut self, world: &mut World) {
        let ops = std::mem::take(&mut self.fresh);
        if ops.is_empty() {
            return;
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.kept.extend(ops);
            return;
        }
        let span = world.rng.between(self.temper.delay.0, self.temper.delay.1);
        let earliest = self.batches.back().map_or(self.ready_at, |it| it.at);
        let at = (world.at() + span).max(earliest);
        let fails = world.rng.chance(self.temper.fail_percent);
        self.batches.push_back(Batch { at, fails, ops });
        world.schedule(at, Event::Stored);
    }

    /// The next thing that has come of the flushes by now.
    pub fn done(&mut self, world: &mut World) -> Option<StoreDone> {
        let is_due =
            |told: &VecDeque<(u64, StoreDone)>, now| told.front().is_some_and(|(at, _)| *at <= now);
        while !is_due(&self.told, world.at()) && self.advance(world) {}
        if !is_due(&self.told, world.at()) {
            return None;
        }
        self.told.pop_front().map(|(_, done)| done)
    }

    /// It says something of its own accord.
    pub fn say(&mut self, world: &mut World, done: StoreDone) {
        self.told.push_back((world.at(), done));
        world.after(0, Event::Stored);
    }

    /// The next batch or the end of a trouble, if its time has come.
    fn advance(&mut self, world: &mut World) -> bool {
        if let Some(trouble) = self.trouble.take_if(|it| it.until <= world.at()) {
            self.commit(world, trouble.kept);
            let well = StoreDone::Usable { trouble: None };
            self.told.push_back((world.at(), well));
            return true;
        }
        let now = world.at();
        let first = self.batches.front().filter(|it| it.at <= now);
        if self.trouble.is_some() || first.is_none() {
            return false;
        }
        let Some(batch) = self.batches.pop_front() else {
            return false;
        };
        match batch.fails {
            true => self.fail(world, batch.ops),
            false => self.commit(world, batch.ops),
        }
        true
    }

    fn commit(&mut self, world: &World, ops: Vec<(Seq, StoreOp)>) {
        let at = world.at();
        let mut silent = None;
        for (seq, op) in ops {
            silent = Some(seq);
            if let Some(done) = self.book.apply(world.now.wall, op) {
                silent = None;
                self.told.push_back((at, StoreDone::Durable(seq)));
                self.told.push_back((at, done));
            }
        }
        self.told
            .extend(silent.map(|seq| (at, StoreDone::Durable(seq))));
    }

    /// A commit has failed, and nobody knows what of it is on the disk.
    fn fail(&mut self, world: &mut World, ops: Vec<(Seq, StoreOp)>) {
        self.failures += 1;
        let up_to = ops.last().map_or(0, |(seq, _)| *seq);
        let gone: BTreeSet<MessageId> = ops
            .iter()
            .filter_map(|(_, op)| match op {
                StoreOp::Accept { message, promised } => Some(message.id).filter(|_| !promised),
                _ => None,
            })
            .collect();
        let is_lost = |op: &StoreOp| match op {
            StoreOp::Accept { message, .. } => gone.contains(&message.id),
            StoreOp::Work(work) => gone.contains(&work.id),
            _ => false,
        };
        let (lost, mut kept): (Vec<_>, Vec<_>) = ops.into_iter().partition(|(_, op)| is_lost(op));
        // What came behind is tried again as it is.
        kept.extend(self.batches.drain(..).flat_map(|batch| batch.ops));
        let until = world.at() + world.rng.between(self.repair.0, self.repair.1);
        let trouble = Some(self.word);
        for done in [StoreDone::Failed(up_to), StoreDone::Usable { trouble }] {
            self.told.push_back((world.at(), done));
        }
        self.trouble = Some(Trouble {
            until,
            up_to,
            kept,
            lost,
            landed: world.rng.chance(self.land_percent),
        });
        world.schedule(until, Event::Stored);
    }
}

/// Its ends and beginnings.
impl Store {
    /// The process is gone. A commit that was under way is on the disk or is not.
    pub fn crash(&mut self, world: &mut World) {
        let mut landed = Vec::new();
        if let Some(trouble) = self.trouble.take().filter(|it| it.landed) {
            landed = trouble.lost;
            let kept = trouble.kept.into_iter();
            landed.extend(kept.filter(|(seq, _)| *seq <= trouble.up_to));
            landed.sort_by_key(|(seq, _)| *seq);
        } else if world.rng.chance(self.land_percent) {
            let first = self.batches.pop_front().filter(|it| !it.fails);
            landed = first.map_or(landed, |batch| batch.ops);
        }
        for (_, op) in landed {
            self.book.apply(world.now.wall, op);
        }
        self.forget();
    }

    /// The process ends in good order: what was handed over lasts.
    pub fn close(&mut self, world: &mut World) {
        let trouble = self.trouble.take();
        let kept = trouble.into_iter().flat_map(|trouble| trouble.kept);
        let batches = self.batches.drain(..).flat_map(|batch| batch.ops);
        let all: Vec<_> = kept.chain(batches).chain(self.fresh.drain(..)).collect();
        self.commit(world, all);
        self.forget();
    }

    fn forget(&mut self) {
        self.fresh.clear();
        self.batches.clear();
        self.trouble = None;
        self.told.clear();
        self.last = 0;
    }

    /// A new process is told of what was before, piece by piece, and then that this was all.
    pub fn start(&mut self, world: &mut World, backlog: Backlog) {
        let since = world
            .now
            .wall
            .0
            .saturating_sub(backlog.age.as_micros() as u64);
        let told = self.book.restore(Wall(since), backlog.bytes);
        let mut rest: VecDeque<Restored> = told.into();
        let held = match self.held {
            0 => 0,
            longest => world.rng.between(0, longest),
        };
        let mut at = world.at() + held;
        let (shortest, longest) = self.temper.delay;
        let pace = match longest {
            0 => 0,
            _ => world.rng.between(shortest, longest),
        };
        while !rest.is_empty() {
            let most = world.rng.pick(&[1, 2, 512]).min(rest.len());
            let piece = rest.drain(..most).collect();
            at += pace;
            self.told.push_back((at, StoreDone::Restored(piece)));
            world.schedule(at, Event::Stored);
        }
        self.ready_at = at + pace;
        self.told.push_back((self.ready_at, StoreDone::Ready));
        world.schedule(self.ready_at, Event::Stored);
    }
}
