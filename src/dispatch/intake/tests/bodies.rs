//! Tests of what a dispatch forwards: forms and multipart bodies less their control fields.

use super::*;

#[test]
fn forms_lose_their_control_fields_and_nothing_else() {
    let rows = [
        (format!("_url={U}&a=1"), "POST [@] [] form: a=1"),
        (format!("_url={E}&a=1"), "POST [@] [] form: a=1"),
        (format!("%5Furl={E}&a=1"), "POST [@] [] form: a=1"),
        (
            format!("a=1&_url={U}&b=2&a=3"),
            "POST [@] [] form: a=1&b=2&a=3",
        ),
        (
            format!("a=%41+%zz&&_url={U}&b&c=&=&"),
            "POST [@] [] form: a=%41+%zz&&b&c=&=&",
        ),
        (
            format!("_foo=1&_url={U}&_=2&_URL=3&url=4"),
            "POST [@] [] form: _foo=1&_=2&_URL=3&url=4",
        ),
        (format!("_url={U}"), "GET [@] [] : "),
        (format!("_url={U}&"), "GET [@] [] : "),
        (format!("_url={U}&&_delay=1&"), "GET [@] [] : "),
        (format!("_url={U}&="), "POST [@] [] form: ="),
        (format!("_url={U}&_method=post"), "POST [@] [] : "),
        (format!("_url={U}&_method=PUT&a"), "PUT [@] [] form: a"),
        (
            format!("_url={U}&_method=DELETE&a=1"),
            "DELETE [@] [] form: a=1",
        ),
        (
            format!("_url={U}&_url={U}?2&a=1"),
            "POST [@ @?2] [] form: a=1",
        ),
        (
            format!("_topic=t&_url={U}&_topic=u+v&a=1"),
            "POST [@] [t u v] form: a=1",
        ),
        ("_topic=t&a=1".into(), "POST [] [t] form: a=1"),
        ("_topic=a%2Cb%00%24".into(), "GET [] [a,b\0$] : "),
        (
            format!("_url={U}&_retries=3&_retry_schedule=1s&_timeout=1&_expires=1h"),
            "GET [@] [] : ",
        ),
    ];
    for (body, want) in rows {
        let want = want.replace('@', U);
        assert_eq!(line(&Post::form(&body).seen()), want, "{body}");
    }
}

#[test]
fn a_form_keeps_the_type_it_came_with() {
    let body = format!("_url={U}&a=1");
    let rows = [
        (Some("Application/X-WWW-Form-Urlencoded; charset=x"), true),
        (None, false),
        (Some(""), false),
        (Some(" "), false),
    ];
    for (content_type, kept) in rows {
        let post = Post {
            content_type,
            body: body.as_bytes(),
            ..Post::default()
        };
        let want = if kept {
            content_type.unwrap_or_default()
        } else {
            FORM
        };
        let seen = post.seen();
        assert_eq!((&*seen.content_type, &*seen.body), (want, "a=1"));
    }
}

#[test]
fn query_and_body_are_merged_query_first() {
    let target = format!("_url={E}");
    let with = |fields: &str| format!("{target}&{fields}");
    let rows = [
        (Post::default(), target.clone(), "GET [@] [] : "),
        (
            Post::default(),
            with("a=1&_foo=%41"),
            "POST [@] [] form: a=1&_foo=%41",
        ),
        (Post::form(""), with("&&a=1&&"), "POST [@] [] form: a=1"),
        (
            Post::form("b=2&a=3"),
            with("a=1"),
            "POST [@] [] form: a=1&b=2&a=3",
        ),
        (Post::form("b=2"), target.clone(), "POST [@] [] form: b=2"),
        (
            Post::form("b=2&_url=http://ignored&_topic=x"),
            with("a=1"),
            "POST [@] [] form: a=1&b=2",
        ),
        (
            Post::form("_topic=ignored"),
            target.clone(),
            "GET [@] [] : ",
        ),
        (
            Post::form("_topic=$reserved"),
            target.clone(),
            "GET [@] [] : ",
        ),
    ];
    for (post, query, want) in rows {
        assert_eq!(
            line(&post.query(&query).seen()),
            want.replace('@', U),
            "{query}"
        );
    }
    let body = format!("_url={U}&b=2");
    let seen = Post::form(&body).query("_topic=t&a=1").seen();
    assert_eq!(line(&seen), "POST [] [t] form: a=1&b=2");
    let seen = Post::form(&body).query("a=1").seen();
    assert_eq!(line(&seen), format!("POST [{U}] [] form: a=1&b=2"));
}

