//! Tests of the resolver: a name server played by hand, one fact after the other.

use std::net::Ipv4Addr;

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use super::*;
use crate::base::ledger::Ledger;
use crate::base::rng::Rng;
use crate::base::stats::Stats;
use crate::base::time::Now;
use crate::base::wheel::Wheel;
use crate::port::Timer;

const SECOND: u64 = 1_000_000;
const MS: u64 = 1_000;

/// A question that went out.
#[derive(Debug)]
struct Asked {
    key: Key,
    server: String,
    packet: Vec<u8>,
    tcp: bool,
}

impl Asked {
    fn question(&self) -> (String, bool) {
        let packet = Packet::parse(&self.packet).unwrap();
        let question = &packet.questions[0];
        let six = question.qtype == QTYPE::TYPE(TYPE::AAAA);
        (question.qname.to_string(), six)
    }

    /// An answer with these addresses of its family, and that code.
    fn answer(&self, ttl: u32, addrs: &[&str], code: RCODE) -> Vec<u8> {
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

struct Bench {
    turn: Turn,
    resolver: Resolver,
    waiter: Key,
    /// Sockets that are open.
    open: Vec<Key>,
    files_read: usize,
}

/// A resolver that has read a resolv.conf.
fn bench(conf: &str) -> Bench {
    bench_of(Resolver::new(Vec::new(), 4, 5), "", conf)
}

fn bench_of(resolver: Resolver, hosts: &str, conf: &str) -> Bench {
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
    fn lookup(&mut self, name: &str) -> Lookup {
        self.resolver.lookup(&mut self.turn, name, self.waiter)
    }

    /// What went out since the last time.
    fn asked(&mut self) -> Vec<Asked> {
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
    fn pair(&mut self, name: &str) -> [Asked; 2] {
        let pair: [Asked; 2] = self.asked().try_into().expect("two questions");
        assert_eq!(pair[0].question(), (name.to_owned(), false));
        assert_eq!(pair[1].question(), (name.to_owned(), true));
        pair
    }

    fn hear(&mut self, asked: &Asked, bytes: &[u8]) {
        match asked.tcp {
            false => self.resolver.datagram(&mut self.turn, asked.key, bytes),
            true => self.resolver.tcp_answer(&mut self.turn, asked.key, bytes),
        }
    }

    fn tell(&mut self, asked: &Asked, ttl: u32, addrs: &[&str]) {
        self.hear(asked, &asked.answer(ttl, addrs, RCODE::NoError));
    }

    fn deny(&mut self, asked: &Asked, code: RCODE) {
        self.hear(asked, &asked.answer(0, &[], code));
    }

    /// Time passes; what is due fires.
    fn wait(&mut self, span: u64) {
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
    fn told(&mut self) -> bool {
        let told = self.resolver.next_resolved();
        assert!(told.is_none_or(|told| told == self.waiter));
        told.is_some()
    }

    /// The waiter was told; what the lookup came to.
    fn result(&mut self, name: &str) -> Result<Vec<String>, &'static str> {
        assert!(self.told(), "nobody was told");
        assert!(self.asked().is_empty());
        match self.lookup(name) {
            Lookup::Known(addrs) => Ok(addrs.iter().map(IpAddr::to_string).collect()),
            Lookup::Failed(detail) => Err(detail),
            Lookup::Asked => panic!("asked again"),
        }
    }

    fn is_idle(&mut self) -> bool {
        self.asked();
        self.resolver.is_idle() && self.turn.wheel.is_empty() && self.open.is_empty()
    }
}

fn found(addrs: &[&str]) -> Result<Vec<String>, &'static str> {
    Ok(addrs.iter().map(|addr| (*addr).to_owned()).collect())
}

const ONE: &str = "nameserver 10.0.0.1";
const TWO: &str = "nameserver 10.0.0.1\nnameserver 10.0.0.2";

#[test]
fn both_families_are_asked_at_once_and_four_comes_first() {
    let mut bench = bench(ONE);
    assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
    let [four, six] = bench.pair("hook.test");
    assert_eq!((four.server.as_str(), four.tcp), ("10.0.0.1:53", false));
    bench.tell(&six, 30, &["fd00::1"]);
    assert!(!bench.told());
    bench.tell(&four, 60, &["10.1.0.1", "10.1.0.2"]);
    let expected = found(&["10.1.0.1", "10.1.0.2", "fd00::1"]);
    assert_eq!(bench.result("hook.test"), expected);
    bench.wait(30 * SECOND);
    assert!(matches!(bench.lookup("hook.test"), Lookup::Known(_)));
    assert!(bench.is_idle());
    bench.wait(1);
    assert_eq!(
        bench.lookup("hook.test"),
        Lookup::Asked,
        "30 seconds are over"
    );
}

#[test]
fn ids_are_random_and_every_question_has_its_own_socket() {
    let mut bench = bench(ONE);
    bench.lookup("a.test");
    bench.lookup("b.test");
    let asked = bench.asked();
    let mut ids: Vec<&[u8]> = asked.iter().map(|asked| &asked.packet[..2]).collect();
    let mut keys: Vec<Key> = asked.iter().map(|asked| asked.key).collect();
    ids.sort();
    ids.dedup();
    keys.sort();
    keys.dedup();
    assert_eq!((ids.len(), keys.len(), bench.open.len()), (4, 4, 4));
}

#[test]
fn many_lookups_of_one_name_are_one_question() {
    let mut bench = bench(ONE);
    for _ in 0..100 {
        assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
    }
    let [four, six] = bench.pair("hook.test");
    bench.tell(&four, 0, &["10.1.0.1"]);
    bench.tell(&six, 0, &[]);
    for _ in 0..100 {
        assert_eq!(
            bench.result("hook.test"),
            found(&["10.1.0.1"]),
            "in this instant"
        );
    }
    assert!(!bench.told());
    bench.wait(1);
    assert_eq!(bench.lookup("hook.test"), Lookup::Asked, "a TTL of 0");
}

#[test]
fn what_does_not_fit_the_question_is_ignored() {
    let mut bench = bench(ONE);
    bench.lookup("hook.test");
    let [four, six] = bench.pair("hook.test");
    let good = four.answer(60, &["10.1.0.1"], RCODE::NoError);
    let mut wrong_id = good.clone();
    wrong_id[0] ^= 1;
    let crossed = six.answer(60, &["fd00::1"], RCODE::NoError);
    for bytes in [&wrong_id[..], &crossed, b"garbage", b""] {
        bench.hear(&four, bytes);
    }
    assert_eq!(bench.turn.stats.get(Counter::DatagramsIgnored), 4);
    bench.hear(&four, &good);
    bench.hear(&four, &good);
    bench.deny(&six, RCODE::NoError);
    assert_eq!(bench.result("hook.test"), found(&["10.1.0.1"]));
}

#[test]
fn a_name_that_does_not_exist_is_remembered_for_five_seconds() {
    for (code, detail) in [
        (RCODE::NameError, "nxdomain"),
        (RCODE::NoError, "no_address"),
    ] {
        let mut bench = bench(ONE);
        bench.lookup("hook.test");
        for asked in bench.pair("hook.test") {
            bench.deny(&asked, code);
        }
        assert_eq!(bench.result("hook.test"), Err(detail));
        assert!(
            !bench
                .resolver
                .forget_failure(bench.turn.now.mono, "hook.test")
        );
        bench.wait(5 * SECOND);
        assert_eq!(bench.lookup("hook.test"), Lookup::Failed(detail));
        bench.wait(1);
        assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
    }
}

#[test]
fn a_server_that_cannot_say_is_followed_by_the_next() {
    for code in [RCODE::ServerFailure, RCODE::Refused, RCODE::NotImplemented] {
        let mut bench = bench(TWO);
        bench.lookup("hook.test");
        let [four, six] = bench.pair("hook.test");
        bench.deny(&four, code);
        let [second] = bench.asked().try_into().unwrap();
        assert_eq!(second.server, "10.0.0.2:53");
        assert_ne!(second.packet[..2], four.packet[..2], "a new id");
        bench.tell(&second, 9, &["10.1.0.1"]);
        bench.deny(&six, code);
        assert_eq!(bench.result("hook.test"), found(&["10.1.0.1"]));
        // Whoever answered is asked first from now on.
        bench.lookup("other.test");
        assert_eq!(bench.pair("other.test")[0].server, "10.0.0.2:53");
    }
}

#[test]
fn a_failure_of_all_servers_stands_for_the_instant_alone() {
    let rows = [
        (RCODE::ServerFailure, "servfail"),
        (RCODE::Refused, "refused_name"),
        (RCODE::FormatError, "bad_answer"),
    ];
    for (code, detail) in rows {
        let mut bench = bench(TWO);
        bench.lookup("hook.test");
        let mut count = 0;
        while let Some(asked) = bench.asked().into_iter().next() {
            bench.deny(&asked, code);
            count += 1;
            if bench.resolver.lookups() == 0 {
                break;
            }
            // The other family waits in `open`; it fails when its time has come.
            if count == 4 {
                break;
            }
        }
        bench.wait(5 * SECOND);
        let told = bench.told();
        assert!(told, "{detail}");
        assert!(bench.is_idle());
        assert_eq!(count, 4, "two rounds over two servers");
    }
}

#[test]
fn silence_ends_after_five_seconds_and_two_rounds() {
    let mut bench = bench(TWO);
    bench.lookup("hook.test");
    let mut servers = Vec::new();
    for round in 0..4 {
        let [four, _] = bench.pair("hook.test");
        servers.push(four.server);
        assert!(!bench.told(), "round {round}");
        bench.wait(1_250 * MS);
    }
    assert_eq!(
        servers,
        ["10.0.0.1:53", "10.0.0.2:53", "10.0.0.1:53", "10.0.0.2:53"]
    );
    assert_eq!(bench.result("hook.test"), Err("dns_timeout"));
    assert!(bench.is_idle());
    assert!(
        bench
            .resolver
            .forget_failure(bench.turn.now.mono, "hook.test")
    );
    assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
}

#[test]
fn a_timeout_in_the_file_may_only_be_shorter() {
    for (options, waits) in [
        ("timeout:1", 1_000),
        ("timeout:9", 2_500),
        ("attempts:5", 1_000),
    ] {
        let mut bench = bench(&format!("{ONE}\noptions {options}"));
        bench.lookup("hook.test");
        bench.pair("hook.test");
        bench.wait(waits * MS - 1);
        assert!(bench.asked().is_empty(), "{options}");
        bench.wait(1);
        bench.pair("hook.test");
    }
}

#[test]
fn a_server_that_is_not_there_is_followed_at_once() {
    let mut bench = bench(TWO);
    bench.lookup("hook.test");
    let pair = bench.pair("hook.test");
    for asked in &pair {
        bench.resolver.unasked(&mut bench.turn, asked.key);
        // A stale key finds nothing.
        bench.resolver.unasked(&mut bench.turn, asked.key);
    }
    assert_eq!(bench.pair("hook.test")[1].server, "10.0.0.2:53");
}

#[test]
fn once_there_are_addresses_the_other_family_is_waited_for_little() {
    let mut bench = bench(ONE);
    bench.lookup("hook.test");
    let [_, six] = bench.pair("hook.test");
    bench.tell(&six, 60, &["fd00::1"]);
    bench.wait(199 * MS);
    assert!(!bench.told());
    bench.wait(2 * MS);
    assert_eq!(bench.result("hook.test"), found(&["fd00::1"]));
    assert!(bench.is_idle());
}

#[test]
fn what_was_cut_off_is_asked_over_tcp() {
    let mut bench = bench(TWO);
    bench.lookup("hook.test");
    let [four, six] = bench.pair("hook.test");
    let cut = |asked: &Asked| {
        let mut packet = Packet::parse(&asked.packet).unwrap().into_reply();
        packet.set_flags(PacketFlag::TRUNCATION);
        packet.build_bytes_vec().unwrap()
    };
    bench.tell(&six, 60, &[]);
    bench.hear(&four, &cut(&four));
    let [line] = bench.asked().try_into().unwrap();
    assert_eq!((line.tcp, line.server.as_str()), (true, "10.0.0.1:53"));
    assert!(bench.open.is_empty(), "the socket is gone");
    bench.hear(&line, &cut(&line));
    let [second] = bench.asked().try_into().unwrap();
    assert_eq!((second.tcp, second.server.as_str()), (false, "10.0.0.2:53"));
    bench.hear(&second, &cut(&second));
    let [line] = bench.asked().try_into().unwrap();
    bench.tell(&line, 60, &["10.1.0.1"]);
    assert_eq!(bench.result("hook.test"), found(&["10.1.0.1"]));
    assert!(bench.is_idle());
}

#[test]
fn domains_are_searched() {
    let conf = format!("{ONE}\nsearch a.test b.test");
    let mut bench = bench(&conf);
    bench.lookup("hook");
    for name in ["hook.a.test", "hook.b.test"] {
        for asked in bench.pair(name) {
            bench.deny(&asked, RCODE::NameError);
        }
        assert!(!bench.told());
    }
    let [four, six] = bench.pair("hook");
    bench.tell(&four, 9, &["10.1.0.1"]);
    bench.deny(&six, RCODE::NameError);
    assert_eq!(bench.result("hook"), found(&["10.1.0.1"]));
    bench.lookup("x.hook.");
    for asked in bench.pair("x.hook") {
        bench.deny(&asked, RCODE::NameError);
    }
    assert_eq!(bench.result("x.hook."), Err("nxdomain"), "absolute");
}

#[test]
fn silence_for_one_name_is_not_tried_with_the_next() {
    let mut bench = bench(&format!("{ONE}\nsearch a.test"));
    bench.lookup("hook");
    bench.pair("hook.a.test");
    bench.wait(5 * SECOND);
    bench.asked();
    assert_eq!(bench.result("hook"), Err("dns_timeout"));
}

#[test]
fn a_failure_among_names_that_do_not_exist_is_the_answer() {
    let mut bench = bench(&format!("{ONE}\noptions attempts:1\nsearch a.test"));
    bench.lookup("hook");
    for asked in bench.pair("hook.a.test") {
        bench.deny(&asked, RCODE::ServerFailure);
    }
    for asked in bench.pair("hook") {
        bench.deny(&asked, RCODE::NameError);
    }
    assert_eq!(bench.result("hook"), Err("servfail"));
}

#[test]
fn the_hosts_file_comes_first() {
    let hosts = "127.0.0.5 hook.test\n::1 hook.test";
    let mut bench = bench_of(Resolver::new(Vec::new(), 4, 5), hosts, ONE);
    let expected: Arc<[IpAddr]> =
        [Ipv4Addr::new(127, 0, 0, 5).into(), "::1".parse().unwrap()].into();
    assert_eq!(
        bench.lookup("hook.test"),
        Lookup::Known(Arc::clone(&expected))
    );
    assert!(bench.asked().is_empty());
    bench.wait(SECOND);
    assert_eq!(
        bench.lookup("hook.test"),
        Lookup::Asked,
        "the file may have changed"
    );
    assert_eq!(bench.lookup("other.test"), Lookup::Asked);
    assert!(bench.asked().is_empty());
    assert_eq!(bench.files_read, 1);
    bench.resolver.configure(&mut bench.turn, None, None);
    assert!(bench.told());
    assert_eq!(bench.lookup("hook.test"), Lookup::Known(expected));
    bench.pair("other.test");
}

#[test]
fn a_changed_file_empties_the_cache() {
    let mut bench = bench(ONE);
    bench.lookup("hook.test");
    let [four, six] = bench.pair("hook.test");
    bench.tell(&four, 60, &["10.1.0.1"]);
    bench.tell(&six, 60, &[]);
    assert_eq!(bench.result("hook.test"), found(&["10.1.0.1"]));
    bench.wait(2 * SECOND);
    assert_eq!(bench.lookup("other.test"), Lookup::Asked);
    bench.asked();
    bench
        .resolver
        .configure(&mut bench.turn, None, Some("nameserver 10.0.0.7"));
    assert_eq!(bench.pair("other.test")[0].server, "10.0.0.7:53");
    assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
    assert_eq!(bench.pair("hook.test")[0].server, "10.0.0.7:53");
}

#[test]
fn servers_that_were_given_count_instead_of_the_file_s() {
    let servers = vec!["127.0.0.1:5353".parse().unwrap()];
    let mut bench = bench_of(Resolver::new(servers, 4, 5), "", ONE);
    bench.lookup("hook.test");
    assert_eq!(bench.pair("hook.test")[0].server, "127.0.0.1:5353");
}

#[test]
fn only_so_many_lookups_are_under_way_and_the_rest_wait_their_turn() {
    let mut bench = bench(ONE);
    let look = |bench: &mut Bench, number: u64| {
        let waiter = Key::from_bits((1 + number) << 32).unwrap();
        let name = format!("hook{number}.test");
        bench.resolver.lookup(&mut bench.turn, &name, waiter)
    };
    for number in 0..10 {
        assert_eq!(look(&mut bench, number), Lookup::Asked);
    }
    assert_eq!((bench.asked().len(), bench.resolver.lookups()), (8, 4));
    let mut ended = Vec::new();
    for _ in 0..3 {
        bench.wait(5 * SECOND);
        bench.resolver.configure(&mut bench.turn, None, None);
        while let Some(waiter) = bench.resolver.next_resolved() {
            let number = (waiter.to_bits() >> 32) - 1;
            if look(&mut bench, number) == Lookup::Failed("dns_timeout") {
                ended.push(number);
            }
            assert!(bench.resolver.lookups() <= 4);
        }
        bench.resolver.configure(&mut bench.turn, None, None);
    }
    assert_eq!(ended, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(bench.is_idle());
}

#[test]
fn what_is_no_name_is_never_asked() {
    let mut bench = bench(ONE);
    for name in ["a..b", "", ".", &"a".repeat(64), "a b"] {
        assert_eq!(bench.lookup(name), Lookup::Failed("bad_name"), "{name}");
    }
    assert!(bench.is_idle());
}
