//! Outcomes for whoever reads of them as they come: a message of our own for each, under a topic
//! that nobody else publishes to. The store never has it.

use std::sync::Arc;

use super::Dispatch;
use crate::base::frame::Frame;
use crate::model::{Message, Method, TopicNames};
use crate::port::Turn;

/// The topic.
pub const TOPIC: &[u8] = b"$hookah/deliveries";

impl Dispatch {
    /// The next outcome as a message, if somebody reads of them.
    pub fn next_outcome(&mut self, turn: &mut Turn) -> Option<Arc<Message>> {
        let body = self.deliveries.next_outcome(turn)?;
        Some(Arc::new(Message {
            id: self.deliveries.next_id(turn),
            accepted: turn.now.wall,
            content_type: "application/json".into(),
            body: Frame::copy_of(&body),
            topics: TopicNames::of(std::iter::once(TOPIC)),
            method: Method::Post,
            hops: 0,
            extra: None,
        }))
    }
}
