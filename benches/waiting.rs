//! What a million deliveries that wait in the store alone cost a process: bytes by the allocator
//! and on the engine's own account, and the time until the engine has taken them in. A law, under
//! `cargo test` with a hundredth of them: no more than 200 bytes for each, however they are spread
//! over lanes, or it exits 1. `cargo bench --bench waiting` measures.

use std::process::ExitCode;
use std::time::Instant;

use hookah::base::stats::Counter;
use hookah::base::time::{Mono, Now, Wall};
use hookah::engine::{Engine, Settings};
use hookah::model::record::{Parked, Restored};
use hookah::port::StoreDone;

#[path = "support/alloc.rs"]
#[allow(dead_code)]
mod alloc;

/// The most that one may cost.
const BYTES_MAX: u64 = 200;
/// Facts that the store says at once.
const CHUNK: u64 = 512;
const HOUR: u64 = 3_600_000_000;

fn main() -> ExitCode {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let waiting: u64 = if measured { 1_000_000 } else { 10_000 };
    println!(
        "{:>10} waiting in {:>9} {:>12} {:>14} {:>8}",
        "deliveries", "lanes", "bytes each", "on the account", "ms"
    );
    let mut clean = true;
    for lanes in [1, waiting / 1_000, waiting] {
        let (bytes, account, millis) = restore(waiting, lanes);
        let over = bytes > BYTES_MAX || account > BYTES_MAX;
        clean &= !over;
        let time = if measured {
            millis.to_string()
        } else {
            "-".into()
        };
        println!(
            "{waiting:>10} {lanes:>20} {bytes:>12} {account:>14} {time:>8}{}",
            if over { "  TOO MUCH" } else { "" }
        );
    }
    match clean {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// An engine is told of them: bytes each by the allocator and on its account, and milliseconds.
fn restore(waiting: u64, lanes: u64) -> (u64, u64, u128) {
    let now = Now {
        mono: Mono(1_000_000),
        wall: Wall(1_763_880_000_000_000),
    };
    let settings = Settings {
        volatile: false,
        ..Settings::default()
    };
    let mut engine = Engine::new(settings, [3; 32], now);
    engine.tick(now);
    let before = (alloc::live_bytes(), engine.stats().get(Counter::BytesHeld));
    let start = Instant::now();
    for first in (0..lanes).step_by(CHUNK as usize) {
        let facts = (first..lanes.min(first + CHUNK)).map(|number| {
            Restored::Lane(Parked {
                // As a hash would be.
                lane: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                due: Wall(now.wall.0 + HOUR + number),
                count: waiting / lanes,
            })
        });
        engine.stored(now, StoreDone::Restored(facts.collect()));
    }
    engine.stored(now, StoreDone::Ready);
    engine.tick(now);
    let millis = start.elapsed().as_millis();
    let after = (alloc::live_bytes(), engine.stats().get(Counter::BytesHeld));
    assert_eq!(engine.stats().get(Counter::DeliveriesStored), waiting);
    let each = |before: u64, after: u64| after.saturating_sub(before).div_ceil(waiting);
    (each(before.0, after.0), each(before.1, after.1), millis)
}
