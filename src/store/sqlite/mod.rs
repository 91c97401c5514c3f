//! The store in one SQLite file.
//! It never runs on the loop's thread.
#![allow(dead_code)]

mod lock;
mod record;
mod schema;

#[cfg(test)]
mod testing;
