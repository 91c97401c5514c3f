//! Every spelling of an address that a URL may have, from its text to the guard's verdict.

use std::net::IpAddr;

use super::*;
use crate::courier::guard::Preset;

fn policy(preset: Preset) -> Policy {
    Policy {
        preset,
        ..Policy::default()
    }
}

/// Hosts as they may be written, and the address that each of them is (security.md section 1).
const SPELLINGS: &[(&str, &str)] = &[
    ("127.0.0.1", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("0x7f000001", "127.0.0.1"),
    ("0x7F.1", "127.0.0.1"),
    ("0177.0.0.1", "127.0.0.1"),
    ("017700000001", "127.0.0.1"),
    ("127.1", "127.0.0.1"),
    ("127.0.1", "127.0.0.1"),
    ("127.0.0.1.", "127.0.0.1"),
    ("①②⑦.⓪.⓪.①", "127.0.0.1"),
    ("127。0。0。1", "127.0.0.1"),
    ("１２７.0.0.1", "127.0.0.1"),
    ("%31%32%37.0.0.1", "127.0.0.1"),
    ("0", "0.0.0.0"),
    ("0x", "0.0.0.0"),
    ("00000000", "0.0.0.0"),
    ("10.1", "10.0.0.1"),
    ("012.0.0.1", "10.0.0.1"),
    ("167772161", "10.0.0.1"),
    ("169.254.43518", "169.254.169.254"),
    ("2852039166", "169.254.169.254"),
    ("0xa9fea9fe", "169.254.169.254"),
    ("0251.0376.0251.0376", "169.254.169.254"),
    ("[::1]", "::1"),
    ("[0:0:0:0:0:0:0:1]", "::1"),
    ("[::127.0.0.1]", "::7f00:1"),
    ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
    ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
    ("[::ffff:0:127.0.0.1]", "::ffff:0:7f00:1"),
    ("[64:ff9b::169.254.169.254]", "64:ff9b::a9fe:a9fe"),
    ("[64:ff9b:1::10.0.0.1]", "64:ff9b:1::a00:1"),
    ("[2002:7f00:1::]", "2002:7f00:1::"),
    ("[2001:0:0:0:0:0:80ff:fffe]", "2001::80ff:fffe"),
    ("[FE80::1]", "fe80::1"),
    ("[fec0::1]", "fec0::1"),
    ("[fd00:0ec2::0254]", "fd00:ec2::254"),
    ("user:word@127.1", "127.0.0.1"),
    ("1.1.1.1@127.1", "127.0.0.1"),
];

#[test]
fn every_spelling_of_an_address_is_judged_as_the_address() {
    for (host, expected) in SPELLINGS {
        for prefix in [
            "http://",
            "http:",
            "http:///",
            "HTTP:\\\\",
            " \thttp://",
            "ht\ntp://",
        ] {
            let text = format!("{prefix}{host}:8000/hook");
            let target = target::parse(&text).unwrap_or_else(|why| panic!("{text:?}: {why:?}"));
            let expected: IpAddr = expected.parse().unwrap();
            let addrs: Vec<IpAddr> = target.addrs.iter().map(SocketAddr::ip).collect();
            assert_eq!(addrs, [expected], "{text:?}");
            let refused = vet(&policy(Preset::Public), &target, false).expect_err(&text);
            assert_eq!(refused.reason, Reason::TargetForbidden, "{text:?}");
            assert!(
                vet(&policy(Preset::Local), &target, true).is_err(),
                "{text:?} strict"
            );
        }
    }
}

#[test]
fn localhost_in_any_spelling_is_loopback() {
    for host in [
        "localhost",
        "LocalHost",
        "localhost.",
        "ⓛocalhost",
        "a.b.localhost",
    ] {
        let target = target::parse(&format!("http://{host}:8000/")).unwrap();
        let refused = vet(&policy(Preset::Public), &target, false).expect_err(host);
        assert!(refused.detail.contains("loopback"), "{}", refused.detail);
        assert!(
            vet(&policy(Preset::Local), &target, false).is_ok(),
            "{host}"
        );
    }
}

#[test]
fn what_is_no_target_never_reaches_the_guard() {
    for text in [
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://4294967296/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1:0/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
    ] {
        assert!(target::parse(text).is_err(), "{text}");
    }
    let evil = target::parse("http://evil.example\\@127.0.0.1/");
    let host = evil.map_or("evil.example".into(), |target| target.origin.host);
    assert_eq!(&*host, "evil.example", "the backslash ends the host");
}

#[test]
fn a_refusal_hides_userinfo_and_names_the_flag() {
    let target = target::parse("http://user:word@10.0.0.1:25/x").unwrap();
    let refused = vet(&policy(Preset::Public), &target, false).unwrap_err();
    assert_eq!(
        refused.detail,
        "\"http://10.0.0.1:25/x\": 10.0.0.1:25 is forbidden (private); to allow it: \
         --targets local, or --allow-target 10.0.0.1:25"
    );
}

#[test]
fn only_the_target_s_own_failures_are_evidence_against_it() {
    let answer = |status| Ending::Answer {
        status,
        retry_after: None,
    };
    let fault = |fault, detail| Ending::Fault { fault, detail };
    let rows = [
        (answer(200), Evidence::Well),
        (answer(302), Evidence::Well),
        (answer(404), Evidence::Well),
        (answer(429), Evidence::Well),
        (answer(500), Evidence::Ill),
        (answer(503), Evidence::Ill),
        (answer(599), Evidence::Ill),
        (answer(999), Evidence::Well),
        (fault(Fault::Dns, "nxdomain"), Evidence::Ill),
        (fault(Fault::Connect, "refused"), Evidence::Ill),
        (fault(Fault::Connect, "out_of_descriptors"), Evidence::None),
        (fault(Fault::Tls, "tls_cert_expired"), Evidence::Ill),
        (fault(Fault::Timeout, "no_answer"), Evidence::Ill),
        (fault(Fault::Protocol, "bare_lf"), Evidence::Ill),
        (fault(Fault::Protocol, "memory_full"), Evidence::None),
        (
            fault(Fault::Policy, "blocked_target_private"),
            Evidence::None,
        ),
    ];
    for (ending, expected) in rows {
        assert_eq!(evidence(&ending), expected, "{ending:?}");
    }
}
