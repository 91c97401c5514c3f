//! The guard, row by row and every combination.

use super::*;
use crate::http::request;

const LOOPBACK: Visitor = Visitor {
    peer: std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
    door: Door::Loopback,
    secure: false,
};

const DOORS: [Door; 4] = [
    Door::Open,
    Door::Loopback,
    Door::Unix { owner: true },
    Door::Unix { owner: false },
];

/// What `judge` is to do with a request of these lines.
fn with<T>(lines: &str, judge: impl FnOnce(&Request<'_>) -> T) -> T {
    let head = format!("{lines}\r\n");
    let mut slots = request::slots();
    let request = request::parse(head.as_bytes(), &mut slots).expect("a head");
    judge(&request)
}

fn settings(origins: &[&str], names: &[&str], public: Option<&str>) -> Settings {
    let mut settings = Settings::default();
    assert!(origins.iter().all(|it| settings.origins.add(it)));
    assert!(names.iter().all(|it| settings.add_name(it)));
    if let Some(url) = public {
        settings.set_public(url);
    }
    settings
}

fn knows(settings: &Settings, host: &str, door: Door) -> bool {
    let visitor = Visitor { door, ..LOOPBACK };
    let lines = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
    with(&lines, |request| {
        settings.check_host(request, visitor).is_ok()
    })
}

#[test]
fn names_that_are_ours_and_names_that_pages_have() {
    let public = Some("https://events.test:8443/a/b");
    let settings = settings(
        &[],
        &["app.example", "Box.", "xn--bcher-kva.example"],
        public,
    );
    for yes in [
        "127.0.0.1",
        "127.0.0.1:8080",
        "10.1.2.3:",
        "[::1]",
        "[::1]:8080",
        "[fd00::7]:1",
        "localhost",
        "LocalHost:8080",
        "localhost.",
        "localhost.:8080",
        "app.localhost:3000",
        "a.b.LOCALHOST.",
        "app.example",
        "APP.example:80",
        "app.example.",
        "box:9",
        "events.test",
        "events.test:8443",
        "events.test.:1",
        "xn--bcher-kva.example",
    ] {
        assert!(knows(&settings, yes, Door::Loopback), "{yes}");
    }
    for no in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "notlocalhost",
        "-localhost",
        ".localhost",
        "a..localhost",
        "localhost..",
        "localhos",
        "127.0.0.1.evil.example",
        "127.0.0.1..",
        "1.2.3",
        "2130706433",
        "0x7f000001",
        "sub.app.example",
        "app.example.evil",
        "events.test.evil",
        "%6cocalhost",
        "hookah",
        "b",
    ] {
        assert!(!knows(&settings, no, Door::Loopback), "{no}");
        // Others connect by whatever name they have for us, and pages cannot to a Unix socket.
        for door in DOORS.into_iter().filter(|door| *door != Door::Loopback) {
            assert!(knows(&settings, no, door), "{no} {door:?}");
        }
    }
}

#[test]
fn the_target_that_is_absolute_wins_over_host_and_old_clients_have_none() {
    let settings = Settings::default();
    let rows = [
        (
            "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
            false,
        ),
        (
            "GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n",
            true,
        ),
        ("GET / HTTP/1.0\r\n", true),
        ("POST / HTTP/1.0\r\n", true),
        ("POST / HTTP/1.0\r\nHost: evil.example\r\n", false),
    ];
    for (lines, expected) in rows {
        let is_ours = with(lines, |request| {
            settings.check_host(request, LOOPBACK).is_ok()
        });
        assert_eq!(is_ours, expected, "{lines}");
    }
}

#[test]
fn a_public_address_is_an_origin_and_a_host() {
    for (url, origin, host) in [
        ("https://hub.test", "https://hub.test", "hub.test"),
        ("http://hub.test:81/a/b", "http://hub.test:81", "hub.test"),
        (
            "https://[fd00::1]:8443/x",
            "https://[fd00::1]:8443",
            "[fd00::1]",
        ),
        ("https://[fd00::1]", "https://[fd00::1]", "[fd00::1]"),
    ] {
        let mut settings = Settings::default();
        settings.set_public(url);
        let public = settings.public.expect("it is an address");
        assert_eq!((&*public.origin, &*public.host), (origin, host), "{url}");
    }
}

