//! The separate checks, against the release binary: what needs a clock, root or other programs.
//! Never part of `cargo test`; a program that is missing is said and skipped, not failed.
//!
//! `cargo checks [PART OF A NAME …]`. Everything is on loopback and ends with this process.

// The formats' own tests need all of it.
#[allow(dead_code)]
#[path = "../support/decode.rs"]
mod decode;
#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/ways.rs"]
mod ways;

mod browser;
mod build;
mod certificates;
mod cost;
mod dashboard;
mod devtools;
mod doors;
mod flood;
mod hostility;
mod hub;
mod lasting;
mod load;
mod namespace;
mod overload;
mod peer;
mod process;
mod readme;
mod report;
mod rest;
mod stopped;
mod storms;
mod streams;
mod terminal;
mod upgrade;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use report::{Check, Tally, Trouble};

/// A check that takes longer, builds apart, hangs.
const CHECK_MAX: Duration = Duration::from_secs(180);
/// The same for a check that builds, or whose rounds a variable may make many.
const LENGTHY_MAX: Duration = Duration::from_secs(1_800);

const CHECKS: &[Check] = &[
    Check::lengthy("README: its commands work", readme::commands),
    Check::lengthy("README: its lines of load work", readme::load),
    Check::lengthy("README: its lines for https work", readme::secure),
    Check::lengthy("README: its lines for streams work", readme::streams),
    Check::lengthy("README: its lines for the hub work", hub::guide),
    Check::lengthy("static: it is, it starts, it delivers", build::is_static),
    Check::lengthy("static: no getaddrinfo in it", build::no_resolver),
    Check::new("terminal: a check says how far it is", terminal::check),
    Check::new("rest: start to listening", rest::start),
    Check::new("rest: resident memory at the start", rest::memory),
    Check::new("rest: no wakeup without timers", rest::idle_alone),
    Check::new(
        "rest: no wakeup with 1,000 idle connections",
        rest::idle_crowd,
    ),
    Check::new("overload: out of descriptors", overload::descriptors),
    Check::new(
        "overload: a failed accept is tried again",
        overload::accept_again,
    ),
    Check::new("overload: 1,000 clients that drip", overload::slow_clients),
    Check::new("memory: a flood in a cgroup of 64 MiB", flood::memory),
    Check::new("storms: connections that come and go", storms::come_and_go),
    Check::new("storms: 5,000 clients that trickle", storms::trickle),
    Check::new("storms: slowhttptest", storms::slowhttptest),
    Check::lengthy(
        "overload: a target that is stopped",
        overload::stopped_target,
    ),
    Check::new("overload: a stop under load", overload::drain),
    Check::lengthy(
        "hostile: every way at once, beside one that is well",
        hostility::crowd,
    ),
    Check::new(
        "hostile: the server is stopped for 5 seconds",
        hostility::stopped_server,
    ),
    Check::new(
        "hostile: a queue of connections that is full",
        hostility::syn_lost,
    ),
    Check::new("hostile: routes that lead nowhere", hostility::routes),
    Check::new("hostile: a road that is narrow", hostility::narrow),
    Check::new("hostile: outdated certificates", certificates::outdated),
    Check::new("hostile: storms of resets", hostility::storms),
    Check::new("hostile: clients that vanish", hostility::vanished),
    Check::new(
        "doors: curl and openssl come in, or do not",
        doors::programs,
    ),
    Check::new("doors: a handshake that never comes", doors::silent),
    Check::new("doors: a storm of 1,000 handshakes", doors::storm),
    Check::new("streams: curl reads every format", streams::formats),
    Check::new("streams: a burst ends nobody that reads", streams::burst),
    Check::new(
        "streams: memory while 8 do not read 150 MiB",
        streams::memory,
    ),
    Check::new("streams: 100,000 topics that nobody reads", streams::names),
    Check::new("streams: no wakeup with 1,000 idle streams", streams::idle),
    Check::new("streams: signs of life", streams::life),
    Check::new("streams: what the kernel holds", streams::send_buffer),
    Check::new("streams: a reader that is stopped", stopped::shortly),
    Check::new("streams: many readers that are stopped", stopped::crowd),
    Check::new(
        "streams: a reader that is stopped for a minute",
        stopped::for_a_minute,
    ),
    Check::new(
        "browser: EventSource over a restart of the server",
        browser::reconnects,
    ),
    Check::new(
        "browser: EventSource that has to wait for a place",
        browser::waits_for_a_place,
    ),
    Check::new(
        "browser: a page of another site is refused, one that is listed is not",
        browser::foreign,
    ),
    Check::new("page: a browser lives with it", dashboard::works),
    Check::new("page: it asks for a token", dashboard::tokens),
    Check::new("page: the lines of the text are pasted", dashboard::pasted),
    Check::lengthy("lasting: kill -9 again and again", lasting::crash_loop),
    Check::lengthy("lasting: power cuts", lasting::power_loop),
    Check::new("lasting: syncs and writes that fail", lasting::io_errors),
    Check::new("lasting: a sync that takes two seconds", lasting::slow_sync),
    Check::new("lasting: a disk that is full", lasting::full),
    Check::lengthy("lasting: a million that wait", lasting::million),
    Check::new("upgrade: under wrk nobody is refused", upgrade::under_load),
    Check::new("upgrade: README's units", upgrade::units),
    Check::new("cost: instructions", cost::instructions),
    Check::new("cost: system calls", cost::system_calls),
];

fn main() -> ExitCode {
    // Connections of ours are descriptors too.
    hookah::shell::raise_descriptors();
    let lower = str::to_lowercase;
    let wanted: Vec<String> = std::env::args().skip(1).map(|it| lower(&it)).collect();
    let is_wanted = |check: &&Check| {
        let name = lower(check.name);
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    };
    let mut tally = Tally::default();
    for check in CHECKS.iter().filter(is_wanted) {
        let result = watched(check);
        println!("{}", tally.line(check.name, &result));
    }
    println!("{tally}");
    ExitCode::from(u8::from(tally.failed > 0))
}

/// Runs a check on a thread of its own. One that hangs leaves nothing to go on with.
fn watched(check: &'static Check) -> report::Result {
    let max = if check.is_lengthy {
        LENGTHY_MAX
    } else {
        CHECK_MAX
    };
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let run = catch_unwind(AssertUnwindSafe(check.run));
        let _ = sender.send(run.unwrap_or_else(|_| Err(Trouble::failed("it panicked, see above"))));
    });
    match receiver.recv_timeout(max) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => Err(Trouble::failed("it ended without a word")),
        Err(RecvTimeoutError::Timeout) => {
            println!(
                "FAILED: {}: not done after {max:?}; the rest is not run",
                check.name
            );
            process::end_children();
            std::process::exit(1);
        }
    }
}
