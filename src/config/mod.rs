//! The command line and the environment, read through the one table of knobs and poured down.
//! Nobody below reaches up for a value, and nothing here opens a socket or a file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::time::Duration;

use lexopt::{Arg, Parser};

use crate::access::browser;
use crate::admin::about::Doors;
use crate::base::exit::Exit;
use crate::courier::guard::Preset;
use crate::dispatch::retry::Schedule;
use crate::dispatch::sign::Keys;
use crate::hub::settings as hub_settings;
use crate::{client, conn, courier, dispatch, engine, shell, topics};
use form::Form;
use knob::Knob;
use subcommands::Subcommand;

mod bounds;
mod browsers;
mod clients;
mod doors;
mod form;
mod hub;
mod keys;
mod knob;
mod knobs;
mod listen;
mod reached;
mod streams;
mod subcommands;
mod text;

pub use keys::signing_keys;
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

/// Looks a variable of the environment up.
type Variable<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// Where a value came from; a later one wins over an earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Default,
    Environment,
    Flag,
}

/// What was said about one knob by the strongest source that says something.
#[derive(Clone, Debug)]
struct Said {
    source: Source,
    texts: Vec<String>,
}

/// Reads the command line (without the program's name) and the environment. `descriptors` is how
/// many the process may open.
///
/// # Errors
/// An unknown flag or subcommand, a value that is not allowed, or a public address without consent.
pub fn command(
    args: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    descriptors: u64,
) -> Result<Command, Refusal> {
    let mut said: Vec<Said> = knobs::all().map(by_default).collect();
    for (knob, said) in knobs::all().zip(&mut said) {
        if let Some(value) = variable(&knob.variable()).filter(|value| counts(knob, value)) {
            *said = by_environment(knob, &value);
        }
    }
    let wanted = flags(args, &variable, &mut said)?;
    match wanted {
        Wanted::Text(text) => return Ok(Command::Print(text)),
        Wanted::Help(word) => return Ok(Command::Print(page_of(&[word.to_owned()]))),
        Wanted::Token(name, rights) => return Ok(Command::Token(name, rights)),
        Wanted::Client(errand) => return Ok(Command::Client(errand)),
        Wanted::Serve | Wanted::Check => {}
    }
    let mut config = blank();
    apply(&mut config, &said)?;
    if matches!(wanted, Wanted::Check) {
        return Ok(Command::Check(config.shell.store));
    }
    let log = knobs::all()
        .position(|knob| knob.key == "log")
        .and_then(|place| said.get(place));
    if let Some(filter) = variable("RUST_LOG").and_then(|value| value.into_string().ok())
        && log.is_some_and(|said| said.source == Source::Default)
    {
        config.log = filter;
    }
    config.engine.lines_max = config.lines_max.unwrap_or_else(|| auto_lines(descriptors));
    bounds::share_memory(&mut config)?;
    doors::furnish(&mut config)?;
    doors::consent(&config)?;
    choose_targets(&mut config);
    Ok(Command::Serve(Box::new(config)))
}

fn by_default(knob: &Knob) -> Said {
    let texts = if knob.default.is_empty() {
        vec![]
    } else {
        vec![knob.default.to_owned()]
    };
    Said {
        source: Source::Default,
        texts,
    }
}

fn by_environment(knob: &Knob, value: &OsStr) -> Said {
    let text = value.to_string_lossy();
    let texts = match knob.form {
        Form::List { .. } => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => vec![text.into_owned()],
    };
    Said {
        source: Source::Environment,
        texts,
    }
}

/// Whether a variable says something. An empty one does not; nor does the HOOKAH_PORT that
/// Kubernetes and Docker's links set for a service of the name hookah: `tcp://10.0.0.1:80`.
fn counts(knob: &Knob, value: &OsStr) -> bool {
    let linked = knob.key == "port" && value.to_string_lossy().contains("://");
    !value.is_empty() && !linked
}

/// What the flags ask for.
enum Wanted {
    Serve,
    Check,
    /// A new token.
    Token(String, Vec<String>),
    /// To talk to a server.
    Client(Box<(client::Settings, client::Job)>),
    /// The page of that subcommand.
    Help(&'static str),
    /// Nothing but this text.
    Text(String),
}

/// Takes in the flags and the subcommand.
fn flags(
    args: impl IntoIterator<Item = OsString>,
    variable: &Variable<'_>,
    said: &mut [Said],
) -> Result<Wanted, Refusal> {
    let mut parser = Parser::from_args(args);
    let mut words = Vec::new();
    while let Some(arg) = parser.next().map_err(Refusal::usage)? {
        if let Arg::Long(name) = arg
            && let Some(page) = help_page(name)
        {
            return Ok(Wanted::Text(page));
        }
        let name = match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Wanted::Text(page_of(&words))),
            Arg::Long("version") | Arg::Short('V') => {
                let text = format!("hookah {}\n", env!("CARGO_PKG_VERSION"));
                return Ok(Wanted::Text(text));
            }
            Arg::Value(word) => {
                let word = word.to_string_lossy().into_owned();
                let first = words.is_empty().then(|| Subcommand::find(&word)).flatten();
                if let Some(read) = first.and_then(Subcommand::own) {
                    stands_first(&word, said)?;
                    return read(parser, variable);
                }
                words.push(word);
                continue;
            }
            Arg::Short(letter) => return Err(unknown(&format!("-{letter}"))),
            Arg::Long(name) => name.to_owned(),
        };
        let found = knobs::all()
            .zip(said.iter_mut())
            .find(|(knob, _)| knob.key == name);
        let Some((knob, said)) = found else {
            return Err(unknown(&format!("--{name}")));
        };
        let text = flag_value(&mut parser, knob)?;
        if said.source < Source::Flag || !knob.is_repeatable() {
            *said = Said {
                source: Source::Flag,
                texts: vec![],
            };
        }
        said.texts.push(text);
    }
    subcommands::wanted(&words)
}