#[test]
fn names_that_can_be_configured() {
    for (text, expected) in [
        ("app.example", true),
        ("box", true),
        ("app.example.", true),
        ("", false),
        ("app.example:80", false),
        ("http://app.example", false),
        ("*.example", false),
        ("a b", false),
        ("-1", false),
        ("127.0.0.1", false),
        ("99999999999999999999999", false),
        ("a.1.", false),
        ("1.a", true),
        ("app.example..", false),
        ("[::1]", false),
    ] {
        assert_eq!(Settings::default().add_name(text), expected, "{text}");
    }
}

/// Host, whether TLS came first, and the origins that are our own there.
#[test]
fn our_own_origin_is_scheme_and_host_of_the_request() {
    let settings = settings(&[], &[], Some("https://events.test"));
    for (host, secure, origin, expected) in [
        ("localhost:8080", false, "http://localhost:8080", true),
        ("LOCALHOST:8080", false, "http://localhost:8080", true),
        ("localhost", false, "http://localhost", true),
        ("localhost:80", false, "http://localhost", true),
        ("localhost:443", false, "http://localhost", false),
        ("localhost:443", true, "https://localhost", true),
        ("localhost:8080", false, "http://localhost:8081", false),
        ("localhost:8080", false, "http://localhost", false),
        ("localhost:8080", false, "https://localhost:8080", false),
        ("localhost:8080", true, "https://localhost:8080", true),
        ("localhost:8080", true, "http://localhost:8080", false),
        ("localhost:8080", false, "http://127.0.0.1:8080", false),
        ("[::1]:8080", false, "http://[::1]:8080", true),
        ("127.0.0.1:8080", false, "https://events.test", true),
        ("127.0.0.1:8080", false, "http://events.test", false),
        ("127.0.0.1:8080", false, "https://events.test:8443", false),
        ("127.0.0.1:8080", false, "https://events.test.evil", false),
        ("127.0.0.1:8080", false, "null", false),
        ("127.0.0.1:8080", false, "", false),
        ("127.0.0.1:8080", false, "http://", false),
    ] {
        let visitor = Visitor { secure, ..LOOPBACK };
        let lines = format!("POST / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n");
        let judged = with(&lines, |request| {
            let judged = settings.check_page(request, visitor, Deed::Change, false);
            judged.map_err(Foreign::problem)
        });
        assert_eq!(judged.is_ok(), expected, "{host} {secure} {origin}");
    }
    // Without a Host nothing is.
    let judged = with("POST / HTTP/1.0\r\nOrigin: http://\r\n", |request| {
        let judged = settings.check_page(request, LOOPBACK, Deed::Change, false);
        judged.is_ok()
    });
    assert!(!judged);
}

const OWN: &str = "http://localhost:8080";
const LISTED: &str = "https://app.example";
const EVIL: &str = "https://evil.example";

/// What Origin fields there may be.
const ORIGINS: [&[&str]; 12] = [
    &[],
    &[OWN],
    &[LISTED],
    &[EVIL],
    &["null"],
    &[""],
    &[OWN, LISTED],
    &[LISTED, EVIL],
    &[EVIL, OWN],
    &["https://app.example, https://evil.example"],
    &["https://APP.example"],
    &[LISTED, LISTED],
];

const SITES: [&[&str]; 10] = [
    &[],
    &["none"],
    &["same-origin"],
    &["same-site"],
    &["cross-site"],
    &[""],
    &["Same-Origin"],
    &["same-origin", "cross-site"],
    &["cross-site", "none"],
    &["same-origin, cross-site"],
];

const CREDENTIALS: [&str; 5] = [
    "",
    "Authorization: Bearer abc\r\n",
    "authorization: bEARER x\r\n",
    "Authorization: Bearer \r\n",
    "Authorization: Basic YTpi\r\n",
];

/// The rules once more, said the other way round.
fn may(origins: &[&str], sites: &[&str], deed: Deed, all: bool, bearer: bool) -> bool {
    let fine = |site: &&str| ["none", "same-origin"].contains(site);
    let known = |origin: &&str| [OWN, LISTED].contains(origin);
    match deed {
        Deed::Look => return true,
        Deed::Hold if all => return true,
        Deed::Change if all && bearer => return true,
        _ => {}
    }
    let wanted = !origins.is_empty() && origins.iter().all(|it| *it == LISTED);
    wanted || origins.iter().all(known) && sites.iter().all(fine)
}

