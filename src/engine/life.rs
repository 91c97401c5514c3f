//! Lines come and go: who is let in, how a line ends, how the server drains, what must always hold.
//! It never reads a byte of what a line carries.

use std::net::IpAddr;

use super::stored::Awaiting;
use super::{Engine, secure};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::base::toll::network;
use crate::conn::{Conn, Line};
use crate::http::problem::Reason;
use crate::http::request::Version;
use crate::http::write::{self, How};
use crate::port::{Action, Timer};

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

/// A connection that is not taken in: what to send before closing it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// A complete answer, to be written once and without waiting.
    pub answer: Vec<u8>,
}

impl Drain {
    pub(super) fn time_is_up(&mut self) {
        *self = Drain::Over;
    }
}

impl Engine {
    /// Why a client from `peer` cannot be let in, if so. Outbound lines keep a quarter of the
    /// places.
    pub(super) fn crowded(&self, peer: IpAddr) -> Option<Reason> {
        let kept = self.settings.lines_max.div_ceil(4);
        if self.lines.is_full() || self.inbound + kept >= self.settings.lines_max {
            return Some(Reason::ConnectionsFull);
        }
        let max = self.settings.lines_per_address_max?;
        let held = self.per_address.get(&network(peer)).copied().unwrap_or(0);
        (held >= max).then_some(Reason::AddressFull)
    }

    /// A connection that is not let in, and the answer that says why.
    pub(super) fn turn_away(&mut self, reason: Reason) -> Refusal {
        self.turn.stats.add(Counter::LinesRefused, 1);
        let one = u64::from(reason == Reason::AddressFull);
        self.turn.stats.add(Counter::LinesRefusedByAddress, one);
        let how = How {
            keep_alive: false,
            version: Version::Http11,
            head_only: false,
            date: self.date.at(self.turn.now.wall),
            origin: None,
        };
        let mut answer = Vec::with_capacity(256);
        let wait = self.turn.patience().to_string();
        let fields = [("Retry-After", &*wait)];
        write::problem(&mut answer, &reason.into(), false, &fields, &how);
        Refusal { answer }
    }

    pub(super) fn count_in(&mut self, peer: IpAddr) {
        self.inbound += 1;
        if self.settings.lines_per_address_max.is_some() && !peer.is_loopback() {
            let home = network(peer);
            let held = self.per_address.get(&home).copied().unwrap_or(0);
            self.per_address.insert(home, held + 1);
        }
    }

    fn count_out(&mut self, peer: IpAddr) {
        self.inbound -= 1;
        let home = network(peer);
        match self.per_address.get_mut(&home) {
            Some(held) if *held > 1 => *held -= 1,
            Some(_) => {
                self.per_address.remove(&home);
            }
            None => {}
        }
    }

    /// Takes a line out of the slab and has its socket closed.
    pub(super) fn close(&mut self, key: Key) {
        self.leave_channel(key);
        if let Some(seated) = self.visits.end(&mut self.turn.memory, key) {
            self.leave_seat(seated.joined.seat);
        }
        self.forget_inquiries(key);
        let Some(line) = self.lines.remove(key) else {
            return;
        };
        self.turn.stats.add(Counter::LinesClosed, 1);
        self.give_back(line.secure);
        match line.close(&mut self.turn, key) {
            Conn::Inbound(inbound) => {
                self.count_out(inbound.peer());
                inbound.dismantle(&mut super::serve::context!(self));
            }
            Conn::Stream(stream) => self.count_out(stream.peer()),
            Conn::Names(_) => {}
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
            // The resolver has its own node for the exchange.
            Some(Conn::Names(_)) => self.close(key),
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
                Some(Conn::Stream(_)) => self.drain_stream(key),
                _ => {}
            }
        }
        self.hurry_inquiries();
        self.run_lanes();
    }

    /// Whether a drain has come to its end: everything in flight finished, or its time is up.
    #[must_use]
    pub fn drained(&self) -> bool {
        let idle = || !self.courier.may_start() && self.lines.iter().all(|(_, line)| rests(line));
        self.drain == Drain::Over || (self.drain == Drain::Begun && idle())
    }

    /// Deliveries that have not ended.
    #[must_use]
    pub fn deliveries(&self) -> usize {
        self.dispatch.deliveries.len()
    }

    /// Whether what has not ended is forgotten at a restart.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.settings.volatile
    }

    /// Whether nothing is left: no line, no delivery, no timer, no question, no byte on the
    /// account.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
            && self.dispatch.deliveries.is_empty()
            && self.turn.wheel.is_empty()
            && self.turn.memory.held() == 0
            && self.awaiting.is_empty()
            && self.courier.names.is_idle()
            && self.topics.is_empty()
            && self.hub.is_empty()
            && self.inquiries.is_empty()
            && self.dispatch.once.is_empty()
    }

    /// Brings the gauges up to date.
    pub(super) fn measure(&mut self) {
        let (inbound, outbound) = (self.inbound, self.courier.lines());
        let stats = &mut self.turn.stats;
        stats.add(Counter::BacklogCrowdedOut, self.topics.take_crowded_out());
        stats.set(Counter::LinesInbound, inbound as u64);
        stats.set(Counter::LinesOutbound, outbound as u64);
        stats.set(
            Counter::DeliveriesWaiting,
            self.dispatch.deliveries.len() as u64 + self.dispatch.deliveries.in_store(),
        );
        stats.set(
            Counter::DeliveriesStored,
            self.dispatch.deliveries.in_store(),
        );
        let deliveries = &self.dispatch.deliveries;
        stats.set(Counter::Queues, deliveries.queues().len() as u64);
        stats.set(Counter::Flows, deliveries.flows().len() as u64);
        stats.set(Counter::FlowsWaiting, deliveries.flows().waiting() as u64);
        stats.set(Counter::Streams, self.topics.streams() as u64);
        stats.set(Counter::Topics, self.topics.len() as u64);
        stats.set(Counter::TopicsBytes, self.topics.bytes() as u64);
        stats.set(Counter::Lanes, self.courier.lanes() as u64);
        stats.set(Counter::CallsWaiting, self.courier.waiting() as u64);
        stats.set(Counter::Subscriptions, self.hub.len() as u64);
        stats.set(Counter::BytesHeld, self.turn.memory.held());
        stats.set(Counter::Tokens, self.gate.len() as u64);
        stats.set(Counter::Timers, self.turn.wheel.len() as u64);
    }

    /// Sweeps all invariants; panics with what is wrong. For tests and the simulator.
    pub fn check(&self) {
        self.turn.wheel.check();
        self.courier.check();
        let mut bytes = self.dispatch.deliveries.check() + self.hub.check();
        bytes += self.dispatch.once.check() + self.visits.held();
        let (mut inbound, mut outbound, mut visits) = (0, 0, 0);
        let mut streams = self.visits.waiting();
        for (key, line) in self.lines.iter() {
            bytes += secure::charged(line.secure);
            match &line.conn {
                Conn::Inbound(client) => {
                    inbound += 1;
                    visits += usize::from(self.visits.contains(key));
                    self.check_poll(key, line);
                    bytes += client.charged();
                    client.check();
                    assert!(!client.is_gone(), "line {key:?} should have been closed");
                }
                Conn::Stream(stream) => {
                    inbound += 1;
                    streams += usize::from(!stream.is_ending());
                    self.check_stream(key, stream);
                }
                Conn::Names(_) => {}
                Conn::Outbound(call) => {
                    outbound += 1;
                    bytes += call.charged();
                    assert!(!call.is_gone(), "line {key:?} should have been closed");
                }
            }
        }
        self.topics.check();
        assert_eq!(visits, self.visits.len(), "a visit of a line that is gone");
        assert_eq!(streams, self.topics.streams(), "streams miscounted");
        bytes += self.awaiting.iter().map(Awaiting::charged).sum::<u64>();
        bytes += self.turn.handed.charged() + self.inquiries.check();
        assert_eq!(inbound, self.inbound, "clients miscounted");
        assert_eq!(outbound, self.courier.lines(), "outbound lines miscounted");
        assert_eq!(
            bytes,
            self.turn.memory.held(),
            "the account of memory is wrong"
        );
        assert!(self.hungry.is_empty(), "a lane was left hungry");
    }
}

