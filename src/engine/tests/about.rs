//! What is at `/`: for whom the page is and for whom the text, and what goes with each.

use super::pages::from;
use super::polls::{field, status};
use super::*;
use crate::admin::about::Doors;
use crate::admin::dashboard;
use crate::engine::routes;

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn browsers_get_the_page_and_all_others_the_text() {
    let mut world = World::keeping(Settings::default());
    let line = world.open();
    for (accept, html) in [
        ("", false),
        ("Accept: */*\r\n", false),
        ("Accept: text/*\r\n", false),
        ("Accept: text/plain\r\n", false),
        ("Accept: application/json\r\n", false),
        ("Accept: nonsense\r\n", false),
        ("Accept: text/html;q=0\r\n", false),
        ("Accept: text/html;q=0, */*\r\n", false),
        ("Accept: text/html;q=0.5, text/plain\r\n", false),
        ("Accept: text/html;q=0.5, */*\r\n", false),
        (BROWSER, true),
        ("Accept: TEXT/HTML\r\n", true),
        ("Accept: text/html, text/plain\r\n", true),
        ("Accept: text/plain;q=0.5\r\nAccept: text/html\r\n", true),
        ("Accept: text/html;q=0.1\r\n", true),
    ] {
        let answer = world.say(line, &get(accept));
        assert_eq!(status(&answer), "200", "{accept}");
        let kind = if html {
            "text/html; charset=utf-8"
        } else {
            "text/plain; charset=utf-8"
        };
        assert_eq!(field(&answer, "Content-Type"), Some(kind), "{accept}");
        assert_eq!(field(&answer, "Vary"), Some("Accept"), "{accept}");
        assert_eq!(body(&answer) == *dashboard::PAGE, html, "{accept}");
        assert_eq!(field(&answer, "Content-Security-Policy").is_some(), html);
    }
}

#[test]
fn the_page_has_its_policy_and_its_tag() {
    let mut world = World::keeping(Settings::default());
    let line = world.open();
    let answer = world.say(line, &get(BROWSER));
    let policy = field(&answer, "Content-Security-Policy").expect("a policy");
    for directive in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(
            policy.split("; ").any(|it| it == directive),
            "{directive}: {policy}"
        );
    }
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ] {
        assert_eq!(field(&answer, name), Some(value));
    }
    let head = world.say(line, &get(BROWSER).replace("GET", "HEAD"));
    assert_eq!(head, answer[..answer.len() - dashboard::PAGE.len()]);
    let tag = field(&answer, "ETag").expect("a tag");
    for (condition, known) in [
        (tag.to_owned(), true),
        (format!("W/{tag}"), true),
        (format!("\"other\", {tag}"), true),
        ("*".to_owned(), true),
        ("\"other\"".to_owned(), false),
        (tag.replace('"', ""), false),
    ] {
        let fields = format!("{BROWSER}If-None-Match: {condition}\r\n");
        let answer = world.say(line, &get(&fields));
        assert_eq!(status(&answer) == "304", known, "{condition}");
        assert_eq!(body(&answer).is_empty(), known, "{condition}");
        assert_eq!(field(&answer, "ETag"), Some(tag));
        // It is the page's tag, not the text's.
        let text = world.say(line, &get(&format!("If-None-Match: {condition}\r\n")));
        assert_eq!(status(&text), "200", "{condition}");
    }
}

#[test]
fn the_text_names_every_endpoint_and_no_host_that_means_more_than_itself() {
    let settings = Settings {
        doors: Doors {
            tcp: vec![("127.0.0.1:4665".parse().unwrap(), false)],
            socket: None,
        },
        ..Settings::default()
    };
    let mut world = World::keeping(settings);
    world.visitor.door = Door::Open;
    let line = world.open();
    let told = world.say(line, &get(""));
    for route in routes() {
        assert!(
            told.contains(&format!("  {}", route.path)),
            "{}",
            route.path
        );
        assert!(told.contains(route.help), "{}", route.path);
    }
    assert!(told.contains(" http://h/dispatch\n"), "{told}");
    for host in ["a;reboot", "a$(reboot)", "a'b", "a&b"] {
        let told = world.say(line, &get("").replace("Host: h", &format!("Host: {host}")));
        assert_eq!(status(&told), "200", "{told}");
        assert!(
            !told.contains(host) && told.contains("http://127.0.0.1:4665/"),
            "{told}"
        );
    }
    for host in ["evil\"><script>", "a b", "a,b"] {
        let line = world.open();
        let told = world.say(line, &get("").replace("Host: h", &format!("Host: {host}")));
        assert_eq!(status(&told), "400", "{told}");
    }
    let line = world.open();
    let old = world.say(line, "GET / HTTP/1.0\r\n\r\n");
    assert!(old.contains("http://127.0.0.1:4665/dispatch\n"), "{old}");
}

/// What the page asks for, as its browser says it; and the same of another site's page.
#[test]
fn the_page_may_do_what_it_is_for_and_no_other_page_may() {
    let mut world = World::keeping(Settings::default());
    let json = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    let asks = [
        ("GET /messages?limit=50", ""),
        ("GET /topics?limit=50", ""),
        ("GET /lanes?limit=50", ""),
        ("GET /subscriptions?limit=50", ""),
        (
            "GET /stream?topic=%24hookah%2Fdeliveries&format=sse",
            "Accept: text/event-stream\r\n",
        ),
        ("POST /dispatch?_topic=news", json),
        ("POST /lanes/http%3A%2F%2Fa/pause", ""),
        ("DELETE /messages/msg_00000000000000000000000001", ""),
    ];
    for (start, fields) in asks {
        for (origin, site, own) in [
            ("http://h", "same-origin", true),
            ("https://h", "cross-site", false),
            ("http://evil.example", "cross-site", false),
            ("null", "cross-site", false),
        ] {
            let line = world.open();
            let sent = from(origin);
            let content = if fields == json { "{}" } else { "" };
            let told = world.say(
                line,
                &format!(
                    "{start} HTTP/1.1\r\nHost: h\r\n{sent}Sec-Fetch-Site: {site}\r\n{fields}\r\n\
                     {content}"
                ),
            );
            let looks = start.starts_with("GET") && !start.contains("/stream");
            let refused = status(&told) == "403";
            assert_eq!(refused, !own && !looks, "{start} {origin}: {told}");
            assert_eq!(field(&told, "Access-Control-Allow-Origin"), None, "{told}");
        }
    }
}

#[test]
fn the_text_goes_by_what_the_hub_was_told_last() {
    let mut settings = Settings::default();
    settings.hub.strict_targets = false;
    let mut world = World::keeping(settings.clone());
    world.visitor.door = Door::Open;
    world.visitor.peer = "203.0.113.9".parse().unwrap();
    let line = world.open();
    let before = world.say(line, &get(""));
    settings.hub.strict_targets = true;
    let now = world.now;
    world.engine.retune(now, &settings);
    let after = world.say(line, &get(""));
    assert_ne!(before, after);
    settings.hub.strict_targets = false;
    world.engine.retune(now, &settings);
    assert_eq!(world.say(line, &get("")), before);
}
