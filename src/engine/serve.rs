//! Inbound lines: bytes to requests, requests to rooms, replies to lines.
//! It routes and never interprets a body.

use super::condition::Condition;
use super::door::{Warrant, note_refusal};
use super::hub::{Office, PAGE, Served};
use super::inquiries::Inquiries;
use super::life::Drain;
use super::routes::Route;
use super::stored::{Awaiting, Origin};
use super::visits::Visits;
pub(super) use super::wants::wants_json;
use super::{Engine, Settings, lanes, notices, pages, routes, stored};
use crate::access::{Gate, Who};
use crate::admin;
use crate::base::index::Index;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::Conn;
use crate::conn::inbound::Service;
use crate::conn::reply::Reply;
use crate::courier::Courier;
use crate::dispatch::intake::Submission;
use crate::dispatch::{Accepted, Dispatch};
use crate::http::problem::{Problem, Reason};
use crate::http::request::{BodyKind, Request};
use crate::hub::request::Half;
use crate::hub::{Hub, Ticket};
use crate::model::{Callback, Method, TopicNames, Visitor};
use crate::port::{Action, Seq, Turn};
use crate::topics::Topics;
use std::collections::VecDeque;

/// What inbound lines share, borrowed from the engine field by field.
macro_rules! context {
    ($engine:expr) => {
        $crate::conn::inbound::Context {
            durable: $engine.durable,
            draining: $engine.drain != $crate::engine::life::Drain::No,
            date: $engine.date.at($engine.turn.now.wall),
            turn: &mut $engine.turn,
            limits: &$engine.settings.limits,
            desks: &mut $engine.desks,
        }
    };
}
pub(super) use context;

/// The rooms that a request of one line may reach.
pub(super) struct Rooms<'a> {
    pub(super) dispatch: &'a mut Dispatch,
    pub(super) inquiries: &'a mut Inquiries,
    pub(super) courier: &'a mut Courier,
    pub(super) hub: &'a mut Hub,
    waiters: &'a mut Index<Ticket, Key>,
    pub(super) topics: &'a mut Topics,
    hungry: &'a mut VecDeque<Key>,
    pub(super) awaiting: &'a mut VecDeque<Awaiting>,
    pub(super) durable: Seq,
    pub(super) settings: &'a Settings,
    pub(super) store: Condition,
    pub(super) visits: &'a mut Visits,
    /// Streams and polls that are to be ended.
    pub(super) doomed: &'a mut Vec<Key>,
    pub(super) draining: bool,
    pub(super) line: Key,
    pub(super) visitor: Visitor,
    pub(super) gate: &'a mut Gate,
    /// Who makes the present request, if its head came in this fact.
    pub(super) who: Option<Who>,
}

impl Engine {
    /// Bytes from a client, or none, to go on with those that came before a pause.
    pub(super) fn request_bytes(&mut self, key: Key, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        let mut rooms = Rooms {
            dispatch: &mut self.dispatch,
            inquiries: &mut self.inquiries,
            courier: &mut self.courier,
            hub: &mut self.hub,
            waiters: &mut self.waiters,
            topics: &mut self.topics,
            hungry: &mut self.hungry,
            awaiting: &mut self.awaiting,
            durable: self.durable,
            settings: &self.settings,
            store: self.store,
            visits: &mut self.visits,
            doomed: &mut self.doomed,
            draining: self.drain != Drain::No,
            line: key,
            visitor: inbound.visitor(),
            gate: &mut self.gate,
            who: None,
        };
        inbound.received(&mut context!(self), &mut rooms, bytes);
        self.end_doomed();
        self.settle_inbound(key);
    }

