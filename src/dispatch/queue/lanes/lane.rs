//! What is known of one lane: how much of it is in memory, how much in the store alone, and when
//! the first of that is due. Plain accounts; it asks nobody for anything.

use std::time::Duration;

use crate::base::time::{Mono, Now, Wall, micros};
use crate::dispatch::queue::Order;
use crate::model::record::{Parked, Work};

/// How long a lane is trusted to wait at most when its time comes from a clock that may have been
/// set since: the longest wait of the usual schedule, and the longest that a target may ask for.
pub(super) const TRUST: Duration = Duration::from_secs(24 * 3_600);
/// A wall clock that differs by less was not set.
const SET_MIN: Duration = Duration::from_secs(1);
/// Deliveries of a lane in memory at most for those that wait there to leave their places.
const SHARED_MAX: u32 = 1_024;
/// Deliveries of a lane without an order that are taken together at most.
const WINDOW_MAX: u8 = 128;
/// The same of a lane that keeps an order: only one of them goes.
pub(super) const FIFO_MAX: u8 = 16;

/// What decides a lane's order, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Known(Order),
    /// It was there before this process. What is taken out of it first will tell.
    Unknown,
}

/// The account of a lane. There may be a million of them.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// In the store alone, as far as is known.
    pub(super) count: u32,
    /// On their way there: not durable yet.
    pub(super) pending: u32,
    /// In memory.
    pub(super) held: u32,
    /// Of those, taken out of the store.
    pub(super) taken: u32,
    /// Rows that the `Take` under way wants.
    pub(super) wanted: u32,
    /// When the first that is parked is due, as the store has it.
    stored: Wall,
    /// The same on our own clock, in microseconds; below zero is before it began.
    due: i64,
    /// So many may be in memory that were taken.
    window: u8,
    pub(super) kind: Kind,
    /// A `Take` is under way.
    pub(super) asked: bool,
    /// Its work was overdue at the start: it begins at a pace.
    pub(super) paced: bool,
    /// Some of it was there before this process.
    loaded: bool,
    /// `due` is earlier than the store has it, for that was not to be trusted.
    doubted: bool,
    /// The wall clock was set between two that are parked in it.
    mixed: bool,
    /// It stands in one of the lists of those that may be asked.
    pub(super) stands: bool,
}

impl Lane {
    pub(super) fn new(kind: Kind) -> Lane {
        Lane {
            count: 0,
            pending: 0,
            held: 0,
            taken: 0,
            wanted: 0,
            stored: Wall(u64::MAX),
            due: i64::MAX,
            window: 1,
            kind,
            asked: false,
            paced: false,
            loaded: false,
            doubted: false,
            mixed: false,
            stands: false,
        }
    }

    /// Whether it keeps an order, as far as is known.
    pub(super) fn is_fifo(&self) -> bool {
        matches!(self.kind, Kind::Known(order) if order.is_fifo())
    }

