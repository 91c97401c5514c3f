//! Webhooks: intake of a POST, its deliveries, their retries. It never touches a connection.

use std::time::Duration;

pub mod intake;
pub mod options;
pub mod retry;
pub mod target;

/// Defaults of the per-message options (dispatch.md section 4).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Retries after the first attempt.
    pub retries: u32,
    /// The wait before each retry.
    pub schedule: retry::Schedule,
    /// Random part of each wait, in per cent either way.
    pub jitter_percent: u32,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
    /// Age at which a delivery is given up.
    pub expires: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            retries: 9,
            schedule: retry::Schedule::default(),
            jitter_percent: 20,
            timeout: Duration::from_secs(15),
            expires: Duration::from_secs(4 * 24 * 3_600),
        }
    }
}
