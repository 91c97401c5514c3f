//! The bytes of scripted clients: orders in every framing, and requests that must be refused.
//! It sends nothing.

use crate::clients::{Client, Want};
use crate::order::{Order, Parts};
use crate::rng::Rng;
use crate::script::Step;
use crate::world::{MS, SECOND};

/// How a request with a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Content-Length.
    Length,
    /// Chunks of so many bytes.
    Chunks(usize),
    /// Content-Length, and the body only after a 100.
    Expect,
    /// HTTP/1.0.
    Old,
}

/// The start and common fields of a request to us.
fn head(method: &str, path: &str, version: &str) -> String {
    format!("{method} {path} HTTP/{version}\r\nHost: localhost:4665\r\n")
}

/// An order as the steps of a client; `last` asks for the connection to be closed.
pub fn place(order: &Order, framing: Framing, last: bool) -> Vec<Step> {
    let Parts { path, media, body } = order.parts();
    let version = if framing == Framing::Old {
        "1.0"
    } else {
        "1.1"
    };
    let mut bytes = head("POST", &path, version) + &format!("Content-Type: {media}\r\n");
    if last {
        bytes += "Connection: close\r\n";
    }
    let length = format!("Content-Length: {}\r\n", body.len());
    match framing {
        Framing::Chunks(size) => {
            let mut bytes = (bytes + "Transfer-Encoding: chunked\r\n\r\n").into_bytes();
            for (place, chunk) in body.chunks(size).enumerate() {
                let extension = if place == 0 { ";x=y" } else { "" };
                bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\nX-Trailer: 1\r\n\r\n");
            vec![Step::Send(bytes)]
        }
        Framing::Expect => {
            let head = bytes + &length + "Expect: 100-continue\r\n\r\n";
            vec![
                Step::Send(head.into_bytes()),
                Step::Continue,
                Step::Send(body),
            ]
        }
        Framing::Length | Framing::Old => {
            vec![Step::Send(
                [(bytes + &length + "\r\n").into_bytes(), body].concat(),
            )]
        }
    }
}

/// A request without a body.
pub fn ask(method: &str, path: &str) -> Step {
    Step::Send((head(method, path, "1.1") + "\r\n").into_bytes())
}

/// Path, body, and the statuses that may come.
const REFUSED: &[(&str, &str, &[u16])] = &[
    ("/dispatch", "a=b", &[400]),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_retries=many",
        &[400],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_method=BREW",
        &[400],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_delay=soon",
        &[400],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_targets=local",
        &[400],
    ),
    ("/dispatch", "_url=gopher%3A%2F%2F10.0.0.1%2F", &[400]),
    ("/dispatch/%21%21", "", &[400]),
    ("/nowhere", "_url=http%3A%2F%2F10.0.0.1%2F", &[404]),
    // Forbidden, in a few of the spellings, and beside a good one.
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_targets=public",
        &[403],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_url=http%3A%2F%2F169.254.169.254%2F",
        &[403],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F10.0.0.1%2F&_url=http%3A%2F%2F127.1%3A4665%2F",
        &[403],
    ),
    ("/dispatch", "_url=http%3A%2F%2F0xa9fea9fe%2F", &[403]),
    (
        "/dispatch",
        "_url=http%3A%2F%2F%5B%3A%3Affff%3A224.1%3A1%5D%2F",
        &[400],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F%5B%3A%3A7f00%3A1%5D%3A8000%2F",
        &[403],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F%5B64%3Aff9b%3A%3Aa9fe%3Aa9fe%5D%2F",
        &[403],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2F%5Bfd00%3Aec2%3A%3A254%5D%2F",
        &[403],
    ),
    (
        "/dispatch",
        "_url=http%3A%2F%2Flocalhost%3A8000%2F&_targets=public",
        &[403],
    ),
    ("/dispatch", "_url=http%3A%2F%2F168.63.129.16%2F", &[403]),
];

