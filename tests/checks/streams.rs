//! Checks of live streams with curl and a clock at the other end: every format, bursts, memory for
//! those that do not read, stillness, signs of life. Readers that are stopped are in `stopped`.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::decode::{Decoder, Events, Heard};
use crate::peer::{Client, dispatch, metric, until};
use crate::process::{self, needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::rest::stillness;
use crate::server::Server;

/// What comes at once comes within this time.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A curl that reads a stream; its lines come through a channel, so that it never has to wait.
pub struct Curl {
    child: Child,
    pub lines: Receiver<String>,
}

impl Curl {
    pub fn start(addr: SocketAddr, query: &str, more: &[&str]) -> io::Result<Curl> {
        let mut command = Command::new("curl");
        let url = format!("http://{addr}/stream?{query}");
        Curl::spawn(command.arg("-sSN").args(more).arg(url))
    }

    /// The same, by a command of somebody else's.
    pub fn spawn(command: &mut Command) -> io::Result<Curl> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (sender, lines) = channel();
        let stdout = child.stdout.take();
        thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|it| BufReader::new(it).lines()) {
                let _ = line.map(|line| sender.send(line));
            }
        });
        Ok(Curl { child, lines })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its next line that is not empty.
    pub fn line(&self) -> std::result::Result<String, Trouble> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.map_err(|_| Trouble::failed("curl prints nothing any more"))?;
            if !line.trim_end().is_empty() {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When each chunk of a stream came, and its text.
pub type Tap = Receiver<(Instant, String)>;

/// A reader in a thread of its own, until its stream ends.
pub fn tap(addr: SocketAddr, query: &str) -> io::Result<Tap> {
    let mut client = TcpStream::connect(addr)?;
    let request = format!("GET /stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    io::Write::write_all(&mut client, request.as_bytes())?;
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let (sender, lines) = channel();
    thread::spawn(move || {
        while let Some(line) = chunk(&mut reader)? {
            let _ = sender.send((Instant::now(), line));
        }
        Ok::<(), io::Error>(())
    });
    Ok(lines)
}

/// The next chunk's text; none behind the last.
fn chunk(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut size = String::new();
    from.read_line(&mut size)?;
    let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
    let mut bytes = vec![0; size + 2];
    from.read_exact(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..size])
        .trim_end()
        .to_owned();
    Ok((size > 0).then_some(text))
}

/// Waits until there are so many streams.
pub fn settled(addr: SocketAddr, streams: u64) -> std::result::Result<(), Trouble> {
    let there = || Ok(metric(addr, "hookah_streams")? == streams);
    until("the streams are open", PATIENCE, there).map(drop)
}

/// curl reads a topic in every format, and gets each message.
pub fn formats() -> Result {
    needs("curl", "curl")?;
    const MESSAGES: usize = 300;
    let server = Server::start();
    let addr = server.addr();
    let raw = Curl::start(addr, "topic=news", &[])?;
    let json = Curl::start(addr, "topic=news&format=json", &[])?;
    let sse = Curl::start(addr, "topic=news", &["-H", "Accept: text/event-stream"])?;
    settled(addr, 3)?;
    let mut client = Client::connect(addr)?;
    for number in 0..MESSAGES {
        client.dispatch(&format!("_topic=news&n={number}"))?;
    }
    let mut events = Events::default();
    for number in 0..MESSAGES {
        let line = raw.line()?;
        ensure(line == format!("n={number}"), || {
            format!("{line:?} as {number}")
        })?;
        let line = json.line()?;
        is_number(&line, number)?;
        let data = event(&sse, &mut events)?;
        is_number(&data, number)?;
    }
    Ok(format!(
        "{MESSAGES} messages each as raw lines, json and events"
    ))
}

fn is_number(json: &str, number: usize) -> std::result::Result<(), Trouble> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(io::Error::from)?;
    let n = number.to_string();
    let is = value["data"]["n"].as_str() == Some(&n) && value["topic"] == "news";
    ensure(is, || format!("{json:?} as {number}"))
}

/// The data of the next event that curl prints.
fn event(curl: &Curl, events: &mut Events) -> std::result::Result<String, Trouble> {
    loop {
        let line = curl.lines.recv_timeout(PATIENCE);
        let line = line.map_err(|_| Trouble::failed("curl prints nothing any more"))?;
        let heard = events.feed(format!("{line}\n").as_bytes());
        for heard in heard.map_err(Trouble::failed)? {
            if let Heard::Event(event) = heard {
                return Ok(event.data);
            }
        }
    }
}

