//! Lines of the file of tokens, right and wrong.

use super::*;

fn hex(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

fn line(name: &str, digit: char, rights: &str) -> String {
    format!("{name} sha256:{} {rights}", hex(digit))
}

fn rights(words: &str) -> Rights {
    let roll = Roll::parse(&line("a", 'a', words)).expect("a right line");
    roll.tokens()[0].rights.clone()
}

#[test]
fn each_word_is_one_right() {
    type Set = fn(&mut Rights);
    fn glob(text: &str) -> Vec<Glob> {
        vec![Glob::new(text.as_bytes()).expect("a pattern")]
    }
    let rows: [(&str, Set); 10] = [
        ("dispatch", |it| it.dispatch = true),
        ("publish:a*", |it| it.publish = glob("a*")),
        ("subscribe:*", |it| it.subscribe = glob("*")),
        ("hub", |it| it.hub = true),
        ("read", |it| it.read = true),
        ("admin", |it| it.admin = true),
        ("tickets", |it| it.tickets = true),
        ("targets=public", |it| it.strict = true),
        ("rate=100/s", |it| it.rate = Rate::parse("100/1s").ok()),
        ("rate=5/m", |it| it.rate = Rate::parse("5/1m").ok()),
    ];
    for (word, set) in rows {
        let mut right = Rights::default();
        set(&mut right);
        assert_eq!(rights(word), right, "{word}");
    }
    let many = rights("  publish:a\tpublish:b   read ");
    assert_eq!((many.publish.len(), many.read), (2, true));
    let all: Vec<_> = TABLE.iter().map(|row| row.word).collect();
    assert_eq!(all.len(), 9, "a row without its test: {all:?}");
}

#[test]
fn what_says_nothing_is_passed_over() {
    let text = format!(
        "\u{feff}# ours\r\n\r\n   # more\r\n{}\r\n\t\r\n{}",
        line("ci", 'a', "dispatch"),
        line("Web.1_x-y", 'B', "read")
    );
    let roll = Roll::parse(&text).expect("two tokens");
    let names: Vec<_> = roll.tokens().iter().map(|token| &*token.name).collect();
    assert_eq!(names, ["ci", "Web.1_x-y"]);
    assert_eq!(roll.tokens()[1].hash, [0xbb; 32]);
    assert!(Roll::parse("").is_ok_and(|roll| roll.is_empty()));
}

/// The second line of a file is that; the error begins so.
fn is_refused(text: &str, right: &str) {
    let why = Roll::parse(&format!("# first\n{text}\n")).expect_err(text);
    let right = format!("line 2: {right}");
    assert!(why.starts_with(&right), "{text}: {why}");
}

#[test]
fn a_name_or_a_hash_that_is_wrong_is_named_with_its_line() {
    let long_name = "n".repeat(NAME_BYTES_MAX + 1);
    let (a, g) = (hex('a'), hex('g'));
    let hash = "word 2 is no hash; allowed: NAME sha256:HASH";
    let rows = [
        (line("a b", 'a', ""), hash),
        (
            line("ä", 'a', "read"),
            "word 1 is no name; allowed: 1 to 64",
        ),
        (line(&long_name, 'a', "read"), "word 1 is no name"),
        ("ci".into(), hash),
        (format!("ci {a} read"), hash),
        (format!("ci sha256:{a}a read"), hash),
        (format!("ci sha256:{g} read"), hash),
        (format!("ci md5:{a} read"), hash),
    ];
    for (text, right) in rows {
        is_refused(&text, right);
    }
}

#[test]
fn a_right_that_is_wrong_is_named_with_its_line() {
    let globs = vec!["publish:a"; GLOBS_MAX + 1].join(" ");
    let long_glob = format!("subscribe:{}", "a".repeat(GLOB_BYTES_MAX + 1));
    let rows = [
        ("", "word 3 is missing; allowed: dispatch, publish:GLOB"),
        (
            "read dispach",
            "word 4 (\"dispach\") is no right; allowed: dispatch,",
        ),
        ("publish:", "word 3 (\"publish:\") is no right"),
        ("publish", "word 3 (\"publish\") is no right"),
        ("read:x", "word 3 (\"read:\") is no right"),
        ("Read", "word 3 is no right"),
        ("read read", "word 4 (read) is given twice"),
        ("targets=local", "word 3 (targets=) is not public"),
        ("rate=1/s rate=1/s", "word 4 (rate=) is given twice"),
        (
            "rate=0/s",
            "word 3 (rate=) is out of range; allowed: N/TIME",
        ),
        (&globs, "word 67 (publish:) is one too many; allowed: 64"),
        (
            &long_glob,
            "word 3 (subscribe:) is too long; allowed: 1024 bytes",
        ),
    ];
    for (words, right) in rows {
        is_refused(&line("ci", 'a', words), right);
    }
}

#[test]
fn a_name_and_a_hash_stand_once() {
    let text = |other| format!("{}\n\n{other}\n", line("ci", 'a', "read"));
    let why = Roll::parse(&text(line("ci", 'b', "read"))).expect_err("the same name");
    assert_eq!(why, "line 3: the name is that of line 1; allowed: once");
    let why = Roll::parse(&text(line("web", 'A', "read"))).expect_err("the same hash");
    assert_eq!(why, "line 3: the hash is that of line 1; allowed: once");
}

#[test]
fn there_is_a_bound_on_tokens() {
    let text = |count: usize| {
        let lines = (0..count).map(|at| format!("t{at} sha256:{at:064x} read\n"));
        lines.collect::<String>()
    };
    let full = Roll::parse(&text(TOKENS_MAX)).expect("as many as may be");
    assert_eq!(full.len(), TOKENS_MAX);
    let why = Roll::parse(&text(TOKENS_MAX + 1)).expect_err("one more");
    assert_eq!(why, "line 10001: one token too many; allowed: 10000");
}

#[test]
fn no_error_and_no_trace_shows_a_secret() {
    let secret = "hk_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ";
    let hash = hex('e');
    let rows = [
        format!("{secret} sha256:{hash} read"),
        format!("ci {secret} read"),
        format!("ci sha256:{secret} read"),
        format!("ci sha256:{hash} {secret}"),
        format!("ci sha256:{hash} read {hash}"),
        format!("ci sha256:{hash} publish={secret}"),
        format!("ci sha256:{hash} rate={secret}"),
        format!("ci sha256:{hash} targets={secret}"),
        format!("ci sha256:{hash} sha256:{hash}"),
        format!("a sha256:{hash} read\nb sha256:{hash} read"),
    ];
    for text in rows {
        let Err(why) = Roll::parse(&text) else {
            // A secret is a name like any other.
            continue;
        };
        assert!(
            !why.contains("c2Vjc") && !why.contains("eee"),
            "{text}: {why}"
        );
    }
    let roll = Roll::parse(&format!("ci sha256:{hash} read")).expect("a token");
    assert!(!format!("{roll:?}").contains("238"), "{roll:?}");
}
