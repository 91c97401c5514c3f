//! A loss of power, on a file system of its own whose unsynced data is thrown away at once
//! (EXT4_IOC_SHUTDOWN without a flush of its journal). A server that does not sync passes every
//! kill -9 and loses a good part of what it promised here.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::books::{Clients, Target};
use super::crash::duplicates;
use super::site::{Chance, Server, Site, rounds};
use crate::peer::{metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};

/// Megabytes of the file system.
const DISK_MIB: &str = "192";
/// Seconds between the file system's own commits: so many that it never helps.
const COMMIT: &str = "loop,commit=300";
const SETTLED_MAX: Duration = Duration::from_secs(120);

pub fn power_loop() -> Result {
    needs("mkfs.ext4", "e2fsprogs")?;
    needs("perl", "perl-base")?;
    let rounds = rounds("HOOKAH_POWER_ROUNDS", 10);
    let (mut chance, seed) = Chance::new();
    let site = Site::new("power")?;
    let disk = Disk::make(&site.dir)?;
    let target = Target::open()?;
    let (mut acked, mut cuts, mut refused) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        disk.mount()?;
        target.slow_down(Duration::from_millis(if round % 2 == 1 { 20 } else { 0 }));
        // A store's reserve is for large disks.
        let mut server = Server::start(&disk.at, &["--min-free=8MiB"])?;
        let addr = server.listens()?;
        let form = format!("_url=http://{}/&a=1", target.addr());
        let clients = Clients::start(4, addr, &form, Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(100 + chance.below(900)));
        disk.cut_power()?;
        cuts.push(Instant::now());
        // Whatever is promised from now on is a lie, and would be found out.
        std::thread::sleep(Duration::from_millis(300));
        server.kill()?;
        let answers = clients.stop();
        refused += answers.refused.values().sum::<u64>();
        acked.extend(answers.acked);
        disk.unmount()?;
    }
    disk.mount()?;
    target.slow_down(Duration::ZERO);
    let mut server = Server::start(&disk.at, &["--min-free=8MiB"])?;
    let addr = server.listens()?;
    let came = until("all that was accepted has come", SETTLED_MAX, || {
        Ok(target.missing(&acked).is_empty())
    });
    if came.is_err() {
        let lost = target.missing(&acked).len();
        let text = format!("{lost} of {} accepted were lost; seed {seed}", acked.len());
        return Err(Trouble::failed(text));
    }
    until("nothing is left to be delivered", SETTLED_MAX, || {
        Ok(metric(addr, "hookah_deliveries_waiting")? == 0)
    })?;
    let (again, oldest) = duplicates(&target, &cuts)?;
    ensure(refused > 0, || "nobody was refused after a cut".to_owned())?;
    server.kill()?;
    disk.unmount()?;
    Ok(format!(
        "{rounds} cuts; {} accepted, 0 lost, {again} came twice (answered at most {oldest:?} \
         before a cut), {refused} refused after one; seed {seed}",
        acked.len()
    ))
}

/// A file system in a file.
struct Disk {
    image: String,
    at: std::path::PathBuf,
}

impl Disk {
    fn make(dir: &Path) -> std::result::Result<Disk, Trouble> {
        let image = dir.join("disk.img").display().to_string();
        let at = dir.join("mnt");
        std::fs::create_dir_all(&at)?;
        run(Command::new("truncate").args(["-s", &format!("{DISK_MIB}M"), &image]))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", &image]))?;
        Ok(Disk { image, at })
    }

    /// Mounts it; who may not is told so, not failed.
    fn mount(&self) -> std::result::Result<(), Trouble> {
        let mut mount = Command::new("mount");
        let done = run(mount.args(["-o", COMMIT, &self.image]).arg(&self.at));
        done.map(drop).map_err(|why| match why {
            Trouble::Failed(why) => {
                Trouble::skipped(format!("it takes root and loop devices: {why}"))
            }
            other => other,
        })
    }

    fn unmount(&self) -> std::result::Result<(), Trouble> {
        run(Command::new("umount").arg(&self.at)).map(drop)
    }

    /// From now on nothing reaches the disk, and what had not been synced never has.
    fn cut_power(&self) -> std::result::Result<(), Trouble> {
        const CUT: &str = "use Fcntl; sysopen(my $d, $ARGV[0], O_RDONLY) or die \"open: $!\"; \
                           my $how = pack('L', 2); \
                           ioctl($d, 0x8004587d, $how) or die \"ioctl: $!\";";
        run(Command::new("perl").args(["-e", CUT]).arg(&self.at)).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may not be mounted; the lazy way also where somebody still looks into it.
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}
