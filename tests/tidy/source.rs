//! Rust source as the laws see it: its lines, with and without comments and literals.
//! It is a scanner for formatted code and no parser; what it must see is shown by its own tests.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// One file.
pub struct Source {
    /// From the project's root, with forward slashes.
    pub path: String,
    /// The lines as they are.
    pub lines: Vec<String>,
    /// The same lines with comments, strings and characters replaced by spaces.
    pub code: Vec<String>,
    /// Index of the first line that is compiled for tests alone.
    pub tests_from: usize,
}

impl Source {
    /// The file of that path and text.
    pub fn new(path: &str, text: &str) -> Source {
        let code: Vec<String> = blank(text).lines().map(String::from).collect();
        let in_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
        let is_test_file = !path.starts_with("src/") || in_tests;
        let tests_from = match test_module(&code) {
            _ if is_test_file => 0,
            Some(line) => line,
            None => code.len(),
        };
        Source {
            path: path.to_owned(),
            lines: text.lines().map(String::from).collect(),
            code,
            tests_from,
        }
    }

    /// One line of a report: where, what, and what to do.
    pub fn report(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    /// Index and text of each line of code, without the tests unless they are asked for.
    pub fn code_lines(&self, tests_too: bool) -> impl Iterator<Item = (usize, &str)> {
        let end = if tests_too {
            self.code.len()
        } else {
            self.tests_from
        };
        self.code[..end].iter().map(String::as_str).enumerate()
    }

    /// The lines of each function, from the one with `fn` to that of the closing brace.
    pub fn functions(&self) -> Vec<Range<usize>> {
        let starts = (0..self.code.len()).filter_map(|line| {
            let place = find_word(&self.code[line], "fn")?;
            let name = self.code[line][place + 2..].trim_start();
            name.starts_with(|first: char| first == '_' || first.is_alphabetic())
                .then_some((line, place))
        });
        starts
            .filter_map(|(line, place)| self.body_end(line, place).map(|end| line..end + 1))
            .collect()
    }

    /// The line of the brace that closes the function which begins there, if it has a body.
    fn body_end(&self, line: usize, place: usize) -> Option<usize> {
        let mut brackets = 0;
        let mut braces = 0;
        for (number, text) in self.code.iter().enumerate().skip(line) {
            let from = if number == line { place } else { 0 };
            for letter in text[from..].chars() {
                match letter {
                    '(' | '[' => brackets += 1,
                    ')' | ']' => brackets -= 1,
                    ';' if brackets == 0 && braces == 0 => return None,
                    '{' => braces += 1,
                    '}' if braces == 1 => return Some(number),
                    '}' => braces -= 1,
                    _ => {}
                }
            }
        }
        None
    }
}

/// Every Rust file of the project.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        collect(root, &root.join(folder), &mut sources);
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source file");
            let path = path.strip_prefix(root).expect("a path below the root");
            let path = path.to_str().expect("a path in UTF-8").replace('\\', "/");
            sources.push(Source::new(&path, &text));
        }
    }
}

/// Where `word` stands in `line` as a word of its own; a word may begin or end with punctuation.
pub fn find_word(line: &str, word: &str) -> Option<usize> {
    let clear = |inner: Option<char>, outer: Option<char>| !(is_part(inner) && is_part(outer));
    line.match_indices(word)
        .map(|(place, _)| place)
        .find(|place| {
            let before = line[..*place].chars().next_back();
            let after = line[place + word.len()..].chars().next();
            clear(word.chars().next(), before) && clear(word.chars().next_back(), after)
        })
}

/// Whether the letter can be part of a name.
pub fn is_part(letter: Option<char>) -> bool {
    letter.is_some_and(|letter| letter == '_' || letter.is_alphanumeric())
}

/// The line of the attribute on the tests' module.
fn test_module(code: &[String]) -> Option<usize> {
    let is_start = |pair: &[String]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
    code.windows(2).position(is_start)
}

