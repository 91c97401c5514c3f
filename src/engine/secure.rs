//! Clients with TLS, as far as they are the engine's: their place on the account of memory, the end
//! of their handshake, and what is told of those that fail. It never sees a byte of TLS.

use std::time::Duration;

use super::Engine;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::Conn;
use crate::model::Visitor;
use crate::port::Ended;

/// What a session holds: 10 KB while nothing moves, and at most 20 KiB that came and are not
/// understood yet, and a record of 16 KiB that waits to go out.
pub(super) const SESSION_BYTES: u64 = 48 << 10;
/// Lines in the log about handshakes that fail, in each such span of time: whoever wants to can
/// have as many of them fail as there are packets.
const REPORTS_MAX: u32 = 10;
/// The span.
const REPORTS_EVERY: Duration = Duration::from_secs(10);

/// What a line has on the account of memory for its session.
pub(super) fn charged(secure: bool) -> u64 {
    if secure { SESSION_BYTES } else { 0 }
}

/// How much the log was told of late.
#[derive(Debug, Default)]
pub(super) struct Reports {
    until: Mono,
    told: u32,
    left_out: u64,
}

impl Reports {
    /// Whether one more may be told now, and how many were not since the last one.
    fn next(&mut self, now: Mono) -> Option<u64> {
        if self.until <= now {
            (self.until, self.told) = (now + REPORTS_EVERY, 0);
        }
        if self.told == REPORTS_MAX {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Engine {
    /// Whether there is memory for that visitor's session, which is taken with this.
    pub(super) fn affords(&mut self, visitor: Visitor) -> bool {
        !visitor.secure || self.turn.memory.take_for_strangers(SESSION_BYTES)
    }

    /// Gives back what [`Engine::affords`] took.
    pub(super) fn give_back(&mut self, secure: bool) {
        self.turn.memory.give(charged(secure));
    }

    /// A client's handshake is done, if that line is one.
    pub(super) fn client_secured(&mut self, key: Key) {
        let now = self.turn.now.mono;
        if let Some(Conn::Inbound(inbound)) = self.lines.get_mut(key).map(|line| &mut line.conn)
            && inbound.connected(now)
        {
            self.turn.stats.add(Counter::Handshakes, 1);
            self.settle_inbound(key);
        }
    }

    /// A client's line has ended, perhaps because of TLS.
    pub(super) fn secure_ended(&mut self, who: Visitor, why: Ended) {
        let Ended::Tls(word) = why else { return };
        self.turn.stats.add(Counter::HandshakesFailed, 1);
        if let Some(left_out) = self.reports.next(self.turn.now.mono) {
            let peer = who.peer;
            log::info!("handshake_failed peer={peer} why={word} left_out={left_out}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::base::time::Now;
    use crate::engine::Settings;
    use crate::model::Door;

    const SECOND: u64 = 1_000_000;

    fn engine(sessions: u64) -> Engine {
        let settings = Settings {
            // A quarter is not for strangers.
            memory_bytes_max: SESSION_BYTES * sessions * 4 / 3,
            ..Settings::default()
        };
        Engine::new(settings, [1; 32], at(0))
    }

    fn at(micros: u64) -> Now {
        Now {
            mono: Mono(micros),
            ..Now::default()
        }
    }

    fn secure() -> Visitor {
        Visitor {
            peer: [192, 0, 2, 1].into(),
            door: Door::Open,
            secure: true,
        }
    }

    fn passes(engine: &mut Engine, micros: u64) {
        engine.tick(at(micros));
        while engine.poll_action().is_some() {}
        engine.check();
    }

    #[test]
    fn a_handshake_has_five_seconds() {
        let mut engine = engine(4);
        let late = engine.opened(at(0), secure()).unwrap();
        let timely = engine.opened(at(0), secure()).unwrap();
        engine.connected(at(5 * SECOND - 1), timely);
        passes(&mut engine, 5 * SECOND - 1);
        assert!(engine.lines.contains(late));
        passes(&mut engine, 5 * SECOND + 2_000);
        assert!(!engine.lines.contains(late) && engine.lines.contains(timely));
        assert_eq!(engine.stats().get(Counter::TimeoutsHandshake), 1);
        assert_eq!(engine.stats().get(Counter::Handshakes), 1);
        // From then on it is any client's line.
        engine.received(
            at(6 * SECOND),
            timely,
            b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
        );
        assert_eq!(engine.next_dirty(), Some(timely));
        engine.check();
    }

    #[test]
    fn a_session_is_on_the_account_until_the_line_is_closed() {
        let mut engine = engine(2);
        let first = engine.opened(at(0), secure()).unwrap();
        engine.opened(at(0), secure()).unwrap();
        assert_eq!(engine.turn.memory.held(), 2 * SESSION_BYTES);
        assert!(engine.opened(at(0), secure()).is_err(), "no room for three");
        assert!(engine.opened(at(0), secure().peer).is_ok(), "without TLS");
        engine.ended(at(0), first, Ended::Tls("tls_not_tls"));
        assert_eq!(engine.stats().get(Counter::HandshakesFailed), 1);
        assert!(engine.opened(at(0), secure()).is_ok());
        engine.check();
    }

    #[test]
    fn what_comes_before_the_handshake_is_done_ends_the_line() {
        let mut engine = engine(2);
        let line = engine.opened(at(0), secure()).unwrap();
        engine.received(at(0), line, b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(!engine.lines.contains(line));
        assert_eq!(engine.stats().get(Counter::Requests), 0);
        engine.connected(at(0), line);
        engine.check();
    }

    #[test]
    fn a_drain_waits_for_no_handshake() {
        let mut engine = engine(2);
        let line = engine.opened(at(0), secure()).unwrap();
        engine.drain(at(0));
        assert!(!engine.lines.contains(line) && engine.drained());
        engine.check();
    }

    #[test]
    fn the_log_is_told_of_ten_in_ten_seconds() {
        let mut reports = Reports::default();
        for _ in 0..REPORTS_MAX {
            assert_eq!(reports.next(Mono(SECOND)), Some(0));
        }
        assert_eq!(reports.next(Mono(SECOND)), None);
        assert_eq!(reports.next(Mono(11 * SECOND - 1)), None);
        assert_eq!(reports.next(Mono(11 * SECOND)), Some(2));
        assert_eq!(reports.next(Mono(11 * SECOND)), Some(0));
    }
}
