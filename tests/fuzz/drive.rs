//! Leads bytes, cut into pieces, through the grammar of `hookah::http` as a connection would, and
//! writes down what came of them. It judges nothing but what every caller relies on.

use hookah::http::body::BodyReader;
use hookah::http::chunk::ChunkReader;
use hookah::http::head::{HeadLimits, HeadScan};
use hookah::http::problem::Reason;
use hookah::http::request::{self, BodyKind, Version};
use hookah::http::response::{self, Framing, ResponseBody, ResponseScan, RetryAfter};

/// The limit on a request's body.
pub const BODY_BYTES_MAX: u64 = 1024 * 1024;
/// The limit on a body that is given alone, without a head.
pub const CHUNKED_BYTES_MAX: u64 = 1000;

/// What came of the bytes, a line for each fact.
pub type Log = Vec<String>;

/// A line of requests: answers to `POST / h 1.1 keep length 5`, `body hello`, `400 bad_host` …
pub fn requests(pieces: &[&[u8]]) -> Log {
    let mut log = Log::new();
    let mut buf = Vec::new();
    let mut scan = HeadScan::default();
    let mut body: Option<(BodyReader, Vec<u8>)> = None;
    let mut keep_alive = true;
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            if let Some((reader, data)) = &mut body {
                match drain(reader, &mut buf, data) {
                    Ok(true) => complete(&mut log, data),
                    Ok(false) => break,
                    Err(reason) => return refused(log, data, reason),
                }
                body = None;
            }
            if !keep_alive {
                return log;
            }
            match head(&mut log, &buf, &mut scan) {
                Ok(Some((len, kind, keep))) => {
                    buf.drain(..len);
                    keep_alive = keep;
                    scan = HeadScan::default();
                    match BodyReader::new(kind, BODY_BYTES_MAX) {
                        Err(reason) => return refused(log, &[], reason),
                        Ok(BodyReader::None) => {}
                        Ok(reader) => body = Some((reader, Vec::new())),
                    }
                }
                Ok(None) => break,
                Err(reason) => return refused(log, &[], reason),
            }
        }
    }
    match body {
        Some((_, data)) => waiting(&mut log, &data),
        None if buf.is_empty() => {}
        None => waiting(&mut log, &[]),
    }
    log
}

type Head = (usize, BodyKind, bool);

fn head(log: &mut Log, buf: &[u8], scan: &mut HeadScan) -> Result<Option<Head>, Reason> {
    let Some(end) = scan.scan(buf, &HeadLimits::default())? else {
        // This is what makes the cost linear: no byte but the last is looked at again.
        assert!(
            buf.len() - scan.seen() <= 1,
            "{} of {} bytes seen",
            scan.seen(),
            buf.len()
        );
        return Ok(None);
    };
    assert!(end.start < end.len && end.len <= buf.len());
    let mut slots = request::slots();
    let req = request::parse(&buf[end.start..end.len], &mut slots)?;
    let mut line = format!("{} {}", req.method.as_str(), req.path);
    if let Some(query) = req.query {
        line = format!("{line}?{query}");
    }
    let host = if req.host.is_empty() { "-" } else { req.host };
    let version = version(req.version);
    let keep = if req.keep_alive { "keep" } else { "close" };
    line = format!("{line} {host} {version} {keep}");
    if req.expect_continue {
        line.push_str(" continue");
    }
    if req.of_page {
        line.push_str(" page");
    }
    match req.body {
        BodyKind::None => line.push_str(" none"),
        BodyKind::Length(length) => line = format!("{line} length {length}"),
        BodyKind::Chunked => line.push_str(" chunked"),
    }
    log.push(line);
    Ok(Some((end.len, req.body, req.keep_alive)))
}

/// A chunked body of at most [`CHUNKED_BYTES_MAX`] and what follows: `body hello`, `rest 3` …
pub fn chunked(pieces: &[&[u8]]) -> Log {
    let mut log = Log::new();
    let mut reader = BodyReader::Chunked(ChunkReader::new(CHUNKED_BYTES_MAX));
    let (mut buf, mut data, mut done) = (Vec::new(), Vec::new(), false);
    for piece in pieces {
        buf.extend_from_slice(piece);
        match drain(&mut reader, &mut buf, &mut data) {
            Ok(complete) => done = complete,
            Err(reason) => return refused(log, &data, reason),
        }
    }
    assert_eq!(reader.ends_with_close(), done);
    if done {
        complete(&mut log, &data);
        rest(&mut log, &buf);
    } else {
        waiting(&mut log, &data);
    }
    log
}

