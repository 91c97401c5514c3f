//! The command line: flags and subcommands. It knows no other source of a value.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::knob::Knob;
use super::said::{Said, Source, Voice};
use super::subcommands::{self, Subcommand};
use super::text::{self, help, help_page};
use super::{Refusal, knobs, manual};
use crate::client;

/// Looks a variable of the environment up.
pub(super) type Variable<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// What the flags ask for.
pub(super) enum Wanted {
    Serve,
    Check,
    /// The configuration as a file.
    Config,
    /// A new token.
    Token(String, Vec<String>),
    /// To talk to a server.
    Client(Box<(client::Settings, client::Job)>),
    /// Nothing but this text.
    Text(String),
}

/// Reads the flags and the subcommand.
///
/// # Errors
/// An unknown flag or subcommand, or a flag without its value.
pub(super) fn read(
    args: impl IntoIterator<Item = OsString>,
    variables: &[(OsString, OsString)],
) -> Result<(Wanted, Voice), Refusal> {
    let mut said: Voice = knobs::all().map(|_| None).collect();
    let mut parser = Parser::from_args(args);
    let mut words = Vec::new();
    while let Some(arg) = parser.next().map_err(Refusal::usage)? {
        if let Arg::Long(name) = arg
            && let Some(page) = page(name)
        {
            return Ok((Wanted::Text(page), said));
        }
        let name = match arg {
            Arg::Long("help") | Arg::Short('h') => {
                return Ok((Wanted::Text(page_of(&words)), said));
            }
            Arg::Short('V') => return Ok((Wanted::Text(version()), said)),
            Arg::Value(word) => {
                let word = word.to_string_lossy().into_owned();
                let first = words.is_empty().then(|| Subcommand::find(&word)).flatten();
                if let Some(read) = first.and_then(Subcommand::own) {
                    stands_first(&word, &said)?;
                    let variable = |name: &str| {
                        let found = variables.iter().find(|(known, _)| known == name);
                        found.map(|(_, value)| value.clone())
                    };
                    return Ok((read(parser, &variable)?, said));
                }
                words.push(word);
                continue;
            }
            Arg::Short(letter) => return Err(unknown(&format!("-{letter}"))),
            Arg::Long(name) => name.to_owned(),
        };
        let found = knobs::all()
            .zip(said.iter_mut())
            .find(|(knob, _)| knob.key == name);
        let Some((knob, said)) = found else {
            return Err(unknown(&format!("--{name}")));
        };
        let text = value(&mut parser, knob)?;
        let said = said.get_or_insert_with(|| Said::new(Source::Flag, vec![]));
        if !knob.is_repeatable() {
            said.texts.clear();
        }
        said.texts.push(text);
    }
    Ok((subcommands::wanted(&words)?, said))
}

/// What a flag that asks for a text prints.
fn page(name: &str) -> Option<String> {
    match name {
        "version" => Some(version()),
        manual::FLAG => Some(manual::text()),
        manual::ROFF_FLAG => Some(manual::roff()),
        other => help_page(other),
    }
}

fn version() -> String {
    format!("hookah {}\n", env!("CARGO_PKG_VERSION"))
}

/// The page for people of the subcommand that was named.
fn page_of(words: &[String]) -> String {
    let row = words.first().and_then(|word| Subcommand::find(word));
    row.map_or_else(help, Subcommand::page)
}

/// A flag of the server before a word with flags of its own was meant for something else.
fn stands_first(word: &str, said: &Voice) -> Result<(), Refusal> {
    let flag = knobs::all().zip(said).find(|(_, said)| said.is_some());
    match flag {
        None => Ok(()),
        Some((knob, _)) => Err(Refusal::usage(format_args!(
            "--{} is a flag of the server and does not go with {word}",
            knob.key
        ))),
    }
}

fn value(parser: &mut Parser, knob: &Knob) -> Result<String, Refusal> {
    let value = if knob.form.is_switch() {
        parser
            .optional_value()
            .unwrap_or_else(|| OsString::from("true"))
    } else {
        let missing = |_| {
            let allowed = knob.form.allowed();
            Refusal::usage(format_args!(
                "--{} needs a value; allowed: {allowed}",
                knob.key
            ))
        };
        parser.value().map_err(missing)?
    };
    Ok(value.to_string_lossy().into_owned())
}

fn unknown(flag: &str) -> Refusal {
    match text::nearest(flag.trim_start_matches('-')) {
        Some(key) => Refusal::usage(format_args!("{flag} is not a flag; did you mean --{key}?")),
        None => Refusal::usage(format_args!("{flag} is not a flag")),
    }
}
