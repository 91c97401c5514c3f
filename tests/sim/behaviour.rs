//! How a scripted target treats whoever calls it: the steps of its answers, the sick ones included.
//! It keeps no state but what it is asked with.

use crate::hostile;
use crate::order::Order;
use crate::rng::Rng;
use crate::script::Step;
use crate::world::{MS, SECOND};

/// Where a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// As soon as it is made.
    Accept,
    /// After the request.
    Request,
    /// Inside the answer's head.
    Head,
    /// Inside the answer's body: the head, a 200, was complete.
    Body,
}

/// What is false in an answer whose head says 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Content-Length and Transfer-Encoding.
    TwoFramings,
    /// Two different Content-Lengths.
    TwoLengths,
    /// A chunk size that is none.
    ChunkSize,
    /// A chunk of 2^64-1 bytes.
    ChunkHuge,
    /// A chunk without its CRLF.
    ChunkEnd,
    /// Bytes behind the end: another answer.
    Extra,
    /// The same, in a segment of its own.
    Behind,
    /// Less body than promised.
    Short,
}

/// How a target behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers 200 at once.
    Healthy,
    /// Answers 200 after so many microseconds; the body takes as long again.
    Slow(u64),
    /// Refuses connections.
    Dead,
    /// Cannot be reached.
    Unreachable,
    /// Connections to it hang.
    Blackhole,
    /// Takes requests and never answers.
    Silent,
    /// Sends a byte of its answer's head every so many microseconds.
    Dripping(u64),
    /// Fails so many times per order with that status, then answers 200.
    Fails(u32, u16),
    /// The same, with a Retry-After in seconds.
    Later(u32, u64),
    /// The same, with a Retry-After that is a date so many seconds ahead.
    LaterDate(u32, u64),
    /// The same, with a Retry-After that says nothing.
    LaterGarbage(u32),
    /// 410.
    Gone,
    /// Resets.
    Resets(Point),
    /// Ends without an answer.
    HalfCloses,
    /// Answers one request on each connection and resets on the next.
    Stale,
    /// Is not HTTP.
    Banner,
    /// So many interim answers before the 200.
    Interim(usize),
    /// A head without end.
    EndlessHead,
    /// A 200 whose body has no end.
    EndlessBody,
    /// A 200 with false framing.
    Liar(Lie),
    /// 204.
    NoContent,
    /// A 200 whose body ends with the connection.
    ToClose,
    /// Connections are made, but their TLS fails in this way.
    Insecure(&'static str),
    /// Sends every order elsewhere with that status.
    Sends(u16, To),
    /// Does what the row of that number says.
    Hostile(usize),
}

/// Where a target sends an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To another path of its own, named in full, and takes it there.
    Same,
    /// The same, named by its path alone.
    Relative,
    /// To another path of its own, and from there again, without end.
    Loop,
    /// To the target of that number.
    Other(usize),
    /// To that origin.
    At(&'static str),
    /// Nowhere that can be called.
    Nowhere,
}

impl To {
    /// Those that need no other target; some of them forbidden, always.
    const ALONE: [To; 8] = [
        To::Same,
        To::Relative,
        To::Loop,
        To::Nowhere,
        To::At("http://169.254.169.254"),
        To::At("http://[::ffff:100.100.100.200]:8000"),
        To::At("http://127.0.0.1:4665"),
        To::At("https://[64:ff9b::a9fe:a9fe]"),
    ];
}

/// The words of a certificate that does not hold, and of what fails otherwise, by turns.
const TLS_WORDS: [&str; 4] = [
    "tls_cert_expired",
    "tls_not_tls",
    "tls_cert_unknown_ca",
    "tls_closed_in_handshake",
];

/// What becomes of a connection to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It is made.
    Open,
    /// It is refused.
    Shut,
    /// There is no way.
    NoRoute,
    /// Nothing ever comes back.
    Hangs,
    /// It is made, and its handshake fails with this word.
    Insecure(&'static str),
}

impl Lie {
    /// All of them.
    pub const ALL: [Lie; 8] = [
        Lie::TwoFramings,
        Lie::TwoLengths,
        Lie::ChunkSize,
        Lie::ChunkHuge,
        Lie::ChunkEnd,
        Lie::Extra,
        Lie::Behind,
        Lie::Short,
    ];
}

