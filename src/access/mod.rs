//! Who may do what: the roll of tokens, what a request shows of itself, and the yes or no.
//! No socket, no clock, no file; it refuses nobody by itself and keeps no secret.

pub mod glob;
pub mod roll;

pub use roll::Roll;
