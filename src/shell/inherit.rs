//! What a service manager hands to its process: sockets that listen already (LISTEN_FDS), and where
//! it wants to hear from us (NOTIFY_SOCKET). Read once, first of all, and taken out of the
//! environment, so that no other process takes it for its own.
//! It accepts no connection and binds nothing.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{SockAddr, SockRef, Type};

use super::gate::{Listen, Scheme};
use super::sys;

/// The first descriptor that is handed over (sd_listen_fds(3)).
const FIRST: i32 = 3;
/// Descriptors that are taken at most: tokens of the poll are kept for that many listeners.
const SOCKETS_MAX: i32 = 1_024;
/// All that is taken out of the environment.
const VARIABLES: [&str; 6] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What was handed over.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) sockets: Vec<Given>,
    pub(super) asked: Asked,
    /// Why it is no use, for people.
    pub(super) wrong: Option<String>,
}

/// A socket that listens already.
#[derive(Debug)]
pub(super) struct Given {
    /// Where it listens.
    pub(super) at: Listen,
    pub(super) socket: OwnedFd,
}

/// What the manager wants to hear.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Where to send word: a path, or a name without a file that begins with `@`.
    pub(super) socket: Option<OsString>,
    /// It takes us for dead after so long without a sign.
    pub(super) watchdog: Option<Duration>,
}

impl Inherited {
    /// Where the sockets listen that were handed over.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listen> {
        self.sockets.iter().map(|given| given.at.clone()).collect()
    }
}

/// Takes over what a service manager has for this process. To be called first of all: the
/// environment must not change while other threads look at it.
#[must_use]
pub fn inherit() -> Inherited {
    let said = Said::by(|name| std::env::var_os(name), std::process::id());
    sys::forget_variables(&VARIABLES);
    let mut inherited = Inherited {
        asked: said.asked,
        ..Inherited::default()
    };
    let taken = said.sockets.and_then(|names| {
        let numbered = (FIRST..).zip(&names);
        numbered.map(|(fd, name)| take(fd, name)).collect()
    });
    match taken {
        Ok(sockets) => inherited.sockets = sockets,
        Err(why) => inherited.wrong = Some(why),
    }
    inherited
}

/// What the variables say to the process of that id.
#[derive(Debug)]
struct Said {
    /// The name of each socket, which may be empty.
    sockets: Result<Vec<String>, String>,
    asked: Asked,
}

impl Said {
    fn by(variable: impl Fn(&str) -> Option<OsString>, id: u32) -> Said {
        let text = |name: &str| variable(name)?.into_string().ok();
        let number = |name: &str| text(name)?.parse::<u64>().ok();
        let is_ours = |name: &str| number(name) == Some(u64::from(id));
        let socket = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        // Without an id the wish is for whoever has the variable (sd_watchdog_enabled(3)).
        let wants = variable("WATCHDOG_PID").is_none() || is_ours("WATCHDOG_PID");
        let watchdog = number("WATCHDOG_USEC").filter(|micros| wants && *micros > 0);
        Said {
            sockets: match (is_ours("LISTEN_PID"), text("LISTEN_FDS")) {
                (true, Some(count)) => names(&count, text("LISTEN_FDNAMES")),
                _ => Ok(Vec::new()),
            },
            asked: Asked {
                watchdog: watchdog
                    .filter(|_| socket.is_some())
                    .map(Duration::from_micros),
                socket,
            },
        }
    }
}

/// As many names as there are sockets.
fn names(count: &str, names: Option<String>) -> Result<Vec<String>, String> {
    let count: i32 = count
        .parse()
        .ok()
        .filter(|count| (0..=SOCKETS_MAX).contains(count))
        .ok_or_else(|| {
            format!("LISTEN_FDS: {count:?} is no number of sockets; allowed: 0 to {SOCKETS_MAX}")
        })?;
    let names = names.unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let named = (0..count).map(|_| names.next().unwrap_or_default());
    Ok(named.collect())
}

/// Takes over the descriptor of that number and name.
fn take(fd: i32, name: &str) -> Result<Given, String> {
    let refuse = |what: String| {
        Err(format!(
            "LISTEN_FDS: descriptor {fd} ({name}) {what}; allowed: TCP and Unix stream sockets \
             that listen"
        ))
    };
    let socket = match sys::take_descriptor(fd) {
        Ok(socket) => socket,
        Err(why) => return refuse(format!("cannot be taken over: {why}")),
    };
    let seen = SockRef::from(&socket);
    let Ok(kind) = seen.r#type() else {
        return refuse("is no socket".to_owned());
    };
    if kind != Type::STREAM {
        return refuse("is a socket for datagrams or the like".to_owned());
    }
    if !seen.is_listener().unwrap_or(false) {
        return refuse("does not listen".to_owned());
    }
    let Some(at) = seen.local_addr().ok().and_then(|addr| place(&addr, name)) else {
        return refuse("is neither of TCP nor of Unix".to_owned());
    };
    if let Err(why) = seen.set_nonblocking(true) {
        return refuse(format!("cannot be set up: {why}"));
    }
    Ok(Given { at, socket })
}

/// Where a socket listens. One that is named `http` or `https` speaks that; any other has TLS if
/// there is a certificate.
fn place(addr: &SockAddr, name: &str) -> Option<Listen> {
    if let Some(addr) = addr.as_socket() {
        let scheme = match name {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => Scheme::Either,
        };
        return Some(Listen::Tcp(addr, scheme));
    }
    addr.is_unix().then(|| {
        let path = addr.as_pathname().map(PathBuf::from);
        Listen::Unix(path.unwrap_or_else(|| hidden_name(addr)))
    })
}

/// A Unix socket without a file, as ss(8) shows it.
fn hidden_name(addr: &SockAddr) -> PathBuf {
    let name = addr.as_abstract_namespace().unwrap_or_default();
    format!("@{}", String::from_utf8_lossy(name)).into()
}

#[cfg(test)]
mod tests;
