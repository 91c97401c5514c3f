//! Who is let in, to what, and that whoever is refused has done nothing.

use super::*;
use crate::access::{Roll, mint};
use crate::base::stats::Counter;
use crate::engine::routes::{Needs, routes};
use crate::model::Method;

mod hub;
mod revoked;

/// Whoever comes from elsewhere.
const FAR: Visitor = Visitor {
    peer: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    door: Door::Open,
    secure: false,
};
const OWNER: Visitor = Visitor {
    peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    door: Door::Unix { owner: true },
    secure: false,
};

/// The line and the secret of a token; the same for the same name.
fn token(name: &str, rights: &str) -> (String, String) {
    let mut entropy = [0; 32];
    for (byte, letter) in entropy.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    let minted = mint::mint(name, &[rights.to_owned()], entropy).expect("a token");
    (minted.line, minted.secret)
}

fn roll(tokens: &[(&str, &str)]) -> Roll {
    let lines = tokens.iter().map(|(name, rights)| token(name, rights).0);
    Roll::parse(&lines.collect::<Vec<_>>().join("\n")).expect("a roll")
}

fn secret(name: &str) -> String {
    token(name, "read").1
}

/// A server with these tokens, and who asks it from elsewhere.
fn guarded(tokens: &[(&str, &str)]) -> World {
    let mut settings = Settings {
        roll: Some(roll(tokens)),
        ..Settings::default()
    };
    settings.hub.strict_targets = false;
    settings.lines_per_address_max = None;
    let mut world = World::keeping(settings);
    world.visitor = FAR;
    world
}

