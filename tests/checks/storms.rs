//! Crowds that want nothing: connections that come and go, that trickle, and Debian's tool for
//! slow clients. Nobody else notices, no descriptor is lost, and the log is not flooded.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::peer::{Client, Target, metric, until};
use crate::process::{self, needs, text};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

const OTHERS_MAX: Duration = Duration::from_secs(1);

/// Connections that are closed or reset at once, with and without a part of a request.
pub fn come_and_go() -> Result {
    let server = Server::start();
    let (id, addr) = (server.id(), server.addr());
    Client::connect(addr)?.get("/health")?;
    let (base, began) = (process::descriptors(id)?, Instant::now());
    let (mut count, mut slowest) = (0_u32, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(5) {
        for kind in 0..4 {
            let mut stream = TcpStream::connect(addr)?;
            if kind & 1 == 1 {
                let _ = stream
                    .write(b"POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n");
            }
            if kind & 2 == 2 {
                // Closing now resets.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            }
            count += 1;
        }
        if count.is_multiple_of(400) {
            let asked = Instant::now();
            let status = Client::connect(addr)?.get("/health")?.status;
            ensure(status == 200, || format!("/health is told {status}"))?;
            slowest = slowest.max(asked.elapsed());
        }
    }
    until("the descriptors come back", Duration::from_secs(5), || {
        Ok(process::descriptors(id)? <= base + 1)
    })?;
    let opened = metric(addr, "hookah_lines_opened_total")?;
    server.signal("TERM");
    let (_, said) = server.wait();
    let lines = said.lines().count();
    let found = format!(
        "{count} connections in {:.1?}, {opened} let in, others in {slowest:.1?} at most, \
         descriptors as before, {lines} lines on stderr",
        began.elapsed()
    );
    ensure(slowest < OTHERS_MAX && lines < 40, || found.clone())?;
    Ok(found)
}

/// Heads and bodies that come byte by byte on five thousand connections.
pub fn trickle() -> Result {
    let server = Server::start();
    let (id, addr) = (server.id(), server.addr());
    let target = Target::open()?;
    let mut slow = Vec::new();
    for number in 0..5_000 {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(match number % 2 {
            0 => b"POST /dispatch HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            _ => b"POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n",
        })?;
        slow.push(stream);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let dripping = thread::spawn(move || {
        let mut drips = 0_usize;
        while !stopped.load(Ordering::Relaxed) {
            for stream in &mut slow {
                drips += usize::from(stream.write_all(b"a").is_ok());
            }
            thread::sleep(Duration::from_secs(1));
        }
        drips
    });
    let (began, cpu, mut slowest) = (Instant::now(), process::cpu_ns(id)?, Duration::ZERO);
    for number in 1..=50 {
        let asked = Instant::now();
        Client::connect(addr)?.dispatch(&target.form("hello=world"))?;
        target.wait(number)?;
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    let share = (process::cpu_ns(id)? - cpu) as f64 / began.elapsed().as_nanos() as f64 * 100.0;
    let open = metric(addr, "hookah_lines_inbound")?;
    until("they are timed out", Duration::from_secs(30), || {
        Ok(metric(addr, "hookah_lines_inbound")? < 5)
    })?;
    let heads = metric(addr, "hookah_timeouts_head_total")?;
    let bodies = metric(addr, "hookah_timeouts_slow_body_total")?;
    stop.store(true, Ordering::Relaxed);
    let drips = dripping
        .join()
        .map_err(|_| Trouble::failed("the drip broke"))?;
    let found = format!(
        "50 delivered in {slowest:.1?} at most beside {open} lines and {drips} drips, {share:.1} % \
         CPU; {heads} heads and {bodies} bodies timed out"
    );
    let fine = slowest < OTHERS_MAX && share < 50.0 && open >= 5_000;
    ensure(fine && heads >= 2_000 && bodies >= 2_000, || found.clone())?;
    Ok(found)
}

/// Debian's tool for slow heads, slow bodies and slow reads, and what others see meanwhile.
pub fn slowhttptest() -> Result {
    needs("slowhttptest", "slowhttptest")?;
    let mut found = Vec::new();
    for (mode, rest) in [
        ("-H", &["-i", "2"][..]),
        ("-B", &["-i", "2", "-s", "8192"]),
        (
            "-X",
            &["-w", "10", "-y", "20", "-n", "3", "-z", "8", "-k", "3"],
        ),
    ] {
        let server = Server::start();
        let addr = server.addr();
        found.push(slow_mode(addr, mode, rest)?);
    }
    Ok(found.join("; "))
}

fn slow_mode(addr: SocketAddr, mode: &str, rest: &[&str]) -> Result {
    let mut command = Command::new("slowhttptest");
    command.args([mode, "-c", "1000", "-r", "500", "-l", "15", "-p", "1"]);
    command
        .args(rest)
        .arg("-u")
        .arg(format!("http://{addr}/metrics"));
    let running = thread::spawn(move || command.output());
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < Duration::from_secs(12) {
        let asked = Instant::now();
        let status = Client::connect(addr)?.get("/health")?.status;
        ensure(status == 200, || {
            format!("{mode}: /health is told {status}")
        })?;
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    let open = metric(addr, "hookah_lines_opened_total")?;
    let output = running
        .join()
        .map_err(|_| Trouble::failed("slowhttptest's thread broke"))??;
    let said = text(&output);
    let available = said.contains("YES");
    ensure(slowest < OTHERS_MAX, || format!("{mode}: {slowest:.1?}"))?;
    ensure(open >= 500, || format!("{mode}: only {open} lines: {said}"))?;
    Ok(format!(
        "{mode}: {open} lines, others in {slowest:.1?} at most, it says available: {available}"
    ))
}
