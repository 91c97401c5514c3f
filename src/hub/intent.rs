//! The way of a verification: approved by the publisher if there is one to ask, let through to the
//! subscriber's host, asked, answered; and the leases that come of it.
//! What an answer means is decided in `verify`, what holds then in `subscription`.

use std::time::Duration;

use super::calls::{Call, Errand};
use super::gate;
use super::subscription::State;
use super::verify::{
    self, CHALLENGE_BYTES, Challenge, EXCHANGE_TIMEOUT, Sense, Step, Ticket, Verification,
};
use super::{Hub, name};
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::model::{Answer, Ending};
use crate::port::Turn;

/// What must be left of a lease for another try to renew it.
const RENEWAL_TIME_MIN: Duration = Duration::from_secs(60);
/// Bytes of a publisher's reason, and of any answer that is not read.
const REASON_BYTES_MAX: usize = 512;

impl Hub {
    /// Something is asked of a known subscription: whatever was asked before is void.
    pub(super) fn ask(&mut self, turn: &mut Turn, key: Key, verification: Verification) {
        let step = verification.step;
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let older = subscription.state.ask(verification);
        let mut has_place = false;
        if let Some(older) = older {
            has_place = older.step == Step::Gated && step == Step::Gated;
            self.resolve(&older, false);
        }
        if !has_place {
            self.pursue(turn, key, step);
        }
        self.settle(turn, key);
    }

    /// Takes that step of a subscription's verification.
    pub(super) fn pursue(&mut self, turn: &mut Turn, key: Key, step: Step) {
        match step {
            Step::Unapproved => self.ask_publisher(turn, key),
            Step::Gated => {
                let Some(subscription) = self.subscriptions.get(key) else {
                    return;
                };
                let wants_more = subscription
                    .state
                    .asked()
                    .is_some_and(|it| it.terms.is_some());
                if wants_more && let Some(reason) = self.objection(subscription.topic) {
                    return self.deny(turn, key, reason);
                }
                let host = subscription.callback.target.origin.host.clone();
                let caller = gate::Caller::Verification(key);
                if self.gate.enter(&host, caller) {
                    self.let_in(turn, &host, caller);
                }
            }
            Step::Approval(_) | Step::Out(_) | Step::Waiting { .. } => {}
        }
    }

    /// A call to the host has ended: the next may go.
    pub(super) fn leave_gate(&mut self, turn: &mut Turn, host: &str) {
        if let Some(next) = self.gate.leave(host) {
            self.let_in(turn, host, next);
        }
    }

    /// The host is free: `caller` calls it, or the next who still wants to.
    pub(super) fn let_in(&mut self, turn: &mut Turn, host: &str, caller: gate::Caller) {
        let mut next = Some(caller);
        while let Some(caller) = next {
            let calls = match caller {
                gate::Caller::Verification(key) => self.ask_subscriber(turn, key),
                gate::Caller::Denial(key) => self.tell_denied(turn, key),
            };
            if calls {
                return;
            }
            next = self.gate.leave(host);
        }
    }

    /// The fields of every call of ours but those of its own.
    pub(super) fn fields(&self, about: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let url = self.settings.public_url.as_deref();
        let plus = url.map_or(String::new(), |url| format!("+{url}"));
        let gap = if plus.is_empty() || about.is_empty() {
            ""
        } else {
            "; "
        };
        let comment = format!("{plus}{gap}{about}");
        let comment = match comment.is_empty() {
            true => String::new(),
            false => format!(" ({comment})"),
        };
        format!("\r\nUser-Agent: Hookah/{version}{comment}\r\nAccept: */*")
    }

