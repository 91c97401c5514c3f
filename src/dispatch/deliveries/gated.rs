//! Deliveries behind their gates: which of a queue's goes, which of a flow's may join its lane, and
//! that what waits there still expires on time. The rules are the queues' and the flows' own.
//!
//! A delivery takes its place in its queue with its acceptance. While another is before it, it is
//! neither due nor timed; once it is the first, its due time counts, and it holds the queue until
//! it has ended. Only what is due asks its flow, and only what its flow lets go joins a lane.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Deliveries;
use crate::base::slab::Key;
use crate::base::time::{Mono, Now, Wall};
use crate::dispatch::delivery::{Delivery, State};
use crate::dispatch::flows::queues::Queues;
use crate::dispatch::flows::{Flows, Rank, Stage, Values};
use crate::dispatch::queue::Queue;
use crate::model::MessageId;
use crate::port::{Timer, Turn};

/// Of flows and of deliveries, so many are looked at when the gates' node fires; the others follow.
const FIRED_MAX: usize = 4_096;
/// How soon they follow.
const REST: Duration = Duration::from_millis(1);

/// A queue as it can be shown.
#[derive(Clone, Copy, Debug)]
pub struct QueueView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its deliveries in memory that have not ended, besides the first.
    pub waiting: usize,
    /// The message of the first.
    pub head: MessageId,
    /// Where the first stands, the word of the API.
    pub status: &'static str,
    /// When the first is tried, if it waits for that.
    pub next: Option<Wall>,
}

/// What holds deliveries back.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    pub(super) flows: Flows,
    pub(super) queues: Queues,
    /// When deliveries expire that wait for their turn.
    expiries: BTreeSet<(Mono, Key)>,
    /// The node that looks after flows and expiries, and when.
    timer: Option<(Key, Mono)>,
}

impl Gatekeeper {
    /// Nobody is held. `seed` is for the maps; `began` is when the process did.
    pub(super) fn new(seed: u64, began: Mono) -> Gatekeeper {
        Gatekeeper {
            flows: Flows::new(seed, began),
            queues: Queues::new(seed.rotate_left(13)),
            expiries: BTreeSet::new(),
            timer: None,
        }
    }

    fn next_wake(&self) -> Option<Mono> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        [expiry, self.flows.next_wake()].into_iter().flatten().min()
    }

    /// Puts the node where it is needed.
    fn watch(&mut self, turn: &mut Turn) {
        let wake = self.next_wake();
        match (self.timer, wake) {
            (None, None) => {}
            (Some((_, stands)), Some(at)) if stands == at => {}
            (Some((node, _)), Some(at)) => {
                turn.wheel.rearm(node, at);
                self.timer = Some((node, at));
            }
            (Some((node, _)), None) => {
                turn.wheel.cancel(node);
                self.timer = None;
            }
            (None, Some(at)) => {
                self.timer = turn.wheel.arm(at, Timer::Gates).map(|node| (node, at));
            }
        }
    }
}

