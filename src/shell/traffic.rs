//! Bytes between sockets and engine: what a ready line brings, what a dirty line has to send.
//! Bounded per line and turn, so that no line keeps the others waiting.

use std::io::{ErrorKind, Read, Write};

use super::entry::{Entry, Layer, Stage};
use super::socket::{Handshake, ended};
use super::turn::Server;
use super::{READ_BYTES_MAX, WRITE_BYTES_MAX, planted, secure};
use crate::base::frame::Gather;
use crate::base::slab::Key;
use crate::engine::Engine;
use crate::port::Ended;

impl Server {
    /// Looks at every line that the poll, a `Resume` or the last turn has put into the ready list.
    pub(super) fn read_ready(&mut self) {
        let mut ready = self.sockets.take_ready();
        for key in &ready {
            let shakes = self.sockets.get_mut(*key).and_then(|it| it.shakes());
            match shakes {
                Some(begun) => self.handshakes.put(*key, begun),
                None => self.advance(*key),
            }
        }
        ready.clear();
        self.handshakes.take(&mut ready);
        for key in &ready {
            self.advance(*key);
        }
        self.sockets.put_back(ready);
    }

    fn advance(&mut self, key: Key) {
        let Some(entry) = self.sockets.unqueue(key) else {
            return;
        };
        if entry.stage == Stage::Connecting && !self.connected(key) {
            return;
        }
        self.flush_ciphertext(key);
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.writable && std::mem::replace(&mut entry.blocked, false) {
            self.guard
                .tell(self.now, Some(key), |engine| engine.unblocked(key));
        }
        self.read(key);
    }

    /// Whether TCP's handshake is done. Without TLS the line is connected with that.
    fn connected(&mut self, key: Key) -> bool {
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        match entry.socket.handshake() {
            Handshake::Done => {
                entry.writable = true;
                self.open(key)
            }
            Handshake::UnderWay => {
                (entry.readable, entry.writable) = (false, false);
                false
            }
            Handshake::Failed(why) => {
                self.over(key, why);
                false
            }
        }
    }

