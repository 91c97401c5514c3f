//! Every HTTP call out: lanes per origin, kept-alive lines, a bound on lines in all, the guard over
//! addresses. It decides which call goes next and on which line, and never whether to call again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::index::Index;
use crate::base::slab::{Key, Slab};
use crate::base::time::Mono;
use crate::model::{Origin, Owner};
use crate::port::Turn;

pub mod breaker;
pub mod dns;
pub mod guard;
mod hold;
mod lane;
mod resolve;

pub use hold::{LANES_PAUSED_MAX, LANES_TIMED_MAX, View};

use dns::Resolver;
use guard::Policy;
use lane::Lane;
pub use resolve::address;

/// Nodes of the wheel that lookups use at most, two each.
pub const TIMERS_MAX: usize = 2 * resolve::LOOKUPS_MAX;

/// How calls go out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Calls in flight to one origin; fewer if that would be more than a tenth of all lines.
    pub parallelism: u32,
    /// Connecting, of the whole deadline.
    pub connect_timeout: Duration,
    /// A kept-alive line without a call.
    pub idle_timeout: Duration,
    /// What may be called.
    pub policy: Policy,
    /// Name servers, instead of those of resolv.conf.
    pub resolvers: Vec<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            parallelism: 64,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            policy: Policy::default(),
            resolvers: Vec::new(),
        }
    }
}

/// A call waiting in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who wants it.
    pub owner: Owner,
    /// Only a new line will do: a kept-alive one was dead, or led to an address forbidden to it.
    pub fresh: bool,
    /// When its owner gives it up; it may have to wait for longer than that.
    pub expires: Mono,
}

/// How a call can go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// On this line, which is ready.
    On(Key, Call),
    /// On a line that has yet to be connected.
    Fresh(Call),
}

/// All lanes.
#[derive(Debug)]
pub struct Courier {
    settings: Settings,
    /// Names to addresses.
    pub names: Resolver,
    lanes: Slab<Lane>,
    by_origin: Index<Origin, Key>,
    /// Lanes that wait for a line to be closed somewhere, in the order in which they began to.
    starved: VecDeque<Key>,
    /// Lines that were put to rest, in that order; most are stale by the time they are looked at.
    resting: VecDeque<Key>,
    lines: usize,
    /// Calls in flight.
    busy: usize,
    lines_max: usize,
    /// Calls in flight in one lane: its parallelism, and a tenth of all lines at most, so that a
    /// dead origin cannot take the others' places.
    width: u32,
    waiting: usize,
    /// Lanes that somebody has paused.
    paused: usize,
    /// Lanes that have a node in the wheel.
    timed: usize,
    /// Empty lanes that are kept for their past.
    remembered: usize,
}

impl Courier {
    /// No lanes yet. `lines_max` bounds outbound lines of all lanes together.
    #[must_use]
    pub fn new(settings: Settings, lines_max: usize, seed: u64) -> Courier {
        let lines_max = lines_max.max(1);
        let servers = settings.resolvers.clone();
        Courier {
            width: width(settings.parallelism, lines_max),
            settings,
            names: Resolver::new(
                servers,
                resolve::lookups_max(lines_max),
                seed.rotate_left(7),
            ),
            lanes: Slab::with_bound(u32::MAX as usize - 1),
            by_origin: Index::new(seed),
            starved: VecDeque::new(),
            resting: VecDeque::new(),
            lines: 0,
            busy: 0,
            lines_max,
            waiting: 0,
            paused: 0,
            timed: 0,
            remembered: 0,
        }
    }

    /// The settings it was given.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Goes by other rules for targets from now on. What lanes were cut to fit stays as it was.
    pub fn retune(&mut self, settings: &Settings) {
        let own = std::mem::take(&mut self.settings.policy.own);
        self.settings.policy = settings.policy.clone();
        self.settings.policy.own = own;
    }

    /// Tells it where this process listens: calls to there would be a loop.
    pub fn listening(&mut self, addrs: &[std::net::SocketAddr]) {
        self.settings.policy.own = addrs.to_vec();
    }

    /// A call joins the end of its origin's lane. Returns the lane, for `next`.
    pub fn enqueue(&mut self, turn: &mut Turn, origin: &Origin, call: Call) -> Option<Key> {
        let key = self.lane_of(origin)?;
        let lane = self.lanes.get_mut(key)?;
        lane.waiting.push_back(call);
        self.waiting += 1;
        lane.first_expiry = lane.first_expiry.min(call.expires);
        if lane.is_held() {
            self.arm(turn, key);
        }
        Some(key)
    }

