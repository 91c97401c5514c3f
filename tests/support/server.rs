//! The real binary as a child process: started on a port of the system's choice, watched through
//! its stderr, killed when dropped. It speaks no HTTP; the stories do.
//!
//! Use it with `#[path = "support/server.rs"] mod server;`.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long a line on stderr is waited for. A bound on failure, never on success.
const PATIENCE: Duration = Duration::from_secs(60);

/// The names that stories call the server by, besides those that need no word.
pub const NAMES: &str = "h,hookah";

/// A command that runs the binary without any knob from our own environment. It keeps nothing, and
/// goes by short names, unless a flag says so.
pub fn hookah() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_hookah")))
}

/// A command that runs `program` with a socket for descriptor 3, and with variables that say so.
/// A process can be told its own id by a shell that it takes the place of.
pub fn handed(socket: impl Into<OwnedFd>, program: impl AsRef<OsStr>) -> Command {
    const SCRIPT: &str = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 </dev/null";
    let mut command = clean(Command::new("sh"));
    command.args(["-c", SCRIPT]).arg(program);
    command.stdin(Stdio::from(socket.into()));
    command
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOOKAH_") || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.env("HOOKAH_STORE", "memory");
    command.env("HOOKAH_HOST_NAME", NAMES);
    command
}

/// A running server.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    addrs: Vec<SocketAddr>,
}

impl Server {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Server {
        Server::with(["--port", "0"])
    }

    /// Starts it with these flags alone; where to listen must be among them.
    pub fn with<S: AsRef<OsStr>>(flags: impl IntoIterator<Item = S>) -> Server {
        let mut command = hookah();
        command.args(flags);
        Server::spawn(command)
    }

    /// Starts it on a free port of 127.0.0.1 with at most that many descriptors.
    pub fn with_descriptors(count: u32, flags: &[&str]) -> Server {
        let mut command = clean(Command::new("sh"));
        let script = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_hookah"), "--port", "0"])
            .args(flags);
        Server::spawn(command)
    }

    /// Starts it with these flags and with a socket that listens already, as a service manager
    /// hands it over.
    pub fn handed(socket: impl Into<OwnedFd>, flags: &[&str]) -> Server {
        let mut command = handed(socket, env!("CARGO_BIN_EXE_hookah"));
        command.args(flags);
        Server::watch(command)
    }

    /// Starts `command` and waits until it listens.
    pub fn spawn(mut command: Command) -> Server {
        command.stdin(Stdio::null());
        Server::watch(command)
    }

    /// The same with the standard input that it has.
    pub fn watch(mut command: Command) -> Server {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = channel();
        // The thread ends with the child, whose end closes the pipe.
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                let _ = sender.send(line);
            }
        });
        let mut server = Server {
            child,
            lines,
            seen: vec![],
            addrs: vec![],
        };
        let line = server.line_with(" listening on ");
        let (_, urls) = line.split_once(" listening on ").expect("just found");
        // In JSON it is the end of a text.
        let urls = urls.strip_suffix("\"}").unwrap_or(urls);
        let addr = |url: &str| url.split_once("://")?.1.parse().ok();
        let tcp = urls.split(", ").filter(|url| !url.starts_with("unix:"));
        let addrs: Option<Vec<SocketAddr>> = tcp.map(addr).collect();
        server.addrs = addrs.unwrap_or_else(|| panic!("no addresses in {line:?}"));
        server
    }

    /// Where it listens, first.
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Where it listens over TCP, in the order of its flags.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on stderr that contains `part` (lines passed over before do not count).
    pub fn line_with(&mut self, part: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let seen = self.seen.join("\n");
                panic!("it ended, or went on for long, without {part:?} on stderr:\n{seen}");
            };
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends it a signal by name: `TERM`, `INT`, `HUP`, `STOP`, …
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &id])
            .status();
        assert!(sent.expect("a shell").success(), "kill -{name} {id}");
    }

    /// Waits until it has ended: how, and everything it said on stderr.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it is our child");
        self.seen.extend(self.lines.iter());
        (status, self.seen.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.seen.extend(self.lines.iter());
            eprintln!("the server's stderr:\n{}", self.seen.join("\n"));
        }
    }
}

/// What a run that ends by itself came to.
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

/// Runs the binary with these flags to its end.
pub fn run<S: AsRef<OsStr>>(flags: impl IntoIterator<Item = S>) -> Ran {
    run_command(hookah().args(flags))
}

/// Runs that command to its end.
pub fn run_command(command: &mut Command) -> Ran {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Everything that comes until the other side finishes or resets the connection.
pub fn read_all(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
