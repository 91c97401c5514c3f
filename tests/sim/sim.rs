//! The simulation: the engine in its loop, with the shell's part played over the fake network.
//! Each turn keeps DESIGN section 2's order and the contract of `port` on both sides.

use std::collections::VecDeque;
use std::net::SocketAddr;

use hookah::base::frame::Gather;
use hookah::base::slab::Key;
use hookah::engine::{Engine, Settings};
use hookah::port::{Action, Ended, StoreOp};

use crate::behaviour::{Behaviour, Door};
use crate::clients::Client;
use crate::net::{Item, LinkId, Net, Peer, Side};
use crate::oracle::Oracle;
use crate::order::Order;
use crate::store::{Store, Temper};
use crate::targets::Target;
use crate::verdict;
use crate::world::{Event, MINUTE, SECOND, World};

/// Everything.
pub struct Sim {
    /// Time, chance, trace.
    pub world: World,
    /// Links.
    pub net: Net,
    /// The store.
    pub store: Store,
    /// Clients, by number.
    pub clients: Vec<Client>,
    /// Targets, by number.
    pub targets: Vec<Target>,
    /// Orders, by number.
    pub orders: Vec<Order>,
    /// The judge.
    pub oracle: Oracle,
    /// How late and early the loop wakes.
    pub sloppy: bool,
    /// Turns taken.
    pub turns: u64,
    engine: Engine,
    callers: VecDeque<LinkId>,
    resolved: Vec<LinkId>,
    listening: bool,
    again: bool,
    still: u64,
}

/// Turns without time passing; more is a livelock.
const STILL_MAX: u64 = 3_000;
/// Turns in all; more is one too, only slower.
const TURNS_MAX: u64 = 3_000_000;
/// Bytes read from a line in a turn.
const READ_MAX: usize = 64 << 10;
/// Every so many turns all invariants are swept.
const CHECK_EVERY: u64 = 16;

/// Setting up.
impl Sim {
    /// A world of that seed around an engine with those settings.
    pub fn new(seed: u64, settings: Settings) -> Sim {
        let mut world = World::new(seed);
        let oracle = Oracle::new(settings.courier.parallelism as usize);
        let engine = Engine::new(settings, world.rng.entropy(), world.now);
        Sim {
            world,
            net: Net::default(),
            store: Store::new(Temper {
                delay: (0, 0),
                fail_percent: 0,
            }),
            clients: Vec::new(),
            targets: Vec::new(),
            orders: Vec::new(),
            oracle,
            sloppy: false,
            turns: 0,
            engine,
            callers: VecDeque::new(),
            resolved: Vec::new(),
            listening: true,
            again: false,
            still: 0,
        }
    }

    /// A further target; its number.
    pub fn target(&mut self, behaviour: Behaviour) -> usize {
        let number = self.targets.len();
        let host = [10, 0, (number >> 8) as u8, number as u8];
        let port = 8_000 + number as u16;
        self.targets
            .push(Target::new(SocketAddr::from((host, port)), behaviour));
        number
    }

    /// A further order to a target.
    pub fn order(&mut self, target: usize) -> &mut Order {
        let base = format!("http://{}", self.targets[target].addr);
        let number = self.orders.len();
        self.orders.push(Order::new(number, target, base));
        self.oracle.fates.push(Default::default());
        *self.oracle.load.entry(target).or_default() += 1;
        &mut self.orders[number]
    }

    /// A client that connects after `delay`; its number.
    pub fn client(&mut self, delay: u64, client: Client) -> usize {
        self.clients.push(client);
        let number = self.clients.len() - 1;
        self.world.after(delay, Event::Open(number));
        number
    }
}

/// Time.
impl Sim {
    /// Runs until nothing is left to happen, and judges.
    pub fn run(&mut self) {
        while self.step(u64::MAX) {}
        if self.oracle.draining {
            assert!(self.engine.drained(), "at rest, yet not drained");
            return;
        }
        self.engine.check();
        assert!(self.engine.is_idle(), "something is left at rest");
        assert_eq!(
            self.net.living().count(),
            0,
            "lines at rest: {:?}",
            self.living()
        );
        for (number, client) in self.clients.iter().enumerate() {
            assert!(
                client.is_content(),
                "client {number} still waits: {client:?}"
            );
        }
        verdict::judge(&self.oracle, &self.orders, &self.targets);
    }

