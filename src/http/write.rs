//! Renders answers: heads, bodies, and the two forms of a problem.
//! It never decides whether a line is kept, and reads no clock: the caller says how.

use crate::http::json;
use crate::http::problem::Problem;
use crate::http::request::Version;

/// The interim answer that lets a waiting client send its body (RFC 9110 section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// An answer's content.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status, 100 to 599.
    pub status: u16,
    /// The media type of the body.
    pub content_type: Option<&'a str>,
    /// Further fields, names in title case; no Date, Content-Length, Connection or line breaks.
    pub fields: &'a [(&'a str, &'a str)],
    /// The body; empty where the status allows none.
    pub body: &'a [u8],
}

/// What the request and the line's state make of an answer.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// The line goes on after this answer.
    pub keep_alive: bool,
    /// The request's version. A client of HTTP/1.0 must be told that the line is kept.
    pub version: Version,
    /// The request was a HEAD: the same head, no body (RFC 9110 section 9.3.2).
    pub head_only: bool,
    /// The Date field's value.
    pub date: &'a str,
    /// The origin whose scripts may read the answer (see [`share`]).
    pub origin: Option<&'a str>,
}

/// Appends a whole answer. Nothing is allocated but what `out` needs to grow.
pub fn answer(out: &mut Vec<u8>, answer: &Answer<'_>, how: &How<'_>) {
    debug_assert!(bears_length(answer.status) || answer.body.is_empty());
    head(out, answer, answer.body.len() as u64, how);
    if !how.head_only && bears_length(answer.status) {
        out.extend_from_slice(answer.body);
    }
}

