//! Requests to /messages and below, and those who want to hear at once how what they dispatch ends:
//! each is checked, and then waits for what the store says.

use std::time::Duration;

use super::inquiries::{Errand, Inquiry, Resending, Searching};
use super::serve::{Rooms, json, problem, wants_json};
use crate::admin::messages;
use crate::base::slab::Key;
use crate::conn::reply::Reply;
use crate::http::field;
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::model::record::{self, Question};
use crate::model::{MessageId, Method};
use crate::port::{Seq, StoreOp, Turn};

/// The longest that the answer to a dispatch is held.
const PREFERRED_MAX: u64 = 60;

impl Rooms<'_> {
    /// A GET or DELETE of /messages/{id}.
    pub(super) fn message(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        tail: Option<&str>,
    ) -> Reply {
        let tail = tail.unwrap_or_default();
        let asked = id_of(tail).and_then(|id| Ok((id, self.wait_of(request)?)));
        let (id, wait) = match asked {
            Ok(asked) => asked,
            Err(why) => return problem(why, request),
        };
        if request.method == Method::Delete {
            return self.cancel(turn, request, id);
        }
        let key = match self.inquire(turn, request, id, Errand::Look) {
            Ok(key) => key,
            Err(reply) => return reply,
        };
        // Whoever wants the head alone has nothing to wait for.
        if let Some(wait) = wait.filter(|_| !self.draining && request.method == Method::Get) {
            let until = turn.now.mono + wait;
            let deliveries = &mut self.dispatch.deliveries;
            self.inquiries.wait(turn, deliveries, key, until);
        }
        self.inquiries.ask(turn, key, Question::Message(id));
        Reply::Held(key.to_bits())
    }

    fn wait_of(&self, request: &Request<'_>) -> Result<Option<Duration>, Problem> {
        let query = request.query.unwrap_or_default();
        match (request.method, query) {
            (Method::Delete, "") => Ok(None),
            // It may hold a token, put there by mistake.
            (Method::Delete, _) => Err(Problem::new(
                Reason::BadParameter,
                "query: there is one; allowed: none with DELETE",
            )),
            _ => messages::wait(query),
        }
    }

    /// All that is not delivered yet of a message is called off.
    fn cancel(&mut self, turn: &mut Turn, request: &Request<'_>, id: MessageId) -> Reply {
        let key = match self.inquire(turn, request, id, Errand::Cancel(0)) {
            Ok(key) => key,
            Err(reply) => return reply,
        };
        let count = self.dispatch.deliveries.cancel_all(turn, id);
        self.inquiries.count_canceled(key, count);
        turn.hand(StoreOp::Cancel {
            ticket: key.to_bits(),
            id,
            at: turn.now.wall,
        });
        Reply::Held(key.to_bits())
    }

    /// A GET of /messages: a search.
    pub(super) fn search(&mut self, turn: &mut Turn, request: &Request<'_>) -> (Seq, Reply) {
        let asked = match messages::search(request.query.unwrap_or_default()) {
            Ok(asked) => asked,
            Err(why) => return (0, problem(why, request)),
        };
        let mut searching = Searching::new(asked.search);
        let Some(question) = searching.question(&self.dispatch.deliveries) else {
            return json(Ok(searching.finish(None)), request);
        };
        let errand = Errand::Search(Box::new(searching));
        (
            0,
            self.ask(turn, request, MessageId::default(), (errand, question)),
        )
    }

    /// A POST to /messages/{id}/resend.
    pub(super) fn resend(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        tail: Option<&str>,
    ) -> Reply {
        let tail = tail.unwrap_or_default();
        match id_of(tail.strip_suffix("/resend").unwrap_or(tail)) {
            Ok(id) => self.ask(turn, request, id, (Errand::Resend, Question::Message(id))),
            Err(why) => problem(why, request),
        }
    }

    /// A POST to /messages/resend.
    pub(super) fn resend_many(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        body: &[u8],
    ) -> Reply {
        let refuse = |detail: &'static str| Err(Problem::new(Reason::BadParameter, detail));
        let query = request.query.unwrap_or_default();
        // Nobody is to have everything sent again because the filter was put in the wrong place.
        let asked = match messages::search(query) {
            Ok(_) if !body.is_empty() => {
                refuse("body: there is one; allowed: none, the filter stands in the query")
            }
            Ok(asked) if !asked.selects => refuse(
                "filter: there is none; allowed: at least one of status, topic, url, label, since \
                 and until",
            ),
            asked => asked,
        };
        let search = match asked {
            Ok(asked) if asked.limited => asked.search,
            Ok(asked) => record::Search {
                limit: usize::MAX,
                ..asked.search
            },
            Err(why) => return problem(why, request),
        };
        let resending = Resending::new(search);
        let question = resending.question();
        let errand = Errand::ResendMany(Box::new(resending));
        self.ask(turn, request, MessageId::default(), (errand, question))
    }

    /// A message was taken in from somebody who would like to wait for its end: `reply` is what it
    /// gets if that takes too long.
    pub(super) fn prefer(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        id: MessageId,
        reply: Reply,
    ) -> Reply {
        let Some(seconds) = preferred(request).filter(|_| !self.draining) else {
            return reply;
        };
        let until = turn.now.mono + Duration::from_secs(seconds);
        let errand = Errand::Dispatched {
            reply: Box::new(reply),
            seconds,
        };
        let inquiry = Inquiry::new(self.line, id, errand, wants_json(request));
        match self.inquiries.begin_or_give(turn, inquiry) {
            Ok(key) => {
                let deliveries = &mut self.dispatch.deliveries;
                self.inquiries.wait(turn, deliveries, key, until);
                Reply::Held(key.to_bits())
            }
            // A preference is no condition (RFC 7240 section 2).
            Err(Errand::Dispatched { reply, .. }) => *reply,
            Err(_) => Reply::Continue,
        }
    }

    fn ask(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        id: MessageId,
        (errand, question): (Errand, Question),
    ) -> Reply {
        match self.inquire(turn, request, id, errand) {
            Ok(key) => {
                self.inquiries.ask(turn, key, question);
                Reply::Held(key.to_bits())
            }
            Err(reply) => reply,
        }
    }

    fn inquire(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        id: MessageId,
        errand: Errand,
    ) -> Result<Key, Reply> {
        let mut inquiry = Inquiry::new(self.line, id, errand, wants_json(request));
        inquiry.asker = self.warrant().asker();
        let begun = self.inquiries.begin(turn, inquiry);
        begun.map_err(|why| problem(why, request))
    }
}

fn id_of(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or_else(|| {
        let allowed = "/messages/ and the Hookah-Id of a 202";
        Problem::of_value(
            Reason::UnknownMessage,
            "id",
            text.as_bytes(),
            "is no id",
            allowed,
        )
    })
}

/// The seconds of `Prefer: wait=N` (RFC 7240 section 4.3), as many as are granted. What cannot be
/// read is no preference, and of several the first counts.
fn preferred(request: &Request<'_>) -> Option<u64> {
    let wait = request
        .fields("prefer")
        .flat_map(field::list)
        .find_map(|it| {
            let it = it.split(|byte| *byte == b';').next()?.trim_ascii();
            let (name, value) = it.split_at_checked(4)?;
            let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
            let quoted = value
                .strip_prefix(b"\"")
                .and_then(|it| it.strip_suffix(b"\""));
            name.eq_ignore_ascii_case(b"wait")
                .then(|| quoted.unwrap_or(value))
        })?;
    let digits = wait.iter().all(u8::is_ascii_digit);
    let seconds: u64 = std::str::from_utf8(wait)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()?;
    (seconds > 0).then(|| seconds.min(PREFERRED_MAX))
}