impl Deliveries {
    /// A delivery takes its place in its queue; it is not durable yet.
    pub(super) fn line_up(&mut self, turn: &mut Turn, key: Key, message: u64) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let place = (message, delivery.number);
        if let Some(gate) = &mut delivery.gate
            && let Some(name) = &gate.gates.queue
        {
            let queues = &mut self.gatekeeper.queues;
            gate.queue = queues.join(&mut turn.memory, name.as_bytes(), place, key);
        }
    }

    /// A delivery's message is durable: it waits for its due time, or for its turn before that.
    pub(super) fn queue_up(&mut self, turn: &mut Turn, key: Key, due: Mono) {
        self.join_flow(turn, key);
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let queue = delivery.gate.as_ref().and_then(|gate| gate.queue);
        match queue.and_then(|queue| self.gatekeeper.queues.first(queue)) {
            Some(first) if first != key => {
                delivery.state = State::Behind { due };
                self.gatekeeper.expiries.insert((delivery.expires, key));
                self.gatekeeper.watch(turn);
            }
            _ => self.wait(turn, key, due),
        }
    }

    fn join_flow(&mut self, turn: &mut Turn, key: Key) {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return;
        };
        let Some(open) = self.messages.get(delivery.message) else {
            return;
        };
        let Some(gate) = delivery.gate.as_mut().filter(|it| it.gates.has_flow()) else {
            return;
        };
        let name = gate.gates.flow_name(&delivery.target);
        let values = Values {
            message: open.message.id.number(),
            rate: gate.gates.rate,
            parallelism: gate.gates.parallelism,
            restored: gate.restored,
        };
        let (flows, now) = (&mut self.gatekeeper.flows, turn.now.mono);
        gate.flow = flows.join(&mut turn.memory, now, &name, values);
        self.open_gates(turn);
    }

    /// A delivery is due, whose flow has to let it go; false if it has none.
    pub(super) fn ask_flow(&mut self, turn: &mut Turn, key: Key) -> bool {
        let Some(delivery) = self.deliveries.get_mut(key) else {
            return false;
        };
        let now = turn.now.mono;
        // One whose time is up goes on to its lane, where it ends.
        let over = delivery.is_over(now);
        let message = self.messages.get(delivery.message);
        let Some(gate) = delivery.gate.as_mut().filter(|_| !over) else {
            return false;
        };
        let (Some(flow), Some(open)) = (gate.flow, message) else {
            return false;
        };
        let due = match delivery.state {
            State::Waiting { due, .. } => due,
            _ => now,
        };
        let rank = Rank {
            due,
            message: open.message.id.number(),
            number: delivery.number,
        };
        gate.stage = Stage::Waiting(rank);
        delivery.state = State::Gated;
        self.gatekeeper.expiries.insert((delivery.expires, key));
        let flows = &mut self.gatekeeper.flows;
        flows.ask(&mut turn.memory, now, flow, rank, key);
        self.open_gates(turn);
        true
    }

    /// Whoever may go joins a lane.
    fn open_gates(&mut self, turn: &mut Turn) {
        let now = turn.now.mono;
        while let Some(key) = self.gatekeeper.flows.next(&mut turn.memory, now) {
            let Some(delivery) = self.deliveries.get_mut(key) else {
                continue;
            };
            self.gatekeeper.expiries.remove(&(delivery.expires, key));
            delivery.state = State::Queued;
            if let Some(gate) = &mut delivery.gate {
                gate.stage = Stage::Ready;
            }
            self.queue.ready(key);
        }
        self.gatekeeper.watch(turn);
    }

    /// The request of a delivery goes out.
    pub(super) fn flow_began(&mut self, turn: &mut Turn, key: Key) {
        let gate = self.deliveries.get_mut(key).and_then(|it| it.gate.as_mut());
        if let Some((flow, gate)) = gate.and_then(|gate| gate.flow.zip(Some(gate)))
            && gate.stage == Stage::Ready
        {
            gate.stage = Stage::Active;
            let flows = &mut self.gatekeeper.flows;
            flows.began(&mut turn.memory, turn.now.mono, flow);
            self.gatekeeper.watch(turn);
        }
    }

    /// The request of a delivery is sent again, for its line was dead.
    pub(super) fn flow_again(&mut self, key: Key) {
        let gate = self.deliveries.get_mut(key).and_then(|it| it.gate.as_mut());
        if let Some((flow, gate)) = gate.and_then(|gate| gate.flow.zip(Some(gate)))
            && gate.stage == Stage::Active
        {
            gate.stage = Stage::Ready;
            self.gatekeeper.flows.again(flow);
        }
    }

    /// An attempt has failed, and its delivery is tried later: it keeps its queue, not its place in
    /// its flow.
    pub(super) fn flow_ended(&mut self, turn: &mut Turn, key: Key) {
        // An attempt that found no line was one too.
        self.flow_began(turn, key);
        let gate = self.deliveries.get_mut(key).and_then(|it| it.gate.as_mut());
        if let Some((flow, gate)) = gate.and_then(|gate| gate.flow.zip(Some(gate))) {
            let stood = std::mem::replace(&mut gate.stage, Stage::Away);
            let flows = &mut self.gatekeeper.flows;
            flows.ended(&mut turn.memory, turn.now.mono, flow, stood);
            self.open_gates(turn);
        }
    }

    /// A delivery is gone: who stood behind it goes next.
    pub(super) fn leave_gates(
        &mut self,
        turn: &mut Turn,
        key: Key,
        delivery: &Delivery,
        message: u64,
    ) {
        let Some(gate) = &delivery.gate else {
            return;
        };
        self.gatekeeper.expiries.remove(&(delivery.expires, key));
        if let Some(flow) = gate.flow {
            let (flows, now) = (&mut self.gatekeeper.flows, turn.now.mono);
            let mut stage = gate.stage;
            if stage == Stage::Ready && delivery.state == State::Active {
                flows.began(&mut turn.memory, now, flow);
                stage = Stage::Active;
            }
            flows.leave(&mut turn.memory, now, flow, stage);
        }
        if let Some(queue) = gate.queue {
            let place = (message, delivery.number);
            let next = self.gatekeeper.queues.leave(&mut turn.memory, queue, place);
            if let Some(next) = next {
                self.its_turn(turn, next);
            }
        }
        self.open_gates(turn);
    }

    /// A delivery is the first of its queue now. One that is not durable waits until it is.
    fn its_turn(&mut self, turn: &mut Turn, key: Key) {
        let delivery = self.deliveries.get(key);
        let Some((state, expires)) = delivery.map(|it| (it.state, it.expires)) else {
            return;
        };
        if let State::Behind { due } = state {
            self.gatekeeper.expiries.remove(&(expires, key));
            self.wait(turn, key, due);
        }
    }

    /// The gates' node fired: what waits too long ends, and flows whose time has come let others
    /// go.
    pub fn gates_fired(&mut self, turn: &mut Turn) {
        self.gatekeeper.timer = None;
        let now = turn.now.mono;
        for _ in 0..FIRED_MAX {
            let first = self.gatekeeper.expiries.first().copied();
            let Some((_, key)) = first.filter(|(at, _)| *at <= now) else {
                break;
            };
            self.gatekeeper.expiries.pop_first();
            self.give_up(turn, key);
        }
        let flows = &mut self.gatekeeper.flows;
        flows.fired(&mut turn.memory, now, FIRED_MAX);
        self.open_gates(turn);
        if let Some((node, at)) = self.gatekeeper.timer
            && at <= now
        {
            let at = now + REST;
            turn.wheel.rearm(node, at);
            self.gatekeeper.timer = Some((node, at));
        }
    }

    /// Flows that are known.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.gatekeeper.flows
    }

    /// Queues that have deliveries in memory.
    #[must_use]
    pub fn queues(&self) -> &Queues {
        &self.gatekeeper.queues
    }

    /// What there is to show of a queue.
    #[must_use]
    pub fn queue(&self, now: Now, key: Key) -> Option<QueueView<'_>> {
        let (name, members) = self.gatekeeper.queues.view(key)?;
        let first = self.gatekeeper.queues.first(key)?;
        let first = self.deliveries.get(first)?;
        let open = self.messages.get(first.message)?;
        let (status, next) = first.stands(now);
        Some(QueueView {
            name,
            waiting: members - 1,
            head: open.message.id,
            status: status.as_str(),
            next,
        })
    }

    /// Sweeps what stands behind gates. Returns the bytes that should stand on the account of
    /// memory for queues and flows.
    pub(super) fn check_gates(&self) -> u64 {
        let keeper = &self.gatekeeper;
        let (mut held, mut gated, mut queued) = (0, 0, 0);
        for (key, delivery) in self.deliveries.iter() {
            let gate = delivery.gate.as_ref();
            let queue = gate.and_then(|gate| gate.queue);
            let first = queue.and_then(|queue| keeper.queues.first(queue));
            let behind = matches!(delivery.state, State::Behind { .. });
            let is_held = matches!(delivery.state, State::Held { .. });
            let turn = first.is_none_or(|first| first == key);
            assert!(is_held || behind != turn, "out of turn: {delivery:?}");
            let waits = gate.is_some_and(|gate| matches!(gate.stage, Stage::Waiting(_)));
            assert_eq!(waits, delivery.state == State::Gated, "{delivery:?}");
            if behind || waits {
                let expiry = (delivery.expires, key);
                assert!(keeper.expiries.contains(&expiry), "no expiry: {delivery:?}");
            }
            held += usize::from(behind || waits);
            gated += usize::from(waits);
            queued += usize::from(queue.is_some());
        }
        assert_eq!(held, keeper.expiries.len(), "an expiry of nobody");
        assert_eq!(gated, keeper.flows.waiting(), "somebody waits twice");
        assert_eq!(queued, keeper.queues.members(), "a queue of others");
        let looks = keeper.next_wake().is_none() || keeper.timer.is_some();
        assert!(looks, "nobody looks after the gates");
        keeper.flows.check() + keeper.queues.check()
    }
}
