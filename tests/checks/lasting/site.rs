//! A directory with a store in it, servers that are started on it again and again, and a little
//! chance. What it makes it removes.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::report::Trouble;
use crate::server::hookah;

/// A server that has not said where it listens by then never will.
const START_MAX: Duration = Duration::from_secs(60);

/// A directory of its own under the temporary one.
pub struct Site {
    pub dir: PathBuf,
}

impl Site {
    pub fn new(name: &str) -> io::Result<Site> {
        let dir = std::env::temp_dir().join(format!("hookah-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Site { dir })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A server on a store; it is killed when dropped.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Server {
    /// Starts it, and waits for nothing.
    pub fn start(dir: &Path, flags: &[&str]) -> io::Result<Server> {
        let mut command = hookah();
        command
            .args(["--listen=127.0.0.1:0", "--retry-schedule=1s"])
            .arg(format!(
                "--store=sqlite:{}",
                dir.join("hookah.db").display()
            ))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        let stderr = stderr.ok_or_else(|| io::Error::other("stderr is piped"))?;
        let (sender, lines) = channel();
        // The thread ends with the child, whose end closes the pipe.
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(io::Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Server {
            child,
            lines,
            said: Vec::new(),
        })
    }

    /// Where it listens, if it says so within `max`.
    pub fn listens_within(&mut self, max: Duration) -> Result<Option<SocketAddr>, Trouble> {
        let end = Instant::now() + max;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    let said = self.said.join("\n");
                    return Err(Trouble::failed(format!("it ended by itself: {said}")));
                }
            };
            let addr = line
                .split_once(" listening on http://")
                .and_then(|(_, addr)| addr.parse().ok());
            self.said.push(line);
            if addr.is_some() {
                return Ok(addr);
            }
        }
    }

    /// Where it listens.
    pub fn listens(&mut self) -> Result<SocketAddr, Trouble> {
        let found = self.listens_within(START_MAX)?;
        found.ok_or_else(|| Trouble::failed(format!("not listening: {:?}", self.said)))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As kill -9 does; returns once it is gone.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Chance that a number repeats (xorshift).
pub struct Chance(u64);

impl Chance {
    /// The number is `HOOKAH_CHECK_SEED`, or the time.
    pub fn new() -> (Chance, u64) {
        let given = std::env::var("HOOKAH_CHECK_SEED").ok();
        let given = given.and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seed = given.unwrap_or_else(|| now.map_or(1, |now| u64::from(now.subsec_nanos())));
        (Chance(seed | 1), seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// How many rounds: the variable's number, or the usual one.
pub fn rounds(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}
