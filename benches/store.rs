//! What a durable operation costs in the embedded store, through its trait: messages and whole
//! webhooks a second by how many share a commit, and the processor time of its thread for each;
//! and at half of what a server takes in, how long it is until a message lasts, through several
//! turns of the write-ahead log, beside the disk's own sync of 4 KiB in the same run.
//! The disk decides the first, and is the one under the system's folder for temporary files, or
//! under `HOOKAH_BENCH_DIR`. `cargo bench --bench store` measures, with `-- steady` only the last;
//! under `cargo test` a few rounds run and nothing is timed.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::http::target;
use hookah::model::record::{Answered, Attempt, End, Place, Restored, Work};
use hookah::model::{Message, MessageId, Method, Outcome, Target, TopicNames};
use hookah::port::{StoreDone, StoreOp};
use hookah::store::{self, Opening, Store};

/// How many share a commit.
const GROUPS: [u64; 3] = [1, 64, 256];
/// Bytes of a body.
const BODY: [u8; 256] = [b'x'; 256];
/// When the first message comes, in microseconds.
const EPOCH: u64 = 1_763_900_000_000_000;
/// How long messages are kept where none is to go.
const KEPT: Duration = Duration::from_secs(1 << 40);
/// Messages handed over at once at the steady rate, and how often: 50 thousand a second.
const STEADY: (u64, Duration) = (25, Duration::from_micros(500));

fn main() {
    let measured = std::env::args().any(|arg| arg == "--bench");
    if !std::env::args().any(|arg| arg == "steady") {
        print_rates(measured);
        print_restored(measured);
    }
    print_steady(measured);
}

/// What a commit takes, by what shares it.
fn print_rates(measured: bool) {
    println!(
        "{:<10} {:>6} {:>12} {:>14} {:>10}",
        "what", "group", "a second", "thread ns", "p50 ms"
    );
    for group in GROUPS {
        let count = match (measured, group) {
            (false, _) => 2 * group,
            (true, 1) => 5_000,
            (true, _) => 400 * group,
        };
        for (name, webhook) in [("message", false), ("webhook", true)] {
            let report = run(count, group, webhook);
            match measured {
                true => println!("{name:<10} {group:>6} {report}"),
                false => println!("{name:<10} {group:>6} {:>12}", "-"),
            }
        }
    }
}

/// How long it is until a message lasts.
fn print_steady(measured: bool) {
    let (turns, syncs) = if measured { (20_000, 500) } else { (4, 2) };
    for (name, keep) in [("none goes", KEPT), ("as many go as come", Duration::ZERO)] {
        let (lasts, log) = steady(turns, keep);
        if measured {
            let log = log as f64 / 1_048_576.0;
            println!(
                "lasts after, {name:<18}: {}; log {log:.1} MiB",
                spread(lasts)
            );
        }
    }
    let disk = syncs_of_4_kib(syncs);
    if measured {
        println!("the disk's sync of 4 KiB       : {}", spread(disk));
    }
}

/// How long a start takes.
fn print_restored(measured: bool) {
    let waiting = if measured { 1_000_000 } else { 2_000 };
    let ready = restored(waiting);
    match measured {
        true => println!(
            "ready again with {waiting} waiting: {} ms",
            ready.as_millis()
        ),
        false => println!("ready again with {waiting} waiting"),
    }
}

/// An open store in a folder of its own, which goes with it.
struct Bench {
    store: Box<dyn Store>,
    bell: Receiver<()>,
    seq: u64,
    /// Everything up to this one lasts.
    lasting: u64,
    next: u64,
    target: Arc<Target>,
}

