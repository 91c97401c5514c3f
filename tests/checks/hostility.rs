//! Hostile peers, where it takes a clock, a kernel's help or numbers to see that they cost nobody
//! else anything: storms, standing still, routes that lead nowhere.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::hostile::Hostile;
use crate::message::Wire;
use crate::namespace::apart;
use crate::peer::{Client, Target, metric, until};
use crate::process::{self, signal};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;
use crate::ways;

type Found<T> = std::result::Result<T, Trouble>;

/// Others get theirs within this, on a machine that has other things to do.
const OTHERS_MAX: Duration = Duration::from_secs(1);
/// What an idle process may use of a second.
const IDLE_MAX: u64 = 50_000_000;

/// Webhooks to a target that is well, one after the other: the slowest, from POST to arrival.
fn slowest(addr: SocketAddr, count: usize) -> Found<Duration> {
    let well = Target::open()?;
    let mut client = Client::connect(addr)?;
    let mut slowest = Duration::ZERO;
    for number in 1..=count {
        let began = Instant::now();
        client.dispatch(&well.form("hello=world"))?;
        well.wait(number)?;
        slowest = slowest.max(began.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    Ok(slowest)
}

/// The first attempt at a message, as its JSON says it.
fn attempts(addr: SocketAddr, id: &str) -> io::Result<String> {
    Ok(Client::connect(addr)?.get(&format!("/messages/{id}"))?.body)
}

/// Processor time used in a second in which nothing happens.
fn idle(id: u32) -> io::Result<u64> {
    let before = process::cpu_ns(id)?;
    thread::sleep(Duration::from_secs(1));
    Ok(process::cpu_ns(id)? - before)
}

/// Every way to be hostile at once, again and again, beside a target that is well.
pub fn crowd() -> Result {
    let server = Server::start();
    let (addr, id) = (server.addr(), server.id());
    let calm = slowest(addr, 50)?;
    let base = process::descriptors(id)?;
    let rows = ways::rows();
    let hostile: Vec<Hostile> = rows
        .iter()
        .map(|row| Hostile::new(row, usize::MAX))
        .collect();
    let mut client = Client::connect(addr)?;
    for target in &hostile {
        for _ in 0..20 {
            let url = target.url();
            let more = "_timeout=2s&_retries=9&_retry_schedule=1s&_expires=15s&a=1";
            client.dispatch(&format!("_url={url}&{more}"))?;
        }
    }
    let beside = slowest(addr, 200)?;
    until("all have ended", Duration::from_secs(120), || {
        Ok(metric(addr, "hookah_deliveries_waiting")? == 0)
    })?;
    drop(hostile);
    until("lines are given up", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_calls_waiting")? == 0)
    })?;
    let (left, used) = (process::descriptors(id)?, idle(id)?);
    let found = format!(
        "{} ways, 20 webhooks each; the other got its own in {beside:.1?} at most ({calm:.1?} \
         alone); then {left} descriptors ({base} before), {used} ns of a second",
        rows.len()
    );
    ensure(beside < OTHERS_MAX && used < IDLE_MAX, || found.clone())?;
    Ok(found)
}

/// A target that has heard so many requests and answers them once it is told to.
fn held() -> io::Result<(SocketAddr, Receiver<()>, Sender<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let (heard, hears) = channel();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut lines = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            let mut wire = Wire::new(stream);
            let Some(head) = wire.head() else { continue };
            wire.exact(head.fields.length().unwrap_or(0));
            lines.push(wire);
            let _ = heard.send(());
            if lines.len() == HELD {
                break;
            }
        }
        let _ = told.recv();
        for wire in &mut lines {
            let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            let _ = wire.stream.write_all(ok);
        }
        let _ = told.recv();
    });
    Ok((addr, hears, tell))
}

/// Calls in flight while the server is stopped; no more than one origin has at once.
const HELD: usize = 50;

