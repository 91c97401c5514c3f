//! The configuration file: TOML with the keys of the flags, `[sign]` and `[topic."NAME"]`.
//! It is given bytes and opens nothing. No complaint repeats a line or the value of a key.

use std::fmt::Display;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::Form;
use super::knob::Knob;
use super::said::{Said, Source, Voice, place_of};
use super::sections::{self, NamedKey, TopicRow};
use super::{Refusal, blank, knobs, text};
use crate::base::exit::Exit;
use crate::shell::CONFIG_BYTES_MAX;

/// The key that only a flag or the environment can say.
pub(super) const KEY: &str = "config";
/// Values of one key at most.
const VALUES_MAX: usize = 1_024;
/// The sections, in words.
const SECTIONS: &str = "[sign] and [topic.\"NAME\"]";

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// The file's name, as it was given.
    pub(super) name: String,
    pub(super) said: Voice,
    pub(super) keys: Vec<NamedKey>,
    pub(super) topics: Vec<TopicRow>,
}

/// Where something stands, and how to complain about it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    name: &'a str,
    text: &'a str,
    /// The places of its line ends.
    ends: &'a [usize],
}

impl At<'_> {
    /// The line of that place, the first being 1.
    pub(super) fn line(self, place: usize) -> usize {
        1 + self.ends.partition_point(|end| *end < place)
    }

    pub(super) fn refusal(self, place: usize, what: impl Display) -> Refusal {
        refusal(format_args!("{}:{}: {what}", self.name, self.line(place)))
    }
}

/// A wrong configuration.
pub(super) fn refusal(what: impl Display) -> Refusal {
    Refusal {
        text: text::without_keys(&what.to_string()),
        exit_code: Exit::Config.code(),
    }
}

/// Reads a file's bytes; `name` is how it was called.
///
/// # Errors
/// The first thing that is wrong, with its line, and what is allowed.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<File, Refusal> {
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        let what = format!("{name}: is too long; allowed: {CONFIG_BYTES_MAX} bytes");
        return Err(refusal(what));
    }
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let before = bytes.get(..wrong.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        refusal(format_args!("{name}:{line}: is not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ends: Vec<usize> = text.match_indices('\n').map(|(place, _)| place).collect();
    let ends = &ends;
    let at = At { name, text, ends };
    let table = DeTable::parse(text).map_err(|wrong| malformed(at, &wrong))?;
    let mut file = File {
        name: name.to_owned(),
        said: knobs::all().map(|_| None).collect(),
        ..File::default()
    };
    for (key, value) in in_order(table.get_ref()) {
        take(&mut file, at, key, value)?;
    }
    Ok(file)
}

/// What the parser says, without the line that it is about: there may be a secret in it.
fn malformed(at: At<'_>, wrong: &toml::de::Error) -> Refusal {
    let span = wrong.span().unwrap_or_default();
    let what = wrong.message().replace('\n', " ");
    let name = at.text.get(span.clone()).unwrap_or_default();
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if what.contains("duplicate") && name.chars().all(is_key) {
        return at.refusal(span.start, format_args!("{name}: stands there twice"));
    }
    at.refusal(span.start, format_args!("is not TOML: {what}"))
}

/// A table's keys as they stand in the file.
pub(super) fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
)> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, value)| (key.span().start, value.span().start));
    pairs
}

fn take(
    file: &mut File,
    at: At<'_>,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), Refusal> {
    let (name, place) = (&**key.get_ref(), key.span().start);
    match (name, value.get_ref()) {
        ("sign", DeValue::Table(table)) => file.keys = sections::keys(at, table)?,
        ("topic", DeValue::Table(table)) => file.topics = sections::topics(at, table)?,
        ("sign" | "topic", other) => {
            let kind = kind(other);
            let what = format!("{name}: is {kind}; allowed: a section, {SECTIONS}");
            return Err(at.refusal(place, what));
        }
        (KEY, _) => {
            let what = "config: a file names no other; say it with --config or HOOKAH_CONFIG";
            return Err(at.refusal(place, what));
        }
        (name, value_is) => {
            let Some(number) = place_of(name) else {
                return Err(at.refusal(place, unknown(name, value_is)));
            };
            let Some(knob) = knobs::all().nth(number) else {
                return Ok(());
            };
            file.said[number] = Some(said(at, knob, place, value)?);
        }
    }
    Ok(())
}

fn unknown(name: &str, value: &DeValue<'_>) -> String {
    if name.starts_with(sections::KEY_PREFIX) {
        return "a signing key stands where its name should; allowed: NAME = \"whsec_…\" in [sign]"
            .to_owned();
    }
    if matches!(value, DeValue::Table(_)) && text::nearest_key(name).is_none() {
        return format!("{name:?} is not a section; there are {SECTIONS}");
    }
    match text::nearest_key(name) {
        Some(key) => format!("{name:?} is not a key; did you mean {key}?"),
        None => format!("{name:?} is not a key; they are those of the flags, see hookah --help"),
    }
}

/// What the file says about one knob, once it is of the knob's form.
pub(super) fn said(
    at: At<'_>,
    knob: &Knob,
    place: usize,
    value: &Spanned<DeValue<'_>>,
) -> Result<Said, Refusal> {
    let mut said = Said::new(Source::File, vec![]);
    let complain = |place, what: String| {
        let (key, kinds, allowed) = (knob.key, kinds(&knob.form), knob.form.allowed());
        at.refusal(
            place,
            format_args!("{key}: {what}; allowed: {kinds}: {allowed}"),
        )
    };
    let single = [value];
    let values: Vec<&Spanned<DeValue<'_>>> = match (value.get_ref(), &knob.form) {
        (DeValue::Array(list), Form::List { .. }) => list.iter().collect(),
        _ => single.to_vec(),
    };
    // Nothing to listen on is a mistake, where no exception for targets is none.
    if values.is_empty() && knob.key == "listen" {
        return Err(complain(place, "is empty".to_owned()));
    }
    if values.len() > VALUES_MAX {
        let what = format!("has {} values; allowed: {VALUES_MAX}", values.len());
        return Err(at.refusal(place, format_args!("{}: {what}", knob.key)));
    }
    let mut scratch = blank::blank();
    for value in values {
        let place = value.span().start;
        let Some(text) = text_of(value.get_ref(), &knob.form) else {
            return Err(complain(place, format!("is {}", kind(value.get_ref()))));
        };
        let line = at.line(place);
        if let Err(wrong) = knob.form.apply(&mut scratch, &text) {
            let (key, allowed, shown) = (knob.key, knob.form.allowed(), text::shown(&text));
            let what = format!("{key}: {shown:?} {wrong}; allowed: {allowed}");
            return Err(at.refusal(place, what));
        }
        said.texts.push(text);
        said.lines.push(line);
    }
    if said.lines.is_empty() {
        said.lines.push(at.line(place));
    }
    Ok(said)
}

/// A value as the flag would have it.
fn text_of(value: &DeValue<'_>, form: &Form) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if form.takes_numbers() => {
            let read = i128::from_str_radix(number.as_str(), number.radix());
            Some(read.map_or_else(|_| number.to_string(), |it| it.to_string()))
        }
        DeValue::Boolean(on) if form.is_switch() => Some(on.to_string()),
        _ => None,
    }
}

fn kinds(form: &Form) -> &'static str {
    match form {
        Form::Switch { .. } => "true, false, or a string",
        Form::List { .. } => "a string or an array of strings",
        form if form.takes_numbers() => "a whole number or a string",
        _ => "a string",
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a section",
    }
}
