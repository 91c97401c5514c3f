//! A process takes another's place under load, and nobody sees more of it than a moment's 503.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use super::*;
use crate::decode::{Content, Heard, Said, said};
use crate::folder::Folder;
use crate::reader::Asked;
use crate::target::Target;

/// Clients that post.
const CLIENTS: usize = 4;
/// What each of the two processes takes at least.
const POSTS: usize = 40;

/// A story's clients, and what they have come to.
struct Load {
    over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    posting: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn new(addr: SocketAddr, target: &Target) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let posting = (0..CLIENTS).map(|client| {
            let (over, count) = (Arc::clone(&over), Arc::clone(&count));
            let url = target.url("/");
            thread::spawn(move || {
                let mut accepted = Vec::new();
                let mut line = Client::connect(addr);
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let n = format!("{client}x{number}");
                    if post(addr, &mut line, &format!("_url={url}&_topic=t&n={n}")) {
                        accepted.push(n);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
                accepted
            })
        });
        let posting = posting.collect();
        Load {
            over,
            count,
            posting,
        }
    }

    /// Waits until so many more are accepted.
    fn more(&self) {
        let before = self.count.load(Ordering::SeqCst);
        while self.count.load(Ordering::SeqCst) < before + POSTS {
            assert!(
                self.posting.iter().all(|it| !it.is_finished()),
                "a client failed"
            );
            thread::yield_now();
        }
    }

    /// What was accepted in all.
    fn end(self) -> HashSet<String> {
        self.over.store(true, Ordering::SeqCst);
        let lists = self.posting.into_iter().map(|it| it.join());
        lists
            .flat_map(|it| it.expect("a client that saw no error"))
            .collect()
    }
}

/// Posts once, over a line that is kept as long as the server keeps it; whether it was accepted.
/// A connection that is refused, reset, or ended without an answer fails the test.
fn post(addr: SocketAddr, line: &mut Client, fields: &str) -> bool {
    let answer = line.send(form(fields)).answer();
    if answer.closes() {
        line.ends();
        *line = Client::connect(addr);
    }
    match answer.status {
        202 => true,
        503 => {
            assert_eq!(answer.fields.get("Retry-After"), Some("1"), "{answer:?}");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

/// What the last message says.
const LAST: &str = "the-last";

/// Reads the topic to its last message, coming back again and again as EventSource does; what was
/// read, in its order, and how often it came back to go on.
fn read_all(addr: SocketAddr, begun: &AtomicBool) -> (Vec<String>, usize) {
    let mut last: Option<String> = None;
    let (mut read, mut returned) = (Vec::new(), 0);
    loop {
        let field = last.as_ref().map(|id| format!("Last-Event-ID: {id}\r\n"));
        let mut client = Client::connect(addr);
        let request = reader::get("topic=t&format=sse", &field.unwrap_or_default());
        client.send(request);
        let mut asked = Asked::on(client);
        if asked.is_turned_away() {
            continue;
        }
        let (mut stream, _) = asked.events();
        begun.store(true, Ordering::SeqCst);
        if last.is_some() {
            returned += 1;
            assert_eq!(stream.field("Hookah-Resume"), Some("continue"), "a gap");
        }
        while let Some(heard) = stream.next() {
            let Heard::Event(event) = heard else { continue };
            if !event.has_id {
                assert_eq!(event.name, "disconnect", "{event:?}");
                continue;
            }
            let Ok(Said::Message(line)) = said(event.data.as_bytes()) else {
                panic!("{event:?}");
            };
            assert!(
                last.is_none_or(|last| last < line.id),
                "out of order: {}",
                line.id
            );
            let Content::Data(data) = line.content else {
                panic!("{event:?}");
            };
            let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
            let n = data["n"].as_str().expect("a text").to_owned();
            last = Some(line.id);
            if n == LAST {
                return (read, returned);
            }
            read.push(n);
        }
    }
}

#[test]
fn a_process_is_replaced_under_load_and_nobody_is_refused() {
    let folder = Folder::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let store = format!("sqlite:{}", folder.file().display());
    let flags = [
        "--store",
        &store,
        "--backlog-messages=100000",
        "--backlog-bytes=64MiB",
    ];
    let start = || Server::handed(listener.try_clone().unwrap(), &flags);
    let target = Target::willing();

    let first = start();
    // Somebody reads all the time, from one process and then from the other.
    let begun = Arc::new(AtomicBool::new(false));
    let reads = Arc::clone(&begun);
    let reader = thread::spawn(move || read_all(addr, &reads));
    while !begun.load(Ordering::SeqCst) {
        assert!(!reader.is_finished(), "the reader failed");
        thread::yield_now();
    }
    let load = Load::new(addr, &target);
    load.more();
    let mut second = start();
    first.signal("TERM");
    let (status, said) = first.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("drain_end"), "{said}");
    second.line_with("store_ready ");
    load.more();
    let accepted = load.end();
    let mut line = Client::connect(addr);
    assert!(post(addr, &mut line, &format!("_topic=t&n={LAST}")));

    let mut missing = accepted.clone();
    while !missing.is_empty() {
        let text = target.arrival().text().to_owned();
        missing.remove(text.strip_prefix("n=").expect("a number"));
    }
    let (read, returned) = reader.join().expect("a reader without a gap");
    assert!(returned > 0, "it never had to come back");
    assert_eq!(read.len(), accepted.len(), "each once");
    assert_eq!(read.into_iter().collect::<HashSet<_>>(), accepted);
    second.signal("TERM");
    assert_eq!(second.wait().0.code(), Some(0));
}
