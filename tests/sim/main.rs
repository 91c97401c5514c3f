//! The simulator: the whole engine under a seed, in a world that splits, delays, resets and lies.
//! No socket, no clock, no thread but those that share the seeds out.
//!
//! `HOOKAH_SIM_SEEDS=5000 cargo test --test sim` runs more seeds,
//! `HOOKAH_SIM_SEED=123 cargo test --test sim` replays one.

mod asks;
mod behaviour;
mod chunks;
mod clients;
mod crash;
mod crowd;
#[allow(dead_code)]
#[path = "../support/decode.rs"]
mod decode;
mod doors;
mod ear;
mod feeds;
mod gates;
mod guests;
mod hostile;
mod http;
mod hub;
mod kept;
mod lanes;
mod lasting;
mod names;
mod net;
mod notices;
mod oracle;
mod order;
mod pages;
mod plan;
mod pollers;
mod publication;
mod readers;
mod receipts;
mod repeats;
mod requests;
mod retunes;
mod rng;
mod rules;
mod script;
mod setup;
mod shell;
mod sim;
mod store;
mod stories;
mod stories_crash;
mod stories_doors;
mod stories_formats;
mod stories_gates;
mod stories_guard;
mod stories_names;
mod stories_pages;
mod stories_poll;
mod stories_redirects;
mod stories_replay;
mod stories_stopped;
mod stories_streams;
mod stories_tls;
mod tap;
mod targets;
mod trace;
mod verdict;
mod watch;
#[path = "../support/ways.rs"]
mod ways;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Seeds of an ordinary run.
const SEEDS: u64 = 256;
/// Threads that share them.
const THREADS: usize = 2;

fn from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

/// Runs one seed; the hash of its trace. A failure names the seed and how to replay it.
fn run(seed: u64) -> u64 {
    let run = || {
        let mut sim = setup::random(seed);
        sim.run();
        sim.world.trace.hash()
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(hash) => hash,
        Err(cause) => {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or(cause.downcast_ref::<&str>().copied())
                .unwrap_or("?");
            let again = format!("HOOKAH_SIM_SEED={seed} cargo test --test sim");
            resume_unwind(Box::new(format!("seed {seed}: {text}\nreplay: {again}")))
        }
    }
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = from_env("HOOKAH_SIM_SEED") {
        run(seed);
        return;
    }
    let seeds = from_env("HOOKAH_SIM_SEEDS").unwrap_or(SEEDS);
    let share = |first: u64| {
        std::thread::spawn(move || {
            for seed in (first..seeds).step_by(THREADS) {
                run(seed);
            }
        })
    };
    let workers: Vec<_> = (0..THREADS as u64).map(share).collect();
    for worker in workers {
        if let Err(cause) = worker.join() {
            let text = cause.downcast_ref::<String>().map_or("?", String::as_str);
            panic!("{text}");
        }
    }
}

#[test]
fn seeds_reach_what_lasts() {
    let (mut crashes, mut again, mut failures) = (0, 0, 0);
    for seed in 0..64 {
        let mut sim = setup::random(seed);
        sim.run();
        crashes += sim.oracle.crashes;
        again += sim.oracle.fates.iter().map(|fate| fate.again).sum::<u32>();
        failures += sim.store.failures;
    }
    let seen = format!("{crashes} crashes, {again} attempts again, {failures} failures");
    assert!(crashes > 20 && again > 0 && failures > 0, "{seen}");
}

#[test]
fn the_same_seed_twice_leaves_the_same_trace() {
    let first: Vec<u64> = (0..8).map(run).collect();
    let second: Vec<u64> = (0..8).map(run).collect();
    assert_eq!(first, second);
    assert!(
        first.windows(2).all(|pair| pair[0] != pair[1]),
        "the hash hears nothing"
    );
}