    /// Runs for so long, or until nothing is left to happen.
    pub fn run_for(&mut self, span: u64) {
        let until = self.world.at() + span;
        while self.step(until) {}
        self.world.advance(until);
    }

    fn living(&self) -> Vec<&crate::net::Link> {
        self.net.living().map(|link| self.net.get(link)).collect()
    }

    /// One turn at the next time at which anything happens, no later than `until`.
    fn step(&mut self, until: u64) -> bool {
        if self.oracle.draining && self.engine.drained() {
            return false;
        }
        let wake = self
            .engine
            .next_wake()
            .map(|wake| wake.0.max(self.world.at()));
        let next = [self.world.next_at(), wake].into_iter().flatten().min();
        let next = if self.again {
            Some(self.world.at())
        } else {
            next
        };
        let Some(mut at) = next.filter(|at| *at <= until) else {
            return false;
        };
        if self.sloppy && self.world.rng.chance(20) {
            at += self.world.rng.between(0, 1_500);
        }
        self.still = if at > self.world.at() {
            0
        } else {
            self.still + 1
        };
        assert!(self.still < STILL_MAX, "a livelock");
        assert!(self.turns < TURNS_MAX, "no end");
        self.world.advance(at);
        self.turn();
        true
    }
}

/// What happens outside.
impl Sim {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Open(client) => {
                let link = self.net.link(&mut self.world, Peer::Client(client));
                self.callers.push_back(link);
            }
            Event::Resolve(link) => self.resolved.push(link),
            Event::Arrive(link, side, item) => {
                let there = self.net.arrive(&mut self.world, link, side, item);
                if there && side == Side::Peer {
                    self.wake_peer(link);
                }
            }
            Event::Space(link) => {
                let key = self.net.get(link).key;
                if let Some(key) = key.filter(|_| self.net.unblock(link)) {
                    self.world.note("unblocked", key.to_bits(), 0);
                    self.engine.unblocked(key);
                }
            }
            Event::Wake(link) => self.wake_peer(link),
            Event::Stored => {}
            Event::Jump(by) => {
                self.world.jump(by);
                self.world.note("jump", 0, by as u64);
            }
            Event::Drain => {
                self.world.note("drain", 0, 0);
                self.oracle.draining = true;
                self.oracle.may_refuse = true;
                self.engine.drain(self.world.now);
            }
        }
    }

    /// The peer reads what is there, and goes on with its script.
    fn wake_peer(&mut self, link: LinkId) {
        loop {
            let item = self.net.take_for_peer(&mut self.world, link);
            let last = item.is_none();
            let (world, net) = (&mut self.world, &mut self.net);
            match net.get(link).peer {
                Peer::Client(client) => {
                    self.clients[client].on(&mut self.oracle, world, net, link, item);
                }
                Peer::Target(target) => {
                    self.targets[target].on(&self.orders, world, net, link, item);
                }
            }
            if last {
                return;
            }
        }
    }
}

/// The shell's part.
impl Sim {
    fn turn(&mut self) {
        self.turns += 1;
        self.world.trace.turn();
        self.again = false;
        while let Some(event) = self.world.pop_due() {
            self.happen(event);
        }
        self.accept();
        self.connected();
        let links: Vec<LinkId> = self.net.living().collect();
        for link in links {
            if self.net.near(link).open && std::mem::take(&mut self.net.near(link).readable) {
                self.read(link);
            }
        }
        self.engine.tick(self.world.now);
        self.perform();
        self.store.flush(&mut self.world);
        while let Some(done) = self.store.done(&self.world) {
            self.world.note("stored", 0, 0);
            self.oracle.stored(&self.world, done);
            self.engine.stored(self.world.now, done);
        }
        self.perform();
        while let Some(key) = self.engine.next_dirty() {
            self.write(key);
        }
        self.perform();
        for link in self.net.living() {
            assert!(
                !self.net.get(link).near.ended,
                "a line that ended was not closed"
            );
        }
        if self.turns.is_multiple_of(CHECK_EVERY) {
            self.engine.check();
        }
    }

