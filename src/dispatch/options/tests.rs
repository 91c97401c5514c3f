//! Tests of the table of options: spellings, values, refusals, defaults.

use super::*;
use crate::base::units::parse_duration;

const NOW: Wall = Wall(1_767_323_045_000_000);

fn set(name: &str, value: &str) -> Result<Given, String> {
    let row = TABLE.iter().find(|row| row.name == name).unwrap();
    let (Take::Value(take) | Take::Hidden(take)) = row.take else {
        panic!("{name} has no value")
    };
    let mut given = Given::default();
    match take(&mut given, value, NOW) {
        Ok(()) => Ok(given),
        Err(complaint) => {
            let problem = bad_value(row, name, value.as_bytes(), complaint);
            assert_eq!(problem.reason, Reason::BadOption);
            Err(problem.detail.into_owned())
        }
    }
}

fn settled(rows: &[(&str, &str)]) -> Result<Options, Problem> {
    let mut given = Given::default();
    for (name, value) in rows {
        let row = TABLE.iter().find(|row| row.name == *name).unwrap();
        let (Take::Value(take) | Take::Hidden(take)) = row.take else {
            panic!("{name} has no value")
        };
        take(&mut given, value, NOW).unwrap();
    }
    given.settle(&Settings::default(), NOW)
}

fn span(text: &str) -> Duration {
    parse_duration(text).unwrap()
}

#[test]
fn names_are_unique_and_well_formed() {
    for (index, row) in TABLE.iter().enumerate() {
        let well = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(row.name.bytes().all(well), "{}", row.name);
        assert!(
            TABLE[..index].iter().all(|other| other.name != row.name),
            "{}",
            row.name
        );
        assert!(!row.help.is_empty());
        assert!(row.name.len() < NAME_BYTES_MAX);
        assert!(!row.allowed.is_empty(), "{}", row.name);
    }
}

#[test]
fn fields_are_spelled_with_underscores() {
    let rows = [
        ("_url", Some("url")),
        ("_retry_schedule", Some("retry-schedule")),
        ("_idempotency_key", Some("idempotency-key")),
        ("_header", Some("header")),
        ("_forward_headers", Some("forward-headers")),
        ("_forward_", None),
        ("_forward_x", None),
        ("url", None),
        ("_", None),
        ("", None),
        ("__url", None),
        ("_URL", None),
        ("_retry-schedule", None),
        ("_retry_schedule_", None),
        ("_foo", None),
    ];
    for (name, want) in rows {
        assert_eq!(
            field(name.as_bytes()).map(|(_, row)| row.name),
            want,
            "{name}"
        );
    }
}

#[test]
fn headers_are_spelled_with_hyphens_in_any_case() {
    let rows = [
        ("Hookah-Url", Some("url")),
        ("hookah-url", Some("url")),
        ("HOOKAH-RETRY-SCHEDULE", Some("retry-schedule")),
        ("Hookah-Retry_Schedule", None),
        ("Hookah-Header", None),
        ("Hookah-Forward-Headers", Some("forward-headers")),
        ("Hookah-Forward-X-Y", Some("forward-")),
        ("Idempotency-Key", Some("idempotency-key")),
        ("Hookah-Idempotency-Key", None),
        ("Hookah-Attempt", None),
        ("Hookah-Hops", None),
        ("Hookah-", None),
        ("Hookah", None),
        ("Host", None),
        ("Url", None),
    ];
    for (name, want) in rows {
        assert_eq!(header(name).map(|(_, row)| row.name), want, "{name}");
    }
}

