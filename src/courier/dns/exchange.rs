//! Questions on their way: whom to ask and for how long, the next one if it comes to nothing, and
//! what a lookup has come to. It never looks inside a message.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::port::{Action, Timer, Turn};

use super::message::{self, Answer};
use super::query::{End, FAMILIES, Half, Query};
use super::{DEADLINE, Dial, Resolver};

/// How long a family is waited for once the other has addresses.
const GRACE: Duration = Duration::from_millis(200);

/// One question to one server, by datagram or by line.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) query: Key,
    /// Place in [`FAMILIES`].
    pub(super) half: usize,
    pub(super) id: u16,
    pub(super) server: SocketAddr,
    /// Over TCP: there is no datagram socket to forget.
    pub(super) dialled: bool,
    pub(super) node: Option<Key>,
    pub(super) until: Mono,
}

/// Lookups from their beginning to their end.
impl Resolver {
    pub(super) fn begin(&mut self, turn: &mut Turn, key: Key) {
        let Some(query) = self.queries.get_mut(key) else {
            return;
        };
        query.begin(self.conf.candidates(&query.name));
        self.ask_both(turn, key);
    }

    fn ask_both(&mut self, turn: &mut Turn, key: Key) {
        for half in 0..FAMILIES.len() {
            self.ask(turn, key, half);
        }
    }

    /// The next exchange of one family, with the server whose turn it is.
    fn ask(&mut self, turn: &mut Turn, key: Key, half: usize) {
        let span = self.exchange_timeout();
        let (servers, favourite) = (self.servers().len(), self.favourite);
        let Some(query) = self.queries.get_mut(key) else {
            return;
        };
        let place = favourite + query.try_again(half) as usize;
        let until = (turn.now.mono + span).min(query.until);
        let server = self.servers().get(place % servers.max(1)).copied();
        let Some(server) = server else {
            return;
        };
        self.exchange(turn, key, half, server, until, false);
    }

    /// One server's share of the deadline, so that the last of them is asked before it passes.
    fn exchange_timeout(&self) -> Duration {
        let exchanges = self.conf.attempts * self.servers().len().max(1) as u32;
        let share = DEADLINE / exchanges;
        self.conf
            .timeout
            .map_or(share, |timeout| timeout.min(share))
    }

    fn exchange(
        &mut self,
        turn: &mut Turn,
        key: Key,
        half: usize,
        server: SocketAddr,
        until: Mono,
        dialled: bool,
    ) {
        let id = turn.rng.u64() as u16;
        let Some(query) = self.queries.get_mut(key) else {
            return;
        };
        let packet = message::question(id, &query.trying, FAMILIES[half]);
        let exchange = Exchange {
            query: key,
            half,
            id,
            server,
            dialled,
            node: None,
            until,
        };
        let place = self.exchanges.insert(exchange).ok();
        query.exchanges[half] = place;
        let (Some(packet), Some(place)) = (packet, place) else {
            return self.give_up(turn, key, half, "bad_name");
        };
        if let Some(exchange) = self.exchanges.get_mut(place) {
            exchange.node = turn.wheel.arm(until, Timer::Query(place));
        }
        if dialled {
            self.dials.push_back(Dial {
                exchange: place,
                server,
                packet,
                until,
            });
        } else {
            turn.actions.push_back(Action::Ask {
                key: place,
                server,
                packet,
            });
        }
    }

    /// The same question to the same server, over TCP.
    pub(super) fn dial(&mut self, turn: &mut Turn, key: Key) {
        if let Some(ended) = self.end_exchange(turn, key) {
            let (half, server) = (ended.half, ended.server);
            self.exchange(turn, ended.query, half, server, ended.until, true);
        }
    }

    /// An exchange came to nothing: the next server is asked, if it is worth it.
    pub(super) fn failed(&mut self, turn: &mut Turn, key: Key, detail: &'static str) {
        let Some(ended) = self.end_exchange(turn, key) else {
            return;
        };
        let most = self.conf.attempts * self.servers().len().max(1) as u32;
        let Some(query) = self.queries.get(ended.query) else {
            return;
        };
        let tried = match &query.halves[ended.half] {
            Half::Open { tries } => *tries,
            _ => most,
        };
        if tried < most && turn.now.mono < query.until && query.may_try(ended.half) {
            self.ask(turn, ended.query, ended.half);
        } else {
            self.give_up(turn, ended.query, ended.half, detail);
        }
    }

