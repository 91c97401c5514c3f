//! Outbound lines: due calls to lanes, lanes to lines, answers back to whoever wants them.
//! It carries between the rooms and decides neither which call is next nor what an answer means.

use super::Engine;
use super::callers::caller;
use super::lanes::evidence;
use super::names::{Route, nowhere};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::outbound::{Outbound, Place, Verdict};
use crate::conn::{Conn, Line};
use crate::courier::{Call, Start};
use crate::model::{Ending, Fault, Owner};
use crate::port::{Action, Ended, Turn};

impl Engine {
    /// Until nothing more can start: due calls join their lanes, lanes start their calls.
    /// Every fact ends with this.
    pub(super) fn run_lanes(&mut self) {
        loop {
            self.dial_name_servers();
            self.carry_gone();
            self.carry_outcomes();
            self.carry_hub();
            self.carry_own();
            self.join_lanes();
            self.ask_store();
            // A place that was given up goes to who waits longest, not back to whoever gave it up.
            if let Some(lane) = self.next_starved() {
                self.pump(lane);
            } else if let Some(lane) = self.courier.next_resolved() {
                self.pump(lane);
            } else if let Some(lane) = self.hungry.pop_front() {
                self.pump(lane);
            } else if let Some(line) = self.courier.oldest_resting() {
                self.evict(line);
            } else {
                return;
            }
        }
    }

    /// A lane that waits for a place, if the slab has one: clients may hold what the courier's own
    /// bound would still allow, and then only a closed line helps.
    fn next_starved(&mut self) -> Option<Key> {
        if self.lines.is_full() {
            return None;
        }
        self.courier.next_starved()
    }

    /// Starts calls of a lane as long as it may start any.
    fn pump(&mut self, lane: Key) {
        let mut failures = 0;
        while !self.leaves_the_rest()
            && let Some(start) = self.courier.next(lane)
        {
            let (Start::On(_, call) | Start::Fresh(call)) = start;
            if let Start::On(line, call) = start
                && !self.may_carry(line, call.owner)
            {
                self.courier.unused(lane, line);
                let fresh = true;
                self.courier.put_back(lane, Call { fresh, ..call });
                continue;
            }
            let route = match start {
                Start::On(..) => Route::To(None),
                Start::Fresh(_) => self.route(lane, call.owner, &mut failures),
            };
            if let Route::Asked = route {
                self.courier.put_back(lane, call);
                break;
            }
            let Owner { room, key } = call.owner;
            let begun = caller!(self, room).begin(&mut self.turn, key);
            let Some((_, timeout)) = begun else {
                if let Start::On(line, _) = start {
                    self.courier.unused(lane, line);
                }
                continue;
            };
            let until = self.turn.now.mono + timeout;
            match start {
                Start::On(line, call) => {
                    self.courier.started(lane, call.owner, false);
                    self.send(line, call.owner, until);
                }
                Start::Fresh(call) => {
                    if !self.start_fresh(lane, call, route, until) {
                        break;
                    }
                }
            }
        }
        self.courier.tidy(&mut self.turn, lane);
    }

    /// Starts a call that needs a new line, or ends its attempt if there is nowhere to go. False if
    /// there is no place for a line, so that the lane has to wait.
    fn start_fresh(&mut self, lane: Key, call: Call, route: Route, until: Mono) -> bool {
        let found = match route {
            Route::To(named) => self.vetted(call.owner, Place { number: 0, named }),
            Route::Nowhere(detail) => Err(nowhere(detail)),
            Route::Asked => return true,
        };
        let (place, addr) = match found {
            Ok(found) => found,
            Err(ending) => {
                self.courier.tried(lane, call.owner);
                self.conclude(lane, call.owner, &ending);
                return true;
            }
        };
        let line = Outbound::connecting(lane, call.owner, place, until);
        let connects = self.connect(line, addr);
        if connects {
            self.courier.started(lane, call.owner, true);
        } else {
            caller!(self, call.owner.room).unbegin(call.owner.key);
            self.courier.put_back(lane, call);
            self.courier.starve(lane);
        }
        connects
    }

    /// Takes a place in the slab for a line and has it connected; false if there is no place.
    fn connect(&mut self, mut outbound: Outbound, addr: std::net::SocketAddr) -> bool {
        outbound.lead_to(addr);
        let server_name = outbound.call().and_then(|owner| {
            let target = caller!(self, owner.room).target(owner.key)?;
            target.server_name.clone()
        });
        let connect_by = self.turn.now.mono + self.settings.courier.connect_timeout;
        let at = outbound.deadline().min(connect_by);
        if server_name.is_some() {
            outbound.secure();
        }
        let bytes = outbound.charged();
        let Ok(key) = self
            .lines
            .insert(Line::new(Conn::Outbound(Box::new(outbound))))
        else {
            return false;
        };
        // Never refused: messages that wait for such a line hold what it would have to wait for.
        self.turn.memory.charge(bytes);
        if let Some(line) = self.lines.get_mut(key) {
            line.deadline.set(&mut self.turn, key, at);
        }
        self.turn.stats.add(Counter::LinesOpened, 1);
        self.turn.actions.push_back(Action::Connect {
            key,
            addr,
            server_name,
        });
        true
    }

