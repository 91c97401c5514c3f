//! A raw client: it sends whatever bytes a story gives it, in the pieces it gives them, and reads
//! answers strictly. It never composes or repairs a request.
//!
//! Use it with `#[path = "support/client.rs"] mod client;`, beside `message`.
#![allow(dead_code)]

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::message::{Fields, Wire};

/// A connection to the server.
pub struct Client {
    pub wire: Wire,
}

/// An answer, interim or final.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Fields,
    pub body: String,
    /// Bytes it has, head and body.
    pub size: usize,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).expect("it listens");
        let wire = Wire::new(stream);
        Client { wire }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        let sent = self.wire.stream.write_all(bytes.as_ref());
        sent.expect("it takes what is sent");
        self
    }

    /// Sends bytes that the server may refuse to take.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.wire.stream.write_all(bytes.as_ref());
    }

    /// Has nothing more to send.
    pub fn finish(&mut self) -> &mut Client {
        let shut = self.wire.stream.shutdown(Shutdown::Write);
        shut.expect("it is connected");
        self
    }

    /// The next answer.
    pub fn answer(&mut self) -> Answer {
        self.read(false)
    }

    /// The next answer, to a HEAD.
    pub fn answer_to_head(&mut self) -> Answer {
        self.read(true)
    }

    /// The server ends the connection with nothing more to say.
    pub fn ends(&mut self) {
        let rest = self.wire.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    fn read(&mut self, head_only: bool) -> Answer {
        let head = self.wire.head().expect("an answer");
        let line = head.start.strip_prefix("HTTP/1.1 ");
        let line = line.unwrap_or_else(|| panic!("not an answer: {:?}", head.start));
        let (status, phrase) = line.split_once(' ').expect("a status and a phrase");
        assert!(!phrase.is_empty());
        let status: u16 = status.parse().expect("a status");
        let fields = head.fields;
        let mut body = Vec::new();
        if status < 200 {
            assert_eq!(fields.length(), None, "an interim answer has no body");
        } else {
            // RFC 9110 section 6.6.1: a 5xx may come from where nobody looks at the clock.
            assert!(fields.get("Date").is_some() || status >= 500, "{fields:?}");
            // RFC 9112 section 6.3: neither has a body, and a 204 no length either.
            let is_bare = matches!(status, 204 | 304);
            assert!(status != 204 || fields.length().is_none(), "{fields:?}");
            let length = match head_only || is_bare {
                true => 0,
                false => fields.length().expect("a Content-Length"),
            };
            body = self.wire.exact(length);
        }
        let size = head.size + body.len();
        let body = String::from_utf8(body).expect("text");
        Answer {
            status,
            fields,
            body,
            size,
        }
    }
}

impl Answer {
    /// Whether the server says that this answer is the line's last.
    pub fn closes(&self) -> bool {
        self.fields.get("Connection") == Some("close")
    }
}
