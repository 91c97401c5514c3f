//! Stories of webhooks over TLS: the real binary, real handshakes on loopback, an authority made
//! for the test. The test itself is the server at the other end; nothing here waits for a time.

mod authority;
mod faults;
mod ground;
mod stories;
mod target;

#[path = "../support/server.rs"]
mod server;