/// The server is stopped for five seconds; targets that owe an answer within two give it a moment
/// after it goes on.
pub fn stopped_server() -> Result {
    let server = Server::start();
    let (addr, id) = (server.addr(), server.id());
    let (target, hears, tell) = held()?;
    let mut client = Client::connect(addr)?;
    for _ in 0..HELD {
        client.dispatch(&format!("_url=http://{target}/&_timeout=2s&a=1"))?;
    }
    let unheard = |_| Trouble::failed("a webhook did not come");
    for _ in 0..HELD {
        hears
            .recv_timeout(Duration::from_secs(5))
            .map_err(unheard)?;
    }
    signal(id, "STOP")?;
    thread::sleep(Duration::from_secs(5));
    signal(id, "CONT")?;
    let went_on = Instant::now();
    Client::connect(addr)?.get("/health")?;
    let answered = went_on.elapsed();
    let _ = tell.send(());
    until("all are delivered", Duration::from_secs(10), || {
        let delivered = metric(addr, "hookah_deliveries_delivered_total")?;
        let failed = metric(addr, "hookah_attempts_failed_total")?;
        Ok(delivered + failed >= HELD as u64)
    })?;
    let failed = metric(addr, "hookah_attempts_failed_total")?;
    let noticed = metric(addr, "hookah_stood_still_total")?;
    let found = format!(
        "stopped for 5 s with {HELD} calls in flight that have 2 s each: {failed} failed, noticed \
         {noticed} time(s), answers again after {answered:.1?}"
    );
    let fine = failed == 0 && noticed == 1 && answered < OTHERS_MAX;
    ensure(fine, || found.clone())?;
    Ok(found)
}

/// A listener whose queue is full: connections to it hang.
pub fn syn_lost() -> Result {
    let server = Server::start();
    let addr = server.addr();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(0)?;
    let full = socket.local_addr()?.as_socket();
    let full = full.ok_or_else(|| Trouble::failed("no address"))?;
    let mut crowd = Vec::new();
    let moment = Duration::from_millis(300);
    while let Ok(stream) = TcpStream::connect_timeout(&full, moment) {
        crowd.push(stream);
    }
    let mut client = Client::connect(addr)?;
    let form = format!("_url=http://{full}/&_retry_schedule=1s&_retries=1&a=1");
    let began = Instant::now();
    let id = client.accepted_id(&form)?;
    let beside = slowest(addr, 100)?;
    until("it is given up", Duration::from_secs(20), || {
        Ok(metric(addr, "hookah_deliveries_failed_total")? == 1)
    })?;
    let took = began.elapsed();
    let said = attempts(addr, &id)?;
    let words = said.matches("\"detail\":\"connect_timeout\"").count();
    let found = format!(
        "{} connections fill it; two attempts in {took:.1?}, {words} with connect_timeout; the \
         other got its own in {beside:.1?} at most",
        crowd.len()
    );
    let fine = words == 2 && took > Duration::from_secs(10) && beside < OTHERS_MAX;
    ensure(fine, || format!("{found}\n{said}"))?;
    Ok(found)
}

const ROUTES: &str = "ip addr add 10.8.0.1/32 dev lo && ip route add unreachable 10.9.9.1 && \
                      ip route add prohibit 10.9.9.2 && ip route add blackhole 10.9.9.3";

/// Routes that lead nowhere, each in its own way, and none at all.
pub fn routes() -> Result {
    apart("hostile: routes that lead nowhere", ROUTES, || {
        let server = Server::start();
        let addr = server.addr();
        let mut client = Client::connect(addr)?;
        let mut ids = Vec::new();
        for host in ["10.9.9.1", "10.9.9.2", "10.9.9.3", "10.7.7.7"] {
            let form = format!("_url=http://{host}/&_retry_schedule=100ms&_retries=1&a=1");
            ids.push(client.accepted_id(&form)?);
        }
        let beside = slowest(addr, 20)?;
        until("all are given up", Duration::from_secs(10), || {
            Ok(metric(addr, "hookah_deliveries_failed_total")? == 4)
        })?;
        for id in &ids {
            let said = attempts(addr, id)?;
            let words = said.matches("\"detail\":\"unreachable\"").count();
            ensure(words == 2, || said)?;
        }
        ensure(beside < OTHERS_MAX, || {
            format!("the other waited {beside:.1?}")
        })?;
        Ok("unreachable, prohibit, blackhole, none: each is unreachable, and tried again".into())
    })
}

const NARROW: &str = "ip link set lo mtu 1500 && \
                      tc qdisc add dev lo root tbf rate 256kbit burst 4kb latency 100ms";

/// A road that takes a few kilobytes a second and loses the rest.
pub fn narrow() -> Result {
    process::needs("tc", "iproute2")?;
    apart("hostile: a road that is narrow", NARROW, || {
        let server = Server::start();
        let target = Target::open()?;
        let mut client = Client::connect(server.addr())?;
        let began = Instant::now();
        let body = "x".repeat(20_000);
        for _ in 0..5 {
            client.dispatch(&target.form(&format!("_timeout=1m&_retries=5&a={body}")))?;
        }
        target.wait(5)?;
        Ok(format!(
            "5 webhooks of 20 kB in {:.1?} at 256 kbit/s",
            began.elapsed()
        ))
    })
}

