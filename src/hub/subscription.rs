//! One subscriber of one topic: asked for, verified, renewed, gone. What holds is what was verified
//! last; nothing that is merely asked for changes it (WebSub section 5.1).
//! It makes no call and reads no answer.

use std::sync::Arc;
use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::{Mono, Now, Wall};
use crate::hub::name::{Callback, TopicName};
use crate::hub::queue::Queue;
use crate::hub::verify::Verification;
use crate::hub::version::Had;
use crate::model::Seal;

/// What a subscription is charged for besides what its subscriber chose the size of, in bytes.
const SUBSCRIPTION_BYTES: usize = size_of::<Subscription>() + 256;

/// A callback and its topic.
#[derive(Debug)]
pub(super) struct Subscription {
    /// Its own for ever: what is kept of it, and of what waits for it, is known by that.
    pub(super) number: u64,
    pub(super) topic: Key,
    /// Its place in the topic's list.
    pub(super) place: usize,
    pub(super) callback: Callback,
    pub(super) state: State,
    pub(super) queue: Queue,
    pub(super) past: Past,
    pub(super) had: Had,
    /// The value of the Link field, once it is verified.
    pub(super) link: Arc<str>,
    /// When the agenda looks at it.
    pub(super) stands: Mono,
    /// Bytes on the account of memory.
    pub(super) charged: u64,
    /// What the store was given last; zero for nothing.
    pub(super) kept: u64,
}

/// The states of a subscription.
///
/// ```text
///             verified                 asked again
///  Pending ─────────────► Active ──────────────────► Changing
///   │   ▲                  │  ▲                        │ │ │
///   │   │                  │  └─ verified, or failed ──┘ │ │
///   │   └──────────────────┼──── lease over, 410 ────────┘ │
///   │ failed               │ lease over, 410               │ end verified
///   └──────────► Gone ◄────┴───────────────────────────────┘
/// ```
///
/// A denial leads from everywhere to `Gone`.
#[derive(Debug)]
pub(super) enum State {
    /// Asked for, never verified, or not any more.
    Pending(Verification),
    /// Verified.
    Active(Terms),
    /// Verified, and something else is asked for: other terms, the same for longer, or the end.
    Changing(Terms, Verification),
    /// Over: whoever sees this takes it away.
    Gone,
}

/// What was asked for, and holds once it is verified.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The topic as the request has it, which every verification repeats.
    pub(super) topic: TopicName,
    /// What signs its deliveries.
    pub(super) seal: Option<Arc<Seal>>,
    /// What every verification repeats, if the request has it.
    pub(super) token: Option<Box<[u8]>>,
    /// From the verification's GET to the end.
    pub(super) lease: Duration,
    /// The end.
    pub(super) until: Mono,
    /// The same on the other clock: it is the end after a restart, too.
    pub(super) ends: Wall,
    /// Whether it is verified again before its end, without being asked (version 0.3 section 6.3).
    pub(super) renews: bool,
    /// When that is; never, once it was answered with a no.
    pub(super) renew_at: Mono,
    /// Whether the subscriber may be anywhere this server's own policy allows.
    pub(super) local: bool,
    /// The server as the subscriber called it, for links where it has no public URL.
    pub(super) host: Box<str>,
}

/// What happened to a subscription's deliveries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    /// When an attempt ended last.
    pub(super) last: Option<Wall>,
    /// Its status, 0 if there was no answer.
    pub(super) status: u16,
    /// What happened instead of an answer.
    pub(super) error: &'static str,
    /// Attempts that have failed since the last delivery.
    pub(super) failures: u32,
}

impl Terms {
    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        let seal = self
            .seal
            .as_ref()
            .map_or(0, |seal| size_of::<Seal>() + seal.secret.len());
        let token = self.token.as_ref().map_or(0, |token| token.len());
        self.topic.bytes() + seal + token + self.host.len()
    }

    /// They hold from the time at which the verification's GET was sent (hub.md C8).
    fn begin(mut self, sent: Now) -> Terms {
        self.until = sent.mono + self.lease;
        self.ends = sent.wall + self.lease;
        self.renew_at = match self.renews {
            true => sent.mono + self.lease * 9 / 10,
            false => Mono::NEVER,
        };
        self
    }
}

