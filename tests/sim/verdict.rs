//! The verdict when everything has come to rest: every promise kept, every budget spent exactly.
//! It looks only at what the oracle took down.

use std::collections::BTreeSet;

use hookah::model::Outcome;

use crate::names::{Kind, Names};
use crate::oracle::{Oracle, Sent};
use crate::order::Order;
use crate::receipts;
use crate::targets::Target;
use crate::world::{HOUR, MINUTE, MS, SECOND};

/// The age at which what says nothing of that expires.
const EXPIRES: u64 = 96 * HOUR;

/// Judges a run that has come to rest.
pub fn judge(oracle: &Oracle, orders: &[Order], targets: &[Target]) {
    for id in oracle.kept() {
        let ends = oracle.end_of(id).is_some();
        let expected = !oracle.feeds.is_only_published(id);
        assert_eq!(ends, expected, "{id} was kept; whether it ended");
    }
    for order in orders {
        let fate = &oracle.fates[order.number];
        let attempts = oracle.attempts(order.number);
        if fate.promised.is_none() && fate.durable.is_none() {
            assert!(
                attempts.is_empty(),
                "never accepted, yet it went out: {order:?}"
            );
            continue;
        }
        let ended = fate.id.and_then(|id| oracle.end_of(id));
        // A message without a body whose client went away is known by its id alone, if at all.
        let Some((at, outcome)) = ended else {
            assert!(fate.id.is_none(), "no end of {order:?}, {fate:?}");
            continue;
        };
        let target = &targets[order.target];
        let wire: BTreeSet<(u32, u64)> = attempts.iter().map(|it| (it.attempt, it.at)).collect();
        let stale = attempts.iter().filter(|it| !it.first).count();
        let most = oracle.most_attempts(order) as usize + stale;
        assert!(
            wire.len() <= most,
            "{} times of {most}: {order:?}",
            wire.len()
        );
        judge_end(oracle, order, target, &attempts, (at, outcome));
        oracle.judge_receipts(order, outcome);
        judge_good(oracle, order, target, &attempts, outcome);
        let total: u64 = (2..=order.budget())
            .map(|next| order.wait_before(next) / 5 * 6)
            .sum();
        let pauses: u64 = attempts
            .iter()
            .map(|sent| sent.retry_after / 5 * 6 + SECOND)
            .sum();
        let budget = u64::from(order.budget());
        let tries = budget * (16 * SECOND + target.lookup_within());
        let rounds = 1 + oracle.load[&order.target] as u64 / oracle.parallelism as u64;
        let held = budget * (oracle.breaker_slack(order.target, target) + target.distrust());
        let bound = order.delay + total + pauses + tries * rounds + 20 * rounds * SECOND + held;
        let bound = order.expires.map_or(bound, |expires| expires + SECOND);
        let since = fate.durable.unwrap_or(at);
        let stops = u64::from(oracle.crashes) * (bound + 2 * MINUTE);
        let bound = bound + stops + oracle.lane_slack(order.target, target);
        let slow = oracle.is_tight() || oracle.is_clock_wild() || order.is_gated();
        let spent = at <= since + bound || slow;
        assert!(spent, "{order:?} took {} us", at - since);
    }
    judge_shut(oracle, orders, targets);
}

/// Every question about a name belongs to an attempt, twice as many at most for stale lines: both
/// families, two servers, two rounds, datagram and line. A redirect may lead to any.
/// An answer that is too late is there in time for a process that stood still meanwhile.
pub fn judge_names(names: &Names, orders: &[Order], targets: &[Target], stood_still: bool) {
    for (number, target) in targets.iter().enumerate() {
        let Some(name) = names.zone.get(&target.host) else {
            continue;
        };
        let hops = |order: &Order| match order.redirects {
            0 => u32::from(order.target == number),
            redirects => 1 + redirects,
        };
        let told = |order: &Order| u32::from(order.callback) + u32::from(order.errback);
        let told = |order: &Order| told(order) * receipts::ATTEMPTS_MAX;
        let attempts = orders.iter();
        let attempts = attempts.map(|order| hops(order) * (order.budget() + told(order)));
        let attempts: u32 = attempts.sum();
        let most = 2 * attempts * 16;
        assert!(name.asked <= most, "{name:?} for {attempts} attempts");
        let is_in_time = target.kind == Some(Kind::Late) && stood_still;
        if !target.is_found() && !is_in_time {
            assert!(target.got.is_empty(), "{target:?} cannot be found");
        }
    }
}

