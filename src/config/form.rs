//! What a knob's value looks like: reading it, and saying what is allowed.
//! It knows no knob by name.

use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use crate::base::units::{
    BOOL_FORM, DurationText, SizeText, parse_bool, parse_duration, parse_size,
};

/// The form of a knob's value, its bounds, and where the value goes.
pub(super) enum Form {
    /// A number.
    Count {
        min: u64,
        max: u64,
        set: fn(&mut Config, u64),
    },
    /// A number, or a word that stands for none.
    CountOr {
        word: &'static str,
        min: u64,
        max: u64,
        set: fn(&mut Config, Option<u64>),
    },
    /// A part of a hundred.
    Percent { set: fn(&mut Config, u32) },
    /// A duration.
    Span {
        min: Duration,
        max: Duration,
        set: fn(&mut Config, Duration),
    },
    /// A duration, or a word that stands for none.
    SpanOr {
        word: &'static str,
        min: Duration,
        max: Duration,
        set: fn(&mut Config, Option<Duration>),
    },
    /// A number of bytes.
    Size {
        min: u64,
        max: u64,
        set: fn(&mut Config, u64),
    },
    /// A number of bytes, or a word that stands for none.
    SizeOr {
        word: &'static str,
        min: u64,
        max: u64,
        set: fn(&mut Config, Option<u64>),
    },
    /// On or off; a bare flag is on.
    Switch { set: fn(&mut Config, bool) },
    /// A file, whose content is the concern of whoever reads it.
    Path { set: fn(&mut Config, PathBuf) },
    /// Anything else; `set` says whether it was of the form.
    Text {
        complaint: &'static str,
        allowed: &'static str,
        set: fn(&mut Config, &str) -> bool,
    },
    /// As `Text`, but the values of several flags add up.
    List {
        complaint: &'static str,
        allowed: &'static str,
        add: fn(&mut Config, &str) -> bool,
    },
}

impl Form {
    /// Reads `text` and sets the knob; else the complaint, to stand behind the text.
    pub(super) fn apply(&self, config: &mut Config, text: &str) -> Result<(), &'static str> {
        match *self {
            Form::Count { min, max, set } => set(config, number(text, min, max)?),
            Form::CountOr { word, set, .. } if text == word => set(config, None),
            Form::CountOr { min, max, set, .. } => set(config, Some(number(text, min, max)?)),
            Form::Percent { set } => {
                let percent = number(text.strip_suffix('%').unwrap_or(text), 0, 100)?;
                set(config, u32::try_from(percent).unwrap_or(100));
            }
            Form::Span { min, max, set } => {
                let span = parse_duration(text).map_err(|wrong| wrong.complaint)?;
                set(config, within(span, min, max)?);
            }
            Form::SpanOr { word, set, .. } if text == word => set(config, None),
            Form::SpanOr { min, max, set, .. } => {
                let span = parse_duration(text).map_err(|wrong| wrong.complaint)?;
                set(config, Some(within(span, min, max)?));
            }
            Form::Size { min, max, set } => {
                let bytes = parse_size(text).map_err(|wrong| wrong.complaint)?;
                set(config, within(bytes, min, max)?);
            }
            Form::SizeOr { word, set, .. } if text == word => set(config, None),
            Form::SizeOr { min, max, set, .. } => {
                let bytes = parse_size(text).map_err(|wrong| wrong.complaint)?;
                set(config, Some(within(bytes, min, max)?));
            }
            Form::Switch { set } => set(config, parse_bool(text).map_err(|wrong| wrong.complaint)?),
            Form::Path { .. } if text.is_empty() => return Err("is not a path"),
            Form::Path { set } => set(config, text.into()),
            Form::Text { complaint, set, .. }
            | Form::List {
                complaint,
                add: set,
                ..
            } => {
                if !set(config, text) {
                    return Err(complaint);
                }
            }
        }
        Ok(())
    }

    /// What is allowed, in words.
    pub(super) fn allowed(&self) -> String {
        match self {
            Form::Count { min, max, .. } => format!("{min} to {max}"),
            Form::CountOr { word, min, max, .. } => format!("{word}, or {min} to {max}"),
            Form::Percent { .. } => "0% to 100%".to_owned(),
            Form::Span { min, max, .. } => {
                format!("{} to {}", DurationText(*min), DurationText(*max))
            }
            Form::SpanOr { word, min, max, .. } => {
                let (min, max) = (DurationText(*min), DurationText(*max));
                format!("{word}, or {min} to {max}")
            }
            Form::Size { min, max, .. } => format!("{} to {}", SizeText(*min), SizeText(*max)),
            Form::SizeOr { word, min, max, .. } => {
                format!("{word}, or {} to {}", SizeText(*min), SizeText(*max))
            }
            Form::Switch { .. } => BOOL_FORM.to_owned(),
            Form::Path { .. } => "a path".to_owned(),
            Form::Text { allowed, .. } | Form::List { allowed, .. } => (*allowed).to_owned(),
        }
    }

    /// Whether a flag of it may stand without a value.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self, Form::Switch { .. })
    }
}

impl Form {
    /// Whether a file may have a bare number for it: seconds where it is a time, bytes where it is
    /// a size.
    pub(super) fn takes_numbers(&self) -> bool {
        match self {
            Form::Count { .. }
            | Form::CountOr { .. }
            | Form::Percent { .. }
            | Form::Span { .. }
            | Form::SpanOr { .. }
            | Form::Size { .. }
            | Form::SizeOr { .. } => true,
            Form::Switch { .. } | Form::Path { .. } | Form::Text { .. } | Form::List { .. } => {
                false
            }
        }
    }
}

fn number(text: &str, min: u64, max: u64) -> Result<u64, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err("is not a number");
    }
    // Digits that are no u64 are too many of them.
    within(text.parse().unwrap_or(u64::MAX), min, max)
}

fn within<T: PartialOrd>(value: T, min: T, max: T) -> Result<T, &'static str> {
    if value < min {
        Err("is too small")
    } else if value > max {
        Err("is too large")
    } else {
        Ok(value)
    }
}
