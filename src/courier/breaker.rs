//! A lane's breaker: after many failures it lets nothing through but a probe now and then. It holds
//! no call and arms no timer; whoever asks says what time it is.

use std::time::Duration;

use crate::base::time::Mono;
use crate::model::Owner;

/// Failures in a row that open it.
pub const ROW_MAX: u32 = 10;
/// Attempts in the window before their share of failures counts.
const SAMPLE_MIN: u32 = 10;
/// The share of failures, in per cent, that is still borne.
const FAILED_PERCENT_MAX: u32 = 70;
/// The window of that share.
const WINDOW: Duration = Duration::from_secs(30);
/// The first cool-down; it doubles with each probe that fails.
pub const COOL_DOWN_MIN: Duration = Duration::from_secs(1);
/// The longest, without its jitter of a fifth either way.
pub const COOL_DOWN_MAX: Duration = Duration::from_secs(60);

/// What an attempt says about the health of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It answers sensibly; a refusal of the request is sensible too.
    Well,
    /// It cannot be reached, or is ill.
    Ill,
    /// Nothing: the attempt ended for a reason of ours.
    None,
}

/// The states of a breaker.
///
/// ```text
///          ten failed in a row, or too many in the window
///   Closed ─────────────────────────────────────────────► Open ◄───┐
///     ▲                                                    │       │ the probe failed
///     │ the probe succeeded                cooled down     ▼       │ (the cool-down doubles)
///     └─────────────────────────────────────────────── HalfOpen ───┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything goes through.
    Closed,
    /// Nothing does.
    Open {
        /// Before this time.
        until: Mono,
    },
    /// One call at a time does.
    HalfOpen {
        /// The owner of the call that is under way.
        probe: Option<Owner>,
    },
}

impl State {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half_open",
        }
    }
}

/// A breaker.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// Failures since the last success.
    row: u32,
    window: Window,
    /// Probes that failed since it opened.
    probes: u32,
}

impl Breaker {
    /// Closed, without a past.
    #[must_use]
    pub fn new() -> Breaker {
        Breaker {
            state: State::Closed,
            row: 0,
            window: Window::default(),
            probes: 0,
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether a call may start now; `busy` says whether any is under way.
    #[must_use]
    pub fn lets_through(&self, busy: bool) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { .. } => false,
            // A probe that ended without a word frees its place.
            State::HalfOpen { probe } => probe.is_none() || !busy,
        }
    }

    /// A call of that owner starts.
    pub fn started(&mut self, owner: Owner) {
        if let State::HalfOpen { probe } = &mut self.state {
            *probe = Some(owner);
        }
    }

    /// A call of that owner has ended, or goes back to its lane (no evidence). True if the breaker
    /// opened by it. `random` is 64 uniform bits.
    pub fn ended(&mut self, now: Mono, owner: Owner, evidence: Evidence, random: u64) -> bool {
        match (self.state, evidence) {
            (State::Closed, Evidence::None) => {}
            (State::Closed, Evidence::Well) => {
                self.row = 0;
                self.window.add(now, false);
            }
            (State::Closed, Evidence::Ill) => {
                self.row = self.row.saturating_add(1);
                self.window.add(now, true);
                if self.row >= ROW_MAX || self.window.is_over() {
                    return self.open(now, random);
                }
            }
            // What began before it opened says nothing new.
            (State::Open { .. }, _) => {}
            (State::HalfOpen { probe }, _) if probe != Some(owner) => {}
            (State::HalfOpen { .. }, Evidence::None) => {
                self.state = State::HalfOpen { probe: None };
            }
            (State::HalfOpen { .. }, Evidence::Well) => *self = Breaker::new(),
            (State::HalfOpen { .. }, Evidence::Ill) => {
                self.probes = self.probes.saturating_add(1);
                return self.open(now, random);
            }
        }
        false
    }

    /// The cool-down is over: true if it was open and lets a probe through now.
    pub fn cooled(&mut self, now: Mono) -> bool {
        let over = matches!(self.state, State::Open { until } if until <= now);
        if over {
            self.state = State::HalfOpen { probe: None };
        }
        over
    }

    /// No timer can be had for the cool-down, so there is none.
    pub fn skip_cool_down(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::HalfOpen { probe: None };
        }
    }

    /// Whether it would matter if it were forgotten.
    #[must_use]
    pub fn has_past(&self) -> bool {
        self.row > 0 || self.state != State::Closed || self.window.has_failures()
    }

    fn open(&mut self, now: Mono, random: u64) -> bool {
        let doubled = COOL_DOWN_MIN * 2_u32.saturating_pow(self.probes.min(16));
        let cool_down = jittered(doubled.min(COOL_DOWN_MAX), random);
        self.state = State::Open {
            until: now + cool_down,
        };
        (self.row, self.window) = (0, Window::default());
        true
    }
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker::new()
    }
}

/// A fifth either way.
fn jittered(span: Duration, random: u64) -> Duration {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let spread = u128::from(micros / 5) * 2 + 1;
    let part = u64::try_from((u128::from(random) * spread) >> 64).unwrap_or(0);
    Duration::from_micros(micros - micros / 5 + part)
}

/// Slots of the window.
const SLOTS: usize = 6;

/// Attempts of the last while, in slots that are used again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Attempts and failures.
    slots: [(u32, u32); SLOTS],
    /// The number of the newest slot since the epoch of `Mono`.
    newest: u64,
}

impl Window {
    fn add(&mut self, now: Mono, failed: bool) {
        let span = WINDOW.as_micros() as u64 / SLOTS as u64;
        let number = (now.0 / span).max(self.newest);
        let stale = (number - self.newest).min(SLOTS as u64);
        for later in 0..stale {
            self.slots[((number - later) % SLOTS as u64) as usize] = (0, 0);
        }
        self.newest = number;
        let (attempts, failures) = &mut self.slots[(number % SLOTS as u64) as usize];
        *attempts = attempts.saturating_add(1);
        *failures = failures.saturating_add(u32::from(failed));
    }

    fn is_over(&self) -> bool {
        let sum = |of: fn(&(u32, u32)) -> u32| self.slots.iter().map(of).map(u64::from).sum();
        let (attempts, failures): (u64, u64) = (sum(|slot| slot.0), sum(|slot| slot.1));
        attempts >= u64::from(SAMPLE_MIN)
            && failures * 100 > attempts * u64::from(FAILED_PERCENT_MAX)
    }

    fn has_failures(&self) -> bool {
        self.slots.iter().any(|(_, failures)| *failures > 0)
    }
}

#[cfg(test)]
mod tests;
