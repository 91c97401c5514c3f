//! Who may do what: the roll of tokens, what a request shows of itself, and the yes or no.
//! No socket, no clock, no file; it keeps no secret, only what a secret can be told by.

pub mod browser;
pub mod glob;
pub mod mint;
pub mod roll;
pub mod ticket;

mod gate;
mod shown;

pub use gate::{Enrolled, Gate, Mark, Right, UNMARKED, Who, Wrong};
pub use roll::Roll;
pub use shown::Claim;
