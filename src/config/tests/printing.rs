//! What `hookah config` prints and what a file comes to that is read again: over all rows, and over
//! configurations drawn at random.

use super::files::{KEY, filed, plain, printed, with, write};
use super::*;
use crate::base::rng::Rng;
use crate::config::knob::Reload;
use crate::shell::{Anew, Reread};

/// Values that each row may have, in the form of flags.
fn values(knob: &Knob) -> Vec<String> {
    let mut values = vec![knob.default.to_owned()];
    let more: &[&str] = match (knob.key, &knob.form) {
        ("listen", _) => &["127.0.0.1:0", "unix:/tmp/a \"b\"\\.sock", "[::1]:7"],
        ("tokens" | "ca-file", _) => &["a b.pem", "/x/\u{e9}\t\"q\".txt"],
        ("store", _) => &["memory", "sqlite:a'b.db"],
        ("log", _) => &["warn", "debug,hookah::shell=trace"],
        ("public-url", _) => &["https://hub.example/x"],
        ("resolver", _) => &["10.0.0.1", "[fd00::1]:5353"],
        ("allow-target" | "deny-target", _) => &["10.0.0.0/8", "db.example:6379"],
        ("cors-origin", _) => &["https://app.example", "*"],
        ("host-name", _) => &["hookah.example"],
        ("hub-topics" | "hub-diff", _) => &["https://a.example/*"],
        ("hub-approve-url", _) => &["https://a.example/ask?x=1"],
        ("retry-schedule" | "hub-retry-schedule", _) => &["1s,5s", "exponential(1s,2,1m)", "7"],
        ("hub-verify-schedule" | "hub-fetch-schedule", _) => &["1s,2s"],
        ("targets", _) => &["local", "public"],
        ("hub-targets", _) => &["local"],
        ("max-head" | "max-target" | "body-rate", _) => &["2k", "2000"],
        (_, Form::Count { .. }) => &["8", "9"],
        (_, Form::CountOr { .. }) => &["10", "007"],
        (_, Form::Percent { .. }) => &["0", "7%"],
        (_, Form::Span { .. } | Form::SpanOr { .. }) => &["30", "1m1s"],
        (_, Form::Size { .. } | Form::SizeOr { .. }) => &["1MiB", "1200k"],
        (_, Form::Switch { .. }) => &["0", "1", "true"],
        _ => &[],
    };
    values.extend(more.iter().map(|text| (*text).to_owned()));
    values
}

#[test]
fn what_is_printed_comes_to_the_same_again() {
    let mut rng = Rng::new([9; 32]);
    for _ in 0..200 {
        let mut args = Vec::new();
        for knob in knobs::all() {
            // Certificates come in pairs, and what makes no sense together is not the point here.
            let alone = [
                "tls-cert",
                "tls-key",
                "client-ca",
                "config",
                "max-memory",
                "port",
            ];
            let values = values(knob);
            if alone.contains(&knob.key) || rng.below(3) > 0 || values.is_empty() {
                continue;
            }
            for _ in 0..=u64::from(knob.is_repeatable()) * rng.below(3) {
                let value = &values[rng.below(values.len() as u64) as usize];
                if !value.is_empty() {
                    args.push(format!("--{}={value}", knob.key));
                }
            }
        }
        if rng.below(4) == 0 {
            args.push("--port=0".to_owned());
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        write("[topic.\"x*\"]\nbacklog-bytes = \"2k\"\nbacklog-messages = 7\n");
        let first = match filed(&args, &[]) {
            Ok(Command::Serve(config)) => plain(&config),
            other => panic!("{args:?}: {other:?}"),
        };
        let text = printed(&args, &[]);
        assert_eq!(plain(&with(&text, &[], &[])), first, "{args:?}\n{text}");
        write(text.clone());
        let again = printed(&[], &[]);
        let values = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines
                .filter_map(|line| Some(line.split_once("  # ")?.0.to_owned()))
                .collect()
        };
        assert_eq!(values(&again), values(&text));
    }
}

fn reread(config: &mut Config, text: &str) -> Result<Anew, String> {
    write(text);
    config
        .live
        .reread()
        .map(|anew| anew.expect("there is a file"))
}

fn told(anew: &Anew) -> Vec<String> {
    let changes = anew.changes.iter();
    let word = |restart| if restart { "restart" } else { "changed" };
    changes
        .map(|it| {
            format!(
                "{} {} {} {}",
                word(it.needs_restart),
                it.key,
                it.from,
                it.to
            )
        })
        .collect()
}

#[test]
fn what_changed_is_told_and_what_needs_a_restart_stays() {
    let text = format!("retries = 3\nkeep-age = \"1d\"\n[sign]\na = \"{KEY}\"\nb = \"x\"\n");
    let mut config = with(&text, &["--timeout=5s"], &[]);
    let text = "retries = 4\nkeep-age = \"2d\"\ntimeout = \"9s\"\nlisten = \"127.0.0.1:1\"\n\
                [sign]\na = \"another\"\nc = \"y\"\n[topic.x]\nbacklog-messages = 5\n";
    let anew = reread(&mut config, text).unwrap();
    assert_eq!(
        told(&anew),
        [
            "restart listen 127.0.0.1:8080 127.0.0.1:1",
            "changed retries 3 4",
            "restart keep-age 1d 2d",
            "changed sign.a set another",
            "changed sign.b set none",
            "changed sign.c none set",
            "changed topic.x none backlog-messages=5",
        ]
    );
    let engine = &anew.engine;
    assert_eq!(engine.dispatch.retries, 4);
    assert_eq!(
        engine.dispatch.timeout,
        Duration::from_secs(5),
        "the flag wins"
    );
    assert_eq!(engine.topics.keep_of(b"x").messages, 5);
    assert_eq!(engine.dispatch.keys.get("b"), None);
    // It is told as long as it is so; what has changed is told once.
    let again = reread(&mut config, text).unwrap();
    let restarts = [
        "restart listen 127.0.0.1:8080 127.0.0.1:1",
        "restart keep-age 1d 2d",
    ];
    assert_eq!(told(&again), restarts);
    let why = reread(&mut config, "retries = 5\nretrys = 5\n").err();
    assert!(
        why.unwrap()
            .starts_with("h.toml:2: \"retrys\" is not a key")
    );
    let back = reread(&mut config, "retries = 4\n").unwrap();
    assert!(
        !told(&back).iter().any(|it| it.contains("retries")),
        "a bad file changed something"
    );
}

#[test]
fn every_row_says_whether_a_signal_is_enough_and_keeps_its_word() {
    for knob in knobs::all() {
        let alone = [
            "tls-cert",
            "tls-key",
            "client-ca",
            "config",
            "port",
            "max-memory",
        ];
        let other = values(knob)
            .into_iter()
            .rev()
            .find(|it| !it.is_empty() && it != knob.default);
        let Some(other) = other.filter(|_| !alone.contains(&knob.key)) else {
            continue;
        };
        let mut config = with("", &[], &[]);
        let before = format!("{:?}", config.engine);
        let anew = reread(&mut config, &format!("{} = {other:?}\n", knob.key)).unwrap();
        let restart = knob.reload == Reload::Restart;
        assert_eq!(anew.changes.len(), 1, "{}", knob.key);
        assert_eq!(anew.changes[0].needs_restart, restart, "{}", knob.key);
        let same = format!("{:?}", anew.engine) == before && anew.log == "info";
        assert_eq!(same, restart, "{} = {other}", knob.key);
    }
}
