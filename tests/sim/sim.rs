//! The simulation: the engine, the world around it, and time that jumps from event to event.
//! What the shell does in a turn is in `shell`; this file never touches a line of the engine's.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use hookah::engine::{Engine, Settings};
use hookah::model::MessageId;

use crate::behaviour::Behaviour;
use crate::clients::{Client, Want};
use crate::doors::Doors;
use crate::hub::Hub;
use crate::names::{Kind, Manner, Name, Names};
use crate::net::{LinkId, Net, Peer, Side};
use crate::oracle::Oracle;
use crate::order::Order;
use crate::readers::Reader;
use crate::rules::Rules;
use crate::setup;
use crate::store::{Store, Temper};
use crate::targets::Target;
use crate::verdict;
use crate::world::{Event, MS, SECOND, World};

/// Everything.
pub struct Sim {
    /// What each engine is told at its start.
    pub settings: Settings,
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
    /// Name servers and what they know.
    pub names: Names,
    /// What may be called.
    pub rules: Rules,
    /// Subscribers, topics, and who asks the hub for what.
    pub hub: Hub,
    /// Readers of streams, by number.
    pub readers: Vec<Reader>,
    /// Orders, by number.
    pub orders: Vec<Order>,
    /// The judge.
    pub oracle: Oracle,
    /// How late and early the loop wakes.
    pub sloppy: bool,
    /// Turns taken.
    pub turns: u64,
    /// The engine.
    pub engine: Engine,
    /// Clients' connections that wait to be accepted.
    pub callers: VecDeque<LinkId>,
    /// Handshakes with clients.
    pub doors: Doors,
    /// Connections to targets that are made now, or are not.
    pub resolved: Vec<LinkId>,
    /// Clients are taken in.
    pub listening: bool,
    /// Something could not be finished in the last turn: the next one follows at once.
    pub again: bool,
    /// Processes may follow one another.
    pub lasts: bool,
    /// How often at most one is killed right after its start.
    pub more_crashes: u32,
    /// The last message that was on the disk from the beginning.
    pub stocked: MessageId,
    /// There is no process.
    pub is_down: bool,
    /// The process stands still until then.
    pub stopped_until: u64,
    /// The process is killed after so many turns, before that part of the next.
    pub fuse: Option<(u64, u64)>,
    still: u64,
}

/// Turns without time passing; more is a livelock.
const STILL_MAX: u64 = 3_000;
/// Turns in all; more is one too, only slower.
const TURNS_MAX: u64 = 3_000_000;
/// Setting up.
impl Sim {
    /// A world of that seed around an engine with those settings.
    pub fn new(seed: u64, settings: Settings) -> Sim {
        let mut world = World::new(seed);
        let width = settings.courier.width(settings.lines_max / 2);
        let mut oracle = Oracle::new(width as usize, settings.volatile);
        oracle.feeds.keeping(0, &settings.topics, &[]);
        let rules = Rules::of(&settings.courier.policy);
        let hub = Hub::new(settings.hub.leases);
        let mut engine = Engine::new(settings.clone(), world.rng.entropy(), world.now);
        engine.listening(&[setup::OWN]);
        let mut store = Store::new(Temper {
            delay: (0, 0),
            fail_percent: 0,
        });
        store.start(&mut world, setup::backlog_of(&settings));
        Sim {
            settings,
            world,
            net: Net::default(),
            store,
            lasts: false,
            more_crashes: 0,
            stocked: MessageId::default(),
            is_down: false,
            stopped_until: 0,
            fuse: None,
            clients: Vec::new(),
            targets: Vec::new(),
            names: Names::of(&[Manner::Right]),
            rules,
            hub,
            readers: Vec::new(),
            orders: Vec::new(),
            oracle,
            sloppy: false,
            turns: 0,
            engine,
            callers: VecDeque::new(),
            doors: Doors::default(),
            resolved: Vec::new(),
            listening: true,
            again: false,
            still: 0,
        }
    }

