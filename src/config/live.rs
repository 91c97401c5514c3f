//! A configuration that can be read anew: what changed since, and what of that can be had without a
//! start. A file that is wrong changes nothing.

use std::fmt;

use super::knob::Reload;
use super::said::Said;
use super::sayings::{Given, Sayings};
use super::sections::TopicRow;
use super::{Outside, ReadFile, knobs, text};
use crate::shell::{Anew, Change, Reread};

/// What was given at the start, and what holds now.
#[derive(Clone, Default)]
pub struct Live {
    given: Given,
    holds: Sayings,
    descriptors: u64,
    reread: Option<ReadFile>,
}

/// There are secrets in it.
impl fmt::Debug for Live {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Live(…)")
    }
}

impl Live {
    pub(super) fn new(given: Given, holds: Sayings, outside: &Outside) -> Live {
        Live {
            given,
            holds,
            descriptors: outside.descriptors,
            reread: Some(outside.reread),
        }
    }
}

impl Reread for Live {
    fn reread(&mut self) -> Result<Option<Anew>, String> {
        let Some(reread) = self.reread else {
            return Ok(None);
        };
        let file = self.given.file(reread).map_err(|why| why.to_string())?;
        if file.is_none() {
            return Ok(None);
        }
        let wanted = Sayings::new(&self.given, file);
        // All of it must make sense, or none of it counts.
        let right = wanted.config(self.descriptors);
        right.map_err(|why| why.to_string())?;
        let (merged, changes) = self.merged(wanted);
        let config = merged.config(self.descriptors);
        let config = config.map_err(|why| format!("not without a restart: {why}"))?;
        self.holds = merged;
        Ok(Some(Anew {
            engine: config.engine,
            log: config.log,
            secret: config.shell.config_file,
            changes,
        }))
    }
}

impl Live {
    /// What holds from now on, and what is told of it: what needs a restart stays as it was.
    fn merged(&self, wanted: Sayings) -> (Sayings, Vec<Change>) {
        let (mut merged, mut changes) = (wanted, Vec::new());
        let both = merged.said.iter_mut().zip(&self.holds.said);
        for (knob, (wanted, held)) in knobs::all().zip(both) {
            let needs_restart = knob.reload == Reload::Restart;
            if wanted.texts != held.texts {
                changes.push(Change {
                    key: knob.key.to_owned(),
                    from: texts(held),
                    to: texts(wanted),
                    needs_restart,
                });
            }
            if needs_restart {
                *wanted = held.clone();
            }
        }
        self.changed_keys(&merged, &mut changes);
        self.changed_topics(&merged, &mut changes);
        (merged, changes)
    }

    /// Keys are named, and never shown.
    fn changed_keys(&self, wanted: &Sayings, changes: &mut Vec<Change>) {
        let (old, new) = (&self.holds.keys, &wanted.keys);
        let mut names: Vec<&String> = old.iter().chain(new).map(|key| &key.name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let of = |keys: &[super::sections::NamedKey]| {
                keys.iter()
                    .find(|key| key.name == *name)
                    .map(|key| key.secret.clone())
            };
            let (from, to) = (of(old), of(new));
            let said = match (&from, &to) {
                (Some(from), Some(to)) if from == to => continue,
                (Some(_), Some(_)) => ("set", "another"),
                (None, _) => ("none", "set"),
                (_, None) => ("set", "none"),
            };
            changes.push(changed(format!("sign.{name}"), said));
        }
    }

    fn changed_topics(&self, wanted: &Sayings, changes: &mut Vec<Change>) {
        let (old, new) = (&self.holds.topics, &wanted.topics);
        let of = |rows: &[TopicRow], name: &str| {
            let row = rows.iter().find(|row| row.name == name);
            row.map_or_else(|| "none".to_owned(), TopicRow::words)
        };
        let mut names: Vec<&String> = old.iter().chain(new).map(|row| &row.name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (from, to) = (of(old, name), of(new, name));
            if from != to {
                changes.push(changed(format!("topic.{name}"), (&from, &to)));
            }
        }
    }
}

fn changed(key: String, (from, to): (&str, &str)) -> Change {
    Change {
        key,
        from: from.to_owned(),
        to: to.to_owned(),
        needs_restart: false,
    }
}

/// What was said, in one line, without credentials.
fn texts(said: &Said) -> String {
    let texts: Vec<_> = said.texts.iter().map(|text| text::shown(text)).collect();
    texts.join(",")
}
