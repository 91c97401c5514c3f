//! Which room may know which. An import goes from left to right in `ORDER`, and never back.
//! It does not check that an import is used; the compiler does.

use crate::source::{Source, find_word, is_part};

/// The rooms from the top down. Those of one group are strangers to each other.
const ORDER: [&[&str]; 12] = [
    &["main"],
    &["config"],
    &["client"],
    &["shell"],
    &["engine"],
    &["admin"],
    &["topics", "courier", "dispatch", "hub", "access"],
    &["conn"],
    &["http"],
    &["port"],
    &["model"],
    &["base"],
];

/// The store stands beside the order: these may know it,
const ABOVE_STORE: [&str; 3] = ["main", "config", "shell"];
/// and these it may know.
const BELOW_STORE: [&str; 3] = ["port", "model", "base"];

/// Imports against the order, and paths that leave a room by its back door.
pub fn wrong_imports(source: &Source) -> Vec<String> {
    let Some(room) = room_of(&source.path) else {
        return Vec::new();
    };
    let mut reports = Vec::new();
    for (line, target) in imported(&source.code) {
        if !may_import(room, &target) {
            let what = format!(
                "`{room}` may not know `{target}`, let the values go through `model` or `port`"
            );
            reports.push(source.report(line, &what));
        }
    }
    for (line, text) in source.code_lines(false) {
        if find_word(text, "super::super::").is_some() {
            reports.push(source.report(line, "a path up two modules, begin it with `crate::`"));
        }
    }
    reports
}

/// The room that a file of `src` belongs to; the crate's root, which only lists them, is in none.
fn room_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let room = inner.split('/').next()?;
    Some(room.strip_suffix(".rs").unwrap_or(room)).filter(|room| *room != "lib")
}

fn may_import(from: &str, to: &str) -> bool {
    let rank = |room: &str| ORDER.iter().position(|group| group.contains(&room));
    if from == to {
        return true;
    }
    match (from, to) {
        ("store", _) => BELOW_STORE.contains(&to),
        (_, "store") => ABOVE_STORE.contains(&from),
        _ => matches!((rank(from), rank(to)), (Some(from), Some(to)) if from < to),
    }
}

/// Line and room of every path that begins at the crate's root, in groups too.
fn imported(code: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in code.iter().enumerate() {
        let mut from = 0;
        while let Some(place) = find_word(&text[from..], "crate::") {
            from += place + "crate::".len();
            let tail = std::iter::once(&text[from..]);
            let rest = tail.chain(code[line + 1..].iter().map(String::as_str));
            names(rest, line, &mut found);
        }
    }
    found
}

/// The name that the lines begin with, or those directly inside the group that they begin with.
fn names<'a>(lines: impl Iterator<Item = &'a str>, first: usize, found: &mut Vec<(usize, String)>) {
    let mut depth = 0;
    let mut name = String::new();
    // Inside a group a name counts from the brace or comma before it, up to what follows it.
    let mut is_head = true;
    for (number, text) in lines.enumerate() {
        for letter in text.chars().chain(['\n']) {
            if is_part(Some(letter)) {
                name.push(letter);
                continue;
            }
            let word = std::mem::take(&mut name);
            // A macro is at the root wherever it was written.
            if is_head && !word.is_empty() && word != "self" && letter != '!' {
                found.push((first + number, word.clone()));
            }
            is_head &= word.is_empty();
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            is_head |= depth == 1 && matches!(letter, '{' | ',');
            is_head &= depth <= 1;
            if depth == 0 && (!is_head || letter == '}') {
                return;
            }
        }
    }
}
