//! How fast work that was overdue at the start begins: so many a second, and never a second's worth
//! at once. It counts and starts nothing.

use crate::base::time::Mono;

/// Parts of a token.
const WHOLE: u64 = 1_000_000;

/// A bucket of tokens, one for each delivery that may begin; empty at first.
#[derive(Debug)]
pub(super) struct Pace {
    /// Tokens a second.
    rate: u64,
    /// What is in it, in millionths, as of then.
    parts: u64,
    at: Mono,
}

impl Pace {
    pub(super) fn new(rate: u32) -> Pace {
        Pace {
            rate: u64::from(rate.max(1)),
            parts: 0,
            at: Mono(0),
        }
    }

    /// It begins to fill now.
    pub(super) fn begin(&mut self, now: Mono) {
        (self.parts, self.at) = (0, now);
    }

    /// A tenth of a second's worth, at least one.
    fn most(&self) -> u64 {
        (self.rate / 10).max(1) * WHOLE
    }

    /// Whole tokens that are in it now.
    pub(super) fn tokens(&mut self, now: Mono) -> u32 {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let fresh = passed.saturating_mul(self.rate);
        self.parts = self.parts.saturating_add(fresh).min(self.most());
        self.at = now;
        u32::try_from(self.parts / WHOLE).unwrap_or(u32::MAX)
    }

    /// So many are taken out.
    pub(super) fn take(&mut self, tokens: u32) {
        self.parts = self.parts.saturating_sub(u64::from(tokens) * WHOLE);
    }

    /// So many were not needed.
    pub(super) fn give_back(&mut self, tokens: u32) {
        let parts = self.parts.saturating_add(u64::from(tokens) * WHOLE);
        self.parts = parts.min(self.most());
    }

    /// When there is a whole one.
    pub(super) fn next(&self) -> Mono {
        let missing = WHOLE.saturating_sub(self.parts);
        Mono(self.at.0.saturating_add(missing.div_ceil(self.rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_second_are_there_more_than_the_rate_and_a_tenth() {
        for rate in [1, 7, 1_000, 1_000_000] {
            let mut pace = Pace::new(rate);
            pace.begin(Mono(5));
            let mut taken = 0;
            for turn in 1..=1_000 {
                let tokens = pace.tokens(Mono(5 + turn * 1_000));
                pace.take(tokens);
                taken += u64::from(tokens);
            }
            let rate = u64::from(rate);
            assert!(taken <= rate && taken + 1 >= rate, "{taken} of {rate}");
        }
    }

    #[test]
    fn it_says_when_the_next_one_is_there() {
        let mut pace = Pace::new(3);
        pace.begin(Mono(0));
        assert_eq!(pace.tokens(Mono(0)), 0);
        let next = pace.next();
        assert_eq!(pace.tokens(Mono(next.0 - 1)), 0);
        assert_eq!(pace.tokens(next), 1);
        pace.take(1);
        assert_eq!(pace.tokens(next), 0);
        pace.give_back(9);
        assert_eq!(pace.tokens(next), 1, "no more than fit");
    }
}
