//! Tests of the resolver: a name server played by hand, one fact after the other.

use std::net::Ipv4Addr;

use simple_dns::{Packet, PacketFlag, RCODE};

use super::*;

mod bench;

use bench::{Asked, Bench, MS, SECOND, bench, bench_of, found};

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
        let (mut asked, mut count) = (bench.asked(), 0);
        while let Some(next) = asked.pop() {
            bench.deny(&next, code);
            asked.extend(bench.asked());
            count += 1;
        }
        assert_eq!(count, 8, "two rounds over two servers, for each family");
        assert_eq!(bench.result("hook.test"), Err(detail));
        assert!(bench.is_idle());
        bench.wait(1);
        assert_eq!(bench.lookup("hook.test"), Lookup::Asked);
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
