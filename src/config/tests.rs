//! The knobs from the outside: what a command line and an environment come to.

use super::*;

use std::net::SocketAddr;
use std::time::Duration;

use crate::conn;
use crate::dispatch::retry::Schedule;
use crate::shell::{Listen, Scheme};
use form::Form;
use knob::Knob;

mod files;
mod printing;

/// What an environment and a file say. The file is read by `--config FILE`.
fn outside(variables: &[(&str, &str)]) -> Outside {
    let own = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Outside {
        variables: variables.iter().map(own).collect(),
        descriptors: 1024,
        inherited: vec![],
        read: |_| Err("is not there".to_owned()),
        reread: |_| Err("is not there".to_owned()),
    }
}

fn read(args: &[&str], variables: &[(&str, &str)]) -> Result<Command, Refusal> {
    command(args.iter().map(OsString::from), &outside(variables))
}

fn config(args: &[&str], variables: &[(&str, &str)]) -> Config {
    match read(args, variables) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{args:?} {variables:?}: {other:?}"),
    }
}

fn refusal(args: &[&str], variables: &[(&str, &str)]) -> (u8, String) {
    match read(args, variables) {
        Err(refusal) => (refusal.exit_code, refusal.to_string()),
        other => panic!("{args:?} {variables:?}: {other:?}"),
    }
}

fn listening(config: &Config) -> Vec<String> {
    config.shell.listen.iter().map(Listen::to_string).collect()
}

#[test]
fn without_a_word_the_defaults_of_the_specification_hold() {
    let config = config(&[], &[]);
    let (engine, hour) = (&config.engine, 3600);
    assert_eq!(listening(&config), ["127.0.0.1:8080"]);
    assert_eq!(
        (config.shell.store.as_str(), config.log.as_str()),
        ("sqlite:hookah.db", "info")
    );
    assert_eq!(engine.dispatch.retries, 9);
    assert_eq!(engine.dispatch.schedule, Schedule::default());
    assert_eq!(engine.dispatch.jitter_percent, 20);
    assert_eq!(engine.dispatch.timeout, Duration::from_secs(15));
    assert_eq!(engine.dispatch.expires, Duration::from_secs(4 * 24 * hour));
    assert_eq!(engine.courier.parallelism, 64);
    assert_eq!(engine.memory_bytes_max, 256 << 20);
    assert_eq!(engine.lines_per_address_max, Some(256));
    assert_eq!(engine.drain_timeout, Duration::from_secs(8));
    assert_eq!(
        engine.lines_max,
        1024 - 102,
        "a tenth of the descriptors stays free"
    );
    let rooms = format!("{:?}", conn::Limits::default());
    assert_eq!(
        format!("{:?}", engine.limits),
        rooms,
        "the rooms' own defaults are the same"
    );
    let hub = format!("{:?}", crate::hub::settings::Settings::default());
    assert_eq!(format!("{:?}", engine.hub), hub);
    let schedule = crate::dispatch::Settings::default().notices.schedule;
    assert_eq!(engine.dispatch.notices.schedule, schedule);
}

#[test]
fn every_row_takes_its_own_default_as_flag_and_as_variable() {
    for knob in knobs::all().filter(|knob| !knob.default.is_empty()) {
        let flag = format!("--{}={}", knob.key, knob.default);
        let plain = format!("{:?}", config(&[], &[]));
        assert_eq!(format!("{:?}", config(&[&flag], &[])), plain, "{flag}");
        let variable = knob.variable();
        let said = config(&[], &[(&variable, knob.default)]);
        assert_eq!(format!("{said:?}"), plain, "{variable}");
    }
}

#[test]
fn every_row_refuses_nonsense_with_what_is_allowed() {
    // Whatever has a character is a path, and a number may be a topic's name.
    let strict = |knob: &&Knob| {
        !matches!(knob.form, Form::Path { .. }) && !["hub-topics", "hub-diff"].contains(&knob.key)
    };
    for knob in knobs::all().filter(strict) {
        for text in ["\u{1F980}", "-1", "1 0", "99999999999999999999999"] {
            let (code, said) = refusal(&[&format!("--{}={text}", knob.key)], &[]);
            assert_eq!(code, 64, "{said}");
            assert!(
                said.starts_with(&format!("--{}: {text:?} is ", knob.key)),
                "{said}"
            );
            assert!(said.contains(&knob.form.allowed()), "{said}");
            let (code, said) = refusal(&[], &[(&knob.variable(), text)]);
            assert_eq!(code, 78, "{said}");
            assert!(
                said.starts_with(&format!("{}: ", knob.variable())),
                "{said}"
            );
        }
    }
}

