//! The hub's calls out: what goes over the wire for each errand, and how long it may take.
//! It opens nothing; whoever carries calls asks it what to send, and tells it what came back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::frame::Frame;
use crate::base::slab::{Key, Slab};
use crate::base::time::{Mono, Now};
use crate::http::{redirect, write};
use crate::hub::Hub;
use crate::hub::verify::Challenge;
use crate::model::{Answer, Ending, Fault, Target, Wants};
use crate::port::{Caller, Turn};

/// How long a call waits for its turn in its origin's lane.
const LANE_WAIT: Duration = Duration::from_secs(60);
/// Redirects that one fetch follows (hub.md C26).
const HOPS_MAX: u8 = 5;
/// It had no turn in its lane, or none where it was sent on to.
const NO_TURN: Ending = Ending::Fault {
    fault: Fault::Timeout,
    detail: "lane_full",
};
/// What a call is charged for besides its texts, in bytes.
const CALL_BYTES: usize = size_of::<Call>() + 64;

/// What a call is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Errand {
    /// Does the subscriber want it?
    Verify {
        /// Who asks.
        subscription: Key,
        /// What only the subscriber can know.
        challenge: Challenge,
    },
    /// The subscriber is told that it cannot be.
    Deny(Key),
    /// What does the topic say now?
    Fetch(Key),
    /// May it be subscribed to? The publisher decides.
    Approve(Key),
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) errand: Errand,
    /// Where it began.
    pub(super) first: Arc<Target>,
    /// Where it goes now.
    pub(super) target: Arc<Target>,
    /// The request target, where it is not the target's own.
    pub(super) path: Option<Box<str>>,
    /// Fields besides Host and Authorization, in one piece: each begins with the line end before.
    pub(super) fields: Box<str>,
    /// With a body it is a POST.
    pub(super) body: Option<Frame>,
    /// Whether only public addresses will do.
    pub(super) strict: bool,
    /// The whole exchange.
    pub(super) timeout: Duration,
    /// Bytes of the answer's body at most.
    pub(super) body_bytes_max: usize,
    way: Way,
}

/// How far a call has come.
#[derive(Debug)]
struct Way {
    hops: u8,
    /// It has left the origin of its credentials.
    stripped: bool,
    /// When it is given up in a lane.
    expires: Mono,
    /// When the request was first sent.
    began: Now,
    /// When all of it is over.
    until: Mono,
}

impl Call {
    /// A GET with these fields.
    pub(super) fn get(errand: Errand, target: &Arc<Target>, fields: String) -> Call {
        Call {
            errand,
            first: Arc::clone(target),
            target: Arc::clone(target),
            path: None,
            fields: fields.into(),
            body: None,
            strict: true,
            timeout: Duration::ZERO,
            body_bytes_max: 0,
            way: Way {
                hops: 0,
                stripped: false,
                expires: Mono::NEVER,
                began: Now::default(),
                until: Mono::NEVER,
            },
        }
    }

    /// Bytes on the account of memory.
    pub(super) fn bytes(&self) -> u64 {
        let path = self.path.as_ref().map_or(0, |path| path.len());
        let body = self.body.as_ref().map_or(0, |body| body.len());
        let hop = match Arc::ptr_eq(&self.first, &self.target) {
            true => 0,
            false => self.target.bytes(),
        };
        (CALL_BYTES + path + self.fields.len() + body + hop) as u64
    }

    /// When its request was sent.
    pub(super) fn began(&self) -> Now {
        self.way.began
    }

    /// Where a redirect sends a fetch, if it may go there.
    fn sent_on(&self, ending: &Ending, answer: Option<&Answer<'_>>) -> Option<Sent> {
        let Ending::Answer { status, .. } = ending else {
            return None;
        };
        let redirects = redirect::redirects(*status) || *status == 303;
        let follows = matches!(self.errand, Errand::Fetch(_)) && redirects;
        if !follows || self.way.hops >= HOPS_MAX {
            return None;
        }
        let location = answer?.location?;
        let way = &self.way;
        redirect::resolve(&self.first, &self.target, location, way.stripped).ok()
    }

    /// Writes the request's head.
    fn compose(&self, out: &mut Vec<u8>) {
        let method = if self.body.is_some() { "POST " } else { "GET " };
        let path = self.path.as_deref().unwrap_or(&self.target.path);
        for part in [
            method,
            path,
            " HTTP/1.1\r\nHost: ",
            &self.target.authority,
            &self.fields,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(authorization) = &self.target.authorization {
            out.extend_from_slice(b"\r\nAuthorization: ");
            out.extend_from_slice(authorization.as_bytes());
        }
        if let Some(body) = &self.body {
            out.extend_from_slice(b"\r\nContent-Length: ");
            write::number(out, body.len() as u64);
        }
        out.extend_from_slice(b"\r\n\r\n");
    }
}

/// Where a call was sent on to, and whether it has left its credentials behind.
type Sent = (Target, bool);

/// Calls that have not ended.
#[derive(Debug)]
pub(super) struct Calls {
    calls: Slab<Call>,
    /// Those that have to join their lanes.
    due: VecDeque<Key>,
}

impl Calls {
    pub(super) fn new() -> Calls {
        Calls {
            calls: Slab::with_bound(u32::MAX as usize - 1),
            due: VecDeque::new(),
        }
    }

    /// A call begins: it has to join its origin's lane.
    pub(super) fn start(&mut self, turn: &mut Turn, mut call: Call) -> Option<Key> {
        call.way.expires = turn.now.mono + LANE_WAIT;
        let bytes = call.bytes();
        let key = self.calls.insert(call).ok()?;
        turn.memory.charge(bytes);
        self.due.push_back(key);
        Some(key)
    }

