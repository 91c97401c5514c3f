//! Tests of JSON submissions: which members are options, what is left, and what is refused.

use super::*;

const JSON: &str = "application/json";

#[test]
fn known_members_are_cut_and_every_other_byte_is_kept() {
    let rows = [
        (format!("{{\"_url\":\"{U}\"}}"), "POST [@] [] json: {}"),
        (
            format!("{{ \"_url\": \"{U}\",\n  \"a\" : [1, {{\"_url\": 2}}] }}\n"),
            "POST [@] [] json: { \"a\" : [1, {\"_url\": 2}] }\n",
        ),
        (
            format!("{{\"b\":1.0e0,\"_retries\":3,\"_foo\":true, \"_url\":\"{U}\"}}"),
            "POST [@] [] json: {\"b\":1.0e0,\"_foo\":true}",
        ),
        (
            format!("{{\"_url\":[\"{U}\",\"{U}?2\"],\"_topic\":[\"t\",\"u\"]}}"),
            "POST [@ @?2] [t u] json: {}",
        ),
        (
            format!("{{\"_url\":\"{U}\",\"_url\":\"{U}?2\",\"_method\":\"put\"}}"),
            "PUT [@ @?2] [] json: {}",
        ),
        (
            format!(
                "{{\"\\u005furl\":\"{}\",\"é\":\"\"}}",
                U.replace('/', "\\/")
            ),
            "POST [@] [] json: {\"é\":\"\"}",
        ),
        ("{\"_topic\":\"t\"}".into(), "POST [] [t] json: {}"),
    ];
    for (body, want) in rows {
        let got = line(&Post::other(JSON, &body).seen()).replace(JSON, "json");
        assert_eq!(got, want.replace('@', U), "{body}");
    }
    for content_type in ["Application/JSON; charset=utf-8", "application/vnd.x+json"] {
        let seen = Post::other(content_type, "{\"_topic\":\"t\",\"a\":1}").seen();
        assert_eq!(
            (&*seen.content_type, &*seen.body),
            (content_type, "{\"a\":1}")
        );
    }
}

#[test]
fn a_json_body_is_not_touched_if_the_target_is_elsewhere() {
    let body = "{\"_url\":\"http://x/\", \"_retries\":\"no\"} and no JSON";
    let query = format!("_url={E}");
    let headers = [("Hookah-Url", U)];
    for post in [
        Post::other(JSON, body).query(&query),
        Post::other(JSON, body).headers(&headers),
        Post::other(JSON, body).tail("aHR0cDovLzEyNy4wLjAuMTo5MDAwL2hvb2s"),
    ] {
        let seen = post.seen();
        assert_eq!((&*seen.body, seen.urls), (body, vec![U.to_owned()]));
    }
}

#[test]
fn options_of_members_are_read_as_of_fields() {
    let body = format!("{{\"_url\":\"{U}\",\"_retries\":3,\"_timeout\":\"250ms\"}}");
    let seen = Post::other(JSON, &body)
        .headers(&[("Hookah-Retries", "7")])
        .seen();
    assert_eq!(seen.options.retries, 7, "a header weighs more");
    assert_eq!(seen.options.timeout, std::time::Duration::from_millis(250));
}

#[test]
fn json_that_cannot_be_used_is_refused() {
    let rows = [
        ("{\"_url\":", Reason::BadJson, "byte 8: it ends too early"),
        ("{\"a\":1}]", Reason::BadJson, "byte 7: something follows"),
        ("nonsense", Reason::BadJson, "byte 0: a value expected"),
        ("{\"a\":1}", Reason::NoDestination, ""),
        (
            "{\"a\":{\"_url\":\"http://x/\"}}",
            Reason::NoDestination,
            "",
        ),
        ("[{\"_url\":\"http://x/\"}]", Reason::NoDestination, ""),
        ("", Reason::NoDestination, ""),
        (" \n", Reason::NoDestination, ""),
        (
            "{\"_url\":1.5,\"_url\":{}}",
            Reason::BadOption,
            "_url: the member is not a plain value",
        ),
        (
            "{\"_url\":[1]}",
            Reason::BadOption,
            "_url: the member is not strings",
        ),
        (
            "{\"_retries\":[1]}",
            Reason::BadOption,
            "_retries: the member is not a plain value",
        ),
        (
            "{\"_retries\":null}",
            Reason::BadOption,
            "_retries: the member is not a plain value",
        ),
        (
            "{\"_retries\":\"x\"}",
            Reason::BadOption,
            "_retries: \"x\" is not a number; allowed",
        ),
        (
            "{\"_retries\":1,\"_retries\":1}",
            Reason::BadOption,
            "is given twice",
        ),
        (
            "{\"_topic\":\"\\ud800\"}",
            Reason::BadOption,
            "_topic: the member is not text",
        ),
    ];
    for (body, reason, detail) in rows {
        let got = Post::other(JSON, body).refused();
        assert_eq!(got.0, reason, "{body}: {}", got.1);
        assert!(got.1.contains(detail), "{body}: {}", got.1);
    }
    let body = format!("{{\"_url\":\"{U}\"}}");
    let got = Post::other(JSON, &body).query("a=1").refused();
    assert_eq!(got.0, Reason::BadQuery, "a query field fits into no JSON");
}
