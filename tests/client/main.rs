//! Stories of `hookah send` and `hookah tail`: the real binary on both sides, over real sockets;
//! nothing waits for time.

mod hostile;
mod rig;
mod sending;
mod staying;
mod tailing;

#[path = "../tls/authority.rs"]
mod authority;
#[path = "../support/server.rs"]
mod server;