#[test]
fn every_combination_of_what_gives_a_page_away() {
    let mut refused = 0;
    for star in [false, true] {
        let origins: &[&str] = if star { &[LISTED, "*"] } else { &[LISTED] };
        let settings = settings(origins, &[], None);
        for (origins, sites) in ORIGINS.iter().flat_map(|it| SITES.map(|site| (it, site))) {
            for credentials in CREDENTIALS {
                let origin_lines = origins.iter().map(|it| format!("Origin: {it}\r\n"));
                let site_lines = sites.iter().map(|it| format!("Sec-Fetch-Site: {it}\r\n"));
                let lines: String = origin_lines.chain(site_lines).collect();
                let lines =
                    format!("POST / HTTP/1.1\r\nHost: localhost:8080\r\n{lines}{credentials}");
                for (deed, tokens) in [Deed::Look, Deed::Hold, Deed::Change]
                    .into_iter()
                    .flat_map(|deed| [(deed, false), (deed, true)])
                {
                    let bearer = tokens
                        && credentials.to_ascii_lowercase().contains("bearer ")
                        && !credentials.ends_with("Bearer \r\n");
                    let expected = may(origins, sites, deed, star, bearer);
                    let judged = with(&lines, |request| {
                        let judged = settings.check_page(request, LOOPBACK, deed, tokens);
                        judged.map_err(Foreign::problem)
                    });
                    assert_eq!(judged.is_ok(), expected, "{lines} {deed:?} {tokens} {star}");
                    if let Err(problem) = judged {
                        refused += 1;
                        assert_eq!(problem.reason, Reason::ForeignOrigin);
                    }
                }
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}

#[test]
fn whose_scripts_may_read_and_whom_a_preflight_invites() {
    let listed = settings(&[LISTED], &[], None);
    let all = settings(&[LISTED, "*"], &[], None);
    let rows: [(&[&str], _, _); 6] = [
        (&[], None, None),
        (&[LISTED], Some(LISTED), Some(LISTED)),
        (&[EVIL], None, Some("*")),
        (&["null"], None, Some("*")),
        (&[OWN], None, Some("*")),
        (&[LISTED, EVIL], None, None),
    ];
    for (origins, one, other) in rows {
        let fields: String = origins
            .iter()
            .map(|it| format!("Origin: {it}\r\n"))
            .collect();
        let lines = format!("GET / HTTP/1.1\r\nHost: localhost:8080\r\n{fields}");
        let shares = |settings: &Settings| with(&lines, |request| settings.shares(request));
        assert_eq!(shares(&listed).as_deref(), one, "{origins:?}");
        assert_eq!(shares(&all).as_deref(), other, "{origins:?}");
    }
    for deed in [Deed::Look, Deed::Hold, Deed::Change] {
        for tokens in [false, true] {
            assert!(listed.invites(LISTED.as_bytes(), deed, tokens));
            assert!(!listed.invites(EVIL.as_bytes(), deed, tokens));
            assert!(all.invites(LISTED.as_bytes(), deed, tokens));
            let opened = deed != Deed::Change || tokens;
            assert_eq!(
                all.invites(EVIL.as_bytes(), deed, tokens),
                opened,
                "{deed:?}"
            );
            assert_eq!(all.invites(b"null", deed, tokens), opened, "{deed:?}");
        }
    }
}

#[test]
fn a_refusal_names_what_is_foreign_and_what_opens_it() {
    let rows = [
        (
            Foreign::Host("evil.example:80"),
            "Host: \"evil.example:80\"",
            "--host-name",
        ),
        (
            Foreign::Origin(b"https://evil"),
            "Origin: \"https://evil\"",
            "--cors-origin",
        ),
        (
            Foreign::Site(b"cross-site"),
            "Sec-Fetch-Site: \"cross-site\"",
            "--cors-origin",
        ),
    ];
    for (foreign, begins, names) in rows {
        let problem = foreign.problem();
        assert_eq!(problem.reason.row().status, 403);
        assert!(problem.detail.starts_with(begins), "{}", problem.detail);
        assert!(problem.detail.contains(names), "{}", problem.detail);
    }
    let long = "x".repeat(5_000);
    assert!(Foreign::Origin(long.as_bytes()).problem().detail.len() < 400);
}
