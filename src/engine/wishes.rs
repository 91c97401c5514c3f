//! From a request to /stream to the wish it makes: which fields and which body are looked at.
//! It reads no parameter itself and opens no stream.

use std::borrow::Cow;

use crate::base::time::Wall;
use crate::http::problem::{Problem, Reason};
use crate::http::request::{Request, Version};
use crate::http::{form, media};
use crate::model::Method;
use crate::topics::Settings;
use crate::topics::subscribe::{self, Asked};
use crate::topics::wish::Wish;

/// Reads a GET, HEAD or POST to /stream.
///
/// # Errors
/// A POST whose body is no form, and what [`subscribe::read`] refuses.
pub(super) fn read(
    request: &Request<'_>,
    body: &[u8],
    settings: &Settings,
    now: Wall,
) -> Result<Wish, Problem> {
    let accept = list(request, "accept");
    let if_none_match = list(request, "if-none-match");
    subscribe::read(&Asked {
        query: request.query.unwrap_or_default(),
        form_body: form_body(request, body)?,
        http11: request.version == Version::Http11,
        accept: accept.as_deref(),
        last_event_id: request.field("last-event-id"),
        if_none_match: if_none_match.as_deref(),
        settings,
        now,
    })
}

/// The body of a POST, which has to be a form. That of a GET means nothing (RFC 9110 section
/// 9.3.1).
fn form_body<'b>(request: &Request<'_>, body: &'b [u8]) -> Result<Option<&'b [u8]>, Problem> {
    if request.method != Method::Post || body.is_empty() {
        return Ok(None);
    }
    let given = request.content_type().unwrap_or_default();
    if media::is(given, form::MEDIA_TYPE) {
        return Ok(Some(body));
    }
    Err(Problem::of_value(
        Reason::UnsupportedMediaType,
        "Content-Type",
        given.as_bytes(),
        "cannot hold parameters",
        form::MEDIA_TYPE,
    ))
}

/// A field that is a list, of all lines that it came in (RFC 9110 section 5.3).
fn list<'b>(request: &Request<'b>, name: &str) -> Option<Cow<'b, [u8]>> {
    let mut lines = request.fields(name);
    let first = lines.next()?;
    let mut list = Cow::Borrowed(first);
    for line in lines {
        list.to_mut().extend_from_slice(b", ");
        list.to_mut().extend_from_slice(line);
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{parse, slots};
    use crate::topics::format::Format;

    fn topics(head: &str, body: &str) -> Result<(Vec<String>, Format), Reason> {
        let mut slots = slots();
        let request = parse(head.as_bytes(), &mut slots).unwrap();
        let wish = read(&request, body.as_bytes(), &Settings::default(), Wall(0));
        let wish = wish.map_err(|problem| problem.reason)?;
        let names = wish.selection.topics.iter();
        let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
        Ok((names.collect(), wish.style.format))
    }

    #[test]
    fn the_form_of_a_post_is_merged_with_the_query() {
        let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
        let rows = [
            ("POST", form, "topic=b&topic=a", Ok("a,b")),
            ("POST", "", "", Ok("a")),
            ("POST", "", "topic=b", Err(Reason::UnsupportedMediaType)),
            (
                "POST",
                "Content-Type: application/json\r\n",
                "{}",
                Err(Reason::UnsupportedMediaType),
            ),
            ("GET", form, "topic=b", Ok("a")),
            ("HEAD", "", "", Ok("a")),
        ];
        for (method, fields, body, want) in rows {
            let head = format!("{method} /stream?topic=a HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let got = topics(&head, body).map(|(names, _)| names.join(","));
            assert_eq!(
                got.as_deref().map_err(|why| *why),
                want,
                "{method} {fields}"
            );
        }
    }

    #[test]
    fn a_list_may_come_in_several_lines() {
        let head = "GET /stream?topic=a HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\
                    Accept: application/json;q=0.5\r\nAccept: text/event-stream;q=0.6\r\n\r\n";
        assert_eq!(topics(head, "").unwrap().1, Format::Sse);
    }
}