/// Requests with a bad option or target: refused, and the connection may live.
pub fn refused(rng: &mut Rng) -> (Vec<Step>, Want) {
    let (path, body, statuses) = rng.pick(REFUSED);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let fields = format!("{form}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let bytes = head("POST", path, "1.1") + &fields;
    (
        vec![Step::Send(bytes.into_bytes())],
        Want::Refused(statuses),
    )
}

/// Requests that are no HTTP, or whose framing is not to be trusted: refused, and nothing behind
/// them is read (http.md's table).
pub fn malformed(rng: &mut Rng) -> (Vec<u8>, &'static [u16]) {
    let long = "x".repeat(40_000);
    let post = |fields: &str| format!("POST /dispatch HTTP/1.1\r\nHost: a\r\n{fields}");
    let cases: [(String, &'static [u16]); 19] = [
        ("GARBAGE\r\n\r\n".to_owned(), &[400]),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), &[400]),
        ("GET / HTTP/1.1\nHost: a\n\n\r\n\r\n".to_owned(), &[400]),
        ("GET /\r\n\r\n".to_owned(), &[400]),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), &[505]),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(),
            &[400],
        ),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), &[400]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n".to_owned(),
            &[400],
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..17_000]),
            &[414],
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            &[431],
        ),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), &[501]),
        (post("Content-Length: +5\r\n\r\nhello"), &[400]),
        (
            post("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
            &[400],
        ),
        (
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            &[400],
        ),
        (post("Content-Length: 99999999\r\n\r\n"), &[413]),
        (post("Transfer-Encoding: gzip\r\n\r\n"), &[400, 501]),
        (post("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), &[400]),
        (
            post("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"),
            &[400],
        ),
    ];
    let (text, statuses) = rng.pick(&cases);
    (text.into_bytes(), statuses)
}

/// A client that places one order and leaves.
pub fn customer(order: &Order) -> Client {
    let mut steps = place(order, Framing::Length, false);
    steps.extend([Step::Answers(1), Step::Close]);
    Client::new(steps, vec![Want::Accepted(order.number)])
}

/// A client that asks for `/health` so often before it reads a byte, and then reads all.
pub fn flooder(requests: usize, deaf: u64) -> Client {
    let one = head("GET", "/health", "1.1") + "\r\n";
    let steps = vec![
        Step::Deaf,
        Step::Send(one.repeat(requests).into_bytes()),
        Step::Wait(deaf),
        Step::Listen,
        Step::Answers(requests),
        Step::Close,
    ];
    Client::new(steps, vec![Want::Page(200, false); requests])
}

/// A client that never completes its head, or its body.
pub fn slowloris(in_body: bool) -> Client {
    let text = if in_body {
        head("POST", "/dispatch", "1.1") + "Content-Length: 9\r\n\r\n"
    } else {
        head("GET", "/health", "1.1")
    };
    let mut steps = vec![Step::Send(text.into_bytes())];
    for _ in 0..8 {
        steps.extend([Step::Wait(15 * SECOND), Step::Send(b"x".to_vec())]);
    }
    Client::new(steps, vec![Want::TimedOut])
}

/// A client whose body comes `bytes` a second, for as long as one may take.
pub fn trickler(bytes: usize) -> Client {
    let text = head("POST", "/dispatch", "1.1") + "Content-Length: 900000\r\n\r\n";
    let mut steps = vec![Step::Send(text.into_bytes())];
    for _ in 0..65 {
        steps.extend([Step::Send(vec![b'x'; bytes]), Step::Wait(SECOND)]);
    }
    Client::new(steps, vec![Want::TimedOut])
}

/// A client whose connection is reset, or ends, inside the request.
pub fn quitter(rng: &mut Rng, order: &Order) -> Client {
    let Parts { path, media, body } = order.parts();
    let fields = format!(
        "Content-Type: {media}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let bytes = [(head("POST", &path, "1.1") + &fields).into_bytes(), body].concat();
    let kept = rng.between(1, bytes.len() as u64 - 1) as usize;
    let wait = rng.between(0, 300 * MS);
    let end = rng.pick(&[Step::Reset, Step::Close, Step::Fin]);
    let steps = vec![Step::Send(bytes[..kept].to_vec()), Step::Wait(wait), end];
    let mut client = Client::new(steps, vec![Want::NotTaken(order.number, &[400])]);
    client.lossy = true;
    client
}
