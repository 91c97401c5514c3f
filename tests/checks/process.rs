//! Other programs, and what the kernel says about a process of ours.
//! It never touches a process that this one did not start.

use std::fs;
use std::io;
use std::process::{Command, Output, Stdio};

use crate::report::Trouble;

/// Runs a command to its end; whatever it says comes with the failure.
pub fn run(command: &mut Command) -> Result<String, Trouble> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(text(&output));
    }
    let said = text(&output);
    let tail: Vec<&str> = said.lines().rev().take(12).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    let (program, status) = (command.get_program().display(), output.status);
    Err(Trouble::failed(format!(
        "{program}: {status}: {}",
        tail.join("\n")
    )))
}

/// Both outputs, the answer first.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Skips the check if `program` is missing.
pub fn needs(program: &str, package: &str) -> Result<(), Trouble> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) {
        return Ok(());
    }
    let advice = format!("{program} is not here; on Debian: apt-get install {package}");
    Err(Trouble::skipped(advice))
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// A number of `/proc/PID/status`, such as `VmRSS` (in KiB) or `Threads`.
pub fn status(id: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} in the status of {id}")))
}

/// Times the process gave the processor up by itself: once for each wait.
pub fn waits(id: u32) -> io::Result<u64> {
    status(id, "voluntary_ctxt_switches")
}

/// Open descriptors.
pub fn descriptors(id: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{id}/fd"))?.count())
}

/// Processor time used so far, in nanoseconds, of the process's only thread.
pub fn cpu_ns(id: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/schedstat"))?;
    let first = stat.split_whitespace().next();
    first
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("no schedstat"))
}

/// Sends a signal by name.
pub fn signal(id: u32, name: &str) -> Result<(), Trouble> {
    let mut shell = Command::new("sh");
    run(shell.args(["-c", "kill -\"$0\" \"$1\"", name, &id.to_string()])).map(drop)
}

/// Ends what this process has started.
pub fn end_children() {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return;
    };
    for thread in threads.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for id in list.split_whitespace().filter_map(|id| id.parse().ok()) {
            let _ = signal(id, "KILL");
        }
    }
}
