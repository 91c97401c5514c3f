//! Every byte of every format of streams, against golden files; and readers that were written
//! apart from the encoder get back what was published, however the bytes are cut.
//! After a change that is meant, `HOOKAH_WRITE_FORMATS=1 cargo test --test formats` writes the
//! files anew: read what has changed.

#[path = "formats/golden.rs"]
mod golden;
#[path = "formats/random.rs"]
mod random;
#[path = "formats/readers.rs"]
mod readers;

#[path = "support/decode.rs"]
mod decode;

use std::borrow::Cow;

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::model::{Extra, Message, MessageId, TopicNames};

/// A message accepted at 1763880000.123.
fn message(id: MessageId, media_type: &str, event: Option<&str>, body: &[u8]) -> Message {
    let extra = event.map(|event| {
        Box::new(Extra {
            event: Some(event.into()),
            ..Extra::default()
        })
    });
    Message {
        method: hookah::model::Method::Post,
        hops: 0,
        id,
        accepted: Wall(1_763_880_000_123_456),
        content_type: Cow::Owned(media_type.to_owned()),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra,
    }
}
