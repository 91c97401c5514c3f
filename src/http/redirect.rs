//! Where an answer sends a call: its Location, resolved and vetted like any target.
//! Pure; whether a redirect is followed at all is decided by whoever called.

use url::Url;

use crate::http::target;
use crate::model::{Scheme, Target};

/// Bytes of a Location at most, as of any URL of ours.
const LOCATION_BYTES_MAX: usize = target::URL_BYTES_MAX;

/// Whether a status sends elsewhere with method and body kept (dispatch.md section 4). 303 sends
/// to something else to look at, so that the message itself has arrived.
#[must_use]
pub fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 307 | 308)
}

/// The target that `location` names, seen from `from`; `first` is the call's first, whose
/// credentials it has on the same origin.
///
/// # Errors
/// Why it is not followed, one word for the attempt's detail.
pub fn resolve(
    first: &Target,
    from: &Target,
    location: &[u8],
    stripped: bool,
) -> Result<(Target, bool), &'static str> {
    if location.len() > LOCATION_BYTES_MAX {
        return Err("location_too_long");
    }
    let location = std::str::from_utf8(location).map_err(|_| "bad_location")?;
    let base = Url::parse(&from.url).map_err(|_| "bad_location")?;
    let mut url = base.join(location).map_err(|_| "bad_location")?;
    // What a target writes there is no secret of ours, and none that we send for it.
    let bare = url.set_username("").is_ok() && url.set_password(None).is_ok();
    if !bare {
        return Err("bad_location");
    }
    if from.origin.scheme == Scheme::Https && url.scheme() != "https" {
        return Err("redirect_to_http");
    }
    let mut target = target::parse(url.as_str()).map_err(|_| "bad_location")?;
    let stripped = stripped || target.origin != first.origin;
    target.authorization = match stripped {
        true => None,
        false => first.authorization.clone(),
    };
    Ok((target, stripped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        target::parse(url).unwrap()
    }

    fn to(location: &str) -> Result<(String, bool, bool), &'static str> {
        let first = target("http://user:pw@127.0.0.1:9000/a/b?c=d");
        let (next, stripped) = resolve(&first, &first, location.as_bytes(), false)?;
        Ok((next.url.into(), stripped, next.authorization.is_some()))
    }

    #[test]
    fn locations_are_resolved_against_where_they_came_from() {
        let rows = [
            ("/x", "http://127.0.0.1:9000/x", false),
            ("x?y", "http://127.0.0.1:9000/a/x?y", false),
            ("?y", "http://127.0.0.1:9000/a/b?y", false),
            ("", "http://127.0.0.1:9000/a/b?c=d", false),
            ("#f", "http://127.0.0.1:9000/a/b?c=d", false),
            ("../../x", "http://127.0.0.1:9000/x", false),
            ("//127.0.0.1:9000/é", "http://127.0.0.1:9000/%C3%A9", false),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/", false),
            ("http://127.0.0.1:9001/", "http://127.0.0.1:9001/", true),
            ("//127.0.0.2:9000/", "http://127.0.0.2:9000/", true),
            ("http://localhost:9000/", "http://localhost:9000/", true),
        ];
        for (location, want, other) in rows {
            assert_eq!(to(location), Ok((want.into(), other, !other)), "{location}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for location in [
            "http://",
            "gopher://127.0.0.1/",
            "javascript:alert(1)",
            "mailto:a@b",
            "http://[::",
            "http://127.0.0.1:0/",
            "file:///etc/passwd",
        ] {
            assert!(to(location).is_err(), "{location}");
        }
        assert_eq!(to(&"x".repeat(9_000)), Err("location_too_long"));
        let first = target("http://127.0.0.1/");
        assert!(resolve(&first, &first, b"\xff", false).is_err());
        let secure = target("https://127.0.0.1/");
        let down = resolve(&secure, &secure, b"http://127.0.0.1/", false);
        assert_eq!(down.map(|_| ()), Err("redirect_to_http"));
        let (up, stripped) = resolve(&first, &first, b"https://127.0.0.1/", false).unwrap();
        assert!(stripped && up.origin.scheme == Scheme::Https);
    }

    #[test]
    fn credentials_stay_with_their_origin_for_good() {
        let first = target("http://user:pw@127.0.0.1:9000/");
        let there = resolve(&first, &first, b"http://127.0.0.1:9001/", false);
        let (there, stripped) = there.unwrap();
        assert!(stripped && there.authorization.is_none());
        let (back, stripped) = resolve(&first, &there, b"http://127.0.0.1:9000/", true).unwrap();
        assert!(stripped && back.authorization.is_none());
        let planted = resolve(&first, &first, b"http://a:b@127.0.0.1:9000/x", false);
        assert_eq!(planted.unwrap().0.authorization, first.authorization);
        let planted = resolve(&first, &first, b"http://a:b@127.0.0.1:9001/x", false);
        assert_eq!(planted.unwrap().0.authorization, None);
    }
}
