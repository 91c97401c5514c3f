//! Stories of signatures: who verifies them as the standards say, finds them right.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::{post, schedule};
use crate::server::{Server, hookah};
use crate::target::{Arrival, ERROR, OK, Target};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The signature by the standard's own words.
fn standard(secret: &str, got: &Arrival) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let head = format!(
        "{}.{}.",
        got.field("webhook-id"),
        got.field("webhook-timestamp")
    );
    let content = [head.as_bytes(), &got.body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &content);
    format!("v1,{}", STANDARD.encode(tag))
}

fn github(secret: &str, got: &Arrival) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, &got.body);
    let digits: Vec<String> = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("sha256={}", digits.concat())
}

#[test]
fn option_secret_signs_every_attempt_anew() {
    let server = Server::start();
    let mut failures = 1;
    let target = Target::new(move |_| {
        failures -= 1;
        if failures == 0 {
            ERROR.into()
        } else {
            OK.into()
        }
    });
    let url = target.url("/");
    let form = format!("_url={url}&_secret={SECRET}&_retry_schedule=10ms&a=%00%2B");
    schedule(&server, "", &form);
    for attempt in 1..=2 {
        let got = target.arrival();
        assert_eq!(got.attempt(), attempt);
        assert_eq!(got.field("webhook-signature"), standard(SECRET, &got));
    }
}

#[test]
fn option_secret_rotates_current_first() {
    let (server, target) = (Server::start(), Target::willing());
    let form = format!("_url={}&_secret={SECRET}+{OLD}", target.url("/"));
    schedule(&server, "", &form);
    let got = target.arrival();
    assert_eq!(got.body, b"");
    let want = format!("{} {}", standard(SECRET, &got), standard(OLD, &got));
    assert_eq!(got.field("webhook-signature"), want);
}

#[test]
fn option_sign_names_a_key_of_the_environment() {
    let mut command = hookah();
    command
        .args(["--port", "0"])
        .env("HOOKAH_SIGN_BILLING", SECRET);
    let (server, target) = (Server::spawn(command), Target::willing());
    schedule(
        &server,
        "Hookah-Sign: billing\r\n",
        &format!("_url={}&a=1", target.url("/")),
    );
    let got = target.arrival();
    assert_eq!(got.field("webhook-signature"), standard(SECRET, &got));
    let answer = post(&server, "Hookah-Sign: other\r\nHookah-Topic: t\r\n", "");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("sign: \"other\" is no key here"),
        "{}",
        answer.body
    );
}

#[test]
fn option_sign_scheme_github() {
    let (server, target) = (Server::start(), Target::willing());
    let form = format!(
        "_url={}&_secret=plain+two&_sign_scheme=github&a=1",
        target.url("/")
    );
    schedule(&server, "", &form);
    let got = target.arrival();
    assert_eq!(got.field("X-Hub-Signature-256"), github("plain", &got));
    assert_eq!(got.fields.get("webhook-signature"), None);
}

#[test]
fn a_secret_is_never_echoed() {
    let server = Server::start();
    for (fields, form) in [
        ("Hookah-Secret: whsec_hush", "_topic=t"),
        ("Hookah-Secret: hush", "_topic=t"),
        ("", "_topic=t&_secret=hush&_secret=hush"),
        ("", "_topic=t&_secret=hush%FF"),
        ("Hookah-Sign: x\r\nHookah-Secret: hush", "_topic=t"),
    ] {
        let fields = if fields.is_empty() {
            String::new()
        } else {
            format!("{fields}\r\n")
        };
        let answer = post(&server, &format!("{}{fields}", super::FORM), form);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.body.contains("hush"), "{}", answer.body);
    }
}