/// Thousands of messages as fast as they can be posted, to readers that read.
pub fn burst() -> Result {
    const READERS: usize = 32;
    const MESSAGES: usize = 9_000;
    const AT_ONCE: usize = 500;
    let server = Server::start();
    let addr = server.addr();
    let taps: io::Result<Vec<_>> = (0..READERS).map(|_| tap(addr, "topic=news")).collect();
    let taps = taps?;
    settled(addr, READERS as u64)?;
    let began = Instant::now();
    let mut client = Client::connect(addr)?;
    for first in (0..MESSAGES).step_by(AT_ONCE) {
        let posts = (first..first + AT_ONCE).map(|n| dispatch(&format!("_topic=news&n={n}")));
        client.send(&posts.collect::<Vec<_>>().concat())?;
        for _ in 0..AT_ONCE {
            client.accepted()?;
        }
    }
    let took = began.elapsed();
    for tap in &taps {
        for number in 0..MESSAGES {
            let got = loop {
                let (_, line) = tap
                    .recv_timeout(PATIENCE)
                    .map_err(|_| Trouble::failed(format!("nothing after {number} messages")))?;
                if !line.is_empty() {
                    break line;
                }
            };
            ensure(got == format!("n={number}"), || {
                format!("{got:?} as {number}")
            })?;
        }
    }
    let ended = metric(addr, "hookah_streams_slow_total")?;
    ensure(ended == 0, || format!("{ended} readers were ended"))?;
    Ok(format!(
        "{MESSAGES} messages in {took:.1?} to {READERS} readers: each got each, none was ended"
    ))
}

/// Much more is published than those who do not read may hold.
pub fn memory() -> Result {
    const CONSUMERS: usize = 8;
    const MESSAGES: usize = 600;
    const BODY_BYTES: usize = 256 << 10;
    const GROWTH_KIB_MAX: u64 = 64 << 10;
    /// What an allocator may hold beyond what it gave out.
    const SLACK_KIB: u64 = 16 << 10;
    let server = Server::start();
    let (id, addr) = (server.id(), server.addr());
    let before = process::status(id, "VmRSS")?;
    let _stuck = not_reading(addr, CONSUMERS)?;
    let others = tap(addr, "topic=t0")?;
    settled(addr, CONSUMERS as u64 + 1)?;
    let topics: String = (0..CONSUMERS).map(|n| format!("_topic=t{n}&")).collect();
    let filler = "x".repeat(BODY_BYTES);
    let mut client = Client::connect(addr)?;
    let mut slowest = Duration::ZERO;
    for number in 0..MESSAGES {
        client.dispatch(&format!("{topics}n={number}&x={filler}"))?;
        let posted = Instant::now();
        let start = format!("n={number}&");
        loop {
            let got = others.recv_timeout(PATIENCE);
            let (at, line) = got.map_err(|_| Trouble::failed("the reader gets nothing"))?;
            if line.starts_with(&start) {
                slowest = slowest.max(at.saturating_duration_since(posted));
                break;
            }
            ensure(line.is_empty(), || format!("not {start}"))?;
        }
    }
    let peak = process::status(id, "VmHWM")?;
    let growth = peak.saturating_sub(before);
    let held = metric(addr, "hookah_topics_bytes")?;
    let (ended, missed) = (
        metric(addr, "hookah_streams_slow_total")?,
        metric(addr, "hookah_streams_missed_total")?,
    );
    let mib = (MESSAGES * BODY_BYTES) >> 20;
    let found = format!(
        "{CONSUMERS} do not read {mib} MiB each: {} KiB more at the peak, topics hold {} KiB at \
         the end; {ended} ended, {missed} messages dropped for the others; who reads got all, the \
         latest {slowest:.1?} after its 202",
        growth,
        held >> 10
    );
    let fine = growth <= GROWTH_KIB_MAX + SLACK_KIB && ended == CONSUMERS as u64 / 2;
    ensure(
        fine && missed > 0 && slowest < Duration::from_secs(1),
        || format!("{found}; allowed: {GROWTH_KIB_MAX} KiB and {SLACK_KIB} KiB of slack"),
    )?;
    Ok(found)
}

