//! What an attempt must look like when it goes out: when, after which, to whom, and with what.
//! It takes nothing down.

use super::{ATTEMPTS_MAX, Oracle, PROBE_MAX, SLACK, Sent};
use crate::http::Message;
use crate::order::{CREDENTIALS, Order};
use crate::tap::Tap;
use crate::targets::Target;
use crate::verdict::delivers;
use crate::world::{HOUR, MS, SECOND, World};

impl Oracle {
    /// Whether an attempt may go out now, with that number.
    pub(super) fn check_attempt(&self, order: &Order, target: &Target, sent: &Sent, world: &World) {
        let fate = &self.fates[order.number];
        let doubtful = fate.id.is_some_and(|id| self.doubtful.contains(&id));
        let refused = fate.refused && !doubtful;
        assert!(!refused, "refused order {order:?} goes out");
        assert!(
            sent.attempt <= order.budget(),
            "attempt {} of {order:?}",
            sent.attempt
        );
        let (since, _) = fate.accepted.unwrap_or_default();
        let unsure = self.is_unsure(order.delay, world);
        let early = sent.at + MS < since + order.delay && !unsure;
        assert!(!early, "too early: {order:?}");
        if let Some(resumed) = fate.resumed {
            return self.check_resumed(order, target, sent, &resumed, world);
        }
        let Some(last) = fate.attempts.last().map(|last| &self.sent[*last]) else {
            let lost = if target.sees_every_attempt() {
                1
            } else {
                sent.attempt
            };
            assert_eq!(sent.attempt, lost, "first attempt seen of {order:?}");
            if !self.is_unsure(order.delay, world) {
                self.check_prompt(order, target, sent);
            }
            return;
        };
        let delivered = last.reply.is_some_and(|(_, status)| delivers(status));
        assert!(
            !delivered,
            "attempt {} after {:?} of {order:?}",
            sent.attempt, last.reply
        );
        if sent.attempt == last.attempt {
            let stale = !last.first && last.reply.is_none() && sent.first;
            assert!(stale, "attempt {} again, last {last:?}", sent.attempt);
            return;
        }
        let next = if target.sees_every_attempt() {
            last.attempt + 1
        } else {
            sent.attempt
        };
        assert!(
            sent.attempt > last.attempt && sent.attempt == next,
            "{sent:?} after {last:?}"
        );
        if last.attempt + 1 == sent.attempt {
            self.check_spacing(order, target, last, sent, world);
        }
    }

    /// Between two attempts lies the schedule's wait with its jitter, and at least the Retry-After.
    pub(super) fn check_spacing(
        &self,
        order: &Order,
        target: &Target,
        last: &Sent,
        sent: &Sent,
        world: &World,
    ) {
        let wait = order.wait_before(sent.attempt);
        let ended = last.reply.map_or(last.at, |(at, _)| at);
        let least = (wait / 5 * 4).max(if world.jumped { 0 } else { last.retry_after });
        let unsure = self.is_unsure(wait.max(last.retry_after), world);
        assert!(
            sent.at + 2 * MS >= ended + least || unsure,
            "too early: {sent:?} after {last:?}, {wait} us"
        );
        if world.jumped || self.is_tight() || order.is_gated() {
            return;
        }
        let latest = last
            .reply
            .map_or(last.at + order.timeout_or_default(), |(at, _)| at);
        let most = (wait / 5 * 6).max(last.retry_after + last.retry_after / 5 + SECOND);
        let bound =
            latest + most + SLACK + self.lane_slack(order.target, target) + target.lookup_within();
        assert!(
            sent.at <= bound,
            "too late by {} us: {sent:?} after {last:?}",
            sent.at - bound
        );
    }

    /// A delivery whose lane has room goes out at once, whatever other targets do.
    pub(super) fn check_prompt(&self, order: &Order, target: &Target, sent: &Sent) {
        let fate = &self.fates[order.number];
        let (Some(durable), Some((since, _))) = (fate.durable, fate.accepted) else {
            return;
        };
        let due = durable.max(since + order.delay);
        let bound = due + SLACK + self.lane_slack(order.target, target) + target.lookup_within();
        if target.sees_every_attempt() && !self.is_tight() && !order.is_gated() {
            assert!(
                sent.at <= bound,
                "held up by {} us: {order:?}",
                sent.at - due
            );
        }
    }

    /// Whether a call may wait for what others hold.
    pub fn is_tight(&self) -> bool {
        self.crowded || self.cramped
    }

    /// How long a lane that may be full can hold an attempt up: each round of those before it takes
    /// its deadline, 15 seconds at most, at worst. Behind an open breaker it waits for its probe.
    pub fn lane_slack(&self, number: usize, target: &Target) -> u64 {
        if self.paused.contains(&number) {
            return HOUR;
        }
        let load = self.load.get(&number).copied().unwrap_or(0);
        let rounds = load.saturating_sub(1) / self.parallelism;
        // What was due while the process stood still is spread over as long a time again.
        let still = 2 * self.stopped;
        still
            + rounds as u64 * 16 * SECOND
            + self.breaker_slack(number, target)
            + self.parked_slack(load)
    }

    /// How long an open breaker can hold an attempt up: the longest cool-down with its jitter and a
    /// probe's deadline, once for each delivery that may be before it. One that is closed holds
    /// nothing up, and it is closed before as many attempts as it takes have failed.
    pub fn breaker_slack(&self, number: usize, target: &Target) -> u64 {
        let sent = self.sent_to.get(&number).copied().unwrap_or(0);
        let connects = self.connects.get(&number).copied().unwrap_or(0);
        let never_ill = self.calm && target.good_within() == Some(0);
        // Attempts that find no address are seen by nobody, and open it too.
        if never_ill || (target.is_found() && sent + connects < 8) {
            return 0;
        }
        let load = self.load.get(&number).copied().unwrap_or(0);
        let times = if self.volatile { 1 } else { ATTEMPTS_MAX };
        (load as u64 + 1) * PROBE_MAX * times
    }
}

/// A strict order goes out on no line to where only others may be sent.
pub(super) fn check_reach(order: &Order, tap: &Tap) {
    assert!(!(order.strict && tap.loose), "strict, yet sent: {order:?}");
}

/// A hop is the same attempt, and its answer takes the place of the one that sent it there. To
/// another origin it shows nobody's credentials.
pub(super) fn check_hop(order: &Order, head: &Message) {
    let host = head.field("host").unwrap_or("");
    let shown = CREDENTIALS.iter().find(|name| head.field(name).is_some());
    let own = order
        .base
        .split_once("://")
        .is_some_and(|(_, own)| own == host);
    assert!(
        own || shown.is_none(),
        "{shown:?} went to {host}: {order:?}"
    );
}

/// What a Retry-After asks for, in microseconds, clamped to 24 hours; zero if it says nothing.
pub(super) fn retry_after(head: &Message, world: &World) -> u64 {
    let Some(value) = head.field("retry-after") else {
        return 0;
    };
    if ![429, 503].contains(&head.status) {
        return 0;
    }
    if let Ok(seconds) = value.parse::<u64>() {
        return seconds.saturating_mul(SECOND).min(24 * HOUR);
    }
    let Ok(date) = httpdate::parse_http_date(value) else {
        return 0;
    };
    let date = date
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |span| span.as_micros() as u64);
    date.saturating_sub(world.now.wall.0).min(24 * HOUR)
}
