//! The two clocks, read together once a turn.
//! Nobody else reads a clock, and nothing here waits.

use std::time::SystemTime;

use super::sys;
use crate::base::time::{Mono, Now, Wall, micros};

/// Reads both clocks; what it gives never goes back on the monotonic side.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Mono,
}

impl Clock {
    /// The time now, on both clocks.
    pub(super) fn read(&mut self) -> Now {
        Now {
            mono: self.mono(),
            wall: wall(),
        }
    }

    /// The monotonic clock alone, to measure by.
    pub(super) fn mono(&mut self) -> Mono {
        // The kernel promises monotony; a virtual machine moved to another host has broken it.
        self.last = self.last.max(Mono(micros(sys::uptime())));
        self.last
    }
}

/// The wall clock; 1970 if the machine believes in an earlier time.
pub(super) fn wall() -> Wall {
    Wall(SystemTime::UNIX_EPOCH.elapsed().map_or(0, micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_the_wall_shows_this_century() {
        let mut clock = Clock::default();
        let (first, second) = (clock.read(), clock.read());
        assert!(first.mono <= second.mono);
        assert!(first.mono > Mono(0));
        assert!(first.wall.seconds() > 1_700_000_000);
        clock.last = Mono::NEVER;
        assert_eq!(clock.read().mono, Mono::NEVER);
    }
}
