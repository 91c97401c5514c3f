//! Lanes that wait for their name: one look-up at a time, whatever number of calls it is for.
//! It decides neither what a name means nor what becomes of a call.

use std::net::{IpAddr, SocketAddr};

use crate::base::slab::Key;
use crate::model::Target;
use crate::port::Turn;

use super::Courier;
use super::dns::Lookup;

/// Lookups under way at most, however many lines there may be; each can hold two descriptors.
pub(super) const LOOKUPS_MAX: usize = 256;

/// How many lookups may be under way beside that many outbound lines.
pub(super) fn lookups_max(lines_max: usize) -> usize {
    (lines_max / 16).clamp(4, LOOKUPS_MAX)
}

impl Courier {
    /// The addresses of the name that a lane's calls go to. While they are asked for, `next` gives
    /// none of its calls that needs a new line; `next_resolved` gives the lane.
    pub fn resolve(&mut self, turn: &mut Turn, key: Key, name: &str) -> Lookup {
        let lookup = self.names.lookup(turn, name, key);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.resolving = lookup == Lookup::Asked;
        }
        lookup
    }

    /// A lane that has waited for its name and may start calls again.
    pub fn next_resolved(&mut self) -> Option<Key> {
        while let Some(key) = self.names.next_resolved() {
            if let Some(lane) = self.lanes.get_mut(key) {
                lane.resolving = false;
                return Some(key);
            }
        }
        None
    }
}

/// The address of that number of a target: of those its name has, or of its own.
#[must_use]
pub fn address(target: &Target, named: Option<&[IpAddr]>, number: usize) -> Option<SocketAddr> {
    match named {
        Some(addrs) => {
            let addr = addrs.get(number)?;
            Some(SocketAddr::new(*addr, target.origin.port))
        }
        None => target.addrs.get(number).copied(),
    }
}
