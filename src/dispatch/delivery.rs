//! One message on its way to one target: when it is due, what an attempt's ending means for it.
//! It never touches a line; attempts are carried out elsewhere and their endings come back.

use std::sync::Arc;
use std::time::Duration;

use crate::base::ledger::Ledger;
use crate::base::slab::Key;
use crate::base::time::{Mono, Now};
use crate::dispatch::Settings;
use crate::dispatch::deliveries::Plan;
use crate::dispatch::gate::{Gate, Gates};
use crate::dispatch::notice::{self, Notice};
use crate::dispatch::queue::{self, Order, Seat};
use crate::dispatch::receipt::Tells;
use crate::dispatch::redirect::{self, Hop};
use crate::dispatch::retry::Schedule;
use crate::dispatch::sign::Signer;
use crate::dispatch::status::Success;
use crate::model::record::{Attempt, Place, Work};
use crate::model::{Callback, Ending, Fault, MessageId, Method, Outcome, Target};

/// The least wait after a certificate was not what it should be (dispatch.md, `retry-schedule`):
/// somebody has to repair it first.
const UNTRUSTED_WAIT_MIN: Duration = Duration::from_secs(300);

/// What all deliveries of a message share besides the message itself.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Servers of our kind that it had passed when it came.
    pub hops: u8,
    /// Redirects that one attempt follows.
    pub redirects: u8,
    /// Bytes kept of an answer's body.
    pub capture: u32,
    /// Which statuses have delivered.
    pub success: Success,
    /// What signs each attempt.
    pub signer: Option<Signer>,
    /// Who is told when a delivery has ended.
    pub tells: Tells,
}

impl Terms {
    /// Bytes of memory held by what the message brought along.
    pub(super) fn bytes(&self) -> usize {
        let signer = self.signer.as_ref().map_or(0, Signer::bytes);
        signer + self.success.bytes() + self.tells.bytes()
    }
}

/// Memory a delivery is charged for besides its message, its target and its schedule.
const DELIVERY_BYTES: usize = 384;

/// What a delivery is charged for besides its message, in bytes. A target that several deliveries
/// share is charged to each of them: none of them knows who will be the last to hold it.
pub(super) fn charge(target: &Target, schedule: Option<&Schedule>, gates: Option<&Gates>) -> u64 {
    let (schedule, gates) = (schedule.map(Schedule::bytes), gates.map(Gates::bytes));
    (DELIVERY_BYTES + target.bytes() + schedule.unwrap_or(0) + gates.unwrap_or(0)) as u64
}

/// A message's way to one of its targets.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The message, in dispatch's slab of messages.
    pub(super) message: Key,
    /// The message's next delivery.
    pub(super) sibling: Option<Key>,
    /// The one before it. A topic may have very many subscribers, and each ends when it likes.
    pub(super) before: Option<Key>,
    /// Its number within the message, from 1.
    pub(super) number: u32,
    pub(super) target: Arc<Target>,
    /// Its place in the queue.
    pub(super) seat: Seat,
    pub(super) method: Method,
    /// Attempts begun.
    pub(super) attempts: u32,
    pub(super) retries: u32,
    /// The message's own schedule, if it has one.
    pub(super) schedule: Option<Schedule>,
    pub(super) timeout: Duration,
    pub(super) expires: Mono,
    /// Only public addresses.
    pub(super) strict: bool,
    pub(super) state: State,
    /// When the attempt under way, or the last one, began.
    pub(super) began: Now,
    /// Where the attempt under way was sent on to, if it was.
    pub(super) hop: Option<Box<Hop>>,
    /// Why it is not tried again, in one word.
    pub(super) called_off: Option<&'static str>,
    /// What it has besides if it goes to a subscriber.
    pub(super) notice: Option<Box<Notice>>,
    /// What the answer decided whose body is awaited before it ends.
    pub(super) decided: Option<Box<Decided>>,
    /// Where it stands in its queue and its flow, if it has any.
    pub(super) gate: Option<Box<Gate>>,
}

/// How a delivery ends, once the answer that decided it is here as a whole.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) outcome: Outcome,
    pub(super) ending: Ending,
    pub(super) attempt: Option<Attempt>,
}

