//! A line's one node in the wheel, standing for whichever of its deadlines comes first.
//! Traffic only moves a number; the wheel is touched when the node must stand earlier, or fires.

use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::port::{Timer, Turn};

/// The deadline of one line.
#[derive(Debug)]
pub struct Deadline {
    /// The node, and when it fires. It may stand before `at`, never behind it.
    node: Option<(Key, Mono)>,
    at: Mono,
}

impl Deadline {
    /// No deadline, and no node yet.
    #[must_use]
    pub fn new() -> Deadline {
        Deadline {
            node: None,
            at: Mono::NEVER,
        }
    }

    /// Moves the deadline of `line` to `at`; `Mono::NEVER` for none.
    pub fn set(&mut self, turn: &mut Turn, line: Key, at: Mono) {
        self.at = at;
        if at == Mono::NEVER {
            return;
        }
        match &mut self.node {
            Some((_, stands)) if *stands <= at => {}
            Some((node, stands)) => {
                if turn.wheel.rearm(*node, at) {
                    *stands = at;
                }
            }
            None => self.node = turn.wheel.arm(at, Timer::Line(line)).map(|node| (node, at)),
        }
    }

    /// The deadline, if there is one, is so much later. The node stays: it looks again.
    pub fn postpone(&mut self, by: Duration) {
        if self.at != Mono::NEVER {
            self.at = self.at + by;
        }
    }

    /// The node fired. Whether the deadline has passed; if not, the node stands at it from now on.
    pub fn fired(&mut self, turn: &mut Turn, line: Key) -> bool {
        self.node = None;
        let at = self.at;
        if at <= turn.now.mono {
            self.at = Mono::NEVER;
            return true;
        }
        self.set(turn, line, at);
        false
    }

    /// The line ends: its node leaves the wheel.
    pub fn cancel(&mut self, turn: &mut Turn) {
        if let Some((node, _)) = self.node.take() {
            turn.wheel.cancel(node);
        }
        self.at = Mono::NEVER;
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Deadline::new()
    }
}
