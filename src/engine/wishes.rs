//! From a request to /stream to the wish it makes: which fields and which body are looked at, and
//! whether there is room. It reads no parameter itself and opens no stream.

use std::borrow::Cow;

use super::condition::Condition;
use super::serve::{Rooms, problem, wants_json};
use super::visits::{Errand, Pass};
use crate::base::stats::Counter;
use crate::base::time::Wall;
use crate::conn::reply::Reply;
use crate::http::problem::{Problem, Reason};
use crate::http::request::{Request, Version};
use crate::http::{form, media};
use crate::model::Method;
use crate::port::Turn;
use crate::topics::Settings;
use crate::topics::format::{FIELDS, Framing};
use crate::topics::subscribe::{self, Asked};
use crate::topics::wish::{Mode, Wish};

impl Rooms<'_> {
    /// A request to /stream.
    pub(super) fn stream(&mut self, turn: &mut Turn, request: &Request<'_>, body: &[u8]) -> Reply {
        let settings = self.topics.settings();
        match read(request, body, settings, turn.now.wall) {
            Ok(wish) => match self.may_read(turn, &wish.selection) {
                Ok(pass) => self.admit(turn, request, wish, pass),
                Err(why) => problem(why, request),
            },
            Err(why) => problem(why, request),
        }
    }

    /// The line becomes a stream, or its client is answered, once what was asked before is: what it
    /// has come for waits in a place of its own.
    fn admit(&mut self, turn: &mut Turn, request: &Request<'_>, wish: Wish, pass: Pass) -> Reply {
        let polls = matches!(wish.mode, Mode::Poll | Mode::Wait(_));
        let (head_only, framing) = (request.method == Method::Head, wish.style.framing);
        let sits = !head_only && wish.mode != Mode::Poll;
        // What is kept has not come back yet: whoever came now would miss it, and whoever does not
        // wait would hear that it is gone.
        let starts = (self.store == Condition::Starting).then_some(Reason::Starting);
        if let Some(reason) = starts.or_else(|| self.full(&wish).filter(|_| sits)) {
            turn.stats.add(Counter::StreamsRefused, 1);
            return refuse(turn, request, &wish, reason);
        }
        let wish = Box::new(Wish {
            // Whoever waits for one message does not fall behind.
            stall_warnings: wish.stall_warnings && !polls,
            ..wish
        });
        let origin = self.origin_of(request);
        let errand = Errand { wish, origin, pass };
        if !self.visits.bring(&mut turn.memory, self.line, errand, sits) {
            turn.stats.add(Counter::RequestsRefusedForMemory, 1);
            return problem(Reason::MemoryFull.into(), request);
        }
        match polls || head_only {
            // The head of a stream to the close says so, to a HEAD too.
            true => Reply::Poll {
                last: !polls && framing == Framing::Plain,
            },
            false => Reply::Stream,
        }
    }

    /// Why there is no room for another stream or poll that waits, if so. While the server stops,
    /// polls are answered at once.
    fn full(&self, wish: &Wish) -> Option<Reason> {
        let waits = matches!(wish.mode, Mode::Wait(_));
        if self.draining {
            return (!waits).then_some(Reason::Draining);
        }
        if !self.topics.has_room_for(&wish.selection) {
            return Some(Reason::StreamsFull);
        }
        let max = self.topics.settings().streams_max?;
        let seated = self.topics.streams() - self.visits.waiting();
        let taken = seated + self.visits.places();
        let is_in = self.visits.has_place(self.line);
        (!is_in && taken >= max).then_some(Reason::StreamsFull)
    }
}

/// There is no room. EventSource gives up for good on a 503; it is told to come again: soon, if all
/// there is to wait for is one server's start or another's end.
fn refuse(turn: &mut Turn, request: &Request<'_>, wish: &Wish, reason: Reason) -> Reply {
    let chance = turn.rng.below(10) as u32;
    let (retry_ms, retry_after) = match reason {
        Reason::Starting | Reason::Draining => (500 + 50 * chance, 1),
        _ => (30_000 + 3_000 * chance, chance + 1),
    };
    let polls = matches!(wish.mode, Mode::Poll | Mode::Wait(_));
    match wish.style.format.is_sse() && !polls {
        true => Reply::Text {
            status: 200,
            content_type: wish.style.format.content_type(),
            fields: &FIELDS,
            body: format!("retry: {retry_ms}\n:\n\n").into(),
        },
        false => Reply::Problem {
            problem: reason.into(),
            json: wants_json(request),
            allow: None,
            retry_after: Some(retry_after),
        },
    }
}

/// Reads a GET, HEAD or POST to /stream.
///
/// # Errors
/// A POST whose body is no form, and what [`subscribe::read`] refuses.
fn read(
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
pub(super) fn list<'b>(request: &Request<'b>, name: &str) -> Option<Cow<'b, [u8]>> {
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