/// Clients whose machine is gone from one moment to the next: no FIN and no reset comes, ever.
pub fn vanished() -> Result {
    apart("hostile: clients that vanish", "true", || {
        let flags = ["--port=0", "--keepalive=5s", "--stall-timeout=2s"];
        let server = Server::with(flags.into_iter().chain(["--idle-timeout=2s"]));
        let (addr, id) = (server.addr(), server.id());
        let base = process::descriptors(id)?;
        let mut clients = Vec::new();
        for _ in 0..VANISHED {
            let mut client = Client::connect(addr)?;
            client.send(b"GET /stream?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            clients.push(client);
        }
        until("all of them read", Duration::from_secs(10), || {
            Ok(metric(addr, "hookah_streams")? == VANISHED as u64)
        })?;
        process::run(Command::new("ip").args(["link", "set", "lo", "down"]))?;
        let began = Instant::now();
        until("nothing is held for them", Duration::from_secs(30), || {
            Ok(process::descriptors(id)? <= base)
        })?;
        let took = began.elapsed();
        process::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        let held = metric(addr, "hookah_streams")?;
        ensure(held == 0, || format!("{held} streams are left"))?;
        Ok(format!(
            "{VANISHED} readers vanish; {took:.1?} later nothing is held for them (a sign of life \
             each 5 s, twice 2 s of silence)"
        ))
    })
}

/// Readers that vanish.
const VANISHED: usize = 200;

/// Clients that come and go, or reset, as fast as they can; targets that reset every connection.
pub fn storms() -> Result {
    let server = Server::start();
    let (addr, id) = (server.addr(), server.id());
    slowest(addr, 10)?;
    let base = (process::descriptors(id)?, process::status(id, "VmRSS")?);
    let clients = come_and_go(addr);
    let rows = ways::rows();
    let resets = rows.iter().filter(|row| row.name.starts_with("reset"));
    let targets: Vec<Hostile> = resets.map(|row| Hostile::new(row, usize::MAX)).collect();
    let mut client = Client::connect(addr)?;
    for _ in 0..200 {
        for target in &targets {
            client.dispatch(&format!("_url={}&_retries=0&a=1", target.url()))?;
        }
    }
    let beside = slowest(addr, 100)?;
    let connections = ROUNDS * clients.len();
    for client in clients {
        client
            .join()
            .map_err(|_| Trouble::failed("a storm broke"))?;
    }
    until("the clients are gone", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_lines_inbound")? <= 2)
    })?;
    let (left, used) = (process::descriptors(id)?, idle(id)?);
    let growth = process::status(id, "VmRSS")?.saturating_sub(base.1);
    server.signal("TERM");
    let (status, said) = server.wait();
    let lines = said.lines().count();
    let found = format!(
        "{connections} connections of clients, {} webhooks to {} that reset; the other got \
         its own in {beside:.1?} at most; then {left} descriptors ({} before), {growth} KiB \
         more, {used} ns of a second; {lines} lines of log",
        200 * targets.len(),
        targets.len(),
        base.0
    );
    let fine = left <= base.0 + 16 && growth < 32 << 10 && used < IDLE_MAX;
    let fine = fine && beside < OTHERS_MAX && lines < 1_000 && status.success();
    ensure(fine, || found.clone())?;
    Ok(found)
}

/// Connections of each of the storms.
const ROUNDS: usize = 5_000;

/// Clients that connect again and again, and each time only to go.
fn come_and_go(addr: SocketAddr) -> Vec<thread::JoinHandle<()>> {
    let storms: [fn(TcpStream) -> io::Result<()>; 4] = [
        |stream| stream.set_nodelay(true),
        reset,
        |mut stream| {
            stream.write_all(b"POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Le")?;
            reset(stream)
        },
        |mut stream| {
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            reset(stream)
        },
    ];
    let again = |storm: fn(TcpStream) -> io::Result<()>| {
        thread::spawn(move || {
            for _ in 0..ROUNDS {
                let _ = TcpStream::connect(addr).and_then(storm);
            }
        })
    };
    storms.map(again).into()
}

fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
