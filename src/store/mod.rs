//! Where what is known is kept: one small trait, and the table of its backends by URL scheme.
//! It decides nothing about messages, and the loop never waits for it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::exit::Exit;
use crate::model::Target;
use crate::port::{Seq, StoreDone, StoreOp};

pub mod memory;
pub mod sqlite;

/// A backend: operations are submitted, a flush makes what was submitted durable together, and
/// completions come back, now or in a later turn, in the order of the sequence.
pub trait Store {
    /// Takes an operation over under its number; it counts once a flush after it has completed.
    fn submit(&mut self, seq: Seq, op: StoreOp);

    /// Begins to make everything submitted durable; never waits for it.
    fn flush(&mut self);

    /// The next thing that came of the flushes.
    fn completion(&mut self) -> Option<StoreDone>;

    /// Waits until everything submitted lasts, or cannot be made to; the process ends then.
    fn close(&mut self);

    /// Why the process has to end, once the store cannot be trusted any more; told once.
    fn refusal(&mut self) -> Option<Refusal> {
        None
    }
}

/// What a backend is told when it is opened.
#[derive(Clone)]
pub struct Opening {
    /// Wakes the loop, so that it asks for completions; may be called by any thread.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// Free bytes where that file or folder is, if the system tells.
    pub free: fn(&Path) -> Option<u64>,
    /// Makes a target of its URL, without credentials, and its Authorization field.
    pub target: Targets,
    /// How old a message may be to be told as one of the backlog,
    pub backlog_age: Duration,
    /// and how many bytes these messages may have in all.
    pub backlog_bytes: u64,
    /// How long messages that have ended are kept,
    pub keep_age: Duration,
    /// and how many bytes there may be before the oldest of them go.
    pub keep_bytes: u64,
    /// Free bytes below which nothing is taken in.
    pub min_free: u64,
    /// Bytes that a store in memory may hold.
    pub memory_bytes: u64,
    /// Whether another process that has the store is waited for.
    pub waits: bool,
}

impl fmt::Debug for Opening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// Why a store cannot be used, in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The process's exit code.
    pub exit: Exit,
    /// One line.
    pub why: String,
}

impl Refusal {
    /// Nobody has a store of that name.
    #[must_use]
    pub fn unknown(name: &str) -> Refusal {
        Refusal {
            exit: Exit::Config,
            why: format!("there is no store {name:?}; allowed: {NAMES}"),
        }
    }
}

/// What may be asked for, for people.
pub const NAMES: &str = "memory, sqlite:PATH";

/// A row of the table.
struct Backend {
    /// What its name begins with, up to the colon or the end.
    scheme: &'static str,
    /// Whether a place follows, after a colon.
    placed: bool,
    /// Opens it at that place.
    open: fn(&str, Opening) -> Result<Opened, Refusal>,
    /// Looks whether all that is kept there is as it was written; nothing where nothing is kept.
    check: Option<Check>,
}

type Check = fn(&Path, Targets, Told<'_>) -> Result<Checked, Refusal>;

/// Makes a target of its URL, without credentials, and its Authorization field.
pub type Targets = fn(&str, Option<&str>) -> Option<Target>;

/// What a look at everything that is kept has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What there is and what is wrong, in lines.
    pub text: String,
    /// Nothing is.
    pub is_sound: bool,
}

static BACKENDS: [Backend; 2] = [
    Backend {
        scheme: "memory",
        placed: false,
        open: |_, opening| {
            let bytes = opening.memory_bytes.min(opening.keep_bytes);
            Ok(Opened {
                store: Box::new(memory::Memory::new(bytes, opening.keep_age)),
                about: "memory (nothing survives a restart)".into(),
                volatile: true,
                waits: None,
            })
        },
        check: None,
    },
    Backend {
        scheme: "sqlite",
        placed: true,
        open: |place, opening| {
            let store = sqlite::open(Path::new(place), opening)?;
            let holder = store.holder();
            let waits = holder.map(|holder| format!("waits until {holder} releases {place}"));
            let promise = "what was answered with 202 survives a crash";
            let about = waits.as_ref().map_or_else(
                || format!("{place} ({promise})"),
                |waits| format!("{place} ({waits}; meanwhile nothing is taken in)"),
            );
            Ok(Opened {
                store: Box::new(store),
                about,
                volatile: false,
                waits,
            })
        },
        check: Some(sqlite::check),
    },
];

/// An opened store, and what to tell people about it.
pub struct Opened {
    /// The store.
    pub store: Box<dyn Store>,
    /// Its kind and what it promises, in a few words.
    pub about: String,
    /// Whether it forgets at a restart, which every 202 must say.
    pub volatile: bool,
    /// For whom it waits before it can be used, if it does, in words.
    pub waits: Option<String>,
}

/// Opens the store of that name.
///
/// # Errors
/// No backend has that name, or it cannot be used; the refusal says why and what to do.
pub fn open(name: &str, opening: Opening) -> Result<Opened, Refusal> {
    let (row, place) = backend(name).ok_or_else(|| Refusal::unknown(name))?;
    (row.open)(place, opening)
}

/// Who is told how far a check is, if somebody wants to know: what is looked at, how many of it
/// were, and how many there are (0 if nobody knows).
pub type Told<'a> = Option<&'a mut dyn FnMut(&str, u64, u64)>;

/// Looks at everything that the store of that name keeps, and changes nothing.
///
/// # Errors
/// No backend has that name, it keeps nothing, it cannot be read, or another process has it.
pub fn check(name: &str, targets: Targets, told: Told<'_>) -> Result<Checked, Refusal> {
    let (row, place) = backend(name).ok_or_else(|| Refusal::unknown(name))?;
    match row.check {
        Some(check) => check(Path::new(place), targets, told),
        None => Err(Refusal {
            exit: Exit::Usage,
            why: format!("nothing of {name:?} outlives its process, so there is nothing to check"),
        }),
    }
}

/// Whether a backend has that name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    backend(name).is_some()
}

fn backend(name: &str) -> Option<(&'static Backend, &str)> {
    let (scheme, place) = match name.split_once(':') {
        Some((scheme, place)) => (scheme, Some(place).filter(|place| !place.is_empty())?),
        None => (name, ""),
    };
    let row = BACKENDS.iter().find(|row| row.scheme == scheme)?;
    (row.placed != place.is_empty()).then_some((row, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_scheme_and_a_place_if_it_has_one() {
        for name in [
            "memory",
            "sqlite:hookah.db",
            "sqlite:/var/lib/hookah/a:b.db",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in [
            "",
            "Memory",
            "memory:",
            "memory:x",
            "sqlite",
            "sqlite:",
            "hookah.db",
            "file:x",
        ] {
            assert!(!is_known(name), "{name}");
        }
    }
}
