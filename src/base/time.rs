//! The two clocks as plain numbers: monotonic for deadlines, wall for what people and peers read.
//! Nothing here reads a clock; the shell does, once a turn, and the simulator invents it.

use std::ops::Add;
use std::time::Duration;

/// Monotonic time in microseconds since an arbitrary start. It never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// Wall-clock time in microseconds since 1970-01-01T00:00:00Z. It may jump either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub u64);

/// One reading of both clocks; everything in a turn of the loop shares it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For ids, dates, signatures and what is stored.
    pub wall: Wall,
}

impl Mono {
    /// A time that never comes.
    pub const NEVER: Mono = Mono(u64::MAX);

    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// Whole seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, span: Duration) -> Mono {
        Mono(self.0.saturating_add(micros(span)))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;

    fn add(self, span: Duration) -> Wall {
        Wall(self.0.saturating_add(micros(span)))
    }
}

/// A duration as microseconds, clamped to what fits.
#[must_use]
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Mono::NEVER + Duration::from_secs(1), Mono::NEVER);
        assert_eq!(Mono(1) + Duration::from_millis(2), Mono(2_001));
        assert_eq!(Wall(3_500_000).seconds(), 3);
        assert_eq!(Wall(3_500_000).millis(), 3_500);
        assert_eq!(micros(Duration::MAX), u64::MAX);
    }

    #[test]
    fn the_difference_of_two_times_is_what_was_added() {
        let span = Duration::from_micros(1_234_567);
        assert_eq!((Mono(9) + span).since(Mono(9)), span);
        assert_eq!((Wall(9) + span).since(Wall(9)), span);
        assert_eq!(Wall(9).since(Wall(10)), Duration::ZERO);
        assert_eq!(Wall(u64::MAX) + span, Wall(u64::MAX));
        assert_eq!(
            Mono(1) + Duration::from_nanos(1_999),
            Mono(2),
            "below a microsecond is cut"
        );
    }
}
