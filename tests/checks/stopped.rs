//! A reader that is stopped: a real curl, by SIGSTOP. Nobody else may feel it, the server must not
//! grow, and it must find its place again when it goes on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::peer::{Client, metric, until};
use crate::process::{self, needs, signal};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;
use crate::streams::{Curl, PATIENCE, Tap, settled, tap};

/// How the server is loaded while a reader is stopped.
struct Load {
    stall_timeout: &'static str,
    stopped_for: Duration,
    pause: Duration,
    body_bytes: usize,
}

/// The others' p99 from the POST to the line, on a machine that has other things to do, too.
const P99_MAX: Duration = Duration::from_millis(100);
const GROWTH_KIB_MAX: u64 = 24 << 10;

pub fn shortly() -> Result {
    stopped(&Load {
        stall_timeout: "2s",
        stopped_for: Duration::from_secs(5),
        pause: Duration::from_millis(5),
        body_bytes: 4 << 10,
    })
}

/// A minute, with the time that a stream is given by default.
pub fn for_a_minute() -> Result {
    stopped(&Load {
        stall_timeout: "30s",
        stopped_for: Duration::from_secs(60),
        pause: Duration::from_millis(25),
        body_bytes: 2 << 10,
    })
}

/// Messages go on, one after the other, and the others' reader says when each came.
struct Publisher {
    client: Client,
    posted: Vec<Instant>,
    filler: String,
}

impl Publisher {
    fn publish(&mut self) -> std::result::Result<(), Trouble> {
        let number = self.posted.len();
        self.posted.push(Instant::now());
        let form = format!("_topic=news&n={number}&x={}", self.filler);
        self.client.dispatch(&form)?;
        Ok(())
    }

