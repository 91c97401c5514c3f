//! What all bounds add up to, for the line at the start, and how memory is shared out.
//! It is worked out once and bounds nothing by itself.

use std::fmt;

use super::entry::Entry;
use super::{READ_BYTES_MAX, STORE_PART_OF_MEMORY};
use crate::engine::{self, standing_bytes};

/// What the program takes before anything happens, an embedded store and its caches included.
const PROGRAM_BYTES: u64 = 12 << 20;
/// A client that does not read has the kernel hold this part of all memory at most, within bounds
/// between which answers still flow: a thousand of them, and memory is not much more than the half
/// of what it may be.
const SEND_BUFFER_PART: u64 = 4_096;
const SEND_BUFFER_BYTES: (u64, u64) = (8 << 10, 64 << 10);

/// The sum, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    lines: usize,
    memory: u64,
    /// All that the process may come to.
    pub(super) all: u64,
    /// What each client's socket is told to buffer.
    pub(super) send_buffer: usize,
    /// The same for what comes; none where there is plenty, for then the kernel knows better.
    pub(super) receive_buffer: Option<usize>,
}

impl Sum {
    /// Of these settings.
    pub(super) fn of(settings: &engine::Settings) -> Sum {
        let memory = settings.memory_bytes_max;
        let lines = settings.lines_max;
        let sockets = 2 * lines * size_of::<Option<Entry>>() + READ_BYTES_MAX;
        let (least, most) = SEND_BUFFER_BYTES;
        let send_buffer = (memory / SEND_BUFFER_PART).clamp(least, most) as usize;
        Sum {
            lines,
            memory,
            all: memory + standing_bytes(settings) + sockets as u64 + PROGRAM_BYTES,
            send_buffer,
            receive_buffer: (send_buffer < most as usize).then_some(2 * send_buffer),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            out,
            "{} connections; at most {} MiB, of which {} MiB for messages, topics and buffers, \
             and the kernel's {} KiB for each client that does not read",
            self.lines,
            mib(self.all),
            mib(self.memory),
            (2 * self.send_buffer) >> 10
        )
    }
}

/// What of all memory is left for messages, deliveries and buffers: topics have a part of their
/// own, and so has a store that keeps messages in memory.
pub(super) fn account(settings: &engine::Settings, volatile: bool) -> u64 {
    let all = settings.memory_bytes_max;
    let store = if volatile {
        all / STORE_PART_OF_MEMORY
    } else {
        0
    };
    all.saturating_sub(store)
        .saturating_sub(settings.topics.bytes_max as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::tests::engine_settings;

    #[test]
    fn the_parts_of_memory_are_all_of_it() {
        let mut settings = engine_settings();
        settings.memory_bytes_max = 32 << 20;
        settings.topics.bytes_max = 8 << 20;
        assert_eq!(account(&settings, false), 24 << 20);
        assert_eq!(account(&settings, true), 20 << 20);
    }

    #[test]
    fn the_sum_grows_with_each_bound() {
        let (mut more, small) = (engine_settings(), Sum::of(&engine_settings()));
        assert!(small.all >= small.memory + PROGRAM_BYTES);
        more.lines_max += 10_000;
        let with_lines = Sum::of(&more);
        let each = (with_lines.all - small.all) / 10_000;
        assert!((300..2_000).contains(&each), "{each} bytes a line");
        more.memory_bytes_max += 1 << 30;
        let with_memory = Sum::of(&more);
        assert_eq!(with_memory.all - with_lines.all, 1 << 30);
        assert_eq!(
            (small.send_buffer, with_memory.send_buffer),
            (8 << 10, 64 << 10)
        );
    }
}