    /// A further target with a literal address; its number.
    pub fn target(&mut self, behaviour: Behaviour) -> usize {
        let number = self.targets.len();
        let host = IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
        self.target_at(&host.to_string(), host, behaviour)
    }

    /// A further target that listens at `ip` and goes by the name of `host`; its number.
    pub fn target_at(&mut self, host: &str, ip: IpAddr, behaviour: Behaviour) -> usize {
        let number = self.targets.len();
        let addr = SocketAddr::new(ip, 8_000 + number as u16);
        self.targets.push(Target::new(host, addr, behaviour));
        number
    }

    /// A further target that goes by a name of that kind; its number.
    pub fn target_named(&mut self, kind: Kind, ip: Option<IpAddr>, behaviour: Behaviour) -> usize {
        let number = self.targets.len();
        let host = format!("hook{number}.test");
        let ip = ip.unwrap_or_else(|| IpAddr::from([10, 1, 0, number as u8]));
        let (ttl, asked) = (self.world.rng.pick(&[0, 1, 30, 3_600]), 0);
        let name = Name {
            kind,
            ip,
            ttl,
            asked,
        };
        self.names.zone.insert(host.clone(), name);
        let number = self.target_at(&host, ip, behaviour);
        self.targets[number].kind = Some(kind);
        number
    }

    /// A further order to a target.
    pub fn order(&mut self, target: usize) -> &mut Order {
        let base = self.targets[target].base();
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
        assert!(!self.is_down, "nobody started it again");
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
        self.names.check_idle();
        let stood_still = self.oracle.stopped > 0;
        verdict::judge_names(&self.names, &self.orders, &self.targets, stood_still);
        verdict::judge(&self.oracle, &self.orders, &self.targets);
        assert_eq!(self.store.book.open_count(), 0, "work left on the disk");
        self.oracle.feeds.judge();
        self.judge_guests();
        self.hub.judge();
        for reader in self.readers.iter().filter(|reader| reader.link.is_some()) {
            let written = &self.oracle.feeds.watch(reader.link.unwrap_or(0)).written;
            assert!(written.starts_with(&reader.got), "a byte was lost");
        }
    }

    /// Runs for so long, or until nothing is left to happen.
    pub fn run_for(&mut self, span: u64) {
        let until = self.world.at() + span;
        while self.step(until) {}
        self.world.advance(until);
    }

    /// Runs until that is so, which has to come.
    pub fn run_until(&mut self, is_so: impl Fn(&Sim) -> bool) {
        while !is_so(self) {
            assert!(self.step(u64::MAX), "nothing is left to happen");
        }
    }

    fn living(&self) -> Vec<&crate::net::Link> {
        self.net.living().map(|link| self.net.get(link)).collect()
    }

