//! A message that is sent again: a new one with its own id, of the same body, fields and options,
//! to the same targets, and to whoever subscribes to its topics by now. The old one stays as it is.

use std::sync::Arc;

use super::deliveries::{Plan, Receivers};
use super::draft::{Body, Draft, notices_only};
use super::{Accepted, Dispatch, options};
use crate::base::stats::Counter;
use crate::http::problem::{Problem, Reason};
use crate::model::record::{Place, Work};
use crate::model::{Callback, Extra, Message, Target, TopicNames};
use crate::port::Turn;

impl Dispatch {
    /// Takes in a message again, for these of its targets. Its delay is over, its age runs anew.
    /// With `strict` its targets have to be public from now on.
    ///
    /// # Errors
    /// Memory is full, a target may not be called any more, or its options cannot be used; nothing
    /// was taken in then.
    pub fn resend(
        &mut self,
        turn: &mut Turn,
        message: &Message,
        targets: &[Arc<Target>],
        vet: impl Fn(&Target, bool) -> Result<(), Problem>,
        callbacks_of: impl FnOnce(&TopicNames, &mut Vec<Callback>),
        strict: bool,
    ) -> Result<Accepted, Problem> {
        let mut plan = self.plan_again(turn, message, targets)?;
        let tightens = strict && !plan.strict;
        plan.strict |= strict;
        for target in targets {
            vet(target, plan.strict)?;
        }
        self.callbacks.clear();
        if message.topics.bytes() > 0 {
            callbacks_of(&message.topics, &mut self.callbacks);
        }
        let mut extra = Extra {
            resend_of: Some(message.id),
            ..message.extra.as_deref().cloned().unwrap_or_default()
        };
        if tightens && let Some((_, row)) = options::field(b"_targets") {
            let mut kept = extra.options.as_bytes().to_vec();
            options::note(row, "public", &mut kept);
            extra.options = String::from_utf8_lossy(&kept).into();
        }
        let receivers = Receivers {
            targets,
            callbacks: &self.callbacks,
        };
        let draft = Draft {
            content_type: message.content_type.clone(),
            body: Body::Shared(message.body.clone()),
            topics: message.topics.clone(),
            extra: Some(Box::new(extra)),
            plan,
            receivers,
        };
        let accepted = draft.admit(turn, &mut self.deliveries)?;
        turn.stats.add(Counter::MessagesAccepted, 1);
        Ok(accepted)
    }

    fn plan_again(
        &self,
        turn: &Turn,
        message: &Message,
        targets: &[Arc<Target>],
    ) -> Result<Plan, Problem> {
        let Some(target) = targets.first() else {
            return Ok(notices_only(message.hops));
        };
        let now = turn.now.wall;
        let work = Work {
            id: message.id,
            number: 1,
            target: Arc::clone(target),
            place: Place {
                lane: target.lane,
                rank: now.0,
                due: now,
                parked: false,
            },
            expires: now + self.settings.expires,
            attempts: 0,
            subscription: 0,
        };
        Plan::of(message, &work, &self.settings, turn.now).map_err(|why| {
            let detail = format!("{}: its options cannot be used any more: {why}", message.id);
            Problem::new(Reason::BadOption, detail)
        })
    }
}
