//! What holds of every format and style, whatever the message; their bytes are in tests/formats.

use std::borrow::Cow;

use super::*;
use crate::base::time::Wall;
use crate::model::{MessageId, TopicNames};

fn message(number: u128, body: &[u8]) -> Message {
    Message {
        method: crate::model::Method::Post,
        hops: 0,
        id: MessageId(number),
        accepted: Wall(0),
        content_type: Cow::Borrowed(form::MEDIA_TYPE),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra: None,
    }
}

#[test]
fn numbers_and_styles_are_the_same_thing() {
    for index in 0..Style::COUNT {
        assert_eq!(Style::from_index(index).index(), index);
    }
    for format in Format::ALL {
        assert_eq!(Format::from_index(format.index()), format);
    }
    assert_eq!(Format::from_index(usize::MAX), Format::Raw);
}

#[test]
fn what_fills_the_silence_is_framed_as_a_notice_is() {
    for style in (0..Style::COUNT).map(Style::from_index) {
        let plain = Style {
            framing: Framing::Plain,
            ..style
        };
        let payload = plain.keep_alive();
        assert_eq!(style.frame_notice(payload), style.keep_alive());
        assert_eq!(style.frame_notice(b""), b"", "an empty chunk is the last");
    }
}

#[test]
fn only_formats_that_name_no_topic_share_their_frame() {
    let (message, mut scratch) = (message(1, b"a=1"), Scratch::default());
    for format in Format::ALL {
        let [one, other] = [b"t", b"u"].map(|topic| format.encode(&message, topic, &mut scratch));
        assert_eq!(one == other, format.shares_topics(), "{format:?}");
    }
}

#[test]
fn what_is_remembered_of_a_message_is_used_for_no_other() {
    let mut scratch = Scratch::default();
    for (number, body) in [(1, "a=1"), (2, "a=2"), (2, "a=3"), (3, "a=1")] {
        let message = message(number, body.as_bytes());
        for topic in [b"t", b"u"] {
            let warm = Format::Json.encode(&message, topic, &mut scratch);
            let cold = Format::Json.encode(&message, topic, &mut Scratch::default());
            assert_eq!(warm, cold);
        }
    }
}

#[test]
fn what_a_large_message_took_is_given_back() {
    let mut scratch = Scratch::default();
    let large = message(1, "a%01&".repeat(KEPT_BYTES_MAX).as_bytes());
    let _ = Format::JsonLength.encode(&large, b"t", &mut scratch);
    assert!(scratch.frame.capacity() <= KEPT_BYTES_MAX);
    let _ = Format::JsonLength.encode(&message(2, b"a=1"), b"t", &mut scratch);
    assert!(scratch.json.held() <= 6 * KEPT_BYTES_MAX);
}

#[test]
fn a_payload_is_what_stands_in_a_chunk() {
    let rows: [(&[u8], &[u8]); 6] = [
        (b"5\r\na=1\r\n\r\n", b"a=1\r\n"),
        (b"2\r\n\r\n\r\n", b"\r\n"),
        (b"5\r\na=1", b""),
        (b"5\r\n", b""),
        (b"5", b""),
        (b"", b""),
    ];
    for (frame, inner) in rows {
        assert_eq!(payload(frame), inner);
    }
}
