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
        ledger.charge(5);
        assert!(!ledger.take(0), "over the bound nothing more is taken");
        ledger.give(6);
        assert!(ledger.take(1));
    }
}
