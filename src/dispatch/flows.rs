//! Flows: what shares a rate and a number of attempts under way, whatever origins it goes to.
//! It decides which delivery may join its lane next, reads no clock and moves no delivery itself.
//!
//! ```text
//!           ask             next            began             ended
//!   (due) ───────► waiting ───────► let go ───────► under way ───────► (due again later)
//!                                     ▲      again     │
//!                                     └────────────────┘
//! ```
//!
//! An attempt takes its place when it is let go and keeps it until it has ended, so that what waits
//! in a lane that is held is counted too. What the rate counts is when requests go out: what has
//! gone within the last span, together with what was let go and has yet to, is never more than the
//! rate allows. So in no span do more go out than it says, however long lanes hold them and lines
//! take to be connected.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::index::Index;
use crate::base::ledger::Ledger;
use crate::base::slab::{Key, Slab};
use crate::base::time::Mono;

pub mod queues;
mod window;

pub use crate::base::rate::{RATE_FORM, Rate};

use window::Window;

/// Flows that are known at once before messages with new ones are refused.
pub const FLOWS_MAX: usize = 1 << 16;
/// Memory that a flow is charged for besides its name and its window.
const FLOW_BYTES: usize = 384;

/// Where a delivery stands in its flow: what was due first goes first, then what was accepted
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// When it was due.
    pub due: Mono,
    /// The number of its message.
    pub message: u64,
    /// Its own number in the message.
    pub number: u32,
}

/// What a message says of its flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values {
    /// The number of the message; what the latest says holds.
    pub message: u64,
    /// Attempts that may begin in a span.
    pub rate: Option<Rate>,
    /// Attempts under way at once.
    pub parallelism: Option<u32>,
    /// The message was there before this process: what its flow did then is not known.
    pub restored: bool,
}

/// A flow as it can be shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its rate, if it has one.
    pub rate: Option<Rate>,
    /// Attempts under way at once, if it has a bound on them.
    pub parallelism: Option<u32>,
    /// Deliveries that wait.
    pub waiting: usize,
    /// Attempts that were let go and have not ended.
    pub in_flight: usize,
    /// When the next may go, if only the rate holds it.
    pub next: Option<Mono>,
}

#[derive(Debug)]
struct Flow {
    name: Box<[u8]>,
    rate: Option<Rate>,
    parallelism: Option<u32>,
    /// The messages that said so.
    said: (u64, u64),
    /// Its deliveries, whatever they do.
    members: usize,
    waiting: BTreeMap<Rank, Key>,
    /// Let go, and not begun.
    ready: usize,
    /// Begun, and not ended.
    active: usize,
    window: Window,
    /// Its window tells of the time before this process as well as can be.
    restored: bool,
    /// It stands in the list of those that may let somebody go.
    ripe: bool,
    /// When it is looked at again.
    wake: Option<Mono>,
    /// Bytes on the account of memory.
    charged: u64,
}

/// All flows that have deliveries, or are not done with the span of their rate.
#[derive(Debug)]
pub struct Flows {
    flows: Slab<Flow>,
    by_name: Index<Box<[u8]>, Key>,
    /// When flows are to be looked at again.
    wakes: BTreeSet<(Mono, Key)>,
    /// Flows that may be able to let somebody go.
    ripe: VecDeque<Key>,
    /// When this process began.
    began: Mono,
    waiting: usize,
}

impl Flows {
    /// No flow yet. `seed` is for the map; `began` is when the process did.
    #[must_use]
    pub fn new(seed: u64, began: Mono) -> Flows {
        Flows {
            flows: Slab::with_bound(u32::MAX as usize - 1),
            by_name: Index::new(seed),
            wakes: BTreeSet::new(),
            ripe: VecDeque::new(),
            began,
            waiting: 0,
        }
    }

    /// Whether messages may still bring that flow along.
    #[must_use]
    pub fn has_room(&self, name: &[u8]) -> bool {
        self.flows.len() < FLOWS_MAX || self.by_name.contains(name)
    }

    /// A delivery belongs to the flow of that name until it leaves. It is not asked whether there
    /// is room: it must not be lost.
    pub fn join(
        &mut self,
        memory: &mut Ledger,
        now: Mono,
        name: &[u8],
        values: Values,
    ) -> Option<Key> {
        let key = match self.by_name.get(name) {
            Some(key) => *key,
            None => {
                let key = self.flows.insert(Flow::new(name)).ok()?;
                self.by_name.insert(name.into(), key);
                key
            }
        };
        let flow = self.flows.get_mut(key)?;
        flow.members += 1;
        flow.hear(values, self.began, now);
        let bytes = flow.bytes();
        memory.charge(bytes);
        memory.give(flow.charged);
        flow.charged = bytes;
        self.settle(memory, key, now);
        Some(key)
    }

