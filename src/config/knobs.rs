//! The one table of knobs: a row is a flag, an environment variable, a line of `--help`, a row of
//! README's table and the text of an error. It never knows where a value came from.

use std::time::Duration;

use super::bounds;
use super::browsers;
use super::calls;
use super::form::Form;
use super::hub;
use super::knob::{Group, Knob, Reload};
use super::listening;
use super::streams;
use crate::shell::LogFormat;
use crate::store;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// All knobs, in the order of README's table.
pub(super) fn all() -> impl Iterator<Item = &'static Knob> + Clone {
    let first = listening::KNOBS.iter().chain(&calls::KNOBS);
    let more = browsers::KNOBS.iter().chain(&streams::KNOBS);
    first
        .chain(&KNOBS)
        .chain(&bounds::KNOBS)
        .chain(more)
        .chain(&hub::KNOBS)
}

/// Those of times and of running, in the order of `--help`.
static KNOBS: [Knob; 15] = [
    Knob {
        key: "head-timeout",
        group: Group::Times,
        value: "TIME",
        default: "10s",
        help: "for a request's head, from its first byte",
        reload: Reload::Signal,
        form: Form::Span {
            min: MILLISECOND,
            max: HOUR,
            set: |config, span| config.engine.limits.head_timeout = span,
        },
    },
    Knob {
        key: "body-timeout",
        group: Group::Times,
        value: "TIME",
        default: "60s",
        help: "for a request's body",
        reload: Reload::Signal,
        form: Form::Span {
            min: MILLISECOND,
            max: HOUR,
            set: |config, span| config.engine.limits.body_timeout = span,
        },
    },
    Knob {
        key: "idle-timeout",
        group: Group::Times,
        value: "TIME",
        default: "60s",
        help: "for a connection without a request",
        reload: Reload::Signal,
        form: Form::Span {
            min: MILLISECOND,
            max: HOUR,
            set: |config, span| config.engine.limits.idle_timeout = span,
        },
    },
    Knob {
        key: "stall-timeout",
        group: Group::Times,
        value: "TIME",
        default: "30s",
        help: "for a client that does not read",
        reload: Reload::Signal,
        form: Form::Span {
            min: MILLISECOND,
            max: HOUR,
            set: |config, span| config.engine.limits.stall_timeout = span,
        },
    },
    Knob {
        key: "drain-timeout",
        group: Group::Times,
        value: "TIME",
        default: "8s",
        help: "to finish what is in flight when stopped",
        reload: Reload::Signal,
        form: Form::Span {
            min: Duration::ZERO,
            max: HOUR,
            set: |config, span| config.engine.drain_timeout = span,
        },
    },
    Knob {
        key: "config",
        group: Group::Running,
        value: "FILE",
        default: "",
        help: "TOML with these keys; read again at SIGHUP",
        reload: Reload::Restart,
        form: Form::Path {
            // Whoever reads the file has looked for it before.
            set: |_, _| (),
        },
    },
    Knob {
        key: "ca-file",
        group: Group::Running,
        value: "FILE",
        default: "",
        help: "PEM of authorities to trust besides the usual",
        reload: Reload::Restart,
        form: Form::Path {
            set: |config, path| config.shell.ca_file = Some(path),
        },
    },
    Knob {
        key: "recovery-rate",
        group: Group::Running,
        value: "N",
        default: "1000",
        help: "deliveries a second while it catches up",
        reload: Reload::Restart,
        form: Form::Count {
            min: 1,
            max: 1_000_000,
            set: |config, count| config.engine.dispatch.recovery_rate = small(count),
        },
    },
    Knob {
        key: "store",
        group: Group::Running,
        value: "NAME",
        default: "sqlite:hookah.db",
        help: "where messages are kept",
        reload: Reload::Restart,
        form: Form::Text {
            complaint: "is not a store",
            allowed: store::NAMES,
            set: |config, text| {
                text.clone_into(&mut config.shell.store);
                store::is_known(text)
            },
        },
    },
    Knob {
        key: "takeover",
        group: Group::Running,
        value: "",
        default: "false",
        help: "wait for another process to release the store",
        reload: Reload::Restart,
        form: Form::Switch {
            set: |config, on| config.shell.takeover = on,
        },
    },
    Knob {
        key: "min-free",
        group: Group::Running,
        value: "SIZE",
        default: "64MiB",
        help: "of the disk; with less nothing is taken in",
        reload: Reload::Restart,
        form: Form::Size {
            min: 0,
            max: 1 << 40,
            set: |config, bytes| config.shell.min_free = bytes,
        },
    },
    Knob {
        key: "keep-age",
        group: Group::Running,
        value: "TIME",
        default: "7d",
        help: "of messages that have ended, in the store",
        reload: Reload::Restart,
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.shell.keep_age = span,
        },
    },
    Knob {
        key: "keep-bytes",
        group: Group::Running,
        value: "SIZE",
        default: "1GiB",
        help: "of the store; beyond it the oldest ended go",
        reload: Reload::Restart,
        form: Form::Size {
            min: 1 << 20,
            max: 1 << 40,
            set: |config, bytes| config.shell.keep_bytes = bytes,
        },
    },
    Knob {
        key: "log",
        group: Group::Running,
        value: "FILTER",
        default: "info",
        help: "off, error, warn, info, debug, trace",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a log filter",
            allowed: "off, error, warn, info, debug, trace, or PART=LEVEL, separated by commas",
            set: |config, text| {
                text.clone_into(&mut config.log);
                text.split(',').all(is_directive)
            },
        },
    },
    Knob {
        key: "log-format",
        group: Group::Running,
        value: "FORMAT",
        default: "text",
        help: "of log lines: text or json",
        reload: Reload::Restart,
        form: Form::Text {
            complaint: "is no form of log lines",
            allowed: "text, json",
            set: |config, text| {
                let format = LogFormat::parse(text);
                config.shell.log_format = format.unwrap_or(config.shell.log_format);
                format.is_some()
            },
        },
    },
];

/// A number whose row has a maximum that fits.
pub(super) fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A number of bytes or things as this machine counts them.
pub(super) fn fitting(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Whether env_logger understands this part of a filter.
fn is_directive(text: &str) -> bool {
    let level = text
        .rsplit_once('=')
        .map_or(text, |(_, level)| level)
        .trim();
    level.parse::<log::LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_in_the_order_of_their_groups() {
        let order = |group| {
            Group::ALL
                .iter()
                .position(|(known, _)| *known == group)
                .unwrap()
        };
        let knobs: Vec<&Knob> = all().collect();
        for (place, knob) in knobs.iter().enumerate() {
            let before = &knobs[..place];
            assert!(
                before.iter().all(|other| other.key != knob.key),
                "{}",
                knob.key
            );
        }
        let pairs = knobs.windows(2);
        assert!(
            pairs
                .into_iter()
                .all(|pair| order(pair[0].group) <= order(pair[1].group))
        );
    }
}
