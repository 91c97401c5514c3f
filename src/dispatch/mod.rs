//! Webhooks: intake of a POST, its deliveries, their retries. It never touches a connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::model::{Callback, Extra, Target, TopicNames};
use crate::port::Turn;

mod compose;
pub mod deliveries;
mod delivery;
mod draft;
mod fields;
pub mod flows;
pub mod gate;
pub mod intake;
pub mod notice;
pub mod once;
pub mod options;
pub mod outcome;
mod plan;
pub mod queue;
mod receipt;
mod redirect;
mod resend;
pub mod retry;
mod seal;
pub mod sign;
pub mod status;
pub mod target;

use deliveries::{Deliveries, Plan, Receivers};
use draft::{Body, Draft};
use intake::{Intake, Scratch, Submission, batch};
use once::{First, Once};
use sign::Keys;
use target::Targets;

pub use deliveries::NEAR_MAX;
pub use draft::{Accepted, Content, publish_cost};

/// Defaults of the per-message options (dispatch.md section 4).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Retries after the first attempt.
    pub retries: u32,
    /// The wait before each retry.
    pub schedule: retry::Schedule,
    /// Random part of each wait, in per cent either way.
    pub jitter_percent: u32,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
    /// Age at which a delivery is given up.
    pub expires: Duration,
    /// Signing keys by name.
    pub keys: Keys,
    /// Deliveries to those that subscribed to a topic.
    pub notices: notice::Settings,
    /// What was overdue at the start begins at this pace, in deliveries a second.
    pub recovery_rate: u32,
    /// The store keeps what it is given, so that deliveries need not wait in memory.
    pub keeps: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            retries: 9,
            schedule: retry::Schedule::default(),
            jitter_percent: 20,
            timeout: Duration::from_secs(15),
            expires: Duration::from_secs(4 * 24 * 3_600),
            keys: Keys::default(),
            notices: notice::Settings::default(),
            recovery_rate: 1_000,
            keeps: false,
        }
    }
}

/// The webhook room.
#[derive(Debug)]
pub struct Dispatch {
    settings: Settings,
    /// Everything on its way.
    pub deliveries: Deliveries,
    /// Requests that are taken once.
    pub once: Once,
    known: Targets,
    scratch: Scratch,
    targets: Vec<Arc<Target>>,
    callbacks: Vec<Callback>,
}

impl Dispatch {
    /// Nothing on its way. `seed` is for the maps; `began` is when the process did.
    #[must_use]
    pub fn new(settings: Settings, seed: u64, began: Now) -> Dispatch {
        Dispatch {
            deliveries: Deliveries::new(settings.clone(), seed.rotate_left(32), began),
            settings,
            once: Once::new(seed.rotate_left(16)),
            known: Targets::new(seed),
            scratch: Scratch::default(),
            targets: Vec::new(),
            callbacks: Vec::new(),
        }
    }

    /// Goes by other settings from now on; the pace after a start stays, and what the store can do.
    pub fn retune(&mut self, settings: &Settings) {
        self.settings = Settings {
            recovery_rate: self.settings.recovery_rate,
            keeps: self.settings.keeps,
            ..settings.clone()
        };
        self.deliveries.retune(&self.settings);
    }

