//! A lane: all that goes to one origin, so that a dead or slow one costs only itself.
//! Plain accounts; the courier moves them.

use std::collections::VecDeque;

use super::Call;
use crate::base::slab::Key;
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
            resolving: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.lines == 0 && !self.starved
    }
}
