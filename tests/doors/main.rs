//! Stories of the doors by which clients come: TLS with our certificate and with theirs, Unix
//! sockets, and files that are read anew. The real binary, real handshakes; nothing waits for time.

mod caller;
mod mutual;
mod reloading;
mod secure;
mod unix;

#[path = "../tls/authority.rs"]
mod authority;
#[path = "../support/server.rs"]
mod server;
