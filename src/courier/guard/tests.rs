//! Every class at its edges, every embedding of it, every rule, and who wins over whom.

use super::classes::{V4, V6, holds};
use super::*;

use std::net::{Ipv4Addr, Ipv6Addr};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn name(ip: IpAddr) -> &'static str {
    match class(ip) {
        Class::Public => "public",
        Class::Local(row) | Class::Blocked(row) => row.name,
    }
}

fn policy(preset: Preset) -> Policy {
    Policy {
        preset,
        ..Policy::default()
    }
}

/// Last address before, first of, last of, first after, and what each of them is.
const EDGES: &[(&str, &str)] = &[
    ("0.0.0.0", "this network"),
    ("0.255.255.255", "this network"),
    ("1.0.0.0", "public"),
    ("9.255.255.255", "public"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("11.0.0.0", "public"),
    ("100.63.255.255", "public"),
    ("100.64.0.0", "shared"),
    ("100.100.100.199", "shared"),
    ("100.100.100.200", "cloud metadata"),
    ("100.100.100.201", "shared"),
    ("100.127.255.255", "shared"),
    ("100.128.0.0", "public"),
    ("126.255.255.255", "public"),
    ("127.0.0.0", "loopback"),
    ("127.255.255.255", "loopback"),
    ("128.0.0.0", "public"),
    ("168.63.129.15", "public"),
    ("168.63.129.16", "cloud metadata"),
    ("168.63.129.17", "public"),
    ("169.253.255.255", "public"),
    ("169.254.0.0", "link-local"),
    ("169.254.169.253", "link-local"),
    ("169.254.169.254", "cloud metadata"),
    ("169.254.170.2", "cloud metadata"),
    ("169.254.255.255", "link-local"),
    ("169.255.0.0", "public"),
    ("172.15.255.255", "public"),
    ("172.16.0.0", "private"),
    ("172.31.255.255", "private"),
    ("172.32.0.0", "public"),
    ("191.255.255.255", "public"),
    ("192.0.0.0", "protocol assignments"),
    ("192.0.0.192", "cloud metadata"),
    ("192.0.0.255", "protocol assignments"),
    ("192.0.1.0", "public"),
    ("192.0.1.255", "public"),
    ("192.0.2.0", "documentation"),
    ("192.0.2.255", "documentation"),
    ("192.0.3.0", "public"),
    ("192.88.98.255", "public"),
    ("192.88.99.0", "6to4 relay"),
    ("192.88.99.255", "6to4 relay"),
    ("192.88.100.0", "public"),
    ("192.167.255.255", "public"),
    ("192.168.0.0", "private"),
    ("192.168.255.255", "private"),
    ("192.169.0.0", "public"),
    ("198.17.255.255", "public"),
    ("198.18.0.0", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.20.0.0", "public"),
    ("198.51.99.255", "public"),
    ("198.51.100.0", "documentation"),
    ("198.51.100.255", "documentation"),
    ("198.51.101.0", "public"),
    ("203.0.112.255", "public"),
    ("203.0.113.0", "documentation"),
    ("203.0.113.255", "documentation"),
    ("203.0.114.0", "public"),
    ("223.255.255.255", "public"),
    ("224.0.0.0", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.0", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "IPv4 in IPv6"),
    ("ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "IPv4 in IPv6"),
    ("64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "IPv4 in IPv6"),
    ("64:ff9b:1::", "NAT64"),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
    ("64:ff9b:2::", "IPv4 in IPv6"),
    ("100::", "discard"),
    ("100::ffff:ffff:ffff:ffff", "discard"),
    ("100:0:0:1::", "discard"),
    ("100:0:0:1:ffff:ffff:ffff:ffff", "discard"),
    ("100:0:0:2::", "not global unicast"),
    (
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "not global unicast",
    ),
    ("2000::", "public"),
    ("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"),
    ("2001::", "Teredo"),
    ("2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
    ("2001:1::", "protocol assignments"),
    (
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "protocol assignments",
    ),
    ("2001:200::", "public"),
    ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "public"),
    ("2001:db8::", "documentation"),
    ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
    ("2001:db9::", "public"),
    ("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"),
    ("2002::", "6to4"),
    ("2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
    ("2003::", "public"),
    ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"),
    ("3fff::", "documentation"),
    ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
    ("3fff:1000::", "public"),
    ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "public"),
    ("4000::", "not global unicast"),
    (
        "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "not global unicast",
    ),
    ("5f00::", "segment routing"),
    ("5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"),
    ("5f01::", "not global unicast"),
    (
        "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "not global unicast",
    ),
    ("8000::", "not global unicast"),
    (
        "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "not global unicast",
    ),
    ("fc00::", "unique local"),
    ("fd00:ec2::253", "unique local"),
    ("fd00:ec2::254", "cloud metadata"),
    ("fd00:ec2::255", "unique local"),
    ("fd20:ce::253", "unique local"),
    ("fd20:ce::254", "cloud metadata"),
    ("fd20:ce::255", "unique local"),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"),
    ("fe00::", "not global unicast"),
    (
        "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "not global unicast",
    ),
    ("fe80::", "link-local"),
    ("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
    ("fec0::", "site-local"),
    ("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
    ("ff00::", "multicast"),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
];

#[test]
fn every_class_at_its_edges() {
    for (text, expected) in EDGES {
        assert_eq!(name(ip(text)), *expected, "{text}");
    }
}

/// The address before a row's first, its first, its last, the one after.
fn edges_of(row: &Row) -> [Option<IpAddr>; 4] {
    match row.first {
        IpAddr::V4(first) => {
            let (first, host) = (first.to_bits(), u32::MAX.checked_shr(row.bits.into()));
            let last = first | host.unwrap_or(0);
            let at = |bits: Option<u32>| bits.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
            let (before, after) = (first.checked_sub(1), last.checked_add(1));
            [at(before), at(Some(first)), at(Some(last)), at(after)]
        }
        IpAddr::V6(first) => {
            let (first, host) = (first.to_bits(), u128::MAX.checked_shr(row.bits.into()));
            let last = first | host.unwrap_or(0);
            let at = |bits: Option<u128>| bits.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)));
            let (before, after) = (first.checked_sub(1), last.checked_add(1));
            [at(before), at(Some(first)), at(Some(last)), at(after)]
        }
    }
}

#[test]
fn each_row_holds_its_first_and_last_and_no_neighbour_and_the_edges_are_in_the_table() {
    for row in V4.iter().chain(V6) {
        let [before, first, last, after] = edges_of(row);
        for (edge, inside) in [(before, false), (first, true), (last, true), (after, false)] {
            let Some(edge) = edge else { continue };
            assert_eq!(row.holds(edge), inside, "{edge} in {row:?}");
        }
        for edge in [first, last].into_iter().flatten() {
            let embedded = unmapped(edge) != edge;
            let known = EDGES.iter().any(|(text, _)| ip(text) == edge);
            let covered = row.name == "not global unicast" || row.bits == 128 || row.bits == 32;
            assert!(known || embedded || covered, "no edge {edge} of {row:?}");
        }
    }
}

#[test]
fn families_do_not_mix_and_prefixes_of_any_length_hold() {
    assert!(!holds(ip("0.0.0.0"), 0, ip("::1")));
    assert!(!holds(ip("::"), 0, ip("1.2.3.4")));
    assert!(holds(ip("0.0.0.0"), 0, ip("255.255.255.255")));
    assert!(holds(ip("::"), 0, ip("ffff::")));
    assert!(
        holds(ip("10.0.0.1"), 32, ip("10.0.0.1")) && !holds(ip("10.0.0.1"), 32, ip("10.0.0.0"))
    );
}

/// The same IPv4 address in each of its IPv6 embeddings.
fn embeddings(v4: Ipv4Addr) -> [(&'static str, Ipv6Addr); 7] {
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let make = Ipv6Addr::new;
    [
        ("mapped", make(0, 0, 0, 0, 0, 0xffff, high, low)),
        ("NAT64", make(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
        ("compatible", make(0, 0, 0, 0, 0, 0, high, low)),
        ("SIIT", make(0, 0, 0, 0, 0xffff, 0, high, low)),
        ("6to4", make(0x2002, high, low, 0, 0, 0, 0, 1)),
        ("Teredo", make(0x2001, 0, 0, 0, 0, 0, !high, !low)),
        ("ISATAP", make(0, 0, 0, 0, 0, 0x5efe, high, low)),
    ]
}

#[test]
fn every_embedding_is_judged_by_what_it_holds_or_blocked() {
    for text in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "8.8.8.8",
        "0.1.2.3",
    ] {
        let v4: Ipv4Addr = text.parse().unwrap();
        for (form, v6) in embeddings(v4) {
            let found = class(IpAddr::V6(v6));
            match form {
                "mapped" | "NAT64" => assert_eq!(found, class(IpAddr::V4(v4)), "{form} {text}"),
                _ => assert!(
                    matches!(found, Class::Blocked(_)),
                    "{form} {text}: {found:?}"
                ),
            }
            let local = policy(Preset::Local);
            let verdict = local
                .judge(SocketAddr::new(v6.into(), 80), "a", false)
                .is_ok();
            let open = matches!(form, "mapped" | "NAT64");
            let good = !matches!(class(IpAddr::V4(v4)), Class::Blocked(_));
            assert_eq!(verdict, open && good, "{form} {text}");
        }
    }
    assert!(matches!(class(ip("fe80::5efe:7f00:1")), Class::Blocked(_)));
}

#[test]
fn presets_open_their_classes_and_nothing_more() {
    let (public, local) = (policy(Preset::Public), policy(Preset::Local));
    for (text, _) in EDGES {
        let addr = SocketAddr::new(ip(text), 80);
        let found = class(addr.ip());
        let opens = |policy: &Policy, strict| policy.judge(addr, "a", strict).is_ok();
        assert_eq!(opens(&public, false), found == Class::Public, "{text}");
        assert_eq!(opens(&local, true), found == Class::Public, "{text} strict");
        let blocked = matches!(found, Class::Blocked(_));
        assert_eq!(opens(&local, false), !blocked, "{text} local");
    }
}

/// Preset, allow and deny rules, host, address, strict; the class and the flag of the refusal.
type Row6 = (
    Preset,
    &'static str,
    &'static str,
    (&'static str, &'static str, bool),
    Option<(&'static str, &'static str)>,
);

const RULES: &[Row6] = &[
    (Preset::Public, "", "", ("a", "8.8.8.8:80", false), None),
    (
        Preset::Public,
        "",
        "",
        ("a", "10.0.0.1:80", false),
        Some(("private", "--targets local, or --allow-target 10.0.0.1:80")),
    ),
    (
        Preset::Local,
        "",
        "",
        ("a", "[fd00::1]:80", true),
        Some((
            "unique local",
            "leave out targets=public, or --allow-target [fd00::1]:80",
        )),
    ),
    (
        Preset::Public,
        "10.0.0.0/8",
        "",
        ("a", "10.0.0.1:80", true),
        None,
    ),
    (
        Preset::Public,
        "10.0.0.0/8",
        "",
        ("a", "[::ffff:10.0.0.1]:80", false),
        None,
    ),
    (
        Preset::Public,
        "::ffff:10.0.0.0/104",
        "",
        ("a", "10.0.0.1:80", false),
        None,
    ),
    (
        Preset::Public,
        "10.0.0.0/8:443",
        "",
        ("a", "10.0.0.1:80", false),
        Some(("private", "--targets local, or --allow-target 10.0.0.1:80")),
    ),
    (
        Preset::Public,
        "inner.example",
        "",
        ("inner.EXAMPLE.", "10.0.0.1:80", false),
        None,
    ),
    // A name opens no address that is always blocked: who rules its DNS would rule us.
    (
        Preset::Public,
        "inner.example",
        "",
        ("inner.example", "169.254.169.254:80", false),
        Some(("cloud metadata", "--allow-target 169.254.169.254:80")),
    ),
    (
        Preset::Local,
        "169.254.169.254",
        "",
        ("a", "169.254.169.254:80", false),
        None,
    ),
    (
        Preset::Local,
        "10.0.0.0/8",
        "10.0.0.7",
        ("a", "10.0.0.7:80", false),
        Some(("denied", "leave out --deny-target 10.0.0.7")),
    ),
    (
        Preset::Local,
        "",
        "evil.example:80",
        ("evil.example", "8.8.8.8:80", false),
        Some(("denied", "leave out --deny-target evil.example:80")),
    ),
    (
        Preset::Local,
        "",
        "evil.example:80",
        ("evil.example", "8.8.8.8:81", false),
        None,
    ),
    (
        Preset::Public,
        "",
        "",
        ("a", "8.8.8.8:6379", false),
        Some(("bad port", "--allow-target 8.8.8.8:6379")),
    ),
    (
        Preset::Public,
        "redis.example:6379",
        "",
        ("redis.example", "8.8.8.8:6379", false),
        None,
    ),
    (Preset::Local, "", "", ("a", "127.0.0.1:6379", false), None),
    (
        Preset::Local,
        "",
        "",
        ("a", "8.8.8.8:25", true),
        Some(("bad port", "--allow-target 8.8.8.8:25")),
    ),
];

fn rules(text: &str) -> Vec<Rule> {
    let words = text.split_whitespace();
    words.map(|text| Rule::parse(text).unwrap()).collect()
}

#[test]
fn rules_and_presets_and_who_wins() {
    for (preset, allow, deny, (host, to, strict), expected) in RULES {
        let mut policy = policy(*preset);
        (policy.allow, policy.deny) = (rules(allow), rules(deny));
        let verdict = policy.judge(addr(to), host, *strict);
        let found = verdict
            .as_ref()
            .err()
            .map(|why| (why.class, why.flag.as_str()));
        assert_eq!(
            found, *expected,
            "{preset:?} +{allow} -{deny} {host} {to} {strict}"
        );
        // The flag does what it says.
        let Some((_, flag)) = found.and_then(|(_, flag)| flag.split_once("--allow-target ")) else {
            continue;
        };
        policy.allow.extend(rules(flag));
        assert_eq!(policy.judge(addr(to), host, *strict), Ok(()), "with {flag}");
    }
}

#[test]
fn a_call_to_ourselves_is_forbidden_unless_it_is_named_exactly() {
    let mut policy = policy(Preset::Local);
    policy.own = vec![addr("127.0.0.1:8080"), addr("0.0.0.0:81"), addr("[::]:82")];
    policy.own.push(addr("192.168.1.5:83"));
    let rows = [
        ("127.0.0.1:8080", false),
        ("[::ffff:127.0.0.1]:8080", false),
        ("[64:ff9b::7f00:1]:8080", false),
        ("127.0.0.2:8080", true),
        ("127.0.0.1:8081", true),
        ("[::1]:8080", true),
        ("127.0.0.1:81", false),
        ("127.9.9.9:81", false),
        ("[::1]:82", false),
        ("127.0.0.1:82", false),
        ("192.168.1.5:83", false),
        ("192.168.1.6:83", true),
    ];
    for (to, open) in rows {
        policy.allow = rules("127.0.0.0/8 ::1 192.168.0.0/16");
        let verdict = policy.judge(addr(to), "a", false);
        assert_eq!(verdict.is_ok(), open, "{to}: {verdict:?}");
        let Err(why) = verdict else { continue };
        assert_eq!(why.class, "own listener", "{to}");
        policy.allow.extend(rules(&format!("{}", addr(to))));
        assert_eq!(policy.judge(addr(to), "a", false), Ok(()), "{to} by name");
    }
}

#[test]
fn a_name_is_forbidden_when_all_its_addresses_are() {
    let policy = policy(Preset::Public);
    let all = |addrs: &[SocketAddr]| policy.judge_all(addrs, "a", 80, false).is_ok();
    let (good, bad) = (addr("8.8.8.8:80"), addr("127.0.0.1:80"));
    assert!(all(&[good]) && all(&[bad, good]) && all(&[good, bad]) && all(&[]));
    assert!(!all(&[bad]) && !all(&[bad, bad]));
    assert!(
        policy.judge_all(&[], "a", 6379, false).is_err(),
        "its port is bad"
    );
}

#[test]
fn the_ports_are_in_order_and_hold_those_of_the_specification() {
    assert!(BAD_PORTS.is_sorted());
    for port in [25, 110, 143, 2375, 6379, 9200, 11211, 6000, 10080] {
        assert!(BAD_PORTS.binary_search(&port).is_ok(), "{port}");
    }
    for port in [80, 443, 8080, 8443, 9000] {
        assert!(BAD_PORTS.binary_search(&port).is_err(), "{port}");
    }
}

#[test]
fn rules_are_read_and_written() {
    let rows = [
        ("10.0.0.0/8", Some("10.0.0.0/8")),
        ("10.0.0.1", Some("10.0.0.1")),
        ("10.0.0.1/32", Some("10.0.0.1")),
        ("10.0.0.1:80", Some("10.0.0.1:80")),
        ("10.0.0.0/8:443", Some("10.0.0.0/8:443")),
        ("::1", Some("::1")),
        ("fd00::/8", Some("fd00::/8")),
        ("[::1]:80", Some("[::1]:80")),
        ("[fd00::/8]:80", Some("[fd00::/8]:80")),
        ("::ffff:10.0.0.1", Some("10.0.0.1")),
        ("Example.COM.", Some("example.com")),
        ("my_host-1.internal:81", Some("my_host-1.internal:81")),
        ("", None),
        (":80", None),
        ("10.0.0.1:", None),
        ("10.0.0.1:65536", None),
        ("10.0.0.1:+80", None),
        ("10.0.0.0/33", None),
        ("::/129", None),
        ("::ffff:0.0.0.0/95", None),
        ("[10.0.0.1]:80", None),
        ("[::1", None),
        ("[a.example]:80", None),
        ("fd00::/8:80", None),
        ("10.0.1", None),
        ("256.1.1.1", None),
        ("a..b", None),
        ("-a", None),
        ("*.example.com", None),
        ("a b", None),
        ("http://a", None),
    ];
    for (text, printed) in rows {
        let rule = Rule::parse(text).map(|rule| rule.to_string());
        assert_eq!(rule.as_deref(), printed, "{text:?}");
    }
}

#[test]
fn a_refusal_names_address_class_and_flag() {
    let why = policy(Preset::Public)
        .judge(addr("[::ffff:127.0.0.1]:80"), "a", false)
        .unwrap_err();
    assert_eq!(why.detail, "blocked_target_loopback");
    assert_eq!(
        why.to_string(),
        "[::ffff:127.0.0.1]:80 is forbidden (loopback); to allow it: --targets local, or \
         --allow-target [::ffff:127.0.0.1]:80"
    );
}
