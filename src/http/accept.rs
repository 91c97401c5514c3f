//! Reads an Accept field (RFC 9110 section 12.5.1): how much a media type is wanted.
//! It chooses nothing; whoever has several types to offer compares what they get here.

use crate::http::media;

/// How much a media type is wanted. The greater is the better: the weight comes first, then how
/// closely the range that gave it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preference {
    /// The weight in thousandths, 0 where the type is excluded.
    pub weight: u16,
    /// How close the range is that decided it.
    pub fit: Fit,
}

/// How closely a media range fits a type (RFC 9110 section 12.5.1: the most specific one decides).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// No range does, so that the type is excluded.
    None,
    /// `*/*`
    Any,
    /// `text/*`
    Type,
    /// The very type.
    Exact,
}

/// What `accept` says of `media_type`, whatever the parameters. Ranges that cannot be read are left
/// out; where none is left, the field said nothing, and this gives `None`.
#[must_use]
pub fn preference(accept: &[u8], media_type: &str) -> Option<Preference> {
    let mut best = None;
    for element in elements(accept) {
        let Some((fit, weight)) = element_of(element, media_type) else {
            continue;
        };
        let known = best.get_or_insert(Preference {
            weight: 0,
            fit: Fit::None,
        });
        // The same range twice is a contradiction; the kinder reading counts.
        if fit > known.fit || (fit == known.fit && fit > Fit::None && weight > known.weight) {
            *known = Preference { weight, fit };
        }
    }
    best
}

/// The list's elements: commas within quotes separate nothing.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

/// How one element's range fits the type, and its weight; `None` if it is no element.
fn element_of(element: &[u8], media_type: &str) -> Option<(Fit, u16)> {
    let range = media::essence(std::str::from_utf8(element).ok()?);
    let (kind, subtype) = range.split_once('/')?;
    if kind.is_empty() || subtype.is_empty() {
        return None;
    }
    let mut weight = 1_000;
    for param in media::params(element) {
        let param = param.ok()?;
        if param.name.eq_ignore_ascii_case(b"q") {
            weight = thousandths(param.value)?;
        }
    }
    let own_kind = media_type.split('/').next().unwrap_or_default();
    let fit = match (kind, subtype) {
        ("*", "*") => Fit::Any,
        (kind, "*") if kind.eq_ignore_ascii_case(own_kind) => Fit::Type,
        _ if range.eq_ignore_ascii_case(media_type) => Fit::Exact,
        _ => Fit::None,
    };
    Some((fit, weight))
}

/// A weight (RFC 9110 section 12.4.2) in thousandths: `0`, `1`, and up to three decimals.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = match whole {
        b'0' => 0,
        b'1' => 1_000,
        _ => return None,
    };
    for (digit, unit) in decimals.iter().zip([100, 10, 1]) {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        weight += digit * unit;
    }
    (weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_range_decides() {
        let rows = [
            ("*/*", Some((1_000, Fit::Any))),
            ("text/*;q=0.5, */*", Some((500, Fit::Type))),
            ("*/*, TEXT/Event-Stream ; Q=0.123", Some((123, Fit::Exact))),
            ("text/event-stream;q=0, text/*, */*", Some((0, Fit::Exact))),
            ("text/event-stream;v=1;q=1.000", Some((1_000, Fit::Exact))),
            ("text/html", Some((0, Fit::None))),
            ("text/html, image/*;q=1", Some((0, Fit::None))),
            ("*/*;q=0", Some((0, Fit::Any))),
            ("text/*;q=0.1, text/*;q=0.2", Some((200, Fit::Type))),
            ("a/b;x=\"y, text/event-stream\"", Some((0, Fit::None))),
        ];
        for (accept, want) in rows {
            let got = preference(accept.as_bytes(), "text/event-stream");
            assert_eq!(got.map(|it| (it.weight, it.fit)), want, "{accept}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for accept in [
            "",
            ",",
            " , ",
            "text",
            "/",
            "*",
            "text/",
            "text/event-stream;q=2",
            "text/event-stream;q=1.001",
            "text/event-stream;q=0.1234",
            "text/event-stream;q=.5",
            "text/event-stream;q=-1",
            "text/event-stream;q",
            "text/event-stream;q=",
        ] {
            assert_eq!(
                preference(accept.as_bytes(), "text/event-stream"),
                None,
                "{accept}"
            );
        }
        assert_eq!(preference(b"\xff/*", "text/event-stream"), None);
    }

    #[test]
    fn weights_come_first_then_how_close_the_range_is() {
        let of = |weight, fit| Preference { weight, fit };
        assert!(of(500, Fit::Any) > of(400, Fit::Exact));
        assert!(of(500, Fit::Exact) > of(500, Fit::Type));
    }
}
