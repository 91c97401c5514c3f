//! Lanes that hold their calls back: pauses, breakers, and the timer that ends a cool-down, expires
//! what waits, and forgets an empty lane's past. It starts nothing itself.

use std::time::Duration;

use super::breaker::{Evidence, State};
use super::lane::Lane;
use super::{Courier, Settings};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::model::{Origin, Owner};
use crate::port::{Timer, Turn};

/// Lanes that may be paused at once; a pause outlives its lane's calls.
pub const LANES_PAUSED_MAX: usize = 1_024;
/// Lanes that may stand in the wheel at once. Without a place there a breaker has no cool-down and
/// an empty lane no past; its calls still go out one at a time.
pub const LANES_TIMED_MAX: usize = 4_096;
/// An empty lane whose origin has failed is remembered this long.
const MEMORY: Duration = Duration::from_secs(120);

/// A lane as it can be shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Where it leads.
    pub origin: &'a Origin,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls under way.
    pub in_flight: u32,
    /// Kept-alive lines without a call.
    pub idle: usize,
    /// Its breaker.
    pub breaker: State,
    /// Whether somebody has paused it.
    pub paused: bool,
}

impl Courier {
    /// The lane of an origin, a new one if there is none.
    pub(super) fn lane_of(&mut self, origin: &Origin) -> Option<Key> {
        if let Some(lane) = self.by_origin.get(origin) {
            return Some(*lane);
        }
        let lane = self.lanes.insert(Lane::new(origin.clone())).ok()?;
        self.by_origin.insert(origin.clone(), lane);
        Some(lane)
    }