/// A folder that is removed with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let parent = std::env::var_os("HOOKAH_BENCH_DIR").map(PathBuf::from);
        let parent = parent.unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("hookah-bench-{}", std::process::id()));
        fs::create_dir(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    /// Opens the store, and counts the deliveries that it tells of.
    fn open(folder: &Path, keep: Duration) -> (Bench, u64) {
        let (ring, bell) = channel();
        let opening = Opening {
            wake: Arc::new(move || {
                let _ = ring.send(());
            }),
            free: |_| None,
            target: target::kept,
            backlog_age: Duration::ZERO,
            backlog_bytes: 0,
            keep_age: keep,
            keep_bytes: 1 << 40,
            min_free: 64 << 20,
            memory_bytes: 0,
            waits: false,
        };
        let name = format!("sqlite:{}", folder.join("bench.db").display());
        let opened = store::open(&name, opening).map_err(|refusal| refusal.why);
        let mut bench = Bench {
            store: opened.expect("a store").store,
            bell,
            seq: 0,
            lasting: 0,
            next: 1,
            target: Arc::new(target::kept("http://localhost:9000/hook", None).expect("a URL")),
        };
        let mut waiting = 0;
        loop {
            match bench.told() {
                StoreDone::Ready => return (bench, waiting),
                StoreDone::Restored(some) => {
                    for one in some {
                        if let Restored::Lane(lane) = one {
                            waiting += lane.count;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn told(&mut self) -> StoreDone {
        loop {
            if let Some(done) = self.store.completion() {
                return done;
            }
            self.bell.recv().expect("the store lives");
        }
    }

    fn hand(&mut self, op: StoreOp) {
        self.seq += 1;
        self.store.submit(self.seq, op);
    }

    /// Until everything lasts.
    fn durable(&mut self) {
        self.store.flush();
        while self.lasting < self.seq {
            match self.told() {
                StoreDone::Durable(seq) => self.lasting = seq,
                StoreDone::Failed(_) => panic!("the store failed"),
                _ => {}
            }
        }
    }

    fn accept(&mut self, webhook: bool) -> MessageId {
        let id = MessageId(u128::from(self.next) << 80);
        self.next += 1;
        let topics: &[&[u8]] = if webhook { &[] } else { &[b"news"] };
        let message = Arc::new(Message {
            id,
            accepted: Wall(EPOCH + self.next * 1_000),
            content_type: "application/json".into(),
            body: Frame::copy_of(&BODY),
            topics: TopicNames::of(topics.iter().copied()),
            method: Method::Post,
            hops: 0,
            extra: None,
        });
        self.hand(StoreOp::Accept {
            message,
            promised: false,
        });
        if webhook {
            self.hand(StoreOp::Work(Work {
                id,
                number: 1,
                target: Arc::clone(&self.target),
                place: Place {
                    lane: self.target.lane,
                    rank: self.next,
                    due: Wall(self.next),
                    parked: false,
                },
                expires: Wall(self.next + 1),
                attempts: 0,
                subscription: 0,
            }));
        }
        id
    }

    fn end(&mut self, id: MessageId) {
        let attempt = Attempt {
            attempt: 1,
            at: Wall(1_763_900_000_000_000),
            took: 1_000,
            status: 200,
            error: "".into(),
            detail: "".into(),
            answer: Some(Box::new(Answered {
                head: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                    .as_slice()
                    .into(),
                body: Box::default(),
                truncated: false,
            })),
        };
        let end = End {
            outcome: Outcome::Delivered,
            detail: "",
            at: Wall(1_763_900_000_001_000),
            target: Arc::clone(&self.target),
        };
        self.hand(StoreOp::End {
            id,
            number: 1,
            end,
            attempt: Some(attempt),
        });
    }
}

/// `count` of them in groups, each a commit; a webhook's end goes with the next group.
fn run(count: u64, group: u64, webhook: bool) -> String {
    let folder = Folder::new();
    let (mut bench, _) = Bench::open(&folder.0, KEPT);
    let before = thread_time();
    let start = Instant::now();
    let mut open = Vec::new();
    let mut times = Vec::new();
    for _ in 0..count / group {
        let begun = Instant::now();
        let ended: Vec<MessageId> = std::mem::take(&mut open);
        for id in ended {
            bench.end(id);
        }
        for _ in 0..group {
            let id = bench.accept(webhook);
            if webhook {
                open.push(id);
            }
        }
        bench.durable();
        times.push(begun.elapsed());
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let spent = thread_time().saturating_sub(before);
    times.sort_unstable();
    let median = times[times.len() / 2].as_secs_f64() * 1_000.0;
    bench.store.close();
    format!("{rate:>12.0} {:>14} {median:>10.2}", spent / count)
}

/// How long it takes until messages last that come at a steady rate, counted from when they were
/// to be handed over, whatever held that up, if they are kept so long; and the greatest length of
/// the log.
fn steady(turns: u32, keep: Duration) -> (Vec<Duration>, u64) {
    let folder = Folder::new();
    let (mut bench, _) = Bench::open(&folder.0, keep);
    let log = folder.0.join("bench.db-wal");
    let mut longest = 0;
    let (count, every) = STEADY;
    let mut handed = VecDeque::new();
    let mut times = Vec::new();
    let start = Instant::now();
    let mut turn = 0;
    while turn < turns || !handed.is_empty() {
        let due = start + every * turn;
        let now = Instant::now();
        if turn < turns && now >= due {
            for _ in 0..count {
                bench.accept(false);
            }
            bench.store.flush();
            handed.push_back((bench.seq, due));
            turn += 1;
        }
        while let Some(done) = bench.store.completion() {
            let StoreDone::Durable(durable) = done else {
                continue;
            };
            let now = Instant::now();
            while let Some((_, due)) = handed.front().filter(|(seq, _)| *seq <= durable) {
                times.push(now.duration_since(*due));
                handed.pop_front();
            }
        }
        if turn % 100 == 0 {
            longest = longest.max(fs::metadata(&log).map_or(0, |meta| meta.len()));
        }
        let next = start + every * turn;
        let left = next.saturating_duration_since(Instant::now());
        // At the end it is only waited for what was handed over.
        let left = if turn < turns { left } else { every };
        let _ = bench.bell.recv_timeout(left);
    }
    bench.store.close();
    (times, longest)
}

/// What the disk takes to sync 4 KiB behind a file's end, so many times.
fn syncs_of_4_kib(count: usize) -> Vec<Duration> {
    let folder = Folder::new();
    let mut file = File::create(folder.0.join("sync")).expect("a file");
    let sync = |_| {
        let begun = Instant::now();
        let synced = file.write_all(&[7; 4_096]).and_then(|()| file.sync_data());
        synced.expect("a disk");
        begun.elapsed()
    };
    (0..count).map(sync).collect()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |permille: usize| {
        let place = (times.len() - 1) * permille / 1_000;
        times[place].as_secs_f64() * 1_000.0
    };
    let [p50, p99, p999, max] = [at(500), at(990), at(999), at(1_000)];
    format!("p50 {p50:.2}, p99 {p99:.2}, p99.9 {p999:.2}, max {max:.2} ms")
}

/// How long a start takes that finds so many deliveries waiting, as a crash leaves them.
fn restored(count: u64) -> Duration {
    let folder = Folder::new();
    let (mut bench, _) = Bench::open(&folder.0, KEPT);
    for place in 0..count {
        bench.accept(true);
        if place % 1_000 == 999 {
            bench.durable();
        }
    }
    bench.durable();
    bench.store.close();
    drop(bench);
    let start = Instant::now();
    let (_bench, waiting) = Bench::open(&folder.0, KEPT);
    assert_eq!(waiting, count);
    start.elapsed()
}

/// Nanoseconds that the store's thread has run, as far as the system tells.
fn thread_time() -> u64 {
    let tasks = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let of_store = tasks.filter(|task| {
        let name = fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.trim() == "store")
    });
    let ran = of_store.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    ran.sum()
}
