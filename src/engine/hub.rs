//! Where the hub meets the rest: requests go in, answers come back, content goes to be stored, and
//! deliveries are released, called off and reported. It carries between the rooms and knows no
//! subscription.

use httparse::Header;

use super::Engine;
use super::door::Warrant;
use super::serve::context;
use super::stored::{Awaiting, Origin};
use crate::access::Right;
use crate::base::index::Index;
use crate::base::slab::Key;
use crate::conn::Conn;
use crate::conn::reply::Reply;
use crate::courier::Courier;
use crate::dispatch::deliveries::Fate;
use crate::dispatch::{self, Accepted, Dispatch, intake};
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::hub::name::TopicName;
use crate::hub::request::{self, Asked, Half};
use crate::hub::{Client, Content, Decision, Hub, Refused, Ticket, Verdict};
use crate::model::{Room, Visitor};
use crate::port::{Seq, Turn};
use crate::topics::Topics;

/// What people see at the hub's address.
pub(super) const PAGE: &str = "This is a hub (W3C WebSub, PubSubHubbub 0.3 and 0.4).\n\n\
    Subscribe:  POST hub.mode=subscribe&hub.topic=URL&hub.callback=URL [&hub.secret=...]\n\
    Publish:    POST hub.mode=publish&hub.url=URL\n";

/// What a request to the hub may reach.
pub(super) struct Office<'a> {
    pub(super) hub: &'a mut Hub,
    pub(super) dispatch: &'a mut Dispatch,
    pub(super) courier: &'a Courier,
    pub(super) topics: &'a Topics,
    /// The lines of those who wait for a verdict.
    pub(super) waiters: &'a mut Index<Ticket, Key>,
    pub(super) line: Key,
    pub(super) visitor: Visitor,
    /// What the client may do.
    pub(super) warrant: Warrant<'a>,
}

/// What a request to the hub comes to.
pub(super) enum Served {
    /// It is answered once what has been done so far lasts.
    Kept(Reply),
    /// It is answered when its subscriber is.
    Held(Reply),
    /// Its content was taken in.
    Taken(Accepted),
    /// It is refused; seconds to wait, if that may help.
    Refused(Problem, Option<u32>),
}