const BAD_VALUES: &[(&str, &str, &str)] = &[
    (
        "redirects",
        "11",
        "redirects: \"11\" is out of range; allowed: 0 to 10",
    ),
    ("redirects", "-1", "redirects: \"-1\" is not a number"),
    (
        "success",
        "2xx",
        "success: \"2xx\" is not a list of statuses",
    ),
    (
        "capture",
        "2M",
        "capture: \"2M\" is out of range; allowed: 0 to 1MiB",
    ),
    ("capture", "x", "capture: \"x\" is not a size"),
    ("label", "", "label: \"\" is out of range"),
    ("event", "a\nb", "event: \"a\\nb\" has a control character"),
    (
        "sign-scheme",
        "md5",
        "sign-scheme: \"md5\" is not a scheme; allowed: standard, github",
    ),
    (
        "forward-headers",
        "yes",
        "forward-headers: \"yes\" is not a boolean; allowed: true, false",
    ),
    (
        "retries",
        "abc",
        "retries: \"abc\" is not a number; allowed: 0 to 1000",
    ),
    (
        "retries",
        "",
        "retries: \"\" is not a number; allowed: 0 to 1000",
    ),
    (
        "retries",
        "-1",
        "retries: \"-1\" is not a number; allowed: 0 to 1000",
    ),
    (
        "retries",
        "1001",
        "retries: \"1001\" is out of range; allowed: 0 to 1000",
    ),
    (
        "retries",
        "99999999999999999999",
        "retries: \"99999999999999999999\" is out of range; allowed: 0 to 1000",
    ),
    (
        "method",
        "TRACE",
        "method: \"TRACE\" is not a method for targets; allowed: GET, HEAD, POST, PUT, PATCH, \
         DELETE",
    ),
    (
        "timeout",
        "99ms",
        "timeout: \"99ms\" is out of range; allowed: 100ms to 1h, in seconds or as 250ms, 10s, \
         5m",
    ),
    ("timeout", "1h1ms", "timeout: \"1h1ms\" is out of range"),
    (
        "timeout",
        "soon\r\n",
        "timeout: \"soon\\r\\n\" is not a duration",
    ),
    ("delay", "-1s", "delay: \"-1s\" is not a duration"),
    ("delay", "366d1ms", "delay: \"366d1ms\" is out of range"),
    (
        "not-before",
        "tomorrow",
        "not-before: \"tomorrow\" is not a time",
    ),
    (
        "not-before",
        "1798945446",
        "not-before: \"1798945446\" is out of range",
    ),
    ("expires", "0", "expires: \"0\" is out of range"),
    (
        "expires",
        "99999999",
        "expires: \"99999999\" is out of range",
    ),
    (
        "expires",
        "100000000",
        "expires: \"100000000\" lies in the past",
    ),
    (
        "expires",
        "1767323045",
        "expires: \"1767323045\" lies in the past",
    ),
    (
        "expires",
        "2026-01-02T03:04:05Z",
        "expires: \"2026-01-02T03:04:05Z\" lies in the past",
    ),
    (
        "expires",
        "9999999999",
        "expires: \"9999999999\" is out of range",
    ),
    (
        "expires",
        "99999999999999999999",
        "expires: \"99999999999999999999\" is not a time",
    ),
    ("expires", "", "expires: \"\" is not a duration"),
    ("expires", "-1", "expires: \"-1\" is not a time"),
    (
        "retry-schedule",
        "5s,",
        "retry-schedule: \"5s,\" is not a retry schedule; allowed: up to",
    ),
    (
        "retry-schedule",
        "31d",
        "retry-schedule: \"31d\" has a wait that is too long",
    ),
];

#[test]
fn bad_values_name_option_value_and_what_is_allowed() {
    for (name, value, want) in BAD_VALUES {
        let detail = set(name, value).map(|_| ()).unwrap_err();
        assert!(detail.starts_with(want), "{name}={value}: {detail}");
        assert!(detail.contains("; allowed: "), "{detail}");
    }
    let detail = set("retries", &"é".repeat(10_000)).map(|_| ()).unwrap_err();
    assert!(detail.len() < 300, "{detail}");
}

#[test]
fn methods_are_those_for_targets_in_any_case() {
    for (text, want) in [
        ("GET", Method::Get),
        ("head", Method::Head),
        ("POST", Method::Post),
        ("Put", Method::Put),
        ("PATCH", Method::Patch),
        ("delete", Method::Delete),
    ] {
        assert_eq!(set("method", text).unwrap().method, Some(want));
    }
    for text in ["", "OPTIONS", "CONNECT", "GET ", "GET, HEAD", "BREW"] {
        assert!(set("method", text).is_err(), "{text}");
    }
}

#[test]
fn without_options_the_defaults_hold() {
    let options = settled(&[]).unwrap();
    let want = Options {
        not_before: NOW,
        expires_at: NOW + span("4d"),
        retries: 9,
        schedule: None,
        timeout: span("15s"),
        redirects: 0,
        success: Success::default(),
        signer: None,
        label: None,
        event: None,
        capture: 64 << 10,
        strict: false,
        tells: Tells::default(),
        once: None,
        gates: None,
    };
    assert_eq!(options, want);
}

#[test]
fn values_become_options() {
    let options = settled(&[
        ("delay", "10"),
        ("retries", "0"),
        ("retry-schedule", "exponential(1s,2,1m)"),
        ("timeout", "250ms"),
        ("expires", "1d10h"),
    ]);
    let want = Options {
        not_before: NOW + span("10s"),
        expires_at: NOW + span("1d10h"),
        retries: 0,
        schedule: Some(Schedule::parse("exponential(1s,2,1m)").unwrap()),
        timeout: span("250ms"),
        redirects: 0,
        success: Success::default(),
        signer: None,
        label: None,
        event: None,
        capture: 64 << 10,
        strict: false,
        tells: Tells::default(),
        once: None,
        gates: None,
    };
    assert_eq!(options, Ok(want));
}