    /// Takes in a POST: reads it, vets its targets, hands the message to the store. Its deliveries
    /// are held until the store has it. `vet` says whether a target may be called, or called by a
    /// message that asks for public addresses only; `callbacks_of` appends those that subscribed to
    /// any of the topics, if the message may be published to all of them.
    ///
    /// # Errors
    /// What is wrong with the request, or that memory is full; nothing was taken in then.
    pub fn accept(
        &mut self,
        turn: &mut Turn,
        submission: &Submission<'_>,
        vet: impl Fn(&Target, bool) -> Result<(), Problem>,
        callbacks_of: impl Fn(&TopicNames, &mut Vec<Callback>) -> Result<(), Problem>,
    ) -> Result<Accepted, Problem> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = intake::read(submission, &self.settings, turn.now.wall, &mut scratch);
        let accepted = read.and_then(|intake| self.take_in(turn, intake, &vet, &callbacks_of));
        self.scratch = scratch;
        accepted
    }

    /// Takes in a POST of many messages, all of them in this fact and so in one commit; gives the
    /// answer, what became of each of them in order. `each` gets each of them.
    ///
    /// # Errors
    /// What is wrong with the request as a whole; nothing was taken in then.
    pub fn accept_batch(
        &mut self,
        turn: &mut Turn,
        submission: &Submission<'_>,
        vet: impl Fn(&Target, bool) -> Result<(), Problem>,
        callbacks_of: impl Fn(&TopicNames, &mut Vec<Callback>) -> Result<(), Problem>,
        mut each: impl FnMut(Result<Accepted, Reason>),
    ) -> Result<Vec<u8>, Problem> {
        let now = turn.now.wall;
        let mut scratch = std::mem::take(&mut self.scratch);
        let items = batch::items(submission, now, &mut scratch);
        let mut answer = vec![b'['];
        for item in items.iter().flatten() {
            let item = submission.body.get(item.clone()).unwrap_or_default();
            let read = batch::read(submission, item, &self.settings, now, &mut scratch);
            let taken = read.and_then(|intake| self.take_in(turn, intake, &vet, &callbacks_of));
            batch::answer(&mut answer, &taken);
            each(taken.map_err(|why| why.reason));
        }
        self.scratch = scratch;
        answer.push(b']');
        items.map(|_| answer)
    }

    /// Takes in what was read, unless it was taken in before under the same key.
    fn take_in(
        &mut self,
        turn: &mut Turn,
        mut intake: Intake<'_>,
        vet: &impl Fn(&Target, bool) -> Result<(), Problem>,
        callbacks_of: &impl Fn(&TopicNames, &mut Vec<Callback>) -> Result<(), Problem>,
    ) -> Result<Accepted, Problem> {
        let Some(key) = intake.options.once.take() else {
            return self.take_in_once(turn, intake, vet, callbacks_of);
        };
        let scope = intake.scope;
        let key = once::Name { scope, key: &key };
        let digest = once::digest(&intake);
        if let Some(First { id, seq }) = self.once.first(turn.now.wall, key, &digest)? {
            turn.stats.add(Counter::MessagesRepeated, 1);
            return Ok(Accepted::again(id, seq));
        }
        if !Once::charge(turn, key) {
            turn.stats.add(Counter::MessagesRefusedForMemory, 1);
            return Err(Reason::MemoryFull.into());
        }
        let accepted = self.take_in_once(turn, intake, vet, callbacks_of);
        match &accepted {
            Ok(Accepted { id, seq, .. }) => {
                let first = First { id: *id, seq: *seq };
                self.once.keep(turn, key, digest, first);
            }
            Err(_) => Once::uncharge(turn, key),
        }
        accepted
    }

    fn take_in_once(
        &mut self,
        turn: &mut Turn,
        mut intake: Intake<'_>,
        vet: &impl Fn(&Target, bool) -> Result<(), Problem>,
        callbacks_of: &impl Fn(&TopicNames, &mut Vec<Callback>) -> Result<(), Problem>,
    ) -> Result<Accepted, Problem> {
        self.targets.clear();
        for url in intake.urls.strs() {
            let target = self.known.get(url)?;
            vet(&target, intake.options.strict)?;
            self.targets.push(target);
        }
        for (option, target) in intake.options.tells.iter() {
            vet(target, intake.options.strict).map_err(|why| receipt::named(option, why))?;
        }
        let (gates, flows) = (&intake.options.gates, self.deliveries.flows());
        if gates
            .as_ref()
            .is_some_and(|it| !it.have_room(flows, &self.targets))
        {
            return Err(Reason::FlowsFull.into());
        }
        let topics = TopicNames::of(intake.topics.bytes());
        self.callbacks.clear();
        if topics.bytes() > 0 {
            callbacks_of(&topics, &mut self.callbacks)?;
        }
        let extra = extra(&mut intake);
        let plan = Plan::asked(turn.now, &intake);
        let receivers = Receivers {
            targets: &self.targets,
            callbacks: &self.callbacks,
        };
        let draft = Draft {
            content_type: owned(intake.content_type),
            body: Body::Lent(intake.body),
            topics,
            extra,
            plan,
            receivers,
        };
        let accepted = draft.admit(turn, &mut self.deliveries)?;
        turn.stats.add(Counter::MessagesAccepted, 1);
        Ok(accepted)
    }

    /// Takes in what was not posted here but fetched, or handed over by another room: a message
    /// like any other, without targets of its own.
    ///
    /// # Errors
    /// Memory is full; nothing was taken in then.
    pub fn publish(
        &mut self,
        turn: &mut Turn,
        content: Content<'_>,
        callbacks: &[Callback],
    ) -> Result<Accepted, Problem> {
        let draft = content.draft(callbacks);
        draft.admit(turn, &mut self.deliveries)
    }
}

/// What the message brings along, if anything.
fn extra(intake: &mut Intake<'_>) -> Option<Box<Extra>> {
    let options = &mut intake.options;
    let extra = Extra {
        fields: intake.fields.into(),
        label: options.label.take(),
        event: options.event.take(),
        options: std::str::from_utf8(intake.kept).unwrap_or_default().into(),
        ..Extra::default()
    };
    (extra != Extra::default()).then(|| Box::new(extra))
}

/// The usual media type is no allocation.
fn owned(content_type: &str) -> Cow<'static, str> {
    match content_type {
        form::MEDIA_TYPE => Cow::Borrowed(form::MEDIA_TYPE),
        "" => Cow::Borrowed(""),
        other => Cow::Owned(other.to_owned()),
    }
}
