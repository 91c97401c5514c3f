//! Tests of discovery: where links are found, where not, and whose come first.

use super::*;

const URL: &str = "http://p.test/dir/feed?x=1";

fn found(head: &str, body: &str) -> (Option<String>, Vec<String>) {
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
    let found = discover(head.as_bytes(), body.as_bytes(), URL);
    let hubs = found.hubs.into_iter().map(String::from).collect();
    (found.own.map(String::from), hubs)
}

fn check(head: &str, body: &str, own: &str, hubs: &[&str]) {
    let (got_own, got_hubs) = found(head, body);
    assert_eq!(got_own.unwrap_or_default(), own, "{head} {body}");
    assert_eq!(got_hubs, hubs, "{head} {body}");
}

/// A Link field; the URL that it calls the topic's own, and its hubs.
type Row = (&'static str, &'static str, &'static [&'static str]);

const FIELDS: &[Row] = &[
    ("", "", &[]),
    ("<http://h.test/>; rel=hub", "", &["http://h.test/"]),
    ("<http://h.test/>; rel=\"hub\"", "", &["http://h.test/"]),
    (
        "<http://h.test/>;rel = \"HUB\" ; x",
        "",
        &["http://h.test/"],
    ),
    (
        "<http://h.test/?a,b;c>; rel=\"hub\", <http://p.test/s>; rel=\"self\"",
        "http://p.test/s",
        &["http://h.test/?a,b;c"],
    ),
    (
        "<a>; rel=\"self hub\"",
        "http://p.test/dir/a",
        &["http://p.test/dir/a"],
    ),
    (
        "</s>; rel=self,</h>; rel=hub",
        "http://p.test/s",
        &["http://p.test/h"],
    ),
    (
        "<a>; title=\"x, <b>; rel=hub\"; rel=self",
        "http://p.test/dir/a",
        &[],
    ),
    (
        "<a>; title=\"x\\\"; rel=hub\"; rel=self",
        "http://p.test/dir/a",
        &[],
    ),
    (
        "<a>; rel=next; rel=hub, <b>; rel=hub",
        "",
        &["http://p.test/dir/b"],
    ),
    (
        "<a>; rel=hub; anchor=\"#x\", <b>; rel=hub",
        "",
        &["http://p.test/dir/b"],
    ),
    ("<a>; rel=\"hubs\", <b>; rel=selfish", "", &[]),
    ("<a>, <b>; rel=hub", "", &["http://p.test/dir/b"]),
    (
        "<a>; rel=hub <b>; rel=hub",
        "",
        &["http://p.test/dir/a", "http://p.test/dir/b"],
    ),
    ("<a; rel=hub", "", &[]),
    ("<a>; rel=\"hub", "", &["http://p.test/dir/a"]),
    ("<>; rel=self", "", &[]),
    ("<a#f>; rel=self", "http://p.test/dir/a", &[]),
    ("<javascript:x>; rel=self, <ftp://h/>; rel=hub", "", &[]),
    ("<HTTP://H.test>; rel=hub", "", &["HTTP://H.test"]),
    (
        "<a>; rel=hub, <a>; rel=hub, <b>; rel=self, <c>; rel=self",
        "http://p.test/dir/b",
        &["http://p.test/dir/a"],
    ),
];

#[test]
fn c19_link_fields_are_read_as_rfc_8288_says() {
    for (value, own, hubs) in FIELDS {
        check(&format!("Link: {value}\r\n"), "", own, hubs);
    }
    let head = "Link: <a>; rel=hub\r\nlink: <b>; rel=hub\r\nLINK: <c>; rel=self\r\n";
    check(
        head,
        "",
        "http://p.test/dir/c",
        &["http://p.test/dir/a", "http://p.test/dir/b"],
    );
    let many: String = (0..20).map(|n| format!("<{n}>; rel=hub, ")).collect();
    assert_eq!(found(&format!("Link: {many}\r\n"), "").1.len(), HUBS_MAX);
}

