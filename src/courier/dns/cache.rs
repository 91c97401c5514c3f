//! What is known of names for a while: addresses as long as their records say, failures briefly.
//! It asks nobody.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::index::Index;
use crate::base::time::Mono;

use super::Answered;

/// Names at most (guarantees.md, fault table); the oldest goes first.
const NAMES_MAX: usize = 1_024;
/// Addresses are kept no longer, whatever their records say.
const KEPT_MAX: Duration = Duration::from_secs(60);
/// How long a name is taken not to exist.
const NEGATIVE_KEPT: Duration = Duration::from_secs(5);

/// Answers by the name that was looked up. An answer that may not be kept (a record's time to live
/// of zero, a server's failure) still stands for the instant it came in: what waited for it takes
/// it from here, and whoever comes later asks again.
#[derive(Debug)]
pub(super) struct Cache {
    by_name: Index<Arc<str>, Entry>,
    /// The names in the order they came, round and round.
    names: Vec<Arc<str>>,
    /// Place of the oldest name once the cache is full.
    oldest: usize,
}

#[derive(Debug)]
struct Entry {
    /// The last instant at which it counts; `None` for none.
    until: Option<Mono>,
    answered: Answered,
}

impl Cache {
    /// Knows nothing. The seed keeps its map from being attacked by chosen names.
    #[must_use]
    pub(super) fn new(seed: u64) -> Cache {
        Cache {
            by_name: Index::new(seed),
            names: Vec::new(),
            oldest: 0,
        }
    }

    /// What is known of a name at that time.
    #[must_use]
    pub(super) fn get(&self, now: Mono, name: &str) -> Option<&Answered> {
        let entry = self.by_name.get(name)?;
        let counts = entry.until.is_some_and(|until| now <= until);
        counts.then_some(&entry.answered)
    }

    /// Addresses, and how long their records may be kept.
    pub(super) fn keep(&mut self, now: Mono, name: &str, addrs: Arc<[IpAddr]>, ttl: Duration) {
        let until = now + ttl.min(KEPT_MAX);
        self.put(name, until, Ok(addrs));
    }

    /// That the name, or any address of it, does not exist.
    pub(super) fn keep_negative(&mut self, now: Mono, name: &str, detail: &'static str) {
        self.put(name, now + NEGATIVE_KEPT, Err(detail));
    }

    /// That nobody could say anything; it stands for this instant alone.
    pub(super) fn keep_failure(&mut self, now: Mono, name: &str, detail: &'static str) {
        self.put(name, now, Err(detail));
    }

    /// Whether what is known is a failure of this instant alone; it is forgotten then.
    pub(super) fn forget_failure(&mut self, now: Mono, name: &str) -> bool {
        match self.by_name.get_mut(name) {
            Some(entry) if entry.until == Some(now) && entry.answered.is_err() => {
                entry.until = None;
                true
            }
            _ => false,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        for name in self.names.drain(..) {
            self.by_name.remove(&name);
        }
        self.oldest = 0;
    }

    /// Names that are remembered, current or not.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    fn put(&mut self, name: &str, until: Mono, answered: Answered) {
        let until = Some(until);
        if let Some(entry) = self.by_name.get_mut(name) {
            *entry = Entry { until, answered };
            return;
        }
        let name: Arc<str> = name.into();
        match self.names.get_mut(self.oldest) {
            Some(place) if self.by_name.len() >= NAMES_MAX => {
                self.by_name.remove(place);
                *place = Arc::clone(&name);
                self.oldest = (self.oldest + 1) % NAMES_MAX;
            }
            _ => self.names.push(Arc::clone(&name)),
        }
        self.by_name.insert(name, Entry { until, answered });
        debug_assert_eq!(self.by_name.len(), self.names.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn addrs() -> Arc<[IpAddr]> {
        [IpAddr::from([10, 0, 0, 1])].into()
    }

    #[test]
    fn addresses_are_kept_as_long_as_they_say_and_no_longer_than_a_minute() {
        for (ttl, until) in [(0, 0), (7, 7), (60, 60), (61, 60), (86_400, 60)] {
            let mut cache = Cache::new(1);
            let now = Mono(5 * SECOND);
            cache.keep(now, "a", addrs(), Duration::from_secs(ttl));
            let last = Mono(now.0 + until * SECOND);
            assert_eq!(cache.get(last, "a"), Some(&Ok(addrs())), "{ttl}");
            assert_eq!(cache.get(Mono(last.0 + 1), "a"), None, "{ttl}");
            assert_eq!(cache.get(now, "b"), None);
        }
    }

    #[test]
    fn what_does_not_exist_is_kept_five_seconds_and_a_failure_not_at_all() {
        let (mut cache, now) = (Cache::new(1), Mono(SECOND));
        cache.keep_negative(now, "a", "nxdomain");
        cache.keep_failure(now, "b", "servfail");
        assert_eq!(cache.get(Mono(6 * SECOND), "a"), Some(&Err("nxdomain")));
        assert_eq!(cache.get(Mono(6 * SECOND + 1), "a"), None);
        assert_eq!(cache.get(now, "b"), Some(&Err("servfail")));
        assert_eq!(cache.get(Mono(SECOND + 1), "b"), None);
        assert!(!cache.forget_failure(now, "a"));
        assert!(cache.forget_failure(now, "b"));
        assert!(!cache.forget_failure(now, "b"));
        assert_eq!(cache.get(now, "b"), None);
        assert_eq!(cache.get(now, "a"), Some(&Err("nxdomain")));
    }

    #[test]
    fn the_oldest_name_goes_when_it_is_full() {
        let (mut cache, now) = (Cache::new(1), Mono(0));
        let extra = 100;
        for number in 0..NAMES_MAX + extra {
            cache.keep(now, &number.to_string(), addrs(), KEPT_MAX);
            cache.keep(now, &number.to_string(), addrs(), KEPT_MAX);
        }
        assert_eq!(cache.len(), NAMES_MAX);
        for number in 0..NAMES_MAX + extra {
            let known = cache.get(now, &number.to_string()).is_some();
            assert_eq!(known, number >= extra, "{number}");
        }
        cache.clear();
        assert_eq!((cache.len(), cache.get(now, "500")), (0, None));
    }
}
