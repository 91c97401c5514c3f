//! What the grammar and the formats of streams cost: nanoseconds for people, allocations for the
//! law (none, and one for a frame, or it exits 1), instructions where valgrind is.
//! `cargo bench --bench codec` measures; under `cargo test` it runs a few rounds and only counts.

#[path = "support/alloc.rs"]
mod alloc;

use std::borrow::Cow;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::http::body::BodyReader;
use hookah::http::chunk::ChunkReader;
use hookah::http::head::{HeadLimits, HeadScan};
use hookah::http::request::{self, Version};
use hookah::http::response::{self, ResponseScan};
use hookah::http::write::{self, Answer, How};
use hookah::model::{Message, MessageId, TopicNames};
use hookah::topics::format::{Format, Scratch};

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
    origin: None,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let measured = args.iter().any(|arg| arg == "--bench");
    let only = args.iter().position(|arg| arg == "--only");
    let only = only.and_then(|at| Some((args.get(at + 1)?.clone(), args.get(at + 2)?)));
    let only = only.and_then(|(name, rounds)| Some((name, rounds.parse().ok()?)));
    let mut runner = Runner {
        rounds: if measured { 200_000 } else { 100 },
        measured,
        only,
        clean: true,
    };
    grammar(&mut runner);
    formats(&mut runner);
    if runner.clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn grammar(runner: &mut Runner) {
    let mut chunks = Vec::new();
    for _ in 0..16 {
        chunks.extend_from_slice(b"400\r\n");
        chunks.extend_from_slice(&[b'x'; 1024]);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let mut out = Vec::with_capacity(1024);
    runner.run("request: POST, 5 fields", POST.len(), 0, || {
        request_head(black_box(POST))
    });
    runner.run("request: browser, 15 fields", BROWSER.len(), 0, || {
        request_head(black_box(BROWSER))
    });
    runner.run("request: POST in 2 reads", POST.len(), 0, || {
        request_in_two(black_box(POST))
    });
    runner.run("response: 200, 5 fields", ANSWER.len(), 0, || {
        response_head(black_box(ANSWER))
    });
    runner.run("body: 16 chunks of 1 KiB", chunks.len(), 0, || {
        chunked_body(black_box(&chunks))
    });
    runner.run("answer: 202", 0, 0, || render(black_box(&mut out)));
}

/// A message in each format, the frame the one allocation; then bodies that are all fields.
fn formats(runner: &mut Runner) {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    let form = b"id=4711&name=J%C3%BCrgen+M&tag=a&tag=b&note=plain+text+of+some+length";
    let json = b"{\n  \"id\": 4711,\n  \"tags\": [\"a\", \"b\"],\n  \"note\": \"plain text\"\n}\n";
    let mut scratch = Scratch::default();
    for (kind, media_type, body) in [("form", FORM, &form[..]), ("JSON", JSON, json)] {
        for format in Format::ALL {
            // Two messages in turn, so that nothing is remembered from the last one.
            let mut turn = 0;
            let messages = [1, 2].map(|number| message(number, media_type, body));
            let name = format!("{format:?} of a {kind}");
            runner.run(&name, body.len(), 1, || {
                turn = 1 - turn;
                let frame = format.encode(&messages[turn], b"topic", &mut scratch);
                black_box(frame).len() > body.len()
            });
        }
    }
    runner.rounds = if runner.measured { 50 } else { 1 };
    for (kind, field) in [
        ("alike", "a&"),
        ("short", "%%&"),
        ("each its own", "%%%%%%%%%&"),
    ] {
        let body = fields(field);
        let mut turn = 0;
        let messages = [1, 2].map(|number| message(number, FORM, &body));
        let name = format!("Json of 1 MiB of fields, {kind}");
        runner.run(&name, body.len(), 100, || {
            turn = 1 - turn;
            let frame = Format::Json.encode(&messages[turn], b"topic", &mut scratch);
            black_box(frame).len() > body.len() / 4
        });
    }
}

/// 1 MiB of fields, each `%` of the pattern a letter that looks random.
fn fields(pattern: &str) -> Vec<u8> {
    let mut state = 1_u32;
    let mut letter = |byte: u8| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match byte {
            b'%' => b'a' + (state >> 24) as u8 % 26,
            _ => byte,
        }
    };
    let bytes = pattern.bytes().cycle().take(1 << 20);
    bytes.map(&mut letter).collect()
}

fn message(number: u128, media_type: &'static str, body: &[u8]) -> Message {
    Message {
        method: hookah::model::Method::Post,
        hops: 0,
        id: MessageId(number),
        accepted: Wall(1_763_880_000_123_456),
        content_type: Cow::Borrowed(media_type),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra: None,
    }
}

struct Runner {
    rounds: u32,
    measured: bool,
    /// The one row to run, and how often: for the process whose instructions are counted.
    only: Option<(String, u32)>,
    clean: bool,
}

impl Runner {
    /// Runs the step twice to warm up, then in rounds; `step` says whether it did what it should.
    fn run(&mut self, name: &str, bytes: usize, allowed: u64, mut step: impl FnMut() -> bool) {
        if let Some((only, rounds)) = &self.only {
            let rounds = if only == name { *rounds } else { 0 };
            self.clean &= (0..rounds).all(|_| step());
            return;
        }
        let mut right = step() & step();
        let start = Instant::now();
        let (allocations, ()) = alloc::allocations_of(|| {
            for _ in 0..self.rounds {
                right &= step();
            }
        });
        let span = start.elapsed();
        let each = span.as_secs_f64() * 1e9 / f64::from(self.rounds);
        let rate = bytes as f64 / each;
        let count = self.measured.then(|| instructions(name)).flatten();
        let count = count.map_or("-".into(), |count| format!("{count:.0}"));
        println!(
            "{name:38} {each:10.1} ns {rate:7.2} GB/s {allocations:8} allocations \
             {count:>10} instructions"
        );
        if allocations > allowed * u64::from(self.rounds) || !right {
            let what = if right {
                "it allocates"
            } else {
                "wrong result"
            };
            println!("{name}: {what}");
            self.clean = false;
        }
    }
}

/// Instructions of one round: the difference of two runs under callgrind, which counts the same
/// for the same binary whatever else the machine does.
fn instructions(name: &str) -> Option<f64> {
    let count = |rounds: &str| {
        let run = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--only", name, rounds])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    Some((count("30")? - count("10")?) / 20.0)
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