#[test]
fn c19_a_feed_names_itself_under_any_prefix() {
    let atom = "http://www.w3.org/2005/Atom";
    let (own, hub) = ("http://p.test/s", "http://h.test/");
    let links = |p: &str| {
        format!("<{p}link rel='self' href='{own}'/><{p}link rel=\"hub\" href=\"{hub}\"></{p}link>")
    };
    let rows = [
        format!(
            "<?xml version='1.0'?><feed xmlns='{atom}'>{}</feed>",
            links("")
        ),
        format!("\u{feff}  <feed xmlns='{atom}'><id/>{}", links("")),
        format!(
            "<atom:feed xmlns:atom='{atom}'>{}</atom:feed>",
            links("atom:")
        ),
        format!(
            "<rss xmlns:a10='{atom}'><channel><link>x</link>{}",
            links("a10:")
        ),
        format!(
            "<rss><channel xmlns:x='{atom}'>{}</channel></rss>",
            links("x:")
        ),
        format!(
            "<rss><channel>{}",
            links("atom:").replace(' ', &format!(" xmlns:atom='{atom}' "))
        ),
        format!(
            "<rdf:RDF xmlns:rdf='r' xmlns='rss1' xmlns:a='{atom}'><channel>{}</channel></rdf:RDF>",
            links("a:")
        ),
        format!(
            "<!DOCTYPE feed><!-- <link> --><feed xmlns='{atom}'>{}",
            links("")
        ),
    ];
    for body in rows {
        check("Content-Type: application/xml\r\n", &body, own, &[hub]);
    }
}

#[test]
fn c19_links_of_entries_and_of_no_namespace_are_not_the_feeds() {
    let atom = "http://www.w3.org/2005/Atom";
    let links = |p: &str| {
        format!("<{p}link rel='self' href='http://p.test/s'/><{p}link rel='hub' href='http://h/'/>")
    };
    let none = [
        format!("<feed xmlns='{atom}'><entry>{}</entry></feed>", links("")),
        format!("<feed>{}</feed>", links("")),
        format!("<feed xmlns='other'>{}</feed>", links("")),
        format!(
            "<rss xmlns:a='{atom}'><channel><item>{}</item></channel></rss>",
            links("a:")
        ),
        format!(
            "<rss xmlns:a='{atom}'><channel/><x>{}</x></rss>",
            links("a:")
        ),
        format!("<rss><channel>{}</channel></rss>", links("")),
        format!(
            "<feed xmlns='{atom}'><!--{}--><![CDATA[{}]]></feed>",
            links(""),
            links("")
        ),
        format!("<feed xmlns='{atom}'></x>{}</feed>", links("")),
    ];
    for body in none {
        check("Content-Type: text/xml\r\n", &body, "", &[]);
    }
}

#[test]
fn c19_relative_links_of_a_feed_go_by_xml_base_and_entities_are_resolved() {
    let atom = "xmlns='http://www.w3.org/2005/Atom'";
    let rows = [
        (
            format!("<feed {atom}><link rel='self' href='s?a&amp;b'/>"),
            "http://p.test/dir/s?a&b",
        ),
        (
            format!("<feed {atom} xml:base='/x/'><link rel='self' href='s'/>"),
            "http://p.test/x/s",
        ),
        (
            format!("<feed {atom} xml:base='/x/'><link xml:base='y/' rel='self' href='s'/>"),
            "http://p.test/x/y/s",
        ),
        (
            format!("<feed {atom} xml:base='/x/'><id xml:base='y/'/><link rel='self' href='s'/>"),
            "http://p.test/x/s",
        ),
        (format!("<feed {atom}><link rel='self' href='&nope;'/>"), ""),
    ];
    for (body, own) in rows {
        check("Content-Type: application/atom+xml\r\n", &body, own, &[]);
    }
}

