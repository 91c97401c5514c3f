//! When attempts of a flow began, as far back as its rate looks. It lets nothing go by itself.

use std::collections::VecDeque;

use super::Rate;
use crate::base::time::{Mono, micros};

/// Up to this count each beginning is remembered by itself; of a greater one those that are close
/// together, up to this part of the span, are remembered as one and forgotten with the last of
/// them.
const PARTS: u32 = 64;
/// What is remembered at most: entries begin a part of the span from each other.
const ENTRIES_MAX: usize = 2 * PARTS as usize + 2;

/// Beginnings, the oldest first. Times may lie before the clock's own start.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    begun: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: i64,
    last: i64,
    count: u32,
}

fn place(at: Mono) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn time(place: i64) -> Mono {
    Mono(u64::try_from(place).unwrap_or(0))
}

/// A rate's span in microseconds: never more than a month.
fn span(rate: Rate) -> i64 {
    i64::try_from(micros(rate.span)).unwrap_or(i64::MAX)
}

/// What is remembered as one.
fn grain(rate: Rate) -> i64 {
    match rate.count > PARTS {
        true => span(rate) / i64::from(PARTS),
        false => 0,
    }
}

impl Window {
    /// Bytes that it comes to at most.
    pub(super) fn bytes_max(rate: Rate) -> usize {
        let entries = match rate.count > PARTS {
            true => ENTRIES_MAX,
            false => rate.count as usize,
        };
        size_of::<Entry>() * entries.next_power_of_two()
    }

    /// One begins.
    pub(super) fn begin(&mut self, now: Mono, rate: Rate) {
        self.add(place(now), 1, rate);
    }

    fn add(&mut self, at: i64, count: u32, rate: Rate) {
        self.begun += u64::from(count);
        match self.entries.back_mut() {
            Some(entry) if entry.last == at || entry.first + grain(rate) > at => {
                entry.last = entry.last.max(at);
                entry.count += count;
            }
            _ => self.entries.push_back(Entry {
                first: at,
                last: at,
                count,
            }),
        }
    }

    /// Of the time before `began` nothing is known: supposes that it was used to the full and
    /// evenly, so that what follows begins evenly too.
    pub(super) fn suppose(&mut self, began: Mono, now: Mono, rate: Rate) {
        let known = std::mem::take(self);
        let (span, parts) = (span(rate), rate.count.min(PARTS));
        for part in 1..=i64::from(parts) {
            let at = place(began) - span + span * part / i64::from(parts);
            let upto = |part: i64| i64::from(rate.count) * part / i64::from(parts);
            let count = upto(part) - upto(part - 1);
            self.add(at, u32::try_from(count).unwrap_or(0), rate);
        }
        self.begun += known.begun;
        self.entries.extend(known.entries);
        self.forget(now, rate);
    }

    /// Forgets what the rate does not look back to.
    pub(super) fn forget(&mut self, now: Mono, rate: Rate) {
        let until = place(now) - span(rate);
        while let Some(entry) = self.entries.front()
            && entry.last <= until
        {
            self.begun -= u64::from(entry.count);
            self.entries.pop_front();
        }
    }

    /// How many have begun within the span.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// When the first of them lies out of the span.
    pub(super) fn first_free(&self, rate: Rate) -> Option<Mono> {
        self.entries
            .front()
            .map(|entry| time(entry.last + span(rate)))
    }

    /// When all of them do.
    pub(super) fn all_free(&self, rate: Rate) -> Option<Mono> {
        self.entries
            .back()
            .map(|entry| time(entry.last + span(rate)))
    }

    /// Sweeps its accounts.
    pub(super) fn check(&self) {
        let sum: u64 = self
            .entries
            .iter()
            .map(|entry| u64::from(entry.count))
            .sum();
        assert_eq!(sum, self.begun, "beginnings are miscounted: {self:?}");
    }
}