    /// A delivery is gone, wherever it stood; `stood` is where.
    pub fn leave(&mut self, memory: &mut Ledger, now: Mono, key: Key, stood: Stage) {
        self.drop_out(key, stood);
        if let Some(flow) = self.flows.get_mut(key) {
            flow.members -= 1;
        }
        self.settle(memory, key, now);
    }

    /// A delivery is due, and wants to go. It comes out of `next` when it may.
    pub fn ask(&mut self, memory: &mut Ledger, now: Mono, key: Key, rank: Rank, delivery: Key) {
        if let Some(flow) = self.flows.get_mut(key)
            && flow.waiting.insert(rank, delivery).is_none()
        {
            self.waiting += 1;
        }
        self.settle(memory, key, now);
    }

    /// The next delivery that may go, each once.
    pub fn next(&mut self, memory: &mut Ledger, now: Mono) -> Option<Key> {
        while let Some(key) = self.ripe.front().copied() {
            if let Some(flow) = self.flows.get_mut(key) {
                if flow.lets_go(now)
                    && let Some((_, delivery)) = flow.waiting.pop_first()
                {
                    flow.ready += 1;
                    self.waiting -= 1;
                    return Some(delivery);
                }
                flow.ripe = false;
            }
            self.ripe.pop_front();
            self.settle(memory, key, now);
        }
        None
    }

    /// The request of an attempt that was let go goes out, or its attempt ends before it could.
    pub fn began(&mut self, memory: &mut Ledger, now: Mono, key: Key) {
        if let Some(flow) = self.flows.get_mut(key) {
            flow.ready -= 1;
            flow.active += 1;
            if let Some(rate) = flow.rate {
                flow.window.begin(now, rate);
            }
        }
        // Others may now wait for time rather than for this one.
        self.settle(memory, key, now);
    }

    /// A request goes out once more: what was sent may have been seen, and counts.
    pub fn again(&mut self, key: Key) {
        if let Some(flow) = self.flows.get_mut(key) {
            flow.active -= 1;
            flow.ready += 1;
        }
    }

    /// An attempt has ended; its delivery goes on later.
    pub fn ended(&mut self, memory: &mut Ledger, now: Mono, key: Key, stood: Stage) {
        self.drop_out(key, stood);
        self.settle(memory, key, now);
    }

    fn drop_out(&mut self, key: Key, stood: Stage) {
        let Some(flow) = self.flows.get_mut(key) else {
            return;
        };
        match stood {
            Stage::Away => {}
            Stage::Waiting(rank) => {
                let stood = flow.waiting.remove(&rank).is_some();
                self.waiting -= usize::from(stood);
            }
            Stage::Ready => flow.ready -= 1,
            Stage::Active => flow.active -= 1,
        }
    }

    /// When `fired` is next needed.
    #[must_use]
    pub fn next_wake(&self) -> Option<Mono> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Time has come for some: they may let somebody go, or are forgotten. At most `max` are looked
    /// at.
    pub fn fired(&mut self, memory: &mut Ledger, now: Mono, max: usize) {
        for _ in 0..max {
            let Some((_, key)) = self.wakes.first().filter(|(at, _)| *at <= now).copied() else {
                return;
            };
            self.settle(memory, key, now);
        }
    }