impl Decided {
    /// What it is charged for, in bytes.
    fn bytes(&self) -> u64 {
        (size_of::<Decided>() + self.attempt.as_ref().map_or(0, Attempt::bytes)) as u64
    }
}

/// The states of a delivery.
///
/// ```text
///    ┌─► Behind ─────┐    ┌─► Offered ─────┐
///    │               │    │ due            │ release
///    │      its turn ▼    │                ▼
///  Held ─durable─► Waiting ────due────► Queued ──line──► Active ──► (ended)
///                    ▲    │                ▲                │
///                    │    └─────► Gated ───┘ flow           │
///                    └────────────── retry ─────────────────┘
/// ```
///
/// A notice passes through Offered, once, when it is due for the first time; nothing else does.
/// Behind is what has others before it in its queue, Gated what its flow does not let go yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The message is not durable yet; it is due this long after it is.
    Held {
        /// The publisher's delay.
        delay: Duration,
    },
    /// Not due before this time.
    Waiting {
        /// The due time.
        due: Mono,
        /// Its node of the wheel; none if it stands in the due-index.
        node: Option<Key>,
    },
    /// Others are before it in its queue.
    Behind {
        /// Not due before this time, when it is its turn.
        due: Mono,
    },
    /// Due, and held by its flow.
    Gated,
    /// A notice that may go, once it is released.
    Offered,
    /// In its origin's lane.
    Queued,
    /// An attempt is under way.
    Active,
}

/// What an attempt's ending means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is over.
    End(Outcome),
    /// Another attempt, this retry's number, and what its target or its failure asks for.
    Retry {
        /// From 1.
        number: u32,
        /// The least wait.
        at_least: Option<Duration>,
    },
    /// The same attempt goes on where the answer says.
    Follow,
}

/// Where a delivery to `target` belongs: to its origin, or to its queue or flow.
fn seat(target: &Target, plan: &Plan) -> Seat {
    let gates = plan.gates.as_ref();
    let (lane, is_queue) = gates.map_or((target.lane, false), |gates| gates.lane(target));
    Seat {
        lane,
        order: if is_queue {
            Order::Accepted
        } else {
            Order::Time
        },
        taken: false,
    }
}

impl Delivery {
    /// A delivery of a message that is not durable yet.
    pub(super) fn held(message: Key, number: u32, target: Arc<Target>, plan: &Plan) -> Delivery {
        Delivery {
            message,
            sibling: None,
            before: None,
            number,
            seat: seat(&target, plan),
            target,
            method: plan.method,
            attempts: 0,
            retries: plan.retries,
            schedule: plan.schedule.clone(),
            timeout: plan.timeout,
            expires: plan.expires,
            strict: plan.strict,
            state: State::Held { delay: plan.delay },
            began: Now::default(),
            hop: None,
            called_off: None,
            notice: None,
            decided: None,
            gate: plan.gates.as_ref().map(|gates| Box::new(Gate::of(gates))),
        }
    }

    /// A delivery to a subscriber, of a message that is not durable yet: it is tried as
    /// `settings` have it, until its time or the lease is up.
    pub(super) fn notice(
        message: Key,
        number: u32,
        callback: &Callback,
        plan: &Plan,
        settings: &notice::Settings,
        now: Mono,
    ) -> Delivery {
        Delivery {
            method: Method::Post,
            retries: u32::MAX,
            schedule: None,
            timeout: settings.timeout,
            expires: now + plan.delay + settings.expires,
            strict: callback.strict,
            seat: Seat {
                lane: notice::lane(callback, plan.delay),
                order: match plan.delay.is_zero() {
                    true => Order::Noticed,
                    false => Order::Time,
                },
                taken: false,
            },
            notice: Some(Box::new(Notice::of(callback))),
            gate: None,
            ..Delivery::held(message, number, Arc::clone(&callback.target), plan)
        }
    }

    /// What the store keeps of it, as it stands before its first attempt.
    pub(super) fn work(&self, now: Now, id: MessageId) -> Work {
        let delay = match self.state {
            State::Held { delay } => delay,
            _ => Duration::ZERO,
        };
        Work {
            id,
            number: self.number,
            target: Arc::clone(&self.target),
            place: self.place(now, id, now.mono + delay),
            expires: now.wall + self.expires.since(now.mono),
            attempts: self.attempts,
            subscription: self.notice.as_ref().map_or(0, |notice| notice.number),
        }
    }

