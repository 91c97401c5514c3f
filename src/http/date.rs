//! Dates as HTTP writes them (RFC 9110 section 5.6.7), rendered once a second at most.
//! It reads no clock: the time is always given.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

use crate::base::time::Wall;

/// Bytes of an IMF-fixdate.
pub const DATE_BYTES: usize = 29;

/// 9999-12-31T23:59:59Z, the last second that the format can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// The IMF-fixdate of a time: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn imf_fixdate(at: Wall) -> [u8; DATE_BYTES] {
    let span = Duration::from_secs(at.seconds().min(LAST_SECOND));
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let written = write!(text.as_mut_slice(), "{}", HttpDate::from(UNIX_EPOCH + span));
    debug_assert!(written.is_ok(), "an IMF-fixdate has 29 bytes");
    text
}

/// Reads a date in any of the three forms of RFC 9110 section 5.6.7, from 1970 on.
#[must_use]
pub fn parse(text: &str) -> Option<Wall> {
    let date = httpdate::parse_http_date(text).ok()?;
    let span = date.duration_since(UNIX_EPOCH).ok()?;
    span.as_secs().checked_mul(1_000_000).map(Wall)
}

/// The text of the present second, for the Date field of every answer in it.
#[derive(Clone, Debug)]
pub struct DateCache {
    second: u64,
    text: [u8; DATE_BYTES],
}

impl DateCache {
    /// A cache that knows the epoch.
    #[must_use]
    pub fn new() -> DateCache {
        DateCache {
            second: 0,
            text: imf_fixdate(Wall(0)),
        }
    }

    /// The date of that time; rendered anew only if its second is not the last one asked for.
    pub fn at(&mut self, now: Wall) -> &str {
        if now.seconds() != self.second {
            self.second = now.seconds();
            self.text = imf_fixdate(now);
        }
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl Default for DateCache {
    fn default() -> DateCache {
        DateCache::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(u64, &str); 4] = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ];

    #[test]
    fn renders_and_reads_back() {
        for (second, text) in TABLE {
            let at = Wall(second * 1_000_000);
            assert_eq!(imf_fixdate(at), text.as_bytes());
            assert_eq!(parse(text), Some(at));
        }
        assert_eq!(imf_fixdate(Wall(u64::MAX)), TABLE[3].1.as_bytes());
    }

    #[test]
    fn reads_the_obsolete_forms_and_no_others() {
        let at = Some(Wall(784_111_777_000_000));
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), at);
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), at);
        for bad in [
            "",
            "soon",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "ⓛ",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_cache_follows_the_second_both_ways() {
        let mut cache = DateCache::default();
        assert_eq!(cache.at(Wall(0)), TABLE[0].1);
        assert_eq!(cache.at(Wall(784_111_777_999_999)), TABLE[1].1);
        assert_eq!(cache.at(Wall(784_111_777_000_000)), TABLE[1].1);
        assert_eq!(cache.at(Wall(951_782_400_000_000)), TABLE[2].1);
        assert_eq!(cache.at(Wall(999_999)), TABLE[0].1);
    }
}
