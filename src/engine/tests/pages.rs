//! What pages may do: the guard at each endpoint, what a browser is told beforehand, and whose
//! scripts may read the answers.

use super::polls::{field, status};
use super::*;
use crate::base::stats::Counter;
use crate::engine::routes;
use crate::model::Method;

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Paths that lead to each row of the routing table.
fn paths() -> impl Iterator<Item = (String, &'static routes::Route)> {
    routes().iter().map(|route| {
        let tail = if route.tail { "/x" } else { "" };
        (format!("{}{tail}{}", route.path, route.ends), route)
    })
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

pub(super) fn from(origin: &str) -> String {
    format!("Origin: {origin}\r\n")
}

fn allowing(origins: &[&str]) -> World {
    let mut settings = Settings::default();
    assert!(origins.iter().all(|it| settings.browsers.origins.add(it)));
    World::keeping(settings)
}

fn count(world: &World, counter: Counter) -> u64 {
    world.engine.turn.stats.get(counter)
}

/// Every endpoint, every method: nothing that changes something passes for a foreign page, and all
/// that reads does, but for streams.
#[test]
fn a_foreign_page_changes_nothing_anywhere() {
    let mut world = allowing(&[A]);
    let mut refused = 0;
    for (path, route) in paths() {
        for method in route.methods {
            for fields in [
                from(B),
                from("null"),
                "Sec-Fetch-Site: cross-site\r\n".to_owned(),
            ] {
                let line = world.open();
                let told = world.say(line, &request(method.as_str(), &path, &fields));
                let reads = [Method::Get, Method::Head, Method::Options].contains(method);
                let holds = path == "/stream" && *method == Method::Get;
                let expected = !reads || holds;
                let is_refused = status(&told) == "403" && told.contains("not allowed");
                assert_eq!(is_refused, expected, "{method:?} {path} {fields}: {told}");
                assert_eq!(field(&told, "Access-Control-Allow-Origin"), None, "{told}");
                refused += u64::from(expected);
            }
        }
    }
    assert_eq!(count(&world, Counter::OriginsForeign), refused);
    assert!(world.connects.is_empty());
    let asked = |(_, op): &(Seq, StoreOp)| matches!(op, StoreOp::Ask { .. });
    assert!(world.handed.iter().all(asked), "{:?}", world.handed);
}

#[test]
fn a_name_that_is_not_ours_reads_nothing_either() {
    let mut world = World::keeping(Settings::default());
    for (path, route) in paths() {
        for method in route.methods {
            let line = world.open();
            let asked =
                request(method.as_str(), &path, "").replace("Host: h", "Host: evil.example");
            let told = world.say(line, &asked);
            let open = ["/health", "/ready"].contains(&&*path);
            let is_refused = told.starts_with("HTTP/1.1 403 ") && !open;
            assert_eq!(is_refused, !open, "{method:?} {path}: {told}");
            let expected = if *method == Method::Head || open {
                ""
            } else {
                "evil.example"
            };
            assert!(told.contains(expected), "{told}");
        }
    }
    assert!(count(&world, Counter::HostsForeign) > 30);
    // Where other machines connect they have names of their own for us.
    world.visitor.door = Door::Open;
    let line = world.open();
    let told = world.say(line, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(status(&told), "200");
}

/// It is decided at the end of the head: nobody is asked for a body that is not wanted, and what
/// comes of it is read away.
#[test]
fn a_foreign_page_is_not_asked_for_its_body() {
    let mut world = World::keeping(Settings::default());
    let line = world.open();
    let head = format!("POST /dispatch HTTP/1.1\r\nHost: h\r\n{}{FORM}", from(B));
    let told = world.say(line, &format!("{head}Content-Length: 12\r\n\r\n_topic"));
    assert_eq!(status(&told), "403", "{told}");
    let told = world.say(line, "=t&a=1GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    let waits = format!("{head}Content-Length: 12\r\nExpect: 100-continue\r\n\r\n");
    let told = world.say(line, &waits);
    assert_eq!(status(&told), "403", "{told}");
    assert_eq!(field(&told, "Connection"), Some("close"), "{told}");
    assert!(world.handed.is_empty());
}

#[test]
fn our_own_pages_and_those_that_are_listed_pass() {
    let mut world = allowing(&[A]);
    let line = world.open();
    for fields in [
        from("http://h"),
        format!("{}Sec-Fetch-Site: same-origin\r\n", from("http://h")),
        "Sec-Fetch-Site: none\r\n".to_owned(),
        from(A),
        format!("{}Sec-Fetch-Site: cross-site\r\n", from(A)),
        String::new(),
    ] {
        let body = format!("{fields}{FORM}Content-Length: 12\r\n\r\n_topic=t&a=1");
        let asked = format!("POST /dispatch HTTP/1.1\r\nHost: h\r\n{body}");
        let told = world.say(line, &asked);
        assert_eq!(status(&told), "202", "{fields}{told}");
        let shared = fields.contains(A).then_some(A);
        assert_eq!(
            field(&told, "Access-Control-Allow-Origin"),
            shared,
            "{told}"
        );
        assert_eq!(field(&told, "Vary"), shared.map(|_| "Origin"), "{told}");
    }
    assert_eq!(count(&world, Counter::OriginsForeign), 0);
    // Over TLS the same page has another scheme.
    world.visitor.secure = true;
    let line = world.open();
    world.engine.connected(world.now, line);
    let told = world.say(line, &request("DELETE", "/topics/t", &from("http://h")));
    assert_eq!(status(&told), "403", "{told}");
    let told = world.say(line, &request("DELETE", "/topics/t", &from("https://h")));
    assert_ne!(status(&told), "403", "{told}");
}

/// All that is answered may be read by scripts of allowed origins, refusals and what waits too.
#[test]
fn every_answer_is_shared_with_allowed_origins() {
    let mut world = allowing(&[A]);
    for (path, route) in paths() {
        for method in route.methods {
            let line = world.open();
            let told = world.say(line, &request(method.as_str(), &path, &from(A)));
            // The store has to be asked first.
            if path == "/messages" && told.is_empty() {
                continue;
            }
            let allowed = field(&told, "Access-Control-Allow-Origin");
            assert_eq!(allowed, Some(A), "{method:?} {path}: {told}");
            assert!(told.contains("\r\nVary: Origin\r\n"), "{told}");
            let exposed = field(&told, "Access-Control-Expose-Headers").expect("a list");
            assert!(exposed.contains("Hookah-Id, ") && exposed.contains("Retry-After"));
        }
    }
    let line = world.open();
    for asked in [
        request("PUT", "/stream", &from(A)),
        request("GET", "/nowhere", &from(A)),
        request("GET", "/stream?topic=a&wait=x", &from(A)),
        request("GET", "/stream?topic=a&poll=1", &from(A)),
        request("GET", "/stream?topic=a", &from(A)),
    ] {
        let told = world.say(line, &asked);
        assert_eq!(
            field(&told, "Access-Control-Allow-Origin"),
            Some(A),
            "{told}"
        );
    }
    // Whose answer takes its time, too.
    let line = world.open();
    let told = world.say(line, &request("GET", "/stream?topic=a&wait=1", &from(A)));
    assert_eq!(told, "");
    world.pass(Duration::from_secs(2));
    let (_, told) = world.written.last().expect("an answer");
    let told = String::from_utf8_lossy(told).into_owned();
    assert_eq!(
        field(&told, "Access-Control-Allow-Origin"),
        Some(A),
        "{told}"
    );
    // A body that is too long shows only once it has come.
    let line = world.open();
    let chunks = format!("{}Transfer-Encoding: chunked\r\n", from(A));
    let told = world.say(
        line,
        &(request("POST", "/dispatch", &chunks) + "ffffffff\r\n"),
    );
    assert_eq!(status(&told), "413", "{told}");
    assert_eq!(
        field(&told, "Access-Control-Allow-Origin"),
        Some(A),
        "{told}"
    );
}

#[test]
fn all_may_read_and_none_may_change_where_everybody_is_let_in() {
    let mut world = allowing(&["*"]);
    let line = world.open();
    let told = world.say(line, &request("GET", "/topics", &from(B)));
    assert_eq!(
        field(&told, "Access-Control-Allow-Origin"),
        Some("*"),
        "{told}"
    );
    assert_eq!(field(&told, "Vary"), None);
    assert_eq!(field(&told, "Access-Control-Allow-Credentials"), None);
    let bearer = format!("{}Authorization: Bearer x\r\n", from(B));
    for fields in [from(B), from("null"), bearer] {
        let told = world.say(line, &request("POST", "/dispatch?_topic=t", &fields));
        assert_eq!(status(&told), "403", "{told}");
        assert!(told.contains("--cors-origin"), "{told}");
    }
    let told = world.say(line, &request("GET", "/stream?topic=t", &from(B)));
    assert_eq!(status(&told), "200", "{told}");
}

#[test]
fn a_preflight_is_told_what_may_be_sent() {
    let mut world = allowing(&[A]);
    let line = world.open();
    for (path, route) in paths() {
        let asks = "Access-Control-Request-Method: POST\r\n\
                    Access-Control-Request-Headers: authorization,X-Own, content-type, b@d,\r\n";
        let told = world.say(line, &request("OPTIONS", &path, &(from(A) + asks)));
        assert_eq!(status(&told), "204", "{told}");
        assert_eq!(field(&told, "Access-Control-Allow-Origin"), Some(A));
        assert_eq!(
            field(&told, "Access-Control-Allow-Methods"),
            Some(route.allow)
        );
        assert_eq!(field(&told, "Allow"), Some(route.allow));
        let names = field(&told, "Access-Control-Allow-Headers").expect("a list");
        assert!(names.ends_with(", Prefer, X-Own"), "{names}");
        for name in [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "Last-Event-ID",
        ] {
            assert!(names.contains(name), "{names}");
        }
        assert_eq!(field(&told, "Access-Control-Max-Age"), Some("86400"));
        assert_eq!(field(&told, "Access-Control-Allow-Private-Network"), None);
        let told = world.say(line, &request("OPTIONS", &path, &(from(B) + asks)));
        assert_eq!(status(&told), "403", "{told}");
        assert!(!told.contains("Access-Control-"), "{told}");
        // Nobody's page asks: what is allowed is no secret.
        for fields in [String::new(), from(A), from("http://h") + asks] {
            let told = world.say(line, &request("OPTIONS", &path, &fields));
            assert_eq!(status(&told), "204", "{told}");
            assert_eq!(field(&told, "Allow"), Some(route.allow));
            assert_eq!(field(&told, "Access-Control-Allow-Methods"), None);
        }
    }
    let asks = "Access-Control-Request-Method: GET\r\n\
                Access-Control-Request-Private-Network: true\r\n";
    let told = world.say(line, &request("OPTIONS", "/topics", &(from(A) + asks)));
    let private = field(&told, "Access-Control-Allow-Private-Network");
    assert_eq!(private, Some("true"), "{told}");
    let many = format!(
        "{asks}Access-Control-Request-Headers: {}\r\n",
        "x,".repeat(600)
    );
    let told = world.say(line, &request("OPTIONS", "/topics", &(from(A) + &many)));
    assert!(told.len() < 1_000, "{told}");
    let told = world.say(line, &request("OPTIONS", "/nowhere", &(from(A) + asks)));
    assert_eq!(status(&told), "404", "{told}");
    assert_eq!(field(&told, "Access-Control-Allow-Origin"), Some(A));
}

#[test]
fn where_everybody_may_read_a_preflight_invites_to_nothing_else() {
    let mut world = allowing(&["*"]);
    let line = world.open();
    for (method, expected) in [
        ("GET", "204"),
        ("HEAD", "204"),
        ("POST", "403"),
        ("DELETE", "403"),
    ] {
        let asks = format!("{}Access-Control-Request-Method: {method}\r\n", from(B));
        let told = world.say(line, &request("OPTIONS", "/messages", &asks));
        assert_eq!(status(&told), expected, "{method} {told}");
    }
}

#[test]
fn the_server_as_a_whole_says_what_is_allowed_somewhere() {
    let mut world = World::keeping(Settings::default());
    let line = world.open();
    let told = world.say(line, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(status(&told), "204", "{told}");
    let allowed = "GET, HEAD, POST, DELETE, OPTIONS";
    assert_eq!(field(&told, "Allow"), Some(allowed), "{told}");
}
