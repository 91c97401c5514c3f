//! Verification of intent: what is asked of a subscriber, and what its answer means (WebSub section
//! 5.3). It sends nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::rng::Rng;
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::hub::name::TopicName;
use crate::hub::settings::Steps;
use crate::hub::subscription::Terms;
use crate::model::{Answer, Ending, Fault};

/// Characters of a challenge: 32 bytes in base64url.
pub(super) const CHALLENGE_BYTES: usize = 43;
/// The whole exchange of a verification, a denial, or a question to the publisher.
pub(super) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a subscriber may put us off with Retry-After.
const PUT_OFF_MAX: Duration = Duration::from_secs(300);

/// What makes an answer ours: random, and never used twice.
pub(super) type Challenge = [u8; CHALLENGE_BYTES];

/// Draws a challenge.
pub(super) fn challenge(rng: &mut Rng) -> Challenge {
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    let mut text = [0; CHALLENGE_BYTES];
    let written = URL_SAFE_NO_PAD.encode_slice(secret, &mut text);
    debug_assert_eq!(written, Ok(CHALLENGE_BYTES));
    text
}

/// Whoever waits for the outcome of a verification, if anybody.
pub type Ticket = u64;

/// The topic and the token of an end, as the request has them.
pub(super) type Ended = (TopicName, Option<Box<[u8]>>);

/// What is asked of a subscriber.
#[derive(Debug)]
pub(super) struct Verification {
    /// What it is to be subscribed under; none if it is to be unsubscribed.
    pub(super) terms: Option<Terms>,
    /// For an end: topic and token as the request has them. Terms have their own.
    pub(super) ended: Option<Ended>,
    /// How often it was asked and gave no answer.
    pub(super) tries: u32,
    pub(super) step: Step,
    /// Who waits for the outcome, and until when.
    pub(super) ticket: Option<(Ticket, Mono)>,
    /// Nobody asked for it: a lease is to go on.
    pub(super) renewal: bool,
    /// Whether the callback may be anywhere this server's own policy allows.
    pub(super) local: bool,
}

/// The steps of a verification.
///
/// ```text
///  Unapproved ─► Approval ──yes──► Gated ──────► Out ──► (verified, failed)
///       ▲           │ no answer      ▲            │ no answer
///       └─ Waiting ◄┘                └─ Waiting ◄─┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The publisher is to be asked whether it may be.
    Unapproved,
    /// The publisher is asked.
    Approval(Key),
    /// Other calls to the same host come first.
    Gated,
    /// The GET is on its way.
    Out(Key),
    /// There was no answer; it is asked again then.
    Waiting {
        /// The time.
        due: Mono,
        /// Whether it is the publisher who is asked.
        approval: bool,
    },
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    /// It is wanted.
    Yes,
    /// It is not.
    No,
    /// It was no answer; when to ask again, if the subscriber said so.
    Unclear(Option<Duration>),
}

impl Verification {
    /// One that has only been asked for.
    pub(super) fn new(terms: Option<Terms>, ended: Option<Ended>, local: bool) -> Verification {
        Verification {
            terms,
            ended,
            tries: 0,
            step: Step::Gated,
            ticket: None,
            renewal: false,
            local,
        }
    }

    /// The same at that step.
    pub(super) fn at(mut self, step: Step) -> Verification {
        self.step = step;
        self
    }

    /// The topic, as the request has it.
    pub(super) fn topic(&self) -> &str {
        let ended = self.ended.as_ref().map(|(topic, _)| topic);
        let topic = self.terms.as_ref().map(|terms| &terms.topic).or(ended);
        topic.map_or("", TopicName::given)
    }

    /// What a subscriber of version 0.3 wants to hear again.
    pub(super) fn token(&self) -> Option<&[u8]> {
        match (&self.terms, &self.ended) {
            (Some(terms), _) => terms.token.as_deref(),
            (None, Some((_, token))) => token.as_deref(),
            (None, None) => None,
        }
    }