/// Whether a line has nothing to do; a lane that is held may have kept it for calls that wait.
fn rests(line: &Line) -> bool {
    matches!(&line.conn, Conn::Outbound(outbound) if outbound.is_resting())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Mono, Wall};
    use crate::engine::Settings;
    use crate::port::Ended;

    fn engine(lines_max: usize) -> (Engine, Now) {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_763_880_000_000_000),
        };
        let settings = Settings {
            lines_max,
            lines_per_address_max: Some(2),
            ..Settings::default()
        };
        (Engine::new(settings, [1; 32], now), now)
    }

    fn answer(refusal: Option<Refusal>) -> String {
        refusal.map_or_else(String::new, |refusal| {
            String::from_utf8_lossy(&refusal.answer).into_owned()
        })
    }

    #[test]
    fn one_address_has_its_share_and_loopback_is_free() {
        let (mut engine, now) = engine(100);
        let far = IpAddr::from([192, 0, 2, 1]);
        let first = engine.opened(now, far).unwrap();
        engine.opened(now, far).unwrap();
        let refused = answer(engine.opened(now, far).err());
        assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
        for field in ["\r\nDate: Sun, 23 Nov 2025 ", "\r\nRetry-After: "] {
            assert!(refused.contains(field), "{refused}");
        }
        assert!(engine.opened(now, IpAddr::from([192, 0, 2, 2])).is_ok());
        for _ in 0..3 {
            engine.opened(now, IpAddr::from([127, 0, 0, 1])).unwrap();
        }
        engine.ended(now, first, Ended::Reset);
        assert!(
            engine.opened(now, far).is_ok(),
            "the place was not given back"
        );
        engine.check();
    }

    #[test]
    fn a_home_of_ipv6_has_the_share_of_one_address() {
        let (mut engine, now) = engine(100);
        let home = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, host, 0, 0, host]);
        let first = engine.opened(now, home(1)).unwrap();
        engine.opened(now, home(2)).unwrap();
        let refused = answer(engine.opened(now, home(3)).err());
        assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
        let counted = engine.stats().get(Counter::LinesRefusedByAddress);
        assert_eq!(counted, 1);
        let other = IpAddr::from([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1]);
        assert!(engine.opened(now, other).is_ok());
        // An IPv4 address that is written as an IPv6 one is itself, and not all of them.
        for last in 1..=3 {
            let mapped = std::net::Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped();
            assert!(engine.opened(now, IpAddr::from(mapped)).is_ok());
        }
        engine.ended(now, first, Ended::Reset);
        assert!(engine.opened(now, home(4)).is_ok());
        engine.check();
    }

    #[test]
    fn clients_leave_a_quarter_of_the_places_to_targets() {
        for (places, clients) in [(4, 3), (5, 3), (6, 4), (8, 6), (9, 6), (13, 9)] {
            let (mut engine, now) = engine(places);
            for _ in 0..clients {
                engine.opened(now, IpAddr::from([127, 0, 0, 1])).unwrap();
            }
            let refused = answer(engine.opened(now, IpAddr::from([127, 0, 0, 1])).err());
            assert!(refused.starts_with("HTTP/1.1 503 "), "{places}: {refused}");
            engine.check();
        }
    }
}
