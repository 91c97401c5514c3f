//! To be written.

/// To be written.
#[derive(Clone, Debug)]
pub struct Schedule;
