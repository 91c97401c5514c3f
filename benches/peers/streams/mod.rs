//! Live streams: Hookah beside nchan and beside the floor, one publish at a time and pipelined,
//! in crowds of several sizes; and webhooks while a crowd is served.
//! It never opens a socket; `crowd` reads, `publish` publishes, `storm` does both and more.

pub mod floor;

mod crowd;
mod publish;
mod storm;
mod wire;

use std::env;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::Recipe;
use crate::table::{Figure, Target};
use crate::web;
use crate::{Bench, SETTLE};
use crowd::Crowd;
use publish::Publisher;
use wire::{Dialect, HOOKAH_RAW, HOOKAH_SSE, NCHAN_RAW, NCHAN_SSE};

/// Deliveries in a run with one message at a time, unless a number of messages is asked for.
const DELIVERIES: usize = 200_000;
/// Fewest messages in such a run, and how many more when they are pipelined, which is cheaper.
const MESSAGES_MIN: usize = 16;
const PIPELINED_MORE: usize = 3;
/// Messages before the first such run.
const WARM_UP: usize = 3;
/// A crowd's runs, and the storms', begin no later than this after the first: a machine that is
/// slow or busy has fewer of them, as the medians' note says.
const RUNS_WITHIN: Duration = Duration::from_secs(75);
/// Messages in flight.
const IN_FLIGHT: [usize; 2] = [1, 16];
/// Descriptors that a server or this process wants besides those of its streams.
const DESCRIPTORS_OTHER: usize = 200;

/// What one run of one server shows: memory, then of each of `IN_FLIGHT` its figures.
type Values = [f64; 9];
const NAMES: [&str; 4] = [
    "deliveries per second",
    "CPU us per delivery",
    "p50 ms",
    "p99 ms",
];

/// Which servers take part, in the order of their runs.
const HOOKAH: usize = 0;
const FLOOR: usize = 1;
const NCHAN: usize = 2;
const HOOKAH_EVENTS: usize = 3;
const NCHAN_EVENTS: usize = 4;

/// What stands beside what.
const PAIRS: [(usize, usize, &str, &str); 3] = [
    (HOOKAH, FLOOR, "raw", "floor"),
    (HOOKAH, NCHAN, "raw", "nchan"),
    (HOOKAH_EVENTS, NCHAN_EVENTS, "sse", "nchan"),
];

/// What the figures need.
pub struct Ground<'a> {
    hookah: &'a Recipe,
    floor: Recipe,
    nchan: Option<Recipe>,
    /// The crowds' sizes.
    sizes: Vec<usize>,
}

impl<'a> Ground<'a> {
    /// Finds out what can be measured here, and notes what cannot.
    pub fn new(bench: &mut Bench<'_>, hookah: &'a Recipe, dir: &Path) -> io::Result<Ground<'a>> {
        let limit = hookah::shell::raise_descriptors() as usize;
        let mut sizes = bench.options.streams.clone();
        sizes.retain(|&size| {
            let fits = size + DESCRIPTORS_OTHER <= limit;
            if !fits {
                bench.note(format!(
                    "skipped: {size} streams; ulimit -Hn allows {limit} files"
                ));
            }
            fits
        });
        let most = sizes.iter().max().copied().unwrap_or(0);
        let nchan = web::nchan(dir, most + DESCRIPTORS_OTHER)?;
        if nchan.is_none() && bench.options.wants("streams") {
            let wants = "apt-get install nginx-light libnginx-mod-nchan";
            bench.note(format!("skipped: streams beside nchan: {wants}"));
        }
        let floor = Recipe::told("floor", env::current_exe()?, &["stream-floor"], dir);
        Ok(Ground {
            hookah,
            floor,
            nchan,
            sizes,
        })
    }

    /// All runs.
    pub fn figures(&self, bench: &mut Bench<'_>) -> Vec<Figure> {
        let mut figures = Vec::new();
        if bench.options.wants("streams") {
            for &size in &self.sizes {
                figures.extend(self.crowd_figures(bench, size));
            }
        }
        if bench.options.wants("storm")
            && let Some(&size) = self.sizes.last()
        {
            figures.extend(storm::figures(bench, self.hookah, size));
        }
        figures
    }

    /// Of a crowd of that size: every server once a run, another one first in each.
    fn crowd_figures(&self, bench: &mut Bench<'_>, size: usize) -> Vec<Figure> {
        let mut runs: Vec<[Option<Values>; 5]> = Vec::new();
        let started = Instant::now();
        for run in 0..bench.options.runs {
            if is_late(bench, started, run, &format!("{size} streams")) {
                break;
            }
            eprintln!(
                "peers: {size} streams, run {} of {}",
                run + 1,
                bench.options.runs
            );
            let mut values = [None; 5];
            for turn in 0..values.len() {
                let server = (run + turn) % values.len();
                if let Some((recipe, dialect)) = self.server(server) {
                    match measure(bench, recipe, dialect, size) {
                        Ok(value) => values[server] = Some(value),
                        Err(error) => bench.note(format!("{}: {error}", recipe.name)),
                    }
                }
            }
            runs.push(values);
        }
        let mut figures = Vec::new();
        for pair in PAIRS {
            for nth in 0..Values::default().len() {
                let (own, other, format, beside) = pair;
                let Some((what, target)) = row(nth, size, beside) else {
                    continue;
                };
                let mut figure = Figure::new(format!("{size} {format}, {what}"), beside, target);
                let value = |of: &Option<Values>| of.map(|values| values[nth]);
                let values = runs
                    .iter()
                    .map(|run| (value(&run[own]), value(&run[other])));
                figure.runs.extend(values);
                if figure.runs.iter().any(|(own, _)| own.is_some()) {
                    figures.push(figure);
                }
            }
        }
        figures
    }

    fn server(&self, server: usize) -> Option<(&Recipe, &'static Dialect)> {
        match server {
            HOOKAH => Some((self.hookah, &HOOKAH_RAW)),
            FLOOR => Some((&self.floor, &HOOKAH_RAW)),
            NCHAN => self.nchan.as_ref().map(|nchan| (nchan, &NCHAN_RAW)),
            HOOKAH_EVENTS => Some((self.hookah, &HOOKAH_SSE)),
            _ => self.nchan.as_ref().map(|nchan| (nchan, &NCHAN_SSE)),
        }
    }
}

