//! What the arguments of `send` and `tail` come to, hostile ones too.

use super::*;
use crate::config::{Command, Outside, command};

fn read(args: &[&str], variables: &[(&str, &str)]) -> Result<Command, Refusal> {
    let own = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let outside = Outside {
        variables: variables.iter().map(own).collect(),
        descriptors: 1024,
        inherited: vec![],
        read: |_| Err(String::new()),
        reread: |_| Err(String::new()),
    };
    command(args.iter().map(OsString::from), &outside)
}

fn client(args: &[&str], variables: &[(&str, &str)]) -> (Settings, Job) {
    match read(args, variables) {
        Ok(Command::Client(errand)) => *errand,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn order(args: &[&str]) -> Order {
    match client(args, &[]).1 {
        Job::Send(order) => order,
        other => panic!("{args:?}: {other:?}"),
    }
}

#[test]
fn fields_are_joined_as_curl_joins_them() {
    let sent = order(&["send", "t", "-d", "a=1", "-db=2&c", "--data", "d"]);
    assert_eq!(sent.body, Body::Form("a=1&b=2&c&d".to_owned()));
    assert_eq!(order(&["send", "t", "-d@f"]).body, Body::File("f".into()));
    assert_eq!(order(&["send", "t", "-d", "@-"]).body, Body::Stdin);
    assert_eq!(
        order(&["send", "t", "--json=[1]"]).body,
        Body::Json("[1]".into())
    );
    assert_eq!(order(&["send", "t"]).body, Body::Piped);
    assert_eq!(order(&["send", "--", "-t"]).target, "-t");
}

#[test]
fn options_and_headers_become_fields() {
    let args = [
        "send",
        "t",
        "-odelay=1m",
        "-o",
        "idempotency-key=k",
        "-H",
        "X-A: b:c ",
        "-HB:",
    ];
    let args = [&args[..], &["-H", "CONTENT-TYPE: a/b", "--wait=10s"]].concat();
    let sent = order(&args);
    let fields: Vec<(&str, &str)> = sent.fields.iter().map(|(a, b)| (&**a, &**b)).collect();
    let expected = [
        ("Hookah-delay", "1m"),
        ("Idempotency-Key", "k"),
        ("Hookah-Forward-X-A", "b:c"),
        ("Hookah-Forward-B", ""),
    ];
    assert_eq!(fields, expected);
    assert_eq!(sent.content_type.as_deref(), Some("a/b"));
    assert_eq!(sent.wait, Some(Some(Duration::from_secs(10))));
    assert_eq!(order(&["send", "t", "--wait"]).wait, Some(None));
}

#[test]
fn a_tail_is_two_queries() {
    let args = [
        "tail",
        "a b",
        "ü&c=d",
        "--prefix=",
        "--where",
        "lang=en+de",
        "--since",
        "10m",
    ];
    let (_, Job::Tail(wish)) = client(&args, &[]) else {
        panic!("a tail")
    };
    let choice = "prefix=&where.lang=en%2Bde&topic=a+b&topic=%C3%BC%26c%3Dd";
    assert_eq!((&*wish.choice, &*wish.begin), (choice, "since=10m"));
}

#[test]
fn flags_win_over_the_environment() {
    let variables = [
        ("HOOKAH_SERVER", "http://h.test"),
        ("HOOKAH_TOKEN", "secret"),
        ("HOOKAH_CA_FILE", "ca.pem"),
    ];
    let (settings, _) = client(&["tail", "t"], &variables);
    assert_eq!(Ok(settings.server), Server::parse("http://h.test"));
    assert!(matches!(settings.token, Token::Text(ref text) if text == "secret"));
    assert_eq!(settings.ca_file, Some("ca.pem".into()));
    assert_eq!(settings.retry_for, None);
    let flags = [
        "tail",
        "t",
        "--server=unix:h",
        "--token-file=f",
        "--ca-file=c",
    ];
    let (settings, _) = client(&[&flags[..], &["--retry-for=1m"]].concat(), &variables);
    assert_eq!(Ok(settings.server), Server::parse("unix:h"));
    assert!(matches!(settings.token, Token::File(_)));
    assert_eq!(settings.ca_file, Some("c".into()));
    assert_eq!(settings.retry_for, Some(Duration::from_secs(60)));
    let shown = format!("{:?}", client(&["tail", "t"], &variables));
    assert!(!shown.contains("secret"), "{shown}");
    let (settings, _) = client(&["tail", "t"], &[]);
    assert_eq!(Ok(settings.server), Server::parse(SERVER));
}

/// A command line, and what its refusal begins with.
const WRONG: [(&[&str], &str); 24] = [
    (&["send"], "send: needs one target"),
    (&["send", "a", "b"], "send: needs one target"),
    (&["send", ""], "send: the target is empty"),
    (
        &["send", "a\r\nHookah-Url: http://b"],
        "send: the target is empty or has control",
    ),
    (
        &["send", "a\0b"],
        "send: the target is empty or has control",
    ),
    (
        &["send", "t", "-H", "X: a\nY: b"],
        "send: -H: \"X\" is no field",
    ),
    (
        &["send", "t", "-H", "X: a\r\n\r\n"],
        "send: -H: \"X\" is no field",
    ),
    (
        &["send", "t", "-H", "X: a\0"],
        "send: -H: \"X\" is no field",
    ),
    (
        &["send", "t", "-H", "X y: a"],
        "send: -H: \"X y\" is no field",
    ),
    (&["send", "t", "-H", "X"], "send: -H: \"X\" has no colon"),
    (
        &["send", "t", "-H", "hookah-secret: s"],
        "send: -H: \"hookah-secret\" is an option",
    ),
    (
        &["send", "t", "-o", "secret=s\nX: y"],
        "send: -o: \"secret\" is empty or has control",
    ),
    (
        &["send", "t", "-o", "retrys=1"],
        "send: -o: \"retrys\" is none of the server's options; did you mean retries?",
    ),
    (
        &["send", "t", "-o", "header=X: y"],
        "send: -o: \"header\" is a header",
    ),
    (
        &["send", "t", "-o", "delay"],
        "send: -o: \"delay\" has no value",
    ),
    (
        &["send", "t", "-d", "a=1", "-d", "@f"],
        "send: -d K=V does not go",
    ),
    (
        &["send", "t", "-d", "@f", "--json", "1"],
        "send: --json: is a second body",
    ),
    (
        &["send", "t", "--lines", "-d", "a"],
        "send: --lines reads stdin",
    ),
    (
        &["send", "t", "--token", "s3cret"],
        "send: --token would show the secret",
    ),
    (
        &["send", "t", "--wiat"],
        "send: --wiat is not a flag of it; did you mean --wait?",
    ),
    (
        &["send", "t", "--server", "http://a:s3cret@b"],
        "send: --server: \"b\" has a name",
    ),
    (&["tail"], "tail: needs a topic, or --prefix"),
    (
        &["tail", "t", "--since=all", "--count=1"],
        "tail: --since and --count do not",
    ),
    (
        &["--port", "1", "send", "t"],
        "--port is a flag of the server",
    ),
];

#[test]
fn what_is_wrong_is_said_and_secrets_are_not() {
    for (args, expected) in WRONG {
        match read(args, &[]) {
            Err(refusal) => {
                let text = refusal.to_string();
                assert_eq!(refusal.exit_code, 64);
                assert!(text.starts_with(expected), "{args:?}: {text}");
                assert!(!text.contains("s3cret") && !text.contains('\n'), "{text}");
            }
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

#[test]
fn pages_name_every_flag_and_every_exit_code() {
    for (word, flags) in [("send", SEND), ("tail", TAIL)] {
        let Ok(Command::Print(page)) = read(&[word, "--help"], &[]) else {
            panic!("a page")
        };
        assert!(page.starts_with(&format!("hookah {word} ")));
        assert!(page.lines().count() <= 54);
        for line in page.lines() {
            assert!(line.chars().count() <= 90, "{line}");
        }
        for flag in flags.iter().chain(BOTH) {
            assert!(page.contains(&format!("--{}", flag.key)), "{}", flag.key);
        }
        for exit in Exit::ALL {
            let text = exit.client_text();
            let line = format!("  {:3}  {text}\n", exit.code());
            assert_eq!(page.contains(&line), !text.is_empty(), "{exit:?}");
        }
    }
}
