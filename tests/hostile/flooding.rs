//! What a peer can have written into the log is bounded.

use super::schedule;
use crate::server::Server;
use crate::target::Target;

#[test]
fn a_flood_of_failures_is_no_flood_of_lines() {
    const FAILURES: usize = 600;
    let mut server = Server::start();
    let gone = Target::new(|_| b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"[..].into());
    for _ in 0..FAILURES {
        schedule(server.addr(), &gone.url("/"), "&a=1");
        gone.arrival();
    }
    let line = server.line_with("log_limited");
    assert!(line.contains(" of=delivery_ended "), "{line}");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert!(status.success(), "{status}");
    assert!(said.contains("drain_end"), "others are written: {said}");
    let lines = said.lines().filter(|line| line.contains("delivery_ended"));
    let lines = lines.count();
    assert!(lines < FAILURES, "{lines} lines");
}
