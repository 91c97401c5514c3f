//! A server under measurement: how it is started, what it has used, how it is stopped.
//! It never knows which server it is; that is what a `Recipe` says.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys;

const START_MAX: Duration = Duration::from_secs(10);
const STOP_MAX: Duration = Duration::from_secs(3);

/// Everything that tells one server from another.
pub struct Recipe {
    /// Its name in the table.
    pub name: &'static str,
    pub program: PathBuf,
    pub args: Vec<String>,
    pub dir: PathBuf,
    pub port: Port,
}

/// How the port is learnt.
pub enum Port {
    /// From the line on stderr that says `listening on http://127.0.0.1:PORT`.
    Told,
    /// It was chosen before the start; the server is up when a connection succeeds.
    Chosen(u16),
}

/// A running server; dropping it stops it.
pub struct Server {
    pub port: u16,
    /// From the spawn until it was known to listen.
    pub starting: Duration,
    child: Child,
}

impl Recipe {
    /// A server that says its port, run in `dir`.
    pub fn told(name: &'static str, program: PathBuf, args: &[&str], dir: &Path) -> Recipe {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let (dir, port) = (dir.to_owned(), Port::Told);
        Recipe {
            name,
            program,
            args,
            dir,
            port,
        }
    }

    /// Starts the server with all its threads on `core` and waits until it listens.
    pub fn start(&self, core: usize) -> io::Result<Server> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir);
        command
            // What is compared here is not the disk.
            .env("HOOKAH_STORE", "memory")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        sys::pin_child(&mut command, core);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| self.failed(&error.to_string()))?;
        let lines = child.stderr.take().map(follow).transpose()?;
        // From here on a failure drops, and so stops, the server.
        let mut server = Server {
            port: 0,
            starting: Duration::ZERO,
            child,
        };
        server.port = match (&self.port, lines) {
            (Port::Told, Some(lines)) => told(&lines, started),
            (Port::Chosen(port), Some(lines)) => answering(*port, &lines, started),
            (_, None) => Err("it has no stderr".to_owned()),
        }
        .map_err(|why| self.failed(&why))?;
        server.starting = started.elapsed();
        Ok(server)
    }

    fn failed(&self, why: &str) -> io::Error {
        io::Error::other(format!("{} did not start: {why}", self.name))
    }
}

impl Server {
    /// Processor seconds used so far by all its threads and its child processes, from
    /// `/proc/PID/stat`; the unit is coarse (10 ms), so measure over a second or more.
    pub fn cpu_seconds(&self) -> io::Result<f64> {
        let ticks = family(self.child.id())?.into_iter().map(ticks);
        Ok(ticks.sum::<io::Result<u64>>()? as f64 / sys::ticks_per_second())
    }

    /// The same to the nanosecond, of the threads that live; coarse where the kernel was built
    /// without `schedstat`.
    pub fn cpu_seconds_exact(&self) -> io::Result<f64> {
        let mut sum = 0;
        for pid in family(self.child.id())? {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                    return self.cpu_seconds();
                };
                let nanos = text
                    .split(' ')
                    .next()
                    .and_then(|text| text.parse::<u64>().ok());
                sum += nanos.unwrap_or(0);
            }
        }
        Ok(sum as f64 / 1e9)
    }

    /// Resident memory in KiB, of its first process.
    pub fn resident_kib(&self) -> io::Result<f64> {
        resident_kib(self.child.id())
    }

    /// Resident memory in KiB, of its first process and of those that it started.
    pub fn resident_kib_of_all(&self) -> io::Result<f64> {
        family(self.child.id())?.into_iter().map(resident_kib).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        sys::terminate(&self.child);
        let asked = Instant::now();
        while asked.elapsed() < STOP_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        // Neither call can fail on a child that was not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and those that its first thread started.
fn family(pid: u32) -> io::Result<Vec<u32>> {
    let mut all = vec![pid];
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    for child in children.split_whitespace() {
        all.extend(family(child.parse().map_err(io::Error::other)?)?);
    }
    Ok(all)
}

/// `utime` and `stime` of a process.
fn ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the command in parentheses and may hold anything: count behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(11).take(2);
    Ok(fields.filter_map(|field| field.parse::<u64>().ok()).sum())
}

fn resident_kib(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| io::Error::other("no VmRSS: the server has ended"))
}

/// Reads stderr to its end on a thread, so that a server that logs much never blocks on it.
fn follow(stderr: ChildStderr) -> io::Result<Receiver<String>> {
    let (sender, lines) = mpsc::channel();
    thread::Builder::new()
        .name("stderr".to_owned())
        .spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Once the server listens nobody asks for its lines any more; they are still read.
                let _ = sender.send(line);
            }
        })?;
    Ok(lines)
}

fn told(lines: &Receiver<String>, started: Instant) -> Result<u16, String> {
    let mut last = "it ended without a word".to_owned();
    loop {
        match lines.recv_timeout(START_MAX.saturating_sub(started.elapsed())) {
            Ok(line) => match port_in(&line) {
                Some(port) => return Ok(port),
                None => last = line,
            },
            Err(RecvTimeoutError::Disconnected) => return Err(last),
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!(
                    "no line says where it listens; the last one: {last}"
                ));
            }
        }
    }
}

fn port_in(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("listening on http://")?;
    let (_, port) = address.split_whitespace().next()?.rsplit_once(':')?;
    port.trim_end_matches('/').parse().ok()
}

fn answering(port: u16, lines: &Receiver<String>, started: Instant) -> Result<u16, String> {
    let mut last = "it does not listen".to_owned();
    while started.elapsed() < START_MAX {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error.to_string()),
        }
        match lines.recv_timeout(Duration::from_millis(1)) {
            Ok(line) => last = line,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(last)
}
