//! What may hold a delivery back once it is due, besides its origin's lane: the queue that it
//! belongs to, and the flow. What a message asked for, and where one delivery stands in them.

use std::sync::Arc;

use super::flows::{Flows, Rate, Stage};
use crate::base::slab::Key;
use crate::http::target;
use crate::model::Target;

/// What a message asked for. A clone of its handle shares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// `queue`.
    pub queue: Option<Box<str>>,
    /// `flow-key`.
    pub flow_key: Option<Box<str>>,
    /// `rate`.
    pub rate: Option<Rate>,
    /// `parallelism`.
    pub parallelism: Option<u32>,
}

/// Memory that a delivery is charged for with its places in flow and queue, besides the names.
const GATE_BYTES: usize = 320;

impl Gates {
    /// Itself, unless nothing was asked for.
    #[must_use]
    pub fn shared(self) -> Option<Arc<Gates>> {
        (self != Gates::default()).then(|| Arc::new(self))
    }

    /// Bytes of memory that each delivery is charged for: none of them knows who is the last.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = |it: &Option<Box<str>>| it.as_ref().map_or(0, |text| text.len());
        GATE_BYTES + text(&self.queue) + text(&self.flow_key)
    }

    /// Whether its deliveries belong to flows.
    #[must_use]
    pub fn has_flow(&self) -> bool {
        self.flow_key.is_some() || self.rate.is_some() || self.parallelism.is_some()
    }

    /// The name of the flow of a delivery to `target`: a key that was given and an origin never
    /// have the same.
    #[must_use]
    pub fn flow_name(&self, target: &Target) -> Vec<u8> {
        match &self.flow_key {
            Some(key) => [b"key:", key.as_bytes()].concat(),
            None => format!("origin:{}", target.origin).into(),
        }
    }

    /// Whether there is room for the flows that a message to these targets brings along.
    #[must_use]
    pub fn have_room(&self, flows: &Flows, targets: &[Arc<Target>]) -> bool {
        let mut targets = targets.iter();
        !self.has_flow() || targets.all(|target| flows.has_room(&self.flow_name(target)))
    }

    /// The lane that a delivery to `target` waits in while only the store has it, and whether the
    /// order there is that of acceptance. What a flow holds back must not stand in the way of what
    /// else goes to the same origin.
    #[must_use]
    pub fn lane(&self, target: &Target) -> (u64, bool) {
        match &self.queue {
            Some(name) => (queue_lane(name.as_bytes()), true),
            None if self.has_flow() => {
                let name = self.flow_name(target);
                (target::lane(&[b"flow:", &name[..]].concat()), false)
            }
            None => (target.lane, false),
        }
    }
}

/// The lane of a queue.
#[must_use]
pub fn queue_lane(name: &[u8]) -> u64 {
    target::lane(&[b"queue:", name].concat())
}

/// Where a delivery stands in its queue and its flow.
#[derive(Debug)]
pub(super) struct Gate {
    /// What its message asked for.
    pub(super) gates: Arc<Gates>,
    /// Its queue, once it has joined it.
    pub(super) queue: Option<Key>,
    /// Its flow, once it has joined it.
    pub(super) flow: Option<Key>,
    /// Where it stands in its flow.
    pub(super) stage: Stage,
    /// It was there before this process.
    pub(super) restored: bool,
}

impl Gate {
    pub(super) fn of(gates: &Arc<Gates>) -> Gate {
        Gate {
            gates: Arc::clone(gates),
            queue: None,
            flow: None,
            stage: Stage::Away,
            restored: false,
        }
    }
}
