//! Lanes whose work is in the store alone: how much there is, when the first is due, and what is
//! wanted of it. A dead lane holds one delivery in memory, a healthy one gets more with each that
//! is taken; and however many wait, a lane costs what its account costs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::brought::order_of;
use self::lane::{FIFO_MAX, Kind, Lane};
use super::pace::Pace;
use super::{Entry, HORIZON, Order, Seat, watch};
use crate::base::index::Index;
use crate::base::slab::Key;
use crate::base::time::{Mono, Wall, micros};
use crate::dispatch::NEAR_MAX;
use crate::model::record::{Parked, Taken};
use crate::port::{Seq, StoreOp, Timer, Turn};

mod brought;
mod lane;
mod parking;
mod setback;

pub use brought::Brought;
pub use parking::Parking;

/// Work is asked for so long before it is due.
pub const LEAD: Duration = Duration::from_secs(1);
/// Deliveries of an origin that wait in memory before more of them go to the store alone.
pub const HELD_MAX: u32 = 4_096;
/// Deliveries to one subscriber that are in the store alone at most: as of those in memory, whoever
/// takes nothing must not keep everything.
pub const NOTICES_MAX: u32 = 1_000;
/// Memory that the account of a lane is charged for: its entry in the map, which is between half
/// and wholly full, and that in the list.
pub const LANE_BYTES: u64 = 160;
/// `Take`s under way at once.
const TAKES_MAX: u32 = 64;
/// What one row of a `Take` is reckoned to bring, in bytes, and one `Take` at most.
const ROW_BYTES: u64 = 64 << 10;
const TAKE_BYTES: u64 = 1 << 20;

/// All lanes that have work, in memory or parked.
#[derive(Debug)]
pub struct Lanes {
    /// Whether the store keeps anything; if not, nothing is ever parked and nothing is counted.
    keeps: bool,
    lanes: Index<u64, Lane>,
    /// Those that may be asked, by the time when their first is due.
    fresh: BTreeSet<(Mono, u64)>,
    /// The same of those whose work was overdue at the start.
    overdue: BTreeSet<(Mono, u64)>,
    pace: Pace,
    /// When the store was ready.
    start: Mono,
    /// `Take`s under way, with the bytes reserved for them and the rows asked for.
    takes: u32,
    reserved: u64,
    asked: usize,
    /// Deliveries in memory that were taken.
    taken: usize,
    /// Deliveries in the store alone, as far as is known.
    parked: u64,
    /// The last operation by which anything was parked.
    parked_at: Seq,
    node: Option<(Key, Mono)>,
}

impl Lanes {
    /// No lane. With a store that `keeps`, what is far or too much is parked; `rate` is the pace of
    /// recovery, in deliveries a second.
    #[must_use]
    pub fn new(keeps: bool, rate: u32, seed: u64) -> Lanes {
        Lanes {
            keeps,
            lanes: Index::new(seed),
            fresh: BTreeSet::new(),
            overdue: BTreeSet::new(),
            pace: Pace::new(rate),
            start: Mono(0),
            takes: 0,
            reserved: 0,
            asked: 0,
            taken: 0,
            parked: 0,
            parked_at: 0,
            node: None,
        }
    }

    /// Deliveries in the store alone, as far as is known.
    #[must_use]
    pub fn parked(&self) -> u64 {
        self.parked
    }

    /// Lanes that have work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether no lane has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// A delivery comes in: whether it is held in memory.
    pub(super) fn submit(
        &mut self,
        turn: &mut Turn,
        name: u64,
        order: Order,
        delay: Duration,
    ) -> Entry {
        if !self.keeps {
            return Entry::Held;
        }
        let full = turn.memory.held() > turn.memory.max() / 2;
        let lane = account(&mut self.lanes, turn, name, Kind::Known(order));
        if lane.kind == Kind::Unknown {
            lane.kind = Kind::Known(order);
        }
        let behind = lane.has_parked();
        let parks = match order {
            Order::Time => delay > HORIZON || full || lane.held >= HELD_MAX,
            Order::Accepted => delay > HORIZON || full || behind || lane.held >= FIFO_MAX.into(),
            Order::Noticed => full || behind,
        };
        if !parks {
            lane.held += 1;
            return Entry::Held;
        }
        if order == Order::Noticed && lane.count + lane.pending >= NOTICES_MAX {
            return Entry::Full;
        }
        lane.pending += 1;
        Entry::Parked
    }

