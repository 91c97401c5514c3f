#![doc = include_str!("ARCHITECTURE.md")]
#![deny(unsafe_code, missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::dbg_macro
    )
)]

pub mod access;
pub mod admin;
pub mod base;
pub mod client;
pub mod config;
pub mod conn;
pub mod courier;
pub mod dispatch;
pub mod engine;
pub mod http;
pub mod hub;
pub mod model;
pub mod port;
pub mod shell;
pub mod store;
pub mod topics;
