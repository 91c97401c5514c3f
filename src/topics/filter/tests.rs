//! Filters against tables, and against a reading by parsers of another make.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::base::frame::Frame;
use crate::base::index::Index;
use crate::base::rng::Rng;
use crate::base::time::Wall;
use crate::model::{MessageId, TopicNames};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn message(content_type: &str, body: &[u8]) -> Message {
    Message {
        method: crate::model::Method::Post,
        hops: 0,
        id: MessageId(1),
        accepted: Wall(0),
        content_type: Cow::Owned(content_type.to_owned()),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra: None,
    }
}

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let want = |(name, value): &(&str, &str)| Want {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    };
    Filter::of(pairs.iter().map(want).collect()).unwrap()
}

/// A body, the pairs, and whether it gets through.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

fn hold(content_type: &str, rows: &[Row<'_>]) {
    for (body, pairs, want) in rows {
        let got = filter(pairs).lets_through(&message(content_type, body.as_bytes()));
        assert_eq!(got, *want, "{content_type} {body} {pairs:?}");
    }
}

#[test]
fn equal_filters_are_one_however_they_were_written() {
    let one = filter(&[("a", "1"), ("b", "2"), ("a", "3")]);
    let same = filter(&[("b", "2"), ("a", "3"), ("a", "1"), ("a", "3")]);
    assert_eq!(one, same);
    let mut known = Index::new(5);
    known.insert(one.clone(), 7);
    assert_eq!(known.get(&same), Some(&7));
    assert_ne!(one, filter(&[("a", "1"), ("b", "2")]));
    assert_ne!(filter(&[("ab", "c")]), filter(&[("a", "bc")]));
    assert_eq!(format!("{one:?}"), "where.a=1&where.a=3&where.b=2");
    assert_eq!(Filter::of(Vec::new()), None);
}

#[test]
fn the_same_field_is_or_and_different_fields_are_and() {
    let either = [("a", "1"), ("a", "2")];
    let both = [("a", "1"), ("b", "2")];
    let all = [("a", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("c", "5")];
    hold(
        FORM,
        &[
            ("a=1", &either, true),
            ("a=2", &either, true),
            ("a=3", &either, false),
            ("a=1&b=2", &both, true),
            ("b=2&x=9&a=1", &both, true),
            ("a=1", &both, false),
            ("a=2&b=1", &both, false),
            ("a=2&b=3&c=4", &all, true),
            ("a=1&a=2&c=4&c=5", &all, false),
            ("c=5&b=3&a=1", &all, true),
        ],
    );
}

#[test]
fn fields_of_forms_are_compared_decoded() {
    let rows: &[Row<'_>] = &[
        ("a=1", &[("a", "1")], true),
        ("a=12", &[("a", "1")], false),
        ("aa=1", &[("a", "1")], false),
        ("A=1", &[("a", "1")], false),
        ("a=0&a=1", &[("a", "1")], true),
        ("%61=%31", &[("a", "1")], true),
        ("a=x+y%20z", &[("a", "x y z")], true),
        ("a=%E2%9C%93", &[("a", "✓")], true),
        ("a=%2B", &[("a", "+")], true),
        ("a=100%", &[("a", "100%")], true),
        ("a%3D1=1", &[("a", "1=1")], false),
        ("a", &[("a", "")], true),
        ("a=", &[("a", "")], true),
        ("", &[("a", "")], false),
        ("&&", &[("a", "")], false),
    ];
    hold(FORM, rows);
    hold(
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        &[("a=1", &[("a", "1")], true)],
    );
}

#[test]
fn members_of_json_are_compared_by_what_they_say() {
    let rows: &[Row<'_>] = &[
        (r#"{"a":"1"}"#, &[("a", "1")], true),
        (r#"{"a":1}"#, &[("a", "1")], true),
        (r#"{"a":1.0}"#, &[("a", "1")], false),
        (r#"{"a":-1.50e3}"#, &[("a", "-1.50e3")], true),
        (r#" { "b" : [1] , "a" : true } "#, &[("a", "true")], true),
        (r#"{"a":false}"#, &[("a", "false")], true),
        (r#"{"a":null}"#, &[("a", "null")], true),
        (r#"{"a":"null"}"#, &[("a", "null")], true),
        (r#"{"a":""}"#, &[("a", "")], true),
        (r#"{"a":"0"}"#, &[("a", "")], false),
        (r#"{"a":"0","a":"1"}"#, &[("a", "1")], true),
        // Only the top level counts, and only values that are no objects and arrays.
        (r#"{"x":{"a":"1"}}"#, &[("a", "1")], false),
        (r#"{"x":[{"a":"1"}],"b":2}"#, &[("a", "1")], false),
        (r#"{"a":["1"]}"#, &[("a", "1")], false),
        (r#"{"a":["1"]}"#, &[("a", r#"["1"]"#)], false),
        (r#"{"a":{}}"#, &[("a", "{}")], false),
        (r#"["a","1"]"#, &[("a", "1")], false),
        (r#""a""#, &[("a", "")], false),
        // Escapes.
        (r#"{"\u0061":"\u0031"}"#, &[("a", "1")], true),
        (r#"{"a":"say \"hi\"\n"}"#, &[("a", "say \"hi\"\n")], true),
        (r#"{"a":"\u2713"}"#, &[("a", "✓")], true),
        (r#"{"a":"✓"}"#, &[("a", "✓")], true),
        (r#"{"a":"\ud83d\ude00"}"#, &[("a", "😀")], true),
        (r#"{"a":"\ud83d"}"#, &[("a", "😀")], false),
        (r#"{"a":"\\n"}"#, &[("a", r"\n")], true),
        (r#"{"a":"\n"}"#, &[("a", r"\n")], false),
        (r#"{"a":"\\"}"#, &[("a", r"\")], true),
        (r#"{"a":"\\"}"#, &[("a", r"\\")], false),
        // What is no JSON has no members.
        (r#"{"a":"1"} x"#, &[("a", "1")], false),
        (r#"{"a":"1","b"}"#, &[("a", "1")], false),
        (r#"{"a":"1""#, &[("a", "1")], false),
        ("", &[("a", "")], false),
        ("a=1", &[("a", "1")], false),
    ];
    hold(JSON, rows);
    hold("application/ld+json", &rows[..4]);
}

#[test]
fn parts_of_multipart_forms_are_fields_unless_they_are_files() {
    let part = |head: &str, content: &str| {
        format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let body = [
        part("name=\"a\"", "1"),
        part("name=\"a\"", "2\r\n3"),
        part("name=\"f\"; filename=\"x\"", "4"),
        "--B--\r\n".to_owned(),
    ]
    .concat();
    let cut = body.replace("--B--", "--B");
    let rows: &[Row<'_>] = &[
        (&body, &[("a", "1")], true),
        (&body, &[("a", "2\r\n3")], true),
        (&body, &[("a", "2")], false),
        (&body, &[("f", "4")], false),
        (&cut, &[("a", "1")], false),
    ];
    hold("multipart/form-data; boundary=B", rows);
    hold("multipart/form-data", &[(&body, &[("a", "1")], false)]);
}

#[test]
fn bodies_of_other_types_have_no_fields() {
    for kind in ["", "text/plain", "application/jsonp", "application/x-json"] {
        hold(
            kind,
            &[
                ("a=1", &[("a", "1")], false),
                (r#"{"a":"1"}"#, &[("a", "1")], false),
            ],
        );
    }
}

/// Names and values that meet often, and their escapes too.
const TEXTS: [&str; 12] = [
    "a", "b", "ab", "1", "-1", "true", "null", "", "a b", "\"\\", "✓", "%41",
];

fn pick<'a>(rng: &mut Rng, texts: &[&'a str]) -> &'a str {
    texts[rng.below(texts.len() as u64) as usize]
}

fn pairs(rng: &mut Rng) -> Vec<(&'static str, &'static str)> {
    let count = 1 + rng.below(4);
    let pair = |_| (pick(rng, &TEXTS[..4]), pick(rng, &TEXTS));
    (0..count).map(pair).collect()
}

/// What a filter says, by the words of its rule.
fn naive(pairs: &[(&str, &str)], fields: &[(String, String)]) -> bool {
    pairs.iter().all(|(name, _)| {
        fields.iter().any(|(field, content)| {
            field == name && pairs.contains(&(field.as_str(), content.as_str()))
        })
    })
}

#[test]
fn forms_are_read_as_another_parser_reads_them() {
    let mut rng = Rng::new([7; 32]);
    let mut through = 0;
    for _ in 0..4_000 {
        let mut body = String::new();
        for _ in 0..rng.below(16) {
            for text in [
                pick(&mut rng, &TEXTS[..5]),
                "=",
                pick(&mut rng, &TEXTS),
                "&",
            ] {
                match rng.below(4) {
                    0 if text.len() > 1 || text == "a" => {
                        text.bytes().for_each(|it| body += &format!("%{it:02x}"));
                    }
                    1 => body += &text.replace(' ', "+"),
                    _ => body += text,
                }
            }
        }
        let pairs = pairs(&mut rng);
        let theirs = url::form_urlencoded::parse(body.as_bytes());
        let fields: Vec<_> = theirs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let want = naive(&pairs, &fields);
        let got = filter(&pairs).lets_through(&message(FORM, body.as_bytes()));
        assert_eq!(got, want, "{body:?} {pairs:?}");
        through += usize::from(want);
    }
    assert!(through > 100, "only {through} got through");
}

/// A JSON string, with escapes where none need be.
fn quoted(rng: &mut Rng, text: &str) -> String {
    if rng.below(3) > 0 {
        return Value::from(text).to_string();
    }
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
    format!("\"{}\"", units.collect::<String>())
}

#[test]
fn json_is_read_as_another_parser_reads_it() {
    let mut rng = Rng::new([8; 32]);
    let mut through = 0;
    for _ in 0..10_000 {
        let mut members = BTreeMap::new();
        for _ in 0..rng.below(16) {
            let text = pick(&mut rng, &TEXTS);
            let value = match rng.below(6) {
                0 => "{\"a\":\"1\",\"b\":[\"a\"]}".to_owned(),
                1 => "[\"1\"]".to_owned(),
                2 | 3 => pick(&mut rng, &["1", "-1", "true", "null", "1e0"]).to_owned(),
                _ => quoted(&mut rng, text),
            };
            let name = pick(&mut rng, &TEXTS[..5]);
            members.insert(name, format!("{}: {value}", quoted(&mut rng, name)));
        }
        let members: Vec<String> = members.into_values().collect();
        let mut body = format!("{{{}}}", members.join(" ,"));
        if rng.below(10) == 0 {
            body.truncate(body.len() - 1);
        }
        let pairs = pairs(&mut rng);
        let theirs: BTreeMap<String, &RawValue> = serde_json::from_str(&body).unwrap_or_default();
        let said = |value: &RawValue| match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => Some(text),
            Ok(Value::Array(_) | Value::Object(_)) | Err(_) => None,
            Ok(_) => Some(value.get().to_owned()),
        };
        let fields: Vec<_> = theirs
            .into_iter()
            .filter_map(|(name, value)| Some((name, said(value)?)))
            .collect();
        let want = naive(&pairs, &fields);
        let got = filter(&pairs).lets_through(&message(JSON, body.as_bytes()));
        assert_eq!(got, want, "{body} {pairs:?}");
        through += usize::from(want);
    }
    assert!(through > 100, "only {through} got through");
}
