//! kill -9 at random moments, also during the start, while clients post and targets are slow.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::books::{Clients, Target};
use super::site::{Chance, Server, Site, rounds};
use crate::peer::{Client, metric, until};
use crate::report::{Result, Trouble, ensure};

/// Ends of deliveries are synced within a tenth of a second; a busy machine is late by a little.
const UNSYNCED_MAX: Duration = Duration::from_millis(1_000);
/// A target thinks for less, and a server without a disk is left alone for less.
const UNDER_WAY_MAX: Duration = Duration::from_millis(500);
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
    let came = until("all that was accepted has come", SETTLED_MAX, || {
        Ok(target.missing(&acked).is_empty())
    });
    if came.is_err() {
        return Err(missing(addr, &target.missing(&acked), acked.len(), seed));
    }
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

/// What is said of messages that never came.
fn missing(addr: SocketAddr, lost: &[String], accepted: usize, seed: u64) -> Trouble {
    let first = lost.first().cloned().unwrap_or_default();
    let story = Client::connect(addr).and_then(|mut it| it.get(&format!("/messages/{first}")));
    let story = story.map_or_else(|why| why.to_string(), |answer| answer.body);
    let count = lost.len();
    Trouble::failed(format!(
        "{count} of {accepted} accepted did not come; seed {seed}; the first: {story}"
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
) -> std::result::Result<(usize, Duration), Trouble> {
    let mut oldest = Duration::ZERO;
    let repeated = target.repeated();
    for (id, first, times) in &repeated {
        // What was under way is answered to nobody, a little after the end.
        let next = kills
            .iter()
            .filter(|kill| **kill + UNDER_WAY_MAX >= *first)
            .min();
        let age = next.map_or(Duration::MAX, |kill| kill.saturating_duration_since(*first));
        ensure(age <= UNSYNCED_MAX, || {
            format!("{id} came {times} times, answered {age:?} before the next kill")
        })?;
        oldest = oldest.max(age);
    }
    Ok((repeated.len(), oldest))
}
