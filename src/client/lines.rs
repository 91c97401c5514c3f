//! `send --lines`: every line of stdin is a message of its own. Lines go in batches: as many as are
//! there when stdin pauses, within bounds. Their order is kept, and a batch that may have been
//! taken is sent again under the same keys; it never reads on while one is under way.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{elements, member, string, words};

use super::call::{Caller, PATIENCE, Patience, Request, is_passing};
use super::cut::Cutter;
use super::meter::Meter;
use super::send::{INPUT_BYTES_MAX, KEY, Order, TEXT, checked, place, print, too_long};
use super::{Failure, wait};
use crate::base::exit::Exit;
use crate::http::json;
use crate::shell;

/// Messages of one batch at most; the server takes more.
const BATCH_MESSAGES_MAX: usize = 1_000;
/// Bytes of one batch, give or take its last message: half of what a server takes by default.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// Bytes read from stdin at once.
const READ_BYTES: usize = 64 << 10;

/// A line as a member of a batch.
struct Item {
    /// Its number, from 1.
    number: u64,
    json: Vec<u8>,
}

/// What is sent.
struct Lines<'a> {
    caller: &'a mut Caller,
    order: &'a Order,
    key: &'a str,
    fields: Vec<(String, String)>,
    batch: Vec<Item>,
    batch_bytes: usize,
    read: u64,
    ids: Vec<String>,
    sent: u64,
    /// The last line of which the server has said what becomes of it, as of all before it.
    settled: u64,
    /// The last line that was sent to it.
    tried: u64,
    refused: u64,
    meter: Meter,
}

/// Sends all lines of stdin; their ids go to stdout, in their order.
pub(super) fn run(order: &Order, caller: &mut Caller, key: &str) -> Result<(), Failure> {
    let mut fields = order.fields.clone();
    // Of the items, each its own: under one key all but the first would be doubles.
    let given = fields.iter().rfind(|(name, _)| name == KEY);
    let key = &given.map_or(key.to_owned(), |(_, value)| value.clone());
    fields.retain(|(name, _)| name != KEY);
    fields.push(("Content-Type".to_owned(), "application/json".to_owned()));
    let mut lines = Lines {
        caller,
        order,
        key,
        fields,
        batch: Vec::new(),
        batch_bytes: 0,
        read: 0,
        ids: Vec::new(),
        sent: 0,
        settled: 0,
        tried: 0,
        refused: 0,
        meter: Meter::new(),
    };
    let ended = lines.all();
    ended.map_err(|failure| lines.stood(failure))?;
    lines.meter.clear();
    if lines.refused > 0 {
        let text = format!("{} of {} lines were refused", lines.refused, lines.read);
        return Err(Failure::new(Exit::Refused, text));
    }
    match order.wait {
        None => Ok(()),
        Some(time) => wait::run(lines.caller, &lines.ids, time),
    }
}