/// What the `nth` of the values is called, and what it must reach; `None` for the floor's memory.
fn row(nth: usize, size: usize, beside: &str) -> Option<(String, Target)> {
    let Some(nth) = nth.checked_sub(1) else {
        let target = if size >= 10_000 {
            Target::AtMost(1024.0)
        } else {
            Target::None
        };
        let what = "bytes of an idle stream".to_owned();
        return (beside != "floor").then_some((what, target));
    };
    let in_flight = IN_FLIGHT[nth / NAMES.len()];
    let name = NAMES[nth % NAMES.len()];
    let target = match (name, in_flight, beside) {
        ("CPU us per delivery", 1, "floor") => Target::RatioAtMost(1.15),
        ("CPU us per delivery", 1, _) => Target::RatioAtMost(1.0),
        ("CPU us per delivery", _, "nchan") => Target::AtMostOrRatio(0.7, 0.4),
        _ => Target::None,
    };
    Some((format!("{in_flight} in flight, {name}"), target))
}

/// A fresh server, a crowd that joins it, and both loads.
fn measure(
    bench: &Bench<'_>,
    recipe: &Recipe,
    dialect: &'static Dialect,
    size: usize,
) -> io::Result<Values> {
    let base = Instant::now();
    let mut values = Values::default();
    let server = recipe.start(bench.core)?;
    let mut publisher = Publisher::open(server.port, dialect, IN_FLIGHT[1], base)?;
    thread::sleep(SETTLE);
    let before = server.resident_kib_of_all()?;
    let mut crowd = Crowd::join(server.port, dialect, size, base)?;
    crowd.watch(&publisher)?;
    values[0] = (server.resident_kib_of_all()? - before) * 1024.0 / size as f64;
    publish::run(&mut crowd, &mut publisher, 1, WARM_UP)?;
    for (nth, in_flight) in IN_FLIGHT.into_iter().enumerate() {
        let more = if in_flight == 1 { 1 } else { PIPELINED_MORE };
        let usual = (DELIVERIES / size).max(MESSAGES_MIN) * more;
        let count = bench.options.messages.unwrap_or(usual);
        let cpu = server.cpu_seconds_exact()?;
        let run = publish::run(&mut crowd, &mut publisher, in_flight, count)?;
        let cpu = server.cpu_seconds_exact()? - cpu;
        let deliveries = (run.messages * size) as f64;
        let latencies = &mut crowd.latencies;
        latencies.sort_unstable();
        let of = &mut values[1 + nth * NAMES.len()..];
        of[0] = deliveries / run.seconds;
        of[1] = cpu * 1e6 / deliveries;
        of[2] = percentile(latencies, 50) / 1e6;
        of[3] = percentile(latencies, 99) / 1e6;
    }
    Ok(values)
}

/// Whether there is no time left for that run, which is noted.
fn is_late(bench: &mut Bench<'_>, started: Instant, run: usize, what: &str) -> bool {
    let late = started.elapsed() > RUNS_WITHIN;
    if late {
        bench.note(format!("{what}: the machine is slow: {run} runs"));
    }
    late
}

/// Of values in ascending order.
pub fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let nth = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(nth).map_or(f64::NAN, |&value| value as f64)
}
