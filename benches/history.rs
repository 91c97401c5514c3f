//! How long the history takes to answer, by the kind of question, on a file of many attempts.
//! Small under `cargo test`; `cargo bench --bench history -- full` asks ten million of them, or as
//! many as `HOOKAH_HISTORY` says. It claims no times unless it is run so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::http::target;
use hookah::model::record::{Answered, Attempt, End, Found, Place, Question, Search, Status, Work};
use hookah::model::{Extra, Message, MessageId, Method, Outcome, Target, TopicNames};
use hookah::port::{Seq, StoreDone, StoreOp};
use hookah::store::{self, Opening, Store};

/// Attempts in the file.
const SMALL: u64 = 4_000;
const FULL: u64 = 10_000_000;
/// Messages handed over between two flushes.
const BATCH: u64 = 500;
/// One of so many messages fails, is open, is labelled as rare, is published to a rare topic.
const FAILED: u64 = 1_000;
const OPEN: u64 = 100;
const RARE: u64 = 100_000;
/// Targets.
const URLS: u64 = 1_000;
/// When the first message was accepted; they are a millisecond apart.
const FIRST: u64 = 1_760_000_000_000;
/// Times that a question is asked.
const TIMES: u64 = 200;

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    told: Condvar,
}

/// The store and what it has said.
struct Desk {
    store: Box<dyn Store>,
    bell: Arc<Bell>,
    seq: Seq,
    durable: Seq,
    found: Vec<Found>,
}

impl Desk {
    fn open(path: &Path) -> Result<Desk, String> {
        let bell: Arc<Bell> = Arc::default();
        let rings = Arc::clone(&bell);
        let wake = move || {
            *rings.rung.lock().expect("nobody panics with it") = true;
            rings.told.notify_all();
        };
        let opening = Opening {
            wake: Arc::new(wake),
            free: |_| None,
            target: |url, _| target::parse(url).ok(),
            backlog_age: Duration::ZERO,
            backlog_bytes: 0,
            keep_age: Duration::from_secs(100 * 365 * 86_400),
            keep_bytes: u64::MAX >> 1,
            min_free: 0,
            memory_bytes: 0,
            waits: false,
        };
        let name = format!("sqlite:{}", path.display());
        let opened = store::open(&name, opening).map_err(|refusal| refusal.why)?;
        Ok(Desk {
            store: opened.store,
            bell,
            seq: 0,
            durable: 0,
            found: vec![],
        })
    }

    fn hand(&mut self, op: StoreOp) {
        self.seq += 1;
        self.store.submit(self.seq, op);
    }

    /// Waits until everything before `seq` lasts and `count` answers are there.
    fn wait(&mut self, seq: Seq, count: usize) {
        loop {
            while let Some(done) = self.store.completion() {
                match done {
                    StoreDone::Durable(seq) => self.durable = seq,
                    StoreDone::Found { found, .. } => self.found.push(found),
                    _ => {}
                }
            }
            if self.durable >= seq && self.found.len() >= count {
                return;
            }
            let rung = self.bell.rung.lock().expect("as above");
            let waited = self.bell.told.wait_while(rung, |rung| !*rung);
            *waited.expect("as above") = false;
        }
    }

    fn ask(&mut self, question: Question) -> (Found, Duration) {
        let began = Instant::now();
        self.hand(StoreOp::Ask {
            ticket: 1,
            question: Box::new(question),
        });
        self.store.flush();
        self.wait(0, 1);
        (self.found.remove(0), began.elapsed())
    }
}

fn id(n: u64) -> MessageId {
    MessageId(u128::from((FIRST + n) << 16) << 64 | u128::from(n))
}

fn message(n: u64) -> Message {
    let is_rare = n.is_multiple_of(RARE);
    let label = if is_rare { "rare" } else { "usual" };
    let topic: &[u8] = if is_rare { b"rare" } else { b"usual" };
    let topics = [topic];
    let count = usize::from(n.is_multiple_of(10));
    Message {
        id: id(n),
        accepted: Wall((FIRST + n) * 1000),
        content_type: "application/json".into(),
        body: Frame::copy_of(format!("{{\"event\":\"order.created\",\"number\":{n}}}").as_bytes()),
        topics: TopicNames::of(topics.into_iter().take(count)),
        method: Method::Post,
        hops: 0,
        extra: Some(Box::new(Extra {
            label: Some(label.into()),
            ..Extra::default()
        })),
    }
}

fn tried(due: Wall, is_failed: bool) -> Attempt {
    Attempt {
        attempt: 1,
        at: due,
        took: 12_345,
        status: if is_failed { 410 } else { 200 },
        error: if is_failed { "status" } else { "" }.into(),
        detail: "".into(),
        answer: Some(Box::new(Answered {
            head: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                .as_slice()
                .into(),
            body: b"ok".as_slice().into(),
            truncated: false,
        })),
    }
}

