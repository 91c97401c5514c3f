//! What of the shell can be tested without a process of its own.

use super::*;

use std::time::Duration;

use crate::dispatch::{self, retry};
use crate::{conn, courier};

/// Settings for an engine that nothing is asked of.
pub(super) fn engine_settings() -> engine::Settings {
    engine::Settings {
        roll: None,
        doors: Default::default(),
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
fn failures_name_the_thing_and_have_their_code() {
    let at = Listen::Tcp("127.0.0.1:8080".parse().unwrap(), Scheme::Either);
    let listen = |code| Failure::Listen {
        at: at.clone(),
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
            Failure::File(Fault {
                flag: "ca-file",
                path: "a.pem".into(),
                why: "is empty".into(),
            }),
            78,
            "--ca-file a.pem is empty",
        ),
        (Failure::Broken, 70, "an internal fault"),
    ];
    all_say(rows);
}

#[test]
fn a_path_that_cannot_be_listened_on_is_named_too() {
    let unix = |code| Failure::Listen {
        at: Listen::Unix("/run/h.sock".into()),
        why: io::Error::from_raw_os_error(code),
    };
    all_say([
        (
            unix(libc::EADDRINUSE),
            69,
            "unix:/run/h.sock is taken by another process",
        ),
        (
            unix(libc::EEXIST),
            78,
            "/run/h.sock is there already and is no socket",
        ),
        (
            unix(libc::EACCES),
            69,
            "cannot listen on unix:/run/h.sock: Permission denied",
        ),
    ]);
}

fn all_say<const COUNT: usize>(rows: [(Failure, u8, &str); COUNT]) {
    for (failure, code, text) in rows {
        assert_eq!(failure.exit_code(), code, "{failure}");
        assert!(failure.to_string().starts_with(text), "{failure}");
    }
}
