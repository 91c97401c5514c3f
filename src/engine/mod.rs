//! The router of facts: owns the rooms, the slab of lines and the wheel; no protocol of its own.
//! It has no socket, no clock, no thread and no randomness but what it is given.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::access::Gate;
use crate::base::buf::Pool;
use crate::base::frame::Gather;
use crate::base::index::Index;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::slab::{Key, Slab};
use crate::base::stats::{Counter, Stats};
use crate::base::time::{Mono, Now};
use crate::base::wheel::Wheel;
use crate::conn::inbound::{Desk, Inbound};
use crate::conn::{Conn, Line};
use crate::courier::Courier;
use crate::dispatch::{self, Dispatch};
use crate::http::date::DateCache;
use crate::http::problem::Reason;
use crate::hub::{Hub, Ticket};
use crate::model::{Owner, Visitor};
use crate::port::{Action, Ended, Handed, Seq, StoreDone, Timer, Turn};
use crate::topics::Topics;

mod about;
mod batch;
mod callers;
mod calls;
mod condition;
mod door;
mod hub;
mod inquiries;
mod lanes;
mod life;
mod messages;
mod names;
mod notices;
mod pages;
mod polls;
mod retune;
mod routes;
mod secure;
mod serve;
mod settings;
mod slow;
mod stillness;
mod stored;
mod streams;
mod sum;
mod visits;
mod wants;
mod window;
mod wishes;

use condition::Condition;
use inquiries::Inquiries;
use streams::feed_of;
use visits::Visits;

pub use life::Refusal;
pub use routes::{Route, routes};
pub use settings::Settings;
pub use sum::standing_bytes;

/// Timers fired in one turn at most; what is left fires in the next, which follows at once.
const TIMERS_PER_TURN_MAX: usize = 4_096;
/// Streams written in one turn at most: ten thousand writes would hold everything else up. So few
/// take half a millisecond, beside which a turn costs nothing.
const STREAM_WRITES_MAX: usize = 128;
/// Desks kept for the next line that needs one; each takes 16 KiB at most.
const DESKS_KEPT_MAX: usize = 256;

/// The whole server without its sockets, clocks, threads and randomness.
///
/// Facts go in with the time (`opened`, `connected`, `received`, `ended`, `stored`, `tick`), and
/// intentions come out (`poll_action`, `next_dirty` with `outgoing` and `wrote`, `next_wake`).
/// It cannot fail: a peer's error is a fact, its consequence an intention.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    turn: Turn,
    lines: Slab<Line>,
    desks: Pool<Box<Desk>>,
    date: DateCache,
    dispatch: Dispatch,
    courier: Courier,
    topics: Topics,
    /// What clients have come for who are to get streams, or wait for messages.
    visits: Visits,
    /// The node of the topics' next sweep.
    sweep: Option<Key>,
    /// Streams and polls whose topics were deleted; empty between facts.
    doomed: Vec<Key>,
    hub: Hub,
    /// Who may do what.
    gate: Gate,
    /// When the last turn ended.
    turned: Mono,
    /// The lines of those who wait for the hub's verdict.
    waiters: Index<Ticket, Key>,
    inquiries: Inquiries,
    /// Offers are left to the test.
    #[cfg(test)]
    by_hand: bool,
    #[cfg(test)]
    stand_in: Option<tests::calls::Script>,
    /// Streams that may still be written in this turn.
    stream_writes_left: usize,
    /// Lanes that may be able to start a call.
    hungry: VecDeque<Key>,
    /// Whose calls expired in their lanes; empty between facts.
    expired: Vec<Owner>,
    /// Messages that wait for the store, in the order of acceptance.
    awaiting: VecDeque<stored::Awaiting>,
    durable: Seq,
    /// What the store can do.
    store: Condition,
    inbound: usize,
    per_address: Index<IpAddr, u32>,
    drain: life::Drain,
    reports: secure::Reports,
}