/// A line of answers to one request, up to the close: `200 1.1 keep length 5`, `body hello` …
pub fn responses(pieces: &[&[u8]], to_head: bool) -> Log {
    let mut log = Log::new();
    let mut buf = Vec::new();
    let mut scan = ResponseScan::default();
    let mut body: Option<(BodyReader, Vec<u8>, bool)> = None;
    for piece in pieces {
        buf.extend_from_slice(piece);
        while body.is_none() {
            match response_head(&mut log, &buf, &mut scan, to_head) {
                Ok(Some((len, reader))) => {
                    buf.drain(..len);
                    scan = ResponseScan::default();
                    body = reader.map(|reader| (reader, Vec::new(), false));
                }
                Ok(None) => break,
                Err(bad) => {
                    log.push(format!("bad {}", bad.as_str()));
                    return log;
                }
            }
        }
        if let Some((reader, data, done)) = &mut body {
            match drain(reader, &mut buf, data) {
                Ok(complete) => *done = complete,
                Err(reason) => return refused(log, data, reason),
            }
        }
    }
    match body {
        Some((reader, data, done)) if done || reader.ends_with_close() => {
            complete(&mut log, &data);
            rest(&mut log, &buf);
        }
        Some((_, data, _)) => waiting(&mut log, &data),
        None => waiting(&mut log, &[]),
    }
    log
}

type Final = (usize, Option<BodyReader>);

fn response_head(
    log: &mut Log,
    buf: &[u8],
    scan: &mut ResponseScan,
    to_head: bool,
) -> Result<Option<Final>, response::BadResponse> {
    let Some(len) = scan.scan(buf)? else {
        assert_eq!(scan.seen(), buf.len());
        return Ok(None);
    };
    let mut slots = request::slots();
    let head = response::parse(&buf[..len], &mut slots, to_head)?;
    let keep = if head.keep_alive { "keep" } else { "close" };
    let mut line = format!("{} {} {keep}", head.status, version(head.version));
    if head.framing == Framing::Malformed {
        assert!(
            !head.keep_alive,
            "a line whose framing was malformed is kept"
        );
        line.push_str(" malformed");
    }
    match head.body {
        ResponseBody::None => line.push_str(" none"),
        ResponseBody::Length(length) => line = format!("{line} length {length}"),
        ResponseBody::Chunked => line.push_str(" chunked"),
        ResponseBody::ToClose => line.push_str(" to-close"),
    }
    match head.retry_after {
        None => {}
        Some(RetryAfter::Seconds(seconds)) => line = format!("{line} retry {seconds}"),
        Some(RetryAfter::At(at)) => line = format!("{line} retry-at {}", at.seconds()),
    }
    log.push(line);
    Ok(Some((
        len,
        (!head.is_interim()).then(|| head.body.reader()),
    )))
}

/// Reads all that the buffer has of the body; whether the body is done.
fn drain(reader: &mut BodyReader, buf: &mut Vec<u8>, data: &mut Vec<u8>) -> Result<bool, Reason> {
    let mut consumed = 0;
    let result = loop {
        let input = &buf[consumed..];
        match reader.read(input) {
            Err(reason) => break Err(reason),
            Ok(piece) => {
                assert!(piece.consumed <= input.len() && piece.data.len() <= piece.consumed);
                data.extend_from_slice(piece.data);
                consumed += piece.consumed;
                if piece.done || piece.consumed == 0 {
                    break Ok(piece.done);
                }
            }
        }
    };
    if let Ok(done) = result {
        assert!(
            done || consumed == buf.len(),
            "an unfinished body leaves bytes"
        );
        let again = reader
            .read(&buf[consumed..])
            .map(|piece| (piece.consumed, piece.done));
        assert!(
            !done || again == Ok((0, true)),
            "a body goes on after its end"
        );
    }
    buf.drain(..consumed);
    result
}

fn version(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    }
}

fn refused(mut log: Log, data: &[u8], reason: Reason) -> Log {
    assert!(
        reason.closes(),
        "{reason:?} breaks the framing and keeps the line"
    );
    part(&mut log, data);
    log.push(format!("{} {}", reason.row().status, reason.row().code));
    log
}

fn waiting(log: &mut Log, data: &[u8]) {
    part(log, data);
    log.push("waiting".to_owned());
}

fn complete(log: &mut Log, data: &[u8]) {
    log.push(
        format!("body {}", data.escape_ascii())
            .trim_end()
            .to_owned(),
    );
}

fn part(log: &mut Log, data: &[u8]) {
    if !data.is_empty() {
        log.push(format!("part {}", data.escape_ascii()));
    }
}

fn rest(log: &mut Log, buf: &[u8]) {
    if !buf.is_empty() {
        log.push(format!("rest {}", buf.len()));
    }
}
