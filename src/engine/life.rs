//! Lines come and go: who is let in, how a line ends, how the server drains, what must always hold.
//! It never reads a byte of what a line carries.

use std::net::IpAddr;

use super::stored::Awaiting;
use super::{Engine, Refusal};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::conn::Conn;
use crate::port::{Action, Timer};

/// The slab is full.
pub(super) const FULL: Refusal = Refusal {
    answer: b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n\r\n\
        503 Too many connections now",
};

/// One address has more than its share.
const TOO_MANY: Refusal = Refusal {
    answer: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 38\r\n\r\n\
        429 Too many connections from this one",
};

/// Of a drain: not begun, under way, or out of time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    /// The server runs.
    #[default]
    No,
    /// What is in flight is being finished.
    Begun,
    /// Its time is up.
    Over,
}

impl Drain {
    pub(super) fn time_is_up(&mut self) {
        *self = Drain::Over;
    }
}

impl Engine {
    /// Why a client from `peer` cannot be let in, if so. Outbound lines keep a quarter of the
    /// places.
    pub(super) fn crowded(&self, peer: IpAddr) -> Option<Refusal> {
        if self.lines.is_full() || self.inbound >= self.settings.lines_max.div_ceil(4) * 3 {
            return Some(FULL);
        }
        let max = self.settings.lines_per_address_max?;
        let held = self.per_address.get(&peer).copied().unwrap_or(0);
        (held >= max).then_some(TOO_MANY)
    }

    pub(super) fn count_in(&mut self, peer: IpAddr) {
        self.inbound += 1;
        if self.settings.lines_per_address_max.is_some() && !peer.is_loopback() {
            let held = self.per_address.get(&peer).copied().unwrap_or(0);
            self.per_address.insert(peer, held + 1);
        }
    }

    fn count_out(&mut self, peer: IpAddr) {
        self.inbound -= 1;
        match self.per_address.get_mut(&peer) {
            Some(held) if *held > 1 => *held -= 1,
            Some(_) => {
                self.per_address.remove(&peer);
            }
            None => {}
        }
    }

    /// Takes a line out of the slab and has its socket closed.
    pub(super) fn close(&mut self, key: Key) {
        self.leave_topic(key);
        let Some(line) = self.lines.remove(key) else {
            return;
        };
        self.turn.stats.add(Counter::LinesClosed, 1);
        match line.close(&mut self.turn, key) {
            Conn::Inbound(inbound) => {
                self.count_out(inbound.peer());
                inbound.dismantle(&mut super::serve::context!(self));
            }
            Conn::Stream(stream) => self.count_out(stream.peer()),
            Conn::Outbound(outbound) => {
                let lane = outbound.lane();
                self.turn.memory.give(outbound.charged());
                self.courier.closed(lane, key, !outbound.is_resting());
                self.hungry.push_back(lane);
            }
        }
    }

    /// A line's deadline has passed.
    pub(super) fn line_expired(&mut self, key: Key) {
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Inbound(_)) => self.client_expired(key),
            Some(Conn::Outbound(_)) => self.call_expired(key),
            Some(Conn::Stream(_)) => self.stream_expired(key),
            None => {}
        }
    }

    /// Begin to stop: nothing new is taken in, what is in flight is finished.
    pub fn drain(&mut self, now: Now) {
        self.turn.now = now;
        if self.drain != Drain::No {
            return;
        }
        self.drain = Drain::Begun;
        self.turn.actions.push_back(Action::StopListening);
        self.turn
            .wheel
            .arm(now.mono + self.settings.drain_timeout, Timer::Drain);
        let mut index = 0;
        while let Some(key) = self.lines.key_from(index) {
            index = key.index() + 1;
            match self.lines.get_mut(key).map(|line| &mut line.conn) {
                Some(Conn::Inbound(inbound)) => {
                    inbound.drain();
                    self.settle_inbound(key);
                }
                Some(Conn::Outbound(outbound)) if outbound.is_resting() => self.close(key),
                Some(Conn::Stream(_)) => self.end_stream(key),
                _ => {}
            }
        }
        self.run_lanes();
    }

    /// Whether a drain has come to its end: everything in flight finished, or its time is up.
    #[must_use]
    pub fn drained(&self) -> bool {
        let idle = self.lines.is_empty() && self.courier.waiting() == 0;
        self.drain == Drain::Over || (self.drain == Drain::Begun && idle)
    }

    /// Deliveries that have not ended.
    #[must_use]
    pub fn deliveries(&self) -> usize {
        self.dispatch.deliveries.len()
    }

    /// Whether nothing is left: no line, no delivery, no timer, no byte on the account but
    /// those lent to what is remembered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
            && self.dispatch.deliveries.is_empty()
            && self.turn.wheel.is_empty()
            && self.turn.memory.held() == 0
            && self.awaiting.is_empty()
            && self.topics.is_empty()
    }

    /// Brings the gauges up to date.
    pub(super) fn measure(&mut self) {
        let (inbound, outbound) = (self.inbound, self.courier.lines());
        let stats = &mut self.turn.stats;
        stats.set(Counter::LinesInbound, inbound as u64);
        stats.set(Counter::LinesOutbound, outbound as u64);
        stats.set(
            Counter::DeliveriesWaiting,
            self.dispatch.deliveries.len() as u64,
        );
        stats.set(Counter::Streams, self.topics.streams() as u64);
        stats.set(Counter::Topics, self.topics.len() as u64);
        stats.set(Counter::CallsWaiting, self.courier.waiting() as u64);
        let memory = &self.turn.memory;
        stats.set(Counter::BytesHeld, memory.held() + memory.lent());
        stats.set(Counter::Timers, self.turn.wheel.len() as u64);
    }

    /// Sweeps all invariants; panics with what is wrong. For tests and the simulator.
    pub fn check(&self) {
        self.turn.wheel.check();
        self.courier.check();
        let mut bytes = self.dispatch.deliveries.check();
        let (mut inbound, mut outbound, mut streams) = (0, 0, 0);
        for (key, line) in self.lines.iter() {
            match &line.conn {
                Conn::Inbound(client) => {
                    inbound += 1;
                    bytes += client.charged();
                    assert!(!client.is_gone(), "line {key:?} should have been closed");
                }
                Conn::Stream(stream) => {
                    inbound += 1;
                    streams += usize::from(!stream.is_ending());
                    assert!(!stream.is_gone(), "line {key:?} should have been closed");
                }
                Conn::Outbound(call) => {
                    outbound += 1;
                    bytes += call.charged();
                    assert!(!call.is_gone(), "line {key:?} should have been closed");
                }
            }
        }
        self.topics.check();
        assert_eq!(streams, self.topics.streams(), "streams miscounted");
        bytes += self.awaiting.iter().map(Awaiting::charged).sum::<u64>();
        assert_eq!(inbound, self.inbound, "clients miscounted");
        assert_eq!(outbound, self.courier.lines(), "outbound lines miscounted");
        assert_eq!(
            bytes,
            self.turn.memory.held(),
            "the account of memory is wrong"
        );
        let remembered = self.dispatch.deliveries.remembered_bytes();
        assert_eq!(
            remembered,
            self.turn.memory.lent(),
            "what is lent is not accounted for"
        );
        assert!(self.hungry.is_empty(), "a lane was left hungry");
    }
}
