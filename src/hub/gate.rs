//! One call at a time to each subscriber's host: whoever asks us to verify cannot make us a flood
//! (security.md section 1, mechanism 6). It holds names and keys and calls nobody.

use std::collections::VecDeque;

use crate::base::index::Index;
use crate::base::slab::Key;

/// Who wants to call a callback's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A subscription that has to be verified.
    Verification(Key),
    /// A denial.
    Denial(Key),
}

/// Hosts that are being called, each with those that wait for their turn.
#[derive(Debug)]
pub(super) struct Gate {
    hosts: Index<Box<str>, VecDeque<Caller>>,
}

impl Gate {
    pub(super) fn new(seed: u64) -> Gate {
        Gate {
            hosts: Index::new(seed),
        }
    }

    /// Whether `caller` may call the host now. If not it waits, and `leave` names it in its turn.
    pub(super) fn enter(&mut self, host: &str, caller: Caller) -> bool {
        match self.hosts.get_mut(host) {
            Some(waiting) => {
                waiting.push_back(caller);
                false
            }
            None => {
                self.hosts.insert(host.into(), VecDeque::new());
                true
            }
        }
    }

    /// A call to the host has ended, or was not made: who is next.
    pub(super) fn leave(&mut self, host: &str) -> Option<Caller> {
        let next = self.hosts.get_mut(host).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.hosts.remove(host);
        }
        next
    }

    /// Hosts that are being called.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slab::Slab;

    #[test]
    fn one_call_at_a_time_to_a_host_and_in_order() {
        let mut slab = Slab::with_bound(3);
        let keys: Vec<Key> = (0..3).filter_map(|n| slab.insert(n).ok()).collect();
        let mut gate = Gate::new(1);
        assert!(gate.enter("a", Caller::Verification(keys[0])));
        assert!(!gate.enter("a", Caller::Denial(keys[1])));
        assert!(!gate.enter("a", Caller::Verification(keys[2])));
        assert!(gate.enter("b", Caller::Verification(keys[2])));
        assert_eq!(gate.leave("a"), Some(Caller::Denial(keys[1])));
        assert_eq!(gate.leave("a"), Some(Caller::Verification(keys[2])));
        assert_eq!(gate.leave("a"), None);
        assert_eq!(gate.len(), 1, "a free host is forgotten");
        assert!(gate.enter("a", Caller::Verification(keys[0])));
    }
}