    /// Its place among the work if it is due then.
    pub(super) fn place(&self, now: Now, id: MessageId, due: Mono) -> Place {
        let due = queue::wall_at(now, due);
        Place {
            lane: self.seat.lane,
            rank: match self.seat.order.is_fifo() {
                true => id.number(),
                false => due.0,
            },
            due,
            parked: false,
        }
    }

    /// What it is charged for besides its message, in bytes.
    pub(super) fn charge(&self) -> u64 {
        let notice = self.notice.as_ref().map_or(0, |notice| notice.bytes());
        let decided = self.decided.as_ref().map_or(0, |decided| decided.bytes());
        let gates = self.gate.as_ref().map(|gate| &*gate.gates);
        let own = charge(&self.target, self.schedule.as_ref(), gates);
        own + notice + decided + self.hop_bytes()
    }

    /// What it is charged for where the attempt under way was sent on to, in bytes.
    fn hop_bytes(&self) -> u64 {
        self.hop.as_ref().map_or(0, |hop| hop.bytes())
    }

    /// The attempt under way goes on elsewhere, once it is due there.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn send_on(&mut self, memory: &mut Ledger, hop: Hop) -> Result<(), &'static str> {
        if !memory.take(hop.bytes()) {
            return Err("memory_full");
        }
        self.come_back(memory);
        self.hop = Some(Box::new(hop));
        self.state = State::Queued;
        Ok(())
    }

    /// What comes next goes to its own target again.
    pub(super) fn come_back(&mut self, memory: &mut Ledger) {
        memory.give(self.hop_bytes());
        self.hop = None;
    }

    /// Whether it can be dropped from memory while it waits: whoever keeps the order of notices
    /// knows them by their keys, from the first offer on.
    pub(super) fn may_park(&self) -> bool {
        let offered = |notice: &Notice| notice.released || self.state == State::Offered;
        !self.notice.as_ref().is_some_and(|it| offered(it))
    }

    /// Whether an attempt is under way, perhaps about to go on where it was sent.
    pub(super) fn is_active(&self) -> bool {
        self.state == State::Active || self.hop.is_some()
    }

    /// Where the attempt under way goes.
    pub(super) fn target_now(&self) -> &Arc<Target> {
        self.hop.as_ref().map_or(&self.target, |hop| &hop.target)
    }

    /// How long it waits in a lane at most.
    pub(super) fn waits_until(&self) -> Mono {
        let hop = self.hop.as_ref().map_or(Mono::NEVER, |hop| hop.until);
        self.expires.min(hop)
    }

    /// Whether no attempt may begin any more.
    pub(super) fn is_over(&self, now: Mono) -> bool {
        let lapsed = self.notice.as_ref().is_some_and(|it| it.until <= now);
        self.expires <= now || lapsed || self.called_off.is_some()
    }

    /// Whether it has to be released before it goes.
    pub(super) fn waits_for_release(&self) -> bool {
        self.notice.as_ref().is_some_and(|notice| !notice.released)
    }

    /// The waits between its attempts, and their random part in per cent.
    pub(super) fn pace<'a>(&'a self, settings: &'a Settings) -> (&'a Schedule, u32) {
        match (&self.notice, &self.schedule) {
            (Some(_), _) => (&settings.notices.schedule, settings.notices.jitter_percent),
            (None, Some(own)) => (own, settings.jitter_percent),
            (None, None) => (&settings.schedule, settings.jitter_percent),
        }
    }

    /// Whether the attempt under way has left its origin.
    pub(super) fn is_stripped(&self) -> bool {
        self.hop.as_ref().is_some_and(|hop| hop.stripped)
    }

    /// Judges the ending of the attempt under way (dispatch.md sections 4, 7 and 10): what counts
    /// as success delivers and so does 303, 410 is final and so is a target that we
    /// forbid, a redirect is followed while hops are
    /// left, everything else is tried again while the budget lasts. What was called off meanwhile
    /// is delivered, or canceled.
    pub(super) fn judge(&self, terms: &Terms, ending: &Ending) -> Next {
        if self.notice.is_some() {
            return self.judge_notice(ending);
        }
        match self.judge_webhook(terms, ending) {
            Next::End(Outcome::Delivered) => Next::End(Outcome::Delivered),
            _ if self.called_off.is_some() => Next::End(Outcome::Canceled),
            next => next,
        }
    }

    fn judge_webhook(&self, terms: &Terms, ending: &Ending) -> Next {
        let hops = self.hop.as_ref().map_or(0, |hop| hop.count);
        match ending {
            Ending::Answer { status, .. } if *status == 303 || terms.success.has(*status) => {
                Next::End(Outcome::Delivered)
            }
            Ending::Answer { status: 410, .. } => Next::End(Outcome::Failed),
            Ending::Answer { status, .. }
                if redirect::redirects(*status) && hops < terms.redirects =>
            {
                Next::Follow
            }
            Ending::Answer { retry_after, .. } => self.retry(*retry_after),
            Ending::Fault {
                fault: Fault::Policy,
                ..
            } => Next::End(Outcome::Failed),
            Ending::Fault { fault, detail } if is_untrusted(*fault, detail) => {
                self.retry(Some(UNTRUSTED_WAIT_MIN))
            }
            Ending::Fault { .. } => self.retry(None),
        }
    }

    fn judge_notice(&self, ending: &Ending) -> Next {
        match (notice::verdict(ending), ending) {
            (Some(outcome), _) => Next::End(outcome),
            (None, _) if self.called_off.is_some() => Next::End(Outcome::Canceled),
            (None, Ending::Answer { retry_after, .. }) => self.retry(*retry_after),
            (None, Ending::Fault { .. }) => self.retry(None),
        }
    }

    /// The next retry, or the end of them.
    pub(super) fn retry(&self, at_least: Option<Duration>) -> Next {
        match self.attempts > self.retries {
            true => Next::End(Outcome::Failed),
            false => Next::Retry {
                number: self.attempts,
                at_least,
            },
        }
    }
}

