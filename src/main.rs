//! The `hookah` command.
#![deny(unsafe_code, missing_docs)]

fn main() {}