const PART_URL: &str =
    "--b\r\nContent-Disposition: form-data; name=\"_url\"\r\n\r\nhttp://[::1]/\r\n";
const PART_A: &str = "--b\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n";
const PART_FILE: &str = "--b \r\nContent-Disposition: form-data; name=\"f\"; filename=\"_url\"\r\n\
                         Content-Type: image/png\r\n\r\n\0\r\n--B\r\n\r\n";
const END: &str = "--b--\r\n";

#[test]
fn multipart_loses_its_control_parts_and_nothing_else() {
    let kept = [PART_A, PART_FILE, PART_A].concat();
    let rows = [
        [PART_URL, PART_A, PART_FILE, PART_A, END],
        [PART_A, PART_URL, PART_FILE, PART_A, END],
        [PART_A, PART_FILE, PART_A, PART_URL, END],
    ];
    for body in rows {
        let seen = Post::multipart(&body.concat()).seen();
        assert_eq!(seen.body, kept.clone() + END);
        assert_eq!(
            (&*seen.content_type, seen.method),
            (MULTIPART, Method::Post)
        );
        assert_eq!(seen.urls, ["http://[::1]/"]);
    }
    let around = format!("preamble\r\n{PART_URL}{PART_A}{END}epilogue");
    assert_eq!(
        Post::multipart(&around).seen().body,
        format!("preamble\r\n{PART_A}{END}epilogue")
    );
    let alone = [PART_URL, END].concat();
    assert_eq!(
        line(&Post::multipart(&alone).seen()),
        "GET [http://[::1]/] [] : "
    );
}

#[test]
fn query_fields_become_the_first_parts() {
    let field = "--b\r\nContent-Disposition: form-data; name=\"q r\"\r\n\r\n1 &\r\n";
    let target = format!("q+r=1+%26&_url={E}");
    let rows = [
        (format!("{PART_A}{END}"), format!("{field}{PART_A}{END}")),
        (
            format!("{PART_URL}{PART_A}{END}"),
            format!("{field}{PART_A}{END}"),
        ),
        (
            format!("pre\r\n{PART_A}{END}"),
            format!("pre\r\n{field}{PART_A}{END}"),
        ),
        (format!("\r\n{END}"), format!("\r\n{field}{END}")),
        (END.to_owned(), format!("{field}{END}")),
        (String::new(), format!("{field}{END}")),
    ];
    for (body, want) in rows {
        let seen = Post::multipart(&body).query(&target).seen();
        assert_eq!(seen.body, want, "{body}");
        assert_eq!(seen.urls, [U]);
    }
    let bad = format!("x=%0D%0A--b&_url={E}");
    let (reason, detail) = Post::multipart(END).query(&bad).refused();
    assert_eq!(reason, Reason::BadForm);
    assert!(detail.contains("boundary"), "{detail}");
}

#[test]
fn multipart_that_cannot_be_read_is_refused() {
    let file = PART_FILE.replace("name=\"f\"", "name=\"_url\"");
    let file = format!("{file}{END}");
    let rows = [
        (
            Post::multipart("--b\r\n"),
            Reason::BadForm,
            "part 1: its head does not end",
        ),
        (
            Post::multipart("a=1"),
            Reason::BadForm,
            "the boundary is not in the body",
        ),
        (
            Post::other("multipart/form-data", "--b--"),
            Reason::BadForm,
            "has no boundary",
        ),
        (
            Post::multipart(&file),
            Reason::BadOption,
            "_url: a file cannot be an option",
        ),
        (Post::multipart(END), Reason::NoDestination, ""),
    ];
    for (post, reason, detail) in rows {
        let got = post.refused();
        assert_eq!(got.0, reason);
        assert!(got.1.contains(detail), "{}", got.1);
    }
}
