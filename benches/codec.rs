//! What the grammar costs: nanoseconds for people, allocations for the law (none, or it exits 1).
//! `cargo bench --bench codec` measures; under `cargo test` it runs a few rounds and only counts.

#[path = "support/alloc.rs"]
mod alloc;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use hookah::http::body::BodyReader;
use hookah::http::chunk::ChunkReader;
use hookah::http::head::{HeadLimits, HeadScan};
use hookah::http::request::{self, Version};
use hookah::http::response::{self, ResponseScan};
use hookah::http::write::{self, Answer, How};

const POST: &[u8] = b"POST /dispatch?_url=http%3A%2F%2F127.0.0.1%3A9000%2Fhook HTTP/1.1\r\n\
    Host: localhost:8080\r\nUser-Agent: wrk/4.2\r\nAccept: */*\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\n\r\n";

const BROWSER: &[u8] = b"GET /stream?topic=prices&format=sse HTTP/1.1\r\nHost: hooks.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
    Accept: text/event-stream\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://hooks.example/dashboard\r\n\
    Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n\
    Priority: u=4\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\
    Connection: keep-alive\r\n\r\n";

const HOW: How<'_> = How {
    keep_alive: true,
    version: Version::Http11,
    head_only: false,
    date: "Sun, 06 Nov 1994 08:49:37 GMT",
};

fn main() -> ExitCode {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let rounds = if measured { 1_000_000 } else { 100 };
    let mut chunks = Vec::new();
    for _ in 0..16 {
        chunks.extend_from_slice(b"400\r\n");
        chunks.extend_from_slice(&[b'x'; 1024]);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let mut out = Vec::with_capacity(1024);
    let mut runner = Runner {
        rounds,
        clean: true,
    };
    runner.run("request: POST, 5 fields", POST.len(), || {
        request_head(black_box(POST))
    });
    runner.run("request: browser, 15 fields", BROWSER.len(), || {
        request_head(black_box(BROWSER))
    });
    runner.run("request: POST in 2 reads", POST.len(), || {
        request_in_two(black_box(POST))
    });
    runner.run("response: 200, 5 fields", ANSWER.len(), || {
        response_head(black_box(ANSWER))
    });
    runner.run("body: 16 chunks of 1 KiB", chunks.len(), || {
        chunked_body(black_box(&chunks))
    });
    runner.run("answer: 202", 0, || render(black_box(&mut out)));
    if runner.clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Runner {
    rounds: u32,
    clean: bool,
}

impl Runner {
    /// Runs the step once to warm up, then in rounds; `step` says whether it did what it should.
    fn run(&mut self, name: &str, bytes: usize, mut step: impl FnMut() -> bool) {
        let mut right = step();
        let start = Instant::now();
        let (allocations, ()) = alloc::allocations_of(|| {
            for _ in 0..self.rounds {
                right &= step();
            }
        });
        let span = start.elapsed();
        let each = span.as_secs_f64() * 1e9 / f64::from(self.rounds);
        let rate = bytes as f64 / each;
        println!("{name:30} {each:8.1} ns {rate:7.2} GB/s {allocations:6} allocations");
        if allocations > 0 || !right {
            println!(
                "{name}: {}",
                if right {
                    "it allocates"
                } else {
                    "wrong result"
                }
            );
            self.clean = false;
        }
    }
}

fn request_head(buf: &[u8]) -> bool {
    let Ok(Some(end)) = HeadScan::default().scan(buf, &HeadLimits::default()) else {
        return false;
    };
    let mut slots = request::slots();
    let head = buf.get(end.start..end.len).unwrap_or_default();
    request::parse(head, &mut slots).is_ok_and(|req| black_box(req).keep_alive)
}

fn request_in_two(buf: &[u8]) -> bool {
    let (limits, mut scan) = (HeadLimits::default(), HeadScan::default());
    let half = buf.get(..buf.len() / 2).unwrap_or_default();
    let waits = scan.scan(half, &limits) == Ok(None);
    let Ok(Some(end)) = scan.scan(buf, &limits) else {
        return false;
    };
    let mut slots = request::slots();
    let head = buf.get(end.start..end.len).unwrap_or_default();
    waits && request::parse(head, &mut slots).is_ok_and(|req| black_box(req).keep_alive)
}

fn response_head(buf: &[u8]) -> bool {
    let Ok(Some(len)) = ResponseScan::default().scan(buf) else {
        return false;
    };
    let mut slots = request::slots();
    let head = buf.get(..len).unwrap_or_default();
    response::parse(head, &mut slots, false).is_ok_and(|res| black_box(res).keep_alive)
}

fn chunked_body(mut input: &[u8]) -> bool {
    let mut reader = BodyReader::Chunked(ChunkReader::new(1 << 20));
    let mut bytes = 0;
    while let Ok(piece) = reader.read(input) {
        bytes += black_box(piece.data).len();
        if piece.done {
            return bytes == 16 * 1024;
        }
        input = input.get(piece.consumed..).unwrap_or_default();
    }
    false
}

fn render(out: &mut Vec<u8>) -> bool {
    out.clear();
    let fields = [
        ("Hookah-Id", "msg_01KAQ6X0000000000000000000"),
        ("Location", "/messages/msg_01KAQ6X0000000000000000000"),
    ];
    let content = Answer {
        status: 202,
        content_type: Some("text/plain; charset=utf-8"),
        fields: &fields,
        body: b"202 Scheduled",
    };
    write::answer(out, &content, &HOW);
    out.ends_with(b"\r\n\r\n202 Scheduled")
}
