//! A lane: all that goes to one origin, so that a dead or slow one costs only itself.
//! Plain accounts; the courier moves them.

use std::collections::VecDeque;

use super::Call;
use super::breaker::{Breaker, State};
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::model::Origin;

/// What is known of one origin while something goes there.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) origin: Origin,
    /// Calls in the order in which they came due.
    pub(super) waiting: VecDeque<Call>,
    /// Lines with nothing to do; the one used last is taken first, so that the others can age out.
    pub(super) ready: Vec<Key>,
    /// Lines with a call.
    pub(super) busy: u32,
    /// Lines in all.
    pub(super) lines: u32,
    /// Whether it stands in the courier's list of lanes that wait for a place.
    pub(super) starved: bool,
    /// Whether somebody has asked that nothing starts.
    pub(super) paused: bool,
    pub(super) breaker: Breaker,
    /// No waiting call expires before this time.
    pub(super) first_expiry: Mono,
    /// Since it has been empty: when its past is forgotten.
    pub(super) forgotten_at: Option<Mono>,
    /// Its node in the wheel, and for when.
    pub(super) timer: Option<(Key, Mono)>,
    /// Whether its name is being looked up, so that it can have no new line yet.
    pub(super) resolving: bool,
}

impl Lane {
    pub(super) fn new(origin: Origin) -> Lane {
        let (waiting, ready) = (VecDeque::new(), Vec::new());
        Lane {
            origin,
            waiting,
            ready,
            busy: 0,
            lines: 0,
            starved: false,
            paused: false,
            breaker: Breaker::new(),
            first_expiry: Mono::NEVER,
            forgotten_at: None,
            timer: None,
            resolving: false,
        }
    }

    /// Whether nothing goes there and nothing needs to be kept but its past.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.lines == 0 && !self.starved && !self.paused
    }

    /// Whether it holds calls back that a healthy lane would start.
    pub(super) fn is_held(&self) -> bool {
        self.paused || self.breaker.state() != State::Closed
    }

    /// Whether a call may start, as far as pause and breaker go.
    pub(super) fn lets_through(&self) -> bool {
        !self.paused && self.breaker.lets_through(self.busy > 0)
    }

    /// When its timer is next needed.
    pub(super) fn wake(&self) -> Option<Mono> {
        let cooled = match self.breaker.state() {
            State::Open { until } => Some(until),
            _ => None,
        };
        let expiry = self.is_held() && !self.waiting.is_empty();
        let expiry = expiry.then_some(self.first_expiry);
        [cooled, expiry, self.forgotten_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Sweeps its own accounts.
    pub(super) fn check(&self) {
        let open = matches!(self.breaker.state(), State::Open { .. });
        assert!(
            !open || self.timer.is_some(),
            "nobody ends its cool-down: {self:?}"
        );
        let mut waiting = self.waiting.iter();
        assert!(
            waiting.all(|call| call.expires >= self.first_expiry),
            "a call expires unseen: {self:?}"
        );
    }
}
