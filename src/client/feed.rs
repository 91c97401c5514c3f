//! What a stream brings, line by line: messages and notices, and what to print of a message.
//! It reads JSON lines, which hold no line break whatever the messages hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{member, string};
use super::tail::Shown;

/// One line of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message, by its id.
    Message(String),
    /// So many messages are missing before the next one; nobody may know how many.
    Missed(String),
    /// The server says that we are slow.
    Warning,
    /// The stream ends, for this reason.
    Disconnect(End),
    /// Nothing: what keeps the line alive, or a notice of a later server.
    Nothing,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The server goes down, or has too much to do; it is worth to come again.
    Passing,
    /// We were too slow; so it is then.
    Slow,
    /// The token was taken away, or has expired.
    Token,
    /// Somebody closed the topic.
    Closed,
    /// All is sent that was asked for.
    Done,
}

impl End {
    fn of(reason: &str) -> End {
        match reason {
            "token" => End::Token,
            "admin" => End::Closed,
            "normal" | "count" => End::Done,
            "stall" => End::Slow,
            _ => End::Passing,
        }
    }
}

impl Event {
    /// What a line is, without its end; appends what to print of it.
    pub(super) fn read(line: &[u8], shown: Shown, out: &mut Vec<u8>) -> Event {
        if line.is_empty() {
            return Event::Nothing;
        }
        if let Some(id) = string(line, "id") {
            match shown {
                Shown::Json => out.extend_from_slice(line),
                Shown::Raw => body(line, out),
            }
            out.push(b'\n');
            return Event::Message(id.into_owned());
        }
        if let Some(notice) = member(line, "disconnect") {
            let reason = string(notice, "reason").unwrap_or_default();
            return Event::Disconnect(End::of(&reason));
        }
        if let Some(notice) = member(line, "limit") {
            let track = member(notice, "track").unwrap_or_default();
            let digits = track.iter().filter(|byte| byte.is_ascii_digit());
            return Event::Missed(digits.map(|byte| char::from(*byte)).collect());
        }
        match member(line, "warning") {
            Some(_) => Event::Warning,
            None => Event::Nothing,
        }
    }
}

/// Appends a message's body, byte for byte.
fn body(line: &[u8], out: &mut Vec<u8>) {
    if let Some(text) = string(line, "text") {
        out.extend_from_slice(text.as_bytes());
    } else if let Some(text) = string(line, "base64") {
        // What is no base64 came from no server of ours, and then nothing is printed.
        let old = out.len();
        if STANDARD.decode_vec(text.as_bytes(), out).is_err() {
            out.truncate(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let message = |id: &str| Event::Message(id.to_owned());
        let rows: [(&[u8], Event, &[u8]); 11] = [
            (b"", Event::Nothing, b""),
            (
                br#"{"id":"msg_1","text":"a\nb\u0000\u2713"}"#,
                message("msg_1"),
                "a\nb\0✓\n".as_bytes(),
            ),
            (
                br#"{"id":"msg_2","base64":"//4="}"#,
                message("msg_2"),
                b"\xff\xfe\n",
            ),
            (br#"{"id":"msg_3","base64":"//4"}"#, message("msg_3"), b"\n"),
            (
                br#"{"limit":{"track":12}}"#,
                Event::Missed("12".into()),
                b"",
            ),
            (
                br#"{"warning":{"code":"FALLING_BEHIND"}}"#,
                Event::Warning,
                b"",
            ),
            (
                br#"{"disconnect":{"code":6,"stream_name":"t","reason":"token"}}"#,
                Event::Disconnect(End::Token),
                b"",
            ),
            (
                br#"{"disconnect":{"code":1,"stream_name":"t","reason":"shutdown"}}"#,
                Event::Disconnect(End::Passing),
                b"",
            ),
            (
                br#"{"disconnect":{"code":99,"stream_name":"t","reason":"later"}}"#,
                Event::Disconnect(End::Passing),
                b"",
            ),
            (br#"{"hello":1}"#, Event::Nothing, b""),
            (b"no json", Event::Nothing, b""),
        ];
        for (line, expected, printed) in rows {
            let mut out = Vec::new();
            let text = String::from_utf8_lossy(line);
            assert_eq!(Event::read(line, Shown::Raw, &mut out), expected, "{text}");
            assert_eq!(out, printed, "{text}");
        }
    }
}