impl Office<'_> {
    /// A POST to the hub.
    pub(super) fn serve(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        half: Half,
        body: &[u8],
    ) -> Served {
        let form = request::Request {
            content_type: request.content_type().map(str::as_bytes),
            query: request.query,
            body,
        };
        let from = Client {
            peer: self.visitor.peer,
            local: self.visitor.is_local() && self.warrant.is_at_home(),
            free: self.warrant.is_free(),
            host: request.host,
        };
        let asked = match request::read(&form, half, &self.hub.settings().leases) {
            Ok(asked) => asked,
            Err(problem) => return Served::Refused(problem, None),
        };
        match self.ask(turn, asked, from, request.headers) {
            Ok(served) => served,
            Err(Refused {
                problem,
                retry_after,
            }) => Served::Refused(problem, retry_after),
        }
    }

    fn ask(
        &mut self,
        turn: &mut Turn,
        asked: Asked<'_>,
        from: Client<'_>,
        headers: &[Header<'_>],
    ) -> Result<Served, Refused> {
        let policy = &self.courier.settings().policy;
        let vet = |target: &_, strict| super::lanes::vet(policy, target, strict);
        let verdict = match asked {
            Asked::Subscribe(asked) => {
                self.may_subscribe(&asked.topic)?;
                self.hub.subscribe(turn, asked, from, &vet)?
            }
            Asked::Unsubscribe(asked) => self.hub.unsubscribe(turn, asked, from, &vet)?,
            Asked::Ping(topics) => {
                let is_read = |name: &str| self.topics.readers(name.as_bytes()) > 0;
                self.hub.ping(turn, topics, from, is_read, &vet)?;
                return Ok(Served::Kept(plain(204, "")));
            }
            Asked::Content(content) => return self.content(turn, &content, from, headers),
        };
        Ok(match verdict {
            Verdict::Pending(warning) => {
                let line = warning.map_or(String::new(), |warning| warning + "\n");
                Served::Kept(plain(202, line))
            }
            Verdict::Verifying(ticket) => {
                self.waiters.insert(ticket, self.line);
                Served::Held(Reply::Held(ticket))
            }
        })
    }

    /// A fat ping (hub.md C28): a message like any other.
    fn content(
        &mut self,
        turn: &mut Turn,
        content: &request::Content<'_>,
        from: Client<'_>,
        headers: &[Header<'_>],
    ) -> Result<Served, Refused> {
        let name = content.topic.key().as_bytes();
        self.may_publish(name, from)?;
        // What a subscriber publishes again may come back to us.
        let hops = intake::hops_of(headers)?;
        let content = dispatch::Content {
            topic: name,
            content_type: &content.content_type,
            content_encoding: None,
            body: crate::base::frame::Frame::copy_of(&content.body),
            hops,
        };
        let mut callbacks = Vec::new();
        let topics = std::iter::once(name);
        self.hub
            .callbacks(turn.now.mono, topics, false, &mut callbacks);
        let accepted = self.dispatch.publish(turn, content, &callbacks)?;
        Ok(Served::Taken(accepted))
    }
}

impl Office<'_> {
    /// Content may be published by all if the hub is open; else, with tokens, by whoever has the
    /// right, and without by those on this machine.
    /// What is published at a URL is for all who ask, by the design of WebSub. A plain name is
    /// known here alone: where there are tokens, only whoever may read it may have it sent, unless
    /// `hub-topics` names it for all.
    fn may_subscribe(&self, topic: &TopicName) -> Result<(), Problem> {
        let Warrant { gate, who } = self.warrant;
        let rules = &self.hub.settings().topics;
        let is_named = rules.iter().any(|rule| rule.admits(topic));
        match gate.is_open() || topic.is_url() || is_named {
            true => Ok(()),
            false => gate.demand(who, Right::Subscribe(topic.key().as_bytes())),
        }
    }

    fn may_publish(&self, name: &[u8], from: Client<'_>) -> Result<(), Problem> {
        if self.hub.settings().open {
            return Ok(());
        }
        let Warrant { gate, who } = self.warrant;
        match gate.is_open() {
            true if from.local => Ok(()),
            true => Err(Reason::PublishForbidden.into()),
            false => gate.demand(who, Right::Publish(name)),
        }
    }
}

fn not_verified() -> Reply {
    Reply::Problem {
        problem: Reason::NotVerified.into(),
        json: false,
        allow: None,
        retry_after: None,
    }
}

/// It was asked for too late; the next process is there in a moment.
fn stopping() -> Reply {
    Reply::Problem {
        problem: Reason::Draining.into(),
        json: false,
        allow: None,
        retry_after: Some(1),
    }
}

fn plain(status: u16, body: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
    let body = body.into();
    let content_type = match body.is_empty() {
        true => "",
        false => "text/plain; charset=utf-8",
    };
    Reply::Text {
        status,
        content_type,
        fields: &[],
        body,
    }
}

impl Engine {
    /// Until nothing is left to carry: what is offered and reported goes to the hub, what the hub
    /// has decided is done, what it has fetched is taken in, who waits for it is answered.
    pub(super) fn carry_hub(&mut self) {
        #[cfg(test)]
        if self.by_hand {
            return;
        }
        while self.carry_notices()
            | self.carry_contents()
            | self.carry_stranded()
            | self.carry_verdicts()
        {}
    }

