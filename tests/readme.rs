//! README's reference tables are the code's own: each is made of its rows here and compared.
//! `HOOKAH_WRITE_README=1 cargo test --test readme` puts them there; it touches nothing else.

use std::env;
use std::fs;
use std::sync::{Mutex, PoisonError};

use hookah::access::roll;
use hookah::admin;
use hookah::base::exit::Exit;
use hookah::base::histogram::Histogram;
use hookah::base::stats::Counter;
use hookah::config;
use hookah::dispatch::options::{self, Place, Row};
use hookah::engine;
use hookah::http::problem::Reason;
use hookah::topics::subscribe;

#[path = "readme/faults.rs"]
mod faults;
#[path = "readme/promises.rs"]
mod promises;

/// Both comparing and writing take the file as a whole, one test at a time.
static README: Mutex<()> = Mutex::new(());
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

#[test]
fn promises() {
    let rows = promises::ROWS
        .iter()
        .map(|(number, text, tests)| [number.to_string(), (*text).to_owned(), shown_by(tests)]);
    hold("promises", &table(["", "promise", "shown by"], rows));
}

#[test]
fn faults() {
    let rows = faults::ROWS.iter();
    let rows = rows.map(|(fault, text, tests)| {
        assert!(!tests.is_empty(), "nothing shows it: {fault}");
        [(*fault).to_owned(), (*text).to_owned(), shown_by(tests)]
    });
    hold(
        "faults",
        &table(["fault", "what happens", "shown by"], rows),
    );
}

/// The names of tests, each of which must be there.
fn shown_by(tests: &'static [&'static str]) -> String {
    let missing = promises::missing(tests.iter().copied());
    assert_eq!(missing, [""; 0], "tests that are not there");
    let names: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[test]
fn knobs() {
    hold("knobs", &config::readme_table());
}

#[test]
fn bounds() {
    hold("bounds", &config::bounds_table());
}

#[test]
fn options() {
    let rows = options::TABLE.iter().map(|row| {
        let default = default(row);
        [row.name, &spelled(row), row.allowed, &default, row.help].map(str::to_owned)
    });
    let head = ["option", "written as", "allowed", "default", "meaning"];
    hold("options", &table(head, rows));
}

#[test]
fn endpoints() {
    let rows = engine::routes().iter().map(|route| {
        let path = match route.tail {
            true => format!("`{0}`, `{0}/…`", route.path),
            false => format!("`{}`", route.path),
        };
        let right = route.rights();
        [path, route.allow.to_owned(), right, route.help.to_owned()]
    });
    hold(
        "endpoints",
        &table(["path", "methods", "with tokens", "what it does"], rows),
    );
}

#[test]
fn rights() {
    let rows = roll::TABLE.iter().map(|row| {
        let word = format!("`{}{}`", row.word, row.value);
        [word, row.help.to_owned()]
    });
    hold("rights", &table(["word", "what its holder may do"], rows));
}

#[test]
fn stream_parameters() {
    let rows = subscribe::TABLE.iter().map(|row| {
        let name = match row.take {
            subscribe::Take::Where => format!("`{}FIELD`", row.name),
            _ => format!("`{}`", row.name),
        };
        let default = if row.default.is_empty() {
            "–"
        } else {
            row.default
        };
        [&name, row.allowed, default, row.help].map(str::to_owned)
    });
    hold(
        "stream parameters",
        &table(["parameter", "allowed", "default", "meaning"], rows),
    );
}

#[test]
fn reasons() {
    let mut reasons = Reason::ALL.to_vec();
    reasons.sort_by_key(|reason| reason.row().status);
    let rows = reasons.iter().map(|reason| {
        let row = reason.row();
        let closes = if row.closes { "yes" } else { "" };
        let code = format!("`{}`", row.code);
        [
            row.status.to_string(),
            code,
            row.text.to_owned(),
            closes.to_owned(),
        ]
    });
    hold(
        "reasons",
        &table(["status", "code", "text", "closes"], rows),
    );
}

#[test]
fn counters() {
    let rows = Counter::ALL.iter().map(|counter| {
        let row = counter.row();
        let name = format!("`{}`", row.name);
        [name, row.kind.as_str().to_owned(), row.help.to_owned()]
    });
    let distributions = Histogram::ALL.iter().map(|histogram| {
        let row = histogram.row();
        let name = format!("`{}`", row.name);
        [name, "histogram".to_owned(), row.help.to_owned()]
    });
    let (name, help, label) = admin::BUILD;
    let build = [
        format!("`{name}{{{label}}}`"),
        "gauge".to_owned(),
        help.to_owned(),
    ];
    let rows = [build].into_iter().chain(rows).chain(distributions);
    hold("counters", &table(["name", "kind", "what it counts"], rows));
}

#[test]
fn exit_codes() {
    let rows = Exit::ALL.map(|exit| {
        let text = [exit.text(), exit.client_text()].map(str::to_owned);
        let [server, client] = text;
        [exit.code().to_string(), server, client]
    });
    let head = ["code", "`serve`, `check`, `token`", "`send`, `tail`"];
    hold("exit codes", &table(head, rows));
}

/// How an option is written: as a field, as a header.
fn spelled(row: &Row) -> String {
    let field = format!("`_{}`", row.name.replace('-', "_"));
    match row.place {
        Place::Anywhere => format!("{field}, `Hookah-{}`", capitals(row.name)),
        Place::Field => field,
        Place::Header(name) => format!("{field}, `{name}`"),
        Place::HeaderPrefix(prefix) => format!("`{prefix}…`"),
    }
}

/// `retry-schedule` as header fields are written: `Retry-Schedule`.
fn capitals(name: &str) -> String {
    let mut first = true;
    let capital = |letter: char| {
        let shown = if first {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        first = letter == '-';
        shown
    };
    name.chars().map(capital).collect()
}

/// A knob of the same name sets an option's default.
fn default(row: &Row) -> String {
    let flag = format!("`--{}`", row.name);
    match row.default {
        "" if config::readme_table().contains(&format!("| {flag} |")) => format!("as {flag}"),
        "" => "–".to_owned(),
        text => text.to_owned(),
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

/// Compares README's part of that name with `text`, or puts it there if asked to.
fn hold(name: &str, text: &str) {
    let _guard = README.lock().unwrap_or_else(PoisonError::into_inner);
    let readme = fs::read_to_string(PATH).expect("README.md");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let found = readme.split_once(&begin).and_then(|(before, rest)| {
        let (part, after) = rest.split_once(&end)?;
        Some((before, part, after))
    });
    let Some((before, part, after)) = found else {
        panic!("README.md has no part between {begin:?} and {end:?}");
    };
    if part.trim() == text.trim() {
        return;
    }
    if env::var_os("HOOKAH_WRITE_README").is_some() {
        let text = format!("{before}{begin}{text}{end}{after}");
        return fs::write(PATH, text).expect("README.md can be written");
    }
    panic!(
        "README.md's part {name:?} is not the code's. Put this there, or let \
         HOOKAH_WRITE_README=1 cargo test --test readme do it:\n{text}"
    );
}
