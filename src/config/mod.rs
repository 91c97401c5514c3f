//! The command line and the environment, read through the one table of knobs and poured down.
//! Nobody below reaches up for a value, and nothing here opens a socket or a file.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use crate::base::exit::Exit;
use crate::courier::guard::Preset;
use crate::{client, engine, shell};
use flags::{Variable, Wanted};
use sayings::{Given, Sayings};

mod blank;
mod bounds;
mod browsers;
mod calls;
mod clients;
mod doors;
mod effective;
mod file;
mod flags;
mod form;
mod hub;
mod keys;
mod knob;
mod knobs;
mod listen;
mod listening;
mod live;
mod manual;
mod reached;
mod said;
mod sayings;
mod sections;
mod streams;
mod subcommands;
mod text;

pub use live::Live;
pub use manual::text as manual;
pub use reached::readme_table as bounds_table;
pub use text::{help, help_page, readme_table};

/// Connections without being asked for more.
const LINES_AUTO_MAX: u64 = 65_536;
/// Descriptors kept for the log, the store, listeners and the poll.
const DESCRIPTORS_RESERVED: u64 = 64;

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Serve, with these settings.
    Serve(Box<Config>),
    /// Check the store of that name.
    Check(String),
    /// Make a token of that name with these rights.
    Token(String, Vec<String>),
    /// Talk to a server.
    Client(Box<(client::Settings, client::Job)>),
    /// Print this text and end.
    Print(String),
}

/// Everything the rooms below are told.
#[derive(Clone, Debug)]
pub struct Config {
    /// For the shell.
    pub shell: shell::Settings,
    /// For the engine.
    pub engine: engine::Settings,
    /// Which log lines are wanted, as an env_logger filter.
    pub log: String,
    /// What reads the configuration anew.
    pub live: Live,
    /// Where a service manager has us listen, besides where we are told to.
    inherited: Vec<shell::Listen>,
    insecure_no_auth: bool,
    named: doors::Named,
    lines_max: Option<usize>,
    /// `None` goes by all memory.
    backlog_total: Option<u64>,
    /// `None` goes by the listeners.
    preset: Option<Preset>,
}

/// Why there is nothing to serve with; its text says what to type instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    text: String,
    /// The process's exit code (sysexits.h): 64 for a wrong command line, 78 for a wrong
    /// configuration.
    pub exit_code: u8,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Refusal {
    /// Of a subcommand that has a page of its own.
    fn of(word: &str, text: impl fmt::Display) -> Refusal {
        Refusal {
            text: format!("{word}: {text} (try hookah {word} --help)"),
            exit_code: Exit::Usage.code(),
        }
    }

    fn usage(text: impl fmt::Display) -> Refusal {
        Refusal {
            text: format!("{text} (try hookah --help)"),
            exit_code: Exit::Usage.code(),
        }
    }
}

/// Reads a file as a whole, at most [`shell::CONFIG_BYTES_MAX`] and one more bytes of it, or says
/// why it cannot be read, in words that follow its name.
pub type ReadFile = fn(&Path) -> Result<Vec<u8>, String>;

/// What a configuration comes from besides the command line.
#[derive(Clone)]
pub struct Outside {
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
    /// How many descriptors the process may open.
    pub descriptors: u64,
    /// Where a service manager has us listen already.
    pub inherited: Vec<shell::Listen>,
    /// Reads the configuration file at the start,
    pub read: ReadFile,
    /// and whenever it may have changed.
    pub reread: ReadFile,
}

impl Config {
    /// Where the server listens.
    fn listeners(&self) -> impl Iterator<Item = &shell::Listen> {
        self.inherited.iter().chain(&self.shell.listen)
    }
}

/// Reads the command line (without the program's name), the environment and the file that one of
/// them names.
///
/// # Errors
/// An unknown flag, key or subcommand, a value that is not allowed, or a public address without
/// consent.
pub fn command(
    args: impl IntoIterator<Item = OsString>,
    outside: &Outside,
) -> Result<Command, Refusal> {
    let (wanted, flags) = flags::read(args, &outside.variables)?;
    match wanted {
        Wanted::Text(text) => return Ok(Command::Print(text)),
        Wanted::Client(errand) => return Ok(Command::Client(errand)),
        Wanted::Token(name, rights) => return Ok(Command::Token(name, rights)),
        Wanted::Serve | Wanted::Check | Wanted::Config => {}
    }
    let given = Given::new(flags, outside)?;
    let file = given.file(outside.read)?;
    let sayings = Sayings::new(&given, file);
    if matches!(wanted, Wanted::Check) {
        return Ok(Command::Check(sayings.heard()?.shell.store));
    }
    let mut config = sayings.config(outside.descriptors)?;
    if matches!(wanted, Wanted::Config) {
        return Ok(Command::Print(effective::text(&sayings)));
    }
    config.live = Live::new(given, sayings, outside);
    Ok(Command::Serve(Box::new(config)))
}

/// How many lines fit under the limit on descriptors: a tenth stays free, and at least the reserve.
fn auto_lines(descriptors: u64) -> usize {
    let free =
        (descriptors - descriptors / 10).min(descriptors.saturating_sub(DESCRIPTORS_RESERVED));
    usize::try_from(free.clamp(4, LINES_AUTO_MAX)).unwrap_or(4)
}

/// Whoever is the only one that can reach us may call this machine and its networks through us;
/// others may not, unless it was said so.
fn choose_targets(config: &mut Config) {
    let exposed = listen::public(config.listeners()).next().is_some();
    let (preset, about) = match config.preset {
        Some(Preset::Public) => (Preset::Public, "public"),
        Some(Preset::Local) => (
            Preset::Local,
            "local; use --targets public if URLs come from strangers",
        ),
        None if exposed => (
            Preset::Public,
            "public (others can reach the listener); use --targets local to call private ones too",
        ),
        None => (
            Preset::Local,
            "local (loopback listener); use --targets public if URLs come from strangers",
        ),
    };
    config.engine.courier.policy.preset = preset;
    config.shell.targets = about;
}

#[cfg(test)]
mod tests;
