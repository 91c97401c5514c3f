//! What a reader is told besides messages: each notice is checked by itself and taken down.
//! Whether there was a reason for it, `watch` knows.

use serde_json::Value;

use crate::asks::Asks;

/// The notices of one stream.
#[derive(Debug, Default)]
pub struct Notices {
    /// Why it ended.
    pub code: Option<u64>,
    /// How many messages it lost, each time it was told.
    pub limits: Vec<u64>,
    /// How full it was, each time it was warned.
    pub warnings: Vec<u64>,
    /// It was so far behind once that it may be warned.
    pub may_warn: bool,
}

/// Codes of disconnects, and their words.
const REASONS: [(u64, &str); 5] = [
    (1, "shutdown"),
    (4, "stall"),
    (6, "token"),
    (9, "count"),
    (12, "shed"),
];

impl Notices {
    /// The reader is told that, with a pause before it comes again if that was said.
    pub fn note(&mut self, asks: &Asks, kind: &str, object: &str, retry: Option<u64>) {
        assert!(asks.format.has_notices(), "{kind} in {:?}", asks.format);
        let said: Value = serde_json::from_str(object).expect("JSON");
        let number = |name: &str| said[name].as_u64();
        let known = match kind {
            "disconnect" => {
                let code = number("code").expect("a code");
                let word = said["reason"].as_str().expect("a reason");
                assert!(REASONS.contains(&(code, word)), "{object}");
                if asks.is_plain() {
                    assert_eq!(said["stream_name"], *asks.topics[0]);
                }
                let later = asks.format.is_sse() && [1, 12].contains(&code);
                assert_eq!(retry.is_some(), later, "{object}, retry {retry:?}");
                assert!(retry.is_none_or(|ms| (1_000..=10_000).contains(&ms)));
                self.code = Some(code);
                return;
            }
            "warning" => {
                let percent = number("percent_full").expect("a percentage");
                assert!(asks.warns && self.may_warn, "{object}; {asks:?}");
                assert!((60..=100).contains(&percent), "{object}");
                assert_eq!(said["code"], "FALLING_BEHIND");
                self.warnings.push(percent);
                true
            }
            "limit" => {
                self.limits.push(number("track").expect("a number"));
                true
            }
            _ => false,
        };
        assert!(known && retry.is_none(), "{kind} {object}, retry {retry:?}");
    }
}
