//! What the engine takes besides what is on the account of memory: what its bounds on numbers can
//! add up to. It holds nothing.

use super::{DESKS_KEPT_MAX, Settings, inquiries};
use crate::base::wheel::Wheel;
use crate::conn::Line;
use crate::conn::inbound::Desk;
use crate::port::Timer;
use crate::{courier, dispatch};

/// Nodes that the wheel may need.
pub(super) fn timers_max(settings: &Settings) -> usize {
    let rooms = dispatch::NEAR_MAX + courier::LANES_TIMED_MAX + courier::TIMERS_MAX + 16;
    settings.lines_max + rooms + inquiries::INQUIRIES_MAX
}

/// Bytes of memory that all lines and timers there may be take by themselves, whatever they carry,
/// with the buffers that wait for the next request. A column may have twice the room it needs.
#[must_use]
pub fn standing_bytes(settings: &Settings) -> u64 {
    let lines = 2 * settings.lines_max * (size_of::<Line>() + size_of::<u64>());
    let timers = timers_max(settings) * Wheel::<Timer>::NODE_BYTES;
    let desks = DESKS_KEPT_MAX * Desk::KEPT_BYTES;
    (lines + timers + desks) as u64
}