    fn give_up(&mut self, turn: &mut Turn, key: Key, half: usize, detail: &'static str) {
        if let Some(query) = self.queries.get_mut(key) {
            query.settle(half, Answer::Failed(detail));
        }
        self.go_on(turn, key);
    }

    /// A server's word is final for one family.
    pub(super) fn settle(&mut self, turn: &mut Turn, key: Key, answer: Answer) {
        let Some(ended) = self.end_exchange(turn, key) else {
            return;
        };
        let Some(query) = self.queries.get_mut(ended.query) else {
            return;
        };
        let found = matches!(answer, Answer::Addrs(..));
        query.settle(ended.half, answer);
        if let Some(other) = query.exchanges[1 - ended.half].filter(|_| found) {
            self.hurry(turn, other);
        }
        self.go_on(turn, ended.query);
    }

    /// There are addresses already: an exchange gets little more time.
    fn hurry(&mut self, turn: &mut Turn, key: Key) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.until = exchange.until.min(turn.now.mono + GRACE);
            if let Some(node) = exchange.node {
                turn.wheel.rearm(node, exchange.until);
            }
        }
    }

    /// Nobody listened for so long, which does not count.
    pub fn postpone(&mut self, turn: &mut Turn, by: Duration) {
        let mut index = 0;
        while let Some(key) = self.queries.key_from(index) {
            index = key.index() + 1;
            if let Some(query) = self.queries.get_mut(key) {
                query.until = query.until + by;
            }
        }
        index = 0;
        while let Some(key) = self.exchanges.key_from(index) {
            index = key.index() + 1;
            if let Some(exchange) = self.exchanges.get_mut(key) {
                exchange.until = exchange.until + by;
                if let Some(node) = exchange.node {
                    turn.wheel.rearm(node, exchange.until);
                }
            }
        }
    }

    fn go_on(&mut self, turn: &mut Turn, key: Key) {
        match self.queries.get_mut(key).and_then(Query::end) {
            Some(End::Next(_)) => self.ask_both(turn, key),
            Some(end) => self.finish(turn, key, end),
            None => {}
        }
    }

    pub(super) fn end_exchange(&mut self, turn: &mut Turn, key: Key) -> Option<Exchange> {
        let exchange = self.exchanges.remove(key)?;
        if let Some(node) = exchange.node {
            turn.wheel.cancel(node);
        }
        if exchange.dialled {
            // It may not have had its line yet.
            self.dials.retain(|dial| dial.exchange != key);
        } else {
            turn.actions.push_back(Action::Forget { key });
        }
        if let Some(query) = self.queries.get_mut(exchange.query) {
            query.exchanges[exchange.half] = None;
        }
        Some(exchange)
    }

    pub(super) fn finish(&mut self, turn: &mut Turn, key: Key, end: End) {
        let Some(query) = self.queries.remove(key) else {
            return;
        };
        debug_assert_eq!(query.exchanges, [None; 2], "a lookup left its exchanges");
        self.by_name.remove(&query.name);
        let (now, name) = (turn.now.mono, &*query.name);
        match &end {
            End::Found(addrs, ttl) => {
                log::debug!(
                    "name_resolved name={name:?} addrs={:?} ttl_ms={}",
                    format!("{addrs:?}"),
                    ttl.as_millis()
                );
            }
            End::Negative(detail) | End::Failed(detail) => {
                turn.stats.add(Counter::LookupsFailed, 1);
                log::debug!("name_unresolved name={name:?} detail={detail:?}");
            }
            End::Next(_) => {}
        }
        match end {
            End::Found(addrs, ttl) => self.cache.keep(now, name, addrs, ttl),
            End::Negative(detail) => self.cache.keep_negative(now, name, detail),
            End::Failed(detail) => self.cache.keep_failure(now, name, detail),
            End::Next(_) => {}
        }
        self.resolved.extend(query.waiters);
    }
}
