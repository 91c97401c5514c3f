//! The shell's part in the simulation: facts in, the tick, actions, the store, writes, in the order
//! of DESIGN section 2. It holds the engine to the contract of `port`.

use std::net::SocketAddr;

use hookah::base::frame::Gather;
use hookah::base::slab::Key;
use hookah::base::stats::Counter;
use hookah::model::{self, Visitor};
use hookah::port::{Action, Ended, Seq, StoreOp};

use crate::behaviour::Door;
use crate::net::{Item, LinkId, Peer};
use crate::order::Order;
use crate::readers::Reader;
use crate::sim::Sim;
use crate::targets::Target;
use crate::world::{Event, MINUTE, SECOND};

/// Bytes read from a line in a turn.
const READ_MAX: usize = 64 << 10;
/// Clients taken in per turn.
const ACCEPT_MAX: usize = 64;
/// Parts of a turn; it may be the last thing that a process does.
pub const PHASES: u64 = 5;
/// Every so many turns all invariants are swept.
const CHECK_EVERY: u64 = 16;

impl Sim {
    /// One turn of the loop.
    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        self.world.trace.turn();
        self.again = false;
        if !self.is_down && !self.is_stopped() {
            self.engine.woke(self.world.told());
        }
        while let Some(event) = self.world.pop_due() {
            self.happen(event);
        }
        if self.is_stopped() {
            return;
        }
        for phase in 0..PHASES {
            if self.is_down || self.burns(phase) {
                return;
            }
            self.go_through(phase);
        }
        self.again |= self.store.has_fresh();
        self.audit();
    }

    /// One part of a turn.
    fn go_through(&mut self, phase: u64) {
        match phase {
            0 => self.take_facts(),
            1 => {
                self.engine.tick(self.world.told());
                self.perform();
            }
            2 => self.store.flush(&mut self.world),
            3 => {
                self.hear_store();
                self.perform();
            }
            _ => {
                while let Some(key) = self.engine.next_dirty() {
                    self.write(key);
                }
                self.perform();
            }
        }
    }

    fn take_facts(&mut self) {
        self.accept();
        self.connected();
        let links: Vec<LinkId> = self.net.living().collect();
        for link in links {
            if self.net.near(link).open && std::mem::take(&mut self.net.near(link).readable) {
                self.read(link);
            }
        }
    }

    /// What has come of the commits.
    fn hear_store(&mut self) {
        while let Some(done) = self.store.done(&mut self.world) {
            self.world.note("stored", 0, 0);
            self.oracle.stored(&self.world, &done);
            self.hub.stored(&done);
            self.engine.stored(self.world.told(), done);
        }
    }

    fn audit(&self) {
        for link in self.net.living() {
            let ended = self.net.get(link).near.ended;
            assert!(!ended, "a line that ended was not closed");
        }
        let held = self.engine.stats().get(Counter::TopicsBytes);
        let room = self.oracle.feeds.room();
        assert!(held <= room, "topics hold {held} bytes of {room}");
        if self.turns.is_multiple_of(CHECK_EVERY) {
            self.engine.check();
        }
    }

    fn accept(&mut self) {
        let callers = self.callers.len().min(ACCEPT_MAX);
        for link in self.callers.drain(..callers).collect::<Vec<_>>() {
            if let Peer::Reader(reader) = self.net.get(link).peer {
                self.accept_reader(link, reader);
                continue;
            }
            let Peer::Client(client) = self.net.get(link).peer else {
                continue;
            };
            if !self.listening {
                self.clients[client].lossy = true;
                self.clients[client].over = true;
                continue;
            }
            let caller = &self.clients[client];
            let visitor = self.visitor(caller.visitor(), caller.guest);
            match self.engine.opened(self.world.told(), visitor) {
                Ok(key) => self.taken_in(link, key),
                Err(refusal) => {
                    self.world.note_bytes("not opened", 0, &refusal.answer);
                    self.clients[client].turned_away(&refusal.answer);
                }
            }
        }
        self.again |= !self.callers.is_empty();
    }

    fn accept_reader(&mut self, link: LinkId, reader: usize) {
        if !self.listening {
            return;
        }
        let guest = self.readers[reader].asks.guest;
        let visitor = self.visitor(visitor(&self.readers[reader]), guest);
        match self.engine.opened(self.world.told(), visitor) {
            Ok(key) => self.taken_in(link, key),
            Err(refusal) => {
                self.world.note_bytes("not opened", 0, &refusal.answer);
                let poor = self.oracle.may_refuse && visitor.secure;
                assert!(self.oracle.crowded || poor, "no place for a reader");
                assert!(refusal.answer.starts_with(b"HTTP/1.1 503 "));
            }
        }
    }

    fn connected(&mut self) {
        for link in std::mem::take(&mut self.resolved) {
            let Some(key) = self.net.get(link).key else {
                continue;
            };
            let target = match self.net.get(link).peer {
                Peer::Target(target) => target,
                Peer::NameServer(server) if self.names.takes_lines(server) => {
                    self.net.near(link).open = true;
                    self.engine.connected(self.world.told(), key);
                    continue;
                }
                Peer::NameServer(_) => {
                    self.tell_ended(link, key, Ended::Refused);
                    continue;
                }
                Peer::Host(host) => {
                    self.host_resolved(link, key, host);
                    continue;
                }
                Peer::Client(_) | Peer::Reader(_) => continue,
            };
            let behaviour = self.targets[target].behaviour(self.world.at());
            let astray = self.net.near(link).astray;
            let door = if astray { Door::Shut } else { behaviour.door() };
            let why = match door {
                Door::Open => {
                    self.world.note("connected", key.to_bits(), 0);
                    self.net.near(link).open = true;
                    self.engine.connected(self.world.told(), key);
                    self.targets[target].opened(&mut self.world, &mut self.net, link);
                    continue;
                }
                Door::Shut => Ended::Refused,
                Door::NoRoute => Ended::Unreachable,
                Door::Hangs => Ended::TimedOut,
                Door::Insecure(word) => Ended::Tls(word),
            };
            self.tell_ended(link, key, why);
        }
    }

    fn host_resolved(&mut self, link: LinkId, key: Key, host: usize) {
        let why = match self.hub.hosts[host].door(self.world.at()) {
            Door::Open => {
                self.world.note("connected", key.to_bits(), 0);
                self.net.near(link).open = true;
                self.engine.connected(self.world.told(), key);
                return self.hub.hosts[host].opened(link);
            }
            Door::Shut | Door::Insecure(_) => Ended::Refused,
            Door::NoRoute => Ended::Unreachable,
            Door::Hangs => Ended::TimedOut,
        };
        self.tell_ended(link, key, why);
    }

    pub(crate) fn tell_ended(&mut self, link: LinkId, key: Key, why: Ended) {
        self.world
            .note_bytes("ended", key.to_bits(), format!("{why:?}").as_bytes());
        self.oracle.line_ended(link);
        self.hub.line_ended(self.world.at(), link, &why);
        self.net.near(link).ended |= why != Ended::Finished;
        self.engine.ended(self.world.told(), key, why);
    }

    fn read(&mut self, link: LinkId) {
        let mut left = READ_MAX;
        while let Some(key) = self
            .net
            .get(link)
            .key
            .filter(|_| self.net.has_arrived(link))
        {
            let wanted = self.engine.wants_read(key);
            match self.net.take_for_engine(link, !wanted) {
                None => return,
                Some(Item::Fin) => self.tell_ended(link, key, Ended::Finished),
                Some(Item::Reset) => return self.tell_ended(link, key, Ended::Reset),
                Some(Item::Bytes(bytes)) => {
                    self.world.note_bytes("received", key.to_bits(), &bytes);
                    self.oracle.read(&self.world, link, &bytes);
                    if let Peer::Client(client) = self.net.get(link).peer {
                        self.clients[client].heard(bytes.len());
                    }
                    self.hub.read(&self.world, link, &bytes);
                    for part in bytes.chunks(READ_MAX) {
                        self.engine.received(self.world.told(), key, part);
                    }
                    left = left.saturating_sub(bytes.len());
                    if left == 0 {
                        self.net.near(link).readable = true;
                        self.again = true;
                        return;
                    }
                }
            }
        }
    }

    pub(crate) fn perform(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Connect {
                    key,
                    addr,
                    server_name,
                } => self.connect(key, addr, server_name.as_deref()),
                Action::Shutdown { key } => {
                    let link = self.line(key, "shutdown");
                    assert!(!self.net.get(link).near.shut, "shut down twice");
                    let mut gather = Gather::new();
                    self.engine.outgoing(key, &mut gather);
                    assert!(gather.is_empty(), "shut down with output left");
                    self.net.shutdown(&mut self.world, link);
                }
                Action::Resume { key } => {
                    let link = self.line(key, "resume");
                    self.net.near(link).readable = true;
                    self.again = true;
                }
                Action::Close { key } => {
                    let link = self.line(key, "close");
                    self.oracle.line_closed(&self.world, link);
                    let draining = self.oracle.draining;
                    self.doors.closed(&self.world, link, draining);
                    self.hub.line_closed(link);
                    self.net.close(&mut self.world, link);
                }
                Action::Ask {
                    key,
                    server,
                    packet,
                } => {
                    self.world.note_bytes("ask", key.to_bits(), &packet);
                    self.names.ask(&mut self.world, key, server, &packet);
                }
                Action::Forget { key } => {
                    self.world.note("forget", key.to_bits(), 0);
                    self.names.forget(key);
                }
                Action::ReadNames => {
                    self.world.note("read names", 0, 0);
                    let (hosts, resolv) = self.names.changed();
                    let now = self.world.told();
                    self.engine
                        .names_conf(now, hosts.as_deref(), resolv.as_deref());
                }
                Action::Store(seq, op) => self.take_op(seq, op),
                Action::StopListening => {
                    self.world.note("stop listening", 0, 0);
                    self.listening = false;
                }
            }
        }
    }

    fn line(&mut self, key: Key, verb: &'static str) -> LinkId {
        self.world.note(verb, key.to_bits(), 0);
        let link = self.net.find(key);
        link.unwrap_or_else(|| panic!("{verb} of {key:?}, which is not open"))
    }

    fn take_op(&mut self, seq: Seq, op: StoreOp) {
        match &op {
            StoreOp::Accept { message, promised } => {
                self.world.note_bytes("accept", seq, &message.id.text());
                self.oracle.accepted(&self.world, seq, message, *promised);
                self.hub.accepted(&self.world, seq, message);
            }
            StoreOp::End {
                id, number, end, ..
            } => {
                let outcome = end.outcome;
                self.world
                    .note_bytes(outcome.as_str(), u64::from(*number), &id.text());
                if !self.hub.ended(*id, *number, outcome) {
                    self.oracle.ended(&self.world, *id, outcome);
                }
            }
            _ => {}
        }
        self.store.submit(seq, op);
    }

    fn connect(&mut self, key: Key, addr: SocketAddr, server_name: Option<&str>) {
        self.world
            .note("connect", key.to_bits(), u64::from(addr.port()));
        if let Some(server) = self.names.whose(addr) {
            let link = self.net.link(&mut self.world, Peer::NameServer(server));
            self.net.name(link, key);
            let delay = self.net.delay(&mut self.world, link);
            return self.world.after(delay, Event::Resolve(link));
        }
        assert!(self.rules.is_some_way(addr), "{addr} is forbidden to all");
        if let Some(host) = self.hub.whose(addr) {
            let link = self.net.link(&mut self.world, Peer::Host(host));
            self.net.name(link, key);
            self.hub.connects(link, host);
            let delay = match self.hub.hosts[host].door(self.world.at()) {
                Door::Hangs => 2 * MINUTE + 7 * SECOND,
                _ => self.net.delay(&mut self.world, link),
            };
            return self.world.after(delay, Event::Resolve(link));
        }
        let Some((target, astray)) = self.whose(addr) else {
            panic!("a call to {addr}, which nobody ordered")
        };
        let host = &self.targets[target].host;
        let opens = |strict| self.rules.is_open(addr, host, strict);
        let strict = self.is_only_for_strict(target);
        assert!(opens(strict), "a call to {addr} of {host} is forbidden");
        let loose = !opens(true);
        let expected = self.targets[target].server_name();
        assert_eq!(server_name, expected, "the name to verify at {addr}");
        let link = self.net.link(&mut self.world, Peer::Target(target));
        self.net.name(link, key);
        self.net.near(link).astray = astray;
        if !astray {
            self.oracle.connects(link, target, loose);
        }
        let door = self.targets[target].behaviour(self.world.at()).door();
        let delay = match door {
            Door::Hangs if !astray => 2 * MINUTE + 7 * SECOND,
            _ => self.net.delay(&mut self.world, link),
        };
        self.world.after(delay, Event::Resolve(link));
    }

    /// Whether only strict orders can lead to that target, by themselves or by a redirect.
    fn is_only_for_strict(&self, target: usize) -> bool {
        let may_lead = |order: &&Order| order.target == target || order.redirects > 0;
        let mut orders = self.orders.iter().filter(may_lead);
        orders.all(|order| order.strict)
    }

    /// The target of that address, and whether that is the address of its name at which it does not
    /// listen.
    fn whose(&self, addr: SocketAddr) -> Option<(usize, bool)> {
        let mut targets = self.targets.iter();
        let target = targets.position(|target| target.addr.port() == addr.port())?;
        let Target {
            addr: right, host, ..
        } = &self.targets[target];
        let astray = *right != addr;
        let other = host == "localhost" && addr.ip().is_loopback();
        let other = other || self.names.lists(host, addr.ip());
        (!astray || other).then_some((target, astray))
    }

    /// Writes what a dirty line has, until all is written or the kernel takes no more.
    fn write(&mut self, key: Key) {
        let Some(link) = self.net.find(key) else {
            panic!("{key:?} is dirty and not open")
        };
        assert!(!self.net.get(link).near.shut, "output after shutdown");
        assert!(self.net.get(link).near.open, "output before connected");
        loop {
            let mut gather = Gather::new();
            self.engine.outgoing(key, &mut gather);
            if gather.is_empty() {
                return;
            }
            let mut bytes = Vec::with_capacity(gather.bytes());
            gather
                .slices()
                .iter()
                .for_each(|slice| bytes.extend_from_slice(slice));
            assert_eq!(bytes.len(), gather.bytes());
            let taken = self.net.write(&mut self.world, link, &bytes);
            let cut = taken < bytes.len();
            let feeds = &mut self.oracle.feeds;
            feeds.wrote(link, self.world.at(), &bytes[..taken], cut);
            if taken > 0 {
                self.world
                    .note_bytes("wrote", key.to_bits(), &bytes[..taken]);
                let (orders, targets) = (&self.orders, &self.targets);
                self.oracle
                    .wrote(&self.world, orders, targets, link, &bytes[..taken]);
                self.hub.wrote(&self.world, link, &bytes[..taken]);
                if let Peer::Client(client) = self.net.get(link).peer {
                    self.clients[client].told();
                }
                let more = self.engine.wrote(self.world.told(), key, taken);
                let mut gather = Gather::new();
                self.engine.outgoing(key, &mut gather);
                assert_eq!(more, !gather.is_empty(), "whether more is to be written");
            }
            if taken < bytes.len() {
                return;
            }
        }
    }
}

/// Who that reader is: our door is for this machine alone.
fn visitor(reader: &Reader) -> Visitor {
    Visitor {
        peer: reader.ip,
        door: model::Door::Loopback,
        secure: reader.handshake.is_some(),
    }
}
