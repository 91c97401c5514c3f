//! Every embedding of a class, every rule, every preset, and who wins over whom.

use super::classes::EDGES;
use super::*;

use std::net::{Ipv4Addr, Ipv6Addr};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn policy(preset: Preset) -> Policy {
    Policy {
        preset,
        ..Policy::default()
    }
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
