//! The hub: who subscribes to what, and what was published to it.
//! It never touches a connection, and knows no delivery.

pub mod diff;
pub mod discover;
pub mod link;
pub mod name;
pub mod request;
pub mod settings;