/// Flags, and what is said against them.
const FLAGS: &[(&str, Option<&str>)] = &[
    ("--retries=1000", None),
    (
        "--retries=1001",
        Some("is too large; allowed: 0 to 1000 (try hookah --help)"),
    ),
    (
        "--retries=abc",
        Some("is not a number; allowed: 0 to 1000 (try hookah --help)"),
    ),
    ("--retries=", Some("is not a number")),
    ("--retries=+1", Some("is not a number")),
    ("--retry-jitter=100", None),
    (
        "--retry-jitter=101%",
        Some("is too large; allowed: 0% to 100%"),
    ),
    (
        "--retry-schedule=1s,,2s",
        Some("is not a schedule; allowed: up to 64 waits"),
    ),
    ("--retry-schedule=exponential(1s,2,1m)", None),
    ("--timeout=0", Some("is too small; allowed: 1ms to 1h")),
    ("--timeout=1h1ms", Some("is too large")),
    ("--timeout=soon", Some("is not a duration")),
    ("--drain-timeout=0", None),
    ("--parallelism=0", Some("is too small; allowed: 1 to 10000")),
    (
        "--max-head=1023",
        Some("is too small; allowed: 1KiB to 1MiB"),
    ),
    ("--max-body=1T", Some("is not a size; allowed: 0B to 1GiB")),
    (
        "--max-conns=3",
        Some("is too small; allowed: auto, or 4 to 4000000"),
    ),
    ("--max-conns-per-address=off", None),
    ("--port=65536", Some("is too large; allowed: 0 to 65535")),
    (
        "--listen=8080",
        Some("is not an address to listen on; allowed: ADDRESS:PORT"),
    ),
    (
        "--store=sqlite:",
        Some("is not a store; allowed: memory, sqlite:PATH"),
    ),
    ("--ca-file=/etc/ssl/own ca.pem", None),
    ("--ca-file=", Some("is not a path; allowed: a path")),
    ("--log=warn,hookah::shell=debug", None),
    (
        "--log=loud",
        Some("is not a log filter; allowed: off, error, warn"),
    ),
    (
        "--insecure-no-auth=maybe",
        Some("allowed: true, false, 1, 0"),
    ),
];

#[test]
fn bounds_are_part_of_the_form() {
    for (flag, complaint) in FLAGS {
        match complaint {
            None => drop(config(&[flag], &[])),
            Some(part) => {
                let (code, text) = refusal(&[flag], &[]);
                assert!(code == 64 && text.contains(part), "{flag}: {text}");
            }
        }
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_defaults() {
    let retries =
        |args: &[&str], variables: &[(&str, &str)]| config(args, variables).engine.dispatch.retries;
    assert_eq!(retries(&[], &[("HOOKAH_RETRIES", "3")]), 3);
    assert_eq!(retries(&["--retries", "4"], &[("HOOKAH_RETRIES", "3")]), 4);
    assert_eq!(
        retries(&["serve", "--retries=4", "--retries=5"], &[]),
        5,
        "the last one counts"
    );
    assert_eq!(
        retries(&[], &[("HOOKAH_RETRIES", "")]),
        9,
        "an empty variable says nothing"
    );
    assert_eq!(
        retries(&["--retries", "4"], &[("HOOKAH_RETRIES", "x")]),
        4,
        "nor a beaten one"
    );
}

#[test]
fn listeners_come_from_the_strongest_source_alone() {
    let listen = ("HOOKAH_LISTEN", "127.0.0.1:1, [::1]:2");
    let port = ("HOOKAH_PORT", "7");
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);
    let rows: [Row; 7] = [
        (&[], &[listen], &["127.0.0.1:1", "[::1]:2"]),
        (&[], &[port], &["127.0.0.1:7"]),
        (
            &[],
            &[listen, port],
            &["127.0.0.1:1", "[::1]:2", "127.0.0.1:7"],
        ),
        (&["--port", "0"], &[listen], &["127.0.0.1:0"]),
        (&["--listen", "localhost:3"], &[port], &["127.0.0.1:3"]),
        (
            &["--listen=[::1]:3", "--listen=[::1]:4"],
            &[listen],
            &["[::1]:3", "[::1]:4"],
        ),
        (
            &["--port=3", "--listen=[::1]:4"],
            &[],
            &["[::1]:4", "127.0.0.1:3"],
        ),
    ];
    for (args, variables, expected) in rows {
        assert_eq!(
            listening(&config(args, variables)),
            expected,
            "{args:?} {variables:?}"
        );
    }
    let service = ("HOOKAH_PORT", "tcp://10.0.0.1:80");
    assert_eq!(
        listening(&config(&[], &[service])),
        ["127.0.0.1:8080"],
        "a container's link"
    );
}

#[test]
fn a_public_address_needs_consent() {
    for addr in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let args = ["--listen", "127.0.0.1:1", "--listen", addr];
        let (code, text) = refusal(&args, &[]);
        assert_eq!(code, 78);
        assert!(text.starts_with(addr), "{text}");
        assert!(
            text.contains("127.0.0.1:8080, say who may with --tokens FILE"),
            "{text}"
        );
        let flag = [&args[..], &["--insecure-no-auth"]].concat();
        let public: SocketAddr = addr.parse().unwrap();
        assert_eq!(
            config(&flag, &[]).shell.listen[1],
            Listen::Tcp(public, Scheme::Either)
        );
        assert_eq!(
            listening(&config(&args, &[("HOOKAH_INSECURE_NO_AUTH", "1")])).len(),
            2
        );
        let revoked = [&args[..], &["--insecure-no-auth=false"]].concat();
        assert_eq!(refusal(&revoked, &[("HOOKAH_INSECURE_NO_AUTH", "1")]).0, 78);
    }
}

