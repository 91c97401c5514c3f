//! A client's line and time: when it has to have done something, and what comes of it if not.
//! It reads no clock.

use std::time::Duration;

use super::{Context, Inbound, Phase};
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::Limits;
use crate::http::problem::Reason;

/// A handshake lasts at most this long.
const SECURING_TIMEOUT: Duration = Duration::from_secs(5);
/// Lingering lasts at most this long.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

impl Inbound {
    /// Its deadline has passed.
    pub fn expired(&mut self, context: &mut Context<'_>) {
        let now = context.turn.now.mono;
        if self.has_output() && self.stalled_since + context.limits.stall_timeout <= now {
            context.turn.stats.add(Counter::TimeoutsStall, 1);
            self.phase = Phase::Gone;
            return;
        }
        let limits = context.limits;
        let counter = match &self.phase {
            Phase::Idle if context.draining => {
                self.phase = Phase::Gone;
                return;
            }
            Phase::Securing { .. } => Counter::TimeoutsHandshake,
            Phase::Head { .. } => Counter::TimeoutsHead,
            Phase::Body { pace, .. } | Phase::Skip { pace, .. } => {
                match pace.is_slow(limits, now) {
                    true => Counter::TimeoutsSlowBody,
                    false => Counter::TimeoutsBody,
                }
            }
            Phase::Idle => Counter::TimeoutsIdle,
            Phase::Linger { .. } => Counter::TimeoutsLinger,
            Phase::Last | Phase::Gone => return,
        };
        context.turn.stats.add(counter, 1);
        match self.phase {
            Phase::Head { .. } | Phase::Body { .. } => {
                let mut desk = self.desk.take().unwrap_or_default();
                let reason = match counter {
                    Counter::TimeoutsHead => Reason::HeadTimeout,
                    _ => Reason::BodyTimeout,
                };
                self.refuse(context, &mut desk, reason, &[]);
                self.desk = Some(desk);
                self.send(context);
            }
            _ => self.phase = Phase::Gone,
        }
    }

    /// Nobody listened for so long, which does not count.
    pub fn postpone(&mut self, by: Duration) {
        match &mut self.phase {
            Phase::Securing { since } | Phase::Head { since } | Phase::Linger { since, .. } => {
                *since = *since + by;
            }
            Phase::Body { pace, .. } | Phase::Skip { pace, .. } => pace.postpone(by),
            Phase::Idle | Phase::Last | Phase::Gone => {}
        }
        self.moved = self.moved + by;
        self.stalled_since = self.stalled_since + by;
    }

    /// When `expired` is due; sooner on an idle line if the server is `draining`.
    #[must_use]
    pub fn deadline(&self, limits: &Limits, draining: bool) -> Mono {
        let waits = match &self.phase {
            Phase::Securing { since } => *since + SECURING_TIMEOUT,
            Phase::Idle | Phase::Head { .. } | Phase::Body { .. } | Phase::Skip { .. }
                if self.paused =>
            {
                Mono::NEVER
            }
            Phase::Idle if self.desk.as_ref().is_some_and(|desk| desk.owes()) => Mono::NEVER,
            Phase::Idle => {
                let idle = self.moved + limits.idle_timeout;
                match draining {
                    true => idle.min(self.last_chance()),
                    false => idle,
                }
            }
            Phase::Head { since } => *since + limits.head_timeout,
            Phase::Body { pace, .. } | Phase::Skip { pace, .. } => pace.deadline(limits),
            Phase::Linger { since, .. } => *since + LINGER_TIMEOUT,
            Phase::Last | Phase::Gone => Mono::NEVER,
        };
        match self.has_output() {
            true => waits.min(self.stalled_since + limits.stall_timeout),
            false => waits,
        }
    }
}
