//! The whole reference in one text: commands, flags, the file, the environment, signals, endpoints,
//! exit codes. All of it is made of the tables; it explains nothing that they do not say.

use std::fmt::Write;

use super::knob::{Group, Knob, Reload};
use super::{file, knobs, sections, subcommands};
use crate::access::roll;
use crate::base::exit::Exit;
use crate::engine;

/// The flag that prints it.
pub(super) const FLAG: &str = "help-all";
/// The flag that prints it as a manual page's source.
pub(super) const ROFF_FLAG: &str = "man";

/// A piece of the reference.
enum Piece {
    /// A heading.
    Head(String),
    /// A paragraph.
    Text(String),
    /// A term and what it is.
    Term(String, String),
    /// Lines as they are.
    Lines(String),
}

use Piece::{Head, Lines, Term, Text};

const SIGNALS: [(&str, &str); 4] = [
    (
        "SIGTERM, SIGINT",
        "Stops: no new connections, what is in flight has --drain-timeout. A second one ends at \
         once.",
    ),
    (
        "SIGHUP",
        "Reads the file of --config, the file of --tokens and the certificates anew. Keys marked \
         \"SIGHUP\" above change at once, the others are told in the log as \
         config_needs_restart. A file that is wrong changes nothing.",
    ),
    ("SIGPIPE", "Is ignored."),
    (
        "SIGKILL",
        "Loses nothing that was answered 202, with the store sqlite:PATH.",
    ),
];

fn pieces() -> Vec<Piece> {
    let mut all = vec![
        Head("Name".into()),
        Text("hookah: webhooks with retry, a WebSub hub and live streams over plain HTTP".into()),
        Head("Commands".into()),
    ];
    commands(&mut all);
    all.push(Head("Flags".into()));
    all.push(Text(
        "Each flag --some-key is also the variable HOOKAH_SOME_KEY and the key some-key of the \
         file. Flags win over the environment, that over the file, that over the default. Times \
         are 250ms, 10s, 5m, 1d10h; a bare number is seconds. Sizes are in B, k or KiB, M or MiB, \
         G or GiB."
            .into(),
    ));
    for (group, title) in Group::ALL {
        all.push(Head(format!("Flags: {title}")));
        all.extend(knobs::all().filter(|knob| knob.group == group).map(flag));
    }
    all.push(Term(
        "-h, --help; -V, --version".into(),
        "The first page; the version.".into(),
    ));
    let own = format!("--{FLAG}, --{ROFF_FLAG}");
    all.push(Term(
        own,
        "This text; the same as a manual page's source.".into(),
    ));
    the_file(&mut all);
    environment(&mut all);
    all.push(Head("Signals".into()));
    let term = |(name, text): &(&str, &str)| Term((*name).into(), (*text).into());
    all.extend(SIGNALS.iter().map(term));
    endpoints(&mut all);
    all.push(Head("Exit codes".into()));
    let code = |exit: Exit| Term(exit.code().to_string(), exit.text().to_owned());
    all.extend(Exit::ALL.into_iter().map(code));
    all
}

fn commands(all: &mut Vec<Piece>) {
    for row in subcommands::TABLE {
        all.push(Term(row.call(), sentence(row.help)));
    }
    for row in subcommands::TABLE {
        if let Some(flags) = row.flags() {
            all.push(Head(format!("Flags of {}", row.word)));
            all.push(Lines(flags.trim().to_owned() + "\n"));
        }
    }
}

fn flag(knob: &Knob) -> Piece {
    let flag = format!("--{} {}", knob.key, knob.value);
    let default = match knob.default {
        "" => "none".to_owned(),
        text => text.to_owned(),
    };
    let reload = match knob.reload {
        Reload::Signal => "SIGHUP",
        Reload::Restart => "restart",
    };
    let (help, allowed) = (knob.help, knob.form.allowed());
    let text = format!(
        "{help}. Allowed: {allowed}. Default: {default}. Changes with: {reload}. {}",
        knob.variable()
    );
    Term(flag.trim_end().to_owned(), text)
}

fn the_file(all: &mut Vec<Piece>) {
    let keys = sections::TOPIC_KEYS.join(", ");
    all.push(Head("File".into()));
    all.push(Text(format!(
        "The file of --{} is TOML. A key means what its flag means, its relative paths too: they \
         begin in the working directory. What may be repeated is an array. A section [sign] has \
         keys to sign with, by name; a section [topic.\"NAME\"] or [topic.\"BEGINNING*\"] has \
         {keys} for those topics: the own name wins, then the longest beginning.",
        file::KEY
    )));
    all.push(Lines(
        "listen = [\"127.0.0.1:8080\", \"unix:hookah.sock\"]\n\
         retries = 5\n\
         retry-schedule = \"1s,10s,1m\"\n\
         \n\
         [sign]\n\
         billing = \"whsec_...\"\n\
         \n\
         [topic.\"news*\"]\n\
         backlog-messages = 1000\n\
         backlog-age = \"1d\"\n"
            .into(),
    ));
}

