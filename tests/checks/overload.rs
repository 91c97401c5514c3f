//! Checks of a server in trouble: out of descriptors, among slow and stopped peers, told to stop.
//! Each asks the same: does everybody else go on?

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Client, Target, dispatch, metric, until};
use crate::process::{self, needs, run};
use crate::readme::Example;
use crate::report::{Result, Trouble, ensure};
use crate::server::{NAMES, Server, hookah};

const OTHERS_MAX: Duration = Duration::from_secs(1);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The limit on descriptors falls under a live server, and 160 connections come.
pub fn descriptors() -> Result {
    needs("prlimit", "util-linux")?;
    let server = Server::start();
    let (id, addr) = (server.id(), server.addr());
    let mut old = Client::connect(addr)?;
    old.get("/health")?;
    let base = process::descriptors(id)?;
    limit(id, base + 8)?;
    let mut crowd = Vec::new();
    for _ in 0..160 {
        let mut client = Client::connect(addr)?;
        client.send(HEALTH)?;
        crowd.push(client);
    }
    let (began, cpu) = (Instant::now(), process::cpu_ns(id)?);
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        let status = old.get("/health")?.status;
        ensure(status == 200, || {
            format!("an old connection is told {status}")
        })?;
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    let wall_ns = began.elapsed().as_nanos() as f64;
    let share = (process::cpu_ns(id)? - cpu) as f64 / wall_ns * 100.0;
    let mut counts = [0, 0];
    for client in &mut crowd {
        match client.answer().map(|answer| answer.status)? {
            200 => counts[0] += 1,
            503 => counts[1] += 1,
            other => return Err(Trouble::failed(format!("a new connection is told {other}"))),
        }
    }
    drop(crowd);
    until("the descriptors come back", OTHERS_MAX, || {
        Ok(process::descriptors(id)? <= base)
    })?;
    let back = Client::connect(addr)?.get("/health")?.status;
    let found = format!(
        "old ones answered in {slowest:.1?} at most, {share:.1} % CPU; of 160 new ones {} served, \
         {} told 503, none left waiting; then {back} again",
        counts[0], counts[1]
    );
    let fine = slowest < OTHERS_MAX && share < 20.0 && counts[1] > 0 && back == 200;
    ensure(fine, || found.clone())?;
    Ok(found)
}

fn limit(id: u32, descriptors: usize) -> std::result::Result<(), Trouble> {
    let mut command = Command::new("prlimit");
    run(command.args([format!("--pid={id}"), format!("--nofile={descriptors}:")])).map(drop)
}

/// Accept fails, with the spare descriptor too; no further edge comes for who waits already.
pub fn accept_again() -> Result {
    needs("strace", "strace")?;
    let log = tempfile("accept");
    let mut command = Command::new("strace");
    command.args(["-D", "-q", "-o", &log, "-e", "trace=accept4"]);
    command.args(["-e", "inject=accept4:error=ENOMEM:when=1..2"]);
    command.args([env!("CARGO_BIN_EXE_hookah"), "--port", "0"]);
    command
        .env("HOOKAH_STORE", "memory")
        .env("HOOKAH_HOST_NAME", NAMES);
    let server = Server::spawn(command);
    let began = Instant::now();
    let status = Client::connect(server.addr())?.get("/health")?.status;
    let took = began.elapsed();
    drop(server);
    let traced = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    ensure(traced.contains("(INJECTED)"), || {
        format!("strace injected nothing:\n{traced}")
    })?;
    let found = format!("two failures, then {status} after {took:.1?}");
    ensure(status == 200 && took < OTHERS_MAX, || found.clone())?;
    Ok(found)
}

/// A file of our own under the temporary directory.
pub fn tempfile(name: &str) -> String {
    let file = format!("hookah-checks-{}-{name}", std::process::id());
    std::env::temp_dir().join(file).display().to_string()
}

