//! Bits of a small store turn over: what is damaged is said to be, and everything else is there;
//! or the start is refused, with what to run. Nothing is wrong without a word.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use hookah::base::rng::Rng;
use hookah::model::record::{Found, Question, Restored, Search, Status, Story, Table};
use hookah::model::{MessageId, Outcome};
use hookah::port::StoreOp;

use crate::make::{self, FUTURE, PAST, accept, answered, at, message, nth, rich, work};
use crate::model::Model;
use crate::rig::{Bounds, Rig};
use crate::{BACKENDS, Backend, text};

/// Bits that are turned over, each in a copy of its own.
const FLIPS: usize = 220;
const MESSAGES: u64 = 24;
const LANES: u64 = 3;

/// The word that a delivery has if something of it is damaged.
const DAMAGED: &str = "damaged_record";

fn sqlite() -> Backend {
    let found = BACKENDS.into_iter().find(|it| it.scheme == "sqlite");
    found.expect("its row")
}

/// A little of everything.
fn ops() -> Vec<StoreOp> {
    let mut ops = vec![];
    for n in 1..=MESSAGES {
        let id = nth(n);
        let message = match n % 2 {
            0 => rich(id, &[b"topic", b"other"], "label"),
            _ => message(id, &[b'x'; 700]),
        };
        ops.push(accept(&Arc::new(message)));
        for number in 1..=2 {
            let one = work(id, number, at(n % LANES, FUTURE, true));
            ops.push(StoreOp::Work(one.clone()));
            let attempt = answered(1, 500, &[b'y'; 300]);
            match (n + u64::from(number)) % 3 {
                0 => ops.push(make::end(&one, Outcome::Failed, Some(attempt))),
                1 => ops.push(StoreOp::Later {
                    id,
                    number,
                    place: at(n % LANES, PAST, true),
                    attempts: 1,
                    attempt: Some(attempt),
                }),
                _ => {}
            }
        }
        ops.push(StoreOp::Keep {
            table: Table::ALL[(n % 3) as usize],
            key: n.to_be_bytes().into(),
            value: Some([n as u8; 90].into()),
        });
    }
    ops
}

/// The bytes of a store of all that, closed in order.
fn small() -> Vec<u8> {
    let mut rig = Rig::new(sqlite());
    rig.lasts(ops());
    rig.shut();
    fs::read(rig.file()).expect("its file")
}

/// What it knows after a start.
fn known() -> Model {
    let mut model = Model::default();
    for op in ops() {
        model.apply(&op);
    }
    model.restart();
    model
}

/// What `hookah check` says of a file.
fn check(file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookah"));
    command
        .env_remove("HOOKAH_STORE")
        .args(["check", "--store"]);
    command.arg(format!("sqlite:{}", file.display()));
    command.output().expect("the binary")
}

fn checked(file: &Path) -> (bool, String) {
    let output = check(file);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => (true, said),
        Some(74) => (false, said),
        other => panic!("{other:?}: {said}"),
    }
}

/// What became of the records, beside what the model knows.
#[derive(Default)]
struct Seen {
    /// Said to be damaged.
    flagged: usize,
    /// Not told at all.
    missing: Vec<String>,
    /// Told otherwise than they are.
    wrong: Vec<String>,
}

fn look(rig: &mut Rig, model: &mut Model) -> Seen {
    let mut seen = Seen::default();
    facts(rig, model, &mut seen);
    for n in 1..=MESSAGES {
        story(rig, model, nth(n), &mut seen);
    }
    searches(rig, model, &mut seen);
    for lane in 0..LANES {
        lane_of(rig, model, lane, &mut seen);
    }
    seen
}

fn facts(rig: &Rig, model: &mut Model, seen: &mut Seen) {
    let kept = |all: &[Restored]| {
        let kept = all.iter().filter(|it| matches!(it, Restored::Kept { .. }));
        text::restored(&kept.cloned().collect::<Vec<_>>())
    };
    let (found, known) = (kept(&rig.restored), kept(&model.restored()));
    seen.missing
        .extend(known.iter().filter(|it| !found.contains(it)).cloned());
    seen.wrong
        .extend(found.iter().filter(|it| !known.contains(it)).cloned());
}

fn story(rig: &mut Rig, model: &Model, id: MessageId, seen: &mut Seen) {
    let known = model
        .story(id)
        .map(|story| text::story(&story))
        .expect("accepted");
    match rig.ask(Question::Message(id)) {
        Found::Failed(_) => seen.flagged += 1,
        Found::Message(None) => seen.missing.push(format!("message {id}")),
        Found::Message(Some(story)) => {
            let said = text::story(&story);
            if is_flagged(&story) {
                seen.flagged += 1;
            } else if said != known {
                seen.wrong.push(format!("{said} and not {known}"));
            }
        }
        other => panic!("{other:?}"),
    }
}

/// Whether it says itself that it is not all there is: none here has more deliveries than are told.
fn is_flagged(story: &Story) -> bool {
    story.more || story.deliveries.iter().any(|it| it.detail == DAMAGED)
}

