//! What people read about the knobs: `--help` and README's table, made of the rows.
//! It parses nothing.

use std::borrow::Cow;
use std::fmt::Write;

use url::Url;

use super::knob::{Group, Knob, Reload};
use super::sections::KEY_PREFIX;
use super::{file, knobs, manual, subcommands};

/// Where the explanations begin: behind the longest flag of the page.
const COLUMN: usize = 29;
/// As above, on the pages of their own.
const PAGE_COLUMN: usize = 32;

/// As above, behind the longest subcommand.
const SUBCOMMAND_COLUMN: usize = 30;

/// Groups of knobs that have a page of their own: its flag, and what it is about.
const PAGES: &[(Group, &str, &str)] = &[
    (
        Group::Times,
        "help-times",
        "the flags of deadlines for clients and of the drain",
    ),
    (
        Group::Bounds,
        "help-bounds",
        "the flags of bounds (64k or 64KiB, 1M, 1G)",
    ),
    (
        Group::Browsers,
        "help-browsers",
        "which web pages may read and send",
    ),
    (
        Group::Streams,
        "help-streams",
        "the flags of topics and streams",
    ),
    (Group::Tls, "help-tls", "the flags of TLS for clients"),
    (Group::Hub, "help-hub", "the flags of the hub (WebSub)"),
];

/// Whether the group is on the first page.
fn is_first(group: Group) -> bool {
    PAGES.iter().all(|(other, _, _)| *other != group)
}

/// The text of `--help`.
#[must_use]
pub fn help() -> String {
    let mut out = String::from(
        "hookah [serve] [flags]   webhooks with retry and live streams over plain HTTP\n",
    );
    let groups = Group::ALL.iter();
    for (group, title) in groups.filter(|(group, _)| is_first(*group)) {
        let _ = writeln!(out, "\n{title}:");
        rows(*group, COLUMN, &mut out);
    }
    out.push('\n');
    for (_, flag, about) in PAGES {
        let _ = writeln!(out, "{:COLUMN$}{about}", format!("  --{flag}"));
    }
    let _ = writeln!(
        out,
        "{:COLUMN$}this text, the version\n{:COLUMN$}the whole reference, endpoints and exit codes",
        "  -h --help, -V --version", "  --help-all"
    );
    out.push('\n');
    for row in subcommands::TABLE.iter().skip(1) {
        let _ = writeln!(out, "{:SUBCOMMAND_COLUMN$}{}", row.call(), row.help);
    }
    out.push_str("\n--retries 3 can be said as HOOKAH_RETRIES=3 in the environment; flags win.\n");
    out
}

/// The text of a page of its own, by its flag without dashes: `help-hub`.
#[must_use]
pub fn help_page(name: &str) -> Option<String> {
    let (group, _, about) = PAGES.iter().find(|(_, flag, _)| *flag == name)?;
    let mut out = format!("hookah [serve] [flags]   {about}\n\n");
    rows(*group, PAGE_COLUMN, &mut out);
    Some(out)
}

fn rows(group: Group, column: usize, out: &mut String) {
    for knob in knobs::all().filter(|knob| knob.group == group) {
        let flag = format!("  --{} {}", knob.key, knob.value);
        let shown = knob.default.is_empty() || knob.form.is_switch();
        let default = if shown {
            String::new()
        } else {
            format!(" [{}]", knob.default)
        };
        let text = format!("{flag:column$}{}", knob.help);
        // A default that is too long for the line has the next.
        let line_end = if text.len() + default.len() > 80 {
            format!("\n{:column$}", "")
        } else {
            String::new()
        };
        let _ = writeln!(out, "{text}{line_end}{default}");
    }
}

/// README's table of knobs, from the same rows.
#[must_use]
pub fn readme_table() -> String {
    let mut out =
        String::from("| flag | default | allowed | what it is | SIGHUP |\n|---|---|---|---|---|\n");
    for knob in knobs::all() {
        let default = match knob.default {
            "" => "–".to_owned(),
            text => format!("`{text}`"),
        };
        let (key, help) = (knob.key, knob.help);
        let _ = writeln!(
            out,
            "| `--{key}` | {default} | {} | {help} | {} |",
            knob.form.allowed(),
            knob.reload.mark(),
        );
    }
    out
}

impl Reload {
    /// In README's table.
    fn mark(self) -> &'static str {
        match self {
            Reload::Signal => "yes",
            Reload::Restart => "",
        }
    }
}

/// A text with `whsec_…` in place of each signing key.
pub(super) fn without_keys(text: &str) -> String {
    let mut parts = text.split(KEY_PREFIX);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=-_".contains(letter);
        let rest = part.trim_start_matches(is_base64);
        out.push_str(KEY_PREFIX);
        out.push_str(if rest.len() < part.len() { "…" } else { "" });
        out.push_str(rest);
    }
    out
}