impl Behaviour {
    /// Any of them.
    pub fn random(rng: &mut Rng) -> Behaviour {
        let status = rng.pick(&[400, 404, 500, 502, 503, 302]);
        let (slow, seconds) = (rng.between(MS, 3 * SECOND), rng.between(1, 20));
        let (lie, interim) = (rng.pick(&Lie::ALL), rng.between(1, 12) as usize);
        let point = rng.pick(&[Point::Accept, Point::Request, Point::Head, Point::Body]);
        let times = rng.between(1, 4) as u32;
        let word = rng.pick(&TLS_WORDS);
        let (moved, to) = (rng.pick(&[301, 302, 307, 308]), rng.pick(&To::ALONE));
        let ways = hostile::all().len() as u64;
        let way = rng.between(0, ways - 1) as usize;
        if rng.chance(30) {
            return Behaviour::Hostile(way);
        }
        rng.pick(&[
            Behaviour::Slow(slow),
            Behaviour::Dead,
            Behaviour::Unreachable,
            Behaviour::Blackhole,
            Behaviour::Silent,
            Behaviour::Dripping(SECOND),
            Behaviour::Fails(times, status),
            Behaviour::Later(times, seconds),
            Behaviour::LaterDate(times, seconds),
            Behaviour::LaterGarbage(times),
            Behaviour::Gone,
            Behaviour::Resets(point),
            Behaviour::HalfCloses,
            Behaviour::Stale,
            Behaviour::Banner,
            Behaviour::Interim(interim),
            Behaviour::EndlessHead,
            Behaviour::EndlessBody,
            Behaviour::Liar(lie),
            Behaviour::NoContent,
            Behaviour::ToClose,
            Behaviour::Insecure(word),
            Behaviour::Sends(moved, to),
        ])
    }

    /// What becomes of connections.
    pub fn door(self) -> Door {
        match self {
            Behaviour::Dead => Door::Shut,
            Behaviour::Unreachable => Door::NoRoute,
            Behaviour::Blackhole => Door::Hangs,
            Behaviour::Insecure(word) => Door::Insecure(word),
            _ => Door::Open,
        }
    }

    /// Whether a caller can send its request before anything goes wrong.
    pub fn lets_speak(self) -> bool {
        if let Behaviour::Hostile(way) = self {
            return hostile::lets_speak(&hostile::all()[way]);
        }
        // What stands behind an answer may come while the next request is being written.
        let early = matches!(
            self,
            Behaviour::Banner
                | Behaviour::Resets(Point::Accept)
                | Behaviour::Liar(Lie::Extra | Lie::Behind)
        );
        self.door() == Door::Open && !early
    }

    /// The longest that an exchange that succeeds takes the target; `None` if one may fail.
    /// What lies behind an answer may come when the next request is out already, and then nobody
    /// can tell that it does not belong to it.
    pub fn good_within(self) -> Option<u64> {
        match self {
            Behaviour::Healthy
            | Behaviour::Stale
            | Behaviour::NoContent
            | Behaviour::ToClose
            | Behaviour::EndlessBody
            | Behaviour::Interim(0..=8)
            | Behaviour::Resets(Point::Body)
            | Behaviour::Liar(Lie::TwoFramings | Lie::ChunkSize | Lie::ChunkHuge)
            | Behaviour::Liar(Lie::ChunkEnd | Lie::Short) => Some(0),
            Behaviour::Slow(span) => Some(span),
            Behaviour::Hostile(way) if hostile::is_good(&hostile::all()[way]) => Some(0),
            _ => None,
        }
    }

    /// What it does when a connection is made.
    pub fn greet(self) -> Vec<Step> {
        match self {
            Behaviour::Banner => vec![Step::Send(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec())],
            Behaviour::Resets(Point::Accept) => vec![Step::Reset],
            Behaviour::Hostile(way) => hostile::greet(&hostile::all()[way]),
            _ => Vec::new(),
        }
    }

