//! How fast a request's body comes: each byte buys it time, up to all that it has. It holds two
//! numbers and no timer.

use std::time::Duration;

use crate::base::time::Mono;
use crate::conn::Limits;

/// Time that a body has whatever its pace.
const GRACE: Duration = Duration::from_secs(10);

/// The pace of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    since: Mono,
    /// Bytes of it that came.
    bytes: u64,
}

impl Pace {
    /// The body begins now.
    pub(super) fn new(now: Mono) -> Pace {
        Pace {
            since: now,
            bytes: 0,
        }
    }

    /// So many bytes of it came. What frames them buys no time.
    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Nobody listened for so long, which does not count.
    pub(super) fn postpone(&mut self, by: Duration) {
        self.since = self.since + by;
    }

    /// When it has taken too long: the time for a whole body is up, or more has passed than its
    /// bytes and the grace are worth.
    pub(super) fn deadline(&self, limits: &Limits) -> Mono {
        (self.since + limits.body_timeout).min(self.bought(limits))
    }

    /// Whether it is too slow at `now`, be there time left or not.
    pub(super) fn is_slow(&self, limits: &Limits, now: Mono) -> bool {
        self.bought(limits) <= now
    }

    fn bought(&self, limits: &Limits) -> Mono {
        match limits.body_rate_min {
            0 => Mono::NEVER,
            rate => {
                let micros = self.bytes.saturating_mul(1_000_000) / u64::from(rate);
                self.since + (GRACE + Duration::from_micros(micros))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Mono {
        Mono(0) + SECOND * seconds
    }

    #[test]
    fn bytes_buy_time_up_to_the_whole() {
        let limits = Limits {
            body_timeout: SECOND * 60,
            body_rate_min: 256,
            ..Limits::default()
        };
        let mut pace = Pace::new(at(5));
        for (bytes, until) in [(0, 15), (255, 15), (1, 16), (256 * 9, 25), (1 << 20, 65)] {
            pace.came(bytes);
            let deadline = pace.deadline(&limits).since(at(until));
            assert!(deadline < SECOND, "{bytes} bytes: {deadline:?}");
        }
        assert!(!pace.is_slow(&limits, at(65)), "it was fast, and too large");
        assert!(Pace::new(at(0)).is_slow(&limits, at(10)));
        let any = Limits {
            body_rate_min: 0,
            ..limits
        };
        assert_eq!(Pace::new(at(0)).deadline(&any), at(60));
    }
}