    /// A client's socket took bytes.
    pub(super) fn answer_written(&mut self, key: Key, bytes: usize) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        inbound.wrote(&mut context!(self), bytes);
        if !self.unpause(key) {
            self.rearm_inbound(key);
        }
    }

    /// Goes on where a pause has ended; false if none has.
    pub(super) fn unpause(&mut self, key: Key) -> bool {
        let Some(line) = self.lines.get_mut(key) else {
            return false;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return false;
        };
        let tight = !self.turn.memory.has_room_for_strangers(0);
        let ends = inbound.unpause(self.turn.now.mono, tight);
        if ends {
            self.turn.actions.push_back(Action::Resume { key });
            self.request_bytes(key, &[]);
        }
        ends
    }

    /// A client's deadline has passed.
    pub(super) fn client_expired(&mut self, key: Key) {
        let draining = self.drain != Drain::No;
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        // The time may be that of a poll alone.
        if inbound.deadline(&self.settings.limits, draining) <= self.turn.now.mono {
            inbound.expired(&mut context!(self));
        }
        self.settle_inbound(key);
    }

    /// After any fact: the line is closed, becomes a stream, or has its deadline and stands on the
    /// list if it has something to write.
    pub(super) fn settle_inbound(&mut self, key: Key) {
        self.rearm_inbound(key);
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        if let Conn::Inbound(inbound) = &line.conn
            && inbound.has_output()
        {
            line.touch(&mut self.turn, key);
        }
    }

    /// The same after a write: what is left is not put on the list, where it has just been.
    pub(super) fn rearm_inbound(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        inbound.part(&mut context!(self), key);
        if inbound.is_gone() {
            return self.close(key);
        }
        if inbound.take_stream() {
            return self.become_stream(key);
        }
        let polls = inbound.poll().is_some();
        if polls {
            self.serve_poll(key);
        }
        let until = self.visits.seated(key).map_or(Mono::NEVER, |it| it.until);
        let draining = self.drain != Drain::No;
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        if let Conn::Inbound(inbound) = &line.conn {
            let at = inbound.deadline(&self.settings.limits, draining).min(until);
            line.deadline.set(&mut self.turn, key, at);
        }
    }
}

impl Service for Rooms<'_> {
    fn judge(&mut self, turn: &mut Turn, request: &Request<'_>) -> Result<(), Reply> {
        let judged = routed(request).and_then(|route| {
            self.guard(turn, request, route)?;
            self.let_in(turn, route, request)?;
            self.awaits_store(route, request)?;
            self.fits(request)
        });
        judged.map_err(|reply| self.for_scripts(request, reply))
    }

    fn serve(&mut self, turn: &mut Turn, request: &Request<'_>, body: &[u8]) -> (Seq, Reply) {
        let (seq, reply) = self.answer(turn, request, body);
        self.who = None;
        (seq, self.for_scripts(request, reply))
    }

    fn shared(&self, request: &Request<'_>, reply: Reply) -> Reply {
        self.for_scripts(request, reply)
    }
}

