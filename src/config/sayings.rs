//! All that was said, by whom, and what it comes to: sources in, a configuration out.
//! It opens nothing; whoever reads files is given to it.

use std::path::{Path, PathBuf};

use super::file::{self, File, refusal};
use super::knob::Knob;
use super::said::{self, Said, Source, Voice, is_heard, place_of, strongest};
use super::sections::{NamedKey, TopicRow};
use super::{
    Config, Outside, ReadFile, Refusal, auto_lines, blank, bounds, choose_targets, doors, keys,
    knobs, text,
};
use crate::base::exit::Exit;
use crate::shell::Listen;
use crate::topics::keep::Rules;

/// What does not change while the process is there: the command line and the environment.
#[derive(Clone, Default)]
pub(super) struct Given {
    flags: Voice,
    variables: Voice,
    keys: Vec<NamedKey>,
    inherited: Vec<Listen>,
}

impl Given {
    /// # Errors
    /// A variable that should name a key and does not.
    pub(super) fn new(flags: Voice, outside: &Outside) -> Result<Given, Refusal> {
        let variables = &outside.variables;
        let keys = keys::of_environment(variables)?;
        let variables = knobs::all()
            .map(|knob| Said::by_environment(knob, variables))
            .collect();
        Ok(Given {
            flags,
            variables,
            keys,
            inherited: outside.inherited.clone(),
        })
    }

    /// The file of the configuration, if one was named.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let place = place_of(file::KEY)?;
        let said = [&self.flags, &self.variables];
        let said = said
            .into_iter()
            .find_map(|voice| voice.get(place)?.as_ref());
        said?.texts.last().map(PathBuf::from)
    }

    /// Reads that file.
    ///
    /// # Errors
    /// It cannot be read, or what is wrong with it and where.
    pub(super) fn file(&self, read: ReadFile) -> Result<Option<File>, Refusal> {
        let Some(path) = self.path() else {
            return Ok(None);
        };
        let name = path.display().to_string();
        if name.is_empty() {
            return Err(refusal("--config: \"\" is not a path; allowed: a path"));
        }
        let bytes = read(Path::new(&path)).map_err(|why| refusal(format_args!("{name}: {why}")))?;
        file::read(&name, &bytes).map(Some)
    }
}

/// What the sources come to.
#[derive(Clone, Default)]
pub(super) struct Sayings {
    /// The file's name, if there is one.
    pub(super) file: Option<String>,
    /// The strongest word on each knob, in the order of their table.
    pub(super) said: Vec<Said>,
    /// By name.
    pub(super) keys: Vec<NamedKey>,
    /// As they stand in the file.
    pub(super) topics: Vec<TopicRow>,
    /// Where it listens already, whatever anybody says.
    pub(super) inherited: Vec<Listen>,
}

impl Sayings {
    pub(super) fn new(given: &Given, file: Option<File>) -> Sayings {
        let name = file.as_ref().map(|file| file.name.clone());
        let file = file.unwrap_or_default();
        Sayings {
            file: name,
            said: strongest(&[&file.said, &given.variables, &given.flags]),
            keys: keys::together(&file.keys, &given.keys),
            topics: file.topics,
            inherited: given.inherited.clone(),
        }
    }

    /// Each knob set to what was said about it, and no more.
    ///
    /// # Errors
    /// A value that is not of the knob's form.
    pub(super) fn heard(&self) -> Result<Config, Refusal> {
        let mut config = Config {
            inherited: self.inherited.clone(),
            ..blank::blank()
        };
        // Who listens already does not listen at the usual address as well.
        let listening = said::listening(&self.said)
            .filter(|source| *source != Source::Default || self.inherited.is_empty());
        for (knob, said) in knobs::all().zip(&self.said) {
            if !is_heard(knob, said, listening) {
                continue;
            }
            for (number, text) in said.texts.iter().enumerate() {
                let set = knob.form.apply(&mut config, text);
                // What env_logger's own variable says is for env_logger to understand.
                if said.variable.is_none() {
                    set.map_err(|wrong| self.refuse(knob, said, (number, text), wrong))?;
                }
            }
        }
        config.engine.dispatch.keys = keys::ring(&self.keys);
        config.engine.topics.rules = Rules::new(self.topics.iter().map(TopicRow::rule));
        let has_keys = self.keys.iter().any(|key| key.source == Source::File);
        config.shell.config_file = self.file.as_ref().filter(|_| has_keys).map(PathBuf::from);
        Ok(config)
    }

    /// The configuration of a process that may open so many descriptors.
    ///
    /// # Errors
    /// A value that is not of the knob's form, or what does not go together.
    pub(super) fn config(&self, descriptors: u64) -> Result<Config, Refusal> {
        let mut config = self.heard()?;
        config.engine.lines_max = config.lines_max.unwrap_or_else(|| auto_lines(descriptors));
        bounds::share_memory(&mut config)?;
        doors::furnish(&mut config)?;
        doors::consent(&config)?;
        choose_targets(&mut config);
        Ok(config)
    }

    fn refuse(
        &self,
        knob: &Knob,
        said: &Said,
        (number, text): (usize, &str),
        complaint: &str,
    ) -> Refusal {
        let (name, exit) = match said.source {
            Source::Flag => (format!("--{}", knob.key), Exit::Usage),
            Source::File => {
                let name = self.file.as_deref().unwrap_or_default();
                (
                    format!("{name}:{}: {}", said.line(number), knob.key),
                    Exit::Config,
                )
            }
            Source::Environment | Source::Default => (knob.variable(), Exit::Config),
        };
        let (allowed, shown) = (knob.form.allowed(), text::shown(text));
        Refusal {
            text: format!("{name}: {shown:?} {complaint}; allowed: {allowed} (try hookah --help)"),
            exit_code: exit.code(),
        }
    }
}
