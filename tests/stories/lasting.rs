//! What a 202 promises with a store on disk: it is there after any end of the process. And a start
//! that cannot have its store says why.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use rusqlite::Connection;

use crate::client::Client;
use crate::folder::Folder;
use crate::server::{Server, hookah, run};
use crate::{ask, form, post, schedule, until};

fn store(path: &Path) -> String {
    format!("--store=sqlite:{}", path.display())
}

fn start(path: &Path) -> Server {
    Server::with(["--port", "0", &store(path)])
}

/// Nobody listens there, so what is sent to it waits for its next attempt.
const NOBODY: &str = "http://127.0.0.1:1/";

/// The ids of all messages in the file, as people see them with its own shell.
fn ids(path: &Path) -> BTreeSet<String> {
    let db = Connection::open(path).expect("the file");
    let mut all = db.prepare("SELECT id FROM history").expect("the view");
    let all = all.query_map([], |row| row.get(0)).expect("rows");
    all.map(|id| id.expect("an id")).collect()
}

#[test]
fn what_was_answered_with_202_is_there_after_kill_9() {
    let folder = Folder::new();
    let path = folder.file();
    let mut known = BTreeSet::new();
    for _ in 0..3 {
        let server = start(&path);
        let (addr, (sender, answered)) = (server.addr(), channel());
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || {
                    let mut client = Client::connect(addr);
                    for _ in 0..50 {
                        client.send(form(&format!("_url={NOBODY}&a=b")));
                        let answer = client.answer();
                        assert_eq!(answer.status, 202, "{answer:?}");
                        assert_eq!(answer.fields.get("Hookah-Durability"), None);
                        let id = answer.fields.get("Hookah-Id").expect("an id").to_owned();
                        let _ = sender.send(id);
                    }
                })
            })
            .collect();
        // In the middle of it: those that are not answered then may be there or not.
        known.extend(answered.iter().take(100));
        server.signal("KILL");
        server.wait();
        for client in clients {
            let _ = client.join();
        }
        known.extend(answered.try_iter());
        let found = ids(&path);
        let lost: Vec<_> = known.difference(&found).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert!(folder.waiting() >= known.len() as u64);
    }
}

#[test]
fn a_clean_end_keeps_what_waits() {
    let folder = Folder::new();
    let mut server = start(&folder.file());
    let line = server.line_with("store: ");
    assert!(
        line.ends_with("(what was answered with 202 survives a crash)"),
        "{line}"
    );
    let id = schedule(&server, NOBODY, "&a=b");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(ids(&folder.file()), [id].into());
    assert_eq!(folder.waiting(), 1);
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let folder = Folder::new();
    let first = start(&folder.file());
    let ran = run(["--port", "0", &store(&folder.file())]);
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    let expected = format!(
        "hookah: {} is in use by another process, pid {}; stop that one",
        folder.file().display(),
        first.id()
    );
    assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    drop(first);
    start(&folder.file());
}

#[test]
fn a_store_that_cannot_be_had_is_one_clear_line() {
    let folder = Folder::new();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, [0x5a; 9_000]).expect("a file");
    let newer = folder.path().join("newer.db");
    let made = Connection::open(&newer).expect("a file");
    made.execute_batch("PRAGMA application_id = 1215262571; PRAGMA user_version = 99")
        .expect("a header");
    let missing = folder.path().join("none/a.db");
    let unwritable = PathBuf::from("/proc/hookah.db");
    for (path, code, text) in [
        (&missing, 73, "cannot create "),
        (&unwritable, 73, "cannot create "),
        (&garbage, 74, "run hookah check --store sqlite:"),
        (&newer, 78, "was written by a later hookah"),
    ] {
        let ran = run(["--port", "0", &store(path)]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("hookah: ") && last.contains(text),
            "{last}"
        );
        assert!(last.contains(&path.display().to_string()), "{last}");
    }
}