#[test]
fn c19_html_links_count_in_the_head_alone() {
    let link = "<link rel=hub href=http://h.test/>";
    let yes = [
        format!("<!doctype html><html><head>{link}</head>"),
        format!("<!DOCTYPE html>\n<!-- <body> --><HEAD><meta charset=utf-8>\n{link}"),
        "<html><head><LINK REL='x Hub' HREF = 'http://h.test/' /></head>".to_owned(),
        "<html><link href=\"http://h.test/\" rel=\"hub\">".to_owned(),
        format!("<html><title>a > <link> b</title><script>'<body>'</script>{link}"),
        format!("<head><script>a</scriptx></script >{link}"),
        format!("<head><meta content='<body>'>{link}"),
        format!("<html><head></meta>{link}"),
        format!("<?xml version='1.0'?><html xmlns='x'><head>{link}"),
    ];
    for body in yes {
        check(
            "Content-Type: text/html\r\n",
            &body,
            "",
            &["http://h.test/"],
        );
    }
    let no = [
        format!("<html><body>{link}"),
        format!("<html><head></head>{link}"),
        format!("<html><head><p>{link}"),
        format!("<html><head>text {link}"),
        format!("<html><head><!-- {link} -->"),
        format!("<html><head><title>{link}</title>"),
        format!("<html><head><script>{link}</script>"),
        format!("<html><head><template>{link}</template>"),
        format!("<html><head><script>{link}"),
        "<html><head><link rel=hub>".to_owned(),
        "<html><head><link rel='hub href=http://h.test/>".to_owned(),
        "<html><head><link rel='stylesheet' href=http://h.test/>".to_owned(),
        "<html><head><link rel=a rel=hub href=http://h.test/>".to_owned(),
    ];
    for body in no {
        check("Content-Type: text/html\r\n", &body, "", &[]);
    }
    let based = "<html><head><base target=x href='/b/'><base href='/c/'><link rel=self href=s?a&b>";
    check("", based, "http://p.test/b/s?a&b", &[]);
    check(
        "",
        "<html><base><link rel=self href=s>",
        "http://p.test/dir/s",
        &[],
    );
}

/// WebSub section 4: fields first, and what they do not say is looked for in the body.
#[test]
fn c19_link_fields_come_before_the_body() {
    let body = "<html><head><link rel=self href=s><link rel=hub href=h>";
    let (s, h, t) = (
        "http://p.test/dir/s",
        "http://p.test/dir/h",
        "http://p.test/dir/t",
    );
    check("", body, s, &[h]);
    check("Link: <t>; rel=self\r\n", body, t, &[h]);
    check("Link: <t>; rel=hub\r\n", body, s, &[t]);
    check("Link: <t>; rel=\"hub self\"\r\n", body, t, &[t]);
}

#[test]
fn only_the_start_of_a_body_is_looked_at() {
    let link = "<link rel=self href=s>";
    let near = format!(
        "<html>{}{link}",
        " ".repeat(LOOKED_BYTES_MAX - 6 - link.len())
    );
    // Not `check`, which would print it.
    let own = |body: &str| found("", body).0;
    assert_eq!(own(&near).as_deref(), Some("http://p.test/dir/s"));
    assert_eq!(own(&format!("<html> {}", &near[6..])), None);
    let cut = format!(
        "<html>{link}{}é",
        " ".repeat(LOOKED_BYTES_MAX - 7 - link.len())
    );
    assert!(cut.len() > LOOKED_BYTES_MAX);
    assert_eq!(own(&cut).as_deref(), Some("http://p.test/dir/s"));
}

#[test]
fn a_body_is_what_it_begins_with() {
    let rows = [
        ("text/html", "<?xml?><rss>", Some(Kind::Html)),
        ("text/html", "<rss>", Some(Kind::Feed)),
        ("text/plain", "<?xml?>", Some(Kind::Feed)),
        ("application/rss+xml; charset=x", "<x", Some(Kind::Feed)),
        ("application/xhtml+xml", "<?xml?>", Some(Kind::Html)),
        ("application/xml", "<!DOCTYPE HTML>", Some(Kind::Html)),
        ("application/json", "{}", None),
        ("", "", None),
    ];
    for (content_type, text, want) in rows {
        assert_eq!(kind(content_type, text), want, "{content_type} {text}");
    }
    assert_eq!(discover(b"", b"<html>", "no url"), Found::default());
    assert_eq!(discover(b"nonsense", b"\xff\xfe", URL), Found::default());
}
