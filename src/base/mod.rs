//! Plain matter that knows nobody: time, generator, slab, wheel, ring, frame, buffers, the map.
//! It never knows HTTP, a room, a socket or a clock.

pub mod buf;
pub mod exit;
pub mod frame;
pub mod histogram;
pub mod index;
pub mod ledger;
pub mod rate;
pub mod ring;
pub mod rng;
pub mod slab;
pub mod stats;
pub mod time;
pub mod toll;
pub mod units;
pub mod wheel;
