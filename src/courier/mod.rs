//! Every HTTP call out: lanes per origin, kept-alive lines, one outcome back. It never decides
//! whether to retry, and knows nothing of webhooks.

use std::time::Duration;

/// How calls go out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Calls in flight to one origin.
    pub parallelism: u32,
    /// Connecting, of the whole deadline.
    pub connect_timeout: Duration,
    /// A kept-alive line without a call.
    pub idle_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            parallelism: 64,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
        }
    }
}