#[test]
fn a_file_that_cannot_grow_is_a_503_and_never_a_202_in_vain() {
    let folder = Folder::new();
    let mut command = std::process::Command::new("sh");
    // Beyond the limit a write fails, as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 2400; exec \"$0\" \"$@\"";
    command
        .env("HOOKAH_HOST_NAME", crate::server::NAMES)
        .args(["-c", script])
        .arg(hookah().get_program())
        .args(["--port", "0", &store(&folder.file())]);
    let mut server = Server::spawn(command);
    let mut known = BTreeSet::new();
    let refused = loop {
        let answer = ask(
            &server,
            post("/dispatch", "Hookah-Topic: news\r\n", [b'x'; 16_000]),
        );
        if answer.status != 202 {
            break answer;
        }
        known.insert(answer.fields.get("Hookah-Id").expect("an id").to_owned());
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(known.len() > 10, "{}", known.len());
    server.line_with("store_failed");
    server.signal("KILL");
    server.wait();
    let found = ids(&folder.file());
    let lost: Vec<_> = known.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_folder_that_is_taken_away_is_a_503_and_never_a_202_in_vain() {
    let folder = Folder::new();
    let (inside, away) = (folder.path().join("in"), folder.path().join("away"));
    std::fs::create_dir(&inside).expect("a folder");
    let path = inside.join("hookah.db");
    let mut server = start(&path);
    let mut known = BTreeSet::from([schedule(&server, NOBODY, "&a=1")]);
    std::fs::rename(&inside, &away).expect("it goes");
    // What was written into a file that nobody finds again is no promise.
    let answer = ask(&server, form(&format!("_url={NOBODY}&a=2")));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.fields.get("Retry-After").is_some());
    server.line_with("store_failed");
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    until("/health says so", || ask(&server, health).status == 503);
    std::fs::rename(&away, &inside).expect("it comes back");
    server.line_with("store_usable");
    until("/health says so", || ask(&server, health).status == 200);
    known.insert(schedule(&server, NOBODY, "&a=3"));
    server.signal("KILL");
    server.wait();
    let found = ids(&path);
    let lost: Vec<_> = known.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// What a power cut or a bad copy may leave of the log, by its length.
fn torn(log: &[u8]) -> Vec<Vec<u8>> {
    let cut = |bytes: usize| log[..bytes].to_vec();
    let garbage = [log, &[0x5a; 5_000]].concat();
    let zeros = [log, &[0; 8_192]].concat();
    let mut dead = log.to_vec();
    let from = log.len() / 2;
    dead[from..].fill(0);
    vec![
        cut(0),
        cut(7),
        cut(32),
        cut(log.len() / 3),
        cut(log.len() - 1),
        cut(log.len() - 4_096),
        garbage,
        zeros,
        dead,
    ]
}

#[test]
fn with_a_log_that_was_torn_between_runs_it_starts_with_what_was_committed_before() {
    let folder = Folder::new();
    let server = start(&folder.file());
    let known: Vec<_> = (0..40).map(|_| schedule(&server, NOBODY, "&a=b")).collect();
    server.signal("KILL");
    server.wait();
    let log_of = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    let log = std::fs::read(log_of(&folder.file())).expect("the log");
    let mut seen = BTreeSet::new();
    for (number, torn) in torn(&log).into_iter().enumerate() {
        let run = folder.path().join(format!("{number}"));
        std::fs::create_dir(&run).expect("a folder");
        let path = run.join("hookah.db");
        std::fs::copy(folder.file(), &path).expect("a copy");
        std::fs::write(log_of(&path), &torn).expect("a copy");
        let server = start(&path);
        let later = schedule(&server, NOBODY, "&a=later");
        server.signal("TERM");
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(0), "way {number}: {said}");
        let mut found = ids(&path);
        assert!(found.remove(&later), "way {number}");
        // Nothing from behind a hole: what is there is the beginning of what was accepted.
        let whole: BTreeSet<_> = known[..found.len()].iter().cloned().collect();
        assert_eq!(found, whole, "way {number}");
        if torn.len() > log.len() {
            assert_eq!(found.len(), known.len(), "way {number}");
        }
        seen.insert(found.len());
    }
    assert!(seen.len() > 2, "one log is as good as another: {seen:?}");
}
