//! Disks that fail, are slow, or are full, while clients post: nothing is promised that does not
//! last, everything else goes on, and the server finds back by itself.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::books::{Clients, Target};
use super::site::{Server, Site};
use crate::peer::{Client, metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};

const SETTLED_MAX: Duration = Duration::from_secs(60);

/// strace on a server, with a fault of its own making.
struct Fault(Child);

impl Fault {
    fn inject(server: u32, calls: &str, fault: &str) -> std::result::Result<Fault, Trouble> {
        needs("strace", "strace")?;
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-q", "-o", "/dev/null", "-p", &server.to_string()])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{fault}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Fault(strace.spawn()?))
    }

    /// The fault is over: the tracer lets go.
    fn end(mut self) -> std::result::Result<(), Trouble> {
        crate::process::signal(self.0.id(), "INT")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Syncs fail, then writes: 503 and never a false 202, /health says so, streams and old deliveries
/// go on; when the fault is over intake opens by itself, and all that was promised is there.
pub fn io_errors() -> Result {
    let mut told = Vec::new();
    let rows = [
        ("fdatasync", "error=EIO"),
        ("pwrite64", "error=EIO"),
        ("pwrite64", "error=ENOSPC"),
        ("pwrite64", "error=EDQUOT"),
        // What a file system says that was mounted again for reading alone.
        ("pwrite64", "error=EROFS"),
    ];
    for (calls, fault) in rows {
        let site = Site::new("disks")?;
        let target = Target::open()?;
        let mut server = Server::start(&site.dir, &[])?;
        let addr = server.listens()?;
        let form = format!("_url=http://{}/&a=1", target.addr());
        let clients = Clients::start(4, addr, &form, Duration::from_millis(1));
        until("something is accepted", SETTLED_MAX, || {
            Ok(clients.accepted() > 20)
        })?;
        let injected = Fault::inject(server.id(), calls, fault)?;
        until("somebody is refused", SETTLED_MAX, || {
            Ok(clients.refused(503) > 3)
        })?;
        until("/health says so", SETTLED_MAX, || {
            Ok(Client::connect(addr)?.get("/health")?.status == 503)
        })?;
        // The loop serves on, whatever the disk does.
        let shown = Client::connect(addr)?.get("/metrics")?.status;
        ensure(shown == 200, || format!("/metrics is {shown}"))?;
        injected.end()?;
        let before = clients.accepted();
        until("intake opens again", SETTLED_MAX, || {
            Ok(clients.accepted() > before + 20)
        })?;
        let health = Client::connect(addr)?.get("/health")?.status;
        ensure(health == 200, || format!("/health is {health} afterwards"))?;
        let mut answers = clients.stop();
        // What it has promised it also has after the next restart.
        server.kill()?;
        let mut server = Server::start(&site.dir, &[])?;
        let addr = server.listens()?;
        until("all that was accepted has come", SETTLED_MAX, || {
            Ok(target.missing(&answers.acked).is_empty())
        })?;
        until("nothing is left to be delivered", SETTLED_MAX, || {
            Ok(metric(addr, "hookah_deliveries_waiting")? == 0)
        })?;
        let refused = answers.refused.remove(&503).unwrap_or(0);
        ensure(answers.refused.is_empty(), || {
            format!("other answers: {:?}", answers.refused)
        })?;
        let accepted = answers.acked.len();
        told.push(format!(
            "{calls} {fault}: {accepted} accepted, 0 lost, {refused} refused"
        ));
    }
    Ok(told.join("; "))
}

/// A sync takes two seconds: who only reads or delivers does not feel it, and nobody is told 202
/// before it is over.
pub fn slow_sync() -> Result {
    let site = Site::new("slow")?;
    let target = Target::open()?;
    let mut server = Server::start(&site.dir, &[])?;
    let addr = server.listens()?;
    let form = format!("_url=http://{}/&a=1", target.addr());
    let clients = Clients::start(4, addr, &form, Duration::ZERO);
    until("something is accepted", SETTLED_MAX, || {
        Ok(clients.accepted() > 20)
    })?;
    let injected = Fault::inject(server.id(), "fdatasync", "delay_enter=2000000")?;
    std::thread::sleep(Duration::from_secs(1));
    let mut slowest = Duration::ZERO;
    let end = std::time::Instant::now() + Duration::from_secs(7);
    while std::time::Instant::now() < end {
        let began = std::time::Instant::now();
        let status = Client::connect(addr)?.get("/metrics")?.status;
        ensure(status == 200, || format!("/metrics is {status}"))?;
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    injected.end()?;
    let answers = clients.stop();
    ensure(slowest < Duration::from_millis(500), || {
        format!("a client that waits for no disk waited {slowest:?}")
    })?;
    until("all that was accepted has come", SETTLED_MAX, || {
        Ok(target.missing(&answers.acked).is_empty())
    })?;
    let longest = answers.waits.iter().max().copied().unwrap_or_default();
    ensure(longest >= Duration::from_millis(1_500), || {
        format!("no 202 waited for its sync: {longest:?} at most")
    })?;
    Ok(format!(
        "{} accepted, the longest 202 took {longest:?}, other requests {slowest:?} at most",
        answers.acked.len()
    ))
}

/// A small tmpfs fills up: intake is refused, deliveries go on, and with room it opens again.
pub fn full() -> Result {
    let site = Site::new("full")?;
    let mount = Mount::tmpfs(&site, "48m")?;
    let target = Target::open()?;
    let flags = ["--min-free=8MiB", "--keep-age=1s", "--keep-bytes=1MiB"];
    let mut server = Server::start(&mount.at, &flags)?;
    let addr = server.listens()?;
    let filler = "x".repeat(32 << 10);
    // They wait for later, so that no end of theirs makes room.
    let later = format!("_url=http://{}/&_delay=2h&a={filler}", target.addr());
    let clients = Clients::start(2, addr, &later, Duration::from_millis(1));
    until("the disk is full and says so", SETTLED_MAX, || {
        Ok(clients.refused(503) > 3)
    })?;
    let answers = clients.stop();
    let accepted = answers.acked.len();
    ensure(accepted > 50, || format!("only {accepted} fitted"))?;
    let status = Client::connect(addr)?.get("/health")?.status;
    ensure(status == 503, || {
        format!("/health is {status} on a full disk")
    })?;
    let mut canceled = 0;
    for id in &answers.acked {
        let mut client = Client::connect(addr)?;
        let ask = format!("DELETE /messages/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.send(ask.as_bytes())?;
        canceled += u64::from(client.answer()?.status == 200);
    }
    ensure(canceled == accepted as u64, || {
        format!("{canceled} of {accepted} could be called off")
    })?;
    let small = format!("_url=http://{}/&a=1", target.addr());
    let clients = Clients::start(1, addr, &small, Duration::from_millis(5));
    until("intake opens again", SETTLED_MAX, || {
        Ok(clients.accepted() > 5)
    })?;
    let after = clients.stop();
    until("what was accepted then has come", SETTLED_MAX, || {
        Ok(target.missing(&after.acked).is_empty())
    })?;
    Ok(format!(
        "{accepted} of 32 KiB fitted on 48 MiB, then 503; all called off, and intake opened again"
    ))
}

/// A file system in memory, at the site.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn tmpfs(site: &Site, size: &str) -> std::result::Result<Mount, Trouble> {
        let at = site.dir.join("tmp");
        std::fs::create_dir_all(&at)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        match run(mount.arg(&at)) {
            Ok(_) => Ok(Mount { at }),
            Err(Trouble::Failed(why)) => Err(Trouble::skipped(format!("it takes root: {why}"))),
            Err(other) => Err(other),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
