//! Rows: who asks, and where the lines lead to.

use super::*;

const SOCKET: &str = "/run/hookah.sock";

fn visitor(door: Door, secure: bool) -> Visitor {
    Visitor {
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        door,
        secure,
    }
}

fn doors(tcp: &[(&str, bool)], socket: Option<&str>) -> Doors {
    let tcp = tcp
        .iter()
        .map(|(addr, secure)| (addr.parse().expect("an address"), *secure));
    Doors {
        tcp: tcp.collect(),
        socket: socket.map(Box::from),
    }
}

fn asked<'a>(host: &'a str, visitor: Visitor, doors: &'a Doors) -> Asked<'a> {
    Asked {
        host,
        visitor,
        doors,
        public_url: None,
        token: false,
        calls_home: true,
        hub_calls_home: true,
    }
}

/// The words before the data and the address of the first line, as a shell would read them.
fn first(asked: &Asked<'_>) -> String {
    let text = text(asked, &[]);
    let line = text
        .lines()
        .find(|line| line.starts_with("  curl "))
        .expect("a line");
    let (options, rest) = line.trim().split_once(" -d ").expect("data");
    let (_, url) = rest.split_once("hello=world ").expect("an address");
    format!("{options} {url}")
}

const HERE_LINE: &str = "curl http://127.0.0.1:8080/dispatch";

fn all() -> Doors {
    let tcp = [
        ("127.0.0.1:8080", false),
        ("[::]:8443", true),
        ("0.0.0.0:80", false),
    ];
    doors(&tcp, Some(SOCKET))
}

#[test]
fn lines_lead_to_where_whoever_asks_has_found_us() {
    let (near, open, all) = (Door::Loopback, Door::Open, all());
    for (host, door, secure, url) in [
        ("127.0.0.1:9", near, false, "http://127.0.0.1:9/dispatch"),
        ("localhost", near, false, "http://localhost/dispatch"),
        ("Box_1.a.:81", near, false, "http://Box_1.a.:81/dispatch"),
        ("[::1]:80", near, false, "'http://[::1]:80/dispatch'"),
        ("a.example:", open, false, "http://a.example/dispatch"),
        ("a.example", open, true, "https://a.example/dispatch"),
        // It does not say.
        ("", near, false, "http://127.0.0.1:8080/dispatch"),
        ("", open, false, "http://127.0.0.1:80/dispatch"),
        ("", open, true, "'https://[::1]:8443/dispatch'"),
        ("", near, true, "'https://[::1]:8443/dispatch'"),
    ] {
        let line = first(&asked(host, visitor(door, secure), &all));
        assert_eq!(line, format!("curl {url}"), "{host:?} {door:?} {secure}");
    }
    let none = doors(&[], None);
    assert_eq!(first(&asked("", visitor(near, false), &none)), HERE_LINE);
}

#[test]
fn a_host_that_means_something_to_a_shell_is_not_repeated() {
    let all = all();
    for host in [
        "a;reboot",
        "a$(reboot)",
        "a&reboot&",
        "a'b'",
        "a*b",
        "a!b",
        "~root",
        "a%3Cscript%3E",
        "evil\"><script>",
        "a`b`",
        "x y",
        "a\nb",
        "\u{202e}b",
    ] {
        let asked = asked(host, visitor(Door::Loopback, false), &all);
        assert_eq!(first(&asked), HERE_LINE, "{host:?}");
        assert!(!text(&asked, &[]).contains(host), "{host:?}");
    }
}

#[test]
fn a_socket_is_named_to_whoever_came_by_it() {
    let own = doors(&[], Some(SOCKET));
    let quoted = doors(&[], Some("/tmp/it's here"));
    let unix = |owner| visitor(Door::Unix { owner }, false);
    let line = "curl --unix-socket /run/hookah.sock http://localhost/dispatch";
    for (host, owner) in [
        ("localhost", true),
        ("localhost", false),
        ("", false),
        ("x", true),
    ] {
        assert_eq!(
            first(&asked(host, unix(owner), &own)),
            line,
            "{host} {owner}"
        );
    }
    assert_eq!(
        first(&asked("localhost", unix(true), &quoted)),
        r"curl --unix-socket '/tmp/it'\''s here' http://localhost/dispatch"
    );
    // One without a file has a flag of its own.
    let hidden = doors(&[], Some("@hookah"));
    assert_eq!(
        first(&asked("localhost", unix(true), &hidden)),
        "curl --abstract-unix-socket hookah http://localhost/dispatch"
    );
    // A web server in front of it passes the name by which it is known itself.
    assert_eq!(
        first(&asked("a.example", unix(false), &own)),
        "curl http://a.example/dispatch"
    );
}

#[test]
fn a_public_address_wins_but_for_whoever_came_by_a_socket() {
    let own = doors(&[("127.0.0.1:8080", false)], Some(SOCKET));
    let with = |url, visitor| Asked {
        public_url: Some(url),
        ..asked("localhost", visitor, &own)
    };
    let near = visitor(Door::Loopback, false);
    for (url, line) in [
        ("https://e.example", "curl https://e.example/dispatch"),
        ("https://e.example/a", "curl https://e.example/a/dispatch"),
        (
            "https://e.example/a'b",
            r"curl 'https://e.example/a'\''b/dispatch'",
        ),
    ] {
        assert_eq!(first(&with(url, near)), line);
    }
    let unix = visitor(Door::Unix { owner: true }, false);
    assert!(first(&with("https://e.example", unix)).contains("--unix-socket"));
}

#[test]
fn lines_show_a_token_and_call_whom_they_may() {
    let own = doors(&[], None);
    let plain = asked("h", visitor(Door::Open, false), &own);
    let told = text(&plain, &[]);
    assert!(
        !told.contains("TOKEN") && told.contains("_url=http://localhost:9000/"),
        "{told}"
    );
    let told = text(
        &Asked {
            token: true,
            calls_home: false,
            hub_calls_home: false,
            ..plain
        },
        &[("GET".to_owned(), "/a".to_owned(), "shows a")],
    );
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("  curl "))
        .collect();
    assert_eq!(lines.len(), 5, "{told}");
    for line in lines {
        assert!(
            line.contains(r#" -H "Authorization: Bearer $TOKEN" "#),
            "{line}"
        );
    }
    assert!(
        !told.contains("localhost") && told.contains("_url=https://example.com/"),
        "{told}"
    );
    assert!(told.ends_with("\n  GET  /a  shows a\n"), "{told}");
    assert!(
        told.contains(concat!("Hookah ", env!("CARGO_PKG_VERSION"))),
        "{told}"
    );
}