    /// After any change: it is ripe, or waits for its time, or is forgotten.
    fn settle(&mut self, memory: &mut Ledger, key: Key, now: Mono) {
        let Some(flow) = self.flows.get_mut(key) else {
            return;
        };
        if flow.lets_go(now) && !flow.ripe {
            flow.ripe = true;
            self.ripe.push_back(key);
        }
        if flow.is_idle() {
            memory.give(flow.charged);
            if let Some(at) = flow.wake {
                self.wakes.remove(&(at, key));
            }
            self.by_name.remove(&flow.name);
            self.flows.remove(key);
            return;
        }
        let wake = flow.wakes_at();
        if wake != flow.wake {
            if let Some(at) = flow.wake {
                self.wakes.remove(&(at, key));
            }
            self.wakes.extend(wake.map(|at| (at, key)));
            flow.wake = wake;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Deliveries that wait in all of them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The first flow whose place is `index` or later, to go through all of them.
    #[must_use]
    pub fn flow_from(&self, index: usize) -> Option<Key> {
        self.flows.key_from(index)
    }

    /// What there is to show of a flow.
    #[must_use]
    pub fn view(&self, key: Key) -> Option<View<'_>> {
        let flow = self.flows.get(key)?;
        Some(View {
            name: &flow.name,
            rate: flow.rate,
            parallelism: flow.parallelism,
            waiting: flow.waiting.len(),
            in_flight: flow.ready + flow.active,
            next: flow.wake.filter(|_| !flow.waiting.is_empty()),
        })
    }

    /// Sweeps the accounts. Returns the bytes that should stand on the account of memory.
    pub fn check(&self) -> u64 {
        let (mut bytes, mut waiting, mut wakes) = (0, 0, 0);
        for (key, flow) in self.flows.iter() {
            let places = flow.waiting.len() + flow.ready + flow.active;
            assert!(places <= flow.members, "more places than members: {flow:?}");
            assert_eq!(flow.bytes(), flow.charged, "{flow:?}");
            assert_eq!(self.by_name.get(&flow.name), Some(&key), "{flow:?}");
            if let Some(at) = flow.wake {
                assert!(self.wakes.contains(&(at, key)), "nobody looks: {flow:?}");
                wakes += 1;
            }
            let held = flow.ripe || flow.wake.is_some() || flow.ready + flow.active > 0;
            assert!(flow.waiting.is_empty() || held, "stuck: {flow:?}");
            flow.window.check();
            bytes += flow.charged;
            waiting += flow.waiting.len();
        }
        assert_eq!(waiting, self.waiting, "those that wait are miscounted");
        assert_eq!(wakes, self.wakes.len(), "a wake of a flow that is gone");
        bytes
    }
}

/// Where a delivery stands in its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not due.
    Away,
    /// It wants to go.
    Waiting(Rank),
    /// It was let go.
    Ready,
    /// Its attempt is under way.
    Active,
}

impl Flow {
    fn new(name: &[u8]) -> Flow {
        Flow {
            name: name.into(),
            rate: None,
            parallelism: None,
            said: (0, 0),
            members: 0,
            waiting: BTreeMap::new(),
            ready: 0,
            active: 0,
            window: Window::default(),
            restored: false,
            ripe: false,
            wake: None,
            charged: 0,
        }
    }

    /// What the latest message says holds, each value by itself.
    fn hear(&mut self, values: Values, began: Mono, now: Mono) {
        if values.rate.is_some() && values.message >= self.said.0 {
            (self.rate, self.said.0) = (values.rate, values.message);
        }
        if values.parallelism.is_some() && values.message >= self.said.1 {
            (self.parallelism, self.said.1) = (values.parallelism, values.message);
        }
        if values.restored
            && !self.restored
            && let Some(rate) = self.rate
        {
            self.window.suppose(began, now, rate);
            self.restored = true;
        }
    }

    fn bytes(&self) -> u64 {
        let window = self.rate.map_or(0, Window::bytes_max);
        (FLOW_BYTES + 2 * self.name.len() + window) as u64
    }

    /// Whether it lets its first go now. What has begun too long ago is forgotten.
    fn lets_go(&mut self, now: Mono) -> bool {
        if let Some(rate) = self.rate {
            self.window.forget(now, rate);
        }
        !self.waiting.is_empty() && self.has_place() && self.has_turn()
    }

    fn has_place(&self) -> bool {
        let places = self.parallelism.map_or(usize::MAX, |max| max as usize);
        self.ready + self.active < places
    }

    fn has_turn(&self) -> bool {
        self.rate
            .is_none_or(|rate| self.used() < u64::from(rate.count))
    }

    /// What the rate counts: begun within its span, or about to.
    fn used(&self) -> u64 {
        self.window.begun() + self.ready as u64
    }

    /// Nobody belongs to it, and the next to come would find it as if new.
    fn is_idle(&self) -> bool {
        self.members == 0 && self.window.begun() == 0
    }

    /// When only time lets it do something: let the next go, or be forgotten.
    fn wakes_at(&self) -> Option<Mono> {
        let rate = self.rate?;
        if self.members == 0 {
            return self.window.all_free(rate);
        }
        let held = !self.waiting.is_empty() && self.has_place() && !self.has_turn();
        self.window.first_free(rate).filter(|_| held)
    }
}

#[cfg(test)]
mod tests;
