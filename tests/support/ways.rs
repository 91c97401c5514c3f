//! Targets that do everything wrong, a row for each way: what they do on a connection, and what the
//! attempt must have come to. A further way is a further row.
//!
//! Use it with `#[path = "support/ways.rs"] mod ways;`.
#![allow(dead_code)]

/// One thing that a target does on a connection. After the last it only waits for the other side's
/// end, on which nothing more may come.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads a whole request.
    Hear,
    /// Reads the first record of TLS.
    HearHello,
    /// Says this.
    Say(Vec<u8>),
    /// Says this as often as it is taken, until the other side gives up.
    Flood(Vec<u8>),
    /// Says this a byte at a time, round and round, until the other side gives up.
    Drip(Vec<u8>),
    /// Says no more, and goes on listening.
    Finish,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
}

/// What becomes of the attempt that meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It fails with this error and one of these details, separated by bars. It is tried again, on
    /// another connection.
    Fails(&'static str, &'static str),
    /// The status is one that fails. It is tried again, on another connection.
    Refuses(u16),
    /// The status is one that delivers, and the connection is never used again.
    Delivers(u16),
}

/// A way to be hostile.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called where it fails.
    pub name: String,
    /// What it does on a connection.
    pub steps: Vec<Step>,
    /// Options of the message, as in `&_timeout=1s`.
    pub options: &'static str,
    /// Whether it is called over TLS.
    pub secure: bool,
    /// Whether bytes come that belong to no answer. If the next request is out already, nobody can
    /// tell whether they are its answer.
    pub behind: bool,
    /// Whether only a tolerant reader understands the head.
    pub sloppy: bool,
    /// What comes of it.
    pub wanted: Wanted,
}

impl Row {
    fn new(name: impl Into<String>, steps: Vec<Step>, wanted: Wanted) -> Row {
        Row {
            name: name.into(),
            steps,
            options: "",
            secure: false,
            behind: false,
            sloppy: false,
            wanted,
        }
    }

    /// It never comes to an end by itself, so the attempt has little time.
    fn timed(mut self) -> Row {
        self.options = "&_timeout=300ms";
        self
    }

    fn secured(mut self) -> Row {
        self.secure = true;
        self
    }

    fn behind(mut self) -> Row {
        self.behind = true;
        self
    }

    fn sloppy(mut self) -> Row {
        self.sloppy = true;
        self
    }
}

fn say(text: impl AsRef<[u8]>) -> Step {
    Step::Say(text.as_ref().to_vec())
}

/// An answer to a request.
fn answer(text: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Hear, say(text)]
}

