//! kill -9 at random moments, also during the start, while clients post and targets are slow.

use std::time::{Duration, Instant};

use super::books::{Clients, Target};
use super::site::{Chance, Server, Site, rounds};
use crate::peer::{metric, until};
use crate::report::{Result, ensure};

/// Ends of deliveries are synced within a tenth of a second; a busy machine is late by a little.
const UNSYNCED_MAX: Duration = Duration::from_millis(1_000);
const SETTLED_MAX: Duration = Duration::from_secs(120);

pub fn crash_loop() -> Result {
    let rounds = rounds("HOOKAH_CRASH_ROUNDS", 20);
    let (mut chance, seed) = Chance::new();
    let site = Site::new("crash")?;
    let target = Target::open()?;
    let (mut acked, mut kills, mut starts_cut) = (Vec::new(), Vec::new(), 0);
    let mut waits = Vec::new();
    for round in 0..rounds {
        // Half of the rounds leave a backlog behind.
        let slow = round % 2 == 1;
        target.slow_down(Duration::from_millis(if slow { 20 } else { 0 }));
        let mut server = Server::start(&site.dir, &[])?;
        let life = Duration::from_millis(chance.below(1_500));
        let born = Instant::now();
        let Some(addr) = server.listens_within(life)? else {
            starts_cut += 1;
            server.kill()?;
            kills.push(Instant::now());
            continue;
        };
        let flaky = chance.below(4) == 0;
        let form = form(&target, flaky);
        let clients = Clients::start(4, addr, &form, Duration::from_millis(2));
        std::thread::sleep(life.saturating_sub(born.elapsed()));
        server.kill()?;
        kills.push(Instant::now());
        let answers = clients.stop();
        acked.extend(answers.acked);
        waits.extend(answers.waits);
    }
    target.slow_down(Duration::ZERO);
    let mut server = Server::start(&site.dir, &[])?;
    let began = Instant::now();
    let addr = server.listens()?;
    let started = began.elapsed();
    until("all that was accepted has come", SETTLED_MAX, || {
        Ok(target.missing(&acked).is_empty())
    })?;
    until("nothing is left to be delivered", SETTLED_MAX, || {
        Ok(metric(addr, "hookah_deliveries_waiting")? == 0)
    })?;
    let (again, oldest) = duplicates(&target, &kills)?;
    waits.sort_unstable();
    let p99 = waits
        .get(waits.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    Ok(format!(
        "{rounds} kills, {starts_cut} of them during the start; {} accepted, 0 lost, {again} came \
         twice (answered at most {oldest:?} before a kill); p99 of a 202 {p99:?}; last start \
         {started:?}; seed {seed}",
        acked.len()
    ))
}

/// What clients post; one that is flaky is refused once.
fn form(target: &Target, flaky: bool) -> String {
    let addr = target.addr();
    let flaky = if flaky { "&flaky=1" } else { "" };
    format!("_url=http://{addr}/&a=1{flaky}")
}

/// How many messages came more than once, and how long before a kill the first of them had been
/// answered at most: what was answered long before one must never come again.
pub fn duplicates(
    target: &Target,
    kills: &[Instant],
) -> std::result::Result<(usize, Duration), crate::report::Trouble> {
    let mut oldest = Duration::ZERO;
    let repeated = target.repeated();
    for (id, first, times) in &repeated {
        let next = kills.iter().filter(|kill| *kill >= first).min();
        let age = next.map_or(Duration::MAX, |kill| kill.duration_since(*first));
        ensure(age <= UNSYNCED_MAX, || {
            format!("{id} came {times} times, answered {age:?} before the next kill")
        })?;
        oldest = oldest.max(age);
    }
    Ok((repeated.len(), oldest))
}
