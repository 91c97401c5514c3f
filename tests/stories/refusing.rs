//! Options and targets that cannot be: the answer names the option, the value and what is allowed,
//! and nothing is queued.

use crate::client::Client;
use crate::server::Server;
use crate::target::Target;
use crate::{FORM, form, metric, post};

/// Option, value, and what the answer must say is allowed.
const VALUES: &[(&str, &str, &str)] = &[
    ("method", "BREW", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ("method", "OPTIONS", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ("delay", "soon", "up to 366d"),
    ("delay", "-1s", "up to 366d"),
    ("delay", "367d", "up to 366d"),
    ("not-before", "tomorrow", "RFC 3339"),
    ("expires", "never", "an age up to 366d"),
    ("expires", "0", "an age up to 366d"),
    ("expires", "1999-01-01T00:00:00Z", "a time ahead"),
    ("retries", "-1", "0 to 1000"),
    ("retries", "1001", "0 to 1000"),
    ("retries", "", "0 to 1000"),
    ("retry-schedule", "5s,", "5s,5m"),
    ("retry-schedule", "linear(1,2)", "5s,5m"),
    ("timeout", "0", "100ms to 1h"),
    ("timeout", "2h", "100ms to 1h"),
];

/// Targets that are refused, and a word of why.
const TARGETS: &[(&str, &str)] = &[
    ("", "URL"),
    ("nonsense", "URL"),
    ("/relative", "URL"),
    ("ftp://127.0.0.1/", "http"),
    ("file:///etc/passwd", "http"),
    ("http://127.0.0.1:0/", "port"),
    ("http://127.0.0.1:99999/", "URL"),
    ("http://[::1/", "URL"),
    ("http://a..example/", "is no name that can be looked up"),
];

#[test]
fn a_bad_value_is_named_with_what_is_allowed() {
    let (server, target) = (Server::start(), Target::willing());
    let mut client = Client::connect(server.addr());
    for (option, value, allowed) in VALUES {
        let field = format!("_{}", option.replace('-', "_"));
        let encoded = value.replace(',', "%2C");
        let url = target.url("/");
        let header = format!("{FORM}Hookah-{option}: {value}\r\n");
        let query = format!("/dispatch?{field}={encoded}");
        let spellings = [
            (
                form(&format!("_url={url}&a=1&{field}={encoded}")),
                field.clone(),
            ),
            (post(&query, FORM, format!("_url={url}")), field),
            (
                post("/dispatch", &header, format!("_url={url}")),
                format!("Hookah-{option}"),
            ),
        ];
        for (request, spelled) in spellings {
            let answer = client.send(request).answer();
            assert_eq!(answer.status, 400, "{spelled}={value}: {answer:?}");
            assert!(!answer.closes(), "a mistake is no reason to hang up");
            let named = format!("400 Bad option: {spelled}: {value:?}");
            assert!(answer.body.starts_with(&named), "{named}\n{}", answer.body);
            assert!(answer.body.contains("; allowed: "), "{}", answer.body);
            assert!(answer.body.contains(allowed), "{allowed}\n{}", answer.body);
        }
    }
    nothing_was_queued(&server, &target);
}

#[test]
fn a_bad_target_is_refused() {
    let (server, target) = (Server::start(), Target::willing());
    let mut client = Client::connect(server.addr());
    for (url, why) in TARGETS {
        // A good one beside it does not save it.
        let answer = client
            .send(form(&format!("_url={}&_url={url}", target.url("/"))))
            .answer();
        assert_eq!(answer.status, 400, "{url:?}: {answer:?}");
        assert!(
            answer.body.starts_with("400 Bad target URL: "),
            "{}",
            answer.body
        );
        assert!(answer.body.contains(why), "{url:?}: {}", answer.body);
    }
    let secret = form("_url=ftp://me:secret@127.0.0.1/");
    let answer = client.send(secret).answer();
    assert_eq!(answer.status, 400);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
    nothing_was_queued(&server, &target);
}

#[test]
fn what_names_no_target_or_cannot_be_merged_is_refused() {
    let (server, target) = (Server::start(), Target::willing());
    let mut client = Client::connect(server.addr());
    let url = target.url("/");
    let json = "Content-Type: application/json\r\nAccept: text/plain\r\n";
    let broken = "Content-Type: multipart/form-data; boundary=B\r\n";
    let rows = [
        (form("a=1"), "No destination URL"),
        (post("/dispatch", "", ""), "No destination URL"),
        (
            post(&format!("/dispatch?_url={url}&stray=1"), json, "{}"),
            "stray",
        ),
        (post("/dispatch/nobase64!", "", ""), "Bad target URL"),
        (
            post(&format!("/dispatch?_url={url}"), broken, "--B\r\n"),
            "Malformed form",
        ),
        (form(&format!("_url={url}&_delay=1&_delay=2")), "_delay"),
    ];
    for (request, text) in rows {
        let answer = client.send(&request).answer();
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(&request));
        assert!(answer.body.contains(text), "{text}: {}", answer.body);
    }
    nothing_was_queued(&server, &target);
}

fn nothing_was_queued(server: &Server, target: &Target) {
    assert_eq!(metric(server, "hookah_messages_accepted_total"), 0);
    assert_eq!(metric(server, "hookah_attempts_total"), 0);
    target.has_no_more();
}