    /// What was submitted to be parked is durable.
    pub fn durable(&mut self, turn: &mut Turn, parking: &Parking) {
        for name in &parking.lanes {
            if let Some(lane) = self.lanes.get_mut(name) {
                lane.pending = lane.pending.saturating_sub(1);
                // The store counts what came before a `Take`.
                if !lane.asked {
                    unlist(&mut self.fresh, &mut self.overdue, *name, lane);
                    lane.add(parking.due, parking.stored, false);
                    self.parked += 1;
                }
            }
            self.settle(turn, *name);
        }
    }

    /// What was submitted to be parked was lost.
    pub fn lost(&mut self, turn: &mut Turn, parking: &Parking) {
        for name in &parking.lanes {
            if let Some(lane) = self.lanes.get_mut(name) {
                lane.pending = lane.pending.saturating_sub(1);
            }
            self.settle(turn, *name);
        }
    }

    /// Whether a delivery in memory that has to wait so long goes back to the store; `near` if the
    /// wheel could have it. One that was taken makes room for the others of its lane at once. In a
    /// lane that keeps an order the first holds up all others, so that nothing is won.
    pub(super) fn parks(&self, seat: &Seat, wait: Duration, near: bool) -> bool {
        if !self.keeps || seat.order.is_fifo() {
            return false;
        }
        let lane = self.lanes.get(&seat.lane);
        lane.is_some_and(|lane| {
            let crowded = seat.taken && lane.count > 0 && wait >= 2 * LEAD;
            !lane.asked && (!near || crowded)
        })
    }

    /// A delivery goes back to the store alone: the caller hands the operation over and drops it.
    pub(super) fn park(&mut self, turn: &mut Turn, seat: Seat, due: Mono, stored: Wall) {
        if let Some(lane) = self.lanes.get_mut(&seat.lane) {
            unlist(&mut self.fresh, &mut self.overdue, seat.lane, lane);
            lane.add(due, stored, true);
            self.parked += 1;
            self.parked_at = turn.handed.last() + 1;
        }
        self.leave(turn, seat);
    }

    /// A delivery has ended.
    pub(super) fn left(&mut self, turn: &mut Turn, seat: Seat, well: bool) {
        if let Some(lane) = self.lanes.get_mut(&seat.lane) {
            match well {
                true => lane.went_well(),
                false => lane.failed(),
            }
        }
        self.leave(turn, seat);
    }

    fn leave(&mut self, turn: &mut Turn, seat: Seat) {
        if !self.keeps {
            return;
        }
        if let Some(lane) = self.lanes.get_mut(&seat.lane) {
            lane.held = lane.held.saturating_sub(1);
            if seat.taken {
                lane.taken = lane.taken.saturating_sub(1);
                self.taken = self.taken.saturating_sub(1);
            }
        }
        self.settle(turn, seat.lane);
    }

    /// After any change: the lane stands in a list if it may be asked, and goes if it is empty.
    fn settle(&mut self, turn: &mut Turn, name: u64) {
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        if lane.is_empty() {
            self.lanes.remove(&name);
            turn.memory.give(LANE_BYTES);
            return;
        }
        let may = lane.room() > 0;
        match (lane.stands, may) {
            (false, true) => {
                let list = match lane.paced {
                    true => &mut self.overdue,
                    false => &mut self.fresh,
                };
                lane.stands = list.insert((lane.due(), name));
            }
            (true, false) => unlist(&mut self.fresh, &mut self.overdue, name, lane),
            _ => {}
        }
    }

    /// What the store says of a lane at the start.
    pub fn restore(&mut self, turn: &mut Turn, parked: &Parked) {
        if !self.keeps || parked.count == 0 {
            return;
        }
        let lane = account(&mut self.lanes, turn, parked.lane, Kind::Unknown);
        lane.load(turn.now, parked);
        self.parked += parked.count;
        self.settle(turn, parked.lane);
    }

