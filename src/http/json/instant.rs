//! Writes a time as a JSON string.
//! It reads no clock and no text.

use crate::base::time::Wall;

/// Appends the time in quotes, as RFC 3339 has it, with milliseconds.
pub fn time(out: &mut Vec<u8>, at: Wall) {
    let (days, in_day) = (at.millis() / 86_400_000, at.millis() % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, ms) = (in_day / 1_000 % 60, in_day % 1_000);
    let text =
        format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z\"");
    out.extend_from_slice(text.as_bytes());
}

/// Year, month and day of so many days after 1970-01-01, counted in eras of 400 years that begin
/// in March, so that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::parse_instant;

    #[test]
    fn times_are_printed_as_they_are_read() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "2000-03-01T00:00:00.001Z",
            "2026-01-02T03:04:05.000Z",
            "2100-02-28T12:00:00.500Z",
            "9999-12-31T23:59:59.000Z",
        ] {
            let mut out = Vec::new();
            time(&mut out, parse_instant(text).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{text}\""));
        }
    }
}
