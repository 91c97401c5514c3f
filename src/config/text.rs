//! What people read about the knobs: `--help` and README's table, made of the rows.
//! It parses nothing.

use std::fmt::Write;

use super::knob::{Group, Knob};
use super::knobs::KNOBS;

/// Where the explanations begin: behind the longest flag.
const COLUMN: usize = 29;

/// The text of `--help`.
#[must_use]
pub fn help() -> String {
    let mut out = String::from(
        "hookah [serve] [flags]   webhooks with retry and live streams over plain HTTP\n",
    );
    for (group, title) in Group::ALL {
        let _ = writeln!(out, "\n{title}:");
        for knob in KNOBS.iter().filter(|knob| knob.group == group) {
            let flag = format!("  --{} {}", knob.key, knob.value);
            let shown = knob.default.is_empty() || knob.form.is_switch();
            let default = if shown {
                String::new()
            } else {
                format!(" [{}]", knob.default)
            };
            let _ = writeln!(out, "{flag:COLUMN$}{}{default}", knob.help);
        }
    }
    let _ = writeln!(
        out,
        "{:COLUMN$}this text, the version",
        "  -h --help, -V --version"
    );
    out.push_str("\n--retries 3 can be said as HOOKAH_RETRIES=3 in the environment; flags win.\n");
    out
}

/// README's table of knobs, from the same rows.
#[must_use]
pub fn readme_table() -> String {
    let mut out = String::from("| flag | default | allowed | what it is |\n|---|---|---|---|\n");
    for knob in &KNOBS {
        let default = match knob.default {
            "" => "–".to_owned(),
            text => format!("`{text}`"),
        };
        let (key, help) = (knob.key, knob.help);
        let _ = writeln!(
            out,
            "| `--{key}` | {default} | {} | {help} |",
            knob.form.allowed()
        );
    }
    out
}

/// The known flag that was most likely meant, if one is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let known = KNOBS
        .iter()
        .map(|knob: &Knob| knob.key)
        .chain(["help", "version"]);
    let near = known.map(|key| (distance(name, key), key)).min()?;
    (near.0 <= 2.max(near.1.len() / 3)).then_some(near.1)
}

/// How many letters must be put in, left out or replaced to make `one` of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (place, wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_the_screen_and_names_every_knob() {
        let help = help();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // Half of a laptop screen; more knobs than this want a page of their own.
        assert!(help.lines().count() <= 54, "{}", help.lines().count());
        for knob in &KNOBS {
            let flag = format!("  --{} {}", knob.key, knob.value);
            assert!(flag.len() < COLUMN, "{flag} has no room");
            assert!(
                help.contains(&format!("{flag:COLUMN$}{}", knob.help)),
                "{flag}"
            );
        }
    }

    #[test]
    fn the_nearest_flag() {
        let rows = [
            ("retrys", Some("retries")),
            ("retry-shedule", Some("retry-schedule")),
            ("maxbody", Some("max-body")),
            ("max-conn", Some("max-conns")),
            ("hlep", Some("help")),
            ("frobnicate", None),
            ("", None),
        ];
        for (name, expected) in rows {
            assert_eq!(nearest(name), expected, "{name}");
        }
    }
}
