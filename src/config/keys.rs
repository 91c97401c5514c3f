//! Named signing keys from the environment: `HOOKAH_SIGN_<NAME>`. Those of the file are in its
//! section `[sign]`; these win. They are no knobs: a flag would show them in the list of processes,
//! and no text repeats them.

use std::ffi::OsString;

use super::Refusal;
use super::file::refusal;
use super::said::Source;
use super::sections::NamedKey;
use crate::dispatch::sign::{GITHUB_SECRET_FORM, Keys, SECRET_FORM, Secret};

/// What the names of the variables begin with.
pub(super) const PREFIX: &str = "HOOKAH_SIGN_";

/// The keys that the environment names; an empty variable names none.
///
/// # Errors
/// A value that can sign under no scheme; the text names the variable and not its value.
pub(super) fn of_environment(variables: &[(OsString, OsString)]) -> Result<Vec<NamedKey>, Refusal> {
    let mut keys: Vec<NamedKey> = Vec::new();
    for (variable, value) in variables {
        let Some(given) = variable.to_str().and_then(|it| it.strip_prefix(PREFIX)) else {
            continue;
        };
        if given.is_empty() || value.is_empty() {
            continue;
        }
        let name = given.to_ascii_lowercase().replace('_', "-");
        let secret = value.to_str().map(Secret::new);
        let added = match &secret {
            Some(secret) => Keys::default().add(&name, secret.clone()),
            None => Err("is not UTF-8"),
        };
        added.map_err(|complaint| {
            refusal(format_args!(
                "{PREFIX}{given}: the key {complaint}; allowed: {SECRET_FORM}, or for the scheme \
                 github {GITHUB_SECRET_FORM}"
            ))
        })?;
        keys.retain(|known| known.name != name);
        keys.extend(secret.map(|secret| NamedKey {
            name,
            secret,
            source: Source::Environment,
            line: 0,
        }));
    }
    Ok(keys)
}

/// All keys, those that come later winning.
pub(super) fn together(weak: &[NamedKey], strong: &[NamedKey]) -> Vec<NamedKey> {
    let beaten = |key: &&NamedKey| strong.iter().all(|other| other.name != key.name);
    let mut all: Vec<NamedKey> = weak.iter().filter(beaten).cloned().collect();
    all.extend_from_slice(strong);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// The same as whoever signs wants them.
pub(super) fn ring(keys: &[NamedKey]) -> Keys {
    let mut ring = Keys::default();
    for key in keys {
        // It was held against both schemes when it was read.
        let _ = ring.add(&key.name, key.secret.clone());
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Keys, Refusal> {
        let own = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        let variables: Vec<_> = variables.iter().map(own).collect();
        of_environment(&variables).map(|keys| ring(&keys))
    }

    #[test]
    fn keys_are_named_by_their_variables() {
        let key = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
        let keys = read(&[
            ("PATH", "/bin"),
            ("HOOKAH_SIGN_BILLING", key),
            ("HOOKAH_SIGN_GIT_HUB", "literal"),
            ("HOOKAH_SIGN_EMPTY", ""),
        ]);
        let keys = keys.unwrap();
        assert_eq!(keys.get("billing"), Some(&Secret::new(key)));
        assert_eq!(keys.get("git-hub"), Some(&Secret::new("literal")));
        assert_eq!(keys.get("empty"), None);
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_not_repeated() {
        let refusal = read(&[("HOOKAH_SIGN_A", "whsec_tooshort")]).unwrap_err();
        let text = refusal.to_string();
        assert_eq!(refusal.exit_code, 78);
        assert!(text.starts_with("HOOKAH_SIGN_A: the key is "), "{text}");
        assert!(!text.contains("tooshort"), "{text}");
    }
}
