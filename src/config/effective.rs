//! `hookah config`: all that was said and what holds by default, as a file that says the same.
//! Where each value came from stands beside it. Secrets are named and not shown.

use std::fmt::Write;

use super::form::Form;
use super::knob::{Group, Knob};
use super::said::{self, Said, Source, is_heard};
use super::sayings::Sayings;
use super::sections::{TOPIC_KEYS, TopicRow};
use super::{file, keys, knobs, text};

/// The whole text.
pub(super) fn text(sayings: &Sayings) -> String {
    let mut out = format!(
        "# The configuration of hookah {} as these flags, this environment and this file\n\
         # have it. It is a file for --config itself.\n",
        env!("CARGO_PKG_VERSION")
    );
    let listening = said::listening(&sayings.said);
    for (group, title) in Group::ALL {
        let _ = writeln!(out, "\n## {title}");
        let rows = knobs::all().zip(&sayings.said);
        for (knob, said) in rows.filter(|(knob, _)| knob.group == group) {
            let heard = is_heard(knob, said, listening);
            row(&mut out, sayings, (knob, said), heard);
        }
    }
    sign(&mut out, sayings);
    for row in &sayings.topics {
        topic(&mut out, sayings, row);
    }
    out
}

fn row(out: &mut String, sayings: &Sayings, (knob, said): (&Knob, &Said), heard: bool) {
    let from = origin(sayings, knob, said);
    let _ = writeln!(out, "\n# {}\n# allowed: {}", knob.help, knob.form.allowed());
    let key = knob.key;
    if said.texts.is_empty() && !matches!(knob.form, Form::List { .. }) {
        let _ = writeln!(out, "# {key} = (none)  # {from}");
        return;
    }
    let value = value(&knob.form, &said.texts);
    if said.texts.iter().any(|text| text::shown(text) != *text) {
        let _ = writeln!(
            out,
            "# {key} = \"…\"  # {from}; set, with credentials, not shown"
        );
    } else if key == file::KEY {
        let _ = writeln!(out, "# {key} = {value}  # {from}; not for a file");
    } else if !heard {
        let _ = writeln!(out, "# {key} = {value}  # {from}; beaten");
    } else if said.variable.is_some() && !is_of_form(knob, &said.texts) {
        let _ = writeln!(out, "# {key} = {value}  # {from}; not for a file");
    } else {
        let _ = writeln!(out, "{key} = {value}  # {from}");
    }
}

fn is_of_form(knob: &Knob, texts: &[String]) -> bool {
    let mut scratch = super::blank::blank();
    texts
        .iter()
        .all(|text| knob.form.apply(&mut scratch, text).is_ok())
}

/// Where a value came from.
fn origin(sayings: &Sayings, knob: &Knob, said: &Said) -> String {
    match said.source {
        Source::Default => "default".to_owned(),
        Source::File => place(sayings, said.line(0)),
        Source::Environment => match said.variable {
            Some(name) => format!("environment {name}"),
            None => format!("environment {}", knob.variable()),
        },
        Source::Flag => format!("flag --{}", knob.key),
    }
}

fn place(sayings: &Sayings, line: usize) -> String {
    let name = sayings.file.as_deref().unwrap_or_default();
    // A name with a line end in it would end the comment.
    format!("file {}:{line}", name.escape_debug())
}

/// Texts as TOML has them.
fn value(form: &Form, texts: &[String]) -> String {
    let one = |text: &String| single(form, text);
    match form {
        Form::List { .. } => {
            let all: Vec<String> = texts.iter().map(one).collect();
            format!("[{}]", all.join(", "))
        }
        _ => texts.last().map(one).unwrap_or_default(),
    }
}

fn single(form: &Form, text: &str) -> String {
    let number = text.parse::<u32>().ok();
    match (form, number) {
        (Form::Count { .. } | Form::CountOr { .. }, Some(number)) => number.to_string(),
        (Form::Switch { .. }, _) => matches!(text, "1" | "true").to_string(),
        _ => quoted(text),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

fn sign(out: &mut String, sayings: &Sayings) {
    if sayings.keys.is_empty() {
        return;
    }
    out.push_str("\n## Keys to sign with, by name; put them in again by hand\n[sign]\n");
    for key in &sayings.keys {
        let from = match key.source {
            Source::Environment => {
                let variable = key.name.to_ascii_uppercase().replace('-', "_");
                format!("environment {}{variable}", keys::PREFIX)
            }
            _ => place(sayings, key.line),
        };
        let name = &key.name;
        let _ = writeln!(out, "# {name} = \"…\"  # {from}; set, not shown");
    }
}

fn topic(out: &mut String, sayings: &Sayings, row: &TopicRow) {
    let from = place(sayings, row.line);
    let _ = writeln!(out, "\n[topic.{}]  # {from}", quoted(&row.name));
    for (key, text) in TOPIC_KEYS.iter().zip(&row.texts) {
        let knob = knobs::all().find(|knob| knob.key == *key);
        if let (Some(knob), Some((text, line))) = (knob, text) {
            let (value, from) = (single(&knob.form, text), place(sayings, *line));
            let _ = writeln!(out, "{key} = {value}  # {from}");
        }
    }
}