fn request(line: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn bearer(name: &str) -> String {
    format!("Authorization: Bearer {}\r\n", secret(name))
}

fn status(answer: &str) -> u16 {
    // Whoever waits for the store has been let in.
    if answer.is_empty() {
        return 0;
    }
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

impl World {
    fn ask(&mut self, line: &str, fields: &str, body: &str) -> String {
        let key = self.open();
        self.say(key, &request(line, fields, body))
    }

    /// A form to /dispatch, by that token.
    fn dispatch(&mut self, name: &str, body: &str) -> String {
        let fields = format!("{FORM}{}", bearer(name));
        self.ask("POST /dispatch", &fields, body)
    }

    fn told(&self, key: Key) -> String {
        let of_line = self.written.iter().filter(|(line, _)| *line == key);
        let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn accepted(&self) -> usize {
        let accepts = |(_, op): &&(Seq, StoreOp)| matches!(op, StoreOp::Accept { .. });
        self.handed.iter().filter(accepts).count()
    }

    fn count(&self, counter: Counter) -> u64 {
        self.engine.stats().get(counter)
    }
}

#[test]
fn each_endpoint_lets_in_whom_its_row_says() {
    let mut world = guarded(&[("none", "hub"), ("all", "admin")]);
    for route in routes() {
        let path = match (route.tail, route.ends) {
            (false, _) => route.path.to_owned(),
            (true, ends) => format!("{}/x{ends}", route.path),
        };
        for method in route.methods {
            let needs = route.needs(*method);
            let line = format!("{} {path}", method.as_str());
            let mut answers = |fields: &str| status(&world.ask(&line, fields, ""));
            let stranger = answers("");
            let wrong = answers("Authorization: Bearer wrong\r\n");
            world.pass(Duration::from_secs(6));
            let mut answers = |fields: &str| status(&world.ask(&line, fields, ""));
            let (poor, rich) = (answers(&bearer("none")), answers(&bearer("all")));
            let free = |status| status != 401 && status != 403;
            assert!(free(rich), "{line}: {rich}");
            match needs {
                Needs::Nothing => assert!(free(stranger) && free(wrong) && free(poor), "{line}"),
                Needs::Known => assert!(free(stranger) && wrong == 401 && free(poor), "{line}"),
                _ => assert_eq!((stranger, wrong, poor), (401, 401, 403), "{line}"),
            }
        }
    }
}

#[test]
fn what_is_open_without_a_token_is_little() {
    let open = routes().iter().flat_map(|route| {
        let methods = route.methods.iter();
        let free = methods.filter(|it| matches!(route.needs(**it), Needs::Nothing | Needs::Known));
        let asked = free.filter(|it| **it != Method::Options);
        asked.map(|method| format!("{} {}", method.as_str(), route.path))
    });
    let right = [
        "GET /hub",
        "HEAD /hub",
        "POST /hub",
        "POST /subscribe",
        "POST /publish",
        "GET /",
        "HEAD /",
        "GET /health",
        "HEAD /health",
        "GET /ready",
        "HEAD /ready",
    ];
    assert_eq!(open.collect::<Vec<_>>(), right);
}

#[test]
fn a_refusal_comes_before_the_body_is_asked_for() {
    let mut world = guarded(&[("ci", "dispatch"), ("reader", "read")]);
    let head = |fields: &str| {
        format!(
            "POST /dispatch HTTP/1.1\r\nHost: h\r\n{FORM}{fields}Expect: 100-continue\r\n\
             Content-Length: 9\r\n\r\n"
        )
    };
    let key = world.open();
    let answer = world.say(key, &head(""));
    assert_eq!(status(&answer), 401, "{answer}");
    assert!(
        answer.contains("\r\nWWW-Authenticate: Bearer realm=\"hookah\"\r\n"),
        "{answer}"
    );
    assert!(answer.contains("401 A token is needed: right: dispatch or publish:GLOB is needed"));
    let key = world.open();
    let answer = world.say(key, &head("Authorization: Bearer wrong\r\n"));
    let challenge = "\r\nWWW-Authenticate: Bearer realm=\"hookah\", error=\"invalid_token\"\r\n";
    assert!(
        status(&answer) == 401 && answer.contains(challenge),
        "{answer}"
    );
    let key = world.open();
    let answer = world.say(key, &head(&bearer("reader")));
    let challenge = "realm=\"hookah\", error=\"insufficient_scope\"\r\n";
    assert!(
        status(&answer) == 403 && answer.contains(challenge),
        "{answer}"
    );
    let key = world.open();
    assert_eq!(status(&world.say(key, &head(&bearer("ci")))), 100);
    assert_eq!(world.accepted(), 0);
    let [missing, failed, forbidden] = [
        Counter::AuthMissing,
        Counter::AuthFailed,
        Counter::Forbidden,
    ]
    .map(|counter| world.count(counter));
    assert_eq!((missing, failed, forbidden), (1, 1, 1));
}

#[test]
fn a_message_needs_the_right_for_each_place_it_goes_to() {
    let mut world = guarded(&[
        ("url", "dispatch"),
        ("news", "publish:news.*"),
        ("both", "dispatch publish:*"),
    ]);
    let url = "_url=http://127.0.0.1:9/";
    let rows = [
        ("url", url.to_owned(), 202),
        ("url", "_topic=news.a".into(), 403),
        ("news", "_topic=news.a".into(), 202),
        ("news", "_topic=news".into(), 403),
        ("news", "_topic=news.a&_topic=old".into(), 403),
        ("news", url.into(), 403),
        ("news", format!("_topic=news.a&{url}"), 403),
        (
            "news",
            "_topic=news.a&_callback=http://127.0.0.1:9/".into(),
            403,
        ),
        ("both", format!("_topic=any&{url}"), 202),
        ("both", "_topic=$hookah/deliveries".into(), 403),
    ];
    for (name, body, right) in rows {
        let before = world.accepted();
        let answer = world.dispatch(name, &body);
        assert_eq!(status(&answer), right, "{name} {body}: {answer}");
        assert_eq!(
            world.accepted() - before,
            usize::from(right == 202),
            "{name} {body}"
        );
    }
    let answer = world.dispatch("news", "_topic=old");
    assert!(answer.ends_with("403 The token does not allow this: right: publish:old is missing"));
}

#[test]
fn each_message_of_a_batch_is_judged_for_itself() {
    let mut world = guarded(&[("news", "publish:news.*")]);
    let body = r#"[{"topic":"news.a"},{"topic":"old"},{"url":"http://127.0.0.1:9/"}]"#;
    let answer = world.ask("POST /dispatch/batch", &bearer("news"), body);
    assert_eq!((status(&answer), world.accepted()), (202, 1), "{answer}");
    assert_eq!(answer.matches("insufficient_scope").count(), 2, "{answer}");
    assert_eq!(world.count(Counter::Forbidden), 2);
}

#[test]
fn a_stream_needs_the_right_for_all_that_it_reads() {
    let mut world = guarded(&[
        ("news", "subscribe:news.*"),
        ("any", "subscribe:*"),
        ("ours", "read"),
        ("all", "admin"),
    ]);
    let rows = [
        ("news", "topic=news.a", 200),
        ("news", "topic=news.a&topic=old", 403),
        ("news", "prefix=news.", 200),
        ("news", "prefix=news", 403),
        ("news", "prefix=news.&where.a=b", 200),
        ("news", "prefix=&where.a=b", 403),
        ("any", "prefix=n", 200),
        ("any", "prefix=", 403),
        ("any", "topic=$hookah/deliveries", 403),
        ("any", "topic=%24hookah/deliveries", 403),
        ("any", "prefix=$", 403),
        ("ours", "topic=$hookah/deliveries", 200),
        ("ours", "prefix=$hoo", 200),
        ("ours", "topic=a", 403),
        ("all", "prefix=", 200),
    ];
    for (name, query, right) in rows {
        let by_header = world.ask(&format!("GET /stream?{query}"), &bearer(name), "");
        assert_eq!(status(&by_header), right, "{name} {query}: {by_header}");
        let token = secret(name);
        for key in ["token", "access_token"] {
            let line = format!("GET /stream?{query}&{key}={token}&poll=1");
            let answer = world.ask(&line, "", "");
            assert_eq!(status(&answer) == 403, right == 403, "{line}: {answer}");
            assert!(!answer.contains(&token), "{answer}");
        }
        let form = format!("{FORM}{}", bearer(name));
        let by_form = world.ask("POST /stream?wait=1", &form, query);
        assert_eq!(
            by_form.starts_with("HTTP/1.1 403"),
            right == 403,
            "{name} {query}"
        );
    }
    // The form comes too late to say who asks; the query comes in time, and only here.
    let form = format!("topic=news.a&token={}", secret("news"));
    assert_eq!(status(&world.ask("POST /stream", FORM, &form)), 401);
    let line = format!("GET /lanes?token={}", secret("all"));
    assert_eq!(status(&world.ask(&line, "", "")), 401);
    let line = format!("GET /stream?topic=news.a&token={}", secret("any"));
    assert_eq!(
        status(&world.ask(&line, &bearer("ours"), "")),
        403,
        "the header wins"
    );
}

#[test]
fn keys_are_one_only_within_their_token() {
    let mut world = guarded(&[("a", "dispatch"), ("b", "dispatch")]);
    let mut send = |name: &str| {
        let fields = format!("{FORM}{}Idempotency-Key: k\r\n", bearer(name));
        let answer = world.ask("POST /dispatch", &fields, "_url=http://127.0.0.1:9/");
        assert_eq!(status(&answer), 202, "{answer}");
        answer.contains("\r\nHookah-Duplicate: true\r\n")
    };
    assert_eq!(
        ["a", "b", "a", "b"].map(&mut send),
        [false, false, true, true]
    );
    assert_eq!(world.accepted(), 2);
}

#[test]
fn a_token_for_public_targets_reaches_no_others() {
    let mut world = guarded(&[("open", "dispatch"), ("app", "dispatch targets=public")]);
    let local = "_url=http://127.0.0.1:9/";
    assert_eq!(status(&world.dispatch("open", local)), 202);
    assert_eq!(status(&world.dispatch("app", local)), 403);
    let answer = world.dispatch("app", "_url=http://192.0.2.9/&_targets=local");
    assert_ne!(status(&answer), 202, "never upwards: {answer}");
    assert_eq!(status(&world.dispatch("app", "_url=http://8.8.8.8/")), 202);
    let body = r#"[{"url":"http://127.0.0.1:9/"}]"#;
    let answer = world.ask("POST /dispatch/batch", &bearer("app"), body);
    assert!(answer.contains("target_forbidden"), "{answer}");
    assert_eq!(world.count(Counter::TargetsForbidden), 2);
}

#[test]
fn our_own_token_is_not_forwarded() {
    let mut world = guarded(&[("ci", "dispatch")]);
    let body = "_url=http://127.0.0.1:9001/&_forward_headers=1&a=1";
    let fields = format!("{FORM}{}X-Own: 1\r\n", bearer("ci"));
    assert_eq!(status(&world.ask("POST /dispatch", &fields, body)), 202);
    let extras = world.handed.iter().filter_map(|(_, op)| match op {
        StoreOp::Accept { message, .. } => message.extra.as_deref(),
        _ => None,
    });
    let fields: Vec<_> = extras
        .map(|it| String::from_utf8_lossy(&it.fields))
        .collect();
    assert!(fields[0].contains("X-Own: 1") && !fields[0].contains("Authorization"));
}

#[test]
fn a_rate_and_failures_end_in_429() {
    let mut world = guarded(&[("ci", "read rate=2/s")]);
    let get = |world: &mut World, fields: &str| world.ask("GET /lanes", fields, "");
    for right in [200, 200, 429] {
        let answer = get(&mut world, &bearer("ci"));
        assert_eq!(status(&answer), right, "{answer}");
        assert_eq!(
            answer.contains("\r\nRetry-After: 1\r\n"),
            right == 429,
            "{answer}"
        );
    }
    world.pass(Duration::from_millis(500));
    assert_eq!(status(&get(&mut world, &bearer("ci"))), 200);
    for attempt in 0..12 {
        let answer = get(&mut world, "Authorization: Basic Og==\r\n");
        let right = if attempt < 10 { 401 } else { 429 };
        assert_eq!(status(&answer), right, "{attempt}: {answer}");
        assert_eq!(
            answer.contains("\r\nRetry-After: "),
            right == 429,
            "{answer}"
        );
    }
    // Whoever shows nothing has guessed nothing, and a right token always passes.
    assert_eq!(status(&get(&mut world, "")), 401);
    world.pass(Duration::from_secs(1));
    assert_eq!(status(&get(&mut world, &bearer("ci"))), 200);
    let counters = [
        Counter::AuthFailed,
        Counter::AuthThrottled,
        Counter::TokenRateLimited,
    ];
    assert_eq!(counters.map(|it| world.count(it)), [12, 2, 1]);
}

#[test]
fn the_owner_needs_no_token_and_a_neighbour_does() {
    let mut world = guarded(&[("ci", "read")]);
    let neighbour = Visitor {
        door: Door::Unix { owner: false },
        ..OWNER
    };
    for (visitor, right) in [(OWNER, 200), (neighbour, 401), (NEAR, 401), (FAR, 401)] {
        world.visitor = visitor;
        assert_eq!(
            status(&world.ask("GET /lanes", "", "")),
            right,
            "{visitor:?}"
        );
    }
    world.visitor = OWNER;
    let line = "GET /stream?prefix=&poll=1";
    assert_eq!(status(&world.ask(line, "", "")), 204);
}

#[test]
fn the_hub_is_open_but_for_content_and_tolls() {
    let mut world = guarded(&[("pub", "publish:http://127.0.0.1:9/feed"), ("hub", "hub")]);
    let line = "POST /publish?hub.mode=publish&hub.topic=http://127.0.0.1:9/feed";
    let thin = "hub.mode=publish&hub.url=http://127.0.0.1:9/feed";
    for visitor in [NEAR, FAR] {
        world.visitor = visitor;
        let mut answers = |fields: &str| {
            let fields = format!("Content-Type: text/plain\r\n{fields}");
            status(&world.ask(line, &fields, "hello"))
        };
        assert_eq!(answers(""), 401, "{visitor:?}");
        assert_eq!(answers(&bearer("hub")), 403, "{visitor:?}");
        assert_eq!(answers(&bearer("pub")), 202, "{visitor:?}");
    }
    let mut ping = |fields: &str| {
        let fields = format!("{FORM}{fields}");
        status(&world.ask("POST /hub", &fields, thin))
    };
    assert_eq!(ping("Authorization: Bearer wrong\r\n"), 401);
    for _ in 0..600 {
        assert_eq!(ping(""), 204);
    }
    assert_eq!(
        (ping(""), ping(&bearer("pub")), ping(&bearer("hub"))),
        (429, 429, 204)
    );
}

/// A token that was taken away must not make its holder more than it was.
#[test]
fn the_owner_who_shows_what_is_wrong_is_judged_by_it() {
    let mut world = guarded(&[("ci", "dispatch")]);
    world.visitor = OWNER;
    for (fields, right) in [
        ("", 200),
        ("Authorization: Bearer wrong\r\n", 401),
        (&*bearer("ci"), 403),
    ] {
        assert_eq!(
            status(&world.ask("GET /lanes", fields, "")),
            right,
            "{fields}"
        );
    }
}