impl Subscription {
    /// One without deliveries, in that state.
    pub(super) fn new(number: u64, topic: Key, callback: Callback, state: State) -> Subscription {
        Subscription {
            number,
            topic,
            place: 0,
            callback,
            state,
            queue: Queue::default(),
            past: Past::default(),
            had: Had::default(),
            link: Arc::from(""),
            stands: Mono::NEVER,
            charged: 0,
            kept: 0,
        }
    }

    /// What it is to be charged, in bytes. Its key stands in the map as well.
    pub(super) fn bytes(&self) -> u64 {
        let own = SUBSCRIPTION_BYTES + 2 * self.callback.bytes() + self.link.len();
        let terms = self.state.terms().map_or(0, Terms::bytes);
        let asked = self.state.asked().map_or(0, Verification::bytes);
        (own + terms + asked) as u64
    }

    /// The terms, if they hold now: a lease that is over does not, whatever the timer has done.
    pub(super) fn holds(&self, now: Mono) -> Option<&Terms> {
        self.state.terms().filter(|terms| terms.until > now)
    }

    /// When it has to be looked at next.
    pub(super) fn next_look(&self) -> Mono {
        let asked = self
            .state
            .asked()
            .map_or(Mono::NEVER, Verification::next_look);
        match &self.state {
            State::Active(terms) => terms.until.min(terms.renew_at),
            State::Changing(terms, _) => asked.min(terms.until),
            State::Pending(_) | State::Gone => asked,
        }
    }
}

impl State {
    fn take(&mut self) -> State {
        std::mem::replace(self, State::Gone)
    }

    /// What was verified last.
    pub(super) fn terms(&self) -> Option<&Terms> {
        match self {
            State::Active(terms) | State::Changing(terms, _) => Some(terms),
            State::Pending(_) | State::Gone => None,
        }
    }

    /// What is being verified.
    pub(super) fn asked(&self) -> Option<&Verification> {
        match self {
            State::Pending(asked) | State::Changing(_, asked) => Some(asked),
            State::Active(_) | State::Gone => None,
        }
    }

    /// The same, for changing.
    pub(super) fn asked_mut(&mut self) -> Option<&mut Verification> {
        match self {
            State::Pending(asked) | State::Changing(_, asked) => Some(asked),
            State::Active(_) | State::Gone => None,
        }
    }

    /// Something is asked for: the newest request is the one that counts (hub.md C12). Gives what
    /// was asked for before.
    pub(super) fn ask(&mut self, newer: Verification) -> Option<Verification> {
        match self.take() {
            State::Pending(older) => {
                *self = State::Pending(newer);
                Some(older)
            }
            State::Active(terms) => {
                *self = State::Changing(terms, newer);
                None
            }
            State::Changing(terms, older) => {
                *self = State::Changing(terms, newer);
                Some(older)
            }
            State::Gone => {
                *self = State::Pending(newer);
                None
            }
        }
    }

    /// The subscriber wants what was asked for; it was asked at `sent`.
    pub(super) fn verified(&mut self, sent: Now) -> Option<Verification> {
        match self.take() {
            State::Pending(mut asked) | State::Changing(_, mut asked) => {
                if let Some(terms) = asked.terms.take() {
                    *self = State::Active(terms.begin(sent));
                }
                Some(asked)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// The subscriber does not want it, or cannot be asked: all is as it was.
    pub(super) fn failed(&mut self) -> Option<Verification> {
        match self.take() {
            State::Pending(asked) => Some(asked),
            State::Changing(mut terms, asked) => {
                // It is not asked for more of the same again.
                if asked.renewal {
                    terms.renew_at = Mono::NEVER;
                }
                *self = State::Active(terms);
                Some(asked)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// What was verified does not hold any more: its lease is over, or its subscriber is.
    pub(super) fn lapsed(&mut self) {
        match self.take() {
            State::Changing(_, asked) | State::Pending(asked) => *self = State::Pending(asked),
            State::Active(_) | State::Gone => {}
        }
    }

    /// It is over. Gives what was asked for.
    pub(super) fn denied(&mut self) -> Option<Verification> {
        match self.take() {
            State::Pending(asked) | State::Changing(_, asked) => Some(asked),
            State::Active(_) | State::Gone => None,
        }
    }

    /// One word for people.
    pub(super) fn word(&self) -> &'static str {
        match self {
            State::Pending(_) => "pending",
            State::Active(_) => "active",
            State::Changing(..) => "changing",
            State::Gone => "gone",
        }
    }
}
