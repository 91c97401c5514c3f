//! What a check is, what comes of it, and how that is printed.
//! It runs nothing.

use std::fmt;
use std::io;

/// A check's own words: what it found, or what is the trouble.
pub type Result = std::result::Result<String, Trouble>;

/// Why a check is not passed.
#[derive(Debug)]
pub enum Trouble {
    /// Something is wrong with Hookah.
    Failed(String),
    /// The machine cannot run it; says why, and what to install.
    Skipped(String),
}

impl Trouble {
    pub fn failed(text: impl Into<String>) -> Trouble {
        Trouble::Failed(text.into())
    }

    pub fn skipped(text: impl Into<String>) -> Trouble {
        Trouble::Skipped(text.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Failed(error.to_string())
    }
}

/// Fails with the text unless `holds`.
pub fn ensure(holds: bool, text: impl FnOnce() -> String) -> std::result::Result<(), Trouble> {
    if holds {
        Ok(())
    } else {
        Err(Trouble::Failed(text()))
    }
}

/// One check.
pub struct Check {
    pub name: &'static str,
    pub run: fn() -> Result,
    /// Whether it may have to build something first, or has many rounds.
    pub is_lengthy: bool,
}

impl Check {
    pub const fn new(name: &'static str, run: fn() -> Result) -> Check {
        Check {
            name,
            run,
            is_lengthy: false,
        }
    }

    pub const fn lengthy(name: &'static str, run: fn() -> Result) -> Check {
        Check {
            name,
            run,
            is_lengthy: true,
        }
    }
}

/// How many came to what.
#[derive(Default)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Tally {
    /// Counts a result; its line.
    pub fn line(&mut self, name: &str, result: &Result) -> String {
        match result {
            Ok(found) => {
                self.passed += 1;
                format!("ok: {name}: {found}")
            }
            Err(Trouble::Failed(why)) => {
                self.failed += 1;
                format!("FAILED: {name}: {why}")
            }
            Err(Trouble::Skipped(why)) => {
                self.skipped += 1;
                format!("skipped: {name}: {why}")
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            passed,
            failed,
            skipped,
        } = self;
        write!(out, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