fn searches(rig: &mut Rig, model: &Model, seen: &mut Seen) {
    let failed = Status::Ended(Outcome::Failed);
    for status in [None, Some(failed)] {
        let mut search = Search {
            status,
            limit: 100,
            ..Search::default()
        };
        let known: BTreeMap<MessageId, String> = (model.search(&search).iter())
            .map(|story| (story.message.id, text::story(story)))
            .collect();
        let mut found = BTreeMap::new();
        loop {
            match rig.ask(Question::Search(search.clone())) {
                Found::Failed(_) => {
                    seen.flagged += 1;
                    return;
                }
                Found::Search { stories, next } => {
                    found.extend(stories.into_iter().map(|it| (it.message.id, it)));
                    match next {
                        Some(next) => search.before = Some(next),
                        None => break,
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        for id in known.keys().filter(|id| !found.contains_key(id)) {
            seen.missing
                .push(format!("{id} in a search for {status:?}"));
        }
        for (id, story) in found {
            if is_flagged(&story) {
                seen.flagged += 1;
            } else if known.get(&id) != Some(&text::story(&story)) {
                seen.wrong.push(format!("{id} in a search for {status:?}"));
            }
        }
    }
}

/// All that is parked in a lane must come, and as it is.
fn lane_of(rig: &mut Rig, model: &mut Model, lane: u64, seen: &mut Seen) {
    let known = model.take(lane, u64::MAX, 1000, u64::MAX);
    let (found, _) = rig.take(lane, u64::MAX, 1000, u64::MAX);
    let lines = |rows: &[hookah::model::record::Taken]| -> Vec<String> {
        let line = |row| text::taken(std::slice::from_ref(row));
        rows.iter().map(line).collect()
    };
    let (found, known) = (lines(&found), lines(&known));
    seen.missing
        .extend(known.iter().filter(|it| !found.contains(it)).cloned());
    seen.wrong
        .extend(found.iter().filter(|it| !known.contains(it)).cloned());
}

#[test]
fn a_bit_that_turns_over_is_noticed_or_harmless() {
    let bytes = small();
    let mut rng = Rng::new([11; 32]);
    let (mut refused, mut flagged, mut harmless) = (0, 0, 0);
    for flip in 0..FLIPS {
        let place = rng.below(bytes.len() as u64) as usize;
        let bit = rng.below(8);
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << bit;
        let name = format!("flip {flip}: byte {place}, bit {bit}");
        let mut rig = match Rig::over(sqlite(), Bounds::default(), &damaged) {
            Ok(rig) => rig,
            Err(why) => {
                assert!(why.contains("hookah check"), "{name}: {why}");
                refused += 1;
                continue;
            }
        };
        let mut model = known();
        let seen = look(&mut rig, &mut model);
        assert!(seen.wrong.is_empty(), "{name}: wrong: {:#?}", seen.wrong);
        rig.shut();
        let is_lacking = seen.flagged > 0 || !seen.missing.is_empty();
        let (is_sound, said) = checked(&rig.file());
        assert!(
            !(is_lacking && is_sound),
            "{name}: {:#?} {said}",
            seen.missing
        );
        match is_lacking {
            true => flagged += 1,
            false => harmless += 1,
        }
    }
    println!("{refused} refused, {flagged} flagged, {harmless} harmless");
    assert!(
        refused > 5 && flagged > 50,
        "{refused} refused, {flagged} flagged"
    );
}

#[test]
fn a_store_that_is_whole_is_found_so() {
    let mut rig = Rig::new(sqlite());
    rig.lasts([accept(&Arc::new(message(nth(1), b"body")))]);
    let held = check(&rig.file());
    assert_eq!(held.status.code(), Some(75), "a server has it: {held:?}");
    let said = String::from_utf8_lossy(&held.stderr).into_owned();
    assert!(
        said.contains(&format!("pid {}", std::process::id())),
        "{said}"
    );
    rig.shut();
    let before = fs::read(rig.file()).expect("its file");
    let (is_sound, said) = checked(&rig.file());
    assert!(is_sound && said.contains("messages: 1 records"), "{said}");
    assert!(
        before == fs::read(rig.file()).expect("its file"),
        "it is only read"
    );
    let none = check(&rig.place().join("none.db"));
    assert_eq!(none.status.code(), Some(74));
    assert!(!rig.place().join("none.db").exists());
}

#[test]
fn everything_that_is_damaged_is_named() {
    let bytes = small();
    let mut damaged = bytes.clone();
    // Wherever it stands: there are pages with what stood there before.
    let mut turn = |part: &[u8]| {
        let places = 0..bytes.len() - part.len();
        for place in places.filter(|place| bytes[*place..].starts_with(part)) {
            damaged[place + 10] ^= 1;
        }
    };
    turn(&[b'x'; 700]);
    turn(&[b'y'; 300]);
    turn(&[7; 90]);
    let rig = Rig::over(sqlite(), Bounds::default(), &damaged);
    let mut rig = rig.expect("records alone are no reason to refuse");
    for lane in 0..LANES {
        rig.take(lane, u64::MAX, 1000, u64::MAX);
    }
    rig.shut();
    let (is_sound, said) = checked(&rig.file());
    assert!(!is_sound);
    for what in [
        "record of messages: msg_",
        "record of attempts: msg_",
        "record of topics: ",
    ] {
        assert!(said.contains(what), "{what} in {said}");
    }
    assert!(said.contains("put aside at "), "{said}");
}