    /// Whether nothing needs to be known of it.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.pending == 0 && self.held == 0 && !self.asked
    }

    /// Whether something is in the store alone that what comes now must not overtake.
    pub(super) fn has_parked(&self) -> bool {
        self.count > 0 || self.pending > 0 || self.asked
    }

    /// When its first is due.
    pub(super) fn due(&self) -> Mono {
        Mono(u64::try_from(self.due).unwrap_or(0))
    }

    /// How many may be taken now.
    pub(super) fn room(&self) -> u32 {
        let inside = match self.is_fifo() {
            true => self.held,
            false => self.taken,
        };
        let window = match self.kind {
            // Who decides what goes has to see what is newer.
            Kind::Known(Order::Noticed) => u32::from(WINDOW_MAX),
            Kind::Known(_) => u32::from(self.window),
            Kind::Unknown => 1,
        };
        // Not one by one where many go at once.
        match self.count > 0 && !self.asked && inside <= window / 2 {
            true => window - inside,
            false => 0,
        }
    }

    /// A target took one: the next time twice as many.
    pub(super) fn went_well(&mut self) {
        let most = match self.is_fifo() {
            true => FIFO_MAX,
            false => WINDOW_MAX,
        };
        self.window = self.window.saturating_mul(2).min(most);
    }

    /// One failed: the next time a quarter fewer. A dead target is down to one after some twenty,
    /// and one that now and then refuses is not slowed down to that.
    pub(super) fn failed(&mut self) {
        self.window -= self.window.div_ceil(4).min(self.window - 1);
    }

    /// Whether one that was taken, failed and waits here for a moment leaves its place to another.
    pub(super) fn shares(&self) -> bool {
        self.window > 1 && !self.is_fifo() && self.held < SHARED_MAX
    }

    /// One more is parked. What was in memory comes before all that was not (`back`), so that in a
    /// lane that keeps an order its time is that of the lane.
    pub(super) fn add(&mut self, due: Mono, stored: Wall, back: bool) {
        let due = i64::try_from(due.0).unwrap_or(i64::MAX);
        let first = match self.is_fifo() {
            true => back,
            false => stored < self.stored,
        };
        if self.count > 0 {
            let expected = self.due.saturating_add(distance(stored, self.stored));
            self.mixed |= expected.abs_diff(due) > micros(SET_MIN);
        }
        if self.count == 0 || first {
            (self.due, self.stored) = (due, stored);
            (self.paced, self.doubted) = (false, false);
        }
        self.count = self.count.saturating_add(1);
    }

    /// What the store says of it at the start.
    pub(super) fn load(&mut self, now: Now, parked: &Parked) {
        self.count = u32::try_from(parked.count).unwrap_or(u32::MAX);
        self.stored = parked.due;
        self.due = by_wall(now, parked.due);
        self.paced = self.due <= signed(now.mono);
        self.loaded = true;
        self.doubt(now);
    }

    /// A wait that is longer than is to be trusted is cut; what is taken then will tell.
    fn doubt(&mut self, now: Now) {
        let most = signed(now.mono + TRUST);
        self.doubted = self.loaded && self.due > most;
        if self.doubted {
            self.due = most;
        }
    }

    /// The rank up to which a `Take` is to look, if it looks for what is due within `lead`.
    pub(super) fn until(&self, now: Now, lead: Duration) -> u64 {
        match self.kind {
            Kind::Unknown => u64::MAX,
            Kind::Known(order) if order.is_fifo() => u64::MAX,
            Kind::Known(_) if self.doubted => self.stored.0.max((now.wall + lead).0),
            Kind::Known(_) => self
                .stored
                .0
                .saturating_add_signed(signed(now.mono + lead).saturating_sub(self.due).max(0)),
        }
    }

    /// When something of it that is stored under that time is due on our own clock. Whatever the
    /// wall clock has done since, the time between two of them is what it was.
    pub(super) fn due_of(&self, stored: Wall) -> Mono {
        let apart = distance(stored, self.stored);
        Mono(u64::try_from(self.due.saturating_add(apart)).unwrap_or(0))
    }

    /// Whether its time was cut.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// What the store says is left of it after a `Take`. `known` is when one that was taken is due,
    /// as the store has it and as it is, where the lane's own time was doubted.
    pub(super) fn is_left(
        &mut self,
        now: Now,
        left: Option<&Parked>,
        start: Mono,
        known: Option<(Wall, Mono)>,
    ) {
        let Some(left) = left.filter(|left| left.count > 0) else {
            self.count = 0;
            (self.stored, self.due) = (Wall(u64::MAX), i64::MAX);
            (self.paced, self.doubted) = (false, false);
            (self.loaded, self.mixed) = (false, false);
            return;
        };
        if let Some((stored, due)) = known {
            (self.stored, self.due) = (stored, signed(due));
            (self.doubted, self.loaded) = (false, false);
        }
        self.count = u32::try_from(left.count).unwrap_or(u32::MAX);
        let wall = by_wall(now, left.due);
        let own = self.due.saturating_add(distance(left.due, self.stored));
        let blank = self.doubted || self.due == i64::MAX;
        self.stored = left.due;
        self.due = match (blank, self.mixed) {
            (true, _) => wall,
            (false, true) => own.min(wall),
            (false, false) => own,
        };
        // What a clock that was set forward makes overdue is no reason to begin it all at once.
        let jumped = self.mixed && wall <= signed(now.mono) && own > wall;
        self.paced = self.due <= signed(start) || jumped;
        self.doubt(now);
    }
}

/// When a row that came out of a lane whose time was cut is due: a retry that could have waited no
/// longer than that is, all else waits for what is left of its time.
pub(super) fn doubted_due(now: Now, work: &Work, accepted: Wall, longest: Duration) -> Mono {
    let ahead = work.place.due.since(now.wall);
    let most = match work.attempts {
        // It was to wait so long from its acceptance on; a clock set back does not make it longer.
        0 => work.place.due.since(accepted),
        _ => longest.saturating_sub(TRUST),
    };
    now.mono + ahead.min(most)
}

fn signed(at: Mono) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// `later - earlier` in microseconds.
fn distance(later: Wall, earlier: Wall) -> i64 {
    let apart = i128::from(later.0) - i128::from(earlier.0);
    i64::try_from(apart).unwrap_or(match apart < 0 {
        true => i64::MIN,
        false => i64::MAX,
    })
}

/// A wall clock's time on our own clock, if the wall clock is right.
fn by_wall(now: Now, at: Wall) -> i64 {
    let ahead = micros(at.since(now.wall));
    let behind = micros(now.wall.since(at));
    signed(now.mono)
        .saturating_add_unsigned(ahead)
        .saturating_sub_unsigned(behind)
}
