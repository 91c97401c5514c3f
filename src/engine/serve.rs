//! Inbound lines: bytes to requests, requests to rooms, replies to lines.
//! It routes and never interprets a body.

use super::stored::Awaiting;
use super::{Engine, Settings, routes};
use crate::base::slab::Key;
use crate::conn::Conn;
use crate::conn::inbound::Service;
use crate::conn::reply::Reply;
use crate::dispatch::Dispatch;
use crate::dispatch::intake::Submission;
use crate::http::problem::{Problem, Reason};
use crate::http::request::{BodyKind, Request};
use crate::port::{Action, Seq, Turn};
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
struct Rooms<'a> {
    dispatch: &'a mut Dispatch,
    awaiting: &'a mut VecDeque<Awaiting>,
    accepted: &'a mut Seq,
    settings: &'a Settings,
    line: Key,
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
            awaiting: &mut self.awaiting,
            accepted: &mut self.accepted,
            settings: &self.settings,
            line: key,
        };
        inbound.received(&mut context!(self), &mut rooms, bytes);
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
        inbound.wrote(&mut context!(self), key, bytes);
        self.unpause(key);
    }

    /// Goes on where a pause has ended, then settles.
    pub(super) fn unpause(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        if inbound.unpause(self.turn.now.mono) {
            self.turn.actions.push_back(Action::Resume { key });
            return self.request_bytes(key, &[]);
        }
        self.settle_inbound(key);
    }

    /// A client's deadline has passed.
    pub(super) fn client_expired(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &mut line.conn else {
            return;
        };
        inbound.expired(&mut context!(self));
        self.settle_inbound(key);
    }

    /// After any fact: the line is closed, or has its deadline and stands on the list if it has
    /// something to write.
    pub(super) fn settle_inbound(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &line.conn else {
            return;
        };
        if inbound.is_gone() {
            return self.close(key);
        }
        let (at, has_output) = (
            inbound.deadline(&self.settings.limits),
            inbound.has_output(),
        );
        line.deadline.set(&mut self.turn, key, at);
        if has_output {
            line.touch(&mut self.turn, key);
        }
    }
}

impl Service for Rooms<'_> {
    fn judge(&mut self, _turn: &mut Turn, request: &Request<'_>) -> Result<(), Reply> {
        let json = wants_json(request);
        let refuse = |problem: Problem, allow| {
            Err(Reply::Problem {
                problem,
                json,
                allow,
                retry_after: None,
            })
        };
        let Some((route, _)) = routes::find(request.path) else {
            return refuse(Reason::NotFound.into(), None);
        };
        if !route.methods.contains(&request.method) {
            return refuse(Reason::MethodNotAllowed.into(), Some(route.allow));
        }
        let max = self.settings.limits.body_bytes_max as u64;
        match request.body {
            BodyKind::Length(bytes) if bytes > max => refuse(
                Problem::new(
                    Reason::BodyTooLarge,
                    format!("Content-Length: {bytes} bytes; allowed: up to {max} (--max-body)"),
                ),
                None,
            ),
            _ => Ok(()),
        }
    }

    fn serve(&mut self, turn: &mut Turn, request: &Request<'_>, body: &[u8]) -> (Seq, Reply) {
        let Some((route, tail)) = routes::find(request.path) else {
            return (0, problem(Reason::NotFound.into(), request));
        };
        match route.handler {
            routes::Handler::Dispatch => self.take(turn, request, tail, body),
            routes::Handler::About => (0, text(crate::admin::about(request.host))),
            routes::Handler::Health => (0, text("ok\n")),
            routes::Handler::Metrics => (0, text(crate::admin::metrics(&turn.stats))),
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
        let submission = Submission {
            tail,
            query: request.query,
            content_type: request.content_type(),
            body,
            headers: request.headers,
        };
        let seq = *self.accepted + 1;
        match self.dispatch.accept(turn, seq, &submission) {
            Ok(accepted) => {
                *self.accepted = seq;
                let (id, json) = (accepted.id, wants_json(request));
                self.awaiting.push_back(Awaiting {
                    seq,
                    line: self.line,
                    open: accepted.open,
                });
                (
                    seq,
                    Reply::Accepted {
                        id,
                        json,
                        volatile: self.settings.volatile,
                    },
                )
            }
            Err(why) => (0, problem(why, request)),
        }
    }
}

fn problem(problem: Problem, request: &Request<'_>) -> Reply {
    let retry_after = (problem.reason.row().status == 503).then_some(1);
    Reply::Problem {
        problem,
        json: wants_json(request),
        allow: None,
        retry_after,
    }
}

fn text(body: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
    Reply::Text {
        status: 200,
        content_type: "text/plain; charset=utf-8",
        body: body.into(),
    }
}

/// dispatch.md section 5: JSON on Accept, or where the request itself is JSON.
fn wants_json(request: &Request<'_>) -> bool {
    let is_json = |value: &[u8]| {
        let lower = value.to_ascii_lowercase();
        memchr::memmem::find(&lower, b"application/json").is_some()
            || memchr::memmem::find(&lower, b"application/problem+json").is_some()
    };
    request.field("accept").is_some_and(is_json)
        || request
            .content_type()
            .is_some_and(|kind| is_json(kind.as_bytes()))
}