    /// A call goes back to the head of its lane: it is still its turn.
    pub fn put_back(&mut self, lane: Key, call: Call) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.first_expiry = lane.first_expiry.min(call.expires);
            lane.waiting.push_front(call);
            self.waiting += 1;
        }
    }

    /// The lane's next call, if it may start one now. The caller starts it and says so by
    /// `started`, or drops it.
    pub fn next(&mut self, key: Key) -> Option<Start> {
        let lane = self.lanes.get_mut(key)?;
        if lane.busy >= self.width || !lane.lets_through() {
            return None;
        }
        let call = *lane.waiting.front()?;
        let ready = if call.fresh { None } else { lane.ready.pop() };
        if ready.is_none() && lane.resolving {
            return None;
        }
        if ready.is_none() && self.lines >= self.lines_max {
            self.starve(key);
            return None;
        }
        lane.waiting.pop_front();
        self.waiting -= 1;
        Some(match ready {
            Some(line) => Start::On(line, call),
            None => Start::Fresh(call),
        })
    }

    /// A line that `next` gave was not used after all.
    pub fn unused(&mut self, key: Key, line: Key) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.ready.push(line);
        }
    }

    /// The lane waits until a line is closed somewhere, although it may have more of its own.
    pub fn starve(&mut self, key: Key) {
        if let Some(lane) = self.lanes.get_mut(key)
            && !lane.starved
        {
            lane.starved = true;
            self.starved.push_back(key);
        }
    }

    /// Whether a busy line that has just failed may be replaced by a new one before it is closed.
    #[must_use]
    pub fn may_replace(&self, key: Key) -> bool {
        let free = self
            .lanes
            .get(key)
            .is_some_and(|lane| lane.busy < self.width);
        free && self.lines < self.lines_max
    }

    /// The attempt of `owner` is about to end before it has a line. The breaker has to know of it:
    /// what ends counts for a probe only if it began as one.
    pub fn tried(&mut self, key: Key, owner: Owner) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.breaker.started(owner);
        }
    }

    /// The call of `owner` started on a line of the lane; `fresh` if the line is new.
    pub fn started(&mut self, key: Key, owner: Owner, fresh: bool) {
        self.lines += usize::from(fresh);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.breaker.started(owner);
            lane.busy += 1;
            self.busy += 1;
            lane.lines += u32::from(fresh);
        }
    }

    /// A busy line is ready again. Returns whether it may be kept; if not it is to be closed, as a
    /// busy line, because another lane waits for its place, or nothing follows (`last`).
    #[must_use]
    pub fn rests(&mut self, key: Key, line: Key, last: bool) -> bool {
        // While others starve, a lane keeps a line only for calls that wait, and only up to its
        // share, so that a long queue to one origin cannot shut out the rest.
        let share = self.lines_max / (self.lanes.len() - self.remembered).max(1);
        let Some(lane) = self.lanes.get_mut(key) else {
            return false;
        };
        let spare = lane.waiting.is_empty() || lane.lines as usize > share;
        if (spare && !self.starved.is_empty()) || (last && lane.waiting.is_empty()) {
            return false;
        }
        lane.busy = lane.busy.saturating_sub(1);
        self.busy = self.busy.saturating_sub(1);
        lane.ready.push(line);
        self.resting.push_back(line);
        if self.resting.len() > 4 * self.lines_max.min(1 << 14) {
            self.resting.drain(..self.resting.len() / 2);
        }
        true
    }

    /// A line of the lane was closed; `busy` if it carried a call.
    pub fn closed(&mut self, key: Key, line: Key, busy: bool) {
        self.lines = self.lines.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.lines = lane.lines.saturating_sub(1);
        if busy {
            lane.busy = lane.busy.saturating_sub(1);
            self.busy = self.busy.saturating_sub(1);
        } else {
            lane.ready.retain(|ready| *ready != line);
        }
    }

    /// A lane that waits for a place, if there is a place now.
    pub fn next_starved(&mut self) -> Option<Key> {
        if self.lines >= self.lines_max {
            return None;
        }
        while let Some(key) = self.starved.pop_front() {
            if let Some(lane) = self.lanes.get_mut(key) {
                lane.starved = false;
                return Some(key);
            }
        }
        None
    }

    /// While lanes starve: the line that was put to rest first, if it may still rest. The caller
    /// closes it if it is ready.
    pub fn oldest_resting(&mut self) -> Option<Key> {
        if self.starved.is_empty() {
            None
        } else {
            self.resting.pop_front()
        }
    }

    /// Calls that wait in all lanes.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Outbound lines of all lanes.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Calls in flight in all lanes.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy
    }

    /// Lanes in use.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Sweeps the accounts: sums over lanes equal the totals, and no lane passes its bounds.
    pub fn check(&self) {
        let busy: usize = self.lanes.iter().map(|(_, lane)| lane.busy as usize).sum();
        assert_eq!(busy, self.busy, "calls in flight miscounted");
        let (mut sums, mut paused, mut timed, mut remembered) = ((0, 0), 0, 0, 0);
        for (_, lane) in self.lanes.iter() {
            assert!(lane.busy <= self.width, "lane over its width: {lane:?}");
            lane.check();
            paused += usize::from(lane.paused);
            timed += usize::from(lane.timer.is_some());
            remembered += usize::from(lane.forgotten_at.is_some());
            assert_eq!(
                lane.lines as usize,
                lane.busy as usize + lane.ready.len(),
                "{lane:?}"
            );
            sums = (sums.0 + lane.waiting.len(), sums.1 + lane.lines as usize);
        }
        assert_eq!(
            sums,
            (self.waiting, self.lines),
            "sums over lanes differ from the totals"
        );
        assert_eq!(
            (paused, timed, remembered),
            (self.paused, self.timed, self.remembered),
            "lanes paused, timed and remembered miscounted"
        );
        assert!(
            self.lines <= self.lines_max,
            "more outbound lines than allowed"
        );
        assert_eq!(
            self.by_origin.len(),
            self.lanes.len(),
            "an origin without its lane"
        );
    }
}

/// Calls in flight in one lane at most.
#[must_use]
pub fn width(parallelism: u32, lines_max: usize) -> u32 {
    let tenth = u32::try_from(lines_max.div_ceil(10)).unwrap_or(u32::MAX);
    parallelism.min(tenth).max(1)
}

#[cfg(test)]
mod tests;
