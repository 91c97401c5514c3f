//! Tests of requests, named after the rows of hub.md that they show.

use super::*;
use crate::model::SealMethod;

const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");
const URLS: &str = "hub.topic=http://p.test/t&hub.callback=http://s.test/c";

fn ask<'a>(body: &'a str, half: Half) -> Result<Asked<'a>, Problem> {
    let request = Request {
        content_type: FORM,
        query: None,
        body: body.as_bytes(),
    };
    read(&request, half, &Leases::default())
}

fn subscribe(rest: &str) -> Subscribe {
    match ask(&format!("hub.mode=subscribe&{URLS}&{rest}"), Half::Any) {
        Ok(Asked::Subscribe(subscribe)) => subscribe,
        other => panic!("{rest}: {other:?}"),
    }
}

fn refused(body: &str) -> String {
    match ask(body, Half::Any) {
        Err(problem) if problem.reason == Reason::BadParameter => problem.detail.into_owned(),
        other => panic!("{body}: {other:?}"),
    }
}

fn subscribe_refused(rest: &str) -> String {
    refused(&format!("hub.mode=subscribe&{URLS}&{rest}"))
}

fn pinged(body: &str) -> Vec<String> {
    match ask(&format!("hub.mode=publish&{body}"), Half::Any) {
        Ok(Asked::Ping(topics)) => topics.iter().map(|it| it.given().to_owned()).collect(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn row_1_a_form_with_callback_mode_and_topic_is_a_request() {
    let asked = subscribe("");
    assert_eq!(asked.topic.given(), "http://p.test/t");
    assert_eq!(asked.callback.text(), "http://s.test/c");
    assert_eq!(asked.verify, Verify::default());
    assert!(asked.seal.is_none() && !asked.is_permanent_03());
    let encoded = "hub.mode=subscribe&hub.topic=http%3A%2F%2Fp.test%2F%3Fa%3D%2541%26b\
                   &hub%2Ecallback=http%3A//s.test/%3Fx%3D1%26y";
    let Ok(Asked::Subscribe(asked)) = ask(encoded, Half::Any) else {
        panic!("{encoded}")
    };
    assert_eq!(asked.topic.given(), "http://p.test/?a=%41&b");
    assert_eq!(asked.topic.key(), "http://p.test/?a=A&b");
    assert_eq!(&*asked.callback.target.path, "/?x=1&y");
    let rows = [
        (
            "hub.mode=subscribe&hub.callback=http://s.test/",
            "hub.topic is missing",
        ),
        ("hub.mode=subscribe&hub.topic=t", "hub.callback is missing"),
        (
            "hub.mode=subscribe&hub.topic=&hub.callback=http://s.test/",
            "hub.topic is missing",
        ),
        (
            URLS,
            "hub.mode is missing; allowed: subscribe, unsubscribe, publish",
        ),
        ("", "hub.mode is missing"),
        (
            "hub.mode=subscribe&hub.url=http://p.test/&hub.callback=http://s.test/",
            "hub.topic is",
        ),
        (
            "hub.mode=subscribe&hub.topic=t&hub.callback=t",
            "hub.callback: \"t\" is not one",
        ),
        (
            "hub.mode=subscribe&hub.topic=a/b&hub.callback=http://s.test/",
            "hub.topic: \"a/b\"",
        ),
    ];
    for (body, want) in rows {
        let detail = refused(body);
        assert!(detail.contains(want), "{body}: {detail}");
    }
}

#[test]
fn row_2_the_mode_is_literal() {
    for mode in [
        "Subscribe",
        "subscribe ",
        "SUBSCRIBE",
        "denied",
        "publish,subscribe",
    ] {
        let detail = refused(&format!("hub.mode={mode}&{URLS}"));
        let want = format!("hub.mode {mode:?}; allowed: subscribe, unsubscribe, publish");
        assert_eq!(detail, want);
    }
    assert!(matches!(
        ask(&format!("hub.mode=unsubscribe&{URLS}"), Half::Any),
        Ok(Asked::Unsubscribe(_))
    ));
}

#[test]
fn row_3_each_half_stands_under_its_own_name_too() {
    use Half::{Any, Publish, Subscribe};
    let urls = format!("{URLS}&hub.url=http://p.test/");
    let rows = [
        (Any, "", None),
        (Any, "subscribe", Some("s")),
        (Any, "unsubscribe", Some("u")),
        (Any, "publish", Some("p")),
        (Subscribe, "", Some("s")),
        (Subscribe, "subscribe", Some("s")),
        (Subscribe, "unsubscribe", Some("u")),
        (Subscribe, "publish", None),
        (Publish, "", Some("p")),
        (Publish, "publish", Some("p")),
        (Publish, "subscribe", None),
        (Publish, "unsubscribe", None),
    ];
    for (half, mode, want) in rows {
        let body = match mode {
            "" => urls.clone(),
            mode => format!("hub.mode={mode}&{urls}"),
        };
        let got = match ask(&body, half) {
            Ok(Asked::Subscribe(_)) => Some("s"),
            Ok(Asked::Unsubscribe(_)) => Some("u"),
            Ok(Asked::Ping(_)) => Some("p"),
            Ok(Asked::Content(_)) => panic!("{body}"),
            Err(problem) => {
                assert!(problem.detail.starts_with("hub.mode"), "{problem:?}");
                None
            }
        };
        assert_eq!(got, want, "{half:?} {mode}");
    }
}

#[test]
fn row_10_what_is_unknown_is_passed_over() {
    let asked = subscribe("hub.foo=1&foo&=&&hub.Secret=x&hub.challenge=y&hub.url=zz");
    assert!(asked.seal.is_none());
}

#[test]
fn row_11_and_c15_a_secret_is_raw_bytes_and_fewer_than_200() {
    let secret = |rest: &str| subscribe(rest).seal.map(|seal| seal.secret.to_vec());
    assert_eq!(secret("hub.secret="), None);
    assert_eq!(secret("hub.secret=a%00%FF+b"), Some(b"a\0\xff b".to_vec()));
    assert_eq!(
        secret(&format!("hub.secret={}", "x".repeat(199))),
        Some(vec![b'x'; 199])
    );
    let detail = subscribe_refused(&format!("hub.secret={}", "x".repeat(200)));
    assert_eq!(detail, "hub.secret has 200 bytes; allowed: up to 199");
    // Bytes, not characters.
    let detail = subscribe_refused(&format!("hub.secret={}", "é".repeat(100)));
    assert!(detail.starts_with("hub.secret has 200 bytes"), "{detail}");
    let shown = format!("{:?}", subscribe("hub.secret=hunter2"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn row_12_and_c8_a_lease_is_clamped_and_never_refused_for_its_size() {
    let rows: &[(&str, Option<u64>, u64)] = &[
        ("", None, 864_000),
        ("hub.lease_seconds=", None, 864_000),
        ("hub.lease_seconds=1", Some(1), 300),
        ("hub.lease_seconds=0000600", Some(600), 600),
        ("hub.lease_seconds=864000", Some(864_000), 864_000),
        (
            "hub.lease_seconds=9999999999",
            Some(9_999_999_999),
            2_592_000,
        ),
        (
            "hub.lease_seconds=18446744073709551616",
            Some(u64::MAX),
            2_592_000,
        ),
        (
            "hub.lease_seconds=99999999999999999999999999999",
            Some(u64::MAX),
            2_592_000,
        ),
    ];
    for (rest, asked, granted) in rows {
        let lease = subscribe(rest).lease;
        assert_eq!((lease.asked, lease.granted), (*asked, *granted), "{rest}");
        let changed = asked.is_some_and(|asked| asked != *granted);
        assert_eq!(lease.warning().is_some(), changed, "{rest}");
    }
    let lease = subscribe("hub.lease_seconds=9999999").lease;
    assert_eq!(lease.warning().as_deref(), Some("lease reduced to 2592000"));
    for bad in [
        "0", "000", "-5", "%2B5", "1.5", "1e3", "ten", "5+", "0x10", "%D9%A3",
    ] {
        let detail = subscribe_refused(&format!("hub.lease_seconds={bad}"));
        assert!(
            detail.contains("allowed: a whole number above 0"),
            "{detail}"
        );
    }
}

#[test]
fn row_13_an_unsubscribe_ignores_lease_and_secret() {
    let secret = "x".repeat(300);
    let body = format!(
        "hub.mode=unsubscribe&{URLS}&hub.lease_seconds=garbage&hub.secret={secret}&hub.secret=y\
         &hub.signature_method=md5"
    );
    let Ok(Asked::Unsubscribe(asked)) = ask(&body, Half::Any) else {
        panic!("{body}")
    };
    assert_eq!(asked.topic.given(), "http://p.test/t");
}

/// Part A8: one hub for all three versions.
#[test]
fn a8_and_c1_only_a_sync_without_async_makes_the_answer_wait() {
    let rows = [
        ("", false, false),
        ("hub.verify=async", true, false),
        ("hub.verify=sync", true, true),
        ("hub.verify=sync,async", true, false),
        ("hub.verify=async&hub.verify=sync", true, false),
        ("hub.verify=sync&hub.verify=sync", true, true),
        ("hub.verify=foo,sync", true, true),
        ("hub.verify=foo", true, false),
        ("hub.verify=", true, false),
        ("hub.verify=SYNC", true, false),
    ];
    for (rest, is_03, sync) in rows {
        let asked = subscribe(rest);
        assert_eq!(
            (asked.verify.is_03, asked.verify.sync),
            (is_03, sync),
            "{rest}"
        );
        assert_eq!(asked.is_permanent_03(), is_03, "{rest}");
        let leased = subscribe(&format!("{rest}&hub.lease_seconds=600"));
        assert!(!leased.is_permanent_03(), "{rest}");
    }
}

#[test]
fn a8_a_verify_token_is_kept_as_it_is() {
    let token = |rest: &str| subscribe(rest).verify.token.map(|it| it.to_vec());
    assert_eq!(token(""), None);
    assert_eq!(token("hub.verify_token="), Some(vec![]));
    assert_eq!(
        token("hub.verify_token=a%26b+%FF"),
        Some(b"a&b \xff".to_vec())
    );
    let long = "t".repeat(TOKEN_BYTES_MAX);
    assert_eq!(
        token(&format!("hub.verify_token={long}")),
        Some(long.clone().into_bytes())
    );
    assert!(subscribe_refused(&format!("hub.verify_token={long}t")).contains("too long"));
}

#[test]
fn c3_only_the_form_of_the_specification_is_read() {
    let rows: [(Option<&[u8]>, bool); 11] = [
        (None, true),
        (Some(b""), true),
        (Some(b"application/x-www-form-urlencoded"), true),
        (
            Some(b"Application/X-WWW-Form-Urlencoded; charset=UTF-8"),
            true,
        ),
        (Some(b"multipart/form-data; boundary=x"), false),
        (Some(b"application/json"), false),
        (Some(b"text/plain"), false),
        (Some(b"x"), false),
        (Some(b"\xff"), false),
        (Some(b";"), false),
        (Some(b"application/x-www-form-urlencoded-not"), false),
    ];
    let body = format!("hub.mode=subscribe&{URLS}");
    for (content_type, is_read) in rows {
        for half in [Half::Any, Half::Subscribe] {
            let request = Request {
                content_type,
                query: Some("hub.mode=subscribe&hub.topic=t"),
                body: body.as_bytes(),
            };
            let asked = read(&request, half, &Leases::default());
            let reason = asked.map(|_| ()).map_err(|problem| problem.reason);
            let want = if is_read {
                Ok(())
            } else {
                Err(Reason::UnsupportedMediaType)
            };
            assert_eq!(reason, want, "{content_type:?}");
        }
    }
}

#[test]
fn c4_parameters_of_the_query_are_ignored() {
    let request = Request {
        content_type: None,
        query: Some("hub.mode=subscribe&hub.topic=http://p.test/&hub.callback=http://s.test/"),
        body: b"",
    };
    let asked = read(&request, Half::Any, &Leases::default());
    assert!(asked.is_err_and(|it| it.detail.starts_with("hub.mode is missing")));
}

#[test]
fn c4_one_parameter_with_two_values_is_refused() {
    let rows = [
        ("hub.topic=http://p.test/other", "hub.topic"),
        ("hub.callback=http://s.test/other", "hub.callback"),
        ("hub.mode=unsubscribe", "hub.mode"),
        ("hub.secret=hunter2&hub.secret=hunter3", "hub.secret"),
        ("hub.secret=hunter2&hub.secret=", "hub.secret"),
    ];
    for (rest, parameter) in rows {
        let detail = subscribe_refused(rest);
        let want = "is given twice with different values; allowed: one value";
        assert_eq!(detail, format!("{parameter} {want}"));
    }
    subscribe(&format!(
        "{URLS}&hub.mode=subscribe&hub.secret=a&hub.secret=%61"
    ));
}

#[test]
fn c16_the_method_is_sha256_unless_somebody_says_otherwise() {
    use SealMethod::{Sha1, Sha256, Sha384, Sha512};
    let rows = [
        ("", Sha256),
        ("hub.verify=async", Sha1),
        ("hub.verify=foo", Sha1),
        ("hub.signature_method=", Sha256),
        ("hub.signature_method=sha1", Sha1),
        ("hub.signature_method=SHA512", Sha512),
        ("hub.signature_method=sha384&hub.verify=sync", Sha384),
        ("hub.hash_algorithms=md5,sha512,sha1", Sha512),
        ("hub.hash_algorithms=md5, sha384", Sha384),
        ("hub.hash_algorithms=md5", Sha256),
        ("hub.hash_algorithms=sha512&hub.verify=sync", Sha512),
        ("hub.hash_algorithms=sha512&hub.signature_method=sha1", Sha1),
    ];
    for (rest, want) in rows {
        let seal = subscribe(&format!("hub.secret=s&{rest}")).seal.unwrap();
        assert_eq!(seal.method, want, "{rest}");
    }
    let detail = subscribe_refused("hub.signature_method=md5");
    let want = "hub.signature_method \"md5\"; allowed: sha1, sha256, sha384, sha512";
    assert_eq!(detail, want);
}

#[test]
fn rows_40_and_41_and_c24_urls_and_topics_are_one_list_without_doubles() {
    let rows: &[(&str, &[&str])] = &[
        ("hub.url=http://a.test/", &["http://a.test/"]),
        ("hub.topic=http://a.test/", &["http://a.test/"]),
        (
            "hub.url=http://b.test/&hub.topic=http://a.test/&hub.url[]=http://c.test/",
            &["http://b.test/", "http://a.test/", "http://c.test/"],
        ),
        (
            "hub.url%5B%5D=http://b.test/&hub.topic=http://B.test:80&hub.url=http://a.test/%2541\
             &hub.url=http://a.test/A",
            &["http://b.test/", "http://a.test/%41"],
        ),
    ];
    for (body, want) in rows {
        assert_eq!(pinged(body), *want, "{body}");
    }
    let many: String = (0..2_000)
        .map(|n| format!("&hub.url=http://h.test/{}", n % 500))
        .collect();
    let got = pinged(&many);
    assert_eq!((got.len(), got[499].as_str()), (500, "http://h.test/499"));
}

#[test]
fn c24_one_url_that_is_wrong_is_an_error_for_all_that_names_it() {
    let detail = refused("hub.mode=publish&hub.url=http://a.test/&hub.url=ftp://b.test/");
    let want = "hub.url: \"ftp://b.test/\" is not one; allowed: an absolute http or https URL, or";
    assert!(detail.starts_with(want), "{detail}");
    assert!(refused("hub.mode=publish").starts_with("hub.url is missing"));
    assert!(refused("hub.mode=publish&hub.url=").starts_with("hub.url: \"\" is not one"));
}

#[test]
fn c28_content_comes_in_a_parameter() {
    let form = "hub.mode=publish&hub.topic=orders&hub.content=a%3Db+c&hub.content_type=text/x;+a=b";
    let Ok(Asked::Content(content)) = ask(form, Half::Any) else {
        panic!("{form}")
    };
    assert_eq!(
        (content.topic.given(), &*content.body),
        ("orders", &b"a=b c"[..])
    );
    assert_eq!(content.content_type, "text/x; a=b");
    let around = "hub.topic=orders&hub.content=a&hub.content_type=+text/x%09+";
    let Ok(Asked::Content(around)) = ask(around, Half::Publish) else {
        panic!("spaces around a type")
    };
    assert_eq!(around.content_type, "text/x");
    let Ok(Asked::Content(empty)) = ask("hub.topic=orders&hub.content=", Half::Publish) else {
        panic!("an empty content")
    };
    assert_eq!(
        (empty.body.len(), &*empty.content_type),
        (0, "application/octet-stream")
    );
    for bad in [
        "hub.content=a&hub.content=b&hub.topic=t",
        "hub.content=a",
        "hub.topic=t&hub.content=a&hub.content_type=x%0D%0Ay/z",
        // The fuzzer brought it through: it would end the target's head.
        "hub.topic=t&hub.content=a&hub.content_type=x/y%0D%0A",
        "hub.topic=t&hub.url=u&hub.content=a",
    ] {
        refused(&format!("hub.mode=publish&{bad}"));
    }
}

#[test]
fn c28_the_body_is_the_content_of_the_topic_in_the_query() {
    let raw = |query, half, content_type: &'static str| {
        let request = Request {
            content_type: Some(content_type.as_bytes()),
            query: Some(query),
            body: b"<feed/>",
        };
        match read(&request, half, &Leases::default()) {
            Ok(Asked::Content(content)) => {
                Ok((content.topic.given().to_owned(), content.body.len()))
            }
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem.reason),
        }
    };
    use Half::{Any, Publish, Subscribe};
    let (publish, url) = ("hub.mode=publish&hub.topic=t", "hub.topic=http%3A//p.test/");
    assert_eq!(
        raw(publish, Any, "application/atom+xml"),
        Ok(("t".into(), 7))
    );
    assert_eq!(
        raw(url, Publish, "a/b;c=d"),
        Ok(("http://p.test/".into(), 7))
    );
    let unsupported = Err(Reason::UnsupportedMediaType);
    assert_eq!(raw(url, Any, "text/xml"), unsupported);
    assert_eq!(raw(publish, Subscribe, "text/xml"), unsupported);
    assert_eq!(raw("hub.mode=publish", Any, "text/xml"), unsupported);
    assert_eq!(
        raw(publish, Any, "multipart/form-data; boundary=x"),
        unsupported
    );
    assert_eq!(raw(publish, Any, "text"), unsupported);
    assert_eq!(
        raw("hub.mode=publish&hub.topic=a/b", Any, "a/b"),
        Err(Reason::BadParameter)
    );
    assert_eq!(
        raw("hub.topic=a&hub.topic=b", Publish, "a/b"),
        Err(Reason::BadParameter)
    );
    assert_eq!(
        raw("hub.topic=$a", Publish, "a/b"),
        Err(Reason::ReservedTopic)
    );
}

#[test]
fn c37_a_plain_name_without_content_is_sent_to_dispatch() {
    let detail = refused("hub.mode=publish&hub.topic=orders");
    assert!(detail.contains("POST /dispatch?_topic=orders"), "{detail}");
}

#[test]
fn a_ping_names_so_many_topics_and_no_more() {
    let body = |count| -> String {
        let urls = (0..count).map(|n| format!("&hub.url=http://a.test/{n}"));
        format!("hub.mode=publish{}", urls.collect::<String>())
    };
    assert!(ask(&body(1_000), Half::Any).is_ok());
    let refused = ask(&body(1_001), Half::Any).map(drop).unwrap_err();
    assert_eq!(refused.reason, Reason::TooManyTopics);
}
