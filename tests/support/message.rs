//! HTTP/1.1 messages as the stories' peers read them: strictly, so that whatever Hookah writes is
//! checked on the way. It shares no code with the server.
//!
//! Use it with `#[path = "support/message.rs"] mod message;`.
#![allow(dead_code)]

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// How long a story waits for what should come at once. A bound on failure, never on success.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection with what was read of it and not used.
pub struct Wire {
    pub stream: TcpStream,
    held: Vec<u8>,
}

/// The fields of a head, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

/// A head.
#[derive(Clone, Debug)]
pub struct Head {
    /// The request line or the status line.
    pub start: String,
    pub fields: Fields,
    /// Bytes it has, with its last line's end.
    pub size: usize,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Wire {
            stream,
            held: Vec::new(),
        }
    }

    /// The next head; `None` if the other side ends before its first byte.
    pub fn head(&mut self) -> Option<Head> {
        let mut seen = 0;
        let end = loop {
            let from = seen.min(self.held.len());
            if let Some(at) = find(&self.held[from..], b"\r\n\r\n") {
                break from + at;
            }
            seen = self.held.len().saturating_sub(3);
            if !self.more() {
                let text = String::from_utf8_lossy(&self.held);
                assert!(self.held.is_empty(), "half a head: {text:?}");
                return None;
            }
        };
        let text = String::from_utf8(self.held[..end].to_vec()).expect("a head of text");
        self.held.drain(..end + 4);
        let mut lines = text.split("\r\n");
        let start = lines.next().expect("a first line").to_owned();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a field");
            assert!(is_token(name), "{line:?}");
            assert!(value.trim() == value && !value.contains(['\r', '\n']));
            (name.to_owned(), value.to_owned())
        });
        let fields = Fields(fields.collect());
        let size = end + 4;
        Some(Head {
            start,
            fields,
            size,
        })
    }

    /// Exactly that many bytes.
    pub fn exact(&mut self, count: usize) -> Vec<u8> {
        while self.held.len() < count {
            let (have, text) = (self.held.len(), String::from_utf8_lossy(&self.held));
            let text = text.into_owned();
            assert!(self.more(), "ended after {have} of {count} bytes: {text:?}");
        }
        self.held.drain(..count).collect()
    }

    /// What has come; waits for something if nothing has. `None` at the other side's end.
    pub fn some(&mut self) -> Option<Vec<u8>> {
        let any = !self.held.is_empty() || self.more();
        any.then(|| std::mem::take(&mut self.held))
    }

    /// Everything up to the other side's end.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.held)
    }

    /// Waits for more; false at the other side's end, be it a FIN or a reset.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => {
                    self.held.extend_from_slice(&bytes[..count]);
                    return true;
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) if is_impatience(why.kind()) => {
                    let text = String::from_utf8_lossy(&self.held);
                    panic!("nothing comes any more, after {text:?}");
                }
                Err(_) => return false,
            }
        }
    }
}

/// Whether a read or write ran into the socket's own timeout.
pub fn is_impatience(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Fields {
    /// The value of a field that may stand once.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.all(name);
        let value = found.next();
        assert_eq!(found.next(), None, "{name} stands twice in {self:?}");
        value
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let same = move |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// The length of the body, if the head says one.
    pub fn length(&self) -> Option<usize> {
        assert_eq!(self.get("Transfer-Encoding"), None, "{self:?}");
        let length = self.get("Content-Length");
        length.map(|text| text.parse().expect("a number"))
    }
}

fn is_token(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.bytes().all(is_part)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
