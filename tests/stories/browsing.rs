//! What web pages make browsers send to a server on the visitor's own machine, as browsers send it;
//! and that whoever is no browser notices nothing of the guard.

use crate::client::{Answer, Client};
use crate::server::{Server, hookah, run};
use crate::target::Target;
use crate::{FORM, ask, metric, settled};

/// As people start it, without the names that stories use.
fn started(flags: &[&str]) -> Server {
    let mut command = hookah();
    command.env_remove("HOOKAH_HOST_NAME");
    command.args(["--port", "0"]).args(flags);
    Server::spawn(command)
}

/// A request that names `host` where our address would stand; `PORT` in it is our port.
fn say(server: &Server, start: &str, host: &str, fields: &str, body: &str) -> Answer {
    let port = server.addr().port().to_string();
    let host = host.replace("PORT", &port);
    let fields = fields.replace("PORT", &port);
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let request = format!("{start} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n{body}");
    ask(server, request)
}

/// What a page's form, script or image is sent with.
const FOREIGN: &[&str] = &[
    "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
    "Origin: https://evil.example\r\n",
    "Origin: null\r\n",
    "Origin: http://localhost:1\r\nSec-Fetch-Site: same-site\r\n",
    "Origin: https://127.0.0.1:PORT\r\n",
    "Sec-Fetch-Site: cross-site\r\n",
    "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n",
];

#[test]
fn a_foreign_page_cannot_make_a_browser_dispatch() {
    let (server, target) = (started(&[]), Target::willing());
    let url = target.url("/");
    for fields in FOREIGN {
        for (start, fields, body) in [
            (
                "POST /dispatch",
                format!("{fields}{FORM}"),
                format!("_url={url}"),
            ),
            (
                "POST /dispatch",
                format!("{fields}Content-Type: text/plain\r\nHookah-Url: {url}\r\n"),
                "x".to_owned(),
            ),
            (
                "POST /dispatch/batch",
                (*fields).to_owned(),
                format!("[{{\"_url\":\"{url}\"}}]"),
            ),
            (
                "POST /hub",
                format!("{fields}{FORM}"),
                "hub.mode=publish&hub.url=a".to_owned(),
            ),
            (
                "POST /messages/resend?status=failed",
                (*fields).to_owned(),
                String::new(),
            ),
            ("DELETE /topics/a", (*fields).to_owned(), String::new()),
        ] {
            let answer = say(&server, start, "127.0.0.1:PORT", &fields, &body);
            assert_eq!(answer.status, 403, "{start} {fields}: {answer:?}");
            let names = answer.body.contains("Origin") || answer.body.contains("Sec-Fetch-Site");
            assert!(
                names && answer.body.contains("--cors-origin"),
                "{}",
                answer.body
            );
            assert!(answer.fields.get("Access-Control-Allow-Origin").is_none());
        }
    }
    let refused = 6 * FOREIGN.len() as u64;
    let read = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let metrics = ask(&server, read).body;
    let line = format!("hookah_origins_foreign_total {refused}");
    assert!(metrics.contains(&line), "{metrics}");
    assert!(
        metrics.contains("hookah_messages_accepted_total 0"),
        "{metrics}"
    );
    target.has_no_more();
}

#[test]
fn a_page_whose_name_was_given_our_address_reads_and_sends_nothing() {
    let (server, target) = (started(&[]), Target::willing());
    let same = "Origin: http://evil.example:PORT\r\nSec-Fetch-Site: same-origin\r\n";
    let form = format!("_url={}", target.url("/"));
    for (start, body) in [
        ("GET /", ""),
        ("GET /messages", ""),
        ("GET /metrics", ""),
        ("GET /stream?topic=a", ""),
        ("GET /topics?limit=3", ""),
        ("POST /dispatch", &*form),
    ] {
        let fields = format!("{same}{FORM}");
        let answer = say(&server, start, "evil.example:PORT", &fields, body);
        assert_eq!(answer.status, 403, "{start}: {answer:?}");
        assert!(answer.body.contains("evil.example:"), "{}", answer.body);
        assert!(answer.body.contains("--host-name"), "{}", answer.body);
    }
    // Whoever asks for the sake of a machine's health may not know its name.
    for start in ["GET /health", "GET /ready"] {
        assert_eq!(say(&server, start, "evil.example", "", "").status, 200);
    }
    target.has_no_more();
}

#[test]
fn scripts_and_people_notice_nothing() {
    let (server, target) = (started(&[]), Target::willing());
    let body = format!("_url={}", target.url("/"));
    let hosts = [
        "127.0.0.1:PORT",
        "localhost:PORT",
        "[::1]:PORT",
        "app.localhost",
        "10.0.0.1",
    ];
    let curl = format!("User-Agent: curl/8.14.1\r\nAccept: */*\r\n{FORM}");
    let typed = "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n";
    for host in hosts {
        assert_eq!(
            say(&server, "POST /dispatch", host, &curl, &body).status,
            202,
            "{host}"
        );
        assert_eq!(say(&server, "GET /", host, typed, "").status, 200, "{host}");
    }
    // Our own page posts as pages do.
    let own = format!("Origin: http://localhost:PORT\r\nSec-Fetch-Site: same-origin\r\n{FORM}");
    assert_eq!(
        say(&server, "POST /dispatch", "localhost:PORT", &own, &body).status,
        202
    );
    // Neither asks an old client for a name.
    let length = body.len();
    let old = format!("POST /dispatch HTTP/1.0\r\n{FORM}Content-Length: {length}\r\n\r\n{body}");
    assert_eq!(ask(&server, old).status, 202);
    for _ in 0..hosts.len() + 2 {
        target.arrival();
    }
    target.has_no_more();
}

