//! What the store has said: messages that are durable go on their way, those it lost are refused,
//! and so is whatever else a client waits for.
//! It keeps the order of acceptance and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Engine;
use super::serve::{Rooms, context};
use crate::base::slab::Key;
use crate::conn::Conn;
use crate::conn::reply::Reply;
use crate::dispatch::queue::lanes::Parking;
use crate::dispatch::{Accepted, publish_cost};
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::model::{Message, MessageId, Method};
use crate::port::{Seq, Turn};

/// A message that waits for the store.
#[derive(Debug)]
pub(super) struct Awaiting {
    /// Its place in the order of acceptance.
    pub(super) seq: Seq,
    /// Who waits for it.
    pub(super) origin: Origin,
    /// The message, if it has deliveries.
    pub(super) open: Option<Key>,
    /// The message, if it goes to topics.
    pub(super) publish: Option<Arc<Message>>,
    /// What of it goes to the store alone, if anything does.
    pub(super) parking: Option<Box<Parking>>,
}

/// Whom a message came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// A client; its line may be gone.
    Client(Key),
    /// A topic of the hub that was fetched.
    Topic(Key),
    /// Somebody who has many resent; this is one of them.
    Resend(Key, MessageId),
    /// Nobody: it is our own, and promised beside what brought it about, or nobody was promised it.
    Own,
}

impl Awaiting {
    /// A message that was taken in.
    pub(super) fn of(accepted: Accepted, origin: Origin) -> Awaiting {
        Awaiting {
            seq: accepted.seq,
            origin,
            open: accepted.open,
            publish: accepted.publish,
            parking: accepted.parking,
        }
    }

    /// The answer to a client waits, and nothing else.
    pub(super) fn answer(seq: Seq, line: Key) -> Awaiting {
        Awaiting::nothing(seq, Origin::Client(line))
    }

    fn nothing(seq: Seq, origin: Origin) -> Awaiting {
        Awaiting {
            seq,
            origin,
            open: None,
            publish: None,
            parking: None,
        }
    }

    /// Bytes on the account of memory for what is to be published, and for what will be in the
    /// store alone.
    pub(super) fn charged(&self) -> u64 {
        let publish = self.publish.as_ref();
        let parking = self.parking.as_ref();
        publish.map_or(0, |message| publish_cost(message.bytes()))
            + parking.map_or(0, |parking| parking.charged())
    }
}

/// Puts what waits into the order of acceptance; nearly always it is the last.
pub(super) fn await_store(awaiting: &mut VecDeque<Awaiting>, next: Awaiting) {
    let before = awaiting.iter().rposition(|it| it.seq <= next.seq);
    awaiting.insert(before.map_or(0, |before| before + 1), next);
}

impl Rooms<'_> {
    /// An answer that goes once all that has been done so far lasts.
    pub(super) fn once_kept(&mut self, turn: &Turn, reply: Reply) -> (Seq, Reply) {
        let seq = turn.handed.last();
        if seq <= self.durable {
            return (0, reply);
        }
        self.awaiting.push_back(Awaiting::answer(seq, self.line));
        (seq, reply)
    }

    /// A window's answer: at once, or, where something was removed, once that lasts.
    pub(super) fn shown(
        &mut self,
        turn: &Turn,
        request: &Request<'_>,
        (seq, reply): (Seq, Reply),
    ) -> (Seq, Reply) {
        match request.method {
            Method::Delete => self.once_kept(turn, reply),
            _ => (seq, reply),
        }
    }
}

impl Engine {
    /// Messages of our own wait for the store like all others.
    pub(super) fn carry_own(&mut self) {
        while let Some(accepted) = self.dispatch.deliveries.next_own() {
            let next = Awaiting::of(accepted, Origin::Own);
            await_store(&mut self.awaiting, next);
        }
    }

    /// Outcomes that somebody reads of are published once the ends that they tell of last.
    pub(super) fn carry_outcomes(&mut self) {
        while let Some(message) = self.dispatch.next_outcome(&mut self.turn) {
            // Those before it have lower ids.
            self.carry_own();
            // What memory has no room for is not told.
            if self.turn.memory.take(publish_cost(message.bytes())) {
                let next = Awaiting {
                    publish: Some(message),
                    ..Awaiting::nothing(self.turn.handed.last(), Origin::Own)
                };
                await_store(&mut self.awaiting, next);
            }
        }
    }

    fn next_settled(&mut self, seq: Seq) -> Option<Awaiting> {
        if self.awaiting.front()?.seq > seq {
            return None;
        }
        self.awaiting.pop_front()
    }

    /// Everything up to `seq` is durable: deliveries begin, clients get their answers.
    pub(super) fn store_kept(&mut self, seq: Seq) {
        self.durable = self.durable.max(seq);
        self.turn.settled(seq);
        self.carry_own();
        self.dispatch.once.kept(seq);
        while let Some(next) = self.next_settled(seq) {
            self.turn.memory.give(next.charged());
            if let Some(message) = &next.publish {
                self.publish(message);
            }
            let deliveries = &mut self.dispatch.deliveries;
            if let Some(open) = next.open {
                deliveries.durable(&mut self.turn, open);
            }
            if let Some(parking) = &next.parking {
                deliveries.parked(&mut self.turn, parking);
            }
            let key = match next.origin {
                Origin::Client(key) => key,
                Origin::Topic(key) => {
                    self.hub.stored(&mut self.turn, key, true);
                    continue;
                }
                Origin::Resend(key, id) => {
                    self.resent(key, id, true);
                    continue;
                }
                Origin::Own => continue,
            };
            let Some(line) = self.lines.get_mut(key) else {
                continue;
            };
            let Conn::Inbound(inbound) = &mut line.conn else {
                continue;
            };
            inbound.send(&mut context!(self));
            if !self.unpause(key) {
                self.settle_inbound(key);
            }
        }
    }

    /// What was accepted up to `seq` and is neither durable nor promised was lost: its clients get
    /// a 503, and nothing of it is delivered. What was promised waits on.
    pub(super) fn store_lost(&mut self, seq: Seq) {
        let problem = Problem::from(Reason::StoreFailed);
        self.turn.settled(seq);
        self.carry_own();
        self.dispatch.once.lost(&mut self.turn, seq);
        let mut promised = VecDeque::new();
        while let Some(next) = self.next_settled(seq) {
            // The store still has it.
            if let Origin::Own = next.origin {
                promised.push_back(next);
                continue;
            }
            self.turn.memory.give(next.charged());
            let deliveries = &mut self.dispatch.deliveries;
            if let Some(open) = next.open {
                deliveries.lost(&mut self.turn, open);
            }
            if let Some(parking) = &next.parking {
                deliveries.unparked(&mut self.turn, parking);
            }
            let key = match next.origin {
                Origin::Client(key) => key,
                Origin::Topic(key) => {
                    self.hub.stored(&mut self.turn, key, false);
                    continue;
                }
                Origin::Resend(key, id) => {
                    self.resent(key, id, false);
                    continue;
                }
                Origin::Own => continue,
            };
            let Some(line) = self.lines.get_mut(key) else {
                continue;
            };
            let Conn::Inbound(inbound) = &mut line.conn else {
                continue;
            };
            inbound.refuse_lost(&mut context!(self), seq, &problem);
            if !self.unpause(key) {
                self.settle_inbound(key);
            }
        }
        promised.append(&mut self.awaiting);
        self.awaiting = promised;
        // What was refused is settled: later numbers must not wait for it.
        self.durable = self.durable.max(seq);
    }
}