    /// Reads until nothing is left, the engine has enough, or the line has had its share.
    fn read(&mut self, key: Key) {
        let mut left = READ_BYTES_MAX;
        loop {
            let Some(entry) = self.sockets.get_mut(key) else {
                return;
            };
            if !entry.may_read() || !self.guard.engine().wants_read(key) {
                return self.pause(key);
            }
            if left == 0 {
                return self.sockets.queue(key);
            }
            match entry.socket.read(&mut self.scratch[..left]) {
                Ok(0) => return self.closed(key),
                Ok(count) => {
                    // A short read has emptied the socket, and more of it would be a new edge:
                    // except for the end itself, whose edge may have come already.
                    entry.readable = count == left || entry.hangup;
                    left -= count;
                    if matches!(entry.layer, Layer::Tls(_)) {
                        self.decrypt(key, count);
                        continue;
                    }
                    let bytes = &self.scratch[..count];
                    let now = self.now;
                    self.guard.tell(now, Some(key), |engine| {
                        engine.received(now, key, bytes);
                        planted::amid(bytes);
                    });
                }
                Err(why) => match why.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => {
                        entry.readable = false;
                        entry.hangup = false;
                    }
                    _ => return self.over(key, ended(&why)),
                },
            }
        }
    }

    /// The line is not read on for now. An error must not wait for a read that may never come.
    fn pause(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        match entry.stage {
            Stage::Doomed(why) => self.over(key, why),
            Stage::Securing | Stage::Open | Stage::Finished if entry.failing => {
                if let Some(why) = entry.take_failure() {
                    self.over(key, why);
                }
            }
            _ => {}
        }
    }

    /// The socket has no more to read. Over TLS a target itself has to say that it finished.
    fn closed(&mut self, key: Key) {
        let entry = self.sockets.get_mut(key);
        match entry.and_then(Entry::secured) {
            // Where a request ends, the request says (RFC 9112 section 9.8).
            Some((Stage::Open, session)) if !session.is_client_s() => {
                self.over(key, Ended::Unannounced);
            }
            _ => self.finished(key),
        }
    }

    /// The peer has sent everything.
    pub(super) fn finished(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        entry.readable = false;
        match entry.stage {
            Stage::Doomed(why) => return self.over(key, why),
            Stage::Securing => return self.over(key, Ended::Tls("tls_closed_in_handshake")),
            _ => entry.stage = Stage::Finished,
        }
        self.guard.tell(self.now, Some(key), |engine| {
            engine.ended(self.now, key, Ended::Finished);
        });
        self.pause(key);
    }

    /// The line has ended for good, which the engine is told once.
    pub(super) fn over(&mut self, key: Key, why: Ended) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.stage == Stage::Over {
            return;
        }
        entry.stage = Stage::Over;
        self.guard.tell(self.now, Some(key), |engine| {
            engine.ended(self.now, key, why)
        });
    }

    /// Writes what the engine has, line by line.
    pub(super) fn write_dirty(&mut self) {
        for place in 0..self.put_off.len() {
            let key = self.put_off[place];
            self.guard
                .tell(self.now, Some(key), |engine| engine.unblocked(key));
        }
        self.put_off.clear();
        while let Some(key) = self
            .guard
            .tell(self.now, None, Engine::next_dirty)
            .flatten()
        {
            self.write(key);
        }
    }

    /// One gathered write after the other, until nothing is left, the socket is full, or the line
    /// has had its share of the turn.
    fn write(&mut self, key: Key) {
        let (now, turn) = (self.now, self.turn);
        loop {
            let Some(entry) = self.sockets.get_mut(key) else {
                return;
            };
            if !entry.may_write() {
                entry.blocked = true;
                return;
            }
            if entry.written.0 != turn {
                entry.written = (turn, 0);
            }
            if entry.written.1 >= WRITE_BYTES_MAX {
                self.put_off.push(key);
                return;
            }
            let step = self.guard.tell(now, Some(key), |engine| {
                let step = write_once(engine, key, entry);
                match step {
                    Step::Wrote(count) if count > 0 && !engine.wrote(now, key, count) => {
                        Step::Nothing
                    }
                    Step::Full(count) | Step::Failed(count, _) if count > 0 => {
                        engine.wrote(now, key, count);
                        step
                    }
                    _ => step,
                }
            });
            match step {
                Some(Step::Wrote(_)) => {}
                Some(Step::Full(_)) => {
                    entry.writable = false;
                    entry.blocked = true;
                    return;
                }
                Some(Step::Failed(_, why)) => return self.doom(key, why),
                Some(Step::Nothing) | None => return,
            }
        }
    }

    /// A write failed: what was received is still read, in the next turn, and then the line ends.
    pub(super) fn doom(&mut self, key: Key, why: Ended) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if entry.stage == Stage::Finished {
            return self.over(key, why);
        }
        entry.stage = Stage::Doomed(why);
        entry.readable = true;
        self.sockets.queue(key);
    }
}

/// What came of one write.
pub(super) enum Step {
    /// The line has nothing to send, or nothing more.
    Nothing,
    /// All of this many bytes went out; there may be more.
    Wrote(usize),
    /// This many bytes went out, and the socket takes no more until an edge.
    Full(usize),
    /// The connection is gone; this many bytes were taken before that was known.
    Failed(usize, Ended),
}

fn write_once(engine: &Engine, key: Key, entry: &mut Entry) -> Step {
    let mut gather = Gather::new();
    engine.outgoing(key, &mut gather);
    if let Layer::Tls(_) = entry.layer {
        return secure::write_once(&gather, entry);
    }
    if gather.is_empty() {
        return Step::Nothing;
    }
    loop {
        let taken = match gather.slices() {
            // The kernel has a shorter way for it.
            [only] => entry.socket.write(only),
            slices => entry.socket.write_vectored(slices),
        };
        match taken {
            Ok(count) => {
                entry.written.1 += count;
                let all = count == gather.bytes();
                return if all {
                    Step::Wrote(count)
                } else {
                    Step::Full(count)
                };
            }
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Step::Full(0),
            Err(why) => return Step::Failed(0, ended(&why)),
        }
    }
}