#[test]
fn times_and_ages_meet() {
    type Row = (&'static [(&'static str, &'static str)], Option<(u64, u64)>);
    // Seconds from now to the first attempt and to the expiry; `None` is refused.
    let rows: &[Row] = &[
        (&[("delay", "10d")], Some((864_000, 864_000 + 345_600))),
        (&[("not-before", "1767323055")], Some((10, 10 + 345_600))),
        (
            &[("not-before", "2026-01-02T03:04:15Z")],
            Some((10, 10 + 345_600)),
        ),
        (&[("not-before", "0")], Some((0, 345_600))),
        (
            &[("delay", "1h"), ("not-before", "1767323055")],
            Some((10, 10 + 345_600)),
        ),
        (&[("not-before", "0"), ("delay", "1h")], Some((0, 345_600))),
        (&[("expires", "1767323046")], Some((0, 1))),
        (&[("expires", "2026-01-02T03:04:06Z")], Some((0, 1))),
        (&[("expires", "1m"), ("delay", "59s")], Some((59, 60))),
        (&[("expires", "1m"), ("delay", "60s")], None),
        (&[("expires", "1767323046"), ("delay", "1s")], None),
    ];
    for (given, want) in rows {
        let options = settled(given);
        match want {
            Some((first, end)) => {
                let options = options.unwrap();
                assert_eq!(
                    options.not_before,
                    NOW + Duration::from_secs(*first),
                    "{given:?}"
                );
                assert_eq!(
                    options.expires_at,
                    NOW + Duration::from_secs(*end),
                    "{given:?}"
                );
            }
            None => assert_eq!(options.unwrap_err().reason, Reason::BadOption, "{given:?}"),
        }
    }
}

const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

#[test]
fn options_of_a_message_are_kept() {
    let options = settled(&[
        ("redirects", "3"),
        ("success", "200,404"),
        ("label", "é"),
        ("event", "user.created"),
        ("capture", "64KiB"),
        ("secret", KEY),
    ]);
    let options = options.unwrap();
    assert_eq!((options.redirects, options.capture), (3, 64 << 10));
    assert!(options.success.has(404) && !options.success.has(201));
    assert_eq!(options.label.as_deref(), Some("é"));
    assert_eq!(options.event.as_deref(), Some("user.created"));
    assert!(options.signer.is_some());
}

#[test]
fn keys_and_schemes_have_to_fit() {
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[("sign-scheme", "github")], "sign-scheme: nothing signs"),
        (&[("sign", "a"), ("secret", KEY)], "secret: beside sign"),
        (&[("sign", "a")], "sign: \"a\" is no key here"),
        (&[("secret", "hush")], "secret: the key is no key"),
        (
            &[("sign-scheme", "standard"), ("secret", "hush")],
            "secret: the key is no key",
        ),
    ];
    for (given, want) in rows {
        let problem = settled(given).unwrap_err();
        assert!(problem.detail.starts_with(want), "{}", problem.detail);
        assert!(!problem.detail.contains("hush"), "{}", problem.detail);
    }
    assert!(settled(&[("sign-scheme", "github"), ("secret", "hush")]).is_ok());
}

#[test]
fn who_is_told_is_a_url_that_can_be_called() {
    let url = "http://user:word@127.0.0.1:9000/told?a=b";
    let tells = settled(&[("callback", url), ("errback", url)])
        .unwrap()
        .tells;
    for (option, target) in tells.iter() {
        assert_eq!(&*target.url, "http://127.0.0.1:9000/told?a=b", "{option}");
        assert!(target.authorization.is_some(), "{option}");
    }
    assert_eq!(tells.iter().count(), 2);
    for option in ["callback", "errback"] {
        for bad in ["nowhere", "ftp://h/", "http://h:0/"] {
            let why = settled(&[(option, bad)]).unwrap_err();
            assert_eq!(why.reason, Reason::BadTarget, "{bad}");
            assert!(
                why.detail.starts_with(&format!("{option}: ")),
                "{}",
                why.detail
            );
        }
        let why = set(option, "").unwrap_err();
        assert!(why.starts_with(option), "{why}");
    }
}

#[test]
fn a_key_is_short_and_printable() {
    let longest = "k".repeat(255);
    for key in ["a", "\"8e03978e-40d5\"", "a b~", &longest] {
        assert_eq!(
            settled(&[("idempotency-key", key)])
                .unwrap()
                .once
                .as_deref(),
            Some(key)
        );
    }
    for key in ["", "a\tb", "\u{e9}", "\u{7f}", &"k".repeat(256)] {
        let why = set("idempotency-key", key).unwrap_err();
        assert!(why.contains("allowed: 1 to 255 printable"), "{why}");
    }
}

#[test]
fn what_may_hold_it_back_is_read() {
    let gates = |given: &[(&str, &str)]| settled(given).unwrap().gates;
    assert_eq!(gates(&[("retries", "1")]), None);
    let all = gates(&[
        ("queue", "orders"),
        ("flow-key", "k"),
        ("rate", "10/1m"),
        ("parallelism", "3"),
    ]);
    let rate = crate::dispatch::flows::Rate::parse("10/1m").ok();
    let want = Gates {
        queue: Some("orders".into()),
        flow_key: Some("k".into()),
        rate,
        parallelism: Some(3),
    };
    assert_eq!(all.as_deref(), Some(&want));
    let long = "x".repeat(256);
    for (name, values) in [
        ("queue", &["", "a\nb", &long][..]),
        ("flow-key", &["", "\u{7f}", &long]),
        ("rate", &["", "10", "0/1m", "10/1x", "1/32d"]),
        ("parallelism", &["", "0", "10001", "-1", "a"]),
    ] {
        for value in values {
            assert!(set(name, value).is_err(), "{name}={value:?}");
        }
        assert!(set(name, &long[1..]).is_ok() || ["rate", "parallelism"].contains(&name));
    }
}
