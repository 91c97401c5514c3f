//! Where lanes meet the rest: addresses are vetted, breakers hear how calls ended, what waits too
//! long expires, people pause and resume. It connects nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::Engine;
use super::callers::caller;
use super::names::nowhere;
use crate::admin;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::conn::Conn;
use crate::conn::outbound::Place;
use crate::courier::breaker::Evidence;
use crate::courier::guard::Policy;
use crate::courier::{self, Call, Courier};
use crate::dispatch::target;
use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::model::{Ending, Fault, Owner, Target};
use crate::port::Turn;

impl Engine {
    /// Tells it where this process listens, ports chosen by the system included.
    pub fn listening(&mut self, addrs: &[SocketAddr]) {
        self.courier.listening(addrs);
    }

    /// The first address from `place` on that the call may go to, and its place. This is
    /// the last look before a connection: whatever a name led to is judged here.
    pub(super) fn vetted(
        &mut self,
        owner: Owner,
        mut place: Place,
    ) -> Result<(Place, SocketAddr), Ending> {
        let caller = caller!(self, owner.room);
        let strict = caller.is_strict(owner.key);
        let Some(target) = caller.target(owner.key) else {
            return Err(nowhere("no_address"));
        };
        let host = &target.origin.host;
        let policy = &self.courier.settings().policy;
        let mut ending = nowhere("no_address");
        while let Some(addr) = courier::address(target, place.named.as_deref(), place.number) {
            match policy.judge(addr, host, strict) {
                Ok(()) => return Ok((place, addr)),
                Err(why) => {
                    log::info!("target_forbidden host={host:?} why={:?}", why.to_string());
                    self.turn.stats.add(Counter::TargetsForbidden, 1);
                    ending = Ending::Fault {
                        fault: Fault::Policy,
                        detail: why.detail,
                    };
                }
            }
            place.number += 1;
        }
        Err(ending)
    }

    /// Whether a kept-alive line leads to an address that this call may go to.
    pub(super) fn may_carry(&mut self, line: Key, owner: Owner) -> bool {
        let Some(Conn::Outbound(outbound)) = self.lines.get(line).map(|line| &line.conn) else {
            return false;
        };
        let caller = caller!(self, owner.room);
        let strict = caller.is_strict(owner.key);
        let Some((addr, target)) = outbound.leads_to().zip(caller.target(owner.key)) else {
            return false;
        };
        let policy = &self.courier.settings().policy;
        policy.judge(addr, &target.origin.host, strict).is_ok()
    }

    /// The call under way has ended without an answer: the lane's breaker hears of it, then its
    /// owner.
    pub(super) fn conclude(&mut self, lane: Key, owner: Owner, ending: &Ending) {
        let (caller, turn) = (caller!(self, owner.room), &mut self.turn);
        self.courier.ended(turn, lane, owner, evidence(ending));
        caller.concluded(turn, owner.key, ending, None);
    }

    /// A call goes out once more, on a fresh line: it says nothing of its target.
    pub(super) fn send_again(&mut self, lane: Key, owner: Owner) {
        self.courier
            .ended(&mut self.turn, lane, owner, Evidence::None);
        let call = Call {
            owner,
            fresh: true,
            expires: caller!(self, owner.room).expires(owner.key),
        };
        self.courier.put_back(lane, call);
        self.hungry.push_back(lane);
    }

    /// A lane's node fired.
    pub(super) fn lane_fired(&mut self, lane: Key) {
        let mut expired = std::mem::take(&mut self.expired);
        self.courier.fired(&mut self.turn, lane, &mut expired);
        for owner in expired.drain(..) {
            caller!(self, owner.room).expire(&mut self.turn, owner.key);
        }
        self.expired = expired;
        self.hungry.push_back(lane);
    }
}

/// What an attempt's ending says of its target. A refusal (4xx) is a healthy target's; that this
/// machine has no descriptor or memory left, or forbids the address, is not the target's doing.
pub(super) fn evidence(ending: &Ending) -> Evidence {
    match ending {
        Ending::Answer {
            status: 500..=599, ..
        } => Evidence::Ill,
        Ending::Answer { .. } => Evidence::Well,
        Ending::Fault {
            fault: Fault::Policy,
            ..
        }
        | Ending::Fault {
            detail: "out_of_descriptors" | "memory_full",
            ..
        } => Evidence::None,
        Ending::Fault { .. } => Evidence::Ill,
    }
}

/// Whether a target may be called, as far as can be said before its name is resolved.
pub(super) fn vet(policy: &Policy, target: &Target, strict: bool) -> Result<(), Problem> {
    let (host, port) = (&target.origin.host, target.origin.port);
    policy
        .judge_all(&target.addrs, host, port, strict)
        .map_err(|why| {
            let detail = format!("{:?}: {why}", target.url);
            Problem::new(Reason::TargetForbidden, detail)
        })
}

/// A POST to `/lanes/{origin}/pause` or `/resume`; the lane as it is then. `tail` is what follows
/// `/lanes/`, still encoded.
pub(super) fn steer(
    courier: &mut Courier,
    turn: &mut Turn,
    hungry: &mut VecDeque<Key>,
    tail: &str,
) -> Result<Vec<u8>, Problem> {
    let Some((origin, verb)) = tail.rsplit_once('/') else {
        return Err(Reason::NotFound.into());
    };
    let mut text = Vec::new();
    form::unescape_into(origin.as_bytes(), &mut text);
    let origin = target::parse(&String::from_utf8_lossy(&text))?.origin;
    let lane = match verb {
        "pause" => courier
            .pause(turn, &origin)
            .ok_or(Problem::from(Reason::LanesPausedFull))?,
        "resume" => courier
            .resume(&origin)
            .ok_or(Problem::from(Reason::UnknownLane))?,
        _ => return Err(Reason::NotFound.into()),
    };
    let shown = admin::lanes::one(courier, turn.now.mono, lane);
    // An empty lane that was resumed ends with its turn.
    hungry.push_back(lane);
    Ok(shown)
}

#[cfg(test)]
mod tests;
