//! The command line: flags and subcommands. It knows no other source of a value.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::knob::Knob;
use super::said::{Said, Source, Voice};
use super::text::{self, help, help_page};
use super::{Refusal, knobs, manual};
use crate::access::mint;

/// What the flags ask for.
pub(super) enum Wanted {
    Serve,
    Check,
    /// The configuration as a file.
    Config,
    /// A new token.
    Token(String, Vec<String>),
    /// Nothing but this text.
    Text(String),
}

/// Reads the flags and the subcommand.
///
/// # Errors
/// An unknown flag or subcommand, or a flag without its value.
pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<(Wanted, Voice), Refusal> {
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
            Arg::Short('h') => return Ok((Wanted::Text(help()), said)),
            Arg::Short('V') => return Ok((Wanted::Text(version()), said)),
            Arg::Value(word) => {
                words.push(word.to_string_lossy().into_owned());
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
    Ok((subcommand(&words)?, said))
}

/// What a flag that asks for a text prints.
fn page(name: &str) -> Option<String> {
    match name {
        "help" => Some(help()),
        "version" => Some(version()),
        manual::FLAG => Some(manual::text()),
        manual::ROFF_FLAG => Some(manual::roff()),
        other => help_page(other),
    }
}

fn version() -> String {
    format!("hookah {}\n", env!("CARGO_PKG_VERSION"))
}

/// What the words that are no flags ask for.
fn subcommand(words: &[String]) -> Result<Wanted, Refusal> {
    let texts: Vec<_> = words.iter().map(String::as_str).collect();
    match &texts[..] {
        [] | ["serve"] => Ok(Wanted::Serve),
        ["check"] => Ok(Wanted::Check),
        ["config"] => Ok(Wanted::Config),
        ["token", "new", name, ..] => {
            let rights = words.get(3..).unwrap_or_default().to_vec();
            let checked = mint::check(name, &rights);
            checked.map_err(|why| Refusal::usage(format_args!("token new: {why}")))?;
            Ok(Wanted::Token((*name).to_owned(), rights))
        }
        ["token", ..] => Err(Refusal::usage(
            "token needs more words; allowed: token new NAME RIGHTS, such as token new ci dispatch",
        )),
        ["serve" | "check" | "config", word, ..] | [word, ..] => Err(Refusal::usage(format_args!(
            "{word:?} is not a subcommand; there are serve, the default, check, config and \
                 token new"
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
