//! The knobs of what may be held, a part of the one table, and how memory is shared out.
//! It never knows where a value came from.

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use super::knobs::{fitting, small};
use super::{Config, Refusal};
use crate::base::exit::Exit;
use crate::base::units::SizeText;
use crate::http::field::FIELDS_MAX;

/// Those of bounds, in the order of `--help`.
pub(super) static KNOBS: [Knob; 9] = [
    Knob {
        key: "max-head",
        group: Group::Bounds,
        value: "SIZE",
        default: "32KiB",
        help: "of a request's head",
        reload: Reload::Signal,
        form: Form::Size {
            min: 1 << 10,
            max: 1 << 20,
            set: |config, bytes| config.engine.limits.head_bytes_max = fitting(bytes),
        },
    },
    Knob {
        key: "max-target",
        group: Group::Bounds,
        value: "SIZE",
        default: "16KiB",
        help: "of a request's target: path and query",
        reload: Reload::Signal,
        form: Form::Size {
            min: 1 << 10,
            max: 1 << 20,
            set: |config, bytes| config.engine.limits.target_bytes_max = fitting(bytes),
        },
    },
    Knob {
        key: "max-fields",
        group: Group::Bounds,
        value: "N",
        default: "100",
        help: "of a request's head",
        reload: Reload::Signal,
        form: Form::Count {
            min: 8,
            max: FIELDS_MAX as u64,
            set: |config, count| config.engine.limits.fields_max = fitting(count),
        },
    },
    Knob {
        key: "max-body",
        group: Group::Bounds,
        value: "SIZE",
        default: "1MiB",
        help: "of a request's body",
        reload: Reload::Signal,
        form: Form::Size {
            min: 0,
            max: 1 << 30,
            set: |config, bytes| config.engine.limits.body_bytes_max = fitting(bytes),
        },
    },
    Knob {
        key: "body-rate",
        group: Group::Bounds,
        value: "SIZE",
        default: "256B",
        help: "a second, of a body after 10 seconds; 0 for any",
        reload: Reload::Signal,
        form: Form::Size {
            min: 0,
            max: 1 << 20,
            set: |config, bytes| config.engine.limits.body_rate_min = small(bytes),
        },
    },
    Knob {
        key: "max-memory",
        group: Group::Bounds,
        value: "SIZE",
        default: "256MiB",
        help: "of messages and buffers; beyond it 503",
        reload: Reload::Restart,
        form: Form::Size {
            min: 1 << 20,
            max: 1 << 40,
            set: |config, bytes| config.engine.memory_bytes_max = bytes,
        },
    },
    Knob {
        key: "backlog-total",
        group: Group::Bounds,
        value: "SIZE",
        default: "auto",
        help: "of all topics, half of max-memory at most",
        reload: Reload::Restart,
        form: Form::SizeOr {
            word: "auto",
            min: 0,
            max: 1 << 39,
            set: |config, bytes| config.backlog_total = bytes,
        },
    },
    Knob {
        key: "max-conns",
        group: Group::Bounds,
        value: "N",
        default: "auto",
        help: "in and out; auto: by the descriptor limit",
        reload: Reload::Restart,
        form: Form::CountOr {
            word: "auto",
            min: 4,
            max: 4_000_000,
            set: |config, count| config.lines_max = count.map(fitting),
        },
    },
    Knob {
        key: "max-conns-per-address",
        group: Group::Bounds,
        value: "N",
        default: "256",
        help: "from one address, loopback excepted; or off",
        reload: Reload::Restart,
        form: Form::CountOr {
            word: "off",
            min: 1,
            max: 4_000_000,
            set: |config, count| config.engine.lines_per_address_max = count.map(small),
        },
    },
];

/// Topics have a part of all memory; what is left is for messages, deliveries and buffers.
pub(super) fn share_memory(config: &mut Config) -> Result<(), Refusal> {
    let all = config.engine.memory_bytes_max;
    let total = config.backlog_total.unwrap_or(all / 4);
    if total > all / 2 {
        return Err(Refusal {
            text: format!(
                "--backlog-total {} is more than half of --max-memory {}, which it is a part of",
                SizeText(total),
                SizeText(all)
            ),
            exit_code: Exit::Config.code(),
        });
    }
    config.engine.topics.bytes_max = fitting(total);
    Ok(())
}