    /// The word of hub.mode.
    pub(super) fn mode(&self) -> &'static str {
        match self.terms {
            Some(_) => "subscribe",
            None => "unsubscribe",
        }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        let ended = self.ended.as_ref().map_or(0, |(topic, token)| {
            topic.bytes() + token.as_ref().map_or(0, |token| token.len())
        });
        self.terms.as_ref().map_or(0, Terms::bytes) + ended
    }

    /// When it has to be looked at next.
    pub(super) fn next_look(&self) -> Mono {
        let patience = self.ticket.map_or(Mono::NEVER, |(_, until)| until);
        match self.step {
            Step::Waiting { due, .. } => due.min(patience),
            _ => patience,
        }
    }

    /// Whether this call is the one it waits for; any other is of an older request.
    pub(super) fn waits_for(&self, call: Key) -> bool {
        matches!(self.step, Step::Out(out) | Step::Approval(out) if out == call)
    }

    /// It got no answer: whether it is asked again, and when. Somebody who waits is not kept
    /// waiting (version 0.3 section 6.2: only what is asynchronous is tried again).
    pub(super) fn again(&mut self, now: Mono, steps: &Steps, at_least: Option<Duration>) -> bool {
        let approval = matches!(self.step, Step::Approval(_));
        self.tries = self.tries.saturating_add(1);
        let wait = steps.wait(self.tries).filter(|_| self.ticket.is_none());
        let Some(wait) = wait else {
            return false;
        };
        let asked = at_least.unwrap_or_default().min(PUT_OFF_MAX);
        let due = now + wait.max(asked);
        self.step = Step::Waiting { due, approval };
        true
    }
}

/// Judges a subscriber's answer: any 2xx with exactly the challenge is a yes; what is not even an
/// answer is asked again (hub.md C10, C11).
pub(super) fn sense(challenge: &Challenge, ending: &Ending, answer: Option<Answer<'_>>) -> Sense {
    match ending {
        Ending::Answer {
            status: 200..=299, ..
        } => match answer {
            Some(answer) if !answer.truncated && same(answer.body, challenge) => Sense::Yes,
            _ => Sense::No,
        },
        other => unanswered(other),
    }
}

/// What the lack of a yes means.
pub(super) fn unanswered(ending: &Ending) -> Sense {
    match ending {
        Ending::Answer {
            status: 429 | 500..=599,
            retry_after,
        } => Sense::Unclear(*retry_after),
        Ending::Answer { .. }
        | Ending::Fault {
            fault: Fault::Policy,
            ..
        } => Sense::No,
        Ending::Fault { .. } => Sense::Unclear(None),
    }
}

/// Compares in a time that does not tell how much of it is right.
fn same(body: &[u8], challenge: &Challenge) -> bool {
    let pairs = body.iter().zip(challenge);
    let differing = pairs.fold(0, |sum, (one, other)| sum | (one ^ other));
    body.len() == CHALLENGE_BYTES && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &[u8], truncated: bool) -> Sense {
        let ending = Ending::Answer {
            status,
            retry_after: None,
        };
        let answer = Answer {
            head: b"",
            body,
            truncated,
            unfinished: false,
            location: None,
        };
        sense(&[b'c'; CHALLENGE_BYTES], &ending, Some(answer))
    }

    #[test]
    fn row_30_any_2xx_with_exactly_the_challenge() {
        let right = [b'c'; CHALLENGE_BYTES];
        for status in [200, 202, 204, 299] {
            assert_eq!(answered(status, &right, false), Sense::Yes, "{status}");
        }
        let mut line = right.to_vec();
        line.push(b'\n');
        let mut nearly = right;
        nearly[CHALLENGE_BYTES - 1] = b'd';
        for wrong in [
            &b""[..],
            &right[1..],
            &line,
            &nearly,
            b" ",
            b"hub.challenge",
        ] {
            assert_eq!(answered(200, wrong, false), Sense::No, "{wrong:?}");
        }
        assert_eq!(answered(200, &right, true), Sense::No, "there is more");
    }

    #[test]
    fn row_31_and_point_10_what_is_final_and_what_is_asked_again() {
        let right = [b'c'; CHALLENGE_BYTES];
        for status in [301, 302, 307, 400, 404, 410] {
            assert_eq!(answered(status, &right, false), Sense::No, "{status}");
        }
        for status in [429, 500, 503] {
            assert_eq!(
                answered(status, &right, false),
                Sense::Unclear(None),
                "{status}"
            );
        }
        let fault = |fault| {
            let detail = "";
            sense(&right, &Ending::Fault { fault, detail }, None)
        };
        for unclear in [
            Fault::Dns,
            Fault::Connect,
            Fault::Tls,
            Fault::Timeout,
            Fault::Protocol,
        ] {
            assert_eq!(fault(unclear), Sense::Unclear(None), "{unclear:?}");
        }
        assert_eq!(fault(Fault::Policy), Sense::No);
    }

    #[test]
    fn row_29_challenges_are_random_and_fit_a_query() {
        let mut rng = Rng::new([7; 32]);
        let (one, other) = (challenge(&mut rng), challenge(&mut rng));
        assert_ne!(one, other);
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        assert!(one.iter().chain(&other).all(plain));
    }
}
