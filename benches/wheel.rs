//! The timer wheel beside a heap with tombstones and an ordered map, under the same load.
//! Exits 1 if the wheel allocates after start. It claims no times unless run by `cargo bench`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hookah::base::rng::Rng;
use hookah::base::slab::{Key, Slab};
use hookah::base::time::Mono;
use hookah::base::wheel::Wheel;

#[path = "support/alloc.rs"]
mod alloc;

/// What a set of deadlines can do; the owner of each is a number below its size.
trait Timers {
    /// What names an entry.
    type Id: Copy;

    fn with_bound(bound: usize) -> Self;
    fn arm(&mut self, at: Mono, owner: u32) -> Option<Self::Id>;
    fn rearm(&mut self, id: Self::Id, at: Mono) -> Option<Self::Id>;
    fn cancel(&mut self, id: Self::Id) -> Option<u32>;
    fn pop(&mut self, now: Mono) -> Option<u32>;
    fn next_wake(&self) -> Option<Mono>;
}

impl Timers for Wheel<u32> {
    type Id = Key;

    fn with_bound(bound: usize) -> Self {
        Wheel::with_bound(bound, Mono(0))
    }

    fn arm(&mut self, at: Mono, owner: u32) -> Option<Key> {
        Wheel::arm(self, at, owner)
    }

    fn rearm(&mut self, id: Key, at: Mono) -> Option<Key> {
        Wheel::rearm(self, id, at).then_some(id)
    }

    fn cancel(&mut self, id: Key) -> Option<u32> {
        Wheel::cancel(self, id)
    }

    fn pop(&mut self, now: Mono) -> Option<u32> {
        Wheel::pop(self, now)
    }

    fn next_wake(&self) -> Option<Mono> {
        Wheel::next_wake(self)
    }
}

/// A heap whose cancelled entries stay until they come up, recognised by their stale keys.
struct Heap {
    live: Slab<u32>,
    heap: BinaryHeap<Reverse<(Mono, Key)>>,
}

impl Timers for Heap {
    type Id = Key;

    fn with_bound(bound: usize) -> Self {
        let heap = BinaryHeap::new();
        Heap {
            live: Slab::with_bound(bound),
            heap,
        }
    }

    fn arm(&mut self, at: Mono, owner: u32) -> Option<Key> {
        let id = self.live.insert(owner).ok()?;
        self.heap.push(Reverse((at, id)));
        Some(id)
    }

    fn rearm(&mut self, id: Key, at: Mono) -> Option<Key> {
        let owner = self.live.remove(id)?;
        self.arm(at, owner)
    }

    fn cancel(&mut self, id: Key) -> Option<u32> {
        self.live.remove(id)
    }

    fn pop(&mut self, now: Mono) -> Option<u32> {
        while let Some(Reverse((at, _))) = self.heap.peek()
            && *at <= now
        {
            let Reverse((_, id)) = self.heap.pop()?;
            if let Some(owner) = self.live.remove(id) {
                return Some(owner);
            }
        }
        None
    }