/// Clients that ask for streams and read nothing, every second one with `slow=drop`. Each has a
/// topic of its own as json, so that none shares a frame with another.
fn not_reading(addr: SocketAddr, count: usize) -> io::Result<Vec<Client>> {
    let open = |number: usize| {
        let mut client = Client::connect(addr)?;
        let slow = ["disconnect", "drop"][number % 2];
        let query = format!("topic=t{number}&format=json&slow={slow}");
        client
            .send(format!("GET /stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        Ok(client)
    };
    (0..count).map(open).collect()
}

/// Anybody may invent names; what that costs has a bound, and none but the coldest pay.
pub fn names() -> Result {
    const NAMES: u64 = 100_000;
    const AT_ONCE: u64 = 1_000;
    const GROWTH_KIB_MAX: u64 = 64 << 10;
    /// 8 MiB of what became of the last messages, and what an allocator may hold beyond what it
    /// gave out in pieces as small as these.
    const SLACK_KIB: u64 = 24 << 10;
    let server = Server::start();
    let (id, addr) = (server.id(), server.addr());
    let before = process::status(id, "VmRSS")?;
    let mut client = Client::connect(addr)?;
    let filler = "x".repeat(1_000);
    for first in (0..NAMES).step_by(AT_ONCE as usize) {
        let form = |n: u64| {
            let name = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            dispatch(&format!("_topic={name:x}&n={n}&x={filler}"))
        };
        let posts: Vec<Vec<u8>> = (first..first + AT_ONCE).map(form).collect();
        for some in posts.chunks(50) {
            client.send(&some.concat())?;
            for _ in some {
                client.accepted()?;
            }
        }
    }
    let growth = process::status(id, "VmHWM")?.saturating_sub(before);
    let (topics, bytes) = (
        metric(addr, "hookah_topics")?,
        metric(addr, "hookah_topics_bytes")?,
    );
    let found = format!(
        "of {NAMES} topics {topics} are left, with {} KiB on the account; {growth} KiB more at \
         the peak",
        bytes >> 10
    );
    let fine = growth <= GROWTH_KIB_MAX + SLACK_KIB && bytes <= 64 << 20 && topics < NAMES;
    ensure(fine, || {
        format!("{found}; allowed: {GROWTH_KIB_MAX} KiB and {SLACK_KIB} KiB of slack")
    })?;
    Ok(found)
}

/// A thousand streams to which nobody publishes cost nothing before their first keep-alive.
pub fn idle() -> Result {
    stillness(|addr| {
        let streams = (0..1_000).map(|_| {
            let mut client = Client::connect(addr)?;
            client.send(b"GET /stream?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            Ok(client)
        });
        let streams: io::Result<Vec<Client>> = streams.collect();
        while metric(addr, "hookah_streams")? < 1_000 {}
        streams
    })
}

/// What fills the silence, in each format, and when.
pub fn life() -> Result {
    const ASKED: Duration = Duration::from_secs(5);
    // A little more, so that not all are reminded at once, and what a busy machine adds.
    const MOST: Duration = Duration::from_millis(5_000 + 5_000 / 16 + 700);
    let server = Server::start();
    let addr = server.addr();
    let rows = [
        ("", ""),
        ("&format=json", ""),
        ("&format=sse", ":"),
        ("&format=sse&heartbeat=event", "event: heartbeat\ndata:"),
    ];
    let open = |(query, _): &(&str, &str)| tap(addr, &format!("topic=t&keepalive=5{query}"));
    let taps: io::Result<Vec<_>> = rows.iter().map(open).collect();
    let mut spans = Vec::new();
    for ((query, sign), tap) in rows.iter().zip(taps?) {
        let next = || {
            tap.recv_timeout(PATIENCE)
                .map_err(|_| Trouble::failed("no sign"))
        };
        let (mut last, _) = next()?;
        for _ in 0..2 {
            let (at, text) = next()?;
            ensure(text == *sign, || format!("{text:?} keeps {query:?} alive"))?;
            let span = at - last;
            ensure(
                (ASKED..MOST).contains(&(span + Duration::from_millis(50))),
                || format!("a sign after {span:?}"),
            )?;
            spans.push(span);
            last = at;
        }
    }
    spans.sort();
    let (least, most) = (spans[0], spans[spans.len() - 1]);
    Ok(format!("asked for 5 s, after {least:.1?} to {most:.1?}"))
}

/// The kernel holds no more than it was told of what a stream's client has yet to take.
pub fn send_buffer() -> Result {
    needs("ss", "iproute2")?;
    let server = Server::start();
    let addr = server.addr();
    let _tap = tap(addr, "topic=t")?;
    settled(addr, 1)?;
    let port = format!("sport = :{}", addr.port());
    let said = run(Command::new("ss").args(["-tmnH", "state", "established", &port]))?;
    let sizes = said.split("skmem:(").skip(1).map(|rest| {
        let field = rest.split(',').find_map(|it| it.strip_prefix("tb"));
        field.and_then(|digits| digits.parse::<u64>().ok())
    });
    let sizes: Option<Vec<u64>> = sizes.collect();
    let sizes = sizes.filter(|sizes| !sizes.is_empty());
    let sizes = sizes.ok_or_else(|| Trouble::failed(format!("no buffers in {said}")))?;
    // Linux doubles what it is given, for its own cost.
    ensure(sizes.iter().all(|bytes| *bytes == 128 << 10), || {
        format!("{sizes:?} bytes; wanted: twice 64 KiB")
    })?;
    Ok("twice 64 KiB, as Linux counts".to_owned())
}
