//! Clients' lines in their TLS handshakes, in the order in which they have something to be read.
//! A handshake costs as much as hundreds of requests, so a turn has only a few of them, after
//! everything else. It reads nothing itself.

use std::collections::VecDeque;

use crate::base::slab::Key;

/// Lines read in one turn of those that have sent nothing yet, and of those whose handshake has
/// begun: each is half a millisecond at most. Apart, so that neither can keep the other waiting;
/// a handshake that is begun and not finished in time was for nothing.
const SHARE_MAX: usize = 8;

/// The two queues. A line that is closed meanwhile is found by its key no more.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    new: VecDeque<Key>,
    begun: VecDeque<Key>,
}

impl Handshakes {
    /// A line has something to be read. It must not be put here again before it was `take`n.
    pub(super) fn put(&mut self, key: Key, begun: bool) {
        match begun {
            true => self.begun.push_back(key),
            false => self.new.push_back(key),
        }
    }

    /// This turn's share.
    pub(super) fn take(&mut self, share: &mut Vec<Key>) {
        for queue in [&mut self.begun, &mut self.new] {
            share.extend(queue.drain(..queue.len().min(SHARE_MAX)));
        }
    }

    /// Whether lines are left for the next turn.
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_has_its_share_of_either_in_their_order() {
        let key = |number: u64| Key::from_bits((1 << 32) | number).unwrap();
        let mut handshakes = Handshakes::default();
        for number in 0..20 {
            handshakes.put(key(number), false);
        }
        handshakes.put(key(100), true);
        let mut shares: Vec<Vec<Key>> = Vec::new();
        while !handshakes.is_empty() {
            let mut share = Vec::new();
            handshakes.take(&mut share);
            shares.push(share);
        }
        let lengths: Vec<usize> = shares.iter().map(Vec::len).collect();
        assert_eq!(lengths, [9, 8, 4]);
        assert_eq!(shares[0][..2], [key(100), key(0)]);
        assert_eq!(shares[2][3], key(19));
    }
}
