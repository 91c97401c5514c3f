//! What was said about each knob, and by whom: the default, the file, the environment or a flag,
//! of which the later wins. It reads nothing itself and sets nothing.

use std::ffi::{OsStr, OsString};

use super::form::Form;
use super::knob::Knob;
use super::knobs;

/// The usual variable of what env_logger's filter is; `HOOKAH_LOG` wins over it.
const LOG_VARIABLE: &str = "RUST_LOG";

/// Where a value came from; a later one wins over an earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Default,
    File,
    Environment,
    Flag,
}

/// What was said about one knob by one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) source: Source,
    /// Each in the form that a flag has.
    pub(super) texts: Vec<String>,
    /// Of the file: on which line each of them stands, and the key if there is none.
    pub(super) lines: Vec<usize>,
    /// The environment's variable, where it is not the knob's own.
    pub(super) variable: Option<&'static str>,
}

impl Said {
    /// What holds if nobody says otherwise.
    pub(super) fn by_default(knob: &Knob) -> Said {
        let texts = match knob.default {
            "" => vec![],
            text => vec![text.to_owned()],
        };
        Said::new(Source::Default, texts)
    }

    pub(super) fn new(source: Source, texts: Vec<String>) -> Said {
        Said {
            source,
            texts,
            lines: vec![],
            variable: None,
        }
    }

    /// What the environment says; nothing if it does not mean us.
    pub(super) fn by_environment(knob: &Knob, variables: &[(OsString, OsString)]) -> Option<Said> {
        if let Some(value) = find(variables, &knob.variable()).filter(|it| counts(knob, it)) {
            let text = value.to_string_lossy();
            let texts = match knob.form {
                Form::List { .. } => text.split(',').map(|part| part.trim().to_owned()).collect(),
                _ => vec![text.into_owned()],
            };
            return Some(Said::new(Source::Environment, texts));
        }
        let usual = find(variables, LOG_VARIABLE).filter(|_| knob.key == "log")?;
        let text = usual.to_str().filter(|text| !text.is_empty())?;
        Some(Said {
            variable: Some(LOG_VARIABLE),
            ..Said::new(Source::Environment, vec![text.to_owned()])
        })
    }

    /// On which line of the file the text of that number stands.
    pub(super) fn line(&self, number: usize) -> usize {
        let line = self.lines.get(number).or(self.lines.first());
        line.copied().unwrap_or_default()
    }
}

fn find<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let found = variables.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_os_str())
}

/// Whether a variable says something. An empty one does not; nor does the HOOKAH_PORT that
/// Kubernetes and Docker's links set for a service of the name hookah: `tcp://10.0.0.1:80`.
fn counts(knob: &Knob, value: &OsStr) -> bool {
    let linked = knob.key == "port" && value.to_string_lossy().contains("://");
    !value.is_empty() && !linked
}

/// What one source says about all knobs, in the order of their table.
pub(super) type Voice = Vec<Option<Said>>;

/// The stronger of what several sources say, the weakest first; else the default.
pub(super) fn strongest(voices: &[&Voice]) -> Vec<Said> {
    let each = knobs::all().enumerate().map(|(place, knob)| {
        let said = voices
            .iter()
            .rev()
            .find_map(|voice| voice.get(place)?.clone());
        said.unwrap_or_else(|| Said::by_default(knob))
    });
    each.collect()
}

/// The place of a knob in the table.
pub(super) fn place_of(key: &str) -> Option<usize> {
    knobs::all().position(|knob| knob.key == key)
}

/// The source that says where to listen. `listen` and `port` add to one list, so that the weaker of
/// the two must be silent.
pub(super) fn listening(said: &[Said]) -> Option<Source> {
    let both = ["listen", "port"].map(|key| said.get(place_of(key)?));
    let both = both.into_iter().flatten();
    both.filter(|said| !said.texts.is_empty())
        .map(|said| said.source)
        .max()
}

/// Whether what was said about a knob counts at all.
pub(super) fn is_heard(knob: &Knob, said: &Said, listening: Option<Source>) -> bool {
    !matches!(knob.key, "listen" | "port") || Some(said.source) == listening
}