impl Lines<'_> {
    fn all(&mut self) -> Result<(), Failure> {
        let failed = |why: io::Error| Failure::io("stdin", &why);
        // Without the buffer of std, which would hide what is there from the wait below.
        let owned = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let mut stdin = File::from(owned);
        let mut cutter = Cutter::new(INPUT_BYTES_MAX);
        loop {
            let buf = cutter.buf();
            let [ready] = shell::await_any(1, [stdin.as_fd()], Some(Duration::ZERO));
            if !ready {
                self.flush()?;
            }
            let old = buf.len();
            buf.resize(old + READ_BYTES, 0);
            let read = stdin.read(buf.get_mut(old..).unwrap_or_default());
            buf.truncate(old + read.as_ref().map_or(0, |count| *count));
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                // Somebody else has made it so for all who share it.
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    shell::await_any(1, [stdin.as_fd()], None);
                }
                Err(why) => return Err(failed(why)),
            }
            while let Some(line) = cutter.line() {
                self.line(line)?;
            }
            if cutter.is_too_long() {
                self.flush()?;
                return Err(too_long(format_args!("line {}", self.read + 1)));
            }
        }
        if !cutter.rest().is_empty() {
            self.line(cutter.rest())?;
        }
        self.flush()
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.read += 1;
        let mut item = b"{\"".to_vec();
        item.extend_from_slice(place(&self.order.target).1.as_bytes());
        item.extend_from_slice(b"\":");
        json::string(&mut item, &self.order.target);
        item.extend_from_slice(b",\"idempotency_key\":");
        json::string(&mut item, &format!("{}-{}", self.key, self.read));
        let kind = self.order.content_type.as_deref();
        match std::str::from_utf8(line) {
            Ok(text) => {
                item.extend_from_slice(b",\"body\":");
                json::string(&mut item, text);
                header(&mut item, kind.unwrap_or(TEXT));
            }
            Err(_) => {
                item.extend_from_slice(b",\"body_base64\":");
                json::string(&mut item, &STANDARD.encode(line));
                header(&mut item, kind.unwrap_or("application/octet-stream"));
            }
        }
        item.push(b'}');
        self.batch_bytes += item.len() + 1;
        self.batch.push(Item {
            number: self.read,
            json: item,
        });
        if self.batch.len() == BATCH_MESSAGES_MAX || self.batch_bytes >= BATCH_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what there is.
    fn flush(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let mut pending = vec![batch];
        while let Some(mut batch) = pending.pop() {
            if batch.is_empty() {
                continue;
            }
            if !self.take(&mut batch)? {
                // The server's bound on a body is narrower: what comes first goes first.
                let second = batch.split_off(batch.len() / 2);
                pending.extend([second, batch]);
            }
        }
        Ok(())
    }

    /// Has the server take a batch, all that it does not refuse for good. False if it is too large
    /// as a whole.
    fn take(&mut self, batch: &mut Vec<Item>) -> Result<bool, Failure> {
        let mut patience = Patience::new(Some(self.caller.retry_for()));
        loop {
            self.tried = batch
                .last()
                .map_or(self.tried, |item| self.tried.max(item.number));
            let bodies: Vec<&[u8]> = batch.iter().map(|item| item.json.as_slice()).collect();
            let body = [b"[".as_slice(), &bodies.join(&b","[..]), b"]"].concat();
            let answer = self.caller.insist(&Request {
                method: "POST",
                path: "/dispatch/batch",
                fields: &self.fields,
                body: &body,
                patience: PATIENCE,
                needs_body: true,
            })?;
            match answer.head.status {
                413 if batch.len() > 1 => return Ok(false),
                413 => {
                    let number = batch.first().map_or(0, |item| item.number);
                    self.refuse(number, &words(413, &answer.body));
                    self.settled = number;
                    return Ok(true);
                }
                200..300 => {}
                _ => return Err(answer.refusal()),
            }
            let results = elements(&answer.body);
            if results.len() != batch.len() {
                let text = "it answers a batch with another number of messages";
                return Err(Failure::new(Exit::Protocol, text));
            }
            let Some(failure) = self.note(batch, &results)? else {
                return Ok(true);
            };
            patience.rest(&mut self.caller.rng, None, failure)?;
        }
    }

    /// Notes what became of each message. In the batch stay those that may go better, and then
    /// all behind the first of them: sent again, those that were taken are known by their keys.
    fn note(
        &mut self,
        batch: &mut Vec<Item>,
        results: &[&[u8]],
    ) -> Result<Option<Failure>, Failure> {
        let mut text = String::new();
        let (mut later, mut barred) = (None, None);
        for (place, (item, result)) in batch.iter().zip(results).enumerate() {
            if let Some(id) = string(result, "id").as_deref().and_then(checked) {
                text += &format!("{id}\n");
                self.sent += 1;
                self.settled = item.number;
                if self.order.wait.is_some() {
                    self.ids.push(id);
                }
                continue;
            }
            let error = member(result, "error").unwrap_or_default();
            let status = member(error, "status").unwrap_or_default();
            let status = String::from_utf8_lossy(status).parse().unwrap_or(0);
            let said = words(status, error);
            if is_passing(status) {
                let said = format!("line {}: {said}", item.number);
                later = Some((place, Failure::new(Exit::LATER, said)));
                break;
            }
            if matches!(status, 401 | 403) {
                // So it is with all that follow.
                let said = format!("line {}: {said}", item.number);
                barred = Some(Failure::new(Exit::NoRight, said));
                break;
            }
            self.refuse(item.number, &said);
            self.settled = item.number;
        }
        print(&text)?;
        let (sent, read) = (self.sent, self.read);
        self.meter.show(format_args!("{sent} of {read} lines sent"));
        if let Some(failure) = barred {
            return Err(failure);
        }
        Ok(later.map(|(place, failure)| {
            batch.drain(..place);
            failure
        }))
    }

    /// An end before that of stdin, with how far it was.
    fn stood(&mut self, mut failure: Failure) -> Failure {
        self.meter.clear();
        let (settled, tried) = (self.settled, self.tried);
        let taken = match self.refused {
            0 => "taken",
            _ => "taken or refused",
        };
        failure.text += &match settled {
            0 => "; no line was taken for sure".to_owned(),
            _ => format!("; lines 1 to {settled} were {taken}"),
        };
        // The server has said no to what is there, and not nothing.
        let unknown = matches!(failure.exit, Exit::Unavailable | Exit::LATER | Exit::Io);
        if unknown && tried > settled {
            failure.text += &format!(", {} to {tried} may have been", settled + 1);
        }
        failure
    }

    fn refuse(&mut self, number: u64, said: &str) {
        self.refused += 1;
        self.meter.clear();
        eprintln!("hookah: line {number}: {said}");
    }
}

fn header(item: &mut Vec<u8>, kind: &str) {
    item.extend_from_slice(b",\"headers\":{\"Content-Type\":");
    json::string(item, kind);
    item.push(b'}');
}
