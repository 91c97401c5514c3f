//! The bytes of the traffic: what is posted, what is answered, and where a message ends.
//! It never reads or writes a socket.

use std::io;

/// The fields that a webhook carries to its target, in form encoding.
pub const FIELDS: &str = "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8";

/// What the sink answers to a webhook.
pub const SINK_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The same from a sink that closes its lines.
pub const SINK_LAST_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What the floor answers to a dispatch: as many bytes as Hookah's 202 has.
pub const FLOOR_ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 14\r\n\
    Hookah-Id: msg_01HOOKAH000000000000000001\r\n\
    Location: /messages/msg_01HOOKAH000000000000000001\r\n\
    Hookah-Durability: memory\r\n\r\n202 Scheduled\n";

/// The POST to `/dispatch` on `port` that asks for a webhook to the sink of that URL.
pub fn dispatch(port: u16, sink: &str) -> Vec<u8> {
    let body = format!("_url={sink}&{FIELDS}");
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// A POST to `/dispatch` on `port` for a topic that nobody listens to.
pub fn topic_post(port: u16) -> Vec<u8> {
    let body = format!("_topic=t&{FIELDS}");
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// The head of the floor's webhooks: as many bytes as Hookah's has. `FIELDS` follows it.
pub fn floor_head(sink: u16) -> Vec<u8> {
    let head = format!(
        "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:{sink}\r\nUser-Agent: Hookah/0.1.0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         webhook-id: msg_01HOOKAH000000000000000001\r\nwebhook-timestamp: 1767323045\r\n\
         Hookah-Attempt: 1\r\nHookah-Hops: 1\r\n\r\n",
        FIELDS.len()
    );
    head.into_bytes()
}

/// The size of the webhook that `bytes` are: `None` while some are missing, an error if they
/// are no POST, do not end with the fields, or are more than one request.
pub fn webhook_complete(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request
        .parse(bytes)
        .map_err(|error| odd(&error.to_string(), bytes))?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let body = content_length(request.headers);
    if bytes.len() < head + body {
        return Ok(None);
    }
    let fits = request.method == Some("POST") && bytes.len() == head + body;
    if fits && bytes.ends_with(FIELDS.as_bytes()) {
        Ok(Some(bytes.len()))
    } else {
        Err(odd("the sink got something else than the webhook", bytes))
    }
}

/// The size of the answer that `bytes` are: `None` while some are missing, an error for a status
/// that is none of `accepted` and for more than one answer.
pub fn accepted_complete(bytes: &[u8], accepted: &[u16]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|error| odd(&error.to_string(), bytes))?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    if !response.code.is_some_and(|code| accepted.contains(&code)) {
        return Err(odd("not accepted", bytes));
    }
    let end = head + content_length(response.headers);
    match bytes.len().cmp(&end) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(bytes.len())),
        std::cmp::Ordering::Greater => Err(odd("more than one answer", bytes)),
    }
}

fn content_length(headers: &[httparse::Header<'_>]) -> usize {
    let found = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let text = found.and_then(|header| std::str::from_utf8(header.value).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// An error that shows how `bytes` begin.
pub fn odd(what: &str, bytes: &[u8]) -> io::Error {
    let shown = &bytes[..bytes.len().min(300)];
    io::Error::other(format!("{what}: \"{}\"", shown.escape_ascii()))
}
