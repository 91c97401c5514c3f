//! Tests of signatures: the vectors of dispatch.md section 8, rotation, GitHub's own example, and
//! that nothing shows a secret.

use super::*;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn signed(secret: &str, scheme: Scheme, id: &str, timestamp: u64, body: &[u8]) -> String {
    let signer = Secret::new(secret).signer(scheme).unwrap();
    let mut out = b"before ".to_vec();
    signer.write(&mut out, id.as_bytes(), timestamp, body);
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("before ").unwrap().to_owned()
}

const JSON: &[u8] =
    br#"{"type":"user.created","timestamp":"2026-01-02T03:04:05Z","data":{"id":42}}"#;

#[test]
fn standard_webhooks_vectors() {
    let rows: [(&str, u64, &[u8], &str); 3] = [
        (
            "msg_01HOOKAH0000000000000001",
            1_767_323_045,
            JSON,
            "v1,V5C/T2yS8BECyhlbRCyxN3jet16SOtCdyMB4Rfcku0I=",
        ),
        (
            "msg_01HOOKAH0000000000000003",
            1_767_323_047,
            b"",
            "v1,V6c0UF9uz5gUD5oNBzUNndxu3MMxsvc6MuUxH8oTJcg=",
        ),
        (
            "msg_01HOOKAH0000000000000004",
            1_767_323_048,
            b"\x00\x01\x02\xff\xfe\x0a\x2e\x0d",
            "v1,ZBqwhpUyY4WUiLu6JBDL4xawfswVM3mfiNOrqZ9wwSE=",
        ),
    ];
    for (id, timestamp, body, want) in rows {
        assert_eq!(signed(SECRET, Scheme::Standard, id, timestamp, body), want);
    }
}

#[test]
fn rotation_signs_once_a_key_current_first() {
    let one = |secret: &str| signed(secret, Scheme::Standard, "msg_1", 7, b"body");
    let both = one(&format!(" {OTHER}  {SECRET} "));
    assert_eq!(both, format!("{} {}", one(OTHER), one(SECRET)));
    assert_ne!(one(OTHER), one(SECRET));
}

#[test]
fn github_scheme_signs_the_body_with_the_first_key() {
    // The example of GitHub's documentation, "Validating webhook deliveries".
    let want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let secret = "It's-a-Secret-to-Everybody";
    let spaced = secret.replace('-', " ");
    assert_eq!(key_of(&spaced, b"Hello, World!"), want, "the vector itself");
    let first = signed(secret, Scheme::Github, "x", 1, b"Hello, World!");
    let two = signed(
        &format!("{secret} {SECRET}"),
        Scheme::Github,
        "y",
        2,
        b"Hello, World!",
    );
    assert_eq!(first, two);
    assert_eq!(first, key_of(secret, b"Hello, World!"));
    let encoded = signed(SECRET, Scheme::Github, "x", 1, b"a");
    let bytes: Vec<u8> = (0..24).collect();
    assert_eq!(encoded, key_of(std::str::from_utf8(&bytes).unwrap(), b"a"));
}

fn key_of(literal: &str, body: &[u8]) -> String {
    let mut out = b"sha256=".to_vec();
    let key = hmac::Key::new(HMAC_SHA256, literal.as_bytes());
    hex(&mut out, tag(&key, &[body]).as_ref());
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let base64 = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    let rows = [
        ("".to_owned(), false, false),
        (" ".to_owned(), false, false),
        ("plain-text".to_owned(), false, true),
        ("x".repeat(257), false, false),
        ("whsec_".to_owned(), false, false),
        ("whsec_!!!!".to_owned(), false, false),
        (base64(23), false, false),
        (base64(24), true, true),
        (base64(24).replace('=', ""), true, true),
        (base64(64), true, true),
        (base64(65), false, false),
        (format!("{SECRET} nonsense"), false, true),
        ([SECRET; 8].join(" "), true, true),
        ([SECRET; 9].join(" "), false, true),
    ];
    for (secret, standard, github) in rows {
        for (scheme, good) in [(Scheme::Standard, standard), (Scheme::Github, github)] {
            let made = Secret::new(&secret).signer(scheme);
            assert_eq!(made.is_ok(), good, "{secret:?} {scheme:?}");
        }
    }
}

#[test]
fn nothing_shows_a_secret() {
    let secret = Secret::new(SECRET);
    let signer = secret.signer(Scheme::Standard).unwrap();
    let mut keys = Keys::default();
    keys.add("BILLING_2", secret.clone()).unwrap();
    let shown = format!("{secret:?} {signer:?} {keys:?}");
    assert!(
        !shown.contains("AAEC") && !shown.contains("whsec"),
        "{shown}"
    );
    assert_eq!(keys.get("billing-2"), Some(&secret));
    assert_eq!(keys.get("Billing_2"), Some(&secret));
    assert_eq!(keys.get("billing"), None);
}
