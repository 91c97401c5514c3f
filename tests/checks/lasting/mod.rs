//! What was accepted lasts: over kill -9, over a loss of power, over disks that fail or are full.
//! Clients note each 202, a target notes each webhook, and the two lists are compared.

mod books;
mod crash;
mod disks;
mod million;
mod power;
pub mod site;

pub use crash::crash_loop;
pub use disks::{full, io_errors, slow_sync};
pub use million::million;
pub use power::power_loop;