    /// A line for a call is connected: the request goes out.
    pub(super) fn call_connected(&mut self, key: Key) {
        let Some(line) = self.lines.get(key) else {
            return;
        };
        let Conn::Outbound(outbound) = &line.conn else {
            return;
        };
        if let Some(owner) = outbound.call() {
            self.send(key, owner, outbound.deadline());
        }
    }

    /// Puts a call's request on a line.
    fn send(&mut self, key: Key, owner: Owner, until: Mono) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Outbound(outbound) = &mut line.conn else {
            return;
        };
        let caller = caller!(self, owner.room);
        caller.sends(&mut self.turn, owner.key);
        let head = outbound.begin(owner, caller.is_head(owner.key), until);
        let body = caller.compose(&self.turn, owner.key, head);
        let (Some(body), Some(wants)) = (body, caller.wants(owner.key)) else {
            outbound.abandon();
            return self.close(key);
        };
        outbound.send(body, wants);
        outbound.charge(&mut self.turn.memory);
        line.deadline.set(&mut self.turn, key, until);
        line.touch(&mut self.turn, key);
    }

    /// Bytes of an answer.
    pub(super) fn answer_bytes(&mut self, key: Key, bytes: &[u8]) {
        self.call_fact(key, |outbound, turn| {
            outbound.received(turn.now, &mut turn.memory, bytes)
        });
    }

    /// The line ended.
    pub(super) fn call_ended(&mut self, key: Key, why: Ended) {
        self.call_fact(key, |outbound, _| outbound.ended(why));
    }

    /// The line's deadline has passed.
    pub(super) fn call_expired(&mut self, key: Key) {
        self.call_fact(key, |outbound, _| outbound.expired());
    }

    /// Hands a fact to a line and does what follows from it.
    fn call_fact(
        &mut self,
        key: Key,
        fact: impl FnOnce(&mut Outbound, &mut Turn) -> Option<Verdict>,
    ) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Outbound(outbound) = &mut line.conn else {
            return;
        };
        let (owner, lane) = (outbound.call(), outbound.lane());
        let (place, until) = (outbound.place().cloned(), outbound.deadline());
        let verdict = fact(outbound, &mut self.turn);
        if let (Some(owner), Some(verdict)) = (owner, verdict) {
            match (verdict, place) {
                (Verdict::Stale, _) => {
                    caller!(self, owner.room).uncount(&mut self.turn, owner.key);
                    self.send_again(lane, owner);
                }
                (Verdict::Ending(ending), Some(place)) if is_connect_fault(&ending) => {
                    // Closed first, for the next address takes its place in the lane.
                    self.settle_outbound(key);
                    if !self.try_next(lane, owner, place, until) {
                        self.conclude(lane, owner, &ending);
                    }
                }
                (Verdict::Ending(ending), _) => {
                    let is_answer = matches!(ending, Ending::Answer { .. });
                    let answer = is_answer.then(|| outbound.answer());
                    let (caller, turn) = (caller!(self, owner.room), &mut self.turn);
                    self.courier.ended(turn, lane, owner, evidence(&ending));
                    caller.concluded(turn, owner.key, &ending, answer);
                }
            }
        }
        self.settle_outbound(key);
    }

    /// The same call goes on at the target's next address, within the same deadline.
    fn try_next(&mut self, lane: Key, owner: Owner, mut place: Place, until: Mono) -> bool {
        place.number += 1;
        let Ok((place, addr)) = self.vetted(owner, place) else {
            return false;
        };
        if until <= self.turn.now.mono || !self.courier.may_replace(lane) {
            return false;
        }
        let line = Outbound::connecting(lane, owner, place, until);
        let connects = self.connect(line, addr);
        if connects {
            self.courier.started(lane, owner, true);
        }
        connects
    }

    /// After any fact: the line is closed, or rests if it is ready, and has its deadline.
    fn settle_outbound(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Outbound(outbound) = &mut line.conn else {
            return;
        };
        // Only deliveries have tickets.
        if let Some((ticket, body, truncated)) = outbound.late_answer() {
            let deliveries = &mut self.dispatch.deliveries;
            deliveries.completed(&mut self.turn, ticket, body, truncated);
        }
        outbound.charge(&mut self.turn.memory);
        if outbound.is_ready() && !outbound.is_resting() {
            let lane = outbound.lane();
            let draining = self.drain != super::life::Drain::No;
            if self.courier.rests(lane, key, draining) {
                outbound.rest(self.turn.now.mono + self.settings.courier.idle_timeout);
                outbound.charge(&mut self.turn.memory);
                self.hungry.push_back(lane);
            } else {
                outbound.abandon();
            }
        }
        if outbound.is_gone() {
            return self.close(key);
        }
        let at = outbound.deadline();
        line.deadline.set(&mut self.turn, key, at);
    }

    /// A line at rest gives its place to a lane that has none.
    fn evict(&mut self, key: Key) {
        let Some(line) = self.lines.get(key) else {
            return;
        };
        let Conn::Outbound(outbound) = &line.conn else {
            return;
        };
        if outbound.is_resting() {
            self.close(key);
        }
    }
}

fn is_connect_fault(ending: &Ending) -> bool {
    matches!(
        ending,
        Ending::Fault {
            fault: Fault::Connect,
            ..
        }
    )
}
