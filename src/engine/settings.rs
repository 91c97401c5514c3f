//! Everything the engine is told: each room's settings, and what they share.
//! It holds values and decides nothing.

use std::time::Duration;

use crate::access::{Roll, browser};
use crate::admin::about::Doors;
use crate::{conn, courier, dispatch, topics};

/// Everything the engine is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bounds on clients.
    pub limits: conn::Limits,
    /// Whose pages may send and read.
    pub browsers: browser::Settings,
    /// Calls out.
    pub courier: courier::Settings,
    /// Webhooks.
    pub dispatch: dispatch::Settings,
    /// Topics and their streams.
    pub topics: topics::Settings,
    /// Subscriptions.
    pub hub: crate::hub::Settings,
    /// Lines of all kinds at once; the slab's bound.
    pub lines_max: usize,
    /// Inbound lines from one address; `None` for no bound. Never holds for loopback peers.
    pub lines_per_address_max: Option<u32>,
    /// Bytes of messages, deliveries and buffers; over it intake answers 503.
    pub memory_bytes_max: u64,
    /// From the start of a drain to its end.
    pub drain_timeout: Duration,
    /// The store forgets at a restart, and every 202 must say so.
    pub volatile: bool,
    /// Who has a token; `None`: nobody needs one.
    pub roll: Option<Roll>,
    /// Where it listens, for people.
    pub doors: Doors,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            limits: conn::Limits::default(),
            browsers: browser::Settings::default(),
            courier: courier::Settings::default(),
            dispatch: dispatch::Settings::default(),
            topics: topics::Settings::default(),
            hub: crate::hub::Settings::default(),
            lines_max: 4_096,
            lines_per_address_max: Some(256),
            memory_bytes_max: 256 << 20,
            drain_timeout: Duration::from_secs(8),
            volatile: true,
            roll: None,
            doors: Doors::default(),
        }
    }
}