#[test]
fn what_is_no_flag_is_said_with_what_was_meant() {
    let rows: [(&[&str], &str); 8] = [
        (
            &["--retrys", "3"],
            "--retrys is not a flag; did you mean --retries?",
        ),
        (&["--frobnicate"], "--frobnicate is not a flag (try"),
        (&["-x"], "-x is not a flag (try"),
        (
            &["--retries"],
            "--retries needs a value; allowed: 0 to 1000",
        ),
        (
            &["frobnicate"],
            "\"frobnicate\" is not a subcommand; there are serve, check, config, token",
        ),
        (
            &["chek"],
            "\"chek\" is not a subcommand; did you mean check?",
        ),
        (&["serve", "serve"], "\"serve\" is not a subcommand"),
        (&["check", "a.db"], "check: \"a.db\" is one word too many"),
    ];
    for (args, expected) in rows {
        let (code, text) = refusal(args, &[]);
        assert_eq!(code, 64, "{text}");
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("(try hookah --help)"), "{text}");
    }
}

#[test]
fn help_and_version_come_before_everything() {
    let printed = |args: &[&str]| match read(args, &[("HOOKAH_RETRIES", "x")]) {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(printed(&["--help"]), help());
    assert_eq!(printed(&["serve", "--retries=x", "-h"]), help());
    assert_eq!(
        printed(&["-V"]),
        format!("hookah {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn connections_fit_under_the_descriptor_limit() {
    let rows = [
        (0, 4),
        (64, 4),
        (256, 192),
        (1024, 922),
        (1 << 20, 65_536),
        (u64::MAX, 65_536),
    ];
    for (descriptors, lines) in rows {
        assert_eq!(auto_lines(descriptors), lines, "{descriptors}");
    }
    assert_eq!(
        config(&["--max-conns=100000"], &[]).engine.lines_max,
        100_000
    );
}

#[test]
fn the_log_filter_may_come_from_the_usual_variable() {
    let usual = ("RUST_LOG", "hookah=trace");
    assert_eq!(config(&[], &[usual]).log, "hookah=trace");
    assert_eq!(config(&[], &[usual, ("HOOKAH_LOG", "warn")]).log, "warn");
    assert_eq!(config(&["--log=off"], &[usual]).log, "off");
}

#[test]
fn what_may_be_called_goes_by_the_listeners_unless_it_is_said() {
    let open = ["--listen=0.0.0.0:80", "--insecure-no-auth"];
    let chosen = |flags: &[&str]| {
        let config = config(flags, &[]);
        let word = config.shell.targets.split([' ', ';']).next().unwrap();
        (config.engine.courier.policy.preset, word)
    };
    let (public, local) = ((Preset::Public, "public"), (Preset::Local, "local"));
    assert_eq!(chosen(&[]), local);
    assert_eq!(chosen(&["--listen=[::1]:1", "--port=2"]), local);
    assert_eq!(chosen(&["--targets=public"]), public);
    assert_eq!(chosen(&open), public);
    assert_eq!(chosen(&[&open[..], &["--targets=local"]].concat()), local);
    assert_eq!(chosen(&[&open[..], &["--targets=auto"]].concat()), public);
}

#[test]
fn rules_for_targets_add_up() {
    let flags = [
        "--allow-target=10.0.0.0/8",
        "--allow-target=db.example:6379",
    ];
    let policy = config(&flags, &[("HOOKAH_DENY_TARGET", "fd00::/8, [::1]:80")])
        .engine
        .courier
        .policy;
    let texts = |rules: &[crate::courier::guard::Rule]| {
        let texts: Vec<String> = rules.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    assert_eq!(texts(&policy.allow), "10.0.0.0/8 db.example:6379");
    assert_eq!(texts(&policy.deny), "fd00::/8 [::1]:80");
}