    /// A call is over.
    pub(super) fn end(&mut self, turn: &mut Turn, key: Key) -> Option<Call> {
        let call = self.calls.remove(key)?;
        turn.memory.give(call.bytes());
        Some(call)
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Bytes on the account of memory.
    pub(super) fn bytes(&self) -> u64 {
        self.calls.iter().map(|(_, call)| call.bytes()).sum()
    }

    /// Every call.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Call)> {
        self.calls.iter()
    }

    /// It goes on where it was sent, within the same time.
    fn send_on(&mut self, turn: &mut Turn, key: Key, (target, stripped): Sent) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        turn.memory.give(call.bytes());
        call.target = Arc::new(target);
        turn.memory.charge(call.bytes());
        call.way.hops += 1;
        call.way.stripped = stripped;
        call.way.expires = call.way.until;
        self.due.push_back(key);
    }
}

impl Caller for Hub {
    fn next_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)> {
        while let Some(key) = self.calls.due.pop_front() {
            if let Some(call) = self.calls.calls.get(key) {
                return Some((key, call.way.expires, &call.target));
            }
        }
        None
    }

    fn expires(&self, key: Key) -> Mono {
        let call = self.calls.calls.get(key);
        call.map_or(Mono::NEVER, |call| call.way.expires)
    }

    fn expire(&mut self, turn: &mut Turn, key: Key) {
        self.concluded(turn, key, &NO_TURN, None);
    }

    fn is_strict(&self, key: Key) -> bool {
        self.calls.calls.get(key).is_none_or(|call| call.strict)
    }

    fn target(&self, key: Key) -> Option<&Arc<Target>> {
        self.calls.calls.get(key).map(|call| &call.target)
    }

    fn begin(&mut self, turn: &mut Turn, key: Key) -> Option<(Arc<Target>, Duration)> {
        if !self.is_wanted(key) {
            self.drop_call(turn, key);
            return None;
        }
        let call = self.calls.calls.get_mut(key)?;
        if call.way.hops == 0 {
            call.way.began = turn.now;
            call.way.until = turn.now.mono + call.timeout;
        }
        let left = call.way.until.since(turn.now.mono);
        if left.is_zero() {
            self.concluded(turn, key, &NO_TURN, None);
            return None;
        }
        Some((Arc::clone(&call.target), left))
    }

    fn uncount(&mut self, _turn: &mut Turn, key: Key) {
        self.unbegin(key);
    }

    fn unbegin(&mut self, key: Key) {
        // It was not counted before its end; only its time in a lane begins anew.
        if let Some(call) = self.calls.calls.get_mut(key) {
            call.way.expires = call.way.expires.max(call.way.began.mono + LANE_WAIT);
        }
    }

    fn is_head(&self, _key: Key) -> bool {
        false
    }

    fn compose(&self, _turn: &Turn, key: Key, out: &mut Vec<u8>) -> Option<Frame> {
        let call = self.calls.calls.get(key)?;
        call.compose(out);
        Some(call.body.clone().unwrap_or_else(|| self.empty.clone()))
    }

    fn wants(&self, key: Key) -> Option<Wants> {
        let call = self.calls.calls.get(key)?;
        Some(Wants::Body(call.body_bytes_max))
    }

    fn concluded(
        &mut self,
        turn: &mut Turn,
        key: Key,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        let Some(call) = self.calls.calls.get(key) else {
            return;
        };
        log::debug!("hub_call_ended url={:?} {ending}", call.target.url);
        if self.is_wanted(key)
            && let Some(sent) = call.sent_on(ending, answer.as_ref())
        {
            return self.calls.send_on(turn, key, sent);
        }
        if let Some(call) = self.calls.end(turn, key) {
            self.conclude(turn, key, &call, ending, answer);
        }
    }
}

impl Hub {
    /// Whether somebody still waits for the call.
    fn is_wanted(&self, key: Key) -> bool {
        match self.calls.calls.get(key).map(|call| call.errand) {
            Some(Errand::Verify { subscription, .. } | Errand::Approve(subscription)) => {
                let subscription = self.subscriptions.get(subscription);
                let asked = subscription.and_then(|it| it.state.asked());
                asked.is_some_and(|asked| asked.waits_for(key))
            }
            Some(Errand::Deny(denial)) => self.denials.contains(denial),
            Some(Errand::Fetch(topic)) => self.topics.contains(topic),
            None => false,
        }
    }

    /// Nobody waits for the call any more.
    fn drop_call(&mut self, turn: &mut Turn, key: Key) {
        if let Some(call) = self.calls.end(turn, key)
            && matches!(call.errand, Errand::Verify { .. } | Errand::Deny(_))
        {
            self.leave_gate(turn, &call.first.origin.host);
        }
    }

    /// What a call's end means for whoever waits for it.
    fn conclude(
        &mut self,
        turn: &mut Turn,
        key: Key,
        call: &Call,
        ending: &Ending,
        answer: Option<Answer<'_>>,
    ) {
        let host = &call.first.origin.host;
        match call.errand {
            Errand::Verify {
                subscription,
                challenge,
            } => {
                self.answered(turn, (subscription, key), call, &challenge, ending, answer);
                self.leave_gate(turn, host);
            }
            Errand::Deny(denial) => {
                self.denial_told(turn, denial, ending);
                self.leave_gate(turn, host);
            }
            Errand::Fetch(topic) => self.fetched(turn, (topic, key), call, ending, answer),
            Errand::Approve(subscription) => {
                self.judged(turn, subscription, key, ending, answer);
            }
        }
    }
}
