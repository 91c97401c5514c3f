//! Tests of targets: every spelling of an address that the URL standard knows, and every refusal.

use super::*;

fn ok(text: &str) -> Target {
    parse(text).unwrap_or_else(|problem| panic!("{text:?}: {problem:?}"))
}

fn refused(text: &str) -> String {
    let problem = parse(text).expect_err(text);
    assert_eq!(problem.reason, Reason::BadTarget, "{text}");
    problem.detail.into_owned()
}

/// Text; host, port, authority, path and URL of its target.
type Row = (
    &'static str,
    &'static str,
    u16,
    &'static str,
    &'static str,
    &'static str,
);

const PARTS: &[Row] = &[
    (
        "http://127.0.0.1",
        "127.0.0.1",
        80,
        "127.0.0.1",
        "/",
        "http://127.0.0.1/",
    ),
    (
        "http://127.0.0.1:80/",
        "127.0.0.1",
        80,
        "127.0.0.1",
        "/",
        "http://127.0.0.1/",
    ),
    (
        "HTTP://127.0.0.1:9000/a/../b?c=d&e#f",
        "127.0.0.1",
        9000,
        "127.0.0.1:9000",
        "/b?c=d&e",
        "http://127.0.0.1:9000/b?c=d&e",
    ),
    (
        "http://[::1]:1/?",
        "[::1]",
        1,
        "[::1]:1",
        "/?",
        "http://[::1]:1/?",
    ),
    (
        "http://LOCALHOST:65535",
        "localhost",
        65535,
        "localhost:65535",
        "/",
        "http://localhost:65535/",
    ),
    (
        "http://u:p@127.0.0.1:9/x#frag",
        "127.0.0.1",
        9,
        "127.0.0.1:9",
        "/x",
        "http://127.0.0.1:9/x",
    ),
    (
        "http://127.0.0.1/ü ?ü 'x#",
        "127.0.0.1",
        80,
        "127.0.0.1",
        "/%C3%BC%20?%C3%BC%20%27x",
        "http://127.0.0.1/%C3%BC%20?%C3%BC%20%27x",
    ),
    (
        "http://127.0.0.1/\r\nFoo: bar",
        "127.0.0.1",
        80,
        "127.0.0.1",
        "/Foo:%20bar",
        "http://127.0.0.1/Foo:%20bar",
    ),
];

#[test]
fn every_part_has_its_place() {
    for (text, host, port, authority, path, url) in PARTS {
        let target = ok(text);
        assert_eq!(&*target.origin.host, *host, "{text}");
        assert_eq!(target.origin.port, *port, "{text}");
        assert_eq!(&*target.authority, *authority, "{text}");
        assert_eq!(&*target.path, *path, "{text}");
        assert_eq!(&*target.url, *url, "{text}");
    }
}

#[test]
fn https_has_its_own_port_lane_and_name() {
    let rows = [
        ("https://127.0.0.1", 443, "127.0.0.1", "127.0.0.1"),
        ("HTTPS://127.1:443/", 443, "127.0.0.1", "127.0.0.1"),
        ("https://127.0.0.1:80/", 80, "127.0.0.1:80", "127.0.0.1"),
        ("https://[::1]:8443/", 8443, "[::1]:8443", "::1"),
        ("https://LocalHost.:9/", 9, "localhost.:9", "localhost"),
        (
            "https://api.localhost/",
            443,
            "api.localhost",
            "api.localhost",
        ),
    ];
    for (text, port, authority, name) in rows {
        let target = ok(text);
        assert_eq!(target.origin.scheme, Scheme::Https, "{text}");
        assert_eq!(target.origin.port, port, "{text}");
        assert_eq!(&*target.authority, authority, "{text}");
        assert_eq!(target.server_name.as_deref(), Some(name), "{text}");
        assert!(target.url.starts_with("https://"), "{text}");
        assert!(
            target.addrs.iter().all(|addr| addr.port() == port),
            "{text}"
        );
    }
    assert_eq!(ok("http://localhost/").server_name, None);
    assert_ne!(
        ok("http://localhost:9/").origin,
        ok("https://localhost:9/").origin
    );
}