/// A message, its delivery, and for most of them the end.
fn hand(desk: &mut Desk, n: u64, targets: &[Arc<Target>]) {
    let due = Wall((FIRST + n) * 1000);
    let target = Arc::clone(&targets[(n % URLS) as usize]);
    desk.hand(StoreOp::Accept {
        message: Arc::new(message(n)),
        promised: false,
    });
    desk.hand(StoreOp::Work(Work {
        id: id(n),
        number: 1,
        target: Arc::clone(&target),
        place: Place {
            lane: target.lane,
            rank: due.0,
            due,
            parked: true,
        },
        expires: Wall(due.0 + 345_600_000_000),
        attempts: 0,
        subscription: 0,
    }));
    let is_failed = n.is_multiple_of(FAILED);
    let attempt = tried(due, is_failed);
    if n % OPEN == 1 {
        return desk.hand(StoreOp::Later {
            id: id(n),
            number: 1,
            place: Place {
                lane: target.lane,
                rank: due.0,
                due,
                parked: true,
            },
            attempts: 1,
            attempt: Some(attempt),
        });
    }
    let outcome = if is_failed {
        Outcome::Failed
    } else {
        Outcome::Delivered
    };
    desk.hand(StoreOp::End {
        id: id(n),
        number: 1,
        end: End {
            outcome,
            detail: "",
            at: due,
            target,
        },
        attempt: Some(attempt),
    });
}

fn fill(desk: &mut Desk, count: u64) {
    let url = |n| target::parse(&format!("http://host{}.example/hook/{n}", n % 50));
    let targets: Vec<Arc<Target>> = (0..URLS)
        .filter_map(|n| url(n).ok())
        .map(Arc::new)
        .collect();
    assert_eq!(targets.len() as u64, URLS);
    for n in 1..=count {
        hand(desk, n, &targets);
        if n.is_multiple_of(BATCH) || n == count {
            desk.store.flush();
            // One batch under way, one being made.
            let seq = desk.seq.saturating_sub(4 * BATCH);
            desk.wait(seq, 0);
        }
    }
    desk.wait(desk.seq, 0);
}

/// The questions, each with a name.
fn questions(count: u64) -> Vec<(&'static str, Search)> {
    let base = Search {
        limit: 100,
        ..Search::default()
    };
    let stands = |status| Search {
        status: Some(status),
        ..base.clone()
    };
    let ended = |outcome| stands(Status::Ended(outcome));
    let goes_to = |url: &str, search: Search| Search {
        url: Some(url.into()),
        ..search
    };
    let middle = FIRST + count / 2;
    let rare_label = Search {
        label: Some("rare".into()),
        ..base.clone()
    };
    let rare_topic = Search {
        topic: Some(b"rare".as_slice().into()),
        ..base.clone()
    };
    let an_hour = Search {
        since: Some(Wall(middle * 1000)),
        until: Some(Wall((middle + 3_600_000) * 1000)),
        ..base.clone()
    };
    let failed_url = goes_to("http://host0.example/hook/0", ended(Outcome::Failed));
    vec![
        ("newest", base.clone()),
        ("status=failed", ended(Outcome::Failed)),
        ("status=delivered", ended(Outcome::Delivered)),
        ("status=expired (none)", ended(Outcome::Expired)),
        ("status=retrying", stands(Status::Retrying)),
        ("status=failed, one url", failed_url),
        ("one url", goes_to("http://host7.example/hook/7", base)),
        ("rare label", rare_label),
        ("rare topic", rare_topic),
        ("an hour in the middle", an_hour),
    ]
}

/// The middle, the 99th of a hundred and the longest.
fn times(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("{:9.3} {:9.3} {:9.3}", at(0.5), at(0.99), at(1.0))
}

fn report(desk: &mut Desk, count: u64) {
    println!(
        "{:24} {:>9} {:>9} {:>9}  ms",
        "question", "p50", "p99", "max"
    );
    let mut all = vec![];
    for n in 0..TIMES {
        let (found, took) = desk.ask(Question::Message(id(1 + n * (count - 1) / TIMES)));
        assert!(matches!(found, Found::Message(Some(_))), "{found:?}");
        all.push(took);
    }
    println!("{:24} {}", "one message", times(all));
    for (name, search) in questions(count) {
        let mut search = search;
        let (mut all, mut found, mut pages) = (vec![], 0, 0_u64);
        // Page by page, as far back as the times allow.
        while pages < TIMES {
            let (answer, took) = desk.ask(Question::Search(search.clone()));
            let Found::Search { stories, next } = answer else {
                panic!("{name}: {answer:?}");
            };
            (pages, found) = (pages + 1, found + stories.len());
            all.push(took);
            match next {
                Some(next) => search.before = Some(next),
                None => break,
            }
        }
        println!("{name:24} {}  {found} found in {pages} pages", times(all));
    }
}

fn main() -> ExitCode {
    let is_full = std::env::args().any(|word| word == "full");
    let asked = std::env::var("HOOKAH_HISTORY")
        .ok()
        .and_then(|text| text.parse().ok());
    let count: u64 = asked.unwrap_or(if is_full { FULL } else { SMALL });
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("hookah.db");
    let mut desk = match Desk::open(&path) {
        Ok(desk) => desk,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let began = Instant::now();
    fill(&mut desk, count);
    let took = began.elapsed().as_secs_f64();
    let bytes = fs::metadata(&path).map_or(0, |it| it.len());
    println!(
        "{count} attempts, as many messages, written in {took:.1} s, {:.0} a second; {:.1} MB",
        count as f64 / took,
        bytes as f64 / 1e6
    );
    report(&mut desk, count);
    desk.store.close();
    let _ = fs::remove_dir_all(&folder);
    ExitCode::SUCCESS
}
