//! Patterns of topics: `*` stands for any run of bytes, everything else for itself.
//! A look takes time in proportion to the name, whatever the pattern says.

/// Bytes of a pattern at most, as of a topic's name.
pub const GLOB_BYTES_MAX: usize = 1_024;

/// A pattern.
///
/// ```
/// use hookah::access::glob::Glob;
///
/// let glob = Glob::new(b"news.*").unwrap();
/// assert!(glob.matches(b"news.local") && !glob.matches(b"news"));
/// assert!(glob.covers(b"news.l") && !glob.covers(b"new"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: Box<[u8]>,
}

impl Glob {
    /// The pattern of that text; `None` if it is empty or longer than [`GLOB_BYTES_MAX`].
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Glob> {
        let fits = (1..=GLOB_BYTES_MAX).contains(&text.len());
        fits.then(|| Glob { text: text.into() })
    }

    /// Whether all of `name` is of the pattern. Each piece between stars is taken where it comes
    /// first, which leaves the most for the pieces behind it; so nothing is ever tried again.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let mut pieces = self.text.split(|byte| *byte == b'*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some(at) = memchr::memmem::find(rest, piece) else {
                return false;
            };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }

    /// Whether every name that begins with `prefix` is of the pattern. Without a star at its end
    /// there is always one that is not; with it what follows the prefix does not matter.
    #[must_use]
    pub fn covers(&self, prefix: &[u8]) -> bool {
        self.text.last() == Some(&b'*') && self.matches(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn glob(text: &[u8]) -> Glob {
        Glob::new(text).expect("a pattern")
    }

    #[test]
    fn each_pattern_has_its_names() {
        let rows: [(&str, &[&str], &[&str]); 8] = [
            ("a", &["a"], &["", "A", "aa", "b"]),
            ("*", &["", "a", "*", "a/b c"], &[]),
            ("**", &["", "a"], &[]),
            ("a*", &["a", "ab", "a*"], &["", "ba"]),
            ("*a", &["a", "ba", "aa"], &["", "ab"]),
            ("a*a", &["aa", "aba", "aaa"], &["a", "ab"]),
            ("a*b*c", &["abc", "a-b-b-c", "abcbc"], &["ac", "acb", "abd"]),
            ("*ab*ab*", &["abab", "xabyabz"], &["ab", "aba", "abxa"]),
        ];
        for (text, right, wrong) in rows {
            for name in right {
                assert!(
                    glob(text.as_bytes()).matches(name.as_bytes()),
                    "{text} {name}"
                );
            }
            for name in wrong {
                assert!(
                    !glob(text.as_bytes()).matches(name.as_bytes()),
                    "{text} {name}"
                );
            }
        }
        assert!(Glob::new(b"").is_none());
        assert!(Glob::new(&[b'a'; GLOB_BYTES_MAX]).is_some());
        assert!(Glob::new(&[b'a'; GLOB_BYTES_MAX + 1]).is_none());
    }

    #[test]
    fn each_pattern_has_its_prefixes() {
        let rows: [(&str, &[&str], &[&str]); 4] = [
            ("*", &["", "a"], &[]),
            ("a*", &["a", "ab"], &["", "b"]),
            ("a.*.b*", &["a.x.b", "a.x.bc"], &["a.", "a.x", "a.x."]),
            ("a*b", &[], &["a", "ab", ""]),
        ];
        for (text, right, wrong) in rows {
            for prefix in right {
                assert!(
                    glob(text.as_bytes()).covers(prefix.as_bytes()),
                    "{text} {prefix}"
                );
            }
            for prefix in wrong {
                assert!(
                    !glob(text.as_bytes()).covers(prefix.as_bytes()),
                    "{text} {prefix}"
                );
            }
        }
    }

    /// The meaning, spelled out: a star takes nothing, or one more byte.
    fn means(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, _) => name.is_empty(),
            (Some((b'*', after)), None) => means(after, name),
            (Some((b'*', after)), Some((_, rest))) => means(after, name) || means(pattern, rest),
            (Some((one, after)), Some((other, rest))) => one == other && means(after, rest),
            (Some(_), None) => false,
        }
    }

    fn word(rng: &mut Rng, letters: &[u8], most: u64) -> Vec<u8> {
        let len = rng.below(most);
        let letter = |rng: &mut Rng| letters[rng.below(letters.len() as u64) as usize];
        (0..len).map(|_| letter(rng)).collect()
    }

    #[test]
    fn any_pattern_means_what_it_says() {
        let mut rng = Rng::new([7; 32]);
        for _ in 0..20_000 {
            let pattern = word(&mut rng, b"ab*", 8);
            let name = word(&mut rng, b"ab", 9);
            let Some(glob) = Glob::new(&pattern) else {
                continue;
            };
            assert_eq!(
                glob.matches(&name),
                means(&pattern, &name),
                "{pattern:?} {name:?}"
            );
        }
    }

    #[test]
    fn what_is_covered_is_all_that_begins_so() {
        let mut rng = Rng::new([8; 32]);
        for _ in 0..20_000 {
            let (pattern, prefix) = (word(&mut rng, b"ab*", 6), word(&mut rng, b"ab", 6));
            let Some(glob) = Glob::new(&pattern) else {
                continue;
            };
            // A letter that no pattern has shows the names that only seem to be covered.
            let more = [word(&mut rng, b"ab", 5), b"c".to_vec(), Vec::new()];
            let all = more
                .iter()
                .all(|more| means(&pattern, &[&prefix[..], more].concat()));
            assert!(!glob.covers(&prefix) || all, "{pattern:?} {prefix:?}");
            let always = means(&pattern, &prefix) && means(&pattern, &[&prefix[..], b"c"].concat());
            assert_eq!(glob.covers(&prefix), always, "{pattern:?} {prefix:?}");
        }
    }
}
