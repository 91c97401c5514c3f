//! What a knob is, and the groups in which knobs are shown. The knobs themselves stand in their
//! table; nothing here knows one by name.

use super::form::Form;

/// A row of the table.
pub(super) struct Knob {
    /// `retry-schedule` is the flag `--retry-schedule` and the variable `HOOKAH_RETRY_SCHEDULE`.
    pub(super) key: &'static str,
    /// Where `--help` and README show it.
    pub(super) group: Group,
    /// What stands for its value in `--help`.
    pub(super) value: &'static str,
    /// What holds if nobody says otherwise, in the form a flag has; empty for nothing.
    pub(super) default: &'static str,
    /// What it is, in a few words.
    pub(super) help: &'static str,
    /// Whether SIGHUP is enough for another value in the file.
    pub(super) reload: Reload,
    /// What a value looks like, and where it goes.
    pub(super) form: Form,
}

/// How another value in the configuration file comes to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// With the next SIGHUP.
    Signal,
    /// With the next start.
    Restart,
}

/// Knobs that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Listening,
    Tls,
    Targets,
    Webhooks,
    Times,
    Running,
    Bounds,
    Browsers,
    Streams,
    Hub,
}

impl Group {
    /// All of them, in the order of `--help`.
    pub(super) const ALL: [(Group, &'static str); 10] = [
        (Group::Listening, "Listening"),
        (Group::Tls, "TLS for clients"),
        (Group::Targets, "Targets"),
        (
            Group::Webhooks,
            "Webhooks, unless the message says otherwise",
        ),
        (
            Group::Times,
            "Times (250ms, 10s, 5m, 1d10h; a bare number is seconds)",
        ),
        (Group::Running, "Running"),
        (Group::Bounds, "Bounds (B, k or KiB, M or MiB, G or GiB)"),
        (Group::Browsers, "Browsers"),
        (Group::Streams, "Topics and their streams"),
        (Group::Hub, "The hub"),
    ];
}

impl Knob {
    /// The name of its environment variable.
    pub(super) fn variable(&self) -> String {
        format!("HOOKAH_{}", self.key.to_ascii_uppercase().replace('-', "_"))
    }

    /// Whether a flag of it may be given more than once, each time with another value.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.form, Form::List { .. })
    }
}
