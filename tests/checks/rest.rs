//! Checks of a server that has nothing to do: how fast it starts, how small it is, how still.
//! It never loads one.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::Client;
use crate::process;
use crate::report::{Result, ensure};
use crate::server::Server;

const STARTS: usize = 20;
const START_MAX: Duration = Duration::from_millis(30);
const RESIDENT_KIB_MAX: u64 = 6 * 1024;
/// How long the start's own work is left to settle.
const SETTLE: Duration = Duration::from_millis(300);
/// How long stillness is watched.
const WATCH: Duration = Duration::from_secs(4);
const CROWD: usize = 1_000;

pub fn start() -> Result {
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let began = Instant::now();
            let server = Server::start();
            let took = began.elapsed();
            drop(server);
            took
        })
        .collect();
    times.sort();
    let (median, most) = (times[STARTS / 2], times[STARTS - 1]);
    let found = format!("median of {STARTS} is {median:.1?}, the slowest {most:.1?}");
    ensure(median <= START_MAX, || {
        format!("{found}; allowed: {START_MAX:?}")
    })?;
    Ok(found)
}

pub fn memory() -> Result {
    let server = Server::start();
    thread::sleep(SETTLE);
    let kib = process::status(server.id(), "VmRSS")?;
    let found = format!(
        "{kib} KiB, {} threads",
        process::status(server.id(), "Threads")?
    );
    ensure(kib <= RESIDENT_KIB_MAX, || {
        format!("{found}; allowed: {RESIDENT_KIB_MAX} KiB")
    })?;
    Ok(found)
}

pub fn idle_alone() -> Result {
    stillness(|_| Ok(vec![]))
}

pub fn idle_crowd() -> Result {
    stillness(|addr| {
        let mut crowd = Vec::with_capacity(CROWD);
        for _ in 0..CROWD {
            let mut client = Client::connect(addr)?;
            client.get("/health")?;
            crowd.push(client);
        }
        Ok(crowd)
    })
}

/// Neither a wakeup nor processor time while nothing happens.
pub fn stillness(crowd: impl FnOnce(SocketAddr) -> io::Result<Vec<Client>>) -> Result {
    let server = Server::start();
    let id = server.id();
    let crowd = crowd(server.addr())?;
    thread::sleep(SETTLE);
    let before = (process::waits(id)?, process::cpu_ns(id)?);
    thread::sleep(WATCH);
    let (waits, cpu_ns) = (
        process::waits(id)? - before.0,
        process::cpu_ns(id)? - before.1,
    );
    let kib = process::status(id, "VmRSS")?;
    let found = format!("{waits} wakeups, {cpu_ns} ns of CPU in {WATCH:?}; {kib} KiB resident");
    drop(crowd);
    ensure(waits == 0, || found.clone())?;
    Ok(found)
}
