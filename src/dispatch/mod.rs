//! Webhooks: intake of a POST, its deliveries, their retries. It never touches a connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::model::{Extra, Message, MessageId, Target, TopicNames};
use crate::port::{Action, Seq, StoreOp, Turn};

mod compose;
pub mod deliveries;
mod delivery;
mod far;
mod fields;
pub mod history;
pub mod intake;
pub mod options;
mod redirect;
pub mod retry;
pub mod sign;
pub mod status;
pub mod target;

use deliveries::{Deliveries, Plan};
use delivery::Terms;
use intake::{Intake, Scratch, Submission};
use sign::Keys;
use target::Targets;

pub use deliveries::NEAR_MAX;

/// Defaults of the per-message options (dispatch.md section 4).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Retries after the first attempt.
    pub retries: u32,
    /// The wait before each retry.
    pub schedule: retry::Schedule,
    /// The wait before each retry of what goes to a subscriber's callback.
    pub hub_schedule: retry::Schedule,
    /// Random part of each wait, in per cent either way.
    pub jitter_percent: u32,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
    /// Age at which a delivery is given up.
    pub expires: Duration,
    /// Signing keys by name.
    pub keys: Keys,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            retries: 9,
            schedule: retry::Schedule::default(),
            hub_schedule: retry::Schedule::parse("10s,1m,5m,30m,2h,6h,12h").unwrap_or_default(),
            jitter_percent: 20,
            timeout: Duration::from_secs(15),
            expires: Duration::from_secs(4 * 24 * 3_600),
            keys: Keys::default(),
        }
    }
}

/// A message that was taken in.
#[derive(Debug)]
pub struct Accepted {
    /// Its id.
    pub id: MessageId,
    /// Its place among the deliveries, if it has any.
    pub open: Option<Key>,
    /// The message itself, if it is to be published to topics.
    pub publish: Option<Arc<Message>>,
}

/// What a message is charged while it waits to be published, in bytes.
#[must_use]
pub fn publish_cost(message_bytes: usize) -> u64 {
    message_bytes as u64 + 256
}

/// The webhook room.
#[derive(Debug)]
pub struct Dispatch {
    settings: Settings,
    /// Everything on its way.
    pub deliveries: Deliveries,
    known: Targets,
    scratch: Scratch,
    targets: Vec<Arc<Target>>,
    last: MessageId,
}

impl Dispatch {
    /// Nothing on its way. `seed` is for the map of known targets.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Dispatch {
        Dispatch {
            deliveries: Deliveries::new(settings.clone(), seed.rotate_left(32)),
            settings,
            known: Targets::new(seed),
            scratch: Scratch::default(),
            targets: Vec::new(),
            last: MessageId::default(),
        }
    }

    /// Takes in a POST: reads it, vets its targets, hands the message to the store under the number
    /// `seq`. Its deliveries are held until the store has it. `vet` says whether a target may be
    /// called, or called by a message that asks for public addresses only.
    ///
    /// # Errors
    /// What is wrong with the request, or that memory is full; nothing was taken in then.
    pub fn accept(
        &mut self,
        turn: &mut Turn,
        seq: Seq,
        submission: &Submission<'_>,
        vet: impl Fn(&Target, bool) -> Result<(), Problem>,
    ) -> Result<Accepted, Problem> {
        let now = turn.now.wall;
        let mut intake = intake::read(submission, &self.settings, now, &mut self.scratch)?;
        self.targets.clear();
        for url in intake.urls.strs() {
            let target = self.known.get(url)?;
            vet(&target, intake.options.strict)?;
            self.targets.push(target);
        }
        let has_topics = !intake.topics.is_empty();
        let extra = extra(&mut intake);
        let topics = TopicNames::of(intake.topics.bytes());
        let bytes = intake.body.len()
            + intake.content_type.len()
            + topics.bytes()
            + extra.as_ref().map_or(0, |extra| extra.bytes());
        let plan = plan(turn, &intake);
        let cost = u64::from(has_topics) * publish_cost(bytes) + plan.cost(bytes, &self.targets);
        if !turn.memory.take(cost) {
            turn.stats.add(Counter::MessagesRefusedForMemory, 1);
            return Err(Reason::MemoryFull.into());
        }
        self.last = MessageId::next(self.last, turn.now.wall, turn.rng.u128());
        let message = Arc::new(Message {
            id: self.last,
            accepted: turn.now.wall,
            content_type: owned(intake.content_type),
            body: Frame::copy_of(intake.body),
            topics,
            extra,
        });
        let open = self.deliveries.insert(&message, &self.targets, &plan);
        turn.stats.add(Counter::MessagesAccepted, 1);
        let publish = has_topics.then(|| Arc::clone(&message));
        turn.actions
            .push_back(Action::Store(StoreOp::Accept { seq, message }));
        Ok(Accepted {
            id: self.last,
            open,
            publish,
        })
    }
}

/// What the message brings along, if anything.
fn extra(intake: &mut Intake<'_>) -> Option<Box<Extra>> {
    let options = &mut intake.options;
    let extra = Extra {
        fields: intake.fields.into(),
        label: options.label.take(),
        event: options.event.take(),
    };
    (extra != Extra::default()).then(|| Box::new(extra))
}

fn plan(turn: &Turn, intake: &Intake<'_>) -> Plan {
    let (now, options) = (turn.now, &intake.options);
    Plan {
        method: intake.method,
        delay: options.not_before.since(now.wall),
        retries: options.retries,
        schedule: options.schedule.clone(),
        timeout: options.timeout,
        strict: options.strict,
        expires: now.mono + options.expires_at.since(now.wall),
        terms: Terms {
            hops: intake.hops,
            redirects: options.redirects,
            capture: options.capture,
            success: options.success.clone(),
            signer: options.signer.clone(),
        },
    }
}

/// The usual media type is no allocation.
fn owned(content_type: &str) -> Cow<'static, str> {
    match content_type {
        form::MEDIA_TYPE => Cow::Borrowed(form::MEDIA_TYPE),
        "" => Cow::Borrowed(""),
        other => Cow::Owned(other.to_owned()),
    }
}
