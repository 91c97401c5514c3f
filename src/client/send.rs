//! `hookah send`: one message, or one for each line of stdin, and how it ended.
//! It never sends a message twice: each has an idempotency key, under which it is tried again.

use std::fmt;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use super::call::{Caller, PATIENCE, Request};
use super::{Failure, lines, wait};
use crate::base::exit::Exit;
use crate::http::form;
use crate::http::json::scan;
use crate::shell;

/// What a body is that nobody named: text, if it is UTF-8.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// What to send.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Where to: a URL, or the name of a topic.
    pub target: String,
    /// Options, and fields for the target, as fields of the request; the target is not among them.
    pub fields: Vec<(String, String)>,
    /// The media type of the body; `None` is to be guessed.
    pub content_type: Option<String>,
    /// Where the body comes from.
    pub body: Body,
    /// Each line of stdin is a message of its own.
    pub lines: bool,
    /// Whether to wait until it has ended, and for how long at most.
    pub wait: Option<Option<Duration>>,
}

/// Where a body comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// From stdin, unless that is a terminal.
    #[default]
    Piped,
    /// From stdin.
    Stdin,
    /// From a file.
    File(PathBuf),
    /// A form's fields, joined already.
    Form(String),
    /// A text that has to be JSON.
    Json(String),
    /// A file that has to be JSON.
    JsonFile(PathBuf),
}

/// The field that names the target, and how the target is named for each line.
pub(super) fn place(target: &str) -> (&'static str, &'static str) {
    match target.contains("://") {
        true => ("Hookah-Url", "url"),
        false => ("Hookah-Topic", "topic"),
    }
}

/// Sends it; its id, or those of all lines, go to stdout.
pub(super) fn run(order: &Order, mut caller: Caller) -> Result<(), Failure> {
    let key = format!("send-{:032x}", caller.rng.u128());
    if order.lines {
        return lines::run(order, &mut caller, &key);
    }
    let (body, kind) = read(order)?;
    let mut fields = order.fields.clone();
    fields.push((place(&order.target).0.to_owned(), order.target.clone()));
    let has = |fields: &[(String, String)], name| {
        fields
            .iter()
            .any(|(known, _): &(String, String)| known == name)
    };
    if !has(&fields, KEY) {
        fields.push((KEY.to_owned(), key));
    }
    if body.is_empty() && !has(&fields, "Hookah-Method") {
        // Without a body and a word about it the server would send a GET.
        fields.push(("Hookah-Method".to_owned(), "POST".to_owned()));
    }
    if let Some(kind) = kind {
        fields.push(("Content-Type".to_owned(), kind));
    }
    let answer = caller.insist(&Request {
        method: "POST",
        path: "/dispatch",
        fields: &fields,
        body: &body,
        patience: PATIENCE,
        needs_body: false,
    })?;
    if !(200..300).contains(&answer.head.status) {
        return Err(answer.refusal());
    }
    let Some(id) = answer.head.field("Hookah-Id").and_then(checked) else {
        let text = "it answers without an id; is it a Hookah?";
        return Err(Failure::new(Exit::Protocol, text));
    };
    print(&format!("{id}\n"))?;
    match order.wait {
        None => Ok(()),
        Some(time) => wait::run(&mut caller, &[id], time),
    }
}

/// A body from stdin at most, or a line of it: more than servers take.
pub(super) const INPUT_BYTES_MAX: usize = 256 << 20;

/// It is more than that.
pub(super) fn too_long(what: impl fmt::Display) -> Failure {
    let most = INPUT_BYTES_MAX >> 20;
    let text = format_args!("{what} is too long; allowed: at most {most} MiB");
    Failure::new(Exit::Refused, text)
}

/// The field by which the server knows a request again.
pub(super) const KEY: &str = "Idempotency-Key";

/// An id that is safe to show and to ask for.
pub(super) fn checked(id: &str) -> Option<String> {
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && !id.is_empty()).then(|| id.to_owned())
}

/// Writes to stdout at once.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write_out(text.as_bytes()).map_err(|why| Failure::io("stdout", &why))
}

/// Writes to stdout at once, and waits for room where somebody has made it one that does not block.
/// Without the buffer of std, which would not say how much of it was written.
pub(super) fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    let mut out = fs::File::from(stdout.as_fd().try_clone_to_owned()?);
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => shell::await_room(out.as_fd()),
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// The body, and what it is.
fn read(order: &Order) -> Result<(Vec<u8>, Option<String>), Failure> {
    let file = |path: &PathBuf| fs::read(path).map_err(|why| Failure::io(path.display(), &why));
    let stdin = || {
        let mut body = Vec::new();
        let mut stdin = io::stdin().lock().take(INPUT_BYTES_MAX as u64 + 1);
        let read = stdin.read_to_end(&mut body);
        read.map_err(|why| Failure::io("stdin", &why))?;
        match body.len() > INPUT_BYTES_MAX {
            true => Err(too_long("stdin")),
            false => Ok(body),
        }
    };
    let json = |body: Vec<u8>| match is_json(&body) {
        Ok(()) => Ok((body, Some("application/json".to_owned()))),
        Err(why) => Err(Failure::new(Exit::Usage, format_args!("--json: {why}"))),
    };
    let (body, kind) = match &order.body {
        Body::Form(text) => (text.clone().into_bytes(), Some(form::MEDIA_TYPE.to_owned())),
        Body::Json(text) => json(text.clone().into_bytes())?,
        Body::JsonFile(path) if path.as_os_str() == "-" => json(stdin()?)?,
        Body::JsonFile(path) => json(file(path)?)?,
        Body::File(path) => guessed(file(path)?),
        Body::Piped if io::stdin().is_terminal() => (vec![], None),
        Body::Piped | Body::Stdin => guessed(stdin()?),
    };
    Ok((body, order.content_type.clone().or(kind)))
}

/// A body with what it seems to be: nothing, an object or an array of JSON, text, or just bytes.
fn guessed(body: Vec<u8>) -> (Vec<u8>, Option<String>) {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let kind = match first {
        None if body.is_empty() => return (body, None),
        Some(b'{' | b'[') if is_json(&body).is_ok() => "application/json",
        _ if std::str::from_utf8(&body).is_ok() => TEXT,
        _ => "application/octet-stream",
    };
    (body, Some(kind.to_owned()))
}

/// Whether it is JSON to its end.
fn is_json(text: &[u8]) -> Result<(), String> {
    let looked = scan::object(text).and_then(|members| match members {
        Some(mut members) => members.find_map(Result::err).map_or(Ok(()), Err),
        None => Ok(()),
    });
    looked.map_err(|why| format!("that is no JSON: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_seems_to_be() {
        let rows: [(&[u8], Option<&str>); 8] = [
            (b"", None),
            (b" \n", Some(TEXT)),
            (b"hello", Some(TEXT)),
            (b"{\"a\":1}\n", Some("application/json")),
            (b" [1, 2]", Some("application/json")),
            (b"[info] started", Some(TEXT)),
            (b"{\"a\":1} and more", Some(TEXT)),
            (b"\xff\xfe", Some("application/octet-stream")),
        ];
        for (body, expected) in rows {
            assert_eq!(guessed(body.to_vec()).1.as_deref(), expected, "{body:?}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_all_else_is_a_topic() {
        let rows = [
            ("http://localhost:9000/", "url"),
            ("https://hook.test", "url"),
            ("news", "topic"),
            ("a/b:c", "topic"),
        ];
        for (target, expected) in rows {
            assert_eq!(place(target).1, expected, "{target}");
        }
    }
}
