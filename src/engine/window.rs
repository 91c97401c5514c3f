//! Topics for people: one or all are shown, and one is ended with all who named it; and what is
//! held back on its way. What they are shown is written elsewhere.

use super::Engine;
use super::routes::Handler;
use super::serve::Rooms;
use crate::admin::{self, topics};
use crate::conn::Conn;
use crate::http::form;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::model::Method;
use crate::port::Turn;
use crate::topics::format::Code;

impl Rooms<'_> {
    /// A request to /topics or below.
    pub(super) fn topics(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        tail: Option<&str>,
    ) -> Result<Vec<u8>, Problem> {
        let now = turn.now.mono;
        let Some(tail) = tail else {
            let query = request.query.unwrap_or_default();
            return topics::list(self.topics, self.hub, now, query);
        };
        let mut name = Vec::new();
        form::unescape_into(tail.as_bytes(), &mut name);
        match request.method {
            Method::Delete => self.end_topic(turn, &name),
            _ => topics::one(self.topics, self.hub, now, &name),
        }
    }

    /// A topic's messages are dropped at once. Who named it is ended when the client's bytes are
    /// read; those who read it as one of many that begin alike go on.
    fn end_topic(&mut self, turn: &mut Turn, name: &[u8]) -> Result<Vec<u8>, Problem> {
        if self.topics.row(name).is_none() {
            return Err(topics::unknown(name));
        }
        if !self.topics.may_delete(turn) {
            return Err(topics::too_many());
        }
        let readers = self.topics.named_by(name);
        let ended = readers.len();
        self.doomed.extend(readers);
        let dropped = self.topics.drop_backlog(turn, name);
        Ok(topics::ended(name, ended, dropped))
    }
}

impl Rooms<'_> {
    /// What waits in lanes, or is held before them.
    pub(super) fn held(
        &self,
        turn: &Turn,
        handler: Handler,
        query: &str,
    ) -> Result<Vec<u8>, Problem> {
        let deliveries = &self.dispatch.deliveries;
        match handler {
            Handler::Flows => admin::flows::list(deliveries, turn.now, query),
            Handler::Queues => admin::flows::queues(deliveries, turn.now, query),
            _ => admin::lanes::list(self.courier, turn.now.mono, query),
        }
    }
}

impl Engine {
    /// Ends the streams of topics that were deleted.
    pub(super) fn end_doomed(&mut self) {
        for key in std::mem::take(&mut self.doomed) {
            match self.lines.get(key).map(|line| &line.conn) {
                Some(Conn::Stream(_)) => self.end_stream(key, Code::Admin),
                _ => self.end_poll(key),
            }
        }
    }
}
