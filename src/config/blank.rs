//! A configuration in which nothing has been said yet.
//! It holds no default of a knob: each gets its value from its row.

use std::time::Duration;

use super::{Config, Live, doors};
use crate::access::browser;
use crate::admin::about::Doors;
use crate::dispatch::retry::Schedule;
use crate::dispatch::sign::Keys;
use crate::hub::settings as hub_settings;
use crate::{conn, courier, dispatch, engine, shell, topics};

/// A place for the values. Whatever is a knob gets its value from its row, the default included.
pub(super) fn blank() -> Config {
    Config {
        shell: shell::Settings {
            listen: vec![],
            store: String::new(),
            keep_age: Duration::ZERO,
            keep_bytes: 0,
            min_free: 0,
            targets: "",
            ca_file: None,
            identity: None,
            tokens: None,
            config_file: None,
            takeover: false,
            log_format: shell::LogFormat::Text,
        },
        engine: engine::Settings {
            limits: conn::Limits::default(),
            browsers: browser::Settings::default(),
            courier: courier::Settings::default(),
            dispatch: dispatch::Settings {
                retries: 0,
                schedule: Schedule::default(),
                jitter_percent: 0,
                timeout: Duration::ZERO,
                expires: Duration::ZERO,
                keys: Keys::default(),
                notices: dispatch::notice::Settings::default(),
                recovery_rate: 0,
                // The engine corrects this, as it knows the store.
                keeps: false,
            },
            topics: topics::Settings {
                backlog_messages: 0,
                backlog_age: Duration::ZERO,
                backlog_bytes: 0,
                keep_alive: Duration::ZERO,
                ..topics::Settings::default()
            },
            hub: hub_settings::Settings::default(),
            lines_max: 0,
            lines_per_address_max: None,
            memory_bytes_max: 0,
            drain_timeout: Duration::ZERO,
            // The shell corrects this when it has opened the store.
            volatile: true,
            // The shell reads the file.
            roll: None,
            doors: Doors::default(),
        },
        log: String::new(),
        live: Live::default(),
        inherited: vec![],
        insecure_no_auth: false,
        named: doors::Named::default(),
        lines_max: None,
        backlog_total: None,
        preset: None,
    }
}
