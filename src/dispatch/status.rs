//! Which statuses count as delivered, and the text form of such a list.
//! Pure; it judges a number and knows no answer.

use std::ops::RangeInclusive;
use std::sync::Arc;

/// What [`Success::parse`] takes, in words.
pub const SUCCESS_FORM: &str = "up to 32 statuses and ranges from 200 to 599, such as 200-299,304";

/// Members of one list at most.
const RANGES_MAX: usize = 32;

/// Statuses that count as delivered; without a list any 2xx. A clone shares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success(Option<Arc<[RangeInclusive<u16>]>>);

impl Success {
    /// Reads a list of statuses and ranges of them. The error is the complaint, to stand behind
    /// the text.
    pub fn parse(text: &str) -> Result<Success, &'static str> {
        let ranges: Option<Vec<_>> = text.split(',').take(RANGES_MAX + 1).map(range).collect();
        let ranges = ranges.ok_or("is not a list of statuses")?;
        if ranges.len() > RANGES_MAX {
            return Err("is too long a list");
        }
        Ok(Success(Some(ranges.into())))
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |ranges| size_of_val(&**ranges))
    }

    /// Whether an answer with that status has delivered.
    #[must_use]
    pub fn has(&self, status: u16) -> bool {
        match &self.0 {
            None => (200..=299).contains(&status),
            Some(ranges) => ranges.iter().any(|range| range.contains(&status)),
        }
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    (first <= last).then_some(first..=last)
}

fn status(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = text.parse().ok().filter(|_| digits)?;
    (200..=599).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_statuses_are_read() {
        let rows: &[(&str, &[u16], &[u16])] = &[
            (
                "200-299,304",
                &[200, 250, 299, 304],
                &[199, 300, 303, 305, 404],
            ),
            ("404", &[404], &[200, 403, 405]),
            (" 200 , 400 - 599 ", &[200, 400, 599], &[201, 399]),
        ];
        for (text, yes, no) in rows {
            let success = Success::parse(text).unwrap();
            assert!(yes.iter().all(|status| success.has(*status)), "{text}");
            assert!(!no.iter().any(|status| success.has(*status)), "{text}");
        }
        let usual = Success::default();
        assert!(usual.has(200) && usual.has(299) && !usual.has(199) && !usual.has(300));
    }

    #[test]
    fn what_is_no_list_of_statuses_is_refused() {
        let long = ["200"; 33].join(",");
        for text in [
            "",
            ",",
            "200,",
            "2xx",
            "100",
            "199-299",
            "600",
            "299-200",
            "200-",
            "-200",
            "0200",
            "200-299-300",
            "+20",
            &long,
        ] {
            assert!(Success::parse(text).is_err(), "{text:?}");
        }
    }
}