/// Clients that send a byte of a head now and then, and one that wants something.
pub fn slow_clients() -> Result {
    let server = Server::start();
    let addr = server.addr();
    let target = Target::open()?;
    let mut slow = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(b"POST /dispatch HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")?;
        slow.push(stream);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let dripping = thread::spawn(move || {
        let mut drips = 0;
        while !stopped.load(Ordering::Relaxed) {
            for stream in &mut slow {
                drips += usize::from(stream.write_all(b"a").is_ok());
            }
            thread::sleep(Duration::from_millis(50));
        }
        drips
    });
    let slowest = deliveries(addr, &target, 50);
    let open = metric(addr, "hookah_lines_inbound")?;
    stop.store(true, Ordering::Relaxed);
    let drips = dripping
        .join()
        .map_err(|_| Trouble::failed("the drip broke"))?;
    let slowest = slowest?;
    let found =
        format!("50 delivered in {slowest:.1?} at most, beside {open} lines, {drips} drips");
    ensure(slowest < OTHERS_MAX && open >= 1_000, || found.clone())?;
    Ok(found)
}

/// Dispatches over new connections, one after the other; the slowest from connect to arrival.
fn deliveries(
    addr: SocketAddr,
    target: &Target,
    count: usize,
) -> std::result::Result<Duration, Trouble> {
    let mut slowest = Duration::ZERO;
    for number in 1..=count {
        let began = Instant::now();
        Client::connect(addr)?.dispatch(&target.form("hello=world"))?;
        target.wait(number)?;
        slowest = slowest.max(began.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(slowest)
}

/// A target whose process is stopped, beside one that is well.
pub fn stopped_target() -> Result {
    let stopped = Example::start()?;
    let server = Server::start();
    let addr = server.addr();
    let well = Target::open()?;
    process::signal(stopped.id(), "STOP")?;
    let form = format!(
        "_url=http://{}/&_timeout=1s&_retries=20&_retry_schedule=1s&hello=world",
        stopped.authority
    );
    let mut client = Client::connect(addr)?;
    // More than one lane takes at once.
    for _ in 0..200 {
        client.dispatch(&form)?;
    }
    let slowest = deliveries(addr, &well, 50)?;
    until("its attempts time out", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_attempts_failed_total")? >= 64)
    })?;
    process::signal(stopped.id(), "CONT")?;
    let delivered = until(
        "it gets all when it goes on",
        Duration::from_secs(30),
        || Ok(metric(addr, "hookah_deliveries_delivered_total")? == 250),
    )?;
    let found = format!(
        "the other got 50 in {slowest:.1?} at most, while 64 attempts timed out; all 200 were \
         delivered {delivered:.1?} after it went on"
    );
    ensure(slowest < OTHERS_MAX, || found.clone())?;
    Ok(found)
}

/// SIGTERM while clients post as fast as they can and a target does not answer.
pub fn drain() -> Result {
    let mut command = hookah();
    command.args(["--port", "0", "--drain-timeout", "2s"]);
    let server = Server::spawn(command);
    let addr = server.addr();
    let dead = std::net::TcpListener::bind("127.0.0.1:0")?;
    let form = format!("_url=http://{}/&hello=world", dead.local_addr()?);
    let posting: Vec<_> = (0..4)
        .map(|_| {
            let request = dispatch(&form);
            thread::spawn(move || {
                let Ok(mut client) = Client::connect(addr) else {
                    return 0;
                };
                (0..)
                    .take_while(|_| {
                        client
                            .send(&request)
                            .and_then(|()| client.accepted())
                            .is_ok()
                    })
                    .count()
            })
        })
        .collect();
    until("some are taken", Duration::from_secs(5), || {
        Ok(metric(addr, "hookah_messages_accepted_total")? > 1_000)
    })?;
    let began = Instant::now();
    server.signal("TERM");
    let (status, said) = server.wait();
    let took = began.elapsed();
    let taken: usize = posting.into_iter().filter_map(|it| it.join().ok()).sum();
    let found = format!("{status} in {took:.1?} after {taken} messages; drain-timeout was 2s");
    let fine = status.code() == Some(0) && took < Duration::from_secs(4);
    ensure(fine, || format!("{found}\n{said}"))?;
    Ok(found)
}