    /// What it does when a request is complete: the `attempt`th that this order makes of it, and
    /// the `served`th (from 0) on this connection. `wall` is the time in seconds.
    pub fn answer(self, rng: &mut Rng, attempt: u32, served: u32, wall: u64) -> Vec<Step> {
        let later = |times, value: String| {
            let again = format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\n{EMPTY}");
            if attempt <= times {
                text(&again)
            } else {
                text(OK)
            }
        };
        match self {
            Behaviour::Healthy => healthy(rng),
            Behaviour::Slow(span) => slow(span),
            Behaviour::Dripping(gap) => drip(OK, gap),
            Behaviour::Fails(times, status) if attempt <= times => {
                text(&format!("HTTP/1.1 {status} No\r\n{EMPTY}"))
            }
            Behaviour::Fails(..) => text(OK),
            Behaviour::Later(times, seconds) => later(times, seconds.to_string()),
            Behaviour::LaterDate(times, seconds) => {
                let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(wall + seconds);
                later(times, httpdate::fmt_http_date(at))
            }
            Behaviour::LaterGarbage(times) => later(times, "next week, perhaps".to_owned()),
            Behaviour::Gone => text(&format!("HTTP/1.1 410 Gone\r\n{EMPTY}")),
            Behaviour::Resets(point) => reset(point),
            Behaviour::HalfCloses => vec![Step::Fin],
            Behaviour::Stale if served > 0 => vec![Step::Reset],
            Behaviour::Stale => text(OK),
            Behaviour::Interim(count) => text(&("HTTP/1.1 103 Early\r\n\r\n".repeat(count) + OK)),
            Behaviour::EndlessHead => flood("HTTP/1.1 200 OK\r\n", "X-Again: and again\r\n"),
            Behaviour::EndlessBody => flood(
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                "all work and no play makes jack a dull boy\n",
            ),
            Behaviour::Liar(lie) => tell(lie),
            Behaviour::NoContent => text("HTTP/1.1 204 No Content\r\n\r\n"),
            Behaviour::ToClose => {
                let mut steps = text("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                steps.extend([Step::Wait(20 * MS), Step::Close]);
                steps
            }
            Behaviour::Hostile(way) => hostile::answer(&hostile::all()[way]),
            _ => Vec::new(),
        }
    }

    /// What it does about a request for `path` if it sends orders elsewhere: `base` is its own.
    pub fn sends(self, order: usize, path: &str, base: &str) -> Option<Vec<Step>> {
        let Behaviour::Sends(status, to) = self else {
            return None;
        };
        let hop = Order::hop(order);
        let location = match to {
            To::Same | To::Relative if Order::is_hop(path) => return Some(text(OK)),
            To::Same | To::Loop => format!("{base}{hop}"),
            To::Relative => hop,
            To::Other(number) => format!("http://10.0.0.{number}:{}{hop}", 8_000 + number),
            To::At(origin) => format!("{origin}{hop}"),
            To::Nowhere => "gopher://10.0.0.0/".to_owned(),
        };
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\n{EMPTY}");
        Some(text(&answer))
    }
}

const EMPTY: &str = "Content-Length: 0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn text(answer: &str) -> Vec<Step> {
    vec![Step::Send(answer.as_bytes().to_vec())]
}

fn healthy(rng: &mut Rng) -> Vec<Step> {
    let chunked =
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nyes\r\n0\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    match rng.between(0, 9) {
        0..=5 => text(OK),
        6 => text(chunked),
        7 => text(&format!("HTTP/1.1 200\r\nServer: x\r\n{EMPTY}")),
        8 => [text(last), vec![Step::Close]].concat(),
        _ => [text(old), vec![Step::Close]].concat(),
    }
}

fn slow(span: u64) -> Vec<Step> {
    let mut steps = vec![Step::Wait(span)];
    steps.extend(text("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"));
    for _ in 0..4 {
        steps.push(Step::Wait(span / 4));
        steps.push(Step::Send(b"la".to_vec()));
    }
    steps
}

fn drip(answer: &str, gap: u64) -> Vec<Step> {
    answer
        .bytes()
        .flat_map(|byte| [Step::Wait(gap), Step::Send(vec![byte])])
        .collect()
}

fn flood(start: &str, line: &str) -> Vec<Step> {
    let block = line.repeat(8_000 / line.len());
    let mut steps = text(start);
    for _ in 0..40 {
        steps.push(Step::Send(block.clone().into_bytes()));
        steps.push(Step::Wait(10 * MS));
    }
    steps
}

fn reset(point: Point) -> Vec<Step> {
    let sent = match point {
        Point::Accept | Point::Request => "",
        Point::Head => "HTTP/1.1 200 OK\r\nContent-Le",
        Point::Body => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    };
    [text(sent), vec![Step::Wait(200 * MS), Step::Reset]].concat()
}

fn tell(lie: Lie) -> Vec<Step> {
    let fields = match lie {
        Lie::TwoFramings => {
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        }
        Lie::TwoLengths => "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        Lie::ChunkSize => "Transfer-Encoding: chunked\r\n\r\nxyz\r\nok\r\n0\r\n\r\n",
        Lie::ChunkHuge => "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok\r\n0\r\n\r\n",
        Lie::ChunkEnd => "Transfer-Encoding: chunked\r\n\r\n2\r\nok0\r\n0\r\n\r\n",
        Lie::Extra => "Content-Length: 2\r\n\r\nokHTTP/1.1 500 Poison\r\nContent-Length: 0\r\n\r\n",
        Lie::Behind => "Content-Length: 2\r\n\r\nok",
        Lie::Short => "Content-Length: 20\r\n\r\nshort",
    };
    let mut steps = text(&format!("HTTP/1.1 200 OK\r\n{fields}"));
    if lie == Lie::Behind {
        steps.extend(text(&format!("HTTP/1.1 500 Poison\r\n{EMPTY}")));
    }
    if lie == Lie::Short {
        steps.extend([Step::Wait(5 * MS), Step::Close]);
    }
    steps
}
