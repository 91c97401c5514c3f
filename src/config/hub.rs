//! The hub's rows of the table of knobs; they fill a page of `--help` of their own.
//! It never knows where a value came from.

use std::sync::Arc;
use std::time::Duration;

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use super::knobs::fitting;
use crate::dispatch::retry::{SCHEDULE_FORM, Schedule};
use crate::http::target;
use crate::hub::name::Callback;
use crate::hub::settings::{Refresh, Steps, TopicRule};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The hub's knobs, in the order of its page.
pub(super) static KNOBS: [Knob; 20] = [
    Knob {
        key: "public-url",
        group: Group::Hub,
        value: "URL",
        default: "",
        help: "what the hub calls itself in Link fields",
        reload: Reload::Restart,
        form: Form::Text {
            complaint: "is not an address of the hub",
            allowed: "an http or https URL without userinfo and query",
            set: |config, text| {
                config.engine.hub.public_url = public_url(text);
                if let Some(url) = &config.engine.hub.public_url {
                    config.engine.browsers.set_public(url);
                }
                config.engine.hub.public_url.is_some()
            },
        },
    },
    Knob {
        key: "hub-lease-default",
        group: Group::Hub,
        value: "TIME",
        default: "10d",
        help: "for subscribers that ask for none",
        reload: Reload::Signal,
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.hub.leases.default = span,
        },
    },
    Knob {
        key: "hub-lease-min",
        group: Group::Hub,
        value: "TIME",
        default: "5m",
        help: "who asks for less gets this",
        reload: Reload::Signal,
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.hub.leases.min = span,
        },
    },
    Knob {
        key: "hub-lease-max",
        group: Group::Hub,
        value: "TIME",
        default: "30d",
        help: "who asks for more gets this",
        reload: Reload::Signal,
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.hub.leases.max = span,
        },
    },
    Knob {
        key: "hub-auto-refresh",
        group: Group::Hub,
        value: "WHOSE",
        default: "push03",
        help: "who is verified again before the end",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a kind of subscriber",
            allowed: Refresh::FORM,
            set: |config, text| {
                let parsed = Refresh::parse(text);
                config.engine.hub.refresh = parsed.unwrap_or(Refresh::Push03);
                parsed.is_some()
            },
        },
    },
    Knob {
        key: "hub-retry-schedule",
        group: Group::Hub,
        value: "WAITS",
        default: "10s,1m,5m,30m,2h,6h,12h",
        help: "waits before each retry of an update",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a schedule",
            allowed: SCHEDULE_FORM,
            set: |config, text| {
                let parsed = Schedule::parse(text);
                let is_schedule = parsed.is_ok();
                config.engine.dispatch.notices.schedule = parsed.unwrap_or_default();
                is_schedule
            },
        },
    },
    Knob {
        key: "hub-verify-schedule",
        group: Group::Hub,
        value: "WAITS",
        default: "5s,30s,5m",
        help: "waits where a verification had no answer",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a list of waits",
            allowed: Steps::FORM,
            set: |config, text| {
                let steps = Steps::parse(text);
                let is_list = steps.is_some();
                if let Some(steps) = steps {
                    config.engine.hub.verify_steps = steps;
                }
                is_list
            },
        },
    },
    Knob {
        key: "hub-fetch-schedule",
        group: Group::Hub,
        value: "WAITS",
        default: "5s,30s,2m,10m",
        help: "waits where a topic could not be fetched",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a list of waits",
            allowed: Steps::FORM,
            set: |config, text| {
                let steps = Steps::parse(text);
                let is_list = steps.is_some();
                if let Some(steps) = steps {
                    config.engine.hub.fetch_steps = steps;
                }
                is_list
            },
        },
    },
    Knob {
        key: "hub-min-fetch-interval",
        group: Group::Hub,
        value: "TIME",
        default: "0s",
        help: "pings within it lead to one fetch",
        reload: Reload::Signal,
        form: Form::Span {
            min: Duration::ZERO,
            max: DAY,
            set: |config, span| config.engine.hub.fetch_interval_min = span,
        },
    },
    Knob {
        key: "hub-distribute-unchanged",
        group: Group::Hub,
        value: "",
        default: "false",
        help: "pass on what did not change, too",
        reload: Reload::Signal,
        form: Form::Switch {
            set: |config, on| config.engine.hub.distribute_unchanged = on,
        },
    },
    Knob {
        key: "hub-strict-self",
        group: Group::Hub,
        value: "",
        default: "false",
        help: "deny topics that are not their rel=self",
        reload: Reload::Signal,
        form: Form::Switch {
            set: |config, on| config.engine.hub.strict_self = on,
        },
    },
    Knob {
        key: "hub-strict-hub-link",
        group: Group::Hub,
        value: "",
        default: "false",
        help: "deny topics that do not name this hub",
        reload: Reload::Signal,
        form: Form::Switch {
            set: |config, on| config.engine.hub.strict_hub_link = on,
        },
    },
    Knob {
        key: "hub-topics",
        group: Group::Hub,
        value: "TOPIC",
        default: "",
        help: "who may be subscribed to; may be repeated",
        reload: Reload::Signal,
        form: Form::List {
            complaint: "is not a rule for topics",
            allowed: TopicRule::FORM,
            add: |config, text| {
                let rule = TopicRule::parse(text);
                let is_rule = rule.is_some();
                config.engine.hub.topics.extend(rule);
                is_rule
            },
        },
    },
    Knob {
        key: "hub-diff",
        group: Group::Hub,
        value: "TOPIC",
        default: "",
        help: "whose known entries are left out; repeatable",
        reload: Reload::Signal,
        form: Form::List {
            complaint: "is not a rule for topics",
            allowed: TopicRule::FORM,
            add: |config, text| {
                let rule = TopicRule::parse(text);
                let is_rule = rule.is_some();
                config.engine.hub.diff.extend(rule);
                is_rule
            },
        },
    },
    Knob {
        key: "hub-approve-url",
        group: Group::Hub,
        value: "URL",
        default: "",
        help: "who is asked before each subscription",
        reload: Reload::Restart,
        form: Form::Text {
            complaint: "is not a URL to ask",
            allowed: "an http or https URL",
            set: |config, text| {
                let asked = target::parse(text).ok();
                config.engine.hub.approve = asked.map(Arc::new);
                config.engine.hub.approve.is_some()
            },
        },
    },
    Knob {
        key: "hub-open",
        group: Group::Hub,
        value: "",
        default: "false",
        help: "publish content without a token",
        reload: Reload::Signal,
        form: Form::Switch {
            set: |config, on| config.engine.hub.open = on,
        },
    },
    Knob {
        key: "hub-targets",
        group: Group::Hub,
        value: "WHICH",
        default: "public",
        help: "where callbacks and topics may be",
        reload: Reload::Signal,
        form: Form::Text {
            complaint: "is not a kind of target",
            allowed: "public, local (as the server's own targets)",
            set: |config, text| {
                config.engine.hub.strict_targets = text != "local";
                matches!(text, "public" | "local")
            },
        },
    },
    Knob {
        key: "hub-max-content",
        group: Group::Hub,
        value: "SIZE",
        default: "10MiB",
        help: "a topic's content",
        reload: Reload::Signal,
        form: Form::Size {
            min: 1_024,
            max: 1 << 30,
            set: |config, bytes| config.engine.hub.content_bytes_max = fitting(bytes),
        },
    },
    Knob {
        key: "hub-max-subscriptions",
        group: Group::Hub,
        value: "N",
        default: "100000",
        help: "subscriptions at once",
        reload: Reload::Restart,
        form: Form::Count {
            min: 1,
            max: 10_000_000,
            set: |config, count| config.engine.hub.subscriptions_max = fitting(count),
        },
    },
    Knob {
        key: "hub-max-waiting",
        group: Group::Hub,
        value: "N",
        default: "1000",
        help: "messages that wait for one subscriber",
        reload: Reload::Signal,
        form: Form::Count {
            min: 1,
            max: 1_000_000,
            set: |config, count| config.engine.hub.waiting_max = fitting(count),
        },
    },
];

/// What the hub's public names begin with: an address without userinfo, query and the last `/`.
fn public_url(text: &str) -> Option<Box<str>> {
    let url = Callback::parse("public-url", text.as_bytes()).ok()?;
    let plain = url.target.authorization.is_none() && !text.contains(['@', '?']);
    plain.then(|| url.target.url.trim_end_matches('/').into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_what_names_begin_with() {
        let rows = [
            ("https://Hub.test", Some("https://hub.test")),
            ("https://hub.test:443/", Some("https://hub.test")),
            (
                "http://hub.test:8080/a/b//",
                Some("http://hub.test:8080/a/b"),
            ),
            ("http://u:p@hub.test/", None),
            ("http://hub.test/?a", None),
            ("http://hub.test/#a", None),
            ("hub.test", None),
        ];
        for (text, want) in rows {
            assert_eq!(public_url(text).as_deref(), want, "{text}");
        }
    }
}