impl Engine {
    /// An engine with nothing in it. `seed` is 32 bytes of entropy (or a simulator's seed).
    #[must_use]
    pub fn new(settings: Settings, seed: [u8; 32], now: Now) -> Engine {
        let mut rng = Rng::new(seed);
        let timers_max = sum::timers_max(&settings);
        let courier = Courier::new(settings.courier.clone(), settings.lines_max / 2, rng.u64());
        let keeps = !settings.volatile;
        let dispatch = dispatch::Settings {
            keeps,
            ..settings.dispatch.clone()
        };
        let dispatch = Dispatch::new(dispatch, rng.u64(), now);
        let hub = Hub::new(settings.hub.clone(), &mut rng);
        let seed = settings.roll.as_ref().map_or(0, |_| rng.u64());
        let gate = Gate::new(settings.roll.clone(), seed);
        Engine {
            lines: Slab::with_bound(settings.lines_max),
            desks: Pool::with_bound(DESKS_KEPT_MAX),
            date: DateCache::default(),
            dispatch,
            courier,
            topics: Topics::new(settings.topics.clone(), now.wall, rng.u64()),
            visits: Visits::new(rng.u64()),
            sweep: None,
            doomed: Vec::new(),
            hub,
            gate,
            turned: now.mono,
            waiters: Index::new(rng.u64()),
            inquiries: Inquiries::default(),
            #[cfg(test)]
            by_hand: false,
            #[cfg(test)]
            stand_in: None,
            stream_writes_left: STREAM_WRITES_MAX,
            hungry: VecDeque::new(),
            expired: Vec::new(),
            awaiting: VecDeque::new(),
            durable: 0,
            store: Condition::new(settings.volatile),
            inbound: 0,
            per_address: Index::new(rng.u64()),
            drain: life::Drain::default(),
            reports: secure::Reports::default(),
            turn: Turn {
                now,
                wheel: Wheel::with_bound(timers_max, now.mono),
                rng,
                stats: Stats::default(),
                memory: Ledger::new(settings.memory_bytes_max),
                actions: VecDeque::new(),
                dirty: VecDeque::new(),
                dirty_streams: VecDeque::new(),
                handed: Handed::default(),
            },
            settings,
        }
    }

    /// A client connected. The key names its line from now on, unless it is refused.
    pub fn opened(&mut self, now: Now, who: impl Into<Visitor>) -> Result<Key, Refusal> {
        self.turn.now = now;
        let visitor = who.into();
        let peer = visitor.peer;
        if let Some(reason) = self.crowded(peer) {
            return Err(self.turn_away(reason));
        }
        if !self.affords(visitor) {
            return Err(self.turn_away(Reason::MemoryFull));
        }
        let mut line = Line::new(Conn::Inbound(Inbound::new(visitor, now.mono)));
        line.secure = visitor.secure;
        let Ok(key) = self.lines.insert(line) else {
            self.give_back(visitor.secure);
            return Err(self.turn_away(Reason::ConnectionsFull));
        };
        self.count_in(peer);
        self.turn.stats.add(Counter::LinesOpened, 1);
        self.settle_inbound(key);
        Ok(key)
    }

    /// A `Connect` succeeded, or the TLS handshake of a secure visitor.
    pub fn connected(&mut self, now: Now, key: Key) {
        self.turn.now = now;
        self.client_secured(key);
        self.call_connected(key);
        self.name_server_connected(key);
        self.run_lanes();
    }