/// The endpoint that a request is for, or why there is none.
fn routed(request: &Request<'_>) -> Result<&'static Route, Reply> {
    if let Some(reply) = pages::of_all(request) {
        return Err(reply);
    }
    let Some((route, _)) = routes::find(request.path) else {
        return Err(refusal(Reason::NotFound.into(), request, None));
    };
    match route.methods.contains(&request.method) {
        true => Ok(route),
        false => {
            let why = Reason::MethodNotAllowed.into();
            Err(refusal(why, request, Some(route.allow)))
        }
    }
}

impl Rooms<'_> {
    /// What rests on what is kept would wait without end, or be wrong, before the store has said
    /// what that is.
    fn awaits_store(&self, route: &Route, request: &Request<'_>) -> Result<(), Reply> {
        match self.store {
            Condition::Starting if route.needs_store(request.method) => {
                Err(problem(Reason::Starting.into(), request))
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, request: &Request<'_>) -> Result<(), Reply> {
        let max = self.settings.limits.body_bytes_max as u64;
        match request.body {
            BodyKind::Length(bytes) if bytes > max => {
                let detail =
                    format!("Content-Length: {bytes} bytes; allowed: up to {max} (--max-body)");
                let why = Problem::new(Reason::BodyTooLarge, detail);
                Err(refusal(why, request, None))
            }
            _ => Ok(()),
        }
    }

    fn answer(&mut self, turn: &mut Turn, request: &Request<'_>, body: &[u8]) -> (Seq, Reply) {
        let Some((route, tail)) = routes::find(request.path) else {
            return (0, problem(Reason::NotFound.into(), request));
        };
        if let Err(reply) = self.is_let_in(turn, route, request) {
            return (0, reply);
        }
        let query = request.query.unwrap_or_default();
        match route.handler {
            routes::Handler::Dispatch => self.take(turn, request, tail, body),
            routes::Handler::Batch => self.batch(turn, request, body),
            routes::Handler::Stream => (0, self.stream(turn, request, body)),
            routes::Handler::Messages => self.search(turn, request),
            routes::Handler::Message => (0, self.message(turn, request, tail)),
            routes::Handler::Resend => (0, self.resend(turn, request, tail)),
            routes::Handler::ResendMany => (0, self.resend_many(turn, request, body)),
            routes::Handler::About => (0, self.about(request)),
            routes::Handler::Health => (0, self.store.shown(true, request)),
            routes::Handler::Ready => (0, self.store.shown(false, request)),
            routes::Handler::Lanes | routes::Handler::Flows | routes::Handler::Queues => {
                json(self.held(turn, route.handler, query), request)
            }
            routes::Handler::Steer => {
                let tail = tail.unwrap_or_default();
                json(lanes::steer(self.courier, turn, self.hungry, tail), request)
            }
            routes::Handler::Hub(_) if request.method != Method::Post => (0, text(PAGE)),
            routes::Handler::Hub(half) => self.hub(turn, request, half, body),
            routes::Handler::Topics => {
                let shown = json(self.topics(turn, request, tail), request);
                self.shown(turn, request, shown)
            }
            routes::Handler::Subscriptions => {
                let shown = match request.method {
                    Method::Delete => admin::subscriptions::remove(self.hub, turn, query),
                    _ => admin::subscriptions::list(self.hub, turn.now, query),
                };
                self.shown(turn, request, json(shown, request))
            }
            routes::Handler::Metrics => {
                // As it is now: since the last turn's end answers went out, and their buffers.
                turn.stats.set(Counter::BytesHeld, turn.memory.held());
                let body = admin::metrics(&turn.stats).into();
                (0, typed(admin::METRICS_TYPE, body))
            }
        }
    }
}

impl Rooms<'_> {
    /// A POST to /dispatch: accepted, and answered once the store has it.
    fn take(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        tail: Option<&str>,
        body: &[u8],
    ) -> (Seq, Reply) {
        if let Err(why) = self.store.takes() {
            return (0, problem(why, request));
        }
        let warrant = Warrant {
            gate: self.gate,
            who: self.who.unwrap_or(Who::Stranger),
        };
        let submission = Submission {
            tail,
            query: request.query,
            content_type: request.content_type(),
            body,
            headers: request.headers,
            caller: warrant.caller(),
        };
        let policy = &self.courier.settings().policy;
        let vet = |target: &_, strict| {
            warrant.sends()?;
            lanes::vet(policy, target, strict)
        };
        let (hub, now) = (&*self.hub, turn.now.mono);
        let callbacks_of = |topics: &TopicNames, callbacks: &mut Vec<Callback>| {
            warrant.publishes(topics)?;
            hub.callbacks(now, topics.iter(), false, callbacks);
            Ok(())
        };
        let accepted = self.dispatch.accept(turn, &submission, vet, callbacks_of);
        match accepted {
            Ok(accepted) => {
                let (id, deliveries) = (accepted.id, accepted.deliveries);
                let hides = accepted.callbacks > 0 && !self.warrant().sees_all();
                let (seq, reply) = self.taken(request, accepted);
                match deliveries {
                    0 => (seq, reply),
                    // Who else gets it is not for everybody's eyes.
                    _ if hides => (seq, reply),
                    _ => (seq, self.prefer(turn, request, id, reply)),
                }
            }
            Err(why) => {
                if why.reason == Reason::TargetForbidden {
                    turn.stats.add(Counter::TargetsForbidden, 1);
                }
                note_refusal(turn, why.reason);
                (0, problem(why, request))
            }
        }
    }
}

impl Rooms<'_> {
    /// A message was taken in under the next number: it is answered once the store has it.
    fn taken(&mut self, request: &Request<'_>, accepted: Accepted) -> (Seq, Reply) {
        let (id, seq, json) = (accepted.id, accepted.seq, wants_json(request));
        let duplicate = accepted.duplicate;
        let reach = json
            .then(|| notices::reach(self.topics, &accepted))
            .flatten();
        self.await_store(accepted);
        let volatile = self.settings.volatile;
        let reply = Reply::Accepted {
            id,
            json,
            volatile,
            reach,
            duplicate,
        };
        (seq, reply)
    }

    /// The line waits for a message until the store has it.
    pub(super) fn await_store(&mut self, accepted: Accepted) {
        // What was taken in before is durable, or another line waits for it too.
        if accepted.duplicate && accepted.seq <= self.durable {
            return;
        }
        let next = Awaiting::of(accepted, Origin::Client(self.line));
        stored::await_store(self.awaiting, next);
    }

    /// A POST to the hub.
    fn hub(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        half: Half,
        body: &[u8],
    ) -> (Seq, Reply) {
        if let Err(why) = self.store.takes() {
            return (0, problem(why, request));
        }
        let mut office = Office {
            hub: self.hub,
            dispatch: self.dispatch,
            courier: self.courier,
            topics: self.topics,
            waiters: self.waiters,
            line: self.line,
            visitor: self.visitor,
            warrant: Warrant {
                gate: self.gate,
                who: self.who.unwrap_or(Who::Stranger),
            },
        };
        match office.serve(turn, request, half, body) {
            Served::Kept(reply) => self.once_kept(turn, reply),
            Served::Held(reply) => (0, reply),
            Served::Taken(accepted) => self.taken(request, accepted),
            Served::Refused(why, retry_after) => {
                if why.reason == Reason::TargetForbidden {
                    turn.stats.add(Counter::TargetsForbidden, 1);
                }
                note_refusal(turn, why.reason);
                let reply = Reply::Problem {
                    problem: why,
                    json: wants_json(request),
                    allow: None,
                    retry_after,
                };
                (0, reply)
            }
        }
    }
}