/// Appends the head of an answer whose body of so many bytes is written by the caller. The body of
/// `answer` is not looked at.
pub fn head(out: &mut Vec<u8>, answer: &Answer<'_>, body_bytes: u64, how: &How<'_>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(answer.status));
    out.push(b' ');
    out.extend_from_slice(phrase(answer.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    field(out, "Date", how.date);
    if let Some(content_type) = answer.content_type {
        field(out, "Content-Type", content_type);
    }
    if bears_length(answer.status) {
        out.extend_from_slice(b"Content-Length: ");
        number(out, body_bytes);
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in answer.fields {
        field(out, name, value);
    }
    if let Some(origin) = how.origin {
        share(out, origin);
    }
    match (how.keep_alive, how.version) {
        (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (true, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (true, Version::Http11) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// What of an answer's head scripts of another origin may read, besides what they always may.
const EXPOSED: &str = "Allow, ETag, Hookah-Duplicate, Hookah-Durability, Hookah-Id, \
                       Hookah-Last-Id, Hookah-Resume, Link, Location, Preference-Applied, \
                       Retry-After, WWW-Authenticate";

/// Appends the fields by which a browser lets scripts of another origin read an answer, and what of
/// its head they may read (Fetch standard, section 3.3). `origin` is `*` for those of all.
pub fn share(out: &mut Vec<u8>, origin: &str) {
    field(out, "Access-Control-Allow-Origin", origin);
    field(out, "Access-Control-Expose-Headers", EXPOSED);
    if origin != "*" {
        field(out, "Vary", "Origin");
    }
}

/// Appends the answer that a refusal gets: `400 No destination URL`, or `400 Bad option: …` where
/// there are particulars; with `wants_json` an RFC 9457 problem. A reason that closes the line says
/// `Connection: close` whatever `how` wishes.
pub fn problem(
    out: &mut Vec<u8>,
    problem: &Problem,
    wants_json: bool,
    fields: &[(&str, &str)],
    how: &How<'_>,
) {
    let row = problem.reason.row();
    let mut body = Vec::with_capacity(128 + problem.detail.len());
    let content_type = if wants_json {
        problem_object(&mut body, problem);
        "application/problem+json"
    } else {
        number(&mut body, u64::from(row.status));
        body.push(b' ');
        body.extend_from_slice(row.text.as_bytes());
        if !problem.detail.is_empty() {
            body.extend_from_slice(b": ");
            body.extend_from_slice(problem.detail.as_bytes());
        }
        "text/plain; charset=utf-8"
    };
    let content = Answer {
        status: row.status,
        content_type: Some(content_type),
        fields,
        body: &body,
    };
    answer(
        out,
        &content,
        &How {
            keep_alive: how.keep_alive && !row.closes,
            ..*how
        },
    );
}

/// Appends a refusal as the JSON object of RFC 9457.
pub fn problem_object(out: &mut Vec<u8>, problem: &Problem) {
    let row = problem.reason.row();
    out.extend_from_slice(b"{\"type\":\"urn:hookah:problem:");
    out.extend_from_slice(row.code.as_bytes());
    out.extend_from_slice(b"\",\"title\":");
    json::string(out, row.text);
    out.extend_from_slice(b",\"status\":");
    number(out, u64::from(row.status));
    if !problem.detail.is_empty() {
        out.extend_from_slice(b",\"detail\":");
        json::string(out, &problem.detail);
    }
    out.push(b'}');
}

/// Appends `Name: value` and its line end.
pub fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    debug_assert!(!value.contains(['\r', '\n']), "a line break in {name}");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal.
pub fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        len += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

/// RFC 9112 section 6.1: neither framing field on 1xx and 204; a 304 has no body to count.
fn bears_length(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

/// The reason phrase of RFC 9110 section 15; empty for a status that nobody registered.
#[must_use]
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::Reason;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const KEPT: How<'_> = How {
        keep_alive: true,
        version: Version::Http11,
        head_only: false,
        date: DATE,
        origin: None,
    };

    fn rendered(content: &Answer<'_>, how: &How<'_>) -> String {
        let mut out = b"before".to_vec();
        answer(&mut out, content, how);
        String::from_utf8(out)
            .unwrap()
            .strip_prefix("before")
            .unwrap()
            .replace(DATE, "D")
    }

    #[test]
    fn answers_byte_for_byte() {
        let plain = Answer {
            status: 202,
            content_type: Some("t/p"),
            fields: &[],
            body: b"hello",
        };
        let closed = How {
            keep_alive: false,
            ..KEPT
        };
        let old = How {
            version: Version::Http10,
            ..KEPT
        };
        let head = "HTTP/1.1 202 Accepted\r\nDate: D\r\nContent-Type: t/p\r\nContent-Length: 5\r\n";
        assert_eq!(rendered(&plain, &KEPT), format!("{head}\r\nhello"));
        assert_eq!(
            rendered(&plain, &closed),
            format!("{head}Connection: close\r\n\r\nhello")
        );
        assert_eq!(
            rendered(&plain, &old),
            format!("{head}Connection: keep-alive\r\n\r\nhello")
        );
        let to_head = How {
            head_only: true,
            ..KEPT
        };
        assert_eq!(rendered(&plain, &to_head), format!("{head}\r\n"));
        let fields: &[(&str, &str)] = &[("Hookah-Id", "msg_1"), ("Allow", "POST")];
        let extra = Answer {
            fields,
            content_type: None,
            body: b"",
            ..plain
        };
        assert_eq!(
            rendered(&extra, &KEPT),
            "HTTP/1.1 202 Accepted\r\nDate: D\r\nContent-Length: 0\r\n\
             Hookah-Id: msg_1\r\nAllow: POST\r\n\r\n",
        );
    }

    #[test]
    fn no_length_where_no_body_may_be() {
        for (status, length) in [
            (100, false),
            (101, false),
            (204, false),
            (304, false),
            (200, true),
        ] {
            let content = Answer {
                status,
                content_type: None,
                fields: &[],
                body: b"",
            };
            let text = rendered(&content, &KEPT);
            assert_eq!(text.contains("Content-Length: 0\r\n"), length, "{status}");
            assert_eq!(text.matches("Date: D\r\n").count(), 1, "{status}");
        }
    }

    fn refused(what: &Problem, wants_json: bool) -> String {
        let mut out = Vec::new();
        problem(&mut out, what, wants_json, &[("Allow", "GET")], &KEPT);
        String::from_utf8(out).unwrap().replace(DATE, "D")
    }

    #[test]
    fn problems_as_text_and_as_json() {
        let bare = Problem::from(Reason::NoDestination);
        assert_eq!(
            refused(&bare, false),
            "HTTP/1.1 400 Bad Request\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 22\r\nAllow: GET\r\n\r\n400 No destination URL",
        );
        let json = refused(&bare, true);
        assert!(
            json.contains("\r\nContent-Type: application/problem+json\r\n"),
            "{json}"
        );
        assert!(
            json.ends_with(
                "\r\n\r\n{\"type\":\"urn:hookah:problem:no_destination\",\
                 \"title\":\"No destination URL\",\"status\":400}"
            ),
            "{json}"
        );
        let detailed = Problem::new(Reason::BadOption, "delay: \"x\" is no duration");
        assert!(refused(&detailed, false).ends_with("400 Bad option: delay: \"x\" is no duration"));
        assert!(
            refused(&detailed, true)
                .ends_with(r#","status":400,"detail":"delay: \"x\" is no duration"}"#)
        );
    }

    #[test]
    fn an_answer_is_shared_with_an_origin() {
        let plain = Answer {
            status: 204,
            content_type: None,
            fields: &[],
            body: b"",
        };
        for (origin, vary) in [("https://a.example", "Vary: Origin\r\n"), ("*", "")] {
            let how = How {
                origin: Some(origin),
                ..KEPT
            };
            let text = rendered(&plain, &how);
            let want = format!(
                "HTTP/1.1 204 No Content\r\nDate: D\r\nAccess-Control-Allow-Origin: {}\r\n\
                 Access-Control-Expose-Headers: {EXPOSED}\r\n{vary}\r\n",
                origin
            );
            assert_eq!(text, want);
        }
    }

    #[test]
    fn a_reason_that_closes_says_so() {
        for reason in Reason::ALL {
            let text = refused(&Problem::from(*reason), false);
            assert_eq!(
                text.contains("\r\nConnection: close\r\n"),
                reason.closes(),
                "{reason:?}"
            );
            assert!(!phrase(reason.row().status).is_empty(), "{reason:?}");
        }
    }

    #[test]
    fn numbers() {
        for value in [0, 7, 10, 99, 100, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
