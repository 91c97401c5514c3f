//! Who asked for it is told when a delivery has ended: by a message of our own, accepted beside the
//! end that it tells of. An end waits for the answer's body only if somebody is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Deliveries, Open, Plan, Receivers};
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::dispatch::delivery::{Decided, Delivery, Terms};
use crate::dispatch::draft::{Accepted, Body, Draft};
use crate::dispatch::options::CAPTURE_BYTES;
use crate::dispatch::receipt::{self, Receipt};
use crate::model::record::{Answered, Attempt};
use crate::model::{Ending, Extra, Fault, MessageId, Method, Outcome, Target, Ticket, TopicNames};
use crate::port::Turn;

/// What is owed to those that are told of an end: the body for all of them, and what their messages
/// inherit.
pub(super) struct Owed {
    targets: Vec<Arc<Target>>,
    body: Frame,
    terms: Terms,
    strict: bool,
    options: Box<str>,
}

/// What is owed when a delivery ends; nothing of one that goes to a subscriber.
pub(super) fn receipts(
    open: &Open,
    delivery: &Delivery,
    outcome: Outcome,
    ending: Option<&Ending>,
    answered: Option<&Answered>,
) -> Option<Owed> {
    if delivery.notice.is_some() {
        return None;
    }
    let targets: Vec<Arc<Target>> = open.terms.tells.of(outcome).cloned().collect();
    if targets.is_empty() {
        return None;
    }
    let receipt = receipt(open, delivery, outcome, ending, answered);
    let extra = open.message.extra.as_ref();
    let options = extra.map_or("", |extra| &extra.options);
    Some(Owed {
        targets,
        body: Frame::copy_of(&receipt.body()),
        terms: Terms {
            hops: open.terms.hops.saturating_add(1),
            capture: CAPTURE_BYTES,
            signer: open.terms.signer.clone(),
            ..Terms::default()
        },
        strict: delivery.strict,
        options: receipt::inherited(options).into(),
    })
}

/// What there is to say of a delivery that has ended.
fn receipt<'a>(
    open: &'a Open,
    delivery: &'a Delivery,
    outcome: Outcome,
    ending: Option<&Ending>,
    answer: Option<&'a Answered>,
) -> Receipt<'a> {
    let (status, error) = match ending {
        Some(Ending::Answer { status, .. }) if outcome == Outcome::Delivered => (*status, ""),
        Some(Ending::Answer { status, .. }) => (*status, Fault::Status.as_str()),
        Some(Ending::Fault { fault, .. }) => (0, fault.as_str()),
        None => (0, ""),
    };
    Receipt {
        message: &open.message,
        url: &delivery.target.url,
        outcome,
        attempts: delivery.attempts,
        status,
        error,
        answer,
    }
}

/// The same for whoever reads of all outcomes, in JSON.
pub(super) fn outcome_told(
    open: &Open,
    delivery: &Delivery,
    outcome: Outcome,
    ending: Option<&Ending>,
    answer: Option<&Answered>,
) -> Vec<u8> {
    receipt(open, delivery, outcome, ending, answer).body()
}

impl Deliveries {
    /// Whether anybody reads of outcomes.
    pub fn observe(&mut self, observed: bool) {
        self.observed = observed;
    }

    /// An outcome that somebody reads of; what it held is off the account of memory.
    pub fn next_outcome(&mut self, turn: &mut Turn) -> Option<Vec<u8>> {
        let body = self.outcomes.pop_front()?;
        turn.memory.give(body.len() as u64);
        Some(body)
    }

    /// An attempt has decided its delivery. That ends now, or, if somebody is told of it, once the
    /// answer's body is here.
    pub(super) fn decide(
        &mut self,
        turn: &mut Turn,
        key: Key,
        (outcome, ending): (Outcome, &Ending),
        attempt: Option<Attempt>,
        unfinished: bool,
    ) {
        if !unfinished || !self.tells(key, outcome) {
            return self.end(turn, key, outcome, Some(ending), attempt);
        }
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let before = delivery.charge();
        delivery.decided = Some(Box::new(Decided {
            outcome,
            ending: ending.clone(),
            attempt,
        }));
        // Never refused: the answer is all that there is to tell.
        turn.memory.charge(delivery.charge() - before);
    }

    /// Whether somebody is told if that delivery ends so.
    pub(super) fn tells(&self, key: Key, outcome: Outcome) -> bool {
        let delivery = self.deliveries.get(key).filter(|it| it.notice.is_none());
        let open = delivery.and_then(|it| self.messages.get(it.message));
        open.is_some_and(|open| open.terms.tells.of(outcome).next().is_some())
    }

    /// The delivery whose end waits for the body of that attempt's answer.
    pub(super) fn awaiting(&self, ticket: Ticket) -> Option<Key> {
        let open = self.open(ticket.id)?;
        let mut next = open.first;
        while let Some(key) = next {
            let delivery = self.deliveries.get(key)?;
            if delivery.number == ticket.number {
                return delivery.decided.is_some().then_some(key);
            }
            next = delivery.sibling;
        }
        None
    }

    /// The body is here, or as much of it as will come: the delivery ends.
    pub(super) fn answered(&mut self, turn: &mut Turn, key: Key, body: &[u8], truncated: bool) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let before = delivery.charge();
        let Some(decided) = delivery.decided.take() else {
            return;
        };
        turn.memory.give(before - delivery.charge());
        let Decided {
            outcome,
            ending,
            mut attempt,
        } = *decided;
        if let Some(answered) = attempt.as_mut().and_then(|it| it.answer.as_mut()) {
            answered.body = body.into();
            answered.truncated = truncated;
        }
        self.end(turn, key, outcome, Some(&ending), attempt);
    }

    /// Hands over what is owed: a message for each, in the same fact as the end that it tells of.
    pub(super) fn tell(&mut self, turn: &mut Turn, owed: Option<Owed>) {
        let Some(owed) = owed else {
            return;
        };
        for target in &owed.targets {
            let extra = Extra {
                options: owed.options.clone(),
                ..Extra::default()
            };
            let targets = [Arc::clone(target)];
            let draft = Draft {
                content_type: "application/json".into(),
                body: Body::Owed(owed.body.clone()),
                topics: TopicNames::default(),
                extra: (extra != Extra::default()).then(|| Box::new(extra)),
                plan: self.receipt_plan(turn, &owed),
                receivers: Receivers {
                    targets: &targets,
                    callbacks: &[],
                },
            };
            if let Ok(accepted) = draft.admit(turn, self) {
                self.own.push_back(accepted);
            }
        }
    }

    /// A receipt is tried as the defaults have it.
    fn receipt_plan(&self, turn: &Turn, owed: &Owed) -> Plan {
        let settings = &self.settings;
        Plan {
            method: Method::Post,
            delay: Duration::ZERO,
            retries: settings.retries,
            schedule: None,
            timeout: settings.timeout,
            expires: turn.now.mono + settings.expires,
            terms: owed.terms.clone(),
            strict: owed.strict,
            gates: None,
        }
    }

    /// A message of our own that was handed to the store and is not durable yet; each comes once.
    pub fn next_own(&mut self) -> Option<Accepted> {
        self.own.pop_front()
    }

    /// The id of a message that is accepted now.
    pub(in crate::dispatch) fn next_id(&mut self, turn: &mut Turn) -> MessageId {
        self.last = MessageId::next(self.last, turn.now.wall, turn.rng.u128());
        self.last
    }

    /// The message of that id, if anything of it is under way.
    fn open(&self, id: MessageId) -> Option<&Open> {
        self.messages.get(*self.by_id.get(&id)?)
    }
}
