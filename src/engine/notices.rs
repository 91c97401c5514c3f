//! How far a message goes that was taken in, for those who ask.
//! It carries between the rooms and keeps no subscription.

use crate::conn::reply::Reach;
use crate::dispatch::Accepted;
use crate::topics::Topics;

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
