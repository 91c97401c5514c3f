//! One file per kind of line: inbound, outbound, stream, names; and the deadline they share.
//! A line turns bytes into requests or answers and back. It never decides what they mean.

use std::time::Duration;

use crate::base::slab::Key;
use crate::http::field::FIELDS_MAX;
use crate::port::{Action, Turn};

pub mod deadline;
pub mod inbound;
pub mod names;
pub mod outbound;
pub mod reply;
pub mod stream;

use deadline::Deadline;
use inbound::Inbound;
use names::TcpQuery;
use outbound::Outbound;
use stream::Stream;

/// A connection, whatever its kind. It keeps its key while its kind changes in place.
#[derive(Debug)]
pub struct Line {
    /// Its one node in the wheel.
    pub deadline: Deadline,
    /// Whether it stands in the list of lines to be written.
    pub dirty: bool,
    /// Whether it is a client's with TLS, whose session is on the account of memory.
    pub secure: bool,
    /// What it is.
    pub conn: Conn,
}

/// The kinds of line.
#[derive(Debug)]
pub enum Conn {
    /// A client's requests and our answers.
    Inbound(Inbound),
    /// Our requests and a target's answers. Apart, for it is much the largest kind, and every place
    /// in the slab is as large as the largest; ten thousand of them may hold idle streams.
    Outbound(Box<Outbound>),
    /// A client that reads a topic.
    Stream(Stream),
    /// A question to a name server that no datagram could answer.
    Names(TcpQuery),
}

impl Line {
    /// A line of that kind without a deadline.
    #[must_use]
    pub fn new(conn: Conn) -> Line {
        Line {
            deadline: Deadline::new(),
            dirty: false,
            secure: false,
            conn,
        }
    }

    /// The line has something to write: it is put on the list once.
    pub fn touch(&mut self, turn: &mut Turn, key: Key) {
        if !self.dirty {
            self.dirty = true;
            turn.dirty.push_back(key);
        }
    }

    /// The same for a stream, which is written after answers and calls.
    pub fn touch_stream(&mut self, turn: &mut Turn, key: Key) {
        if !self.dirty {
            self.dirty = true;
            turn.dirty_streams.push_back(key);
        }
    }

    /// The line's last act; the caller has taken it out of the slab.
    pub fn close(mut self, turn: &mut Turn, key: Key) -> Conn {
        self.deadline.cancel(turn);
        turn.actions.push_back(Action::Close { key });
        self.conn
    }
}

/// Bounds on what a client may send and how long it may take (http.md, numbers to adopt).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Request head, in bytes.
    pub head_bytes_max: usize,
    /// Request target, in bytes.
    pub target_bytes_max: usize,
    /// Fields of a head.
    pub fields_max: usize,
    /// Request body, in bytes.
    pub body_bytes_max: usize,
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Bytes a second that a body has to bring, on the whole, beyond its grace; 0 for any.
    pub body_rate_min: u32,
    /// A kept-alive line without a request.
    pub idle_timeout: Duration,
    /// No byte of an answer accepted while some wait.
    pub stall_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes_max: 32 << 10,
            target_bytes_max: 16 << 10,
            fields_max: FIELDS_MAX,
            body_bytes_max: 1 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            body_rate_min: 256,
            idle_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place in the slab is paid for by every idle stream.
    #[test]
    fn a_line_is_small() {
        assert!(size_of::<Line>() <= 168, "{} bytes", size_of::<Line>());
    }
}
