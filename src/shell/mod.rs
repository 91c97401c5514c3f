//! The only room with sockets, clocks, signals and system calls; small and dull.
//! It knows no protocol and decides nothing about messages.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mio::{Poll, Waker};

use crate::base::exit::Exit;
use crate::engine::{self, Engine};
use crate::{http, store};

mod clock;
mod datagrams;
mod guard;
mod hosts;
mod journal;
mod listen;
mod secure;
mod signals;
mod sockets;
mod sys;
mod throttle;
mod tls;
mod tokens;
mod traffic;
mod turn;

pub use journal::start as start_log;
pub use listen::Listen;
pub use sys::raise_descriptors;
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
    /// Who may do what; without it nobody is asked.
    pub tokens: Option<PathBuf>,
}

/// Why the server could not start, or had to stop.
#[derive(Debug)]
pub enum Failure {
    /// An address cannot be listened on.
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        why: io::Error,
    },
    /// The store cannot be used.
    Store(store::Refusal),
    /// The file of `--ca-file` is no use.
    CaFile {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it, in words that follow its name.
        why: String,
    },
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
            Failure::Listen { .. } => Exit::Unavailable,
            Failure::System { .. } | Failure::Broken => Exit::Software,
            Failure::Store(refusal) => refusal.exit,
            Failure::CaFile { .. } | Failure::Tokens { .. } => Exit::Config,
        }
        .code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Listen { addr, why } if why.kind() == io::ErrorKind::AddrInUse => write!(
                out,
                "{addr} is taken by another process; stop that one, or choose another port with \
                 --listen {}",
                SocketAddr::new(addr.ip(), 0)
            ),
            Failure::Listen { addr, why } if why.kind() == io::ErrorKind::PermissionDenied => {
                write!(
                    out,
                    "no permission to listen on {addr}; ports below 1024 are for root"
                )
            }
            Failure::Listen { addr, why } => write!(out, "cannot listen on {addr}: {why}"),
            Failure::Store(refusal) => out.write_str(&refusal.why),
            Failure::CaFile { path, why } => write!(out, "--ca-file {} {why}", path.display()),
            Failure::Tokens { path, why } => write!(out, "--tokens {}: {why}", path.display()),
            Failure::System { doing, why } => write!(out, "the system failed at {doing}: {why}"),
            Failure::Broken => write!(out, "an internal fault; the log above says where"),
        }
    }
}

/// Serves until a signal asks to stop and the drain is over. Prints what it listens on, where it
/// keeps things and how to try it to stderr, once connections are taken in.
///
/// # Errors
/// See [`Failure`]. A second signal ends the process without returning from here.
pub fn run(settings: &Settings, engine: engine::Settings) -> Result<(), Failure> {
    guard::log_panics();
    let serve = || start(settings, engine)?.run();
    // What no finer boundary has caught is a fault that a restart may cure.
    catch_unwind(AssertUnwindSafe(serve)).unwrap_or(Err(Failure::Broken))
}

fn start(settings: &Settings, engine: engine::Settings) -> Result<turn::Server, Failure> {
    let system = |doing| move |why| Failure::System { doing, why };
    let poll = Poll::new().map_err(system("creating the poll"))?;
    let registry = poll.registry();
    let signals = signals::Signals::register(registry, turn::SIGNALS)
        .map_err(system("registering for signals"))?;
    let tls = tls::Client::new(settings.ca_file.as_deref()).map_err(|why| Failure::CaFile {
        path: settings.ca_file.clone().unwrap_or_default(),
        why,
    })?;
    let roll = settings.tokens.as_deref().map(|path| {
        tokens::warn_if_open(path);
        let path = path.to_path_buf();
        tokens::read(&path).map_err(|why| Failure::Tokens { path, why })
    });
    let roll = roll.transpose()?;
    let listeners = listen::Listeners::bind(registry, turn::LISTENERS, &settings.listen)
        .map_err(|(addr, why)| Failure::Listen { addr, why })?;
    let waker = Waker::new(registry, turn::STORE).map_err(system("creating the waker"))?;
    let opened =
        store::open(&settings.store, opening(settings, &engine, waker)).map_err(Failure::Store)?;
    let seed = sys::entropy().map_err(system("asking for entropy"))?;
    let mut clock = clock::Clock::default();
    let now = clock.read();
    let addrs: Vec<SocketAddr> = listeners.addrs().collect();
    let greeting = greeting(&addrs, &opened.about, settings.targets);
    let engine = engine::Settings {
        volatile: opened.volatile,
        // What the store holds in memory is a part of all that may be held.
        memory_bytes_max: match opened.volatile {
            true => engine.memory_bytes_max - engine.memory_bytes_max / STORE_PART_OF_MEMORY,
            false => engine.memory_bytes_max,
        },
        roll,
        ..engine
    };
    let mut engine = Engine::new(engine, seed, now);
    engine.listening(&reached_at(&addrs));
    let store = opened.store;
    Ok(turn::Server::new(turn::Parts {
        poll,
        clock,
        now,
        engine,
        tls,
        listeners,
        signals,
        tokens: settings.tokens.clone(),
        store,
        greeting,
    }))
}

/// What the store is told.
fn opening(settings: &Settings, engine: &engine::Settings, waker: Waker) -> store::Opening {
    store::Opening {
        wake: Arc::new(move || {
            if let Err(why) = waker.wake() {
                log::error!("wake_failed why={why}");
            }
        }),
        free: sys::free_bytes,
        target: http::target::kept,
        backlog_age: engine.topics.backlog_age,
        backlog_bytes: BACKLOG_BYTES_MAX,
        keep_age: settings.keep_age,
        keep_bytes: settings.keep_bytes,
        min_free: settings.min_free,
        memory_bytes: engine.memory_bytes_max / STORE_PART_OF_MEMORY,
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

/// The lines at the start. Whoever starts us by a program reads the first one for the port.
fn greeting(addrs: &[SocketAddr], store: &str, targets: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let urls: Vec<String> = addrs.iter().map(|addr| format!("http://{addr}")).collect();
    let reached = addrs
        .first()
        .map(reachable)
        .map(|addr| addr.to_string())
        .unwrap_or_default();
    format!(
        "hookah {version} listening on {}\nstore: {store}\ntargets: {targets}\n\
         try: curl -d _url=http://localhost:9000/ -d hello=world http://{reached}/dispatch\n",
        urls.join(", ")
    )
}

/// The address that a client on this machine would use.
fn reachable(addr: &SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests;