/// The known flag that was most likely meant, if one is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let known = knobs::all()
        .map(|knob: &Knob| knob.key)
        .chain(PAGES.iter().map(|(_, flag, _)| *flag))
        .chain(["help", "version", manual::FLAG]);
    nearest_of(name, known)
}

/// The known key of a file that was most likely meant, if one is near.
pub(super) fn nearest_key(name: &str) -> Option<&'static str> {
    let keys = knobs::all().map(|knob: &Knob| knob.key);
    let keys = keys.filter(|key| *key != file::KEY);
    nearest_of(name, keys.chain(["sign", "topic"]))
}

/// The one of these that was most likely meant, if one is near.
pub(super) fn nearest_of<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let near = known.map(|key| (distance(name, key), key)).min()?;
    (near.0 <= 2.max(near.1.len() / 3)).then_some(near.1)
}

/// A text as it may be shown: without a signing key that came to the wrong place, and of a URL
/// without the credentials in it, however it is spelled.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let shown = match text.rfind('@') {
        Some(at) if has_credentials(text) => {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            let is_plain = |scheme: &&str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let start = scheme.filter(is_plain).map(|it| format!("{it}://"));
            let rest = text.get(at..).unwrap_or_default();
            Cow::Owned(format!("{}…{rest}", start.unwrap_or_default()))
        }
        _ => Cow::Borrowed(text),
    };
    match shown.contains(KEY_PREFIX) {
        true => Cow::Owned(without_keys(&shown)),
        false => shown,
    }
}

/// Whether something before the last `@` of a text may be a password. The parser of URLs forgives
/// much (a `\` for a `/`, one slash or none), so it is asked; what it cannot read may have one.
fn has_credentials(text: &str) -> bool {
    const OURS: [&str; 2] = ["unix", "sqlite"];
    let ours = text.split_once(':').map(|(scheme, _)| scheme);
    if ours.is_some_and(|scheme| OURS.contains(&scheme)) {
        return false;
    }
    match Url::parse(text) {
        // It may be NAME:PASSWORD@HOST.
        Ok(url) if url.cannot_be_a_base() => true,
        Ok(url) => !url.username().is_empty() || url.password().is_some(),
        // A path, a name, or a word before a URL.
        Err(url::ParseError::RelativeUrlWithoutBase) => text.contains("://"),
        Err(_) => true,
    }
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
        let own = PAGES.iter().filter_map(|(_, flag, _)| help_page(flag));
        let own = own.map(|page| (page, PAGE_COLUMN));
        let pages: Vec<(String, usize)> = [(help(), COLUMN)].into_iter().chain(own).collect();
        for line in pages.iter().flat_map(|(page, _)| page.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        // Half of a laptop screen; more knobs than this want a page of their own.
        assert!(pages.iter().all(|(page, _)| page.lines().count() <= 54));
        for knob in knobs::all() {
            let own = PAGES.iter().position(|(group, _, _)| *group == knob.group);
            let (page, column) = &pages[own.map_or(0, |own| own + 1)];
            let flag = format!("  --{} {}", knob.key, knob.value);
            assert!(flag.len() < *column, "{flag} has no room");
            assert!(
                page.contains(&format!("{flag:column$}{}", knob.help)),
                "{flag}"
            );
        }
    }

    #[test]
    fn what_proves_who_somebody_is_is_not_shown() {
        let rows = [
            ("plain", "plain"),
            ("http://h/a@b", "http://h/a@b"),
            ("http://u:p@h/a", "http://…@h/a"),
            ("http://u:p@x@h", "http://…@h"),
            (r"https:\\u:p@h/a", "…@h/a"),
            (r"https:/\u:p@h/a", "…@h/a"),
            ("https:u:p@h", "…@h"),
            ("https:///u:p@h", "https://…@h"),
            ("ht\ntps:u:p@h", "…@h"),
            ("http:u:p://x@h", "…@h"),
            ("http:u:p@h:99999", "…@h:99999"),
            ("http://u:p@h h/", "http://…@h h/"),
            ("u:p@h", "…@h"),
            ("http://u:whsec_AA@h/", "http://…@h/"),
            ("http://u:p@h/whsec_AA", "http://…@h/whsec_…"),
            ("unix:/run/a@b", "unix:/run/a@b"),
            ("/etc/a@b.pem", "/etc/a@b.pem"),
            ("whsec_AAEC", "whsec_…"),
            ("a whsec_AA/=, whsec_ b", "a whsec_…, whsec_ b"),
        ];
        for (text, expected) in rows {
            assert_eq!(shown(text), expected, "{text}");
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
