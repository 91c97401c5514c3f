//! The door: at the end of a head, who asks is found out, and whether it may come in at all. What
//! only the body tells (topics, targets) is asked for where it is read.
//! Without tokens it stands open, and nothing is looked at.

use std::time::Duration;

use super::Engine;
use super::routes::{Handler, Needs, Route};
use super::serve::{Rooms, wants_json};
use super::visits::Pass;
use crate::access::{Claim, Enrolled, Gate, Mark, Right, Roll, UNMARKED, Who, Wrong};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::conn::Conn;
use crate::conn::reply::Reply;
use crate::dispatch::intake::Caller;
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::model::{Method, TopicNames};
use crate::port::Turn;
use crate::topics::format::Code;
use crate::topics::wish::Selection;

/// What one request may do, for those that read what it asks for.
#[derive(Clone, Copy)]
pub(super) struct Warrant<'a> {
    pub(super) gate: &'a Gate,
    pub(super) who: Who,
}

/// Who has asked for something that is done in a later fact: the roll may be another by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// Its messages go to public addresses only.
    pub(super) strict: bool,
    /// It needs no token.
    free: bool,
    mark: Mark,
}

impl Asker {
    /// Somebody whom nobody has asked for a right.
    pub(super) const ANYONE: Asker = Asker {
        strict: false,
        free: true,
        mark: UNMARKED,
    };

    /// What it may do now.
    pub(super) fn warrant(self, gate: &Gate) -> Warrant<'_> {
        let who = match self.free {
            true => Who::Owner,
            false => gate.marked(self.mark),
        };
        Warrant { gate, who }
    }
}

impl<'a> Warrant<'a> {
    /// What of the client matters for its messages.
    pub(super) fn caller(self) -> Caller<'a> {
        Caller {
            scope: self.gate.scope(self.who),
            strict: self.gate.is_strict(self.who),
            authorized: matches!(self.who, Who::Token(_)),
        }
    }

    /// Whether it may name addresses of this machine and its networks at the hub, if it is on this
    /// machine itself: with tokens, so that nobody does by way of a web server there, only whoever
    /// could call them by a message.
    pub(super) fn is_at_home(self) -> bool {
        !self.gate.is_strict(self.who) && self.gate.may(self.who, Right::Dispatch)
    }

    /// Whether it may see whom else a message goes to.
    pub(super) fn sees_all(self) -> bool {
        self.gate.may(self.who, Right::Read)
    }

    /// Who it is, for what is done later.
    pub(super) fn asker(self) -> Asker {
        Asker {
            strict: self.gate.is_strict(self.who),
            free: matches!(self.who, Who::Anyone | Who::Owner),
            mark: self.gate.mark(self.who),
        }
    }

    /// Whether the tolls of the hub are not for this one.
    pub(super) fn is_free(self) -> bool {
        self.who != Who::Anyone && self.gate.may(self.who, Right::Hub)
    }

    /// Whether a message may go to URLs.
    pub(super) fn sends(self) -> Result<(), Problem> {
        self.gate.demand(self.who, Right::Dispatch)
    }

    /// Whether a message may be published to all of these.
    pub(super) fn publishes(self, topics: &TopicNames) -> Result<(), Problem> {
        if self.who == Who::Anyone {
            return Ok(());
        }
        let mut topics = topics.iter();
        topics.try_for_each(|topic| self.gate.demand(self.who, Right::Publish(topic)))
    }
}

