//! The one table of knobs: a row is a flag, an environment variable, a line of `--help`, a row of
//! README's table and the text of an error. It never knows where a value came from.

use std::time::Duration;

use super::bounds;
use super::browsers;
use super::form::Form;
use super::hub;
use super::knob::{Group, Knob};
use super::listen::{self, LISTEN_FORM, SERVER_FORM};
use super::streams;
use crate::courier::guard::{Preset, RULE_FORM, Rule};
use crate::dispatch::retry::{SCHEDULE_FORM, Schedule};
use crate::shell::LogFormat;
use crate::store;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// All knobs, in the order of README's table.
pub(super) fn all() -> impl Iterator<Item = &'static Knob> + Clone {
    let more = browsers::KNOBS.iter().chain(&streams::KNOBS);
    KNOBS
        .iter()
        .chain(&bounds::KNOBS)
        .chain(more)
        .chain(&hub::KNOBS)
}

/// All but those that have pages of their own, in the order of `--help`.
static KNOBS: [Knob; 31] = [
    Knob {
        key: "listen",
        group: Group::Listening,
        value: "WHERE",
        default: "127.0.0.1:8080",
        help: "ADDR:PORT or unix:PATH; may be repeated",
        form: Form::List {
            complaint: "is not an address to listen on",
            allowed: LISTEN_FORM,
            add: |config, text| {
                listen::address(text)
                    .map(|addr| config.shell.listen.push(addr))
                    .is_some()
            },
        },
    },
    Knob {
        key: "port",
        group: Group::Listening,
        value: "N",
        default: "",
        help: "short for --listen 127.0.0.1:N",
        form: Form::Count {
            min: 0,
            max: 65_535,
            set: |config, port| config.shell.listen.extend(listen::local(port)),
        },
    },
    Knob {
        key: "tokens",
        group: Group::Listening,
        value: "FILE",
        default: "",
        help: "who may do what; read again at SIGHUP",
        form: Form::Path {
            set: |config, path| config.shell.tokens = Some(path),
        },
    },
    Knob {
        key: "insecure-no-auth",
        group: Group::Listening,
        value: "",
        default: "false",
        help: "let whoever reaches a public address send",
        form: Form::Switch {
            set: |config, on| config.insecure_no_auth = on,
        },
    },
    Knob {
        key: "tls-cert",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of our certificate and its chain",
        form: Form::Path {
            set: |config, path| config.named.certificate = Some(path),
        },
    },
    Knob {
        key: "tls-key",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of its private key",
        form: Form::Path {
            set: |config, path| config.named.key = Some(path),
        },
    },
    Knob {
        key: "client-ca",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of authorities; clients must be theirs",
        form: Form::Path {
            set: |config, path| config.named.client_ca = Some(path),
        },
    },
    Knob {
        key: "targets",
        group: Group::Targets,
        value: "WHICH",
        default: "auto",
        help: "what may be called; auto: by the listeners",
        form: Form::Text {
            complaint: "is not a kind of target",
            allowed: "auto, public, local",
            set: |config, text| {
                config.preset = match text {
                    "public" => Some(Preset::Public),
                    "local" => Some(Preset::Local),
                    _ => None,
                };
                config.preset.is_some() || text == "auto"
            },
        },
    },
    Knob {
        key: "allow-target",
        group: Group::Targets,
        value: "TARGET",
        default: "",
        help: "an exception; may be repeated",
        form: Form::List {
            complaint: "is not a target",
            allowed: RULE_FORM,
            add: |config, text| {
                let allow = &mut config.engine.courier.policy.allow;
                Rule::parse(text).map(|rule| allow.push(rule)).is_some()
            },
        },
    },
    Knob {
        key: "deny-target",
        group: Group::Targets,
        value: "TARGET",
        default: "",
        help: "never called, even if allowed; may be repeated",
        form: Form::List {
            complaint: "is not a target",
            allowed: RULE_FORM,
            add: |config, text| {
                let deny = &mut config.engine.courier.policy.deny;
                Rule::parse(text).map(|rule| deny.push(rule)).is_some()
            },
        },
    },
    Knob {
        key: "retries",
        group: Group::Webhooks,
        value: "N",
        default: "9",
        help: "after the first attempt; 0 tries once",
        form: Form::Count {
            min: 0,
            max: 1000,
            set: |config, count| config.engine.dispatch.retries = small(count),
        },
    },
    Knob {
        key: "retry-schedule",
        group: Group::Webhooks,
        value: "WAITS",
        default: "5s,5m,30m,2h,5h,10h,14h,20h,24h",
        help: "before a retry",
        form: Form::Text {
            complaint: "is not a schedule",
            allowed: SCHEDULE_FORM,
            set: |config, text| match Schedule::parse(text) {
                Ok(schedule) => {
                    config.engine.dispatch.schedule = schedule;
                    true
                }
                Err(_) => false,
            },
        },
    },
    Knob {
        key: "retry-jitter",
        group: Group::Webhooks,
        value: "PERCENT",
        default: "20%",
        help: "random part of each wait, either way",
        form: Form::Percent {
            set: |config, percent| config.engine.dispatch.jitter_percent = percent,
        },
    },
    Knob {
        key: "timeout",
        group: Group::Webhooks,
        value: "TIME",
        default: "15s",
        help: "for the whole exchange of one attempt",
        form: Form::Span {
            min: MILLISECOND,
            max: HOUR,
            set: |config, span| config.engine.dispatch.timeout = span,
        },
    },
    Knob {
        key: "expires",
        group: Group::Webhooks,
        value: "TIME",
        default: "4d",
        help: "the age at which a delivery is given up",
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.dispatch.expires = span,
        },
    },
    Knob {
        key: "parallelism",
        group: Group::Webhooks,
        value: "N",
        default: "64",
        help: "calls in flight to one origin",
        form: Form::Count {
            min: 1,
            max: 10_000,
            set: |config, count| config.engine.courier.parallelism = small(count),
        },
    },
    Knob {
        key: "resolver",
        group: Group::Webhooks,
        value: "ADDR",
        default: "",
        help: "name server, not resolv.conf's; may be repeated",
        form: Form::List {
            complaint: "is not a name server's address",
            allowed: SERVER_FORM,
            add: |config, text| {
                listen::name_server(text)
                    .map(|addr| config.engine.courier.resolvers.push(addr))
                    .is_some()
            },
        },
    },
    Knob {
        key: "head-timeout",
        group: Group::Times,
        value: "TIME",
        default: "10s",
        help: "for a request's head, from its first byte",
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
        form: Form::Span {
            min: Duration::ZERO,
            max: HOUR,
            set: |config, span| config.engine.drain_timeout = span,
        },
    },
    Knob {
        key: "ca-file",
        group: Group::Running,
        value: "FILE",
        default: "",
        help: "PEM of authorities to trust besides the usual",
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