    fn accept(&mut self) {
        let callers = self.callers.len().min(64);
        for link in self.callers.drain(..callers).collect::<Vec<_>>() {
            let Peer::Client(client) = self.net.get(link).peer else {
                continue;
            };
            if !self.listening {
                self.clients[client].lossy = true;
                self.clients[client].over = true;
                continue;
            }
            match self.engine.opened(self.world.now, self.clients[client].ip) {
                Ok(key) => {
                    self.world.note("opened", key.to_bits(), 0);
                    self.net.name(link, key);
                    self.net.near(link).open = true;
                    self.clients[client].opened(&mut self.world, &mut self.net, link);
                }
                Err(refusal) => {
                    self.world.note_bytes("not opened", 0, refusal.answer);
                    self.clients[client].turned_away(refusal.answer);
                }
            }
        }
        self.again |= !self.callers.is_empty();
    }

    fn connected(&mut self) {
        for link in std::mem::take(&mut self.resolved) {
            let Some(key) = self.net.get(link).key else {
                continue;
            };
            let Peer::Target(target) = self.net.get(link).peer else {
                continue;
            };
            let behaviour = self.targets[target].behaviour(self.world.at());
            let why = match behaviour.door() {
                Door::Open => {
                    self.world.note("connected", key.to_bits(), 0);
                    self.net.near(link).open = true;
                    self.engine.connected(self.world.now, key);
                    self.targets[target].opened(&mut self.world, &mut self.net, link);
                    continue;
                }
                Door::Shut => Ended::Refused,
                Door::NoRoute => Ended::Unreachable,
                Door::Hangs => Ended::TimedOut,
            };
            self.tell_ended(link, key, why);
        }
    }

    fn tell_ended(&mut self, link: LinkId, key: Key, why: Ended) {
        self.world.note("ended", key.to_bits(), why as u64);
        self.oracle.line_ended(link);
        self.net.near(link).ended |= why != Ended::Finished;
        self.engine.ended(self.world.now, key, why);
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
                    for part in bytes.chunks(READ_MAX) {
                        self.engine.received(self.world.now, key, part);
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

    fn perform(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Connect { key, addr } => self.connect(key, addr),
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
                    self.oracle.line_closed(link);
                    self.net.close(&mut self.world, link);
                }
                Action::Store(op) => self.take_op(op),
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

    fn take_op(&mut self, op: StoreOp) {
        match op {
            StoreOp::Accept { seq, message, .. } => {
                self.world.note_bytes("accept", seq, &message.id.text());
                self.oracle.accepted(&self.world, seq, &message);
                self.store.accept(seq);
            }
            StoreOp::End {
                id,
                number,
                outcome,
            } => {
                self.world
                    .note_bytes(outcome.as_str(), u64::from(number), &id.text());
                self.oracle.ended(&self.world, id, outcome);
            }
        }
    }

    fn connect(&mut self, key: Key, addr: SocketAddr) {
        self.world
            .note("connect", key.to_bits(), u64::from(addr.port()));
        let target = self.targets.iter().position(|target| target.addr == addr);
        let Some(target) = target else {
            panic!("a call to {addr}, which nobody ordered")
        };
        let link = self.net.link(&mut self.world, Peer::Target(target));
        self.net.name(link, key);
        self.oracle.connects(link, target);
        let hangs = self.targets[target].behaviour(self.world.at()).door() == Door::Hangs;
        let delay = self.net.delay(&mut self.world, link);
        let delay = if hangs {
            2 * MINUTE + 7 * SECOND
        } else {
            delay
        };
        self.world.after(delay, Event::Resolve(link));
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
            if taken > 0 {
                self.world
                    .note_bytes("wrote", key.to_bits(), &bytes[..taken]);
                let (orders, targets) = (&self.orders, &self.targets);
                self.oracle
                    .wrote(&self.world, orders, targets, link, &bytes[..taken]);
                self.engine.wrote(self.world.now, key, taken);
            }
            if taken < bytes.len() {
                return;
            }
        }
    }
}

impl Drop for Sim {
    /// A failure shows what led to it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} after {} turns", self.world.trace, self.turns);
        }
    }
}