/// Whether an answer with that status delivers.
pub fn delivers(status: u16) -> bool {
    (200..300).contains(&status) || status == 303
}

fn judge_end(
    oracle: &Oracle,
    order: &Order,
    target: &Target,
    attempts: &[&Sent],
    (at, outcome): (u64, Outcome),
) {
    let fate = &oracle.fates[order.number];
    let last = attempts.last();
    let status = last.and_then(|sent| sent.reply).map(|(_, status)| status);
    let good = status.is_some_and(delivers);
    if order.forbidden {
        assert_eq!(outcome, Outcome::Failed, "{order:?}");
        return assert!(!good, "delivered where it may not go: {order:?}");
    }
    match outcome {
        Outcome::Delivered => assert!(good, "delivered with {status:?}: {order:?}"),
        Outcome::Failed => {
            assert!(
                !good,
                "failed although the last answer was {status:?}: {order:?}"
            );
            let spent = last.map_or(0, |sent| sent.attempt);
            let misled = order.redirects > 0 && target.misleads();
            if target.sees_every_attempt() && status != Some(410) && !misled {
                assert_eq!(spent, order.budget(), "attempts of {order:?}, {fate:?}");
            }
        }
        Outcome::Expired => {
            // What is in the store alone expires by the wall clock, and those before it in its
            // queue may take days.
            let (since, _) = fate.accepted.unwrap_or_default();
            let spent = at >= since + EXPIRES && oracle.is_tight();
            let old = order.expires.is_some() || oracle.is_clock_wild() || order.is_gated();
            let old = old || spent;
            assert!(old, "expired: {order:?}");
        }
        Outcome::Canceled => panic!("nobody called it off: {order:?}"),
    }
}

/// A target that always answers well in time gets each of its orders once.
fn judge_good(oracle: &Oracle, order: &Order, target: &Target, attempts: &[&Sent], end: Outcome) {
    // The narrowest window, every second write cut short, and the slowest way there and back.
    let rounds = (order.filler as u64 + 1_000) / 500 * 2;
    let travel = if oracle.calm { 0 } else { rounds * 125 * MS };
    let time = order.timeout_or_default();
    let held = oracle.is_clock_wild() || (order.is_gated() && end == Outcome::Expired);
    if order.expires.is_some() || order.forbidden || held {
        return;
    }
    if target
        .good_within()
        .is_some_and(|span| span + travel + SECOND / 2 <= time)
    {
        let counted = attempts.last().map_or(0, |sent| sent.attempt);
        assert_eq!(
            (end, counted),
            (Outcome::Delivered, 1),
            "{order:?}, {attempts:?}"
        );
    }
}

/// A target that nobody can connect to is tried exactly as often as its orders' budgets say.
fn judge_shut(oracle: &Oracle, orders: &[Order], targets: &[Target]) {
    for (number, target) in targets.iter().enumerate() {
        let shut = target.is_always_shut();
        let placed = || orders.iter().filter(|order| order.target == number);
        let known = |order: &Order| oracle.fates[order.number].id.is_some();
        let expiring = placed().any(|order| order.expires.is_some() || order.is_gated());
        if !shut
            || expiring
            || !placed().all(|order| known(order) || oracle.fates[order.number].refused)
        {
            continue;
        }
        let kept = |order: &&Order| oracle.fates[order.number].durable.is_some();
        let budgets: u32 = placed().filter(kept).map(Order::budget).sum();
        let told: usize = placed().map(|order| oracle.receipts_of(order)).sum();
        let budgets = budgets + told as u32 * receipts::ATTEMPTS_MAX;
        let connects = oracle.connects.get(&number).copied().unwrap_or(0);
        // Those that an end of the process cut are made again.
        let cut = placed().count() as u32 * oracle.crashes;
        let right = (budgets..=budgets + cut).contains(&connects) || oracle.is_clock_wild();
        assert!(
            right,
            "{connects} connects, not {budgets}, to target {number} ({target:?})"
        );
    }
}