/// security.md, "Spellings".
#[test]
fn all_spellings_of_an_address_are_that_address() {
    let loopback = [
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://017700000001",
        "http://127.1",
        "http://127.0.1",
        "http://127.0.0.1.",
        "http://①②⑦.⓪.⓪.①",
        "http://127。0。0。1",
        "http://%31%32%37.0.0.1",
        "http:\\\\127.0.0.1",
        "http:127.0.0.1",
        "http:///127.0.0.1",
        "  http://127.0.0.1  ",
        "ht\ttp://127.\r\n0.0.1/",
        "http://a@127.0.0.1/",
    ];
    for text in loopback {
        let target = ok(text);
        assert_eq!(*target.addrs, ["127.0.0.1:80".parse().unwrap()], "{text}");
        assert_eq!(&*target.authority, "127.0.0.1", "{text}");
    }
    let rows = [
        ("http://0/", "0.0.0.0:80"),
        ("http://0x/", "0.0.0.0:80"),
        ("http://10.1.2.3:8/", "10.1.2.3:8"),
        ("http://[::1]/", "[::1]:80"),
        ("http://[0:0::0:1]:8/", "[::1]:8"),
        ("http://[::127.0.0.1]/", "[::7f00:1]:80"),
        ("http://[::ffff:127.0.0.1]/", "[::ffff:127.0.0.1]:80"),
        ("http://[2001:DB8::1]/", "[2001:db8::1]:80"),
    ];
    for (text, addr) in rows {
        assert_eq!(*ok(text).addrs, [addr.parse().unwrap()], "{text}");
    }
}

#[test]
fn localhost_is_this_machine_in_both_families() {
    let rows = [
        "http://localhost:9000/",
        "http://localhost.:9000/",
        "http://api.localhost:9000/",
        "http://a.b.Localhost.:9000/",
        "http://ⓛocalhost:9000/",
    ];
    for text in rows {
        let want = [
            "127.0.0.1:9000".parse().unwrap(),
            "[::1]:9000".parse().unwrap(),
        ];
        assert_eq!(*ok(text).addrs, want, "{text}");
    }
}

