//! What a request and a webhook cost, in instructions and in system calls. The cost of one is the
//! difference of two runs of different length, so that the start costs nothing. It judges nothing.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::load::{self, Kind};
use crate::overload::tempfile;
use crate::peer::until;
use crate::process::needs;
use crate::report::{Result, Trouble, ensure};
use crate::server::{NAMES, Server};

const SHORT: usize = 640;
const LONG: usize = 3_200;
/// One in flight is the dearest way; with many, one turn of the loop serves several.
const LINES: [usize; 2] = [1, 64];

pub fn instructions() -> Result {
    needs("valgrind", "valgrind")?;
    let counted = |kind, count, lines| {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.args([env!("CARGO_BIN_EXE_hookah"), "--port", "0"]);
        command
            .env("HOOKAH_STORE", "memory")
            .env("HOOKAH_HOST_NAME", NAMES);
        let said = loaded(command, kind, count, lines)?;
        let total = said
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        total
            .and_then(|(_, number)| number.trim().parse::<u64>().ok())
            .ok_or_else(|| Trouble::failed(format!("no count from valgrind:\n{said}")))
    };
    costs(|kind, lines| {
        let (short, long) = (counted(kind, SHORT, lines)?, counted(kind, LONG, lines)?);
        ensure(long > short, || {
            format!("{long} for {LONG}, {short} for {SHORT}")
        })?;
        Ok(((long - short) / (LONG - SHORT) as u64).to_string())
    })
}

pub fn system_calls() -> Result {
    needs("strace", "strace")?;
    let counted = |kind, count, lines| {
        let log = tempfile("calls");
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-c", "-U", "name,calls", "-o", &log]);
        command.args([env!("CARGO_BIN_EXE_hookah"), "--port", "0"]);
        command
            .env("HOOKAH_STORE", "memory")
            .env("HOOKAH_HOST_NAME", NAMES);
        let result = loaded(command, kind, count, lines).and_then(|_| table(&log));
        let _ = fs::remove_file(&log);
        result
    };
    costs(|kind, lines| {
        let (short, long) = (counted(kind, SHORT, lines)?, counted(kind, LONG, lines)?);
        let mut rows: Vec<(f64, &String)> = long
            .iter()
            .map(|(name, calls)| {
                let more = calls.saturating_sub(short.get(name).copied().unwrap_or(0));
                (more as f64 / (LONG - SHORT) as f64, name)
            })
            .collect();
        rows.sort_by(|one, other| other.0.total_cmp(&one.0));
        let all: f64 = rows.iter().map(|(calls, _)| calls).sum();
        let most = rows.iter().take_while(|(calls, _)| *calls >= 0.01);
        let most: Vec<String> = most
            .map(|(calls, name)| format!("{name} {calls:.2}"))
            .collect();
        Ok(format!("{all:.2} ({})", most.join(", ")))
    })
}

/// Both kinds over one line and over many.
fn costs(mut cost: impl FnMut(Kind, usize) -> std::result::Result<String, Trouble>) -> Result {
    let mut text = format!("each, from {SHORT} and {LONG}:");
    for (kind, name) in [
        (Kind::Intake, "a request"),
        (Kind::Webhook, "a webhook, its request too"),
    ] {
        for lines in LINES {
            let cost = cost(kind, lines)?;
            text.push_str(&format!("\n    {name}, {lines} in flight: {cost}"));
        }
    }
    Ok(text)
}

/// Runs the load against that command, then stops it; what it said.
fn loaded(
    command: Command,
    kind: Kind,
    count: usize,
    lines: usize,
) -> std::result::Result<String, Trouble> {
    let server = Server::spawn(command);
    load::run(server.addr(), kind, count, lines)?;
    server.signal("TERM");
    let (status, said) = server.wait();
    ensure(status.success(), || format!("{status}:\n{said}"))?;
    Ok(said)
}

/// The table of `strace -c`, once it is there: the tracer outlives its child by a moment.
fn table(log: &str) -> std::result::Result<BTreeMap<String, u64>, Trouble> {
    until("strace's table", Duration::from_secs(5), || {
        let table = fs::read_to_string(log).unwrap_or_default();
        Ok(table.lines().any(|line| line.starts_with("total")))
    })?;
    let rows = fs::read_to_string(log)?;
    let rows = rows.lines().filter_map(|line| {
        let (name, calls) = line.trim().split_once(' ')?;
        Some((name.to_owned(), calls.trim().parse().ok()?))
    });
    Ok(rows.filter(|(name, _)| name != "total").collect())
}
