//! One file per kind of line: inbound, outbound, stream; and the deadlines they share.

use std::time::Duration;

/// Bounds on what a client may send and how long it may take (http.md, numbers to adopt).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Request head, in bytes.
    pub head_bytes_max: usize,
    /// Request body, in bytes.
    pub body_bytes_max: usize,
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// A kept-alive line without a request.
    pub idle_timeout: Duration,
    /// No byte of an answer accepted while some wait.
    pub stall_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes_max: 32 << 10,
            body_bytes_max: 1 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
        }
    }
}
