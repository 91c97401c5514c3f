//! The stub resolver: names to addresses by the hosts file, then by asking the configured servers.
//! It never blocks and owns no socket: datagrams and lines are the shell's, texts of files too.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::base::index::Index;
use crate::base::slab::{Key, Slab};
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::http::host;
use crate::port::{Action, Turn};

mod cache;
pub mod conf;
mod exchange;
pub mod message;
mod query;

use cache::Cache;
use conf::{Hosts, ResolvConf};
use exchange::Exchange;
use message::Answer;
use query::{End, FAMILIES, Query};

/// A whole lookup, all its servers and names (guarantees.md, fault table).
const DEADLINE: Duration = Duration::from_secs(5);
/// The files are looked at no more often than this.
const CONF_FRESH: Duration = Duration::from_secs(1);

/// What is known of a name: its addresses, at least one, or in one word why there is none.
pub type Answered = Result<Arc<[IpAddr]>, &'static str>;

/// What came of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The name's addresses, in the order to try.
    Known(Arc<[IpAddr]>),
    /// The waiter will be told by `next_resolved` when there is something to know.
    Asked,
    /// There is no address, in one word.
    Failed(&'static str),
}

/// A question that has to be asked over TCP.
#[derive(Debug)]
pub struct Dial {
    /// The exchange, for `tcp_answer` and `unasked`.
    pub exchange: Key,
    /// Whom to ask.
    pub server: SocketAddr,
    /// The question, without the two bytes of its length.
    pub packet: Box<[u8]>,
    /// When it is no longer waited for.
    pub until: Mono,
}

/// Whether the files' texts may be used.
#[derive(Debug, PartialEq, Eq)]
enum Freshness {
    Never,
    /// The shell was asked for them.
    Awaited,
    /// Looked at then.
    At(Mono),
}

/// Names to addresses. Facts are `datagram`, `tcp_answer`, `unasked`, `expired` and `configure`;
/// after each, whoever waits comes out of `next_resolved` and finds the answer by asking again in
/// the same instant.
#[derive(Debug)]
pub struct Resolver {
    /// Servers that count instead of those of the file.
    servers: Vec<SocketAddr>,
    hosts: Hosts,
    conf: ResolvConf,
    freshness: Freshness,
    cache: Cache,
    queries: Slab<Query>,
    by_name: Index<Box<str>, Key>,
    exchanges: Slab<Exchange>,
    /// The server that was last heard, by its place.
    favourite: usize,
    /// Lookups that wait for the files.
    unread: VecDeque<Key>,
    /// Waiters whose lookup waits for another to end.
    crowd: VecDeque<Key>,
    resolved: VecDeque<Key>,
    dials: VecDeque<Dial>,
}

impl Resolver {
    /// Knows nothing yet. `servers` count instead of resolv.conf's if there are any; `lookups_max`
    /// bounds lookups under way, each of which may hold two datagram sockets.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>, lookups_max: usize, seed: u64) -> Resolver {
        let lookups_max = lookups_max.max(1);
        Resolver {
            servers,
            hosts: Hosts::default(),
            conf: ResolvConf::default(),
            freshness: Freshness::Never,
            cache: Cache::new(seed),
            queries: Slab::with_bound(lookups_max),
            by_name: Index::new(seed.rotate_left(32)),
            exchanges: Slab::with_bound(2 * lookups_max),
            favourite: 0,
            unread: VecDeque::new(),
            crowd: VecDeque::new(),
            resolved: VecDeque::new(),
            dials: VecDeque::new(),
        }
    }

    /// The addresses of a name in lower case, if they are known; otherwise they are asked for, once
    /// for all who want them.
    pub fn lookup(&mut self, turn: &mut Turn, name: &str, waiter: Key) -> Lookup {
        let now = turn.now.mono;
        if let Some(answered) = self.cache.get(now, name) {
            return known(answered.clone());
        }
        if !host::is_name(name) {
            return Lookup::Failed("bad_name");
        }
        let fresh = self.is_fresh(now);
        if fresh && let Some(addrs) = self.in_hosts(name) {
            return Lookup::Known(addrs);
        }
        if let Some(query) = self.by_name.get(name).copied() {
            if let Some(query) = self.queries.get_mut(query) {
                query.waiters.push(waiter);
            }
            return Lookup::Asked;
        }
        let query = Query::new(name, waiter, now + DEADLINE);
        let Ok(key) = self.queries.insert(query) else {
            self.crowd.push_back(waiter);
            return Lookup::Asked;
        };
        self.by_name.insert(name.into(), key);
        turn.stats.add(Counter::Lookups, 1);
        if fresh {
            self.begin(turn, key);
        } else {
            self.unread.push_back(key);
            if self.freshness != Freshness::Awaited {
                self.freshness = Freshness::Awaited;
                turn.actions.push_back(Action::ReadNames);
            }
        }
        Lookup::Asked
    }

    /// Whether the name's failure stands for this instant alone; then it is forgotten, and the next
    /// lookup asks again.
    pub fn forget_failure(&mut self, now: Mono, name: &str) -> bool {
        self.cache.forget_failure(now, name)
    }

    /// A waiter whose lookup has ended, or may begin now that another's has.
    pub fn next_resolved(&mut self) -> Option<Key> {
        let free = !self.queries.is_full();
        match self.resolved.pop_front() {
            None if free => self.crowd.pop_front(),
            next => next,
        }
    }

    /// A question that has to be asked over TCP.
    pub fn next_dial(&mut self) -> Option<Dial> {
        self.dials.pop_front()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queries.is_empty() && self.exchanges.is_empty() && self.crowd.is_empty()
    }

    /// Lookups under way.
    #[must_use]
    pub fn lookups(&self) -> usize {
        self.queries.len()
    }

    fn is_fresh(&self, now: Mono) -> bool {
        matches!(self.freshness, Freshness::At(at) if now.since(at) < CONF_FRESH)
    }

    fn in_hosts(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        let addrs: Arc<[IpAddr]> = self.hosts.find(name).collect();
        (!addrs.is_empty()).then_some(addrs)
    }

    fn servers(&self) -> &[SocketAddr] {
        match self.servers.as_slice() {
            [] => &self.conf.servers,
            given => given,
        }
    }
}

