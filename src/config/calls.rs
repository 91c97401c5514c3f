//! The knobs of what is called and how, a part of the one table.
//! It never knows where a value came from.

use std::time::Duration;

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use super::knobs::small;
use super::listen::{self, SERVER_FORM};
use crate::courier::guard::{Preset, RULE_FORM, Rule};
use crate::dispatch::retry::{SCHEDULE_FORM, Schedule};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Those of targets and of webhooks, in the order of `--help`.
pub(super) static KNOBS: [Knob; 10] = [
    Knob {
        key: "targets",
        group: Group::Targets,
        value: "WHICH",
        default: "auto",
        help: "what may be called; auto: by the listeners",
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Signal,
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
        reload: Reload::Restart,
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
        reload: Reload::Restart,
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
];