/// The page for people of the subcommand that was named.
fn page_of(words: &[String]) -> String {
    let row = words.first().and_then(|word| Subcommand::find(word));
    row.map_or_else(help, Subcommand::page)
}

/// A flag of the server before a word with flags of its own was meant for something else.
fn stands_first(word: &str, said: &[Said]) -> Result<(), Refusal> {
    let flag = knobs::all()
        .zip(said)
        .find(|(_, said)| said.source == Source::Flag);
    match flag {
        None => Ok(()),
        Some((knob, _)) => Err(Refusal::usage(format_args!(
            "--{} is a flag of the server and does not go with {word}",
            knob.key
        ))),
    }
}

fn flag_value(parser: &mut Parser, knob: &Knob) -> Result<String, Refusal> {
    let value = if knob.form.is_switch() {
        parser
            .optional_value()
            .unwrap_or_else(|| OsString::from("true"))
    } else {
        let missing = |_| {
            let allowed = knob.form.allowed();
            Refusal::usage(format_args!(
                "--{} needs a value; allowed: {allowed}",
                knob.key
            ))
        };
        parser.value().map_err(missing)?
    };
    Ok(value.to_string_lossy().into_owned())
}

fn unknown(flag: &str) -> Refusal {
    match text::nearest(flag.trim_start_matches('-')) {
        Some(key) => Refusal::usage(format_args!("{flag} is not a flag; did you mean --{key}?")),
        None => Refusal::usage(format_args!("{flag} is not a flag")),
    }
}

/// Sets every knob to what was said about it.
fn apply(config: &mut Config, said: &[Said]) -> Result<(), Refusal> {
    let strongest = |keys: [&str; 2]| {
        let named = knobs::all()
            .zip(said)
            .filter(|(knob, _)| keys.contains(&knob.key));
        named
            .filter(|(_, said)| !said.texts.is_empty())
            .map(|(_, said)| said.source)
            .max()
    };
    // Both add to one list, so the weaker of the two must be silent.
    let listening = strongest(["listen", "port"]);
    for (knob, said) in knobs::all().zip(said) {
        if matches!(knob.key, "listen" | "port") && Some(said.source) != listening {
            continue;
        }
        for text in &said.texts {
            knob.form
                .apply(config, text)
                .map_err(|wrong| refuse(knob, said.source, text, wrong))?;
        }
    }
    Ok(())
}

fn refuse(knob: &Knob, source: Source, text: &str, complaint: &str) -> Refusal {
    let (name, exit_code) = match source {
        Source::Flag => (format!("--{}", knob.key), Exit::Usage.code()),
        Source::Environment | Source::Default => (knob.variable(), Exit::Config.code()),
    };
    let allowed = knob.form.allowed();
    let text = format!("{name}: {text:?} {complaint}; allowed: {allowed} (try hookah --help)");
    Refusal { text, exit_code }
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
    let exposed = listen::public(&config.shell.listen).next().is_some();
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

/// A place for the values. Whatever is a knob gets its value from its row, the default included.
fn blank() -> Config {
    Config {
        shell: shell::Settings {
            listen: vec![],
            store: String::new(),
            keep_age: Duration::ZERO,
            keep_bytes: 0,
            min_free: 0,
            targets: "",
            ca_file: None,
            identity: None,
            tokens: None,
        },
        engine: engine::Settings {
            limits: conn::Limits::default(),
            browsers: browser::Settings::default(),
            courier: courier::Settings::default(),
            dispatch: dispatch::Settings {
                retries: 0,
                schedule: Schedule::default(),
                jitter_percent: 0,
                timeout: Duration::ZERO,
                expires: Duration::ZERO,
                keys: Keys::default(),
                notices: dispatch::notice::Settings::default(),
                recovery_rate: 0,
                // The engine corrects this, as it knows the store.
                keeps: false,
            },
            topics: topics::Settings {
                backlog_messages: 0,
                backlog_age: Duration::ZERO,
                backlog_bytes: 0,
                keep_alive: Duration::ZERO,
                ..topics::Settings::default()
            },
            hub: hub_settings::Settings::default(),
            lines_max: 0,
            lines_per_address_max: None,
            memory_bytes_max: 0,
            drain_timeout: Duration::ZERO,
            // The shell corrects this when it has opened the store.
            volatile: true,
            // The shell reads the file.
            roll: None,
            doors: Doors::default(),
        },
        log: String::new(),
        insecure_no_auth: false,
        named: doors::Named::default(),
        lines_max: None,
        backlog_total: None,
        preset: None,
    }
}

#[cfg(test)]
mod tests;