/// `text` with every comment, string and character replaced by spaces; lines stay.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(letter) = rest.chars().next() {
        if let Some(length) = hidden(rest, before) {
            code.extend(
                rest[..length]
                    .chars()
                    .map(|letter| if letter == '\n' { letter } else { ' ' }),
            );
            rest = &rest[length..];
            before = None;
        } else {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
            before = Some(letter);
        }
    }
    code
}

/// Length of the comment or literal that `rest` begins with.
fn hidden(rest: &str, before: Option<char>) -> Option<usize> {
    let raw = rest
        .strip_prefix("br")
        .or(rest.strip_prefix('r'))
        .filter(|_| !is_part(before));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", &raw[..hashes]);
            let body = rest.len() - raw.len() + hashes + 1;
            return Some(
                rest[body..]
                    .find(&end)
                    .map_or(rest.len(), |place| body + place + end.len()),
            );
        }
    }
    match rest.as_bytes() {
        [b'/', b'/', ..] => Some(rest.find('\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, '"')),
        [b'\'', b'\\', ..] => Some(quoted(rest, '\'')),
        // A lifetime has no quote after its first letter.
        [b'\'', ..] if rest.chars().nth(2) == Some('\'') => Some(quoted(rest, '\'')),
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut place = 0;
    while place < rest.len() {
        match &rest.as_bytes()[place..] {
            [b'/', b'*', ..] => (depth, place) = (depth + 1, place + 2),
            [b'*', b'/', ..] if depth == 1 => return place + 2,
            [b'*', b'/', ..] => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    for (text, code) in [
        ("a // b", "a"),
        ("a /* b /* c */ d */ e", "a e"),
        ("f(\"x \\\" y\", z)", "f( , z)"),
        ("f(r#\"x \" y\"#, z)", "f( , z)"),
        ("f(br\"\\\", z)", "f( , z)"),
        ("f(b'\"', '\\'', 'x', z)", "f(b , , , z)"),
        (
            "fn f<'a>(x: &'a str) -> char { 'a' }",
            "fn f<'a>(x: &'a str) -> char { }",
        ),
        ("'outer: loop { var\"\" }", "'outer: loop { var }"),
        ("\"// no comment\"; a", " ; a"),
    ] {
        let words = blank(text);
        assert_eq!(words.len(), text.len(), "{text}");
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(words, code.split_whitespace().collect::<Vec<_>>(), "{text}");
    }
    assert_eq!(blank("a \"b\nc\" d").lines().count(), 2);
}

#[test]
fn functions_are_found_with_their_ends() {
    let text = "fn one() {}\n\
        trait T {\n    fn none(&self) -> [u8; 3];\n}\n\
        pub const fn two(\n    a: [u8; 2],\n) -> u8 {\n    if a { \"}\" } else { b }\n}\n\
        type Pointer = fn(u8);\n\
        // fn comment() {\n";
    let source = Source::new("src/base/x.rs", text);
    assert_eq!(source.functions(), [0..1, 4..9]);
}

#[test]
fn words_are_found_whole() {
    assert_eq!(
        find_word("let an_instant = Instants::Instant;", "Instant"),
        Some(27)
    );
    assert_eq!(find_word("std::mio_like::x", "mio::"), None);
    assert_eq!(find_word("a.unwrap_or(b)", ".unwrap("), None);
    assert_eq!(find_word("x.expect(b)", ".expect("), Some(1));
}

#[test]
fn tests_begin_at_their_module() {
    let text = "//! Head.\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    assert_eq!(Source::new("src/base/x.rs", text).tests_from, 4);
    assert_eq!(Source::new("src/base/x/tests.rs", text).tests_from, 0);
    assert_eq!(Source::new("tests/x.rs", text).tests_from, 0);
    assert_eq!(Source::new("src/base/x.rs", "fn a() {}\n").tests_from, 1);
}

#[test]
fn the_whole_project_is_seen() {
    let sources = all();
    for path in [
        "src/lib.rs",
        "src/base/wheel/tests.rs",
        "tests/tidy/source.rs",
        "benches/wheel.rs",
    ] {
        assert!(
            sources.iter().any(|source| source.path == path),
            "{path} was not read"
        );
    }
}