    fn publish_for(&mut self, span: Duration, pause: Duration) -> std::result::Result<(), Trouble> {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.publish()?;
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// From each POST to the line of the reader, who must get all in order; the longest last.
    fn waits(&self, reader: &Tap) -> std::result::Result<Vec<Duration>, Trouble> {
        let mut waits = Vec::new();
        while let Some(posted) = self.posted.get(waits.len()) {
            let got = reader.recv_timeout(PATIENCE);
            let (at, line) = got.map_err(|_| Trouble::failed("the others' reader got less"))?;
            if !line.is_empty() {
                ensure(line.starts_with(&format!("n={}&", waits.len())), || {
                    format!("out of order at {}", waits.len())
                })?;
                waits.push(at.saturating_duration_since(*posted));
            }
        }
        waits.sort();
        Ok(waits)
    }
}

fn stopped(load: &Load) -> Result {
    needs("curl", "curl")?;
    let server = Server::with([
        "--listen=127.0.0.1:0",
        "--stall-timeout",
        load.stall_timeout,
        // All that is published here is kept, so that whoever comes back finds it.
        "--backlog-messages=100000",
        "--backlog-bytes=12MiB",
    ]);
    let addr = server.addr();
    let others = tap(addr, "topic=news")?;
    let curl = Curl::start(addr, "topic=news&format=sse", &[])?;
    settled(addr, 2)?;
    let mut publisher = Publisher {
        client: Client::connect(addr)?,
        posted: Vec::new(),
        filler: "x".repeat(load.body_bytes),
    };
    publisher.publish_for(Duration::from_secs(1), load.pause)?;
    let before = process::status(server.id(), "VmRSS")?;
    signal(curl.id(), "STOP")?;
    publisher.publish_for(load.stopped_for, load.pause)?;
    let growth = process::status(server.id(), "VmRSS")?.saturating_sub(before);
    let ended = metric(addr, "hookah_timeouts_stall_total")?;
    let left = metric(addr, "hookah_streams")?;
    signal(curl.id(), "CONT")?;
    let first = comes_back(addr, &curl, &mut publisher)?;
    let all = publisher.posted.len();
    let waits = publisher.waits(&others)?;
    let (p50, p99, most) = (waits[all / 2], waits[all * 99 / 100], waits[all - 1]);
    let kept = (load.body_bytes * all) >> 10;
    let found = format!(
        "{all} messages, others' p50 {p50:.1?}, p99 {p99:.1?}, max {most:.1?}; stopped after \
         {first}, ended: {ended}; {growth} KiB more, of which {kept} are the backlog; back with \
         Last-Event-ID it got the other {}",
        all - first
    );
    let bounded = growth <= GROWTH_KIB_MAX + 2 * kept as u64;
    let fine = p99 <= P99_MAX && ended == 1 && left == 1 && bounded;
    ensure(fine, || {
        format!("{found}; allowed: p99 {P99_MAX:?}, {GROWTH_KIB_MAX} KiB")
    })?;
    Ok(found)
}

/// The reader goes on and finds its stream ended; with the id that it got last it comes again, and
/// gets everything else once. How many messages it got before.
fn comes_back(
    addr: SocketAddr,
    curl: &Curl,
    publisher: &mut Publisher,
) -> std::result::Result<usize, Trouble> {
    let mut seen = numbers(curl, None)?;
    let last = seen.values().max().cloned().unwrap_or_default();
    let again = ["-H", &format!("Last-Event-ID: {last}")];
    let again = Curl::start(addr, "topic=news&format=sse", &again)?;
    settled(addr, 2)?;
    publisher.publish()?;
    let (first, all) = (seen.len(), publisher.posted.len());
    let more = numbers(&again, Some(all - 1))?;
    ensure(!more.keys().any(|number| seen.contains_key(number)), || {
        "it got something twice".to_owned()
    })?;
    seen.extend(more);
    ensure(seen.len() == all, || {
        format!("{} of {all} messages", seen.len())
    })?;
    Ok(first)
}

/// The numbers of the messages that curl prints, with their ids: up to that one, or to the end.
fn numbers(
    curl: &Curl,
    last: Option<usize>,
) -> std::result::Result<BTreeMap<usize, String>, Trouble> {
    let mut found = BTreeMap::new();
    let mut id = String::new();
    let (mut begun, mut number) = (None, None);
    while last.is_none() || number != last {
        let line = match curl.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) if last.is_none() => return Ok(found),
            Err(_) => return Err(Trouble::failed(format!("nothing after {number:?}"))),
        };
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.to_owned();
        }
        let data = line.strip_prefix("data: {\"id\":");
        if let Some(n) = data.and_then(|data| data.split("\"n\":\"").nth(1)?.split('"').next()) {
            begun = n.parse().ok();
        }
        // An event counts when its empty line has come.
        if let Some(n) = begun.take_if(|_| line.is_empty()) {
            found.insert(n, id.clone());
            number = Some(n);
        }
    }
    Ok(found)
}

/// Stopped readers are many: publishing costs nobody a wait.
pub fn crowd() -> Result {
    needs("curl", "curl")?;
    const CURLS: usize = 20;
    let server = Server::with(["--listen=127.0.0.1:0", "--backlog-messages=0"]);
    let addr = server.addr();
    let others = tap(addr, "topic=news")?;
    let curls: std::io::Result<Vec<Curl>> = (0..CURLS)
        .map(|_| Curl::start(addr, "topic=news", &[]))
        .collect();
    let curls = curls?;
    settled(addr, CURLS as u64 + 1)?;
    for curl in &curls {
        signal(curl.id(), "STOP")?;
    }
    let mut publisher = Publisher {
        client: Client::connect(addr)?,
        posted: Vec::new(),
        filler: "x".repeat(100_000),
    };
    publisher.publish_for(Duration::from_secs(3), Duration::from_millis(10))?;
    let all = publisher.posted.len();
    let slowest = publisher.waits(&others)?[all - 1];
    until("all that are stopped are ended", PATIENCE, || {
        Ok(metric(addr, "hookah_streams_slow_total")? == CURLS as u64)
    })?;
    let found = format!("{all} times 100 kB beside {CURLS}: the slowest after {slowest:.1?}");
    ensure(slowest < Duration::from_secs(1), || found.clone())?;
    Ok(found)
}