    /// Between the hub and the deliveries to its subscribers; false if there is nothing.
    fn carry_notices(&mut self) -> bool {
        let (hub, turn) = (&mut self.hub, &mut self.turn);
        let deliveries = &mut self.dispatch.deliveries;
        let mut carried = false;
        while let Some(offer) = deliveries.next_offer() {
            let (delivery, to) = (offer.delivery, offer.subscription);
            match offer.stored {
                true => hub.offered_again(delivery, to, offer.full, offer.failing),
                false => hub.offered(delivery, to, offer.full),
            }
            carried = true;
        }
        while let Some(report) = deliveries.next_report() {
            let over = matches!(report.next, Fate::Ended(_));
            let whose = (report.delivery, report.subscription);
            hub.reported(turn, whose, report.ending.as_ref(), over);
            carried = true;
        }
        while let Some((delivery, callback)) = hub.next_renewal(turn.now.mono) {
            deliveries.renew(turn, delivery, &callback);
            carried = true;
        }
        while let Some(decision) = hub.next_decision() {
            match decision {
                Decision::Release(delivery) => deliveries.release(turn, delivery),
                Decision::Cancel(delivery, why) => deliveries.cancel(turn, delivery, why),
            }
            carried = true;
        }
        carried
    }

    fn carry_contents(&mut self) -> bool {
        let mut carried = false;
        while let Some(content) = self.hub.next_content() {
            self.publish_content(&content);
            carried = true;
        }
        carried
    }

    /// What was fetched is taken in like any message; the hub hears when it is durable.
    fn publish_content(&mut self, content: &Content) {
        let name = content.name.as_bytes();
        let mut callbacks = Vec::new();
        let topics = std::iter::once(name);
        self.hub
            .callbacks(self.turn.now.mono, topics, true, &mut callbacks);
        let draft = dispatch::Content {
            topic: name,
            content_type: &content.content_type,
            content_encoding: content.encoding.as_deref(),
            body: content.body.clone(),
            hops: 0,
        };
        match self.dispatch.publish(&mut self.turn, draft, &callbacks) {
            Ok(accepted) => {
                let origin = Origin::Topic(content.topic);
                self.awaiting.push_back(Awaiting::of(accepted, origin));
            }
            Err(_) => self.hub.stored(&mut self.turn, content.topic, false),
        }
    }

    /// Once nothing new begins, whoever waits for a call that has not begun would wait in vain,
    /// and the end of the server with it.
    fn carry_stranded(&mut self) -> bool {
        if !self.leaves_the_rest() || self.waiters.is_empty() {
            return false;
        }
        let calls = self.lines.iter().filter_map(|(_, line)| match &line.conn {
            Conn::Outbound(outbound) => outbound.call(),
            _ => None,
        });
        let calls: Vec<Key> = calls
            .filter(|owner| owner.room == Room::Hub)
            .map(|owner| owner.key)
            .collect();
        let is_out = |call| calls.contains(&call);
        let stranded = self.hub.strand(&mut self.turn, is_out);
        for ticket in &stranded {
            if let Some(line) = self.waiters.remove(ticket) {
                self.answer_held(line, *ticket, (0, stopping()));
            }
        }
        !stranded.is_empty()
    }

    fn carry_verdicts(&mut self) -> bool {
        let mut carried = false;
        while let Some((ticket, confirmed)) = self.hub.next_verdict() {
            carried = true;
            let Some(line) = self.waiters.remove(&ticket) else {
                continue;
            };
            let reply = match confirmed {
                true => (self.turn.handed.last(), plain(204, "")),
                false => (0, not_verified()),
            };
            self.answer_held(line, ticket, reply);
        }
        carried
    }

    /// A client that was kept waiting gets its answer, its bytes on the account of memory, once
    /// what it says lasts.
    pub(super) fn answer_held(&mut self, key: Key, ticket: Ticket, (seq, reply): (Seq, Reply)) {
        let line = self.lines.get_mut(key);
        let Some(Conn::Inbound(inbound)) = line.map(|line| &mut line.conn) else {
            return self.turn.memory.give(reply.bytes());
        };
        if seq > self.durable {
            self.awaiting.push_back(Awaiting::answer(seq, key));
        }
        inbound.settle(&mut context!(self), ticket, seq, reply);
        if !self.unpause(key) {
            self.settle_inbound(key);
        }
    }
}