/// Whether the target's certificate is the trouble.
fn is_untrusted(fault: Fault, detail: &str) -> bool {
    fault == Fault::Tls && detail.starts_with("tls_cert_")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::dispatch::target;

    fn delivery(attempts: u32) -> Delivery {
        let plan = Plan {
            method: Method::Post,
            delay: Duration::ZERO,
            retries: 2,
            schedule: None,
            timeout: Duration::from_secs(1),
            strict: false,
            expires: Mono::NEVER,
            terms: Terms::default(),
            gates: None,
        };
        let target = Arc::new(target::parse("https://127.0.0.1/").unwrap());
        let message = Key::from_bits(1 << 32).unwrap();
        let mut delivery = Delivery::held(message, 1, target, &plan);
        delivery.attempts = attempts;
        delivery
    }

    fn answer(status: u16, retry_after: Option<Duration>) -> Ending {
        Ending::Answer {
            status,
            retry_after,
        }
    }

    fn fault(fault: Fault, detail: &'static str) -> Ending {
        Ending::Fault { fault, detail }
    }

    #[test]
    fn each_ending_has_its_meaning() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let retry = |at_least| Next::Retry {
            number: 1,
            at_least,
        };
        let rows = [
            (answer(200, None), Next::End(Outcome::Delivered)),
            (answer(204, minutes(1)), Next::End(Outcome::Delivered)),
            (answer(303, None), Next::End(Outcome::Delivered)),
            (answer(410, minutes(1)), Next::End(Outcome::Failed)),
            (answer(302, None), retry(None)),
            (answer(500, None), retry(None)),
            (answer(503, minutes(7)), retry(minutes(7))),
            (fault(Fault::Connect, "refused"), retry(None)),
            (fault(Fault::Timeout, "no_answer"), retry(None)),
            (fault(Fault::Tls, "tls_cert_expired"), retry(minutes(5))),
            (fault(Fault::Tls, "tls_cert_unknown_ca"), retry(minutes(5))),
            (fault(Fault::Tls, "tls_not_tls"), retry(None)),
            (fault(Fault::Tls, "tls_closed_in_handshake"), retry(None)),
        ];
        for (ending, next) in rows {
            assert_eq!(
                delivery(1).judge(&Terms::default(), &ending),
                next,
                "{ending}"
            );
        }
        let spent = delivery(3).judge(&Terms::default(), &fault(Fault::Tls, "tls_cert_expired"));
        assert_eq!(spent, Next::End(Outcome::Failed));
    }
}
