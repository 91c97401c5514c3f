use super::*;
use crate::base::time::{Now, Wall};

/// A turn with nothing in it.
pub(super) fn turn() -> Turn {
    let now = Now {
        mono: Mono(0),
        wall: Wall(1_763_880_000_000_000),
    };
    Turn {
        now,
        wheel: crate::base::wheel::Wheel::with_bound(64, now.mono),
        rng: Rng::new([3; 32]),
        stats: crate::base::stats::Stats::default(),
        memory: crate::base::ledger::Ledger::new(1 << 20),
        actions: VecDeque::new(),
        dirty: VecDeque::new(),
        dirty_streams: VecDeque::new(),
    }
}