    /// The store has said everything: what is overdue begins from now on.
    pub fn begin(&mut self, now: Mono) {
        self.start = now;
        self.pace.begin(now);
    }

    /// Asks the store for what is due soon, as far as there is room. Every fact ends with this.
    pub fn ask(&mut self, turn: &mut Turn) {
        if self.fresh.is_empty() && self.overdue.is_empty() && self.node.is_none() {
            return;
        }
        let soon = turn.now.mono + LEAD;
        let mut stuck = false;
        while !stuck && let Some(name) = self.next(turn.now.mono, soon) {
            stuck = !self.ask_lane(turn, name);
        }
        let ahead = |due: Mono| Mono(due.0.saturating_sub(micros(LEAD)));
        let fresh = self.fresh.first().map(|(due, _)| ahead(*due));
        let overdue = self
            .overdue
            .first()
            .map(|(due, _)| ahead(*due).max(self.pace.next()));
        let at = fresh.into_iter().chain(overdue).min();
        // Whoever frees what is missing asks again.
        let at = at.filter(|at| !stuck || *at > turn.now.mono);
        watch(turn, &mut self.node, at, Timer::Parked);
    }

    /// The node fired.
    pub fn fired(&mut self) {
        self.node = None;
    }

    /// The lane that is to be asked next. Those that go at a pace come first, for the pace lets
    /// others in between.
    fn next(&mut self, now: Mono, soon: Mono) -> Option<u64> {
        if let Some((_, name)) = self.overdue.first()
            && self.pace.tokens(now) > 0
        {
            return Some(*name);
        }
        self.fresh
            .first()
            .filter(|(due, _)| *due <= soon)
            .map(|(_, name)| *name)
    }

    /// Asks for the first of a lane; false if there is no room for anything.
    fn ask_lane(&mut self, turn: &mut Turn, name: u64) -> bool {
        let left = NEAR_MAX.saturating_sub(self.taken + self.asked);
        let Some(lane) = self.lanes.get_mut(&name) else {
            return false;
        };
        let mut rows = lane.room().min(u32::try_from(left).unwrap_or(u32::MAX));
        if lane.paced {
            rows = rows.min(self.pace.tokens(turn.now.mono));
        }
        let bytes = reserved(rows);
        let alone = self.takes == 0 && self.taken == 0;
        if rows == 0 || self.takes >= TAKES_MAX {
            return false;
        }
        match alone {
            // What is held by others may wait for this very work.
            true => turn.memory.charge(bytes),
            false if turn.memory.take(bytes) => {}
            false => return false,
        }
        unlist(&mut self.fresh, &mut self.overdue, name, lane);
        lane.asked = true;
        if lane.paced {
            self.pace.take(rows);
        }
        self.takes += 1;
        self.reserved += bytes;
        self.asked += rows as usize;
        lane.wanted = rows;
        let until = lane.until(turn.now, LEAD);
        turn.hand(StoreOp::Take {
            lane: name,
            until,
            rows,
            bytes,
        });
        true
    }

    /// The store has answered a `Take`. The rows themselves follow, each by [`Lanes::enter`] if it
    /// is held from now on, then [`Lanes::seen_to`].
    pub fn brought(&mut self, turn: &mut Turn, name: u64, rows: &[Taken]) -> Option<Brought> {
        let lane = self.lanes.get_mut(&name).filter(|lane| lane.asked)?;
        turn.memory.give(reserved(lane.wanted));
        self.reserved -= reserved(lane.wanted);
        let spare = lane
            .wanted
            .saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if lane.paced {
            self.pace.give_back(spare);
        }
        self.takes -= 1;
        self.asked -= lane.wanted as usize;
        lane.asked = false;
        let order = match (lane.kind, rows.first()) {
            (Kind::Known(order), _) => order,
            (Kind::Unknown, Some(row)) => order_of(row),
            (Kind::Unknown, None) => Order::Time,
        };
        lane.kind = Kind::Known(order);
        Some(Brought {
            order,
            lane: lane.clone(),
            known: None,
        })
    }