/// Facts.
impl Resolver {
    /// The files were looked at: a text where one has changed since the last time.
    pub fn configure(&mut self, turn: &mut Turn, hosts: Option<&str>, resolv: Option<&str>) {
        if hosts.is_some() || resolv.is_some() {
            self.cache.clear();
        }
        if let Some(text) = hosts {
            self.hosts = Hosts::parse(text);
        }
        if let Some(text) = resolv {
            self.conf = ResolvConf::parse(text);
        }
        self.freshness = Freshness::At(turn.now.mono);
        while let Some(key) = self.unread.pop_front() {
            let name = self.queries.get(key).map(|query| &*query.name);
            match name.and_then(|name| self.in_hosts(name)) {
                Some(addrs) => self.finish(turn, key, End::Found(addrs, Duration::ZERO)),
                None => self.begin(turn, key),
            }
        }
    }

    /// A datagram from the server that was asked.
    pub fn datagram(&mut self, turn: &mut Turn, key: Key, bytes: &[u8]) {
        self.answered(turn, key, bytes);
    }

    /// A whole message on the line of a `Dial`.
    pub fn tcp_answer(&mut self, turn: &mut Turn, key: Key, bytes: &[u8]) {
        if !self.answered(turn, key, bytes) {
            self.failed(turn, key, "bad_answer");
        }
    }

    /// The exchange's socket or line has failed.
    pub fn unasked(&mut self, turn: &mut Turn, key: Key) {
        self.failed(turn, key, "no_server");
    }

    /// The exchange's time has passed.
    pub fn expired(&mut self, turn: &mut Turn, key: Key) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.node = None;
        }
        self.failed(turn, key, "dns_timeout");
    }

    /// Whether the bytes answered the exchange's question. If not they are nobody's.
    fn answered(&mut self, turn: &mut Turn, key: Key, bytes: &[u8]) -> bool {
        let Some(exchange) = self.exchanges.get(key) else {
            return false;
        };
        let (half, server, dialled) = (exchange.half, exchange.server, exchange.dialled);
        let Some(query) = self.queries.get(exchange.query) else {
            return false;
        };
        let answer = message::answer(bytes, exchange.id, &query.trying, FAMILIES[half]);
        let Some(answer) = answer else {
            turn.stats.add(Counter::DatagramsIgnored, 1);
            return false;
        };
        match answer {
            Answer::Failed(detail) => self.failed(turn, key, detail),
            Answer::Truncated if dialled => self.failed(turn, key, "bad_answer"),
            Answer::Truncated => self.dial(turn, key),
            answer => {
                let place = self.servers().iter().position(|known| *known == server);
                self.favourite = place.unwrap_or(0);
                self.settle(turn, key, answer);
            }
        }
        true
    }
}

fn known(answered: Answered) -> Lookup {
    match answered {
        Ok(addrs) => Lookup::Known(addrs),
        Err(detail) => Lookup::Failed(detail),
    }
}

#[cfg(test)]
mod tests;
