//! Whether a client wants its answer, or its refusal, as JSON. It makes none.

use crate::http::request::Request;

/// dispatch.md section 5: JSON on Accept, or where the request itself is JSON.
pub(super) fn wants_json(request: &Request<'_>) -> bool {
    let accepts = request.field("accept").is_some_and(names_json);
    accepts || request.field("content-type").is_some_and(names_json)
}

/// Whether a list of media types has `application/json` or `application/problem+json` in it.
fn names_json(value: &[u8]) -> bool {
    const KIND: &[u8] = b"application";
    memchr::memchr_iter(b'/', value).any(|slash| {
        let (before, after) = value.split_at(slash);
        let is_application = before
            .get(slash.saturating_sub(KIND.len())..)
            .is_some_and(|kind| kind.eq_ignore_ascii_case(KIND));
        let begins = |word: &[u8]| {
            after
                .get(1..=word.len())
                .is_some_and(|name| name.eq_ignore_ascii_case(word))
        };
        is_application && (begins(b"json") || begins(b"problem+json"))
    })
}

#[cfg(test)]
mod tests {
    use super::names_json;

    #[test]
    fn json_is_found_in_lists_and_in_any_case() {
        for yes in [
            "application/json",
            "text/html, Application/JSON;q=0.9",
            "*/*,application/problem+json",
            "application/json; charset=utf-8",
        ] {
            assert!(names_json(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "/",
            "json",
            "text/json",
            "application/",
            "application/xml",
        ] {
            assert!(!names_json(no.as_bytes()), "{no}");
        }
    }
}