    /// Bytes came in on a line; never empty.
    pub fn received(&mut self, now: Now, key: Key, bytes: &[u8]) {
        self.turn.now = now;
        self.turn.stats.add(Counter::BytesIn, bytes.len() as u64);
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Inbound(_)) => self.request_bytes(key, bytes),
            Some(Conn::Outbound(_)) => {
                self.answer_bytes(key, bytes);
                self.run_lanes();
            }
            Some(Conn::Stream(_)) => self.stream_heard(key, bytes.len()),
            Some(Conn::Names(_)) => {
                self.name_server_heard(key, bytes);
                self.run_lanes();
            }
            None => {}
        }
    }

    /// A line, or its reading half (`Ended::Finished`), has ended. Anything but `Finished` is
    /// final, and the engine still answers with a `Close`.
    pub fn ended(&mut self, now: Now, key: Key, why: Ended) {
        self.turn.now = now;
        match self.lines.get_mut(key).map(|line| &mut line.conn) {
            Some(Conn::Inbound(inbound)) => {
                match why {
                    Ended::Finished => inbound.finish(),
                    _ => inbound.abandon(),
                }
                let who = inbound.visitor();
                self.secure_ended(who, why);
                self.settle_inbound(key);
            }
            Some(Conn::Outbound(_)) => self.call_ended(key, why),
            // A reader that has finished sending is taken to be gone, as by every other server.
            Some(Conn::Stream(_)) => self.close(key),
            Some(Conn::Names(_)) => self.name_server_ended(key),
            None => {}
        }
        self.run_lanes();
    }

    /// The store has something to say about what it was given.
    pub fn stored(&mut self, now: Now, done: StoreDone) {
        self.turn.now = now;
        match done {
            StoreDone::Durable(seq) => self.store_kept(seq),
            StoreDone::Failed(seq) => self.store_lost(seq),
            StoreDone::Usable { trouble } => self.store_usable(trouble),
            StoreDone::Taken { lane, rows, left } => {
                self.store_taken(lane, rows, left.as_ref());
                self.cancel_taken();
            }
            StoreDone::Canceled {
                ticket,
                count,
                lanes,
            } => {
                self.store_canceled(&lanes);
                self.canceled(ticket, count);
            }
            StoreDone::Found { ticket, found } => self.store_found(ticket, found),
            StoreDone::Restored(facts) => self.store_restored(facts),
            StoreDone::Ready => self.store_ready(),
        }
        self.run_lanes();
    }

    /// Once a turn, after the reads: fires what is due, a bounded number of timers at a time.
    pub fn tick(&mut self, now: Now) {
        self.turn.now = now;
        self.stream_writes_left = STREAM_WRITES_MAX;
        for _ in 0..TIMERS_PER_TURN_MAX {
            let Some(timer) = self.turn.wheel.pop(now.mono) else {
                break;
            };
            self.turn.stats.add(Counter::TimersFired, 1);
            self.fire(timer);
        }
        self.run_lanes();
        let observed = self.topics.readers(dispatch::outcome::TOPIC) > 0;
        self.dispatch.deliveries.observe(observed);
        self.turn.stats.add(Counter::Turns, 1);
        self.measure();
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Line(key) => {
                let Some(line) = self.lines.get_mut(key) else {
                    return;
                };
                if line.deadline.fired(&mut self.turn, key) {
                    self.line_expired(key);
                }
            }
            Timer::Query(key) => self.courier.names.expired(&mut self.turn, key),
            Timer::Delivery(key) => self.dispatch.deliveries.fired(&mut self.turn, key),
            Timer::Parked => self.dispatch.deliveries.asks_again(),
            Timer::Far => self.dispatch.deliveries.look_far(&mut self.turn),
            Timer::Gates => self.dispatch.deliveries.gates_fired(&mut self.turn),
            Timer::Lane(key) => self.lane_fired(key),
            Timer::Inquiry(key) => self.inquiry_fired(key),
            Timer::Hub => self.hub.fired(&mut self.turn),
            Timer::Topics => self.sweep_topics(),
            Timer::Keys => self.dispatch.once.fired(&mut self.turn),
            Timer::Drain => self.drain.time_is_up(),
        }
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.turn.actions.pop_front()
    }

    /// Whether the line takes more bytes now. After a `false`, a `Resume` follows.
    #[must_use]
    pub fn wants_read(&self, key: Key) -> bool {
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Inbound(inbound)) => inbound.wants_read(),
            Some(Conn::Outbound(_) | Conn::Stream(_) | Conn::Names(_)) => true,
            None => false,
        }
    }

    /// The next line that has something to write. Each line comes once until it gets something new
    /// or is `unblocked`.
    pub fn next_dirty(&mut self) -> Option<Key> {
        while let Some(key) = self.turn.dirty.pop_front() {
            if let Some(line) = self.lines.get_mut(key) {
                line.dirty = false;
                return Some(key);
            }
        }
        self.wake_streams();
        while self.stream_writes_left > 0
            && let Some(key) = self.turn.dirty_streams.pop_front()
        {
            if let Some(line) = self.lines.get_mut(key) {
                line.dirty = false;
                self.stream_writes_left -= 1;
                self.poll_woken(key);
                return Some(key);
            }
        }
        None
    }

    /// Appends what the line has to write. It may be more than one list holds: ask again if `wrote`
    /// says so.
    pub fn outgoing<'a>(&'a self, key: Key, gather: &mut Gather<'a>) {
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Inbound(inbound)) => inbound.outgoing(gather),
            Some(Conn::Outbound(outbound)) => outbound.outgoing(gather),
            Some(Conn::Names(query)) => query.outgoing(gather),
            Some(Conn::Stream(stream)) => {
                let feed = feed_of(&self.topics, stream);
                stream.outgoing(gather, &feed);
            }
            None => {}
        }
    }

    /// That many bytes of what `outgoing` gave were accepted. Whether the line has more to write.
    pub fn wrote(&mut self, now: Now, key: Key, bytes: usize) -> bool {
        self.turn.now = now;
        self.turn.stats.add(Counter::BytesOut, bytes as u64);
        if let Some(more) = self.stream_written(key, bytes) {
            return more;
        }
        match self.lines.get_mut(key).map(|line| &mut line.conn) {
            Some(Conn::Inbound(_)) => self.answer_written(key, bytes),
            Some(Conn::Outbound(outbound)) => outbound.wrote(bytes),
            Some(Conn::Names(query)) => query.wrote(bytes),
            Some(Conn::Stream(_)) | None => {}
        }
        // They were the line's last bytes, and a call may wait for its place.
        if !self.lines.contains(key) {
            self.run_lanes();
            return false;
        }
        self.has_output(key)
    }

    fn has_output(&self, key: Key) -> bool {
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Inbound(inbound)) => inbound.has_output(),
            Some(Conn::Outbound(outbound)) => outbound.has_output(),
            Some(Conn::Stream(stream)) => stream.has_output(&feed_of(&self.topics, stream)),
            Some(Conn::Names(query)) => query.has_output(),
            None => false,
        }
    }

    /// The line can be written again, after a write that was cut short or put off.
    pub fn unblocked(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let has_output = match &line.conn {
            Conn::Inbound(inbound) => inbound.has_output(),
            Conn::Outbound(outbound) => outbound.has_output(),
            Conn::Stream(_) => return self.settle_stream(key),
            Conn::Names(query) => query.has_output(),
        };
        if has_output {
            line.touch(&mut self.turn, key);
        }
    }

    /// When `tick` is next needed; a time in the past means at once, `None` never.
    #[must_use]
    pub fn next_wake(&self) -> Option<Mono> {
        if !self.turn.dirty_streams.is_empty() || self.topics.has_woken() {
            return Some(self.turn.now.mono);
        }
        let due = self.turn.wheel.next_wake();
        due.into_iter().chain(self.watch()).min()
    }

    /// The counters, and the gauges as of the last tick.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.turn.stats
    }

    /// The counters, for the shell's own entries.
    pub fn stats_mut(&mut self) -> &mut Stats {
        &mut self.turn.stats
    }
}

#[cfg(test)]
mod tests;
