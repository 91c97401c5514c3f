//! Tests of the reader of JSON: what is JSON, where it is none, and what a cut leaves.

use super::*;

fn members(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let Some(members) = object(text.as_bytes())? else {
        return Ok(vec![]);
    };
    members
        .map(|member| {
            let member = member?;
            Ok((text[member.name].to_owned(), text[member.value].to_owned()))
        })
        .collect()
}

#[test]
fn members_are_found_as_they_stand() {
    let rows: &[(&str, &[(&str, &str)])] = &[
        ("{}", &[]),
        (" {\t} \r\n", &[]),
        (r#"{"a":1}"#, &[("\"a\"", "1")]),
        (
            r#" { "a" : [1, {"_url": 2}] , "b\"":"\\" } "#,
            &[("\"a\"", "[1, {\"_url\": 2}]"), (r#""b\"""#, r#""\\""#)],
        ),
        (
            r#"{"a":-0.5e+10,"a":null,"":true}"#,
            &[("\"a\"", "-0.5e+10"), ("\"a\"", "null"), ("\"\"", "true")],
        ),
        ("[1]", &[]),
        ("\"{}\"", &[]),
    ];
    for (text, want) in rows {
        let got = members(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
        let got: Vec<_> = got
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(got, *want, "{text}");
    }
}

#[test]
fn what_is_no_json_says_where() {
    let rows = [
        ("", 0, "it ends too early"),
        ("{", 1, "it ends too early"),
        ("{\"a\":1", 6, "it ends too early"),
        ("{\"a\":\"x", 7, "it ends too early"),
        ("{\"a\":1,}", 7, "a member's name expected"),
        ("{a:1}", 1, "a member's name expected"),
        ("{\"a\" 1}", 5, "a colon expected"),
        ("{\"a\":01}", 6, "a comma or the end expected"),
        ("{\"a\":1.}", 7, "a digit expected"),
        ("{\"a\":+1}", 5, "a value expected"),
        ("{\"a\":tru}", 5, "a value expected"),
        ("{\"a\":[1 2]}", 8, "a comma or the end expected"),
        ("{\"a\":[1}}", 7, "a comma or the end expected"),
        ("{\"a\":\"\n\"}", 6, "a control character in a string"),
        ("{\"a\":\"\\x\"}", 7, "an unknown escape"),
        (
            "{\"a\":\"\\u12g4\"}",
            10,
            "four hexadecimal digits expected",
        ),
        ("{} x", 3, "something follows the value"),
        ("\u{feff}{}", 0, "a value expected"),
    ];
    for (text, at, complaint) in rows {
        let wrong = members(text).expect_err(text);
        assert_eq!((wrong.at, wrong.complaint), (at, complaint), "{text:?}");
    }
    let wrong = object(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!((wrong.at, wrong.complaint), (6, "not UTF-8"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(members(&nested(127)).is_ok());
    assert!(
        members(&nested(128))
            .unwrap_err()
            .complaint
            .starts_with("too deep")
    );
    let wrong = members(&nested(100_000)).unwrap_err();
    assert!(wrong.complaint.starts_with("too deep"), "{wrong}");
}

#[test]
fn strings_are_decoded() {
    let rows = [
        (r#""plain é""#, Some("plain é")),
        (r#""a\"\\\/\b\f\n\r\t""#, Some("a\"\\/\u{8}\u{c}\n\r\t")),
        (r#""\u005furl""#, Some("_url")),
        (r#""\u00e9\ud83d\ude00""#, Some("é😀")),
        (r#""\ud83d""#, None),
        (r#""\ud83d\u0041""#, None),
        (r#""\ude00""#, None),
        ("1", None),
        ("\"", None),
    ];
    for (quoted, want) in rows {
        let got = text(quoted.as_bytes());
        assert_eq!(got.as_deref(), want.map(str::as_bytes), "{quoted}");
    }
    let plain = text(b"\"plain\"");
    assert!(matches!(plain, Some(Cow::Borrowed(b"plain"))));
}
