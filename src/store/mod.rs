//! Where what is known is kept: one small trait, and the table of its backends by URL scheme.
//! It decides nothing about messages, and the loop never waits for it.

use crate::port::{Seq, StoreDone, StoreOp};

pub mod memory;

/// A backend: operations are submitted, a flush makes what was submitted durable together, and
/// completions come back, now or in a later turn, in the order of the sequence.
pub trait Store {
    /// Takes an operation over under its number; it counts once a flush after it has completed.
    fn submit(&mut self, seq: Seq, op: StoreOp);

    /// Begins to make everything submitted durable; never waits for it.
    fn flush(&mut self);

    /// The next thing that came of the flushes.
    fn completion(&mut self) -> Option<StoreDone>;
}

/// A row of the table.
struct Backend {
    /// What its name begins with, up to the colon or the end.
    scheme: &'static str,
    /// What the line at the start says of it.
    about: &'static str,
    /// Whether it forgets at a restart.
    volatile: bool,
    /// Opens it.
    open: fn() -> Box<dyn Store>,
}

static BACKENDS: [Backend; 1] = [Backend {
    scheme: "memory",
    about: "memory (nothing survives a restart)",
    volatile: true,
    open: || Box::new(memory::Memory::default()),
}];

/// An opened store, and what to tell people about it.
pub struct Opened {
    /// The store.
    pub store: Box<dyn Store>,
    /// Its kind and what it promises, in a few words.
    pub about: &'static str,
    /// Whether it forgets at a restart, which every 202 must say.
    pub volatile: bool,
}

/// Opens the store of that name; `None` if no backend has it.
#[must_use]
pub fn open(name: &str) -> Option<Opened> {
    backend(name).map(|row| Opened {
        store: (row.open)(),
        about: row.about,
        volatile: row.volatile,
    })
}

/// Whether a backend has that name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    backend(name).is_some()
}

fn backend(name: &str) -> Option<&'static Backend> {
    BACKENDS.iter().find(|row| row.scheme == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_opens_and_nothing_else_does() {
        for row in &BACKENDS {
            assert!(is_known(row.scheme));
            assert!(open(row.scheme).is_some_and(|opened| opened.about == row.about));
        }
        for name in ["", "Memory", "memory:", "sqlite:hookah.db"] {
            assert!(open(name).is_none(), "{name}");
        }
    }
}
