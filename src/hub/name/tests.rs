//! Tests of names: which bytes go out, which host is called, and what is refused.

use super::*;
use crate::model::Scheme;

fn topic(text: &str) -> TopicName {
    TopicName::parse("hub.topic", text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

fn callback(text: &str) -> Callback {
    Callback::parse("hub.callback", text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

fn refused(text: &[u8]) -> String {
    let problem = Callback::parse("hub.callback", text).expect_err("a refusal");
    assert_eq!(problem.reason, Reason::BadParameter);
    assert!(problem.detail.starts_with("hub.callback"), "{problem:?}");
    problem.detail.into_owned()
}

/// Checklist rows 25 and 49: path and query are those of the request.
#[test]
fn row_25_a_callback_is_called_exactly_as_given() {
    let rows = [
        ("http://127.0.0.1", "/", "127.0.0.1"),
        ("http://127.0.0.1?a=b", "/?a=b", "127.0.0.1"),
        ("HTTP://127.0.0.1:80/a/../b/./c", "/a/../b/./c", "127.0.0.1"),
        (
            "http://127.0.0.1:81/%7e%41?x=%zz&y=a+b",
            "/%7e%41?x=%zz&y=a+b",
            "127.0.0.1:81",
        ),
        (
            "http://127.0.0.1//evil.test/?",
            "//evil.test/?",
            "127.0.0.1",
        ),
        (
            "http://127.0.0.1/?u=http://a@b/\"'<>^`{|}",
            "/?u=http://a@b/\"'<>^`{|}",
            "127.0.0.1",
        ),
        (
            "http://h.test?u=http://other.test/",
            "/?u=http://other.test/",
            "h.test",
        ),
        ("http://u:p@Hook.TEST:8080/x?@y", "/x?@y", "hook.test:8080"),
    ];
    for (text, path, authority) in rows {
        let callback = callback(text);
        assert_eq!(callback.text(), text);
        assert_eq!(&*callback.target.path, path, "{text}");
        assert_eq!(&*callback.target.authority, authority, "{text}");
        let url = format!("http://{authority}{path}");
        assert_eq!(&*callback.target.url, url, "{text}");
    }
}

/// All but path and what is made of it is what a webhook's target would have.
#[test]
fn a_target_is_equal_to_a_webhooks_in_all_but_the_path() {
    let rows = [
        "http://127.0.0.1/a/../b?%7e",
        "https://me:pw@[::1]:8443/x/./y",
        "https://Hook.test./\"",
        "http://2130706433/a",
        "http://a@b@127.0.0.1/x",
        "http://u%40v:@localhost:9/{}",
        "https://api.localhost",
        "http://%31%32%37.0.0.1/x/..",
    ];
    for text in rows {
        let (ours, theirs) = (callback(text).target, target::parse(text).unwrap());
        assert_eq!(ours.origin, theirs.origin, "{text}");
        assert_eq!(ours.addrs, theirs.addrs, "{text}");
        assert_eq!(ours.name, theirs.name, "{text}");
        assert_eq!(ours.server_name, theirs.server_name, "{text}");
        assert_eq!(ours.authority, theirs.authority, "{text}");
        assert_eq!(ours.authorization, theirs.authorization, "{text}");
    }
    assert_eq!(
        callback("HTTPS://h.test/").target.origin.scheme,
        Scheme::Https
    );
}

/// hub.md C5, security.md "Spellings": nothing that two parsers could read in two ways.
#[test]
fn c5_what_two_parsers_could_read_differently_is_refused() {
    let rows: &[&[u8]] = &[
        b"",
        b"hook",
        b"/hook",
        b"//h.test/",
        b"http:h.test/",
        b"http:/h.test/",
        b"http:///h.test/",
        b"http://",
        b"http://?x",
        b"http:\\\\h.test\\",
        b"http://evil.test\\@127.0.0.1/",
        b"http://h.test/a\\b",
        b" http://h.test/",
        b"http://h.test/ ",
        b"http://h.test/a b",
        b"ht\ttp://h.test/",
        b"http://h.te\nst/",
        b"http://h.test/\r\nFoo: bar",
        b"http://h.test/\0",
        b"http://h.test/\x7f",
        "http://bücher.test/".as_bytes(),
        "http://h.test/ü".as_bytes(),
        b"http://h.test/\xff",
        b"http://h.test:0/",
        b"http://h.test:65536/",
        b"http://h.test:8o/",
        b"http://h..test/",
        b"http://256.1.1.1/",
        b"http://[::1/",
        b"http://[fe80::1%25eth0]/",
        b"http://@/",
        b"http://user:pass@/",
        b"http://:80/",
        b"ftp://h.test/",
        b"javascript:alert(1)",
        b"https//h.test/",
    ];
    for text in rows {
        refused(text);
        let topic = TopicName::parse("hub.topic", text);
        assert!(topic.is_err() || is_plain(text), "{topic:?}");
    }
    assert_eq!(
        &*callback("http://xn--bcher-kva.test/").target.authority,
        "xn--bcher-kva.test"
    );
}

/// hub.md C6.
#[test]
fn c6_a_fragment_is_refused() {
    for text in [
        "http://h.test/#",
        "http://h.test/a#b",
        "http://h.test#b",
        "http://a#@h.test/",
    ] {
        assert!(
            refused(text.as_bytes()).contains("has a fragment"),
            "{text}"
        );
        assert!(
            TopicName::parse("hub.topic", text.as_bytes()).is_err(),
            "{text}"
        );
    }
}

/// hub.md C7.
#[test]
fn c7_userinfo_is_sent_as_basic_authorization_and_never_shown() {
    let callback = callback("http://me:hunter2@h.test/x?me@home");
    assert_eq!(
        callback.target.authorization.as_deref(),
        Some("Basic bWU6aHVudGVyMg==")
    );
    assert_eq!(&*callback.target.url, "http://h.test/x?me@home");
    assert!(!format!("{callback:?}").contains("hunter2"));
    assert!(!format!("{:?}", topic("http://me:hunter2@h.test/x")).contains("hunter2"));
    for text in [
        "http://me:hunter2@h.test:0/",
        "http://me:hunter2@h.test/ x",
        "x:hunter2@h",
    ] {
        assert!(!refused(text.as_bytes()).contains("hunter2"), "{text}");
    }
}

/// hub.md C37.
#[test]
fn c37_a_plain_name_is_a_topic_that_is_not_fetched() {
    for text in [
        "orders",
        "user.created",
        "a",
        "A_b~c-d$",
        "$x",
        &"n".repeat(128),
        ".",
        "..",
    ] {
        let topic = topic(text);
        assert_eq!(
            (topic.given(), topic.key(), topic.is_url()),
            (text, text, false)
        );
        assert!(topic.target().is_none() && topic.host().is_none());
        assert!(!topic.has_dot_segments());
    }
    for text in ["", "a b", "a/b", "a:b", "é", "a%41", &"n".repeat(129)] {
        assert!(
            TopicName::parse("hub.topic", text.as_bytes()).is_err(),
            "{text}"
        );
    }
}

/// Checklist rows 15 and 27: one key, but what was given goes out.
#[test]
fn row_27_a_topic_keeps_what_was_given_beside_its_key() {
    let topic = topic("HTTP://Example.COM:80/%41?b");
    assert_eq!(topic.given(), "HTTP://Example.COM:80/%41?b");
    assert_eq!(topic.key(), "http://example.com/A?b");
    assert_eq!(&*topic.target().unwrap().path, "/%41?b");
    assert_eq!(topic.host().as_deref(), Some("example.com"));
}

/// Checklist row 26.
#[test]
fn row_26_parameters_go_behind_the_query_and_overwrite_nothing() {
    let rows = [
        ("/cb", "/cb?hub.mode=subscribe&hub.topic=a"),
        ("/cb?x=1", "/cb?x=1&hub.mode=subscribe&hub.topic=a"),
        ("/cb?", "/cb?hub.mode=subscribe&hub.topic=a"),
        ("/cb?x&", "/cb?x&hub.mode=subscribe&hub.topic=a"),
        (
            "/?hub.mode=x",
            "/?hub.mode=x&hub.mode=subscribe&hub.topic=a",
        ),
        ("/a&", "/a&?hub.mode=subscribe&hub.topic=a"),
    ];
    let fields: [(&str, &[u8]); 2] = [("hub.mode", b"subscribe"), ("hub.topic", b"a")];
    for (path, want) in rows {
        assert_eq!(appended(path, &fields), want, "{path}");
    }
    let odd: &[u8] = b"http://h/?a=b&c d+\xff%";
    let want = "/?hub.topic=http%3A%2F%2Fh%2F%3Fa%3Db%26c%20d%2B%FF%25";
    assert_eq!(
        callback("http://h.test").path_with(&[("hub.topic", odd)]),
        want
    );
}

#[test]
fn a_url_has_a_bound() {
    let url = |bytes: usize| format!("http://h.test/{}", "x".repeat(bytes - 14));
    assert_eq!(callback(&url(URL_BYTES_MAX)).text().len(), URL_BYTES_MAX);
    assert!(refused(url(URL_BYTES_MAX + 1).as_bytes()).contains("8193 bytes"));
    assert!(refused(format!("x{}", "é".repeat(2_000)).as_bytes()).len() < 500);
}
