//! A store that another process has yet to release.

use super::*;
use crate::folder::{Folder, kill};
use crate::target::Target;

/// A server with the store in that folder that would wait for it.
fn second(folder: &Folder) -> Server {
    let store = format!("--store=sqlite:{}", folder.file().display());
    Server::with(["--port", "0", "--takeover", &store])
}

/// What rests on what is kept.
const WAITING: [&str; 15] = [
    "GET /ready HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /stream?topic=t&format=json HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /stream?topic=t&poll=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /stream?topic=t&format=json HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /messages HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /messages/msg_1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "DELETE /messages/msg_1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /messages/msg_1/resend HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /messages/resend HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "GET /topics HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /topics/t HTTP/1.1\r\nHost: h\r\n\r\n",
    "DELETE /topics/t HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /subscriptions HTTP/1.1\r\nHost: h\r\n\r\n",
    "DELETE /subscriptions?topic=t&callback=http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
];

/// None of that is answered yet, nor is what is posted taken in.
fn refuses_for_now(second: &Server, posted: &str) {
    for request in WAITING.into_iter().chain([posted]) {
        let mut client = Client::connect(second.addr());
        client.send(request);
        let answer = match request.starts_with("HEAD ") {
            true => client.answer_to_head(),
            false => client.answer(),
        };
        let wait = answer.fields.get("Retry-After");
        assert_eq!(
            (answer.status, wait),
            (503, Some("1")),
            "{request}: {answer:?}"
        );
    }
}

#[test]
fn whoever_waits_for_the_store_serves_what_needs_none() {
    let folder = Folder::new();
    let first = folder.server(&[]);
    let target = Target::willing();
    let posted = form(&format!("_url={}&a=1", target.url("/")));
    let mut second = second(&folder);
    let line = second.line_with("store: ");
    let waits = format!(
        "store: {} (waits until process {} releases {}; meanwhile nothing is taken in)",
        folder.file().display(),
        first.id(),
        folder.file().display()
    );
    assert_eq!(line, waits);
    assert_eq!(get(&second, "/health").status, 200);
    refuses_for_now(&second, &posted);
    for path in ["/", "/hub", "/metrics", "/lanes", "/flows", "/queues"] {
        assert_eq!(get(&second, path).status, 200, "{path}");
    }
    // EventSource would give up for good on a 503.
    let events = ask(
        &second,
        "GET /stream?topic=t&format=sse HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(events.status, 200, "{events:?}");
    assert!(events.body.starts_with("retry: "), "{events:?}");
    assert_eq!(ask(&first, &posted).status, 202);
    assert_eq!(target.arrival().text(), "a=1");
    first.signal("TERM");
    assert_eq!(first.wait().0.code(), Some(0));
    second.line_with("store_taken_over ");
    second.line_with("store_ready ");
    assert_eq!(ask(&second, &posted).status, 202);
    assert_eq!(target.arrival().text(), "a=1");
    second.signal("TERM");
    assert_eq!(second.wait().0.code(), Some(0));
}

#[test]
fn a_store_is_taken_over_from_who_was_killed() {
    let folder = Folder::new();
    let first = folder.server(&[]);
    let mut second = second(&folder);
    kill(first);
    second.line_with("store_taken_over ");
    second.line_with("store_ready ");
}

#[test]
fn whoever_waits_ends_at_a_signal_and_the_other_goes_on() {
    let folder = Folder::new();
    let first = folder.server(&[]);
    let second = second(&folder);
    second.signal("TERM");
    let (status, said) = second.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(get(&first, "/ready").status, 200);
}

#[test]
fn a_store_that_is_no_use_once_it_is_free_is_one_clear_line() {
    let folder = Folder::new();
    let first = folder.server(&[]);
    let second = second(&folder);
    // Somebody moves the database away and puts another file in its place.
    for ending in ["", "-wal", "-shm"] {
        let path = format!("{}{ending}", folder.file().display());
        let _ = std::fs::remove_file(path);
    }
    std::fs::write(folder.file(), "no database".repeat(1_000)).unwrap();
    kill(first);
    let (status, said) = second.wait();
    assert_eq!(status.code(), Some(74), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("hookah: ") && last.contains("no database"),
        "{said}"
    );
}

#[test]
fn a_shell_that_locks_the_file_for_a_while_is_waited_for() {
    let folder = Folder::new();
    let mut server = folder.server(&[]);
    let target = Target::willing();
    let shell = rusqlite::Connection::open(folder.file()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = Client::connect(server.addr());
    client.send(form(&format!("_url={}&a=1", target.url("/"))));
    server.line_with("store_waits ");
    // What needs no store is answered meanwhile.
    assert_eq!(get(&server, "/health").status, 200);
    assert_eq!(get(&server, "/ready").status, 200);
    shell.execute_batch("COMMIT").unwrap();
    assert_eq!(client.answer().status, 202);
    assert_eq!(target.arrival().text(), "a=1");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("store_failed"), "{said}");
}
