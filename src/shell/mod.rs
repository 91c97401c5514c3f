//! The only room with sockets, clocks, signals and system calls; small and dull.
//! It knows no protocol and decides nothing about messages.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mio::{Poll, Waker};

use crate::access::Roll;
use crate::base::exit::Exit;
use crate::base::stats::Counter;
use crate::engine::{self, Engine};
use crate::{http, store};

mod clock;
mod configuration;
mod datagrams;
mod entry;
mod gate;
mod greeting;
mod guard;
mod handshakes;
mod hosts;
mod inherit;
mod journal;
mod listen;
mod notify;
mod path;
mod planted;
mod reload;
mod secure;
mod signals;
mod socket;
mod sockets;
mod sum;
mod sys;
mod throttle;
mod tls;
mod tokens;
mod traffic;
mod turn;

use gate::Place;
use listen::Listeners;

pub use configuration::{
    Anew, CONFIG_BYTES_MAX, Change, Reread, read as read_config, reread as reread_config,
};
pub use gate::{Listen, Scheme};
pub use inherit::{Inherited, inherit};
pub use journal::{Format as LogFormat, failed, start as start_log};
pub use sys::{await_any, await_room, entropy, raise_descriptors};
pub use tls::{Fault, Files, failure as tls_failure, trust};
pub use tokens::new_token;

/// Bytes read from one line in one turn; also the size of the one buffer that reads share.
const READ_BYTES_MAX: usize = 64 << 10;
/// Bytes written to one line in one turn, give or take one gathered write.
const WRITE_BYTES_MAX: usize = 256 << 10;

/// Bytes of messages that a start reads back for the topics' backlogs.
const BACKLOG_BYTES_MAX: u64 = 64 << 20;
/// The part of all memory that a store in memory has for messages that have ended.
const STORE_PART_OF_MEMORY: u64 = 8;

/// What the shell itself is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// The store's name, as in `--store`.
    pub store: String,
    /// How long the store keeps what has ended.
    pub keep_age: Duration,
    /// And how many bytes of it.
    pub keep_bytes: u64,
    /// Free bytes on the store's disk below which nothing is taken in.
    pub min_free: u64,
    /// What may be called, in words, for the lines at the start.
    pub targets: &'static str,
    /// Certificates to trust besides the built-in roots, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show to clients, if there is TLS for them.
    pub identity: Option<Files>,
    /// Who may do what; without it nobody is asked.
    pub tokens: Option<PathBuf>,
    /// The file of the configuration, if there are secrets in it.
    pub config_file: Option<PathBuf>,
    /// Wait until another process releases the store.
    pub takeover: bool,
    /// What log lines look like, and those at the start with them.
    pub log_format: LogFormat,
}

/// Why the server could not start, or had to stop.
#[derive(Debug)]
pub enum Failure {
    /// An address or a path cannot be listened on.
    Listen {
        /// Which.
        at: Listen,
        /// What the system says.
        why: io::Error,
    },
    /// What a service manager handed over is no use; what, and what would be.
    Inherited(String),
    /// The store cannot be used.
    Store(store::Refusal),
    /// A file with certificates or a key is no use.
    File(Fault),
    /// The file of `--tokens` is no use.
    Tokens {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it, and where.
        why: String,
    },
    /// The system refused something that nothing works without.
    System {
        /// What we were doing.
        doing: &'static str,
        /// What the system says.
        why: io::Error,
    },
    /// A fault of ours left the engine in a state that cannot be trusted.
    Broken,
}

impl Failure {
    /// The process's exit code (sysexits.h).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            // What is there already is no other server: the path is wrong.
            Failure::Listen { why, .. } if why.kind() == io::ErrorKind::AlreadyExists => {
                Exit::Config
            }
            Failure::Listen { .. } => Exit::Unavailable,
            Failure::System { .. } | Failure::Broken => Exit::Software,
            Failure::Store(refusal) => refusal.exit,
            Failure::File(_) | Failure::Tokens { .. } | Failure::Inherited(_) => Exit::Config,
        }
        .code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Listen { at, why } => not_listening(out, at, why),
            Failure::Inherited(why) => out.write_str(why),
            Failure::Store(refusal) => out.write_str(&refusal.why),
            Failure::File(fault) => write!(out, "{fault}"),
            Failure::Tokens { path, why } => write!(out, "--tokens {}: {why}", path.display()),
            Failure::System { doing, why } => write!(out, "the system failed at {doing}: {why}"),
            Failure::Broken => write!(out, "an internal fault; the log above says where"),
        }
    }
}

/// Why an address or a path cannot be listened on, and what to do about it.
fn not_listening(out: &mut fmt::Formatter<'_>, at: &Listen, why: &io::Error) -> fmt::Result {
    match (at, why.kind()) {
        (Listen::Tcp(addr, _), io::ErrorKind::AddrInUse) => write!(
            out,
            "{addr} is taken by another process; stop that one, or choose another port with \
             --listen {}",
            SocketAddr::new(addr.ip(), 0)
        ),
        (Listen::Unix(_), io::ErrorKind::AddrInUse) => write!(
            out,
            "{at} is taken by another process; stop that one, or choose another path with \
             --listen unix:PATH"
        ),
        (Listen::Unix(path), io::ErrorKind::AlreadyExists) => write!(
            out,
            "{} is there already and is no socket to listen on; remove it, or choose another \
             path with --listen unix:PATH",
            path.display()
        ),
        (Listen::Tcp(addr, _), io::ErrorKind::PermissionDenied) => write!(
            out,
            "no permission to listen on {addr}; ports below 1024 are for root"
        ),
        _ => write!(out, "cannot listen on {at}: {why}"),
    }
}

