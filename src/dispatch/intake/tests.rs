//! Tests of the intake: whole submissions in, targets, options and bodies out.

mod bodies;
mod json;

use super::*;
use crate::base::units::parse_duration;

const NOW: Wall = Wall(1_767_323_045_000_000);
const U: &str = "http://127.0.0.1:9000/hook";
/// `U` in an URL-encoded field.
const E: &str = "http%3A%2F%2F127.0.0.1%3A9000%2Fhook";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

/// A submission in the making.
#[derive(Clone, Copy, Default)]
struct Post<'a> {
    tail: Option<&'a str>,
    query: Option<&'a str>,
    content_type: Option<&'a str>,
    body: &'a [u8],
    headers: &'a [(&'a str, &'a str)],
}

/// An intake that owns what it says.
#[derive(Debug, PartialEq)]
struct Seen {
    method: Method,
    urls: Vec<String>,
    topics: Vec<String>,
    content_type: String,
    body: String,
    options: Options,
}

impl<'a> Post<'a> {
    fn form(body: &'a str) -> Post<'a> {
        Post {
            content_type: Some(FORM),
            body: body.as_bytes(),
            ..Post::default()
        }
    }

    fn multipart(body: &'a str) -> Post<'a> {
        Post {
            content_type: Some(MULTIPART),
            body: body.as_bytes(),
            ..Post::default()
        }
    }

    fn other(content_type: &'a str, body: &'a str) -> Post<'a> {
        Post {
            content_type: Some(content_type),
            body: body.as_bytes(),
            ..Post::default()
        }
    }

    fn query(self, query: &'a str) -> Post<'a> {
        Post {
            query: Some(query),
            ..self
        }
    }

    fn tail(self, tail: &'a str) -> Post<'a> {
        Post {
            tail: Some(tail),
            ..self
        }
    }

    fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Post<'a> {
        Post { headers, ..self }
    }

    fn read(self) -> Result<Seen, Problem> {
        let header = |(name, value): &(&'a str, &'a str)| {
            let value = value.as_bytes();
            httparse::Header { name, value }
        };
        let headers: Vec<_> = self.headers.iter().map(header).collect();
        let Post {
            tail,
            query,
            content_type,
            body,
            ..
        } = self;
        let submission = Submission {
            caller: Default::default(),
            tail,
            query,
            content_type,
            body,
            headers: &headers,
        };
        // What an earlier request left in the scratch must not matter.
        let mut scratch = Scratch::default();
        for dirt in [
            &b"_url=http://old/&old=1&_topic=old%20"[..],
            b"_delay=%31&_retries=%%",
        ] {
            let content_type = Some(FORM);
            let old = Submission {
                caller: Default::default(),
                content_type,
                body: dirt,
                headers: &[],
                tail: None,
                query: None,
            };
            let _ = read(&old, &Settings::default(), NOW, &mut scratch);
        }
        let intake = read(&submission, &Settings::default(), NOW, &mut scratch)?;
        let own = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Seen {
            method: intake.method,
            urls: intake.urls.strs().map(str::to_owned).collect(),
            topics: intake.topics.bytes().map(own).collect(),
            content_type: intake.content_type.to_owned(),
            body: own(intake.body),
            options: intake.options,
        })
    }

    fn seen(self) -> Seen {
        self.read().unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    fn refused(self) -> (Reason, String) {
        let problem = self.read().expect_err("it was taken");
        (problem.reason, problem.detail.into_owned())
    }
}

/// Method, URLs, topics, type and body in one line.
fn line(seen: &Seen) -> String {
    let (urls, topics) = (seen.urls.join(" "), seen.topics.join(" "));
    let content_type = seen.content_type.replace(FORM, "form");
    format!(
        "{} [{urls}] [{topics}] {content_type}: {}",
        seen.method.as_str(),
        seen.body
    )
}

#[test]
fn the_path_names_the_target_in_base64_of_all_kinds() {
    // "http://127.0.0.1/?a=>>>&b=???" has `+` or `-`, `/` or `_`, and padding.
    let url = "http://127.0.0.1/?a=>>>&b=???";
    let rows = [
        ("aHR0cDovLzEyNy4wLjAuMS8/YT0+Pj4mYj0/Pz8=", url),
        ("aHR0cDovLzEyNy4wLjAuMS8/YT0+Pj4mYj0/Pz8", url),
        ("aHR0cDovLzEyNy4wLjAuMS8_YT0-Pj4mYj0_Pz8=", url),
        ("aHR0cDovLzEyNy4wLjAuMS8_YT0-Pj4mYj0_Pz8", url),
        ("aHR0cDovLzEyNy4wLjAuMS8%2FYT0%2BPj4mYj0%2FPz8%3D", url),
        ("aHR0cDovLzEyNy4wLjAuMS8/%0AYT0+Pj4mYj0/Pz8=%0D%0A", url),
        ("aHR0cDovLzEyNy4wLjAuMS/DvA", "http://127.0.0.1/ü"),
    ];
    for (tail, want) in rows {
        let seen = Post::other("text/x; y=z", "_url=kept&\0").tail(tail).seen();
        assert_eq!(seen.urls, [want], "{tail}");
        assert_eq!(
            (seen.method, &*seen.content_type, &*seen.body),
            (Method::Post, "text/x; y=z", "_url=kept&\0")
        );
    }
    for tail in [
        "abcde",
        "!!!!",
        "aHR0cDovLzEyNy4wLjAuMS8_YT0+",
        "gIA",
        "http%3A%2F%2F127.0.0.1",
    ] {
        assert_eq!(
            Post::default().tail(tail).refused().0,
            Reason::BadTarget,
            "{tail}"
        );
    }
}

#[test]
fn a_target_in_the_path_leaves_the_body_alone() {
    let base64 = "aHR0cDovLzEyNy4wLjAuMS8";
    let form = Post::form("_url=http://x/&_delay=nonsense&a=1");
    let untouched = "[http://127.0.0.1/] [] form: _url=http://x/&_delay=nonsense&a=1";
    assert_eq!(line(&form.tail(base64).seen()), format!("POST {untouched}"));
    // Its options come from the query and the headers; targets there are ignored.
    let headers = [("Hookah-Url", "http://y/"), ("hookah-method", "PATCH")];
    let seen = form
        .tail(base64)
        .query("_retries=3&_topic=t")
        .headers(&headers)
        .seen();
    assert_eq!(line(&seen), format!("PATCH {untouched}"));
    assert_eq!(seen.options.retries, 3);
    let (reason, detail) = form.tail(base64).query("_retries=3&b=1").refused();
    assert_eq!(reason, Reason::BadQuery);
    assert!(detail.contains("\"b\""), "{detail}");
    // No field of a form has gone, so an empty body is posted as it is.
    assert_eq!(Post::default().tail(base64).seen().method, Method::Post);
    let broken = Post::other("multipart/form-data", "not multipart")
        .tail(base64)
        .seen();
    assert_eq!(broken.body, "not multipart");
}

#[test]
fn a_url_in_the_path_owns_the_query() {
    let rows = [
        ("http://127.0.0.1:9/a/b", None, "http://127.0.0.1:9/a/b"),
        (
            "http://127.0.0.1/a",
            Some("_retries=x&b=1"),
            "http://127.0.0.1/a?_retries=x&b=1",
        ),
        ("http:/127.0.0.1/a", Some(""), "http:/127.0.0.1/a?"),
        ("HTTPS://h/%2F", None, "HTTPS://h/%2F"),
    ];
    for (tail, query, want) in rows {
        let post = Post {
            query,
            ..Post::other("a/b", "x").tail(tail)
        };
        let seen = post
            .headers(&[("Hookah-Retries", "2"), ("Hookah-Topic", "t")])
            .seen();
        assert_eq!(line(&seen), format!("POST [{want}] [] a/b: x"));
        assert_eq!(seen.options.retries, 2);
    }
    assert_eq!(Post::default().tail("").refused().0, Reason::NoDestination);
}

#[test]
fn other_bodies_go_out_byte_for_byte() {
    let json = "{\"_url\": \"http://x/\" , \"a\":1}";
    let query = format!("_url={E}&_delay=5");
    let headers = [("HOOKAH-URL", U), ("Hookah-Topic", "t")];
    for content_type in [
        "application/json",
        "text/plain; charset=utf-8",
        "multipart/mixed",
    ] {
        let post = Post::other(content_type, json);
        let want = format!("{content_type}: {json}");
        assert_eq!(
            line(&post.query(&query).seen()),
            format!("POST [{U}] [] {want}")
        );
        assert_eq!(
            line(&post.headers(&headers).seen()),
            format!("POST [{U}] [t] {want}")
        );
        // JSON may name its target itself.
        if content_type != "application/json" {
            assert_eq!(post.refused(), (Reason::NoDestination, String::new()));
        }
        let (reason, detail) = post.query(&format!("{query}&stray=1")).refused();
        assert_eq!(reason, Reason::BadQuery);
        assert!(detail.contains("\"stray\""), "{detail}");
    }
    // A body without a type, whose target stands elsewhere, is nobody's form.
    let untyped = Post {
        body: b"_url=x&a=1",
        ..Post::default()
    };
    assert_eq!(
        line(&untyped.headers(&headers).seen()),
        format!("POST [{U}] [t] : _url=x&a=1")
    );
}

#[test]
fn headers_outweigh_query_outweighs_body() {
    let body = format!("_url={U}&_retries=1&_timeout=1s&_delay=1s");
    let query = "_retries=2&_timeout=2s";
    let headers = [("Hookah-Retries", " 3\t")];
    let seen = Post::form(&body).query(query).headers(&headers).seen();
    let seconds = |text: &str| parse_duration(text).unwrap();
    assert_eq!(seen.options.retries, 3);
    assert_eq!(seen.options.timeout, seconds("2s"));
    assert_eq!(seen.options.not_before, NOW + seconds("1s"));
    assert_eq!(seen.options.expires_at, NOW + seconds("4d1s"));
    // Who is outweighed must still be right.
    let (reason, detail) = Post::form(&body)
        .query("_retries=x")
        .headers(&headers)
        .refused();
    assert_eq!(reason, Reason::BadOption);
    assert!(
        detail.starts_with("_retries: \"x\" is not a number"),
        "{detail}"
    );
}

#[test]
fn errors_spell_the_option_as_the_user_did() {
    let target = format!("_url={U}");
    let form = Post::form(&target);
    let rows = [
        (
            form.query("_retries=abc"),
            "_retries: \"abc\" is not a number; allowed: 0 to 1000",
        ),
        (
            form.query("%5Fretries=a%0Ac"),
            "_retries: \"a\\nc\" is not a number",
        ),
        (
            form.query("_retries=%FF"),
            "_retries: \"\u{fffd}\" is not UTF-8",
        ),
        (
            form.query("_retries=1&_retries=1"),
            "_retries: \"1\" is given twice",
        ),
        (
            form.headers(&[("HOOKAH-reTries", "x")]),
            "HOOKAH-reTries: \"x\" is not a number",
        ),
        (
            form.query("_retry_schedule=1w"),
            "_retry_schedule: \"1w\" is not a retry schedule",
        ),
        (
            form.query("_secret=whsec_x"),
            "secret: the key is no key: what follows whsec_ is not base64; allowed: whsec_ and",
        ),
        (
            form.query("_header=A"),
            "_header: \"A\" is not a header; allowed: Name: value",
        ),
        (
            form.headers(&[("Hookah-Sign", "k")]),
            "sign: \"k\" is no key here; allowed: the NAME of a HOOKAH_SIGN_<NAME>",
        ),
        (
            form.headers(&[("Hookah-Forward-Host", "y")]),
            "Hookah-Forward-Host: \"y\" is not for a message to set; allowed: Name: value",
        ),
        (
            form.headers(&[("idempotency-key", "\u{e9}")]),
            "idempotency-key: \"\u{e9}\" has a character that is not printable ASCII",
        ),
    ];
    for (post, want) in rows {
        let (reason, detail) = post.refused();
        assert_eq!(reason, Reason::BadOption, "{want}");
        assert!(detail.starts_with(want), "{detail}");
    }
    let (reason, detail) = Post::form("_url=http://u:p%FF@h/").refused();
    assert_eq!((reason, &*detail), (Reason::BadTarget, "_url: not UTF-8"));
}

#[test]
fn headers_that_are_no_options_mean_nothing() {
    let headers = [
        ("Host", "h"),
        ("Hookah-Attempt", "1"),
        ("Hookah-Hops", "1"),
        ("X", "\u{7f}"),
    ];
    let body = format!("_url={U}&a=1");
    let seen = Post::form(&body).headers(&headers).seen();
    assert_eq!(line(&seen), format!("POST [{U}] [] form: a=1"));
}

#[test]
fn neither_url_nor_topic_is_no_destination() {
    let rows = [
        Post::default(),
        Post::form(""),
        Post::form("a=1&url=http://x/"),
        Post::form("a=1").query("b=2"),
        Post::other("application/json", "{}"),
        Post::default().headers(&[("Hookah-Delay", "1")]),
    ];
    for post in rows {
        assert_eq!(post.refused(), (Reason::NoDestination, String::new()));
    }
}

#[test]
fn topics_are_opaque_but_bounded_and_not_ours() {
    let longest = "x".repeat(TOPIC_BYTES_MAX);
    let body = format!("_topic={longest}&_topic=%E9%0A&_topic=a$");
    assert_eq!(
        Post::form(&body).seen().topics,
        [&*longest, "\u{fffd}\n", "a$"]
    );
    let too_long = format!("_topic={longest}x");
    let rows = [
        ("_topic=", Reason::BadOption),
        ("_topic", Reason::BadOption),
        (&*too_long, Reason::BadOption),
        ("_topic=$hookah/deliveries", Reason::ReservedTopic),
        ("_topic=ok&_topic=%24", Reason::ReservedTopic),
    ];
    for (body, want) in rows {
        assert_eq!(Post::form(body).refused().0, want, "{body}");
    }
}

#[test]
fn a_message_has_at_most_64_targets() {
    let most = ["_url=x&_topic=t"; TARGETS_MAX / 2].join("&");
    let seen = Post::form(&most).seen();
    assert_eq!((seen.urls.len(), seen.topics.len()), (32, 32));
    let more = format!("{most}&_topic=t");
    assert_eq!(Post::form(&more).refused().0, Reason::TooManyTargets);
    let seen = Post::form(&more).query("_url=x").seen();
    assert_eq!((seen.urls.len(), seen.topics.len()), (1, 0));
}

#[test]
fn the_common_form_reuses_the_scratch() {
    let body = format!("_url={E}&_delay=%35s&name=value");
    let content_type = Some(FORM);
    let body = body.as_bytes();
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: None,
        content_type,
        body,
        headers: &[],
    };
    let mut scratch = Scratch::default();
    let defaults = Settings::default();
    let mut places = Vec::new();
    for _ in 0..3 {
        let intake = read(&submission, &defaults, NOW, &mut scratch).unwrap();
        assert_eq!(intake.body, b"name=value");
        places.push([&scratch.body, &scratch.text, &scratch.value].map(|it| it.as_ptr()));
    }
    assert_eq!(places[1], places[2]);
}
