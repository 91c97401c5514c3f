//! Every class at its edges, and that the table has an edge for each row.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn name(ip: IpAddr) -> &'static str {
    match class(ip) {
        Class::Public => "public",
        Class::Local(row) | Class::Blocked(row) => row.name,
    }
}

/// Last address before, first of, last of, first after, and what each of them is.
pub(in crate::courier::guard) const EDGES: &[(&str, &str)] = &[
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
