//! A fault of ours in the real binary, planted by the environment as debug builds let one: what it
//! costs, and whom. The boundary itself is tested in `src/shell/guard.rs`.

use crate::client::Client;
use crate::server::{Server, hookah};
use crate::target::Target;
use crate::{FORM, ask, form, metric, post, schedule, settled};

/// What the story's bad requests hold.
const MARK: &str = "a+planted+fault";

fn planted(mark: &str) -> Server {
    let mut command = hookah();
    command
        .args(["--port", "0"])
        .env("HOOKAH_PLANTED_PANIC", mark);
    Server::spawn(command)
}

#[test]
fn a_panic_amid_a_request_costs_the_line_that_it_came_on_and_nobody_else() {
    let (mut server, target) = (planted(MARK), Target::willing());
    let mut reader = Client::connect(server.addr());
    reader.send("GET /stream?topic=t&poll=1&wait=60 HTTP/1.1\r\nHost: h\r\n\r\n");
    let whole = form(&format!("_url={}&_topic=t&a=1", target.url("/others")));
    let (begun, rest) = whole.split_at(whole.len() - 4);
    let mut other = Client::connect(server.addr());
    other.send(begun);
    schedule(&server, &target.url("/before"), "&a=1");

    for count in 1..=3 {
        // Taken in whole before the fault: its answer is lost, as if the line had broken.
        let mut victim = Client::connect(server.addr());
        let body = format!("_url={}&a={MARK}", target.url("/victim"));
        victim.send(post("/dispatch", FORM, body)).ends();
        server.line_with("bug_caught");
        assert_eq!(metric(&server, "hookah_panics_caught_total"), count);
    }

    other.send(rest);
    assert_eq!(other.answer().status, 202);
    let polled = reader.answer();
    assert_eq!(polled.status, 200);
    assert!(polled.body.contains("a=1"), "{polled:?}");
    schedule(&server, &target.url("/after"), "&a=1");
    settled(&server);
    let mut paths: Vec<_> = (0..6).map(|_| target.arrival().path).collect();
    paths.sort();
    let victims = ["/victim"; 3];
    let expected = [&["/after", "/before", "/others"][..], &victims].concat();
    assert_eq!(paths, expected);
    target.has_no_more();
    let health = ask(&server, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(health.status, 200);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_fault_that_no_line_can_pay_for_ends_the_process_with_70() {
    let server = planted("tick");
    // The first turn is enough: what it leaves behind wants the next one at once.
    let _client = Client::connect(server.addr());
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(70), "{log}");
    let last = log.lines().last().unwrap_or_default();
    let expected = "hookah: an internal fault; the log above says where";
    assert_eq!(last, expected, "{log}");
    assert!(log.contains("broken=true"), "{log}");
}