impl Rooms<'_> {
    /// Who makes this request: found out at the end of its head, and again if its body came later,
    /// for the roll may be another by then.
    pub(super) fn recognise(
        &mut self,
        turn: &mut Turn,
        route: &Route,
        request: &Request<'_>,
    ) -> Result<Who, Reply> {
        if self.gate.is_open() {
            return Ok(Who::Anyone);
        }
        let needs = route.needs(request.method);
        if needs == Needs::Nothing {
            return Ok(Who::Stranger);
        }
        let claim = claim(route, request);
        match self.gate.look(turn.now.wall, self.visitor, &claim) {
            Ok(who) => match needs.right() {
                Some(right) => self.demand(turn, request, who, right).map(|()| who),
                None => Ok(who),
            },
            Err(wrong) => Err(self.turn_away(turn, request, wrong)),
        }
    }

    /// At the end of a head: whether whoever asks may come in.
    pub(super) fn let_in(
        &mut self,
        turn: &mut Turn,
        route: &Route,
        request: &Request<'_>,
    ) -> Result<(), Reply> {
        let who = self.recognise(turn, route, request)?;
        self.count_in(turn, request, who)?;
        self.who = Some(who);
        Ok(())
    }

    /// The same for a whole request, if its head came in an earlier fact.
    pub(super) fn is_let_in(
        &mut self,
        turn: &mut Turn,
        route: &Route,
        request: &Request<'_>,
    ) -> Result<(), Reply> {
        if self.who.is_none() {
            self.who = Some(self.recognise(turn, route, request)?);
        }
        Ok(())
    }

    /// A request of that one is counted, if its token has a rate.
    pub(super) fn count_in(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
        who: Who,
    ) -> Result<(), Reply> {
        self.gate.spend(turn.now, who).map_err(|wait| {
            turn.stats.add(Counter::TokenRateLimited, 1);
            self.refused(request, Reason::TokenRate.into(), Some(wait))
        })
    }

    /// Whether that one has the right, and the answer if not.
    fn demand(
        &self,
        turn: &mut Turn,
        request: &Request<'_>,
        who: Who,
        right: Right<'_>,
    ) -> Result<(), Reply> {
        self.gate.demand(who, right).map_err(|why| {
            note_refusal(turn, why.reason);
            self.refused(request, why, None)
        })
    }

    /// What was shown is not right: its address may do so a few times.
    fn turn_away(&mut self, turn: &mut Turn, request: &Request<'_>, wrong: Wrong) -> Reply {
        note_refusal(turn, wrong.problem.reason);
        let (now, peer) = (turn.now.mono, self.visitor.peer);
        let paid = match wrong.counts {
            true => self.gate.failed(now, peer),
            false => Ok(()),
        };
        match paid {
            Ok(()) => self.refused(request, wrong.problem, None),
            Err(wait) => {
                turn.stats.add(Counter::AuthThrottled, 1);
                self.refused(request, Reason::TooManyFailures.into(), Some(wait))
            }
        }
    }

    fn refused(&self, request: &Request<'_>, problem: Problem, wait: Option<Duration>) -> Reply {
        let seconds = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let retry_after = wait.map(|wait| u32::try_from(seconds(wait)).unwrap_or(u32::MAX).max(1));
        Reply::Problem {
            problem,
            json: wants_json(request),
            allow: None,
            retry_after,
        }
    }

    /// What the present request may do.
    pub(super) fn warrant(&self) -> Warrant<'_> {
        Warrant {
            gate: self.gate,
            who: self.who.unwrap_or(Who::Stranger),
        }
    }

    /// Whether the present request may read all of that.
    pub(super) fn may_read(&self, turn: &mut Turn, wanted: &Selection) -> Result<Pass, Problem> {
        let Warrant { gate, who } = self.warrant();
        if who == Who::Anyone {
            return Ok(Pass::default());
        }
        let topics = wanted.topics.iter().map(|topic| Right::Subscribe(topic));
        let prefixes = wanted.prefixes.iter().map(|prefix| Right::Prefix(prefix));
        for right in topics.chain(prefixes) {
            gate.demand(who, right)
                .inspect_err(|why| note_refusal(turn, why.reason))?;
        }
        let mark = gate.mark(who);
        Ok(match who {
            Who::Ticket { until, .. } => Pass {
                mark,
                until: Some(until),
            },
            _ => Pass { mark, until: None },
        })
    }
}

/// Counts a refusal for want of a token or a right.
pub(super) fn note_refusal(turn: &mut Turn, reason: Reason) {
    let counter = match reason {
        Reason::CredentialsMissing => Counter::AuthMissing,
        Reason::InvalidToken => Counter::AuthFailed,
        Reason::InsufficientScope => Counter::Forbidden,
        _ => return,
    };
    turn.stats.add(counter, 1);
}

/// Only streams may show in their query who they are: whoever opens them in a browser cannot set
/// a header. A form is not looked at, for it comes too late.
fn claim<'a>(route: &Route, request: &Request<'a>) -> Claim<'a> {
    let mut fields = request.fields("authorization");
    let authorization = fields.next();
    let reads = matches!(request.method, Method::Get | Method::Head | Method::Post);
    Claim {
        authorization,
        repeated: fields.next().is_some(),
        query: request
            .query
            .filter(|_| reads && route.handler == Handler::Stream),
        signed: request.method != Method::Post,
    }
}

impl Engine {
    /// The roll of tokens is another from now on. Whoever reads with a token that is gone or
    /// changed is ended; what was accepted stays.
    pub fn enrol(&mut self, now: Now, roll: &Roll) -> Enrolled {
        self.turn.now = now;
        let was_open = self.gate.is_open();
        let enrolled = self.gate.enrol(roll);
        let mut ended = 0;
        let mut index = 0;
        while let Some(key) = self.lines.key_from(index) {
            index = key.index() + 1;
            if self.revoke(key, was_open) {
                ended += 1;
            }
        }
        self.turn.stats.add(Counter::StreamsRevoked, ended);
        let Enrolled { tokens, new, gone } = enrolled;
        log::info!("tokens_read tokens={tokens} new={new} gone={gone} streams_ended={ended}");
        self.run_lanes();
        enrolled
    }

    /// Ends the stream or the waiting poll of a line, if whoever opened it may not have it any
    /// more.
    fn revoke(&mut self, key: Key, was_open: bool) -> bool {
        let may_stay = |gate: &Gate, mark| match mark {
            UNMARKED => !was_open,
            mark => gate.knows(mark),
        };
        match self.lines.get(key).map(|line| &line.conn) {
            Some(Conn::Stream(stream)) if !stream.is_ending() => {
                let ends = !may_stay(&self.gate, stream.mark());
                if ends {
                    self.end_stream(key, Code::Token);
                }
                ends
            }
            Some(Conn::Inbound(_)) => {
                let seated = self.visits.seated(key);
                let ends = seated.is_some_and(|it| !may_stay(&self.gate, it.pass.mark));
                if ends {
                    self.end_poll(key);
                }
                ends
            }
            _ => false,
        }
    }
}
