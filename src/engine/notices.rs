//! Where a message that is taken in meets those that subscribed to its topics.
//! It carries between the rooms and keeps no subscription.

use crate::conn::reply::Reach;
use crate::dispatch::Accepted;
use crate::model::{Callback, TopicNames};
use crate::topics::Topics;

/// Appends the callbacks that subscribed to any of the topics. No room of this engine keeps any.
pub(super) fn callbacks_of(_topics: &TopicNames, _callbacks: &mut Vec<Callback>) {}

/// How far an accepted message goes, for who asks in JSON; nothing of one without topics.
pub(super) fn reach(topics: &Topics, accepted: &Accepted) -> Option<Box<Reach>> {
    let message = accepted.publish.as_ref()?;
    let streams = message.topics.iter().map(|name| topics.readers(name));
    Some(Box::new(Reach {
        topics: message.topics.clone(),
        streams: streams.sum(),
        callbacks: accepted.callbacks,
    }))
}
