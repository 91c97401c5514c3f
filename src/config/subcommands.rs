//! The table of subcommands: the word, how it is called, one line of help, how its arguments are
//! read. It knows no flag; those of the server are knobs.

use std::fmt::Write;

use lexopt::Parser;

use super::clients;
use super::text::{self, nearest_of};
use super::{Refusal, Variable, Wanted};
use crate::access::mint;

/// One subcommand.
pub(super) struct Subcommand {
    /// What is typed.
    pub(super) word: &'static str,
    /// What may stand behind it.
    pub(super) usage: &'static str,
    /// What it does, in one line.
    pub(super) help: &'static str,
    read: Read,
}

/// How the arguments of a subcommand are read.
#[derive(Clone, Copy)]
enum Read {
    /// They are words, and what begins with dashes among them are flags of the server.
    Words(fn(&[&str]) -> Result<Wanted, Refusal>),
    /// All that stands behind the word is its own. It has a page for people, too.
    Own(ReadOwn, fn(&mut String)),
}

/// Reads all arguments behind the word.
pub(super) type ReadOwn = fn(Parser, &Variable<'_>) -> Result<Wanted, Refusal>;

/// Every subcommand, the default first.
pub(super) const TABLE: &[Subcommand] = &[
    Subcommand {
        word: "serve",
        usage: "[flags]",
        help: "runs the server; it needs no word",
        read: Read::Words(serve),
    },
    Subcommand {
        word: "check",
        usage: "[--store NAME]",
        help: "looks for damage in a store that is not in use",
        read: Read::Words(check),
    },
    Subcommand {
        word: "config",
        usage: "[flags]",
        help: "prints the configuration as a file for --config",
        read: Read::Words(config),
    },
    Subcommand {
        word: "token",
        usage: "new NAME RIGHTS",
        help: "makes a line for --tokens FILE, and the secret",
        read: Read::Words(token),
    },
    Subcommand {
        word: "send",
        usage: "TARGET [flags]",
        help: "sends a webhook or publishes, and prints the id",
        read: Read::Own(clients::send, clients::send_page),
    },
    Subcommand {
        word: "tail",
        usage: "TOPIC… [flags]",
        help: "prints what is published, as it comes",
        read: Read::Own(clients::tail, clients::tail_page),
    },
];

impl Subcommand {
    /// The subcommand of that word.
    pub(super) fn find(word: &str) -> Option<&'static Subcommand> {
        TABLE.iter().find(|row| row.word == word)
    }

    /// How it is called, as the pages for people have it.
    pub(super) fn call(&self) -> String {
        format!("hookah {} {}", self.word, self.usage)
    }

    /// The page of its own.
    pub(super) fn page(&self) -> String {
        if self.word == "serve" {
            return text::help();
        }
        let mut out = format!("{}\n{}\n", self.call(), self.help);
        match self.read {
            Read::Words(_) => {
                let _ = writeln!(out, "\nThe server's flags are in hookah --help.");
            }
            Read::Own(_, more) => more(&mut out),
        }
        out
    }

    /// Its own flags, line by line, if it has any.
    pub(super) fn flags(&self) -> Option<String> {
        let Read::Own(_, write) = self.read else {
            return None;
        };
        let mut out = String::new();
        write(&mut out);
        Some(out)
    }

    /// What reads its arguments, if all of them are its own.
    pub(super) fn own(&self) -> Option<ReadOwn> {
        match self.read {
            Read::Words(_) => None,
            Read::Own(read, _) => Some(read),
        }
    }
}

/// What the words that are no flags ask for.
pub(super) fn wanted(words: &[String]) -> Result<Wanted, Refusal> {
    let texts: Vec<_> = words.iter().map(String::as_str).collect();
    let Some((word, rest)) = texts.split_first() else {
        return Ok(Wanted::Serve);
    };
    match Subcommand::find(word).map(|row| row.read) {
        Some(Read::Words(read)) => read(rest),
        _ => Err(unknown(word)),
    }
}

/// That there is no such subcommand, and which was most likely meant.
pub(super) fn unknown(word: &str) -> Refusal {
    let known = || TABLE.iter().map(|row| row.word);
    let hint = match nearest_of(word, known()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    Refusal::usage(format_args!("{word:?} is not a subcommand; {hint}"))
}

fn serve(rest: &[&str]) -> Result<Wanted, Refusal> {
    match rest {
        [] => Ok(Wanted::Serve),
        [word, ..] => Err(unknown(word)),
    }
}

fn check(rest: &[&str]) -> Result<Wanted, Refusal> {
    match rest {
        [] => Ok(Wanted::Check),
        [word, ..] => Err(Refusal::usage(format_args!(
            "check: {word:?} is one word too many; a store is named by --store"
        ))),
    }
}

fn config(rest: &[&str]) -> Result<Wanted, Refusal> {
    match rest {
        [] => Ok(Wanted::Config),
        [word, ..] => Err(Refusal::usage(format_args!(
            "config: {word:?} is one word too many; values are given by flags"
        ))),
    }
}

fn token(rest: &[&str]) -> Result<Wanted, Refusal> {
    let ["new", name, rights @ ..] = rest else {
        return Err(Refusal::usage(
            "token needs more words; allowed: token new NAME RIGHTS, such as token new ci dispatch",
        ));
    };
    let rights: Vec<String> = rights.iter().map(|right| (*right).to_owned()).collect();
    let checked = mint::check(name, &rights);
    checked.map_err(|why| Refusal::usage(format_args!("token new: {why}")))?;
    Ok(Wanted::Token((*name).to_owned(), rights))
}
