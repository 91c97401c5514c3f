//! Windows onto the server for people and machines: what it is, its counters.
//! It only reads; nothing here changes anything.

use std::fmt::Write;

use crate::base::histogram::{self, Histogram, Unit};
use crate::base::stats::{Counter, Row, Stats};

pub mod about;
pub mod dashboard;
pub mod flows;
pub mod lanes;
pub mod messages;
mod page;
pub mod subscriptions;
pub mod topics;

/// The media type of that text.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The one gauge that is no number: its name, its help, and the name of its one label, whose one
/// value is the version. With the bounds of histograms (`le`) that is every label there is, so no
/// peer can bring about a new one.
pub const BUILD: (&str, &str, &str) = (
    "hookah_build_info",
    "Always 1; the label says which version runs.",
    "version",
);

/// All counters, gauges and histograms in Prometheus' text format, version 0.0.4.
#[must_use]
pub fn metrics(stats: &Stats) -> String {
    let mut text = String::with_capacity(16 << 10);
    let (name, help, label) = BUILD;
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        text,
        "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{label}=\"{version}\"}} 1\n"
    );
    for counter in Counter::ALL {
        let Row { kind, name, help } = counter.row();
        let (kind, value) = (kind.as_str(), stats.get(*counter));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    for histogram in Histogram::ALL {
        distribution(&mut text, *histogram, stats);
    }
    text
}

/// One histogram: its buckets, each with all that is smaller, its sum and its count.
fn distribution(text: &mut String, histogram: Histogram, stats: &Stats) {
    let histogram::Row {
        name,
        help,
        unit,
        bounds,
    } = histogram.row();
    let shown = |value: u64| match unit {
        Unit::Count => value.to_string(),
        Unit::Micros => seconds(value),
    };
    let values = stats.distribution(histogram);
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} histogram\n");
    for (bound, count) in bounds.iter().zip(values.cumulated()) {
        let _ = writeln!(text, "{name}_bucket{{le=\"{}\"}} {count}", shown(*bound));
    }
    let (count, sum) = (values.count(), shown(values.sum));
    let _ = write!(
        text,
        "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n"
    );
}

/// Microseconds in seconds, exactly: a sum of floats would lose what is added late.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_shown_in_seconds_and_each_bucket_holds_the_smaller_ones() {
        let mut stats = Stats::new();
        for micros in [100, 101, 2_500_000, 40_000_000] {
            stats.observe(Histogram::Commit, micros);
        }
        let text = metrics(&stats);
        let (_, text) = text.split_once("# HELP hookah_commit_seconds ").unwrap();
        let (text, _) = text.split_once("# HELP ").unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines[0], "# TYPE hookah_commit_seconds histogram");
        for line in [
            "hookah_commit_seconds_bucket{le=\"0.0001\"} 1",
            "hookah_commit_seconds_bucket{le=\"0.00025\"} 2",
            "hookah_commit_seconds_bucket{le=\"2\"} 2",
            "hookah_commit_seconds_bucket{le=\"10\"} 3",
            "hookah_commit_seconds_bucket{le=\"30\"} 3",
            "hookah_commit_seconds_bucket{le=\"+Inf\"} 4",
            "hookah_commit_seconds_sum 42.500201",
            "hookah_commit_seconds_count 4",
        ] {
            assert!(lines.contains(&line), "{line}: {lines:#?}");
        }
    }
}
