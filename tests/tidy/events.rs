//! The events of the log, as the calls that write them name them.

use std::collections::BTreeMap;

use super::source::Source;

/// What a call of the log begins with.
const CALLS: [&str; 6] = [
    "log::error!(",
    "log::warn!(",
    "log::info!(",
    "log::debug!(",
    "log::trace!(",
    "log::log!(",
];

/// Each event's name, and where it is written; the place alone for a call that names none.
pub fn events(source: &Source) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (place, line) in source.code_lines(false) {
        if !CALLS.iter().any(|call| line.contains(call)) {
            continue;
        }
        // The text may stand a few lines further down.
        let text = source.lines[place..].iter().take(5);
        let name = text.filter_map(|line| named(line)).next();
        found.insert(name.unwrap_or_default(), source.report(place, ""));
    }
    found
}

/// The event that a line's first literal begins with.
fn named(line: &str) -> Option<String> {
    let (_, literal) = line.split_once('"')?;
    let is_in = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    let end = literal.find(|char: char| !is_in(char))?;
    let (name, rest) = literal.split_at(end);
    (!name.is_empty() && rest.starts_with([' ', '"'])).then(|| name.to_owned())
}
