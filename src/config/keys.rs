//! Named signing keys from the environment: `HOOKAH_SIGN_<NAME>`, until there is a config file.
//! They are no knobs: a flag would show them in the list of processes, and no text repeats them.

use std::ffi::OsString;

use super::Refusal;
use crate::dispatch::sign::{GITHUB_SECRET_FORM, Keys, SECRET_FORM, Secret};

/// What the names of the variables begin with.
const PREFIX: &str = "HOOKAH_SIGN_";

/// The keys that the environment names; an empty variable names none.
///
/// # Errors
/// A value that can sign under no scheme; the text names the variable and not its value.
pub fn signing_keys(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Keys, Refusal> {
    let mut keys = Keys::default();
    for (variable, value) in variables {
        let Some(name) = variable.to_str().and_then(|it| it.strip_prefix(PREFIX)) else {
            continue;
        };
        if name.is_empty() || value.is_empty() {
            continue;
        }
        let added = match value.to_str() {
            Some(text) => keys.add(name, Secret::new(text)),
            None => Err("is not UTF-8"),
        };
        added.map_err(|complaint| Refusal {
            text: format!(
                "{PREFIX}{name}: the key {complaint}; allowed: {SECRET_FORM}, or for the scheme \
                 github {GITHUB_SECRET_FORM}"
            ),
            exit_code: 78,
        })?;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Keys, Refusal> {
        let own = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        signing_keys(variables.iter().map(own))
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
