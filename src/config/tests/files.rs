//! The configuration file from the outside: what it comes to, what is said of it, and what
//! `hookah config` makes of it.

use std::cell::RefCell;

use super::*;
use crate::dispatch::sign::Secret;

pub(super) const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

thread_local! {
    /// What the file says that the next reading finds.
    static FILE: RefCell<Result<Vec<u8>, String>> = const { RefCell::new(Ok(Vec::new())) };
}

pub(super) fn write(text: impl Into<Vec<u8>>) {
    let text = text.into();
    FILE.with(|file| *file.borrow_mut() = Ok(text));
}

pub(super) fn filed(args: &[&str], variables: &[(&str, &str)]) -> Result<Command, Refusal> {
    let found: ReadFile = |_| FILE.with(|file| file.borrow().clone());
    let outside = Outside {
        read: found,
        reread: found,
        ..outside(variables)
    };
    let all = ["--config", "h.toml"].iter().chain(args);
    command(all.map(OsString::from), &outside)
}

pub(super) fn with(text: &str, args: &[&str], variables: &[(&str, &str)]) -> Config {
    write(text);
    match filed(args, variables) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{text}: {other:?}"),
    }
}

fn said(text: impl Into<Vec<u8>>) -> String {
    write(text);
    match filed(&[], &[]) {
        Err(refusal) => {
            assert_eq!(refusal.exit_code, 78, "{refusal}");
            refusal.to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// What `hookah config` prints.
pub(super) fn printed(args: &[&str], variables: &[(&str, &str)]) -> String {
    let args: Vec<&str> = ["config"].iter().chain(args).copied().collect();
    match filed(&args, variables) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A configuration without what depends on its sources.
pub(super) fn plain(config: &Config) -> String {
    let mut config = config.clone();
    config.shell.config_file = None;
    format!("{config:?}")
}

#[test]
fn every_row_takes_its_own_default_from_a_file() {
    let usual = plain(&config(&[], &[]));
    let mut whole = String::new();
    for knob in knobs::all().filter(|knob| !knob.default.is_empty()) {
        let line = format!("{} = {:?}\n", knob.key, knob.default);
        assert_eq!(plain(&with(&line, &[], &[])), usual, "{line}");
        whole += &line;
    }
    assert_eq!(plain(&with(&whole, &[], &[])), usual);
    assert_eq!(plain(&with("", &[], &[])), usual);
}

#[test]
fn numbers_and_truths_need_no_quotes() {
    let text = "\u{feff}retries = 3\r\ntimeout = 0x10\nmax-body = 2_048\nretry-jitter = 5\n\
                hub-open = true\nbacklog-total = 1000000\nmax-age = 60 # a comment\n";
    let engine = with(text, &[], &[]).engine;
    assert_eq!(engine.dispatch.retries, 3);
    assert_eq!(engine.dispatch.timeout, Duration::from_secs(16));
    assert_eq!(engine.limits.body_bytes_max, 2_048);
    assert_eq!(engine.dispatch.jitter_percent, 5);
    assert_eq!(engine.topics.bytes_max, 1_000_000);
    assert_eq!(engine.topics.age_max, Some(Duration::from_secs(60)));
    assert!(engine.hub.open);
}

#[test]
fn flags_and_the_environment_win_over_the_file() {
    let text = "retries = 3\nlisten = [\"127.0.0.1:1\", \"[::1]:2\"]\nlog = \"debug\"\n";
    let usual = with(text, &[], &[]);
    assert_eq!(usual.engine.dispatch.retries, 3);
    assert_eq!(listening(&usual), ["127.0.0.1:1", "[::1]:2"]);
    assert_eq!(usual.log, "debug");
    let config = with(text, &["--retries=5"], &[("HOOKAH_RETRIES", "4")]);
    assert_eq!(config.engine.dispatch.retries, 5);
    let variables = [("HOOKAH_RETRIES", "4"), ("RUST_LOG", "warn")];
    let config = with(text, &["--port=0"], &variables);
    assert_eq!(config.engine.dispatch.retries, 4);
    assert_eq!(listening(&config), ["127.0.0.1:0"]);
    assert_eq!(config.log, "warn");
    let config = with("port = 0", &[], &[("HOOKAH_LISTEN", "")]);
    assert_eq!(listening(&config), ["127.0.0.1:0"]);
}

/// Files, and what is said of them.
const WRONG: &[(&str, &str)] = &[
    (
        "\nretries = 1001",
        "h.toml:2: retries: \"1001\" is too large; allowed: 0 to 1000",
    ),
    (
        "retries = -1",
        "h.toml:1: retries: \"-1\" is not a number; allowed: 0 to 1000",
    ),
    (
        "retries = 1.5",
        "h.toml:1: retries: is a number with a fraction; allowed: a whole number",
    ),
    (
        "retries = true",
        "h.toml:1: retries: is true or false; allowed: a whole number or a string",
    ),
    ("retries = [1]", "h.toml:1: retries: is an array; allowed: "),
    (
        "hub-open = 1",
        "h.toml:1: hub-open: is a number; allowed: true, false, or a string",
    ),
    (
        "[retries]\na = 1",
        "h.toml:1: retries: is a section; allowed: a whole number",
    ),
    (
        "timeout = 2024-01-01",
        "h.toml:1: timeout: is a date; allowed: ",
    ),
    (
        "listen = []",
        "h.toml:1: listen: is empty; allowed: a string or an array of strings",
    ),
    (
        "listen = [\"127.0.0.1:1\",\n\n\"x\"]",
        "h.toml:3: listen: \"x\" is not an address",
    ),
    (
        "a = 1\nretrys = 1",
        "h.toml:1: \"a\" is not a key; they are those of the flags",
    ),
    (
        "retrys = 1",
        "h.toml:1: \"retrys\" is not a key; did you mean retries?",
    ),
    (
        "retry_schedule = \"1s\"",
        "h.toml:1: \"retry_schedule\" is not a key; did you mean retry-sch",
    ),
    (
        "[webhooks]",
        "h.toml:1: \"webhooks\" is not a section; there are [sign] and [topic.\"NAME\"]",
    ),
    (
        "config = \"x\"",
        "h.toml:1: config: a file names no other; say it with --config or HOOKAH",
    ),
    (
        "sign = 1",
        "h.toml:1: sign: is a number; allowed: a section, [sign] and",
    ),
    (
        "retries = 1\nretries = 1",
        "h.toml:2: retries: stands there twice",
    ),
    ("retries", "h.toml:1: is not TOML: "),
    ("a = \"", "h.toml:1: is not TOML: "),
    (
        "[topic.a]\nretries = 1",
        "h.toml:2: topic.\"a\": retries is for all topics; allowed: backlog-",
    ),
    (
        "[topic.a]\nbacklog = 1",
        "h.toml:2: topic.\"a\": \"backlog\" is not a key; allowed: backlog-",
    ),
    (
        "[topic.a.b]",
        "h.toml:1: topic.\"a\": \"b\" is not a key; put the whole name in quotes: [top",
    ),
    (
        "[topic.a]\nbacklog-age = \"0s\"",
        "h.toml:2: backlog-age: \"0s\" is too small; allowed: 1s",
    ),
    (
        "[topic]\na = 1",
        "h.toml:2: topic.\"a\": is a number; allowed: a section [topic.",
    ),
    (
        "[topic.\"\"]",
        "h.toml:1: [topic]: \"\" is no topic's name; allowed: ",
    ),
    (
        "[sign]\na = \"whsec_c2hvcnQ=\"",
        "h.toml:2: sign.a: the key is too short a key; allowed: ",
    ),
    (
        "[sign]\na = 123456789",
        "h.toml:2: sign.a: is a number; allowed: a string: whsec_",
    ),
    (
        "[sign]\na-b = \"x\"\nA_B = \"x\"",
        "h.toml:3: sign.A_B: stands there twice (a-b)",
    ),
    (
        "[sign]\n\"a b\" = \"x\"",
        "h.toml:2: [sign]: a name is none; allowed: 1 to 64 letters",
    ),
    ("tls-cert = \"c\"", "--tls-cert needs --tls-key beside it"),
    (
        "listen = \"0.0.0.0:1\"",
        "0.0.0.0:1 can be reached from other machines",
    ),
];

#[test]
fn a_wrong_file_is_told_with_its_line_and_what_is_allowed() {
    for (text, expected) in WRONG {
        let said = said(*text);
        assert!(said.starts_with(expected), "{text:?}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    assert_eq!(
        said(b"a = 1\nb = \"\xff\"".as_slice()),
        "h.toml:2: is not UTF-8"
    );
    let long = vec![b'#'; (1 << 20) + 1];
    assert_eq!(said(long), "h.toml: is too long; allowed: 1048576 bytes");
    FILE.with(|file| *file.borrow_mut() = Err("cannot be read: gone".to_owned()));
    let refusal = filed(&[], &[]).unwrap_err().to_string();
    assert_eq!(refusal, "h.toml: cannot be read: gone");
}

#[test]
fn a_wrong_value_is_one_even_where_a_flag_wins() {
    write("retries = \"x\"");
    let refusal = filed(&["--retries=1"], &[]).unwrap_err().to_string();
    assert!(
        refusal.starts_with("h.toml:1: retries: \"x\" is not"),
        "{refusal}"
    );
}

#[test]
fn secrets_are_in_no_complaint_and_in_no_print() {
    let secret = &KEY["whsec_".len()..];
    let texts = [
        format!("[sign]\na = \"{KEY}"),
        format!("[sign]\na = {KEY}"),
        format!("[sign]\n{KEY} = \"a\""),
        format!("[sign]\na = [\"{KEY}\"]"),
        format!("[sign]\na = \"{KEY}{KEY}{KEY}{KEY}{KEY}{KEY}\""),
        format!("{KEY} = 1"),
        format!("[sign]\na = \"{KEY}\"\na = \"{KEY}\""),
        format!("[sign]\na = '''{KEY}\\q'''"),
        format!("[sign]\na = \"{KEY}\\q\""),
    ];
    for text in texts {
        write(text.clone());
        if let Err(refusal) = filed(&[], &[]) {
            assert!(!refusal.to_string().contains(secret), "{text}: {refusal}");
        }
    }
    let text = format!(
        "hub-approve-url = \"http://u:{secret}@127.0.0.1/\"\n[sign]\nBilling_1 = \"{KEY}\"\n"
    );
    write(text.clone());
    let printed = printed(&[], &[("HOOKAH_SIGN_OTHER", KEY)]);
    assert!(!printed.contains(secret), "{printed}");
    assert!(printed.contains("\n# billing-1 = \"…\"  # file h.toml:3; set, not shown\n"));
    assert!(
        printed.contains("\n# other = \"…\"  # environment HOOKAH_SIGN_OTHER; set, not shown\n")
    );
    let config = with(&text, &[], &[("HOOKAH_SIGN_BILLING_1", "literal")]);
    assert!(!format!("{config:?}").contains(secret));
    let keys = &config.engine.dispatch.keys;
    assert_eq!(
        keys.get("billing-1"),
        Some(&Secret::new("literal")),
        "the environment wins"
    );
}

#[test]
fn every_value_is_printed_with_where_it_came_from() {
    write("timeout = 5\n\n[topic.\"a\\\"*\"]\nbacklog-age = \"1m\"\n");
    let text = printed(
        &["--retries=1", "--port=3"],
        &[("HOOKAH_EXPIRES", "1h"), ("RUST_LOG", "x/y")],
    );
    for line in [
        "retries = 1  # flag --retries",
        "timeout = \"5\"  # file h.toml:1",
        "expires = \"1h\"  # environment HOOKAH_EXPIRES",
        "retry-jitter = \"20%\"  # default",
        "port = 3  # flag --port",
        "# listen = [\"127.0.0.1:8080\"]  # default; beaten",
        "allow-target = []  # default",
        "# tokens = (none)  # default",
        "# config = \"h.toml\"  # flag --config; not for a file",
        "# log = \"x/y\"  # environment RUST_LOG; not for a file",
        "[topic.\"a\\\"*\"]  # file h.toml:3",
        "backlog-age = \"1m\"  # file h.toml:4",
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn a_key_has_so_many_values_and_no_more() {
    let list = |count: usize| {
        let values = vec!["\"https://a.example\""; count];
        format!("\nhub-topics = [\n{}\n]\n", values.join(",\n"))
    };
    with(&list(1_024), &[], &[]);
    let told = "h.toml:2: hub-topics: has 1025 values; allowed: 1024";
    assert_eq!(said(list(1_025)), told);
}
