//! What waits in the store alone: the engine with a store that keeps what it is given, by hand,
//! with crashes, failures and clocks that are set. No socket, no file, no real time.

mod clocks;
mod failing;
mod memory;
mod restoring;
mod rig;
mod waiting;
