//! What of the shell can be tested without a process of its own.

use super::*;

use std::time::Duration;

use crate::dispatch::{self, retry};
use crate::{conn, courier};

/// Settings for an engine that nothing is asked of.
pub(super) fn engine_settings() -> engine::Settings {
    engine::Settings {
        roll: None,
        browsers: Default::default(),
        limits: conn::Limits::default(),
        courier: courier::Settings::default(),
        dispatch: dispatch::Settings {
            retries: 0,
            schedule: retry::Schedule::default(),
            jitter_percent: 0,
            timeout: Duration::from_secs(15),
            expires: Duration::from_secs(60),
            keys: Default::default(),
            notices: Default::default(),
            recovery_rate: 1,
            keeps: false,
        },
        topics: crate::topics::Settings::default(),
        hub: Default::default(),
        lines_max: 64,
        lines_per_address_max: None,
        memory_bytes_max: 1 << 20,
        drain_timeout: Duration::from_secs(1),
        volatile: true,
    }
}

#[test]
fn the_greeting_says_where_what_and_how() {
    let addrs = ["0.0.0.0:80".parse().unwrap(), "[::1]:8080".parse().unwrap()];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        greeting(&addrs, "memory (nothing survives a restart)", "public"),
        format!(
            "hookah {version} listening on http://0.0.0.0:80, http://[::1]:8080\n\
             store: memory (nothing survives a restart)\n\
             targets: public\n\
             try: curl -d _url=http://localhost:9000/ -d hello=world http://127.0.0.1:80/dispatch\n"
        )
    );
}

#[test]
fn failures_name_the_thing_and_have_their_code() {
    let addr = "127.0.0.1:8080".parse().unwrap();
    let listen = |code| Failure::Listen {
        addr,
        why: io::Error::from_raw_os_error(code),
    };
    let rows = [
        (
            listen(libc::EADDRINUSE),
            69,
            "127.0.0.1:8080 is taken by another process",
        ),
        (
            listen(libc::EACCES),
            69,
            "no permission to listen on 127.0.0.1:8080",
        ),
        (
            listen(libc::EADDRNOTAVAIL),
            69,
            "cannot listen on 127.0.0.1:8080: ",
        ),
        (
            Failure::Store(store::Refusal::unknown("disk")),
            78,
            "there is no store \"disk\"",
        ),
        (
            Failure::CaFile {
                path: "a.pem".into(),
                why: "is empty".into(),
            },
            78,
            "--ca-file a.pem is empty",
        ),
        (Failure::Broken, 70, "an internal fault"),
    ];
    for (failure, code, text) in rows {
        assert_eq!(failure.exit_code(), code, "{failure}");
        assert!(failure.to_string().starts_with(text), "{failure}");
    }
}