    /// The GET of WebSub section 5.3. False if nobody is to be asked any more.
    fn ask_subscriber(&mut self, turn: &mut Turn, key: Key) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        let Some(asked) = subscription.state.asked() else {
            return false;
        };
        if asked.step != Step::Gated {
            return false;
        }
        let challenge = verify::challenge(&mut turn.rng);
        let lease = asked
            .terms
            .as_ref()
            .map(|terms| terms.lease.as_secs().to_string());
        let mut query: Vec<(&str, &[u8])> = vec![
            ("hub.mode", asked.mode().as_bytes()),
            ("hub.topic", asked.topic().as_bytes()),
            ("hub.challenge", &challenge),
        ];
        if let Some(lease) = &lease {
            query.push(("hub.lease_seconds", lease.as_bytes()));
        }
        if let Some(token) = asked.token() {
            query.push(("hub.verify_token", token));
        }
        let errand = Errand::Verify {
            subscription: key,
            challenge,
        };
        let mut call = Call::get(errand, &subscription.callback.target, self.fields(""));
        call.path = Some(subscription.callback.path_with(&query).into());
        call.strict = self.is_strict_for(asked.local);
        call.timeout = EXCHANGE_TIMEOUT;
        call.body_bytes_max = CHALLENGE_BYTES;
        let Some(call) = self.calls.start(turn, call) else {
            return false;
        };
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(asked) = subscription.state.asked_mut()
        {
            asked.step = Step::Out(call);
        }
        true
    }

    /// A POST to the publisher, who may say no (hub.md C22).
    fn ask_publisher(&mut self, turn: &mut Turn, key: Key) {
        let Some(target) = self.settings.approve.clone() else {
            return;
        };
        let Some(subscription) = self.subscriptions.get(key) else {
            return;
        };
        let Some(asked) = subscription.state.asked() else {
            return;
        };
        let lease = asked
            .terms
            .as_ref()
            .map_or(0, |terms| terms.lease.as_secs());
        let form = name::appended(
            "?",
            &[
                ("hub.mode", asked.mode().as_bytes()),
                ("hub.topic", asked.topic().as_bytes()),
                ("hub.callback", subscription.callback.target.url.as_bytes()),
                ("hub.lease_seconds", lease.to_string().as_bytes()),
            ],
        );
        let mut fields = self.fields("");
        fields.push_str("\r\nContent-Type: application/x-www-form-urlencoded");
        let mut call = Call::get(Errand::Approve(key), &target, fields);
        call.body = Some(Frame::copy_of(form.trim_start_matches('?').as_bytes()));
        call.strict = false;
        call.timeout = EXCHANGE_TIMEOUT;
        call.body_bytes_max = REASON_BYTES_MAX;
        let call = self.calls.start(turn, call);
        if let Some(call) = call
            && let Some(subscription) = self.subscriptions.get_mut(key)
            && let Some(asked) = subscription.state.asked_mut()
        {
            asked.step = Step::Approval(call);
        }
    }

    /// The publisher has answered: any 2xx is a yes, 401 and 403 are a no with a reason.
    pub(super) fn judged(
        &mut self,
        turn: &mut Turn,
        key: Key,
        call: Key,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        let Some(asked) = self.waiting(key, call) else {
            return;
        };
        match ending {
            Ending::Answer {
                status: 200..=299, ..
            } => {
                asked.tries = 0;
                asked.step = Step::Gated;
                self.pursue(turn, key, Step::Gated);
                self.settle(turn, key);
            }
            Ending::Answer {
                status: 401 | 403, ..
            } => {
                let text = answer.map_or(&b""[..], |answer| answer.body);
                let text = String::from_utf8_lossy(text);
                let reason: String = text.trim().chars().filter(|it| !it.is_control()).collect();
                self.deny(turn, key, &reason);
            }
            // Nobody who could say yes was asked.
            other => {
                let asked_wait = match other {
                    Ending::Answer { retry_after, .. } => *retry_after,
                    Ending::Fault { .. } => None,
                };
                log::warn!("hub_approval_unanswered {other}");
                self.unclear(turn, key, asked_wait);
            }
        }
    }

    /// A subscriber has answered, or not.
    pub(super) fn answered(
        &mut self,
        turn: &mut Turn,
        (key, at): (Key, Key),
        call: &Call,
        challenge: &Challenge,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        if self.waiting(key, at).is_none() {
            return;
        }
        match verify::sense(challenge, ending, answer) {
            Sense::Yes => self.confirmed(turn, key, call.began()),
            Sense::No => self.failed(turn, key),
            Sense::Unclear(at_least) => self.unclear(turn, key, at_least),
        }
    }

    /// The verification that waits for that call.
    fn waiting(&mut self, key: Key, call: Key) -> Option<&mut Verification> {
        let subscription = self.subscriptions.get_mut(key)?;
        let asked = subscription.state.asked_mut();
        asked.filter(|asked| asked.waits_for(call))
    }

    fn confirmed(&mut self, turn: &mut Turn, key: Key, sent: Now) {
        turn.stats.add(Counter::VerificationsConfirmed, 1);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        let asked = subscription.state.verified(sent);
        let (word, url) = (subscription.state.word(), &subscription.callback.target.url);
        log::info!("subscription_verified state={word} callback={url:?}");
        if let Some(asked) = asked {
            self.resolve(&asked, true);
        }
        self.link(key);
        self.renew_waiting(key);
        self.settle(turn, key);
    }

    /// All is as it was before it was asked.
    fn failed(&mut self, turn: &mut Turn, key: Key) {
        turn.stats.add(Counter::VerificationsFailed, 1);
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        log::debug!(
            "verification_failed callback={:?}",
            subscription.callback.target.url
        );
        if let Some(asked) = subscription.state.failed() {
            self.resolve(&asked, false);
        }
        self.settle(turn, key);
    }

    fn unclear(&mut self, turn: &mut Turn, key: Key, at_least: Option<Duration>) {
        let (now, steps) = (turn.now.mono, &self.settings.verify_steps);
        let subscription = self.subscriptions.get_mut(key);
        let asked = subscription.and_then(|it| it.state.asked_mut());
        let Some(asked) = asked else {
            return;
        };
        if asked.again(now, steps, at_least) {
            return self.settle(turn, key);
        }
        let renews = asked.renewal;
        self.failed(turn, key);
        if renews {
            self.renew_later(turn, key);
        }
    }

    /// Nobody has said no to a renewal: it is tried again when half of what is left of the lease is
    /// over, as long as that is worth it.
    fn renew_later(&mut self, turn: &mut Turn, key: Key) {
        let now = turn.now.mono;
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && let State::Active(terms) = &mut subscription.state
            && terms.until.since(now) >= RENEWAL_TIME_MIN
        {
            terms.renew_at = now + terms.until.since(now) / 2;
            self.settle(turn, key);
        }
    }

    /// Whoever waits for a verification hears of its end.
    pub(super) fn resolve(&mut self, asked: &Verification, confirmed: bool) {
        if let Some((ticket, _)) = asked.ticket {
            self.verdicts.push_back((ticket, confirmed));
        }
    }

    /// No new call starts any more: verifications that somebody waits for end, except those whose
    /// call `is_out`. Who waited, to be told so.
    pub(crate) fn strand(&mut self, turn: &mut Turn, is_out: impl Fn(Key) -> bool) -> Vec<Ticket> {
        let waits = |asked: &Verification| {
            let out = matches!(asked.step, Step::Out(call) if is_out(call));
            asked.ticket.map(|(ticket, _)| ticket).filter(|_| !out)
        };
        let stranded = self.subscriptions.iter().filter_map(|(key, subscription)| {
            let ticket = subscription.state.asked().and_then(waits)?;
            Some((key, ticket))
        });
        let stranded: Vec<_> = stranded.collect();
        for (key, _) in &stranded {
            self.failed(turn, *key);
        }
        stranded.into_iter().map(|(_, ticket)| ticket).collect()
    }

    /// A subscription's time has come: its lease is over or to be renewed, its subscriber is asked
    /// again, or whoever waits has waited enough.
    pub(super) fn subscription_due(&mut self, turn: &mut Turn, key: Key) {
        let now = turn.now.mono;
        let Some(subscription) = self.subscriptions.get_mut(key) else {
            return;
        };
        if subscription
            .state
            .terms()
            .is_some_and(|terms| terms.until <= now)
        {
            turn.stats.add(Counter::LeasesEnded, 1);
            log::info!(
                "lease_ended callback={:?}",
                subscription.callback.target.url
            );
            subscription.state.lapsed();
        }
        let waited = |asked: &Verification| asked.ticket.is_some_and(|(_, until)| until <= now);
        if subscription.state.asked().is_some_and(waited) {
            return self.failed(turn, key);
        }
        let mut next = None;
        if let Some(asked) = subscription.state.asked_mut()
            && let Step::Waiting { due, approval } = asked.step
            && due <= now
        {
            asked.step = if approval {
                Step::Unapproved
            } else {
                Step::Gated
            };
            next = Some(asked.step);
        }
        if let State::Active(terms) = &subscription.state
            && terms.renew_at <= now
        {
            let mut renewal = Verification::new(Some(terms.clone()), None, terms.local);
            renewal.renewal = true;
            return self.ask(turn, key, renewal);
        }
        if let Some(step) = next {
            self.pursue(turn, key, step);
        }
        self.settle(turn, key);
    }
}
