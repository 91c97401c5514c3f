//! The account of bytes held, against the one bound on memory. It counts what rooms say they hold
//! and never allocates or frees anything itself.

/// Bytes held and the bound. What is taken must be given back exactly once.
#[derive(Debug)]
pub struct Ledger {
    held: u64,
    max: u64,
}

impl Ledger {
    /// An account with nothing on it. `max` in bytes.
    #[must_use]
    pub fn new(max: u64) -> Ledger {
        Ledger { held: 0, max }
    }

    /// Takes `bytes`; false, and nothing taken, if that would pass the bound.
    #[must_use]
    pub fn take(&mut self, bytes: u64) -> bool {
        match self.held.checked_add(bytes) {
            Some(held) if held <= self.max => {
                self.held = held;
                true
            }
            _ => false,
        }
    }

    /// Whether [`Ledger::take`] would take so many.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        self.max.saturating_sub(self.held) >= bytes
    }

    /// Whether so many may be held for a moment although there is no room: a sixteenth of the bound
    /// beyond it, so that a full server can still say that it is.
    #[must_use]
    pub fn may_overdraw(&self, bytes: u64) -> bool {
        let max = self.max.saturating_add(self.max / 16);
        self.held.checked_add(bytes).is_some_and(|held| held <= max)
    }

    /// As [`Ledger::take`], for what strangers have us hold: false also if less than a quarter of
    /// the bound would be left, so that they alone cannot stop what others send.
    #[must_use]
    pub fn take_for_strangers(&mut self, bytes: u64) -> bool {
        self.has_room_for_strangers(bytes) && self.take(bytes)
    }

    /// Whether [`Ledger::take_for_strangers`] would take so many.
    #[must_use]
    pub fn has_room_for_strangers(&self, bytes: u64) -> bool {
        let left = self.max.saturating_sub(self.held);
        left.checked_sub(bytes)
            .is_some_and(|left| left >= self.max / 4)
    }

    /// Puts `bytes` on the account that are held whatever the bound says: then less is left to be
    /// taken, or nothing.
    pub fn charge(&mut self, bytes: u64) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Gives back `bytes` that were taken.
    pub fn give(&mut self, bytes: u64) {
        debug_assert!(
            bytes <= self.held,
            "gave back {bytes} of {} bytes held",
            self.held
        );
        self.held = self.held.saturating_sub(bytes);
    }

    /// The bound.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_the_bound_is_not_taken() {
        let mut ledger = Ledger::new(10);
        assert!(ledger.take(10));
        assert!(!ledger.take(1));
        assert!(!ledger.take(u64::MAX));
        ledger.give(4);
        assert!(ledger.take(4));
        assert_eq!(ledger.held(), 10);
        assert!(
            !ledger.has_room(1) && !ledger.may_overdraw(1),
            "a sixteenth is nothing"
        );
        assert!(Ledger::new(160).may_overdraw(170) && !Ledger::new(160).may_overdraw(171));
        ledger.charge(5);
        assert!(!ledger.take(0), "over the bound nothing more is taken");
        ledger.give(6);
        assert!(ledger.take(1));
    }

    #[test]
    fn strangers_leave_a_quarter() {
        let mut ledger = Ledger::new(12);
        assert!(ledger.take_for_strangers(9) && !ledger.take_for_strangers(1));
        assert!(ledger.take(3));
        assert!(!ledger.take_for_strangers(0) && !ledger.take_for_strangers(u64::MAX));
        assert_eq!(ledger.held(), 12);
        ledger.charge(5);
        assert!(!ledger.take_for_strangers(0));
    }
}
