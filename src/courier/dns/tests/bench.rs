//! The bench of the resolver's tests: time, and a name server's side of what goes out.
//! It decides nothing; the tests say every fact.

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::Now;
use crate::base::wheel::Wheel;
use crate::courier::dns::*;
use crate::port::Timer;

pub(super) const SECOND: u64 = 1_000_000;
pub(super) const MS: u64 = 1_000;

/// A question that went out.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) key: Key,
    pub(super) server: String,
    pub(super) packet: Vec<u8>,
    pub(super) tcp: bool,
}

impl Asked {
    pub(super) fn question(&self) -> (String, bool) {
        let packet = Packet::parse(&self.packet).unwrap();
        let question = &packet.questions[0];
        let six = question.qtype == QTYPE::TYPE(TYPE::AAAA);
        (question.qname.to_string(), six)
    }

    /// An answer with these addresses of its family, and that code.
    pub(super) fn answer(&self, ttl: u32, addrs: &[&str], code: RCODE) -> Vec<u8> {
        let mut packet = Packet::parse(&self.packet).unwrap().into_reply();
        *packet.rcode_mut() = code;
        let name = packet.questions[0].qname.clone();
        for addr in addrs {
            let rdata = match addr.parse().unwrap() {
                IpAddr::V4(addr) => RData::A(A {
                    address: addr.into(),
                }),
                IpAddr::V6(addr) => RData::AAAA(AAAA {
                    address: addr.into(),
                }),
            };
            let record = ResourceRecord::new(name.clone(), CLASS::IN, ttl, rdata);
            packet.answers.push(record);
        }
        packet.build_bytes_vec().unwrap()
    }
}

pub(super) struct Bench {
    pub(super) turn: Turn,
    pub(super) resolver: Resolver,
    pub(super) waiter: Key,
    /// Sockets that are open.
    pub(super) open: Vec<Key>,
    pub(super) files_read: usize,
}

/// A resolver that has read a resolv.conf.
pub(super) fn bench(conf: &str) -> Bench {
    bench_of(Resolver::new(Vec::new(), 4, 5), "", conf)
}

pub(super) fn bench_of(resolver: Resolver, hosts: &str, conf: &str) -> Bench {
    let mut bench = Bench {
        turn: Turn {
            now: Now::default(),
            wheel: Wheel::with_bound(64, Mono(0)),
            rng: Rng::new([3; 32]),
            stats: Stats::default(),
            memory: Ledger::new(1 << 20),
            actions: VecDeque::new(),
            dirty: VecDeque::new(),
            dirty_streams: VecDeque::new(),
            handed: crate::port::Handed::default(),
        },
        resolver,
        waiter: Key::from_bits(9 << 32).unwrap(),
        open: Vec::new(),
        files_read: 0,
    };
    bench
        .resolver
        .configure(&mut bench.turn, Some(hosts), Some(conf));
    bench
}

impl Bench {
    pub(super) fn lookup(&mut self, name: &str) -> Lookup {
        self.resolver.lookup(&mut self.turn, name, self.waiter)
    }

    /// What went out since the last time.
    pub(super) fn asked(&mut self) -> Vec<Asked> {
        let mut asked = Vec::new();
        while let Some(action) = self.turn.actions.pop_front() {
            match action {
                Action::Ask {
                    key,
                    server,
                    packet,
                } => {
                    self.open.push(key);
                    asked.push((key, server, packet, false));
                }
                Action::Forget { key } => {
                    let place = self.open.iter().position(|open| *open == key);
                    self.open.swap_remove(place.expect("forgotten twice"));
                }
                Action::ReadNames => self.files_read += 1,
                other => panic!("{other:?}"),
            }
        }
        while let Some(dial) = self.resolver.next_dial() {
            asked.push((dial.exchange, dial.server, dial.packet, true));
        }
        let asked = asked.into_iter().map(|(key, server, packet, tcp)| Asked {
            key,
            server: server.to_string(),
            packet: packet.into_vec(),
            tcp,
        });
        asked.collect()
    }

    /// Exactly the two questions for a name.
    pub(super) fn pair(&mut self, name: &str) -> [Asked; 2] {
        let pair: [Asked; 2] = self.asked().try_into().expect("two questions");
        assert_eq!(pair[0].question(), (name.to_owned(), false));
        assert_eq!(pair[1].question(), (name.to_owned(), true));
        pair
    }

    pub(super) fn hear(&mut self, asked: &Asked, bytes: &[u8]) {
        match asked.tcp {
            false => self.resolver.datagram(&mut self.turn, asked.key, bytes),
            true => self.resolver.tcp_answer(&mut self.turn, asked.key, bytes),
        }
    }

    pub(super) fn tell(&mut self, asked: &Asked, ttl: u32, addrs: &[&str]) {
        self.hear(asked, &asked.answer(ttl, addrs, RCODE::NoError));
    }

    pub(super) fn deny(&mut self, asked: &Asked, code: RCODE) {
        self.hear(asked, &asked.answer(0, &[], code));
    }

    /// Time passes; what is due fires.
    pub(super) fn wait(&mut self, span: u64) {
        let until = self.turn.now.mono.0 + span;
        while let Some(wake) = self.turn.wheel.next_wake()
            && wake.0 <= until
        {
            self.turn.now.mono.0 = self.turn.now.mono.0.max(wake.0);
            while let Some(timer) = self.turn.wheel.pop(self.turn.now.mono) {
                let Timer::Query(key) = timer else {
                    panic!("{timer:?}")
                };
                self.resolver.expired(&mut self.turn, key);
            }
        }
        self.turn.now.mono.0 = until;
    }

    /// Whether the waiter was told.
    pub(super) fn told(&mut self) -> bool {
        let told = self.resolver.next_resolved();
        assert!(told.is_none_or(|told| told == self.waiter));
        told.is_some()
    }

    /// The waiter was told; what the lookup came to.
    pub(super) fn result(&mut self, name: &str) -> Result<Vec<String>, &'static str> {
        assert!(self.told(), "nobody was told");
        assert!(self.asked().is_empty());
        match self.lookup(name) {
            Lookup::Known(addrs) => Ok(addrs.iter().map(IpAddr::to_string).collect()),
            Lookup::Failed(detail) => Err(detail),
            Lookup::Asked => panic!("asked again"),
        }
    }

    pub(super) fn is_idle(&mut self) -> bool {
        self.asked();
        self.resolver.is_idle() && self.turn.wheel.is_empty() && self.open.is_empty()
    }
}

pub(super) fn found(addrs: &[&str]) -> Result<Vec<String>, &'static str> {
    Ok(addrs.iter().map(|addr| (*addr).to_owned()).collect())
}
