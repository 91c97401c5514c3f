//! The knobs of topics and their streams, a part of the one table.
//! It never knows where a value came from.

use std::time::Duration;

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use super::knobs::fitting;

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Those of streams, in the order of `--help`.
pub(super) static KNOBS: [Knob; 6] = [
    Knob {
        key: "backlog-messages",
        group: Group::Streams,
        value: "N",
        default: "100",
        help: "that a topic keeps for late readers",
        reload: Reload::Signal,
        form: Form::Count {
            min: 0,
            max: 1_000_000,
            set: |config, count| config.engine.topics.backlog_messages = fitting(count),
        },
    },
    Knob {
        key: "backlog-bytes",
        group: Group::Streams,
        value: "SIZE",
        default: "1MiB",
        help: "of messages that a topic keeps",
        reload: Reload::Signal,
        form: Form::Size {
            min: 0,
            max: 1 << 30,
            set: |config, bytes| config.engine.topics.backlog_bytes = fitting(bytes),
        },
    },
    Knob {
        key: "max-streams",
        group: Group::Streams,
        value: "N",
        default: "auto",
        help: "open streams; auto: what max-conns allows",
        reload: Reload::Signal,
        form: Form::CountOr {
            word: "auto",
            min: 0,
            max: 4_000_000,
            set: |config, count| config.engine.topics.streams_max = count.map(fitting),
        },
    },
    Knob {
        key: "backlog-age",
        group: Group::Streams,
        value: "TIME",
        default: "1h",
        help: "that a topic keeps a message",
        reload: Reload::Signal,
        form: Form::Span {
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.topics.backlog_age = span,
        },
    },
    Knob {
        key: "keepalive",
        group: Group::Streams,
        value: "TIME",
        default: "30s",
        help: "of silence, before a stream gets a sign",
        reload: Reload::Signal,
        form: Form::Span {
            min: Duration::from_secs(5),
            max: Duration::from_secs(300),
            set: |config, span| config.engine.topics.keep_alive = span,
        },
    },
    Knob {
        key: "max-age",
        group: Group::Streams,
        value: "TIME",
        default: "off",
        help: "of a stream, until its reader must come anew",
        reload: Reload::Signal,
        form: Form::SpanOr {
            word: "off",
            min: SECOND,
            max: YEAR,
            set: |config, span| config.engine.topics.age_max = span,
        },
    },
];