    fn next_wake(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

/// An ordered map; the order of arming makes its keys unique.
struct Map {
    map: BTreeMap<(Mono, u64), u32>,
    armed: u64,
    bound: usize,
}

impl Timers for Map {
    type Id = (Mono, u64);

    fn with_bound(bound: usize) -> Self {
        let map = BTreeMap::new();
        Map {
            map,
            armed: 0,
            bound,
        }
    }

    fn arm(&mut self, at: Mono, owner: u32) -> Option<Self::Id> {
        if self.map.len() >= self.bound {
            return None;
        }
        self.armed += 1;
        self.map.insert((at, self.armed), owner);
        Some((at, self.armed))
    }

    fn rearm(&mut self, id: Self::Id, at: Mono) -> Option<Self::Id> {
        let owner = self.map.remove(&id)?;
        self.arm(at, owner)
    }

    fn cancel(&mut self, id: Self::Id) -> Option<u32> {
        self.map.remove(&id)
    }

    fn pop(&mut self, now: Mono) -> Option<u32> {
        let entry = self.map.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn next_wake(&self) -> Option<Mono> {
        self.map.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Sizes of one run.
struct Load {
    /// Entries armed at once.
    entries: u32,
    /// Operations of each kind.
    steps: u64,
}

/// Nanoseconds per operation, and allocations of all together.
struct Figures {
    rearm: f64,
    replace: f64,
    fire: f64,
    allocations: u64,
    fired: u64,
}

/// Deadlines of a busy server: most within a minute, some within a day.
fn span(rng: &mut Rng) -> Duration {
    let millis_max = if rng.below(16) == 0 {
        86_400_000
    } else {
        60_000
    };
    Duration::from_millis(1 + rng.below(millis_max))
}

fn measure<T: Timers>(load: &Load) -> Option<Figures> {
    let mut rng = Rng::new([1; 32]);
    let mut timers = T::with_bound(load.entries as usize);
    let spans: Vec<Duration> = (0..4_096).map(|_| span(&mut rng)).collect();
    let owners: Vec<u32> = (0..4_096)
        .map(|_| rng.below(load.entries.into()) as u32)
        .collect();
    let mut ids = Vec::with_capacity(load.entries as usize);
    let mut now = Mono(0);
    let draw = |step: u64| {
        let place = step as usize;
        // Two periods without a common factor: a pair comes again after 16 million steps.
        (spans[place % 4_096], owners[place % 4_093])
    };

    let (allocations, figures) = alloc::allocations_of(|| {
        for owner in 0..load.entries {
            ids.push(timers.arm(now + spans[owner as usize % 4_096], owner)?);
        }
        let rearm = per_step(load.steps, |step| {
            let (span, owner) = draw(step);
            now = now + Duration::from_micros(1);
            let id = &mut ids[owner as usize];
            *id = timers.rearm(*id, now + span)?;
            Some(())
        })?;
        let replace = per_step(load.steps, |step| {
            let (span, owner) = draw(step);
            let id = &mut ids[owner as usize];
            let owner = timers.cancel(*id)?;
            *id = timers.arm(now + span, owner)?;
            Some(())
        })?;
        let mut fired = 0;
        let fire = per_step(load.steps, |step| {
            let (span, _) = draw(step);
            // The earliest one fires, and its owner arms the next.
            let owner = loop {
                now = now.max(timers.next_wake()?);
                if let Some(owner) = timers.pop(now) {
                    break owner;
                }
            };
            fired += 1;
            ids[owner as usize] = timers.arm(now + span, owner)?;
            Some(())
        })?;
        Some((rearm, replace, fire, fired))
    });
    black_box(&ids);
    let (rearm, replace, fire, fired) = figures?;
    Some(Figures {
        rearm,
        replace,
        fire,
        allocations,
        fired,
    })
}

/// Nanoseconds per step of `steps`; `None` if one of them failed.
fn per_step(steps: u64, mut step: impl FnMut(u64) -> Option<()>) -> Option<f64> {
    let start = Instant::now();
    for number in 0..steps {
        step(number)?;
    }
    Some(start.elapsed().as_nanos() as f64 / steps as f64)
}

/// The table's head. A heap pays for its re-arms only when their tombstones come up, so that the
/// mean says most.
fn print_head(load: &Load) {
    let [name, rearm, replace, fire] = ["", "rearm", "cancel+arm", "pop+arm"];
    println!("\n{} entries, ns per operation:", load.entries);
    println!(
        "{name:<22}{rearm:>12}{replace:>12}{fire:>12}{:>12}{:>12}",
        "mean", "allocations"
    );
}

fn print(name: &str, figures: &Figures) {
    let [rearm, replace, fire] = [figures.rearm, figures.replace, figures.fire];
    let mean = (rearm + replace + fire) / 3.0;
    let allocations = figures.allocations;
    println!("{name:<22}{rearm:>12.1}{replace:>12.1}{fire:>12.1}{mean:>12.1}{allocations:>12}");
}

/// Whether the wheel kept its promises; `None` if an operation failed.
fn run(with_times: bool) -> Option<bool> {
    // Entries and steps: where nothing is timed, only enough to see an allocation.
    let loads: &[(u32, u64)] = match with_times {
        true => &[(1_000, 2_000_000), (60_000, 2_000_000)],
        false => &[(500, 2_000)],
    };
    let mut is_clean = true;
    for &(entries, steps) in loads {
        let load = Load { entries, steps };
        let wheel = measure::<Wheel<u32>>(&load)?;
        let heap = measure::<Heap>(&load)?;
        let map = measure::<Map>(&load)?;
        if with_times {
            print_head(&load);
            print("wheel", &wheel);
            print("heap with tombstones", &heap);
            print("ordered map", &map);
        }
        is_clean &= wheel.allocations == 0;
        // The counter counts: the others cannot do without.
        is_clean &= heap.allocations > 0 && map.allocations > 0;
        is_clean &= [wheel.fired, heap.fired, map.fired] == [steps; 3];
    }
    Some(is_clean)
}

fn main() -> ExitCode {
    let with_times = std::env::args().any(|argument| argument == "--bench");
    match run(with_times) {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => {
            eprintln!("the wheel allocated after start, or not every timer fired");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("a step failed: an entry was lost");
            ExitCode::FAILURE
        }
    }
}
