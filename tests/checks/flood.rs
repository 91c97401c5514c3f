//! Floods against the bound on memory, in a memory cgroup where the machine lets us have one: it
//! holds, nobody is killed, and whoever comes with a normal request is served.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{Client, metric, until};
use crate::process;
use crate::report::{Result, Trouble, ensure};
use crate::server::{Server, hookah};

const LIMIT: u64 = 64 << 20;
const OTHERS_MAX: Duration = Duration::from_secs(1);

/// A group of processes with a bound on their memory; gone with this value.
struct Cgroup {
    path: PathBuf,
    /// Of the second version, which counts sockets' buffers too.
    unified: bool,
}

impl Cgroup {
    fn new() -> std::result::Result<Cgroup, Trouble> {
        let name = format!("hookah-checks-{}", std::process::id());
        let old = PathBuf::from("/sys/fs/cgroup/memory");
        let unified = !old.is_dir();
        let path = match unified {
            true => PathBuf::from("/sys/fs/cgroup").join(name),
            false => old.join(name),
        };
        let cannot = |why| {
            Trouble::skipped(format!(
                "no memory cgroup can be made here ({why}); be root"
            ))
        };
        fs::create_dir(&path).map_err(cannot)?;
        let group = Cgroup { path, unified };
        let file = if unified {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        fs::write(group.path.join(file), LIMIT.to_string()).map_err(cannot)?;
        if !unified {
            // Sockets' buffers are counted from here on, apart.
            let sockets = group.path.join("memory.kmem.tcp.limit_in_bytes");
            let _ = fs::write(sockets, LIMIT.to_string());
        }
        Ok(group)
    }

    fn number(&self, file: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Bytes now, and of sockets' buffers, in MiB.
    fn used(&self) -> (u64, u64) {
        let (all, sockets) = match self.unified {
            true => ("memory.current", 0),
            false => (
                "memory.usage_in_bytes",
                self.number("memory.kmem.tcp.max_usage_in_bytes"),
            ),
        };
        (self.number(all) >> 20, sockets >> 20)
    }

    fn peak(&self) -> u64 {
        let file = match self.unified {
            true => "memory.peak",
            false => "memory.max_usage_in_bytes",
        };
        self.number(file) >> 20
    }

    fn kills(&self) -> u64 {
        let file = if self.unified {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start(group: &Cgroup) -> Server {
    let mut command = Command::new("sh");
    let tasks = group.path.join("cgroup.procs");
    let script = format!("echo $$ > {} && exec \"$0\" \"$@\"", tasks.display());
    command.args(["-c", &script, env!("CARGO_BIN_EXE_hookah")]);
    command.args(["--port", "0", "--max-memory", "32MiB", "--store", "memory"]);
    for (name, value) in hookah().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Server::spawn(command)
}

/// What comes back to whoever floods.
#[derive(Default, Debug)]
struct Told {
    taken: u64,
    refused: u64,
}

impl Told {
    fn note(&mut self, answer: &[u8]) {
        match answer.get(9..12) {
            Some(b"202") => self.taken += 1,
            Some(b"503") => self.refused += 1,
            _ => {}
        }
    }
}

/// Bodies of a MiB for a target that never answers, over eight lines, until told to stop.
fn bodies(
    addr: SocketAddr,
    stop: &Arc<AtomicBool>,
    target: SocketAddr,
) -> thread::JoinHandle<Told> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let mut told = Told::default();
        let head = format!(
            "POST /dispatch?_url=http://{target}/ HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: a/b\r\nContent-Length: {}\r\n\r\n",
            1_000_000
        );
        let body = vec![b'x'; 1_000_000];
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(addr) else {
                continue;
            };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
            let mut answer = [0; 64];
            let len = stream.read(&mut answer).unwrap_or(0);
            told.note(&answer[..len]);
        }
        told
    })
}

/// So many lines that have each sent a part of a request.
fn halves(addr: SocketAddr, count: usize) -> std::io::Result<Vec<TcpStream>> {
    let mut lines = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = TcpStream::connect(addr)?;
        let begun = match number % 2 {
            0 => format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000)),
            _ => {
                let head =
                    "POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
                head.to_owned() + &"x".repeat(20_000)
            }
        };
        stream.set_nonblocking(true)?;
        let _ = stream.write(begun.as_bytes());
        lines.push(stream);
    }
    Ok(lines)
}

/// Readers that never read.
fn readers(addr: SocketAddr, count: usize) -> std::io::Result<Vec<TcpStream>> {
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(b"GET /stream?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        lines.push(stream);
    }
    Ok(lines)
}

/// A normal request now and then: the slowest, and how often it was served or refused.
fn normal(addr: SocketAddr, span: Duration) -> std::io::Result<(Duration, Told)> {
    let (mut slowest, mut told) = (Duration::ZERO, Told::default());
    let began = Instant::now();
    let topic = "POST /dispatch?_topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Type: a/b\r\n";
    let publish = format!("{topic}Content-Length: 8192\r\n\r\n{}", "y".repeat(8_192));
    while began.elapsed() < span {
        let asked = Instant::now();
        let status = Client::connect(addr)?.get("/health")?.status;
        slowest = slowest.max(asked.elapsed());
        if status != 200 {
            return Err(std::io::Error::other(format!("/health is told {status}")));
        }
        let asked = Instant::now();
        let mut client = Client::connect(addr)?;
        client.send(publish.as_bytes())?;
        match client.answer()?.status {
            202 => told.taken += 1,
            _ => told.refused += 1,
        }
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    Ok((slowest, told))
}

/// All of it at once, in 64 MiB of memory, of which the server may use 32.
pub fn memory() -> Result {
    let group = Cgroup::new()?;
    let server = start(&group);
    let (id, addr) = (server.id(), server.addr());
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let (stop, target) = (Arc::new(AtomicBool::new(false)), silent.local_addr()?);
    let reading = readers(addr, 1_000)?;
    let halved = halves(addr, 4_000)?;
    let flooding: Vec<_> = (0..8).map(|_| bodies(addr, &stop, target)).collect();
    let found = normal(addr, Duration::from_secs(8));
    let (during, rss) = (group.used(), process::status(id, "VmRSS")? >> 10);
    let lines = metric(addr, "hookah_lines_inbound")?;
    stop.store(true, Ordering::Relaxed);
    let mut flood = Told::default();
    for thread in flooding {
        let told = thread
            .join()
            .map_err(|_| Trouble::failed("a flood broke"))?;
        flood.taken += told.taken;
        flood.refused += told.refused;
    }
    let (slowest, told) = found?;
    drop((reading, halved));
    until("the lines are closed", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_lines_inbound")? <= 2)
    })?;
    let after = metric(addr, "hookah_bytes_held")? >> 20;
    let (kills, peak) = (group.kills(), group.peak());
    let found = format!(
        "{lines} lines; bodies: {} taken, {} told 503; normal requests in {slowest:.1?} at most, \
         {} publishes taken, {} told 503; {rss} MiB resident, {} MiB with the kernel's, {peak} at \
         most, sockets {} MiB, {kills} kills; afterwards {after} MiB on the account",
        flood.taken, flood.refused, told.taken, told.refused, during.0, during.1
    );
    let fine = kills == 0 && slowest < OTHERS_MAX && flood.refused > 0 && rss < 48;
    ensure(fine, || found.clone())?;
    Ok(found)
}