#[test]
fn any_other_name_is_left_to_be_looked_up() {
    let rows = [
        ("http://example.com/", "example.com"),
        ("http://Example.COM.:8/", "example.com."),
        ("http://evil.com\\@127.0.0.1/", "evil.com"),
        ("http://notlocalhost/", "notlocalhost"),
        ("http://localhost.example/", "localhost.example"),
        ("http://my_host-1/", "my_host-1"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
    ];
    for (text, name) in rows {
        let target = ok(text);
        assert_eq!(target.name.as_deref(), Some(name), "{text}");
        assert_eq!(&*target.origin.host, name, "{text}");
        assert!(target.addrs.is_empty(), "{text}");
    }
    for text in ["http://127.0.0.1/", "http://[::1]/", "http://a.localhost/"] {
        assert_eq!(ok(text).name, None, "{text}");
    }
    let label = |count| "a".repeat(count);
    assert!(refused(&format!("http://{}.test/", label(64))).contains("is no name"));
    let long = [label(63), label(63), label(63), label(63)].join(".");
    assert!(refused(&format!("http://{long}/")).contains("is no name"));
}

#[test]
fn what_cannot_be_called_is_refused_and_says_why() {
    let rows = [
        ("", "is not a URL"),
        ("hello", "is not a URL"),
        ("/relative", "is not a URL"),
        ("//host/", "is not a URL"),
        ("http://", "is not a URL"),
        ("http://256.1.1.1", "is not a URL"),
        ("http://1.2.3.4.5", "is not a URL"),
        ("http://4294967296", "is not a URL"),
        ("http://[fe80::1%25eth0]/", "is not a URL"),
        ("http://127.0.0.1:65536/", "is not a URL"),
        ("http://127.0.0.1:0/", "port 0; allowed: 1 to 65535"),
        ("https://127.0.0.1:0/", "port 0; allowed: 1 to 65535"),
        ("ftp://127.0.0.1/", "scheme \"ftp\"; allowed: http, https"),
        ("file:///etc/passwd", "scheme \"file\"; allowed: http"),
        ("gopher://127.0.0.1/", "scheme \"gopher\"; allowed: http"),
        (
            "javascript:alert(1)",
            "scheme \"javascript\"; allowed: http",
        ),
        ("localhost:9000/hook", "scheme \"localhost\"; allowed: http"),
        (
            "http://a..example/",
            "host \"a..example\" is no name that can be looked up",
        ),
        ("http://a!b.example/", "host \"a!b.example\""),
        ("http://127.0.0.1../", "host \"127.0.0.1..\""),
        ("http://localhost../", "host \"localhost..\""),
        ("http://.localhost/", "host \".localhost\""),
        ("http://a..localhost/", "host \"a..localhost\""),
        ("http://a%3Ab:c@127.0.0.1/", "a user name with a colon"),
    ];
    for (text, want) in rows {
        let detail = refused(text);
        assert!(detail.contains(want), "{text}: {detail}");
    }
}

#[test]
fn userinfo_becomes_basic_authorization_and_shows_nowhere() {
    let rows = [
        ("http://127.0.0.1/", None),
        ("http://@127.0.0.1/", None),
        (
            "http://Aladdin:open%20sesame@127.0.0.1/",
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        ("http://user@127.0.0.1/", Some("Basic dXNlcjo=")),
        ("http://:pass@127.0.0.1/", Some("Basic OnBhc3M=")),
        ("http://u:a:b@127.0.0.1/", Some("Basic dTphOmI=")),
        ("http://%C3%BC:%zz@127.0.0.1/", Some("Basic w7w6JXp6")),
    ];
    for (text, want) in rows {
        let target = ok(text);
        assert_eq!(target.authorization.as_deref(), want, "{text}");
        assert!(
            !target.url.contains('@') && !target.authority.contains('@'),
            "{text}"
        );
    }
    let bad = [
        "http://me:hunter2@",
        "http://me:hunter2@256.1.1.1/",
        "http://me:hunter2@a..example/",
    ];
    for text in bad {
        assert!(!refused(text).contains("hunter2"), "{text}");
    }
}

#[test]
fn a_url_has_a_bound() {
    let url = |bytes: usize| format!("http://127.0.0.1/{}", "x".repeat(bytes - 17));
    assert_eq!(ok(&url(URL_BYTES_MAX)).url.len(), URL_BYTES_MAX);
    assert!(refused(&url(URL_BYTES_MAX + 1)).contains("8193 bytes"));
    assert!(refused(&"é".repeat(2_000)).len() < 400);
}

#[test]
fn a_name_over_tls_is_looked_up_and_its_certificate_must_be_for_it() {
    let target = parse("https://Hooks.Example.:8443/a?b").unwrap();
    assert_eq!(target.name.as_deref(), Some("hooks.example."));
    assert_eq!(target.server_name.as_deref(), Some("hooks.example"));
    assert!(target.addrs.is_empty());
    let origin = (target.origin.scheme, target.origin.port);
    assert_eq!(origin, (Scheme::Https, 8_443));
}

#[test]
fn a_target_comes_back_from_what_is_kept_of_it() {
    for text in [
        "http://localhost:9000/a?b=c",
        "https://us%65r:p%20w@example.com/",
        "https://[::1]:8443/x",
        "http://192.0.2.1",
    ] {
        let target = ok(text);
        let back = kept(&target.url, target.authorization.as_deref()).unwrap();
        assert_eq!(
            (&back.origin, &back.addrs, &back.name, &back.server_name),
            (
                &target.origin,
                &target.addrs,
                &target.name,
                &target.server_name
            )
        );
        assert_eq!(
            (&back.authority, &back.path, &back.url, back.lane),
            (&target.authority, &target.path, &target.url, target.lane)
        );
        assert_eq!(back.authorization, target.authorization);
    }
    let odd = "http://h/a/../%7e?q='x'";
    assert_eq!(&*kept(odd, None).unwrap().path, "/a/../%7e?q='x'");
    for damaged in ["", "h/", "http://", "http://h", "ftp://h/", "http://h:x/"] {
        assert!(kept(damaged, None).is_none(), "{damaged}");
    }
}
