//! README's table of all bounds: where each is set, what comes of reaching it, what counts that.
//! It bounds nothing itself.

use std::fmt::Write;

use super::knobs;
use crate::base::stats::Counter;
use crate::base::units::SizeText;
use crate::dispatch::{deliveries, flows, intake, once};
use crate::http::multipart;
use crate::http::problem::Reason;
use crate::topics::{self, filter, subscribe};

/// Where a bound is set.
enum Limit {
    /// By that knob.
    By(&'static str),
    /// Nowhere: so many.
    Count(u64),
    /// Nowhere, in bytes.
    Bytes(u64),
    /// Nowhere, in words.
    Words(&'static str),
}

/// What comes of reaching it.
enum Then {
    /// A refusal of the table of reasons.
    Refused(Reason),
    /// Something else.
    So(&'static str),
}

use Limit::{By, Bytes, Count, Words};
use Then::{Refused, So};

/// What is bounded, where, what comes of it, and what counts it.
struct Bound(&'static str, Limit, Then, Counter);

const ALL: &[Bound] = &[
    Bound(
        "a request's head",
        By("max-head"),
        Refused(Reason::HeadTooLarge),
        Counter::HeadsRefused,
    ),
    Bound(
        "a request's target",
        By("max-target"),
        Refused(Reason::TargetTooLong),
        Counter::HeadsRefused,
    ),
    Bound(
        "fields of a head",
        By("max-fields"),
        Refused(Reason::TooManyFields),
        Counter::HeadsRefused,
    ),
    Bound(
        "time for a head",
        By("head-timeout"),
        Refused(Reason::HeadTimeout),
        Counter::TimeoutsHead,
    ),
    Bound(
        "a request's body",
        By("max-body"),
        Refused(Reason::BodyTooLarge),
        Counter::BodiesRefused,
    ),
    Bound(
        "time for a body",
        By("body-timeout"),
        Refused(Reason::BodyTimeout),
        Counter::TimeoutsBody,
    ),
    Bound(
        "pace of a body, at least",
        By("body-rate"),
        Refused(Reason::BodyTimeout),
        Counter::TimeoutsSlowBody,
    ),
    Bound(
        "time between requests",
        By("idle-timeout"),
        So("closed"),
        Counter::TimeoutsIdle,
    ),
    Bound(
        "time that a client takes nothing",
        By("stall-timeout"),
        So("closed"),
        Counter::TimeoutsStall,
    ),
    Bound(
        "answers that a client has yet to take",
        Words("64, or 64KiB; while memory is short 4, or 4KiB"),
        So("it is not read on until it takes some"),
        Counter::ReadsPaused,
    ),
    Bound(
        "connections, a quarter kept for targets",
        By("max-conns"),
        Refused(Reason::ConnectionsFull),
        Counter::LinesRefused,
    ),
    Bound(
        "connections of one address, or /64 of IPv6",
        By("max-conns-per-address"),
        Refused(Reason::AddressFull),
        Counter::LinesRefusedByAddress,
    ),
    Bound(
        "memory: messages, deliveries",
        By("max-memory"),
        Refused(Reason::MemoryFull),
        Counter::MessagesRefusedForMemory,
    ),
    Bound(
        "memory: requests that come in pieces; a quarter is kept for those that come whole",
        By("max-memory"),
        Refused(Reason::MemoryFull),
        Counter::RequestsRefusedForMemory,
    ),
    Bound(
        "memory of all topics",
        By("backlog-total"),
        So("the coldest topics forget, then the slowest readers give way"),
        Counter::BacklogCrowdedOut,
    ),
    Bound(
        "names and filters of readers",
        Words("half of `--backlog-total`"),
        Refused(Reason::StreamsFull),
        Counter::StreamsRefused,
    ),
    Bound(
        "messages that a topic keeps",
        By("backlog-messages"),
        So("the oldest goes"),
        Counter::TopicsBytes,
    ),
    Bound(
        "bytes of them",
        By("backlog-bytes"),
        So("the oldest goes"),
        Counter::TopicsBytes,
    ),
    Bound(
        "streams",
        By("max-streams"),
        Refused(Reason::StreamsFull),
        Counter::StreamsRefused,
    ),
    Bound(
        "messages that a reader is behind",
        Count(topics::BEHIND_MESSAGES_MAX),
        So("its stream is ended, or it loses the oldest"),
        Counter::StreamsSlow,
    ),
    Bound(
        "bytes that a reader is behind",
        Bytes(topics::BEHIND_BYTES_MAX),
        So("its stream is ended, or it loses the oldest"),
        Counter::StreamsSlow,
    ),
    Bound(
        "topics of one stream",
        Count(subscribe::TOPICS_MAX as u64),
        Refused(Reason::TooManyTopics),
        Counter::RequestsRefused,
    ),
    Bound(
        "pairs of one filter",
        Count(filter::WANTS_MAX as u64),
        Refused(Reason::BadOption),
        Counter::RequestsRefused,
    ),
    Bound(
        "a topic's name",
        Bytes(subscribe::TOPIC_BYTES_MAX as u64),
        Refused(Reason::BadOption),
        Counter::RequestsRefused,
    ),
    Bound(
        "targets of a message",
        Count(intake::TARGETS_MAX as u64),
        Refused(Reason::TooManyTargets),
        Counter::RequestsRefused,
    ),
    Bound(
        "parts of a multipart form",
        Count(multipart::PARTS_MAX as u64),
        Refused(Reason::BadForm),
        Counter::RequestsRefused,
    ),
    Bound(
        "deliveries whose time is near",
        Count(deliveries::NEAR_MAX as u64),
        So("the others wait in the store"),
        Counter::DeliveriesStored,
    ),
    Bound(
        "requests in flight to one origin",
        By("parallelism"),
        So("the others wait in its lane"),
        Counter::CallsWaiting,
    ),
    Bound(
        "connections to one origin",
        Words("a tenth of those kept for targets"),
        So("its calls wait"),
        Counter::CallsWaiting,
    ),
    Bound(
        "flows",
        Count(flows::FLOWS_MAX as u64),
        Refused(Reason::FlowsFull),
        Counter::RequestsRefused,
    ),
    Bound(
        "idempotency keys",
        Count(once::KEYS_MAX as u64),
        So("the oldest is forgotten"),
        Counter::MessagesRepeated,
    ),
    Bound(
        "the store's size",
        By("keep-bytes"),
        So("the oldest that ended go"),
        Counter::DeliveriesStored,
    ),
    Bound(
        "space left on its disk",
        By("min-free"),
        Refused(Reason::StoreFailed),
        Counter::RequestsRefused,
    ),
];

/// README's table of bounds.
#[must_use]
pub fn readme_table() -> String {
    let head = "| bound | default | flag | what comes of it | counted in |\n";
    let mut out = format!("{head}|---|---|---|---|---|\n");
    for Bound(what, limit, then, counter) in ALL {
        let (default, flag) = match limit {
            By(key) => (default(key), format!("`--{key}`")),
            Count(count) => (count.to_string(), "–".to_owned()),
            Bytes(bytes) => (SizeText(*bytes).to_string(), "–".to_owned()),
            Words(words) => ((*words).to_owned(), "–".to_owned()),
        };
        let then = match then {
            Refused(reason) => {
                let row = reason.row();
                format!("{} `{}`", row.status, row.code)
            }
            So(words) => (*words).to_owned(),
        };
        let counter = counter.row().name;
        let _ = writeln!(
            out,
            "| {what} | {default} | {flag} | {then} | `{counter}` |"
        );
    }
    out
}

fn default(key: &str) -> String {
    let found = knobs::all().find(|knob| knob.key == key);
    found.map_or_else(String::new, |knob| format!("`{}`", knob.default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_of_bounds_has_its_row() {
        for knob in &super::super::bounds::KNOBS {
            let named = |bound: &&Bound| matches!(bound.1, By(key) if key == knob.key);
            assert!(ALL.iter().any(|it| named(&it)), "{}", knob.key);
        }
        for Bound(what, limit, ..) in ALL {
            let By(key) = limit else { continue };
            assert!(knobs::all().any(|knob| knob.key == *key), "{what}: {key}");
        }
    }
}
