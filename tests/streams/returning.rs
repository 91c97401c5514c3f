//! Readers of a server that was killed and comes back with the same file.

use super::*;
use crate::folder::{Folder, kill};
use crate::reader::{Asked, get};

/// Reads so many ids behind that one.
fn behind(server: &Server, last: &str, count: usize) -> (Option<String>, Vec<String>) {
    let field = format!("Last-Event-ID: {last}\r\n");
    let request = get("topic=t&format=sse", &field);
    let (mut reader, _) = Asked::with(server, &request).events();
    let resume = reader.field("Hookah-Resume").map(str::to_owned);
    (resume, (0..count).map(|_| reader.line().id).collect())
}

#[test]
fn who_comes_back_after_kill_9_misses_nothing_and_gets_nothing_twice() {
    let folder = Folder::new();
    let server = folder.server(&[]);
    let (mut reader, _) = Asked::with(&server, &get("topic=t&format=sse", "")).events();
    let mut ids = publish_numbers(&server, "t", 4);
    let read: Vec<String> = (0..4).map(|_| reader.line().id).collect();
    assert_eq!(read, ids);
    drop(reader);
    // While nobody reads, before the kill and after it; and the kill again.
    ids.extend(publish_numbers(&server, "t", 3));
    kill(server);
    let server = folder.server(&[]);
    ids.extend(publish_numbers(&server, "t", 3));
    let (resume, first) = behind(&server, &ids[3], 6);
    assert_eq!(
        (resume.as_deref(), &first[..]),
        (Some("continue"), &ids[4..])
    );
    kill(server);
    let server = folder.server(&[]);
    ids.extend(publish_numbers(&server, "t", 1));
    for last in 0..ids.len() - 1 {
        let (resume, rest) = behind(&server, &ids[last], ids.len() - last - 1);
        assert_eq!(resume.as_deref(), Some("continue"), "behind {last}");
        assert_eq!(rest, ids[last + 1..]);
    }
    let sorted = ids.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(sorted, "{ids:?}");
}