/// A web server in front of us passes the name that it has.
#[test]
fn names_and_origins_are_let_in_by_flags() {
    let flags = [
        "--public-url",
        "https://events.example/hooks",
        "--host-name",
        "Inner.example",
        "--host-name=box",
        "--cors-origin",
        "https://app.example",
    ];
    let (server, target) = (started(&flags), Target::willing());
    let body = format!("_url={}", target.url("/"));
    let from = |origin: &str| format!("Origin: {origin}\r\n{FORM}");
    let rows = [
        ("events.example", from("https://events.example"), 202),
        ("inner.example:8080", from("http://inner.example:8080"), 202),
        ("BOX.", FORM.to_owned(), 202),
        ("127.0.0.1", from("https://events.example"), 202),
        ("127.0.0.1", from("https://app.example"), 202),
        ("box", from("http://events.example"), 403),
        ("box", from("https://inner.example"), 403),
        ("box", from("https://app.example:8443"), 403),
        ("other.example", FORM.to_owned(), 403),
        ("app.example", FORM.to_owned(), 403),
    ];
    for (host, fields, expected) in &rows {
        let answer = say(&server, "POST /dispatch", host, fields, &body);
        assert_eq!(answer.status, *expected, "{host} {fields}: {answer:?}");
    }
    for _ in rows.iter().filter(|(_, _, status)| *status == 202) {
        target.arrival();
    }
    target.has_no_more();
}

/// The preflight, the request and its answer, as a browser goes about it.
#[test]
fn a_page_of_a_listed_origin_asks_and_sends_and_reads() {
    let (server, target) = (
        started(&["--cors-origin", "https://app.example"]),
        Target::willing(),
    );
    let origin = "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n";
    let asks = "Access-Control-Request-Method: POST\r\n\
                Access-Control-Request-Headers: authorization,content-type,idempotency-key\r\n\
                Access-Control-Request-Private-Network: true\r\n";
    let port = server.addr().port();
    let mut client = Client::connect(server.addr());
    let ask = format!("OPTIONS /dispatch HTTP/1.1\r\nHost: localhost:{port}\r\n{origin}{asks}\r\n");
    let answer = client.send(ask).answer();
    assert_eq!(answer.status, 204, "{answer:?}");
    let field = |answer: &Answer, name: &str| answer.fields.get(name).unwrap_or("").to_owned();
    let allow = "Access-Control-Allow-";
    assert_eq!(
        field(&answer, &format!("{allow}Origin")),
        "https://app.example"
    );
    assert!(field(&answer, &format!("{allow}Methods")).contains("POST"));
    assert!(field(&answer, &format!("{allow}Headers")).contains("Authorization"));
    assert_eq!(field(&answer, &format!("{allow}Private-Network")), "true");
    let json = format!("{{\"_url\":\"{}\",\"n\":1}}", target.url("/"));
    let length = json.len();
    let post = format!(
        "POST /dispatch HTTP/1.1\r\nHost: localhost:{port}\r\n{origin}Authorization: Bearer abc\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    );
    let answer = client.send(post).answer();
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(
        field(&answer, &format!("{allow}Origin")),
        "https://app.example"
    );
    assert!(field(&answer, "Access-Control-Expose-Headers").contains("Hookah-Id"));
    assert_eq!(field(&answer, "Vary"), "Origin");
    target.arrival();
    target.has_no_more();
}

/// What everybody may read nobody may therefore change.
#[test]
fn a_star_opens_what_is_read_alone() {
    let (server, target) = (
        Server::with(["--port", "0", "--cors-origin", "*"]),
        Target::willing(),
    );
    let body = format!("_url={}", target.url("/"));
    let origin = "Origin: https://evil.example\r\n";
    let answer = say(&server, "GET /messages", "localhost", origin, "");
    assert_eq!(answer.fields.get("Access-Control-Allow-Origin"), Some("*"));
    for more in ["", "Authorization: Bearer abc\r\n"] {
        let fields = format!("{origin}{more}{FORM}");
        let answer = say(&server, "POST /dispatch", "localhost", &fields, &body);
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert_eq!(metric(&server, "hookah_origins_foreign_total"), 2);
    settled(&server);
    target.has_no_more();
}

#[test]
fn a_wrong_name_or_origin_says_what_is_allowed() {
    for (flags, says) in [
        (
            ["--host-name", "app.example:80"],
            "a host name without scheme and port",
        ),
        (
            ["--host-name", "http://app.example"],
            "a host name without scheme and port",
        ),
        (["--host-name", ""], "a host name without scheme and port"),
        (
            ["--cors-origin", "app.example"],
            "an origin as browsers send it",
        ),
        (
            ["--cors-origin", "https://app.example/"],
            "an origin as browsers send it",
        ),
        (["--cors-origin", "null"], "an origin as browsers send it"),
    ] {
        let ran = run(flags);
        assert_eq!(ran.code, Some(64), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(flags[1]), "{flags:?}: {}", ran.stderr);
    }
}
