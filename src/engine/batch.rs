//! A POST to /dispatch/batch: many messages in one request, one commit and one answer.
//! It reads none of them, and decides no more than the line does for one.

use super::door::Warrant;
use super::lanes;
use super::serve::{Rooms, problem};
use crate::access::Who;
use crate::base::stats::Counter;
use crate::conn::reply::Reply;
use crate::dispatch::intake::Submission;
use crate::http::problem::Reason;
use crate::http::request::Request;
use crate::model::{Callback, TopicNames};
use crate::port::{Seq, Turn};

impl Rooms<'_> {
    /// Each message is taken in or refused for itself; the answer goes once the store has them.
    pub(super) fn batch(
        &mut self,
        turn: &mut Turn,
        request: &Request<'_>,
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
            tail: None,
            query: request.query,
            content_type: request.content_type(),
            body,
            headers: request.headers,
            caller: warrant.caller(),
        };
        let policy = &self.courier.settings().policy;
        let (mut forbidden, mut unentitled) = (0, 0);
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
        let mut taken = Vec::new();
        let each = |each: Result<_, Reason>| match each {
            Ok(accepted) => taken.push(accepted),
            Err(Reason::TargetForbidden) => forbidden += 1,
            Err(Reason::InsufficientScope) => unentitled += 1,
            Err(_) => {}
        };
        let dispatch = &mut *self.dispatch;
        let answer = dispatch.accept_batch(turn, &submission, vet, callbacks_of, each);
        turn.stats.add(Counter::TargetsForbidden, forbidden);
        turn.stats.add(Counter::Forbidden, unentitled);
        match answer {
            Ok(body) => {
                let seq = taken.iter().map(|accepted| accepted.seq).max();
                taken.into_iter().for_each(|it| self.await_store(it));
                let volatile = self.settings.volatile;
                (seq.unwrap_or(0), Reply::Batch { body, volatile })
            }
            Err(why) => (0, problem(why, request)),
        }
    }
}
