//! Checks of the static binary, which they build the way README says.
//! They never look at the plain release binary.

use std::path::PathBuf;
use std::process::Command;

use crate::peer::{Client, Target};
use crate::process::{cargo, needs, run, status, text};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// A function that must be there, so that an empty list of symbols proves nothing.
const CONTROL: &str = "epoll_wait";
const FORBIDDEN: [&str; 2] = ["getaddrinfo", "getpwnam"];

pub fn is_static() -> Result {
    needs("ldd", "libc-bin")?;
    possible()?;
    run(cargo().arg("static"))?;
    let binary = built("target");
    let bytes = std::fs::metadata(&binary)?.len();
    let ldd = text(
        &Command::new("ldd")
            .arg(&binary)
            .env("LC_ALL", "C")
            .output()?,
    );
    let is_static = ["statically linked", "not a dynamic executable"]
        .iter()
        .any(|words| ldd.contains(words));
    ensure(is_static, || format!("ldd says: {ldd}"))?;
    let mut command = Command::new(&binary);
    command.args(["--port", "0", "--store", "memory"]);
    let server = Server::spawn(command);
    let target = Target::open()?;
    Client::connect(server.addr())?.dispatch(&target.form("hello=world"))?;
    target.wait(1)?;
    let kib = status(server.id(), "VmRSS")?;
    Ok(format!(
        "{:.2} MB, ldd: {}, {kib} KiB resident",
        bytes as f64 / 1e6,
        ldd.trim()
    ))
}

pub fn no_resolver() -> Result {
    needs("nm", "binutils")?;
    possible()?;
    let mut command = cargo();
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none");
    run(command.args(["static", "--target-dir", "target/unstripped"]))?;
    let symbols = run(Command::new("nm").arg(built("target/unstripped")))?;
    let has = |name: &str| {
        symbols
            .lines()
            .filter_map(|line| line.split_whitespace().next_back())
            .any(|symbol| symbol == name || symbol.strip_prefix("__") == Some(name))
    };
    let count = symbols.lines().count();
    ensure(has(CONTROL), || {
        format!("no {CONTROL} among {count} symbols: nothing is shown")
    })?;
    for name in FORBIDDEN {
        ensure(!has(name), || {
            format!("{name} is linked in, and crashes in a static binary")
        })?;
    }
    Ok(format!(
        "{CONTROL} is among {count} symbols, {} are not",
        FORBIDDEN.join(" and ")
    ))
}

fn possible() -> std::result::Result<(), Trouble> {
    if cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    )) {
        return Ok(());
    }
    Err(Trouble::skipped(format!(
        "cargo static is for {TARGET} only"
    )))
}

fn built(dir: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), dir, TARGET, "release", "hookah"]
        .iter()
        .collect()
}
