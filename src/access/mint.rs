//! A new token: the line for the file of tokens, and the secret, which stands in no file.
//! It draws nothing itself; whoever asks brings the entropy.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use super::roll::{self, NAME_FORM, Rights};

/// What a secret begins with, so that people and scanners know it when they see it.
const MARK: &str = "hk_";

/// A new token.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The line of the file, without its end.
    pub line: String,
    /// What its holder shows.
    pub secret: String,
}

/// Reads what a new token is to be: its name, and at least one right.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn check(name: &str, rights: &[String]) -> Result<(), String> {
    roll::check_name(name).map_err(|_| format!("{name:?} is no name; allowed: {NAME_FORM}"))?;
    let parsed = Rights::parse(words(rights));
    parsed.map_err(|(at, why)| format!("right {}{why}", at + 1))?;
    Ok(())
}

/// Makes a token of that name with these rights from 32 bytes that nobody can guess.
///
/// # Errors
/// As [`check`].
///
/// ```
/// use hookah::access::{Roll, mint};
///
/// let minted = mint::mint("ci", &["dispatch".to_owned()], [7; 32]).unwrap();
/// assert!(minted.secret.starts_with("hk_") && minted.secret.len() == 46);
/// assert!(Roll::parse(&minted.line).is_ok_and(|roll| roll.len() == 1));
/// ```
pub fn mint(name: &str, rights: &[String], entropy: [u8; 32]) -> Result<Minted, String> {
    check(name, rights)?;
    let secret = format!("{MARK}{}", URL_SAFE_NO_PAD.encode(entropy));
    let mut line = format!("{name} sha256:");
    for byte in digest(&SHA256, secret.as_bytes()).as_ref() {
        let _ = write!(line, "{byte:02x}");
    }
    for right in words(rights) {
        line.extend([" ", right]);
    }
    Ok(Minted { line, secret })
}

/// Whether they were given as one argument or as several.
fn words(rights: &[String]) -> impl Iterator<Item = &str> {
    rights.iter().flat_map(|it| it.split_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_line_is_that_of_the_secret() {
        // By `printf %s hk_AAAA… | sha256sum`.
        let hash = "2fe853e70c3b5eac66df4c9858997f90a5e7c5bf136a5392caa614055d503837";
        let minted = mint("ci", &rights(&["dispatch", "publish:* rate=1/s"]), [0; 32]);
        let minted = minted.unwrap();
        assert_eq!(minted.secret, format!("hk_{}", "A".repeat(43)));
        let line = format!("ci sha256:{hash} dispatch publish:* rate=1/s");
        assert_eq!(minted.line, line);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rows = [
            ("a b", vec!["read"], "\"a b\" is no name; allowed: 1 to 64"),
            ("ci", vec![], "right 1 is missing; allowed: dispatch,"),
            (
                "ci",
                vec!["read", "dispach"],
                "right 2 (\"dispach\") is no right; allowed:",
            ),
            (
                "ci",
                vec!["rate=x"],
                "right 1 (rate=) is not a rate; allowed: N/TIME",
            ),
        ];
        for (name, words, right) in rows {
            let why = check(name, &rights(&words)).unwrap_err();
            assert!(why.starts_with(right), "{why}");
        }
    }
}