    /// The call of `owner` has ended, or goes back to its lane. The breaker hears of it.
    pub fn ended(&mut self, turn: &mut Turn, key: Key, owner: Owner, evidence: Evidence) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let before = lane.breaker.state();
        let random = match evidence {
            Evidence::Ill => turn.rng.u64(),
            _ => 0,
        };
        if lane.breaker.ended(turn.now.mono, owner, evidence, random) {
            turn.stats.add(Counter::BreakersOpened, 1);
            if before == State::Closed {
                log::warn!("breaker_opened origin={}", lane.origin);
            }
            self.arm(turn, key);
        } else if before != State::Closed && lane.breaker.state() == State::Closed {
            log::info!("breaker_closed origin={}", lane.origin);
            self.arm(turn, key);
        }
    }

    /// The lane's node fired: the owners of calls that have expired are put into `expired`; then it
    /// is the lane's turn, for `next` and `tidy`.
    pub fn fired(&mut self, turn: &mut Turn, key: Key, expired: &mut Vec<Owner>) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.timer.take().is_some() {
            self.timed = self.timed.saturating_sub(1);
        }
        let now = turn.now.mono;
        lane.breaker.cooled(now);
        if lane.first_expiry <= now {
            let mut first = Mono::NEVER;
            let before = lane.waiting.len();
            lane.waiting.retain(|call| {
                if call.expires <= now {
                    expired.push(call.owner);
                    return false;
                }
                first = first.min(call.expires);
                true
            });
            lane.first_expiry = first;
            self.waiting -= before - lane.waiting.len();
        }
        self.arm(turn, key);
    }

    /// The lane ends if it has nothing left, and nothing worth remembering.
    pub fn tidy(&mut self, turn: &mut Turn, key: Key) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.waiting.is_empty() {
            lane.first_expiry = Mono::NEVER;
        }
        if lane.is_empty() {
            self.remembered += usize::from(lane.forgotten_at.is_none());
            let at = *lane.forgotten_at.get_or_insert(turn.now.mono + MEMORY);
            if at <= turn.now.mono || !lane.breaker.has_past() {
                return self.remove(turn, key);
            }
        } else if lane.forgotten_at.take().is_some() {
            self.remembered = self.remembered.saturating_sub(1);
        }
        if !self.arm(turn, key) && self.lanes.get(key).is_some_and(Lane::is_empty) {
            self.remove(turn, key);
        }
    }

    fn remove(&mut self, turn: &mut Turn, key: Key) {
        if let Some(lane) = self.lanes.remove(key) {
            self.by_origin.remove(&lane.origin);
            self.remembered -= usize::from(lane.forgotten_at.is_some());
            if let Some((node, _)) = lane.timer {
                turn.wheel.cancel(node);
                self.timed = self.timed.saturating_sub(1);
            }
        }
    }

    /// Puts the lane's node where it is needed; false if it needs one and there is no place.
    pub(super) fn arm(&mut self, turn: &mut Turn, key: Key) -> bool {
        let Some(lane) = self.lanes.get_mut(key) else {
            return true;
        };
        match (lane.timer, lane.wake()) {
            (None, None) => {}
            (Some((_, stands)), Some(at)) if stands == at => {}
            (Some((node, _)), Some(at)) => {
                turn.wheel.rearm(node, at);
                lane.timer = Some((node, at));
            }
            (Some((node, _)), None) => {
                turn.wheel.cancel(node);
                lane.timer = None;
                self.timed = self.timed.saturating_sub(1);
            }
            (None, Some(at)) => {
                let place = (self.timed < LANES_TIMED_MAX)
                    .then(|| turn.wheel.arm(at, Timer::Lane(key)))
                    .flatten();
                let Some(node) = place else {
                    lane.breaker.skip_cool_down();
                    return false;
                };
                lane.timer = Some((node, at));
                self.timed += 1;
            }
        }
        true
    }

    /// Nothing new starts in the lane of `origin` until it is resumed. `None` if too many are
    /// paused.
    pub fn pause(&mut self, turn: &mut Turn, origin: &Origin) -> Option<Key> {
        if self.paused >= LANES_PAUSED_MAX && !self.is_paused(origin) {
            return None;
        }
        let key = self.lane_of(origin)?;
        let lane = self.lanes.get_mut(key)?;
        if !lane.paused {
            lane.paused = true;
            self.paused += 1;
            log::info!("lane_paused origin={origin}");
        }
        self.tidy(turn, key);
        Some(key)
    }

    fn is_paused(&self, origin: &Origin) -> bool {
        let lane = self.by_origin.get(origin);
        lane.and_then(|key| self.lanes.get(*key))
            .is_some_and(|lane| lane.paused)
    }

    /// The lane of `origin` starts calls again; the caller gives it its turn. `None` if there is no
    /// such lane.
    pub fn resume(&mut self, origin: &Origin) -> Option<Key> {
        let key = *self.by_origin.get(origin)?;
        let lane = self.lanes.get_mut(key)?;
        if lane.paused {
            lane.paused = false;
            self.paused = self.paused.saturating_sub(1);
            log::info!("lane_resumed origin={origin}");
        }
        Some(key)
    }

    /// Whether any waiting call could still start without waiting for a cool-down or a resume.
    #[must_use]
    pub fn may_start(&self) -> bool {
        self.waiting > 0
            && self.lanes.iter().any(|(_, lane)| {
                let open = matches!(lane.breaker.state(), State::Open { .. });
                !lane.waiting.is_empty() && !lane.paused && !open
            })
    }

    /// What there is to show of a lane.
    #[must_use]
    pub fn view(&self, key: Key) -> Option<View<'_>> {
        let lane = self.lanes.get(key)?;
        Some(View {
            origin: &lane.origin,
            waiting: lane.waiting.len(),
            in_flight: lane.busy,
            idle: lane.ready.len(),
            breaker: lane.breaker.state(),
            paused: lane.paused,
        })
    }

    /// The first lane whose place is `index` or later, to go through all of them.
    #[must_use]
    pub fn lane_from(&self, index: usize) -> Option<Key> {
        self.lanes.key_from(index)
    }
}

impl Settings {
    /// Calls in flight in one lane when there are `lines_max` outbound lines in all.
    #[must_use]
    pub fn width(&self, lines_max: usize) -> u32 {
        super::width(self.parallelism, lines_max)
    }
}