const fn protocol(detail: &'static str) -> Wanted {
    Wanted::Fails("protocol", detail)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";
const POISON: &str = "HTTP/1.1 500 Poison\r\nContent-Length: 0\r\n\r\n";
/// A fatal alert: what a server of TLS says to a request in plain text.
const ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";

/// All ways.
pub fn rows() -> Vec<Row> {
    let parts = [
        resets(),
        breaks(),
        stalls(),
        floods(),
        interim(),
        tongues(),
        framings(),
        surplus(),
        statuses(),
        secure(),
    ];
    parts.concat()
}

/// Ends at every point. What the kernel makes of a reset before the request is heard depends on
/// which of the two comes first.
fn resets() -> Vec<Row> {
    use Step::{Close, Finish, Hear, Reset};
    let first = Wanted::Fails("connect|protocol", "reset|reset_before_answer");
    let closed = Wanted::Fails(
        "connect|protocol",
        "reset|reset_before_answer|closed_before_answer",
    );
    vec![
        Row::new("reset when accepted", vec![Reset], first),
        Row::new("closed when accepted", vec![Close], closed),
        Row::new(
            "reset after the request",
            vec![Hear, Reset],
            protocol("reset_before_answer"),
        ),
        Row::new(
            "closed after the request",
            vec![Hear, Close],
            protocol("closed_before_answer"),
        ),
        Row::new(
            "half-closed after the request",
            vec![Hear, Finish],
            protocol("closed_before_answer"),
        ),
        Row::new(
            "half-closed before the request",
            vec![Finish, Hear],
            protocol("closed_before_answer"),
        ),
    ]
}

/// Ends inside an answer, and right behind it.
fn breaks() -> Vec<Row> {
    use Step::{Finish, Hear, Reset};
    let head = || say("HTTP/1.1 200 OK\r\nContent-Le");
    let body = || say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    vec![
        Row::new(
            "reset in the head",
            vec![Hear, head(), Reset],
            protocol("reset_in_answer"),
        ),
        Row::new(
            "half-closed in the head",
            vec![Hear, head(), Finish],
            protocol("closed_in_answer"),
        ),
        Row::new(
            "reset in the body",
            vec![Hear, body(), Reset],
            Wanted::Delivers(200),
        ),
        Row::new(
            "half-closed in the body",
            vec![Hear, body(), Finish],
            Wanted::Delivers(200),
        ),
        Row::new(
            "reset behind a whole answer",
            vec![Hear, say(OK), Reset],
            Wanted::Delivers(200),
        ),
        Row::new(
            "half-closed behind a whole answer",
            vec![Hear, say(OK), Finish],
            Wanted::Delivers(200),
        ),
    ]
}

/// Those who take for ever.
fn stalls() -> Vec<Row> {
    let drip = |first: &str, drops: &str| {
        vec![Step::Hear, say(first), Step::Drip(drops.as_bytes().into())]
    };
    let late =
        |name, steps, detail| Row::new(name, steps, Wanted::Fails("timeout", detail)).timed();
    let early = drip("HTTP/1.1 1", "03 Early\r\nX-Y: a long field indeed: z");
    let head = drip("HTTP/1.1 200 OK\r\nX: ", "y");
    let body = drip("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x");
    let half = answer("HTTP/1.1 200 OK\r\nX: y");
    let bare = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    vec![
        late("no answer", vec![Step::Hear], "no_answer"),
        late("half a head", half, "answer_unfinished"),
        late("a head that drips", head, "answer_unfinished"),
        late("interim answers that drip", early, "answer_unfinished"),
        Row::new("a body that drips", body, Wanted::Delivers(200)),
        Row::new("a body that never comes", bare, Wanted::Delivers(200)),
    ]
}

/// Those who say too much.
fn floods() -> Vec<Row> {
    let flood =
        |first: &str, again: String| vec![Step::Hear, say(first), Step::Flood(again.into_bytes())];
    let fields = |count: usize| {
        let lines: String = (0..count).map(|at| format!("X-{at}: y\r\n")).collect();
        answer(format!(
            "HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n"
        ))
    };
    let large = |bytes: usize| {
        let value = "y".repeat(bytes);
        answer(format!(
            "HTTP/1.1 200 OK\r\nX: {value}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4_096));
    vec![
        Row::new(
            "fields without end",
            flood("HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(100)),
            protocol("too_many_fields"),
        ),
        Row::new(
            "a field without end",
            flood("HTTP/1.1 200 OK\r\nX: ", "y".repeat(4_096)),
            protocol("head_too_large"),
        ),
        Row::new(
            "a reason without end",
            flood("HTTP/1.1 200 ", "O".repeat(4_096)),
            protocol("head_too_large"),
        ),
        Row::new("101 fields", fields(100), protocol("too_many_fields")),
        Row::new(
            "33 KiB of head",
            large(33 << 10),
            protocol("head_too_large"),
        ),
        Row::new(
            "a body without end",
            flood("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(4_096)),
            Wanted::Delivers(200),
        ),
        Row::new(
            "chunks without end",
            flood(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                chunk,
            ),
            Wanted::Delivers(200),
        ),
        Row::new(
            "an error page without end",
            flood("HTTP/1.1 500 Oh\r\n\r\n", "x".repeat(4_096)),
            Wanted::Refuses(500),
        ),
    ]
}

/// Interim answers: eight are put up with.
fn interim() -> Vec<Row> {
    let flood = |text: &str| vec![Step::Hear, Step::Flood(text.repeat(100).into_bytes())];
    let early = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let many = protocol("too_many_1xx");
    let mut rows = vec![
        Row::new("nine interim answers", answer(early.repeat(9) + last), many),
        Row::new(
            "eight interim answers",
            answer(early.repeat(8) + last),
            Wanted::Delivers(200),
        ),
        Row::new(
            "101 that nobody asked for",
            answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
            protocol("unasked_101"),
        ),
    ];
    for status in ["100 Continue", "102 Processing", "103 Early Hints"] {
        let text = format!("HTTP/1.1 {status}\r\n\r\n");
        rows.push(Row::new(
            format!("{status} without end"),
            flood(&text),
            many,
        ));
    }
    rows
}

/// Another language. Whoever speaks first is not waited for.
fn tongues() -> Vec<Row> {
    let alien = |name: &str, text: &[u8]| Row::new(name, answer(text), protocol("not_http"));
    let first = protocol("not_http|answer_before_request");
    let ssh = || say("SSH-2.0-OpenSSH_9.2p1\r\n");
    vec![
        alien("HTTP/0.9", b"<html>hello</html>\r\n"),
        alien("ICY", b"ICY 200 OK\r\n\r\n"),
        alien("HTTP/2 in text", b"HTTP/2 200 OK\r\n\r\n"),
        alien("settings of HTTP/2", b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d"),
        alien("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        alien("TLS on a plain port", ALERT),
        alien("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        alien("an echo", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
        alien("zeros", &[0; 64]),
        Row::new("SSH, which speaks first", vec![ssh(), Step::Hear], first),
        Row::new(
            "status 99",
            answer("HTTP/1.1 099 No\r\n\r\n"),
            protocol("bad_status"),
        ),
        Row::new(
            "status 999",
            answer("HTTP/1.1 999 No\r\n\r\n"),
            protocol("bad_status"),
        ),
        Row::new(
            "a NUL in a field",
            answer(b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"),
            protocol("bad_field"),
        ),
    ]
}

/// The head is one, and what it says of its body cannot be believed, or is not kept.
fn framings() -> Vec<Row> {
    let lengths = [
        ("two lengths", "0\r\nContent-Length: 5"),
        ("a list of lengths", "0, 5"),
        ("a negative length", "-1"),
        ("a length of 2^64-1", "18446744073709551615"),
        ("a length beyond that", "18446744073709551616"),
        ("two framings", "2\r\nTransfer-Encoding: chunked"),
    ];
    let chunks = [
        ("a chunk size that is none", "xyz\r\nok\r\n0\r\n\r\n"),
        ("no chunk size", "\r\n"),
        ("a signed chunk size", "+2\r\nok\r\n0\r\n\r\n"),
        ("a chunk of 2^64-1", "ffffffffffffffff\r\nx"),
        ("a chunk beyond that", "10000000000000000\r\nx"),
        ("no CRLF behind a chunk", "2\r\nok0\r\n\r\n"),
    ];
    let codings = [
        ("chunked twice", "chunked, chunked"),
        ("a coding behind chunked", "chunked, gzip"),
    ];
    let lie = |name: &str, rest: String| {
        let text = format!("HTTP/1.1 200 OK\r\n{rest}");
        Row::new(name, answer(text), Wanted::Delivers(200))
    };
    let length = |(name, value)| lie(name, format!("Content-Length: {value}\r\n\r\n"));
    let chunk = |(name, body)| lie(name, format!("{CHUNKED}{body}"));
    let coding = |(name, value)| lie(name, format!("Transfer-Encoding: {value}\r\n\r\n0\r\n\r\n"));
    let sloppy = [
        ("a space before a colon", "Content-Length : 0\r\n\r\n"),
        (
            "a folded field",
            "Content-Length: 0\r\nX: folded\r\n line\r\n\r\n",
        ),
        ("no colon", "Content-Length: 0\r\nno colon\r\n\r\n"),
        ("bare LF", "Content-Length: 0\n\n"),
    ];
    let sloppy = sloppy.map(|(name, rest)| lie(name, rest.to_owned()).sloppy());
    let mut rows: Vec<Row> = lengths.map(length).into();
    rows.extend(chunks.map(chunk));
    rows.extend(codings.map(coding));
    rows.extend(sloppy);
    rows
}

/// What comes behind the end of an answer.
fn surplus() -> Vec<Row> {
    let delivers = Wanted::Delivers(200);
    let row = |name: &str, steps| Row::new(name, steps, delivers).behind();
    let after = vec![Step::Hear, say(OK), say(POISON)];
    let chunks = format!("HTTP/1.1 200 OK\r\n{CHUNKED}0\r\n\r\nX");
    vec![
        row("a byte too much", answer([OK, "\0"].concat())),
        row("an empty line too much", answer([OK, "\r\n"].concat())),
        row("a byte behind the chunks", answer(chunks)),
        row(
            "another answer behind the first",
            answer([OK, POISON].concat()),
        ),
        row("another answer after the first", after),
    ]
}

/// Statuses that have no body, with one; and those that send elsewhere.
fn statuses() -> Vec<Row> {
    let body = "Content-Length: 4\r\n\r\nbody";
    let mut rows = vec![
        Row::new(
            "204 with a body",
            answer(format!("HTTP/1.1 204 No Content\r\n{body}")),
            Wanted::Delivers(204),
        )
        .behind(),
        Row::new(
            "304 with a body",
            answer(format!("HTTP/1.1 304 Not Modified\r\n{body}")),
            Wanted::Refuses(304),
        )
        .behind(),
        Row::new(
            "an answer to HEAD with a body",
            answer(format!("HTTP/1.1 200 OK\r\n{body}")),
            Wanted::Delivers(200),
        )
        .behind(),
    ];
    rows[2].options = "&_method=HEAD";
    for status in [301, 302, 303, 307, 308] {
        let wanted = match status {
            303 => Wanted::Delivers(status),
            _ => Wanted::Refuses(status),
        };
        let text = format!(
            "HTTP/1.1 {status} Go\r\nLocation: /elsewhere\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n"
        );
        rows.push(Row::new(status.to_string(), answer(text), wanted));
    }
    rows
}

/// On a port for TLS.
fn secure() -> Vec<Row> {
    use Step::{Finish, HearHello, Reset};
    let tls = |detail| Wanted::Fails("tls", detail);
    let plain = POISON.replace("500 Poison", "400 Bad Request");
    let rows = vec![
        Row::new(
            "HTTP on a port for TLS",
            vec![HearHello, say(plain), Finish],
            tls("tls_not_tls"),
        ),
        Row::new(
            "closed after the hello",
            vec![HearHello, Finish],
            tls("tls_closed_in_handshake"),
        ),
        Row::new(
            "reset after the hello",
            vec![HearHello, Reset],
            Wanted::Fails("connect", "reset"),
        ),
        Row::new(
            "an alert",
            vec![HearHello, say(ALERT), Finish],
            tls("tls_protocol_version"),
        ),
    ];
    let stall = Row::new(
        "a handshake that stands still",
        vec![HearHello],
        Wanted::Fails("connect", "connect_timeout"),
    );
    let mut rows: Vec<Row> = rows.into_iter().map(Row::secured).collect();
    rows.push(stall.secured().timed());
    rows
}
