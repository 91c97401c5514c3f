//! The laws that look at one file, each a function from a source to where it is broken.
//! What they see as a break, and what not, is shown in `broken.rs`.

use crate::source::{Source, find_word};

/// Lines of a file.
pub const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from its `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 60;
/// Characters of a line.
pub const LINE_CHARS_MAX: usize = 100;

/// Words that only some rooms may say.
pub struct Ban {
    words: &'static [&'static str],
    /// Beginnings of the paths where it holds,
    within: &'static [&'static str],
    /// but not here.
    except: &'static [&'static str],
    /// Whether it holds in tests too.
    tests_too: bool,
    advice: &'static str,
}

/// Reading a clock.
pub const CLOCKS: Ban = Ban {
    words: &["Instant", "SystemTime"],
    within: &["src/"],
    except: &["src/shell/", "src/store/", "src/client/"],
    tests_too: true,
    advice: "take `now` as an argument",
};

/// Sockets and threads.
pub const SOCKETS: Ban = Ban {
    words: &[
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "UnixListener",
        "UnixDatagram",
        "ToSocketAddrs",
        "mio",
        "socket2",
        "libc",
        "thread",
    ],
    within: &["src/"],
    except: &["src/shell/", "src/store/", "src/client/"],
    tests_too: true,
    advice: "return an `Action`, the shell performs it",
};

/// Maps whose order is another in each run.
pub const MAPS: Ban = Ban {
    words: &[
        "HashMap",
        "HashSet",
        "RandomState",
        "DefaultHasher",
        "hash_map",
        "hash_set",
    ],
    within: &["src/"],
    except: &["src/base/index.rs"],
    tests_too: true,
    advice: "use `base::index::Index`, whose order nobody can depend on",
};

/// Whatever gives up the process for one line's trouble.
pub const PANICS: Ban = Ban {
    words: &[
        ".unwrap()",
        ".expect(",
        ".unwrap_err()",
        ".expect_err(",
        "panic!",
        "todo!",
        "unimplemented!",
        "dbg!",
    ],
    within: &["src/"],
    except: &[],
    tests_too: false,
    advice: "make it a value, or an assertion if no peer can bring it about",
};

/// Code that the compiler does not vouch for.
pub const UNSAFE: Ban = Ban {
    words: &["unsafe"],
    within: &["src/"],
    except: &["src/shell/sys.rs"],
    tests_too: true,
    advice: "put the call behind a safe function there",
};

/// Waiting for a time instead of an event.
pub const SLEEPS: Ban = Ban {
    words: &["sleep(", "sleep_ms(", "thread::sleep"],
    within: &["src/", "tests/"],
    // What must be timed belongs to the separate checks.
    except: &["tests/checks"],
    tests_too: true,
    advice: "wait for the event itself",
};

/// Tests that are not run.
pub const IGNORED: Ban = Ban {
    words: &["#[ignore", ", ignore"],
    within: &["src/", "tests/"],
    except: &[],
    tests_too: true,
    advice: "repair it or remove it",
};

impl Ban {
    /// Where the ban is broken.
    pub fn broken(&self, source: &Source) -> Vec<String> {
        let is_in = |prefixes: &[&str]| {
            prefixes
                .iter()
                .any(|prefix| source.path.starts_with(prefix))
        };
        if !is_in(self.within) || is_in(self.except) {
            return Vec::new();
        }
        let mut reports = Vec::new();
        for (line, text) in source.code_lines(self.tests_too) {
            for word in self
                .words
                .iter()
                .filter(|word| find_word(text, word).is_some())
            {
                reports.push(source.report(line, &format!("`{word}` here, {}", self.advice)));
            }
        }
        reports
    }
}

/// Files with too many lines.
pub fn long_files(source: &Source) -> Vec<String> {
    let lines = source.lines.len();
    let what = format!("{lines} lines, find the noun that is missing and give it a file");
    let is_long = lines > FILE_LINES_MAX;
    is_long
        .then(|| source.report(FILE_LINES_MAX, &what))
        .into_iter()
        .collect()
}

/// Functions with too many lines.
pub fn long_functions(source: &Source) -> Vec<String> {
    let functions = source.functions().into_iter();
    let long = functions.filter(|lines| lines.len() > FUNCTION_LINES_MAX);
    long.map(|lines| {
        let what = format!("a function of {} lines, give its parts names", lines.len());
        source.report(lines.start, &what)
    })
    .collect()
}

/// Lines with too many characters.
pub fn long_lines(source: &Source) -> Vec<String> {
    let lines = source
        .lines
        .iter()
        .map(|text| text.chars().count())
        .enumerate();
    lines
        .filter(|(_, chars)| *chars > LINE_CHARS_MAX)
        .map(|(line, chars)| source.report(line, &format!("{chars} characters, break the line")))
        .collect()
}

/// Files that do not begin by saying what they are.
pub fn missing_heads(source: &Source) -> Vec<String> {
    // The crate's root has its head in a file.
    let heads = ["//! ", "#![doc = include_str!("];
    let first = source.lines.first().map_or("", String::as_str);
    if heads.iter().any(|head| first.starts_with(head)) {
        return Vec::new();
    }
    vec![source.report(
        0,
        "no `//!` head, say what the file is and what it never does",
    )]
}

/// Code after the tests.
pub fn early_tests(source: &Source) -> Vec<String> {
    let tests = &source.code[source.tests_from..];
    if tests.first().is_none_or(|line| line != "#[cfg(test)]") {
        return Vec::new();
    }
    let is_file = tests.get(1).is_some_and(|line| line.ends_with(';'));
    let end = if is_file {
        Some(1)
    } else {
        tests.iter().position(|line| line == "}")
    };
    let after = tests
        .iter()
        .enumerate()
        .skip(end.unwrap_or(tests.len()) + 1);
    let code = after
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, _)| number);
    code.take(1)
        .map(|line| source.report(source.tests_from + line, "code after the tests, move it up"))
        .collect()
}

/// Notes about what is yet to be done.
pub fn notes_for_later(source: &Source) -> Vec<String> {
    let notes = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    mentions(source, &notes, "do it, or write a ticket")
}

/// Files that are only announced.
pub fn stubs(source: &Source) -> Vec<String> {
    mentions(
        source,
        &[concat!("To be ", "written")],
        "write it, or remove the file",
    )
}

/// Lines with one of the words, in comments too.
fn mentions(source: &Source, words: &[&str], advice: &str) -> Vec<String> {
    let mut reports = Vec::new();
    for (line, text) in source.lines.iter().enumerate() {
        for word in words.iter().filter(|word| find_word(text, word).is_some()) {
            reports.push(source.report(line, &format!("`{word}`, {advice}")));
        }
    }
    reports
}

/// Rooms (`name/` or `name.rs`) that the text does not name as such.
pub fn unnamed_rooms(text: &str, rooms: impl Iterator<Item = String>) -> Vec<String> {
    let roots = ["lib.rs", "main.rs", "ARCHITECTURE.md"];
    rooms
        .filter(|room| !roots.contains(&room.as_str()) && find_word(text, room).is_none())
        .collect()
}