/// Serves until a signal asks to stop and the drain is over. Prints what it listens on, where it
/// keeps things and how to try it to stderr, once connections are taken in, and tells a service
/// manager that asked for it. `reread` is asked at SIGHUP.
///
/// # Errors
/// See [`Failure`]. A second signal ends the process without returning from here.
pub fn run(
    settings: &Settings,
    engine: engine::Settings,
    inherited: Inherited,
    reread: Box<dyn Reread>,
) -> Result<(), Failure> {
    guard::log_panics();
    if let Some(path) = &settings.config_file {
        configuration::warn_if_open(path);
    }
    let serve = AssertUnwindSafe(|| start(settings, engine, inherited, reread)?.run());
    // What no finer boundary has caught is a fault that a restart may cure.
    catch_unwind(serve).unwrap_or(Err(Failure::Broken))
}

fn start(
    settings: &Settings,
    engine: engine::Settings,
    inherited: Inherited,
    reread: Box<dyn Reread>,
) -> Result<turn::Server, Failure> {
    if let Some(wrong) = inherited.wrong {
        return Err(Failure::Inherited(wrong));
    }
    let system = |doing| move |why| Failure::System { doing, why };
    let poll = Poll::new().map_err(system("creating the poll"))?;
    let registry = poll.registry();
    let signals = signals::Signals::register(registry, turn::SIGNALS)
        .map_err(system("registering for signals"))?;
    let files = read_files(settings)?;
    let sum = sum::Sum::of(&engine);
    let terms = terms(&engine, &sum, files.identity.is_some());
    let takes_over = settings.takeover || !inherited.sockets.is_empty();
    let (given, wanted) = (inherited.sockets, &settings.listen);
    let listeners = Listeners::bind(registry, turn::LISTENERS, given, wanted, terms)
        .map_err(|(at, why)| Failure::Listen { at, why })?;
    let waker = Waker::new(registry, turn::STORE).map_err(system("creating the waker"))?;
    let told = store::Opening {
        waits: takes_over,
        ..opening(settings, &engine, waker)
    };
    let opened = store::open(&settings.store, told).map_err(Failure::Store)?;
    let seed = sys::entropy().map_err(system("asking for entropy"))?;
    let mut clock = clock::Clock::default();
    let now = clock.read();
    let places: Vec<Place> = listeners.places().collect();
    let words = greeting::words(&places, &opened, settings, &sum);
    let addrs: Vec<SocketAddr> = places.iter().filter_map(Place::addr).collect();
    let engine = engine::Settings {
        volatile: opened.volatile,
        memory_bytes_max: sum::account(&engine, opened.volatile),
        roll: files.roll,
        doors: gate::doors(&places),
        ..engine
    };
    let mut engine = Engine::new(engine, seed, now);
    engine.stats_mut().set(Counter::Started, now.wall.seconds());
    engine.listening(&reached_at(&addrs));
    Ok(turn::Server::new(turn::Parts {
        poll,
        clock,
        now,
        engine,
        tls: files.tls,
        identity: files.identity,
        listeners,
        signals,
        tokens: settings.tokens.clone(),
        reread,
        store: opened.store,
        notify: notify::Notify::new(&inherited.asked, now.mono),
        words,
    }))
}

/// What holds for all listeners.
fn terms(engine: &engine::Settings, sum: &sum::Sum, has_certificate: bool) -> gate::Terms {
    gate::Terms {
        has_certificate,
        send_buffer: sum.send_buffer,
        receive_buffer: sum.receive_buffer,
        silence: silence(engine),
    }
}

/// How long the kernel bears with a peer that takes nothing: a reader that is only slow is judged
/// by the engine, and before.
fn silence(engine: &engine::Settings) -> Duration {
    2 * engine.limits.stall_timeout
}

/// What is read from files at the start.
struct Read {
    tls: tls::Client,
    identity: Option<tls::Identity>,
    roll: Option<Roll>,
}

fn read_files(settings: &Settings) -> Result<Read, Failure> {
    let tls = tls::Client::new(settings.ca_file.as_deref()).map_err(Failure::File)?;
    let identity = settings.identity.clone().map(tls::Identity::read);
    let identity = identity.transpose().map_err(Failure::File)?;
    let roll = roll(settings)?;
    Ok(Read {
        tls,
        identity,
        roll,
    })
}

/// Who may do what, if anybody is asked.
fn roll(settings: &Settings) -> Result<Option<Roll>, Failure> {
    let roll = settings.tokens.as_deref().map(|path| {
        tokens::warn_if_open(path);
        let path = path.to_path_buf();
        tokens::read(&path).map_err(|why| Failure::Tokens { path, why })
    });
    roll.transpose()
}

/// What the store is told.
fn opening(settings: &Settings, engine: &engine::Settings, waker: Waker) -> store::Opening {
    store::Opening {
        wake: Arc::new(move || {
            if let Err(why) = waker.wake() {
                log::error!("wake_failed why={:?}", why.to_string());
            }
        }),
        free: sys::free_bytes,
        target: http::target::kept,
        backlog_age: engine.topics.widest().age,
        backlog_bytes: BACKLOG_BYTES_MAX,
        keep_age: settings.keep_age,
        keep_bytes: settings.keep_bytes,
        min_free: settings.min_free,
        memory_bytes: engine.memory_bytes_max / STORE_PART_OF_MEMORY,
        waits: false,
    }
}

/// All addresses at which these listeners are reached, as far as the system tells.
fn reached_at(addrs: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut all = addrs.to_vec();
    for addr in addrs.iter().filter(|addr| addr.ip().is_unspecified()) {
        let own = sys::interfaces().into_iter();
        all.extend(own.map(|ip| SocketAddr::new(ip, addr.port())));
    }
    all
}

#[cfg(test)]
mod tests;
