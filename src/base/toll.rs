//! How often one client address may do something that costs others.
//! It reads no clock, refuses nobody by itself and forgets who has been quiet.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::base::index::Index;
use crate::base::time::Mono;

/// Addresses remembered at most; beyond them a stranger waits until another is forgotten.
const ADDRESSES_MAX: usize = 1 << 16;

/// A bucket for each address: `burst` requests at once, and one more after each `interval`.
#[derive(Debug)]
pub struct Toll {
    /// When the address will owe nothing any more.
    clear_at: Index<IpAddr, Mono>,
    /// Every address of the index once, for forgetting.
    order: VecDeque<IpAddr>,
    interval: Duration,
    burst: u32,
}

impl Toll {
    /// So many requests a minute, all of them at once if they like. `seed` is for the map.
    pub fn per_minute(requests: u32, seed: u64) -> Toll {
        Toll {
            clear_at: Index::new(seed),
            order: VecDeque::new(),
            interval: Duration::from_secs(60) / requests.max(1),
            burst: requests.max(1),
        }
    }

    /// Lets a request of `peer` pass.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn pay(&mut self, now: Mono, peer: IpAddr) -> Result<(), Duration> {
        let address = network(peer);
        let owed = self
            .clear_at
            .get(&address)
            .map_or(Duration::ZERO, |at| at.since(now));
        let most = self.interval * (self.burst - 1);
        if owed > most {
            return Err(owed - most);
        }
        let clear = now + owed + self.interval;
        if let Some(at) = self.clear_at.get_mut(&address) {
            *at = clear;
            return Ok(());
        }
        self.forget(now);
        if self.order.len() >= ADDRESSES_MAX {
            return Err(self.interval);
        }
        self.clear_at.insert(address, clear);
        self.order.push_back(address);
        Ok(())
    }

    /// Two of the oldest are looked at for each new one, so that the quiet ones are soon gone.
    fn forget(&mut self, now: Mono) {
        for _ in 0..2 {
            let Some(address) = self.order.pop_front() else {
                return;
            };
            let owes = self.clear_at.get(&address).is_some_and(|at| *at > now);
            match owes {
                true => self.order.push_back(address),
                false => drop(self.clear_at.remove(&address)),
            }
        }
    }
}

/// Who counts as one: an IPv4 address; of IPv6 a /64, for a home has that to itself.
#[must_use]
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn ten_a_minute_and_then_one_every_six_seconds() {
        let mut toll = Toll::per_minute(10, 1);
        let peer = IpAddr::from([192, 0, 2, 1]);
        for request in 0..10 {
            assert_eq!(toll.pay(Mono(0), peer), Ok(()), "{request}");
        }
        assert_eq!(toll.pay(Mono(0), peer), Err(Duration::from_secs(6)));
        assert_eq!(toll.pay(Mono(0), IpAddr::from([192, 0, 2, 2])), Ok(()));
        assert_eq!(toll.pay(Mono(6 * SECOND), peer), Ok(()));
        assert!(toll.pay(Mono(6 * SECOND), peer).is_err());
        assert_eq!(toll.pay(Mono(70 * SECOND), peer), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let mut toll = Toll::per_minute(1, 1);
        let peer = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert!(toll.pay(Mono(0), peer(1)).is_ok());
        assert!(toll.pay(Mono(0), peer(2)).is_err());
        assert!(
            toll.pay(Mono(0), IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]))
                .is_ok()
        );
    }

    #[test]
    fn who_has_been_quiet_is_forgotten() {
        let mut toll = Toll::per_minute(10, 1);
        for peer in 0..1_000_u32 {
            let now = Mono(u64::from(peer) * 10 * SECOND);
            assert!(toll.pay(now, IpAddr::from(peer.to_be_bytes())).is_ok());
        }
        assert!(toll.order.len() < 4, "{}", toll.order.len());
        assert_eq!(toll.order.len(), toll.clear_at.len());
    }
}
