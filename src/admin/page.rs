//! What windows that are shown a page at a time have in common.
//! It knows nothing of what is on the pages.

use crate::http::problem::{Problem, Reason};

/// Rows on one page, unless the query says less or more.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// Rows on one page at most.
pub(super) const LIMIT_MAX: usize = 1_000;

/// A comma before all but the first.
pub(super) fn separate(out: &mut Vec<u8>, further: bool) {
    if further {
        out.push(b',');
    }
}

/// A number of the query, within these bounds.
///
/// # Errors
/// It is none, or beyond them.
pub(super) fn number(name: &str, value: &[u8], min: usize, max: usize) -> Result<usize, Problem> {
    let text = String::from_utf8_lossy(value);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            let detail = format!("{name}: {shown:?}; allowed: {min} to {max}");
            Problem::new(Reason::BadParameter, detail)
        })
}
