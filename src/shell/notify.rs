//! Word to the service manager, if it asked for any (sd_notify(3)): that we listen, reload, stop,
//! and, in time, that the loop still turns. Datagrams of `NAME=VALUE` lines.
//! It never waits, and nothing depends on whether anybody hears it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::inherit::Asked;
use super::sys;
use crate::base::time::{Mono, micros};

/// What a stop takes besides the drain: the last commit, and patience with whoever locks the file.
const STOP_SPARE: Duration = Duration::from_secs(15);

/// The line to the service manager.
#[derive(Debug, Default)]
pub(super) struct Notify {
    socket: Option<UnixDatagram>,
    /// How often a sign of life is due, and when the next one is.
    pulse: Option<(Duration, Mono)>,
    /// What people are shown.
    status: String,
    said: Said,
}

/// What the service manager was told of us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    /// That we are started, if so much.
    #[default]
    Nothing,
    /// That connections are taken in.
    Ready,
    /// That we stop. READY=1 would say that it is over.
    Stopping,
}

/// The shortest time from one sign of life to the next.
const PULSE_MIN: Duration = Duration::from_millis(1);

impl Notify {
    /// The line that was asked for.
    pub(super) fn new(asked: &Asked, now: Mono) -> Notify {
        let Some(name) = &asked.socket else {
            return Notify::default();
        };
        match connect(name) {
            Ok(socket) => Notify {
                socket: Some(socket),
                // Half of the time, so that one sign that comes late is no death.
                pulse: asked
                    .watchdog
                    .map(|limit| ((limit / 2).max(PULSE_MIN), now)),
                ..Notify::default()
            },
            Err(why) => {
                log::warn!("notify_failed socket={name:?} why={:?}", why.to_string());
                Notify::default()
            }
        }
    }

    /// Connections are taken in; `status` says where, and what is still awaited.
    pub(super) fn ready(&mut self, status: String) {
        self.status = status;
        // A stop may begin while nobody is let in yet.
        if self.said == Said::Stopping {
            return;
        }
        self.said = Said::Ready;
        self.say(&format!("READY=1\nSTATUS={}", self.status));
    }

    /// The state is another, for people.
    pub(super) fn status(&mut self, status: String) {
        self.status = status;
        self.say(&format!("STATUS={}", self.status));
    }

    /// Files are read anew; it ends with [`Notify::reloaded`].
    /// Nothing is said of it before we are ready, or once we stop: its end would be taken for that
    /// of the start, or the stop for over.
    pub(super) fn reloading(&self) {
        if self.said != Said::Ready {
            return;
        }
        let now = micros(sys::monotonic());
        self.say(&format!(
            "RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=Reading files anew"
        ));
    }

    /// They were read.
    pub(super) fn reloaded(&self) {
        if self.said == Said::Ready {
            self.say(&format!("READY=1\nSTATUS={}", self.status));
        }
    }

    /// A drain has begun, which takes so long at most.
    pub(super) fn stopping(&mut self, drain: Duration) {
        self.said = Said::Stopping;
        let extend = micros(drain + STOP_SPARE);
        self.say(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={extend}\nSTATUS=Finishing what is under way"
        ));
    }

    /// When the next sign of life is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.pulse.map(|(_, next)| next)
    }

    /// The loop turns; a sign of life, if it is due.
    pub(super) fn turns(&mut self, now: Mono) {
        if let Some((every, next)) = &mut self.pulse
            && *next <= now
        {
            *next = now + *every;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, text: &str) {
        if let Some(socket) = &self.socket
            && let Err(why) = socket.send(text.as_bytes())
        {
            log::debug!("notify_unheard why={:?}", why.to_string());
        }
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match name.as_encoded_bytes() {
        [b'/', ..] => socket.connect(Path::new(name))?,
        [b'@', hidden @ ..] => connect_hidden(&socket, hidden)?,
        _ => {
            let text = "neither a path nor @NAME";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
    }
    Ok(socket)
}

/// To a name that has no file.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn connect_hidden(socket: &UnixDatagram, name: &[u8]) -> io::Result<()> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.connect_addr(&addr)
}

/// To a name that has no file: only Linux has those.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn connect_hidden(_socket: &UnixDatagram, _name: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_said_and_nothing_else() {
        let name = format!("@hookah-notify-{}", std::process::id());
        #[cfg(target_os = "linux")]
        let heard = {
            use std::os::linux::net::SocketAddrExt;
            let addr = std::os::unix::net::SocketAddr::from_abstract_name(&name[1..]).unwrap();
            UnixDatagram::bind_addr(&addr).unwrap()
        };
        let asked = Asked {
            socket: Some(name.into()),
            watchdog: Some(Duration::from_secs(10)),
        };
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        let mut notify = Notify::new(&asked, at(100));
        let mut buffer = [0; 256];
        let mut next = || {
            let count = heard.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..count]).into_owned()
        };
        // A reload before anybody is let in does not say that the start is over.
        notify.reloading();
        notify.reloaded();
        notify.ready("here".to_owned());
        assert_eq!(next(), "READY=1\nSTATUS=here");
        notify.turns(at(100));
        assert_eq!(
            (next().as_str(), notify.next()),
            ("WATCHDOG=1", Some(at(105)))
        );
        notify.turns(at(104));
        notify.turns(at(105));
        notify.reloading();
        assert_eq!(next(), "WATCHDOG=1");
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        notify.reloaded();
        assert_eq!(next(), "READY=1\nSTATUS=here");
        notify.stopping(Duration::from_secs(8));
        assert!(next().starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=23000000\n"));
        // Nor does one during a stop say that that is over.
        notify.reloading();
        notify.reloaded();
        notify.ready("there".to_owned());
        notify.turns(at(110));
        assert_eq!(next(), "WATCHDOG=1");
    }

    #[test]
    fn the_shortest_watchdog_does_not_keep_the_loop_awake() {
        let folder = std::env::temp_dir().join(format!("hookah-pulse-{}", std::process::id()));
        let _ = std::fs::remove_file(&folder);
        let heard = UnixDatagram::bind(&folder).unwrap();
        let asked = Asked {
            socket: Some(folder.clone().into()),
            watchdog: Some(Duration::from_micros(1)),
        };
        let mut notify = Notify::new(&asked, Mono(0));
        notify.turns(Mono(7));
        assert_eq!(notify.next(), Some(Mono(1_007)));
        drop(heard);
        let _ = std::fs::remove_file(&folder);
    }

    #[test]
    fn nobody_who_asks_is_told_nothing() {
        let mut notify = Notify::new(&Asked::default(), Mono(0));
        assert_eq!(notify.next(), None);
        notify.turns(Mono(1));
        notify.ready(String::new());
        let nowhere = Asked {
            socket: Some("/nowhere/at/all".into()),
            watchdog: Some(Duration::from_secs(1)),
        };
        assert_eq!(Notify::new(&nowhere, Mono(0)).next(), None);
    }
}
