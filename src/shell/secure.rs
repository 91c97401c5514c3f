//! The traffic of lines with TLS: handshakes, and what differs from [`super::traffic`] in reading
//! and writing. It decides nothing about a certificate; the session does.

use std::mem;

use super::entry::{Entry, Layer, Stage};
use super::planted;
use super::socket::ended;
use super::traffic::Step;
use super::turn::Server;
use crate::base::frame::Gather;
use crate::base::slab::Key;

impl Server {
    /// TCP's handshake is done: the line is connected, or TLS begins. False if it has ended.
    pub(super) fn open(&mut self, key: Key) -> bool {
        let Some(entry) = self.sockets.get_mut(key) else {
            return false;
        };
        match mem::replace(&mut entry.layer, Layer::Plain) {
            Layer::Named(name) => match self.tls.session(name) {
                Ok(session) => {
                    entry.layer = Layer::Tls(Box::new(session));
                    entry.stage = Stage::Securing;
                    true
                }
                Err(why) => {
                    self.over(key, why);
                    false
                }
            },
            layer => {
                entry.layer = layer;
                self.connected_at_last(key);
                true
            }
        }
    }

    /// The line is connected, as the engine means it.
    fn connected_at_last(&mut self, key: Key) {
        if let Some(entry) = self.sockets.get_mut(key) {
            entry.stage = Stage::Open;
            self.guard.tell(self.now, Some(key), |engine| {
                engine.connected(self.now, key)
            });
        }
    }

    /// The first `count` bytes of the scratch came in on the line. All that they hold is delivered
    /// at once, so that nothing waits in a session for an edge that does not come.
    pub(super) fn decrypt(&mut self, key: Key, count: usize) {
        let mut place = 0;
        let mut goes_on = Ok(true);
        let mut fresh = false;
        while place < count && goes_on == Ok(true) {
            let Some((stage, session)) = self.sockets.get_mut(key).and_then(Entry::secured) else {
                return;
            };
            let mut cipher = &self.scratch[place..count];
            goes_on = session.feed(&mut cipher);
            place = count - cipher.len();
            if stage == Stage::Securing && !session.is_handshaking() {
                fresh = true;
                self.connected_at_last(key);
            }
            self.deliver(key);
        }
        match goes_on {
            // A target's line that is just connected has a request to write: one write for both.
            Ok(true) if fresh && !self.is_client_s(key) => {}
            Ok(true) => self.flush_ciphertext(key),
            Ok(false) => self.finished(key),
            Err(why) => {
                // The alert, if it can be written.
                self.flush_ciphertext(key);
                self.over(key, why);
            }
        }
    }

    fn is_client_s(&mut self, key: Key) -> bool {
        let entry = self.sockets.get_mut(key);
        let secured = entry.and_then(Entry::secured);
        secured.is_some_and(|(_, session)| session.is_client_s())
    }

    /// Gives the engine what was decrypted.
    fn deliver(&mut self, key: Key) {
        let now = self.now;
        while let Some((_, session)) = self.sockets.get_mut(key).and_then(Entry::secured) {
            let bytes = session.plaintext();
            if bytes.is_empty() {
                return;
            }
            self.guard.tell(now, Some(key), |engine| {
                engine.received(now, key, bytes);
                planted::amid(bytes);
            });
            let count = bytes.len();
            session.taken(count);
        }
    }

    /// Writes the ciphertext that waits on a line, as far as the socket takes it.
    pub(super) fn flush_ciphertext(&mut self, key: Key) {
        let Some(entry) = self.sockets.get_mut(key).filter(|entry| entry.may_flush()) else {
            return;
        };
        let Layer::Tls(session) = &mut entry.layer else {
            return;
        };
        match session.flush(&mut entry.socket) {
            Ok(true) if session.let_go() => {
                let now = self.now;
                self.guard
                    .tell(now, Some(key), |engine| engine.wrote(now, key, 1));
            }
            Ok(true) => {}
            Ok(false) => (entry.writable, entry.blocked) = (false, true),
            Err(why) => self.doom(key, ended(&why)),
        }
    }
}

/// One write of a line with TLS. A socket that was full comes here only after its ciphertext was
/// flushed, so the session holds at most the end of a handshake besides.
pub(super) fn write_once(gather: &Gather<'_>, entry: &mut Entry) -> Step {
    let Layer::Tls(session) = &mut entry.layer else {
        return Step::Nothing;
    };
    if session.has_ciphertext() && session.has_held_back() {
        // What was encrypted before is told of before anything follows it.
        return match session.flush(&mut entry.socket) {
            Ok(true) => Step::Wrote(usize::from(session.let_go())),
            Ok(false) => Step::Full(0),
            Err(why) => Step::Failed(0, ended(&why)),
        };
    }
    if gather.is_empty() && !session.has_ciphertext() {
        return Step::Nothing;
    }
    let count = match session.encrypt(gather.slices()) {
        Ok(count) => count,
        Err(why) => return Step::Failed(0, ended(&why)),
    };
    entry.written.1 += count;
    match session.flush(&mut entry.socket) {
        Ok(true) => Step::Wrote(count),
        Ok(false) => Step::Full(session.hold_back(count)),
        Err(why) => Step::Failed(count, ended(&why)),
    }
}
