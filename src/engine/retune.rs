//! Other settings while everything goes on: what is under way keeps what it began with.
//! It ends no line and calls nothing off.

use super::{Engine, Settings};
use crate::base::time::{Mono, Now};
use crate::port::Timer;

impl Engine {
    /// Goes by these settings from now on, as far as that is possible without a start: what was
    /// given out by them then stays as it was (lines, the parallelism of lanes, subscriptions and
    /// streams' memory at most, name servers, the pace after a start), and so does who has a token,
    /// which is [`Engine::enrol`]'s. Deliveries keep the number of their retries, their timeout and
    /// when they expire; how long they wait before the next is the new schedule's. Lines keep the
    /// deadline that they have; their next has the new length.
    pub fn retune(&mut self, now: Now, settings: &Settings) {
        self.turn.now = now;
        let Settings {
            limits,
            browsers,
            courier,
            dispatch,
            topics,
            hub,
            drain_timeout,
            ..
        } = settings;
        self.settings.limits = limits.clone();
        self.settings.browsers = browsers.clone();
        self.settings.drain_timeout = *drain_timeout;
        self.courier.retune(courier);
        self.dispatch.retune(dispatch);
        self.hub.retune(hub);
        self.topics.retune(topics);
        if let Some(at) = self.topics.next_sweep() {
            self.arm_sweep(at);
        }
        self.run_lanes();
    }

    /// Has the topics swept then, and no earlier.
    pub(super) fn arm_sweep(&mut self, at: Mono) {
        let wheel = &mut self.turn.wheel;
        let moved = self.sweep.is_some_and(|node| wheel.rearm(node, at));
        if !moved {
            self.sweep = wheel.arm(at, Timer::Topics);
        }
    }
}
