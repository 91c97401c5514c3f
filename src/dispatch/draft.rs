//! A message that is ready to be taken in: it is charged, given its id, handed to the store, and
//! its deliveries are held. It reads no request and asks nobody for receivers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::deliveries::{Deliveries, Plan, Receivers};
use super::delivery::Terms;
use super::fields;
use super::queue::lanes::Parking;
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::http::field;
use crate::http::problem::{Problem, Reason};
use crate::model::{Callback, Extra, Message, MessageId, Method, TopicNames};
use crate::port::{Seq, StoreOp, Turn};

/// A message that was taken in.
#[derive(Debug)]
pub struct Accepted {
    /// Its id.
    pub id: MessageId,
    /// Its number among what was handed to the store.
    pub seq: Seq,
    /// Its place among the deliveries, if it has any.
    pub open: Option<Key>,
    /// What of it goes to the store alone, if anything does.
    pub parking: Option<Box<Parking>>,
    /// The message itself, if it is to be published to topics.
    pub publish: Option<Arc<Message>>,
    /// Subscribers that it goes to.
    pub callbacks: usize,
    /// Deliveries that it has, those to subscribers too.
    pub deliveries: usize,
    /// It was taken in before, under the same key.
    pub duplicate: bool,
}

impl Accepted {
    /// What was taken in before.
    pub(super) fn again(id: MessageId, seq: Seq) -> Accepted {
        Accepted {
            id,
            seq,
            open: None,
            parking: None,
            publish: None,
            callbacks: 0,
            deliveries: 0,
            duplicate: true,
        }
    }
}

/// What a message is charged while it waits to be published, in bytes.
#[must_use]
pub fn publish_cost(message_bytes: usize) -> u64 {
    message_bytes as u64 + 256
}

/// What is published to a topic without a POST to /dispatch.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// The topic.
    pub topic: &'a [u8],
    /// Its media type as it came; empty for none.
    pub content_type: &'a str,
    /// Its Content-Encoding, if it came with one: body and field go together (hub.md C17).
    pub content_encoding: Option<&'a str>,
    /// The body.
    pub body: Frame,
    /// Servers of our kind that it has passed.
    pub hops: u8,
}

impl<'a> Content<'a> {
    /// The message that it becomes. A field that cannot stand in a head is as if it had not come.
    pub(super) fn draft(self, callbacks: &'a [Callback]) -> Draft<'a> {
        let mut block = Vec::new();
        if let Some(encoding) = self.content_encoding
            && fields::add(&mut block, 0, b"Content-Encoding", encoding.as_bytes()).is_err()
        {
            block.clear();
        }
        let full = callbacks.iter().any(|it| it.full);
        let extra = (full || !block.is_empty()).then(|| {
            Box::new(Extra {
                fields: block.into(),
                options: if full { FULL } else { "" }.into(),
                ..Extra::default()
            })
        });
        let is_value = self.content_type.bytes().all(field::is_value);
        let content_type = if is_value { self.content_type } else { "" };
        Draft {
            content_type: Cow::Owned(content_type.to_owned()),
            body: Body::Shared(self.body),
            topics: TopicNames::of([self.topic].into_iter()),
            extra,
            plan: notices_only(self.hops),
            receivers: Receivers {
                targets: &[],
                callbacks,
            },
        }
    }
}

/// What a message says in the place of options that holds all there is to say of its topic.
const FULL: &str = "full=1";

/// Whether a message makes the older ones of its topic worthless to subscribers.
pub(super) fn is_full(message: &Message) -> bool {
    let extra = message.extra.as_ref();
    extra.is_some_and(|extra| *extra.options == *FULL)
}

/// The plan of what has no targets of its own: notices are tried as their settings say.
pub(super) fn notices_only(hops: u8) -> Plan {
    Plan {
        method: Method::Post,
        delay: Duration::ZERO,
        retries: 0,
        schedule: None,
        timeout: Duration::ZERO,
        expires: Mono::NEVER,
        terms: Terms {
            hops,
            ..Terms::default()
        },
        strict: false,
        gates: None,
    }
}

/// A body before its message is taken in.
#[derive(Clone, Debug)]
pub(super) enum Body<'a> {
    /// It lies in a request, and is copied if there is memory for it.
    Lent(&'a [u8]),
    /// It is a frame already: the hub's, and so perhaps of a topic that a stranger named.
    Shared(Frame),
    /// It was made here, of what can be told only now.
    Owed(Frame),
}

impl Body<'_> {
    fn len(&self) -> usize {
        match self {
            Body::Lent(bytes) => bytes.len(),
            Body::Shared(frame) | Body::Owed(frame) => frame.len(),
        }
    }

    fn frame(self) -> Frame {
        match self {
            Body::Lent(bytes) => Frame::copy_of(bytes),
            Body::Shared(frame) | Body::Owed(frame) => frame,
        }
    }
}

/// A message without an id.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// The media type that goes out with the body; empty where there is none.
    pub(super) content_type: Cow<'static, str>,
    /// The body as targets get it.
    pub(super) body: Body<'a>,
    /// The topics it is published to.
    pub(super) topics: TopicNames,
    /// What it brings along.
    pub(super) extra: Option<Box<Extra>>,
    /// What its deliveries have in common.
    pub(super) plan: Plan,
    /// Who gets it.
    pub(super) receivers: Receivers<'a>,
}

impl Draft<'_> {
    /// What it is charged, in bytes: while it waits to be published, and for its deliveries.
    fn cost(&self) -> u64 {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.bytes());
        let bytes = self.body.len() + self.content_type.len() + self.topics.bytes() + extra;
        let publish = match self.has_topics() {
            true => publish_cost(bytes),
            false => 0,
        };
        publish + self.plan.cost(bytes, self.receivers)
    }

    fn has_topics(&self) -> bool {
        self.topics.bytes() > 0
    }

    /// Takes it in.
    ///
    /// # Errors
    /// Memory is full; nothing was taken in then.
    pub(super) fn admit(
        self,
        turn: &mut Turn,
        deliveries: &mut Deliveries,
    ) -> Result<Accepted, Problem> {
        let cost = self.cost();
        let promised = matches!(self.body, Body::Owed(_));
        let taken = match self.body {
            Body::Owed(_) => {
                turn.memory.charge(cost);
                true
            }
            Body::Lent(_) => turn.memory.take(cost),
            Body::Shared(_) => turn.memory.take_for_strangers(cost),
        };
        if !taken {
            turn.stats.add(Counter::MessagesRefusedForMemory, 1);
            return Err(Reason::MemoryFull.into());
        }
        let has_topics = self.has_topics();
        let id = deliveries.next_id(turn);
        let message = Arc::new(Message {
            id,
            accepted: turn.now.wall,
            content_type: self.content_type,
            body: self.body.frame(),
            topics: self.topics,
            method: self.plan.method,
            hops: self.plan.terms.hops,
            extra: self.extra,
        });
        turn.hand(StoreOp::Accept {
            message: Arc::clone(&message),
            promised,
        });
        let admitted = deliveries.insert(turn, &message, self.receivers, &self.plan);
        let publish = has_topics.then_some(message);
        let receivers = self.receivers.targets.len() + self.receivers.callbacks.len();
        log::debug!("message_accepted id={id} deliveries={receivers}");
        Ok(Accepted {
            id,
            seq: turn.handed.last(),
            open: admitted.open,
            parking: admitted.parking,
            publish,
            callbacks: self.receivers.callbacks.len(),
            deliveries: receivers,
            duplicate: false,
        })
    }
}