/// A refusal at the end of the head; `allow` is what is allowed instead of the method.
pub(super) fn refusal(
    problem: Problem,
    request: &Request<'_>,
    allow: Option<&'static str>,
) -> Reply {
    Reply::Problem {
        problem,
        json: wants_json(request),
        allow,
        retry_after: None,
    }
}

pub(super) fn problem(problem: Problem, request: &Request<'_>) -> Reply {
    let retry_after = (problem.reason.row().status == 503).then_some(1);
    Reply::Problem {
        problem,
        json: wants_json(request),
        allow: None,
        retry_after,
    }
}

/// A window's JSON, or why there is none.
pub(super) fn json(shown: Result<Vec<u8>, Problem>, request: &Request<'_>) -> (Seq, Reply) {
    let reply = match shown {
        Ok(body) => Reply::Text {
            status: 200,
            content_type: "application/json",
            fields: &[],
            body: String::from_utf8_lossy(&body).into_owned().into(),
        },
        Err(why) => problem(why, request),
    };
    (0, reply)
}

pub(super) fn text(body: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
    typed("text/plain; charset=utf-8", body.into())
}

fn typed(content_type: &'static str, body: std::borrow::Cow<'static, str>) -> Reply {
    Reply::Text {
        status: 200,
        content_type,
        fields: &[],
        body,
    }
}