    /// One of the rows is in memory from now on.
    pub fn enter(&mut self, name: u64) {
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.held += 1;
            lane.taken += 1;
            self.taken += 1;
        }
    }

    /// All rows of a `Take` have been looked at; `left` is what the store says is parked still.
    pub fn seen_to(
        &mut self,
        turn: &mut Turn,
        name: u64,
        brought: &Brought,
        left: Option<&Parked>,
    ) {
        if let Some(lane) = self.lanes.get_mut(&name) {
            let before = lane.count;
            lane.is_left(turn.now, left, self.start, brought.known);
            self.parked = (self.parked + u64::from(lane.count)).saturating_sub(before.into());
        }
        self.settle(turn, name);
    }

    /// What the store says of lanes out of which it has canceled deliveries, as of everything up to
    /// that number. Where more was parked since then it says too little, and too much that is
    /// believed to be there is put right by the next `Take`.
    pub fn canceled(&mut self, turn: &mut Turn, lanes: &[Parked], seq: Seq) {
        if self.parked_at > seq {
            return;
        }
        for parked in lanes {
            let Some(lane) = self.lanes.get_mut(&parked.lane).filter(|lane| !lane.asked) else {
                continue;
            };
            unlist(&mut self.fresh, &mut self.overdue, parked.lane, lane);
            let before = lane.count;
            lane.is_left(turn.now, Some(parked), self.start, None);
            self.parked = (self.parked + u64::from(lane.count)).saturating_sub(before.into());
            self.settle(turn, parked.lane);
        }
    }

    /// Sweeps its accounts; gives the bytes that should stand on the account of memory, without
    /// those of what is on its way to be parked.
    pub fn check(&self) -> u64 {
        let mut listed = 0;
        for (list, paced) in [(&self.fresh, false), (&self.overdue, true)] {
            for (due, name) in list {
                let lane = self.lanes.get(name);
                let fits = lane.is_some_and(|lane| {
                    lane.stands && lane.paced == paced && lane.due() == *due && lane.room() > 0
                });
                assert!(fits, "lane {name:x} stands in a list for {due:?}: {lane:?}");
                listed += 1;
            }
        }
        assert!(listed <= self.lanes.len(), "a lane stands in two lists");
        assert!(
            self.keeps || self.lanes.is_empty(),
            "lanes of a store that forgets"
        );
        self.lanes.len() as u64 * LANE_BYTES + self.reserved
    }

    /// Sweeps what it believes to be in memory against what is: deliveries by lane, and of those
    /// the ones that were taken.
    pub fn check_memory(&self, held: &BTreeMap<u64, (u32, u32)>) {
        if !self.keeps {
            return;
        }
        let mut taken = 0;
        for (name, there) in held {
            let lane = self.lanes.get(name);
            let known = lane.map(|lane| (lane.held, lane.taken));
            assert_eq!(known, Some(*there), "lane {name:x} is miscounted");
            taken += there.1 as usize;
        }
        assert_eq!(taken, self.taken, "taken deliveries are miscounted");
    }
}

/// What a `Take` of so many rows may bring, in bytes.
fn reserved(rows: u32) -> u64 {
    (u64::from(rows) * ROW_BYTES).min(TAKE_BYTES)
}

/// The account of that lane, opened if there is none.
fn account<'l>(
    lanes: &'l mut Index<u64, Lane>,
    turn: &mut Turn,
    name: u64,
    kind: Kind,
) -> &'l mut Lane {
    let memory = &mut turn.memory;
    lanes.get_or_insert_with(name, || {
        memory.charge(LANE_BYTES);
        Lane::new(kind)
    })
}

/// Takes a lane out of the list in which it stands.
fn unlist(
    fresh: &mut BTreeSet<(Mono, u64)>,
    overdue: &mut BTreeSet<(Mono, u64)>,
    name: u64,
    lane: &mut Lane,
) {
    if lane.stands {
        let list = if lane.paced { overdue } else { fresh };
        list.remove(&(lane.due(), name));
        lane.stands = false;
    }
}

#[cfg(test)]
mod tests;
