//! The file's sections: `[sign]`, keys by name, and `[topic."NAME"]`, what topics of that name
//! keep. No key is ever shown.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::file::{self, At};
use super::knob::Knob;
use super::said::Source;
use super::{Config, Refusal, blank, knobs};
use crate::dispatch::sign::{GITHUB_SECRET_FORM, Keys, SECRET_FORM, Secret};
use crate::topics::keep::{NAME_FORM, RULES_MAX, Rule, is_name};

/// Bytes of a key's name at most.
const KEY_NAME_BYTES_MAX: usize = 64;
/// Keys with names at most.
const KEYS_MAX: usize = 1_024;
/// What a key begins with; no name does.
pub(super) const KEY_PREFIX: &str = "whsec_";
/// The keys of a topic's section.
pub(super) const TOPIC_KEYS: [&str; 3] = ["backlog-messages", "backlog-age", "backlog-bytes"];

/// A key to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedKey {
    /// In lower case, with `-` for `_`.
    pub(super) name: String,
    pub(super) secret: Secret,
    pub(super) source: Source,
    pub(super) line: usize,
}

/// What a section says of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicRow {
    pub(super) name: String,
    pub(super) line: usize,
    /// Its keys in the order of [`TOPIC_KEYS`]: their texts, as flags have them, and their lines.
    pub(super) texts: [Option<(String, usize)>; TOPIC_KEYS.len()],
}

/// What the name of a key may be, in words.
const KEY_NAME_FORM: &str = "1 to 64 letters, digits, - and _";

/// The keys of `[sign]`.
pub(super) fn keys(at: At<'_>, table: &DeTable<'_>) -> Result<Vec<NamedKey>, Refusal> {
    let (mut keys, mut names) = (Vec::new(), BTreeSet::new());
    for (key, value) in file::in_order(table) {
        let (given, place) = (&**key.get_ref(), key.span().start);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=KEY_NAME_BYTES_MAX).contains(&given.len()) && given.bytes().all(is_plain);
        if !fits || given.starts_with(KEY_PREFIX) {
            // It may be the key itself, in the wrong place.
            let what = format!("[sign]: a name is none; allowed: {KEY_NAME_FORM}");
            return Err(at.refusal(place, what));
        }
        let name = given.to_ascii_lowercase().replace('_', "-");
        if !names.insert(name.clone()) {
            let what = format!("sign.{given}: stands there twice ({name})");
            return Err(at.refusal(place, what));
        }
        if keys.len() == KEYS_MAX {
            let what = format!("[sign]: has too many keys; allowed: {KEYS_MAX}");
            return Err(at.refusal(place, what));
        }
        let secret = match value.get_ref() {
            DeValue::String(text) => Ok(Secret::new(text)),
            other => Err(format!("is {}", file::kind(other))),
        };
        let checked = secret.and_then(|secret| {
            let added = Keys::default().add(&name, secret.clone());
            added
                .map(|()| secret)
                .map_err(|why| format!("the key {why}"))
        });
        let secret = checked.map_err(|why| {
            let what = format!(
                "sign.{given}: {why}; allowed: a string: {SECRET_FORM}, or for the scheme github \
                 {GITHUB_SECRET_FORM}"
            );
            at.refusal(place, what)
        })?;
        keys.push(NamedKey {
            name,
            secret,
            source: Source::File,
            line: at.line(place),
        });
    }
    Ok(keys)
}

/// The sections of topics.
pub(super) fn topics(at: At<'_>, table: &DeTable<'_>) -> Result<Vec<TopicRow>, Refusal> {
    let mut rows = Vec::new();
    for (key, value) in file::in_order(table) {
        let (name, place) = (&**key.get_ref(), key.span().start);
        let DeValue::Table(section) = value.get_ref() else {
            let kind = file::kind(value.get_ref());
            let what = format!(
                "topic.{name:?}: is {kind}; allowed: a section [topic.\"NAME\"] with {}",
                TOPIC_KEYS.join(", ")
            );
            return Err(at.refusal(place, what));
        };
        if !is_name(name.as_bytes()) {
            let what = format!("[topic]: {name:?} is no topic's name; allowed: {NAME_FORM}");
            return Err(at.refusal(place, what));
        }
        if rows.len() == RULES_MAX {
            let what = format!("[topic]: has too many sections; allowed: {RULES_MAX}");
            return Err(at.refusal(place, what));
        }
        rows.push(topic(at, (name, place), section)?);
    }
    Ok(rows)
}

fn topic(
    at: At<'_>,
    (name, place): (&str, usize),
    section: &DeTable<'_>,
) -> Result<TopicRow, Refusal> {
    let mut row = TopicRow {
        name: name.to_owned(),
        line: at.line(place),
        texts: [None, None, None],
    };
    for (key, value) in file::in_order(section) {
        let (given, place) = (&**key.get_ref(), key.span().start);
        let number = TOPIC_KEYS.iter().position(|known| *known == given);
        let knob = knobs::all().find(|knob| knob.key == given);
        let (Some(number), Some(knob)) = (number, knob) else {
            let known = TOPIC_KEYS.join(", ");
            let what = match (file::kind(value.get_ref()), knob) {
                (_, Some(_)) => format!("{given} is for all topics; allowed: {known}"),
                // A name with a dot that was not put in quotes.
                ("a section", None) => format!(
                    "{given:?} is not a key; put the whole name in quotes: [topic.{:?}]",
                    format!("{name}.{given}")
                ),
                _ => format!("{given:?} is not a key; allowed: {known}"),
            };
            return Err(at.refusal(place, format_args!("topic.{name:?}: {what}")));
        };
        let said = file::said(at, knob, place, value)?;
        let line = said.line(0);
        row.texts[number] = said.texts.into_iter().next().map(|text| (text, line));
    }
    Ok(row)
}

impl TopicRow {
    /// What it says, in one line.
    pub(super) fn words(&self) -> String {
        let each = TOPIC_KEYS.iter().zip(&self.texts);
        let said = each.filter_map(|(key, text)| Some(format!("{key}={}", text.as_ref()?.0)));
        said.collect::<Vec<_>>().join(",")
    }

    /// What it says to the topics.
    pub(super) fn rule(&self) -> Rule {
        let mut heard = blank::blank();
        let said = |number: usize, heard: &mut Config| {
            let knob: Option<&Knob> = knobs::all().find(|knob| knob.key == TOPIC_KEYS[number]);
            let text = self.texts[number].as_ref();
            // The text was held against the form when it was read.
            text.zip(knob)
                .is_some_and(|((text, _), knob)| knob.form.apply(heard, text).is_ok())
        };
        let [messages, age, bytes] = [0, 1, 2].map(|number| said(number, &mut heard));
        let topics = &heard.engine.topics;
        Rule {
            name: self.name.as_bytes().into(),
            messages: messages.then_some(topics.backlog_messages),
            age: age.then_some::<Duration>(topics.backlog_age),
            bytes: bytes.then_some(topics.backlog_bytes),
        }
    }
}