fn environment(all: &mut Vec<Piece>) {
    all.push(Head("Environment".into()));
    let rows = [
        (
            "HOOKAH_SOME_KEY",
            "A flag's value; of one that may be repeated all, with commas.",
        ),
        (
            "HOOKAH_SIGN_NAME",
            "A key to sign with, by its name; wins over [sign].",
        ),
        ("RUST_LOG", "As HOOKAH_LOG, which wins."),
    ];
    all.extend(rows.map(|(name, text)| Term(name.into(), text.into())));
}

fn endpoints(all: &mut Vec<Piece>) {
    all.push(Head("Endpoints".into()));
    for route in engine::routes() {
        let (allow, path) = (route.allow, route.path);
        let path = match route.tail {
            true => format!("{allow} {path}, {path}/..."),
            false => format!("{allow} {path}"),
        };
        let right = route.rights();
        all.push(Term(
            path,
            format!("{} With tokens: {right}.", sentence(route.help)),
        ));
    }
    all.push(Head("Rights of tokens".into()));
    let rows = roll::TABLE.iter();
    all.extend(rows.map(|row| Term(format!("{}{}", row.word, row.value), row.help.to_owned())));
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

/// Columns of the plain text.
const WIDTH: usize = 80;
/// Where explanations begin.
const INDENT: usize = 8;

/// The reference as plain text.
#[must_use]
pub fn text() -> String {
    let mut out = String::new();
    for piece in pieces() {
        match piece {
            Head(text) => {
                let _ = writeln!(out, "\n{}", text.to_uppercase());
            }
            Text(text) => wrap(&mut out, 4, &text),
            Term(term, text) => {
                let _ = writeln!(out, "    {term}");
                wrap(&mut out, INDENT, &text);
            }
            Lines(text) => {
                for line in text.lines() {
                    let _ = writeln!(out, "{:INDENT$}{line}", "");
                }
            }
        }
    }
    out.trim_start().to_owned()
}

/// Words in lines of the width, each begun so far in.
fn wrap(out: &mut String, indent: usize, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            let _ = write!(out, "{:indent$}{word}", "");
            column = indent + length;
        } else {
            let _ = write!(out, " {word}");
            column += 1 + length;
        }
    }
    out.push('\n');
}

/// The same for man(1): `hookah --man > hookah.1`.
pub(super) fn roff() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(".TH HOOKAH 1 \"\" \"hookah {version}\"\n");
    for piece in pieces() {
        let _ = match piece {
            Head(text) => writeln!(out, ".SH \"{}\"", escaped(&text.to_uppercase())),
            Text(text) => writeln!(out, ".PP\n{}", escaped(&text)),
            Term(term, text) => {
                writeln!(out, ".TP\n\\fB{}\\fR\n{}", escaped(&term), escaped(&text))
            }
            Lines(text) => writeln!(out, ".PP\n.nf\n{}.fi", escaped(&text)),
        };
    }
    out
}

/// Text as roff takes it: no escapes, no requests at the start of a line.
fn escaped(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = plain
        .split('\n')
        .map(|line| match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_row_of_every_table() {
        let text = text();
        for knob in knobs::all() {
            let flag = format!("    --{} {}", knob.key, knob.value);
            assert!(text.contains(flag.trim_end()), "{flag}");
            assert!(text.contains(&knob.variable()), "{}", knob.key);
        }
        for route in engine::routes() {
            let term = format!("    {} {}", route.allow, route.path);
            assert!(text.contains(&term), "{term}");
        }
        for exit in Exit::ALL {
            assert!(
                text.contains(&format!("\n    {}\n", exit.code())),
                "{exit:?}"
            );
        }
        for row in subcommands::TABLE {
            assert!(text.contains(&format!("    {}\n", row.call())));
        }
        for row in roll::TABLE {
            assert!(text.contains(&format!("    {}{}\n", row.word, row.value)));
        }
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH + 20, "{line}");
        }
        let roff = roff();
        let requests = roff.lines().filter(|line| line.starts_with('.'));
        for request in requests {
            let known = [".TH ", ".SH ", ".PP", ".TP", ".nf", ".fi"];
            assert!(known.iter().any(|it| request.starts_with(it)), "{request}");
        }
    }
}