    /// One turn at the next time at which anything happens, no later than `until`.
    fn step(&mut self, until: u64) -> bool {
        if self.oracle.draining && self.engine.drained() {
            if !self.lasts {
                return false;
            }
            self.exit();
        }
        let idle = self.is_down || self.is_stopped();
        let wake = self.engine.next_wake().filter(|_| !idle);
        let wake = wake.map(|wake| self.world.time_of(wake));
        let next = [self.world.next_at(), wake].into_iter().flatten().min();
        let next = if self.again && !self.is_stopped() {
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
    /// An event's time has come.
    pub fn happen(&mut self, event: Event) {
        if self.is_stopped() && is_told_at_once(&event) {
            return self.world.schedule(self.stopped_until, event);
        }
        match event {
            Event::Stop(span) => self.stop(span),
            Event::Continue => {}
            Event::Open(_) | Event::Join(_) if self.is_down => {
                // Nobody listens: it comes again.
                let pause = self.world.rng.between(100 * MS, SECOND);
                self.world.after(pause, event);
            }
            Event::Open(client) => {
                let link = self.net.link(&mut self.world, Peer::Client(client));
                self.callers.push_back(link);
            }
            Event::Join(reader) => {
                let link = self.net.link(&mut self.world, Peer::Reader(reader));
                if let Some(shape) = self.readers[reader].shape {
                    self.net.reshape(link, shape);
                }
                self.callers.push_back(link);
            }
            Event::Resolve(link) => self.resolved.push(link),
            Event::Shaken(link) => self.shaken(link),
            Event::Arrive(link, side, item) => {
                let there = self.net.arrive(&mut self.world, link, side, item);
                if there && side == Side::Peer {
                    self.wake_peer(link);
                }
            }
            Event::Wake(link) => self.wake_peer(link),
            Event::Space(_) | Event::Datagram(..) | Event::Unasked(_) => self.tell(event),
            Event::Stored => {}
            Event::Jump(by) => {
                self.world.jump(by);
                self.world.note("jump", 0, by as u64);
            }
            Event::Change(topic) => {
                let filler = self.world.rng.pick(&[0, 10, 3_000]);
                self.change(topic, filler);
            }
            Event::Reload => self.reload(),
            Event::Retune => self.retune_at_random(),
            Event::Crash => self.light(),
            Event::Start => self.start(),
            Event::Drain if self.is_down => {}
            Event::Drain => self.drain(),
        }
    }

    /// What the engine is told at once.
    fn tell(&mut self, event: Event) {
        match event {
            Event::Space(link) => {
                let key = self.net.get(link).key;
                if let Some(key) = key.filter(|_| self.net.unblock(link)) {
                    self.world.note("unblocked", key.to_bits(), 0);
                    self.engine.unblocked(key);
                }
            }
            Event::Datagram(key, bytes) if self.names.is_open(key) => {
                self.world.note_bytes("datagram", key.to_bits(), &bytes);
                self.engine.datagram(self.world.told(), key, &bytes);
                self.perform();
            }
            Event::Unasked(key) if self.names.is_open(key) => {
                self.world.note("unasked", key.to_bits(), 0);
                self.engine.unasked(self.world.told(), key);
                self.perform();
            }
            _ => {}
        }
    }

    /// Nobody turns for so long.
    fn stop(&mut self, span: u64) {
        // What stands still cannot be stopped.
        if self.is_stopped() {
            return;
        }
        self.world.note("stop", 0, span);
        self.stopped_until = self.world.at() + span;
        self.oracle.stopped += span;
        self.world.stopped += span;
        self.world.after(span, Event::Continue);
    }

    /// Whether the process stands still.
    pub fn is_stopped(&self) -> bool {
        self.world.at() < self.stopped_until
    }

    fn drain(&mut self) {
        self.world.note("drain", 0, 0);
        self.oracle.draining = true;
        self.oracle.may_refuse = true;
        self.engine.drain(self.world.told());
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
                Peer::NameServer(server) => self.names.on(world, net, link, server, item),
                Peer::Reader(reader) => {
                    self.readers[reader].on(world, net, link, item);
                    if net.has_hung_up(link)
                        && let Some((delay, next)) = self.readers[reader].again()
                    {
                        self.reader(delay, next);
                    }
                }
                Peer::Target(target) => {
                    self.targets[target].on(&self.orders, world, net, link, item);
                }
                Peer::Host(host) => self.hub.on(world, net, link, host, item),
            }
            for (want, answer) in self.oracle.mail.drain(..) {
                match want {
                    Want::Hub(ask) => self.hub.answered(self.world.at(), ask, &answer),
                    Want::Ping(ping) => self.hub.ponged(self.world.at(), ping, &answer),
                    _ => {}
                }
            }
            if last {
                return;
            }
        }
    }
}

/// Whether a process that stands still hears of it when it goes on.
fn is_told_at_once(event: &Event) -> bool {
    matches!(
        event,
        Event::Space(_)
            | Event::Datagram(..)
            | Event::Unasked(_)
            | Event::Crash
            | Event::Drain
            | Event::Reload
            | Event::Retune
    )
}

impl Drop for Sim {
    /// A failure shows what led to it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} after {} turns", self.world.trace, self.turns);
        }
    }
}
